CREATE TABLE `sources` (
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
	CONSTRAINT "sources_kind" CHECK(("sources"."kind" = 'rtsp') = ("sources"."url" is not null)),
	CONSTRAINT "sources_key_of_publishers" CHECK(("sources"."kind" = 'rtmp') = ("sources"."key_sha256" is not null))
);
--> statement-breakpoint
CREATE UNIQUE INDEX `sources_key` ON `sources` (`key_sha256`);--> statement-breakpoint
-- What was not recorded, or kept for 0 hours, is a ring for live players from now on; the age that it may be given back is a week.
INSERT INTO `sources` (`camera_id`, `role`, `kind`, `url`, `transport`, `tls`, `mode`, `retention_hours`, `pre_roll_minutes`)
	SELECT `id`, 'main', `source_kind`, `url`, `transport`, `tls`,
		CASE WHEN `is_recording` = 0 OR `retention_hours` = 0 THEN 'live' ELSE 'continuous' END,
		CASE WHEN `retention_hours` = 0 THEN 168 ELSE `retention_hours` END, 10
	FROM `cameras`;--> statement-breakpoint
ALTER TABLE `cameras` ADD `onvif_url` text;--> statement-breakpoint
ALTER TABLE `cameras` ADD `onvif_tls` text;--> statement-breakpoint
ALTER TABLE `cameras` ADD `onvif_sealed_username` text;--> statement-breakpoint
ALTER TABLE `cameras` ADD `onvif_sealed_password` text;--> statement-breakpoint
ALTER TABLE `cameras` DROP COLUMN `source_kind`;--> statement-breakpoint
ALTER TABLE `cameras` DROP COLUMN `url`;--> statement-breakpoint
ALTER TABLE `cameras` DROP COLUMN `transport`;--> statement-breakpoint
ALTER TABLE `cameras` DROP COLUMN `tls`;--> statement-breakpoint
ALTER TABLE `cameras` DROP COLUMN `is_recording`;--> statement-breakpoint
ALTER TABLE `cameras` DROP COLUMN `retention_hours`;