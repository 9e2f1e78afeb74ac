/*
 * Who administers a cluster. aadProfile.adminGroupObjectIDs: groups of the directory that may do
 * everything, by the binding that AKS makes for them. disableLocalAccounts: certificates of
 * kubeconfigs are refused while it is so.
 */
#include <string.h>

#include "clusters/cluster_run.h"
#include "clusters/rest/rest.h"
#include "core/json.h"

#define BINDING "aks-cluster-admin-binding-aad"

static const struct actor admins_actor = {
    .name = "aksService",
    .groups = (const char *const[]){"system:masters", "system:authenticated", NULL},
    .manager = "aks",
    .trusted = true,
};

static json_t *subjects_of(const json_t *ids)
{
    json_t *subjects = json_array(), *id;
    size_t i;

    json_array_foreach(ids, i, id)
    {
        json_array_append_new(subjects,
                              json_pack("{s:s, s:s, s:O}", "apiGroup", "rbac.authorization.k8s.io",
                                        "kind", "Group", "name", id));
    }
    return subjects;
}

static enum fault change(struct op *op, json_t *tree, void *arg, bool *ret_skip)
{
    json_t *subjects = subjects_of(arg);

    (void)op;
    *ret_skip = json_equal(subjects, at(tree, "subjects"));
    json_object_set_new(tree, "subjects", subjects);
    return OK;
}

static enum fault make(struct op *op, struct rest *r, const json_t *ids)
{
    json_t *tree = object_new(op, r->resource, NULL, BINDING);

    r->name = NULL;
    json_object_set_new(tree, "roleRef",
                        json_pack("{s:s, s:s, s:s}", "apiGroup", "rbac.authorization.k8s.io",
                                  "kind", "ClusterRole", "name", "cluster-admin"));
    json_object_set_new(tree, "subjects", subjects_of(ids));
    return rest_create(op, r, tree, NULL);
}

void cluster_admins_read(struct cluster *cluster, const json_t *properties)
{
    atomic_store(&cluster->no_local_accounts, bool_at(properties, "disableLocalAccounts", false));
}

enum fault cluster_admins_sync(struct op *op, struct cluster *cluster,
                               const struct managed_cluster *m)
{
    struct rest r = rest_of(cluster, &admins_actor,
                            resource_find("rbac.authorization.k8s.io", "v1", "clusterrolebindings"),
                            NULL, BINDING);
    json_t *document = json_loads(m->document, 0, NULL);
    json_t *ids = at(document, "aadProfile.adminGroupObjectIDs");
    enum fault fault;

    cluster_admins_read(cluster, document);
    fault = rest_modify(op, &r, change, ids, NULL);
    if (fault == NOT_FOUND) {
        op_clear_fault(op);
        fault = json_array_size(ids) ? make(op, &r, ids) : OK;
    }
    json_decref(document);
    TRY(fault);
    return r.revision ? store_wait(op, cluster->store, r.revision) : OK;
}
