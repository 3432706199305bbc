CREATE TABLE `devices` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`policies` text NOT NULL,
	`fingerprint` text NOT NULL,
	`serial` text NOT NULL,
	`created_by` text NOT NULL,
	`created_ms` integer NOT NULL,
	`expires_ms` integer NOT NULL,
	`revoked_ms` integer,
	`last_used_ms` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `devices_name` ON `devices` (`name`) WHERE "devices"."revoked_ms" is null;--> statement-breakpoint
CREATE UNIQUE INDEX `devices_fingerprint` ON `devices` (`fingerprint`);