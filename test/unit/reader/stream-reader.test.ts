import { copyFile, mkdir, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../../storage/base/clock.ts';
import { appError } from '../../../storage/base/errors.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { readSegment } from '../../../storage/journal/index.ts';
import type { Fragment } from '../../../storage/model/fragment.ts';
import { fragmentNumber, fragmentNumberParts } from '../../../storage/model/fragment-number.ts';
import type { Hint, OpenSegment } from '../../../storage/model/hint.ts';
import { objectKey } from '../../../storage/model/segment.ts';
import {
  type FragmentRef,
  type HintWatcher,
  type IndexedSegment,
  type SegmentIndex,
  StreamReader,
} from '../../../storage/reader/index.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';
import { begin, facts, runStartServerMs, startWriter, streamId, writeBlocks, writeFragment } from '../journal/kit.ts';

/** An index and a store of plain values, filled from finished files. */
class Archive {
  readonly segments: (IndexedSegment & { fragments: readonly Fragment[] })[] = [];
  readonly directory: string;
  isAway = false;

  constructor(directory: string) {
    this.directory = directory;
  }

  async takeIn(path: string, { isRow = true } = {}): Promise<void> {
    const segment = await readSegment(path);
    const [first] = segment.fragments;
    const last = segment.fragments.at(-1);
    if (first === undefined || last === undefined) throw new Error('empty segment');
    const key = objectKey({ ...segment, beginServerMs: first.serverTimestampMs });
    await mkdir(dirname(join(this.directory, key)), { recursive: true });
    await copyFile(path, join(this.directory, key));
    if (isRow)
      this.segments.push({
        ...segment,
        segmentId: this.segments.length,
        beginServerMs: first.serverTimestampMs,
        beginProducerMs: first.producerTimestampMs,
        lastNumber: last.number,
        objectKey: key,
      });
  }

  readonly index: SegmentIndex = {
    segmentsBetween: (_, { beginMs, endMs }) =>
      this.#rows().filter(({ fragments: [first, ...rest] }) => {
        const last = rest.at(-1) ?? first;
        return (first?.serverTimestampMs ?? 0) < endMs && (last?.serverTimestampMs ?? 0) + 2_000 > beginMs;
      }),
    segmentsAfter: (_, number, limit) =>
      this.#rows()
        .filter((s) => number === undefined || s.lastNumber > number)
        .slice(0, limit),
    latestSegment: () => this.#rows().at(-1),
    fragmentsOf: (id) => this.#rows()[id]?.fragments,
  };

  readonly store = {
    getRange: async (key: string, offset: number, length: number) => {
      const file = await open(join(this.directory, key));
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
      await file.close();
      return buffer.subarray(0, bytesRead);
    },
  };

  #rows() {
    if (this.isAway) throw appError('unavailable', 'the index is locked');
    return this.segments;
  }
}

/** Hands hints to whoever watches. */
class Hints implements HintWatcher {
  #callbacks: Parameters<HintWatcher['watch']>[0] | undefined;

  watch(callbacks: Parameters<HintWatcher['watch']>[0]): () => void {
    this.#callbacks = callbacks;
    return () => {
      this.#callbacks = undefined;
    };
  }

  snapshot(open: readonly OpenSegment[]): void {
    this.#callbacks?.onSnapshot({ open });
  }

  hint(hint: Hint): void {
    this.#callbacks?.onHint(hint);
  }

  lose(): void {
    this.#callbacks?.onLost();
  }
}

async function setUp(options: { watcher?: HintWatcher; clock?: SimulatedClock } = {}) {
  const root = await temporaryDirectory();
  const started = await startWriter(root);
  const archive = new Archive(join(root, 'objects'));
  const reader = new StreamReader({
    clock: options.clock ?? new SimulatedClock(systemClock.wallMs()),
    log: silentLog,
    paths: { journalOpen: join(root, 'open'), journalFinished: started.finishedDirectory },
    index: archive.index,
    store: archive.store,
    ...(options.watcher === undefined ? {} : { watcher: options.watcher }),
  });
  await reader.start();
  return { root, archive, reader, ...started };
}

const all = { beginMs: 0, endMs: Number.MAX_SAFE_INTEGER };
const counters = (references: readonly FragmentRef[]) =>
  references.map(({ fragment }) => fragmentNumberParts(fragment.number).counter);
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);

test('fragments of index, finished and open files come once each, in order', async () => {
  const { reader, writer, archive, finished } = await setUp();
  for (let counter = 1; counter <= 80; counter++) writeFragment(writer, counter);
  await until('two files are finished', () => finished().length === 2);
  await archive.takeIn(finished()[0] ?? '');

  const found = await reader.fragmentsBetween(streamId, all);

  expect(counters(found)).toEqual(upTo(80));
  expect(new Set(found.map(({ segment }) => segment.sequence))).toEqual(new Set([0, 1, 2]));
  await writer.end('shutdown');
});

