/* Discovery: the table of resources as clients ask for it. */
#include "clusters/object/discovery.h"

#include <string.h>

#include "clusters/object/document.h"
#include "clusters/object/status.h"
#include "core/json.h"

/* ---- pieces ---- */

static void write_texts(struct text *out, const char *name, const char *const *texts)
{
    if (!texts || !*texts)
        return;
    text_printf(out, ",\"%s\":[", name);
    for (size_t i = 0; texts[i]; i++) {
        text_str(out, i ? "," : "");
        json_quote(out, texts[i]);
    }
    text_str(out, "]");
}

static void write_verbs(struct text *out, unsigned verbs)
{
    static const enum verb sorted[] = {VERB_CREATE, VERB_DELETE, VERB_DELETE_COLLECTION,
                                       VERB_GET,    VERB_LIST,   VERB_PATCH,
                                       VERB_UPDATE, VERB_WATCH};
    const char *comma = "";

    text_str(out, ",\"verbs\":[");
    for (size_t i = 0; i < ARRAY_LEN(sorted); i++) {
        if (verbs & sorted[i]) {
            text_printf(out, "%s\"%s\"", comma, verb_name(sorted[i]));
            comma = ",";
        }
    }
    text_str(out, "]");
}

static bool same_version(const struct resource *a, const struct resource *b)
{
    return strcmp(a->group, b->group) == 0 && strcmp(a->version, b->version) == 0;
}

/* Is it the first row of its group and version (of its group)? Rows of a group stand together. */
static bool starts_version(const struct resource *const *r)
{
    return r == all_resources || !same_version(r[-1], r[0]);
}

static bool starts_group(const struct resource *const *r)
{
    return r == all_resources || strcmp(r[-1]->group, r[0]->group) != 0;
}

/* ---- aggregated ---- */

/* Upstream leaves group and version out of a kind that is of the same version. */
static void write_kind(struct text *out, const struct resource *r, const struct subresource *sub)
{
    bool own = !sub || (strcmp(sub->group, r->group) == 0 && strcmp(sub->version, r->version) == 0);

    text_printf(out, "\"responseKind\":{\"group\":\"%s\",\"version\":\"%s\",\"kind\":\"%s\"}",
                own ? "" : sub->group, own ? "" : sub->version, sub ? sub->kind : r->kind);
}

static void write_aggregated_resource(struct text *out, const struct resource *r)
{
    text_printf(out, "{\"resource\":\"%s\",", r->plural);
    write_kind(out, r, NULL);
    text_printf(out, ",\"scope\":\"%s\",\"singularResource\":\"%s\"",
                r->namespaced ? "Namespaced" : "Cluster", r->singular);
    write_verbs(out, r->verbs);
    write_texts(out, "shortNames", r->short_names);
    write_texts(out, "categories", r->categories);
    for (size_t i = 0; i < r->n_subresources; i++) {
        const struct subresource *sub = &r->subresources[i];

        text_printf(out, "%s{\"subresource\":\"%s\",", i ? "," : ",\"subresources\":[", sub->name);
        write_kind(out, r, sub);
        write_verbs(out, sub->verbs);
        text_str(out, "}");
    }
    text_str(out, r->n_subresources ? "]}" : "}");
}

struct root {
    bool core;
    const char *version; /* of apidiscovery.k8s.io */
};

static enum fault write_aggregated(struct op *op, const void *arg, struct text *out)
{
    const struct root *root = arg;
    bool any = false;

    (void)op;
    text_printf(out,
                "{\"kind\":\"APIGroupDiscoveryList\",\"apiVersion\":\"apidiscovery.k8s.io/%s\","
                "\"metadata\":{},\"items\":[",
                root->version);
    for (const struct resource *const *r = all_resources; *r; r++) {
        if ((*(*r)->group == '\0') != root->core)
            continue;
        if (starts_group(r)) {
            text_printf(out, "%s{\"metadata\":{", any ? "],\"freshness\":\"Current\"}]}," : "");
            if (!root->core)
                text_printf(out, "\"name\":\"%s\",", (*r)->group);
            text_str(out, "\"creationTimestamp\":null},\"versions\":[");
        } else if (starts_version(r)) {
            text_str(out, "],\"freshness\":\"Current\"},");
        }
        if (starts_version(r))
            text_printf(out, "{\"version\":\"%s\",\"resources\":[", (*r)->version);
        else
            text_str(out, ",");
        write_aggregated_resource(out, *r);
        any = true;
    }
    text_str(out, any ? "],\"freshness\":\"Current\"}]}]}" : "]}");
    return OK;
}

/* ---- legacy ---- */

/* "versions":[…],"preferredVersion":{…} of the group that starts at r. */
static void write_versions(struct text *out, const struct resource *const *r)
{
    const struct resource *first = *r;

    text_printf(out, "\"name\":\"%s\",\"versions\":[", first->group);
    for (; *r && strcmp((*r)->group, first->group) == 0; r++) {
        if (starts_version(r))
            text_printf(out, "%s{\"groupVersion\":\"%s\",\"version\":\"%s\"}",
                        *r == first ? "" : ",", (*r)->api_version, (*r)->version);
    }
    text_printf(out, "],\"preferredVersion\":{\"groupVersion\":\"%s\",\"version\":\"%s\"}}",
                first->api_version, first->version);
}

static enum fault write_groups(struct op *op, const void *arg, struct text *out)
{
    bool any = false;

