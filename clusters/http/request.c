/* Understanding a request: whose it is, what it is about, whether it may. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "clusters/http/kubernetes.h"
#include "core/realm.h"
#include "core/trace.h"

#define SEGMENTS_MAX 8

/* ---- options ---- */

enum fault query_bool(struct call *c, const char *name, bool fallback, bool *ret)
{
    static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True", ""};
    static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};
    const char *text = call_query(c, name, 0);

    *ret = fallback;
    if (!text)
        return OK;
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (strcmp(text, yes[i]) == 0) {
            *ret = true;
            return OK;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(no); i++) {
        if (strcmp(text, no[i]) == 0) {
            *ret = false;
            return OK;
        }
    }
    return bad_request(&c->op, "strconv.ParseBool: parsing \"%s\": invalid syntax", text);
}

enum fault query_int(struct call *c, const char *name, int64_t fallback, int64_t *ret)
{
    const char *text = call_query(c, name, 0);
    char *end = NULL;

    *ret = fallback;
    if (!text || !*text)
        return OK;
    errno = 0;
    *ret = strtoll(text, &end, 10);
    if (errno || *end)
        return bad_request(&c->op, "strconv.ParseInt: parsing \"%s\": invalid syntax", text);
    return OK;
}

static enum fault invalid_option(struct call *c, const char *field, const char *value,
                                 const char *supported)
{
    const char *message = arena_printf(
        &c->op.arena, "Unsupported value: \"%s\": supported values: %s", value, supported);
    const char *kind = c->method == POST  ? "CreateOptions"
                       : c->method == PUT ? "UpdateOptions"
                                          : "PatchOptions";

    return status_fail(&c->op, INVALID, "Invalid",
                       json_pack("{s:s, s:s, s:[{s:s, s:s, s:s}]}", "group", "meta.k8s.io", "kind",
                                 kind, "causes", "reason", "FieldValueNotSupported", "message",
                                 message, "field", field),
                       "%s.meta.k8s.io \"\" is invalid: %s: %s", kind, field, message);
}

enum fault read_write_options(struct call *c, enum field_validation *ret)
{
    struct kube *k = KUBE(c);
    const char *text = call_query(c, "fieldValidation", 0);
    const char *dry = call_query(c, "dryRun", 0);

    k->r.field_manager = call_query(c, "fieldManager", 0);
    k->r.user_agent = call_header(c, "user-agent");
    if (dry && *dry && strcmp(dry, "All") != 0)
        return invalid_option(c, "dryRun", dry, "\"All\"");
    k->r.dry_run = dry && *dry;
    *ret = FIELDS_WARN;
    if (!text || !*text || strcmp(text, "Warn") == 0)
        return OK;
    if (strcmp(text, "Strict") == 0)
        *ret = FIELDS_STRICT;
    else if (strcmp(text, "Ignore") == 0)
        *ret = FIELDS_IGNORE;
    else
        return invalid_option(c, "fieldValidation", text, "\"Ignore\", \"Strict\", \"Warn\"");
    return OK;
}

/* ---- bodies ---- */

static bool media_is(const char *header, const char *media)
{
    size_t len = strlen(media);

    return strncasecmp(header, media, len) == 0 && (!header[len] || strchr("; ", header[len]));
}

enum fault body_media(struct call *c, enum media *ret)
{
    static const struct {
        const char *name;
        enum media media;
    } known_media[] = {
        {"application/json",                    MEDIA_JSON    },
        {"*/*",                                 MEDIA_JSON    },
        {"application/yaml",                    MEDIA_YAML    },
        {"application/vnd.kubernetes.protobuf", MEDIA_PROTOBUF}
    };
    const char *header = call_header(c, "content-type");

    *ret = MEDIA_JSON;
    if (!header || !*header)
        return OK;
    for (size_t i = 0; i < ARRAY_LEN(known_media); i++) {
        if (media_is(header, known_media[i].name)) {
            *ret = known_media[i].media;
            return OK;
        }
    }
    return status_fail(&c->op, INVALID, "UnsupportedMediaType", json_object(),
                       "the body of the request was in an unknown format - accepted media types "
                       "include: application/json, application/yaml, "
                       "application/vnd.kubernetes.protobuf");
}

