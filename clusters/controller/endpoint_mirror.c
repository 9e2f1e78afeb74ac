/*
 * EndpointSlices of Endpoints that somebody wrote by hand, for services without a selector: one for
 * each subset, so that those who read slices alone need not know of Endpoints.
 */
#include <arpa/inet.h>
#include <string.h>

#include "clusters/controller/controllers.h"
#include "clusters/controller/slice_set.h"
#include "clusters/controller/workload.h"

#define MANAGED_BY    "endpointslicemirroring-controller.k8s.io"
#define ADDRESSES_MAX 1000 /* of one subset, as upstream */

static const struct actor actor = {
    .name = "system:serviceaccount:kube-system:endpointslicemirroring-controller",
    .groups = (const char *const[]){"system:serviceaccounts", "system:authenticated", NULL},
    .manager = "kube-controller-manager",
    .trusted = true,
};

/* ---- what should be ---- */

static void add_endpoint(json_t *list, const json_t *address, bool ready)
{
    static const char *const copied[] = {"hostname", "nodeName", "targetRef"};
    json_t *endpoint = json_pack("{s:[s], s:{s:b}}", "addresses", text_at_or(address, "ip", ""),
                                 "conditions", "ready", ready);

    for (size_t i = 0; i < ARRAY_LEN(copied); i++)
        if (json_object_get(address, copied[i]))
            json_object_set(endpoint, copied[i], json_object_get(address, copied[i]));
    json_array_append_new(list, endpoint);
}

static const char *family_of(const json_t *address)
{
    unsigned char bytes[16];

    return inet_pton(AF_INET6, text_at_or(address, "ip", ""), bytes) == 1 ? "IPv6" : "IPv4";
}

static json_t *ports_of(const json_t *subset)
{
    json_t *ports = json_array(), *port, *one;
    size_t i;

    json_array_foreach(json_object_get(subset, "ports"), i, port)
    {
        one = json_pack("{s:s, s:s, s:O}", "name", text_at_or(port, "name", ""), "protocol",
                        text_at_or(port, "protocol", "TCP"), "port", json_object_get(port, "port"));
        if (text_at(port, "appProtocol"))
            json_object_set(one, "appProtocol", json_object_get(port, "appProtocol"));
        json_array_append_new(ports, one);
    }
    return ports;
}

static void plan_subset(json_t *wanted, const json_t *subset, const char *family)
{
    static const char *const lists[] = {"addresses", "notReadyAddresses"};
    json_t *endpoints = json_array(), *address;
    size_t i;

    for (size_t k = 0; k < ARRAY_LEN(lists); k++)
        json_array_foreach(json_object_get(subset, lists[k]), i, address)
        {
            if (strcmp(family_of(address), family) == 0 &&
                json_array_size(endpoints) < ADDRESSES_MAX)
                add_endpoint(endpoints, address, k == 0);
        }
    if (!json_array_size(endpoints)) {
        json_decref(endpoints);
        return;
    }
    json_array_append_new(wanted, json_pack("{s:s, s:o, s:o}", "addressType", family, "ports",
                                            ports_of(subset), "endpoints", endpoints));
}

static void plan(json_t *wanted, struct object *endpoints)
{
    json_t *subset;
    size_t i;

    json_array_foreach(json_object_get(object_tree(endpoints), "subsets"), i, subset)
    {
        plan_subset(wanted, subset, "IPv4");
        plan_subset(wanted, subset, "IPv6");
    }
}

/* Not those of our own controller, of services that choose pods, or of those who say no. */
static bool is_mirrored(struct op *op, struct cluster *cluster, struct object *endpoints)
{
    const json_t *tree = object_tree(endpoints);
    const char *skip = label_of(tree, "endpointslice.kubernetes.io/skip-mirror");
    struct object *service = store_read(op, cluster->store, resource_find("", "v1", "services"),
                                        endpoints->ns, endpoints->name);

    return service && !endpoints->deleting &&
           !json_object_size(at(object_tree(service), "spec.selector")) &&
           !(skip && strcmp(skip, "true") == 0) &&
           !annotation_of(tree, "control-plane.alpha.kubernetes.io/leader");
}

/* ---- the controller ---- */

static enum fault reconcile(struct op *op, struct cluster *cluster, const char *ns,
                            const char *name, int64_t *ret_again_ms)
{
    struct slice_set set = slice_set_new(op, cluster, &actor, MANAGED_BY, ns, name);
    struct object *endpoints =
        store_read(op, cluster->store, resource_find("", "v1", "endpoints"), ns, name);

    (void)ret_again_ms;
    if (endpoints && is_mirrored(op, cluster, endpoints)) {
        plan(set.wanted, endpoints);
        set.owner = endpoints;
    }
    return slice_set_apply(&set);
}

/* A slice of ours was changed by somebody. */
static void keys_of_slice(struct cluster *cluster, const struct event *event, struct keys *keys)
{
    (void)cluster;
    slice_set_key(event, MANAGED_BY, keys);
}

static const struct rule rules[] = {
    {"",          "endpoints", NULL, NULL},
    {"",       "services", NULL, NULL},
    {"discovery.k8s.io",           "endpointslices", keys_of_slice, NULL},
    {0},
};

const struct controller endpoint_mirror_controller = {
    .name = "endpointmirror",
    .actor = {"system:serviceaccount:kube-system:endpointslicemirroring-controller"},
    .rules = rules,
    .reconcile = reconcile,
};
