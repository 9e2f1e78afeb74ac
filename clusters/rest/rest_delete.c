/* Deleting: preconditions, propagation, finalizers, grace. */
#include <stdlib.h>
#include <string.h>

#include "clusters/rest/rest_internal.h"

#define RETRIES 8

static bool is_own_service(const struct object *object)
{
    return strcmp(object->name, "kubernetes") == 0 && strcmp(object->ns, "default") == 0 &&
           (object->resource == known.services || object->resource == known.endpoints ||
            object->resource == known.endpoint_slices);
}

enum fault rest_remove(struct op *op, struct rest *r, struct object *live, const json_t *last,
                       struct object **ret)
{
    struct write w = {.change = CHANGE_DELETE,
                      .resource = r->resource->stored_as,
                      .ns = live->ns,
                      .name = live->name,
                      .tree = last,
                      .expected = live->revision};
    int64_t revision = 0;
    enum fault fault;
    bool counted;

    *ret = live;
    if (r->dry_run)
        return OK;
    counted = quota_begin(r);
    fault = store_submit(op, r->cluster->store, &w, &revision, ret);
    if (r->revision < revision)
        r->revision = revision;
    if (counted)
        quota_end(op, r, fault == OK);
    if (fault == OK && is_own_service(live))
        bootstrap_service(op, r);
    return fault;
}

static enum fault check_preconditions(struct op *op, struct rest *r, const struct delete_options *o,
                                      const struct object *live)
{
    const char *kind = r->resource->kind;

    if (o->uid && strcmp(o->uid, live->uid) != 0)
        return status_fail(op, CONFLICT, "Conflict",
                           json_pack("{s:s, s:s}", "name", r->name, "kind", kind),
                           "Operation cannot be fulfilled on %s \"%s\": the UID in the "
                           "precondition (%s) does not match the UID in record (%s). The object "
                           "might have been deleted and then recreated",
                           kind, r->name, o->uid, live->uid);
    if (o->resource_version && *o->resource_version &&
        strtoll(o->resource_version, NULL, 10) != live->revision)
        return status_fail(op, CONFLICT, "Conflict",
                           json_pack("{s:s, s:s}", "name", r->name, "kind", kind),
                           "Operation cannot be fulfilled on %s \"%s\": the ResourceVersion in "
                           "the precondition (%s) does not match the ResourceVersion in record "
                           "(%lld). The object might have been modified",
                           kind, r->name, o->resource_version, (long long)live->revision);
    return OK;
}

/* ---- what becomes of dependents is said by finalizers ---- */

static bool orphans_by_default(const struct resource *r)
{
    return (strcmp(r->plural, "replicationcontrollers") == 0 && !r->group[0]) ||
           (strcmp(r->plural, "jobs") == 0 && strcmp(r->group, "batch") == 0);
}

static bool set_finalizer(json_t *tree, const char *name, bool wanted)
{
    json_t *list = array_at(tree, "metadata.finalizers");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *have = json_string_value(json_array_get(list, i));

        if (!have || strcmp(have, name) != 0)
            continue;
        if (!wanted)
            json_array_remove(list, i);
        return !wanted;
    }
    if (wanted)
        json_array_append_new(list, json_string(name));
    return wanted;
}

static bool has_finalizer(const json_t *tree, const char *name)
{
    const json_t *list = at(tree, "metadata.finalizers");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *have = json_string_value(json_array_get(list, i));

        if (have && strcmp(have, name) == 0)
            return true;
    }
    return false;
}

/* As upstream: the request decides, else finalizers that are there already, else the default. */
static bool propagate(const struct resource *r, json_t *tree, const struct delete_options *o)
{
    const char *policy = o->propagation;
    bool changed = false, orphan, foreground;

    if (!policy) {
        orphan = has_finalizer(tree, "orphan");
        foreground = has_finalizer(tree, "foregroundDeletion");
        if (!orphan && !foreground)
            orphan = orphans_by_default(r);
    } else {
        orphan = strcmp(policy, "Orphan") == 0;
        foreground = strcmp(policy, "Foreground") == 0;
    }
    changed |= set_finalizer(tree, "orphan", orphan);
    changed |= set_finalizer(tree, "foregroundDeletion", foreground);
    if (!json_array_size(at(tree, "metadata.finalizers")))
        set_at(tree, "metadata.finalizers", NULL);
    return changed;
}

/* ---- grace ---- */

/* Seconds that a pod's node gets; what no node holds, or what has ended, goes at once. */
static int64_t grace_of(const json_t *pod, const struct delete_options *o)
{
    const char *phase = text_at_or(pod, "status.phase", "");
    int64_t grace = o->grace_s;

    if (!*text_at_or(pod, "spec.nodeName", "") || strcmp(phase, "Failed") == 0 ||
        strcmp(phase, "Succeeded") == 0)
        return 0;
    if (grace < 0)
        grace = int_at(pod, "spec.terminationGracePeriodSeconds", 30);
    return grace < 0 ? 1 : grace;
}

