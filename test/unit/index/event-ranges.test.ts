import Sqlite from 'better-sqlite3';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { eventsBetweenSql } from '../../../storage/index/event-queries.ts';
import { IndexReader, IndexWriter } from '../../../storage/index/index.ts';
import { oldestOfKindSql } from '../../../storage/index/segment-queries.ts';
import type { EventRange } from '../../../storage/model/event-range.ts';
import { limits } from '../../../storage/model/limits.ts';
import { someRunId, someSegment } from '../../kit/segments.ts';
import { temporaryDirectory } from '../../kit/temp.ts';

const t0 = Date.UTC(2026, 0, 10, 12);
const minute = 60_000;

async function createIndex(count = 10) {
  const path = `${await temporaryDirectory()}/index.sqlite`;
  const writer = new IndexWriter({ clock: systemClock, log: silentLog }, { path });
  await writer.start();
  const reader = new IndexReader({ clock: systemClock, log: silentLog }, { path });
  onTestFinished(async () => {
    await reader.close();
    await writer.close();
  });
  const insert = (i: number) =>
    writer.transaction((change) =>
      change.segments.insert(
        someSegment({ runId: someRunId('r'), sequence: i, firstCounter: 1 + 30 * i, beginMs: t0 + i * minute }),
        { location: 'local', takenInMs: t0 },
      ),
    );
  for (let i = 0; i < count; i++) insert(i);
  const marked = () =>
    reader
      .segmentsBetween('door', { beginMs: 0, endMs: Number.MAX_SAFE_INTEGER })
      .filter((segment) => segment.recordingClass === 'event')
      .map((segment) => (segment.beginServerMs - t0) / minute);
  return { path, writer, reader, insert, marked };
}

const range = (changes: Partial<EventRange>): EventRange => ({
  ...{ rangeId: 'e', streamId: 'door', kind: 'motion', source: 'api', detail: { zone: 'gate' } },
  ...{ beginMs: t0 + 3 * minute + 20_000, endMs: t0 + 3 * minute + 30_000, ...changes },
});

test('a range marks the segments it touches, with its margins, and no others', async () => {
  const { writer, reader, marked } = await createIndex();

  writer.transaction((change) => change.events.put(range({}), t0));
  const inside = marked();
  writer.transaction((change) => change.events.put(range({ endMs: t0 + 3 * minute + 55_000 }), t0));
  const longer = marked();
  writer.transaction((change) => change.events.put(range({ beginMs: t0 + 3 * minute + 5_000 }), t0));
  const earlier = marked();
  writer.transaction((change) => change.events.put(range({ streamId: 'yard', rangeId: 'f' }), t0));

  expect([inside, longer, earlier, marked()]).toEqual([[3], [3, 4], [2, 3], [2, 3]]);
  expect(reader.eventsBetween('door', { beginMs: t0, endMs: t0 + 4 * minute })).toEqual([
    { ...range({ beginMs: t0 + 3 * minute + 5_000 }), isCut: false, createdMs: t0 },
  ]);
});

test('an event marks both streams of its camera, also what the other one records later', async () => {
  const { writer, reader } = await createIndex(4);
  const policy = { cameraId: 'cam', retentionHours: 1, eventRetentionHours: 1, preRollMinutes: 1 };
  const rest = { cameraBytesMax: undefined, recording: undefined, recordingSinceMs: 0 };
  const insertSub = (i: number) =>
    writer.transaction((change) =>
      change.segments.insert(
        someSegment({
          ...{ streamId: 'door-sub', runId: someRunId('s'), sequence: i, firstCounter: 1 + 30 * i },
          beginMs: t0 + i * minute,
        }),
        { location: 'local', takenInMs: t0 },
      ),
    );
  for (const streamId of ['door', 'door-sub']) {
    writer.transaction((change) => change.state.setPolicy({ streamId, ...policy, ...rest }));
  }
  insertSub(2);
  insertSub(3);

  writer.transaction((change) => change.events.put(range({ endMs: undefined }), t0));
  insertSub(4);

  const classes = reader
    .segmentsBetween('door-sub', { beginMs: 0, endMs: Number.MAX_SAFE_INTEGER })
    .map((segment) => segment.recordingClass);
  expect(classes).toEqual(['continuous', 'event', 'event']);
});

