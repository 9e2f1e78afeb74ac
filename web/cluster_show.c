/* What several pages show of a cluster's objects: pods, events, images. */
#include <stdlib.h>
#include <string.h>

#include "clusters/object/table.h"
#include "core/json.h"
#include "web/cluster.h"

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

static void add_pod(struct page *p, const struct shown_cluster *k, const struct resource *r,
                    const json_t *pod)
{
    const json_t *cells = cluster_cells(p->op, r, pod);
    const char *ns = text_at_or(pod, "metadata.namespace", "");
    const char *node = text_at(pod, "spec.nodeName");
    const char *name = text_at_or(pod, "metadata.name", "");

    page_row_begin(p);
    page_cell_as(p, "name", cluster_object_link(p->op, k, r, ns, name), name);
    page_cell_as(p, "word", NULL, ns);
    page_cell_state(p, cell(cells, 2));
    page_cell_number(p, cell(cells, 1));
    page_cell_number(p, restarts(p->op, cells));
    page_cell_link(
        p,
        node ? cluster_object_link(p->op, k, resource_find("", "v1", "nodes"), NULL, node) : NULL,
        node);
    page_cell_as(p, "word", NULL, cell(cells, 5));
    page_cell_time(p, text_at_or(pod, "metadata.creationTimestamp", ""));
    page_row_end(p);
}

void cluster_add_pods(struct page *p, const struct shown_cluster *k, const json_t *pods)
{
    const struct resource *r = resource_find("", "v1", "pods");
    json_t *pod;
    size_t i;

    page_table_begin(p, "Pods",
                     (const char *const[]){"Name", "Namespace", "Status", ">Ready", ">Restarts",
                                           "Node", "IP", "Age", NULL});
    json_array_foreach(pods, i, pod)
    {
        add_pod(p, k, r, pod);
    }
    page_table_end(p);
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

/* ---- events ---- */

const char *cluster_event_time(const json_t *event)
{
    static const char *const times[] = {"series.lastObservedTime", "lastTimestamp", "eventTime",
                                        "firstTimestamp", "metadata.creationTimestamp"};
    const char *text = NULL;

    for (size_t i = 0; i < ARRAY_LEN(times) && !text; i++)
        text = text_at(event, times[i]);
    return text ? text : "";
}

static int newest_first(const void *a, const void *b)
{
    return strcmp(cluster_event_time(*(json_t *const *)b), cluster_event_time(*(json_t *const *)a));
}

json_t *cluster_newest_events(struct op *op, const json_t *events)
{
    size_t n = json_array_size(events);
    json_t **list = arena_alloc(&op->arena, (n + 1) * sizeof(json_t *));
    json_t *out = cluster_rows_new(op);

    for (size_t i = 0; i < n; i++)
        list[i] = json_array_get(events, i);
    qsort(list, n, sizeof(json_t *), newest_first);
    for (size_t i = 0; i < n; i++)
        json_array_append(out, list[i]);
    return out;
}

static void add_event(struct page *p, const struct shown_cluster *k, const json_t *event)
{
    const json_t *about = at(event, "involvedObject");
    const char *name = arena_printf(&p->op->arena, "%s/%s", text_at_or(about, "kind", ""),
                                    text_at_or(about, "name", ""));

    page_row_begin(p);
    page_cell_time(p, cluster_event_time(event));
    page_cell_state(p, text_at_or(event, "type", ""));
    page_cell_as(p, "word", NULL, text_at_or(event, "reason", ""));
    page_cell_as(p, "name",
                 cluster_reference_link(p->op, k, about, text_at_or(about, "namespace", "")), name);
    page_cell_as(p, "prose", NULL, text_at_or(event, "message", ""));
    page_cell_number(p,
                     page_count(p->op, int_at(event, "series.count", int_at(event, "count", 1))));
    page_row_end(p);
}

void cluster_add_events(struct page *p, const struct shown_cluster *k, const json_t *events)
{
    json_t *event;
    size_t i;

    page_table_begin(
        p, "Events",
        (const char *const[]){"When", "Type", "Reason", "About", "Message", ">Times", NULL});
    json_array_foreach(events, i, event)
    {
        add_event(p, k, event);
    }
    page_table_end(p);
}
