/* Endpoints: the older list of addresses behind a Service, in subsets of equal ports. */
#include <string.h>

#include "clusters/controller/controllers.h"
#include "clusters/controller/service_ports.h"

#define ADDRESSES_MAX 1000

static const struct actor actor = {
    .name = "system:serviceaccount:kube-system:endpoint-controller",
    .groups = (const char *const[]){"system:serviceaccounts", "system:authenticated", NULL},
    .manager = "kube-controller-manager",
    .trusted = true,
};

static json_t *address_of(struct object *service, const struct backend *b)
{
    const json_t *pod = object_tree(b->pod);
    const char *hostname = pod_hostname(pod, service->name), *node = text_at(pod, "spec.nodeName");
    json_t *address =
        json_pack("{s:s, s:{s:s, s:s, s:s, s:s}}", "ip", text_at(pod, "status.podIP"), "targetRef",
                  "kind", "Pod", "namespace", b->pod->ns, "name", b->pod->name, "uid", b->pod->uid);

    if (node)
        json_object_set_new(address, "nodeName", json_string(node));
    if (hostname)
        json_object_set_new(address, "hostname", json_string(hostname));
    return address;
}

/* The service's ports as this pod has them; NULL: none. */
static json_t *ports_of(const json_t *service, const json_t *pod)
{
    json_t *ports = json_array(), *port;
    size_t i;

    json_array_foreach(at(service, "spec.ports"), i, port)
    {
        int64_t number = target_port(port, pod);
        const char *app = text_at(port, "appProtocol"), *name = text_at(port, "name");
        json_t *one;

        if (number < 0)
            continue;
        one = json_pack("{s:I, s:s}", "port", (json_int_t)number, "protocol",
                        text_at_or(port, "protocol", "TCP"));
        if (name && *name)
            json_object_set_new(one, "name", json_string(name));
        if (app)
            json_object_set_new(one, "appProtocol", json_string(app));
        json_array_append_new(ports, one);
    }
    return ports;
}

/* The subset with these ports (taken), made when there is none yet. */
static json_t *subset_of(json_t *subsets, json_t *ports)
{
    json_t *subset;
    size_t i;

    json_array_foreach(subsets, i, subset)
    {
        json_t *there = json_object_get(subset, "ports");

        if (there ? json_equal(there, ports) : !json_array_size(ports)) {
            json_decref(ports);
            return subset;
        }
    }
    subset = json_object();
    if (json_array_size(ports))
        json_object_set_new(subset, "ports", ports);
    else
        json_decref(ports);
    json_array_append_new(subsets, subset);
    return subset;
}

static json_t *subsets_of(struct object *service, const struct backends *backends)
{
    const json_t *tree = object_tree(service);
    json_t *subsets = json_array();

    for (size_t i = 0; i < backends->n && i < ADDRESSES_MAX; i++) {
        const struct backend *b = &backends->list[i];
        json_t *ports = ports_of(tree, object_tree(b->pod)), *list;

        if ((!json_array_size(ports) && json_array_size(at(tree, "spec.ports"))) ||
            (b->terminating && !b->ready)) {
            json_decref(ports);
            continue;
        }
        list = array_at(subset_of(subsets, ports), b->ready ? "addresses" : "notReadyAddresses");
        json_array_append_new(list, address_of(service, b));
    }
    return subsets;
}

struct wanted {
    json_t *subsets, *labels;
    bool headless;
};

static enum fault fill(struct op *op, json_t *endpoints, void *arg, bool *ret_skip)
{
    const struct wanted *w = arg;
    json_t *before = object_copy(op, endpoints), *labels = json_deep_copy(w->labels);

    if (!labels)
        labels = json_object();
    if (w->headless)
        json_object_set_new(labels, "service.kubernetes.io/headless", json_string(""));
    json_object_set_new(labels, "endpoints.kubernetes.io/managed-by",
                        json_string("endpoint-controller"));
    set_at(endpoints, "metadata.labels", labels);
    if (json_array_size(w->subsets))
        json_object_set(endpoints, "subsets", w->subsets);
    else
        json_object_del(endpoints, "subsets");
    *ret_skip = json_equal(before, endpoints);
    return OK;
}

static void release(void *tree)
{
    json_decref(tree);
}

static enum fault write(struct op *op, struct cluster *cluster, struct object *service,
                        struct wanted *wanted, int64_t *revision)
{
    const struct resource *resource = resource_find("", "v1", "endpoints");
    struct rest r = rest_of(cluster, &actor, resource, service->ns, service->name);
    enum fault fault = rest_modify(op, &r, fill, wanted, NULL);
    json_t *made;
    bool skip;

    if (fault == NOT_FOUND) {
        op_clear_fault(op);
        made = object_new(op, resource, service->ns, service->name);
        TRY(fill(op, made, wanted, &skip));
        r = rest_of(cluster, &actor, resource, service->ns, NULL);
        fault = rest_create(op, &r, made, NULL);
        if (fault == FORBIDDEN) { /* the namespace is ending */
            op_clear_fault(op);
            return OK;
        }
    }
    moved(revision, &r);
    return fault;
}

static enum fault remove_them(struct op *op, struct cluster *cluster, const char *ns,
                              const char *name)
{
    const struct resource *resource = resource_find("", "v1", "endpoints");
    struct object *left = store_read(op, cluster->store, resource, ns, name);
    struct rest r = rest_of(cluster, &actor, resource, ns, name);
    const struct delete_options options = {.grace_s = -1};
    enum fault fault;

    if (!left || !label_of(object_tree(left), "endpoints.kubernetes.io/managed-by"))
        return OK;
    fault = rest_delete(op, &r, &options, NULL, NULL);
    if (fault == NOT_FOUND) {
        op_clear_fault(op);
        return OK;
    }
    TRY(fault);
    return store_wait(op, cluster->store, r.revision);
}

static enum fault reconcile(struct op *op, struct cluster *cluster, const char *ns,
                            const char *name, int64_t *ret_again_ms)
{
    struct object *service =
        store_read(op, cluster->store, resource_find("", "v1", "services"), ns, name);
    struct backends backends;
    struct wanted wanted = {0};
    const json_t *tree;
    int64_t revision = 0;

    (void)ret_again_ms;
    if (!service)
        return remove_them(op, cluster, ns, name);
    tree = object_tree(service);
    if (!json_object_size(at(tree, "spec.selector")))
        return OK; /* somebody else's endpoints */
    TRY(backends_of(op, cluster, service, &backends));
    wanted.subsets = subsets_of(service, &backends);
    arena_defer(&op->arena, release, wanted.subsets);
    wanted.labels = at(tree, "metadata.labels");
    wanted.headless = strcmp(text_at_or(tree, "spec.clusterIP", ""), "None") == 0;
    TRY(write(op, cluster, service, &wanted, &revision));
    return revision ? store_wait(op, cluster->store, revision) : OK;
}

static const struct rule rules[] = {
    {"",      "services", NULL, NULL},
    {"",   "pods", keys_of_services, NULL},
    {"",       "endpoints", NULL, NULL},
    {0},
};

const struct controller endpoints_controller = {
    .name = "endpoints",
    .actor = {"system:serviceaccount:kube-system:endpoint-controller"},
    .rules = rules,
    .reconcile = reconcile,
};
