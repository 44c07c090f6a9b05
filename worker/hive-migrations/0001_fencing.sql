ALTER TABLE `sessions` ADD `under_fence` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `sessions` ADD `fence` integer DEFAULT 0 NOT NULL;