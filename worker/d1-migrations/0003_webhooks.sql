CREATE TABLE `webhook_endpoints` (
	`id` text PRIMARY KEY NOT NULL,
	`organisation_id` text NOT NULL,
	`name` text NOT NULL,
	`url` text NOT NULL,
	`secret` text NOT NULL,
	`old_secret` text,
	`old_until_ms` integer,
	`clusters` text,
	`types` text,
	`groups` text,
	`created_at_ms` integer NOT NULL,
	`failing_since_ms` integer,
	`disabled_at_ms` integer,
	`disabled_why` text,
	FOREIGN KEY (`organisation_id`) REFERENCES `organisations`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `webhook_endpoints_name` ON `webhook_endpoints` (`organisation_id`,`name`);