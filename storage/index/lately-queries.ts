/**
 * What came of a stream in the last days, by what it is kept for: what a forecast is made of. Segments are counted, which an index
 * answers alone; their bytes would need every row of a site's week.
 */

import type { Database } from 'better-sqlite3';
import { limits } from '../model/limits.ts';
import type { KeptMode, Span } from './stored-segment.ts';

const dayMs = 86_400_000;

/** Segments by what decides how long they stay. */
export type SegmentCounts = {
  /** Recorded continuously, and no event marks them. */
  readonly continuous: number;
  /** Recorded continuously, or nobody knows how, and marked. */
  readonly continuousMarked: number;
  /** Recorded for events, and none marks them. */
  readonly unmarked: number;
  readonly marked: number;
};

/** 24 hours; the newest day ends now. */
export type LatelyDay = Span & {
  readonly counts: SegmentCounts;
  /** Begin of the first segment of that day; undefined: there is none. */
  readonly firstMs: number | undefined;
};

export type Lately = {
  /** Oldest first. */
  readonly days: readonly LatelyDay[];
  /**
   * Since then nothing was removed but what no event marked: what was recorded is all there, and only that is counted. Undefined: of
   * these days all is there.
   */
  readonly completeSinceMs: number | undefined;
  /** Segments of any age that holds keep. */
  readonly heldSegments: number;
};

type CountRow = {
  recording_class: 'continuous' | 'event';
  recording_mode: KeptMode;
  day: number;
  segments: number;
  first: number;
};

/** Counts a week: exported so that a test can look at its plan. */
export const latelySql = `SELECT s.recording_class, s.recording_mode,
    CAST((s.begin_server_ms - @beginMs) / ${dayMs} AS INTEGER) day, count(*) segments, min(s.begin_server_ms) first
  FROM streams t CROSS JOIN segments s INDEXED BY segments_by_class USING (stream_key)
  WHERE t.stream_id = @streamId AND s.recording_class IN ('continuous', 'event')
    AND s.recording_mode IN ('continuous', 'events', 'unknown')
    AND s.begin_server_ms >= @fromMs AND s.begin_server_ms < @endMs
  GROUP BY 1, 2, 3`;

export type LatelyQueries = ReturnType<typeof latelyQueries>;

export function latelyQueries(database: Database) {
  const counts = database.prepare(latelySql);
  // A row of removals reaches over one UTC day at most.
  const removed = database
    .prepare(
      `SELECT max(end_ms) FROM removals WHERE stream_id = @streamId AND begin_ms > @beginMs - ${2 * dayMs}
        AND end_ms > @beginMs AND reason <> 'unmarked'`,
    )
    .pluck();
  const within = database
    .prepare(
      `SELECT count(*) FROM streams t CROSS JOIN segments s INDEXED BY segments_by_server_time USING (stream_key)
        WHERE t.stream_id = @streamId AND s.begin_server_ms > @beginMs - ${limits.segmentDurationMsMax}
          AND s.begin_server_ms < @endMs AND s.end_server_ms > @beginMs`,
    )
    .pluck();
  return {
    /** @param held  spans that holds keep, neither overlapping nor in any order */
    lately(
      streamId: string,
      options: { readonly nowMs: number; readonly days: number; readonly held: readonly Span[] },
    ): Lately {
      const endMs = Math.floor(options.nowMs);
      const beginMs = endMs - options.days * dayMs;
      const completeSinceMs = (removed.get({ streamId, beginMs }) as number | null) ?? undefined;
      // What stayed of the time before says little of what came.
      const fromMs = Math.max(beginMs, completeSinceMs ?? beginMs);
      const rows = counts.all({ streamId, beginMs, fromMs, endMs }) as CountRow[];
      const byDay = Map.groupBy(rows, ({ day }) => day);
      const days = Array.from({ length: options.days }, (_, day) => {
        const own = byDay.get(day) ?? [];
        const span = { beginMs: beginMs + day * dayMs, endMs: beginMs + (day + 1) * dayMs };
        return {
          ...span,
          counts: countsOf(own),
          firstMs: own.length === 0 ? undefined : Math.min(...own.map(({ first }) => first)),
        };
      });
      return {
        days,
        completeSinceMs,
        heldSegments: options.held.reduce((sum, span) => sum + (within.get({ streamId, ...span }) as number), 0),
      };
    },
  };
}

function countsOf(rows: readonly CountRow[]): SegmentCounts {
  const of = (isOf: (row: CountRow) => boolean) => rows.filter(isOf).reduce((sum, { segments }) => sum + segments, 0);
  const isMarked = (row: CountRow) => row.recording_class === 'event';
  return {
    continuous: of((row) => row.recording_mode === 'continuous' && !isMarked(row)),
    // What nobody knows the mode of stays as long as what does best.
    continuousMarked: of(
      (row) => (row.recording_mode === 'continuous' && isMarked(row)) || row.recording_mode === 'unknown',
    ),
    unmarked: of((row) => row.recording_mode === 'events' && !isMarked(row)),
    marked: of((row) => row.recording_mode === 'events' && isMarked(row)),
  };
}
