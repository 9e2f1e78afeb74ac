#include "registry/registry_token_store.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/db.h"
#include "core/seal.h"
#include "registry/registry_store.h"
#include "registry/scope_map_store.h"

#define PASSWORD_LENGTH 52

#define COLUMNS                                                                                    \
    "SELECT t.name, coalesce(m.name, t.scope_map) AS scope_map, enabled,"                          \
    " hash1 IS NOT NULL AS set1, hash2 IS NOT NULL AS set2,"                                       \
    " registry.iso(created1) AS created1, registry.iso(created2) AS created2,"                     \
    " registry.iso(expiry1) AS expiry1, registry.iso(expiry2) AS expiry2,"                         \
    " registry.iso(t.created) AS created FROM registry.token t LEFT JOIN registry.scope_map m"     \
    " ON m.registry_id = t.registry_id AND m.key = t.scope_map WHERE t.registry_id = $1"

enum {
    PUT_ROW,
    COUNT,
    GET_ONE,
    LIST,
    DELETE_ROW,
    GENERATE1,
    GENERATE2,
    FORGET1,
    FORGET2,
    RIGHTS,
};
#define GENERATE(n)                                                                                \
    "UPDATE registry.token SET hash" n " = $3, created" n " = now(), expiry" n                     \
    " = $4::timestamptz WHERE registry_id = $1 AND key = $2"
#define FORGET(n)                                                                                  \
    "UPDATE registry.token SET hash" n " = NULL, created" n " = NULL, expiry" n                    \
    " = NULL WHERE registry_id = $1 AND key = $2"
static const struct db_stmt stmts[] = {
    [PUT_ROW] = {"INSERT INTO registry.token (registry_id, key, name, scope_map, enabled)"
                 " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (registry_id, key) DO UPDATE"
                 " SET scope_map = coalesce($4, token.scope_map), enabled = $5"
                 " RETURNING xmax = 0 AS made"},
    [COUNT] = {"SELECT count(*) AS n FROM registry.token WHERE registry_id = $1"},
    [GET_ONE] = {COLUMNS " AND t.key = $2"},
    [LIST] = {COLUMNS " AND t.key > $2 ORDER BY t.key LIMIT $3"},
    [DELETE_ROW] = {"DELETE FROM registry.token WHERE registry_id = $1 AND key = $2"},
    [GENERATE1] = {GENERATE("1")},
    [GENERATE2] = {GENERATE("2")},
    [FORGET1] = {FORGET("1")},
    [FORGET2] = {FORGET("2")},
    [RIGHTS] = {"SELECT id, name, enabled, scope_map, hash1, hash2,"
                " extract(epoch FROM expiry1)::bigint AS expiry1,"
                " extract(epoch FROM expiry2)::bigint AS expiry2"
                " FROM registry.token WHERE registry_id = $1 AND key = $2"},
    {0},
};

void registry_token_store_start(void)
{
    db_register(stmts);
}

static enum fault unknown(struct op *op, const char *name)
{
    return fail_on(op, "token", NOT_FOUND, "the token %.60s does not exist", name);
}

static enum fault check_map(struct op *op, int64_t registry_id, const char *key)
{
    const char *const *actions;
    bool found = true;
    size_t n;

    if (key)
        TRY(scope_map_actions(op, registry_id, key, &actions, &n, &found));
    if (!found)
        return fail_on(op, "scopeMapId", INVALID, "the scope map %.60s does not exist", key);
    return OK;
}

static enum fault check_quota(struct op *op, int64_t registry_id, enum sku sku)
{
    const struct sku_limits *limits = sku_limits(sku);
    struct db_rows rows;

    TRY(db_query(op, &stmts[COUNT], &rows, DB_INT(registry_id)));
    if (db_next(&rows) && db_int(&rows, "n") > limits->tokens)
        return fail_on(op, "quota", CONFLICT, "the SKU %s allows %lld tokens", limits->name,
                       (long long)limits->tokens);
    return OK;
}

enum fault registry_token_put(struct op *op, const struct registry *registry,
                              const struct registry_token *wanted, bool *ret_created)
{
    const char *map = wanted->scope_map ? registry_item_key(op, wanted->scope_map) : NULL;
    struct db_rows rows;
    enum sku sku;
    bool made;

    if (!registry_item_name_is_valid(wanted->name, "-"))
        return fail_on(op, "name", INVALID, "a token's name has 5 to 50 letters, digits and -");
    TRY(registry_store_hold(op, registry->id, &sku));
    TRY(check_map(op, registry->id, map));
    TRY(db_query(op, &stmts[PUT_ROW], &rows, DB_INT(registry->id),
                 DB_TEXT(registry_item_key(op, wanted->name)), DB_TEXT(wanted->name), DB_TEXT(map),
                 DB_BOOL(wanted->enabled)));
    if (!db_next(&rows))
        return fail(op, INTERNAL, "the token gave no row");
    made = db_bool(&rows, "made");
    if (made)
        TRY(check_quota(op, registry->id, sku));
    *ret_created = made;
    return scope_map_notify(op, registry->id);
}

