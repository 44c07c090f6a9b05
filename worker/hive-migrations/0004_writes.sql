CREATE TABLE `answers` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`key_id` text NOT NULL,
	`name` text NOT NULL,
	`fingerprint` text NOT NULL,
	`request` text NOT NULL,
	`at_ms` integer NOT NULL,
	`status` integer NOT NULL,
	`body` text NOT NULL,
	`total` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `answers_name` ON `answers` (`key_id`,`name`);--> statement-breakpoint
CREATE TABLE `audit` (
	`n` integer PRIMARY KEY NOT NULL,
	`at_ms` integer NOT NULL,
	`route` text NOT NULL,
	`by_id` text NOT NULL,
	`by_name` text NOT NULL,
	`refused` integer NOT NULL,
	`hash` text NOT NULL,
	`body` text NOT NULL,
	`total` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `audit_refused` ON `audit` (`by_id`,`at_ms`) WHERE refused = 1;--> statement-breakpoint
CREATE TABLE `audit_base` (
	`id` integer PRIMARY KEY NOT NULL,
	`n` integer NOT NULL,
	`hash` text NOT NULL
);
