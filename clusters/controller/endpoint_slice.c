/* EndpointSlices: the addresses behind a Service, a hundred in each slice, one set of slices for
   each different list of ports. */
#include <string.h>

#include "clusters/controller/controllers.h"
#include "clusters/controller/service_ports.h"

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
    struct cluster *cluster;
    struct object *service;
    const json_t *tree;
    json_t *wanted;         /* [{ports, endpoints}] */
    struct object **slices; /* ours, that there are */
    size_t n;
    int64_t revision;
};

static const struct resource *slices_resource(void)
{
    return resource_find("discovery.k8s.io", "v1", "endpointslices");
}

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
    slice = json_pack("{s:o, s:[]}", "ports", ports, "endpoints");
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

/* ---- what there is ---- */

static bool is_of(struct object *slice, const char *service)
{
    const char *name = label_of(object_tree(slice), "kubernetes.io/service-name");
    const char *by = label_of(object_tree(slice), "endpointslice.kubernetes.io/managed-by");

    return name && by && strcmp(name, service) == 0 && strcmp(by, MANAGED_BY) == 0;
}

static enum fault find_slices(struct pass *p, const char *ns, const char *service)
{
    struct store_page page;

    TRY(store_list(p->op, p->cluster->store, slices_resource(), ns, NULL, NULL, 0, 0, &page));
    p->slices = arena_alloc(&p->op->arena, (page.n + 1) * sizeof(struct object *));
    for (size_t i = 0; i < page.n; i++)
        if (!page.objects[i]->deleting && is_of(page.objects[i], service))
            p->slices[p->n++] = page.objects[i];
    return OK;
}

/* ---- making it so ---- */

static enum fault drop(struct pass *p, const struct object *slice)
{
    struct rest r = rest_of(p->cluster, &actor, slices_resource(), slice->ns, slice->name);
    const struct delete_options options = {.grace_s = -1};
    enum fault fault = rest_delete(p->op, &r, &options, NULL, NULL);

    if (fault == NOT_FOUND) {
        op_clear_fault(p->op);
        return OK;
    }
    moved(&p->revision, &r);
    return fault;
}

static json_t *labels_of(const struct pass *p)
{
    json_t *labels = json_deep_copy(at(p->tree, "metadata.labels"));

    if (!labels)
        labels = json_object();
    if (strcmp(text_at_or(p->tree, "spec.clusterIP", ""), "None") == 0)
        json_object_set_new(labels, "service.kubernetes.io/headless", json_string(""));
    json_object_set_new(labels, "endpointslice.kubernetes.io/managed-by", json_string(MANAGED_BY));
    json_object_set_new(labels, "kubernetes.io/service-name", json_string(p->service->name));
    return labels;
}

struct filling {
    const struct pass *p;
    const json_t *wanted;
};

static enum fault fill(struct op *op, json_t *slice, void *arg, bool *ret_skip)
{
    const struct filling *f = arg;
    json_t *before = object_copy(op, slice);

    set_at(slice, "metadata.labels", labels_of(f->p));
    json_object_set(slice, "endpoints", json_object_get(f->wanted, "endpoints"));
    json_object_set(slice, "ports", json_object_get(f->wanted, "ports"));
    *ret_skip = json_equal(before, slice);
    return OK;
}

static enum fault write_slice(struct pass *p, struct object *there, const json_t *wanted)
{
    struct filling f = {p, wanted};
    struct rest r =
        rest_of(p->cluster, &actor, slices_resource(), p->service->ns, there ? there->name : NULL);
    json_t *made;
    enum fault fault;
    bool skip;

    if (there) {
        fault = rest_modify(p->op, &r, fill, &f, NULL);
    } else {
        made = object_new(p->op, slices_resource(), p->service->ns, NULL);
        json_object_set_new(object_at(made, "metadata"), "generateName",
                            json_string(arena_printf(&p->op->arena, "%s-", p->service->name)));
        json_object_set_new(made, "addressType", json_string("IPv4"));
        json_array_append_new(array_at(made, "metadata.ownerReferences"),
                              owner_reference(p->tree, p->service->resource));
        TRY(fill(p->op, made, &f, &skip));
        fault = rest_create(p->op, &r, made, NULL);
    }
    if (fault == NOT_FOUND || fault == FORBIDDEN) { /* gone, or the namespace is ending */
        op_clear_fault(p->op);
        return OK;
    }
    moved(&p->revision, &r);
    return fault;
}

/* Keeps each slice with the ports it has, so that little changes. */
static struct object *take_slice(struct pass *p, const json_t *wanted)
{
    for (size_t i = 0; i < p->n; i++) {
        struct object *slice = p->slices[i];

        if (slice && json_equal(json_object_get(object_tree(slice), "ports"),
                                json_object_get(wanted, "ports"))) {
            p->slices[i] = NULL;
            return slice;
        }
    }
    for (size_t i = 0; i < p->n; i++) {
        struct object *slice = p->slices[i];

        p->slices[i] = NULL;
        if (slice)
            return slice;
    }
    return NULL;
}

static void release(void *tree)
{
    json_decref(tree);
}

static enum fault reconcile(struct op *op, struct cluster *cluster, const char *ns,
                            const char *name, int64_t *ret_again_ms)
{
    struct pass p = {.op = op, .cluster = cluster, .wanted = json_array()};
    struct backends backends;
    json_t *wanted;
    size_t i;

    (void)ret_again_ms;
    arena_defer(&op->arena, release, p.wanted);
    p.service = store_read(op, cluster->store, resource_find("", "v1", "services"), ns, name);
    TRY(find_slices(&p, ns, name));
    if (p.service && !p.service->deleting) {
        p.tree = object_tree(p.service);
        if (!json_object_size(at(p.tree, "spec.selector")))
            return OK;
        TRY(backends_of(op, cluster, p.service, &backends));
        plan(&p, &backends);
    }
    json_array_foreach(p.wanted, i, wanted)
    {
        TRY(write_slice(&p, take_slice(&p, wanted), wanted));
    }
    for (i = 0; i < p.n; i++)
        if (p.slices[i])
            TRY(drop(&p, p.slices[i]));
    return p.revision ? store_wait(op, cluster->store, p.revision) : OK;
}

/* A slice of ours was changed by somebody. */
static void keys_of_slice(struct cluster *cluster, const struct event *event, struct keys *keys)
{
    const char *name = label_of(object_tree(event->object), "kubernetes.io/service-name");

    (void)cluster;
    if (name && is_of(event->object, name))
        keys_add(keys, event->object->ns, name);
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
