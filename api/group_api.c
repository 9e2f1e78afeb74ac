/* Resource groups: PUT, PATCH, GET, HEAD, list, DELETE. */
#include <ctype.h>
#include <string.h>

#include "api/body.h"
#include "api/cache.h"
#include "api/filter.h"
#include "api/group.h"
#include "api/handlers.h"
#include "api/operation.h"
#include "api/page.h"
#include "core/db.h"
#include "core/durable.h"

#define NAME_MAX_BYTES 90

static json_t *group_json(struct op *op, const struct group *g)
{
    json_t *out = json_new_object(op), *properties = json_new_object(op);

    json_set_text(out, "id", g->id);
    json_set_text(out, "name", g->name);
    json_set_text(out, "type", "Microsoft.Resources/resourceGroups");
    json_set_text(out, "location", g->location);
    json_set_text(out, "managedBy", g->managed_by);
    if (strcmp(g->tags, "{}") != 0)
        json_set_raw(out, "tags", g->tags);
    json_set_text(properties, "provisioningState", g->state);
    json_object_set(out, "properties", properties);
    return out;
}

/* ^[-\w\._\(\)]+$, at most 90 letters, no dot at its end. Bytes above 127 are letters of others. */
static enum fault check_name(struct op *op, const char *name)
{
    size_t len = strlen(name);
    bool good = len > 0 && len <= NAME_MAX_BYTES && name[len - 1] != '.';

    for (const char *p = name; *p && good; p++)
        good = isalnum((unsigned char)*p) || strchr("-._()", *p) || (unsigned char)*p >= 128;
    if (good)
        return OK;
    return arm_fail_at(op, "InvalidResourceGroup", INVALID, "resourceGroupName",
                       "The provided resource group name '%.100s' is invalid: it must have 1 to %d "
                       "letters, digits, '-', '.', '_', '(' or ')', and no '.' at its end.",
                       name, NAME_MAX_BYTES);
}

static const char *const known[] = {"id",   "name",      "type",       "location",
                                    "tags", "managedBy", "properties", NULL};

enum fault group_api_put(struct call *c)
{
    const struct resource_id *id = arm_id(c);
    struct group wanted = {.subscription = id->subscription, .name = id->group}, now;
    struct op *op = &c->op;
    bool created;
    json_t *body;

    TRY(check_name(op, id->group));
    TRY(body_read(c, false, &body));
    TRY(body_location(op, body, true, &wanted.location));
    TRY(body_tags(op, body, &wanted.tags, NULL));
    TRY(body_text(op, body, "managedBy", 0, ID_MAX_BYTES, &wanted.managed_by));
    TRY(db_begin(op));
    TRY(group_put(op, &wanted, &now, &created));
    body_ignored(c, body, known);
    arm_reply(c, created ? 201 : 200, group_json(op, &now));
    return cache_commit(c, id->key);
}

enum fault group_api_patch(struct call *c)
{
    const struct resource_id *id = arm_id(c);
    const char *tags, *managed_by = NULL;
    struct op *op = &c->op;
    struct group now;
    bool has_tags;
    json_t *body;

    TRY(body_read(c, false, &body));
    TRY(body_tags(op, body, &tags, &has_tags));
    TRY(body_text(op, body, "managedBy", 0, ID_MAX_BYTES, &managed_by));
    TRY(db_begin(op));
    TRY(group_set_tags(op, id->subscription, id->group, has_tags ? tags : NULL, managed_by, &now));
    arm_reply(c, 200, group_json(op, &now));
    return cache_commit(c, id->key);
}

enum fault group_api_get(struct call *c)
{
    const struct resource_id *id = arm_id(c);
    unsigned generation = cache_generation(id->key);
    struct group now;

    TRY(group_get(&c->op, id->subscription, id->group, &now));
    if (c->method == HEAD)
        return reply_empty(c, 204);
    return cache_reply(c, generation, group_json(&c->op, &now));
}

/* $filter: tagName eq 'x' [and tagValue eq 'y'] */
static enum fault read_filter(struct call *c, struct group_filter *f)
{
    const char *text = call_query(c, "$filter", 0);
    struct filter *filter;

    TRY(filter_parse(&c->op, text, &filter));
    if (!filter)
        return OK;
    f->tag_name = filter_equal(filter, "tagName");
    f->tag_value = filter_equal(filter, "tagValue");
    if (!f->tag_name)
        return arm_fail_at(&c->op, "InvalidFilterInQueryString", INVALID, "$filter",
                           "Invalid $filter '%.200s': lists of resource groups are filtered by "
                           "\"tagName eq 'NAME' and tagValue eq 'VALUE'\".",
                           text);
    return OK;
}

/* With rights on some groups only, those are what the list shows. */
static bool may_see(struct call *c, bool all, const struct group *g)
{
    return all || role_allows(&c->op, arm_who(c), g->id,
                              "Microsoft.Resources/subscriptions/resourceGroups/read");
}

enum fault group_api_list(struct call *c)
{
    struct group_filter filter = {.subscription = arm_id(c)->subscription};
    json_t *values = json_new_array(&c->op);
    struct arm_page page;
    struct group *groups;
    bool all;
    size_t n;

    TRY(arm_sees_subscription(c, &all));
    TRY(page_read_arm(c, PAGE_DEFAULT, &page));
    TRY(read_filter(c, &filter));
    filter.last = page.last;
    filter.limit = page.limit;
    TRY(group_list(&c->op, &filter, &groups, &n));
    for (size_t i = 0; i < n && (int64_t)i < page.top; i++)
        if (may_see(c, all, &groups[i]))
            json_array_append(values, group_json(&c->op, &groups[i]));
    return page_reply(c, values, (int64_t)n > page.top ? groups[page.top - 1].key : NULL);
}

/* 202 and Location; asked again while it is under way, the same operation. */
enum fault group_api_delete(struct call *c)
{
    const struct resource_id *id = arm_id(c);
    struct op *op = &c->op;
    struct operation o = {.kind = "group.delete", .provider = "Microsoft.Resources"};
    const char *already;
    struct group now;
    enum fault fault;

    TRY(db_begin(op));
    TRY(group_get(op, id->subscription, id->group, &now));
    TRY(operation_start(c, &o));
    TRY(group_set_deleting(op, now.key, o.id, &already));
    if (already)
        o.id = already;
    operation_headers(c, &o, OPERATION_LOCATION);
    if (call_query(c, "forceDeletionTypes", 0))
        reply_header(c, "x-sundog-ignored", "forceDeletionTypes");
    reply_empty(c, 202);
    if (already) {
        db_rollback(op);
        return OK;
    }
    fault = db_commit(op);
    cache_changed(id->key);
    if (fault == OK)
        group_delete_wake(now.key);
    return fault;
}
