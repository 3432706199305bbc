/** Syncs by the long-lived shell, on real file systems. */

import { execFileSync } from 'node:child_process';
import { expect, onTestFinished, test } from 'vitest';
import { SyncChild } from '../../../storage/journal/sync-child.ts';
import { temporaryDirectory } from '../../kit/temp.ts';

function started(): SyncChild {
  const child = new SyncChild();
  onTestFinished(() => child.close());
  return child;
}

test('one shell syncs again and again', async () => {
  const directory = await temporaryDirectory();
  const child = started();

  for (let i = 0; i < 5; i++) await child.sync(directory);
});

test('a directory that is gone is a failed sync with the reason, and the next one works', async () => {
  const directory = await temporaryDirectory();
  const child = started();

  await expect(child.sync(`${directory}/gone`)).rejects.toMatchObject({
    code: 'data_loss',
    message: expect.stringContaining('gone'),
  });
  await child.sync(directory);
});

test('a shell that is killed fails the sync under way and is started again by the next', async () => {
  const directory = await temporaryDirectory();
  const child = started();
  await child.sync(directory);
  const before = shells();
  expect(before).not.toEqual([]);

  for (const pid of before) process.kill(pid, 'SIGKILL');
  await child.sync(directory).catch((error: unknown) => expect(error).toMatchObject({ code: 'data_loss' }));

  await child.sync(directory);
});

/** Children of this process that are our shell. */
function shells(): number[] {
  const lines = execFileSync('ps', ['-o', 'pid=,ppid=,args=', '-A'], { encoding: 'utf8' }).split('\n');
  return lines.flatMap((line) => {
    const [pid, parent, ...args] = line.trim().split(/\s+/);
    return Number(parent) === process.pid && args.join(' ').includes('sync -f') ? [Number(pid)] : [];
  });
}
