CREATE TABLE `webhook_troubles` (
	`group_id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`since_ms` integer,
	`well_since_ms` integer,
	`begun` text NOT NULL,
	`flapping` integer DEFAULT 0 NOT NULL
);
