CREATE TABLE `status_pages` (
	`cluster_id` text PRIMARY KEY NOT NULL,
	`public_id` text NOT NULL,
	`groups` text,
	`created_at_ms` integer NOT NULL,
	FOREIGN KEY (`cluster_id`) REFERENCES `clusters`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `status_pages_public_id_unique` ON `status_pages` (`public_id`);--> statement-breakpoint
ALTER TABLE `webhook_endpoints` ADD `kind` text DEFAULT 'webhook' NOT NULL;--> statement-breakpoint
ALTER TABLE `webhook_endpoints` ADD `interval_ms` integer;--> statement-breakpoint
ALTER TABLE `webhook_endpoints` ADD `warned_at_ms` integer;