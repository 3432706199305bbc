CREATE TABLE `stream_settings` (
	`stream_id` text PRIMARY KEY NOT NULL,
	`device_name` text,
	`media_type` text,
	`storage_tier` text NOT NULL,
	`tags` text NOT NULL,
	`hidden_before_ms` integer,
	`image_generation` text,
	`notification` text,
	`revision` integer NOT NULL,
	`updated_ms` integer NOT NULL,
	FOREIGN KEY (`stream_id`) REFERENCES `streams`(`id`) ON UPDATE no action ON DELETE cascade,
	CONSTRAINT "stream_settings_tier" CHECK("stream_settings"."storage_tier" in ('HOT', 'WARM'))
);
--> statement-breakpoint
DROP INDEX `streams_name`;--> statement-breakpoint
CREATE UNIQUE INDEX `streams_name` ON `streams` (`name`) WHERE "streams"."removed_ms" is null;