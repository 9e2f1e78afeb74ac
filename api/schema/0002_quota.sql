-- Limits of subscriptions that differ from the built-in ones (api/quota.c).
CREATE TABLE api.quota (
    subscription text COLLATE "C" NOT NULL REFERENCES api.subscription,
    provider     text COLLATE "C" NOT NULL,    -- microsoft.resources
    name         text COLLATE "C" NOT NULL,    -- resourcegroups
    value        bigint NOT NULL,
    PRIMARY KEY (subscription, provider, name)
);

-- Who asked for which limit and when: a year of it.
CREATE TABLE api.quota_request (
    number       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           text NOT NULL UNIQUE,         -- a UUID
    subscription text NOT NULL REFERENCES api.subscription,
    provider     text NOT NULL,                -- lower case, as name
    name         text NOT NULL,
    location     text NOT NULL,                -- of the request; all are this machine
    value        bigint NOT NULL,
    who          text NOT NULL,
    at           timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON api.quota_request (subscription, provider, number);
CREATE INDEX ON api.quota_request (at);
