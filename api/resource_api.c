/* Generic lists of resources, in a subscription or a group, with $filter and $expand. */
#include <string.h>
#include <strings.h>

#include "api/filter.h"
#include "api/group.h"
#include "api/handlers.h"
#include "api/page.h"
#include "api/provider.h"
#include "core/json.h"

#define SCAN_MIN   200
#define VALUES_MAX ((size_t)64 << 20) /* a thousand rows with all the tags they may have: 40 */

static const char *const names[] = {"resourceType", "name",     "location", "resourceGroup",
                                    "tagName",      "tagValue", "kind",     NULL};

struct listing {
    struct call *c;
    struct filter *filter;
    struct arm_page page;
    struct resource_filter rows;
    const char *expand;
    bool all;           /* may see every row */
    struct text values; /* written as text: a page has a thousand rows */
    int64_t n_values;
    const char *last; /* key of the last row shown when there are more */
    bool by_tag;      /* the filter asks for tags */
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
    json_t *tags = l->by_tag ? json_keep(op, json_loads(r->tags, 0, NULL)) : NULL;

    if (!filter_holds(l->filter, value_of, (void *)(uintptr_t)r, tags))
        return false;
    return l->all ||
           role_allows(op, arm_who(l->c), r->id, arena_printf(&op->arena, "%s/read", r->type));
}

static void add_text(struct text *out, const char *name, const char *value)
{
    if (!value)
        return;
    text_printf(out, ",\"%s\":", name);
    json_quote(out, value);
}

/* JSON that we stored ourselves. */
static void add_raw(struct text *out, const char *name, const char *json)
{
    if (json)
        text_printf(out, ",\"%s\":%s", name, json);
}

/* Members as resource_json has them, but systemData and properties. */
static void add_row(struct listing *l, const struct resource *r)
{
    const struct resource_type *type = resource_type_find(r->type);
    struct text *out = &l->values;

    text_str(out, l->n_values++ ? ",{\"id\":" : "{\"id\":");
    json_quote(out, r->id);
    add_text(out, "name", r->name);
    add_text(out, "type", r->type);
    add_text(out, "location", r->location);
    add_raw(out, "tags", !type || type->tracked ? r->tags : NULL);
    add_raw(out, "sku", r->sku);
    add_text(out, "kind", r->kind);
    add_raw(out, "identity", r->identity);
    add_text(out, "managedBy", r->managed_by);
    add_text(out, "createdTime", strcasestr(l->expand, "createdTime") ? r->created : NULL);
    add_text(out, "changedTime", strcasestr(l->expand, "changedTime") ? r->changed : NULL);
    add_text(out, "provisioningState",
             strcasestr(l->expand, "provisioningState") ? r->state : NULL);
    text_str(out, "}");
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
            if (l->n_values == l->page.top) {
                l->last = l->page.last;
                return OK;
            }
            add_row(l, &rows[i]);
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
    static const char *const in_key[] = {"name", "resourceGroup", NULL};
    const char *expand = call_query(c, "$expand", 0);
    struct listing l = {.c = c, .expand = expand ? expand : ""};

    if (id->group)
        l.all = true; /* checked by the route's action on the group */
    else
        TRY(arm_sees_subscription(c, &l.all));
    TRY(check_group(c, id->group));
    TRY(page_read_arm(c, PAGE_DEFAULT, &l.page));
    TRY(filter_parse(&c->op, call_query(c, "$filter", 0), &l.filter));
    TRY(filter_check(&c->op, l.filter, names));
    l.by_tag = filter_names(l.filter, "tagName") || filter_names(l.filter, "tagValue");
    l.rows = (struct resource_filter){
        .subscription = id->subscription,
        .group = id->group ? id->group : filter_equal(l.filter, "resourceGroup"),
        .name = filter_equal(l.filter, "name"),
        .type = filter_equal(l.filter, "resourceType"),
        .within = filter_contained(l.filter, in_key),
        .last = l.page.last,
        .tracked_only = true,
    };
    text_init(&l.values, &c->op.arena, VALUES_MAX);
    TRY(scan(&l));
    return page_reply_text(c, &l.values, l.last);
}
