/* Subresources that are documents of their own: scale, binding, eviction. */
#include <stdlib.h>
#include <string.h>

#include "clusters/object/patch.h"
#include "clusters/rest/rest_internal.h"

#define RETRIES 8

/* ---- scale ---- */

/* A selector as text: "a=b,c in (d,e),!f". */
static const char *selector_text(struct op *op, const json_t *selector)
{
    const json_t *labels = json_object_get(selector, "matchLabels");
    const char *key;
    json_t *value, *row;
    struct text out;
    size_t i, j;

    text_init(&out, &op->arena, 16384);
    json_object_foreach((json_t *)labels, key, value)
    {
        text_printf(&out, "%s%s=%s", out.len ? "," : "", key, json_string_value(value));
    }
    json_array_foreach(json_object_get(selector, "matchExpressions"), i, row)
    {
        const char *name = text_at_or(row, "key", ""), *how = text_at_or(row, "operator", "");
        bool is_in = strcmp(how, "In") == 0;

        text_str(&out, out.len ? "," : "");
        if (!is_in && strcmp(how, "NotIn") != 0) {
            text_printf(&out, "%s%s", strcmp(how, "Exists") == 0 ? "" : "!", name);
            continue;
        }
        text_printf(&out, "%s %s (", name, is_in ? "in" : "notin");
        json_array_foreach(json_object_get(row, "values"), j, value)
        {
            text_printf(&out, "%s%s", j ? "," : "", json_string_value(value));
        }
        text_str(&out, ")");
    }
    return out.data;
}

static const char *map_text(struct op *op, const json_t *map)
{
    const char *key;
    json_t *value;
    struct text out;

    text_init(&out, &op->arena, 16384);
    json_object_foreach((json_t *)map, key, value)
    {
        text_printf(&out, "%s%s=%s", out.len ? "," : "", key, json_string_value(value));
    }
    return out.data;
}

static json_t *scale_of(struct op *op, const struct object *object, const json_t *tree)
{
    static const char *const kept[] = {"name", "namespace", "uid", "resourceVersion",
                                       "creationTimestamp"};
    const json_t *metadata = json_object_get(tree, "metadata");
    const json_t *selector = at(tree, "spec.selector");
    json_t *scale = json_pack("{s:s, s:s, s:{}, s:{s:I}, s:{s:I}}", "kind", "Scale", "apiVersion",
                              "autoscaling/v1", "metadata", "spec", "replicas",
                              (json_int_t)int_at(tree, "spec.replicas", 0), "status", "replicas",
                              (json_int_t)int_at(tree, "status.replicas", 0));
    const char *text;

    arena_defer(&op->arena, (void (*)(void *))json_decref, scale);
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        const json_t *value = json_object_get(metadata, kept[i]);

        if (value)
            json_object_set_new(json_object_get(scale, "metadata"), kept[i], json_deep_copy(value));
    }
    text = strcmp(object->resource->plural, "replicationcontrollers") == 0
               ? map_text(op, selector)
               : selector_text(op, selector);
    if (*text)
        set_at(scale, "status.selector", json_string(text));
    return scale;
}

enum fault rest_view(struct op *op, const struct rest *r, struct object *object, json_t **ret)
{
    const json_t *tree = object_tree(object);

    if (r->subresource && strcmp(r->subresource, "scale") == 0)
        *ret = scale_of(op, object, tree);
    else
        *ret = object_convert(op, object_copy(op, tree), object->resource, r->resource);
    return OK;
}

static enum fault set_replicas(struct op *op, struct rest *r, struct object *live,
                               const json_t *scale, struct object **ret)
{
    const char *revision = text_at_or(scale, "metadata.resourceVersion", "");
    const json_t *replicas = at(scale, "spec.replicas");
    json_t *tree = object_copy(op, object_tree(live));

    if (*revision && strtoll(revision, NULL, 10) != live->revision)
        return conflict(op, r->resource, r->name, CONFLICT_MODIFIED);
    if (replicas && json_integer_value(replicas) < 0)
        return status_fail(op, INVALID, "Invalid", NULL,
                           "Scale.autoscaling \"%s\" is invalid: spec.replicas: Invalid value: "
                           "%lld: must be greater than or equal to 0",
                           r->name, (long long)json_integer_value(replicas));
    tree = object_convert(op, tree, live->resource, r->resource);
    set_at(tree, "spec.replicas", json_integer(json_integer_value(replicas)));
    return rest_write(op, r, live, tree, NULL, ret);
}

