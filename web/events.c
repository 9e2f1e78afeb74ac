#include "web/events.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clusters/object/object.h"
#include "core/uri.h"
#include "web/scan.h"
#include "web/subscriptions.h"

#define DAYS    7           /* that are looked back on */
#define AT_ONCE (size_t)200 /* the most that the API gives */

static const char *since(struct op *op)
{
    time_t then = (time_t)wall_s() - (time_t)DAYS * 86400;
    char text[32];
    struct tm tm;

    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&then, &tm));
    return arena_strdup(&op->arena, text);
}

enum { AT, OPERATION, RESOURCE, CALLER, STATUS };
static const struct scan_member members[] = {
    [AT] = {NULL,      "eventTimestamp"},
      [OPERATION] = {"operationName",         "value"},
    [RESOURCE] = {NULL,"resourceId"},
      [CALLER] = {NULL,      "caller"},
    [STATUS] = {"status",         "value"},
      {0},
};

/* What was read of all subscriptions. */
struct found {
    struct scanned *list;
    size_t n, cap;
};

static void add(struct op *op, struct found *found, const struct scanned *some, size_t n)
{
    if (found->n + n > found->cap) {
        size_t cap = 2 * found->cap + n;
        struct scanned *more = arena_alloc(&op->arena, cap * sizeof(*more));

        if (found->n)
            memcpy(more, found->list, found->n * sizeof(*more));
        found->list = more;
        found->cap = cap;
    }
    if (n)
        memcpy(found->list + found->n, some, n * sizeof(*some));
    found->n += n;
}

static enum fault of_subscription(struct call *c, const char *subscription, const char *group,
                                  size_t max, struct found *found)
{
    const char *filter = arena_printf(&c->op.arena, "eventTimestamp ge '%s'", since(&c->op));
    const struct bytes *texts;
    struct scanned *some;
    enum fault fault;
    size_t n, count;

    if (group)
        filter = arena_printf(&c->op.arena, "%s and resourceGroupName eq '%s'", filter,
                              id_group(&c->op, group));
    fault = ask_manager_texts(
        c,
        arena_printf(&c->op.arena,
                     "/subscriptions/%s/providers/Microsoft.Insights/eventtypes/management/values"
                     "?$top=%zu&$filter=%s",
                     subscription, max < AT_ONCE ? max : AT_ONCE,
                     uri_encode(&c->op.arena, filter, "")),
        (max + AT_ONCE - 1) / AT_ONCE, &texts, &n);
    if (fault == FORBIDDEN) {
        op_clear_fault(&c->op);
        return OK;
    }
    TRY(fault);
    for (size_t i = 0; i < n; i++) {
        count = scan_values(&c->op, texts[i], members, &some);
        add(&c->op, found, some, count);
    }
    return OK;
}

static int newest_first(const void *a, const void *b)
{
    const struct bytes x = ((const struct scanned *)a)->members[AT];
    const struct bytes y = ((const struct scanned *)b)->members[AT];
    size_t len = x.len < y.len ? x.len : y.len;
    int order = len ? memcmp(y.data, x.data, len) : 0;

    return order ? order : x.len < y.len ? 1 : x.len > y.len ? -1 : 0;
}

/* The newest max of all. */
static enum fault read_all(struct call *c, const char *group, size_t max, struct found *found)
{
    json_t *subscriptions, *subscription;
    size_t i;

    *found = (struct found){0};
    TRY(subscriptions_of(c, &subscriptions));
    json_array_foreach(subscriptions, i, subscription)
    {
        const char *id = text_at_or(subscription, "subscriptionId", "");

        if (!group || strcasestr(group, id))
            TRY(of_subscription(c, id, group, max, found));
    }
    if (found->n)
        qsort(found->list, found->n, sizeof(*found->list), newest_first);
    if (found->n > max)
        found->n = max;
    return OK;
}

static const char *words_of(struct op *op, const struct scanned *event)
{
    struct text out;

    text_init(&out, &op->arena, 65536);
    for (size_t i = OPERATION; i <= STATUS; i++) {
        text_add(&out, event->members[i].data, event->members[i].len);
        text_str(&out, " ");
    }
    return out.data;
}

static void show(const struct scanned *event, json_t *shown)
{
    json_t *tree = json_loadb(event->text.data, event->text.len, 0, NULL);

    if (tree)
        json_array_append_new(shown, tree);
}

enum fault events_find(struct page *p, size_t max, struct listing *l, size_t *ret_read,
                       json_t **ret)
{
    json_t *shown = json_array();
    struct found found;

    arena_defer(&p->op->arena, (void (*)(void *))json_decref, shown);
    TRY(read_all(p->c, NULL, max, &found));
    for (size_t i = 0; i < found.n; i++)
        if (page_shows(l, *l->q ? words_of(p->op, &found.list[i]) : ""))
            show(&found.list[i], shown);
    *ret_read = found.n;
    *ret = shown;
    return OK;
}

static enum fault events_of(struct call *c, const char *group, size_t max, json_t **ret)
{
    json_t *shown = json_array();
    struct found found;

    arena_defer(&c->op.arena, (void (*)(void *))json_decref, shown);
    TRY(read_all(c, group, max, &found));
    for (size_t i = 0; i < found.n; i++)
        show(&found.list[i], shown);
    *ret = shown;
    return OK;
}

void events_table(struct page *p, const json_t *events)
{
    json_t *event;
    size_t i;

    page_table_begin(p, "Activity",
                     (const char *const[]){"When", "What", "On", "Who", "Outcome", NULL});
    json_array_foreach(events, i, event)
    {
        const char *id = text_at_or(event, "resourceId", "");

        page_row_begin(p);
        page_cell_time(p, text_at_or(event, "eventTimestamp", ""));
        page_cell(p, text_at_or(event, "operationName.value", ""));
        page_cell(p, id_name(id));
        page_cell(p, text_at_or(event, "caller", ""));
        page_cell_state(p, text_at_or(event, "status.value", ""));
        page_row_end(p);
    }
    page_table_end(p);
}

enum fault events_add(struct page *p, const char *group, size_t max)
{
    json_t *events;

    TRY(events_of(p->c, group, max, &events));
    if (json_array_size(events))
        events_table(p, events);
    else
        page_empty(p, "Nothing was changed in the last seven days.", NULL);
    return OK;
}
