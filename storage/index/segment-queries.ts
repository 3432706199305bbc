/**
 * Reading segments: raw prepared statements of one connection. No segment is longer than `limits.segmentDurationMsMax` on
 * either time axis, so an interval query is one range of an index.
 */

import type { Database } from 'better-sqlite3';
import type { Fragment } from '../model/fragment.ts';
import { type FragmentNumber, fragmentNumberParts } from '../model/fragment-number.ts';
import { limits } from '../model/limits.ts';
import { unpackFragmentTable } from './fragment-table.ts';
import { type Run, runQueries } from './run-queries.ts';
import type { KeptMode, Span, StoredSegment } from './stored-segment.ts';

export type TimeAxis = 'server' | 'producer';

type SegmentRow = {
  segment_id: number;
  stream_id: string;
  run_key: number;
  sequence: number;
  first_counter: number;
  last_counter: number;
  first_number: FragmentNumber;
  last_number: FragmentNumber;
  begin_server_ms: number;
  end_server_ms: number;
  begin_producer_ms: number;
  end_producer_ms: number;
  byte_length: number;
  fragment_count: number;
  object_key: string;
  location: 'local' | 'stored';
  is_local: number;
  digest: Uint8Array;
  previous_digest: Uint8Array;
  recording_class: 'continuous' | 'event';
  recording_mode: KeptMode;
  cipher: string | null;
  key_id: string | null;
};

const columns = `SELECT s.segment_id, t.stream_id, s.run_key, s.sequence, s.first_counter, s.last_counter, s.first_number,
  s.last_number, s.begin_server_ms, s.end_server_ms, s.begin_producer_ms, s.end_producer_ms, s.byte_length,
  s.fragment_count, s.object_key, s.location, s.is_local, s.digest, s.previous_digest, s.recording_class, s.recording_mode, s.cipher,
  s.key_id`;
const anywhere = `${columns} FROM segments s JOIN streams t USING (stream_key)`;
/** The index is named: without statistics the planner would guess, and a wrong guess costs seconds at a million rows. */
const ofStream = (index: string) =>
  `${columns} FROM streams t CROSS JOIN segments s INDEXED BY ${index} USING (stream_key) WHERE t.stream_id = @streamId`;

/** The interval query of one axis: exported so that a test can look at its plan. */
export function intervalSql(axis: TimeAxis): string {
  return `${ofStream(`segments_by_${axis}_time`)}
    AND s.begin_${axis}_ms > @beginMs - ${limits.segmentDurationMsMax} AND s.begin_${axis}_ms < @endMs
    AND s.end_${axis}_ms > @beginMs ORDER BY s.begin_${axis}_ms, s.first_counter LIMIT @limit`;
}

/** Segments whose counters reach beyond one, in order: exported so that a test can look at its plan. */
export const afterSql = `${ofStream('segments_by_counter')}
  AND s.last_counter > @counter ORDER BY s.last_counter, s.first_counter LIMIT @limit`;

/** Oldest first from a moment on: what retention walks. */
export const oldestSql = `${ofStream('segments_by_server_time')}
  AND s.begin_server_ms >= @fromMs ORDER BY s.begin_server_ms LIMIT @limit`;

/** As `oldestSql`, of one class and mode, and before a moment: what is too old is found without passing what is not. */
export const oldestOfKindSql = `${ofStream('segments_by_class')}
  AND s.recording_class = @recordingClass AND s.recording_mode = @recordingMode
  AND s.begin_server_ms >= @fromMs AND s.begin_server_ms < @beforeMs ORDER BY s.begin_server_ms LIMIT @limit`;

/** Those that one of several stores has, by their end: what its room is made of. */
export const oldestInStoreSql = `${columns} FROM segment_places p INDEXED BY segment_places_of_store
  CROSS JOIN segments s USING (segment_id) JOIN streams t USING (stream_key)
  WHERE p.store = @store AND p.end_server_ms >= @fromMs ORDER BY p.end_server_ms LIMIT @limit`;

/** A segment's place in the order of those that are not stored: by begin, and of the same begin by id. */
export type NotStored = { readonly segmentId: number; readonly beginServerMs: number };

/** After one of those that are not stored, oldest first. The walk is one range of an index that holds no others. */
const afterNotStored = `WHERE s.location = 'local' AND (s.begin_server_ms, s.segment_id) > (@beginServerMs, @segmentId)
  ORDER BY s.begin_server_ms, s.segment_id LIMIT @limit`;

/** Exported so that a test can look at its plan: no row is read, whatever their number. */
export const notStoredSql = `SELECT s.segment_id segmentId, s.begin_server_ms beginServerMs
  FROM segments s INDEXED BY segments_not_stored ${afterNotStored}`;

/** As `notStoredSql`, whole rows: what retention walks where only they give room. */
export const notStoredRowsSql = `${columns} FROM segments s INDEXED BY segments_not_stored
  CROSS JOIN streams t USING (stream_key) ${afterNotStored}`;

