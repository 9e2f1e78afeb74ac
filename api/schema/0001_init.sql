-- The resource manager's own tables; see api/README.md. Keys are resource ids in lower case: sorted
-- by bytes, so that a subscription's or a group's rows are one range of the primary key.
CREATE SCHEMA IF NOT EXISTS api;

-- Times as Azure writes them: 2026-11-20T12:00:00.1234560Z.
CREATE FUNCTION api.iso(timestamptz) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT to_char($1 AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"0Z"') $$;

CREATE TABLE api.subscription (
    id      text PRIMARY KEY,                  -- GUID, lower case
    name    text NOT NULL,
    alias   text UNIQUE,                       -- lower case
    state   text NOT NULL DEFAULT 'Enabled',   -- Enabled, Disabled
    tags    jsonb NOT NULL DEFAULT '{}',
    created timestamptz NOT NULL DEFAULT now(),
    version bigint NOT NULL DEFAULT 1
);

-- Differing from what the provider starts with only.
CREATE TABLE api.provider_registration (
    subscription text NOT NULL REFERENCES api.subscription,
    provider     text NOT NULL,                -- lower case
    state        text NOT NULL,                -- Registered, NotRegistered
    PRIMARY KEY (subscription, provider)
);

CREATE TABLE api.resource_group (
    key          text COLLATE "C" PRIMARY KEY, -- /subscriptions/s/resourcegroups/g
    subscription text NOT NULL REFERENCES api.subscription,
    name         text NOT NULL,                -- as made
    location     text NOT NULL,
    managed_by   text,
    tags         jsonb NOT NULL DEFAULT '{}',
    state        text NOT NULL DEFAULT 'Succeeded', -- Succeeded, Deleting
    operation    text,                         -- of its deletion
    created      timestamptz NOT NULL DEFAULT now(),
    changed      timestamptz NOT NULL DEFAULT now(),
    version      bigint NOT NULL DEFAULT 1
);
CREATE INDEX ON api.resource_group (subscription, key);
CREATE INDEX ON api.resource_group (key) WHERE state = 'Deleting';

-- Envelopes: what all resources have. Their properties are their services'.
CREATE TABLE api.resource (
    key             text COLLATE "C" PRIMARY KEY,
    id              text NOT NULL,             -- as made
    subscription    text NOT NULL,
    group_key       text COLLATE "C" NOT NULL REFERENCES api.resource_group,
    group_name      text NOT NULL,
    type            text NOT NULL,             -- Microsoft.ContainerRegistry/registries
    type_key        text NOT NULL,             -- lower case
    name            text NOT NULL,             -- the last one
    name_key        text NOT NULL,
    tracked         boolean NOT NULL,          -- stands in lists of resources
    location        text,
    tags            jsonb NOT NULL DEFAULT '{}',
    sku             jsonb,
    identity        jsonb,
    kind            text,
    managed_by      text,
    state           text NOT NULL,
    created         timestamptz NOT NULL DEFAULT now(),
    created_by      text NOT NULL,
    created_by_kind text NOT NULL,
    changed         timestamptz NOT NULL DEFAULT now(),
    changed_by      text NOT NULL,
    changed_by_kind text NOT NULL,
    version         bigint NOT NULL DEFAULT 1
);
CREATE INDEX ON api.resource (group_key, type_key, key);
CREATE INDEX ON api.resource (subscription, type_key, key);
CREATE INDEX ON api.resource (type_key, name_key);
CREATE INDEX ON api.resource (subscription, name_key, key);
CREATE INDEX ON api.resource USING gin (tags);

CREATE TABLE api.lock (
    key             text COLLATE "C" PRIMARY KEY, -- …/providers/microsoft.authorization/locks/name
    id              text NOT NULL,
    scope           text COLLATE "C" NOT NULL,    -- key of what is locked
    name            text NOT NULL,
    level           text NOT NULL,
    notes           text,
    owners          jsonb,
    created         timestamptz NOT NULL DEFAULT now(),
    created_by      text NOT NULL,
    created_by_kind text NOT NULL,
    changed         timestamptz NOT NULL DEFAULT now(),
    changed_by      text NOT NULL,
    changed_by_kind text NOT NULL
);

-- Long-running operations: computed until terminal, then frozen (api/operation.h).
CREATE TABLE api.operation (
    id            text PRIMARY KEY,
    kind          text NOT NULL,
    subscription  text NOT NULL,
    resource_id   text NOT NULL,
    provider      text NOT NULL,
    location      text NOT NULL,
    who           text NOT NULL,
    status_word   text,
    status        int NOT NULL DEFAULT 0,
    code          text,
    message       text,
    properties    json,
    result        json,
    input         json,
    percent       int NOT NULL DEFAULT -1,
    cancel_wanted boolean NOT NULL DEFAULT false,
    created       timestamptz NOT NULL DEFAULT now(),
    ended         timestamptz
);
CREATE INDEX ON api.operation (kind, id) WHERE status = 0;
CREATE INDEX ON api.operation (ended) WHERE status <> 0;

CREATE TABLE api.activity (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at             timestamptz NOT NULL,
    subscription   text NOT NULL,
    group_key      text NOT NULL,              -- name in lower case; '' for none
    resource_key   text COLLATE "C" NOT NULL,
    event          text NOT NULL,              -- a UUID
    body           json NOT NULL               -- the event as it is answered
);
CREATE INDEX ON api.activity (subscription, at, id);

-- Names and values made by the tagNames API; those in use are counted from the tags themselves.
CREATE TABLE api.tag_name (
    subscription text NOT NULL REFERENCES api.subscription,
    key          text NOT NULL,                -- lower case
    name         text NOT NULL,
    PRIMARY KEY (subscription, key)
);
CREATE TABLE api.tag_value (
    subscription text NOT NULL,
    tag          text NOT NULL,
    key          text NOT NULL,
    value        text NOT NULL,
    PRIMARY KEY (subscription, tag, key),
    FOREIGN KEY (subscription, tag) REFERENCES api.tag_name ON DELETE CASCADE
);
