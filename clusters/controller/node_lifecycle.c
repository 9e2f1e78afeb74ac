/*
 * Nodes' fates: one whose lease is stale is unknown and tainted; pods that do not tolerate a
 * NoExecute taint (any more) are evicted; pods of nodes that are no more are deleted.
 */
#include <string.h>

#include "clusters/controller/controllers.h"
#include "clusters/controller/scheduler.h"
#include "core/reconcile.h"

#define LEASE_GRACE_S 50 /* upstream's node-monitor-grace-period */
#define LOOK_MS       5000
#define NOT_READY     "node.kubernetes.io/not-ready"
#define UNREACHABLE   "node.kubernetes.io/unreachable"
#define UNSCHEDULABLE "node.kubernetes.io/unschedulable"

static const struct actor actor = {
    .name = "system:serviceaccount:kube-system:node-controller",
    .groups = (const char *const[]){"system:serviceaccounts", "system:authenticated", NULL},
    .manager = "kube-controller-manager",
    .trusted = true,
};

static const struct resource *nodes_resource(void)
{
    return resource_find("", "v1", "nodes");
}

static const struct resource *pods_resource(void)
{
    return resource_find("", "v1", "pods");
}

/* ---- is it alive? ---- */

static bool lease_is_stale(struct op *op, struct cluster *cluster, const struct object *node)
{
    struct object *lease =
        store_read(op, cluster->store, resource_find("coordination.k8s.io", "v1", "leases"),
                   "kube-node-lease", node->name);
    int64_t renewed = lease ? time_parse(text_at_or(object_tree(lease), "spec.renewTime", "")) : -1;
    int64_t born = time_parse(text_at_or(object_tree((struct object *)(uintptr_t)node),
                                         "metadata.creationTimestamp", ""));

    return wall_s() - (renewed > born ? renewed : born) > LEASE_GRACE_S;
}

static enum fault set_unknown(struct op *op, json_t *node, void *arg, bool *ret_skip)
{
    json_t *conditions = array_at(node, "status.conditions"), *condition;
    size_t i;

    (void)arg;
    *ret_skip = strcmp(text_at_or(condition_of(node, "Ready"), "status", ""), "Unknown") == 0;
    json_array_foreach(conditions, i, condition)
    {
        condition_set(op, conditions, text_at_or(condition, "type", ""), "Unknown",
                      "NodeStatusUnknown", "Kubelet stopped posting node status.");
    }
    return OK;
}

/* ---- taints that follow from its state ---- */

struct taints {
    bool not_ready, unreachable, unschedulable;
};

static void set_taint(struct op *op, json_t *taints, const char *key, const char *effect,
                      bool wanted)
{
    bool found = false;

    for (size_t i = json_array_size(taints); i > 0; i--) {
        const json_t *taint = json_array_get(taints, i - 1);

        if (strcmp(text_at_or(taint, "key", ""), key) != 0 ||
            strcmp(text_at_or(taint, "effect", ""), effect) != 0)
            continue;
        found = true;
        if (!wanted)
            json_array_remove(taints, i - 1);
    }
    if (wanted && !found)
        json_array_append_new(taints, strcmp(effect, "NoExecute") == 0
                                          ? json_pack("{s:s, s:s, s:s}", "key", key, "effect",
                                                      effect, "timeAdded", time_text(op, wall_s()))
                                          : json_pack("{s:s, s:s}", "key", key, "effect", effect));
}

/* Tolerations count from then on: who adds a taint need not say when. */
static void stamp_taints(struct op *op, json_t *taints)
{
    json_t *taint;
    size_t i;

    json_array_foreach(taints, i, taint)
    {
        if (strcmp(text_at_or(taint, "effect", ""), "NoExecute") == 0 &&
            !text_at(taint, "timeAdded"))
            json_object_set_new(taint, "timeAdded", json_string(time_text(op, wall_s())));
    }
}

static enum fault set_taints(struct op *op, json_t *node, void *arg, bool *ret_skip)
{
    const struct taints *wanted = arg;
    json_t *before = json_deep_copy(at(node, "spec.taints")),
           *taints = array_at(node, "spec.taints");

    set_taint(op, taints, NOT_READY, "NoSchedule", wanted->not_ready);
    set_taint(op, taints, NOT_READY, "NoExecute", wanted->not_ready);
    set_taint(op, taints, UNREACHABLE, "NoSchedule", wanted->unreachable);
    set_taint(op, taints, UNREACHABLE, "NoExecute", wanted->unreachable);
    set_taint(op, taints, UNSCHEDULABLE, "NoSchedule", wanted->unschedulable);
    stamp_taints(op, taints);
    *ret_skip = before ? json_equal(before, taints) : !json_array_size(taints);
    if (!json_array_size(taints))
        set_at(node, "spec.taints", NULL);
    json_decref(before);
    return OK;
}

static enum fault reconcile(struct op *op, struct cluster *cluster, const char *ns,
                            const char *name, int64_t *ret_again_ms)
{
    struct object *node = store_read(op, cluster->store, nodes_resource(), NULL, name), *now = NULL;
    struct rest r = rest_of(cluster, &actor, nodes_resource(), "", name);
    struct taints taints = {0};
    enum fault fault;
    const char *ready;
    int64_t revision = 0;

    (void)ns;
    if (!node)
        return OK;
    *ret_again_ms = LOOK_MS;
    if (lease_is_stale(op, cluster, node)) {
        r.subresource = "status";
        TRY(rest_modify(op, &r, set_unknown, NULL, &now));
        moved(&revision, &r);
        r.subresource = NULL;
        node = now ? now : node;
    }
    ready = text_at_or(condition_of(object_tree(node), "Ready"), "status", "False");
    taints.not_ready = strcmp(ready, "False") == 0;
    taints.unreachable = strcmp(ready, "Unknown") == 0;
    taints.unschedulable = bool_at(object_tree(node), "spec.unschedulable", false);
    fault = rest_modify(op, &r, set_taints, &taints, NULL);
    if (fault == NOT_FOUND) { /* deleted meanwhile */
        op_clear_fault(op);
        *ret_again_ms = RECONCILE_DONE;
        return OK;
    }
    TRY(fault);
    moved(&revision, &r);
    return revision ? store_wait(op, cluster->store, revision) : OK;
}

