/* What is not an object: discovery, OpenAPI, version, health, metrics, keys; and nowhere. */
#include <string.h>

#include "clusters/http/kubernetes.h"
#include "clusters/object/discovery.h"
#include "core/metrics.h"

/* ---- documents that are made once ---- */

static enum fault answer_document(struct call *c, const struct document *d)
{
    const char *known_etag = call_header(c, "if-none-match");

    if (d->etag) {
        reply_header(c, "ETag", "%s", d->etag);
        reply_header(c, "Cache-Control", "%s",
                     call_query(c, "hash", 0) ? "public, immutable" : "public");
        reply_header(c, "Vary", "Accept");
    }
    if (d->etag && known_etag && strcmp(known_etag, d->etag) == 0)
        return reply_empty(c, 304);
    if (d->gzipped) {
        reply_header(c, "Content-Encoding", "gzip");
        return reply_bytes(c, 200, d->content_type, d->bytes);
    }
    return answer_bytes(c, 200, d->content_type, d->bytes);
}

/* The first of the three that Accept names. */
static enum discovery_form discovery_form_of(struct call *c)
{
    const char *accept = call_header(c, "accept");

    for (const char *p = accept ? accept : ""; *p;
         p += strcspn(p, ",") + (strchr(p, ',') != NULL)) {
        const char *entry = arena_strndup(&c->op.arena, p, strcspn(p, ","));

        if (!strstr(entry, "as=APIGroupDiscoveryList")) {
            if (strstr(entry, "application/json") || strstr(entry, "*/*"))
                return DISCOVERY_LEGACY;
            continue;
        }
        if (strstr(entry, "v=v2beta1"))
            return DISCOVERY_V2BETA1;
        if (strstr(entry, "v=v2"))
            return DISCOVERY_V2;
    }
    return DISCOVERY_LEGACY;
}

static enum fault root(struct call *c, bool core)
{
    struct document d = {0};

    TRY(discovery_root(&c->op, core, discovery_form_of(c), c->host, &d));
    return answer_document(c, &d);
}

static enum fault doc_api(struct call *c)
{
    return root(c, true);
}

static enum fault doc_apis(struct call *c)
{
    return root(c, false);
}

static enum fault doc_core(struct call *c)
{
    struct document d = {0};

    TRY(discovery_resources(&c->op, "", "v1", &d));
    return answer_document(c, &d);
}

static enum fault doc_group(struct call *c)
{
    struct document d = {0};

    if (discovery_group(&c->op, c->path_args[0], &d) != OK)
        return kube_nowhere(c);
    return answer_document(c, &d);
}

static enum fault doc_version(struct call *c)
{
    struct document d = {0};

    if (discovery_resources(&c->op, c->path_args[0], c->path_args[1], &d) != OK)
        return kube_nowhere(c);
    return answer_document(c, &d);
}

static enum fault doc_openapi_root(struct call *c)
{
    struct document d = {0};

    TRY(openapi_v3_root(&c->op, &d));
    return answer_document(c, &d);
}

static enum fault doc_openapi(struct call *c)
{
    struct document d = {0};

    if (openapi_v3(&c->op, c->path_args[0], accepts_gzip(c), &d) != OK)
        return kube_nowhere(c);
    return answer_document(c, &d);
}

static enum fault doc_openapi_v2(struct call *c)
{
    const char *accept = call_header(c, "accept");
    struct document d = {0};

    TRY(openapi_v2(&c->op, accept && strstr(accept, "com.github.proto-openapi.spec.v2"),
                   accepts_gzip(c), &d));
    return answer_document(c, &d);
}

/* ---- small ones ---- */

static enum fault answer_static(struct call *c, json_t *tree)
{
    arena_defer(&c->op.arena, (void (*)(void *))json_decref, tree);
    return answer_tree(c, 200, tree);
}

static enum fault doc_version_of_server(struct call *c)
{
    return answer_static(c, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "major", "1",
                                      "minor", "33", "gitVersion", CLUSTER_VERSION, "gitCommit",
                                      "sundog-" SUNDOG_VERSION, "gitTreeState", "clean",
                                      "buildDate", "1970-01-01T00:00:00Z", "goVersion", "none",
                                      "compiler", "cc", "platform", "linux/amd64"));
}

static const char *const checks[] = {"ping", "store", "poststarthook/rbac/bootstrap-roles"};

static enum fault text(struct call *c, int status, const char *body)
{
    return reply_bytes(c, status, "text/plain; charset=utf-8", BYTES(body));
}

/* The cluster's objects are in memory, so it is as healthy as this process. */
static enum fault doc_health(struct call *c)
{
    struct text out;
    const char *name = strchr(c->path + 1, '/');

    if (name) {
        for (size_t i = 0; i < ARRAY_LEN(checks); i++)
            if (strcmp(checks[i], name + 1) == 0)
                return text(c, 200, "ok");
        return kube_nowhere(c);
    }
    if (!call_query(c, "verbose", 0))
        return text(c, 200, "ok");
    text_init(&out, &c->op.arena, 4096);
    for (size_t i = 0; i < ARRAY_LEN(checks); i++)
        text_printf(&out, "[+]%s ok\n", checks[i]);
    text_printf(&out, "%s check passed\n", c->path + 1);
    return text(c, 200, out.data);
}

