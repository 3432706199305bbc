import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import {
  ByteBudget,
  type JournalFiles,
  readSegment,
  readSegmentHead,
  scanSegment,
  systemFiles,
  verifySegment,
} from '../../../storage/journal/index.ts';
import { readCluster } from '../../../storage/media/index.ts';
import { limits } from '../../../storage/model/limits.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';
import { begin, facts, payload, startWriter, streamId, writeBlocks, writeFragment } from './kit.ts';

/** The disk of this machine, and what makes files durable or finished, in order. */
function recordedFiles(): { readonly files: JournalFiles; readonly calls: string[] } {
  const calls: string[] = [];
  const files: JournalFiles = {
    ...systemFiles,
    async sync(descriptor) {
      calls.push('fdatasync');
      await systemFiles.sync(descriptor);
    },
    async rename(source, target) {
      calls.push('rename');
      await systemFiles.rename(source, target);
    },
  };
  return { files, calls };
}

test('a committed fragment is in the file, in the scan and in the table as it was written', async () => {
  const { writer, finished, hints } = await startWriter(await temporaryDirectory());

  writeFragment(writer, 1, [160, 300_000, 1]);
  writeFragment(writer, 2, [5]);
  await writer.end('shutdown');

  const [path = ''] = finished();
  const segment = await readSegment(path);
  const committed = hints.flatMap((hint) => (hint.kind === 'committed' ? [hint.fragment] : []));
  expect(segment.fragments).toEqual(committed);
  expect((await scanSegment(path)).fragments).toEqual(committed);
  expect(segment.byteLength).toBe((await stat(path)).size);
  expect(segment).toMatchObject({ streamId, sequence: 0, firstCounter: 1, runReason: 'connecting' });
  const file = await readFile(path);
  const [first] = segment.fragments;
  const cluster = file.subarray(first?.offset, (first?.offset ?? 0) + (first?.byteLength ?? 0));
  const { blocks } = readCluster(cluster);
  expect(blocks.map((b) => b.relative)).toEqual([0, 20, 40]);
  expect(Buffer.compare(cluster.subarray(blocks[1]?.begin, blocks[1]?.end), payload(1, 1, 300_000))).toBe(0);
  expect(await verifySegment(path)).toEqual({ damaged: [], isDigestWrong: false });
});

test('a fragment is visible in the open file as soon as it is committed, and nothing after it is', async () => {
  const { writer, hints } = await startWriter(await temporaryDirectory());

  writeFragment(writer, 1);
  begin(writer, 2);
  writeBlocks(writer, 2, [limits.flushBytes]);
  await until('both writes are done', () => writer.openFragment()?.tail.byteLength === 0);

  const [begun] = hints;
  const path = begun?.kind === 'begun' ? begun.path : '';
  const scan = await scanSegment(path);
  expect(scan.fragments.map((f) => f.serverTimestampMs)).toHaveLength(1);
  expect(scan.fileBytes).toBeGreaterThan(scan.committedBytes + limits.flushBytes);
  expect((await readSegmentHead(path)).firstCounter).toBe(1);
  await writer.end('shutdown');
});

test('an aborted fragment leaves no byte, also when its bytes were in the file already', async () => {
  const { writer, hints, finished } = await startWriter(await temporaryDirectory());

  writeFragment(writer, 1);
  begin(writer, 2);
  writeBlocks(writer, 2, [2 * limits.flushBytes]);
  await until('bytes of the fragment are in the file', () => (writer.openFragment()?.tail.byteLength ?? 1) === 0);
  writer.abort();
  writeFragment(writer, 3);
  await writer.end('shutdown');

  const segment = await readSegment(finished()[0] ?? '');
  expect(segment.fragments.map((f) => f.mediaTimeMs)).toEqual([0, 4_000]);
  expect(segment.fragments[1]?.offset).toBeLessThan(10_000);
  expect(await verifySegment(finished()[0] ?? '')).toEqual({ damaged: [], isDigestWrong: false });
  expect(hints.map((hint) => hint.kind)).toContain('aborted');
});

