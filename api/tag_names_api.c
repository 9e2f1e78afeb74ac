/* /subscriptions/{s}/tagNames: names and values made beforehand, and those in use with counts. */
#include <string.h>

#include "api/handlers.h"
#include "api/page.h"
#include "core/db.h"
#include "core/durable.h"

#define NAMES_MAX 10000

enum { LIST_ALL, PUT_NAME, HAS_NAME, PUT_VALUE, DELETE_NAME, DELETE_VALUE, COUNT };
#define USED                                                                                       \
    "SELECT lower(t.key) AS tag, t.key AS name, t.value FROM api.resource_group g,"                \
    " jsonb_each_text(g.tags) t WHERE g.subscription = $1 UNION ALL"                               \
    " SELECT lower(t.key), t.key, t.value FROM api.resource r, jsonb_each_text(r.tags) t"          \
    " WHERE r.subscription = $1"
static const struct db_stmt stmts[] = {
    [LIST_ALL] = {"WITH used AS (" USED "), made AS ("
                  " SELECT n.key AS tag, n.name, v.value FROM api.tag_name n"
                  " LEFT JOIN api.tag_value v ON v.subscription = n.subscription AND v.tag = n.key"
                  " WHERE n.subscription = $1)"
                  " SELECT tag, min(name) AS name, value, sum(n) AS n FROM"
                  "  (SELECT tag, name, value, 1 AS n FROM used UNION ALL"
                  "   SELECT tag, name, value, 0 FROM made) a"
                  " GROUP BY tag, value ORDER BY tag, value NULLS FIRST LIMIT $2"},
    [PUT_NAME] = {"INSERT INTO api.tag_name (subscription, key, name) VALUES ($1, lower($2), $2)"
                  " ON CONFLICT DO NOTHING"},
    [HAS_NAME] = {"SELECT name FROM api.tag_name WHERE subscription = $1 AND key = lower($2)"},
    [PUT_VALUE] = {"INSERT INTO api.tag_value (subscription, tag, key, value)"
                   " VALUES ($1, lower($2), lower($3), $3) ON CONFLICT DO NOTHING"},
    [DELETE_NAME] = {"DELETE FROM api.tag_name WHERE subscription = $1 AND key = lower($2)"},
    [DELETE_VALUE] = {"DELETE FROM api.tag_value WHERE subscription = $1 AND tag = lower($2)"
                      " AND key = lower($3)"},
    [COUNT] = {"WITH used AS (" USED ") SELECT count(*) AS n FROM used WHERE tag = lower($2)"
               " AND ($3::text IS NULL OR lower(value) = lower($3))"},
    {0},
};

void tag_names_start(void)
{
    db_register(stmts);
}

static json_t *count_json(int64_t n)
{
    return json_pack("{s:s,s:I}", "type", "Total", "value", (json_int_t)n);
}

static json_t *value_json(struct op *op, const char *name_id, const char *value, int64_t n)
{
    json_t *out = json_new_object(op);

    json_set_text(out, "id", arena_printf(&op->arena, "%s/tagValues/%s", name_id, value));
    json_set_text(out, "tagValue", value);
    json_object_set_new(out, "count", count_json(n));
    return out;
}

static json_t *name_json(struct op *op, const char *subscription, const char *name)
{
    json_t *out = json_new_object(op);

    json_set_text(out, "id",
                  arena_printf(&op->arena, "/subscriptions/%s/tagNames/%s", subscription, name));
    json_set_text(out, "tagName", name);
    json_object_set_new(out, "values", json_array());
    return out;
}

enum fault tag_name_list(struct call *c)
{
    struct op *op = &c->op;
    json_t *values = json_new_array(op), *now = NULL;
    const char *subscription = arm_id(c)->subscription, *tag = NULL;
    struct db_rows rows;
    int64_t total = 0;