static enum fault doc_metrics(struct call *c)
{
    struct store *store = KUBE(c)->cluster->store;
    struct text out;

    text_init(&out, &c->op.arena, (size_t)1 << 20);
    metric_head(&out, "apiserver_storage_objects", "gauge", "objects stored, by resource");
    for (size_t i = 0; all_resources[i]; i++) {
        const struct resource *r = all_resources[i];

        if (r->stored_as == r && !r->virtual_)
            text_printf(&out, "apiserver_storage_objects{resource=\"%s\"} %zu\n",
                        resource_qualified(r), store_count(store, r, NULL));
    }
    metric_head(&out, "apiserver_storage_revision", "counter", "the newest resourceVersion");
    text_printf(&out, "apiserver_storage_revision %lld\n", (long long)store_revision(store));
    return reply_bytes(c, 200, "text/plain; version=0.0.4; charset=utf-8", text_bytes(&out));
}

static enum fault doc_openid(struct call *c)
{
    json_t *tree = NULL;

    TRY(identity_discovery(&c->op, KUBE(c)->cluster, &tree));
    reply_header(c, "Cache-Control", "public, max-age=3600");
    return answer_bytes(c, 200, "application/json", object_encode(&c->op, tree));
}

static enum fault doc_keys(struct call *c)
{
    const char *accept = call_header(c, "accept");
    json_t *tree = NULL;

    if (accept && *accept && !strstr(accept, "jwk-set+json") && !strstr(accept, "*/*") &&
        !strstr(accept, "application/*"))
        return status_fail(&c->op, INVALID, "NotAcceptable", json_object(),
                           "only the following media types are accepted: application/jwk-set+json");
    TRY(identity_jwks(&c->op, KUBE(c)->cluster, &tree));
    reply_header(c, "Cache-Control", "public, max-age=3600");
    return answer_bytes(c, 200, "application/jwk-set+json", object_encode(&c->op, tree));
}

static enum fault doc_paths(struct call *c)
{
    json_t *paths =
        json_pack("[s, s, s, s]", "/.well-known/openid-configuration", "/api", "/api/v1", "/apis");
    const char *last = "";

    for (size_t i = 0; all_resources[i]; i++) {
        const struct resource *r = all_resources[i];

        if (!*r->group || strcmp(r->api_version, last) == 0)
            continue;
        last = r->api_version;
        json_array_append_new(paths, json_sprintf("/apis/%s", last));
    }
    for (size_t i = 0; i < 9; i++) {
        static const char *const more[] = {"/healthz",    "/livez",      "/metrics",
                                           "/openapi/v2", "/openapi/v3", "/openid/v1/jwks",
                                           "/readyz",     "/version",    "/version/"};

        json_array_append_new(paths, json_string(more[i]));
    }
    return answer_static(c, json_pack("{s:o}", "paths", paths));
}

/* ---- which one ---- */

static const struct document_route {
    const char *pattern; /* the route's */
    enum fault (*answer)(struct call *c);
} documents[] = {
    {"/",                                 doc_paths            },
    {"/api",                              doc_api              },
    {"/api/",                             doc_api              },
    {"/api/v1",                           doc_core             },
    {"/api/v1/",                          doc_core             },
    {"/apis",                             doc_apis             },
    {"/apis/",                            doc_apis             },
    {"/apis/{group}",                     doc_group            },
    {"/apis/{group}/",                    doc_group            },
    {"/apis/{group}/{version}",           doc_version          },
    {"/apis/{group}/{version}/",          doc_version          },
    {"/openapi/v3",                       doc_openapi_root     },
    {"/openapi/v3/",                      doc_openapi_root     },
    {"/openapi/v3/{path+}",               doc_openapi          },
    {"/openapi/v2",                       doc_openapi_v2       },
    {"/version",                          doc_version_of_server},
    {"/version/",                         doc_version_of_server},
    {"/healthz",                          doc_health           },
    {"/livez",                            doc_health           },
    {"/readyz",                           doc_health           },
    {"/healthz/{check+}",                 doc_health           },
    {"/livez/{check+}",                   doc_health           },
    {"/readyz/{check+}",                  doc_health           },
    {"/metrics",                          doc_metrics          },
    {"/.well-known/openid-configuration", doc_openid           },
    {"/openid/v1/jwks",                   doc_keys             },
};

enum fault kube_document(struct call *c)
{
    for (size_t i = 0; i < ARRAY_LEN(documents); i++)
        if (strcmp(documents[i].pattern, c->route->pattern) == 0)
            return documents[i].answer(c);
    return kube_nowhere(c);
}

enum fault kube_nowhere(struct call *c)
{
    op_clear_fault(&c->op);
    return text(c, 404, "404 page not found\n");
}
