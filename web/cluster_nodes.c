#include "web/cluster_nodes.h"

#include <string.h>

#include "clusters/object/quantity.h"
#include "web/cluster_use.h"

#define PODS_MAX 300 /* that run; more are not summed up */

struct use {
    const char *node;
    int64_t pods, cpu_millis, memory;
};

/* ---- what pods request ---- */

static void count_pod(struct use *uses, size_t n, const json_t *pod)
{
    const char *node = text_at_or(pod, "spec.nodeName", "");

    for (size_t i = 0; i < n; i++) {
        if (strcmp(uses[i].node, node) != 0)
            continue;
        uses[i].pods++;
        uses[i].cpu_millis += cluster_request_of(pod, "cpu");
        uses[i].memory += cluster_request_of(pod, "memory");
        return;
    }
}

/* *ret NULL: there are too many pods, or the viewer may not list them. */
static enum fault sum_up(struct page *p, const struct shown_cluster *k, const json_t *nodes,
                         struct use **ret)
{
    size_t n = json_array_size(nodes), i;
    struct use *uses = arena_alloc(&p->op->arena, (n + 1) * sizeof(*uses));
    json_t *pods, *pod;
    enum fault fault =
        ask_cluster(p->c, GET, &k->inside,
                    arena_printf(&p->op->arena,
                                 "/api/v1/pods?limit=%d&fieldSelector="
                                 "spec.nodeName%%21%%3D%%2Cstatus.phase%%21%%3DSucceeded%%2C"
                                 "status.phase%%21%%3DFailed",
                                 PODS_MAX),
                    NULL, NULL, &pods);

    *ret = NULL;
    if (fault == FORBIDDEN) {
        op_clear_fault(p->op);
        return OK;
    }
    TRY(fault);
    for (i = 0; i < n; i++)
        uses[i].node = text_at_or(json_array_get(nodes, i), "metadata.name", "");
    json_array_foreach(at(pods, "items"), i, pod)
    {
        count_pod(uses, n, pod);
    }
    if (!text_at(pods, "metadata.continue"))
        *ret = uses;
    return OK;
}

/* ---- the table ---- */

static const char *state_of(struct op *op, const json_t *node)
{
    const char *ready = "Unknown";
    json_t *condition;
    size_t i;

    json_array_foreach(at(node, "status.conditions"), i, condition)
    {
        if (strcmp(text_at_or(condition, "type", ""), "Ready") == 0)
            ready = strcmp(text_at_or(condition, "status", ""), "True") == 0 ? "Ready" : "NotReady";
    }
    return bool_at(node, "spec.unschedulable", false)
               ? arena_printf(&op->arena, "%s,SchedulingDisabled", ready)
               : ready;
}

static void add_use(struct page *p, const json_t *node, const struct use *use)
{
    const json_t *all = at(node, "status.allocatable");
    struct op *op = p->op;

    page_cell_number(p, arena_printf(&op->arena, "%lld / %s", (long long)use->pods,
                                     text_at_or(all, "pods", "")));
    page_cell_number(p, arena_printf(&op->arena, "%s / %s", cluster_cores(op, use->cpu_millis),
                                     cluster_cores(op, quantity_millis_of(text_at(all, "cpu")))));
    page_cell_number(p, arena_printf(&op->arena, "%s / %s", page_bytes(op, use->memory),
                                     page_bytes(op, quantity_value_of(text_at(all, "memory")))));
}

static enum fault add_row(struct page *p, const struct shown_cluster *k, const json_t *node,
                          const struct use *use)
{
    const char *name = text_at_or(node, "metadata.name", "");
    struct cluster_use now;

    page_row_begin(p);
    page_cell_as(p, "name",
                 cluster_object_link(p->op, k, resource_find("", "v1", "nodes"), NULL, name), name);
    page_cell_state(p, state_of(p->op, node));
    if (use) {
        add_use(p, node, use);
        TRY(cluster_use_of(p, k, NULL, name, &now, NULL));
        cluster_use_cell(p, &now, 0, 0);
    }
    page_cell_time(p, text_at_or(node, "metadata.creationTimestamp", ""));
    page_row_end(p);
    return OK;
}

enum fault cluster_add_nodes(struct page *p, const struct shown_cluster *k)
{
    static const char *const full[] = {
        "Name", "State", ">Pods", ">CPU requested", ">Memory requested", ">Used", "Age", NULL};
    static const char *const brief[] = {"Name", "State", "Age", NULL};
    struct cluster_list list = {.l = page_listing(p), .ns = ""};
    json_t *nodes = cluster_rows_new(p->op), *node;
    struct use *uses;
    size_t i;

    TRY(cluster_list_add(p, k, &list, resource_find("", "v1", "nodes"), false, nodes));
    TRY(sum_up(p, k, nodes, &uses));
    page_heading(p, "Nodes");
    if (list.l.total > PAGE_ROWS || *list.l.q)
        page_search(p, &list.l, "Name");
    page_table_begin(p, "Nodes", uses ? full : brief);
    json_array_foreach(nodes, i, node)
    {
        TRY(add_row(p, k, node, uses ? &uses[i] : NULL));
    }
    page_table_end(p);
    page_pages(p, &list.l);
    page_command(p, "The same by kubectl", "kubectl get nodes -o wide\nkubectl top nodes");
    return OK;
}