const struct type *subresource_type(struct op *op, const struct subresource *sub)
{
    const char *group = sub->group && *sub->group ? sub->group : "core";

    return type_find(arena_printf(&op->arena, "io.k8s.api.%.*s.%s.%s", (int)strcspn(group, "."),
                                  group, sub->version, sub->kind));
}

enum fault read_body(struct call *c, const struct type *type, const struct resource *r,
                     enum field_validation validation, json_t **ret)
{
    struct decoded decoded = {0};
    enum media media = MEDIA_JSON;

    TRY(body_media(c, &media));
    TRY(object_decode(&c->op, type, media, c->body, validation, &decoded));
    TRY(object_check_kind(&c->op, r, decoded.tree));
    memcpy(KUBE(c)->r.warnings, decoded.warnings, sizeof(decoded.warnings));
    *ret = decoded.tree;
    return OK;
}

enum fault no_such_resource(struct op *op)
{
    return status_fail(op, NOT_FOUND, "NotFound", json_object(),
                       "the server could not find the requested resource");
}

enum fault not_allowed(struct op *op)
{
    return status_fail(op, UNSUPPORTED, "MethodNotAllowed", json_object(),
                       "the server does not allow this method on the requested resource");
}

/* ---- the path ---- */

static size_t split(struct op *op, const char *path, const char *segments[SEGMENTS_MAX])
{
    size_t n = 0;

    while (*path && n < SEGMENTS_MAX) {
        size_t len = n == SEGMENTS_MAX - 1 ? strlen(path) : strcspn(path, "/");

        if (len)
            segments[n++] = arena_strndup(&op->arena, path, len);
        path += len + (path[len] == '/');
    }
    return n;
}

static bool is_served(const char *group, const char *version)
{
    for (size_t i = 0; all_resources[i]; i++)
        if (strcmp(all_resources[i]->group, group) == 0 &&
            strcmp(all_resources[i]->version, version) == 0)
            return true;
    return false;
}

/* "namespaces/NS/RES/NAME/SUB" or "RES/NAME/SUB"; a namespace's own subresources are two. */
static void read_segments(struct op *op, struct kube *k, const char *rest)
{
    const char *segments[SEGMENTS_MAX], **at_segment = segments, *ns = "";
    size_t n = split(op, rest, segments);
    bool in_namespace = n > 2 && strcmp(segments[0], "namespaces") == 0 &&
                        strcmp(segments[2], "status") != 0 && strcmp(segments[2], "finalize") != 0;
    const struct resource *r;

    if (in_namespace) {
        ns = segments[1];
        at_segment += 2;
        n -= 2;
    }
    r = n ? resource_find(k->group, k->version, at_segment[0]) : NULL;
    if (!r || n > 4 || (in_namespace && !r->namespaced) ||
        (!in_namespace && r->namespaced && n > 1))
        return;
    k->r.resource = r;
    k->r.ns = r->namespaced && !in_namespace ? NULL : ns;
    k->r.name = n > 1 ? at_segment[1] : NULL;
    if (n > 2) {
        k->sub = resource_subresource(r, at_segment[2]);
        k->r.subresource = at_segment[2];
        if (!k->sub || (n > 3 && strcmp(at_segment[2], "proxy") != 0))
            k->r.resource = NULL;
    }
}

static const char *verb_of(struct call *c, const struct kube *k)
{
    bool watch = false;

    switch (c->method) {
    case POST:
        return "create";
    case PUT:
        return "update";
    case PATCH:
        return "patch";
    case DELETE:
        return k->r.name ? "delete" : "deletecollection";
    default:
        if (k->r.name)
            return "get";
        return query_bool(c, "watch", false, &watch) == OK && watch ? "watch" : "list";
    }
}

