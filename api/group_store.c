#include <string.h>

#include "api/group.h"
#include "api/quota.h"
#include "core/db.h"

#define COLUMNS                                                                                    \
    "g.key, g.subscription, g.name, g.location, g.managed_by, g.tags, g.state, g.version"
#define DIFFERS                                                                                    \
    "(g.tags, g.managed_by) IS DISTINCT FROM (excluded.tags,"                                      \
    " coalesce(excluded.managed_by, g.managed_by))"

enum {
    PUT_ONE,
    GET_ONE,
    SET_TAGS,
    SET_DELETING,
    SET_ALIVE,
    DELETING,
    DELETE_ROW,
    HOLD_DELETING,
    LIST,
    LIST_TAG,
    STATE_OF
};
static const struct db_stmt stmts[] = {
    [PUT_ONE] = {"INSERT INTO api.resource_group AS g"
                 "  (key, subscription, name, location, managed_by, tags)"
                 " SELECT $1, $2, $3, $4, $5, $6"
                 "  WHERE EXISTS (SELECT 1 FROM api.resource_group WHERE key = $1)"
                 "  OR (SELECT count(*) FROM api.resource_group WHERE subscription = $2)"
                 "     < $7 ON CONFLICT (key) DO UPDATE SET tags = excluded.tags,"
                 "  managed_by = coalesce(excluded.managed_by, g.managed_by),"
                 "  changed = CASE WHEN " DIFFERS " THEN now() ELSE g.changed END,"
                 "  version = g.version + (" DIFFERS ")::int"
                 " WHERE g.state <> 'Deleting' AND g.location = excluded.location"
                 " RETURNING " COLUMNS ", g.xmax = 0 AS is_new"},
    [GET_ONE] = {"SELECT " COLUMNS " FROM api.resource_group g WHERE g.key = $1"},
    [SET_TAGS] = {"UPDATE api.resource_group AS g SET tags = coalesce($2, tags),"
                  "  managed_by = coalesce($3, managed_by), changed = now(), version = version + 1"
                  " WHERE key = $1 AND state <> 'Deleting' RETURNING " COLUMNS},
    [SET_DELETING] = {"UPDATE api.resource_group SET state = 'Deleting', operation = $2,"
                      "  changed = now(), version = version + 1"
                      " WHERE key = $1 AND state <> 'Deleting'"},
    [SET_ALIVE] = {"UPDATE api.resource_group SET state = 'Succeeded', operation = NULL,"
                   "  changed = now(), version = version + 1 WHERE key = $1"},
    [DELETING] = {"SELECT key, operation FROM api.resource_group"
                  " WHERE state = 'Deleting' AND key > $1 ORDER BY key LIMIT 1000"},
    [DELETE_ROW] = {"DELETE FROM api.resource_group WHERE key = $1"},
    [HOLD_DELETING] = {"SELECT key FROM api.resource_group WHERE key = $1 AND state = 'Deleting'"
                       " AND operation IS NOT DISTINCT FROM $2 FOR UPDATE"},
    [LIST] = {"SELECT " COLUMNS " FROM api.resource_group g WHERE g.key > $1 AND g.key < $2"
              " ORDER BY g.key LIMIT $3"},
    [LIST_TAG] = {"SELECT " COLUMNS " FROM api.resource_group g WHERE g.key > $1 AND g.key < $2"
                  " AND EXISTS (SELECT 1 FROM jsonb_each_text(g.tags) t"
                  "  WHERE lower(t.key) = lower($4) AND ($5::text IS NULL OR t.value = $5))"
                  " ORDER BY g.key LIMIT $3"},
    [STATE_OF] = {"SELECT state, operation FROM api.resource_group WHERE key = $1"},
    {0},
};

void group_store_start(void)
{
    db_register(stmts);
}

static struct group from_row(struct op *op, const struct db_rows *rows)
{
    struct group g = {
        .key = db_text(rows, "key"),
        .subscription = db_text(rows, "subscription"),
        .name = db_text(rows, "name"),
        .location = db_text(rows, "location"),
        .managed_by = db_text(rows, "managed_by"),
        .tags = db_text(rows, "tags"),
        .state = db_text(rows, "state"),
        .version = db_int(rows, "version"),
    };

    g.id = arena_printf(&op->arena, "/subscriptions/%s/resourceGroups/%s", g.subscription, g.name);
    return g;
}

static const char *key_of(struct op *op, const char *subscription, const char *name)
{
    return id_lower(
        op, arena_printf(&op->arena, "/subscriptions/%s/resourcegroups/%s", subscription, name));
}

enum fault group_get(struct op *op, const char *subscription, const char *name, struct group *ret)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[GET_ONE], &rows, DB_TEXT(key_of(op, subscription, name))));
    if (!db_next(&rows))
        return fail_on(op, "ResourceGroupNotFound", NOT_FOUND,
                       "Resource group '%s' could not be found.", name);
    *ret = from_row(op, &rows);
    return OK;
}

static enum fault being_deleted(struct op *op, const char *name)
{
    return fail_on(op, "ResourceGroupBeingDeleted", CONFLICT,
                   "The resource group '%s' is in deprovisioning state and cannot perform this "
                   "operation.",
                   name);
}

