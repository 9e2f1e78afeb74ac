/*
 *~ Managed clusters: each a Kubernetes of its own in this process. object/ knows what objects are,
 *~ store/ keeps them, rest/ is the API as functions, controller/ and node/ make it true, network/
 *~ carries it, http/ speaks it. The provisioning API is api/cluster_api.c.
 */
#include "clusters/clusters_service.h"

#include "core/migrate.h"

const struct service clusters_service = {
    .name = "clusters",
    .migrations = clusters_migrations,
    .schema = "clusters",
};
