/** Reading what is asked for seldom: totals, holds, removals. */

import type { Database } from 'better-sqlite3';
import { and, asc, drizzle, eq, gt, isNull, lt, or } from '../base/drizzle.ts';
import { limits } from '../model/limits.ts';
import { holds, removals } from './schema.ts';
import type { Hold, Removal, RemovalGroup, RemovalReason, Span, StreamTotals } from './stored-segment.ts';

/** A row begins on the UTC day of all its segments: none is longer than this, so that no query looks back further. */
const removalMsMax = 86_400_000 + limits.segmentDurationMsMax;

/** Exported so that a test can look at its plan. */
export const removalGroupsSql = `
  SELECT min(begin_ms) beginMs, max(end_ms) endMs, reason, who, max(last_at_ms) removedMs, min(last_at_ms - end_ms) ageMs
    FROM (SELECT * FROM removals INDEXED BY removals_by_time WHERE stream_id = @streamId
      AND begin_ms > @beginMs - ${removalMsMax} AND begin_ms < @endMs AND end_ms > @beginMs ORDER BY begin_ms DESC LIMIT @rowsMax)
    GROUP BY CAST(begin_ms / @cellMs AS INTEGER), reason, who ORDER BY 1`;

const totalsSql = `SELECT stream_id, camera_id, segments, bytes, duration_ms,
    (SELECT min(begin_server_ms) FROM segments s WHERE s.stream_key = t.stream_key) oldest,
    (SELECT end_server_ms FROM segments s WHERE s.stream_key = t.stream_key ORDER BY begin_server_ms DESC LIMIT 1) newest
  FROM streams t`;

type TotalsRow = {
  stream_id: string;
  camera_id: string | null;
  segments: number;
  bytes: number;
  duration_ms: number;
  oldest: number | null;
  newest: number | null;
};

export type StreamQueries = ReturnType<typeof streamQueries>;

export function streamQueries(database: Database) {
  const orm = drizzle(database);
  const totalsOfAll = database.prepare(`${totalsSql} ORDER BY stream_id`);
  const totals = database.prepare(`${totalsSql} WHERE stream_id = ?`);
  const intervals = database
    .prepare(
      `SELECT s.begin_server_ms, s.end_server_ms FROM streams t
        CROSS JOIN segments s INDEXED BY segments_by_server_time USING (stream_key)
        WHERE t.stream_id = @streamId AND s.begin_server_ms > @beginMs - @lookBackMs AND s.begin_server_ms < @endMs
          AND s.end_server_ms > @beginMs ORDER BY s.begin_server_ms`,
    )
    .raw();
  const removedBytes = database.prepare('SELECT reason, sum(bytes) bytes FROM removals GROUP BY reason');
  const recordedByLedger = database
    .prepare('SELECT stream_id FROM streams WHERE ledger_state IS NOT NULL ORDER BY stream_id')
    .pluck();
  const wrongTotals = database
    .prepare(
      `SELECT stream_id FROM streams t WHERE segments <> (SELECT count(*) FROM segments s WHERE s.stream_key = t.stream_key)
        OR bytes <> (SELECT coalesce(sum(byte_length), 0) FROM segments s WHERE s.stream_key = t.stream_key)`,
    )
    .pluck();
  const removalGroups = database.prepare(removalGroupsSql);
  const count = database.prepare('SELECT coalesce(sum(segments), 0) FROM streams').pluck();
  const rebuild = database.prepare("SELECT value FROM keeper_state WHERE name = 'rebuild'").pluck();
  return {
    /** Streams whose kept totals are not those of their rows: reads every row. */
    wrongTotals: (): string[] => wrongTotals.all() as string[],
    segmentCount: (): number => count.get() as number,
    /** True while the index is filled from files and objects: rows are still missing. */
    isRebuilding: (): boolean => ((rebuild.get() as string | undefined) ?? 'null') !== 'null',
    /** Bytes removed so far. */
    removedBytes: (): { reason: string; bytes: number }[] => removedBytes.all() as { reason: string; bytes: number }[],
    /** Streams whose seconds the gap ledger accounts for. */
    recordedByLedger: (): string[] => recordedByLedger.all() as string[],
    totalsOf: (streamId: string): StreamTotals | undefined => {
      const row = totals.get(streamId) as TotalsRow | undefined;
      return row === undefined ? undefined : rowToTotals(row);
    },
    totalsOfAll: (): StreamTotals[] => (totalsOfAll.all() as TotalsRow[]).map(rowToTotals),
    /** Begin and end of every segment that overlaps the span, by begin: walked without reading a segment's row. */
    intervals: (streamId: string, span: Span, lookBackMs: number): IterableIterator<[number, number]> =>
      intervals.iterate({ streamId, ...span, lookBackMs }) as IterableIterator<[number, number]>,
    /** Holds that cover the stream, or all of them, released ones included, by when they were ordered. */
    holds: (streamId: string | undefined): Hold[] =>
      orm
        .select()
        .from(holds)
        .where(streamId === undefined ? undefined : or(eq(holds.streamId, streamId), isNull(holds.streamId)))
        .orderBy(asc(holds.createdMs), asc(holds.holdId))
        .all()
        .map(({ streamId, endMs, untilMs, releasedMs, releasedBy, ...rest }) => ({
          ...rest,
          streamId: streamId ?? undefined,
          endMs: endMs ?? undefined,
          untilMs: untilMs ?? undefined,
          releasedMs: releasedMs ?? undefined,
          releasedBy: releasedBy ?? undefined,
        })),
    /** What was removed within the span, by begin; at most `limit`. */
    removals: (streamId: string, span: Span, limit: number): Removal[] =>
      orm
        .select()
        .from(removals)
        .where(
          and(
            eq(removals.streamId, streamId),
            gt(removals.beginMs, span.beginMs - removalMsMax),
            lt(removals.beginMs, span.endMs),
            gt(removals.endMs, span.beginMs),
          ),
        )
        .orderBy(asc(removals.beginMs))
        .limit(limit)
        .all()
        .map(({ removalId: _, reason, who, ...rest }) => ({
          ...rest,
          reason: reason as RemovalReason,
          who: who ?? undefined,
        })),
    /**
     * What was removed within the span for showing: rows of one reason and person that begin in the same `cellMs` are one. Of more
     * than `limits.removalRowsMax` rows the newest.
     */
    removalGroups: (streamId: string, span: Span, cellMs: number): RemovalGroup[] =>
      (
        removalGroups.all({ streamId, ...span, cellMs, rowsMax: limits.removalRowsMax }) as (Omit<
          RemovalGroup,
          'who'
        > & {
          readonly who: string | null;
        })[]
      ).map(({ who, ...rest }) => ({ ...rest, who: who ?? undefined })),
  };
}

/** True while the hold protects its footage. @param nowMs  undefined while the clock is in doubt: then no hold lapses */
export function isHoldActive(hold: Hold, nowMs: number | undefined): boolean {
  const { releasedMs, untilMs } = hold;
  return releasedMs === undefined && (untilMs === undefined || nowMs === undefined || untilMs > nowMs);
}

function rowToTotals(row: TotalsRow): StreamTotals {
  return {
    streamId: row.stream_id,
    cameraId: row.camera_id ?? undefined,
    segments: row.segments,
    bytes: row.bytes,
    durationMs: row.duration_ms,
    oldestMs: row.oldest ?? undefined,
    newestMs: row.newest ?? undefined,
  };
}
