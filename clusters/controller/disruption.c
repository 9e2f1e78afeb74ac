/*
 * PodDisruptionBudgets: how many of a budget's pods may be evicted now. Evictions (rest_evict) take
 * one off status.disruptionsAllowed and note the pod; here both are counted anew.
 */
#include <string.h>

#include "clusters/controller/controllers.h"
#include "clusters/controller/workload.h"
#include "core/reconcile.h"

#define DISRUPTED_S                                                                                \
    120 /* an eviction that is allowed and has deleted nothing by then is forgotten */
#define EVERYTHING INT64_C(1000000)

static const struct actor actor = {
    .name = "system:serviceaccount:kube-system:disruption-controller",
    .groups = (const char *const[]){"system:serviceaccounts", "system:authenticated", NULL},
    .manager = "disruption-controller",
    .trusted = true,
};

struct pass {
    struct op *op;
    struct cluster *cluster;
    const json_t *budget;
    struct object **pods; /* that it chooses */
    size_t n;
    int64_t expected, desired, healthy;
    json_t *disrupted; /* {pod: time}: those that are still on their way */
    const char *fault; /* NULL: it can be said how many */
    int64_t again_ms;
};

static const struct resource *budgets_resource(void)
{
    return resource_find("policy", "v1", "poddisruptionbudgets");
}

/* ---- its pods ---- */

static enum fault find_pods(struct pass *p, const char *ns)
{
    const struct selector *selector = NULL;
    struct store_page page;

    TRY(selector_of(p->op, &p->op->arena, at(p->budget, "spec.selector"), &selector));
    TRY(store_list(p->op, p->cluster->store, resource_find("", "v1", "pods"), ns, NULL, NULL, 0, 0,
                   &page));
    p->pods = arena_alloc(&p->op->arena, (page.n + 1) * sizeof(struct object *));
    for (size_t i = 0; i < page.n; i++)
        if (selector_matches(selector, page.objects[i]->labels))
            p->pods[p->n++] = page.objects[i];
    return OK;
}

/* Evictions that were allowed: until the pod is seen to be deleted, or for two minutes. */
static void find_disrupted(struct pass *p)
{
    const json_t *noted = at(p->budget, "status.disruptedPods");

    for (size_t i = 0; i < p->n; i++) {
        json_t *since = json_object_get(noted, p->pods[i]->name);
        int64_t left;

        if (!since || p->pods[i]->deleting)
            continue;
        left = time_parse(json_string_value(since)) + DISRUPTED_S - wall_s();
        if (left <= 0)
            continue;
        json_object_set(p->disrupted, p->pods[i]->name, since);
        if (p->again_ms < 0 || left * 1000 < p->again_ms)
            p->again_ms = left * 1000;
    }
}

static void count_healthy(struct pass *p)
{
    for (size_t i = 0; i < p->n; i++)
        p->healthy += !p->pods[i]->deleting && object_is_ready(object_tree(p->pods[i])) &&
                      !json_object_get(p->disrupted, p->pods[i]->name);
}

/* ---- how many there should be ---- */

/* Kinds that say how many pods they want. */
static const struct {
    const char *kind, *group, *plural;
} scaled[] = {
    {"ReplicaSet",            "apps", "replicasets"           },
    {"Deployment",            "apps", "deployments"           },
    {"StatefulSet",           "apps", "statefulsets"          },
    {"ReplicationController", "",     "replicationcontrollers"},
};

static struct object *read_owner(struct pass *p, const char *ns, const json_t *reference)
{
    const char *kind = text_at_or(reference, "kind", "");

    for (size_t i = 0; i < ARRAY_LEN(scaled); i++)
        if (strcmp(scaled[i].kind, kind) == 0) {
            struct object *owner = store_read(p->op, p->cluster->store,
                                              resource_preferred(scaled[i].group, scaled[i].plural),
                                              ns, text_at_or(reference, "name", ""));

            return owner && strcmp(owner->uid, text_at_or(reference, "uid", "")) == 0 ? owner
                                                                                      : NULL;
        }
    return NULL;
}

/* A ReplicaSet's Deployment, if it has one. */
static struct object *scaled_owner(struct pass *p, struct object *pod, const json_t *reference)
{
    struct object *owner = read_owner(p, pod->ns, reference), *above = NULL;
    const json_t *next = owner ? controller_of(object_tree(owner)) : NULL;

    if (next)
        above = read_owner(p, pod->ns, next);
    return above ? above : owner;
}

/* Replicas of all controllers of its pods, each once; pods that nobody controls do not count. */
static void expect_scale(struct pass *p)
{
    struct object **seen = arena_alloc(&p->op->arena, (p->n + 1) * sizeof(struct object *));
    size_t n = 0, k;

    for (size_t i = 0; i < p->n; i++) {
        const json_t *reference = controller_of(object_tree(p->pods[i]));
        struct object *owner;

        if (!reference)
            continue;
        owner = scaled_owner(p, p->pods[i], reference);
        if (!owner) {
            p->fault = arena_printf(&p->op->arena, "found no controllers for pod \"%s\"",
                                    p->pods[i]->name);
            return;
        }
        for (k = 0; k < n && strcmp(seen[k]->uid, owner->uid) != 0; k++)
            ;
        if (k < n)
            continue;
        seen[n++] = owner;
        p->expected += int_at(object_tree(owner), "spec.replicas", 1);
    }
}

