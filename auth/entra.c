#include "auth/entra.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auth/directory.h"
#include "auth/jwt.h"
#include "auth/tenant.h"
#include "core/seal.h"

/* ---- audiences ---- */

static const struct {
    const char *name; /* without "https://" and the slash at the end */
    enum audience audience;
} known_audiences[] = {
    {"management.azure.com",                 AUDIENCE_ARM       },
    {"management.core.windows.net",          AUDIENCE_ARM       },
    {"797f4846-ba00-4fd7-ba43-dac1f8f63013", AUDIENCE_ARM       },
    {"containerregistry.azure.net",          AUDIENCE_REGISTRY  },
    {"6dae42f8-4368-4678-94ff-3960e28e3630", AUDIENCE_KUBERNETES}, /* AKS's server application */
    {"graph.microsoft.com",                  AUDIENCE_GRAPH     },
    {"graph.windows.net",                    AUDIENCE_GRAPH     },
    {"00000003-0000-0000-c000-000000000000", AUDIENCE_GRAPH     },
    {"00000002-0000-0000-c000-000000000000", AUDIENCE_GRAPH     },
};

/* Other services of the public cloud are not this Sundog under another name. */
static const char *const foreign_hosts[] = {
    ".azure.net", ".azure.com", ".windows.net", ".microsoft.com", ".microsoftonline.com",
};

static bool is_foreign(const char *host, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(foreign_hosts); i++) {
        size_t n = strlen(foreign_hosts[i]);

        if (len >= n && strncasecmp(host + len - n, foreign_hosts[i], n) == 0)
            return true;
    }
    return false;
}

static bool is_text(const char *at, size_t len, const char *text)
{
    return strlen(text) == len && strncasecmp(at, text, len) == 0;
}

enum audience entra_audience(const char *resource)
{
    bool https = strncasecmp(resource, "https://", 8) == 0;
    const char *name = https ? resource + 8 : resource;
    size_t len = strlen(name), host;

    while (len > 0 && name[len - 1] == '/')
        len--;
    for (size_t i = 0; i < ARRAY_LEN(known_audiences); i++)
        if (is_text(name, len, known_audiences[i].name))
            return known_audiences[i].audience;
    host = strcspn(name, "/");
    if (!https || host == 0 || is_foreign(name, strcspn(name, ":/")))
        return 0;
    if (len <= host || is_text(name + host, len - host, "/arm"))
        return AUDIENCE_ARM;
    if (is_text(name + host, len - host, "/acr"))
        return AUDIENCE_REGISTRY;
    return is_text(name + host, len - host, "/graph") ? AUDIENCE_GRAPH : 0;
}

/* ---- tokens ---- */

/* What a verified token says; one allocation, texts behind it. */
struct claims {
    enum audience audience;
    bool right_tenant;
    int64_t issued_s, expires_s, sessions;
    const char *object_id, *app_id;
    char text[];
};

static const char *claim(const json_t *claims, const char *name)
{
    const char *value = json_string_value(json_object_get(claims, name));

    return value ? value : "";
}

/* "BASE/TENANT/v2.0": what our OAuth endpoints write, and registry tokens never. */
static bool is_our_issuer(const char *iss, const char *tenant)
{
    const char *end = "/v2.0";
    size_t len = strlen(iss), n = strlen(tenant), m = strlen(end);

    return *tenant && len > n + m && strcmp(iss + len - m, end) == 0 &&
           strncmp(iss + len - m - n, tenant, n) == 0 && iss[len - m - n - 1] == '/';
}

static void *parse(const json_t *json)
{
    const char *oid = claim(json, "oid"), *app = claim(json, "appid"), *tid = claim(json, "tid");
    const char *use = claim(json, "token_use");
    size_t size = strlen(oid) + strlen(app) + 2;
    struct claims *claims;

    if (!*oid || !is_our_issuer(claim(json, "iss"), tid) || strcmp(use, "access") != 0)
        return NULL;
    claims = calloc(1, sizeof(*claims) + size);
    if (!claims)
        abort();
    memcpy(claims->text, oid, strlen(oid) + 1);
    memcpy(claims->text + strlen(oid) + 1, app, strlen(app) + 1);
    claims->object_id = claims->text;
    claims->app_id = claims->text + strlen(oid) + 1;
    claims->right_tenant = strcmp(tid, entra_tenant()) == 0;
    claims->audience = entra_audience(claim(json, "aud"));
    if (!claims->audience)
        claims->audience = AUDIENCE_OTHER;
    claims->issued_s = json_integer_value(json_object_get(json, "iat"));
    claims->expires_s = json_integer_value(json_object_get(json, "exp"));
    claims->sessions = json_integer_value(json_object_get(json, "xms_sessions"));
    return claims;
}

