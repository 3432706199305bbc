CREATE TABLE event_ranges (
  range_id TEXT PRIMARY KEY,     -- chosen by whoever marks, so that marking twice is marking once
  stream_id TEXT NOT NULL,       -- whose footage it marks
  kind TEXT NOT NULL,            -- what happened: motion, line, tamper, digital-input, manual, ...
  source TEXT NOT NULL,          -- who says so: api, onvif, ...
  begin_ms INTEGER NOT NULL,     -- server time, rounded down
  end_ms INTEGER,                -- rounded up; null: it goes on
  is_cut INTEGER NOT NULL CHECK (is_cut IN (0, 1)), -- 1: nobody ended it, so it was ended at its longest
  detail TEXT NOT NULL,          -- JSON object of strings, as whoever marks wrote it
  created_ms INTEGER NOT NULL    -- when the keeper first heard of it, wall time
) STRICT;
--> statement-breakpoint
CREATE INDEX event_ranges_by_time ON event_ranges (stream_id, begin_ms, end_ms);
--> statement-breakpoint
CREATE INDEX event_ranges_open ON event_ranges (begin_ms) WHERE end_ms IS NULL;
--> statement-breakpoint
ALTER TABLE segments ADD COLUMN recording_mode TEXT NOT NULL DEFAULT 'unknown' CHECK (recording_mode IN ('continuous', 'events', 'unknown')); -- the mode it was recorded in, the one that keeps longer where it changed; unknown: from before modes, before the policy was known or the index was lost
--> statement-breakpoint
CREATE INDEX segments_by_class ON segments (stream_key, recording_class, recording_mode, begin_server_ms);
--> statement-breakpoint
ALTER TABLE streams ADD COLUMN event_retention_hours REAL; -- age limit of what an event marks, from the newest plan; null: as the rest
--> statement-breakpoint
ALTER TABLE streams ADD COLUMN pre_roll_minutes REAL; -- age limit of what mode events recorded and no event marks; null: no plan said it yet
--> statement-breakpoint
ALTER TABLE streams ADD COLUMN recording TEXT; -- JSON: mode and schedule of the newest plan; null: no plan said it yet
--> statement-breakpoint
ALTER TABLE streams ADD COLUMN recording_since_ms INTEGER NOT NULL DEFAULT 0; -- since when they hold, wall time; 0: as long as the stream is known
--> statement-breakpoint
PRAGMA user_version = 3;
