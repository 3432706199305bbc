/** A recording process, an index, a store and a reader at once: every fragment is seen once while its segment moves. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { IndexReader, IndexWriter } from '../../../storage/index/index.ts';
import { deadOpenDirectories, readSegment, recoverOpenDirectory } from '../../../storage/journal/index.ts';
import type { FragmentNumber } from '../../../storage/model/fragment-number.ts';
import { pathsUnder } from '../../../storage/model/paths.ts';
import { objectKey } from '../../../storage/model/segment.ts';
import { DirectoryStore } from '../../../storage/objects/index.ts';
import { StreamReader } from '../../../storage/reader/index.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';

const writerChild = new URL('../journal/writer-child.ts', import.meta.url).pathname;
const streamId = 'stream-1';

async function setUp() {
  const root = await temporaryDirectory();
  const paths = pathsUnder(root);
  const deps = { clock: systemClock, log: silentLog };
  const store = new DirectoryStore(deps, { directory: paths.objects });
  await store.start();
  const writer = new IndexWriter(deps, { path: paths.index });
  await writer.start();
  const index = new IndexReader(deps, { path: paths.index });
  const reader = new StreamReader({ ...deps, paths, index, store });
  await reader.start();

  /** What a keeper does with finished files: row, object, and the local file goes. */
  const takeIn = async () => {
    const directory = join(paths.journalFinished, streamId);
    for (const name of await readdir(directory).catch(() => [])) {
      const path = join(directory, name);
      const segment = await readSegment(path);
      const beginServerMs = segment.fragments[0]?.serverTimestampMs ?? 0;
      const { segmentId } = writer.transaction(({ segments }) =>
        segments.insert(segment, { location: 'local', takenInMs: systemClock.wallMs() }),
      );
      await store.putFile(objectKey({ ...segment, beginServerMs }), path);
      writer.transaction(({ segments }) => {
        segments.markStored(segmentId);
        segments.markNotLocal(segmentId);
      });
      await rm(path);
    }
  };
  const close = async () => {
    await reader.close();
    await index.close();
    await writer.close();
  };
  return { root, paths, reader, takeIn, close };
}

/** Records until `stop` is called, which kills the process and answers all numbers that it said were committed. */
function record(root: string, seed: number) {
  const child = spawn(process.execPath, [writerChild, 'write', root, String(seed)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const committed: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line.startsWith('committed ')) committed.push(line.slice(10));
  });
  const closed = once(child, 'close');
  const stop = async () => {
    child.kill('SIGKILL');
    await closed;
    return committed;
  };
  return { committed, stop };
}

test('a cursor sees every committed fragment once and in order while segments are finished, indexed, stored and removed', async () => {
  const { root, paths, reader, takeIn, close } = await setUp();
  const { committed, stop } = record(root, 7);
  const seen: string[] = [];
  let cursor: FragmentNumber | undefined;
  const readOn = async () => {
    const found = await reader.fragmentsAfter(streamId, cursor, 20);
    for (const reference of found) {
      const bytes = await reader.clusterBytes(reference);
      expect(bytes.byteLength).toBe(reference.fragment.byteLength);
      expect(bytes[0]).toBe(0x1f);
      seen.push(reference.fragment.number);
    }
    cursor = found.at(-1)?.fragment.number ?? cursor;
    return found.length;
  };

  await until('ten segments were recorded and read', async () => {
    await readOn();
    await takeIn();
    return committed.length >= 100;
  });
  const all = await stop();
  for (const { directory } of await deadOpenDirectories(paths)) {
    const options = { directory, finishedDirectory: paths.journalFinished, files: 'all' } as const;
    await recoverOpenDirectory({ log: silentLog }, options);
  }
  await takeIn();
  await until('everything was read', async () => (await readOn()) === 0);

  expect(seen).toEqual([...new Set(seen)].sort());
  expect(all.filter((number) => !seen.includes(number))).toEqual([]);
  expect((await reader.latest(streamId))?.fragment.number).toBe(seen.at(-1));
  expect(reader.missing().index).toBeUndefined();
  await close();
});

test('with the index gone, what the journal still has is served, and it is said', async () => {
  const { root, paths, reader, close } = await setUp();
  const { committed, stop } = record(root, 9);
  await until('segments were recorded', () => committed.length >= 25);
  const all = await stop();
  await rm(paths.index);

  const found = await reader.fragmentsAfter(streamId, undefined);

  expect(all.filter((number) => !found.some(({ fragment }) => fragment.number === number))).toEqual([]);
  expect(reader.missing().index).toBe('the index is not there yet');
  await close();
});
