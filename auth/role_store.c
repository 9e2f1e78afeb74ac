#include "auth/role_store.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auth/builtin_roles.h"
#include "auth/directory.h"
#include "auth/glob.h"
#include "auth/guid.h"
#include "core/db.h"
#include "core/hub.h"
#include "core/json.h"

#define ACTIONS_MAX 2048
#define SCOPE_MAX   1024

enum { LOAD, GET_ONE, PUT_ROLE, DROP, ASSIGNED, NAME_TAKEN };
static const struct db_stmt stmts[] = {
    [LOAD] = {"SELECT id, name, description, document, auth.iso(created_at) AS created,"
              " auth.iso(updated_at) AS updated, created_by, updated_by"
              " FROM auth.role_definition ORDER BY id COLLATE \"C\""},
    [GET_ONE] = {"SELECT id, name, description, document, auth.iso(created_at) AS created,"
                 " auth.iso(updated_at) AS updated, created_by, updated_by"
                 " FROM auth.role_definition WHERE id = $1"},
    [PUT_ROLE] = {"INSERT INTO auth.role_definition (id, name, description, document, created_by,"
                  " updated_by) VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT (id) DO UPDATE SET"
                  " name = $2, description = $3, document = $4, updated_by = $5,"
                  " updated_at = now()"},
    [DROP] = {"DELETE FROM auth.role_definition WHERE id = $1"},
    [ASSIGNED] = {"SELECT 1 AS one FROM auth.role_assignment WHERE role_id = $1 LIMIT 1"},
    [NAME_TAKEN] = {"SELECT 1 AS one FROM auth.role_definition"
                    " WHERE lower(name) = lower($1) AND id <> $2"},
    {0},
};

void role_store_start(void)
{
    db_register(stmts);
}

enum fault role_scope_key(struct op *op, const char *scope, const char **ret)
{
    size_t len = strlen(scope);
    char *key;

    if (*scope != '/' || len > SCOPE_MAX || strstr(scope, "//"))
        return fail_on(op, "scope", INVALID, "\"%.200s\" is not a scope", scope);
    key = arena_strdup(&op->arena, scope);
    while (len > 0 && key[len - 1] == '/')
        key[--len] = '\0';
    for (char *p = key; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    *ret = key;
    return OK;
}

/* ---- rows ---- */

static const char *const *texts_of(struct op *op, const json_t *document, const char *name,
                                   size_t *ret_n)
{
    const json_t *list = json_object_get(document, name);
    const char **texts = arena_alloc(&op->arena, (json_array_size(list) + 1) * sizeof(*texts));
    size_t n = 0;

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));

        if (text)
            texts[n++] = text;
    }
    *ret_n = n;
    return texts;
}

static enum fault from_row(struct op *op, struct db_rows *rows, struct role_definition *r)
{
    json_t *document;

    *r = (struct role_definition){
        .id = db_text(rows, "id"),
        .name = db_text(rows, "name"),
        .description = db_text(rows, "description"),
        .custom = true,
        .created = db_text(rows, "created"),
        .updated = db_text(rows, "updated"),
        .created_by = db_text(rows, "created_by"),
        .updated_by = db_text(rows, "updated_by"),
    };
    TRY(json_parse(op, BYTES(db_text(rows, "document")), &document));
    r->actions = texts_of(op, document, "actions", &r->n_actions);
    r->not_actions = texts_of(op, document, "notActions", &r->n_not_actions);
    r->data_actions = texts_of(op, document, "dataActions", &r->n_data_actions);
    r->not_data_actions = texts_of(op, document, "notDataActions", &r->n_not_data_actions);
    r->assignable_scopes = texts_of(op, document, "scopes", &r->n_assignable_scopes);
    return OK;
}

enum fault role_store_load(struct op *op, struct role_definition **ret, size_t *ret_n)
{
    struct role_definition *list;
    struct db_rows rows;
    size_t n = 0;

    TRY(db_query(op, &stmts[LOAD], &rows));
    list = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(*list));
    while (db_next(&rows))
        TRY(from_row(op, &rows, &list[n++]));
    *ret = list;
    *ret_n = n;
    return OK;
}

/* ---- definitions ---- */

static int by_name(const void *a, const void *b)
{
    const struct role_definition *x = a, *y = b;

    return strcasecmp(x->name, y->name);
}

static const char *key_of(struct op *op, const char *scope)
{
    const char *key;

    return role_scope_key(op, scope, &key) == OK ? key : "\xff";
}

/* A custom role is of use at a scope when it may be assigned there: at it, above it, or below it.
 */
static bool is_assignable(struct op *op, const struct role_definition *role, const char *key)
{
    for (size_t i = 0; i < role->n_assignable_scopes; i++) {
        const char *own = key_of(op, role->assignable_scopes[i]);

        if (scope_contains(own, key) || scope_contains(key, own))
            return true;
    }
    return false;
}

enum fault role_definition_list(struct op *op, const char *scope, struct role_definition **ret,
                                size_t *ret_n)
{
    struct role_definition *custom, *list;
    size_t n_custom, n = 0;
    const char *key;

    TRY(role_scope_key(op, scope, &key));
    TRY(role_store_load(op, &custom, &n_custom));
    list = arena_alloc(&op->arena, (n_builtin_roles + n_custom) * sizeof(*list));
    for (; n < n_builtin_roles; n++)
        list[n] = builtin_roles[n];
    for (size_t i = 0; i < n_custom; i++)
        if (is_assignable(op, &custom[i], key))
            list[n++] = custom[i];
    qsort(list, n, sizeof(*list), by_name);
    *ret = list;
    *ret_n = n;
    return OK;
}

