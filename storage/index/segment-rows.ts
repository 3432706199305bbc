/** Writing segments. Each function is called inside a transaction of `IndexWriter` and contains no `await`. */

import type { Database } from 'better-sqlite3';
import { appError } from '../base/errors.ts';
import { fragmentEndMs } from '../model/fragment.ts';
import { fragmentNumberParts } from '../model/fragment-number.ts';
import { limits } from '../model/limits.ts';
import { objectKey, type Segment, segmentFileName } from '../model/segment.ts';
import { classSql } from './event-rows.ts';
import { packFragmentTable } from './fragment-table.ts';
import type { RemovalRows } from './removal-rows.ts';
import { tracksToText } from './run-queries.ts';
import type { KeptMode, RemovalReason, StoredSegment } from './stored-segment.ts';

/** Bytes that no row shows any more and that are still to be deleted. */
export type Garbage = {
  readonly garbageId: number;
  readonly streamId: string;
  readonly objectKey: string;
  readonly fileName: string;
  readonly byteLength: number;
  readonly sinceMs: number;
  readonly isUrgent: boolean;
};

export type SegmentRows = ReturnType<typeof segmentRows>;

export function segmentRows(database: Database, removals: RemovalRows) {
  const addStream = database.prepare('INSERT INTO streams (stream_id) VALUES (?) ON CONFLICT DO NOTHING');
  const streamKeyOf = database.prepare('SELECT stream_key FROM streams WHERE stream_id = ?').pluck();
  const addRun = database.prepare(
    `INSERT INTO runs (run_id, stream_key, reason, start_server_ms, timecode_scale_ns, tracks, producer_head)
      VALUES (?, ?, ?, ?, ?, ?, ?)`,
  );
  const runKeyOf = database.prepare('SELECT run_key FROM runs WHERE run_id = ?').pluck();
  const knownInRun = database.prepare('SELECT segment_id FROM segments WHERE run_key = ? AND sequence = ?').pluck();
  const addSegment = database.prepare(
    `INSERT INTO segments (stream_key, run_key, sequence, first_counter, last_counter, first_number, last_number,
      begin_server_ms, end_server_ms, begin_producer_ms, end_producer_ms, byte_length, fragment_count, object_key, location,
      is_local, digest, previous_digest, taken_in_ms, recording_mode, recording_class)
      VALUES (@streamKey, @runKey, @sequence, @firstCounter, @lastCounter, @firstNumber, @lastNumber,
      @beginServerMs, @endServerMs, @beginProducerMs, @endProducerMs, @byteLength, @fragmentCount, @objectKey, @location,
      @isLocal, @digest, @previousDigest, @takenInMs, @recordingMode, ${classSql({ streamId: '@streamId', begin: '@beginServerMs', end: '@endServerMs' })})`,
  );
  const addTable = database.prepare('INSERT INTO fragment_tables (segment_id, packed) VALUES (?, ?)');
  const addToTotals = database.prepare(
    `UPDATE streams SET segments = segments + @segments, bytes = bytes + @bytes, duration_ms = duration_ms + @durationMs
      WHERE stream_key = @streamKey`,
  );
  const setStored = database.prepare("UPDATE segments SET location = 'stored' WHERE segment_id = ?");
  const setNotLocal = database.prepare("UPDATE segments SET is_local = 0 WHERE segment_id = ? AND location = 'stored'");
  const removeRow = database.prepare('DELETE FROM segments WHERE segment_id = ? RETURNING stream_key, run_key');
  const removeEmptyRun = database.prepare(
    'DELETE FROM runs WHERE run_key = @runKey AND NOT EXISTS (SELECT 1 FROM segments WHERE run_key = @runKey)',
  );
  const addGarbage = database.prepare(
    `INSERT INTO garbage (stream_id, object_key, file_name, byte_length, since_ms, is_urgent) VALUES (?, ?, ?, ?, ?, ?)`,
  );
  const garbageRows = database.prepare('SELECT * FROM garbage WHERE garbage_id > ? ORDER BY garbage_id LIMIT ?');
  const hurryGarbage = database.prepare('UPDATE garbage SET is_urgent = 1 WHERE is_urgent = 0');
  const dropGarbage = database.prepare('DELETE FROM garbage WHERE garbage_id = ?');
  const urgentSum = database
    .prepare('SELECT coalesce(sum(byte_length), 0) bytes FROM garbage WHERE is_urgent = 1')
    .pluck();
  const isGarbage = database.prepare('SELECT 1 FROM garbage WHERE object_key = ?').pluck();
  const garbageSum = database.prepare('SELECT count(*) segments, coalesce(sum(byte_length), 0) bytes FROM garbage');

  const streamKey = (streamId: string): number => {
    addStream.run(streamId);
    return streamKeyOf.get(streamId) as number;
  };
  const runKey = (segment: Segment, ofStream: number): number => {
    const known = runKeyOf.get(segment.runId) as number | undefined;
    if (known !== undefined) return known;
    const { runId, runReason, runStartServerMs, timecodeScaleNs, tracks, producerHead } = segment;
    const text = tracksToText(tracks);
    return Number(
      addRun.run(runId, ofStream, runReason, runStartServerMs, timecodeScaleNs, text, producerHead).lastInsertRowid,
    );
  };
  return {
    /** The key of a stream, which is added when it is new. */
    streamKey,
    /**
     * Takes a finished segment in: the row says that the journal file (or, after a rebuild, the object) is its only copy.
     *
     * @returns  the row's id, and false for `isNew` when the segment was taken in before
     * @throws AppError failed_precondition  it is longer than an interval query looks back, or has no fragment
     */
    insert(
      segment: Segment,
      options: {
        readonly location: 'local' | 'stored';
        readonly takenInMs: number;
        /** Unknown when absent. */
        readonly recordingMode?: KeptMode;
      },
    ): { readonly segmentId: number; readonly isNew: boolean } {
      const extent = segmentExtent(segment);
      const ofStream = streamKey(segment.streamId);
      const ofRun = runKey(segment, ofStream);
      const known = knownInRun.get(ofRun, segment.sequence) as number | undefined;
      if (known !== undefined) return { segmentId: known, isNew: false };
      const { lastInsertRowid } = addSegment.run({
        ...extent,
        streamKey: ofStream,
        runKey: ofRun,
        sequence: segment.sequence,
        firstCounter: segment.firstCounter,
        byteLength: segment.byteLength,
        fragmentCount: segment.fragments.length,
        objectKey: objectKey({ ...segment, beginServerMs: extent.beginServerMs }),
        location: options.location,
        isLocal: options.location === 'local' ? 1 : 0,
        digest: segment.digest,
        previousDigest: segment.previousDigest,
        takenInMs: Math.floor(options.takenInMs),
        recordingMode: options.recordingMode ?? 'unknown',
        streamId: segment.streamId,
      });
      addTable.run(lastInsertRowid, packFragmentTable(segment));
      const durationMs = extent.endServerMs - extent.beginServerMs;
      addToTotals.run({ streamKey: ofStream, segments: 1, bytes: segment.byteLength, durationMs });
      return { segmentId: Number(lastInsertRowid), isNew: true };
    },
    /** The object is durable. */
    markStored(segmentId: number): void {
      setStored.run(segmentId);
    },
    /** The journal file is gone; refused for a row whose only copy it was. */
    markNotLocal(segmentId: number): void {
      setNotLocal.run(segmentId);
    },
    /** Turns a row into garbage: no reader finds it from the commit on, its bytes are deleted later. Records the removal. */
    remove(
      segment: StoredSegment,
      options: {
        readonly reason: RemovalReason;
        readonly who?: string;
        readonly isUrgent: boolean;
        readonly nowMs: number;
      },
    ): void {
      const removed = removeRow.get(segment.segmentId) as { stream_key: number; run_key: number } | undefined;
      if (removed === undefined) return;
      removeEmptyRun.run({ runKey: removed.run_key });
      addToTotals.run({
        streamKey: removed.stream_key,
        segments: -1,
        bytes: -segment.byteLength,
        durationMs: segment.beginServerMs - segment.endServerMs,
      });
      addGarbage.run(
        segment.streamId,
        segment.objectKey,
        segmentFileName(segment),
        segment.byteLength,
        Math.floor(options.nowMs),
        options.isUrgent ? 1 : 0,
      );
      removals.record(segment, options);
    },
    garbageAfter: (garbageId: number, limit: number): Garbage[] =>
      (garbageRows.all(garbageId, limit) as GarbageRow[]).map(rowToGarbage),
    garbageTotals: (): { segments: number; bytes: number } => garbageSum.get() as { segments: number; bytes: number },
    /** Of what is deleted as soon as it can be. */
    urgentGarbageBytes: (): number => urgentSum.get() as number,
    /** A full disk: nothing waits for readers any longer. */
    hurryGarbage(): void {
      hurryGarbage.run();
    },
    forgetGarbage(garbageId: number): void {
      dropGarbage.run(garbageId);
    },
    isGarbage: (key: string): boolean => isGarbage.get(key) !== undefined,
  };
}

