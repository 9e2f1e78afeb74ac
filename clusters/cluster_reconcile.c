/*
 *~ The life of a managed cluster, as a table: requests write what is wanted, a pass looks at the
 *row ~ and at what runs here, and does the first of the transitions that fits. Keys are a cluster's
 *id.
 */
#include <stdlib.h>
#include <string.h>

#include "auth/role.h"
#include "clusters/cluster_meters.h"
#include "clusters/cluster_run.h"
#include "clusters/controller/controller.h"
#include "clusters/network/cluster_network.h"
#include "clusters/node/node_agent.h"
#include "core/db.h"
#include "core/hub.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/reconcile.h"
#include "core/wait.h"
#include "instances/address.h"
#include "instances/group.h"
#include "instances/paths.h"

#define THREADS    4
#define NODES_MS   5 /* between two looks at nodes that are not ready yet */
#define LEAVING_MS 250

static const struct managed_cluster_listener *listener;
static struct reconciler *reconciler;

struct pass {
    struct managed_cluster m;
    bool runs; /* here, now */
    int64_t again_ms;
};

/* ---- conditions ---- */

static bool has_news(const struct pass *p)
{
    return p->m.observed != p->m.generation;
}

static bool is_deleted(const struct pass *p)
{
    return p->m.wanted == CLUSTER_WANT_DELETED;
}

static bool is_to_stop(const struct pass *p)
{
    return p->m.wanted == CLUSTER_WANT_STOPPED && (p->runs || has_news(p));
}

static bool is_to_start(const struct pass *p)
{
    return p->m.wanted == CLUSTER_WANT_RUNNING && !p->runs;
}

static bool is_lost(const struct pass *p)
{
    return p->runs && cluster_is_lost(p->m.uid);
}

static bool is_running(const struct pass *p)
{
    return p->m.wanted == CLUSTER_WANT_RUNNING && p->runs;
}

/* ---- steps ---- */

static void again(struct pass *p, int64_t ms)
{
    if (p->again_ms == RECONCILE_DONE || ms < p->again_ms)
        p->again_ms = ms;
}

static enum fault give_up(struct op *op, struct pass *p)
{
    cluster_shut(p->m.uid);
    again(p, 1000);
    (void)op;
    return OK;
}

static enum fault remove_cluster(struct op *op, struct pass *p)
{
    TRY(cluster_end(op, p->m.uid));
    TRY(db_begin(op));
    TRY(cluster_pools_drop(op, &p->m));
    TRY(address_give(op, arena_printf(&op->arena, "c%s", p->m.uid)));
    TRY(address_give(op, arena_printf(&op->arena, "c%s/", p->m.uid))); /* nodes', balancers' */
    if (listener)
        TRY(listener->removed(op, &p->m));
    TRY(managed_cluster_delete_row(op, p->m.id));
    TRY(db_commit(op));
    if (listener)
        listener->after_removal(op, &p->m);
    return OK;
}

static enum fault stop_cluster(struct op *op, struct pass *p)
{
    TRY(cluster_end(op, p->m.uid));
    TRY(db_begin(op));
    for (size_t i = 0; i < p->m.n_pools; i++)
        TRY(agent_pool_settle(op, &p->m.pools[i], NULL));
    TRY(managed_cluster_settle(op, &p->m, CLUSTER_IS_STOPPED, NULL, NULL));
    return db_commit(op);
}

/* What will not become better by trying again. */
static bool is_final(enum fault fault)
{
    return fault == INVALID || fault == UNSUPPORTED;
}

static enum fault start_cluster(struct op *op, struct pass *p)
{
    enum fault fault = cluster_open(op, &p->m);
    const char *message;

    if (fault == OK) {
        again(p, 0);
        return OK;
    }
    if (!is_final(fault) || !has_news(p))
        return fault;
    message = op->message;
    op_clear_fault(op);
    return managed_cluster_settle(op, &p->m, CLUSTER_IS_STOPPED, "CreateClusterFailed", message);
}

