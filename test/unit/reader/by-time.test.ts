/** Fragments in the order of server or producer time, by number, alone with their header and tags: from files and from an index. */

import { readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../../storage/base/clock.ts';
import { appError } from '../../../storage/base/errors.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { IndexReader, IndexWriter } from '../../../storage/index/index.ts';
import { matroskaHead, readMatroskaHead } from '../../../storage/media/index.ts';
import {
  type FragmentNumber,
  fragmentNumber,
  fragmentNumberParts,
  numberBefore,
} from '../../../storage/model/fragment-number.ts';
import { type FragmentRef, type SegmentIndex, StreamReader, type TimeAxis } from '../../../storage/reader/index.ts';
import { someSegment } from '../../kit/segments.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { until } from '../../kit/until.ts';
import { facts, runStartServerMs, startWriter, streamId, writeBlocks } from '../journal/kit.ts';

const secondMs = 1_000;
const counters = (references: readonly FragmentRef[]) =>
  references.map(({ fragment }) => fragmentNumberParts(fragment.number).counter);
const everything = { beginMs: 0, endMs: Number.MAX_SAFE_INTEGER, limit: 1_000 };

/** Writes a run with a fragment of 2 s at each of these seconds of server time. */
async function run(
  root: string,
  options: {
    readonly firstCounter: number;
    readonly seconds: readonly number[];
    readonly isImported?: boolean;
    readonly producerShiftS?: number;
    readonly producerHead?: Uint8Array;
    readonly tags?: readonly { readonly name: string; readonly value: string }[];
    readonly isLeftOpen?: boolean;
  },
): Promise<StreamReader> {
  const { firstCounter, seconds, isImported = false, producerShiftS = 0, producerHead, tags = [] } = options;
  const { writer, finishedDirectory, hints } = await startWriter(root, {
    runId: firstCounter.toString(16).padStart(32, '0'),
    ...(isImported ? { runReason: 'import' } : {}),
    ...(producerHead === undefined ? {} : { producerHead }),
  });
  for (const [i, second] of seconds.entries()) {
    const serverTimestampMs = runStartServerMs + second * secondMs;
    const counter = firstCounter + i;
    const producerTimestampMs = serverTimestampMs + producerShiftS * secondMs;
    writer.begin({
      number: fragmentNumber(counter, serverTimestampMs, 0),
      ...{ counter, serverTimestampMs, producerTimestampMs, mediaTimeMs: i * 2 * secondMs },
    });
    writeBlocks(writer, i + 1, [160, 160]);
    writer.commit({ ...facts(i + 1, [160, 160]), tags });
  }
  if (options.isLeftOpen === true) {
    const isCommitted = () => hints.filter((hint) => hint.kind === 'committed').length === seconds.length;
    await until('all are committed', isCommitted);
  } else await writer.end('source-closed');
  return new StreamReader({
    clock: systemClock,
    log: silentLog,
    paths: { journalOpen: join(root, 'open'), journalFinished: finishedDirectory },
  });
}

async function imported() {
  const root = await temporaryDirectory();
  await run(root, { firstCounter: 100, seconds: [0, 2, 10, 12] });
  // A producer whose clock is a day ahead.
  await run(root, { firstCounter: 200, seconds: [14, 16], producerShiftS: 86_400 });
  await run(root, { firstCounter: 300, seconds: [4, 6, 8], isImported: true });
  return run(root, { firstCounter: 400, seconds: [18, 20], isLeftOpen: true });
}

test('fragments come by server or by producer time, imported ones in their place, open files last', async () => {
  const reader = await imported();

  const byServer = await reader.fragmentsByTime(streamId, { ...everything, axis: 'server' });
  const byProducer = await reader.fragmentsByTime(streamId, { ...everything, axis: 'producer' });
  const recorded = await reader.fragmentsByTime(streamId, { ...everything, axis: 'server', isRecordedOnly: true });
  const span = { beginMs: runStartServerMs + 2_000, endMs: runStartServerMs + 10_000 };
  const within = await reader.fragmentsByTime(streamId, { ...everything, ...span, axis: 'server' });

  expect(counters(byServer)).toEqual([100, 101, 300, 301, 302, 102, 103, 200, 201, 400, 401]);
  expect(counters(byProducer)).toEqual([100, 101, 300, 301, 302, 102, 103, 400, 401, 200, 201]);
  expect(counters(recorded)).toEqual([100, 101, 102, 103, 200, 201, 400, 401]);
  expect(counters(within)).toEqual([101, 300, 301, 302]);
});

test('pages of any size, each after the last of the one before, have every fragment once', async () => {
  const reader = await imported();
  for (const axis of ['server', 'producer'] as const satisfies readonly TimeAxis[]) {
    const all = counters(await reader.fragmentsByTime(streamId, { ...everything, axis }));
    for (const limit of [1, 2, 3, 4, 7]) {
      const found: FragmentRef[] = [];
      for (;;) {
        const last = found.at(-1)?.fragment;
        const atMs = axis === 'server' ? last?.serverTimestampMs : last?.producerTimestampMs;
        const after = last === undefined || atMs === undefined ? undefined : { atMs, number: last.number };
        const page = await reader.fragmentsByTime(streamId, { ...everything, axis, after, limit });
        if (page.length === 0) break;
        found.push(...page);
      }
      expect(counters(found)).toEqual(all);
    }
  }
});

/** A real index of segments of two fragments, one every 10 s, a newer run in the journal, and the questions that were asked. */
async function indexed(count: number) {
  const beginMs = runStartServerMs - count * 10 * secondMs;
  const segments = Array.from({ length: count }, (_, i) => {
    const plan = { streamId, firstCounter: 1 + 2 * i, beginMs: beginMs + i * 10 * secondMs, producerOffsetMs: 500 };
    return someSegment({ ...plan, sequence: i, fragments: 2 });
  });
  const path = join(await temporaryDirectory(), 'index.sqlite');
  const deps = { clock: systemClock, log: silentLog };
  const writer = new IndexWriter(deps, { path });
  await writer.start();
  writer.transaction(({ segments: rows }) => {
    for (const segment of segments) rows.insert(segment, { location: 'stored', takenInMs: 0 });
  });
  await writer.close();
  const real = new IndexReader(deps, { path });
  await real.start();
  onTestFinished(() => real.close());
  const asked = { rows: 0, tables: 0, isAway: false };
  const ask = <T>(question: () => T): T => {
    if (asked.isAway) throw appError('unavailable', 'the index is locked');
    return question();
  };
  const counted = <T>(rows: T[]) => {
    asked.rows += rows.length;
    return rows;
  };
  const index: SegmentIndex = {
    segmentsBetween: (id, span, options) => ask(() => counted(real.segmentsBetween(id, span, options))),
    segmentsAfter: (id, number, limit) => ask(() => counted(real.segmentsAfter(id, number, limit))),
    latestSegment: (id) => ask(() => real.latestSegment(id)),
    fragmentsOf: (id) => {
      asked.tables++;
      return ask(() => real.fragmentsOf(id));
    },
  };
  const root = await temporaryDirectory();
  // The newest run is still in the journal.
  await run(root, { firstCounter: 2 * count + 1, seconds: [0, 2, 4] });
  const paths = { journalOpen: `${root}/open`, journalFinished: `${root}/finished` };
  const reader = new StreamReader({ clock: systemClock, log: silentLog, paths, index });
  return { reader, segments, asked, beginMs };
}

test('of a long range only the tables are read that the page takes, and no page of the index is passed over', async () => {
  const { reader, asked, beginMs } = await indexed(1_000);
  const range = { beginMs, endMs: Number.MAX_SAFE_INTEGER, axis: 'producer' as const };

  const first = await reader.fragmentsByTime(streamId, { ...range, limit: 100 });
  const { ...afterFirst } = asked;
  const all = await reader.fragmentsByTime(streamId, { ...range, limit: 10_000 });

  expect(counters(first)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
  expect(afterFirst.tables).toBeLessThan(60);
  expect(afterFirst.rows).toBeLessThan(300);
  expect(counters(all)).toEqual(Array.from({ length: 2_003 }, (_, i) => i + 1));
});

test('fragments are found by their numbers, from files and index, and those that are not there are left out', async () => {
  const { reader, segments, asked } = await indexed(500);
  const files = await imported();
  const numbers = segments.flatMap(({ fragments }) => fragments.map(({ number }) => number));
  const some = [numbers[700], numbers[3], numbers[4], numbers[5]].filter((number) => number !== undefined);
  const none = fragmentNumber(20, 1, 1);
  const local = await files.fragmentsByTime(streamId, { ...everything, axis: 'server' });

  const found = await reader.fragmentsOfNumbers(streamId, [...some, none]);
  const ofFiles = await files.fragmentsOfNumbers(streamId, [...local.map(({ fragment }) => fragment.number), none]);

  expect([...found.keys()].sort()).toEqual([...some].sort());
  expect(found.get(some[0] as FragmentNumber)?.fragment.number).toBe(some[0]);
  expect(asked.tables).toBeLessThan(20);
  expect([...ofFiles.keys()].sort()).toEqual(local.map(({ fragment }) => fragment.number).sort());
  expect(await reader.fragmentsOfNumbers(streamId, [])).toEqual(new Map());
  // Wherever in its segment a fragment stands: first, or last.
  expect((await reader.fragmentsOfNumbers(streamId, numbers)).size).toBe(numbers.length);
  for (const number of [...numbers.slice(0, 4), numbers.at(-1) ?? none]) {
    expect((await reader.fragmentsAfter(streamId, numberBefore(number), 1))[0]?.fragment.number).toBe(number);
  }
});

test('while the index cannot be asked nothing is told as if it were all, but what follows a cursor directly', async () => {
  const { reader, segments, asked } = await indexed(10);
  const numbers = segments.flatMap(({ fragments }) => fragments.map(({ number }) => number));
  const [newest] = await reader.fragmentsAfter(streamId, numbers.at(-1));
  const number = newest?.fragment.number ?? fragmentNumber(1, 0, 0);
  asked.isAway = true;
  const isWhole = true;
  const away = { code: 'unavailable' };

  await expect(reader.fragmentsByTime(streamId, { ...everything, axis: 'server' })).rejects.toMatchObject(away);
  await expect(reader.fragmentsOfNumbers(streamId, [number, numbers[0] ?? number])).rejects.toMatchObject(away);
  await expect(reader.fragmentsAfter(streamId, undefined, 5, { isWhole })).rejects.toMatchObject(away);
  await expect(reader.fragmentsAfter(streamId, numbers.at(-2), 5, { isWhole })).rejects.toMatchObject(away);
  expect((await reader.fragmentsOfNumbers(streamId, [number])).size).toBe(1);
  expect(counters(await reader.fragmentsAfter(streamId, numbers.at(-1), 5, { isWhole }))).toEqual([21, 22, 23]);
  expect(await reader.fragmentsAfter(streamId, fragmentNumber(24, 0, 0), 5, { isWhole })).toEqual([]);
  expect(counters(await reader.fragmentsAfter(streamId, undefined, 5))).toEqual([21, 22, 23]);
});

test("a fragment is read with its tags, whole or in pieces, and its run's header is the producer's or ours without our tags", async () => {
  const producerHead = matroskaHead({
    segmentUid: new Uint8Array(16).fill(7),
    tracks: [],
    timecodeScaleNs: 1_000_000,
    tags: [{ name: 'TITLE', value: 'a'.repeat(20_000) }],
  });
  const tags = [
    { name: 'ünïcode name', value: ' leading, "quotes", \u{1F600} and \u0001' },
    { name: 'empty', value: '' },
  ];
  const pushed = await run(await temporaryDirectory(), { firstCounter: 1, seconds: [0, 2], producerHead, tags });
  const pulled = await run(await temporaryDirectory(), { firstCounter: 1, seconds: [0, 2], isLeftOpen: true });
  const [first, last] = await pushed.fragmentsAfter(streamId, undefined);
  const [own] = await pulled.fragmentsAfter(streamId, undefined);
  if (first === undefined || last === undefined || own === undefined) throw new Error('nothing was recorded');

  const whole = await pushed.fragmentBytes(last, 1_000_000);
  const begun = await pushed.fragmentBytes(first, 50);
  const ownHead = await pulled.runHead(own.segment);

  expect([whole.tags, begun.tags]).toEqual([tags, tags]);
  expect(whole.cluster).toEqual(await pushed.clusterBytes(last));
  expect(begun.cluster).toEqual((await pushed.clusterBytes(first)).subarray(0, 50));
  expect(Buffer.compare(await pushed.runHead(first.segment), producerHead)).toBe(0);
  expect(readMatroskaHead(ownHead)).toMatchObject({ tags: [], tracks: [{ codec: 'pcmu' }] });
  expect((await readFile(own.segment.openPath ?? '')).subarray(0, ownHead.length).equals(ownHead)).toBe(true);
  expect((await pulled.fragmentBytes(own, 1_000_000)).tags).toEqual([]);
});

test('a file that was cut behind a reader is data that is lost, not a fragment without tags', async () => {
  const reader = await run(await temporaryDirectory(), { firstCounter: 1, seconds: [0, 2], isLeftOpen: true });
  const [first, last] = await reader.fragmentsAfter(streamId, undefined);
  if (first === undefined || last === undefined) throw new Error('nothing was recorded');
  const path = first.segment.openPath ?? '';
  await truncate(path, last.fragment.offset + 100);

  await expect(reader.fragmentBytes(last, 1_000_000)).rejects.toMatchObject({ code: 'data_loss' });
  expect((await reader.fragmentBytes(first, 1_000_000)).cluster.length).toBe(first.fragment.byteLength);
  await truncate(path, 60);
  await expect(reader.runHead(first.segment)).rejects.toMatchObject({ code: 'data_loss' });
});
