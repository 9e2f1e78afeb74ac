#include "auth/assignment_store.h"

#include <string.h>
#include <strings.h>

#include "auth/directory.h"
#include "auth/guid.h"
#include "auth/role_store.h"
#include "core/db.h"
#include "core/hub.h"

#define LIST_MAX 5000 /* of one answer, when the caller sets no limit */

#define COLUMNS                                                                                    \
    "SELECT a.id, a.scope, a.role_id, a.principal_id, o.kind, a.condition, a.condition_version,"   \
    " a.description, auth.iso(a.created_at) AS created, auth.iso(a.updated_at) AS updated,"        \
    " a.created_by, a.updated_by"                                                                  \
    " FROM auth.role_assignment a JOIN auth.object o ON o.id = a.principal_id"

enum { LIST, GET_ONE, SAME, ADD, CHANGE, DROP, DROP_BELOW, KIND, LOCK_OWNERS, OWNERS };
static const struct db_stmt stmts[] = {
    /* $1 the scope's key, $2 itself, $3 above, $4 below; $5 principals, $6 role, $7 last, $8 max */
    [LIST] = {COLUMNS
              " WHERE (($2::boolean AND a.scope_key = $1)"
              "  OR ($3::boolean AND (a.scope_key = '' OR starts_with($1, a.scope_key || '/')))"
              "  OR ($4::boolean AND starts_with(a.scope_key, $1 || '/')))"
              " AND ($5::text[] IS NULL OR a.principal_id = ANY ($5::text[]))"
              " AND ($6::text IS NULL OR a.role_id = $6) AND a.id > $7"
              " ORDER BY a.id LIMIT $8::bigint"},
    [GET_ONE] = {COLUMNS " WHERE a.id = $1 AND a.scope_key = $2"},
    [SAME] = {"SELECT id, scope_key, role_id, principal_id FROM auth.role_assignment WHERE id = $1"
              " OR (scope_key = $2 AND role_id = $3 AND principal_id = $4) ORDER BY id = $1 DESC"},
    [ADD] = {"INSERT INTO auth.role_assignment (id, scope, scope_key, role_id, principal_id,"
             " condition, condition_version, description, created_by, updated_by)"
             " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)"},
    [CHANGE] = {"UPDATE auth.role_assignment SET condition = $2, condition_version = $3,"
                " description = $4, updated_by = $5, updated_at = now() WHERE id = $1"},
    [DROP] = {"DELETE FROM auth.role_assignment WHERE id = $1"},
    [DROP_BELOW] = {"DELETE FROM auth.role_assignment WHERE scope_key = $1"
                    " OR starts_with(scope_key, $1 || '/')"},
    [KIND] = {"SELECT kind FROM auth.object WHERE id = $1 AND kind <> 'application'"},
    [LOCK_OWNERS] = {"SELECT FROM pg_advisory_xact_lock(7302852)"},
    [OWNERS] = {"SELECT FROM auth.role_assignment a JOIN auth.object o ON o.id = a.principal_id"
                " WHERE a.scope_key = '' AND a.role_id = '" ROLE_OWNER "' AND o.enabled"
                " AND o.kind IN ('user', 'servicePrincipal') LIMIT 1"},
    {0},
};

void assignment_store_start(void)
{
    db_register(stmts);
}

static const char *type_of(const char *kind)
{
    if (strcmp(kind, "user") == 0)
        return "User";
    return strcmp(kind, "group") == 0 ? "Group" : "ServicePrincipal";
}

static void from_row(const struct db_rows *rows, struct role_assignment *a)
{
    *a = (struct role_assignment){
        .id = db_text(rows, "id"),
        .scope = db_text(rows, "scope"),
        .role_id = db_text(rows, "role_id"),
        .principal_id = db_text(rows, "principal_id"),
        .principal_type = type_of(db_text(rows, "kind")),
        .condition = db_text(rows, "condition"),
        .condition_version = db_text(rows, "condition_version"),
        .description = db_text(rows, "description"),
        .created = db_text(rows, "created"),
        .updated = db_text(rows, "updated"),
        .created_by = db_text(rows, "created_by"),
        .updated_by = db_text(rows, "updated_by"),
    };
}

/* ---- reading ---- */