    (void)op, (void)arg;
    text_str(out, "{\"kind\":\"APIGroupList\",\"apiVersion\":\"v1\",\"groups\":[");
    for (const struct resource *const *r = all_resources; *r; r++) {
        if (!*(*r)->group || !starts_group(r))
            continue;
        text_str(out, any ? ",{" : "{");
        write_versions(out, r);
        any = true;
    }
    text_str(out, "]}");
    return OK;
}

static enum fault write_group(struct op *op, const void *arg, struct text *out)
{
    const struct resource *const *first = arg;

    (void)op;
    text_str(out, "{\"kind\":\"APIGroup\",\"apiVersion\":\"v1\",");
    write_versions(out, first);
    return OK;
}

static void write_legacy_subresource(struct text *out, const struct resource *r,
                                     const struct subresource *sub)
{
    text_printf(out, ",{\"name\":\"%s/%s\",\"singularName\":\"\",\"namespaced\":%s", r->plural,
                sub->name, r->namespaced ? "true" : "false");
    if (strcmp(sub->group, r->group) != 0 || strcmp(sub->version, r->version) != 0)
        text_printf(out, ",\"group\":\"%s\",\"version\":\"%s\"", sub->group, sub->version);
    text_printf(out, ",\"kind\":\"%s\"", sub->kind);
    write_verbs(out, sub->verbs);
    text_str(out, "}");
}

static enum fault write_resources(struct op *op, const void *arg, struct text *out)
{
    const struct resource *first = arg;
    bool any = false;

    (void)op;
    text_printf(out, "{\"kind\":\"APIResourceList\",%s\"groupVersion\":\"%s\",\"resources\":[",
                *first->group ? "\"apiVersion\":\"v1\"," : "", first->api_version);
    for (const struct resource *const *each = all_resources; *each; each++) {
        const struct resource *r = *each;

        if (!same_version(r, first))
            continue;
        text_printf(
            out, "%s{\"name\":\"%s\",\"singularName\":\"%s\",\"namespaced\":%s,\"kind\":\"%s\"",
            any ? "," : "", r->plural, r->singular, r->namespaced ? "true" : "false", r->kind);
        write_verbs(out, r->verbs);
        write_texts(out, "shortNames", r->short_names);
        write_texts(out, "categories", r->categories);
        text_str(out, "}");
        for (size_t i = 0; i < r->n_subresources; i++)
            write_legacy_subresource(out, r, &r->subresources[i]);
        any = true;
    }
    text_str(out, "]}");
    return OK;
}

/* ---- by path ---- */

#define AGGREGATED(version)                                                                        \
    "application/json;g=apidiscovery.k8s.io;v=" version ";as=APIGroupDiscoveryList"

static enum fault legacy_core(struct op *op, const char *server_address, struct document *ret)
{
    struct text text;

    text_init(&text, &op->arena, 4000);
    text_str(&text,
             "{\"kind\":\"APIVersions\",\"versions\":[\"v1\"],\"serverAddressByClientCIDRs\":"
             "[{\"clientCIDR\":\"0.0.0.0/0\",\"serverAddress\":");
    json_quote(&text, server_address);
    text_str(&text, "}]}");
    *ret = (struct document){
        .bytes = text_bytes(&text),
        .etag = arena_printf(&op->arena, "\"%s\"", hash_of(op, text_bytes(&text))),
        .content_type = "application/json",
    };
    return OK;
}

enum fault discovery_root(struct op *op, bool core, enum discovery_form form,
                          const char *server_address, struct document *ret)
{
    bool v2 = form == DISCOVERY_V2;
    struct root root = {core, v2 ? "v2" : "v2beta1"};
    struct document document;

    if (form == DISCOVERY_LEGACY && core)
        return legacy_core(op, server_address, ret);
    if (form == DISCOVERY_LEGACY)
        TRY(document_get(op, "groups", false, write_groups, NULL, &document));
    else
        TRY(document_get(op, arena_printf(&op->arena, "%s %s", core ? "api" : "apis", root.version),
                         false, write_aggregated, &root, &document));
    document.content_type = form == DISCOVERY_LEGACY ? "application/json"
                            : v2                     ? AGGREGATED("v2")
                                                     : AGGREGATED("v2beta1");
    *ret = document;
    return OK;
}

static enum fault no_such(struct op *op)
{
    return status_fail(op, NOT_FOUND, "NotFound", json_object(),
                       "the server could not find the requested resource");
}

enum fault discovery_group(struct op *op, const char *group, struct document *ret)
{
    for (const struct resource *const *r = all_resources; *r; r++) {
        if (*group && strcmp((*r)->group, group) == 0) {
            TRY(document_get(op, arena_printf(&op->arena, "group %s", group), false, write_group, r,
                             ret));
            ret->content_type = "application/json";
            return OK;
        }
    }
    return no_such(op);
}

enum fault discovery_resources(struct op *op, const char *group, const char *version,
                               struct document *ret)
{
    for (const struct resource *const *r = all_resources; *r; r++) {
        if (strcmp((*r)->group, group) == 0 && strcmp((*r)->version, version) == 0) {
            TRY(document_get(op, arena_printf(&op->arena, "resources %s", (*r)->api_version), false,
                             write_resources, *r, ret));
            ret->content_type = "application/json";
            return OK;
        }
    }
    return no_such(op);
}
