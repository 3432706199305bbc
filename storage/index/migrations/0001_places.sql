CREATE TABLE segment_places (
  segment_id INTEGER PRIMARY KEY REFERENCES segments ON DELETE CASCADE, -- a stored segment of a site with several stores; one without a row is looked for
  store TEXT NOT NULL,           -- name of the object store that has it, as in the settings
  end_server_ms INTEGER NOT NULL, -- as in segments: what moves on next is found by it
  moved_from TEXT                -- the store whose old copy is still to be deleted; null when there is none
) STRICT;
--> statement-breakpoint
CREATE INDEX segment_places_of_store ON segment_places (store, end_server_ms);
--> statement-breakpoint
CREATE INDEX segment_places_moved ON segment_places (segment_id) WHERE moved_from IS NOT NULL;
--> statement-breakpoint
PRAGMA user_version = 2;
