/*
 *~ Managed clusters: each a Kubernetes of its own in this process. object/ knows what objects are,
 *~ store/ keeps them, rest/ is the API as functions, controller/ and node/ make it true, network/
 *~ carries it, http/ speaks it. The provisioning API is api/cluster_api.c.
 */
#include "clusters/clusters_service.h"

#include "clusters/managed_cluster.h"
#include "clusters/network/cluster_network.h"
#include "core/migrate.h"

static void prepare(void)
{
    cluster_networks_register();
}

const struct service clusters_service = {
    .name = "clusters",
    .migrations = clusters_migrations,
    .schema = "clusters",
    .prepare = prepare,
    .start = managed_clusters_start,
    .stop = managed_clusters_stop,
    .metrics = managed_clusters_metrics,
};
