-- What a group's containers ask for: quotas are checked without reading documents.
ALTER TABLE instances.container_group ADD COLUMN cpu_millis bigint NOT NULL DEFAULT 0;