/* A deleted pool's row goes once it has no nodes. */
static enum fault drop_pools(struct op *op, struct pass *p)
{
    for (size_t i = 0; i < p->m.n_pools; i++) {
        if (p->m.pools[i].wanted != CLUSTER_WANT_DELETED)
            continue;
        TRY(agent_pool_delete_row(op, &p->m.pools[i]));
    }
    return OK;
}

static enum fault run_pools(struct op *op, struct pass *p)
{
    struct cluster *cluster = cluster_find(p->m.uid);
    bool done = false;
    enum fault fault;

    if (!cluster)
        return OK;
    fault = has_news(p) ? cluster_admins_sync(op, cluster, &p->m) : OK;
    if (fault == OK)
        fault = cluster_pools_step(op, cluster, &p->m, &done);
    cluster_release(cluster);
    TRY(fault);
    if (!done) {
        again(p, p->m.observed == 0 ? NODES_MS : LEAVING_MS);
        return OK;
    }
    TRY(drop_pools(op, p));
    return has_news(p) ? managed_cluster_settle(op, &p->m, CLUSTER_IS_RUNNING, NULL, NULL) : OK;
}

static const struct transition {
    bool (*when)(const struct pass *p);
    enum fault (*step)(struct op *op, struct pass *p);
    const char *why;
} transitions[] = {
    {is_lost,     give_up,        "another process has taken it, or its network died"},
    {is_deleted,  remove_cluster, "everything of it goes, its row last"              },
    {is_to_stop,  stop_cluster,   "pods and network end, its objects stay"           },
    {is_to_start, start_cluster,  "store, network, node agent, controllers, its door"},
    {is_running,  run_pools,      "its nodes become as many as its pools say"        },
};

/* ---- a pass ---- */

static bool runs_here(const char *uid)
{
    struct cluster *cluster = cluster_find(uid);

    if (cluster)
        cluster_release(cluster);
    return cluster != NULL;
}

static const char *wait_key(struct op *op, int64_t id)
{
    return arena_printf(&op->arena, "cluster/%lld", (long long)id);
}

static void told(struct op *op, const struct pass *p, int64_t id)
{
    wait_wake(wait_key(op, id));
    if (listener && listener->changed)
        listener->changed(p ? p->m.key : NULL);
}

static enum fault step(struct op *op, const char *key, int64_t *ret_again_ms)
{
    int64_t id = strtoll(key, NULL, 10);
    struct pass p = {.again_ms = RECONCILE_DONE};
    enum fault fault = managed_cluster_by_id(op, id, &p.m);

    if (fault == NOT_FOUND) {
        op_clear_fault(op);
        told(op, NULL, id);
        return OK;
    }
    TRY(fault);
    if (!managed_cluster_is_ours(&p.m)) {
        told(op, &p, id);
        return OK;
    }
    p.runs = runs_here(p.m.uid);
    fault = OK;
    for (size_t i = 0; i < ARRAY_LEN(transitions); i++)
        if (transitions[i].when(&p)) {
            fault = transitions[i].step(op, &p);
            break;
        }
    if (fault != OK) {
        db_rollback(op);
        log_event(LOG_WARN_, "a step of a managed cluster failed", "cluster=%s reason=%s", p.m.uid,
                  log_quote(&op->arena, op->message ? op->message : ""));
    }
    told(op, &p, id);
    *ret_again_ms = p.again_ms;
    return fault;
}

void managed_cluster_wake(int64_t id)
{
    char key[24];

    snprintf(key, sizeof(key), "%lld", (long long)id);
    reconciler_add(reconciler, key);
}

static void heard(const char *payload)
{
    if (payload)
        reconciler_add(reconciler, payload);
    else if (listener && listener->changed)
        listener->changed(NULL);
}

void managed_cluster_listen(const struct managed_cluster_listener *wanted)
{
    listener = wanted;
}

/* ---- waiting ---- */

struct waiting {
    struct cluster_written written;
    enum cluster_goal goal;
    enum fault (*answer)(struct call *c, bool reached, void *arg);
    void *arg;
};

static bool has_come(struct op *op, void *arg)
{
    const struct waiting *w = arg;
    struct managed_cluster m;
    enum fault fault = managed_cluster_by_id(op, w->written.id, &m);

    if (fault != OK && fault != NOT_FOUND)
        return false;
    return managed_cluster_reached(fault == OK ? &m : NULL, w->written.generation, w->goal);
}

