#include "web/cluster_use.h"

#include <string.h>

#include "clusters/object/quantity.h"

/* ---- what is used ---- */

struct cluster_use cluster_use_read(const json_t *usage)
{
    return (struct cluster_use){
        .known = usage != NULL,
        .cpu_millis = quantity_millis_of(text_at(usage, "cpu")),
        .memory_bytes = quantity_value_of(text_at(usage, "memory")),
    };
}

static struct cluster_use sum_of(const json_t *containers)
{
    struct cluster_use sum = {.known = json_array_size(containers) > 0}, one;
    json_t *container;
    size_t i;

    json_array_foreach((json_t *)containers, i, container)
    {
        one = cluster_use_read(json_object_get(container, "usage"));
        sum.cpu_millis += one.cpu_millis;
        sum.memory_bytes += one.memory_bytes;
    }
    return sum;
}

enum fault cluster_use_of(struct page *p, const struct shown_cluster *k, const char *ns,
                          const char *name, struct cluster_use *ret, const json_t **ret_tree)
{
    const char *const pod[] = {ns, name}, *const node[] = {name};
    const char *path =
        ns ? page_url(p->op, "/apis/metrics.k8s.io/v1beta1/namespaces/%s/pods/%s", pod)
           : page_url(p->op, "/apis/metrics.k8s.io/v1beta1/nodes/%s", node);
    json_t *tree = NULL;
    enum fault fault = ask_cluster(p->c, GET, &k->inside, path, NULL, NULL, &tree);

    *ret = (struct cluster_use){0};
    if (ret_tree)
        *ret_tree = NULL;
    if (fault == FORBIDDEN || fault == NOT_FOUND || fault == UNAVAILABLE) {
        op_clear_fault(p->op);
        return OK;
    }
    TRY(fault);
    *ret = ns ? sum_of(at(tree, "containers")) : cluster_use_read(at(tree, "usage"));
    if (ret_tree)
        *ret_tree = tree;
    return OK;
}

/* ---- what is requested ---- */

static int64_t amount(const json_t *container, const char *what)
{
    const char *text =
        json_string_value(json_object_get(at(container, "resources.requests"), what));

    return strcmp(what, "cpu") == 0 ? quantity_millis_of(text) : quantity_value_of(text);
}

int64_t cluster_request_of(const json_t *pod, const char *what)
{
    int64_t sum = 0, most = 0;
    json_t *container;
    size_t i;

    json_array_foreach(at(pod, "spec.initContainers"), i, container)
    {
        bool stays = strcmp(text_at_or(container, "restartPolicy", ""), "Always") == 0;
        int64_t n = sum + amount(container, what);

        most = n > most ? n : most;
        sum = stays ? n : sum;
    }
    json_array_foreach(at(pod, "spec.containers"), i, container)
    {
        sum += amount(container, what);
    }
    return sum > most ? sum : most;
}

/* ---- showing ---- */

const char *cluster_cores(struct op *op, int64_t n)
{
    if (n % 1000 == 0)
        return arena_printf(&op->arena, "%lld", (long long)(n / 1000));
    return arena_printf(&op->arena, "%lld.%02lld", (long long)(n / 1000),
                        (long long)(n % 1000 / 10));
}

static void add_line(struct page *p, const char *used, const char *most)
{
    page_text(p, most ? arena_printf(&p->op->arena, "%s / %s", used, most) : used);
}

void cluster_use_cell(struct page *p, const struct cluster_use *use, int64_t cpu_most,
                      int64_t memory_most)
{
    struct op *op = p->op;

    page_html(p, "<td class=\"n\">");
    add_line(p, use->known ? cluster_cores(op, use->cpu_millis) : "–",
             cpu_most ? cluster_cores(op, cpu_most) : NULL);
    page_html(p, "<br>");
    add_line(p, use->known ? page_bytes(op, use->memory_bytes) : "–",
             memory_most ? page_bytes(op, memory_most) : NULL);
    page_html(p, "</td>");
}