/* Whose assignments: one principal's, or with its groups'. NULL: everybody's. */
static struct db_param wanted_principals(struct op *op, const struct role_filter *f)
{
    const char *id = f->assigned_to ? f->assigned_to : f->principal_id;
    const struct object *o;
    const char **ids;
    size_t n = 0;

    if (!id)
        return DB_TEXT(NULL);
    o = f->assigned_to ? directory_object(directory_hold(op), id) : NULL;
    ids = arena_alloc(&op->arena, ((o ? o->n_groups : 0) + 1) * sizeof(*ids));
    ids[n] = guid_lower(op, id);
    if (!ids[n])
        ids[n] = "";
    n++;
    for (size_t i = 0; o && i < o->n_groups; i++)
        ids[n++] = o->groups[i]->id;
    return DB_TEXTS(ids, n);
}

enum fault role_assignment_list(struct op *op, const struct role_filter *f,
                                struct role_assignment **ret, size_t *ret_n)
{
    bool root, above = !f->exact, below = !f->exact && !f->at_scope_only;
    struct role_assignment *list;
    struct db_rows rows;
    const char *key;
    size_t n = 0;

    TRY(role_scope_key(op, f->scope ? f->scope : "/", &key));
    root = !*key;
    TRY(db_query(op, &stmts[LIST], &rows, DB_TEXT(key), DB_BOOL(true), DB_BOOL(above && !root),
                 DB_BOOL(below), wanted_principals(op, f),
                 DB_TEXT(f->role_id ? guid_lower(op, f->role_id) : NULL),
                 DB_TEXT(f->last ? f->last : ""), DB_INT(f->max > 0 ? f->max : LIST_MAX)));
    list = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(*list));
    while (db_next(&rows))
        from_row(&rows, &list[n++]);
    *ret = list;
    *ret_n = n;
    return OK;
}

enum fault role_assignment_get(struct op *op, const char *scope, const char *id,
                               struct role_assignment *ret)
{
    const char *lower = guid_lower(op, id), *key;
    struct db_rows rows;

    TRY(role_scope_key(op, scope, &key));
    if (lower)
        TRY(db_query(op, &stmts[GET_ONE], &rows, DB_TEXT(lower), DB_TEXT(key)));
    if (!lower || !db_next(&rows))
        return fail_on(op, "RoleAssignmentNotFound", NOT_FOUND,
                       "the role assignment %.100s does not exist at %.200s", id, scope);
    from_row(&rows, ret);
    return OK;
}

/* ---- writing ---- */

struct wanted {
    const struct role_assignment *given;
    const char *id, *key, *role_id, *principal_id, *by;
};

static enum fault check_principal(struct op *op, const struct wanted *w)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[KIND], &rows, DB_TEXT(w->principal_id)));
    if (!db_next(&rows))
        return fail_on(op, "PrincipalNotFound", NOT_FOUND,
                       "principal %s does not exist in the directory %s", w->principal_id,
                       entra_tenant());
    if (w->given->principal_type &&
        strcasecmp(w->given->principal_type, type_of(db_text(&rows, "kind"))) != 0)
        return fail_on(op, "UnmatchedPrincipalType", INVALID,
                       "the principal %s is a %s, not a %.50s", w->principal_id,
                       type_of(db_text(&rows, "kind")), w->given->principal_type);
    return OK;
}

static enum fault check(struct op *op, struct wanted *w)
{
    struct role_definition role;
    const struct condition *condition;
    const char *version = w->given->condition_version;

    TRY(role_scope_key(op, w->given->scope, &w->key));
    if (!w->id)
        return fail_on(op, "InvalidRoleAssignmentId", INVALID,
                       "a role assignment's name is a GUID");
    if (!w->role_id || !w->principal_id)
        return fail_on(op, "InvalidRequest", INVALID,
                       "roleDefinitionId and principalId must name a role and a principal");
    TRY(role_definition_get(op, w->role_id, &role)); /* NOT_FOUND: RoleDefinitionDoesNotExist */
    TRY(check_principal(op, w));
    if (w->given->description && strlen(w->given->description) > 1024)
        return fail(op, INVALID, "description: more than 1024 bytes");
    if (!w->given->condition)
        return OK;
    if (!version || strcmp(version, "2.0") != 0)
        return fail_on(op, "condition", INVALID, "a condition needs conditionVersion \"2.0\"");
    return condition_parse(op, w->given->condition, &condition);
}

