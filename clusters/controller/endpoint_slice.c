/* EndpointSlices: the addresses behind a Service, a hundred in each slice, one set of slices for
   each different list of ports. */
#include <string.h>

#include "clusters/controller/controllers.h"
#include "clusters/controller/service_ports.h"
#include "clusters/controller/slice_set.h"

#define MANAGED_BY "endpointslice-controller.k8s.io"
#define SLICE_MAX  100

static const struct actor actor = {
    .name = "system:serviceaccount:kube-system:endpointslice-controller",
    .groups = (const char *const[]){"system:serviceaccounts", "system:authenticated", NULL},
    .manager = "kube-controller-manager",
    .trusted = true,
};

struct pass {
    struct op *op;
    struct object *service;
    const json_t *tree;
    json_t *wanted; /* the set's */
};

/* ---- what should be ---- */

static json_t *endpoint_of(const struct pass *p, const struct backend *b)
{
    const json_t *pod = object_tree(b->pod);
    const char *hostname = pod_hostname(pod, p->service->name);
    const char *node = text_at(pod, "spec.nodeName");
    json_t *endpoint =
        json_pack("{s:[s], s:{s:b, s:b, s:b}, s:{s:s, s:s, s:s, s:s}}", "addresses",
                  text_at(pod, "status.podIP"), "conditions", "ready", b->ready, "serving",
                  b->serving, "terminating", b->terminating, "targetRef", "kind", "Pod",
                  "namespace", b->pod->ns, "name", b->pod->name, "uid", b->pod->uid);

    if (node)
        json_object_set_new(endpoint, "nodeName", json_string(node));
    if (hostname)
        json_object_set_new(endpoint, "hostname", json_string(hostname));
    return endpoint;
}

static json_t *ports_of(const struct pass *p, const json_t *pod)
{
    json_t *ports = json_array(), *port;
    size_t i;

    json_array_foreach(at(p->tree, "spec.ports"), i, port)
    {
        int64_t number = target_port(port, pod);
        const char *app = text_at(port, "appProtocol");
        json_t *one;

        if (number < 0)
            continue;
        one = json_pack("{s:s, s:s, s:I}", "name", text_at_or(port, "name", ""), "protocol",
                        text_at_or(port, "protocol", "TCP"), "port", (json_int_t)number);
        if (app)
            json_object_set_new(one, "appProtocol", json_string(app));
        json_array_append_new(ports, one);
    }
    return ports;
}

/* The endpoints of a slice with these ports (taken) that has room. */
static json_t *slice_for(struct pass *p, json_t *ports)
{
    json_t *slice;
    size_t i;

    json_array_foreach(p->wanted, i, slice)
    {
        json_t *endpoints = json_object_get(slice, "endpoints");

        if (json_equal(json_object_get(slice, "ports"), ports) &&
            json_array_size(endpoints) < SLICE_MAX) {
            json_decref(ports);
            return endpoints;
        }
    }
    slice = json_pack("{s:s, s:o, s:[]}", "addressType", "IPv4", "ports", ports, "endpoints");
    json_array_append_new(p->wanted, slice);
    return json_object_get(slice, "endpoints");
}

static void plan(struct pass *p, const struct backends *backends)
{
    for (size_t i = 0; i < backends->n; i++) {
        const struct backend *b = &backends->list[i];

        json_array_append_new(slice_for(p, ports_of(p, object_tree(b->pod))), endpoint_of(p, b));
    }
    if (!json_array_size(p->wanted)) /* an empty one says that there is nobody */
        slice_for(p, json_array());
}

/* ---- the controller ---- */

static enum fault reconcile(struct op *op, struct cluster *cluster, const char *ns,
                            const char *name, int64_t *ret_again_ms)
{
    struct slice_set set = slice_set_new(op, cluster, &actor, MANAGED_BY, ns, name);
    struct pass p = {.op = op, .wanted = set.wanted};
    struct backends backends;

    (void)ret_again_ms;
    p.service = store_read(op, cluster->store, resource_find("", "v1", "services"), ns, name);
    if (p.service && !p.service->deleting) {
        p.tree = object_tree(p.service);
        if (!json_object_size(at(p.tree, "spec.selector")))
            return OK;
        TRY(backends_of(op, cluster, p.service, &backends));
        plan(&p, &backends);
        set.owner = p.service;
        set.headless = strcmp(text_at_or(p.tree, "spec.clusterIP", ""), "None") == 0;
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
    {"",      "services", NULL, NULL},
    {"",   "pods", keys_of_services, NULL},
    {"discovery.k8s.io",       "endpointslices", keys_of_slice, NULL},
    {0},
};

const struct controller endpoint_slice_controller = {
    .name = "endpointslice",
    .actor = {"system:serviceaccount:kube-system:endpointslice-controller"},
    .rules = rules,
    .reconcile = reconcile,
};
