CREATE TABLE `alarms` (
	`id` text PRIMARY KEY NOT NULL,
	`code` text NOT NULL,
	`family` text NOT NULL,
	`severity` text NOT NULL,
	`subjects` text NOT NULL,
	`since_ms` integer NOT NULL,
	`raised_ms` integer NOT NULL,
	`last_seen_ms` integer NOT NULL,
	`cleared_ms` integer,
	`count` integer NOT NULL,
	`acknowledged_ms` integer,
	`acknowledged_by` text,
	`acknowledged_note` text
);
--> statement-breakpoint
CREATE INDEX `alarms_raised` ON `alarms` (`raised_ms`,`id`);--> statement-breakpoint
CREATE INDEX `alarms_standing` ON `alarms` (`raised_ms`) WHERE "alarms"."cleared_ms" is null;--> statement-breakpoint
CREATE TABLE `deliveries` (
	`sequence` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`webhook_id` text NOT NULL,
	`event` text NOT NULL,
	`alarm_id` text,
	`body` text,
	`created_ms` integer NOT NULL,
	`state` text NOT NULL,
	`attempts` integer NOT NULL,
	`next_attempt_ms` integer NOT NULL,
	`status` integer,
	`duration_ms` integer,
	`error` text,
	`ended_ms` integer,
	FOREIGN KEY (`webhook_id`) REFERENCES `webhooks`(`id`) ON UPDATE no action ON DELETE cascade,
	CONSTRAINT "deliveries_state" CHECK("deliveries"."state" in ('waiting', 'delivered', 'given-up'))
);
--> statement-breakpoint
CREATE INDEX `deliveries_webhook` ON `deliveries` (`webhook_id`,`sequence`);--> statement-breakpoint
CREATE INDEX `deliveries_waiting` ON `deliveries` (`webhook_id`,`sequence`) WHERE "deliveries"."state" = 'waiting';--> statement-breakpoint
CREATE TABLE `webhooks` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`sealed_url` text NOT NULL,
	`origin` text NOT NULL,
	`sealed_secret` text NOT NULL,
	`tls` text NOT NULL,
	`severity_min` text NOT NULL,
	`codes` text,
	`is_enabled` integer NOT NULL,
	`created_ms` integer NOT NULL,
	`updated_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `webhooks_name` ON `webhooks` ("name" collate nocase);