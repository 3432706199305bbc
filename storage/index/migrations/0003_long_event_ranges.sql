CREATE INDEX event_ranges_long ON event_ranges (stream_id, begin_ms) WHERE end_ms IS NULL OR end_ms - begin_ms > 600000;
--> statement-breakpoint
PRAGMA user_version = 4;
