/*
 *~ Deployments: a ReplicaSet for each template, of which the present one grows while the others
 *~ shrink, within maxSurge and maxUnavailable. One pass does one step; ReplicaSets' changes bring
 *~ the next.
 */
#include "clusters/controller/deployment.h"

#include <stdlib.h>
#include <string.h>

#include "clusters/controller/controllers.h"

const struct actor deployment_actor = {
    .name = "system:serviceaccount:kube-system:deployment-controller",
    .groups = (const char *const[]){"system:serviceaccounts", "system:authenticated", NULL},
    .manager = "kube-controller-manager",
    .trusted = true,
};

/* ---- what the Deployment allows ---- */

int64_t deployment_replicas(const struct deployment_pass *p)
{
    return int_at(p->tree, "spec.replicas", 1);
}

static bool is_rolling(const struct deployment_pass *p)
{
    return strcmp(text_at_or(p->tree, "spec.strategy.type", "RollingUpdate"), "RollingUpdate") == 0;
}

int64_t deployment_surge(const struct deployment_pass *p)
{
    if (!is_rolling(p))
        return 0;
    return scaled_value(at(p->tree, "spec.strategy.rollingUpdate.maxSurge"), deployment_replicas(p),
                        true, 1);
}

/* At least one of both is not zero, or nothing could move. */
int64_t deployment_unavailable(const struct deployment_pass *p)
{
    int64_t wanted = deployment_replicas(p), n;

    if (!is_rolling(p) || !wanted)
        return 0;
    n = scaled_value(at(p->tree, "spec.strategy.rollingUpdate.maxUnavailable"), wanted, false, 1);
    if (n == 0 && deployment_surge(p) == 0)
        n = 1;
    return n < wanted ? n : wanted;
}

/* ---- sums ---- */

static int64_t total_wanted(const struct deployment_pass *p)
{
    int64_t total = 0;

    for (size_t i = 0; i < p->sets.n; i++)
        total += set_replicas(p->sets.list[i]);
    return total;
}

/* A set that was just made smaller still tells of the pods that it loses: they do not count. */
static int64_t total_available(const struct deployment_pass *p)
{
    int64_t total = 0;

    for (size_t i = 0; i < p->sets.n; i++) {
        int64_t wanted = set_replicas(p->sets.list[i]);
        int64_t available = set_status(p->sets.list[i], "availableReplicas");

        total += available < wanted ? available : wanted;
    }
    return total;
}

