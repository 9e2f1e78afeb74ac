#include "core/db.h"
#include "registry/repository.h"

#define MAKE_TRIES 4

enum {
    FIND,
    HOLD,
    INSERT,
    DETAILS,
    CHANGE,
    LIST,
    LOCK,
    LOCKED_CONTENT,
    MANIFESTS,
    TAGS,
    DELETE_ROW,
};
static const struct db_stmt stmts[] = {
    [FIND] = {"SELECT id, name, " ATTRIBUTE_COLUMNS " FROM registry.repository"
              " WHERE registry_id = $1 AND name = $2"},
    [HOLD] = {"SELECT id, name, " ATTRIBUTE_COLUMNS " FROM registry.repository"
              " WHERE registry_id = $1 AND name = $2 FOR KEY SHARE"},
    [INSERT] = {"INSERT INTO registry.repository (registry_id, name) VALUES ($1, $2)"
                " ON CONFLICT (registry_id, name) DO NOTHING"},
    [DETAILS] = {"SELECT registry.iso(created) AS created, registry.iso(greatest(updated,"
                 " (SELECT max(updated) FROM registry.manifest WHERE repository_id = r.id),"
                 " (SELECT max(updated) FROM registry.tag WHERE repository_id = r.id)))"
                 " AS updated,"
                 " (SELECT count(*) FROM registry.manifest WHERE repository_id = r.id)"
                 " AS manifests,"
                 " (SELECT count(*) FROM registry.tag WHERE repository_id = r.id) AS "
                 "tags, " ATTRIBUTE_COLUMNS " FROM registry.repository r"
                 " WHERE registry_id = $1 AND name = $2"},
    [CHANGE] = {"UPDATE registry.repository SET updated = now(),"
                " delete_enabled = coalesce($2::boolean, delete_enabled),"
                " write_enabled = coalesce($3::boolean, write_enabled),"
                " read_enabled = coalesce($4::boolean, read_enabled),"
                " list_enabled = coalesce($5::boolean, list_enabled)"
                " WHERE id = $1"},
    [LIST] = {"SELECT name FROM registry.repository r"
              " WHERE registry_id = $1 AND name > $2 AND list_enabled"
              " AND EXISTS (SELECT FROM registry.manifest WHERE repository_id = r.id)"
              " ORDER BY name LIMIT $3"},
    [LOCK] = {"SELECT delete_enabled AND write_enabled AS free FROM registry.repository"
              " WHERE id = $1 FOR UPDATE"},
    [LOCKED_CONTENT] = {"SELECT digest AS name FROM registry.manifest WHERE repository_id = $1"
                        " AND NOT (delete_enabled AND write_enabled)"
                        " UNION ALL SELECT name FROM registry.tag WHERE repository_id = $1"
                        " AND NOT (delete_enabled AND write_enabled) LIMIT 1"},
    [MANIFESTS] = {"SELECT digest AS name FROM registry.manifest WHERE repository_id = $1"
                   " ORDER BY digest"},
    [TAGS] = {"SELECT name FROM registry.tag WHERE repository_id = $1 ORDER BY name"},
    [DELETE_ROW] = {"DELETE FROM registry.repository WHERE id = $1"},
    {0},
};

void repository_store_start(void)
{
    db_register(stmts);
}

const struct json_field attributes_json[] = {
    BOOL(attributes, delete_enabled, "deleteEnabled", 0),
    BOOL(attributes, write_enabled, "writeEnabled", 0),
    BOOL(attributes, read_enabled, "readEnabled", 0),
    BOOL(attributes, list_enabled, "listEnabled", 0),
    {0},
};

enum fault check_lock(struct op *op, bool allowed, const char *doing, const char *what)
{
    if (allowed)
        return OK;
    return fail_on(op, "lock", FORBIDDEN,
                   "The operation is disallowed on this registry, repository or image: %s %s is "
                   "disabled by its changeable attributes.",
                   doing, what);
}

struct attributes attributes_from_row(const struct db_rows *rows)
{
    return (struct attributes){
        .delete_enabled = db_bool(rows, "delete_enabled"),
        .write_enabled = db_bool(rows, "write_enabled"),
        .read_enabled = db_bool(rows, "read_enabled"),
        .list_enabled = db_bool(rows, "list_enabled"),
    };
}

