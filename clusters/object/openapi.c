/* OpenAPI documents: one of v3 for each group and version, one of v2 for all. */
#include <string.h>

#include "clusters/cluster.h"
#include "clusters/object/discovery.h"
#include "clusters/object/document.h"
#include "clusters/object/openapi_v2.h"
#include "clusters/object/openapi_write.h"
#include "clusters/object/status.h"

#define INFO "\"info\":{\"title\":\"Kubernetes\",\"version\":\"" CLUSTER_VERSION "\"}"
#define SECURITY                                                                                   \
    "{\"BearerToken\":{\"description\":\"Bearer Token authentication\",\"in\":\"header\","         \
    "\"name\":\"authorization\",\"type\":\"apiKey\"}}"

static bool same_version(const struct resource *a, const struct resource *b)
{
    return strcmp(a->api_version, b->api_version) == 0;
}

/* "apis/apps/v1" */
static const char *path_of(struct op *op, const struct resource *r)
{
    return arena_printf(&op->arena, "%s/%s", *r->group ? "apis" : "api", r->api_version);
}

/* arg: the first resource of its version; NULL: all. */
static void write_paths(struct openapi *o, const struct resource *first)
{
    bool any = false;

    for (const struct resource *const *r = all_resources; *r; r++) {
        if (first && !same_version(*r, first))
            continue;
        openapi_paths(o, *r, any);
        any = true;
    }
}

static enum fault write_v3(struct op *op, const void *arg, struct text *out)
{
    struct openapi o = {out, false, arena_alloc(&op->arena, n_types * sizeof(bool))};

    text_str(out, "{\"openapi\":\"3.0.0\"," INFO ",\"paths\":{");
    write_paths(&o, arg);
    text_str(out, "},\"components\":{\"schemas\":{");
    openapi_types(&o);
    text_str(out, "},\"securitySchemes\":" SECURITY "}}");
    return OK;
}

/* The hash of each document is of its text: it is made, and thrown away again. */
static enum fault write_v3_root(struct op *op, const void *arg, struct text *out)
{
    const char *last = "", *comma = "";

    (void)arg;
    text_str(out, "{\"paths\":{");
    for (const struct resource *const *r = all_resources; *r; r++) {
        struct text text;
        struct op own;

        if (strcmp((*r)->api_version, last) == 0)
            continue;
        last = (*r)->api_version;
        op_init(&own);
        text_init(&text, &own.arena, DOCUMENT_MAX);
        (void)write_v3(&own, *r, &text); /* only ever OK */
        text_printf(out, "%s\"%s\":{\"serverRelativeURL\":\"/openapi/v3/%s?hash=%s\"}", comma,
                    path_of(op, *r), path_of(op, *r), hash_of(&own, text_bytes(&text)));
        op_free(&own);
        comma = ",";
    }
    text_str(out, "}}");
    return OK;
}

static enum fault write_v2_json(struct op *op, const void *arg, struct text *out)
{
    struct openapi o = {out, true, arena_alloc(&op->arena, n_types * sizeof(bool))};

    (void)arg;
    text_str(out, "{\"swagger\":\"2.0\"," INFO ",\"paths\":{");
    write_paths(&o, NULL);
    text_str(out, "},\"definitions\":{");
    openapi_types(&o);
    text_str(out, "},\"securityDefinitions\":" SECURITY ",\"security\":[{\"BearerToken\":[]}]}");
    return OK;
}

static enum fault write_v2_protobuf(struct op *op, const void *arg, struct text *out)
{
    struct text text;

    text_init(&text, &op->arena, DOCUMENT_MAX);
    TRY(write_v2_json(op, arg, &text));
    return openapi_v2_protobuf(op, text_bytes(&text), out);
}

/* ---- by path ---- */

enum fault openapi_v3_root(struct op *op, struct document *ret)
{
    TRY(document_get(op, "openapi v3", false, write_v3_root, NULL, ret));
    ret->content_type = "application/json";
    return OK;
}

enum fault openapi_v3(struct op *op, const char *path, bool gzip, struct document *ret)
{
    for (const struct resource *const *r = all_resources; *r; r++) {
        if (strcmp(path_of(op, *r), path) != 0)
            continue;
        TRY(document_get(op, arena_printf(&op->arena, "openapi v3 %s", path), true, write_v3, *r,
                         ret));
        ret->content_type = "application/json";
        return gzip ? OK : document_inflate(op, ret);
    }
    return status_fail(op, NOT_FOUND, "NotFound", json_object(),
                       "the server could not find the requested resource");
}

enum fault openapi_v2(struct op *op, bool protobuf, bool gzip, struct document *ret)
{
    if (protobuf)
        TRY(document_get(op, "openapi v2 protobuf", true, write_v2_protobuf, NULL, ret));
    else
        TRY(document_get(op, "openapi v2", true, write_v2_json, NULL, ret));
    ret->content_type = protobuf ? "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
                                 : "application/json";
    return gzip ? OK : document_inflate(op, ret);
}