static void read_path(struct call *c, struct kube *k)
{
    bool core = strncmp(c->path, "/api/", 5) == 0;

    k->group = core ? "" : c->path_args[0];
    k->version = core ? "v1" : c->path_args[1];
    k->known_version = is_served(k->group, k->version);
    read_segments(&c->op, k, core ? c->path_args[0] : c->path_args[2]);
    k->verb = verb_of(c, k);
}

/* ---- who ---- */

static void release_cluster(void *cluster)
{
    cluster_release(cluster);
}

static enum fault find_cluster(struct call *c, struct kube *k)
{
    k->cluster = c->realm ? cluster_find(c->realm) : NULL;
    if (!k->cluster)
        return fail_on(&c->op, "ServiceUnavailable", UNAVAILABLE, "the cluster is not running");
    arena_defer(&c->op.arena, release_cluster, k->cluster);
    return OK;
}

static enum fault identify(struct call *c, struct kube *k)
{
    static const char *const nobody[] = {"system:unauthenticated", NULL};
    const char *authorization = call_header(c, "authorization");
    const struct certificate *certificate = c->certificate;

    if (c->vouched) {
        k->who = identity_of_principal(&c->op, c->vouched);
        return OK;
    }
    if (certificate)
        return identity_of_certificate(&c->op, k->cluster, certificate->common_name,
                                       certificate->organizations, &k->who);
    if (authorization && strncasecmp(authorization, "bearer ", 7) == 0)
        return identity_of_token(&c->op, k->cluster, authorization + 7, NULL, &k->who);
    if (authorization)
        return status_fail(&c->op, UNAUTHENTICATED, "Unauthorized", NULL, "Unauthorized");
    k->who = (struct user_info){
        .actor = {.name = "system:anonymous", .groups = nobody}
    };
    return OK;
}

/* ---- impersonation ---- */

static enum fault may_impersonate(struct call *c, struct kube *k, const char *group,
                                  const char *resource, const char *sub, const char *ns,
                                  const char *name)
{
    struct access access = {.actor = &k->who.actor,
                            .verb = "impersonate",
                            .group = group,
                            .resource = resource,
                            .subresource = sub,
                            .ns = ns,
                            .name = name};

    return access_check(&c->op, k->cluster, &access);
}

static enum fault impersonate_user(struct call *c, struct kube *k, const char *user)
{
    static const char prefix[] = "system:serviceaccount:";
    const char *rest = user + sizeof(prefix) - 1, *colon;

    if (strncmp(user, prefix, sizeof(prefix) - 1) != 0 || !(colon = strchr(rest, ':')))
        return may_impersonate(c, k, "", "users", NULL, "", user);
    return may_impersonate(c, k, "", "serviceaccounts", NULL,
                           arena_strndup(&c->op.arena, rest, (size_t)(colon - rest)), colon + 1);
}

/* "Impersonate-Extra-scopes: x" */
static enum fault impersonate_extra(struct call *c, struct kube *k, json_t **ret)
{
    static const char prefix[] = "impersonate-extra-";
    json_t *extra = json_object();

    arena_defer(&c->op.arena, (void (*)(void *))json_decref, extra);
    for (size_t i = 0; i < c->n_headers; i++) {
        const char *key = c->headers[i].name + sizeof(prefix) - 1;

        if (strncmp(c->headers[i].name, prefix, sizeof(prefix) - 1) != 0)
            continue;
        TRY(may_impersonate(c, k, "authentication.k8s.io", "userextras", key, "",
                            c->headers[i].value));
        if (!json_object_get(extra, key)) /* not a path: keys have dots */
            json_object_set_new(extra, key, json_array());
        json_array_append_new(json_object_get(extra, key), json_string(c->headers[i].value));
    }
    *ret = json_object_size(extra) ? extra : NULL;
    return OK;
}

static enum fault impersonate(struct call *c, struct kube *k)
{
    const char *user = call_header(c, "impersonate-user"), *uid = call_header(c, "impersonate-uid");
    const char **groups = arena_alloc(&c->op.arena, (c->n_headers + 4) * sizeof(*groups));
    json_t *extra = NULL;
    size_t n = 0;

