#include "api/cluster_access.h"

#include <string.h>

#include "auth/role.h"
#include "clusters/cluster.h"
#include "clusters/object/object.h"
#include "core/realm.h"

/* Whom the kubeconfigs of clusters without Entra name (clusters/kubeconfig.c). */
static const char *const masters[] = {"system:masters", NULL};
static const struct certificate administrator = {"masterclient", masters};

void cluster_access_of(struct op *op, const struct identity *who, const char *id,
                       const json_t *resource, struct cluster_access *ret)
{
    static const char admin[] = AKS_ACTION "listClusterAdminCredential/action";
    static const char user[] = AKS_ACTION "listClusterUserCredential/action";
    /* "abcd123400000000abcd1234": twice what its realm is called (managed_cluster_json.c) */
    const char *both = text_at_or(resource, "properties.resourceUID", "");
    bool local = !bool_at(resource, "properties.disableLocalAccounts", false);
    bool entra = bool_at(resource, "properties.aadProfile.managed", false);
    bool is_user = role_allows(op, who, id, user);

    *ret = (struct cluster_access){
        .uid = arena_strndup(&op->arena, both, strnlen(both, CLUSTER_ID_LEN))};
    if (local && ((!entra && is_user) || role_allows(op, who, id, admin)))
        ret->certificate = &administrator;
    else if (!is_user)
        ret->missing = user;
}
