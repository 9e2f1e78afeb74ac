/*
 * Entra-style access tokens: RS256 JWTs that say which user or service principal asks, given out by
 * the OAuth endpoints (oauth_api.c) and shown to the resource manager, the registry and the
 * directory API. What the bearer may do is not in the token: auth/role.h decides it on each
 * request.
 */
#ifndef SUNDOG_AUTH_ENTRA_H
#define SUNDOG_AUTH_ENTRA_H

#include "core/op.h"

#define ENTRA_ACCESS_SECONDS 3600

/* Whom a token is for, read from its aud whatever host that names: "https://H", "https://H/",
   "https://H/arm/" and the public cloud's names. */
enum audience {
    AUDIENCE_ARM = 1,         /* …, https://management.azure.com, management.core.windows.net */
    AUDIENCE_REGISTRY = 2,    /* https://H/acr, https://containerregistry.azure.net */
    AUDIENCE_GRAPH = 4,       /* https://H/graph/, https://graph.microsoft.com, graph.windows.net */
    AUDIENCE_OTHER = 8,       /* an application registered in the directory */
    AUDIENCE_KUBERNETES = 16, /* clusters: AKS's server application, as kubelogin asks for */
};

enum identity_kind { IDENTITY_USER, IDENTITY_SERVICE_PRINCIPAL };

/* Who asks. Read-only; lives as long as the op's arena it was asked with. */
struct identity {
    enum identity_kind kind;
    const char *object_id; /* lower-case GUID: what role assignments name */
    const char *app_id;    /* service principal: its application; user: the client program */
    const char *name;      /* userPrincipalName, or display name: for logs, errors, activity */
    const char *tenant_id;
    enum audience audience;
    int64_t issued_s, expires_s; /* wall clock; 0 when it signed in by password just now */
    int64_t sessions; /* of the principal now; counts up when its sessions are revoked: whoever
                         makes tokens of its own from this identity keeps it there and compares */
};

/* Whom a resource of a token request names: one of enum audience, or 0. Case is ignored, and so are
   a slash at the end and the host of "https://HOST[:PORT][/arm|/acr|/graph]". */
enum audience entra_audience(const char *resource);

/* The one tenant of this Sundog, a GUID made at first start. Constant after auth's start. */
const char *entra_tenant(void);

/*
 * Verify an access token for one of these audiences: signature, exp, nbf, issuer, tenant, and that
 * the principal exists, is enabled, and has not had its sessions revoked since. UNAUTHENTICATED
 * with noun "ExpiredAuthenticationToken", "InvalidAuthenticationTokenTenant",
 * "InvalidAuthenticationTokenAudience" or "InvalidAuthenticationToken"; WOULD_BLOCK when memory
 * alone cannot tell and may_block is false.
 */
enum fault entra_verify(struct op *op, const char *token, unsigned audiences, bool may_block,
                        const struct identity **ret);
/*
 * A service principal by application id and secret (docker login -u APPID -p SECRET). From memory,
 * never blocks; limits on failures are the caller's affair (auth/throttle.h). UNAUTHENTICATED.
 */
enum fault entra_sign_in(struct op *op, const char *app_id, const char *secret,
                         const struct identity **ret);
/* The principal of an object id, from memory. NOT_FOUND: deleted or disabled. */
enum fault entra_principal(struct op *op, const char *object_id, const struct identity **ret);

#endif
