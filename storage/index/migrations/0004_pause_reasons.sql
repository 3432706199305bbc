ALTER TABLE pauses ADD COLUMN reason TEXT; -- a pause reason of model/ledger.ts; null: from before reasons, or nobody said why
--> statement-breakpoint
CREATE INDEX pauses_long ON pauses (stream_key, begin_ms) WHERE end_ms IS NULL OR end_ms - begin_ms > 604800000;
--> statement-breakpoint
PRAGMA user_version = 5;
