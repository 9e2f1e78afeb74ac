/* Generic lists of resources, in a subscription or a group, with $filter and $expand. */
#include <string.h>
#include <strings.h>

#include "api/filter.h"
#include "api/group.h"
#include "api/handlers.h"
#include "api/page.h"
#include "api/resource.h"

#define SCAN_MIN 200

static const char *const names[] = {"resourceType", "name",     "location", "resourceGroup",
                                    "tagName",      "tagValue", "kind",     NULL};

struct listing {
    struct call *c;
    struct filter *filter;
    struct arm_page page;
    struct resource_filter rows;
    const char *expand;
    bool all; /* may see every row */
    json_t *values;
    const char *last; /* key of the last row shown when there are more */
};

static const char *value_of(void *arg, const char *name)
{
    const struct resource *r = arg;

    if (strcasecmp(name, "resourceType") == 0)
        return r->type;
    if (strcasecmp(name, "name") == 0)
        return r->name;
    if (strcasecmp(name, "location") == 0)
        return r->location;
    if (strcasecmp(name, "resourceGroup") == 0)
        return r->group;
    return strcasecmp(name, "kind") == 0 ? r->kind : NULL;
}

static bool is_wanted(const struct listing *l, const struct resource *r)
{
    struct op *op = &l->c->op;
    json_t *tags = l->filter ? json_keep(op, json_loads(r->tags, 0, NULL)) : NULL;

    if (!filter_holds(l->filter, value_of, (void *)(uintptr_t)r, tags))
        return false;
    return l->all ||
           role_allows(op, arm_who(l->c), r->id, arena_printf(&op->arena, "%s/read", r->type));
}

static json_t *row_json(const struct listing *l, const struct resource *r)
{
    json_t *out = resource_json_brief(&l->c->op, r);

    if (strcasestr(l->expand, "createdTime"))
        json_set_text(out, "createdTime", r->created);
    if (strcasestr(l->expand, "changedTime"))
        json_set_text(out, "changedTime", r->changed);
    if (strcasestr(l->expand, "provisioningState"))
        json_set_text(out, "provisioningState", r->state);
    return out;
}

/* Rows in the order of their keys, until the page is full or there are no more. */
static enum fault scan(struct listing *l)
{
    struct resource *rows;
    size_t n = 0;

    l->rows.limit = l->filter || !l->all ? l->page.limit + SCAN_MIN : l->page.limit;
    do {
        TRY(resource_list(&l->c->op, &l->rows, &rows, &n));
        for (size_t i = 0; i < n; i++) {
            if (!is_wanted(l, &rows[i]))
                continue;
            if ((int64_t)json_array_size(l->values) == l->page.top) {
                l->last = l->page.last;
                return OK;
            }
            json_array_append(l->values, row_json(l, &rows[i]));
            l->page.last = rows[i].key;
        }
        if (n)
            l->rows.last = rows[n - 1].key;
    } while ((int64_t)n == l->rows.limit);
    return OK;
}

static enum fault check_group(struct call *c, const char *group)
{
    struct group now;

    return group ? group_get(&c->op, arm_id(c)->subscription, group, &now) : OK;
}

enum fault resource_api_list(struct call *c)
{
    const struct resource_id *id = arm_id(c);
    const char *expand = call_query(c, "$expand", 0);
    struct listing l = {.c = c, .expand = expand ? expand : "", .values = json_new_array(&c->op)};

    if (id->group)
        l.all = true; /* checked by the route's action on the group */
    else
        TRY(arm_sees_subscription(c, &l.all));
    TRY(check_group(c, id->group));
    TRY(page_read_arm(c, PAGE_DEFAULT, &l.page));
    TRY(filter_parse(&c->op, call_query(c, "$filter", 0), &l.filter));
    TRY(filter_check(&c->op, l.filter, names));
    l.rows = (struct resource_filter){
        .subscription = id->subscription,
        .group = id->group ? id->group : filter_equal(l.filter, "resourceGroup"),
        .name = filter_equal(l.filter, "name"),
        .type = filter_equal(l.filter, "resourceType"),
        .last = l.page.last,
        .tracked_only = true,
    };
    TRY(scan(&l));
    return page_reply(c, l.values, l.last);
}
