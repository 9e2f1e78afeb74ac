/* The scheduler's view of nodes, and the questions it asks of each (filters) and how it ranks those
   that remain (scores). */
#ifndef SUNDOG_CLUSTERS_CONTROLLER_SCHEDULER_H
#define SUNDOG_CLUSTERS_CONTROLLER_SCHEDULER_H

#include "clusters/controller/workload.h"

struct node_state {
    struct object *node;
    const json_t *tree;
    int64_t cpu_millis, memory, pods, storage; /* allocatable */
    int64_t used_cpu, used_memory, used_pods, used_storage;
    int64_t asked_cpu, asked_memory; /* with defaults for pods that ask for nothing: for scores */
    struct object **list;            /* pods that are there or on their way */
    size_t n;
};
struct cluster_state {
    struct op *op;
    struct cluster *cluster;
    struct node_state *nodes;
    size_t n;
};
/* As the pod sees it: more important ones that wait have the places they were promised. */
enum fault cluster_state_read(struct op *op, struct cluster *cluster, const json_t *pod,
                              struct cluster_state *ret);

/* A pod on a node more; a node without pods, with room for a list of n. */
void node_add(struct cluster_state *state, struct node_state *node, struct object *pod);
void node_clear(struct cluster_state *state, struct node_state *node, size_t n);

struct pod_needs {
    int64_t cpu_millis, memory, storage;
    json_t *others; /* extended resources: {name: quantity}; or NULL */
};
/* Of all containers together, init containers as they run, overhead. */
struct pod_needs pod_needs(struct op *op, const json_t *pod);

/* Why the pod cannot go there, as events say it ("Insufficient cpu"); NULL: it can. */
const char *scheduler_filter(const struct cluster_state *state, const struct node_state *node,
                             const json_t *pod, const struct pod_needs *needs);
int64_t scheduler_score(const struct cluster_state *state, const struct node_state *node,
                        const json_t *pod, const struct pod_needs *needs);

/*
 * When a pod that found no node is looked at once more, though no event brought it back: after as
 * long as it has waited already, five seconds to five minutes (kube-scheduler's
 * podMaxInUnschedulablePodsDuration). What depends on other pods' places and labels, which are no
 * events here, always after five seconds. now: Unix seconds.
 */
int64_t scheduler_retry_ms(const json_t *pod, int64_t now_s);

/* ---- scheduler_preempt.c: ask less important pods to leave a node where pod would then fit ----
 */
enum fault scheduler_preempt(struct cluster_state *state, const struct actor *actor,
                             struct object *pod);

/* ---- scheduler_affinity.c ---- */
bool node_selector_terms_match(struct op *op, const json_t *terms, const json_t *node);
bool tolerates(const json_t *tolerations, const json_t *taint);
/* Required (anti-)affinity between pods, spread constraints; NULL: fine. */
const char *scheduler_filter_pods(const struct cluster_state *state, const struct node_state *node,
                                  const json_t *pod);
int64_t scheduler_score_pods(const struct cluster_state *state, const struct node_state *node,
                             const json_t *pod);

#endif
