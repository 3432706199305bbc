/** How npm is called, and how its result is judged, for both folders it fills: the checkout's and the runtime's. */

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

/** `npm ci` for one folder, without dependencies' scripts, whatever the person's own npm settings leave out. */
export function installArgs(directory) {
  return [
    'ci',
    '--prefix',
    directory,
    '--ignore-scripts',
    '--include=dev',
    '--include=optional',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ];
}

/** The environment without what the npm that started us put there for its own package. */
export function npmEnvironment(bin) {
  const result = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (/^npm_(package|lifecycle|command|execpath|node_execpath)/.test(name)) continue;
    if (name === 'npm_config_local_prefix' || name === 'npm_config_prefix' || name === 'INIT_CWD') continue;
    result[name] = value;
  }
  // The machine's registry, proxy and authorities stand beside its own npm, where the one in `.runtime` would not look.
  if (result.npm_config_globalconfig === undefined) result.npm_config_globalconfig = globalConfig();
  if (bin !== undefined) result.PATH = `${bin}:${process.env.PATH ?? ''}`;
  return result;
}

/**
 * True when npm's own record of what lies in `node_modules` has every package of the lock file in the version asked for.
 * npm writes that record last, so a broken-off installation has none. Optional packages of other platforms may be absent.
 */
export function isInstalled(directory, lockDirectory = directory) {
  const wanted = packagesIn(join(lockDirectory, 'package-lock.json'));
  const present = packagesIn(join(directory, 'node_modules', '.package-lock.json'));
  if (wanted === undefined || present === undefined) return false;
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '') return true;
    const found = present[path];
    return found === undefined ? entry.optional === true : found.version === entry.version;
  });
}

/** The `packages` of a lock file, or undefined when it is not there or not whole. */
export function packagesIn(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages;
  } catch {
    return undefined;
  }
}

/** The npm that started us, under the Node that started us: those two belong together. */
export function machineNpm() {
  const cli = process.env.npm_execpath;
  return cli?.endsWith('npm-cli.js') && existsSync(cli) ? [process.execPath, cli] : ['npm'];
}

function globalConfig() {
  const [command, ...args] = machineNpm();
  const answer = spawnSync(command, [...args, 'config', 'get', 'globalconfig'], { encoding: 'utf8' });
  return answer.status === 0 ? answer.stdout.trim() : undefined;
}
