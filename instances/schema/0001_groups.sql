-- Container groups: what should run (written by requests) and what does (written by the owner's reconciler).
-- Times are microseconds since 1970; 0: not yet.
CREATE SCHEMA IF NOT EXISTS instances;

-- A data folder on a machine: the owner of its groups. seen: it was there then.
CREATE TABLE instances.host (
    id   text PRIMARY KEY,
    seen timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE instances.container_group (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key           text COLLATE "C" NOT NULL UNIQUE,  -- the resource id in lower case
    scope         text NOT NULL,                     -- as written
    subscription  text NOT NULL,
    location      text NOT NULL,
    name          text NOT NULL,
    document      text NOT NULL,                     -- JSON, normalised, without secrets
    sealed        bytea NOT NULL,                    -- the same with them, label instances/group/<key>
    host          text NOT NULL,
    wanted        smallint NOT NULL DEFAULT 0,       -- 0 running, 1 stopped, 2 deleted
    generation    bigint NOT NULL DEFAULT 1,         -- a new one is another sandbox
    observed      bigint NOT NULL DEFAULT 0,         -- the one that containers' rows are about
    provisioning  smallint NOT NULL DEFAULT 0,       -- 0 Pending, 1 Creating, 2 Succeeded, 3 Failed
    state         smallint NOT NULL DEFAULT 0,       -- 0 Pending, 1 Running, 2 Succeeded, 3 Failed, 4 Stopped
    fault_code    text,
    fault_text    text,
    begun_us      bigint NOT NULL DEFAULT 0,         -- this generation
    stopping_us   bigint NOT NULL DEFAULT 0,         -- its containers were told to end
    cloned        integer NOT NULL DEFAULT 0,        -- gitRepo volumes that are there
    public_index  integer,
    private_index integer NOT NULL,
    label         text,                              -- the first label of its FQDN
    principal     text,                              -- object id of its managed identity
    created       timestamptz NOT NULL DEFAULT now(),
    version       bigint NOT NULL DEFAULT 1,
    UNIQUE (host, public_index),
    UNIQUE (host, private_index),
    UNIQUE (location, label)
);
CREATE INDEX container_group_subscription ON instances.container_group (subscription, location);

CREATE TABLE instances.container (
    group_id      bigint NOT NULL REFERENCES instances.container_group ON DELETE CASCADE,
    position      integer NOT NULL,                  -- init containers first, as in the document
    name          text NOT NULL,
    init          boolean NOT NULL,
    image         text,                              -- JSON: the image that this generation runs
    starts        bigint NOT NULL DEFAULT 0,
    restarts      bigint NOT NULL DEFAULT 0,
    failures      bigint NOT NULL DEFAULT 0,         -- restarts in a row, for the back-off
    state         smallint NOT NULL DEFAULT 0,       -- 0 Waiting, 1 Running, 2 Terminated
    detail        text NOT NULL DEFAULT '',
    exit_code     integer NOT NULL DEFAULT 0,
    started_us    bigint NOT NULL DEFAULT 0,
    finished_us   bigint NOT NULL DEFAULT 0,
    next_start_us bigint NOT NULL DEFAULT 0,
    previous      text,                              -- JSON: the state before
    ready         boolean NOT NULL DEFAULT false,
    last_log      text,                              -- of a stopped group's last run
    PRIMARY KEY (group_id, position)
);

CREATE TABLE instances.event (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    group_id  bigint NOT NULL REFERENCES instances.container_group ON DELETE CASCADE,
    container text NOT NULL,                         -- '': of the group itself
    name      text NOT NULL,
    message   text NOT NULL,
    warning   boolean NOT NULL,
    count     bigint NOT NULL DEFAULT 1,
    first_us  bigint NOT NULL,
    last_us   bigint NOT NULL
);
CREATE UNIQUE INDEX event_same ON instances.event (group_id, container, name, md5(message));

-- azureFile: the key that an account's shares were first mounted with.
CREATE TABLE instances.storage_account (
    name     text PRIMARY KEY,
    key_hash text NOT NULL
);
