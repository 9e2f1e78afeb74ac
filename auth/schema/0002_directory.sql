-- The directory (who there is), sign-ins in progress, and roles (who may do what).

-- Times as Azure writes them: 2026-11-20T12:00:00.123456Z.
CREATE FUNCTION auth.iso(timestamptz) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT to_char($1 AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') $$;
CREATE FUNCTION auth.s(timestamptz) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT floor(extract(epoch FROM $1))::bigint $$;

-- One row. Its id is in every token.
CREATE TABLE auth.tenant (
    id         text PRIMARY KEY,
    single     boolean NOT NULL DEFAULT true UNIQUE CHECK (single),
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Applications, their service principals, users and groups: what Microsoft Graph calls directory objects.
CREATE TABLE auth.object (
    id            text PRIMARY KEY,                 -- lower-case GUID
    kind          text NOT NULL CHECK (kind IN ('application', 'servicePrincipal', 'user', 'group')),
    app_id        text,                             -- application, servicePrincipal
    name          text NOT NULL,                    -- displayName
    upn           text,                             -- user: userPrincipalName
    enabled       boolean NOT NULL DEFAULT true,    -- accountEnabled
    sessions      bigint NOT NULL DEFAULT 0,        -- counts up when sessions are revoked; stands in tokens
    password_hash text,                             -- user: scrypt
    document      text NOT NULL DEFAULT '{}',       -- the rest of its members, a JSON object
    created_at    timestamptz NOT NULL DEFAULT now(),
    CHECK ((app_id IS NOT NULL) = (kind IN ('application', 'servicePrincipal'))),
    CHECK ((upn IS NOT NULL) = (kind = 'user'))
);
CREATE UNIQUE INDEX object_app ON auth.object (kind, app_id) WHERE app_id IS NOT NULL;
CREATE UNIQUE INDEX object_upn ON auth.object (lower(upn)) WHERE upn IS NOT NULL;
CREATE INDEX object_kind ON auth.object (kind, id);

CREATE TABLE auth.link (
    from_id text NOT NULL REFERENCES auth.object ON DELETE CASCADE,
    kind    text NOT NULL CHECK (kind IN ('member', 'owner')),
    to_id   text NOT NULL REFERENCES auth.object ON DELETE CASCADE,
    PRIMARY KEY (from_id, kind, to_id)
);
CREATE INDEX link_to ON auth.link (to_id, kind);

-- Of applications and service principals. A secret is kept as its salted hash, a certificate as its public key.
CREATE TABLE auth.credential (
    id         text PRIMARY KEY,
    object_id  text NOT NULL REFERENCES auth.object ON DELETE CASCADE,
    kind       text NOT NULL CHECK (kind IN ('secret', 'certificate', 'identity')),
    hash       text,                                -- secret; identity: of the header a workload shows
    public_key text,                                -- certificate: PEM
    thumbprint text,                                -- certificate: SHA-1 of its DER form, upper-case hex
    name       text,
    hint       text,                                -- the first three letters
    starts_at  timestamptz NOT NULL DEFAULT now(),
    ends_at    timestamptz NOT NULL,
    CHECK ((hash IS NULL) = (kind = 'certificate')),
    CHECK ((public_key IS NULL) = (kind <> 'certificate'))
);
CREATE INDEX credential_object ON auth.credential (object_id);

-- Tokens of other issuers (GitHub Actions, clusters) that an application trusts.
CREATE TABLE auth.federated (
    id          text PRIMARY KEY,
    object_id   text NOT NULL REFERENCES auth.object ON DELETE CASCADE,
    name        text NOT NULL,
    issuer      text NOT NULL,
    subject     text NOT NULL,
    audience    text NOT NULL,
    description text,
    UNIQUE (object_id, name),
    UNIQUE (object_id, issuer, subject)
);

-- Codes and refresh tokens, by SHA-256. A code is used once and goes; a refresh token leaves a mark.
CREATE TABLE auth.sign_in (
    hash       text PRIMARY KEY,
    kind       text NOT NULL CHECK (kind IN ('code', 'device', 'refresh')),
    user_id    text REFERENCES auth.object ON DELETE CASCADE,   -- device: NULL until approved
    user_code  text UNIQUE,                                     -- device
    family     text NOT NULL,                                   -- all refresh tokens of one sign-in
    sessions   bigint NOT NULL DEFAULT 0,                       -- the user's, when it was made
    document   text NOT NULL,                                   -- what was asked, a JSON object
    refused    boolean NOT NULL DEFAULT false,
    used_at    timestamptz,
    expires_at timestamptz NOT NULL
);
CREATE INDEX sign_in_expires ON auth.sign_in (expires_at);
CREATE INDEX sign_in_family ON auth.sign_in (family);
CREATE INDEX sign_in_user ON auth.sign_in (user_id);

-- Custom roles; the built-in ones are a table in builtin_roles.c.
CREATE TABLE auth.role_definition (
    id          text PRIMARY KEY,
    name        text NOT NULL,
    description text NOT NULL DEFAULT '',
    document    text NOT NULL,     -- {"actions":[],"notActions":[],"dataActions":[],"notDataActions":[],"scopes":[]}
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    created_by  text,
    updated_by  text
);
CREATE UNIQUE INDEX role_definition_name ON auth.role_definition (lower(name));

CREATE TABLE auth.role_assignment (
    id                text PRIMARY KEY,
    scope             text NOT NULL,
    scope_key         text NOT NULL,   -- lower case, "" for "/": what is compared
    role_id           text NOT NULL,
    principal_id      text NOT NULL REFERENCES auth.object ON DELETE CASCADE,
    condition         text,
    condition_version text,
    description       text,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    created_by        text,
    updated_by        text,
    UNIQUE (scope_key, principal_id, role_id)
);
CREATE INDEX role_assignment_principal ON auth.role_assignment (principal_id);
CREATE INDEX role_assignment_scope ON auth.role_assignment (scope_key text_pattern_ops);
