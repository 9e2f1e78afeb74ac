/* Nodes of a cluster as a table: Ready, pods, what pods request of what there is. */
#ifndef SUNDOG_WEB_CLUSTER_NODES_H
#define SUNDOG_WEB_CLUSTER_NODES_H

#include "web/cluster.h"

enum fault cluster_add_nodes(struct page *p, const struct shown_cluster *cluster);

#endif
