#include "auth/object.h"

#include <string.h>

#include "auth/assignment_store.h"
#include "auth/credential_store.h"
#include "core/db.h"
#include "core/hub.h"
#include "core/seal.h"

#define COLUMNS                                                                                    \
    "o.id, o.kind, o.app_id, o.name, o.upn, o.enabled, o.sessions, o.document,"                    \
    " auth.iso(o.created_at) AS created"

enum {
    INSERT,
    UPDATE,
    GET_ONE,
    GET_LOCKED,
    GET_SOME,
    LIST,
    DROP,
    DROP_PRINCIPAL,
    REVOKE,
    PASSWORD,
    LINK_ADD,
    LINK_DROP,
    LINKED,
    LINKED_UP,
};
static const struct db_stmt stmts[] = {
    [INSERT] = {"INSERT INTO auth.object (id, kind, app_id, name, upn, enabled, password_hash,"
                " document) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING"},
    [UPDATE] = {"UPDATE auth.object SET name = $2, upn = $3, enabled = $4, document = $5,"
                " password_hash = coalesce($6, password_hash),"
                " sessions = sessions + CASE WHEN $7::boolean THEN 1 ELSE 0 END WHERE id = $1"},
    [GET_ONE] = {"SELECT " COLUMNS " FROM auth.object o WHERE o.id = $1"},
    [GET_LOCKED] = {"SELECT " COLUMNS " FROM auth.object o WHERE o.id = $1 FOR UPDATE"},
    [GET_SOME] = {"SELECT " COLUMNS " FROM auth.object o WHERE o.id = ANY ($1::text[])"
                  " ORDER BY o.id"},
    [LIST] = {"SELECT " COLUMNS " FROM auth.object o WHERE o.kind = $1"
              " AND ($2::text IS NULL OR o.app_id = $2)"
              " AND ($3::text IS NULL OR lower(o.upn) = lower($3))"
              " AND ($5::text IS NULL OR o.id > $5)"
              " AND ($6::text IS NULL OR starts_with(lower(o.name), lower($6)))"
              " ORDER BY o.id LIMIT $4::bigint"},
    [DROP] = {"DELETE FROM auth.object WHERE id = $1"},
    [DROP_PRINCIPAL] = {"DELETE FROM auth.object WHERE kind = 'servicePrincipal' AND app_id ="
                        " (SELECT app_id FROM auth.object WHERE id = $1 AND kind = 'application')"},
    [REVOKE] = {"WITH gone AS (DELETE FROM auth.sign_in WHERE user_id = $1)"
                " UPDATE auth.object SET sessions = sessions + 1 WHERE id = $1"},
    [PASSWORD] = {"SELECT password_hash FROM auth.object WHERE id = $1"},
    [LINK_ADD] = {"INSERT INTO auth.link (from_id, kind, to_id) SELECT f.id, $2, t.id"
                  " FROM auth.object f, auth.object t WHERE f.id = $1 AND t.id = $3"
                  " ON CONFLICT DO NOTHING"},
    [LINK_DROP] = {"DELETE FROM auth.link WHERE from_id = $1 AND kind = $2 AND to_id = $3"},
    [LINKED] = {"SELECT " COLUMNS " FROM auth.link l JOIN auth.object o ON o.id = l.to_id"
                " WHERE l.from_id = $1 AND l.kind = $2 ORDER BY o.id"},
    [LINKED_UP] = {"SELECT " COLUMNS " FROM auth.link l JOIN auth.object o ON o.id = l.from_id"
                   " WHERE l.to_id = $1 AND l.kind = $2 ORDER BY o.id"},
    {0},
};

void object_store_start(void)
{
    db_register(stmts);
    credential_store_start();
}

static enum fault changed(struct op *op)
{
    return hub_notify(op, DIRECTORY_CHANNEL, "");
}

static enum fault not_there(struct op *op, const char *id)
{
    return fail_on(op, "object", NOT_FOUND,
                   "Resource '%.100s' does not exist or one of its queried reference-property"
                   " objects are not present.",
                   id);
}

static void from_row(const struct db_rows *rows, struct object_row *o)
{
    const char *kind = db_text(rows, "kind");

    *o = (struct object_row){
        .id = db_text(rows, "id"),
        .app_id = db_text(rows, "app_id"),
        .name = db_text(rows, "name"),
        .upn = db_text(rows, "upn"),
        .enabled = db_bool(rows, "enabled"),
        .sessions = db_int(rows, "sessions"),
        .document = db_text(rows, "document"),
        .created = db_text(rows, "created"),
    };
    while (strcmp(object_kind_name(o->kind), kind) != 0)
        o->kind++;
}

static void all_rows(struct op *op, struct db_rows *rows, struct object_row **ret, size_t *ret_n)
{
    struct object_row *list =
        arena_alloc(&op->arena, ((size_t)PQntuples(rows->result) + 1) * sizeof(*list));
    size_t n = 0;

    while (db_next(rows))
        from_row(rows, &list[n++]);
    *ret = list;
    *ret_n = n;
}

