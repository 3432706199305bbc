import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { appError } from '../../../storage/base/errors.ts';
import { silentLog } from '../../../storage/base/log.ts';
import {
  ByteBudget,
  type JournalFiles,
  readSegment,
  recoverOpenDirectory,
  scanSegment,
  systemFiles,
} from '../../../storage/journal/index.ts';
import { limits } from '../../../storage/model/limits.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';
import { begin, startWriter, streamId, writeBlocks, writeFragment } from './kit.ts';

/** Writes of a file of thirty fragments: head, fragments, and its end. */
const fullFileWrites = 32;

/** The disk of this machine, but for one write. */
function filesThatAwait(write: number, what: () => Promise<void>): JournalFiles {
  let writes = 0;
  return {
    ...systemFiles,
    async write(descriptor, views, position) {
      if (++writes === write) await what();
      await systemFiles.write(descriptor, views, position);
    },
  };
}

/** A disk whose next calls the test decides; `writes` counts those of the media. */
function faultyFiles() {
  const state = {
    writes: 0,
    failWriteAt: Number.POSITIVE_INFINITY,
    errno: 'EIO',
    isBroken: false,
    hold: Promise.resolve(),
  };
  const failure = () => Object.assign(new Error(`${state.errno}: injected`), { code: state.errno });
  const check = () => {
    if (state.isBroken) throw failure();
  };
  const files: JournalFiles = {
    ...systemFiles,
    async write(descriptor, views, position) {
      await state.hold;
      state.writes++;
      const isFailing = state.isBroken || state.writes === state.failWriteAt;
      if (isFailing) {
        // A part reaches the file, as with a disk that fills up.
        const [first] = views;
        if (first !== undefined) await systemFiles.write(descriptor, [first.subarray(0, 100)], position);
        throw failure();
      }
      return systemFiles.write(descriptor, views, position);
    },
    async truncate(descriptor, byteLength) {
      check();
      return systemFiles.truncate(descriptor, byteLength);
    },
    async rename(source, target) {
      check();
      return systemFiles.rename(source, target);
    },
  };
  return { files, state };
}

test('a full disk ends the run with its reason, and what was readable is finished', async () => {
  const { files, state } = faultyFiles();
  const { writer, failures, finished, budget, hints } = await startWriter(await temporaryDirectory(), { files });
  writeFragment(writer, 1);
  writeFragment(writer, 2);
  await until('both are readable', () => writer.lastReadable?.mediaTimeMs === 2_000);

  state.errno = 'ENOSPC';
  state.failWriteAt = state.writes + 1;
  writeFragment(writer, 3);
  await until('the run failed', () => failures.length > 0);
  await writer.end('write-failed');

  expect(failures.map((failure) => failure.reason)).toEqual(['disk-full']);
  expect((await readSegment(finished()[0] ?? '')).fragments.map((f) => f.mediaTimeMs)).toEqual([0, 2_000]);
  expect(() => begin(writer, 4)).toThrow('ENOSPC');
  expect(hints.filter((hint) => hint.kind === 'aborted')).toHaveLength(1);
  expect(budget.used).toBe(0);
});

test('a disk that takes nothing any more leaves a file that is recovered later with all that was readable', async () => {
  const { files, state } = faultyFiles();
  const root = await temporaryDirectory();
  const { writer, failures, openDirectory } = await startWriter(root, { files });
  writeFragment(writer, 1);
  writeFragment(writer, 2);
  await until('both are readable', () => writer.lastReadable?.mediaTimeMs === 2_000);

  state.isBroken = true;
  writeFragment(writer, 3, [limits.flushBytes]);
  await writer.end('write-failed');

  expect(failures.map((failure) => failure.reason)).toEqual(['write-failed']);
  const [name = ''] = await readdir(join(openDirectory, streamId));
  expect((await scanSegment(join(openDirectory, streamId, name))).fragments).toHaveLength(2);
  const options = { directory: openDirectory, finishedDirectory: join(root, 'finished'), files: 'all' } as const;
  expect(await recoverOpenDirectory({ log: silentLog }, options)).toMatchObject([
    { fragments: 2, outcome: 'finished' },
  ]);
});

test('a file that could not be given up is offered to recovery again when the disk takes something', async () => {
  const { files, state } = faultyFiles();
  const clock = new SimulatedClock();
  const { writer, failures, openDirectory } = await startWriter(await temporaryDirectory(), { files, clock });
  writeFragment(writer, 1);
  await until('it is readable', () => writer.lastReadable !== undefined);
  state.isBroken = true;
  writeFragment(writer, 2);
  await until('the run failed', () => failures.length > 0);
  await writer.end('write-failed');

  state.isBroken = false;
  await clock.advance(10_000);

  await until('the file has its new name', async () =>
    (await readdir(join(openDirectory, streamId))).every((name) => name.endsWith('.abandoned')),
  );
});

