CREATE TABLE `usage` (
	`day` text NOT NULL,
	`stream_id` text NOT NULL,
	`direction` text NOT NULL,
	`protocol` text NOT NULL,
	`subject_kind` text NOT NULL,
	`subject_id` text NOT NULL,
	`bytes` integer NOT NULL,
	`requests` integer NOT NULL,
	PRIMARY KEY(`day`, `stream_id`, `direction`, `protocol`, `subject_kind`, `subject_id`)
);
