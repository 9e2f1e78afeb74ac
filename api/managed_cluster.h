/*
 * The management face of Kubernetes clusters (Microsoft.ContainerService): what its files share.
 * Rows and rules are clusters/managed_cluster.h's; here are JSON, ids and answers.
 */
#ifndef SUNDOG_API_MANAGED_CLUSTER_H
#define SUNDOG_API_MANAGED_CLUSTER_H

#include "api/provider.h"
#include "api/shape.h"
#include "clusters/managed_cluster.h"

#define AKS_NAMESPACE "Microsoft.ContainerService"
#define AKS_TYPE      AKS_NAMESPACE "/managedClusters"
#define AKS_POOL_TYPE AKS_TYPE "/agentPools"
#define AKS_VERSION   "1.33.5" /* what clusters run; "1.33" means it, too */
#define AKS_MINOR     "1.33"

#define AKS_PARK_MS 2000

#define AKS_POOL_BYTES    ((size_t)64 << 10) /* of properties as JSON */
#define AKS_CLUSTER_BYTES ((size_t)256 << 10)

extern const struct provider container_service_provider;
extern const struct service container_service_service;

/* ---- managed_cluster_shape.c ---- */

extern const struct shape managed_cluster_shape[]; /* {"properties", "sku", "identity", …} */
extern const struct shape agent_pool_shape[];      /* {"properties"} */

/* ---- managed_cluster_json.c ---- */

struct managed_cluster_body {
    const char *location, *tags, *sku; /* sku: JSON */
    json_t *full;                      /* properties with secrets and defaults, without pools */
    struct pool_wish *pools;           /* NULL: the body has none */
    size_t n_pools;
    const char *dns_prefix;
    bool system_identity;
};
/* All that can be checked without rows. before: properties that this replaces, NULL: none. Sets
   x-sundog-ignored. */
enum fault managed_cluster_body_read(struct call *c, const json_t *before,
                                     struct managed_cluster_body *ret);
/* One pool's properties; name: its name. first: a cluster's first pool is a System one unless it
   says otherwise. */
enum fault agent_pool_body_read(struct call *c, const json_t *properties, const char *name,
                                const char *path, bool first, struct pool_wish *ret);
/* "properties" as shown. */
enum fault managed_cluster_properties(struct op *op, const struct managed_cluster *m, json_t **ret);
/* A pool's properties as shown; profile: as a member of agentPoolProfiles, with its name. */
enum fault agent_pool_properties(struct op *op, const struct agent_pool *pool, bool profile,
                                 json_t **ret);

/* ---- managed_cluster_check.c: what must fit together ---- */

enum fault managed_cluster_check(struct op *op, const char *name, const json_t *properties,
                                 const json_t *before);
enum fault agent_pool_check(struct op *op, const char *name, const char *path,
                            const json_t *properties);
/* So many pools and nodes fit into a cluster of these properties. */
enum fault managed_cluster_size_check(struct op *op, const json_t *properties, size_t pools,
                                      int64_t nodes);
/* What is kept of a cluster's or a pool's properties is read with every look at it. */
enum fault properties_size_check(struct op *op, const char *path, const char *document, size_t max);
/* A cluster keeps at least one System pool with a node. */
enum fault agent_pools_check(struct op *op, const struct pool_wish *pools, size_t n);

/* ---- shared by the handlers ---- */

/* The cluster a route is about, also when the id is of something below it. */
enum fault managed_cluster_of_call(struct call *c, struct managed_cluster *ret);
/* It goes on without the request: an operation, and the headers that lead to it. */
enum fault managed_cluster_follow(struct call *c, const struct cluster_written *written,
                                  const char *location, int headers);

/* ---- handlers ---- */

/* managed_cluster_action.c */
enum fault managed_cluster_start_api(struct call *c);
enum fault managed_cluster_stop_api(struct call *c);
enum fault managed_cluster_admin_credential_api(struct call *c);
enum fault managed_cluster_user_credential_api(struct call *c);
enum fault managed_cluster_monitoring_credential_api(struct call *c);
enum fault managed_cluster_access_profile_api(struct call *c);
enum fault managed_cluster_upgrades_api(struct call *c);
enum fault managed_cluster_run_command_api(struct call *c);
enum fault managed_cluster_command_result_api(struct call *c);
enum fault managed_cluster_outbound_api(struct call *c);
enum fault kubernetes_versions_api(struct call *c);
enum fault orchestrators_api(struct call *c);
/* agent_pool_api.c */
enum fault agent_pool_list_api(struct call *c);
enum fault agent_pool_get_api(struct call *c);
enum fault agent_pool_put_api(struct call *c);
enum fault agent_pool_delete_api(struct call *c);
enum fault agent_pool_upgrades_api(struct call *c);
enum fault agent_pool_versions_api(struct call *c);

#endif