/* Mark tree as going. false: it is, already, and not later than now asked. */
static bool mark(struct op *op, json_t *tree, int64_t grace)
{
    const char *asked = text_at(tree, "metadata.deletionTimestamp");
    int64_t given = int_at(tree, "metadata.deletionGracePeriodSeconds", 0);
    int64_t now = wall_s();

    if (asked && grace >= given)
        return false;
    if (asked) /* from when it was asked first */
        now = time_parse(asked) - given;
    set_at(tree, "metadata.deletionTimestamp", json_string(time_text(op, now + grace)));
    set_at(tree, "metadata.deletionGracePeriodSeconds", json_integer(grace));
    if (!asked && int_at(tree, "metadata.generation", 0) > 0)
        set_at(tree, "metadata.generation",
               json_integer(int_at(tree, "metadata.generation", 0) + 1));
    return true;
}

static enum fault put_back(struct op *op, struct rest *r, const struct object *live,
                           const json_t *tree, struct object **ret)
{
    struct write w = {.change = CHANGE_UPDATE,
                      .resource = live->resource,
                      .ns = live->ns,
                      .name = live->name,
                      .tree = tree,
                      .expected = live->revision};
    int64_t revision = 0;

    if (r->dry_run) {
        *ret = store_draft(op, &w, live->revision);
        return OK;
    }
    TRY(store_submit(op, r->cluster->store, &w, &revision, ret));
    if (r->revision < revision)
        r->revision = revision;
    return OK;
}

static enum fault refuse_system(struct op *op, struct rest *r)
{
    static const char *const kept[] = {"default", "kube-system", "kube-public"};

    if (r->resource->stored_as != known.namespaces)
        return OK;
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        if (strcmp(r->name, kept[i]) == 0)
            return forbidden(op, r->resource, r->name, "this namespace may not be deleted");
    return OK;
}

static enum fault delete_once(struct op *op, struct rest *r, const struct delete_options *o,
                              struct object **ret, bool *ret_gone)
{
    struct object *live = store_latest(op, r->cluster->store, r->resource, r->ns, r->name);
    bool changed, is_pod;
    int64_t grace = 0;
    json_t *tree;

    if (!live)
        return not_found(op, r->resource, r->name);
    TRY(check_preconditions(op, r, o, live));
    TRY(refuse_system(op, r));
    tree = object_copy(op, object_tree(live));
    is_pod = strategy_of(live->resource)->graceful;
    if (is_pod)
        grace = grace_of(tree, o);
    changed = propagate(r->resource, tree, o);
    if (live->resource == known.namespaces && !live->deleting)
        set_at(tree, "status.phase", json_string("Terminating"));
    changed |= mark(op, tree, grace);
    *ret_gone = is_terminated(live->resource, tree);
    if (*ret_gone)
        return rest_remove(op, r, live, NULL, ret);
    *ret = live;
    return changed ? put_back(op, r, live, tree, ret) : OK;
}

static enum fault check_options(struct op *op, const struct delete_options *o)
{
    static const char *const policies[] = {"Background", "Foreground", "Orphan"};

    if (!o->propagation)
        return OK;
    for (size_t i = 0; i < ARRAY_LEN(policies); i++)
        if (strcmp(o->propagation, policies[i]) == 0)
            return OK;
    return status_fail(op, INVALID, "Invalid", NULL,
                       "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported "
                       "value: \"%s\": supported values: \"Background\", \"Foreground\", "
                       "\"Orphan\"",
                       o->propagation);
}

enum fault rest_delete(struct op *op, struct rest *r, const struct delete_options *o,
                       struct object **ret, bool *ret_gone)
{
    struct object *unwanted = NULL;
    bool gone = false;
    enum fault fault = OK;

    if (!ret)
        ret = &unwanted;
    if (!ret_gone)
        ret_gone = &gone;
    known_find();
    TRY(check_options(op, o));
    for (int tries = 0; tries < RETRIES; tries++) {
        fault = delete_once(op, r, o, ret, ret_gone);
        if (fault != CONFLICT || o->resource_version || tries + 1 == RETRIES)
            break;
        op_clear_fault(op); /* another writer was faster; o->uid is looked at again */
    }
    return fault;
}

static enum fault delete_one(struct op *op, const struct rest *r, struct object *object,
                             const struct delete_options *o, int64_t *revision)
{
    struct rest one = *r;
    struct object *now = NULL;
    bool gone = false;
    enum fault fault;

    one.ns = object->ns;
    one.name = object->name;
    one.revision = 0;
    fault = rest_delete(op, &one, o, &now, &gone);
    if (fault == NOT_FOUND) { /* somebody else was faster */
        op_clear_fault(op);
        return OK;
    }
    if (*revision < one.revision)
        *revision = one.revision;
    return fault;
}

enum fault rest_delete_collection(struct op *op, struct rest *r, const struct selector *labels,
                                  const struct field_selector *fields,
                                  const struct delete_options *options, struct store_page *ret)
{
    struct store_page page = {0};
    size_t n = 0;

    TRY(store_list(op, r->cluster->store, r->resource, r->ns, NULL, NULL, 0, 0, &page));
    for (size_t i = 0; i < page.n; i++) {
        struct object *object = page.objects[i];

        if ((labels && !selector_matches(labels, object->labels)) ||
            (fields && !field_selector_matches(fields, object_tree(object))))
            continue;
        TRY(delete_one(op, r, object, options, &r->revision));
        page.objects[i] = page.objects[n]; /* swap: all stay held, chosen ones come first */
        page.objects[n++] = object;
    }
    page.n = n;
    *ret = page;
    return OK;
}
