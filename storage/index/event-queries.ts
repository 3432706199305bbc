/** Reading event ranges. None is longer than `limits.eventRangeMsMax`, so an interval query is one range of an index. */

import type { Database } from 'better-sqlite3';
import type { EventRange } from '../model/event-range.ts';
import { limits } from '../model/limits.ts';
import type { Span } from './stored-segment.ts';

/** An event range as the index has it. */
export type StoredEventRange = EventRange & {
  /** Nobody ended it, so it was ended at its longest. */
  readonly isCut: boolean;
  readonly createdMs: number;
};

type EventRow = {
  range_id: string;
  stream_id: string;
  kind: string;
  source: string;
  begin_ms: number;
  end_ms: number | null;
  is_cut: number;
  detail: string;
  created_ms: number;
};

/** Exported so that a test can look at its plan. */
export const eventsBetweenSql = `SELECT * FROM event_ranges INDEXED BY event_ranges_by_time
  WHERE stream_id = @streamId AND begin_ms >= @beginMs - ${limits.eventRangeMsMax} AND begin_ms < @endMs
    AND (end_ms IS NULL OR end_ms >= @beginMs) ORDER BY begin_ms LIMIT @limit`;

export type EventQueries = ReturnType<typeof eventQueries>;

export function eventQueries(database: Database) {
  const between = database.prepare(eventsBetweenSql);
  const byId = database.prepare('SELECT * FROM event_ranges WHERE range_id = ?');
  const count = database.prepare('SELECT count(*) FROM event_ranges WHERE stream_id = ?').pluck();
  const sums = database.prepare(
    'SELECT count(*) ranges, (SELECT count(*) FROM event_ranges WHERE end_ms IS NULL) open FROM event_ranges',
  );
  const overdue = database.prepare('SELECT 1 FROM event_ranges WHERE end_ms IS NULL AND begin_ms <= ? LIMIT 1').pluck();
  return {
    /** Ranges that touch the span, by begin; at most `limit`. */
    between: (streamId: string, span: Span, limit: number): StoredEventRange[] =>
      (between.all({ streamId, ...span, limit }) as EventRow[]).map(rowToRange),
    byId(rangeId: string): StoredEventRange | undefined {
      const row = byId.get(rangeId) as EventRow | undefined;
      return row === undefined ? undefined : rowToRange(row);
    },
    countOf: (streamId: string): number => count.get(streamId) as number,
    /** True when a range goes on that is as long as one may be. */
    hasOverdue: (nowMs: number): boolean => overdue.get(Math.floor(nowMs) - limits.eventRangeMsMax) !== undefined,
    /** Of all streams: how many ranges there are, and how many go on. */
    totals: (): { ranges: number; open: number } => sums.get() as { ranges: number; open: number },
  };
}

function rowToRange(row: EventRow): StoredEventRange {
  return {
    rangeId: row.range_id,
    streamId: row.stream_id,
    kind: row.kind,
    source: row.source,
    beginMs: row.begin_ms,
    endMs: row.end_ms ?? undefined,
    isCut: row.is_cut === 1,
    detail: JSON.parse(row.detail) as Record<string, string>,
    createdMs: row.created_ms,
  };
}