/** What decides by which age a segment goes. */
export type SegmentKind = Pick<StoredSegment, 'recordingClass' | 'recordingMode'>;

const beforeAll: NotStored = { beginServerMs: Number.MIN_SAFE_INTEGER, segmentId: 0 };

export type SegmentQueries = ReturnType<typeof segmentQueries>;

/** The statements, prepared on one connection. */
export function segmentQueries(database: Database) {
  const runs = runQueries(database);
  const between = {
    server: database.prepare(intervalSql('server')),
    producer: database.prepare(intervalSql('producer')),
  };
  const after = database.prepare(afterSql);
  const oldest = database.prepare(oldestSql);
  const oldestOfKind = database.prepare(oldestOfKindSql);
  const oldestInStore = database.prepare(oldestInStoreSql);
  const latest = database.prepare(
    `${ofStream('segments_by_counter')} ORDER BY s.last_counter DESC, s.first_counter DESC LIMIT 1`,
  );
  const latestRecorded = database.prepare(
    `${ofStream('segments_by_counter')} AND (SELECT reason FROM runs r WHERE r.run_key = s.run_key) <> 'import'
      ORDER BY s.last_counter DESC, s.first_counter DESC LIMIT 1`,
  );
  const oldestRecorded = database.prepare(
    `${ofStream('segments_by_server_time')} AND (SELECT reason FROM runs r WHERE r.run_key = s.run_key) <> 'import'
      ORDER BY s.begin_server_ms LIMIT 1`,
  );
  const byId = database.prepare(`${anywhere} WHERE s.segment_id = @segmentId`);
  const byObjectKey = database.prepare(`${anywhere} WHERE s.object_key = @objectKey`);
  const inRun = database.prepare(
    `${anywhere} JOIN runs r USING (run_key) WHERE r.run_id = @runId AND s.sequence = @sequence`,
  );
  const notStored = database.prepare(notStoredSql);
  const notStoredRows = database.prepare(notStoredRowsSql);
  const keptLocal = database.prepare(`${anywhere} WHERE s.is_local = 1 ORDER BY s.begin_server_ms LIMIT @limit`);
  const keptLocalAndStored = database.prepare(
    `${anywhere} WHERE s.is_local = 1 AND s.location = 'stored' ORDER BY s.begin_server_ms LIMIT @limit`,
  );
  const pageOfAll = database.prepare(`${anywhere} WHERE s.segment_id > @segmentId ORDER BY s.segment_id LIMIT @limit`);
  const packed = database.prepare('SELECT packed FROM fragment_tables WHERE segment_id = ?').pluck();
  const counts = database.prepare(
    `SELECT count(*) segments, coalesce(sum(byte_length), 0) bytes FROM segments WHERE location = 'local'`,
  );
  const localCounts = database.prepare(
    'SELECT count(*) segments, coalesce(sum(byte_length), 0) bytes FROM segments WHERE is_local = 1',
  );
  const newestBefore = database.prepare(
    `SELECT max((SELECT max(begin_server_ms) FROM segments s WHERE s.stream_key = t.stream_key AND begin_server_ms < @beforeMs))
      FROM streams t`,
  );
  const lastTakenIn = database.prepare(
    'SELECT segment_id segmentId, begin_server_ms beginServerMs FROM segments ORDER BY segment_id DESC LIMIT 1',
  );
  const newest = database.prepare(
    'SELECT max((SELECT max(begin_server_ms) FROM segments s WHERE s.stream_key = t.stream_key)) FROM streams t',
  );

  const isGarbage = database.prepare('SELECT 1 FROM garbage WHERE object_key = ?').pluck();

  const toSegment = (row: unknown) => rowToSegment(row as SegmentRow, runs.byKey);
  const one = (row: unknown) => (row === undefined ? undefined : toSegment(row));
  return {
    /** Segments that overlap the span, by begin; at most `limit`. */
    between: (streamId: string, span: Span, axis: TimeAxis, limit: number): StoredSegment[] =>
      between[axis].all({ streamId, ...span, limit }).map(toSegment),
    /** Segments that hold a number above the given one, or all of them, by their last number; at most `limit`. */
    after: (streamId: string, number: FragmentNumber | undefined, limit: number): StoredSegment[] =>
      after
        .all({ streamId, counter: number === undefined ? -1 : fragmentNumberParts(number).counter, limit })
        .map(toSegment),
    /** Segments that begin at or after a moment, oldest first; at most `limit`. */
    oldestFrom: (streamId: string, fromMs: number, limit: number): StoredSegment[] =>
      oldest.all({ streamId, fromMs, limit }).map(toSegment),
    /** As `oldestFrom`, of one kind, of those that begin before another moment. */
    oldestOfKind: (
      streamId: string,
      kind: SegmentKind & { readonly fromMs: number; readonly beforeMs: number },
      limit: number,
    ): StoredSegment[] => oldestOfKind.all({ streamId, ...kind, limit }).map(toSegment),
    /** Segments of all streams that one of several stores has and that end at or after a moment, oldest end first. */
    oldestInStore: (store: string, fromMs: number, limit: number): StoredSegment[] =>
      oldestInStore.all({ store, fromMs, limit }).map(toSegment),
    /** With the highest number: footage of a time when the clock was ahead would be the newest by its own account for years. */
    latest: (streamId: string): StoredSegment | undefined => one(latest.get({ streamId })),
    /** As `latest`, of what was recorded: footage that was brought in from files has high numbers and is old. */
    latestRecorded: (streamId: string): StoredSegment | undefined => one(latestRecorded.get({ streamId })),
    /** The oldest by server time of what was recorded, and not brought in. */
    oldestRecorded: (streamId: string): StoredSegment | undefined => one(oldestRecorded.get({ streamId })),
    byId: (segmentId: number): StoredSegment | undefined => one(byId.get({ segmentId })),
    byObjectKey: (objectKey: string): StoredSegment | undefined => one(byObjectKey.get({ objectKey })),
    inRun: (runId: string, sequence: number): StoredSegment | undefined => one(inRun.get({ runId, sequence })),
    /** Taken in and not yet stored, oldest first, after one of them or from the first; at most `limit`. */
    notStored: (after: NotStored | undefined, limit: number): NotStored[] =>
      notStored.all({ ...(after ?? beforeAll), limit }) as NotStored[],
    /** As `notStored`, whole rows. */
    notStoredRows: (after: NotStored | undefined, limit: number): StoredSegment[] => {
      const { beginServerMs, segmentId } = after ?? beforeAll;
      return notStoredRows.all({ beginServerMs, segmentId, limit }).map(toSegment);
    },
    /** Whose journal file is still kept, oldest first. */
    keptLocal: (limit: number): StoredSegment[] => keptLocal.all({ limit }).map(toSegment),
    /** Whose object is durable and whose journal file is still kept, oldest first. */
    keptLocalAndStored: (limit: number): StoredSegment[] => keptLocalAndStored.all({ limit }).map(toSegment),
    /** Page by page through all rows, in no order of time. */
    pageOfAll: (afterSegmentId: number, limit: number): StoredSegment[] =>
      pageOfAll.all({ segmentId: afterSegmentId, limit }).map(toSegment),
    /** Undefined when there is no such segment. @throws AppError data_loss  the packed table is damaged */
    fragmentsOf: (segmentId: number): readonly Fragment[] | undefined => {
      const bytes = packed.get(segmentId) as Uint8Array | undefined;
      return bytes === undefined ? undefined : unpackFragmentTable(bytes).fragments;
    },
    backlog: (): { segments: number; bytes: number } => counts.get() as { segments: number; bytes: number },
    localFiles: (): { segments: number; bytes: number } => localCounts.get() as { segments: number; bytes: number },
    /** Begin of the newest segment of any stream, server time. */
    newestMs: (): number | undefined => (newest.pluck().get() as number | null) ?? undefined,
    /** Begin of the newest segment that begins before a moment. */
    newestBefore: (beforeMs: number): number | undefined =>
      (newestBefore.pluck().get({ beforeMs }) as number | null) ?? undefined,
    /** The segment that got its row last, of any stream. */
    lastTakenIn: (): { segmentId: number; beginServerMs: number } | undefined =>
      lastTakenIn.get() as { segmentId: number; beginServerMs: number } | undefined,
    /** Removed, its bytes still to be deleted. */
    isGarbage: (objectKey: string): boolean => isGarbage.get(objectKey) !== undefined,
    run: (runId: string): Run | undefined => runs.byId(runId),
  };
}

function rowToSegment(row: SegmentRow, runOf: (runKey: number) => Run): StoredSegment {
  const run = runOf(row.run_key);
  return {
    segmentId: row.segment_id,
    streamId: row.stream_id,
    runId: run.runId,
    sequence: row.sequence,
    firstNumber: row.first_number,
    lastNumber: row.last_number,
    firstCounter: row.first_counter,
    lastCounter: row.last_counter,
    beginServerMs: row.begin_server_ms,
    endServerMs: row.end_server_ms,
    beginProducerMs: row.begin_producer_ms,
    endProducerMs: row.end_producer_ms,
    byteLength: row.byte_length,
    fragmentCount: row.fragment_count,
    objectKey: row.object_key,
    location: row.location,
    isLocal: row.is_local === 1,
    digest: row.digest,
    previousDigest: row.previous_digest,
    recordingClass: row.recording_class,
    recordingMode: row.recording_mode,
    cipher: row.cipher ?? undefined,
    keyId: row.key_id ?? undefined,
    runReason: run.reason,
    runStartServerMs: run.startServerMs,
    timecodeScaleNs: run.timecodeScaleNs,
    tracks: run.tracks,
  };
}
