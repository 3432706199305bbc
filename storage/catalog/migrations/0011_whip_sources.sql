-- A check cannot be changed in its place. No table refers to this one, so foreign keys may stay on, as they do in a transaction.
CREATE TABLE `__new_sources` (
	`camera_id` text NOT NULL,
	`role` text NOT NULL,
	`kind` text NOT NULL,
	`url` text,
	`transport` text,
	`tls` text,
	`sealed_username` text,
	`sealed_password` text,
	`key_sha256` text,
	`mode` text NOT NULL,
	`schedule` text,
	`retention_hours` integer NOT NULL,
	`event_retention_hours` integer,
	`pre_roll_minutes` integer NOT NULL,
	PRIMARY KEY(`camera_id`, `role`),
	FOREIGN KEY (`camera_id`) REFERENCES `cameras`(`id`) ON UPDATE no action ON DELETE cascade,
	CONSTRAINT "sources_kind" CHECK(("__new_sources"."kind" = 'rtsp') = ("__new_sources"."url" is not null)),
	CONSTRAINT "sources_key_of_publishers" CHECK(("__new_sources"."kind" in ('rtmp', 'whip')) = ("__new_sources"."key_sha256" is not null))
);
--> statement-breakpoint
INSERT INTO `__new_sources`("camera_id", "role", "kind", "url", "transport", "tls", "sealed_username", "sealed_password", "key_sha256", "mode", "schedule", "retention_hours", "event_retention_hours", "pre_roll_minutes") SELECT "camera_id", "role", "kind", "url", "transport", "tls", "sealed_username", "sealed_password", "key_sha256", "mode", "schedule", "retention_hours", "event_retention_hours", "pre_roll_minutes" FROM `sources`;--> statement-breakpoint
DROP TABLE `sources`;--> statement-breakpoint
ALTER TABLE `__new_sources` RENAME TO `sources`;--> statement-breakpoint
CREATE UNIQUE INDEX `sources_key` ON `sources` (`key_sha256`);