CREATE TABLE `channels` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`message_ttl_s` integer NOT NULL,
	`tags` text NOT NULL,
	`storage_stream_id` text,
	`revision` integer NOT NULL,
	`created_ms` integer NOT NULL,
	`updated_ms` integer NOT NULL,
	FOREIGN KEY (`storage_stream_id`) REFERENCES `streams`(`id`) ON UPDATE no action ON DELETE set null
);
--> statement-breakpoint
CREATE UNIQUE INDEX `channels_name` ON `channels` (`name`);--> statement-breakpoint
CREATE UNIQUE INDEX `channels_storage` ON `channels` (`storage_stream_id`) WHERE "channels"."storage_stream_id" is not null;--> statement-breakpoint
CREATE TABLE `edge_configurations` (
	`stream_id` text PRIMARY KEY NOT NULL,
	`camera_id` text NOT NULL,
	`hub_device_arn` text NOT NULL,
	`settings` text NOT NULL,
	`state` text NOT NULL,
	`failure` text,
	`is_applied` integer NOT NULL,
	`created_ms` integer NOT NULL,
	`updated_ms` integer NOT NULL,
	FOREIGN KEY (`stream_id`) REFERENCES `streams`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`camera_id`) REFERENCES `cameras`(`id`) ON UPDATE no action ON DELETE cascade,
	CONSTRAINT "edge_configurations_state" CHECK("edge_configurations"."state" in ('syncing', 'in-sync', 'failed'))
);
--> statement-breakpoint
CREATE INDEX `edge_configurations_hub` ON `edge_configurations` (`hub_device_arn`,`stream_id`);--> statement-breakpoint
CREATE TABLE `secrets` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`sealed_value` text NOT NULL,
	`created_by` text NOT NULL,
	`created_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `secrets_name` ON `secrets` (`name`);