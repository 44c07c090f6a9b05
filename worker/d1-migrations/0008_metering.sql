CREATE TABLE `doomed_objects` (
	`object_id` text PRIMARY KEY NOT NULL,
	`due_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `usage_days` (
	`organisation_id` text NOT NULL,
	`day` text NOT NULL,
	`cluster_id` text NOT NULL,
	`nodes` integer DEFAULT 0 NOT NULL,
	`groups` integer DEFAULT 0 NOT NULL,
	`node_ms` integer DEFAULT 0 NOT NULL,
	`api_calls` integer DEFAULT 0 NOT NULL,
	`webhooks` integer DEFAULT 0 NOT NULL,
	`failovers` integer DEFAULT 0 NOT NULL,
	PRIMARY KEY(`organisation_id`, `day`, `cluster_id`),
	FOREIGN KEY (`organisation_id`) REFERENCES `organisations`(`id`) ON UPDATE no action ON DELETE no action
);
