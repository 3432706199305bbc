/** Writing gaps. Each function is called inside a transaction of `IndexWriter` and contains no `await`. */

import type { Database } from 'better-sqlite3';
import type { Gap, NewGap } from './stored-segment.ts';

export type GapRows = ReturnType<typeof gapRows>;

export function gapRows(database: Database) {
  const add = database.prepare(
    `INSERT INTO gaps (stream_key, begin_ms, end_ms, reason, detail, run_id, origin)
      VALUES (@streamKey, @beginMs, @endMs, @reason, @detail, @runId, @origin)`,
  );
  const change = database.prepare('UPDATE gaps SET begin_ms = @beginMs, end_ms = @endMs WHERE gap_id = @gapId');
  const drop = database.prepare('DELETE FROM gaps WHERE gap_id = ?');
  const dropOld = database.prepare('DELETE FROM gaps WHERE stream_key = ? AND end_ms IS NOT NULL AND end_ms < ?');
  return {
    add(streamKey: number, gap: NewGap): void {
      add.run({
        streamKey,
        beginMs: Math.floor(gap.beginMs),
        endMs: gap.endMs === undefined ? null : Math.ceil(gap.endMs),
        reason: gap.reason,
        detail: gap.detail ?? null,
        runId: gap.runId ?? null,
        origin: gap.origin,
      });
    },
    /** Moves the ends of a gap that stays what it is. */
    change(gap: Pick<Gap, 'gapId' | 'beginMs' | 'endMs'>): void {
      change.run({
        gapId: gap.gapId,
        beginMs: Math.floor(gap.beginMs),
        endMs: gap.endMs === undefined ? null : Math.ceil(gap.endMs),
      });
    },
    remove(gapId: number): void {
      drop.run(gapId);
    },
    /** Forgets gaps of a time whose footage is gone by age. Returns how many. */
    removeBefore: (streamKey: number, endMs: number): number => dropOld.run(streamKey, Math.floor(endMs)).changes,
  };
}