test('a range and a limit give exactly the fragments that overlap, from the first on', async () => {
  const { reader, writer } = await setUp();
  for (let counter = 1; counter <= 40; counter++) writeFragment(writer, counter);
  await writer.end('shutdown');

  const range = { beginMs: runStartServerMs + 3_000, endMs: runStartServerMs + 10_000 };

  expect(counters(await reader.fragmentsBetween(streamId, range))).toEqual([2, 3, 4, 5]);
  expect(counters(await reader.fragmentsBetween(streamId, { ...range, limit: 2 }))).toEqual([2, 3]);
  expect(await reader.fragmentsBetween(streamId, { beginMs: 0, endMs: runStartServerMs })).toEqual([]);
});

test('a cursor gets every fragment exactly once while segments move on under it', async () => {
  const { reader, writer, archive, finished } = await setUp();
  const seen: number[] = [];
  let last: FragmentRef | undefined;
  let takenIn = 0;

  for (let counter = 1; counter <= 100; counter++) {
    writeFragment(writer, counter);
    if (counter % 7 === 0) {
      const [path] = finished().slice(takenIn);
      if (path !== undefined && ++takenIn) {
        await archive.takeIn(path);
        await rm(path);
      }
      const next = await reader.fragmentsAfter(streamId, last?.fragment.number, 10);
      seen.push(...counters(next));
      for (const reference of next) {
        expect((await reader.clusterBytes(reference)).byteLength).toBe(reference.fragment.byteLength);
      }
      last = next.at(-1) ?? last;
    }
  }
  await writer.end('shutdown');
  for (;;) {
    const next = await reader.fragmentsAfter(streamId, last?.fragment.number, 10);
    if (next.length === 0) break;
    seen.push(...counters(next));
    last = next.at(-1);
  }

  expect(seen).toEqual(upTo(100));
});

test('a reference stays readable while its segment moves from open to finished to the store', async () => {
  const { reader, writer, archive, finished, finishedDirectory } = await setUp();
  writeFragment(writer, 1, [100, 2_000]);
  const reference = await until('the fragment is visible', () => reader.latest(streamId));
  const whileOpen = await reader.clusterBytes(reference);

  await writer.end('shutdown');
  const whileFinished = await reader.clusterBytes(reference);
  await archive.takeIn(finished()[0] ?? '');
  await rm(join(finishedDirectory, streamId), { recursive: true });
  const whileStored = await reader.clusterBytes(reference);

  expect(whileOpen.byteLength).toBeGreaterThan(2_100);
  expect(whileFinished).toEqual(whileOpen);
  expect(Buffer.compare(whileStored, whileOpen)).toBe(0);
});

test('without the index the journal still answers, and it is said what is missing', async () => {
  const { reader, writer, archive, finished } = await setUp();
  for (let counter = 1; counter <= 70; counter++) writeFragment(writer, counter);
  await writer.end('shutdown');
  for (const path of finished()) await archive.takeIn(path);
  const before = counters(await reader.fragmentsBetween(streamId, all));
  archive.isAway = true;

  const during = counters(await reader.fragmentsBetween(streamId, all));

  expect(during).toEqual(before);
  expect(reader.missing()).toMatchObject({ index: 'the index is locked' });
  archive.isAway = false;
  await reader.latest(streamId);
  expect(reader.missing().index).toBeUndefined();
});

test('what the index removed is not shown from the file that is still there', async () => {
  const { reader, writer, archive, finished } = await setUp();
  for (let counter = 1; counter <= 40; counter++) writeFragment(writer, counter);
  await writer.end('shutdown');
  for (const path of finished()) await archive.takeIn(path);
  expect(counters(await reader.fragmentsBetween(streamId, all))).toEqual(upTo(40));

  archive.segments.splice(0, 1);

  expect(counters(await reader.fragmentsBetween(streamId, all)).every((counter) => counter > 30)).toBe(true);
});

test('nothing at or beyond the lowest open number is seen', async () => {
  const hints = new Hints();
  const { reader, writer } = await setUp({ watcher: hints });
  const openNumber = fragmentNumber(3, 0, 0);
  const open = { streamId, runId: 'other', path: '/', committedBytes: 0 };
  for (let counter = 1; counter <= 4; counter++) writeFragment(writer, counter);
  await until('all four are in the file', () => (writer.lastReadable?.mediaTimeMs ?? 0) === 6_000);
  hints.snapshot([{ ...open, openNumber }]);

  const during = counters(await reader.fragmentsAfter(streamId, undefined));
  const latest = await reader.latest(streamId);
  hints.hint({ kind: 'aborted', streamId, runId: 'other', number: openNumber });
  const after = counters(await reader.fragmentsAfter(streamId, undefined));

  expect(during).toEqual([1, 2]);
  expect(latest === undefined ? 0 : counters([latest])[0]).toBe(2);
  expect(after).toEqual([1, 2, 3, 4]);
  await writer.end('shutdown');
});

