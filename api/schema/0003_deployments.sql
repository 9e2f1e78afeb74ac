-- Deployments of templates: what was asked for, how far it is, what came of it (api/deployment.h).
CREATE TABLE api.deployment (
    uid          text PRIMARY KEY,              -- of this run: deployed again, it is another
    key          text COLLATE "C" NOT NULL UNIQUE,
    id           text NOT NULL,
    scope        text COLLATE "C" NOT NULL,     -- key of the resource group or subscription
    subscription text NOT NULL REFERENCES api.subscription,
    group_key    text COLLATE "C" REFERENCES api.resource_group ON DELETE CASCADE,
    group_name   text,                          -- both NULL: of the subscription
    name         text NOT NULL,
    location     text,
    tags         jsonb NOT NULL DEFAULT '{}',
    mode         text NOT NULL,                 -- Incremental, Complete
    state        text NOT NULL,                 -- Running, Succeeded, Failed, Canceled
    operation    text NOT NULL,                 -- its row of api.operation
    who          text NOT NULL,                 -- object id: as whom resources are made
    correlation  text NOT NULL,
    client       text NOT NULL,                 -- the address it was asked from
    host         text NOT NULL,                 -- and by which name
    tls          boolean NOT NULL,
    hash         text NOT NULL,                 -- of the template
    input        bytea NOT NULL,                -- sealed: template and values of parameters
    parameters   json NOT NULL,                 -- as they are shown
    facts        json NOT NULL,                 -- providers, dependencies
    outputs      json,                          -- as they are shown
    secrets      bytea,                         -- sealed: outputs, secure ones too
    resources    json,                          -- ids of what it made
    error        json,
    cancel       boolean NOT NULL DEFAULT false,
    owner        text NOT NULL,                 -- the data folder whose `serve` works on it
    lease        timestamptz NOT NULL,
    created      timestamptz NOT NULL DEFAULT now(),
    ended        timestamptz
);
CREATE INDEX ON api.deployment (scope, key);
CREATE INDEX ON api.deployment (subscription, key);
CREATE INDEX ON api.deployment (group_key);
CREATE INDEX ON api.deployment (uid) WHERE state = 'Running';

-- One for each resource of a running or ended deployment.
CREATE TABLE api.deployment_step (
    deployment text NOT NULL REFERENCES api.deployment ON DELETE CASCADE,
    number     int NOT NULL,                    -- of the node in the template's plan
    id         text NOT NULL,                   -- operationId
    action     text NOT NULL,                   -- Create, Delete
    target     text NOT NULL,                   -- the id of the resource
    type       text NOT NULL,
    name       text NOT NULL,
    version    text NOT NULL,                   -- api-version
    state      text NOT NULL,                   -- Waiting, Running, Succeeded, Failed, Canceled
    poll       text,                            -- Running: where to ask how far it is
    blocker    int NOT NULL DEFAULT -1,         -- number of the one that its references wait for
    tries      int NOT NULL DEFAULT 0,
    status     int,                             -- HTTP, of the last answer
    error      json,
    started    timestamptz,
    ended      timestamptz,
    PRIMARY KEY (deployment, number)
);

-- What runs now in a subscription, as a list.
CREATE INDEX ON api.operation (subscription, created) WHERE status = 0;