static enum fault add(struct op *op, const struct wanted *w)
{
    const struct role_assignment *g = w->given;

    return db_query(op, &stmts[ADD], NULL, DB_TEXT(w->id), DB_TEXT(*w->key ? g->scope : "/"),
                    DB_TEXT(w->key), DB_TEXT(w->role_id), DB_TEXT(w->principal_id),
                    DB_TEXT(g->condition), DB_TEXT(g->condition_version), DB_TEXT(g->description),
                    DB_TEXT(w->by));
}

static bool is_the_same(const struct db_rows *rows, const struct wanted *w)
{
    return strcmp(db_text(rows, "scope_key"), w->key) == 0 &&
           strcmp(db_text(rows, "role_id"), w->role_id) == 0 &&
           strcmp(db_text(rows, "principal_id"), w->principal_id) == 0;
}

static enum fault put(struct op *op, const struct wanted *w, bool *ret_created)
{
    const struct role_assignment *g = w->given;
    struct db_rows rows;
    bool same;

    TRY(db_query(op, &stmts[SAME], &rows, DB_TEXT(w->id), DB_TEXT(w->key), DB_TEXT(w->role_id),
                 DB_TEXT(w->principal_id)));
    if (!db_next(&rows)) {
        TRY(add(op, w));
        *ret_created = true;
        return OK;
    }
    same = is_the_same(&rows, w);
    if (strcmp(db_text(&rows, "id"), w->id) != 0)
        return fail_on(op, "RoleAssignmentExists", CONFLICT, "the role assignment already exists");
    if (!same)
        return fail_on(op, "RoleAssignmentUpdateNotPermitted", CONFLICT,
                       "tenant ID, application ID, principal ID, and scope are not allowed to be"
                       " updated");
    *ret_created = false;
    return db_query(op, &stmts[CHANGE], NULL, DB_TEXT(w->id), DB_TEXT(g->condition),
                    DB_TEXT(g->condition_version), DB_TEXT(g->description), DB_TEXT(w->by));
}

enum fault role_assignment_put(struct op *op, const struct role_assignment *given, const char *by,
                               bool *ret_created)
{
    struct wanted w = {.given = given, .by = by};

    w.id = given->id ? guid_lower(op, given->id) : NULL;
    w.role_id = given->role_id ? guid_lower(op, given->role_id) : NULL;
    w.principal_id = given->principal_id ? guid_lower(op, given->principal_id) : NULL;
    TRY(check(op, &w));
    TRY(put(op, &w, ret_created));
    return hub_notify(op, DIRECTORY_CHANNEL, "");
}

static enum fault has_owner(struct op *op, bool *ret)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[OWNERS], &rows));
    *ret = db_next(&rows);
    return OK;
}

enum fault last_owner_begin(struct op *op, bool *ret_there)
{
    TRY(db_query(op, &stmts[LOCK_OWNERS], NULL));
    return has_owner(op, ret_there);
}

enum fault last_owner_end(struct op *op, bool was_there)
{
    bool there = true;

    if (was_there)
        TRY(has_owner(op, &there));
    if (there)
        return OK;
    return fail_on(op, "CannotDeleteLastRbacAdminAssignment", CONFLICT,
                   "This would take the last Owner of the tenant away: a user or service principal"
                   " that is enabled must stay Owner at the scope \"/\".");
}

enum fault role_assignment_delete(struct op *op, const char *scope, const char *id,
                                  struct role_assignment *ret)
{
    bool owned;

    TRY(role_assignment_get(op, scope, id, ret));
    TRY(last_owner_begin(op, &owned));
    TRY(db_query(op, &stmts[DROP], NULL, DB_TEXT(ret->id)));
    TRY(last_owner_end(op, owned));
    return hub_notify(op, DIRECTORY_CHANNEL, "");
}

enum fault role_assignment_delete_below(struct op *op, const char *scope)
{
    struct db_rows rows;
    const char *key;

    TRY(role_scope_key(op, scope, &key));
    if (!*key)
        return fail_on(op, "scope", INVALID,
                       "the assignments of everything are not deleted at once");
    TRY(db_query(op, &stmts[DROP_BELOW], &rows, DB_TEXT(key)));
    return rows.affected ? hub_notify(op, DIRECTORY_CHANNEL, "") : OK;
}