enum fault rest_update_scale(struct op *op, struct rest *r, json_t *scale, struct object **ret)
{
    struct object *live = store_latest(op, r->cluster->store, r->resource, r->ns, r->name);

    return live ? set_replicas(op, r, live, scale, ret) : not_found(op, r->resource, r->name);
}

static enum fault patch_scale_once(struct op *op, struct rest *r, const struct patch_request *p,
                                   struct object **ret)
{
    struct object *live = store_latest(op, r->cluster->store, r->resource, r->ns, r->name);
    const struct type *type = type_find("io.k8s.api.autoscaling.v1.Scale");
    json_t *scale, *patched = NULL;

    if (!live)
        return not_found(op, r->resource, r->name);
    scale = scale_of(op, live, object_tree(live));
    if (p->kind == PATCH_JSON)
        TRY(patch_json(op, scale, p->patch, &patched));
    else if (p->kind == PATCH_STRATEGIC && type)
        TRY(patch_strategic(op, type, scale, p->patch, &patched));
    else
        TRY(patch_merge(op, scale, p->patch, &patched));
    return set_replicas(op, r, live, patched, ret);
}

enum fault rest_patch_scale(struct op *op, struct rest *r, const struct patch_request *p,
                            struct object **ret)
{
    enum fault fault = OK;

    for (int tries = 0; tries < RETRIES; tries++) {
        fault = patch_scale_once(op, r, p, ret);
        if (fault != CONFLICT || *text_at_or(p->patch, "metadata.resourceVersion", ""))
            return fault;
        op_clear_fault(op);
    }
    return conflict(op, r->resource, r->name, CONFLICT_MODIFIED);
}

/* ---- binding ---- */

static void set_condition(struct op *op, json_t *tree, const char *type, const char *status)
{
    json_t *list = array_at(tree, "status.conditions"), *row;
    json_t *made = json_pack("{s:s, s:s, s:n, s:s}", "type", type, "status", status,
                             "lastProbeTime", "lastTransitionTime", time_text(op, wall_s()));
    size_t i;

    json_array_foreach(list, i, row)
    {
        if (strcmp(text_at_or(row, "type", ""), type) == 0) {
            json_array_set_new(list, i, made);
            return;
        }
    }
    json_array_append_new(list, made);
}

/* The scheduler's word. Written as it is: nothing but this may set nodeName later. */
enum fault rest_bind(struct op *op, struct rest *r, const json_t *binding, struct object **ret)
{
    const char *node = text_at_or(binding, "target.name", "");
    const char *uid = text_at_or(binding, "metadata.uid", "");
    struct object *live;
    struct write w;
    int64_t revision = 0;
    json_t *tree;

    known_find();
    live = store_latest(op, r->cluster->store, known.pods, r->ns, r->name);
    if (!live)
        return not_found(op, known.pods, r->name);
    if (!*node)
        return status_fail(op, INVALID, "Invalid", NULL,
                           "Binding \"%s\" is invalid: target.name: Required value", r->name);
    if (*uid && strcmp(uid, live->uid) != 0)
        return conflict(op, known.pods, r->name, CONFLICT_MODIFIED);
    tree = object_copy(op, object_tree(live));
    if (live->deleting)
        return conflict(op, known.pods, r->name,
                        arena_printf(&op->arena,
                                     "pod %s is being deleted, cannot be assigned to a host",
                                     r->name));
    if (*text_at_or(tree, "spec.nodeName", ""))
        return conflict(op, known.pods, r->name,
                        arena_printf(&op->arena, "pod %s is already assigned to node \"%s\"",
                                     r->name, text_at(tree, "spec.nodeName")));
    set_at(tree, "spec.nodeName", json_string(node));
    set_condition(op, tree, "PodScheduled", "True");
    w = (struct write){.change = CHANGE_UPDATE,
                       .resource = known.pods,
                       .ns = live->ns,
                       .name = live->name,
                       .tree = tree,
                       .expected = live->revision};
    *ret = live;
    if (r->dry_run)
        return OK;
    TRY(store_submit(op, r->cluster->store, &w, &revision, ret));
    r->revision = r->revision < revision ? revision : r->revision;
    return OK;
}

