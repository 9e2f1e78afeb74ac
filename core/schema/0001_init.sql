CREATE SCHEMA core;

-- What was applied; see core/migrate.h.
CREATE TABLE core.migration (
    folder     text NOT NULL,
    name       text NOT NULL,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (folder, name)
);

-- The certificate authority: one row. The key is sealed by DIR/secret.key.
CREATE TABLE core.ca (
    id          int PRIMARY KEY CHECK (id = 1),
    certificate text NOT NULL,
    sealed_key  bytea NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);