static const struct rule rules[] = {
    {"",    "nodes", NULL, NULL},
    {0}
};

const struct controller node_lifecycle_controller = {
    .name = "nodelifecycle",
    .actor = {"system:serviceaccount:kube-system:node-controller"},
    .rules = rules,
    .reconcile = reconcile,
};

/* ---- pods on such nodes ---- */

/* Seconds for which all NoExecute taints are tolerated; -1: for ever; 0: not at all. */
static int64_t tolerated_s(struct op *op, const json_t *node, const json_t *pod,
                           int64_t *ret_since_s)
{
    json_t *taint, *toleration;
    int64_t least = -1;
    size_t i, k;

    (void)op;
    *ret_since_s = 0;
    json_array_foreach(at(node, "spec.taints"), i, taint)
    {
        int64_t longest = -2, added = time_parse(text_at_or(taint, "timeAdded", ""));

        if (strcmp(text_at_or(taint, "effect", ""), "NoExecute") != 0)
            continue;
        json_array_foreach(at(pod, "spec.tolerations"), k, toleration)
        {
            json_t *one = json_pack("[O]", toleration);
            bool fits = tolerates(one, taint);
            int64_t s = int_at(toleration, "tolerationSeconds", -1);

            json_decref(one);
            if (fits && (longest == -2 || (longest >= 0 && s >= 0 && s < longest) ||
                         (longest == -1 && s >= 0)))
                longest = s < 0 ? -1 : s;
        }
        if (longest == -2)
            return 0;
        if (longest >= 0 && (least < 0 || longest < least)) {
            least = longest;
            *ret_since_s = added > 0 ? added : wall_s();
        }
    }
    return least;
}

static enum fault evict(struct op *op, struct cluster *cluster, struct object *pod, bool at_once)
{
    struct rest r = rest_of(cluster, &actor, pods_resource(), pod->ns, pod->name);
    const struct delete_options options = {.grace_s = at_once ? 0 : -1, .uid = pod->uid};
    enum fault fault = rest_delete(op, &r, &options, NULL, NULL);

    if (fault == NOT_FOUND || fault == CONFLICT) {
        op_clear_fault(op);
        return OK;
    }
    TRY(fault);
    if (!at_once)
        rest_event(op, cluster, &actor, pod, "Normal", "TaintManagerEviction",
                   "Marking for deletion Pod %s/%s", pod->ns, pod->name);
    return store_wait(op, cluster->store, r.revision);
}

static enum fault reconcile_pod(struct op *op, struct cluster *cluster, const char *ns,
                                const char *name, int64_t *ret_again_ms)
{
    struct object *pod = store_read(op, cluster->store, pods_resource(), ns, name), *node;
    const char *node_name = pod ? text_at(object_tree(pod), "spec.nodeName") : NULL;
    int64_t tolerated, since, left;

    if (!node_name)
        return OK;
    node = store_read(op, cluster->store, nodes_resource(), NULL, node_name);
    if (!node) /* its node is no more */
        return evict(op, cluster, pod, true);
    if (pod->deleting || pod_has_ended(object_tree(pod)))
        return OK;
    tolerated = tolerated_s(op, object_tree(node), object_tree(pod), &since);
    if (tolerated < 0)
        return OK;
    left = tolerated ? since + tolerated - wall_s() : 0;
    if (left > 0) {
        *ret_again_ms = left * 1000;
        return OK;
    }
    return evict(op, cluster, pod, false);
}

static bool same_taints(const struct event *event)
{
    return event->kind == EVENT_MODIFIED && event->previous &&
           json_equal(json_object_get(object_tree(event->object), "spec"),
                      json_object_get(object_tree(event->previous), "spec"));
}

static void keys_of_node(struct cluster *cluster, const struct event *event, struct keys *keys)
{
    struct store_page page;
    struct op op;

    if (same_taints(event))
        return;
    op_init(&op);
    if (store_list(&op, cluster->store, pods_resource(), NULL, NULL, NULL, 0, 0, &page) == OK)
        for (size_t i = 0; i < page.n; i++)
            if (strcmp(text_at_or(object_tree(page.objects[i]), "spec.nodeName", ""),
                       event->object->name) == 0)
                keys_add(keys, page.objects[i]->ns, page.objects[i]->name);
    op_free(&op);
}

/* Bound just now, or its tolerations have changed. */
static void keys_of_pod(struct cluster *cluster, const struct event *event, struct keys *keys)
{
    (void)cluster;
    if (event->kind != EVENT_DELETED && !same_taints(event))
        keys_add(keys, event->object->ns, event->object->name);
}

static const struct rule pod_rules[] = {
    {"",           "pods", keys_of_pod, NULL},
    {"", "nodes", keys_of_node, NULL},
    {0           },
};

const struct controller taint_controller = {
    .name = "taint",
    .actor = {"system:serviceaccount:kube-system:node-controller"},
    .rules = pod_rules,
    .reconcile = reconcile_pod,
};
