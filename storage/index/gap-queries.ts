/**
 * Reading gaps. Most are short, so the interval query looks back `limits.segmentDurationMsMax` for them; the few longer ones
 * have a partial index of their own.
 */

import type { Database } from 'better-sqlite3';
import { assert } from '../base/assert.ts';
import type { PauseReason } from '../model/ledger.ts';
import { limits } from '../model/limits.ts';
import type { GapReason } from '../model/run.ts';
import type { Gap, GapOrigin, Pause, Span } from './stored-segment.ts';

/** What the partial index of the migration calls long. A query must say the same to be allowed to use it. */
const longGapMs = 120_000;
assert(longGapMs === limits.segmentDurationMsMax, "the index of long gaps fits the interval query's look-back");

/** What the partial index of long pauses calls long: a schedule pauses for a night or a weekend. */
const longPauseMs = 7 * 86_400_000;

const columns = 'g.gap_id, t.stream_id, g.begin_ms, g.end_ms, g.reason, g.detail, g.run_id, g.origin';

/** Exported so that a test can look at its plan. */
export const gapsBetweenSql = `
  SELECT ${columns} FROM streams t CROSS JOIN gaps g INDEXED BY gaps_by_time USING (stream_key)
    WHERE t.stream_id = @streamId AND g.begin_ms > @beginMs - ${longGapMs} AND g.begin_ms < @endMs
      AND g.end_ms - g.begin_ms <= ${longGapMs} AND g.end_ms > @beginMs
  UNION ALL
  SELECT ${columns} FROM streams t CROSS JOIN gaps g INDEXED BY gaps_long USING (stream_key)
    WHERE t.stream_id = @streamId AND g.begin_ms < @endMs
      AND (g.end_ms IS NULL OR g.end_ms - g.begin_ms > ${longGapMs}) AND (g.end_ms IS NULL OR g.end_ms > @beginMs)
  ORDER BY begin_ms LIMIT @limit`;

/** Exported so that a test can look at its plan. */
export const pausesBetweenSql = `
  SELECT p.pause_id, p.begin_ms, p.end_ms, p.reason FROM streams t CROSS JOIN pauses p INDEXED BY pauses_by_time USING (stream_key)
    WHERE t.stream_id = @streamId AND p.begin_ms > @beginMs - ${longPauseMs} AND p.begin_ms < @endMs
      AND p.end_ms - p.begin_ms <= ${longPauseMs} AND p.end_ms > @beginMs
  UNION ALL
  SELECT p.pause_id, p.begin_ms, p.end_ms, p.reason FROM streams t CROSS JOIN pauses p INDEXED BY pauses_long USING (stream_key)
    WHERE t.stream_id = @streamId AND p.begin_ms < @endMs
      AND (p.end_ms IS NULL OR p.end_ms - p.begin_ms > ${longPauseMs}) AND (p.end_ms IS NULL OR p.end_ms > @beginMs)
  ORDER BY begin_ms LIMIT @limit`;

type PauseRow = {
  readonly pause_id: number;
  readonly begin_ms: number;
  readonly end_ms: number | null;
  readonly reason: string | null;
};

type GapRow = {
  gap_id: number;
  stream_id: string;
  begin_ms: number;
  end_ms: number | null;
  reason: string;
  detail: string | null;
  run_id: string | null;
  origin: GapOrigin;
};

export type GapQueries = ReturnType<typeof gapQueries>;

export function gapQueries(database: Database) {
  const between = database.prepare(gapsBetweenSql);
  const open = database.prepare(
    `SELECT ${columns} FROM gaps g JOIN streams t USING (stream_key) WHERE g.end_ms IS NULL`,
  );
  const pauses = database.prepare(pausesBetweenSql);
  const sums = database.prepare(
    `SELECT stream_id streamId, reason, sum(min(coalesce(end_ms, @endMs), @endMs) - max(begin_ms, @beginMs)) missingMs
      FROM gaps JOIN streams USING (stream_key) WHERE begin_ms < @endMs AND coalesce(end_ms, @endMs) > @beginMs
      GROUP BY stream_id, reason`,
  );
  return {
    /** Missing time within a span by stream and reason; an open gap counts to the span's end. */
    sums: (span: Span): { streamId: string; reason: string; missingMs: number }[] =>
      sums.all(span) as { streamId: string; reason: string; missingMs: number }[],
    /** Pauses that overlap the span, by begin; at most `limit`. */
    pausesBetween: (streamId: string, span: Span, limit: number): Pause[] =>
      (pauses.all({ streamId, ...span, limit }) as PauseRow[]).map((row) => ({
        pauseId: row.pause_id,
        beginMs: row.begin_ms,
        endMs: row.end_ms ?? undefined,
        reason: (row.reason ?? undefined) as PauseReason | undefined,
      })),
    /** Gaps that overlap the span, by begin; at most `limit`. */
    between: (streamId: string, span: Span, limit: number): Gap[] =>
      (between.all({ streamId, ...span, limit }) as GapRow[]).map(rowToGap),
    /** Gaps that still go on, of all streams. */
    open: (): Gap[] => (open.all() as GapRow[]).map(rowToGap),
  };
}

function rowToGap(row: GapRow): Gap {
  return {
    gapId: row.gap_id,
    streamId: row.stream_id,
    beginMs: row.begin_ms,
    endMs: row.end_ms ?? undefined,
    reason: row.reason as GapReason,
    detail: row.detail ?? undefined,
    runId: row.run_id ?? undefined,
    origin: row.origin,
  };
}
