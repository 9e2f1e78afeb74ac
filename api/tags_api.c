/* Tags of anything: {scope}/providers/Microsoft.Resources/tags/default. */
#include <string.h>
#include <strings.h>

#include "api/body.h"
#include "api/cache.h"
#include "api/group.h"
#include "api/handlers.h"
#include "api/provider.h"
#include "api/scope.h"
#include "api/subscription.h"
#include "core/db.h"
#include "core/durable.h"

/* What has the tags. */
struct target {
    struct resource_id id;
    const struct resource_type *type; /* of a resource */
    const char *tags;
};

static enum fault find(struct call *c, struct target *ret)
{
    struct op *op = &c->op;
    struct subscription s;
    struct resource r;
    struct group g;

    TRY(resource_id_parse(op, arm_id(c)->scope, &ret->id));
    ret->type = NULL;
    if (ret->id.type) {
        TRY(resource_get(op, &ret->id, &r));
        ret->type = resource_type_find(r.type);
        ret->tags = r.tags;
    } else if (ret->id.group) {
        TRY(group_get(op, ret->id.subscription, ret->id.group, &g));
        ret->tags = g.tags;
    } else {
        TRY(subscription_find(op, ret->id.subscription, &s));
        ret->tags = s.tags;
    }
    return OK;
}

static enum fault store(struct call *c, const struct target *t, const char *tags)
{
    struct op *op = &c->op;
    struct resource r, part = {.tags = tags};
    struct group g;

    if (t->id.type && t->type && !t->type->tracked)
        return fail_on(op, "TagsNotSupported", UNSUPPORTED, "Resources of type '%s' have no tags.",
                       t->id.full_type);
    if (t->id.type)
        return resource_patch(c, &t->id, &part, &r);
    if (t->id.group)
        return group_set_tags(op, t->id.subscription, t->id.group, tags, NULL, &g);
    return subscription_set_tags(op, t->id.subscription, tags);
}

static json_t *tags_json(struct op *op, const struct target *t, const char *tags)
{
    json_t *out = json_new_object(op), *properties = json_new_object(op);

    json_set_text(
        out, "id",
        arena_printf(&op->arena, "%s/providers/Microsoft.Resources/tags/default", t->id.path));
    json_set_text(out, "name", "default");
    json_set_text(out, "type", "Microsoft.Resources/tags");
    json_set_raw(properties, "tags", tags);
    json_object_set(out, "properties", properties);
    return out;
}

static enum fault set(struct call *c, const struct target *t, const char *tags)
{
    struct op *op = &c->op;
    enum fault fault;

    TRY(store(c, t, tags));
    fault = db_commit(op);
    cache_changed(t->id.key);
    TRY(fault);
    if (!t->id.group)
        TRY(subscription_reload(op));
    return arm_reply(c, 200, tags_json(op, t, tags));
}

enum fault tags_get(struct call *c)
{
    struct target t;

    TRY(find(c, &t));
    return arm_reply(c, 200, tags_json(&c->op, &t, t.tags));
}

/* {"properties":{"tags":{…}}} */
static enum fault read_tags(struct call *c, const json_t *body, json_t **ret)
{
    json_t *properties;

    TRY(body_required(&c->op, body, "properties"));
    TRY(body_object(&c->op, body, "properties", &properties));
    TRY(body_object(&c->op, properties, "tags", ret));
    if (!*ret)
        *ret = json_new_object(&c->op);
    return tags_check(&c->op, *ret);
}

enum fault tags_put(struct call *c)
{
    json_t *body, *tags;
    struct target t;

    TRY(body_read(c, false, &body));
    TRY(read_tags(c, body, &tags));
    TRY(db_begin(&c->op));
    TRY(find(c, &t));
    return set(c, &t, json_text_of(&c->op, tags));
}

/* Names are the same in any case of letters. */
static void remove_name(json_t *tags, const char *name)
{
    const char *key;
    json_t *value;
    void *next;

    json_object_foreach_safe(tags, next, key, value)
    {
        if (strcasecmp(key, name) == 0)
            json_object_del(tags, key);
    }
    (void)value;
}

static bool has_pair(const json_t *tags, const char *name, const json_t *value)
{
    const char *key;
    json_t *present;

    json_object_foreach((json_t *)(uintptr_t)tags, key, present)
    {
        if (strcasecmp(key, name) == 0 && json_equal(present, value))
            return true;
    }
    return false;
}

static void change(json_t *now, const char *operation, const json_t *given)
{
    bool deletes = strcmp(operation, "Delete") == 0;
    const char *name;
    json_t *value;

    if (strcmp(operation, "Replace") == 0)
        json_object_clear(now);
    json_object_foreach((json_t *)(uintptr_t)given, name, value)
    {
        if (deletes && !has_pair(now, name, value))
            continue;
        remove_name(now, name);
        if (!deletes)
            json_object_set(now, name, value);
    }
}

enum fault tags_patch(struct call *c)
{
    static const char *const operations[] = {"Merge", "Replace", "Delete", NULL};
    const char *operation = NULL;
    struct op *op = &c->op;
    json_t *body, *given, *now;
    struct target t;

    TRY(body_read(c, false, &body));
    TRY(body_required(op, body, "operation"));
    TRY(body_choice(op, body, "operation", operations, &operation));
    TRY(read_tags(c, body, &given));
    TRY(db_begin(op));
    TRY(find(c, &t));
    now = json_keep(op, json_loads(t.tags, 0, NULL));
    if (!now)
        now = json_new_object(op);
    change(now, operation, given);
    TRY(tags_check(op, now));
    return set(c, &t, json_text_of(op, now));
}

enum fault tags_delete(struct call *c)
{
    struct target t;

    TRY(db_begin(&c->op));
    TRY(find(c, &t));
    return set(c, &t, "{}");
}
