CREATE TABLE `tag_cursors` (
	`stream_id` text NOT NULL,
	`purpose` text NOT NULL,
	`number` text NOT NULL,
	PRIMARY KEY(`stream_id`, `purpose`)
);
--> statement-breakpoint
CREATE TABLE `topics` (
	`name` text PRIMARY KEY NOT NULL,
	`webhook_id` text NOT NULL,
	`created_ms` integer NOT NULL,
	FOREIGN KEY (`webhook_id`) REFERENCES `webhooks`(`id`) ON UPDATE no action ON DELETE cascade
);
