/*
 * Running clusters of this process: a managed cluster's row becomes store, API, network,
 * controllers and node agent, and ends again. Used by cluster_reconcile.c alone; others know
 * cluster_find (cluster.h).
 */
#ifndef SUNDOG_CLUSTERS_CLUSTER_RUN_H
#define SUNDOG_CLUSTERS_CLUSTER_RUN_H

#include "clusters/cluster.h"
#include "clusters/managed_cluster_rows.h"

enum fault cluster_runs_start(struct op *op, const struct settings *settings);
/* Closes all; pods run on. */
void cluster_runs_stop(void);

/* Bring it up. m->api_port and uplink_index are chosen, and written, when there are none yet. */
enum fault cluster_open(struct op *op, struct managed_cluster *m);
/* Nobody uses it when this returns. Its pods run on. */
void cluster_shut(const char *uid);
/* The same, and its pods and network end. Also for one that does not run here. */
enum fault cluster_end(struct op *op, const char *uid);
/* Somebody else owns it now (an epoch has changed): shut it soon. */
bool cluster_is_lost(const char *uid);

/* ---- cluster_command.c ---- */

void cluster_commands_start(void);
void cluster_commands_stop(void);
/* A cluster that was just opened: what is there of commands is finished, or swept away. */
void cluster_commands_look(const char *uid);

/* ---- cluster_admins.c ---- */

/* From the properties of the row: before anybody can ask, and with each change. */
void cluster_admins_read(struct cluster *cluster, const json_t *properties);
/* That, and administrators by groups of the directory are as the row says. */
enum fault cluster_admins_sync(struct op *op, struct cluster *cluster,
                               const struct managed_cluster *m);

/* ---- cluster_pools.c ---- */

/*
 * One step towards the nodes that the pools want: rows, Node objects, drained and deleted ones.
 * *ret_done: all is as wanted and every node is Ready.
 */
enum fault cluster_pools_step(struct op *op, struct cluster *cluster,
                              const struct managed_cluster *m, bool *ret_done);
/* Pools and nodes of one that is stopped or deleted: rows of nodes go. */
enum fault cluster_pools_drop(struct op *op, const struct managed_cluster *m);

#endif
