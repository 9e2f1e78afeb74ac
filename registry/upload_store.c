#include "core/db.h"
#include "registry/upload.h"

enum { INSERT, FIND, SAVE, DELETE_ROW };
static const struct db_stmt stmts[] = {
    [INSERT] = {"INSERT INTO registry.upload (id, repository_id, algorithm) VALUES ($2, $1, $3)"},
    [FIND] = {"SELECT algorithm, received, state FROM registry.upload"
              " WHERE id = $2 AND repository_id = $1"},
    [SAVE] = {"UPDATE registry.upload SET algorithm = $2, received = $3, state = $4,"
              " updated = now() WHERE id = $1"},
    [DELETE_ROW] = {"DELETE FROM registry.upload WHERE id = $2 AND repository_id = $1"},
    {0},
};

void upload_store_start(void)
{
    db_register(stmts);
}

static enum fault unknown(struct op *op)
{
    return fail_on(op, "upload", NOT_FOUND, "blob upload unknown to registry");
}

enum fault upload_insert(struct op *op, int64_t repository_id, const char *id, enum hash_kind kind)
{
    return db_query(op, &stmts[INSERT], NULL, DB_INT(repository_id), DB_TEXT(id),
                    DB_TEXT(hash_name(kind)));
}

enum fault upload_find(struct op *op, int64_t repository_id, const char *id, struct upload_row *ret)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[FIND], &rows, DB_INT(repository_id), DB_TEXT(id)));
    if (!db_next(&rows))
        return unknown(op);
    *ret = (struct upload_row){.received = db_int(&rows, "received"),
                               .state = db_bytes(&rows, "state")};
    if (!hash_kind_parse(db_text(&rows, "algorithm"), &ret->kind))
        return fail(op, INTERNAL, "the upload's algorithm is unknown");
    return OK;
}

enum fault upload_save(struct op *op, const struct upload *upload)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[SAVE], &rows, DB_TEXT(upload->id),
                 DB_TEXT(hash_name(upload->hash.kind)), DB_INT(upload->offset),
                 DB_BYTES(hash_save(&upload->hash))));
    return rows.affected ? OK : unknown(op);
}

enum fault upload_delete(struct op *op, int64_t repository_id, const char *id)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[DELETE_ROW], &rows, DB_INT(repository_id), DB_TEXT(id)));
    return rows.affected ? OK : unknown(op);
}