static void expect(struct pass *p)
{
    const json_t *most_gone = at(p->budget, "spec.maxUnavailable");
    const json_t *least = at(p->budget, "spec.minAvailable");

    if (most_gone) {
        expect_scale(p);
        p->desired = p->expected - scaled_value(most_gone, p->expected, true, EVERYTHING);
    } else if (json_is_integer(least)) {
        p->expected = (int64_t)p->n;
        p->desired = json_integer_value(least);
    } else if (least) {
        expect_scale(p);
        p->desired = scaled_value(least, p->expected, true, EVERYTHING);
    } else {
        p->expected = (int64_t)p->n;
        p->desired = 1; /* the default of minAvailable */
    }
    if (p->desired < 0)
        p->desired = 0;
}

/* ---- what is said of it ---- */

static int64_t allowed(const struct pass *p)
{
    int64_t n = p->healthy - p->desired;

    return p->fault || p->expected <= 0 || n <= 0 ? 0 : n;
}

static void say(struct pass *p, json_t *status)
{
    json_t *conditions = array_at(status, "conditions");

    if (p->fault)
        condition_set(p->op, conditions, "DisruptionAllowed", "False", "SyncFailed", p->fault);
    else if (allowed(p))
        condition_set(p->op, conditions, "DisruptionAllowed", "True", "SufficientPods", "");
    else
        condition_set(p->op, conditions, "DisruptionAllowed", "False", "InsufficientPods", "");
}

static bool same_evictions(const json_t *now, const json_t *then)
{
    const json_t *noted = at(now, "status.disruptedPods");
    const json_t *before = at(then, "status.disruptedPods");

    return int_at(now, "status.disruptionsAllowed", 0) ==
               int_at(then, "status.disruptionsAllowed", 0) &&
           ((!json_object_size(noted) && !json_object_size(before)) || json_equal(noted, before));
}

static enum fault fill(struct op *op, json_t *budget, void *arg, bool *ret_skip)
{
    struct pass *p = arg;
    json_t *status = object_at(budget, "status"), *before = object_copy(op, status);

    *ret_skip = !same_evictions(budget, p->budget); /* else the next pass counts those */
    if (*ret_skip)
        return OK;
    json_object_set_new(status, "currentHealthy", json_integer(p->healthy));
    json_object_set_new(status, "desiredHealthy", json_integer(p->desired));
    json_object_set_new(status, "expectedPods", json_integer(p->expected));
    json_object_set_new(status, "disruptionsAllowed", json_integer(allowed(p)));
    json_object_set_new(status, "observedGeneration",
                        json_integer(int_at(budget, "metadata.generation", 0)));
    if (json_object_size(p->disrupted))
        json_object_set(status, "disruptedPods", p->disrupted);
    else
        json_object_del(status, "disruptedPods");
    say(p, status);
    *ret_skip = json_equal(before, status);
    return OK;
}

static enum fault write(struct pass *p, struct object *budget)
{
    struct rest r = rest_of(p->cluster, &actor, budget->resource, budget->ns, budget->name);
    enum fault fault;

    r.subresource = "status";
    fault = rest_modify(p->op, &r, fill, p, NULL);
    if (fault == NOT_FOUND) {
        op_clear_fault(p->op);
        return OK;
    }
    return settled(p->op, p->cluster, r.revision, fault);
}

/* ---- the controller ---- */

static void release(void *tree)
{
    json_decref(tree);
}

static enum fault reconcile(struct op *op, struct cluster *cluster, const char *ns,
                            const char *name, int64_t *ret_again_ms)
{
    struct pass p = {
        .op = op, .cluster = cluster, .disrupted = json_object(), .again_ms = RECONCILE_DONE};
    struct object *budget = store_read(op, cluster->store, budgets_resource(), ns, name);

    arena_defer(&op->arena, release, p.disrupted);
    if (!budget || budget->deleting)
        return OK;
    p.budget = object_tree(budget);
    TRY(find_pods(&p, ns));
    find_disrupted(&p);
    count_healthy(&p);
    expect(&p);
    *ret_again_ms = p.again_ms;
    return write(&p, budget);
}

static bool chooses(struct op *op, struct object *budget, const struct event *event)
{
    const struct selector *selector = NULL;

    if (selector_of(op, &op->arena, at(object_tree(budget), "spec.selector"), &selector) != OK) {
        op_clear_fault(op);
        return false;
    }
    return selector_matches(selector, event->object->labels) ||
           (event->previous && selector_matches(selector, event->previous->labels));
}

static void keys_of_pod(struct cluster *cluster, const struct event *event, struct keys *keys)
{
    struct store_page page;
    struct op op;

    op_init(&op);
    if (store_list(&op, cluster->store, budgets_resource(), event->object->ns, NULL, NULL, 0, 0,
                   &page) == OK)
        for (size_t i = 0; i < page.n; i++)
            if (chooses(&op, page.objects[i], event))
                keys_add(keys, page.objects[i]->ns, page.objects[i]->name);
    op_free(&op);
}

static const struct rule rules[] = {
    {"policy", "poddisruptionbudgets", NULL, NULL},
    {"",    "pods", keys_of_pod, NULL},
    {0       },
};

const struct controller disruption_controller = {
    .name = "disruption",
    .actor = {"system:serviceaccount:kube-system:disruption-controller"},
    .rules = rules,
    .reconcile = reconcile,
};
