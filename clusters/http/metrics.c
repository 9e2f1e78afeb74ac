/* metrics.k8s.io: what pods and nodes use, asked of the kernel when a client asks. */
#include <string.h>

#include "clusters/http/kubernetes.h"
#include "clusters/node/node_agent.h"

static json_t *metrics_of(struct op *op, struct object *about, const char *kind, int64_t window_ms)
{
    json_t *labels = at(object_tree(about), "metadata.labels");
    json_t *tree =
        json_pack("{s:s, s:s, s:{s:s, s:s}, s:s, s:s}", "kind", kind, "apiVersion",
                  "metrics.k8s.io/v1beta1", "metadata", "name", about->name, "creationTimestamp",
                  time_text(op, wall_s()), "timestamp", time_text(op, wall_s()), "window",
                  arena_printf(&op->arena, "%lld.%03llds", (long long)(window_ms / 1000),
                               (long long)(window_ms % 1000)));

    if (about->ns && *about->ns)
        set_at(tree, "metadata.namespace", json_string(about->ns));
    if (labels)
        set_at(tree, "metadata.labels", json_deep_copy(labels));
    return tree;
}

/* A pod whose supervisor does not answer does not hide the others: nothing is known of it. */
static enum fault usage_of(struct call *c, struct object *pod, struct pod_usage *ret)
{
    enum fault fault = pod_usage(&c->op, KUBE(c)->cluster, pod, ret);

    if (fault != UNAVAILABLE)
        return fault;
    op_clear_fault(&c->op);
    json_array_clear(ret->containers);
    *ret = (struct pod_usage){.containers = ret->containers};
    return OK;
}

/* *ret NULL: nothing of it runs, or nothing is known of it. */
static enum fault of_pod(struct call *c, struct object *pod, json_t **ret)
{
    struct pod_usage usage;

    *ret = NULL;
    TRY(usage_of(c, pod, &usage));
    if (!json_array_size(usage.containers))
        return OK;
    *ret = metrics_of(&c->op, pod, "PodMetrics", usage.window_ms);
    json_object_set(*ret, "containers", usage.containers);
    return OK;
}

/* What its pods use: the machine's other work is not the node's. */
static enum fault of_node(struct call *c, struct object *node, json_t **ret)
{
    const struct resource *pods = resource_find("", "v1", "pods");
    struct pod_usage usage, all = {.window_ms = 1};
    struct store_page page = {0};

    TRY(store_list(&c->op, KUBE(c)->cluster->store, pods, NULL, NULL, NULL, 0, 0, &page));
    for (size_t i = 0; i < page.n; i++) {
        if (strcmp(text_at_or(object_tree(page.objects[i]), "spec.nodeName", ""), node->name) != 0)
            continue;
        TRY(usage_of(c, page.objects[i], &usage));
        all.cpu_nano += usage.cpu_nano;
        all.memory_bytes += usage.memory_bytes;
        all.window_ms = usage.window_ms > all.window_ms ? usage.window_ms : all.window_ms;
    }
    *ret = metrics_of(&c->op, node, "NodeMetrics", all.window_ms);
    json_object_set_new(*ret, "usage",
                        json_pack("{s:s, s:s}", "cpu", usage_cpu_text(&c->op, all.cpu_nano),
                                  "memory", usage_memory_text(&c->op, all.memory_bytes)));
    return OK;
}

static void release(void *tree)
{
    json_decref(tree);
}

static enum fault measure(struct call *c, struct object *about, json_t **ret)
{
    enum fault fault = strcmp(KUBE(c)->r.resource->plural, "pods") == 0 ? of_pod(c, about, ret)
                                                                        : of_node(c, about, ret);

    if (fault == OK && *ret)
        arena_defer(&c->op.arena, release, *ret);
    return fault;
}

static enum fault list_metrics(struct call *c, const struct resource *of)
{
    struct kube *k = KUBE(c);
    struct store_page page = {0};
    struct chosen chosen;
    json_t *list, *one = NULL, *items = json_array();

    arena_defer(&c->op.arena, release, items);
    TRY(read_selectors(c, &c->op.arena, &chosen));
    TRY(store_list(&c->op, k->cluster->store, of, k->r.ns, NULL, NULL, 0, 0, &page));
    for (size_t i = 0; i < page.n; i++) {
        if (!is_chosen(&chosen, page.objects[i]))
            continue;
        TRY(measure(c, page.objects[i], &one));
        if (one)
            json_array_append(items, one);
    }
    list = json_pack("{s:s, s:s, s:{}, s:O}", "kind", k->r.resource->list_kind, "apiVersion",
                     k->r.resource->api_version, "metadata", "items", items);
    arena_defer(&c->op.arena, release, list);
    return answer_tree(c, 200, list);
}

bool is_metrics(const struct rest *r)
{
    return strcmp(r->resource->group, "metrics.k8s.io") == 0;
}

enum fault kube_metrics(struct call *c)
{
    struct kube *k = KUBE(c);
    const struct resource *of = resource_find("", "v1", k->r.resource->plural);
    struct object *about;
    json_t *tree = NULL;

    if (!k->r.name)
        return list_metrics(c, of);
    about = store_read(&c->op, k->cluster->store, of, k->r.ns, k->r.name);
    if (about)
        TRY(measure(c, about, &tree));
    return tree ? answer_tree(c, 200, tree) : not_found(&c->op, k->r.resource, k->r.name);
}