/* The upsert gave no row: say why. */
static enum fault refused(struct op *op, const struct group *wanted)
{
    struct group now;
    enum fault fault = group_get(op, wanted->subscription, wanted->name, &now);

    if (fault == NOT_FOUND)
        return fail_on(op, "ResourceGroupQuotaExceeded", CONFLICT,
                       "The subscription '%s' may hold %lld resource groups, its quota "
                       "'resourceGroups', and does.",
                       wanted->subscription,
                       (long long)quota_limit(op, wanted->subscription, &quota_groups));
    TRY(fault);
    if (strcmp(now.state, "Deleting") == 0)
        return being_deleted(op, now.name);
    return arm_fail_at(op, "InvalidResourceGroupLocation", CONFLICT, "location",
                       "Invalid resource group location '%s'. The Resource group already exists in "
                       "location '%s'.",
                       wanted->location, now.location);
}

enum fault group_put(struct op *op, const struct group *wanted, struct group *ret_now,
                     bool *ret_created)
{
    const char *key = key_of(op, wanted->subscription, wanted->name);
    struct db_rows rows;

    TRY(db_query(op, &stmts[PUT_ONE], &rows, DB_TEXT(key), DB_TEXT(wanted->subscription),
                 DB_TEXT(wanted->name), DB_TEXT(wanted->location), DB_TEXT(wanted->managed_by),
                 DB_TEXT(wanted->tags),
                 DB_INT(quota_limit(op, wanted->subscription, &quota_groups))));
    if (!db_next(&rows))
        return refused(op, wanted);
    *ret_created = db_bool(&rows, "is_new");
    *ret_now = from_row(op, &rows);
    return OK;
}

enum fault group_set_tags(struct op *op, const char *subscription, const char *name,
                          const char *tags, const char *managed_by, struct group *ret_now)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[SET_TAGS], &rows, DB_TEXT(key_of(op, subscription, name)),
                 DB_TEXT(tags), DB_TEXT(managed_by)));
    if (!db_next(&rows)) {
        TRY(group_get(op, subscription, name, ret_now));
        return being_deleted(op, ret_now->name);
    }
    *ret_now = from_row(op, &rows);
    return OK;
}

enum fault group_operation(struct op *op, const char *key, const char **ret_state,
                           const char **ret_operation)
{
    struct db_rows rows;

    *ret_state = *ret_operation = NULL;
    TRY(db_query(op, &stmts[STATE_OF], &rows, DB_TEXT(key)));
    if (!db_next(&rows))
        return OK;
    *ret_state = db_text(&rows, "state");
    *ret_operation = db_text(&rows, "operation");
    return OK;
}

enum fault group_set_deleting(struct op *op, const char *key, const char *operation,
                              const char **ret_operation)
{
    struct db_rows rows;
    const char *state;

    *ret_operation = NULL;
    TRY(db_query(op, &stmts[SET_DELETING], &rows, DB_TEXT(key), DB_TEXT(operation)));
    if (rows.affected)
        return OK;
    TRY(group_operation(op, key, &state, ret_operation));
    if (!state)
        return fail_on(op, "ResourceGroupNotFound", NOT_FOUND,
                       "Resource group '%s' could not be found.", strrchr(key, '/') + 1);
    return OK;
}

enum fault group_list_deleting(struct op *op, const char *last, const char ***ret, size_t *ret_n)
{
    struct db_rows rows;
    size_t n = 0;

    TRY(db_query(op, &stmts[DELETING], &rows, DB_TEXT(last)));
    *ret = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(**ret));
    while (db_next(&rows)) {
        (void)db_text(&rows, "operation");
        (*ret)[n++] = db_text(&rows, "key");
    }
    *ret_n = n;
    return OK;
}

enum fault group_set_alive(struct op *op, const char *key)
{
    return db_query(op, &stmts[SET_ALIVE], NULL, DB_TEXT(key));
}

enum fault group_hold_deleting(struct op *op, const char *key, const char *operation,
                               bool *ret_held)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[HOLD_DELETING], &rows, DB_TEXT(key), DB_TEXT(operation)));
    *ret_held = db_next(&rows) && db_text(&rows, "key");
    return OK;
}

enum fault group_delete_row(struct op *op, const char *key)
{
    return db_query(op, &stmts[DELETE_ROW], NULL, DB_TEXT(key));
}

enum fault group_list(struct op *op, const struct group_filter *f, struct group **ret,
                      size_t *ret_n)
{
    const char *prefix =
        arena_printf(&op->arena, "/subscriptions/%s/resourcegroups", f->subscription);
    const char *low = arena_printf(&op->arena, "%s/", prefix);
    const char *high = arena_printf(&op->arena, "%s0", prefix);
    struct db_rows rows;
    size_t n = 0;

    if (f->last && strcmp(f->last, low) > 0)
        low = f->last;
    if (f->tag_name)
        TRY(db_query(op, &stmts[LIST_TAG], &rows, DB_TEXT(low), DB_TEXT(high), DB_INT(f->limit),
                     DB_TEXT(f->tag_name), DB_TEXT(f->tag_value)));
    else
        TRY(db_query(op, &stmts[LIST], &rows, DB_TEXT(low), DB_TEXT(high), DB_INT(f->limit)));
    *ret = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(**ret));
    while (db_next(&rows))
        (*ret)[n++] = from_row(op, &rows);
    *ret_n = n;
    return OK;
}
