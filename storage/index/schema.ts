/**
 * The tables of the index as drizzle sees them. What each column means, its unit and why it may be null stands once, in
 * the `migrations`; a test holds both equal. Hot paths use raw prepared statements instead.
 */

import { blob, integer, real, sqliteTable, text } from '../base/drizzle.ts';

export const streams = sqliteTable('streams', {
  streamKey: integer('stream_key').primaryKey(),
  streamId: text('stream_id').notNull().unique(),
  cameraId: text('camera_id'),
  retentionHours: real('retention_hours'),
  cameraBytesMax: integer('camera_bytes_max'),
  segments: integer('segments').notNull().default(0),
  bytes: integer('bytes').notNull().default(0),
  durationMs: integer('duration_ms').notNull().default(0),
  ledgerState: text('ledger_state'),
  ledgerSettledMs: integer('ledger_settled_ms').notNull().default(0),
  eventRetentionHours: real('event_retention_hours'),
  preRollMinutes: real('pre_roll_minutes'),
  recording: text('recording'),
  recordingSinceMs: integer('recording_since_ms').notNull().default(0),
});

export const runs = sqliteTable('runs', {
  runKey: integer('run_key').primaryKey(),
  runId: text('run_id').notNull().unique(),
  streamKey: integer('stream_key').notNull(),
  reason: text('reason').notNull(),
  startServerMs: real('start_server_ms').notNull(),
  timecodeScaleNs: integer('timecode_scale_ns').notNull(),
  tracks: text('tracks').notNull(),
  producerHead: blob('producer_head', { mode: 'buffer' }).notNull(),
});

export const segments = sqliteTable('segments', {
  segmentId: integer('segment_id').primaryKey(),
  streamKey: integer('stream_key').notNull(),
  runKey: integer('run_key').notNull(),
  sequence: integer('sequence').notNull(),
  firstCounter: integer('first_counter').notNull(),
  lastCounter: integer('last_counter').notNull(),
  firstNumber: text('first_number').notNull(),
  lastNumber: text('last_number').notNull(),
  beginServerMs: integer('begin_server_ms').notNull(),
  endServerMs: integer('end_server_ms').notNull(),
  beginProducerMs: integer('begin_producer_ms').notNull(),
  endProducerMs: integer('end_producer_ms').notNull(),
  byteLength: integer('byte_length').notNull(),
  fragmentCount: integer('fragment_count').notNull(),
  objectKey: text('object_key').notNull(),
  location: text('location', { enum: ['local', 'stored'] }).notNull(),
  isLocal: integer('is_local').notNull(),
  digest: blob('digest', { mode: 'buffer' }).notNull(),
  previousDigest: blob('previous_digest', { mode: 'buffer' }).notNull(),
  recordingClass: text('recording_class', { enum: ['continuous', 'event'] })
    .notNull()
    .default('continuous'),
  cipher: text('cipher'),
  keyId: text('key_id'),
  takenInMs: integer('taken_in_ms').notNull(),
  recordingMode: text('recording_mode', { enum: ['continuous', 'events', 'unknown'] })
    .notNull()
    .default('unknown'),
});

export const fragmentTables = sqliteTable('fragment_tables', {
  segmentId: integer('segment_id').primaryKey(),
  packed: blob('packed', { mode: 'buffer' }).notNull(),
});

export const segmentPlaces = sqliteTable('segment_places', {
  segmentId: integer('segment_id').primaryKey(),
  store: text('store').notNull(),
  endServerMs: integer('end_server_ms').notNull(),
  movedFrom: text('moved_from'),
});

export const garbage = sqliteTable('garbage', {
  garbageId: integer('garbage_id').primaryKey(),
  streamId: text('stream_id').notNull(),
  objectKey: text('object_key').notNull().unique(),
  fileName: text('file_name').notNull(),
  byteLength: integer('byte_length').notNull(),
  sinceMs: integer('since_ms').notNull(),
  isUrgent: integer('is_urgent').notNull(),
});

export const gaps = sqliteTable('gaps', {
  gapId: integer('gap_id').primaryKey(),
  streamKey: integer('stream_key').notNull(),
  beginMs: integer('begin_ms').notNull(),
  endMs: integer('end_ms'),
  reason: text('reason').notNull(),
  detail: text('detail'),
  runId: text('run_id'),
  origin: text('origin', { enum: ['ledger', 'loss', 'rebuild'] }).notNull(),
});

export const pauses = sqliteTable('pauses', {
  pauseId: integer('pause_id').primaryKey(),
  streamKey: integer('stream_key').notNull(),
  beginMs: integer('begin_ms').notNull(),
  endMs: integer('end_ms'),
  reason: text('reason'),
});

export const holds = sqliteTable('holds', {
  holdId: text('hold_id').primaryKey(),
  streamId: text('stream_id'),
  beginMs: integer('begin_ms').notNull(),
  endMs: integer('end_ms'),
  who: text('who').notNull(),
  why: text('why').notNull(),
  untilMs: integer('until_ms'),
  createdMs: integer('created_ms').notNull(),
  releasedMs: integer('released_ms'),
  releasedBy: text('released_by'),
});

export const eventRanges = sqliteTable('event_ranges', {
  rangeId: text('range_id').primaryKey(),
  streamId: text('stream_id').notNull(),
  kind: text('kind').notNull(),
  source: text('source').notNull(),
  beginMs: integer('begin_ms').notNull(),
  endMs: integer('end_ms'),
  isCut: integer('is_cut').notNull(),
  detail: text('detail').notNull(),
  createdMs: integer('created_ms').notNull(),
});

export const removals = sqliteTable('removals', {
  removalId: integer('removal_id').primaryKey(),
  streamId: text('stream_id').notNull(),
  beginMs: integer('begin_ms').notNull(),
  endMs: integer('end_ms').notNull(),
  segments: integer('segments').notNull(),
  bytes: integer('bytes').notNull(),
  reason: text('reason').notNull(),
  who: text('who'),
  firstAtMs: integer('first_at_ms').notNull(),
  lastAtMs: integer('last_at_ms').notNull(),
});

export const ledgerLines = sqliteTable('ledger_lines', {
  lineId: integer('line_id').primaryKey(),
  streamKey: integer('stream_key').notNull(),
  atMs: integer('at_ms').notNull(),
  process: text('process').notNull(),
  line: text('line').notNull(),
});

export const ledgerCursors = sqliteTable('ledger_cursors', {
  file: text('file').primaryKey(),
  byteOffset: integer('byte_offset').notNull(),
});

export const keeperState = sqliteTable('keeper_state', {
  name: text('name').primaryKey(),
  value: text('value').notNull(),
});