static int64_t old_wanted(const struct deployment_pass *p)
{
    return total_wanted(p) - (p->current ? set_replicas(p->current) : 0);
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- rolling ---- */

/* true: current was scaled, which is this pass's step. */
static enum fault grow_current(struct deployment_pass *p, bool *ret_scaled)
{
    int64_t wanted = deployment_replicas(p), now = set_replicas(p->current), room, next;

    *ret_scaled = false;
    if (now == wanted)
        return OK;
    if (now > wanted) {
        next = wanted;
    } else {
        room = wanted + deployment_surge(p) - total_wanted(p);
        if (room <= 0)
            return OK;
        next = now + smaller(room, wanted - now);
    }
    *ret_scaled = true;
    return deployment_scale(p, &p->current, next);
}

static int by_age(const void *a, const void *b)
{
    const char *left =
        text_at_or(object_tree(*(struct object *const *)a), "metadata.creationTimestamp", "");
    const char *right =
        text_at_or(object_tree(*(struct object *const *)b), "metadata.creationTimestamp", "");

    return strcmp(left, right);
}

static struct object **old_sets(const struct deployment_pass *p, size_t *ret_n)
{
    struct object **old = arena_alloc(&p->op->arena, (p->sets.n + 1) * sizeof(struct object *));
    size_t n = 0;

    for (size_t i = 0; i < p->sets.n; i++)
        if (p->sets.list[i] != p->current && set_replicas(p->sets.list[i]) > 0)
            old[n++] = p->sets.list[i];
    qsort(old, n, sizeof(*old), by_age);
    *ret_n = n;
    return old;
}

/* Pods of old sets that are not available serve nobody: they go first. *budget: how many may. */
static enum fault drop_unhealthy(struct deployment_pass *p, struct object **old, size_t n,
                                 int64_t *budget)
{
    for (size_t i = 0; i<n && * budget> 0; i++) {
        int64_t wanted = set_replicas(old[i]);
        int64_t bad = wanted - set_status(old[i], "availableReplicas"), drop;

        if (bad <= 0)
            continue;
        drop = smaller(bad, *budget);
        *budget -= drop;
        TRY(deployment_scale(p, &old[i], wanted - drop));
    }
    return OK;
}

static enum fault shrink_available(struct deployment_pass *p, struct object **old, size_t n)
{
    int64_t least = deployment_replicas(p) - deployment_unavailable(p);
    int64_t budget = total_available(p) - least;

    for (size_t i = 0; i < n && budget > 0; i++) {
        int64_t wanted = set_replicas(old[i]), drop = smaller(wanted, budget);

        if (!wanted)
            continue;
        budget -= drop;
        TRY(deployment_scale(p, &old[i], wanted - drop));
    }
    return OK;
}

static enum fault shrink_old(struct deployment_pass *p)
{
    int64_t least = deployment_replicas(p) - deployment_unavailable(p);
    int64_t missing = set_replicas(p->current) - set_status(p->current, "availableReplicas");
    int64_t budget = total_wanted(p) - least - missing;
    struct object **old;
    size_t n;

    if (old_wanted(p) == 0 || budget <= 0)
        return OK;
    old = old_sets(p, &n);
    TRY(drop_unhealthy(p, old, n, &budget));
    return shrink_available(p, old, n);
}

static enum fault roll(struct deployment_pass *p)
{
    bool scaled;

    TRY(deployment_find_current(p, true));
    if (!p->current)
        return OK;
    TRY(grow_current(p, &scaled));
    return scaled || p->created ? OK : shrink_old(p);
}

/* ---- recreate ---- */

static enum fault any_old_pod(struct deployment_pass *p, bool *ret_any)
{
    const struct resource *pods = resource_find("", "v1", "pods");
    struct store_page page;

    *ret_any = false;
    TRY(store_list(p->op, p->cluster->store, pods, p->deployment->ns, NULL, NULL, 0, 0, &page));
    for (size_t i = 0; i < page.n; i++) {
        const json_t *pod = object_tree(page.objects[i]), *owner = controller_of(pod);
        const char *uid = owner ? text_at_or(owner, "uid", "") : "";

        for (size_t k = 0; k < p->sets.n; k++)
            if (p->sets.list[k] != p->current && strcmp(p->sets.list[k]->uid, uid) == 0 &&
                !pod_has_ended(pod))
                *ret_any = true;
    }
    return OK;
}

static enum fault recreate(struct deployment_pass *p)
{
    struct object **old;
    bool any, scaled;
    size_t n;

    TRY(deployment_find_current(p, false));
    old = old_sets(p, &n);
    for (size_t i = 0; i < n; i++)
        TRY(deployment_scale(p, &old[i], 0));
    TRY(any_old_pod(p, &any));
    if (n || any) {
        p->again_s = 1; /* the last pod's end changes no ReplicaSet */
        return OK;
    }
    if (!p->current)
        TRY(deployment_find_current(p, true));
    return p->current ? grow_current(p, &scaled) : OK;
}

/* ---- scaling in the midst of a rollout, and paused ones ---- */

static bool was_scaled(const struct deployment_pass *p)
{
    for (size_t i = 0; i < p->sets.n; i++) {
        const char *noted = annotation_of(object_tree(p->sets.list[i]), DESIRED_REPLICAS);

        if (set_replicas(p->sets.list[i]) > 0 && noted &&
            strtoll(noted, NULL, 10) != deployment_replicas(p))
            return true;
    }
    return false;
}

static int64_t rounded_share(int64_t part, int64_t whole, int64_t of)
{
    return whole > 0 ? (2 * part * of + whole) / (2 * whole) : 0;
}

/* What a set of the present size gets (or loses) when the Deployment may have `allowed` in all. */
static int64_t share_of(const struct deployment_pass *p, const struct object *set, int64_t allowed)
{
    const char *noted = annotation_of(object_tree((struct object *)(uintptr_t)set), MAX_REPLICAS);
    int64_t before = noted ? strtoll(noted, NULL, 10) : int_at(p->tree, "status.replicas", 0);

    if (!deployment_replicas(p))
        return -set_replicas(set);
    return rounded_share(set_replicas(set), before, allowed) - set_replicas(set);
}

/* The largest first; of equals the newer when there will be more, the older when fewer. */
static struct object **by_size(const struct deployment_pass *p, bool newer, size_t *ret_n)
{
    struct object **sets = arena_alloc(&p->op->arena, (p->sets.n + 1) * sizeof(struct object *));
    size_t n = 0;

    for (size_t i = 0; i < p->sets.n; i++)
        if (set_replicas(p->sets.list[i]) > 0)
            sets[n++] = p->sets.list[i];
    qsort(sets, n, sizeof(*sets), by_age);
    for (size_t i = 0; newer && i < n / 2; i++) {
        struct object *swapped = sets[i];

        sets[i] = sets[n - 1 - i];
        sets[n - 1 - i] = swapped;
    }
    for (size_t i = 1; i < n; i++) /* few sets; keeps the order of equals */
        for (size_t k = i; k > 0 && set_replicas(sets[k]) > set_replicas(sets[k - 1]); k--) {
            struct object *swapped = sets[k];

            sets[k] = sets[k - 1];
            sets[k - 1] = swapped;
        }
    *ret_n = n;
    return sets;
}

/* Each set's share of what is added or taken away is that of its size; what rounding leaves is the
   largest's. */
static enum fault scale_by_share(struct deployment_pass *p)
{
    int64_t wanted = deployment_replicas(p);
    int64_t allowed = wanted ? wanted + deployment_surge(p) : 0;
    int64_t left = allowed - total_wanted(p);
    bool grows = left > 0;
    size_t n;
    struct object **sets = by_size(p, grows, &n);
    int64_t *next = arena_alloc(&p->op->arena, (n + 1) * sizeof(*next));

    for (size_t i = 0; i < n; i++) {
        int64_t share = left ? share_of(p, sets[i], allowed) : 0;

        if (grows ? share > left : share < left)
            share = left;
        next[i] = set_replicas(sets[i]) + share;
        left -= share;
    }
    if (n)
        next[0] += left;
    for (size_t i = 0; i < n; i++)
        TRY(deployment_scale(p, &sets[i], next[i] < 0 ? 0 : next[i]));
    return OK;
}

static bool is_saturated(const struct deployment_pass *p)
{
    const char *noted =
        p->current ? annotation_of(object_tree(p->current), DESIRED_REPLICAS) : NULL;
    int64_t wanted = deployment_replicas(p);

    return noted && strtoll(noted, NULL, 10) == wanted && set_replicas(p->current) == wanted &&
           set_status(p->current, "availableReplicas") == wanted;
}

static enum fault end_old_sets(struct deployment_pass *p)
{
    size_t n;
    struct object **old = old_sets(p, &n);

    for (size_t i = 0; i < n; i++)
        TRY(deployment_scale(p, &old[i], 0));
    return OK;
}

static enum fault scale_only(struct deployment_pass *p)
{
    struct object *single = NULL;
    size_t active = 0;

    TRY(deployment_find_current(p, false));
    for (size_t i = 0; i < p->sets.n; i++)
        if (set_replicas(p->sets.list[i]) > 0) {
            single = p->sets.list[i];
            active++;
        }
    if (active <= 1) {
        if (!single)
            single = p->current;
        return single ? deployment_scale(p, &single, deployment_replicas(p)) : OK;
    }
    if (is_saturated(p))
        return end_old_sets(p);
    return is_rolling(p) ? scale_by_share(p) : OK;
}

/* ---- one Deployment ---- */

static enum fault look(struct deployment_pass *p)
{
    const struct selector *selector;

    TRY(selector_of(p->op, &p->op->arena, at(p->tree, "spec.selector"), &selector));
    return owned_by(p->op, p->cluster, &deployment_actor, p->deployment, p->deployment->resource,
                    resource_find("apps", "v1", "replicasets"), selector, &p->revision, &p->sets);
}

static enum fault act(struct deployment_pass *p)
{
    if (p->deployment->deleting)
        return deployment_find_current(p, false);
    if (bool_at(p->tree, "spec.paused", false) || was_scaled(p))
        return scale_only(p);
    TRY(is_rolling(p) ? roll(p) : recreate(p));
    if (p->current && set_status(p->current, "availableReplicas") == deployment_replicas(p) &&
        old_wanted(p) == 0)
        TRY(deployment_clean_up(p));
    return OK;
}

static enum fault pass(struct deployment_pass *p)
{
    TRY(look(p));
    TRY(act(p));
    return deployment_write_status(p);
}

static enum fault reconcile(struct op *op, struct cluster *cluster, const char *ns,
                            const char *name, int64_t *ret_again_ms)
{
    struct deployment_pass p = {.op = op, .cluster = cluster};
    enum fault fault;

    p.deployment =
        store_read(op, cluster->store, resource_find("apps", "v1", "deployments"), ns, name);
    if (!p.deployment)
        return OK;
    p.tree = object_tree(p.deployment);
    fault = pass(&p);
    if (p.again_s)
        *ret_again_ms = p.again_s * 1000;
    return settled(op, cluster, p.revision, fault);
}

static const struct rule rules[] = {
    {"apps", "deployments", NULL, NULL},
    {"apps",  "replicasets", NULL, "Deployment"},
    {0     },
};

const struct controller deployment_controller = {
    .name = "deployment",
    .actor = {"system:serviceaccount:kube-system:deployment-controller"},
    .rules = rules,
    .reconcile = reconcile,
};
