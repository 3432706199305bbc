/** The admin page: built when it is missing or a source of it is newer, never a reason not to record. */

import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { runQuietly } from './child.mjs';
import { say } from './progress.mjs';

export function pageStep(root, runtime) {
  return {
    title: 'build the page',
    isNeeded: () => isPageStale(root),
    run: () => buildPage(root, runtime),
  };
}

/** True when the page's sources are in this checkout and its build is absent or older. */
export function isPageStale(root) {
  const page = join(root, 'appliance', 'page');
  if (!existsSync(join(page, 'vite.config.ts'))) return false;
  const built = join(page, 'dist', 'index.html');
  return !existsSync(built) || newestMs(page) > statSync(built).mtimeMs;
}

/** Builds the page; a failure is said and returned as the step's result, since recording does not need it. */
export async function buildPage(root, runtime) {
  const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js');
  try {
    await runQuietly(runtime.node, [vite, 'build', join(root, 'appliance', 'page'), '--logLevel', 'error'], {
      cwd: root,
    });
    return undefined;
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    return 'failed, going on without';
  }
}

function newestMs(directory) {
  let newest = 0;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.name === 'dist' || entry.name === 'node_modules') continue;
    const path = join(directory, entry.name);
    newest = Math.max(newest, entry.isDirectory() ? newestMs(path) : statSync(path).mtimeMs);
  }
  return newest;
}
