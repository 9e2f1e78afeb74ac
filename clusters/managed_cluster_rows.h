/* Rows of managed clusters, as the owner reads and writes them (managed_cluster_store.c). */
#ifndef SUNDOG_CLUSTERS_MANAGED_CLUSTER_ROWS_H
#define SUNDOG_CLUSTERS_MANAGED_CLUSTER_ROWS_H

#include "clusters/managed_cluster.h"

#define CLUSTER_CHANNEL "clusters" /* NOTIFY: a cluster's id */

/* A node that there is or shall be. */
struct cluster_node {
    const char *pool;
    int64_t ordinal;
    bool leaving;
    int64_t leaving_us; /* since when; 0: not yet */
    int64_t pod_index, uplink_index;
};

void cluster_store_open(const char *host);
const char *cluster_host(void);
bool managed_cluster_is_ours(const struct managed_cluster *m);
/* Ids of those of this host. */
enum fault managed_cluster_ids(struct op *op, int64_t **ret, size_t *ret_n);
/* The keys as text (cluster_keys.h). */
enum fault managed_cluster_unseal_keys(struct op *op, const struct managed_cluster *m,
                                       const char **ret);
/* This process takes it: a new epoch. */
enum fault managed_cluster_take(struct op *op, int64_t id, int64_t *ret_epoch);
enum fault managed_cluster_set_places(struct op *op, int64_t id, int64_t api_port,
                                      int64_t uplink_index);
/* Ports of this host that clusters have. */
enum fault managed_cluster_ports(struct op *op, int64_t **ret, size_t *ret_n);
/* Generation m->generation is reached, or has failed (code not NULL). */
enum fault managed_cluster_settle(struct op *op, const struct managed_cluster *m,
                                  enum cluster_power power, const char *code, const char *text);
enum fault managed_cluster_delete_row(struct op *op, int64_t id);
enum fault agent_pool_settle(struct op *op, const struct agent_pool *pool, const char *fault_text);
enum fault agent_pool_delete_row(struct op *op, const struct agent_pool *pool);

enum fault cluster_nodes(struct op *op, int64_t cluster, struct cluster_node **ret, size_t *ret_n);
/* Its pod_index is the first of so many that is free; *ret_added false: none is. */
enum fault cluster_node_add(struct op *op, int64_t cluster, const char *pool, int64_t ordinal,
                            int64_t uplink_index, int64_t pod_ranges, bool *ret_added);
enum fault cluster_node_leave(struct op *op, int64_t cluster, const struct cluster_node *node);
enum fault cluster_node_delete(struct op *op, int64_t cluster, const struct cluster_node *node);
enum fault cluster_counts(struct op *op, int64_t *ret_running, int64_t *ret_stopped,
                          int64_t *ret_nodes);

#endif