    for (size_t i = 0; i < c->n_headers; i++)
        if (strcmp(c->headers[i].name, "impersonate-group") == 0)
            groups[n++] = c->headers[i].value;
    if (!user && !n && !uid)
        return OK;
    if (!user)
        return bad_request(&c->op, "requested groups, uid or extra without impersonating a user");
    TRY(impersonate_user(c, k, user));
    for (size_t i = 0; i < n; i++)
        TRY(may_impersonate(c, k, "", "groups", NULL, "", groups[i]));
    if (uid)
        TRY(may_impersonate(c, k, "authentication.k8s.io", "uids", NULL, "", uid));
    TRY(impersonate_extra(c, k, &extra));
    if (!n && strncmp(user, "system:serviceaccount:", 22) == 0) {
        groups[n++] = "system:serviceaccounts";
        groups[n++] = arena_printf(&c->op.arena, "system:serviceaccounts:%.*s",
                                   (int)strcspn(user + 22, ":"), user + 22);
    }
    groups[n++] =
        strcmp(user, "system:anonymous") == 0 ? "system:unauthenticated" : "system:authenticated";
    groups[n] = NULL;
    k->who = (struct user_info){
        .actor = {.name = user, .uid = uid, .groups = groups},
          .extra = extra
    };
    return OK;
}

/* ---- may he ---- */

/* A list that one name's field selector narrows is a question about that name. */
static const char *name_asked(struct call *c, const struct kube *k)
{
    const char *fields = call_query(c, "fieldSelector", 0);
    bool narrows = strcmp(k->verb, "list") == 0 || strcmp(k->verb, "watch") == 0 ||
                   strcmp(k->verb, "deletecollection") == 0;

    if (k->r.name || !narrows || !fields || strncmp(fields, "metadata.name=", 14) != 0 ||
        strchr(fields, ','))
        return k->r.name;
    return fields + 14 + (fields[14] == '=');
}

static enum fault check_access(struct call *c, struct kube *k)
{
    struct access access = {.actor = &k->who.actor, .verb = k->verb};

    if (c->route->access == ACCESS_PATH || !k->known_version) {
        access.verb = c->method == GET || c->method == HEAD ? "get" : verb_of(c, k);
        access.path = c->path;
        return access_check(&c->op, k->cluster, &access);
    }
    if (!k->r.resource)
        return OK; /* there is nothing: the handler says so */
    access.group = k->group;
    access.resource = k->r.resource->plural;
    access.subresource = k->r.subresource;
    access.ns = k->r.ns;
    access.name = name_asked(c, k);
    return access_check(&c->op, k->cluster, &access);
}

/* For whoever traces. */
static void note(struct call *c, const struct kube *k)
{
    const char *verb = k->r.resource                           ? k->verb
                       : c->method == GET || c->method == HEAD ? "get"
                                                               : verb_of(c, k);

    if (!trace_wanted())
        return;
    trace_who(c, k->who.actor.name, k->who.actor.uid);
    if (k->r.resource)
        trace_right(c,
                    arena_printf(&c->op.arena, "%s %s%s%s", verb, k->r.resource->plural,
                                 k->r.subresource ? "/" : "",
                                 k->r.subresource ? k->r.subresource : ""),
                    k->r.ns);
    else
        trace_right(c, arena_printf(&c->op.arena, "%s %s", verb, c->path), NULL);
}

enum fault kube_authorise(struct call *c, bool may_block)
{
    struct kube *k = c->caller;

    (void)may_block; /* without a connection, identity_of_token says WOULD_BLOCK */
    if (!k)
        k = c->caller = arena_alloc(&c->op.arena, sizeof(*k));
    if (!k->cluster)
        TRY(find_cluster(c, k));
    if (!k->r.cluster) {
        k->known_version = true;
        if (c->route->access == ACCESS_RESOURCE)
            read_path(c, k);
        k->r.cluster = k->cluster;
        k->r.actor = &k->who.actor;
    }
    TRY(identify(c, k));
    TRY(impersonate(c, k));
    note(c, k);
    return check_access(c, k);
}
