CREATE TABLE `confirms` (
	`id` integer PRIMARY KEY NOT NULL,
	`at_ms` integer NOT NULL,
	`count` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `journal` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`at_ms` integer NOT NULL,
	`first_seq` integer NOT NULL,
	`event` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `log` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`at_ms` integer NOT NULL,
	`node` text NOT NULL,
	`component` text NOT NULL,
	`group_id` text,
	`resource_id` text,
	`correlation_id` text,
	`message` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `log_resource` ON `log` (`resource_id`);--> statement-breakpoint
CREATE TABLE `meta` (
	`key` text PRIMARY KEY NOT NULL,
	`value` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `observed` (
	`table` text NOT NULL,
	`id` text NOT NULL,
	`body` text NOT NULL,
	PRIMARY KEY(`table`, `id`)
);
--> statement-breakpoint
CREATE TABLE `sessions` (
	`node_id` text PRIMARY KEY NOT NULL,
	`attempt` integer NOT NULL,
	`run` text DEFAULT '' NOT NULL,
	`report_n` integer DEFAULT 0 NOT NULL,
	`name` text DEFAULT '' NOT NULL,
	`up` integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE TABLE `snapshots` (
	`seq` integer NOT NULL,
	`part` integer NOT NULL,
	`parts` integer NOT NULL,
	`hash` text NOT NULL,
	`body` text NOT NULL,
	PRIMARY KEY(`seq`, `part`)
);
--> statement-breakpoint
CREATE TABLE `updates` (
	`seq` integer PRIMARY KEY NOT NULL,
	`at_ms` integer NOT NULL,
	`hash` text NOT NULL,
	`body` text NOT NULL
);
