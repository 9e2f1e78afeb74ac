-- Managed clusters, their node pools, and the objects of their Kubernetes. Times are microseconds since 1970; 0: not yet.
CREATE SCHEMA IF NOT EXISTS clusters;

CREATE TABLE clusters.managed_cluster (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key            text COLLATE "C" NOT NULL UNIQUE,  -- the resource id in lower case
    scope          text NOT NULL,                     -- as written
    subscription   text NOT NULL,
    resource_group text NOT NULL,
    location       text NOT NULL,
    name           text NOT NULL,
    uid            text NOT NULL UNIQUE,              -- 8 hex digits: in names of kernel objects, realm
    fqdn           text NOT NULL UNIQUE,
    document       text NOT NULL,                     -- JSON: properties as clients see them, without secrets
    sealed         bytea NOT NULL,                    -- write-only properties, label clusters/document/<uid>
    host           text NOT NULL,                     -- the owner (instances.host)
    epoch          bigint NOT NULL DEFAULT 1,         -- rises when the owner changes: fences its writes
    wanted         smallint NOT NULL DEFAULT 0,       -- 0 running, 1 stopped, 2 deleted
    generation     bigint NOT NULL DEFAULT 1,
    observed       bigint NOT NULL DEFAULT 0,
    provisioning   text NOT NULL DEFAULT 'Creating',
    power          smallint NOT NULL DEFAULT 0,       -- 0 running, 1 stopped: what is true now
    fault_code     text,
    fault_text     text,
    revision       bigint NOT NULL DEFAULT 0,         -- the newest of its objects
    ca             text NOT NULL,                     -- PEM
    sealed_keys    bytea NOT NULL,                    -- JSON {ca, token}: PEM, label clusters/keys/<uid>
    api_port       integer NOT NULL DEFAULT 0,
    uplink_index   integer,                           -- of --private-range
    principal      text,                              -- object id of its own identity
    kubelet        text,                              -- object id of the identity that pulls
    created_us     bigint NOT NULL,
    version        bigint NOT NULL DEFAULT 1,
    UNIQUE (host, api_port),
    UNIQUE (host, uplink_index)
);
CREATE INDEX managed_cluster_subscription ON clusters.managed_cluster (subscription, location);

CREATE TABLE clusters.agent_pool (
    cluster        bigint NOT NULL REFERENCES clusters.managed_cluster ON DELETE CASCADE,
    name           text COLLATE "C" NOT NULL,
    document       text NOT NULL,                     -- JSON: its properties as clients see them
    position       integer NOT NULL,
    hash           text NOT NULL,                     -- 8 digits in its nodes' names
    wanted         smallint NOT NULL DEFAULT 0,       -- 0 running, 1 stopped, 2 deleted
    count          integer NOT NULL,                  -- nodes wanted
    provisioning   text NOT NULL DEFAULT 'Creating',
    power          smallint NOT NULL DEFAULT 0,
    fault_text     text,
    generation     bigint NOT NULL DEFAULT 1,
    observed       bigint NOT NULL DEFAULT 0,
    version        bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (cluster, name)
);

-- Machines that are there or go away. ordinal counts up within a pool and is not used twice while its node exists.
CREATE TABLE clusters.node (
    cluster        bigint NOT NULL,
    pool           text COLLATE "C" NOT NULL,
    ordinal        integer NOT NULL,
    leaving        boolean NOT NULL DEFAULT false,    -- cordoned, drained, then removed
    leaving_us     bigint NOT NULL DEFAULT 0,
    pod_index      integer NOT NULL,                  -- which /24 of the pod range
    host           text NOT NULL,
    uplink_index   integer NOT NULL,                  -- of --private-range
    PRIMARY KEY (cluster, pool, ordinal),
    UNIQUE (cluster, pod_index),
    UNIQUE (host, uplink_index),
    FOREIGN KEY (cluster, pool) REFERENCES clusters.agent_pool (cluster, name) ON DELETE CASCADE
);

-- Kubernetes objects. Only the owner writes, under its epoch.
CREATE TABLE clusters.object (
    cluster        bigint NOT NULL REFERENCES clusters.managed_cluster ON DELETE CASCADE,
    resource       text COLLATE "C" NOT NULL,         -- "pods", "deployments.apps"
    namespace      text COLLATE "C" NOT NULL,         -- '': not in one
    name           text COLLATE "C" NOT NULL,
    revision       bigint NOT NULL,
    document       text NOT NULL,                     -- JSON, resourceVersion included
    PRIMARY KEY (cluster, resource, namespace, name)
);

-- az aks command invoke.
CREATE TABLE clusters.command (
    id             text PRIMARY KEY,
    cluster        bigint NOT NULL REFERENCES clusters.managed_cluster ON DELETE CASCADE,
    command        text NOT NULL,
    started_us     bigint NOT NULL,
    finished_us    bigint NOT NULL DEFAULT 0,
    exit_code      integer,
    logs           text,
    reason         text
);