test('hints come in the order begun, committed, finished, run-ended, and durable only after a sync', async () => {
  let syncs = 0;
  const sync = async () => {
    syncs++;
  };
  const { writer, hints } = await startWriter(await temporaryDirectory(), { sync });

  writeFragment(writer, 1);
  await writer.end('camera-removed');

  const kinds = hints.map((hint) => hint.kind);
  expect(kinds.filter((kind) => kind !== 'durable')).toEqual(['begun', 'committed', 'finished', 'run-ended']);
  expect(kinds.indexOf('durable')).toBeGreaterThan(kinds.indexOf('committed'));
  expect(syncs).toBeGreaterThan(0);
});

test('a full file is not synced by itself, and gets its finished name when the sync for all has made it durable', async () => {
  const { files, calls } = recordedFiles();
  const synced: (() => void)[] = [];
  const sync = () => new Promise<void>((resolve) => synced.push(resolve));
  const { writer, finished, finishedDirectory } = await startWriter(await temporaryDirectory(), { files, sync });
  for (let counter = 1; counter <= 31; counter++) writeFragment(writer, counter);
  await until('the second file is readable', () => writer.lastReadable?.mediaTimeMs === 60_000);
  const before = await readdir(join(finishedDirectory, streamId));
  const open = writer.snapshot().map(({ openNumber }) => openNumber);

  for (const resolve of synced.splice(0)) resolve();
  await until('the first file is finished', () => finished().length === 1);

  expect([before, open, calls]).toEqual([[], [undefined, undefined], ['rename']]);
  const ended = writer.end('shutdown');
  await until('the end is synced', () => {
    for (const resolve of synced.splice(0)) resolve();
    return finished().length === 2;
  });
  await ended;
  expect((await readSegment(finished()[0] ?? '')).fragments).toHaveLength(30);
  expect(calls).toEqual(['rename', 'rename']);
});

test('a snapshot tells every number that nobody can read yet', async () => {
  const written = Promise.withResolvers<void>();
  const files: JournalFiles = {
    ...systemFiles,
    write: (...args) => written.promise.then(() => systemFiles.write(...args)),
  };
  const { writer, hints } = await startWriter(await temporaryDirectory(), { files });
  writeFragment(writer, 1);
  writeFragment(writer, 2);
  begin(writer, 3);

  const open = writer.snapshot().map(({ openNumber }) => openNumber);

  written.resolve();
  await until('two are readable', () => hints.filter(({ kind }) => kind === 'committed').length === 2);
  const later = writer.snapshot().map(({ openNumber }) => openNumber);
  const begun = hints.flatMap((hint) => (hint.kind === 'begun' ? [hint.number] : []));
  expect([open, later]).toEqual([begun, begun.slice(2)]);
  await writer.end('shutdown');
});

test('what an acknowledged producer sends is durable in a directory that another run made a moment ago', async () => {
  const root = await temporaryDirectory();
  await startWriter(root);
  const calls: string[] = [];
  const files: JournalFiles = {
    ...systemFiles,
    async syncDirectory(path) {
      calls.push(basename(path));
      await systemFiles.syncDirectory(path);
    },
  };
  const { writer, hints } = await startWriter(root, {
    ...{ files, durability: 'each-fragment', runId: 'ffeeddccbbaa99887766554433221100' },
  });

  writeFragment(writer, 2);
  await until('it is durable', () => hints.some(({ kind }) => kind === 'durable'));

  expect(calls).toEqual(['ingest-0.1', 'finished', streamId]);
  await writer.end('shutdown');
});

test('a full file of an acknowledged producer is durable by itself', async () => {
  const { files, calls } = recordedFiles();
  const { writer } = await startWriter(await temporaryDirectory(), { files, durability: 'each-fragment' });

  writeFragment(writer, 1);
  await writer.end('shutdown');

  expect(calls).toEqual(['fdatasync', 'fdatasync', 'rename']);
});

test('a segment is finished at a minute and the next one goes on with the same run, chained by digest', async () => {
  const { writer, finished } = await startWriter(await temporaryDirectory());

  for (let counter = 1; counter <= 70; counter++) writeFragment(writer, counter);
  await writer.end('shutdown');

  const segments = await Promise.all(finished().map(readSegment));
  expect(segments.map((s) => s.fragments.length)).toEqual([30, 30, 10]);
  expect(segments.map((s) => s.sequence)).toEqual([0, 1, 2]);
  expect(segments.map((s) => s.firstCounter)).toEqual([1, 31, 61]);
  expect(segments[1]?.previousDigest).toEqual(segments[0]?.digest);
  expect(segments[2]?.previousDigest).toEqual(segments[1]?.digest);
  expect(segments[1]?.fragments[0]?.mediaTimeMs).toBe(60_000);
});

