#include "api/lock.h"

#include <string.h>

#include "core/db.h"
#include "core/hub.h"
#include "core/snapshot.h"
#include "core/trace.h"

#define COLUMNS                                                                                    \
    "key, id, scope, name, level, notes, owners, api.iso(created) AS created, created_by,"         \
    " created_by_kind, api.iso(changed) AS changed, changed_by, changed_by_kind"

enum { SELECT_ALL, GET_ONE, PUT_ONE, DELETE_ONE, DELETE_BELOW };
static const struct db_stmt stmts[] = {
    [SELECT_ALL] = {"SELECT " COLUMNS " FROM api.lock ORDER BY key"},
    [GET_ONE] = {"SELECT " COLUMNS " FROM api.lock WHERE key = $1"},
    [PUT_ONE] = {"INSERT INTO api.lock AS l (key, id, scope, name, level, notes, owners,"
                 "  created_by, created_by_kind, changed_by, changed_by_kind)"
                 " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $8, $9) ON CONFLICT (key) DO UPDATE"
                 " SET level = excluded.level, notes = excluded.notes, owners = excluded.owners,"
                 "  changed = now(), changed_by = excluded.changed_by,"
                 "  changed_by_kind = excluded.changed_by_kind RETURNING xmax = 0 AS created"},
    [DELETE_ONE] = {"DELETE FROM api.lock WHERE key = $1"},
    [DELETE_BELOW] = {"DELETE FROM api.lock WHERE scope = $1"
                      " OR (scope > $1 || '/' AND scope < $1 || '0')"},
    {0},
};

struct all {
    struct lock *rows;
    size_t n;
};

static struct lock from_row(const struct db_rows *rows)
{
    return (struct lock){
        .id = db_text(rows, "id"),
        .key = db_text(rows, "key"),
        .scope = db_text(rows, "scope"),
        .name = db_text(rows, "name"),
        .level = db_text(rows, "level"),
        .notes = db_text(rows, "notes"),
        .owners = db_text(rows, "owners"),
        .created = db_text(rows, "created"),
        .created_by = db_text(rows, "created_by"),
        .created_by_kind = db_text(rows, "created_by_kind"),
        .changed = db_text(rows, "changed"),
        .changed_by = db_text(rows, "changed_by"),
        .changed_by_kind = db_text(rows, "changed_by_kind"),
    };
}

static enum fault load(struct op *op, void **ret)
{
    struct all *all = arena_alloc(&op->arena, sizeof(*all));
    struct db_rows rows;

    TRY(db_query(op, &stmts[SELECT_ALL], &rows));
    all->rows = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(*all->rows));
    while (db_next(&rows))
        all->rows[all->n++] = from_row(&rows);
    *ret = all;
    return OK;
}

static struct snapshot_slot slot = SNAPSHOT_SLOT(load);

static void heard(const char *payload)
{
    (void)payload;
    snapshot_reload_alone(&slot);
}

enum fault lock_start(struct op *op)
{
    db_register(stmts);
    hub_listen("api-lock", heard);
    return lock_reload(op);
}

enum fault lock_reload(struct op *op)
{
    return snapshot_reload(op, &slot);
}

void lock_stop(void)
{
    snapshot_drop(&slot);
}

/* ---- the question ---- */

/* Reads and the methods that ask for nothing are not stopped by any lock. */
static bool forbids(const struct lock *lock, enum method method, const char *key)
{
    bool deletes = method == DELETE, read_only = strcmp(lock->level, "ReadOnly") == 0;

    if (id_is_within(key, lock->scope))
        return read_only || deletes;
    return deletes && id_is_within(lock->scope, key);
}

enum fault lock_check(struct op *op, enum method method, const char *path)
{
    const struct all *all = snapshot_hold(op, &slot);
    struct text names;
    const char *key, *lock_id = NULL;
    bool any = false;

    if (!all || all->n == 0)
        return OK;
    key = id_lower(op, path);
    text_init(&names, &op->arena, 3000);
    for (size_t i = 0; i < all->n; i++) {
        const struct lock *lock = &all->rows[i];

        if (!forbids(lock, method, key))
            continue;
        text_printf(&names, "%s'%.*s'", any ? ", " : "",
                    (int)(strlen(lock->id) - strlen("/providers/Microsoft.Authorization/locks/") -
                          strlen(lock->name)),
                    lock->id);
        any = true;
        lock_id = lock->id;
    }
    if (!any)
        return OK;
    trace_mend(op, "az lock delete --ids %s", shell_word(op, lock_id));
    return fail_on(op, "ScopeLocked", CONFLICT,
                   "The scope '%s' cannot perform %s operation because following scope(s) are "
                   "locked: %s. Please remove the lock and try again.",
                   path, method == DELETE ? "delete" : "write", names.data);
}

/* ---- rows ---- */

enum fault lock_put(struct call *c, const struct lock *wanted, bool *ret_created)
{
    struct op *op = &c->op;
    struct db_rows rows;

    TRY(db_query(op, &stmts[PUT_ONE], &rows, DB_TEXT(wanted->key), DB_TEXT(wanted->id),
                 DB_TEXT(wanted->scope), DB_TEXT(wanted->name), DB_TEXT(wanted->level),
                 DB_TEXT(wanted->notes), DB_TEXT(wanted->owners), DB_TEXT(arm_who_name(c)),
                 DB_TEXT(arm_who_kind(c))));
    *ret_created = db_next(&rows) && db_bool(&rows, "created");
    return hub_notify(op, "api-lock", "");
}

enum fault lock_get(struct op *op, const char *key, struct lock *ret)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[GET_ONE], &rows, DB_TEXT(key)));
    if (!db_next(&rows))
        return fail_on(op, "LockNotFound", NOT_FOUND, "The lock '%s' could not be found.", key);
    *ret = from_row(&rows);
    return OK;
}

enum fault lock_delete(struct op *op, const char *key, bool *ret_existed)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[DELETE_ONE], &rows, DB_TEXT(key)));
    *ret_existed = rows.affected > 0;
    return rows.affected ? hub_notify(op, "api-lock", "") : OK;
}

enum fault lock_delete_below(struct op *op, const char *key)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[DELETE_BELOW], &rows, DB_TEXT(key)));
    return rows.affected ? hub_notify(op, "api-lock", "") : OK;
}

enum fault lock_list(struct op *op, const char *scope, bool exact, struct lock **ret, size_t *ret_n)
{
    const struct all *all = snapshot_hold(op, &slot);
    size_t n = 0;

    *ret = arena_alloc(&op->arena, ((all ? all->n : 0) + 1) * sizeof(**ret));
    for (size_t i = 0; all && i < all->n; i++) {
        const struct lock *lock = &all->rows[i];

        if (strcmp(lock->scope, scope) == 0 ||
            (!exact && (id_is_within(lock->scope, scope) || id_is_within(scope, lock->scope))))
            (*ret)[n++] = *lock;
    }
    *ret_n = n;
    return OK;
}