/* ---- eviction ---- */

/* Budgets that protect this pod: their status says whether one more may go. */
static enum fault check_budgets(struct op *op, struct rest *r, struct object *pod,
                                struct object **ret_budget)
{
    struct store_page page = {0};

    *ret_budget = NULL;
    TRY(store_list(op, r->cluster->store, known.budgets, pod->ns, NULL, NULL, 0, 0, &page));
    for (size_t i = 0; i < page.n; i++) {
        const json_t *budget = object_tree(page.objects[i]);
        const struct selector *selector = NULL;

        TRY(selector_of(op, &op->arena, at(budget, "spec.selector"), &selector));
        if (!selector_matches(selector, pod->labels))
            continue;
        if (*ret_budget)
            return status_fail(op, INTERNAL, "InternalError", NULL,
                               "This pod has more than one PodDisruptionBudget, which the "
                               "eviction subresource does not support.");
        *ret_budget = page.objects[i];
    }
    return OK;
}

/* again_s -1: nobody can say when. Clients that are told a time ask again by themselves, ten times,
   before they say anything. */
static enum fault too_many(struct op *op, int again_s, const char *cause)
{
    op->retry_after_s = again_s;
    return status_fail(
        op, TOO_MANY, "TooManyRequests",
        json_pack("{s:[{s:s, s:s}]}", "causes", "reason", "DisruptionBudget", "message", cause),
        "Cannot evict pod as it would violate the pod's disruption budget.");
}

static enum fault take_one(struct op *op, json_t *tree, void *arg, bool *ret_skip)
{
    const char *pod = arg, *name = text_at(tree, "metadata.name");
    int64_t allowed = int_at(tree, "status.disruptionsAllowed", 0);

    if (int_at(tree, "status.observedGeneration", 0) < int_at(tree, "metadata.generation", 0))
        return too_many(op, 10,
                        arena_printf(&op->arena,
                                     "The disruption budget %s is still being processed by the"
                                     " server.",
                                     name));
    if (allowed <= 0)
        return too_many(op, -1,
                        arena_printf(&op->arena,
                                     "The disruption budget %s needs %lld healthy "
                                     "pods and has %lld currently",
                                     name, (long long)int_at(tree, "status.desiredHealthy", 0),
                                     (long long)int_at(tree, "status.currentHealthy", 0)));
    *ret_skip = false;
    set_at(tree, "status.disruptionsAllowed", json_integer(allowed - 1));
    json_object_set_new(object_at(tree, "status.disruptedPods"), pod,
                        json_string(time_text(op, wall_s())));
    return OK;
}

/* What ends or has not begun may always go. */
static bool is_beyond_budgets(const struct object *pod, const json_t *tree)
{
    const char *phase = text_at_or(tree, "status.phase", "");

    return pod->deleting || strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0 ||
           strcmp(phase, "Pending") == 0;
}

/* spec.unhealthyPodEvictionPolicy: of a pod that is not ready. */
static bool may_go_unhealthy(const json_t *budget)
{
    const char *policy = text_at_or(budget, "spec.unhealthyPodEvictionPolicy", "IfHealthyBudget");
    int64_t desired = int_at(budget, "status.desiredHealthy", 0);

    return strcmp(policy, "AlwaysAllow") == 0 ||
           (desired > 0 && int_at(budget, "status.currentHealthy", 0) >= desired);
}

enum fault rest_evict(struct op *op, struct rest *r, const struct delete_options *options)
{
    struct object *pod, *budget = NULL, *now = NULL;
    struct rest of_budget;
    bool gone = false;

    known_find();
    pod = store_latest(op, r->cluster->store, known.pods, r->ns, r->name);
    if (!pod)
        return not_found(op, known.pods, r->name);
    if (!is_beyond_budgets(pod, object_tree(pod))) {
        TRY(check_budgets(op, r, pod, &budget));
        if (budget &&
            (object_is_ready(object_tree(pod)) || !may_go_unhealthy(object_tree(budget)))) {
            of_budget = rest_of(r->cluster, r->actor, known.budgets, budget->ns, budget->name);
            of_budget.subresource = "status";
            of_budget.dry_run = r->dry_run;
            TRY(rest_modify(op, &of_budget, take_one, (void *)pod->name, &now));
        }
    }
    return rest_delete(op, r, options, &now, &gone);
}
