/**
 * The admin page: built when it is missing or a source of it is newer, never a reason not to record. It is built aside and put in
 * place file by file, since an appliance may serve the last one meanwhile and somebody else may build at the same time.
 */

import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { runQuietly } from './child.mjs';
import { say } from './progress.mjs';

/** After so long builds that broke off go, and assets of earlier builds, which a page in somebody's browser may still ask for. */
const leftoverMsMax = 24 * 3_600_000;
const asidePrefix = '.build-';

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
  const page = join(root, 'appliance', 'page');
  const target = join(page, 'dist');
  const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js');
  const beganMs = Date.now();
  let aside;
  try {
    mkdirSync(target, { recursive: true });
    aside = mkdtempSync(join(target, asidePrefix));
    const args = ['build', page, '--outDir', aside, '--logLevel', 'error'];
    await runQuietly(runtime.node, [vite, ...args], { cwd: root });
    putPageInPlace(aside, target, beganMs);
    return undefined;
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    return 'failed, going on without';
  } finally {
    if (aside !== undefined) rmSync(aside, { recursive: true, force: true });
  }
}

/**
 * Moves a build into the folder that is served, each file by one rename and the page that names them last: whoever asks at any
 * moment gets the old page or the new one, whole.
 *
 * @param beganMs  a source that was saved after that makes the page stale
 */
export function putPageInPlace(aside, target, beganMs) {
  const files = filesUnder(aside).sort((a, b) => Number(a === 'index.html') - Number(b === 'index.html'));
  utimesSync(join(aside, 'index.html'), beganMs / 1000, beganMs / 1000);
  for (const file of files) {
    mkdirSync(join(target, file, '..'), { recursive: true });
    renameSync(join(aside, file), join(target, file));
  }
  const isOld = (path) => beganMs - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? beganMs) > leftoverMsMax;
  for (const { name } of readdirSync(target, { withFileTypes: true })) {
    if (name.startsWith(asidePrefix) && isOld(join(target, name)))
      rmSync(join(target, name), { recursive: true, force: true });
  }
  for (const file of filesUnder(target)) {
    if (!files.includes(file) && isOld(join(target, file))) rmSync(join(target, file), { force: true });
  }
}

/** Relative paths; builds aside are none of it. */
function filesUnder(directory, below = '') {
  return readdirSync(join(directory, below), { withFileTypes: true }).flatMap((entry) => {
    const path = join(below, entry.name);
    if (entry.isDirectory()) return entry.name.startsWith(asidePrefix) ? [] : filesUnder(directory, path);
    return [path];
  });
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
