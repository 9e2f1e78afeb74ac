#include "registry/tag.h"

#include "core/db.h"

#define DETAILS                                                                                    \
    "SELECT name, digest, registry.iso(created) AS created, registry.iso(updated) AS updated,"     \
    " registry.us(updated) AS updated_us, registry.iso(last_pulled) AS last_pulled,"               \
    " " ATTRIBUTE_COLUMNS " FROM registry.tag WHERE repository_id = $1"

#define LISTED DETAILS " AND list_enabled AND ($2::text IS NULL OR digest = $2)"

/* Where a page by time goes on: from the time that the Link told, else from its last entry's. */
#define PLACE                                                                                      \
    "(coalesce(registry.from_us($5),"                                                              \
    " (SELECT updated FROM registry.tag WHERE repository_id = $1 AND name = $3)), $3)"

enum { DELETE_ROW, LOCKED, NAMES, ONE, LIST_NAME, LIST_NEWEST, LIST_OLDEST, CHANGE };
static const struct db_stmt stmts[] = {
    [DELETE_ROW] = {"DELETE FROM registry.tag WHERE repository_id = $1 AND name = $2"
                    " AND delete_enabled AND write_enabled"},
    [LOCKED] = {"SELECT FROM registry.tag WHERE repository_id = $1 AND name = $2"
                " AND NOT (delete_enabled AND write_enabled)"},
    [NAMES] = {"SELECT name FROM registry.tag WHERE repository_id = $1 AND name > $2"
               " AND list_enabled ORDER BY name LIMIT $3"},
    [ONE] = {DETAILS " AND name = $2"},
    [LIST_NAME] = {LISTED " AND name > $3 ORDER BY name LIMIT $4"},
    [LIST_NEWEST] = {LISTED " AND ($3 = '' OR (updated, name) < " PLACE ")"
                            " ORDER BY updated DESC, name DESC LIMIT $4"},
    [LIST_OLDEST] = {LISTED " AND ($3 = '' OR (updated, name) > " PLACE ")"
                            " ORDER BY updated, name LIMIT $4"},
    [CHANGE] = {"UPDATE registry.tag SET updated = now(),"
                " delete_enabled = coalesce($3::boolean, delete_enabled),"
                " write_enabled = coalesce($4::boolean, write_enabled),"
                " read_enabled = coalesce($5::boolean, read_enabled),"
                " list_enabled = coalesce($6::boolean, list_enabled)"
                " WHERE repository_id = $1 AND name = $2"},
    {0},
};

void tag_store_start(void)
{
    db_register(stmts);
}

static enum fault unknown(struct op *op, const char *name)
{
    return fail_on(op, "tag", NOT_FOUND, "the specified tag %s does not exist", name);
}

enum fault tag_delete(struct op *op, int64_t repository_id, const char *name, const char *noun)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[DELETE_ROW], &rows, DB_INT(repository_id), DB_TEXT(name)));
    if (rows.affected)
        return OK;
    /* A tag that a neighbour deletes and another pushes again in between is not there for us. */
    TRY(db_query(op, &stmts[LOCKED], &rows, DB_INT(repository_id), DB_TEXT(name)));
    if (db_next(&rows))
        return check_lock(op, false, "deleting", name);
    return fail_on(op, noun, NOT_FOUND, "the specified tag %s does not exist", name);
}

enum fault tag_names(struct op *op, int64_t repository_id, const char *last, int64_t max,
                     const char ***ret_names, size_t *ret_n)
{
    struct db_rows rows;
    const char **list;
    size_t n = 0;

    TRY(db_query(op, &stmts[NAMES], &rows, DB_INT(repository_id), DB_TEXT(last), DB_INT(max)));
    list = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(*list));
    while (db_next(&rows))
        list[n++] = db_text(&rows, "name");
    *ret_names = list;
    *ret_n = n;
    return OK;
}

static struct tag_details details_from_row(const struct db_rows *rows)
{
    return (struct tag_details){
        .name = db_text(rows, "name"),
        .digest = db_text(rows, "digest"),
        .created = db_text(rows, "created"),
        .updated = db_text(rows, "updated"),
        .updated_us = db_int(rows, "updated_us"),
        .last_pulled = db_text(rows, "last_pulled"),
        .attributes = attributes_from_row(rows),
    };
}

enum fault tag_details(struct op *op, int64_t repository_id, const char *name,
                       struct tag_details *ret)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[ONE], &rows, DB_INT(repository_id), DB_TEXT(name)));
    if (!db_next(&rows))
        return unknown(op, name);
    *ret = details_from_row(&rows);
    return OK;
}

enum fault tag_list(struct op *op, int64_t repository_id, const char *digest,
                    const struct page *page, struct tag_details **ret, size_t *ret_n)
{
    struct db_param at = page->at_us < 0 ? DB_TEXT(NULL) : DB_INT(page->at_us);
    struct tag_details *list;
    struct db_rows rows;
    size_t n = 0;

    if (page->order == ORDER_NAME)
        TRY(db_query(op, &stmts[LIST_NAME], &rows, DB_INT(repository_id), DB_TEXT(digest),
                     DB_TEXT(page->last), DB_INT(page->n + 1)));
    else
        TRY(db_query(op, &stmts[page->order == ORDER_NEWEST ? LIST_NEWEST : LIST_OLDEST], &rows,
                     DB_INT(repository_id), DB_TEXT(digest), DB_TEXT(page->last),
                     DB_INT(page->n + 1), at));
    list = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(*list));
    while (db_next(&rows))
        list[n++] = details_from_row(&rows);
    *ret = list;
    *ret_n = n;
    return OK;
}

enum fault tag_change(struct op *op, int64_t repository_id, const char *name,
                      const struct attribute_changes *changes)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[CHANGE], &rows, DB_INT(repository_id), DB_TEXT(name),
                 ATTRIBUTE_PARAMS(changes)));
    return rows.affected ? OK : unknown(op, name);
}
