-- What Microsoft.ContainerRegistry manages of a registry; webhooks, scope maps, tokens, imports.
ALTER TABLE registry.registry
    ADD scope                 text,                             -- ARM resource id
    ADD updated               timestamptz NOT NULL DEFAULT now(),
    ADD sku                   integer NOT NULL DEFAULT 2,       -- enum sku; the first one was unlimited
    ADD public_access         boolean NOT NULL DEFAULT true,
    ADD deny                  boolean NOT NULL DEFAULT false,
    ADD ip_rules              text[] NOT NULL DEFAULT '{}',
    ADD quarantine            boolean NOT NULL DEFAULT false,
    ADD retention             boolean NOT NULL DEFAULT false,
    ADD retention_days        integer NOT NULL DEFAULT 7,
    ADD retention_updated     timestamptz NOT NULL DEFAULT now(), -- when it was last switched
    ADD arm_tokens            boolean NOT NULL DEFAULT true,
    ADD abac                  boolean NOT NULL DEFAULT false,
    ADD export_enabled        boolean NOT NULL DEFAULT true,
    ADD trust                 boolean NOT NULL DEFAULT false,
    ADD data_endpoint         boolean NOT NULL DEFAULT false,
    ADD zone_redundant        boolean NOT NULL DEFAULT false,
    ADD bypass_trusted        boolean NOT NULL DEFAULT true;
CREATE INDEX registry_without_scope ON registry.registry (name) WHERE scope IS NULL;
CREATE INDEX registry_retention ON registry.registry (id) WHERE retention;

-- Since when it has had no tag, as far as the collector has seen; only where retention is on.
ALTER TABLE registry.manifest ADD untagged_since timestamptz;
CREATE INDEX manifest_untagged ON registry.manifest (repository_id, untagged_since)
    WHERE untagged_since IS NOT NULL;

CREATE TABLE registry.webhook (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    registry_id bigint NOT NULL REFERENCES registry.registry ON DELETE CASCADE,
    name        text COLLATE "C" NOT NULL,
    enabled     boolean NOT NULL,
    scope       text NOT NULL,
    actions     integer NOT NULL,               -- bits of enum webhook_action
    config      bytea NOT NULL,                 -- sealed: address and headers
    created     timestamptz NOT NULL DEFAULT now(),
    updated     timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX webhook_name ON registry.webhook (registry_id, lower(name));

CREATE TABLE registry.webhook_event (
    id               uuid PRIMARY KEY,
    webhook_id       bigint NOT NULL REFERENCES registry.webhook ON DELETE CASCADE,
    content          text NOT NULL,
    created          timestamptz NOT NULL DEFAULT clock_timestamp(),
    tries            integer NOT NULL DEFAULT 0,
    next_try         timestamptz DEFAULT now(), -- NULL: delivered, or given up
    request          bytea,                     -- of its last try; sealed: address, masked headers
    status           integer,
    reason           text,
    response_headers text,
    response_content text
);
CREATE INDEX webhook_event_due ON registry.webhook_event (next_try) WHERE next_try IS NOT NULL;
CREATE INDEX webhook_event_of ON registry.webhook_event (webhook_id, created);
CREATE INDEX webhook_event_created ON registry.webhook_event (created);

CREATE TABLE registry.scope_map (
    registry_id bigint NOT NULL REFERENCES registry.registry ON DELETE CASCADE,
    key         text COLLATE "C" NOT NULL,      -- the name in lower case
    name        text NOT NULL,
    description text,
    actions     text[] NOT NULL,
    created     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (registry_id, key)
);

CREATE TABLE registry.token (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    registry_id bigint NOT NULL REFERENCES registry.registry ON DELETE CASCADE,
    key         text COLLATE "C" NOT NULL,
    name        text NOT NULL,
    scope_map   text COLLATE "C",               -- key of a row, or of one of the system's
    enabled     boolean NOT NULL,
    hash1       text,                           -- secret_hash of password1
    hash2       text,
    created1    timestamptz,
    created2    timestamptz,
    expiry1     timestamptz,
    expiry2     timestamptz,
    created     timestamptz NOT NULL DEFAULT now(),
    UNIQUE (registry_id, key)
);
CREATE INDEX token_scope_map ON registry.token (registry_id, scope_map);

CREATE TABLE registry.import (
    id          uuid PRIMARY KEY,
    registry_id bigint NOT NULL REFERENCES registry.registry ON DELETE CASCADE,
    request     text NOT NULL,                  -- JSON, without credentials
    credentials bytea,                          -- sealed, label registry/import/<id>; NULL at the end
    state       integer NOT NULL DEFAULT 0,     -- enum import_state
    cancelled   boolean NOT NULL DEFAULT false, -- wanted
    bytes       bigint NOT NULL DEFAULT 0,
    total_bytes bigint NOT NULL DEFAULT 0,
    code        text,
    message     text,
    tries       integer NOT NULL DEFAULT 0,
    started_by  text,
    created     timestamptz NOT NULL DEFAULT now(),
    ended       timestamptz
);
CREATE INDEX import_running ON registry.import (created) WHERE ended IS NULL;
CREATE INDEX import_ended ON registry.import (ended) WHERE ended IS NOT NULL;
