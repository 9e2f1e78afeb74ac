/* As whom somebody asks inside a cluster: what his kubeconfig would make him. */
#ifndef SUNDOG_API_CLUSTER_ACCESS_H
#define SUNDOG_API_CLUSTER_ACCESS_H

#include <jansson.h>

#include "auth/entra.h"

#define AKS_ACTION "Microsoft.ContainerService/managedClusters/"

struct certificate;
struct cluster_access {
    const char *uid;                       /* of the cluster's realm */
    const struct certificate *certificate; /* of its administrator; NULL: as himself */
    const char *missing; /* the action that he lacks to be let in at all; NULL: none */
};
/*
 * Who may listClusterAdminCredential, or listClusterUserCredential of a cluster without Entra ID,
 * is its administrator; on one with it everybody else with the latter is himself, and RBAC decides.
 * id, resource: of the managed cluster, as its GET shows it.
 */
void cluster_access_of(struct op *op, const struct identity *who, const char *id,
                       const json_t *resource, struct cluster_access *ret);

#endif
