CREATE TABLE `audit` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`at_ms` integer NOT NULL,
	`subject_kind` text NOT NULL,
	`subject_id` text NOT NULL,
	`subject_name` text NOT NULL,
	`action` text NOT NULL,
	`resource` text NOT NULL,
	`outcome` text NOT NULL,
	`address` text NOT NULL,
	`request_id` text NOT NULL,
	`detail` text NOT NULL,
	CONSTRAINT "audit_outcome" CHECK("audit"."outcome" in ('done', 'refused'))
);
--> statement-breakpoint
CREATE INDEX `audit_action` ON `audit` (`action`,`id`);--> statement-breakpoint
CREATE TABLE `cameras` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`source_kind` text NOT NULL,
	`url` text NOT NULL,
	`transport` text NOT NULL,
	`tls` text NOT NULL,
	`sealed_username` text,
	`sealed_password` text,
	`is_recording` integer NOT NULL,
	`retention_hours` integer NOT NULL,
	`bytes_max` integer,
	`is_enabled` integer NOT NULL,
	`revision` integer NOT NULL,
	`created_ms` integer NOT NULL,
	`updated_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `cameras_name` ON `cameras` ("name" collate nocase);--> statement-breakpoint
CREATE TABLE `policies` (
	`name` text PRIMARY KEY NOT NULL,
	`description` text NOT NULL,
	`statements` text NOT NULL,
	`is_built_in` integer NOT NULL,
	`updated_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `sessions` (
	`id` text PRIMARY KEY NOT NULL,
	`token_hash` blob NOT NULL,
	`user_id` text NOT NULL,
	`created_ms` integer NOT NULL,
	`last_seen_ms` integer NOT NULL,
	`expires_ms` integer NOT NULL,
	`address` text NOT NULL,
	`user_agent` text NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `sessions_token` ON `sessions` (`token_hash`);--> statement-breakpoint
CREATE INDEX `sessions_user` ON `sessions` (`user_id`);--> statement-breakpoint
CREATE TABLE `settings` (
	`key` text PRIMARY KEY NOT NULL,
	`value` text NOT NULL,
	`updated_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `streams` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`role` text NOT NULL,
	`camera_id` text NOT NULL,
	`created_ms` integer NOT NULL,
	`removed_ms` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `streams_name` ON `streams` (`name`);--> statement-breakpoint
CREATE INDEX `streams_camera` ON `streams` (`camera_id`);--> statement-breakpoint
CREATE TABLE `tokens` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`token_hash` blob NOT NULL,
	`role` text,
	`policies` text NOT NULL,
	`created_by` text NOT NULL,
	`created_ms` integer NOT NULL,
	`expires_ms` integer,
	`last_used_ms` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `tokens_token` ON `tokens` (`token_hash`);--> statement-breakpoint
CREATE UNIQUE INDEX `tokens_name` ON `tokens` ("name" collate nocase);--> statement-breakpoint
CREATE TABLE `users` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`password_hash` text NOT NULL,
	`role` text,
	`policies` text NOT NULL,
	`must_change_password` integer NOT NULL,
	`is_disabled` integer NOT NULL,
	`created_ms` integer NOT NULL,
	`updated_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `users_name` ON `users` ("name" collate nocase);--> statement-breakpoint
CREATE TRIGGER `audit_is_never_changed` BEFORE UPDATE ON `audit`
BEGIN
	SELECT raise(ABORT, 'audit rows are never changed');
END;
--> statement-breakpoint
CREATE TRIGGER `audit_keeps_the_newest_million` BEFORE DELETE ON `audit`
WHEN OLD.`id` > (SELECT max(`id`) FROM `audit`) - 1000000
BEGIN
	SELECT raise(ABORT, 'only audit rows beyond the newest million are removed');
END;
