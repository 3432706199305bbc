/**
 * Writing event ranges, and what follows from them: the class of each segment. A segment that an event marks, with a margin before
 * and after it, is of class `event` as a whole, however little of it the event covers.
 */

import type { Database } from 'better-sqlite3';
import type { EventRange } from '../model/event-range.ts';
import { limits } from '../model/limits.ts';
import type { Span } from './stored-segment.ts';

const { eventMarginBeforeMs, eventMarginAfterMs, eventRangeMsMax, segmentDurationMsMax } = limits;

/** The streams of a camera share its events: what one of its sources sees, the other shows too. */
function siblingsSql(streamId: string, column: 'stream_id' | 'stream_key'): string {
  return `(SELECT b.${column} FROM streams a JOIN streams b ON b.stream_key = a.stream_key OR b.camera_id = a.camera_id
    WHERE a.stream_id = ${streamId})`;
}

/** What the partial index of the migration calls long. A query must say the same to be allowed to use it. */
const longRangeMs = 600_000;

/**
 * The class of a segment, as an expression; the names are those of columns or parameters. Most ranges are short, so the lookup goes
 * back no further than those; the few longer ones have an index of their own. A camera that tells two events a second costs no more.
 */
export function classSql(names: { readonly streamId: string; readonly begin: string; readonly end: string }): string {
  const { begin, end } = names;
  const ofCamera = `r.stream_id IN ${siblingsSql(names.streamId, 'stream_id')} AND r.begin_ms < ${end} + ${eventMarginBeforeMs}`;
  const lastsOn = `r.end_ms + ${eventMarginAfterMs} > ${begin}`;
  return `CASE WHEN EXISTS (SELECT 1 FROM event_ranges r INDEXED BY event_ranges_by_time WHERE ${ofCamera}
      AND r.begin_ms > ${begin} - ${longRangeMs + eventMarginAfterMs}
      AND r.end_ms - r.begin_ms <= ${longRangeMs} AND ${lastsOn})
    OR EXISTS (SELECT 1 FROM event_ranges r INDEXED BY event_ranges_long WHERE ${ofCamera}
      AND r.begin_ms > ${begin} - ${eventRangeMsMax + eventMarginAfterMs}
      AND (r.end_ms IS NULL OR r.end_ms - r.begin_ms > ${longRangeMs}) AND (r.end_ms IS NULL OR ${lastsOn}))
    THEN 'event' ELSE 'continuous' END`;
}

export type EventRows = ReturnType<typeof eventRows>;

export function eventRows(database: Database) {
  const spanOf = database.prepare(
    'SELECT stream_id streamId, begin_ms beginMs, end_ms endMs FROM event_ranges WHERE range_id = ?',
  );
  const put = database.prepare(
    `INSERT INTO event_ranges (range_id, stream_id, kind, source, begin_ms, end_ms, is_cut, detail, created_ms)
      VALUES (@rangeId, @streamId, @kind, @source, @beginMs, @endMs, 0, @detail, @nowMs)
      ON CONFLICT (range_id) DO UPDATE SET kind = excluded.kind, source = excluded.source, begin_ms = excluded.begin_ms,
      end_ms = excluded.end_ms, is_cut = 0, detail = excluded.detail`,
  );
  const end = database.prepare('UPDATE event_ranges SET end_ms = ?, is_cut = ? WHERE range_id = ?');
  const remove = database.prepare('DELETE FROM event_ranges WHERE range_id = ?');
  const overdue = database.prepare(
    'SELECT range_id FROM event_ranges WHERE end_ms IS NULL AND begin_ms <= ? ORDER BY begin_ms LIMIT 1000',
  );
  const forget = database.prepare('DELETE FROM event_ranges WHERE stream_id = ? AND begin_ms < ? AND end_ms < ?');
  const classOfSegment = classSql({ streamId: '@streamId', begin: 'begin_server_ms', end: 'end_server_ms' });
  const classify = database.prepare(
    `UPDATE segments INDEXED BY segments_by_server_time SET recording_class = ${classOfSegment}
      WHERE stream_key IN ${siblingsSql('@streamId', 'stream_key')}
        AND begin_server_ms > @beginMs - ${segmentDurationMsMax + eventMarginBeforeMs}
        AND begin_server_ms < @endMs + ${eventMarginAfterMs}
        AND recording_class <> ${classOfSegment}`,
  );
  const classifyIn = ({ streamId, beginMs, endMs }: Touched) =>
    classify.run({ streamId, beginMs, endMs: endMs ?? beginMs + eventRangeMsMax });
  const touched = (rangeId: string) => spanOf.get(rangeId) as Touched | undefined;
  const changing = (rangeId: string, change: () => void): boolean => {
    const before = touched(rangeId);
    change();
    const after = touched(rangeId);
    for (const each of [before, after]) if (each !== undefined) classifyIn(each);
    return before !== undefined;
  };
  return {
    /** Makes or replaces a range. */
    put(range: EventRange, nowMs: number): void {
      const { rangeId, streamId, kind, source, beginMs, endMs, detail } = range;
      changing(rangeId, () => {
        put.run({
          ...{ rangeId, streamId, kind, source, beginMs: Math.floor(beginMs) },
          endMs: endMs === undefined ? null : Math.ceil(endMs),
          detail: JSON.stringify(detail),
          nowMs: Math.floor(nowMs),
        });
      });
    },
    /** Sets the end of a range. False when there is none of that id. */
    end: (rangeId: string, endMs: number): boolean =>
      changing(rangeId, () => {
        end.run(Math.ceil(endMs), 0, rangeId);
      }),
    /** Takes a range away: what only it marked is marked no more. False when there is none of that id. */
    remove: (rangeId: string): boolean =>
      changing(rangeId, () => {
        remove.run(rangeId);
      }),
    /** Ends ranges that nobody ended, where they are as long as a range may be. Returns how many. */
    cutOverdue(nowMs: number): number {
      const ids = overdue.pluck().all(Math.floor(nowMs) - eventRangeMsMax) as string[];
      for (const rangeId of ids) {
        const { beginMs = 0 } = touched(rangeId) ?? {};
        changing(rangeId, () => {
          end.run(beginMs + eventRangeMsMax, 1, rangeId);
        });
      }
      return ids.length;
    },
    /** Ranges that ended before a moment mark nothing any more. */
    forgetBefore(streamId: string, beforeMs: number): void {
      const ms = Math.floor(beforeMs);
      forget.run(streamId, ms, ms);
    },
  };
}

type Touched = Pick<Span, 'beginMs'> & { readonly streamId: string; readonly endMs: number | null };
