CREATE TABLE `doomed_objects` (
	`object_id` text PRIMARY KEY NOT NULL,
	`due_ms` integer NOT NULL
);
