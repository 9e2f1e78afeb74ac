-- The console: who is in front of the browsers.
CREATE SCHEMA IF NOT EXISTS web;

CREATE TABLE web.session (
    hash       text PRIMARY KEY,        -- SHA-256 of the cookie
    object_id  text NOT NULL,           -- the principal's
    sessions   bigint NOT NULL,         -- its counter when it signed in (auth/entra.h)
    proof      text NOT NULL,           -- of forms
    expires_at timestamptz NOT NULL
);
CREATE INDEX session_by_end ON web.session (expires_at);

-- Links of `sundog console`, each used once.
CREATE TABLE web.link (
    hash       text PRIMARY KEY,
    object_id  text NOT NULL,
    expires_at timestamptz NOT NULL
);
