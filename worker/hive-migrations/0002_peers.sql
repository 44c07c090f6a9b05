CREATE TABLE `peer_secrets` (
	`id` integer PRIMARY KEY NOT NULL,
	`secret` text NOT NULL,
	`made_at_ms` integer NOT NULL
);
--> statement-breakpoint
ALTER TABLE `sessions` ADD `peer_address` text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE `sessions` ADD `peer_port` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `sessions` ADD `peer_session` integer DEFAULT 0 NOT NULL;