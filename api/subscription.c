#include "api/subscription.h"

#include <string.h>

#include "auth/guid.h"
#include "core/admin_file.h"
#include "core/db.h"
#include "core/hub.h"
#include "core/seal.h"
#include "core/snapshot.h"

enum {
    SELECT_ALL,
    LOCK_TABLE,
    INSERT,
    RENAME_ALIAS,
    DROP_ALIAS,
    RENAME,
    SET_STATE,
    SET_TAGS,
    DROP
};
static const struct db_stmt stmts[] = {
    [SELECT_ALL] = {"SELECT id, name, alias, state, tags, api.iso(created) AS created, version"
                    " FROM api.subscription ORDER BY api.subscription.created, id"},
    [LOCK_TABLE] = {"LOCK TABLE api.subscription IN SHARE ROW EXCLUSIVE MODE"},
    [INSERT] = {"INSERT INTO api.subscription (id, name, alias) VALUES ($1, $2, $3)"
                " ON CONFLICT DO NOTHING"},
    [RENAME_ALIAS] = {"UPDATE api.subscription SET name = $2, version = version + 1"
                      " WHERE alias = $1 AND name <> $2"},
    [DROP_ALIAS] = {"UPDATE api.subscription SET alias = NULL WHERE alias = $1"},
    [RENAME] = {"UPDATE api.subscription SET name = $2, version = version + 1 WHERE id = $1"},
    [SET_STATE] = {"UPDATE api.subscription SET state = $2, version = version + 1 WHERE id = $1"},
    [SET_TAGS] = {"UPDATE api.subscription SET tags = $2, version = version + 1 WHERE id = $1"},
    /* what refers to the row goes with it (schema) */
    [DROP] = {"WITH said AS (DELETE FROM api.activity WHERE subscription = $1),"
              " asked AS (DELETE FROM api.operation WHERE subscription = $1)"
              " DELETE FROM api.subscription WHERE id = $1"},
    {0},
};

struct all {
    struct subscription *rows;
    size_t n;
};

static enum fault load(struct op *op, void **ret)
{
    struct all *all = arena_alloc(&op->arena, sizeof(*all));
    struct db_rows rows;

    TRY(db_query(op, &stmts[SELECT_ALL], &rows));
    all->rows = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(*all->rows));
    while (db_next(&rows))
        all->rows[all->n++] = (struct subscription){
            .id = db_text(&rows, "id"),
            .name = db_text(&rows, "name"),
            .alias = db_text(&rows, "alias"),
            .state = db_text(&rows, "state"),
            .tags = db_text(&rows, "tags"),
            .created = db_text(&rows, "created"),
            .version = db_int(&rows, "version"),
        };
    *ret = all;
    return OK;
}

static struct snapshot_slot slot = SNAPSHOT_SLOT(load);

enum fault subscription_reload(struct op *op)
{
    return snapshot_reload(op, &slot);
}

static void heard(const char *payload)
{
    (void)payload;
    snapshot_reload_alone(&slot);
}

static const struct subscription *find(struct op *op, const char *id, const char *alias)
{
    const struct all *all = snapshot_hold(op, &slot);

    for (size_t i = 0; all && i < all->n; i++)
        if (id ? strcmp(all->rows[i].id, id) == 0
               : all->rows[i].alias && strcmp(all->rows[i].alias, alias) == 0)
            return &all->rows[i];
    return NULL;
}

static bool is_guid(const char *id)
{
    return strlen(id) == 36 && strspn(id, "0123456789abcdef-") == 36 && id[8] == '-' &&
           id[13] == '-' && id[18] == '-' && id[23] == '-';
}

enum fault subscription_find(struct op *op, const char *id, struct subscription *ret)
{
    const struct subscription *s = find(op, id, NULL);

    if (!s && !is_guid(id))
        return fail_on(op, "InvalidSubscriptionId", INVALID,
                       "The provided subscription identifier '%.60s' is malformed or invalid.", id);
    if (!s)
        return fail_on(op, "SubscriptionNotFound", NOT_FOUND,
                       "The subscription '%s' could not be found.", id);
    *ret = *s;
    return OK;
}

void subscription_all(struct op *op, struct subscription **ret, size_t *ret_n)
{
    const struct all *all = snapshot_hold(op, &slot);

    *ret = all ? all->rows : NULL;
    *ret_n = all ? all->n : 0;
}

/* ---- changes ---- */

static enum fault notify(struct op *op)
{
    return hub_notify(op, "api-subscription", "");
}

enum fault subscription_by_alias(struct op *op, const char *alias, struct subscription *ret)
{
    const struct subscription *s = find(op, NULL, id_lower(op, alias));

    if (!s)
        return fail_on(op, "NotFound", NOT_FOUND, "The alias '%s' could not be found.", alias);
    *ret = *s;
    return OK;
}

