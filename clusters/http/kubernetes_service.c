/*
 *~ The Kubernetes API as a service: few routes with generic patterns. Which resource a path means
 *is ~ looked up in the table of resources (request.c), who may is RBAC's answer (rest/access.c),
 *what ~ happens is rest/'s.
 */
#include <string.h>

#include "clusters/http/kubernetes.h"
#include "clusters/http/pump.h"

/* ---- faults ---- */

static void render(struct call *c, const struct dialect_row *row)
{
    json_t *status = status_of(&c->op);
    int code = (int)json_integer_value(json_object_get(status, "code"));

    (void)row; /* the reason decides */
    if (c->op.noun && strcmp(c->op.noun, "resourceVersion") == 0) {
        json_object_del(status, "reason"); /* a plain error of upstream's: 500 without a reason */
        json_object_del(status, "details");
    }
    if (c->op.fault == NOT_FOUND && c->op.noun && strcmp(c->op.noun, "route") == 0) {
        reply_bytes(c, 404, "text/plain; charset=utf-8", BYTES("404 page not found\n"));
    } else {
        reply_bytes(c, code ? code : 500, "application/json", object_encode(&c->op, status));
    }
    json_decref(status);
}

static const struct dialect_row rows[] = {
    {INVALID,         NULL, 400, "BadRequest"},
    {UNAUTHENTICATED,            NULL, 401, "Unauthorized"},
    {FORBIDDEN,               NULL, 403, "Forbidden"},
    {NOT_FOUND,NULL, 404, "NotFound"},
    {CONFLICT, NULL, 409, "Conflict"},
    {PRECONDITION,       NULL, 412, "Conflict"},
    {RANGE,            NULL, 416, "BadRequest"},
    {GONE,               NULL, 410, "Expired"},
    {TOO_LARGE,            NULL, 413, "RequestEntityTooLarge"},
    {TOO_MANY,     NULL, 429, "TooManyRequests"},
    {UNSUPPORTED,        NULL, 501, "NotImplemented"},
    {UNAVAILABLE,            NULL, 503, "ServiceUnavailable"},
    {INTERNAL,               NULL, 500, "InternalError"},
    {0    },
};
const struct dialect kube_dialect = {"kubernetes", rows, render};

static void decorate(struct call *c)
{
    for (size_t i = 0; i < c->reply.n_headers; i++)
        if (strcmp(c->reply.headers[i].name, "Cache-Control") == 0)
            return;
    reply_header(c, "Cache-Control", "no-cache, private");
}

/* ---- routes ---- */

/* clang-format off */
#define DOCUMENT(pattern, summary) {GET, pattern, ACCESS_PATH, CALL, kube_document, summary}
#define OBJECTS(pattern)                                                                           \
    {GET, pattern, ACCESS_RESOURCE, WATCH, kube_read, "get, list or watch objects",                \
     .from_memory = kube_from_memory,                                                              \
     .query = "labelSelector, fieldSelector, limit, continue, resourceVersion, "                   \
              "resourceVersionMatch, watch, allowWatchBookmarks, timeoutSeconds, pretty"},         \
    {POST, pattern, ACCESS_RESOURCE, CALL, kube_write, "create an object, or ask a question",      \
     .body_max = OBJECT_MAX_BYTES, .query = "dryRun, fieldManager, fieldValidation"},              \
    {PUT, pattern, ACCESS_RESOURCE, CALL, kube_write, "replace an object",                         \
     .body_max = OBJECT_MAX_BYTES, .query = "dryRun, fieldManager, fieldValidation"},              \
    {PATCH, pattern, ACCESS_RESOURCE, CALL, kube_write, "change or apply an object",               \
     .body_max = OBJECT_MAX_BYTES, .query = "dryRun, fieldManager, fieldValidation, force"},       \
    {DELETE, pattern, ACCESS_RESOURCE, CALL, kube_write, "delete an object or many",               \
     .body_max = OBJECT_MAX_BYTES,                                                                 \
     .query = "dryRun, gracePeriodSeconds, propagationPolicy, labelSelector, fieldSelector"}

static const struct route routes[] = {
    OBJECTS("/api/v1/{rest+}"),
    OBJECTS("/apis/{group}/{version}/{rest+}"),
    DOCUMENT("/", "the paths that are served"),
    DOCUMENT("/api", "discovery: the core group"),
    DOCUMENT("/api/", "discovery: the core group"),
    DOCUMENT("/api/v1", "discovery: resources of the core group"),
    DOCUMENT("/api/v1/", "discovery: resources of the core group"),
    DOCUMENT("/apis", "discovery: all other groups"),
    DOCUMENT("/apis/", "discovery: all other groups"),
    DOCUMENT("/apis/{group}", "discovery: versions of a group"),
    DOCUMENT("/apis/{group}/", "discovery: versions of a group"),
    DOCUMENT("/apis/{group}/{version}", "discovery: resources of a group's version"),
    DOCUMENT("/apis/{group}/{version}/", "discovery: resources of a group's version"),
    DOCUMENT("/openapi/v2", "types as OpenAPI v2"),
    DOCUMENT("/openapi/v3", "OpenAPI v3: its documents"),
    DOCUMENT("/openapi/v3/", "OpenAPI v3: its documents"),
    DOCUMENT("/openapi/v3/{path+}", "types of a group's version as OpenAPI v3"),
    DOCUMENT("/version", "the server's version"),
    DOCUMENT("/version/", "the server's version"),
    DOCUMENT("/healthz", "is it well?"),
    DOCUMENT("/healthz/{check+}", "one check of it"),
    DOCUMENT("/livez", "is it alive?"),
    DOCUMENT("/livez/{check+}", "one check of it"),
    DOCUMENT("/readyz", "is it ready?"),
    DOCUMENT("/readyz/{check+}", "one check of it"),
    DOCUMENT("/metrics", "numbers of this cluster"),
    DOCUMENT("/.well-known/openid-configuration", "who signs service accounts' tokens"),
    DOCUMENT("/openid/v1/jwks", "and with which key"),
    {0},
};
/* clang-format on */

const struct service kubernetes_service = {
    .name = "kubernetes",
    .routes = routes,
    .dialect = &kube_dialect,
    .realm = true,
    .authorise = kube_authorise,
    .decorate = decorate,
    .stop = pumps_stop,
};