test('the first segment of a run is shorter by its offset, so that many cameras do not finish files at once', async () => {
  const { writer, finished } = await startWriter(await temporaryDirectory(), { segmentOffsetMs: 40_000 });

  for (let counter = 1; counter <= 45; counter++) writeFragment(writer, counter);
  await writer.end('shutdown');

  const segments = await Promise.all(finished().map(readSegment));
  expect(segments.map((s) => s.fragments.length)).toEqual([10, 30, 5]);
});

test('producer time that goes back, or a minute ahead, begins a new file', async () => {
  const { writer, finished } = await startWriter(await temporaryDirectory());

  for (const [counter, producerShiftMs] of [
    [1, 0],
    [2, -5_000],
    [3, -5_000],
    [4, 100_000],
  ] as const) {
    begin(writer, counter, { producerShiftMs });
    writeBlocks(writer, counter, [10]);
    writer.commit(facts(counter, [10]));
  }
  await writer.end('shutdown');

  const segments = await Promise.all(finished().map(readSegment));
  expect(segments.map((s) => s.fragments.length)).toEqual([1, 2, 1]);
});

test('a segment stays below its size', async () => {
  const { writer, finished } = await startWriter(await temporaryDirectory(), {
    budget: new ByteBudget(limits.recorderBytesMax),
  });

  for (let counter = 1; counter <= 5; counter++) writeFragment(writer, counter, Array(5).fill(4_000_000));
  await writer.end('shutdown');

  const segments = await Promise.all(finished().map(readSegment));
  expect(segments.map((s) => s.fragments.length)).toEqual([3, 2]);
  for (const segment of segments) expect(segment.byteLength).toBeLessThan(limits.segmentBytes);
});

test('a run without a committed fragment leaves no file', async () => {
  const root = await temporaryDirectory();
  const { writer, openDirectory, finishedDirectory } = await startWriter(root);

  begin(writer, 1);
  writeBlocks(writer, 1, [2 * limits.flushBytes]);
  await writer.end('shutdown');

  expect(await readdir(join(openDirectory, streamId))).toEqual([]);
  expect(await readdir(join(finishedDirectory, streamId))).toEqual([]);
});

test('bytes reach the file within a second although the fragment goes on', async () => {
  const clock = new SimulatedClock();
  const { writer } = await startWriter(await temporaryDirectory(), { clock });

  begin(writer, 1);
  writeBlocks(writer, 1, [1_000]);
  const before = writer.openFragment();
  await clock.advance(limits.flushPeriodMs);
  await until('the bytes are in the file', () => writer.openFragment()?.tail.byteLength === 0);

  expect(before?.tail.byteLength).toBeGreaterThan(1_000);
  expect(before?.joinOffset).toBe(before?.clusterOffset);
  const after = writer.openFragment();
  expect((await stat(after?.path ?? '')).size).toBe(after?.joinOffset);
  await writer.end('shutdown');
});

test('a lane that joins finds the whole open fragment in file and tail', async () => {
  const { writer } = await startWriter(await temporaryDirectory());

  writeFragment(writer, 1);
  begin(writer, 2);
  writeBlocks(writer, 2, [limits.flushBytes, 400_000]);
  await until(
    'the first megabyte is in the file',
    () => (writer.openFragment()?.tail.byteLength ?? 0) < limits.flushBytes,
  );
  writeBlocks(writer, 2, [50]);

  const view = writer.openFragment();
  const inFile = (await readFile(view?.path ?? '')).subarray(view?.clusterOffset, view?.joinOffset);
  const { blocks } = readCluster(Buffer.concat([inFile, view?.tail ?? new Uint8Array(0)]));
  expect(blocks.map((b) => b.end - b.begin)).toEqual([limits.flushBytes, 400_000, 50]);
  await writer.end('shutdown');
});

test('all memory is given back', async () => {
  const { writer, budget } = await startWriter(await temporaryDirectory());

  for (let counter = 1; counter <= 10; counter++) writeFragment(writer, counter, [300_000, 10]);
  begin(writer, 11);
  writeBlocks(writer, 11, [10]);
  await writer.end('shutdown');

  expect(budget.used).toBe(0);
});
