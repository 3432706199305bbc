/** `npm run dev`: the appliance with its demo camera, started anew when a source changes; the page is rebuilt instead. */

import { watch } from 'node:fs';
import { join, sep } from 'node:path';
import process from 'node:process';
import { start } from './child.mjs';
import { buildPage } from './page.mjs';
import { say } from './progress.mjs';

const watchedFolders = ['appliance', 'gateway', 'inference', 'storage', 'sync'];
/** An editor saves in several steps, a branch switch touches many files: one restart for all of them. */
const settleMs = 150;

/** Runs until the person stops it; resolves with the exit code of the last start. */
export async function watchAndRestart(context, args) {
  let isStopping = false;
  let isRestarting = false;
  let running;
  let changed = new Set();
  let settling;

  const onChange = (path) => {
    if (!/\.(ts|tsx|css|html|sql)$/.test(path) || path.includes(`${sep}dist${sep}`)) return;
    changed.add(path);
    clearTimeout(settling);
    settling = setTimeout(apply, settleMs);
  };
  const apply = () => {
    const paths = [...changed];
    changed = new Set();
    const isPage = (path) => path.startsWith(join('appliance', 'page'));
    if (paths.some(isPage)) {
      buildPage(context.root, context).then((problem) => say(`page: ${problem ?? 'built'}`));
    }
    const first = paths.find((path) => !isPage(path));
    if (first === undefined || isRestarting) return;
    say(`${first} changed: starting anew`);
    isRestarting = true;
    running?.child.kill('SIGTERM');
  };
  const watchers = watchedFolders.map((folder) =>
    watch(join(context.root, folder), { recursive: true }, (_kind, name) => {
      if (name !== null) onChange(join(folder, name));
    }),
  );
  const stop = () => {
    isStopping = true;
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);

  let code = 0;
  while (!isStopping) {
    isRestarting = false;
    running = start(context, ['appliance/main.ts', 'serve', '--demo', ...args]);
    code = await running.ended;
    if (isStopping || isRestarting) continue;
    say(`ended with code ${code}: waiting for a change`);
    while (!isStopping && !isRestarting) await new Promise((resolve) => setTimeout(resolve, 100));
  }
  for (const watcher of watchers) watcher.close();
  return code;
}