test('a failed sync ends the run, nothing is called durable, and the file is left for a reading recovery', async () => {
  const root = await temporaryDirectory();
  const sync = () => Promise.reject(appError('data_loss', 'input/output error'));
  const { writer, failures, hints, openDirectory } = await startWriter(root, { sync });

  writeFragment(writer, 1);
  await until('the run failed', () => failures.length > 0);
  await writer.end('sync-failed');

  expect(failures.map((failure) => failure.reason)).toEqual(['sync-failed']);
  expect(hints.map((hint) => hint.kind)).not.toContain('durable');
  expect(await readdir(join(openDirectory, streamId))).toEqual([expect.stringMatching(/\.abandoned$/)]);
  const options = { directory: openDirectory, finishedDirectory: join(root, 'finished'), files: 'abandoned' } as const;
  expect(await recoverOpenDirectory({ log: silentLog }, options)).toMatchObject([
    { fragments: 1, outcome: 'finished' },
  ]);
});

test('a file that was not created yet when a sync failed leaves nothing to be tried again', async () => {
  const disk = Promise.withResolvers<void>();
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => {});
  const renamed: string[] = [];
  const files: JournalFiles = {
    ...filesThatAwait(fullFileWrites, () => disk.promise),
    async rename(source, target) {
      renamed.push(target);
      await systemFiles.rename(source, target);
    },
  };
  const { writer, failures } = await startWriter(await temporaryDirectory(), { files, sync: () => broken.promise });
  // The first file's end hangs, so the second one is not even created.
  for (let counter = 1; counter <= 31; counter++) writeFragment(writer, counter);
  await until('the first file is readable', () => writer.lastReadable?.mediaTimeMs === 58_000);

  broken.reject(appError('data_loss', 'injected'));
  await until('the run failed', () => failures.length > 0);
  disk.resolve();
  await writer.end('sync-failed');

  expect(renamed).toEqual([expect.stringMatching(/\.mkv\.abandoned$/)]);
});

test('a failed fdatasync of an acknowledged producer ends the run before its fragment is called durable', async () => {
  const files = { ...systemFiles, sync: () => Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' })) };
  const { writer, failures, hints } = await startWriter(await temporaryDirectory(), {
    files,
    durability: 'each-fragment',
  });

  writeFragment(writer, 1);
  await until('the run failed', () => failures.length > 0);
  await writer.end('sync-failed');

  expect(failures[0]?.reason).toBe('sync-failed');
  expect(hints.map((hint) => hint.kind)).not.toContain('durable');
});

test('a failed sync of a file that is being finished ends the run, and the file is not called finished', async () => {
  let isEndWritten = false;
  const files = filesThatAwait(fullFileWrites, async () => {
    isEndWritten = true;
  });
  const sync = async () => {
    if (isEndWritten) throw appError('data_loss', 'injected');
  };
  const { writer, failures, hints, openDirectory } = await startWriter(await temporaryDirectory(), { files, sync });

  for (let counter = 1; counter <= 31; counter++) writeFragment(writer, counter);
  await until('the run failed', () => failures.length > 0);
  await writer.end('sync-failed');

  expect(failures[0]?.reason).toBe('sync-failed');
  expect(hints.map((hint) => hint.kind)).not.toContain('finished');
  const names = await readdir(join(openDirectory, streamId));
  expect(names.every((name) => name.endsWith('.abandoned'))).toBe(true);
});

test('a stalled disk is survived as long as memory lasts, and nothing that was taken is lost', async () => {
  const { files, state } = faultyFiles();
  let release = () => {};
  state.hold = new Promise((resolve) => {
    release = resolve;
  });
  const { writer, finished, failures, budget } = await startWriter(await temporaryDirectory(), {
    files,
    budget: new ByteBudget(40 * limits.pendingChunkBytes),
  });

  let taken = 0;
  const refused = await until('memory is used up', () => {
    try {
      writeFragment(writer, taken + 1, [200_000]);
      taken++;
      return undefined;
    } catch (error) {
      return error;
    }
  });
  writer.abort();
  release();
  await writer.end('disk-stalled');

  expect(refused).toMatchObject({ code: 'resource_exhausted' });
  expect(failures).toEqual([]);
  expect(taken).toBeGreaterThan(10);
  expect((await readSegment(finished()[0] ?? '')).fragments).toHaveLength(taken);
  expect(budget.used).toBe(0);
});

test('one writer whose disk stalls takes memory only as far as the budget that all share', async () => {
  const budget = new ByteBudget(10 * limits.pendingChunkBytes);
  const root = await temporaryDirectory();
  const { files, state } = faultyFiles();
  let release = () => {};
  state.hold = new Promise((resolve) => {
    release = resolve;
  });
  const first = await startWriter(join(root, 'a'), { files, budget });
  const second = await startWriter(join(root, 'b'), { budget });
  begin(first.writer, 1);
  expect(() => writeBlocks(first.writer, 1, Array(50).fill(100_000))).toThrow('buffer is full');
  first.writer.abort();
  release();
  await until('memory is given back', () => budget.used === 0);

  writeFragment(second.writer, 1);
  await second.writer.end('shutdown');
  await first.writer.end('disk-stalled');

  expect(second.finished()).toHaveLength(1);
});
