#include <string.h>

#include "core/db.h"
#include "core/hub.h"
#include "core/seal.h"
#include "registry/registry.h"

enum { SELECT_ALL, INSERT, SET_PASSWORDS, SET_FLAGS, USAGE };
static const struct db_stmt stmts[] = {
    [SELECT_ALL] = {"SELECT id, name, admin_enabled, anonymous_pull, admin_password1,"
                    " admin_password2, registry.iso(created) AS created, version"
                    " FROM registry.registry ORDER BY name COLLATE \"C\""},
    [INSERT] = {"INSERT INTO registry.registry (name, admin_enabled) VALUES (lower($1), true)"
                " ON CONFLICT (name) DO NOTHING RETURNING id"},
    [SET_PASSWORDS] = {"UPDATE registry.registry SET admin_password1 = $2, admin_password2 = $3,"
                       " version = version + 1 WHERE id = $1"},
    [SET_FLAGS] = {"UPDATE registry.registry SET admin_enabled = $2, anonymous_pull = $3,"
                   " version = version + 1 WHERE id = $1"},
    [USAGE] = {"WITH r AS (SELECT id FROM registry.repository WHERE registry_id = $1),"
               " m AS (SELECT count(*) AS n, coalesce(sum(size), 0) AS bytes"
               "       FROM registry.manifest WHERE repository_id IN (SELECT id FROM r)),"
               " b AS (SELECT count(*) AS n, coalesce(sum(size), 0) AS bytes FROM registry.blob"
               "       WHERE digest IN (SELECT digest FROM registry.repository_blob"
               "                        WHERE repository_id IN (SELECT id FROM r)))"
               " SELECT (SELECT count(*) FROM r) AS repositories, m.n AS manifests,"
               " (SELECT count(*) FROM registry.tag WHERE repository_id IN (SELECT id FROM r))"
               " AS tags, b.n AS blobs, m.bytes + b.bytes AS bytes FROM m, b"},
    {0},
};

void registry_store_start(void)
{
    db_register(stmts);
}

static const char *label(struct op *op, int64_t id, int which)
{
    return arena_printf(&op->arena, "registry/admin/%lld/%d", (long long)id, which);
}

static enum fault password(struct op *op, int64_t id, int which, struct bytes sealed,
                           const char **ret_password)
{
    struct bytes plain;

    if (!sealed.data)
        return OK;
    TRY(unseal(op, label(op, id, which), sealed, &plain));
    *ret_password = plain.data;
    return OK;
}

static enum fault registry_from_row(struct op *op, struct db_rows *rows, struct registry *r)
{
    *r = (struct registry){
        .id = db_int(rows, "id"),
        .name = db_text(rows, "name"),
        .admin_enabled = db_bool(rows, "admin_enabled"),
        .anonymous_pull = db_bool(rows, "anonymous_pull"),
        .created = db_text(rows, "created"),
        .version = db_int(rows, "version"),
    };
    TRY(password(op, r->id, 1, db_bytes(rows, "admin_password1"), &r->passwords[0]));
    return password(op, r->id, 2, db_bytes(rows, "admin_password2"), &r->passwords[1]);
}

enum fault registry_store_select(struct op *op, struct registry **ret_registries, size_t *ret_n)
{
    struct registry *registries;
    struct db_rows rows;
    size_t n = 0;

    TRY(db_query(op, &stmts[SELECT_ALL], &rows));
    registries =
        arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(*registries));
    while (db_next(&rows))
        TRY(registry_from_row(op, &rows, &registries[n++]));
    *ret_registries = registries;
    *ret_n = n;
    return OK;
}

enum fault registry_store_insert(struct op *op, const char *name, const char *const passwords[2],
                                 int64_t *ret_id)
{
    struct db_rows rows;
    int64_t id;

    TRY(db_query(op, &stmts[INSERT], &rows, DB_TEXT(name)));
    if (!db_next(&rows)) {
        *ret_id = 0;
        return OK;
    }
    id = db_int(&rows, "id");
    TRY(db_query(op, &stmts[SET_PASSWORDS], NULL, DB_INT(id),
                 DB_BYTES(seal(op, label(op, id, 1), BYTES(passwords[0]))),
                 DB_BYTES(seal(op, label(op, id, 2), BYTES(passwords[1])))));
    TRY(hub_notify(op, "registry", name));
    *ret_id = id;
    return OK;
}

enum fault registry_store_set(struct op *op, int64_t id, bool admin_enabled, bool anonymous_pull)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[SET_FLAGS], &rows, DB_INT(id), DB_BOOL(admin_enabled),
                 DB_BOOL(anonymous_pull)));
    if (rows.affected == 0)
        return fail_on(op, "name", NOT_FOUND, "the registry does not exist");
    return hub_notify(op, "registry", "");
}

enum fault registry_usage(struct op *op, int64_t id, struct registry_usage *ret_usage)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[USAGE], &rows, DB_INT(id)));
    if (!db_next(&rows))
        return fail(op, INTERNAL, "usage gave no row");
    *ret_usage = (struct registry_usage){
        .repositories = db_int(&rows, "repositories"),
        .manifests = db_int(&rows, "manifests"),
        .tags = db_int(&rows, "tags"),
        .blobs = db_int(&rows, "blobs"),
        .bytes = db_int(&rows, "bytes"),
    };
    return OK;
}
