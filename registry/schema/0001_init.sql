-- The registry's metadata. Blobs lie on disk (registry/blob.h); a row here is what names a file.
CREATE SCHEMA IF NOT EXISTS registry;

-- Times as ACR writes them: 2026-11-20T12:00:00.1234560Z.
CREATE FUNCTION registry.iso(timestamptz) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT to_char($1 AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"0Z"') $$;

-- Microseconds since 1970, exact: where a page by time goes on.
CREATE FUNCTION registry.us(timestamptz) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT (extract(epoch FROM $1) * 1000000)::bigint $$;
CREATE FUNCTION registry.from_us(bigint) RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT 'epoch'::timestamptz + $1 * interval '1 microsecond' $$;

-- The advisory lock of a digest (registry/blob.h).
CREATE FUNCTION registry.lock_key(digest text) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT hashtextextended(digest, 7302851) $$;

CREATE TABLE registry.registry (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name            text NOT NULL UNIQUE,
    admin_enabled   boolean NOT NULL DEFAULT false,
    admin_password1 bytea,                      -- sealed, label registry/admin/<id>/1
    admin_password2 bytea,                      -- sealed, label registry/admin/<id>/2
    anonymous_pull  boolean NOT NULL DEFAULT false,
    created         timestamptz NOT NULL DEFAULT now(),
    version         bigint NOT NULL DEFAULT 1
);

-- Changeable attributes (ACR's locks) have the same four columns at all three levels.
CREATE TABLE registry.repository (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    registry_id    bigint NOT NULL REFERENCES registry.registry ON DELETE CASCADE,
    name           text COLLATE "C" NOT NULL,
    created        timestamptz NOT NULL DEFAULT now(),
    updated        timestamptz NOT NULL DEFAULT now(),
    delete_enabled boolean NOT NULL DEFAULT true,
    write_enabled  boolean NOT NULL DEFAULT true,
    read_enabled   boolean NOT NULL DEFAULT true,
    list_enabled   boolean NOT NULL DEFAULT true,
    UNIQUE (registry_id, name)
);

-- One row, one file: BLOBS/sha256/ab/abcd…, shared by all registries.
CREATE TABLE registry.blob (
    digest  text COLLATE "C" PRIMARY KEY,
    size    bigint NOT NULL,
    created timestamptz NOT NULL DEFAULT now()
);

-- What a repository sees. A link lives while a manifest_blob row or its lease holds it.
CREATE TABLE registry.repository_blob (
    repository_id bigint NOT NULL REFERENCES registry.repository ON DELETE CASCADE,
    digest        text COLLATE "C" NOT NULL REFERENCES registry.blob,
    leased_until  timestamptz NOT NULL,
    PRIMARY KEY (repository_id, digest)
);
CREATE INDEX repository_blob_digest ON registry.repository_blob (digest);
CREATE INDEX repository_blob_leased ON registry.repository_blob (leased_until);

CREATE TABLE registry.manifest (
    repository_id      bigint NOT NULL REFERENCES registry.repository ON DELETE CASCADE,
    digest             text COLLATE "C" NOT NULL,
    media_type         text NOT NULL,
    config_media_type  text,
    artifact_type      text,                    -- its own, or its config's media type
    size               bigint NOT NULL,
    image_size         bigint NOT NULL,         -- what its config and layers weigh together
    architecture       text,
    os                 text,
    subject            text COLLATE "C",
    annotations        text,                    -- JSON
    content            bytea NOT NULL,
    created            timestamptz NOT NULL DEFAULT now(),
    updated            timestamptz NOT NULL DEFAULT now(),
    last_pulled        timestamptz,
    delete_enabled     boolean NOT NULL DEFAULT true,
    write_enabled      boolean NOT NULL DEFAULT true,
    read_enabled       boolean NOT NULL DEFAULT true,
    list_enabled       boolean NOT NULL DEFAULT true,
    quarantine_state   text,
    quarantine_details text,
    PRIMARY KEY (repository_id, digest)
);
ALTER TABLE registry.manifest ALTER COLUMN content SET STORAGE EXTERNAL;
CREATE INDEX manifest_updated ON registry.manifest (repository_id, updated, digest);
CREATE INDEX manifest_subject ON registry.manifest (repository_id, subject, digest)
    WHERE subject IS NOT NULL;

CREATE TABLE registry.manifest_blob (
    repository_id bigint NOT NULL,
    manifest      text COLLATE "C" NOT NULL,
    blob          text COLLATE "C" NOT NULL,
    PRIMARY KEY (repository_id, manifest, blob),
    FOREIGN KEY (repository_id, manifest) REFERENCES registry.manifest ON DELETE CASCADE
);
CREATE INDEX manifest_blob_blob ON registry.manifest_blob (repository_id, blob);

CREATE TABLE registry.manifest_child (
    repository_id bigint NOT NULL,
    manifest      text COLLATE "C" NOT NULL,
    position      integer NOT NULL,
    child         text COLLATE "C" NOT NULL,
    architecture  text,
    os            text,
    PRIMARY KEY (repository_id, manifest, position),
    FOREIGN KEY (repository_id, manifest) REFERENCES registry.manifest ON DELETE CASCADE
);

CREATE TABLE registry.tag (
    repository_id  bigint NOT NULL,
    name           text COLLATE "C" NOT NULL,
    digest         text COLLATE "C" NOT NULL,
    created        timestamptz NOT NULL DEFAULT now(),
    updated        timestamptz NOT NULL DEFAULT now(),
    last_pulled    timestamptz,
    delete_enabled boolean NOT NULL DEFAULT true,
    write_enabled  boolean NOT NULL DEFAULT true,
    read_enabled   boolean NOT NULL DEFAULT true,
    list_enabled   boolean NOT NULL DEFAULT true,
    PRIMARY KEY (repository_id, name),
    FOREIGN KEY (repository_id, digest) REFERENCES registry.manifest ON DELETE CASCADE
);
CREATE INDEX tag_digest ON registry.tag (repository_id, digest);
CREATE INDEX tag_updated ON registry.tag (repository_id, updated, name);

-- An unfinished upload: its bytes are in BLOBS/uploads/<id>, the hash so far is in state.
CREATE TABLE registry.upload (
    id            uuid PRIMARY KEY,
    repository_id bigint NOT NULL REFERENCES registry.repository ON DELETE CASCADE,
    algorithm     text NOT NULL,
    received      bigint NOT NULL DEFAULT 0,
    state         bytea,
    created       timestamptz NOT NULL DEFAULT now(),
    updated       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX upload_updated ON registry.upload (updated);
CREATE INDEX upload_repository ON registry.upload (repository_id);
