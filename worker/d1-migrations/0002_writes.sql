CREATE TABLE `answers` (
	`key_id` text NOT NULL,
	`name` text NOT NULL,
	`fingerprint` text NOT NULL,
	`request` text NOT NULL,
	`at_ms` integer NOT NULL,
	`status` integer NOT NULL,
	`sealed` text NOT NULL,
	PRIMARY KEY(`key_id`, `name`)
);
--> statement-breakpoint
CREATE INDEX `answers_of_key` ON `answers` (`key_id`,`at_ms`);--> statement-breakpoint
CREATE INDEX `answers_at` ON `answers` (`at_ms`);--> statement-breakpoint
CREATE TABLE `audit` (
	`organisation_id` text NOT NULL,
	`n` integer NOT NULL,
	`at_ms` integer NOT NULL,
	`route` text NOT NULL,
	`by_id` text NOT NULL,
	`by_name` text NOT NULL,
	`refused` integer NOT NULL,
	`hash` text NOT NULL,
	`body` text NOT NULL,
	PRIMARY KEY(`organisation_id`, `n`),
	FOREIGN KEY (`organisation_id`) REFERENCES `organisations`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `audit_refused` ON `audit` (`by_id`,`at_ms`) WHERE refused = 1;--> statement-breakpoint
CREATE TABLE `audit_bases` (
	`organisation_id` text PRIMARY KEY NOT NULL,
	`n` integer NOT NULL,
	`hash` text NOT NULL,
	FOREIGN KEY (`organisation_id`) REFERENCES `organisations`(`id`) ON UPDATE no action ON DELETE no action
);
