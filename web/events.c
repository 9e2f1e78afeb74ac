#include "web/events.h"

#include <stdlib.h>
#include <string.h>

#include "api/activity.h"
#include "clusters/object/object.h"
#include "core/uri.h"
#include "web/scan.h"
#include "web/subscriptions.h"

#define DAYS    7           /* that are looked back on */
#define AT_ONCE (size_t)200 /* the most that the API gives, and room for a page */
#define ALL_IDS "~"         /* is after each of them */

static const char *since(struct op *op)
{
    return time_text(op, wall_s() - (int64_t)DAYS * 86400);
}

enum { AT, ID };
static const struct scan_member members[] = {
    [AT] = {NULL,           "eventTimestamp"},
    [ID] = {NULL,              "eventDataId"},
    {0},
};

/* Which events are asked for. */
struct wanted {
    const char *group;  /* a resource group's id; NULL: all */
    const char *search; /* "": everything */
    const char *until;  /* a time; NULL: now */
    size_t max;         /* of each subscription */
};

/* What was read of all subscriptions. */
struct found {
    struct scanned *list;
    size_t n, cap;
    const char
        *until; /* older ones were not all looked at for what is searched for; "": they were */
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

static enum fault of_subscription(struct call *c, const char *subscription,
                                  const struct wanted *wanted, struct found *found)
{
    struct arena *arena = &c->op.arena;
    const char *filter = arena_printf(arena, "eventTimestamp ge '%s'", since(&c->op));
    struct scanned *some;
    struct bytes text;
    enum fault fault;
    const char *until;
    size_t n;

    if (wanted->until)
        filter = arena_printf(arena, "%s and eventTimestamp le '%s'", filter, wanted->until);
    if (wanted->group)
        filter = arena_printf(arena, "%s and resourceGroupName eq '%s'", filter,
                              id_group(&c->op, wanted->group));
    fault = ask_manager_text(
        c,
        arena_printf(arena,
                     "/subscriptions/%s/providers/Microsoft.Insights/eventtypes/management/values"
                     "?$top=%zu&$filter=%s%s%s",
                     subscription, wanted->max, uri_encode(arena, filter, ""),
                     *wanted->search ? "&$search=" : "", uri_encode(arena, wanted->search, "")),
        ACTIVITY_SEARCHED_TO, &text, &until);
    if (fault == FORBIDDEN) {
        op_clear_fault(&c->op);
        return OK;
    }
    TRY(fault);
    n = scan_values(&c->op, text, members, &some);
    add(&c->op, found, some, n);
    if (until && strcmp(until, found->until) > 0)
        found->until = until;
    return OK;
}

static int compare(struct bytes a, struct bytes b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.data, b.data, len) : 0;

    return order ? order : a.len < b.len ? -1 : a.len > b.len ? 1 : 0;
}

/* Ids only make an order of what happened at the same time. */
static int newest_first(const void *a, const void *b)
{
    const struct scanned *x = a, *y = b;
    int order = compare(y->members[AT], x->members[AT]);

    return order ? order : compare(y->members[ID], x->members[ID]);
}

/* Of all subscriptions, newest first. */
static enum fault read_all(struct call *c, const struct wanted *wanted, struct found *found)
{
    json_t *subscriptions, *subscription;
    size_t i;

    *found = (struct found){.until = ""};
    TRY(subscriptions_of(c, &subscriptions));
    json_array_foreach(subscriptions, i, subscription)
    {
        const char *id = text_at_or(subscription, "subscriptionId", "");

        if (!wanted->group || strcasestr(wanted->group, id))
            TRY(of_subscription(c, id, wanted, found));
    }
    if (found->n)
        qsort(found->list, found->n, sizeof(*found->list), newest_first);
    return OK;
}

static json_t *trees_of(struct op *op, const struct found *found, size_t from, size_t n)
{
    json_t *shown = json_array();

    arena_defer(&op->arena, (void (*)(void *))json_decref, shown);
    for (size_t i = from; i < found->n && i < from + n; i++) {
        json_t *tree = json_loadb(found->list[i].text.data, found->list[i].text.len, 0, NULL);

        if (tree)
            json_array_append_new(shown, tree);
    }
    return shown;
}

static struct bytes id_after(const char *after)
{
    return BYTES(after + strcspn(after, "|") + (strchr(after, '|') != NULL));
}

/* How many are not older than what was looked at everywhere. */
static size_t looked_at(const struct found *found)
{
    size_t n = found->n;

    while (n && compare(found->list[n - 1].members[AT], BYTES(found->until)) <= 0)
        n--;
    return n;
}

static const char *mark_of(struct op *op, const struct scanned *last)
{
    return arena_printf(&op->arena, "%.*s|%.*s", (int)last->members[AT].len,
                        (const char *)last->members[AT].data, (int)last->members[ID].len,
                        (const char *)last->members[ID].data);
}

enum fault events_page(struct page *p, const char *search, const char *after, json_t **ret,
                       struct events_end *ret_end)
{
    struct wanted wanted = {.search = search, .max = AT_ONCE};
    struct events_end end = {0};
    struct found found;
    size_t from = 0;

    if (after)
        wanted.until = arena_strndup(&p->op->arena, after, strcspn(after, "|"));
    TRY(read_all(p->c, &wanted, &found));
    if (*found.until)
        found.n = looked_at(&found);
    while (after && from < found.n &&
           compare(found.list[from].members[AT], BYTES(wanted.until)) == 0 &&
           compare(found.list[from].members[ID], id_after(after)) >= 0)
        from++;
    *ret = trees_of(p->op, &found, from, PAGE_ROWS);
    if (found.n > from + PAGE_ROWS) {
        end.next = mark_of(p->op, &found.list[from + PAGE_ROWS - 1]);
    } else if (*found.until && (!after || strcmp(found.until, wanted.until) != 0)) {
        end.searched_to = found.until;
        end.next = arena_printf(&p->op->arena, "%s|" ALL_IDS, found.until);
    }
    *ret_end = end;
    return OK;
}

static enum fault events_of(struct call *c, const char *group, size_t max, json_t **ret)
{
    const struct wanted wanted = {.group = group, .search = "", .max = max};
    struct found found;

    TRY(read_all(c, &wanted, &found));
    *ret = trees_of(&c->op, &found, 0, max);
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
