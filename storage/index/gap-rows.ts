/** Writing gaps. Each function is called inside a transaction of `IndexWriter` and contains no `await`. */

import type { Database } from 'better-sqlite3';
import type { Gap, NewGap, Pause } from './stored-segment.ts';

export type GapRows = ReturnType<typeof gapRows>;

export function gapRows(database: Database) {
  const add = database.prepare(
    `INSERT INTO gaps (stream_key, begin_ms, end_ms, reason, detail, run_id, origin)
      VALUES (@streamKey, @beginMs, @endMs, @reason, @detail, @runId, @origin)`,
  );
  const change = database.prepare('UPDATE gaps SET begin_ms = @beginMs, end_ms = @endMs WHERE gap_id = @gapId');
  const drop = database.prepare('DELETE FROM gaps WHERE gap_id = ?');
  const dropOld = database.prepare('DELETE FROM gaps WHERE stream_key = ? AND end_ms IS NOT NULL AND end_ms < ?');
  const addPause = database.prepare('INSERT INTO pauses (stream_key, begin_ms, end_ms, reason) VALUES (?, ?, ?, ?)');
  const endPause = database.prepare('UPDATE pauses SET end_ms = ? WHERE pause_id = ?');
  const dropPause = database.prepare('DELETE FROM pauses WHERE pause_id = ?');
  const dropOldPauses = database.prepare(
    'DELETE FROM pauses WHERE stream_key = ? AND end_ms IS NOT NULL AND end_ms < ?',
  );
  return {
    addPause(streamKey: number, pause: Omit<Pause, 'pauseId'>): void {
      const endMs = pause.endMs === undefined ? null : Math.ceil(pause.endMs);
      addPause.run(streamKey, Math.floor(pause.beginMs), endMs, pause.reason ?? null);
    },
    endPause(pauseId: number, endMs: number | undefined): void {
      endPause.run(endMs === undefined ? null : Math.ceil(endMs), pauseId);
    },
    removePause(pauseId: number): void {
      dropPause.run(pauseId);
    },
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
    /** Forgets gaps and pauses of a time whose footage is gone by age. */
    removeBefore(streamKey: number, endMs: number): void {
      dropOld.run(streamKey, Math.floor(endMs));
      dropOldPauses.run(streamKey, Math.floor(endMs));
    },
  };
}