enum fault role_definition_get(struct op *op, const char *id, struct role_definition *ret)
{
    const struct role_definition *builtin = builtin_role(id);
    const char *lower = guid_lower(op, id);
    struct db_rows rows;

    if (builtin) {
        *ret = *builtin;
        return OK;
    }
    if (lower)
        TRY(db_query(op, &stmts[GET_ONE], &rows, DB_TEXT(lower)));
    if (!lower || !db_next(&rows))
        return fail_on(op, "RoleDefinitionDoesNotExist", NOT_FOUND,
                       "the role definition %.100s does not exist", id);
    return from_row(op, &rows, ret);
}

/* "Microsoft.X/…/read", "*", "*\/read": letters, digits, dots, dashes, slashes and stars. */
static bool is_action(const char *action)
{
    size_t len = strlen(action);

    return len > 0 && len <= 512 &&
           strspn(action, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/*$") ==
               len;
}

static enum fault put_texts(struct op *op, json_t *document, const char *name,
                            const char *const *texts, size_t n, bool actions)
{
    json_t *list = json_array();
    const char *key;

    json_object_set_new(document, name, list);
    if (n > ACTIONS_MAX)
        return fail(op, INVALID, "%s: more than %d", name, ACTIONS_MAX);
    for (size_t i = 0; i < n; i++) {
        if (actions && !is_action(texts[i]))
            return fail(op, INVALID, "%s: \"%.200s\" is not an action", name, texts[i]);
        if (!actions)
            TRY(role_scope_key(op, texts[i], &key));
        json_array_append_new(list, json_string(texts[i]));
    }
    return OK;
}

static enum fault document_of(struct op *op, const struct role_definition *r, const char **ret)
{
    json_t *document = json_object();
    char *text;

    arena_defer(&op->arena, (void (*)(void *))json_decref, document);
    TRY(put_texts(op, document, "actions", r->actions, r->n_actions, true));
    TRY(put_texts(op, document, "notActions", r->not_actions, r->n_not_actions, true));
    TRY(put_texts(op, document, "dataActions", r->data_actions, r->n_data_actions, true));
    TRY(put_texts(op, document, "notDataActions", r->not_data_actions, r->n_not_data_actions,
                  true));
    TRY(put_texts(op, document, "scopes", r->assignable_scopes, r->n_assignable_scopes, false));
    text = json_dumps(document, JSON_COMPACT);
    *ret = arena_strdup(&op->arena, text);
    free(text);
    return OK;
}

static enum fault check_name(struct op *op, const struct role_definition *wanted, const char *id)
{
    struct db_rows rows;

    if (!wanted->name || !*wanted->name || strlen(wanted->name) > 512)
        return fail(op, INVALID, "a role's name has 1 to 512 bytes");
    if (!wanted->n_assignable_scopes)
        return fail(op, INVALID, "assignableScopes: at least one scope is needed");
    for (size_t i = 0; i < n_builtin_roles; i++)
        if (strcasecmp(builtin_roles[i].name, wanted->name) == 0)
            return fail_on(op, "RoleDefinitionWithSameNameExists", CONFLICT,
                           "a role \"%s\" exists already", wanted->name);
    TRY(db_query(op, &stmts[NAME_TAKEN], &rows, DB_TEXT(wanted->name), DB_TEXT(id)));
    return db_next(&rows) && db_int(&rows, "one")
               ? fail_on(op, "RoleDefinitionWithSameNameExists", CONFLICT,
                         "a role \"%s\" exists already", wanted->name)
               : OK;
}

enum fault role_definition_put(struct op *op, const struct role_definition *wanted, const char *by)
{
    const char *id = guid_lower(op, wanted->id), *document;

    if (!id)
        return fail(op, INVALID, "a role definition's id is a GUID");
    if (builtin_role(id))
        return fail_on(op, "RoleDefinitionCannotBeModified", FORBIDDEN,
                       "the built-in role %s cannot be changed", builtin_role(id)->name);
    TRY(check_name(op, wanted, id));
    TRY(document_of(op, wanted, &document));
    TRY(db_query(op, &stmts[PUT_ROLE], NULL, DB_TEXT(id), DB_TEXT(wanted->name),
                 DB_TEXT(wanted->description ? wanted->description : ""), DB_TEXT(document),
                 DB_TEXT(by)));
    return hub_notify(op, DIRECTORY_CHANNEL, "");
}

enum fault role_definition_delete(struct op *op, const char *id)
{
    const char *lower = guid_lower(op, id);
    struct db_rows rows;

    if (builtin_role(id))
        return fail_on(op, "RoleDefinitionCannotBeModified", FORBIDDEN,
                       "the built-in role %s cannot be deleted", builtin_role(id)->name);
    if (!lower)
        return fail_on(op, "RoleDefinitionDoesNotExist", NOT_FOUND,
                       "the role definition does not exist");
    TRY(db_query(op, &stmts[ASSIGNED], &rows, DB_TEXT(lower)));
    if (db_next(&rows) && db_int(&rows, "one"))
        return fail_on(op, "RoleDefinitionHasAssignments", CONFLICT,
                       "the role is still assigned to somebody");
    TRY(db_query(op, &stmts[DROP], &rows, DB_TEXT(lower)));
    if (!rows.affected)
        return fail_on(op, "RoleDefinitionDoesNotExist", NOT_FOUND,
                       "the role definition %s does not exist", lower);
    return hub_notify(op, DIRECTORY_CHANNEL, "");
}

enum fault role_reload(struct op *op)
{
    return directory_reload(op);
}
