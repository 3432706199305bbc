/** What was removed and what was not to be recorded, as a timeline asks for it. */

import Sqlite from 'better-sqlite3';
import { expect, test } from 'vitest';
import { systemClock } from '../../../storage/base/clock.ts';
import { silentLog } from '../../../storage/base/log.ts';
import { pausesBetweenSql } from '../../../storage/index/gap-queries.ts';
import { IndexWriter } from '../../../storage/index/index.ts';
import { removalGroupsSql } from '../../../storage/index/stream-queries.ts';
import { someRunId, someSegment } from '../../kit/segments.ts';
import { temporaryDirectory } from '../../kit/temp.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const t0 = Date.UTC(2026, 0, 10, 12);

async function createIndex() {
  const path = `${await temporaryDirectory()}/index.sqlite`;
  const writer = new IndexWriter({ clock: systemClock, log: silentLog }, { path });
  await writer.start();
  return { path, writer };
}

/** Takes in minutes and removes them again. */
function removeMinutes(
  writer: IndexWriter,
  { at, reason, who, nowMs }: { at: readonly number[]; reason: 'age' | 'request'; who?: string; nowMs: number },
): void {
  writer.transaction((change) => {
    for (const beginMs of at) {
      const part = someSegment({ runId: someRunId(`at ${beginMs}`), firstCounter: 1 + beginMs / minute, beginMs });
      const { segmentId } = change.segments.insert(part, { location: 'local', takenInMs: beginMs });
      const segment = change.queries.segments.byId(segmentId);
      if (segment === undefined) throw new Error('it was taken in');
      change.segments.remove(segment, { reason, isUrgent: false, nowMs, ...(who === undefined ? {} : { who }) });
    }
  });
}

test('removals of one reason and person within a cell are one, with how old the youngest was', async () => {
  const { writer } = await createIndex();
  const at = (minutes: number) => t0 + minutes * minute;
  removeMinutes(writer, { at: [at(0), at(1), at(5)], reason: 'age', nowMs: t0 + 30 * day });
  removeMinutes(writer, { at: [at(3)], reason: 'request', who: 'anna', nowMs: t0 + day });

  const groups = writer.queries.streams.removalGroups('door', { beginMs: t0, endMs: t0 + hour }, hour);
  const beside = writer.queries.streams.removalGroups('door', { beginMs: at(2), endMs: at(3) }, hour);

  expect(groups).toEqual([
    {
      ...{ beginMs: at(0), endMs: at(6), reason: 'age', who: undefined },
      ...{ removedMs: t0 + 30 * day, ageMs: 30 * day - 6 * minute },
    },
    {
      ...{ beginMs: at(3), endMs: at(4), reason: 'request', who: 'anna' },
      ...{ removedMs: t0 + day, ageMs: day - 4 * minute },
    },
  ]);
  expect(beside).toEqual([]);
  await writer.close();
});

test('a removal that began a day before is found, since a row holds a day', async () => {
  const { writer } = await createIndex();
  const midnight = Date.UTC(2026, 0, 10);
  removeMinutes(writer, {
    at: Array.from({ length: 1_440 }, (_, i) => midnight + i * minute),
    ...{ reason: 'age', nowMs: midnight + 30 * day },
  });
  const lastMinute = { beginMs: midnight + day - minute, endMs: midnight + day };

  const rows = writer.queries.streams.removals('door', lastMinute, 10);
  const groups = writer.queries.streams.removalGroups('door', lastMinute, minute);

  expect(rows).toMatchObject([{ beginMs: midnight, endMs: midnight + day, segments: 1_440 }]);
  expect(groups).toMatchObject([{ beginMs: midnight, endMs: midnight + day }]);
  await writer.close();
});

test('pauses say why, short ones, those of months and one that goes on', async () => {
  const { writer } = await createIndex();
  const pauses = [
    { beginMs: t0, endMs: t0 + 90 * day, reason: 'switched-off' },
    { beginMs: t0 + 91 * day, endMs: t0 + 91 * day + 8 * hour, reason: 'not-scheduled' },
    { beginMs: t0 + 92 * day, endMs: t0 + 92 * day + hour, reason: undefined },
    { beginMs: t0 + 93 * day, endMs: undefined, reason: 'live-only' },
  ] as const;
  writer.transaction((change) => {
    const streamKey = change.segments.streamKey('door');
    for (const pause of pauses) change.gaps.addPause(streamKey, pause);
  });
  const found = (beginMs: number, endMs: number) =>
    writer.queries.gaps.pausesBetween('door', { beginMs, endMs }, 10).map(({ pauseId: _, ...rest }) => rest);

  expect(found(t0, t0 + 200 * day)).toEqual(pauses);
  expect(found(t0 + 80 * day, t0 + 80 * day + minute)).toEqual([pauses[0]]);
  expect(found(t0 + 91 * day + hour, t0 + 92 * day)).toEqual([pauses[1]]);
  expect(found(t0 + 200 * day, t0 + 201 * day)).toEqual([pauses[3]]);
  expect(found(t0 - day, t0)).toEqual([]);
  await writer.close();
});

test('years of retention every hour cost a look at a month no more than that month', async () => {
  const { path, writer } = await createIndex();
  const database = new Sqlite(path, { readonly: true });
  const planOf = (sql: string, facts: object) =>
    (database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(facts) as { detail: string }[])
      .map((row) => row.detail)
      .join('\n');
  const span = { streamId: 'door', beginMs: t0, endMs: t0 + day };

  const removals = planOf(removalGroupsSql, { ...span, cellMs: 1_000, rowsMax: 10 });
  const pauses = planOf(pausesBetweenSql, { ...span, limit: 10 });

  expect(removals).toContain(
    'SEARCH removals USING INDEX removals_by_time (stream_id=? AND begin_ms>? AND begin_ms<?)',
  );
  expect(pauses).toContain('SEARCH p USING INDEX pauses_by_time (stream_key=? AND begin_ms>? AND begin_ms<?)');
  expect(pauses).toContain('SEARCH p USING INDEX pauses_long (stream_key=? AND begin_ms<?)');
  expect(pauses).not.toContain('SCAN');
  database.close();
  await writer.close();
});
