/*
 * What the OAuth endpoints share: the authority a path names, whom a token is asked for, which
 * program asks, and the answer with its tokens. Reasons of refusal carry Entra's own number as
 * their noun ("7000215"), which entra_dialect.c turns into error, error_codes and AADSTS text.
 */
#ifndef SUNDOG_AUTH_OAUTH_H
#define SUNDOG_AUTH_OAUTH_H

#include "auth/directory.h"
#include "core/call.h"

#define OAUTH_BODY_MAX        65536
#define OAUTH_REFRESH_SECONDS (90 * 86400)
#define OAUTH_CODE_SECONDS    600
#define OAUTH_DEVICE_SECONDS  900
#define OAUTH_SCOPE_MAX       4096
/* The console of this Sundog, and where its codes are sent: below the address it was asked at. */
#define OAUTH_CONSOLE_APP  "5d0a1f6e-7c3b-4b0e-9a51-c0de5017d06a"
#define OAUTH_CONSOLE_PATH "/console/signed-in"

extern const struct dialect entra_dialect;

/* ---- authority.c: /adfs, /adfs/x/TENANT, /TENANT, /common, /organizations ---- */

struct authority {
    const char
        *prefix; /* "/adfs/x/TENANT": what stands before oauth2, v2.0, .well-known, discovery */
    bool adfs;   /* its endpoints are PREFIX/oauth2/token, else PREFIX/oauth2/v2.0/token */
    const char *issuer; /* "BASE/TENANT/v2.0", the same for all shapes */
};
/* INVALID on "90002": the path names another tenant. */
enum fault authority_of(struct call *c, struct authority *ret);
enum fault authority_openid_configuration(struct call *c);
enum fault authority_instance(struct call *c);
enum fault authority_user_realm(struct call *c);
enum fault authority_keys(struct call *c);
/* GET /metadata/endpoints: the clouds there are, in the three shapes that clients read. */
enum fault metadata_endpoints(struct call *c);

/* ---- oauth_target.c: whom the token is for ---- */

struct target_asked {
    const char *audience; /* the token's aud, as the client wrote it */
    bool openid, offline; /* scopes "openid", "offline_access" */
    bool everything;      /* "/.default" */
    bool v1;              /* asked by resource= */
};
/* INVALID on "500011" (unknown resource) or "70011" (scope malformed, or of two resources).
   Neither scope nor resource: Graph. */
enum fault oauth_target(struct op *op, const char *scope, const char *resource,
                        struct target_asked *ret);

/* ---- oauth_client.c: which program asks ---- */

struct oauth_client {
    const char *app_id;
    const char *name;
    const struct object *application, *principal; /* NULL for programs every tenant knows */
    const char *own_redirect;                     /* the console's; NULL: others */
    int proof; /* appidacr: 0 public, 1 secret, 2 certificate or federated token */
};
/*
 * By client_id alone, for the sign-in page. INVALID on "900144" (missing), UNAUTHENTICATED on
 * "700016" (unknown).
 */
enum fault oauth_client_find(struct call *c, const char *app_id, struct oauth_client *ret);
/*
 * With the proof that is shown: client_secret, HTTP Basic, or client_assertion. WOULD_BLOCK when an
 * issuer's keys must be fetched first and may_block is false. UNAUTHENTICATED on "7000215",
 * "7000222", "700027", "700213", "700024" …; TOO_MANY.
 */
enum fault oauth_client_prove(struct call *c, bool may_block, struct oauth_client *ret);
/* The application has secrets or certificates and showed none: UNAUTHENTICATED on "7000218". */
enum fault oauth_client_must_prove(struct call *c, const struct oauth_client *client);
/* May codes of this program be sent there? Loopback addresses match with any port. */
bool oauth_redirect_is_known(const struct oauth_client *client, const char *uri);

/* ---- oauth_reply.c: the tokens ---- */

struct tokens_asked {
    const struct oauth_client *client;
    const struct object *who; /* a user or a service principal */
    const struct target_asked *target;
    const char *scope; /* as asked, for users */
    const char *nonce; /* for the id token; or NULL */
    const char *refresh_token;
};
/* Answer with access token, and for users id token, client_info and the refresh token. */
enum fault oauth_reply(struct call *c, const struct tokens_asked *asked);
/* The access token alone, for managed identities. */
enum fault oauth_access_token(struct call *c, const struct tokens_asked *asked, const char **ret);

/* ---- oauth_user.c: people ---- */

/* Name and password; limits failures. UNAUTHENTICATED on "50034", "50126", "50057" (disabled). */
enum fault oauth_user_sign_in(struct call *c, const char *name, const char *password,
                              const struct object **ret);
/* A user of an earlier sign-in: there, enabled, sessions not revoked. INVALID on "50173". */
enum fault oauth_user_again(struct call *c, const char *id, int64_t sessions,
                            const struct object **ret);

/* ---- the endpoints ---- */

enum fault oauth_token(struct call *c);          /* oauth_token.c: POST …/token */
enum fault oauth_authorize(struct call *c);      /* oauth_authorize.c: GET …/authorize */
enum fault oauth_authorize_post(struct call *c); /* its form */
enum fault oauth_logout(struct call *c);
enum fault oauth_device_code(struct call *c); /* oauth_device.c: POST …/devicecode */
enum fault oauth_device_page(struct call *c); /* GET /devicelogin */
enum fault oauth_device_post(struct call *c); /* its form */

#endif