test('without hints, files that are written in parallel hold each other back', async () => {
  const { root, reader, writer } = await setUp();
  const other = await startWriter(root, { runId: 'f'.repeat(32) });
  begin(other.writer, 1);
  writeBlocks(other.writer, 1, [10]);
  writeFragment(writer, 2);
  other.writer.commit(facts(1, [10]));
  begin(other.writer, 3);
  writeFragment(writer, 4);

  await until('all are in the files', () => writer.lastReadable?.mediaTimeMs === 6_000);
  const during = await until('the first is in its file', async () => {
    const found = counters(await reader.fragmentsAfter(streamId, undefined));
    return found.length > 0 ? found : undefined;
  });
  await other.writer.end('shutdown');
  await writer.end('shutdown');

  expect(during).toEqual([1]);
  expect(counters(await reader.fragmentsAfter(streamId, undefined))).toEqual([1, 2, 4]);
});

test('listeners are called by hints, and without them by looking', async () => {
  const hints = new Hints();
  const clock = new SimulatedClock(systemClock.wallMs());
  const { reader, writer, hints: said } = await setUp({ watcher: hints, clock });
  let calls = 0;
  const stop = reader.onNew(streamId, () => calls++);
  hints.snapshot([]);
  const afterSnapshot = calls;

  writeFragment(writer, 1);
  await until('it is committed', () => said.some((hint) => hint.kind === 'committed'));
  for (const hint of said) hints.hint(hint);
  const byHint = calls;
  hints.lose();
  writeFragment(writer, 2);
  await until('it is in the file', () => writer.lastReadable?.mediaTimeMs === 2_000);
  await clock.advance(1_500);
  await until('the listener was called by looking', () => calls > byHint);
  stop();

  expect([afterSnapshot, byHint]).toEqual([1, 2]);
  await writer.end('shutdown');
  await reader.close();
});

test('a file that a dead writer left is read up to its last commit, also when given up by name', async () => {
  const { reader, writer, finished, openDirectory } = await setUp();
  for (let counter = 1; counter <= 3; counter++) writeFragment(writer, counter);
  await writer.end('shutdown');
  const [path = ''] = finished();
  const abandoned = join(openDirectory, streamId, `${basename(path)}.abandoned`);
  await rename(path, abandoned);
  await writeFile(join(openDirectory, streamId, 'notes.txt'), 'not a segment');

  const found = await reader.fragmentsBetween(streamId, all);

  expect(counters(found)).toEqual([1, 2, 3]);
  expect((await reader.clusterBytes(found[0] as FragmentRef)).byteLength).toBe(found[0]?.fragment.byteLength);
  expect(await readdir(join(openDirectory, streamId))).toHaveLength(2);
});

test('an unknown stream has no fragments', async () => {
  const { reader, writer } = await setUp();

  expect(await reader.fragmentsBetween('other', all)).toEqual([]);
  expect(await reader.latest('other')).toBeUndefined();
  await writer.end('shutdown');
});

test.each(['with hints', 'without hints'])(
  'the newest fragments of an open file are listed at once after a roll, a take-in and a change of run (%s)',
  async (mode) => {
    const hints = new Hints();
    const { root, reader, writer, archive, finished, ...started } = await setUp(
      mode === 'with hints' ? { watcher: hints } : {},
    );
    hints.snapshot(writer.snapshot());
    const told = new Map<object, number>();
    /** Passes on what a writer told; answers the newest counter that is readable by it. */
    const tell = (from: readonly Hint[]) => {
      for (const hint of from.slice(told.get(from) ?? 0)) hints.hint(hint);
      told.set(from, from.length);
      const committed = from.flatMap((hint) => (hint.kind === 'committed' ? [hint.fragment.number] : []));
      return Math.max(0, ...committed.map((number) => fragmentNumberParts(number).counter));
    };
    const listed: number[] = [];
    const record = async (of: Pick<typeof started, 'hints'> & { writer: typeof writer }, counter: number) => {
      writeFragment(of.writer, counter);
      await until(`${counter} is in the file`, () => tell(of.hints) === counter);
      const newest = { beginMs: runStartServerMs + (counter - 2) * 2_000, endMs: Number.MAX_SAFE_INTEGER };
      listed.push(counters(await reader.fragmentsBetween(streamId, newest)).at(-1) ?? 0);
    };

    for (let counter = 1; counter <= 32; counter++) await record({ writer, hints: started.hints }, counter);
    await until('the first file is finished', () => finished().length === 1);
    await archive.takeIn(finished()[0] ?? '');
    await rm(finished()[0] ?? '');
    for (let counter = 33; counter <= 40; counter++) await record({ writer, hints: started.hints }, counter);
    const ended = writer.end('source-closed');
    const other = await startWriter(root, { runId: 'f'.repeat(32) });
    for (let counter = 41; counter <= 45; counter++) {
      tell(started.hints);
      await record(other, counter);
      if (counter === 42) await ended;
    }
    await other.writer.end('shutdown');

    expect(listed).toEqual(upTo(45));
  },
);
