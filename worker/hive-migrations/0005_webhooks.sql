CREATE TABLE `webhook_attempts` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`endpoint_id` text NOT NULL,
	`n` integer NOT NULL,
	`at_ms` integer NOT NULL,
	`status` integer,
	`detail` text NOT NULL,
	`ms` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `webhook_attempts_endpoint` ON `webhook_attempts` (`endpoint_id`,`n`);--> statement-breakpoint
CREATE TABLE `webhook_deliveries` (
	`endpoint_id` text NOT NULL,
	`n` integer NOT NULL,
	`attempts` integer DEFAULT 0 NOT NULL,
	`state` text DEFAULT 'pending' NOT NULL,
	`next_at_ms` integer DEFAULT 0 NOT NULL,
	PRIMARY KEY(`endpoint_id`, `n`)
);
--> statement-breakpoint
CREATE INDEX `webhook_deliveries_due` ON `webhook_deliveries` (`next_at_ms`) WHERE state = 'pending';--> statement-breakpoint
CREATE INDEX `webhook_deliveries_first` ON `webhook_deliveries` (`endpoint_id`,`n`) WHERE state = 'pending' and next_at_ms = 0;--> statement-breakpoint
CREATE TABLE `webhook_messages` (
	`n` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`at_ms` integer NOT NULL,
	`type` text NOT NULL,
	`group_name` text,
	`data` text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `webhook_messages_id_unique` ON `webhook_messages` (`id`);--> statement-breakpoint
CREATE TABLE `webhook_open` (
	`group_id` text PRIMARY KEY NOT NULL,
	`cause` text NOT NULL,
	`planned` integer NOT NULL,
	`from_node` text
);