static enum fault answer(struct call *c, bool reached, void *arg)
{
    const struct waiting *w = arg;

    return w->answer(c, reached, w->arg);
}

enum fault managed_cluster_wait(struct call *c, const struct cluster_written *written,
                                enum cluster_goal goal, int64_t timeout_ms,
                                enum fault (*then)(struct call *c, bool reached, void *arg),
                                void *arg)
{
    struct waiting *w = arena_alloc(&c->op.arena, sizeof(*w));
    const struct wait wait = {.key = wait_key(&c->op, written->id),
                              .timeout_ms = timeout_ms,
                              .is_so = has_come,
                              .answer = answer,
                              .arg = w};

    *w = (struct waiting){*written, goal, then, arg};
    managed_cluster_wake(written->id);
    return wait_park(c, &wait);
}

/* ---- start and stop ---- */

enum fault managed_clusters_supported(struct op *op)
{
    return container_groups_supported(op);
}

/* Sandboxes and networks of clusters that are no more, after a crash in the midst of a deletion. */
static void delete_orphans(struct op *op, int64_t *ids, size_t n)
{
    const char **networks;
    size_t n_networks;

    if (cluster_network_list(op, &networks, &n_networks) != OK) {
        op_clear_fault(op);
        return;
    }
    for (size_t i = 0; i < n_networks; i++) {
        bool known = false;

        for (size_t k = 0; k < n; k++) {
            struct managed_cluster m;
            enum fault fault = managed_cluster_by_id(op, ids[k], &m);

            if (fault != OK && fault != NOT_FOUND)
                return; /* who cannot look must not judge */
            known |= fault == OK && strcmp(m.uid, networks[i]) == 0;
            op_clear_fault(op);
        }
        if (!known && cluster_end(op, networks[i]) != OK)
            op_clear_fault(op);
    }
}

enum fault managed_clusters_start(struct op *op, const struct settings *settings)
{
    int64_t *ids;
    size_t n;

    cluster_store_open(data_id(op, settings->data));
    cluster_commands_start();
    cluster_meters_start();
    TRY(cluster_runs_start(op, settings));
    TRY(cluster_networks_start(op, settings));
    stores_start();
    controllers_start();
    node_agents_start();
    hub_listen(CLUSTER_CHANNEL, heard);
    reconciler = reconciler_new("cluster", THREADS, step);
    TRY(managed_cluster_ids(op, &ids, &n));
    if (managed_clusters_supported(op) == OK)
        delete_orphans(op, ids, n);
    op_clear_fault(op);
    for (size_t i = 0; i < n; i++)
        managed_cluster_wake(ids[i]);
    return OK;
}

void managed_clusters_stop(void)
{
    reconciler_free(reconciler);
    reconciler = NULL;
    cluster_meters_stop();
    cluster_commands_stop();
    cluster_runs_stop();
    node_agents_stop();
    controllers_stop();
    stores_stop();
    cluster_networks_stop();
}

void managed_clusters_metrics(struct op *op, struct text *out)
{
    int64_t running = 0, stopped = 0, nodes = 0;

    if (cluster_counts(op, &running, &stopped, &nodes) != OK)
        op_clear_fault(op);
    metric_head(out, "sundog_managed_clusters", "gauge", "managed clusters by power state");
    text_printf(out, "sundog_managed_clusters{power=\"Running\"} %lld\n", (long long)running);
    text_printf(out, "sundog_managed_clusters{power=\"Stopped\"} %lld\n", (long long)stopped);
    metric_head(out, "sundog_cluster_nodes", "gauge", "nodes of managed clusters");
    text_printf(out, "sundog_cluster_nodes %lld\n", (long long)nodes);
    metric_head(out, "sundog_cluster_queue", "gauge", "managed clusters that have a step to do");
    text_printf(out, "sundog_cluster_queue %zu\n", reconciler_depth(reconciler));
    stores_metrics(out);
    controllers_metrics(out);
    node_agents_metrics(out);
}