    TRY(db_query(op, &stmts[LIST_ALL], &rows, DB_TEXT(subscription), DB_INT(NAMES_MAX)));
    while (db_next(&rows)) {
        const char *key = db_text(&rows, "tag"), *name = db_text(&rows, "name");
        const char *value = db_text(&rows, "value");
        int64_t n = db_int(&rows, "n");

        if (!tag || strcmp(tag, key) != 0) {
            now = name_json(op, subscription, name);
            json_array_append(values, now);
            tag = key;
            total = 0;
        }
        total += n;
        json_object_set_new(now, "count", count_json(total));
        if (value)
            json_array_append(
                json_object_get(now, "values"),
                value_json(op, json_string_value(json_object_get(now, "id")), value, n));
    }
    return page_reply(c, values, NULL);
}

static enum fault check(struct op *op, const char *text, size_t max, const char *what)
{
    if (strlen(text) <= max && !strpbrk(text, "<>%&\\?/"))
        return OK;
    return fail_on(op, "InvalidTagName", INVALID,
                   "The %s must have at most %zu characters and none of '<,>,%%,&,\\,?,/'.", what,
                   max);
}

/* c->path_args: subscription, name, value. */
enum fault tag_name_put(struct call *c)
{
    struct op *op = &c->op;
    struct db_rows rows;
    json_t *body = name_json(op, arm_id(c)->subscription, c->path_args[1]);

    TRY(check(op, c->path_args[1], 512, "tag name"));
    TRY(db_begin(op));
    TRY(db_query(op, &stmts[PUT_NAME], &rows, DB_TEXT(arm_id(c)->subscription),
                 DB_TEXT(c->path_args[1])));
    json_object_set_new(body, "count", count_json(0));
    arm_reply(c, rows.affected ? 201 : 200, body);
    return call_commit(c);
}

enum fault tag_value_put(struct call *c)
{
    const char *subscription = arm_id(c)->subscription;
    const char *name_id =
        arena_printf(&c->op.arena, "/subscriptions/%s/tagNames/%s", subscription, c->path_args[1]);
    struct op *op = &c->op;
    struct db_rows rows;

    TRY(check(op, c->path_args[2], 256, "tag value"));
    TRY(db_begin(op));
    TRY(db_query(op, &stmts[HAS_NAME], &rows, DB_TEXT(subscription), DB_TEXT(c->path_args[1])));
    if (!db_next(&rows))
        return fail_on(op, "TagNotFound", NOT_FOUND, "The tag '%s' could not be found.",
                       c->path_args[1]);
    (void)db_text(&rows, "name");
    TRY(db_query(op, &stmts[PUT_VALUE], &rows, DB_TEXT(subscription), DB_TEXT(c->path_args[1]),
                 DB_TEXT(c->path_args[2])));
    arm_reply(c, rows.affected ? 201 : 200, value_json(op, name_id, c->path_args[2], 0));
    return call_commit(c);
}

static enum fault remove_tag(struct call *c, int stmt, const char *value)
{
    struct op *op = &c->op;
    struct db_rows rows;

    TRY(db_begin(op));
    TRY(db_query(op, &stmts[COUNT], &rows, DB_TEXT(arm_id(c)->subscription),
                 DB_TEXT(c->path_args[1]), DB_TEXT(value)));
    if (db_next(&rows) && db_int(&rows, "n") > 0)
        return fail_on(op, "TagInUse", CONFLICT,
                       "The tag '%s' is in use by resources or resource groups.", c->path_args[1]);
    if (value)
        TRY(db_query(op, &stmts[stmt], &rows, DB_TEXT(arm_id(c)->subscription),
                     DB_TEXT(c->path_args[1]), DB_TEXT(value)));
    else
        TRY(db_query(op, &stmts[stmt], &rows, DB_TEXT(arm_id(c)->subscription),
                     DB_TEXT(c->path_args[1])));
    reply_empty(c, rows.affected ? 200 : 204);
    return call_commit(c);
}

enum fault tag_name_delete(struct call *c)
{
    return remove_tag(c, DELETE_NAME, NULL);
}

enum fault tag_value_delete(struct call *c)
{
    return remove_tag(c, DELETE_VALUE, c->path_args[2]);
}