enum fault subscription_put_alias(struct op *op, const char *alias, const char *id,
                                  const char *name, struct subscription *ret, bool *ret_created)
{
    const char *key = id_lower(op, alias);
    const struct subscription *s = find(op, NULL, key);
    struct db_rows rows;
    char made[37];

    if (s && id && strcmp(s->id, id) != 0)
        return fail_on(op, "AliasAlreadyExists", CONFLICT,
                       "The alias '%s' is another subscription's.", alias);
    if (s) {
        TRY(db_query(op, &stmts[RENAME_ALIAS], NULL, DB_TEXT(key), DB_TEXT(name)));
        *ret = *s;
        ret->name = name;
        *ret_created = false;
        return notify(op);
    }
    if (id && !is_guid(id))
        return fail_on(op, "InvalidSubscriptionId", INVALID,
                       "The provided subscription identifier '%.60s' is malformed or invalid.", id);
    random_uuid(made);
    *ret = (struct subscription){.id = arena_strdup(&op->arena, id ? id : made),
                                 .name = name,
                                 .alias = key,
                                 .state = "Enabled",
                                 .tags = "{}"};
    TRY(db_query(op, &stmts[INSERT], &rows, DB_TEXT(ret->id), DB_TEXT(name), DB_TEXT(key)));
    if (!rows.affected)
        return fail_on(op, "SubscriptionAlreadyExists", CONFLICT,
                       "A subscription of this id or alias exists already.");
    *ret_created = true;
    return notify(op);
}

enum fault subscription_make(struct op *op, const char *name, const char **ret_id)
{
    char made[37];

    random_uuid(made);
    *ret_id = arena_strdup(&op->arena, made);
    TRY(db_query(op, &stmts[INSERT], NULL, DB_TEXT(made), DB_TEXT(name), DB_TEXT(NULL)));
    return notify(op);
}

enum fault subscription_delete(struct op *op, const char *id)
{
    TRY(db_query(op, &stmts[DROP], NULL, DB_TEXT(id)));
    return notify(op);
}

enum fault subscription_delete_alias(struct op *op, const char *alias)
{
    TRY(db_query(op, &stmts[DROP_ALIAS], NULL, DB_TEXT(id_lower(op, alias))));
    return notify(op);
}

enum fault subscription_rename(struct op *op, const char *id, const char *name)
{
    TRY(db_query(op, &stmts[RENAME], NULL, DB_TEXT(id), DB_TEXT(name)));
    return notify(op);
}

enum fault subscription_set_state(struct op *op, const char *id, const char *state)
{
    TRY(db_query(op, &stmts[SET_STATE], NULL, DB_TEXT(id), DB_TEXT(state)));
    return notify(op);
}

enum fault subscription_set_tags(struct op *op, const char *id, const char *tags)
{
    TRY(db_query(op, &stmts[SET_TAGS], NULL, DB_TEXT(id), DB_TEXT(tags)));
    return notify(op);
}

/* ---- start ---- */

static enum fault make_first(struct op *op, const char *wanted)
{
    const char *id = wanted ? guid_lower(op, wanted) : NULL;
    char random[37];

    if (wanted && !id)
        return fail(op, INVALID, "--subscription-id: \"%s\" is not a GUID", wanted);
    TRY(db_begin(op));
    TRY(db_query(op, &stmts[LOCK_TABLE], NULL));
    TRY(subscription_reload(op));
    if (((const struct all *)snapshot_hold(op, &slot))->n == 0) {
        random_uuid(random);
        id = id ? id : random;
        TRY(db_query(op, &stmts[INSERT], NULL, DB_TEXT(id), DB_TEXT("Sundog"), DB_TEXT(NULL)));
    }
    TRY(db_commit(op));
    return subscription_reload(op);
}

/* The oldest one is the one that admin.json names. */
static const char *oldest(const struct all *all)
{
    const struct subscription *first = &all->rows[0];

    for (size_t i = 1; i < all->n; i++)
        if (strcmp(all->rows[i].created, first->created) < 0)
            first = &all->rows[i];
    return first->id;
}

enum fault subscription_start(struct op *op, const struct settings *settings)
{
    const struct all *all;

    db_register(stmts);
    hub_listen("api-subscription", heard);
    TRY(subscription_reload(op));
    all = snapshot_hold(op, &slot);
    if (all->n == 0) {
        TRY(make_first(op, settings->subscription_id));
        all = snapshot_hold(op, &slot);
    }
    admin_file_note("subscriptionId", oldest(all));
    return OK;
}

const char *subscription_first(struct op *op)
{
    return oldest(snapshot_hold(op, &slot));
}

void subscription_stop(void)
{
    snapshot_drop(&slot);
}
