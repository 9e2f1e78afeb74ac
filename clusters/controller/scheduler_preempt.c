/*
 * Room for a pod that matters more: the node where the fewest and least important pods must go for
 * it is found, and those are asked to leave. The pod is bound when they have gone.
 */
#include <stdlib.h>
#include <string.h>

#include "clusters/controller/scheduler.h"

static int64_t priority_of(const json_t *pod)
{
    return int_at(pod, "spec.priority", 0);
}

/* The most important first; of equals those that were there before. */
static int by_importance(const void *a, const void *b)
{
    const json_t *left = object_tree(*(struct object *const *)a);
    const json_t *right = object_tree(*(struct object *const *)b);
    int64_t difference = priority_of(right) - priority_of(left);

    if (difference)
        return difference < 0 ? -1 : 1;
    return strcmp(text_at_or(left, "status.startTime", ""),
                  text_at_or(right, "status.startTime", ""));
}

struct victims {
    struct node_state *node;
    struct object **list;
    size_t n;
};

/* Who must leave the node; none when that would not help. The node is left as it was. */
static struct victims victims_of(struct cluster_state *state, struct node_state *node,
                                 const json_t *pod, const struct pod_needs *needs)
{
    const struct node_state before = *node;
    struct victims victims = {.node = node};
    struct object **weak;
    size_t n = 0;

    weak = arena_alloc(&state->op->arena, (before.n + 1) * sizeof(*weak));
    victims.list = arena_alloc(&state->op->arena, (before.n + 1) * sizeof(*victims.list));
    node_clear(state, node, before.n);
    for (size_t i = 0; i < before.n; i++) {
        if (priority_of(object_tree(before.list[i])) < priority_of(pod))
            weak[n++] = before.list[i];
        else
            node_add(state, node, before.list[i]);
    }
    if (n && !scheduler_filter(state, node, pod, needs)) {
        qsort(weak, n, sizeof(*weak), by_importance);
        for (size_t i = 0; i < n; i++) { /* those that may stay after all */
            const struct node_state without = *node;

            node_add(state, node, weak[i]);
            if (!scheduler_filter(state, node, pod, needs))
                continue;
            *node = without;
            victims.list[victims.n++] = weak[i];
        }
    }
    *node = before;
    return victims;
}

static bool is_better(const struct victims *a, const struct victims *b)
{
    int64_t left, right;

    if (!b->n)
        return true;
    left = priority_of(object_tree(a->list[0]));
    right = priority_of(object_tree(b->list[0]));
    return left != right ? left < right : a->n < b->n;
}

static enum fault note_disruption(struct op *op, json_t *pod, void *arg, bool *ret_skip)
{
    (void)ret_skip;
    condition_set(op, array_at(pod, "status.conditions"), "DisruptionTarget", "True",
                  "PreemptionByScheduler", arg);
    return OK;
}

static enum fault dismiss(struct cluster_state *state, const struct actor *actor,
                          struct object *victim, struct object *pod, const struct node_state *node)
{
    struct op *op = state->op;
    struct rest r = rest_of(state->cluster, actor, victim->resource, victim->ns, victim->name);
    const struct delete_options options = {.grace_s = -1, .uid = victim->uid};
    char *message = arena_printf(&op->arena, "%s: preempting to accommodate a higher priority pod",
                                 "default-scheduler");
    enum fault fault;

    if (victim->deleting) /* it is going */
        return OK;
    r.subresource = "status";
    fault = rest_modify(op, &r, note_disruption, message, NULL);
    r.subresource = NULL;
    if (fault == OK)
        fault = rest_delete(op, &r, &options, NULL, NULL);
    if (fault == NOT_FOUND || fault == CONFLICT) {
        op_clear_fault(op);
        return OK;
    }
    TRY(fault);
    rest_event(op, state->cluster, actor, victim, "Normal", "Preempted",
               "Preempted by pod %s on node %s", pod->uid, node->node->name);
    return store_wait(op, state->cluster->store, r.revision);
}

static enum fault nominate(struct op *op, json_t *pod, void *arg, bool *ret_skip)
{
    (void)op;
    (void)ret_skip;
    set_at(pod, "status.nominatedNodeName", json_string(arg));
    return OK;
}

/* Somebody is going to make room for it already. */
static bool is_awaited(const struct cluster_state *state, const json_t *pod)
{
    const char *name = text_at_or(pod, "status.nominatedNodeName", "");

    for (size_t i = 0; i < state->n; i++)
        for (size_t k = 0; strcmp(state->nodes[i].node->name, name) == 0 && k < state->nodes[i].n;
             k++)
            if (state->nodes[i].list[k]->deleting &&
                priority_of(object_tree(state->nodes[i].list[k])) < priority_of(pod))
                return true;
    return false;
}

enum fault scheduler_preempt(struct cluster_state *state, const struct actor *actor,
                             struct object *pod)
{
    const json_t *tree = object_tree(pod);
    struct pod_needs needs = pod_needs(state->op, tree);
    struct victims best = {0};
    struct rest r = rest_of(state->cluster, actor, pod->resource, pod->ns, pod->name);
    enum fault fault;

    if (strcmp(text_at_or(tree, "spec.preemptionPolicy", ""), "Never") == 0 ||
        is_awaited(state, tree))
        return OK;
    for (size_t i = 0; i < state->n; i++) {
        struct victims found = victims_of(state, &state->nodes[i], tree, &needs);

        if (found.n && is_better(&found, &best))
            best = found;
    }
    if (!best.n)
        return OK;
    for (size_t i = 0; i < best.n; i++)
        TRY(dismiss(state, actor, best.list[i], pod, best.node));
    r.subresource = "status";
    fault = rest_modify(state->op, &r, nominate,
                        arena_strdup(&state->op->arena, best.node->node->name), NULL);
    if (fault == NOT_FOUND) {
        op_clear_fault(state->op);
        return OK;
    }
    TRY(fault);
    return r.revision ? store_wait(state->op, state->cluster->store, r.revision) : OK;
}
