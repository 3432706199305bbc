-- The index of one node's segments. Rebuilt from files and objects when it is lost, so no column holds what a file doesn't
-- tell, except who held or removed what. Times are milliseconds since 1970 UTC, whole. Written by the keeper only.

CREATE TABLE streams (
  stream_key INTEGER PRIMARY KEY,               -- short name of the stream inside this database
  stream_id TEXT NOT NULL UNIQUE,               -- the stream's id everywhere else
  camera_id TEXT,                               -- camera it feeds, from the newest plan; null until a plan named it
  retention_hours REAL,                         -- age limit of the newest plan; null: no plan named it yet, nothing is removed by age
  camera_bytes_max INTEGER,                     -- byte limit of its camera, from the newest plan; null: none
  segments INTEGER NOT NULL DEFAULT 0,          -- rows in `segments`, kept in the transaction that changes them
  bytes INTEGER NOT NULL DEFAULT 0,             -- their bytes
  duration_ms INTEGER NOT NULL DEFAULT 0,       -- sum of their lengths on server time
  ledger_state TEXT,                            -- JSON: the gap ledger's knowledge at `ledger_settled_ms`; null before the first line
  ledger_settled_ms INTEGER NOT NULL DEFAULT 0  -- gap rows that end before it are final
) STRICT;
--> statement-breakpoint
CREATE TABLE runs (
  run_key INTEGER PRIMARY KEY AUTOINCREMENT, -- short name of the run inside this database, never used twice
  run_id TEXT NOT NULL UNIQUE,         -- 32 hexadecimal digits, the Matroska SegmentUID
  stream_key INTEGER NOT NULL REFERENCES streams, -- its stream
  reason TEXT NOT NULL,                -- why it began, a code of model/run.ts
  start_server_ms REAL NOT NULL,       -- server time of media time 0
  timecode_scale_ns INTEGER NOT NULL,  -- of its clusters
  tracks TEXT NOT NULL,                -- JSON array of tracks, codec private data in base64
  producer_head BLOB NOT NULL          -- the producer's header bytes verbatim; empty for pulled cameras
) STRICT;
--> statement-breakpoint
CREATE INDEX runs_of_stream ON runs (stream_key);
--> statement-breakpoint
CREATE TABLE segments (
  segment_id INTEGER PRIMARY KEY AUTOINCREMENT, -- rising and never used twice, but not the order of time
  stream_key INTEGER NOT NULL REFERENCES streams, -- its stream
  run_key INTEGER NOT NULL REFERENCES runs, -- its run
  sequence INTEGER NOT NULL,             -- 0, 1, 2, ... within the run
  first_counter INTEGER NOT NULL,        -- counter of the first fragment number: orders the stream
  last_counter INTEGER NOT NULL,         -- counter of the last one; overlapping runs may interleave theirs
  first_number TEXT NOT NULL,            -- the first fragment number, 47 digits: as text, since a conversion costs more than reading a row
  last_number TEXT NOT NULL,             -- the last one
  begin_server_ms INTEGER NOT NULL,      -- first fragment's server timestamp, rounded down
  end_server_ms INTEGER NOT NULL,        -- end of the last fragment, rounded up
  begin_producer_ms INTEGER NOT NULL,    -- earliest producer timestamp, rounded down: a second index, never for order or deletion
  end_producer_ms INTEGER NOT NULL,      -- latest end on producer time, rounded up
  byte_length INTEGER NOT NULL,          -- of the whole file
  fragment_count INTEGER NOT NULL, -- rows of its fragment table
  object_key TEXT NOT NULL,              -- where the object is, or will be
  location TEXT NOT NULL CHECK (location IN ('local', 'stored')), -- local: the journal file is the only copy; stored: the object is durable
  is_local INTEGER NOT NULL CHECK (is_local IN (0, 1)),           -- 1 while the finished journal file is still kept
  digest BLOB NOT NULL,                  -- SHA-256 over its head and commit records
  previous_digest BLOB NOT NULL,         -- the digest its head names; zeros for the first of a run
  recording_class TEXT NOT NULL DEFAULT 'continuous' CHECK (recording_class IN ('continuous', 'event')), -- whose age limit counts
  cipher TEXT,                           -- null: bytes are stored as they are
  key_id TEXT,                           -- null: no cipher
  taken_in_ms INTEGER NOT NULL           -- when the keeper inserted the row, wall time
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX segments_of_run ON segments (run_key, sequence);
--> statement-breakpoint
CREATE INDEX segments_by_counter ON segments (stream_key, last_counter, first_counter);
--> statement-breakpoint
CREATE INDEX segments_by_server_time ON segments (stream_key, begin_server_ms, end_server_ms);
--> statement-breakpoint
CREATE INDEX segments_by_producer_time ON segments (stream_key, begin_producer_ms, end_producer_ms);
--> statement-breakpoint
CREATE UNIQUE INDEX segments_by_object_key ON segments (object_key);
--> statement-breakpoint
CREATE INDEX segments_not_stored ON segments (begin_server_ms) WHERE location = 'local';
--> statement-breakpoint
CREATE INDEX segments_kept_local ON segments (begin_server_ms) WHERE is_local = 1;
--> statement-breakpoint
CREATE TABLE fragment_tables (
  segment_id INTEGER PRIMARY KEY REFERENCES segments ON DELETE CASCADE, -- the segment it belongs to and goes with
  packed BLOB NOT NULL -- the fragment table with its trailer, byte for byte as it ends the segment file
) STRICT;
--> statement-breakpoint
CREATE TABLE garbage (
  garbage_id INTEGER PRIMARY KEY, -- order in which rows became garbage
  stream_id TEXT NOT NULL, -- the stream's id
  object_key TEXT NOT NULL UNIQUE, -- the object to delete, should it be there
  file_name TEXT NOT NULL,       -- name of the finished journal file, should it still be there
  byte_length INTEGER NOT NULL, -- of the whole file
  since_ms INTEGER NOT NULL,     -- when the row left `segments`, wall time; for people: the delay is measured on the keeper's monotonic clock
  is_urgent INTEGER NOT NULL CHECK (is_urgent IN (0, 1)) -- 1: a full disk doesn't wait for readers in flight
) STRICT;
--> statement-breakpoint
CREATE TABLE gaps (
  gap_id INTEGER PRIMARY KEY, -- in no order of time
  stream_key INTEGER NOT NULL REFERENCES streams, -- its stream
  begin_ms INTEGER NOT NULL, -- server time, rounded down
  end_ms INTEGER,                -- null: still open
  reason TEXT NOT NULL,          -- a gap reason of model/run.ts
  detail TEXT,                   -- one sentence; null when the reason says it all
  run_id TEXT,                   -- the run that ended or lost something; null where there was none
  origin TEXT NOT NULL CHECK (origin IN ('ledger', 'loss', 'rebuild')) -- ledger: between runs; loss: inside a run; rebuild: derived from what was left
) STRICT;
--> statement-breakpoint
CREATE INDEX gaps_by_time ON gaps (stream_key, begin_ms, end_ms);
--> statement-breakpoint
CREATE INDEX gaps_long ON gaps (stream_key, begin_ms) WHERE end_ms IS NULL OR end_ms - begin_ms > 120000;
--> statement-breakpoint
CREATE TABLE pauses (
  pause_id INTEGER PRIMARY KEY,  -- in no order of time
  stream_key INTEGER NOT NULL REFERENCES streams, -- its stream
  begin_ms INTEGER NOT NULL,     -- from when on it was not to be recorded, server time
  end_ms INTEGER                 -- until when; null: still so
) STRICT;
--> statement-breakpoint
CREATE INDEX pauses_by_time ON pauses (stream_key, begin_ms);
--> statement-breakpoint
CREATE TABLE holds (
  hold_id TEXT PRIMARY KEY,      -- random, made by the keeper
  stream_id TEXT,                -- null: all streams
  begin_ms INTEGER NOT NULL,     -- footage that overlaps [begin_ms, end_ms) stays, on server time
  end_ms INTEGER,                -- null: also all that is still to come
  who TEXT NOT NULL,             -- the person who ordered it
  why TEXT NOT NULL, -- what for, as the person wrote it
  until_ms INTEGER,              -- when it lapses by itself, wall time; null: when it is released
  created_ms INTEGER NOT NULL, -- when it was ordered, wall time
  released_ms INTEGER,           -- null while it holds
  released_by TEXT               -- null while it holds
) STRICT;
--> statement-breakpoint
CREATE TABLE removals (
  removal_id INTEGER PRIMARY KEY, -- in the order of their first removal
  stream_id TEXT NOT NULL, -- the stream's id
  begin_ms INTEGER NOT NULL,     -- footage removed, server time
  end_ms INTEGER NOT NULL, -- and where it ended
  segments INTEGER NOT NULL, -- how many
  bytes INTEGER NOT NULL, -- and their bytes
  reason TEXT NOT NULL,          -- a removal reason of index/removal-reasons.ts
  who TEXT,                      -- the person who asked; null when a policy did
  first_at_ms INTEGER NOT NULL,  -- neighbours of one day and reason share a row: when the first was removed, wall time
  last_at_ms INTEGER NOT NULL    -- and the last
) STRICT;
--> statement-breakpoint
CREATE INDEX removals_by_time ON removals (stream_id, begin_ms);
--> statement-breakpoint
CREATE TABLE ledger_lines (
  line_id INTEGER PRIMARY KEY,   -- order in which lines were read
  stream_key INTEGER NOT NULL REFERENCES streams, -- its stream
  at_ms INTEGER NOT NULL,        -- when it speaks of, server time
  process TEXT NOT NULL,         -- <ingest>.<epoch> that wrote it
  line TEXT NOT NULL             -- JSON, see model/ledger.ts; goes when the stream is settled beyond it
) STRICT;
--> statement-breakpoint
CREATE INDEX ledger_lines_of_stream ON ledger_lines (stream_key, line_id);
--> statement-breakpoint
CREATE TABLE ledger_cursors (
  file TEXT PRIMARY KEY,         -- <ingest>/<file name>
  byte_offset INTEGER NOT NULL   -- all bytes before it were read
) STRICT;
--> statement-breakpoint
CREATE TABLE keeper_state (
  name TEXT PRIMARY KEY,         -- a name of index/keeper-state.ts
  value TEXT NOT NULL            -- JSON
) STRICT;
--> statement-breakpoint
PRAGMA user_version = 1;
