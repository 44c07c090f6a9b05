-- What there is belongs to the organisation "default" from now on; where there is nothing, it is not made.
CREATE TABLE `organisations` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`created_at_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `organisations_name_unique` ON `organisations` (`name`);--> statement-breakpoint
INSERT INTO `organisations` (`id`, `name`, `created_at_ms`)
SELECT lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-8' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))), 'default', unixepoch() * 1000
WHERE EXISTS (SELECT 1 FROM `clusters`) OR EXISTS (SELECT 1 FROM `api_keys`);--> statement-breakpoint
-- Tables that are referred to are made anew: what refers to them goes first.
CREATE TABLE `tokens_before` AS SELECT * FROM `join_tokens`;--> statement-breakpoint
DROP TABLE `join_tokens`;--> statement-breakpoint
ALTER TABLE `clusters` RENAME TO `clusters_before`;--> statement-breakpoint
ALTER TABLE `api_keys` RENAME TO `keys_before`;--> statement-breakpoint
CREATE TABLE `clusters` (
	`id` text PRIMARY KEY NOT NULL,
	`organisation_id` text NOT NULL,
	`name` text NOT NULL,
	`profile` text NOT NULL,
	`object_id` text NOT NULL,
	`created_at_ms` integer NOT NULL,
	FOREIGN KEY (`organisation_id`) REFERENCES `organisations`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `clusters_name` ON `clusters` (`organisation_id`,`name`);--> statement-breakpoint
CREATE TABLE `api_keys` (
	`id` text PRIMARY KEY NOT NULL,
	`organisation_id` text NOT NULL,
	`name` text NOT NULL,
	`scopes` text NOT NULL,
	`created_at_ms` integer NOT NULL,
	`created_by` text NOT NULL,
	`expires_at_ms` integer,
	`revoked_at_ms` integer,
	`last_used_at_ms` integer,
	FOREIGN KEY (`organisation_id`) REFERENCES `organisations`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `api_keys_name` ON `api_keys` (`organisation_id`,`name`) WHERE revoked_at_ms is null;--> statement-breakpoint
CREATE TABLE `api_key_secrets` (
	`prefix` text PRIMARY KEY NOT NULL,
	`key_id` text NOT NULL,
	`hash` text NOT NULL,
	`created_at_ms` integer NOT NULL,
	`expires_at_ms` integer,
	FOREIGN KEY (`key_id`) REFERENCES `api_keys`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `api_key_secrets_key` ON `api_key_secrets` (`key_id`);--> statement-breakpoint
CREATE TABLE `join_tokens` (
	`id` text PRIMARY KEY NOT NULL,
	`cluster_id` text NOT NULL,
	`hash` text NOT NULL,
	`uses_left` integer NOT NULL,
	`expires_at_ms` integer NOT NULL,
	`created_at_ms` integer NOT NULL,
	FOREIGN KEY (`cluster_id`) REFERENCES `clusters`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `join_tokens_hash_unique` ON `join_tokens` (`hash`);--> statement-breakpoint
INSERT INTO `clusters` SELECT `c`.`id`, `o`.`id`, `c`.`name`, `c`.`profile`, `c`.`object_id`, `c`.`created_at_ms` FROM `clusters_before` AS `c`, `organisations` AS `o`;--> statement-breakpoint
-- Of several keys with one name one keeps it.
INSERT INTO `api_keys` SELECT `k`.`id`, `o`.`id`, CASE WHEN `k`.`id` = (SELECT min(`id`) FROM `keys_before` WHERE `name` = `k`.`name`) THEN `k`.`name` ELSE `k`.`name` || '-' || substr(`k`.`id`, 1, 8) END, '[{"role":"admin","cluster":null}]', `k`.`created_at_ms`, 'start', NULL, NULL, NULL FROM `keys_before` AS `k`, `organisations` AS `o`;--> statement-breakpoint
-- How they begin is not known here: whoever has the key fills it in (the start of the control plane).
INSERT INTO `api_key_secrets` SELECT 'unknown-' || `id`, `id`, `hash`, `created_at_ms`, NULL FROM `keys_before`;--> statement-breakpoint
INSERT INTO `join_tokens` SELECT * FROM `tokens_before`;--> statement-breakpoint
DROP TABLE `tokens_before`;--> statement-breakpoint
DROP TABLE `clusters_before`;--> statement-breakpoint
DROP TABLE `keys_before`;
