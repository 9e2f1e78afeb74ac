/* Events of a cluster, newest first. The API lists them by name: all are looked through as text. */
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/uri.h"
#include "web/cluster.h"
#include "web/scan.h"

/* ---- looking through ---- */

enum { LAST, TIME, SERIES, MADE, TYPE, REASON, KIND, NAME, MESSAGE };
static const struct scan_member members[] = {
    [LAST] = {NULL,                 "lastTimestamp"},
    [TIME] = {NULL,                    "eventTime"},
    [SERIES] = {"series","lastObservedTime"},
    [MADE] = {"metadata",             "creationTimestamp"},
    [TYPE] = {NULL,                    "type"},
    [REASON] = {NULL,"reason"},
    [KIND] = {"involvedObject",                 "kind"},
    [NAME] = {"involvedObject",                    "name"},
    [MESSAGE] = {NULL,                        "message"},
    {0    },
};

static int compare(struct bytes a, struct bytes b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.data, b.data, len) : 0;

    return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* The latest of its times. */
static struct bytes when(const struct scanned *event)
{
    struct bytes latest = {0};

    for (size_t i = LAST; i <= SERIES; i++)
        if (compare(event->members[i], latest) > 0)
            latest = event->members[i];
    return latest.len ? latest : event->members[MADE];
}

static int newest_first(const void *a, const void *b)
{
    return compare(when(b), when(a));
}

/* What it is searched by: texts as JSON has them. */
static const char *words_of(struct op *op, const struct scanned *event)
{
    struct text out;

    text_init(&out, &op->arena, 8192);
    for (size_t i = TYPE; i <= MESSAGE; i++) {
        text_add(&out, event->members[i].data, event->members[i].len);
        text_str(&out, i == KIND ? "/" : " ");
    }
    return out.data;
}

/* q as JSON has it, without its quotes. */
static const char *quoted(struct op *op, const char *q)
{
    struct text out;

    text_init(&out, &op->arena, 8192);
    json_quote(&out, q);
    return out.len < 2 ? q : arena_strndup(&op->arena, out.data + 1, out.len - 2);
}

static enum fault add_tree(struct op *op, const struct scanned *event, json_t *rows)
{
    json_t *tree;

    TRY(json_parse(op, event->text, &tree));
    json_array_append(rows, tree);
    return OK;
}

enum fault cluster_events(struct page *p, const struct shown_cluster *k, const char *ns,
                          const char *selector, struct listing *l, json_t **ret)
{
    const char *path = cluster_path(p->op, resource_find("", "v1", "events"), ns, NULL);
    struct listing texts = *l;
    struct scanned *all;
    struct bytes text;
    size_t n;

    *ret = cluster_rows_new(p->op);
    if (selector)
        path = arena_printf(&p->op->arena, "%s?fieldSelector=%s", path,
                            uri_encode(&p->op->arena, selector, ""));
    TRY(ask_cluster_text(p->c, &k->inside, path, "application/json", &text));
    n = scan_items(p->op, text, members, &all);
    qsort(all, n, sizeof(*all), newest_first);
    texts.q = quoted(p->op, l->q);
    for (size_t i = 0; i < n; i++)
        if (page_shows(&texts, *l->q ? words_of(p->op, &all[i]) : ""))
            TRY(add_tree(p->op, &all[i], *ret));
    l->total = texts.total;
    return OK;
}

/* ---- showing ---- */

static const char *event_time(const json_t *event)
{
    static const char *const times[] = {"series.lastObservedTime", "lastTimestamp", "eventTime",
                                        "metadata.creationTimestamp"};
    const char *text = NULL;

    for (size_t i = 0; i < ARRAY_LEN(times) && !text; i++)
        text = text_at(event, times[i]);
    return text ? text : "";
}

static void add_event(struct page *p, const struct shown_cluster *k, const json_t *event)
{
    const json_t *about = at(event, "involvedObject");
    const char *name = arena_printf(&p->op->arena, "%s/%s", text_at_or(about, "kind", ""),
                                    text_at_or(about, "name", ""));

    page_row_begin(p);
    page_cell_time(p, event_time(event));
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

enum fault cluster_add_latest_events(struct page *p, const struct shown_cluster *k, const char *ns,
                                     const char *selector, size_t max)
{
    struct listing l = {.q = ""};
    json_t *events;
    enum fault fault = cluster_events(p, k, ns, selector, &l, &events);

    if (fault != OK)
        return cluster_note_forbidden(p, fault);
    while (json_array_size(events) > max)
        json_array_remove(events, json_array_size(events) - 1);
    if (json_array_size(events))
        cluster_add_events(p, k, events);
    else
        page_html(p, "<p class=\"soft\">None in the last hour.</p>");
    return OK;
}