test('footage that comes after its event is marked as it is taken in, while the event goes on and after', async () => {
  const { writer, insert, marked } = await createIndex(4);

  writer.transaction((change) => change.events.put(range({ endMs: undefined }), t0));
  insert(4);
  insert(5);
  const open = marked();
  writer.transaction((change) => change.events.end('e', t0 + 4 * minute + 10_000));
  const ended = marked();
  insert(6);

  expect([open, ended, marked()]).toEqual([
    [3, 4, 5],
    [3, 4],
    [3, 4],
  ]);
});

test('what only a removed range marked is marked no more', async () => {
  const { writer, marked } = await createIndex();
  writer.transaction((change) => {
    change.events.put(range({ endMs: t0 + 5 * minute }), t0);
    change.events.put(
      range({ rangeId: 'other', beginMs: t0 + 4 * minute + 30_000, endMs: t0 + 4 * minute + 30_000 }),
      t0,
    );
  });

  const isRemoved = writer.transaction((change) => change.events.remove('e'));

  expect(isRemoved).toBe(true);
  expect(marked()).toEqual([4]);
  expect(writer.transaction((change) => change.events.remove('e'))).toBe(false);
});

test('a range that nobody ends is ended where it is as long as one may be', async () => {
  const { writer, reader } = await createIndex(1);
  const dueMs = t0 + limits.eventRangeMsMax;
  writer.transaction((change) => change.events.put(range({ beginMs: t0, endMs: undefined }), t0));

  const early = writer.transaction((change) => change.events.cutOverdue(dueMs - 1));
  const late = writer.transaction((change) => change.events.cutOverdue(dueMs + minute));

  expect([early, late]).toEqual([0, 1]);
  expect(reader.eventRange('e')).toMatchObject({ endMs: dueMs, isCut: true });
});

test('whatever is put, ended and removed: a segment is of class event when a range says so', async () => {
  const { writer, marked } = await createIndex(30);
  const change = fc.record({
    id: fc.constantFrom('a', 'b', 'c'),
    kind: fc.constantFrom('put', 'open', 'end', 'remove'),
    fromMs: fc.integer({ min: -minute, max: 31 * minute }),
    lengthMs: fc.oneof(fc.integer({ min: 0, max: 5 * minute }), fc.integer({ min: 0, max: 25 * minute })),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 12 }), (changes) => {
      const ranges = new Map<string, EventRange>();
      writer.transaction(({ events }) => {
        for (const id of ['a', 'b', 'c']) events.remove(id);
        for (const { id, kind, fromMs, lengthMs } of changes) {
          const known = ranges.get(id);
          const beginMs = t0 + fromMs;
          if (kind === 'remove') {
            events.remove(id);
            ranges.delete(id);
          } else if (kind === 'end') {
            const endMs = (known?.beginMs ?? 0) + lengthMs;
            events.end(id, endMs);
            if (known !== undefined) ranges.set(id, { ...known, endMs });
          } else {
            const made = range({ rangeId: id, beginMs, endMs: kind === 'open' ? undefined : beginMs + lengthMs });
            events.put(made, t0);
            ranges.set(id, made);
          }
        }
      });

      const expected = Array.from({ length: 30 }, (_, i) => i).filter((i) =>
        [...ranges.values()].some(
          ({ beginMs, endMs = Number.POSITIVE_INFINITY }) =>
            beginMs - limits.eventMarginBeforeMs < t0 + (i + 1) * minute &&
            endMs + limits.eventMarginAfterMs > t0 + i * minute,
        ),
      );
      expect(marked()).toEqual(expected);
    }),
    { numRuns: 60 },
  );
});

test('events and segments of a kind are found by one range of an index', async () => {
  const { path } = await createIndex(0);
  const database = new Sqlite(path, { readonly: true });
  const parameters = {
    ...{ streamId: 'door', beginMs: 0, endMs: 1, limit: 1 },
    ...{ fromMs: 0, beforeMs: 1, recordingClass: 'event', recordingMode: 'events' },
  };
  const planOf = (sql: string) =>
    (database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(parameters) as { detail: string }[])
      .map((row) => row.detail)
      .join('\n');

  const [events, kinds] = [planOf(eventsBetweenSql), planOf(oldestOfKindSql)];

  expect(events).toContain('event_ranges_by_time (stream_id=? AND begin_ms>? AND begin_ms<?)');
  expect(kinds).toContain('segments_by_class (stream_key=? AND recording_class=? AND recording_mode=?');
  expect(events + kinds).not.toContain('TEMP B-TREE');
  database.close();
});
