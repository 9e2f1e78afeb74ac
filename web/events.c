#include "web/events.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clusters/object/object.h"
#include "core/uri.h"
#include "web/subscriptions.h"

#define DAYS 7 /* that are looked back on */

static const char *since(struct op *op)
{
    time_t then = (time_t)wall_s() - (time_t)DAYS * 86400;
    char text[32];
    struct tm tm;

    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&then, &tm));
    return arena_strdup(&op->arena, text);
}

static enum fault of_subscription(struct call *c, const char *subscription, const char *group,
                                  size_t max, json_t *all)
{
    const char *filter = arena_printf(&c->op.arena, "eventTimestamp ge '%s'", since(&c->op));
    json_t *some;
    enum fault fault;

    if (group)
        filter = arena_printf(&c->op.arena, "%s and resourceGroupName eq '%s'", filter,
                              id_group(&c->op, group));
    fault = ask_manager_all(
        c,
        arena_printf(&c->op.arena,
                     "/subscriptions/%s/providers/Microsoft.Insights/eventtypes/management/values"
                     "?$filter=%s",
                     subscription, uri_encode(&c->op.arena, filter, "")),
        max, &some);
    if (fault == FORBIDDEN) {
        op_clear_fault(&c->op);
        return OK;
    }
    TRY(fault);
    json_array_extend(all, some);
    return OK;
}

static int newest_first(const void *a, const void *b)
{
    return strcmp(text_at_or(*(json_t *const *)b, "eventTimestamp", ""),
                  text_at_or(*(json_t *const *)a, "eventTimestamp", ""));
}

/* The newest max of all. */
static json_t *sorted(struct op *op, const json_t *all, size_t max)
{
    size_t n = json_array_size(all);
    json_t **list = arena_alloc(&op->arena, (n + 1) * sizeof(json_t *));
    json_t *out = json_array();

    arena_defer(&op->arena, (void (*)(void *))json_decref, out);
    for (size_t i = 0; i < n; i++)
        list[i] = json_array_get(all, i);
    qsort(list, n, sizeof(json_t *), newest_first);
    for (size_t i = 0; i < n && i < max; i++)
        json_array_append(out, list[i]);
    return out;
}

enum fault events_of(struct call *c, const char *group, size_t max, json_t **ret)
{
    json_t *subscriptions, *subscription, *all = json_array();
    size_t i;

    arena_defer(&c->op.arena, (void (*)(void *))json_decref, all);
    TRY(subscriptions_of(c, &subscriptions));
    json_array_foreach(subscriptions, i, subscription)
    {
        const char *id = text_at_or(subscription, "subscriptionId", "");

        if (!group || strcasestr(group, id))
            TRY(of_subscription(c, id, group, max, all));
    }
    *ret = sorted(&c->op, all, max);
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
