/** The record of what was removed and why. Neighbours of one stream, UTC day and reason share a row, so that it stays small. */

import type { Database } from 'better-sqlite3';
import type { RemovalReason, StoredSegment } from './stored-segment.ts';

export type RemovalRows = ReturnType<typeof removalRows>;

export function removalRows(database: Database) {
  const neighbour = database
    .prepare(
      `SELECT removal_id FROM removals WHERE stream_id = @streamId AND reason = @reason AND who IS @who
        AND begin_ms / 86400000 = CAST(@beginMs / 86400000 AS INTEGER) AND end_ms >= @beginMs - 1000 AND begin_ms <= @endMs + 1000
        ORDER BY begin_ms DESC LIMIT 1`,
    )
    .pluck();
  const grow = database.prepare(
    `UPDATE removals SET begin_ms = min(begin_ms, @beginMs), end_ms = max(end_ms, @endMs), segments = segments + 1,
      bytes = bytes + @bytes, last_at_ms = @nowMs WHERE removal_id = @removalId`,
  );
  const add = database.prepare(
    `INSERT INTO removals (stream_id, begin_ms, end_ms, segments, bytes, reason, who, first_at_ms, last_at_ms)
      VALUES (@streamId, @beginMs, @endMs, 1, @bytes, @reason, @who, @nowMs, @nowMs)`,
  );
  return {
    record(
      segment: Pick<StoredSegment, 'streamId' | 'beginServerMs' | 'endServerMs' | 'byteLength'>,
      options: { readonly reason: RemovalReason; readonly who?: string; readonly nowMs: number },
    ): void {
      const facts = {
        streamId: segment.streamId,
        beginMs: segment.beginServerMs,
        endMs: segment.endServerMs,
        bytes: segment.byteLength,
        reason: options.reason,
        who: options.who ?? null,
        nowMs: Math.floor(options.nowMs),
      };
      const removalId = neighbour.get(facts) as number | undefined;
      if (removalId === undefined) add.run(facts);
      else grow.run({ ...facts, removalId });
    },
  };
}
