/* What several pages show of a cluster's objects: pods, images. */
#include <string.h>

#include "clusters/object/table.h"
#include "core/json.h"
#include "web/cluster_use.h"

#define CELLS_MAX 65536

/* ---- as kubectl prints it ---- */

const json_t *cluster_cells(struct op *op, const struct resource *r, const json_t *object)
{
    struct text out;
    json_t *row;

    text_init(&out, &op->arena, CELLS_MAX);
    table_row(op, &out, r, object, BYTES("null"), wall_s());
    if (json_parse(op, text_bytes(&out), &row) == OK)
        return json_object_get(row, "cells");
    op_clear_fault(op);
    return NULL;
}

static const char *cell(const json_t *cells, size_t i)
{
    const char *text = json_string_value(json_array_get(cells, i));

    return text ? text : "";
}

/* "3 (5m ago)" → "3": the page would be another each second. */
static const char *restarts(struct op *op, const json_t *cells)
{
    const char *text = cell(cells, 3);

    return arena_strndup(&op->arena, text, strcspn(text, " "));
}

static enum fault add_pod(struct page *p, const struct shown_cluster *k, const struct resource *r,
                          const json_t *pod)
{
    const json_t *cells = cluster_cells(p->op, r, pod);
    const char *ns = text_at_or(pod, "metadata.namespace", "");
    const char *node = text_at(pod, "spec.nodeName");
    const char *name = text_at_or(pod, "metadata.name", "");
    struct cluster_use use;

    TRY(cluster_use_of(p, k, ns, name, &use, NULL));
    page_row_begin(p);
    page_cell_as(p, "name", cluster_object_link(p->op, k, r, ns, name), name);
    page_cell_as(p, "word", NULL, ns);
    page_cell_state(p, cell(cells, 2));
    page_cell_number(p, cell(cells, 1));
    page_cell_number(p, restarts(p->op, cells));
    cluster_use_cell(p, &use, cluster_request_of(pod, "cpu"), cluster_request_of(pod, "memory"));
    page_cell_link(
        p,
        node ? cluster_object_link(p->op, k, resource_find("", "v1", "nodes"), NULL, node) : NULL,
        node);
    page_cell_as(p, "word", NULL, cell(cells, 5));
    page_cell_time(p, text_at_or(pod, "metadata.creationTimestamp", ""));
    page_row_end(p);
    return OK;
}

enum fault cluster_add_pods(struct page *p, const struct shown_cluster *k, const json_t *pods)
{
    const struct resource *r = resource_find("", "v1", "pods");
    json_t *pod;
    size_t i;

    page_table_begin(p, "Pods",
                     (const char *const[]){"Name", "Namespace", "Status", ">Ready", ">Restarts",
                                           ">Used / requested", "Node", "IP", "Age", NULL});
    json_array_foreach(pods, i, pod)
    {
        TRY(add_pod(p, k, r, pod));
    }
    page_table_end(p);
    return OK;
}

const char *cluster_images(struct op *op, const json_t *pod_spec)
{
    json_t *container;
    struct text out;
    size_t i;

    text_init(&out, &op->arena, 4096);
    json_array_foreach(at(pod_spec, "containers"), i, container)
    {
        text_printf(&out, "%s%s", i ? ", " : "", text_at_or(container, "image", ""));
    }
    return out.data;
}
