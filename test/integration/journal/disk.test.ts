/** A small file system of its own: full, and read-only. Skipped, visibly, where mounting is refused. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { Durability, readSegment, recoverOpenDirectory, verifySegment } from '../../../storage/journal/index.ts';
import { until } from '../../kit/until.ts';
import { begin, facts, startWriter, streamId, writeBlocks, writeFragment } from '../../unit/journal/kit.ts';

const mountPoint = mkdtempSync(join(tmpdir(), 'weir-small-'));
const isMounted = mount(['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', mountPoint]);
if (!isMounted) console.warn('mounting is refused here: tests of a full and a read-only disk are skipped');
const onSmallDisk = test.skipIf(!isMounted);

afterAll(() => {
  if (isMounted) spawnSync('umount', [mountPoint]);
  rmSync(mountPoint, { recursive: true, force: true });
});

function mount(args: readonly string[]): boolean {
  return spawnSync('mount', [...args]).status === 0;
}

onSmallDisk(
  'a full disk ends the run, keeps every readable fragment, and recording goes on once there is room',
  async () => {
    const ballast = join(mountPoint, 'ballast');
    await writeFile(ballast, Buffer.alloc(3_000_000));
    const root = join(mountPoint, 'full');
    const { writer, failures, hints, openDirectory, finishedDirectory } = await startWriter(root);

    let counter = 0;
    await until('the disk is full', () => {
      try {
        if (failures.length === 0) writeFragment(writer, ++counter, [300_000]);
      } catch {
        // The failure may come between two fragments.
      }
      return failures.length > 0;
    });
    await writer.end('write-failed');
    await rm(ballast);
    const options = { directory: openDirectory, finishedDirectory, files: 'all' } as const;
    await recoverOpenDirectory({ log: silentLog }, options);
    const next = await startWriter(root, { runId: 'a'.repeat(32) });
    writeFragment(next.writer, counter + 1);
    await next.writer.end('shutdown');

    expect(failures[0]?.reason).toBe('disk-full');
    const committed = hints.flatMap((hint) => (hint.kind === 'committed' ? [hint.fragment.number] : []));
    expect(committed.length).toBeGreaterThan(10);
    const files = (await readdir(join(finishedDirectory, streamId))).sort();
    const [first, second] = files.map((name) => join(finishedDirectory, streamId, name));
    expect((await readSegment(first ?? '')).fragments.map((fragment) => fragment.number)).toEqual(committed);
    expect(await verifySegment(first ?? '')).toEqual({ damaged: [], isDigestWrong: false });
    expect((await readSegment(second ?? '')).fragments).toHaveLength(1);
  },
);

onSmallDisk('a read-only file system ends the run, and the next one records when it is writable again', async () => {
  const root = join(mountPoint, 'read-only');
  const before = await startWriter(root);
  writeFragment(before.writer, 1);
  await before.writer.end('shutdown');
  expect(mount(['-o', 'remount,ro', mountPoint])).toBe(true);

  const during = await startWriter(root, { runId: 'b'.repeat(32) });
  writeFragment(during.writer, 2);
  await until('the run failed', () => during.failures.length > 0);
  await during.writer.end('write-failed');
  expect(mount(['-o', 'remount,rw', mountPoint])).toBe(true);
  const after = await startWriter(root, { runId: 'c'.repeat(32) });
  writeFragment(after.writer, 3);
  await after.writer.end('shutdown');

  expect(during.failures.map((failure) => failure.reason)).toEqual(['write-failed']);
  expect(before.finished().length + after.finished().length).toBe(2);
});

onSmallDisk('sync -f makes fragments durable, with a period between syncs', async () => {
  const durability = new Durability({ clock: systemClock, log: silentLog }, { directory: mountPoint, periodMs: 100 });
  await durability.start();
  const sync = () => durability.synced({ alone: () => Promise.reject(new Error('file system has sync -f')) });
  const { writer, hints } = await startWriter(join(mountPoint, 'sync'), { sync });

  for (let counter = 1; counter <= 3; counter++) {
    begin(writer, counter);
    writeBlocks(writer, counter, [1_000]);
    writer.commit(facts(counter, [1_000]));
    await until('it is durable', () => hints.filter((hint) => hint.kind === 'durable').length === counter);
  }
  await writer.end('shutdown');
  await durability.close();

  expect(durability.syncCount).toBeLessThanOrEqual(6);
  expect(hints.filter((hint) => hint.kind === 'finished')).toHaveLength(1);
});
