/*
 * EndpointSlices of Endpoints that somebody wrote by hand, for services without a selector: one for
 * each subset, so that those who read slices alone need not know of Endpoints.
 */
#include <arpa/inet.h>
#include <string.h>

#include "clusters/controller/controllers.h"
#include "clusters/controller/workload.h"

#define MANAGED_BY    "endpointslicemirroring-controller.k8s.io"
#define ADDRESSES_MAX 1000 /* of one subset, as upstream */

static const struct actor actor = {
    .name = "system:serviceaccount:kube-system:endpointslicemirroring-controller",
    .groups = (const char *const[]){"system:serviceaccounts", "system:authenticated", NULL},
    .manager = "kube-controller-manager",
    .trusted = true,
};

struct pass {
    struct op *op;
    struct cluster *cluster;
    struct object *endpoints;
    json_t *wanted; /* [{addressType, ports, endpoints}] */
    struct object **slices;
    size_t n;
    int64_t revision;
};

static const struct resource *slices_resource(void)
{
    return resource_find("discovery.k8s.io", "v1", "endpointslices");
}

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

static void plan_subset(struct pass *p, const json_t *subset, const char *family)
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
    json_array_append_new(p->wanted, json_pack("{s:s, s:o, s:o}", "addressType", family, "ports",
                                               ports_of(subset), "endpoints", endpoints));
}

static void plan(struct pass *p)
{
    json_t *subset;
    size_t i;

    json_array_foreach(json_object_get(object_tree(p->endpoints), "subsets"), i, subset)
    {
        plan_subset(p, subset, "IPv4");
        plan_subset(p, subset, "IPv6");
    }
}

/* Not those of our own controller, of services that choose pods, or of those who say no. */
static bool is_mirrored(struct pass *p)
{
    const json_t *tree = object_tree(p->endpoints);
    const char *skip = label_of(tree, "endpointslice.kubernetes.io/skip-mirror");
    struct object *service =
        store_read(p->op, p->cluster->store, resource_find("", "v1", "services"), p->endpoints->ns,
                   p->endpoints->name);

    return service && !p->endpoints->deleting &&
           !json_object_size(at(object_tree(service), "spec.selector")) &&
           !(skip && strcmp(skip, "true") == 0) &&
           !annotation_of(tree, "control-plane.alpha.kubernetes.io/leader");
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

struct filling {
    const struct pass *p;
    const json_t *wanted;
};

static enum fault fill(struct op *op, json_t *slice, void *arg, bool *ret_skip)
{
    const struct filling *f = arg;
    const json_t *tree = object_tree(f->p->endpoints);
    json_t *before = object_copy(op, slice), *labels = json_deep_copy(at(tree, "metadata.labels"));

    if (!labels)
        labels = json_object();
    json_object_set_new(labels, "endpointslice.kubernetes.io/managed-by", json_string(MANAGED_BY));
    json_object_set_new(labels, "kubernetes.io/service-name", json_string(f->p->endpoints->name));
    set_at(slice, "metadata.labels", labels);
    json_object_set(slice, "endpoints", json_object_get(f->wanted, "endpoints"));
    json_object_set(slice, "ports", json_object_get(f->wanted, "ports"));
    *ret_skip = json_equal(before, slice);
    return OK;
}

/* A slice's family never changes. */
static struct object *take_slice(struct pass *p, const json_t *wanted)
{
    for (size_t i = 0; i < p->n; i++) {
        struct object *slice = p->slices[i];

        if (slice && strcmp(text_at_or(object_tree(slice), "addressType", ""),
                            text_at_or(wanted, "addressType", "-")) == 0) {
            p->slices[i] = NULL;
            return slice;
        }
    }
    return NULL;
}

static enum fault write_slice(struct pass *p, const json_t *wanted)
{
    struct object *there = take_slice(p, wanted);
    struct filling f = {p, wanted};
    struct rest r = rest_of(p->cluster, &actor, slices_resource(), p->endpoints->ns,
                            there ? there->name : NULL);
    enum fault fault;
    json_t *made;
    bool skip;

    if (there) {
        fault = rest_modify(p->op, &r, fill, &f, NULL);
    } else {
        made = object_new(p->op, slices_resource(), p->endpoints->ns, NULL);
        json_object_set_new(object_at(made, "metadata"), "generateName",
                            json_string(arena_printf(&p->op->arena, "%s-", p->endpoints->name)));
        json_object_set(made, "addressType", json_object_get(wanted, "addressType"));
        json_array_append_new(array_at(made, "metadata.ownerReferences"),
                              owner_reference(object_tree(p->endpoints), p->endpoints->resource));
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

static void release(void *tree)
{
    json_decref(tree);
}

static enum fault make_so(struct pass *p)
{
    json_t *wanted;
    size_t i;

    json_array_foreach(p->wanted, i, wanted)
    {
        TRY(write_slice(p, wanted));
    }
    for (i = 0; i < p->n; i++)
        if (p->slices[i])
            TRY(drop(p, p->slices[i]));
    return OK;
}

static enum fault reconcile(struct op *op, struct cluster *cluster, const char *ns,
                            const char *name, int64_t *ret_again_ms)
{
    struct pass p = {.op = op, .cluster = cluster, .wanted = json_array()};

    (void)ret_again_ms;
    arena_defer(&op->arena, release, p.wanted);
    p.endpoints = store_read(op, cluster->store, resource_find("", "v1", "endpoints"), ns, name);
    TRY(find_slices(&p, ns, name));
    if (p.endpoints && is_mirrored(&p))
        plan(&p);
    return settled(op, cluster, p.revision, make_so(&p));
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
