-- The resource manager's own tables; see api/README.md.
CREATE SCHEMA IF NOT EXISTS api;
