CREATE TABLE `managed` (
	`kind` text NOT NULL,
	`item_id` text NOT NULL,
	`site` text NOT NULL,
	`key` text NOT NULL,
	PRIMARY KEY(`kind`, `item_id`)
);
--> statement-breakpoint
CREATE UNIQUE INDEX `managed_key` ON `managed` (`site`,`kind`,`key`);