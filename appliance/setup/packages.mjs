/** npm packages, exactly as `package-lock.json` names them, without running a script of any of them. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { runQuietly } from './child.mjs';
import { installArgs, isInstalled, npmEnvironment, packagesIn } from './npm.mjs';

export function packagesStep(root, runtime) {
  return {
    title: existsSync(join(root, 'node_modules'))
      ? 'update npm packages (the lock file changed)'
      : 'install npm packages',
    isNeeded: () => !isInstalled(root),
    async run() {
      const [command, ...args] = runtime.npm;
      await runQuietly(command, [...args, ...installArgs(root)], { cwd: root, env: npmEnvironment(runtime.bin) });
      const count = Object.keys(packagesIn(join(root, 'node_modules', '.package-lock.json')) ?? {}).length;
      return `${count} packages are there`;
    },
  };
}