static enum fault unknown(struct op *op, const char *name)
{
    return fail_on(op, "name", NOT_FOUND, "repository \"%s\" is not known to the registry", name);
}

static enum fault find(struct op *op, const struct db_stmt *stmt, int64_t registry_id,
                       const char *name, bool *ret_found, struct repository *ret)
{
    struct db_rows rows;

    TRY(db_query(op, stmt, &rows, DB_INT(registry_id), DB_TEXT(name)));
    *ret_found = db_next(&rows);
    if (*ret_found)
        *ret = (struct repository){
            .id = db_int(&rows, "id"),
            .name = db_text(&rows, "name"),
            .attributes = attributes_from_row(&rows),
        };
    return OK;
}

enum fault repository_find(struct op *op, int64_t registry_id, const char *name,
                           struct repository *ret)
{
    bool found;

    TRY(find(op, &stmts[FIND], registry_id, name, &found, ret));
    return found ? OK : unknown(op, name);
}

enum fault repository_hold(struct op *op, int64_t registry_id, const char *name,
                           struct repository *ret)
{
    bool found;

    TRY(find(op, &stmts[HOLD], registry_id, name, &found, ret));
    return found ? OK : unknown(op, name);
}

enum fault repository_make(struct op *op, int64_t registry_id, const char *name,
                           struct repository *ret)
{
    bool found = false;

    /* somebody may delete it between our INSERT, which found it, and our SELECT */
    for (int tries = 0; !found && tries < MAKE_TRIES; tries++) {
        if (tries > 0)
            TRY(db_query(op, &stmts[INSERT], NULL, DB_INT(registry_id), DB_TEXT(name)));
        TRY(find(op, &stmts[HOLD], registry_id, name, &found, ret));
    }
    return found ? OK : fail(op, UNAVAILABLE, "repository \"%s\" is deleted again and again", name);
}

enum fault repository_details(struct op *op, int64_t registry_id, const char *name,
                              struct repository_details *ret)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[DETAILS], &rows, DB_INT(registry_id), DB_TEXT(name)));
    if (!db_next(&rows))
        return unknown(op, name);
    *ret = (struct repository_details){
        .created = db_text(&rows, "created"),
        .updated = db_text(&rows, "updated"),
        .manifest_count = db_int(&rows, "manifests"),
        .tag_count = db_int(&rows, "tags"),
        .attributes = attributes_from_row(&rows),
    };
    return OK;
}

enum fault repository_change(struct op *op, int64_t id, const struct attribute_changes *changes)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[CHANGE], &rows, DB_INT(id), ATTRIBUTE_PARAMS(changes)));
    return rows.affected ? OK : unknown(op, "");
}

static enum fault names(struct op *op, struct db_rows *rows, const char ***ret_names, size_t *ret_n)
{
    const char **list =
        arena_alloc(&op->arena, ((size_t)PQntuples(rows->result) + 1) * sizeof(*list));
    size_t n = 0;

    while (db_next(rows))
        list[n++] = db_text(rows, "name");
    *ret_names = list;
    *ret_n = n;
    return OK;
}

enum fault repository_list(struct op *op, int64_t registry_id, const char *last, int64_t max,
                           const char ***ret_names, size_t *ret_n)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[LIST], &rows, DB_INT(registry_id), DB_TEXT(last), DB_INT(max)));
    return names(op, &rows, ret_names, ret_n);
}

enum fault repository_delete(struct op *op, const struct repository *repository,
                             const char ***ret_manifests, size_t *ret_n_manifests,
                             const char ***ret_tags, size_t *ret_n_tags)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[LOCK], &rows, DB_INT(repository->id)));
    if (!db_next(&rows))
        return unknown(op, repository->name);
    TRY(check_lock(op, db_bool(&rows, "free"), "deleting", repository->name));
    TRY(db_query(op, &stmts[LOCKED_CONTENT], &rows, DB_INT(repository->id)));
    if (db_next(&rows))
        return check_lock(op, false, "deleting", db_text(&rows, "name"));
    TRY(db_query(op, &stmts[MANIFESTS], &rows, DB_INT(repository->id)));
    TRY(names(op, &rows, ret_manifests, ret_n_manifests));
    TRY(db_query(op, &stmts[TAGS], &rows, DB_INT(repository->id)));
    TRY(names(op, &rows, ret_tags, ret_n_tags));
    return db_query(op, &stmts[DELETE_ROW], NULL, DB_INT(repository->id));
}
