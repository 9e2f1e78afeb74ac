/*
 * Managed clusters and their node pools: rows that requests write and the owner makes true
 * (cluster_reconcile.c). What runs of one is cluster.h's.
 */
#ifndef SUNDOG_CLUSTERS_MANAGED_CLUSTER_H
#define SUNDOG_CLUSTERS_MANAGED_CLUSTER_H

#include <jansson.h>

#include "core/call.h"
#include "core/settings.h"

enum cluster_wanted { CLUSTER_WANT_RUNNING, CLUSTER_WANT_STOPPED, CLUSTER_WANT_DELETED };
enum cluster_power { CLUSTER_IS_RUNNING, CLUSTER_IS_STOPPED };

#define CLUSTER_NODES_MAX 5000 /* of all pools together, as AKS has it */

struct agent_pool {
    int64_t cluster;
    const char *name, *document; /* JSON: properties as written, with defaults */
    int64_t position;
    const char *hash; /* 8 digits in its nodes' names */
    enum cluster_wanted wanted;
    int64_t count;            /* nodes wanted */
    const char *provisioning; /* "Succeeded", "Creating", "Scaling", "Deleting", … */
    enum cluster_power power;
    const char *fault_text; /* of a Failed one; or NULL */
    int64_t generation, observed, version;
};

struct managed_cluster {
    int64_t id;
    const char *key, *scope, *subscription, *resource_group, *location, *name;
    const char *uid; /* 8 hex digits */
    const char *fqdn;
    const char *document; /* JSON: properties without agentPoolProfiles and secrets */
    struct bytes sealed;
    const char *host; /* its owner */
    int64_t epoch;
    enum cluster_wanted wanted;
    int64_t generation, observed;
    const char *provisioning;
    enum cluster_power power;
    const char *fault_code, *fault_text; /* or NULL */
    const char *ca;                      /* PEM */
    struct bytes sealed_keys;
    int64_t api_port, uplink_index;  /* 0, -1: not given yet */
    const char *principal, *kubelet; /* object ids of its identities; or NULL */
    int64_t created_us, version;
    struct agent_pool *pools; /* by position */
    size_t n_pools;
};

/* ---- rows; all are part of the open transaction ---- */

/* What a PUT asks for. */
struct pool_wish {
    const char *name, *document;
    int64_t count;
    bool stopped;
};
struct managed_cluster_wish {
    const char *key, *scope, *subscription, *resource_group, *location, *name;
    const char *dns_prefix;      /* of its FQDN; counts at creation only */
    const char *document, *full; /* full: secrets, sealed */
    const char *principal, *kubelet;
    const struct pool_wish *pools; /* NULL: as they are */
    size_t n_pools;
};
/* What a write led to: which generation to wait for, and whether anything is to be done. */
struct cluster_written {
    int64_t id, generation;
    bool begins, created;
};
/*
 * Make or replace. Pools that the wish leaves out are to be deleted. CONFLICT on
 * "OperationNotAllowed": an operation is under way on it. After the commit: managed_cluster_wake.
 */
enum fault managed_cluster_put(struct op *op, const struct managed_cluster_wish *wish,
                               struct cluster_written *ret);
/* With its pools. NOT_FOUND. */
enum fault managed_cluster_get(struct op *op, const char *key, struct managed_cluster *ret);
enum fault managed_cluster_by_id(struct op *op, int64_t id, struct managed_cluster *ret);
/* Those of these keys that there are, with their pools; sorted by key. */
enum fault managed_cluster_list(struct op *op, const char *const *keys, size_t n_keys,
                                struct managed_cluster **ret, size_t *ret_n);
/* Start, stop, delete. CONFLICT on "OperationNotAllowed". begins false: it is so already. */
enum fault managed_cluster_want(struct op *op, const struct managed_cluster *m,
                                enum cluster_wanted wanted, struct cluster_written *ret);
/* All at or below that key are to be deleted. */
enum fault managed_cluster_want_deleted_below(struct op *op, const char *key);
/* One pool: make or replace; delete. CONFLICT on "OperationNotAllowed". */
enum fault agent_pool_put(struct op *op, const struct managed_cluster *m,
                          const struct pool_wish *wish, struct cluster_written *ret);
enum fault agent_pool_delete(struct op *op, const struct managed_cluster *m, const char *name,
                             struct cluster_written *ret);
/* NULL: none of that name. */
const struct agent_pool *managed_cluster_pool(const struct managed_cluster *m, const char *name);
/* "aks-nodepool1-12345678-vmss00000a", in op's arena. */
const char *agent_pool_node(struct op *op, const struct agent_pool *pool, int64_t ordinal);
/* Why no node can have that label, or taint (value NULL: without one); NULL: it can. */
const char *agent_pool_label_fault(const char *key, const char *value);

/* ---- what the owner makes of it ---- */

void managed_cluster_wake(int64_t id);
enum cluster_goal { CLUSTER_GOAL_SETTLED, CLUSTER_GOAL_GONE };
/* Has it reached what that write asked for? m NULL: it is gone. */
bool managed_cluster_reached(const struct managed_cluster *m, int64_t generation,
                             enum cluster_goal goal);
/* Parks the request until then, or so many ms: core/wait.h. */
enum fault managed_cluster_wait(struct call *c, const struct cluster_written *written,
                                enum cluster_goal goal, int64_t timeout_ms,
                                enum fault (*answer)(struct call *c, bool reached, void *arg),
                                void *arg);

/* ---- credentials ---- */

enum kubeconfig_kind { KUBECONFIG_ADMIN, KUBECONFIG_USER, KUBECONFIG_EXEC };
/* A kubeconfig whose server is as seen by the caller of c (kubeconfig.c says how). CONFLICT: it has
   no port yet. */
enum fault managed_cluster_kubeconfig(struct call *c, const struct managed_cluster *m,
                                      enum kubeconfig_kind kind, const char **ret);

/* "https://localhost:8600": where that server is; NULL: it has no port yet. */
const char *managed_cluster_address(struct call *c, const struct managed_cluster *m);

/* ---- az aks command invoke ---- */

struct cluster_command {
    const char *id;
    int64_t started_us, finished_us; /* 0: it runs */
    int64_t exit_code;
    const char *logs, *reason; /* or NULL */
};
/* CONFLICT: the cluster does not run. UNSUPPORTED: no image for commands is set. context: a ZIP
   file's bytes, may be empty. */
enum fault cluster_command_start(struct op *op, const struct managed_cluster *m,
                                 const char *command, struct bytes context, const char **ret_id);
enum fault cluster_command_get(struct op *op, const struct managed_cluster *m, const char *id,
                               struct cluster_command *ret);

/* ---- life ---- */

/* Whoever keeps more about a cluster than its row (the resource manager). */
struct managed_cluster_listener {
    /* It is gone; within the transaction that deletes its row … */
    enum fault (*removed)(struct op *op, const struct managed_cluster *m);
    void (*after_removal)(struct op *op, const struct managed_cluster *m); /* … and after it */
    void (*changed)(const char *key); /* something shown has changed; key NULL: anything */
};
void managed_cluster_listen(const struct managed_cluster_listener *listener);
/* Why none can run on this machine: UNSUPPORTED; or OK. */
enum fault managed_clusters_supported(struct op *op);
enum fault managed_clusters_start(struct op *op, const struct settings *settings);
void managed_clusters_stop(void);
void managed_clusters_metrics(struct op *op, struct text *out);

#endif