/* ---- objects ---- */

enum fault object_insert(struct op *op, struct object_row *o)
{
    struct db_rows rows;
    char id[37];

    if (!o->id) {
        random_uuid(id);
        o->id = arena_strdup(&op->arena, id);
    }
    TRY(db_query(op, &stmts[INSERT], &rows, DB_TEXT(o->id), DB_TEXT(object_kind_name(o->kind)),
                 DB_TEXT(o->app_id), DB_TEXT(o->name), DB_TEXT(o->upn), DB_BOOL(o->enabled),
                 DB_TEXT(o->password_hash), DB_TEXT(o->document ? o->document : "{}")));
    if (!rows.affected)
        return fail_on(op, "object", CONFLICT,
                       o->kind == OBJECT_SERVICE_PRINCIPAL
                           ? "The service principal cannot be created, updated, or restored because"
                             " the service principal name %s is already in use."
                           : "Another object with the same value for property %s already exists.",
                       o->upn      ? "userPrincipalName"
                       : o->app_id ? o->app_id
                                   : o->id);
    return changed(op);
}

enum fault object_update(struct op *op, const struct object_row *o, bool revoke)
{
    struct db_rows rows;
    bool owned;

    TRY(last_owner_begin(op, &owned));
    TRY(db_query(op, &stmts[UPDATE], &rows, DB_TEXT(o->id), DB_TEXT(o->name), DB_TEXT(o->upn),
                 DB_BOOL(o->enabled), DB_TEXT(o->document), DB_TEXT(o->password_hash),
                 DB_BOOL(revoke)));
    TRY(last_owner_end(op, owned));
    return rows.affected ? changed(op) : not_there(op, o->id);
}

enum fault object_get(struct op *op, const char *id, bool for_update, struct object_row *ret)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[for_update ? GET_LOCKED : GET_ONE], &rows, DB_TEXT(id)));
    if (!db_next(&rows))
        return not_there(op, id);
    from_row(&rows, ret);
    return OK;
}

enum fault object_get_some(struct op *op, const char *const *ids, size_t n, struct object_row **ret,
                           size_t *ret_n)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[GET_SOME], &rows, DB_TEXTS(ids, n)));
    all_rows(op, &rows, ret, ret_n);
    return OK;
}

enum fault object_list(struct op *op, enum object_kind kind, const struct object_filter *f,
                       struct object_row **ret, size_t *ret_n)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[LIST], &rows, DB_TEXT(object_kind_name(kind)), DB_TEXT(f->app_id),
                 DB_TEXT(f->upn), DB_INT(f->limit ? f->limit : OBJECT_LIST_MAX), DB_TEXT(f->after),
                 DB_TEXT(f->name_begins)));
    all_rows(op, &rows, ret, ret_n);
    return OK;
}

enum fault object_delete(struct op *op, const char *id)
{
    struct db_rows rows;
    bool owned;

    TRY(last_owner_begin(op, &owned));
    TRY(db_query(op, &stmts[DROP_PRINCIPAL], NULL, DB_TEXT(id)));
    TRY(db_query(op, &stmts[DROP], &rows, DB_TEXT(id)));
    TRY(last_owner_end(op, owned));
    return rows.affected ? changed(op) : not_there(op, id);
}

enum fault object_revoke_sessions(struct op *op, const char *id)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[REVOKE], &rows, DB_TEXT(id)));
    return rows.affected ? changed(op) : not_there(op, id);
}

enum fault object_password(struct op *op, const char *id, const char **ret_hash)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[PASSWORD], &rows, DB_TEXT(id)));
    *ret_hash = db_next(&rows) ? db_text(&rows, "password_hash") : NULL;
    return OK;
}

/* ---- links ---- */

enum fault link_add(struct op *op, const char *from_id, const char *kind, const char *to_id)
{
    struct object_row row;
    struct db_rows rows;

    TRY(object_get(op, from_id, false, &row));
    TRY(object_get(op, to_id, false, &row));
    TRY(db_query(op, &stmts[LINK_ADD], &rows, DB_TEXT(from_id), DB_TEXT(kind), DB_TEXT(to_id)));
    if (!rows.affected)
        return fail_on(op, "reference", CONFLICT,
                       "One or more added object references already exist for the following"
                       " modified properties: '%ss'.",
                       kind);
    return changed(op);
}

enum fault link_delete(struct op *op, const char *from_id, const char *kind, const char *to_id)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[LINK_DROP], &rows, DB_TEXT(from_id), DB_TEXT(kind), DB_TEXT(to_id)));
    return rows.affected ? changed(op) : not_there(op, to_id);
}

enum fault link_list(struct op *op, const char *id, const char *kind, bool up,
                     struct object_row **ret, size_t *ret_n)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[up ? LINKED_UP : LINKED], &rows, DB_TEXT(id), DB_TEXT(kind)));
    all_rows(op, &rows, ret, ret_n);
    return OK;
}
