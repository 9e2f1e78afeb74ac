/*
 * Creating, reading and changing objects. A change goes: requested form → defaults → stored form →
 * what clients may not set → admission → who owns which field → validation → quotas → the store.
 */
#include "clusters/rest/rest.h"

#include <stdlib.h>
#include <string.h>

#include "clusters/object/patch.h"
#include "clusters/rest/rest_internal.h"
#include "core/seal.h"

#define RETRIES            8
#define NAME_MAX_GENERATED 58 /* of generateName, so that five characters fit */

struct known known;
static pthread_once_t known_once = PTHREAD_ONCE_INIT;

static void find_all(void)
{
    static const struct {
        const struct resource **to;
        const char *group, *plural;
    } rows[] = {
        {&known.namespaces,            "",                          "namespaces"          },
        {&known.pods,                  "",                          "pods"                },
        {&known.nodes,                 "",                          "nodes"               },
        {&known.services,              "",                          "services"            },
        {&known.endpoints,             "",                          "endpoints"           },
        {&known.secrets,               "",                          "secrets"             },
        {&known.config_maps,           "",                          "configmaps"          },
        {&known.service_accounts,      "",                          "serviceaccounts"     },
        {&known.events,                "",                          "events"              },
        {&known.limit_ranges,          "",                          "limitranges"         },
        {&known.quotas,                "",                          "resourcequotas"      },
        {&known.endpoint_slices,       "discovery.k8s.io",          "endpointslices"      },
        {&known.budgets,               "policy",                    "poddisruptionbudgets"},
        {&known.roles,                 "rbac.authorization.k8s.io", "roles"               },
        {&known.role_bindings,         "rbac.authorization.k8s.io", "rolebindings"        },
        {&known.cluster_roles,         "rbac.authorization.k8s.io", "clusterroles"        },
        {&known.cluster_role_bindings, "rbac.authorization.k8s.io", "clusterrolebindings" },
        {&known.priority_classes,      "scheduling.k8s.io",         "priorityclasses"     },
        {&known.runtime_classes,       "node.k8s.io",               "runtimeclasses"      },
        {&known.ingress_classes,       "networking.k8s.io",         "ingressclasses"      },
        {&known.storage_classes,       "storage.k8s.io",            "storageclasses"      },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        *rows[i].to = resource_preferred(rows[i].group, rows[i].plural);
}

void known_find(void)
{
    pthread_once(&known_once, find_all);
}

struct rest rest_of(struct cluster *cluster, const struct actor *actor,
                    const struct resource *resource, const char *ns, const char *name)
{
    return (struct rest){
        .cluster = cluster, .actor = actor, .resource = resource, .ns = ns, .name = name};
}

void rest_warn(struct rest *r, const char *text)
{
    for (size_t i = 0; i + 1 < ARRAY_LEN(r->warnings); i++) {
        if (!r->warnings[i]) {
            r->warnings[i] = text;
            return;
        }
        if (strcmp(r->warnings[i], text) == 0)
            return;
    }
}

static bool is_sub(const struct rest *r, const char *name)
{
    return r->subresource && strcmp(r->subresource, name) == 0;
}

/* ---- who writes ---- */

const char *actor_manager(const struct rest *r)
{
    if (r->field_manager && *r->field_manager)
        return r->field_manager;
    if (r->actor->manager)
        return r->actor->manager;
    return r->user_agent && *r->user_agent ? r->user_agent : "unknown";
}

/* Upstream's rule: the user agent's text before the first "/". */
static struct manager manager_of(struct op *op, const struct rest *r)
{
    const char *name = actor_manager(r);

    if (name == r->user_agent)
        name = arena_strndup(&op->arena, name, strcspn(name, "/"));
    return (struct manager){.name = name,
                            .subresource = r->subresource,
                            .api_version = resource_api_version(r->resource)};
}

static enum fault own_fields(struct op *op, struct rest *r, const json_t *old, json_t *tree,
                             const json_t *config)
{
    const struct type *type = r->resource->stored_as->type;
    struct manager manager = manager_of(op, r);

    if (!type)
        return OK;
    if (config)
        return managed_applied(op, type, old, config, tree, &manager, wall_s());
    return managed_update(op, type, old, tree, &manager, wall_s());
}

/* ---- reading ---- */

enum fault rest_get(struct op *op, struct rest *r, struct object **ret)
{
    struct object *object = store_read(op, r->cluster->store, r->resource, r->ns, r->name);

    if (!object)
        return not_found(op, r->resource, r->name);
    *ret = object;
    return OK;
}

/* ---- creating ---- */

const char *random_suffix(struct op *op)
{
    static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
    char uuid[37], *suffix = arena_alloc(&op->arena, 6);

    random_uuid(uuid);
    for (int i = 0; i < 5; i++) { /* two hex digits each: 256 is nearly a multiple of 27 */
        char pair[3] = {uuid[24 + 2 * i], uuid[25 + 2 * i], '\0'};

        suffix[i] = letters[strtoul(pair, NULL, 16) % (sizeof(letters) - 1)];
    }
    return suffix;
}

static enum fault check_namespace(struct op *op, struct rest *r)
{
    struct object *ns = store_latest(op, r->cluster->store, known.namespaces, NULL, r->ns);

    if (!ns)
        return not_found(op, known.namespaces, r->ns);
    if (ns->deleting)
        return status_fail(
            op, FORBIDDEN, "Forbidden",
            json_pack("{s:s*, s:s*, s:s, s:[{s:s, s:s, s:s}]}", "name", r->name, "group",
                      r->resource->group[0] ? r->resource->group : NULL, "kind",
                      r->resource->plural, "causes", "reason", "NamespaceTerminating", "message",
                      arena_printf(&op->arena, "namespace %s is being terminated", r->ns), "field",
                      "metadata.namespace"),
            "%s \"%s\" is forbidden: unable to create new content in namespace %s because it is "
            "being terminated",
            resource_qualified(r->resource), r->name, r->ns);
    return OK;
}

/* Namespace and name of a new object: from the URL, from generateName, from the object. */
static enum fault name_it(struct op *op, struct rest *r, json_t *tree)
{
    json_t *metadata = object_at(tree, "metadata");
    const char *ns = text_at_or(metadata, "namespace", "");
    const char *name = text_at_or(metadata, "name", "");
    const char *prefix = text_at_or(metadata, "generateName", "");

    if (!r->resource->namespaced)
        json_object_del(metadata, "namespace");
    else if (*ns && strcmp(ns, r->ns) != 0)
        return bad_request(op, "the namespace of the provided object does not match the namespace "
                               "sent on the request");
    else
        json_object_set_new(metadata, "namespace", json_string(r->ns));
    if (!*name && *prefix) {
        name = arena_printf(&op->arena, "%.*s%s", NAME_MAX_GENERATED, prefix, random_suffix(op));
        json_object_set_new(metadata, "name", json_string(name));
    }
    if (r->name && *r->name && strcmp(r->name, name) != 0)
        return bad_request(op,
                           "the name of the object (%s) does not match the name on the URL "
                           "(%s)",
                           name, r->name);
    r->name = name;
    return OK;
}

static enum fault new_metadata(struct op *op, struct rest *r, json_t *tree)
{
    static const char *const servers[] = {"selfLink", "deletionTimestamp",
                                          "deletionGracePeriodSeconds", "resourceVersion",
                                          "generation"};
    json_t *metadata = json_object_get(tree, "metadata");
    const char *revision = text_at_or(metadata, "resourceVersion", "");
    char uid[37];

    if (*revision && strcmp(revision, "0") != 0)
        return status_fail(op, INTERNAL, "InternalError", NULL,
                           "resourceVersion should not be set on objects to be created");
    for (size_t i = 0; i < ARRAY_LEN(servers); i++)
        json_object_del(metadata, servers[i]);
    random_uuid(uid);
    json_object_set_new(metadata, "uid", json_string(uid));
    json_object_set_new(metadata, "creationTimestamp", json_string(time_text(op, wall_s())));
    if (!strategy_of(r->resource->stored_as)->no_generation)
        json_object_set_new(metadata, "generation", json_integer(1));
    return OK;
}

static void prepare_new(struct op *op, const struct resource *stored, json_t *tree)
{
    const struct strategy *s = strategy_of(stored);

    if (s->prepare_create) {
        s->prepare_create(op, tree);
    } else if (s->has_status) {
        json_object_del(tree, "status");
        if (s->initial_status)
            json_object_set_new(tree, "status", json_loads(s->initial_status, 0, NULL));
    }
}

static enum fault submit(struct op *op, struct rest *r, enum change change, const json_t *tree,
                         const struct object *live, struct object **ret)
{
    struct write w = {.change = change,
                      .resource = r->resource->stored_as,
                      .ns = r->resource->namespaced ? r->ns : "",
                      .name = r->name,
                      .tree = tree,
                      .expected = live ? live->revision : 0};
    int64_t revision = 0;

    if (r->dry_run) {
        *ret = store_draft(op, &w, w.expected);
        return OK;
    }
    TRY(store_submit(op, r->cluster->store, &w, &revision, ret));
    if (r->revision < revision)
        r->revision = revision;
    return OK;
}

/* With the namespace's quotas held still, when it has any. */
static enum fault submit_counted(struct admission *a, enum change change, const struct object *live,
                                 struct object **ret)
{
    bool counted = quota_begin(a->r);
    enum fault fault = counted ? quota_check(a) : OK;

    if (fault == OK)
        fault = submit(a->op, a->r, change, a->tree, live, ret);
    if (counted)
        quota_end(a->op, a->r, fault == OK);
    return fault;
}

/* A plugin's failure, or a later one, gives back what plugins took. */
static enum fault finish(struct admission *a, enum change change, const struct object *live,
                         struct object **ret)
{
    struct op *op = a->op;
    struct rest *r = a->r;
    enum fault fault = admit(a);

    if (fault == OK)
        fault = object_validate(op, r->resource->stored_as, a->tree, a->old, r->subresource);
    if (fault == OK)
        fault = submit_counted(a, change, live, ret);
    if (fault != OK || r->dry_run)
        admit_undo(a);
    return fault;
}

enum fault rest_make(struct op *op, struct rest *r, json_t *tree, const json_t *config,
                     struct object **ret)
{
    const struct resource *stored = r->resource->stored_as;
    struct admission a;

    known_find();
    TRY(name_it(op, r, tree));
    if (r->resource->namespaced)
        TRY(check_namespace(op, r));
    warn_stored_only(op, r);
    object_defaults(op, r->resource, tree);
    tree = object_convert(op, tree, r->resource, stored);
    TRY(new_metadata(op, r, tree));
    TRY(own_fields(op, r, NULL, tree, config)); /* before the server adds what nobody owns */
    prepare_new(op, stored, tree);
    if (r->dry_run && store_latest(op, r->cluster->store, stored, r->ns, r->name))
        return already_exists(op, r->resource, r->name);
    a = (struct admission){.op = op, .r = r, .tree = tree};
    return finish(&a, CHANGE_CREATE, NULL, ret);
}

enum fault rest_create(struct op *op, struct rest *r, json_t *tree, struct object **ret)
{
    struct object *unwanted = NULL;
    const char *prefix = text_at_or(tree, "metadata.generateName", "");
    bool generated = *prefix && !*text_at_or(tree, "metadata.name", "");
    enum fault fault = OK;

    if (!ret)
        ret = &unwanted;
    for (int tries = 0; tries < RETRIES; tries++) {
        fault = rest_make(op, r, generated ? object_copy(op, tree) : tree, NULL, ret);
        if (fault != CONFLICT || !generated || !op->noun || strcmp(op->noun, "AlreadyExists") != 0)
            return fault;
        op_clear_fault(op);
        r->name = NULL;
    }
    return status_fail(op, CONFLICT, "AlreadyExists", NULL,
                       "unable to generate a unique name from \"%s\"", prefix);
}

/* ---- changing ---- */

/* What only the server sets stays as it is. */
static void keep_metadata(json_t *tree, const json_t *old)
{
    static const char *const servers[] = {
        "name",       "namespace",         "uid",          "creationTimestamp",
        "generation", "deletionTimestamp", "generateName", "deletionGracePeriodSeconds"};
    json_t *metadata = object_at(tree, "metadata");
    const json_t *was = json_object_get(old, "metadata");

    json_object_del(metadata, "selfLink");
    json_object_del(metadata, "resourceVersion");
    for (size_t i = 0; i < ARRAY_LEN(servers); i++) {
        const json_t *value = json_object_get(was, servers[i]);

        if (value)
            json_object_set_new(metadata, servers[i], json_deep_copy(value));
        else
            json_object_del(metadata, servers[i]);
    }
}

static bool is_frame(const char *member)
{
    return strcmp(member, "metadata") == 0 || strcmp(member, "kind") == 0 ||
           strcmp(member, "apiVersion") == 0;
}

/* All but metadata and status as in old. */
static void keep_all_but_status(json_t *tree, const json_t *old)
{
    const char *name;
    json_t *value;
    void *next;

    json_object_foreach_safe(tree, next, name, value)
    {
        if (!is_frame(name) && strcmp(name, "status") != 0)
            json_object_del(tree, name);
    }
    json_object_foreach((json_t *)old, name, value)
    {
        if (!is_frame(name) && strcmp(name, "status") != 0)
            json_object_set_new(tree, name, json_deep_copy(value));
    }
}

static void prepare_change(struct op *op, struct rest *r, json_t *tree, const json_t *old)
{
    const struct strategy *s = strategy_of(r->resource->stored_as);
    bool of_status = is_sub(r, "status") || is_sub(r, "approval");
    const json_t *status = json_object_get(old, "status");

    if (s->prepare_update)
        s->prepare_update(op, tree, old, r->subresource);
    else if (of_status)
        keep_all_but_status(tree, old);
    else if (s->has_status && status)
        json_object_set_new(tree, "status", json_deep_copy(status));
    else if (s->has_status)
        json_object_del(tree, "status");
}

static bool content_differs(const struct strategy *s, const json_t *tree, const json_t *old)
{
    const char *name;
    json_t *value;

    if (!s->generation_of_all && (json_object_get(tree, "spec") || json_object_get(old, "spec")))
        return !json_equal(json_object_get(tree, "spec"), json_object_get(old, "spec"));
    json_object_foreach((json_t *)tree, name, value)
    {
        if (!is_frame(name) && strcmp(name, "status") != 0 &&
            !json_equal(value, json_object_get(old, name)))
            return true;
    }
    json_object_foreach((json_t *)old, name, value)
    {
        if (!is_frame(name) && strcmp(name, "status") != 0 && !json_object_get(tree, name))
            return true;
    }
    return false;
}

static void count_generation(const struct resource *stored, json_t *tree, const json_t *old)
{
    const struct strategy *s = strategy_of(stored);

    if (!s->no_generation && content_differs(s, tree, old))
        set_at(tree, "metadata.generation",
               json_integer(int_at(old, "metadata.generation", 0) + 1));
}

/* Asked to go, and nothing holds it any more? */
bool is_terminated(const struct resource *r, const json_t *tree)
{
    if (!text_at(tree, "metadata.deletionTimestamp") ||
        json_array_size(at(tree, "metadata.finalizers")) > 0)
        return false;
    if (r == known.namespaces)
        return json_array_size(at(tree, "spec.finalizers")) == 0;
    return int_at(tree, "metadata.deletionGracePeriodSeconds", 0) == 0;
}

enum fault rest_write(struct op *op, struct rest *r, struct object *live, json_t *tree,
                      const json_t *config, struct object **ret)
{
    const struct resource *stored = r->resource->stored_as;
    const json_t *old = object_tree(live);
    struct admission a;

    known_find();
    object_defaults(op, r->resource, tree);
    tree = object_convert(op, tree, r->resource, stored);
    keep_metadata(tree, old);
    prepare_change(op, r, tree, old);
    count_generation(stored, tree, old);
    a = (struct admission){.op = op, .r = r, .tree = tree, .old = old};
    if (is_terminated(stored, tree) && !is_terminated(stored, old)) {
        TRY(object_validate(op, stored, tree, old, r->subresource));
        return rest_remove(op, r, live, tree, ret);
    }
    TRY(own_fields(op, r, old, tree, config)); /* before admission, which owns nothing */
    return finish(&a, CHANGE_UPDATE, live, ret);
}

/* Does what the client sent fit the live object? */
static enum fault check_preconditions(struct op *op, struct rest *r, const json_t *tree,
                                      const struct object *live)
{
    const char *name = text_at_or(tree, "metadata.name", "");
    const char *ns = text_at_or(tree, "metadata.namespace", "");
    const char *uid = text_at_or(tree, "metadata.uid", "");
    const char *revision = text_at_or(tree, "metadata.resourceVersion", "");

    if (*name && strcmp(name, r->name) != 0)
        return bad_request(op,
                           "the name of the object (%s) does not match the name on the URL "
                           "(%s)",
                           name, r->name);
    if (r->resource->namespaced && *ns && strcmp(ns, r->ns) != 0)
        return bad_request(op, "the namespace of the provided object does not match the namespace "
                               "sent on the request");
    if (!live)
        return OK;
    if (*uid && strcmp(uid, live->uid) != 0)
        return conflict(op, r->resource, r->name,
                        arena_printf(&op->arena,
                                     "Precondition failed: UID in precondition: %s, UID in object "
                                     "meta: %s",
                                     uid, live->uid));
    if (*revision && strcmp(revision, "0") != 0 && strtoll(revision, NULL, 10) != live->revision)
        return conflict(op, r->resource, r->name, CONFLICT_MODIFIED);
    return OK;
}

/* Kinds that a PUT may make. */
static bool made_by_put(const struct resource *r)
{
    static const char *const names[] = {"leases",       "endpoints",    "events",
                                        "services",     "limitranges",  "roles",
                                        "rolebindings", "clusterroles", "clusterrolebindings"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(r->plural, names[i]) == 0)
            return true;
    return false;
}

/* Who changes what is not there makes it: that is another right. */
static enum fault may_create(struct op *op, const struct rest *r)
{
    const struct access access = {.actor = r->actor,
                                  .verb = "create",
                                  .group = r->resource->group,
                                  .resource = r->resource->plural,
                                  .ns = r->ns,
                                  .name = r->name};

    return access_check(op, r->cluster, &access);
}

static bool lost_race(const struct op *op, enum fault fault)
{
    return fault == CONFLICT && op->noun && strcmp(op->noun, "Conflict") == 0;
}

static enum fault update_once(struct op *op, struct rest *r, const json_t *tree,
                              struct object **ret, bool *ret_created)
{
    struct object *live = store_latest(op, r->cluster->store, r->resource, r->ns, r->name);

    TRY(check_preconditions(op, r, tree, live));
    *ret_created =
        !live && !r->subresource && made_by_put(r->resource) && !text_at(tree, "metadata.uid");
    if (*ret_created) {
        TRY(may_create(op, r));
        return rest_make(op, r, object_copy(op, tree), NULL, ret);
    }
    if (!live)
        return not_found(op, r->resource, r->name);
    return rest_write(op, r, live, object_copy(op, tree), NULL, ret);
}

enum fault rest_update(struct op *op, struct rest *r, json_t *tree, struct object **ret,
                       bool *ret_created)
{
    struct object *unwanted = NULL;
    bool given = *text_at_or(tree, "metadata.resourceVersion", ""), created = false;
    enum fault fault = OK;

    if (!ret)
        ret = &unwanted;
    if (is_sub(r, "scale"))
        return rest_update_scale(op, r, tree, ret);
    for (int tries = 0; tries < RETRIES; tries++) {
        fault = update_once(op, r, tree, ret, &created);
        if (given || !lost_race(op, fault))
            break;
        op_clear_fault(op);
    }
    if (ret_created)
        *ret_created = created;
    return fault;
}

enum fault rest_modify(struct op *op, struct rest *r,
                       enum fault (*change)(struct op *op, json_t *tree, void *arg, bool *ret_skip),
                       void *arg, struct object **ret)
{
    struct object *unwanted = NULL;
    enum fault fault = OK;

    if (!ret)
        ret = &unwanted;
    for (int tries = 0; tries < RETRIES; tries++) {
        struct object *live = store_latest(op, r->cluster->store, r->resource, r->ns, r->name);
        bool skip = false;
        json_t *tree;

        if (!live)
            return not_found(op, r->resource, r->name);
        tree = object_convert(op, object_copy(op, object_tree(live)), r->resource->stored_as,
                              r->resource);
        TRY(change(op, tree, arg, &skip));
        *ret = live;
        if (skip)
            return OK;
        fault = rest_write(op, r, live, tree, NULL, ret);
        if (!lost_race(op, fault))
            return fault;
        op_clear_fault(op);
    }
    return conflict(op, r->resource, r->name, CONFLICT_MODIFIED);
}

/* ---- patches ---- */

static enum fault apply_patch(struct op *op, struct rest *r, const struct patch_request *p,
                              const json_t *now, json_t **ret)
{
    struct manager manager = manager_of(op, r);

    switch (p->kind) {
    case PATCH_JSON:
        return patch_json(op, now, p->patch, ret);
    case PATCH_MERGE_KIND:
        return patch_merge(op, now, p->patch, ret);
    case PATCH_STRATEGIC:
        if (!r->resource->type)
            return status_fail(op, INVALID, "UnsupportedMediaType", NULL,
                               "the body of the request was in an unknown format - accepted media "
                               "types include: application/json-patch+json, "
                               "application/merge-patch+json, application/apply-patch+yaml");
        return patch_strategic(op, r->resource->type, now, p->patch, ret);
    case PATCH_APPLY:
        return managed_apply(op, r->resource->type, now, p->patch, &manager, p->force, ret);
    }
    return bad_request(op, "no such kind of patch");
}

/* A patch may say which revision it means: in the text it gives. */
static enum fault check_patched(struct op *op, struct rest *r, const json_t *patched,
                                const struct object *live)
{
    const char *revision = text_at_or(patched, "metadata.resourceVersion", "");
    const char *uid = text_at_or(patched, "metadata.uid", "");

    if (*revision && strtoll(revision, NULL, 10) != live->revision)
        return conflict(op, r->resource, r->name, CONFLICT_MODIFIED);
    if (*uid && strcmp(uid, live->uid) != 0)
        return conflict(op, r->resource, r->name,
                        arena_printf(&op->arena,
                                     "Precondition failed: UID in precondition: %s, UID in object "
                                     "meta: %s",
                                     uid, live->uid));
    return OK;
}

/* What a patch made must still be an object of its kind. */
static enum fault check_shape(struct op *op, struct rest *r, const struct patch_request *p,
                              json_t **tree)
{
    struct decoded decoded = {0};

    if (!r->resource->type)
        return OK;
    TRY(object_conform(op, r->resource->type, *tree, p->validation, &decoded));
    for (size_t i = 0; i < ARRAY_LEN(decoded.warnings) && decoded.warnings[i]; i++)
        rest_warn(r, decoded.warnings[i]);
    *tree = decoded.tree;
    return OK;
}

static enum fault apply_new(struct op *op, struct rest *r, const struct patch_request *p,
                            struct object **ret)
{
    struct manager manager = manager_of(op, r);
    json_t *tree = NULL;

    if (*text_at_or(p->patch, "metadata.uid", ""))
        return conflict(op, r->resource, r->name, CONFLICT_MODIFIED);
    TRY(may_create(op, r));
    TRY(managed_apply(op, r->resource->type, NULL, p->patch, &manager, p->force, &tree));
    json_object_set_new(object_at(tree, "metadata"), "name", json_string(r->name));
    return rest_make(op, r, tree, p->patch, ret);
}

static enum fault patch_once(struct op *op, struct rest *r, const struct patch_request *p,
                             struct object **ret, bool *ret_created)
{
    struct object *live = store_latest(op, r->cluster->store, r->resource, r->ns, r->name);
    json_t *now, *patched = NULL;

    *ret_created = !live && p->kind == PATCH_APPLY && !r->subresource;
    if (*ret_created)
        return apply_new(op, r, p, ret);
    if (!live)
        return not_found(op, r->resource, r->name);
    now =
        object_convert(op, object_copy(op, object_tree(live)), r->resource->stored_as, r->resource);
    TRY(apply_patch(op, r, p, now, &patched));
    TRY(check_patched(op, r, patched, live));
    TRY(check_shape(op, r, p, &patched));
    return rest_write(op, r, live, patched, p->kind == PATCH_APPLY ? p->patch : NULL, ret);
}

enum fault rest_patch(struct op *op, struct rest *r, const struct patch_request *p,
                      struct object **ret, bool *ret_created)
{
    struct object *unwanted = NULL;
    bool created = false;
    enum fault fault = OK;

    if (!ret)
        ret = &unwanted;
    if (is_sub(r, "scale"))
        return rest_patch_scale(op, r, p, ret);
    for (int tries = 0; tries < RETRIES; tries++) {
        fault = patch_once(op, r, p, ret, &created);
        if (!lost_race(op, fault) || *text_at_or(p->patch, "metadata.resourceVersion", ""))
            break;
        if (p->kind == PATCH_APPLY && op->detail && strstr(op->detail, "FieldManagerConflict"))
            break;
        op_clear_fault(op);
    }
    if (ret_created)
        *ret_created = created;
    return fault;
}

/* ---- for controllers ---- */

struct new_status {
    json_t *status;
};

static enum fault put_status(struct op *op, json_t *tree, void *arg, bool *ret_skip)
{
    struct new_status *new = arg;

    (void)op;
    *ret_skip = json_equal(json_object_get(tree, "status"), new->status);
    json_object_set_new(tree, "status", json_deep_copy(new->status));
    return OK;
}

static void release_tree(void *tree)
{
    json_decref(tree);
}

enum fault rest_set_status(struct op *op, struct rest *r, json_t *status)
{
    struct new_status new = {status};
    struct rest of_status = *r;
    struct object *object = NULL;
    enum fault fault;

    arena_defer(&op->arena, release_tree, status);
    of_status.subresource = "status";
    fault = rest_modify(op, &of_status, put_status, &new, &object);
    if (r->revision < of_status.revision)
        r->revision = of_status.revision;
    if (fault == NOT_FOUND) {
        op_clear_fault(op);
        return OK;
    }
    return fault;
}
