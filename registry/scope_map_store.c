#include "registry/scope_map_store.h"

#include <ctype.h>
#include <string.h>

#include "core/db.h"
#include "core/hub.h"
#include "registry/lines.h"
#include "registry/registry_store.h"

#define COLUMNS                                                                                    \
    "SELECT name, description, array_to_string(actions, E'\\n') AS actions,"                       \
    " registry.iso(created) AS created FROM registry.scope_map WHERE registry_id = $1"

enum { PUT_ROW, COUNT, GET_ONE, LIST, USED, DELETE_ROW, ACTIONS };
static const struct db_stmt stmts[] = {
    [PUT_ROW] = {"INSERT INTO registry.scope_map (registry_id, key, name, description, actions)"
                 " VALUES ($1, $2, $3, $4, $5::text[]) ON CONFLICT (registry_id, key)"
                 " DO UPDATE SET description = $4, actions = $5::text[]"
                 " RETURNING xmax = 0 AS made"},
    [COUNT] = {"SELECT count(*) AS n FROM registry.scope_map WHERE registry_id = $1"},
    [GET_ONE] = {COLUMNS " AND key = $2"},
    [LIST] = {COLUMNS " AND key > $2 ORDER BY key LIMIT $3"},
    [USED] = {"SELECT name FROM registry.token WHERE registry_id = $1 AND scope_map = $2 LIMIT 1"},
    [DELETE_ROW] = {"DELETE FROM registry.scope_map WHERE registry_id = $1 AND key = $2"},
    [ACTIONS] = {"SELECT array_to_string(actions, E'\\n') AS actions FROM registry.scope_map"
                 " WHERE registry_id = $1 AND key = $2"},
    {0},
};

void scope_map_store_start(void)
{
    db_register(stmts);
}

const char *registry_item_key(struct op *op, const char *name)
{
    char *key = arena_strdup(&op->arena, name);

    for (char *p = key; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return key;
}

enum fault scope_map_notify(struct op *op, int64_t registry_id)
{
    return hub_notify(op, "registry_token",
                      arena_printf(&op->arena, "%lld", (long long)registry_id));
}

static enum fault check_quota(struct op *op, int64_t registry_id, enum sku sku)
{
    const struct sku_limits *limits = sku_limits(sku);
    struct db_rows rows;

    TRY(db_query(op, &stmts[COUNT], &rows, DB_INT(registry_id)));
    if (db_next(&rows) && db_int(&rows, "n") > limits->scope_maps)
        return fail_on(op, "quota", CONFLICT, "the SKU %s allows %lld scope maps", limits->name,
                       (long long)limits->scope_maps);
    return OK;
}

enum fault scope_map_put(struct op *op, const struct registry *registry,
                         const struct scope_map *wanted, bool *ret_created)
{
    struct db_rows rows;
    enum sku sku;
    bool made;

    TRY(scope_map_check(op, wanted));
    TRY(registry_store_hold(op, registry->id, &sku));
    TRY(db_query(op, &stmts[PUT_ROW], &rows, DB_INT(registry->id),
                 DB_TEXT(registry_item_key(op, wanted->name)), DB_TEXT(wanted->name),
                 DB_TEXT(wanted->description), DB_TEXTS(wanted->actions, wanted->n_actions)));
    if (!db_next(&rows))
        return fail(op, INTERNAL, "the scope map gave no row");
    made = db_bool(&rows, "made");
    if (made)
        TRY(check_quota(op, registry->id, sku));
    *ret_created = made;
    return scope_map_notify(op, registry->id);
}

static struct scope_map map_from_row(struct op *op, const struct db_rows *rows)
{
    struct scope_map map = {
        .name = db_text(rows, "name"),
        .description = db_text(rows, "description"),
        .created = db_text(rows, "created"),
    };

    map.actions = lines_split(op, db_text(rows, "actions"), &map.n_actions);
    return map;
}

static struct scope_map system_map(const struct scope_map *map, const struct registry *registry)
{
    struct scope_map copy = *map;

    copy.created = registry->created;
    return copy;
}

static enum fault unknown(struct op *op, const char *name)
{
    return fail_on(op, "scopeMap", NOT_FOUND, "the scope map %.60s does not exist", name);
}

enum fault scope_map_get(struct op *op, const struct registry *registry, const char *name,
                         struct scope_map *ret)
{
    const struct scope_map *system = scope_map_system(name);
    struct db_rows rows;

    if (system) {
        *ret = system_map(system, registry);
        return OK;
    }
    TRY(db_query(op, &stmts[GET_ONE], &rows, DB_INT(registry->id),
                 DB_TEXT(registry_item_key(op, name))));
    if (!db_next(&rows))
        return unknown(op, name);
    *ret = map_from_row(op, &rows);
    return OK;
}

enum fault scope_map_list(struct op *op, const struct registry *registry, const char *last,
                          int64_t max, struct scope_map **ret, size_t *ret_n)
{
    const struct scope_map *systems;
    size_t n_systems = scope_map_systems(last, &systems), n = 0;
    struct scope_map *list = arena_alloc(&op->arena, ((size_t)max + 1) * sizeof(*list));
    struct db_rows rows;

    while (n < n_systems && (int64_t)n < max) {
        list[n] = system_map(&systems[n], registry);
        n++;
    }
    if ((int64_t)n < max) {
        const char *after = *last == '_' ? "" : registry_item_key(op, last);

        TRY(db_query(op, &stmts[LIST], &rows, DB_INT(registry->id), DB_TEXT(after),
                     DB_INT(max - (int64_t)n)));
        while (db_next(&rows))
            list[n++] = map_from_row(op, &rows);
    }
    *ret = list;
    *ret_n = n;
    return OK;
}

enum fault scope_map_delete(struct op *op, const struct registry *registry, const char *name)
{
    const char *key = registry_item_key(op, name);
    struct db_rows rows;
    enum sku sku;

    if (scope_map_system(name))
        return fail_on(op, "name", FORBIDDEN, "the scope map %s is the system's", name);
    TRY(registry_store_hold(op, registry->id, &sku));
    TRY(db_query(op, &stmts[USED], &rows, DB_INT(registry->id), DB_TEXT(key)));
    if (db_next(&rows))
        return fail_on(op, "scopeMap", CONFLICT, "the scope map %.60s is in use by the token %s",
                       name, db_text(&rows, "name"));
    TRY(db_query(op, &stmts[DELETE_ROW], &rows, DB_INT(registry->id), DB_TEXT(key)));
    if (!rows.affected)
        return unknown(op, name);
    return scope_map_notify(op, registry->id);
}

enum fault scope_map_actions(struct op *op, int64_t registry_id, const char *key,
                             const char *const **ret_actions, size_t *ret_n, bool *ret_found)
{
    const struct scope_map *system = scope_map_system(key);
    struct db_rows rows;

    *ret_found = true;
    if (system) {
        *ret_actions = system->actions;
        *ret_n = system->n_actions;
        return OK;
    }
    *ret_n = 0;
    *ret_actions = NULL;
    TRY(db_query(op, &stmts[ACTIONS], &rows, DB_INT(registry_id), DB_TEXT(key)));
    *ret_found = db_next(&rows);
    if (*ret_found)
        *ret_actions = lines_split(op, db_text(&rows, "actions"), ret_n);
    return OK;
}
