/** An index answers a bounded number of rows: what lies beyond them is asked for, and never passed over. */

import { expect, test } from 'vitest';
import { silentLog } from '../../../storage/base/log.ts';
import { fragmentNumberParts } from '../../../storage/model/fragment-number.ts';
import { limits } from '../../../storage/model/limits.ts';
import { objectKey } from '../../../storage/model/segment.ts';
import { type FragmentRef, type SegmentIndex, StreamReader } from '../../../storage/reader/index.ts';
import { someSegment } from '../../kit/segments.ts';
import { SimulatedClock } from '../../kit/simulated-clock.ts';
import { temporaryDirectory } from '../../kit/temp.ts';
import { runStartServerMs, startWriter, streamId, writeFragment } from '../journal/kit.ts';

const apartMs = 10_000;
const count = limits.indexRowsMax + 2_000;

/** Short segments of two fragments, one every 10 s, as the index bounds its answers; a newer one stands in the journal. */
async function setUp() {
  const beginMs = runStartServerMs - count * apartMs;
  const segments = Array.from({ length: count }, (_, i) => {
    const segment = someSegment({
      ...{ streamId, firstCounter: 1 + 2 * i, beginMs: beginMs + i * apartMs, fragments: 2 },
    });
    const [first, last] = segment.fragments;
    if (first === undefined || last === undefined) throw new Error('empty segment');
    const beginServerMs = first.serverTimestampMs;
    const key = objectKey({ ...segment, beginServerMs });
    const beginProducerMs = first.producerTimestampMs;
    return { ...segment, segmentId: i, beginServerMs, beginProducerMs, lastNumber: last.number, objectKey: key };
  });
  const index: SegmentIndex = {
    segmentsBetween: (_, span) =>
      segments
        .filter((each) => each.beginServerMs < span.endMs && each.beginServerMs + 4_000 > span.beginMs)
        .slice(0, limits.indexRowsMax),
    segmentsAfter: (_, number, limit = limits.indexRowsMax) =>
      segments
        .filter((each) => number === undefined || each.lastNumber > number)
        .slice(0, Math.min(limit, limits.indexRowsMax)),
    latestSegment: () => segments.at(-1),
    fragmentsOf: (id) => segments[id]?.fragments,
  };
  const root = await temporaryDirectory();
  const { writer, finishedDirectory } = await startWriter(root);
  writeFragment(writer, 2 * count + 1);
  await writer.end('shutdown');
  const reader = new StreamReader({
    clock: new SimulatedClock(runStartServerMs),
    log: silentLog,
    paths: { journalOpen: `${root}/open`, journalFinished: finishedDirectory },
    index,
  });
  return { reader, segments, beginMs };
}

const counters = (references: readonly FragmentRef[]) =>
  references.map(({ fragment }) => fragmentNumberParts(fragment.number).counter);
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);

test('footage of more segments than the index answers at once has no hole before the newest', async () => {
  const { reader, beginMs } = await setUp();

  const found = await reader.fragmentsBetween(streamId, { beginMs, endMs: Number.MAX_SAFE_INTEGER });

  expect(counters(found)).toEqual(upTo(2 * count + 1));
});

test('a cursor that asks for more than the index answers at once misses nothing', async () => {
  const { reader, segments } = await setUp();

  const found = await reader.fragmentsAfter(streamId, undefined);
  const few = await reader.fragmentsAfter(streamId, segments[9]?.lastNumber, 3);

  expect(counters(found)).toEqual(upTo(2 * count + 1));
  expect(counters(few)).toEqual([21, 22, 23]);
});
