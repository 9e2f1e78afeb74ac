CREATE SCHEMA auth;

-- RS256 keys: the newest signs for 30 days, each is published for 60. Sealed by DIR/secret.key.
CREATE TABLE auth.signing_key (
    kid        text PRIMARY KEY,
    sealed_key bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
