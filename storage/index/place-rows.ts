/** In which of several stores each segment is. Segments are named by their object's key: row numbers end with the index. */

import type { Database } from 'better-sqlite3';

/** A segment and the store that has it. */
export type PlacedSegment = {
  readonly objectKey: string;
  readonly byteLength: number;
  /** Of head and commit records, as in its row. */
  readonly digest: Uint8Array;
  readonly store: string;
  /** The store whose old copy is still to be deleted. */
  readonly movedFrom: string | undefined;
};

/** A stored segment of which nobody knows yet in which store it is. */
export type UnplacedSegment = { readonly segmentId: number; readonly objectKey: string };

export type PlaceQueries = ReturnType<typeof placeQueries>;
export type PlaceRows = ReturnType<typeof placeRows>;

const columns = `SELECT s.object_key objectKey, s.byte_length byteLength, s.digest, p.store, p.moved_from movedFrom
  FROM segment_places p JOIN segments s USING (segment_id)`;

/** The oldest of a store: exported so that a test can look at its plan. */
export const oldestOfStoreSql = `${columns.replace('segment_places p', 'segment_places p INDEXED BY segment_places_of_store')}
  WHERE p.store = @store AND p.end_server_ms < @endBeforeMs AND p.moved_from IS NULL ORDER BY p.end_server_ms LIMIT @limit`;

/** As `oldestOfStoreSql`, of some streams and from a moment on. */
export const oldestOfStreamsSql = `${columns.replace('segment_places p', 'segment_places p INDEXED BY segment_places_of_store')}
  JOIN streams t USING (stream_key)
  WHERE p.store = @store AND p.end_server_ms >= @fromMs AND p.moved_from IS NULL
    AND t.stream_id IN (SELECT value FROM json_each(@streamIds)) ORDER BY p.end_server_ms LIMIT @limit`;

export function placeQueries(database: Database) {
  const storeOf = database
    .prepare('SELECT p.store FROM segments s JOIN segment_places p USING (segment_id) WHERE s.object_key = ?')
    .pluck();
  const oldest = database.prepare(oldestOfStoreSql);
  const oldestOfStreams = database.prepare(oldestOfStreamsSql);
  const moved = database.prepare(`${columns} WHERE p.moved_from IS NOT NULL LIMIT ?`);
  const page = database.prepare(
    `SELECT s.segment_id segmentId, s.object_key objectKey, s.location = 'stored' isStored, p.segment_id IS NOT NULL isPlaced
      FROM segments s LEFT JOIN segment_places p USING (segment_id) WHERE s.segment_id > ? ORDER BY s.segment_id LIMIT ?`,
  );
  const toPlaced = (row: unknown): PlacedSegment => {
    const { movedFrom, ...others } = row as Omit<PlacedSegment, 'movedFrom'> & { movedFrom: string | null };
    return { ...others, movedFrom: movedFrom ?? undefined };
  };
  return {
    /** The store that has an object, as far as it is known. */
    storeOf: (objectKey: string): string | undefined => storeOf.get(objectKey) as string | undefined,
    /** Segments of a store that end before a moment, oldest first. */
    oldestOf: (store: string, endBeforeMs: number, limit: number): PlacedSegment[] =>
      oldest.all({ store, endBeforeMs: Math.floor(endBeforeMs), limit }).map(toPlaced),
    /** Segments of some streams in a store that end at a moment or after it, oldest first. */
    oldestOfStreams: (
      store: string,
      { streamIds, fromMs }: { readonly streamIds: readonly string[]; readonly fromMs: number },
      limit: number,
    ): PlacedSegment[] =>
      oldestOfStreams
        .all({ store, fromMs: Math.floor(fromMs), streamIds: JSON.stringify(streamIds), limit })
        .map(toPlaced),
    /** Segments that moved and whose old copies are still to be deleted. */
    movedSome: (limit: number): PlacedSegment[] => moved.all(limit).map(toPlaced),
    /** Rows after one, in the order in which they were made. */
    pageAfter: (segmentId: number, limit: number): (UnplacedSegment & { isStored: boolean; isPlaced: boolean })[] =>
      (page.all(segmentId, limit) as (UnplacedSegment & { isStored: number; isPlaced: number })[]).map((row) => ({
        ...row,
        isStored: row.isStored === 1,
        isPlaced: row.isPlaced === 1,
      })),
  };
}

export function placeRows(database: Database) {
  const place = database.prepare(
    `INSERT INTO segment_places (segment_id, store, end_server_ms)
      SELECT segment_id, @store, end_server_ms FROM segments WHERE object_key = @objectKey AND location = 'stored'
      ON CONFLICT (segment_id) DO UPDATE SET store = @store`,
  );
  const move = database.prepare(
    `UPDATE segment_places SET store = @to, moved_from = @from
      WHERE store = @from AND segment_id = (SELECT segment_id FROM segments WHERE object_key = @objectKey)`,
  );
  const settle = database.prepare(
    `UPDATE segment_places SET moved_from = NULL
      WHERE segment_id = (SELECT segment_id FROM segments WHERE object_key = @objectKey)`,
  );
  return {
    /** The object is in this store; nothing when its segment is gone. */
    place(objectKey: string, store: string): void {
      place.run({ objectKey, store });
    },
    /** From now on the object of another store counts. False when the segment is gone, or was not there any more. */
    move: (objectKey: string, way: { readonly from: string; readonly to: string }): boolean =>
      move.run({ objectKey, ...way }).changes > 0,
    /** The old copy is deleted. */
    settle(objectKey: string): void {
      settle.run({ objectKey });
    },
  };
}
