/**
 * Node 24 on a machine whose own Node is older: the registry package `node-linux-<arch>`, pinned with its integrity by
 * `runtime/package-lock.json`, installed into `.runtime`. It brings an npm of one known version, so that the machine's own npm
 * (9, 10, 11, or a distribution's patched one that runs only under its own Node) has this one simple job.
 */

import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { runQuietly } from './child.mjs';
import { installArgs, isInstalled, machineNpm, npmEnvironment } from './npm.mjs';

/** From here on Node strips types without a warning and has `crypto.argon2`. */
const nodeVersionMin = [24, 12];

/** Which Node and npm everything after the set-up uses. Touches nothing. */
export function runtimeOf(root) {
  if (isNewEnough(process.versions.node)) {
    return { isOwn: false, node: process.execPath, bin: dirname(process.execPath), npm: machineNpm() };
  }
  const modules = join(root, '.runtime', 'node_modules');
  const bin = join(modules, `node-linux-${process.arch}`, 'bin');
  const node = join(bin, 'node');
  return { isOwn: true, node, bin, npm: [node, join(modules, 'npm', 'bin', 'npm-cli.js')] };
}

export function runtimeStep(root, runtime) {
  const directory = join(root, '.runtime');
  const source = join(root, 'appliance', 'setup', 'runtime');
  return {
    title: `install Node 24 into .runtime (this machine has ${process.versions.node})`,
    isNeeded: () => runtime.isOwn && !(existsSync(runtime.node) && isInstalled(directory, source)),
    async run() {
      const isKnown = process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch);
      if (!isKnown) {
        throw new Error(
          `No Node 24 package exists for ${process.platform} ${process.arch}. Install Node ${nodeVersionMin.join('.')} or later and start again.`,
        );
      }
      mkdirSync(directory, { recursive: true });
      for (const name of ['package.json', 'package-lock.json']) copyFileSync(join(source, name), join(directory, name));
      const [command, ...args] = machineNpm();
      await runQuietly(command, [...args, ...installArgs(directory)], {
        cwd: directory,
        env: npmEnvironment(),
        hint: 'Weir needs the npm registry for this step; behind a proxy or mirror set it by `npm config set registry`.',
      });
      const probe = spawnSync(runtime.node, ['--version'], { encoding: 'utf8' });
      if (probe.status !== 0) {
        throw new Error(
          `The installed Node does not run here (it needs glibc 2.28 or later): ${probe.error?.message ?? probe.stderr}\nInstall Node ${nodeVersionMin.join('.')} or later yourself and start again.`,
        );
      }
      return `Node ${probe.stdout.trim()} is there`;
    },
  };
}

function isNewEnough(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [majorMin = 0, minorMin = 0] = nodeVersionMin;
  return major > majorMin || (major === majorMin && minor >= minorMin);
}