static struct registry_token token_from_row(const struct db_rows *rows)
{
    return (struct registry_token){
        .name = db_text(rows, "name"),
        .scope_map = db_text(rows, "scope_map"),
        .enabled = db_bool(rows, "enabled"),
        .created = db_text(rows, "created"),
        .passwords = {{db_bool(rows, "set1"), db_text(rows, "created1"), db_text(rows, "expiry1")},
                      {db_bool(rows, "set2"), db_text(rows, "created2"), db_text(rows, "expiry2")}},
    };
}

enum fault registry_token_get(struct op *op, int64_t registry_id, const char *name,
                              struct registry_token *ret)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[GET_ONE], &rows, DB_INT(registry_id),
                 DB_TEXT(registry_item_key(op, name))));
    if (!db_next(&rows))
        return unknown(op, name);
    *ret = token_from_row(&rows);
    return OK;
}

enum fault registry_token_list(struct op *op, int64_t registry_id, const char *last, int64_t max,
                               struct registry_token **ret, size_t *ret_n)
{
    struct registry_token *list;
    struct db_rows rows;
    size_t n = 0;

    TRY(db_query(op, &stmts[LIST], &rows, DB_INT(registry_id), DB_TEXT(registry_item_key(op, last)),
                 DB_INT(max)));
    list = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(*list));
    while (db_next(&rows))
        list[n++] = token_from_row(&rows);
    *ret = list;
    *ret_n = n;
    return OK;
}

enum fault registry_token_delete(struct op *op, int64_t registry_id, const char *name)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[DELETE_ROW], &rows, DB_INT(registry_id),
                 DB_TEXT(registry_item_key(op, name))));
    if (!rows.affected)
        return unknown(op, name);
    return scope_map_notify(op, registry_id);
}

/* What follows the seconds: a fraction or none, then Z or an offset. */
static bool is_zone(const char *s)
{
    unsigned hours, minutes;

    if (*s == '.') {
        size_t digits = strspn(++s, "0123456789");

        if (digits == 0 || digits > 9)
            return false;
        s += digits;
    }
    if (strcmp(s, "Z") == 0 || strcmp(s, "z") == 0)
        return true;
    return (*s == '+' || *s == '-') && strlen(s) == 6 &&
           sscanf(s + 1, "%2u:%2u", &hours, &minutes) == 2 && hours < 15 && minutes < 60;
}

/* Before PostgreSQL sees it, which would fail the whole transaction. */
static enum fault check_expiry(struct op *op, const char *expiry)
{
    struct tm tm = {0}, same;
    const char *end = expiry ? strptime(expiry, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
    time_t t;

    if (!expiry)
        return OK;
    same = tm;
    t = timegm(&same); /* 31 February becomes another day */
    if (!end || !is_zone(end) || t < 0 || same.tm_mday != tm.tm_mday || tm.tm_sec > 59)
        return fail_on(op, "expiry", INVALID, "the expiry is no time of ISO 8601");
    return OK;
}

enum fault registry_token_generate(struct op *op, int64_t registry_id, const char *name, int which,
                                   const char *expiry, const char **ret_password)
{
    const char *password = random_password(op, PASSWORD_LENGTH);
    struct db_rows rows;

    TRY(check_expiry(op, expiry));
    TRY(db_query(op, &stmts[which ? GENERATE2 : GENERATE1], &rows, DB_INT(registry_id),
                 DB_TEXT(registry_item_key(op, name)), DB_TEXT(secret_hash(op, password)),
                 DB_TEXT(expiry)));
    if (!rows.affected)
        return unknown(op, name);
    *ret_password = password;
    return scope_map_notify(op, registry_id);
}

enum fault registry_token_forget(struct op *op, int64_t registry_id, const char *name, int which)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[which ? FORGET2 : FORGET1], &rows, DB_INT(registry_id),
                 DB_TEXT(registry_item_key(op, name))));
    if (!rows.affected)
        return unknown(op, name);
    return scope_map_notify(op, registry_id);
}

enum fault registry_token_store_rights(struct op *op, int64_t registry_id, const char *key,
                                       struct token_rights *ret)
{
    struct token_rights token;
    const char *map;
    struct db_rows rows;
    bool found;

    TRY(db_query(op, &stmts[RIGHTS], &rows, DB_INT(registry_id), DB_TEXT(key)));
    if (!db_next(&rows))
        return unknown(op, key);
    map = db_text(&rows, "scope_map");
    token = (struct token_rights){
        .id = db_int(&rows, "id"),
        .registry_id = registry_id,
        .name = db_text(&rows, "name"),
        .enabled = db_bool(&rows, "enabled"),
        .hashes = {db_text(&rows, "hash1"),   db_text(&rows, "hash2")  },
        .expires_s = {db_int(&rows,  "expiry1"), db_int(&rows,  "expiry2")},
    };
    if (map)
        TRY(scope_map_actions(op, registry_id, map, &token.actions, &token.n_actions, &found));
    *ret = token;
    return OK;
}
