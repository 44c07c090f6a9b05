CREATE TABLE `plans` (
	`table` text NOT NULL,
	`id` text NOT NULL,
	`body` text NOT NULL,
	PRIMARY KEY(`table`, `id`)
);