/** What the interval indexes need of a segment. */
function segmentExtent(segment: Segment) {
  const first = segment.fragments[0];
  const last = segment.fragments.at(-1);
  if (first === undefined || last === undefined) {
    throw appError('failed_precondition', 'segment has no fragment', { runId: segment.runId });
  }
  const beginServerMs = Math.floor(first.serverTimestampMs);
  const endServerMs = Math.ceil(Math.max(...segment.fragments.map(fragmentEndMs)));
  const lengthMs = endServerMs - beginServerMs;
  if (lengthMs > limits.segmentDurationMsMax) {
    throw appError('failed_precondition', 'segment is longer than the index can find', {
      streamId: segment.streamId,
      runId: segment.runId,
      lengthMs,
      lengthMsMax: limits.segmentDurationMsMax,
    });
  }
  const producerEnds = segment.fragments.map((fragment) => fragment.producerTimestampMs + fragment.durationMs);
  const beginProducerMs = Math.floor(Math.min(...segment.fragments.map((fragment) => fragment.producerTimestampMs)));
  return {
    lastCounter: fragmentNumberParts(last.number).counter,
    firstNumber: first.number,
    lastNumber: last.number,
    beginServerMs,
    endServerMs,
    beginProducerMs,
    // A source's clock may jump further than that. Footage is never refused for it: it is found by server time.
    endProducerMs: Math.min(Math.ceil(Math.max(...producerEnds)), beginProducerMs + limits.segmentDurationMsMax),
  };
}

type GarbageRow = {
  garbage_id: number;
  stream_id: string;
  object_key: string;
  file_name: string;
  byte_length: number;
  since_ms: number;
  is_urgent: number;
};

function rowToGarbage(row: GarbageRow): Garbage {
  return {
    garbageId: row.garbage_id,
    streamId: row.stream_id,
    objectKey: row.object_key,
    fileName: row.file_name,
    byteLength: row.byte_length,
    sinceMs: row.since_ms,
    isUrgent: row.is_urgent === 1,
  };
}
