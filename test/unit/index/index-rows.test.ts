import Sqlite from 'better-sqlite3';
import { expect, test } from 'vitest';
import { systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { gapsBetweenSql } from '../../../storage/index/gap-queries.ts';
import { IndexReader, IndexWriter, type StoredSegment } from '../../../storage/index/index.ts';
import { latelySql } from '../../../storage/index/lately-queries.ts';
import {
  afterSql,
  intervalSql,
  notStoredRowsSql,
  notStoredSql,
  oldestSql,
} from '../../../storage/index/segment-queries.ts';
import { limits } from '../../../storage/model/limits.ts';
import type { Segment } from '../../../storage/model/segment.ts';
import { someRunId, someSegment, videoTrack } from '../../kit/segments.ts';
import { temporaryDirectory } from '../../kit/temp.ts';

const t0 = Date.UTC(2026, 0, 10, 12);
const minute = 60_000;

async function createIndex() {
  const path = `${await temporaryDirectory()}/index.sqlite`;
  const writer = new IndexWriter({ clock: systemClock, log: silentLog }, { path });
  await writer.start();
  const reader = new IndexReader({ clock: systemClock, log: silentLog }, { path });
  await reader.start();
  const insert = (...segments: Segment[]) =>
    writer.transaction((change) =>
      segments.map((segment) => change.segments.insert(segment, { location: 'local', takenInMs: t0 }).segmentId),
    );
  const close = async () => {
    await reader.close();
    await writer.close();
  };
  return { path, writer, reader, insert, close };
}

function minutes(count: number, streamId = 'door'): Segment[] {
  return Array.from({ length: count }, (_, i) =>
    someSegment({
      streamId,
      runId: someRunId(streamId),
      sequence: i,
      firstCounter: 1 + 30 * i,
      beginMs: t0 + i * minute,
    }),
  );
}

const begins = (segments: readonly StoredSegment[]) => segments.map((segment) => (segment.beginServerMs - t0) / minute);

test('the latest segment has the highest number, also after a time when the clock was ahead', async () => {
  const { reader, insert, close } = await createIndex();
  const ahead = someSegment({ runId: someRunId('ahead'), firstCounter: 1, beginMs: t0 + 365 * 1_440 * minute });
  const right = someSegment({ runId: someRunId('right'), firstCounter: 31, beginMs: t0 });

  insert(ahead, right);

  expect(reader.latestSegment('door')?.firstCounter).toBe(31);
  await close();
});

test('a segment comes back as it was taken in, with its run and every fragment', async () => {
  const { reader, insert, close } = await createIndex();
  const segment = someSegment({ beginMs: t0, producerOffsetMs: -250 });

  const [segmentId] = insert(segment);

  const found = reader.latestSegment('door');
  expect(found).toMatchObject({
    segmentId,
    streamId: 'door',
    runId: segment.runId,
    sequence: 0,
    firstNumber: segment.fragments[0]?.number,
    lastNumber: segment.fragments[29]?.number,
    beginServerMs: t0,
    endServerMs: t0 + minute,
    beginProducerMs: t0 - 250,
    endProducerMs: t0 + minute - 250,
    byteLength: segment.byteLength,
    fragmentCount: 30,
    objectKey: `door/2026-01-10/000000000001-${segment.runId}-v1.mkv`,
    location: 'local',
    isLocal: true,
    runReason: 'source-closed',
    runStartServerMs: t0,
    cipher: undefined,
  });
  expect(found?.tracks).toEqual([videoTrack]);
  expect(reader.fragmentsOf(found?.segmentId ?? 0)).toEqual(
    segment.fragments.map((fragment) => ({ ...fragment, sha256: new Uint8Array(fragment.sha256) })),
  );
  await close();
});

test('taking in the same segment twice changes nothing', async () => {
  const { writer, reader, insert, close } = await createIndex();
  const segment = someSegment({ beginMs: t0 });
  const [first] = insert(segment);

  const again = writer.transaction((change) => change.segments.insert(segment, { location: 'local', takenInMs: t0 }));

  expect(again).toEqual({ segmentId: first, isNew: false });
  expect(reader.totalsOf('door')).toMatchObject({ segments: 1, bytes: segment.byteLength, durationMs: minute });
  await close();
});

test('finds what overlaps a span and nothing else, on both time axes', async () => {
  const { reader, insert, close } = await createIndex();
  insert(...minutes(10), ...minutes(10, 'yard'));

  const inside = reader.segmentsBetween('door', { beginMs: t0 + 2 * minute, endMs: t0 + 4 * minute });
  const across = reader.segmentsBetween('door', { beginMs: t0 + 2.5 * minute, endMs: t0 + 3.5 * minute });
  const byProducer = reader.segmentsBetween('door', { beginMs: t0, endMs: t0 + 1 }, { axis: 'producer' });
  const limited = reader.segmentsBetween('door', { beginMs: t0, endMs: t0 + 10 * minute }, { limit: 3 });

  expect(begins(inside)).toEqual([2, 3]);
  expect(begins(across)).toEqual([2, 3]);
  expect(begins(byProducer)).toEqual([0]);
  expect(begins(limited)).toEqual([0, 1, 2]);
  expect(reader.segmentsBetween('nobody', { beginMs: 0, endMs: t0 * 2 })).toEqual([]);
  await close();
});

test('finds segments after a fragment number, overlapping runs included', async () => {
  const { reader, insert, close } = await createIndex();
  const first = someSegment({ runId: someRunId('a'), firstCounter: 1, beginMs: t0 });
  const overlapping = someSegment({ runId: someRunId('b'), firstCounter: 20, beginMs: t0 + 30_000 });
  const last = someSegment({ runId: someRunId('a'), sequence: 1, firstCounter: 60, beginMs: t0 + minute });
  insert(first, overlapping, last);

  const all = reader.segmentsAfter('door', undefined);
  const afterFirst = reader.segmentsAfter('door', first.fragments[29]?.number);
  const afterLast = reader.segmentsAfter('door', last.fragments[29]?.number);

  expect(all.map((segment) => segment.firstCounter)).toEqual([1, 20, 60]);
  expect(afterFirst.map((segment) => segment.firstCounter)).toEqual([20, 60]);
  expect(afterLast).toEqual([]);
  await close();
});

test('interval and cursor queries are one range of one index, whatever the size of the table', async () => {
  const { path, insert, close } = await createIndex();
  insert(...minutes(3));
  const database = new Sqlite(path, { readonly: true });
  const cursor = { beginServerMs: t0, segmentId: 1 };
  const planOf = (sql: string) => {
    const facts = { streamId: 'door', beginMs: t0, endMs: t0 + minute, counter: 1, fromMs: t0, limit: 10, ...cursor };
    return (database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(facts) as { detail: string }[]).map((row) => row.detail);
  };

  expect(planOf(intervalSql('server'))).toEqual([
    'SEARCH t USING COVERING INDEX sqlite_autoindex_streams_1 (stream_id=?)',
    'SEARCH s USING INDEX segments_by_server_time (stream_key=? AND begin_server_ms>? AND begin_server_ms<?)',
    'USE TEMP B-TREE FOR LAST TERM OF ORDER BY',
  ]);
  expect(planOf(intervalSql('producer'))[1]).toBe(
    'SEARCH s USING INDEX segments_by_producer_time (stream_key=? AND begin_producer_ms>? AND begin_producer_ms<?)',
  );
  expect(planOf(afterSql)).toEqual([
    'SEARCH t USING COVERING INDEX sqlite_autoindex_streams_1 (stream_id=?)',
    'SEARCH s USING INDEX segments_by_counter (stream_key=? AND last_counter>?)',
  ]);
  expect(planOf(oldestSql)).toEqual([
    'SEARCH t USING COVERING INDEX sqlite_autoindex_streams_1 (stream_id=?)',
    'SEARCH s USING INDEX segments_by_server_time (stream_key=? AND begin_server_ms>?)',
  ]);
  expect(planOf(notStoredSql)).toEqual(['SEARCH s USING COVERING INDEX segments_not_stored (begin_server_ms>?)']);
  expect(planOf(notStoredRowsSql)).toEqual([
    'SEARCH s USING INDEX segments_not_stored (begin_server_ms>?)',
    'SEARCH t USING INTEGER PRIMARY KEY (rowid=?)',
  ]);
  expect(planOf(latelySql)[1]).toBe(
    'SEARCH s USING COVERING INDEX segments_by_class (stream_key=? AND recording_class=? AND recording_mode=? AND begin_server_ms>? AND begin_server_ms<?)',
  );
  const gapPlan = planOf(gapsBetweenSql).join('\n');
  expect(gapPlan).toContain('SEARCH g USING INDEX gaps_by_time (stream_key=? AND begin_ms>? AND begin_ms<?)');
  expect(gapPlan).toContain('SEARCH g USING INDEX gaps_long (stream_key=? AND begin_ms<?)');
  expect(gapPlan).not.toContain('SCAN');
  database.close();
  await close();
});

test('refuses a segment that an interval query would not find, and never one for its source clock', async () => {
  const { reader, insert, close } = await createIndex();
  const tooLong = someSegment({ beginMs: t0, fragments: 13, fragmentMs: 10_000 });
  const jumping = someSegment({ beginMs: t0 });
  const jumped = {
    ...jumping,
    fragments: jumping.fragments.map((fragment, i) =>
      i === 29 ? { ...fragment, producerTimestampMs: t0 + 86_400_000 } : fragment,
    ),
  };

  expect(() => insert(tooLong)).toThrow(/longer than the index can find/);
  insert(jumped);

  const found = reader.latestSegment('door');
  expect((found?.endProducerMs ?? 0) - (found?.beginProducerMs ?? 0)).toBe(limits.segmentDurationMsMax);
  expect(reader.totalsOf('door')?.segments).toBe(1);
  await close();
});

test('a removed segment is invisible at once, is garbage until forgotten, and its removal is on record', async () => {
  const { writer, reader, insert, close } = await createIndex();
  insert(...minutes(5));
  const segments = reader.segmentsBetween('door', { beginMs: t0, endMs: t0 + 3 * minute });

  writer.transaction((change) => {
    for (const segment of segments) change.segments.remove(segment, { reason: 'age', isUrgent: false, nowMs: t0 });
  });

  expect(begins(reader.segmentsBetween('door', { beginMs: t0, endMs: t0 + 9 * minute }))).toEqual([3, 4]);
  expect(reader.fragmentsOf(segments[0]?.segmentId ?? 0)).toBeUndefined();
  expect(reader.totalsOf('door')).toMatchObject({ segments: 2, durationMs: 2 * minute, oldestMs: t0 + 3 * minute });
  expect(writer.garbage.garbageTotals().segments).toBe(3);
  expect(writer.garbage.isGarbage(segments[0]?.objectKey ?? '')).toBe(true);
  expect(reader.removals('door', { beginMs: t0, endMs: t0 + minute })).toMatchObject([
    { beginMs: t0, endMs: t0 + 3 * minute, segments: 3, reason: 'age', who: undefined },
  ]);
  writer.transaction((change) => {
    for (const { garbageId } of change.segments.garbageAfter(0, 10)) change.segments.forgetGarbage(garbageId);
  });
  expect(writer.garbage.garbageTotals()).toEqual({ segments: 0, bytes: 0 });
  await close();
});

test('a row is not marked as without local file while that file is its only copy', async () => {
  const { writer, reader, insert, close } = await createIndex();
  const [segmentId = 0] = insert(someSegment({ beginMs: t0 }));

  writer.transaction((change) => change.segments.markNotLocal(segmentId));
  expect(reader.segment(segmentId)?.isLocal).toBe(true);

  writer.transaction((change) => change.segments.markStored(segmentId));
  writer.transaction((change) => change.segments.markNotLocal(segmentId));
  expect(reader.segment(segmentId)).toMatchObject({ location: 'stored', isLocal: false });
  await close();
});

test('finds short, long and open gaps', async () => {
  const { writer, reader, insert, close } = await createIndex();
  insert(someSegment({ beginMs: t0 }));
  const hour = 60 * minute;
  writer.transaction((change) => {
    const streamKey = change.segments.streamKey('door');
    const add = (beginMs: number, endMs: number | undefined) =>
      change.gaps.add(streamKey, {
        beginMs,
        endMs,
        reason: 'unreachable',
        detail: undefined,
        runId: undefined,
        origin: 'ledger',
      });
    add(t0 - 9 * hour, t0 - 3 * hour);
    add(t0 + 10_000, t0 + 12_000);
    add(t0 + hour, undefined);
  });

  const found = (beginMs: number, endMs: number) =>
    reader.gapsBetween('door', { beginMs, endMs }).map((gap) => gap.beginMs - t0);

  expect(found(t0 - 4 * hour, t0 - 3.5 * hour)).toEqual([-9 * hour]);
  expect(found(t0 + 11_000, t0 + 11_001)).toEqual([10_000]);
  expect(found(t0 + 12_000, t0 + hour)).toEqual([]);
  expect(found(t0 + 5 * hour, t0 + 6 * hour)).toEqual([hour]);
  expect(found(t0 - 10 * hour, t0 + 10 * hour)).toEqual([-9 * hour, 10_000, hour]);
  expect(reader.openGaps().map((gap) => gap.beginMs)).toEqual([t0 + hour]);
  await close();
});

test('completeness counts what was recorded and what is missing by day and reason', async () => {
  const { writer, reader, insert, close } = await createIndex();
  insert(...minutes(60));
  writer.transaction((change) =>
    change.gaps.add(change.segments.streamKey('door'), {
      beginMs: t0 + 60 * minute,
      endMs: t0 + 80 * minute,
      reason: 'source-closed',
      detail: undefined,
      runId: undefined,
      origin: 'ledger',
    }),
  );

  const days = reader.completeness('door', {
    firstDay: '2026-01-09',
    lastDay: '2026-01-10',
    timeZone: 'Europe/Berlin',
  });

  expect(days).toHaveLength(2);
  expect(days[0]).toMatchObject({ recordedMs: 0, missingMs: 0, completeness: undefined });
  expect(days[1]).toMatchObject({
    day: '2026-01-10',
    beginMs: Date.UTC(2026, 0, 9, 23),
    recordedMs: 60 * minute,
    missingMs: 20 * minute,
    missingMsByReason: { 'source-closed': 20 * minute },
    completeness: 0.75,
  });
  await close();
});

test('holds are kept with who and why, also after their release', async () => {
  const { writer, reader, close } = await createIndex();
  const hold = {
    holdId: 'h1',
    streamId: 'door',
    beginMs: t0,
    endMs: undefined,
    who: 'mia',
    why: 'break-in',
    untilMs: undefined,
    createdMs: t0,
    releasedMs: undefined,
    releasedBy: undefined,
  };
  writer.transaction((change) => {
    change.holds.add(hold);
    change.holds.add({ ...hold, holdId: 'h2', streamId: undefined });
  });

  const isReleased = writer.transaction((change) => change.holds.release('h1', { who: 'tom', atMs: t0 + 1 }));
  const isReleasedAgain = writer.transaction((change) => change.holds.release('h1', { who: 'eve', atMs: t0 + 2 }));

  expect([isReleased, isReleasedAgain]).toEqual([true, false]);
  expect(reader.holdsOf('door')).toEqual([
    { ...hold, releasedMs: t0 + 1, releasedBy: 'tom' },
    { ...hold, holdId: 'h2', streamId: undefined },
  ]);
  expect(reader.holdsOf('yard').map((h) => h.holdId)).toEqual(['h2']);
  await close();
});
