/* What the console shows of a cluster and the resource manager's JSON does not have. */
#ifndef SUNDOG_API_MANAGED_CLUSTER_ADDRESS_H
#define SUNDOG_API_MANAGED_CLUSTER_ADDRESS_H

#include "core/call.h"

/* Where the API server of the cluster of that id is for the caller of c, who may read it, as its
   kubeconfigs say; NULL: it has no port yet. NOT_FOUND. */
enum fault managed_cluster_address_of(struct call *c, const char *id, const char **ret);

#endif
