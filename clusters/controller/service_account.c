/* What every namespace has: the service account "default", and the cluster's authority as the
   config map kube-root-ca.crt. */
#include <string.h>

#include "clusters/controller/controllers.h"
#include "clusters/controller/workload.h"

#define ROOT_CA "kube-root-ca.crt"

static const struct actor account_actor = {
    .name = "system:serviceaccount:kube-system:service-account-controller",
    .groups = (const char *const[]){"system:serviceaccounts", "system:authenticated", NULL},
    .manager = "kube-controller-manager",
    .trusted = true,
};
static const struct actor root_ca_actor = {
    .name = "system:serviceaccount:kube-system:root-ca-cert-publisher",
    .groups = (const char *const[]){"system:serviceaccounts", "system:authenticated", NULL},
    .manager = "kube-controller-manager",
    .trusted = true,
};

/* Make it; somebody may have been faster, or the namespace may just be ending. */
static enum fault create(struct op *op, struct rest *r, json_t *tree, int64_t *revision)
{
    enum fault fault = rest_create(op, r, tree, NULL);

    if (fault == CONFLICT || fault == FORBIDDEN || fault == NOT_FOUND) {
        op_clear_fault(op);
        return OK;
    }
    moved(revision, r);
    return fault;
}

static enum fault give_account(struct op *op, struct cluster *cluster, const char *ns,
                               int64_t *revision)
{
    const struct resource *accounts = resource_find("", "v1", "serviceaccounts");
    struct rest r = rest_of(cluster, &account_actor, accounts, ns, NULL);

    if (store_read(op, cluster->store, accounts, ns, "default"))
        return OK;
    return create(op, &r, object_new(op, accounts, ns, "default"), revision);
}

static void set_data(const struct cluster *cluster, json_t *map)
{
    json_object_set_new(map, "data", json_pack("{s:s}", "ca.crt", cluster->ca_pem));
}

static enum fault repair(struct op *op, json_t *map, void *arg, bool *ret_skip)
{
    const char *now = json_string_value(json_object_get(json_object_get(map, "data"), "ca.crt"));
    const struct cluster *cluster = arg;

    (void)op;
    *ret_skip = now && strcmp(now, cluster->ca_pem) == 0;
    set_data(cluster, map);
    return OK;
}

static enum fault give_root_ca(struct op *op, struct cluster *cluster, const char *ns,
                               int64_t *revision)
{
    const struct resource *maps = resource_find("", "v1", "configmaps");
    struct rest r = rest_of(cluster, &root_ca_actor, maps, ns, NULL);
    json_t *map;
    enum fault fault;

    if (!store_read(op, cluster->store, maps, ns, ROOT_CA)) {
        map = object_new(op, maps, ns, ROOT_CA);
        json_object_set_new(object_at(map, "metadata.annotations"), "kubernetes.io/description",
                            json_string("Contains a CA bundle that can be used to verify the"
                                        " kube-apiserver when using internal endpoints such as the"
                                        " internal service IP or kubernetes.default.svc. No other"
                                        " usage is guaranteed across distributions of Kubernetes"
                                        " clusters."));
        set_data(cluster, map);
        return create(op, &r, map, revision);
    }
    r.name = ROOT_CA;
    fault = rest_modify(op, &r, repair, cluster, NULL);
    if (fault == NOT_FOUND)
        op_clear_fault(op);
    else
        TRY(fault);
    moved(revision, &r);
    return OK;
}

static enum fault reconcile(struct op *op, struct cluster *cluster, const char *ns,
                            const char *name, int64_t *ret_again_ms)
{
    struct object *object =
        store_read(op, cluster->store, resource_find("", "v1", "namespaces"), NULL, name);
    int64_t revision = 0;

    (void)ns;
    (void)ret_again_ms;
    if (!object || object->deleting)
        return OK;
    TRY(give_account(op, cluster, name, &revision));
    TRY(give_root_ca(op, cluster, name, &revision));
    return revision ? store_wait(op, cluster->store, revision) : OK;
}

/* One of the two has changed, or is gone. */
static void keys_of_part(struct cluster *cluster, const struct event *event, struct keys *keys)
{
    const char *name = event->object->name;

    (void)cluster;
    if (strcmp(name, ROOT_CA) == 0 || strcmp(name, "default") == 0)
        keys_add(keys, NULL, event->object->ns);
}

static const struct rule rules[] = {
    {"",                 "namespaces", NULL, NULL},
    {"",              "serviceaccounts", keys_of_part, NULL},
    {"",                  "configmaps", keys_of_part, NULL},
    {0},
};

const struct controller service_account_controller = {
    .name = "serviceaccount",
    .actor = {"system:serviceaccount:kube-system:service-account-controller"},
    .rules = rules,
    .reconcile = reconcile,
};
