CREATE TABLE `access_keys` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`sealed_secret` text NOT NULL,
	`policies` text NOT NULL,
	`is_disabled` integer NOT NULL,
	`created_by` text NOT NULL,
	`created_ms` integer NOT NULL,
	`expires_ms` integer,
	`last_used_ms` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `access_keys_name` ON `access_keys` ("name" collate nocase);