static enum fault refuse(struct op *op, const char *why)
{
    return fail_on(op, "InvalidAuthenticationToken", UNAUTHENTICATED, "%s", why);
}

static bool may_sign_in(const struct object *o)
{
    return o && o->enabled && (o->kind == OBJECT_USER || o->kind == OBJECT_SERVICE_PRINCIPAL);
}

static struct identity *identity_of(struct op *op, const struct object *o)
{
    struct identity *who = arena_alloc(&op->arena, sizeof(*who));
    bool user = o->kind == OBJECT_USER;

    *who = (struct identity){
        .kind = user ? IDENTITY_USER : IDENTITY_SERVICE_PRINCIPAL,
        .object_id = o->id,
        .app_id = o->app_id ? o->app_id : "",
        .name = user ? o->upn : o->name,
        .tenant_id = entra_tenant(),
        .sessions = o->sessions,
    };
    return who;
}

static enum fault identify(struct op *op, const struct claims *claims, unsigned audiences,
                           const struct identity **ret)
{
    const struct object *o;
    struct identity *who;

    if (!claims->right_tenant)
        return fail_on(op, "InvalidAuthenticationTokenTenant", UNAUTHENTICATED,
                       "the access token is from another tenant than %s", entra_tenant());
    if (!(claims->audience & audiences))
        return fail_on(op, "InvalidAuthenticationTokenAudience", UNAUTHENTICATED,
                       "the access token has been obtained for another audience or resource");
    o = directory_object(directory_hold(op), claims->object_id);
    if (!may_sign_in(o))
        return refuse(op, "the principal of this access token is deleted or disabled");
    if (o->sessions != claims->sessions)
        return refuse(op, "the sessions of this access token's principal have been revoked");
    who = identity_of(op, o);
    who->app_id = claims->app_id;
    who->audience = claims->audience;
    who->issued_s = claims->issued_s;
    who->expires_s = claims->expires_s;
    *ret = who;
    return OK;
}

enum fault entra_verify(struct op *op, const char *token, unsigned audiences, bool may_block,
                        const struct identity **ret)
{
    enum fault fault;
    struct jwt *jwt;

    fault = jwt_verify(op, token, NULL, parse, free, may_block, &jwt);
    if (fault == UNAUTHENTICATED && !op->noun)
        return refuse(op, op->message);
    TRY(fault);
    arena_defer(&op->arena, jwt_release, jwt);
    return identify(op, jwt->parsed, audiences, ret);
}

/* ---- without a token ---- */

static bool secret_fits(const struct object *o, const char *secret)
{
    int64_t now = wall_s();

    for (size_t i = 0; o && i < o->n_credentials; i++) {
        const struct credential *c = &o->credentials[i];

        if (c->kind == CREDENTIAL_SECRET && c->starts_s <= now && c->ends_s > now &&
            secret_verify(c->hash, secret))
            return true;
    }
    return false;
}

enum fault entra_sign_in(struct op *op, const char *app_id, const char *secret,
                         const struct identity **ret)
{
    const struct directory *d = directory_hold(op);
    const struct object *principal = directory_service_principal(d, app_id);

    if (!may_sign_in(principal) ||
        (!secret_fits(directory_application(d, app_id), secret) && !secret_fits(principal, secret)))
        return fail(op, UNAUTHENTICATED, "the application id or the secret is wrong");
    *ret = identity_of(op, principal);
    return OK;
}

enum fault entra_principal(struct op *op, const char *object_id, const struct identity **ret)
{
    const struct object *o = directory_object(directory_hold(op), object_id);

    if (!may_sign_in(o))
        return fail(op, NOT_FOUND, "the principal %s is deleted or disabled", object_id);
    *ret = identity_of(op, o);
    return OK;
}
