/** Packages of the distribution: what is missing, and how it comes in, as root or by sudo without a password. */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import process from 'node:process';
import { runQuietly } from './child.mjs';
import { commandPath } from './command-path.mjs';

/**
 * The names of those tools that are not there: each is `{ name }` with `commands`, a `file` or a `module` of pkg-config that only its
 * package brings.
 */
export function missingOf(tools) {
  return tools.filter((tool) => !isThere(tool)).map(({ name }) => name);
}

function isThere(tool) {
  if (tool.file !== undefined) return existsSync(tool.file);
  if (tool.module !== undefined) return spawnSync('pkg-config', ['--exists', tool.module]).status === 0;
  return tool.commands.some((command) => inPath(command));
}

function inPath(command) {
  return commandPath(command) !== undefined;
}

/** `apt-get` with the rights it needs, or undefined. */
export function aptCommand() {
  if (!inPath('apt-get')) return undefined;
  if (process.getuid?.() === 0) return ['apt-get'];
  const sudo = spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' });
  return sudo.status === 0 ? ['sudo', '-n', 'apt-get'] : undefined;
}

/** Returns the packages that could not be installed. One unknown name makes apt refuse all, so then each is tried alone. */
export async function installPackages(apt, names) {
  const get = (...args) => {
    const [command, ...rest] = ['env', 'DEBIAN_FRONTEND=noninteractive', ...apt, ...lockWait, '-q', '-y', ...args];
    return runQuietly(command, rest);
  };
  const succeeds = (...args) =>
    get(...args).then(
      () => true,
      () => false,
    );
  await succeeds('update');
  if (await succeeds('install', '--no-install-recommends', ...names)) return [];
  const failed = [];
  for (const name of names) {
    if (!(await succeeds('install', '--no-install-recommends', name))) failed.push(name);
  }
  return failed;
}

/** Another apt may be at work: that of another start, or the nightly one. */
const lockWait = ['-o', 'DPkg::Lock::Timeout=300'];

/** What a person is to do who has the rights that we have not. */
export function howToInstall(names) {
  if (inPath('apt-get')) return `as root: apt-get install -y ${names.join(' ')}`;
  return `install ${names.join(', ')} (so named in Debian) by the package manager of this system`;
}
