/* Nodes of a cluster as the agent keeps them: their objects, leases and heartbeats. */
#ifndef SUNDOG_CLUSTERS_NODE_NODE_STATUS_H
#define SUNDOG_CLUSTERS_NODE_NODE_STATUS_H

#include "clusters/node/node_agent.h"

struct nodes;
struct nodes *nodes_new(void);
void nodes_free(struct nodes *nodes);
/* NULL: none of that name. Lives until the nodes are freed. */
const struct node_spec *nodes_find(struct nodes *nodes, const char *name);
/* Make Node objects and leases that are missing, bring those that differ up to date. *ret_changed:
   there is a new one. */
enum fault nodes_set(struct op *op, struct cluster *cluster, struct nodes *nodes,
                     const struct node_spec *specs, size_t n, bool *ret_changed);
void nodes_remove(struct nodes *nodes, const char *name);

/* The heartbeat of all clusters. */
void nodes_start(void);
void nodes_stop(void);

#endif
