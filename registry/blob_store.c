#include "core/db.h"
#include "registry/blob.h"
#include "registry/registry.h"

enum { FIND, TOUCH, LINK, UNLINK, SOURCES, LOCK, ROW_SIZE, INSERT };
static const struct db_stmt stmts[] = {
    [FIND] = {"SELECT b.size, extract(epoch FROM l.leased_until - now())::bigint AS leased"
              " FROM registry.repository_blob l JOIN registry.blob b USING (digest)"
              " WHERE l.repository_id = $1 AND l.digest = $2"},
    [TOUCH] =
        {"UPDATE registry.repository_blob SET leased_until = now() + make_interval(secs => $3)"
         " WHERE repository_id = $1 AND digest = $2"},
    [LINK] = {"INSERT INTO registry.repository_blob (repository_id, digest, leased_until)"
              " VALUES ($1, $2, now() + make_interval(secs => $3))"
              " ON CONFLICT (repository_id, digest) DO UPDATE"
              " SET leased_until = excluded.leased_until"},
    [UNLINK] = {"DELETE FROM registry.repository_blob WHERE repository_id = $1 AND digest = $2"},
    [SOURCES] = {"SELECT r.name FROM registry.repository_blob l"
                 " JOIN registry.repository r ON r.id = l.repository_id"
                 " WHERE l.digest = $2 AND r.registry_id = $1 AND r.read_enabled"
                 " ORDER BY r.name LIMIT 100"},
    [LOCK] = {"SELECT pg_advisory_xact_lock(registry.lock_key($1)) IS NULL AS nothing"},
    [ROW_SIZE] = {"SELECT size FROM registry.blob WHERE digest = $1"},
    [INSERT] = {"INSERT INTO registry.blob (digest, size) VALUES ($1, $2)"},
    {0},
};

void blob_store_start(void)
{
    db_register(stmts);
}

static enum fault unknown(struct op *op, const char *digest)
{
    return fail_on(op, "blob", NOT_FOUND, "blob %s is not known to the repository", digest);
}

enum fault blob_find(struct op *op, int64_t repository_id, const char *digest, struct blob *ret)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[FIND], &rows, DB_INT(repository_id), DB_TEXT(digest)));
    if (!db_next(&rows))
        return unknown(op, digest);
    *ret = (struct blob){.size = db_int(&rows, "size"), .leased_s = db_int(&rows, "leased")};
    return OK;
}

enum fault blob_touch(struct op *op, int64_t repository_id, const char *digest, struct blob *blob)
{
    int64_t lease_s = registry_settings->blob_lease_s;

    if (blob->leased_s >= lease_s / 2)
        return OK;
    TRY(db_query(op, &stmts[TOUCH], NULL, DB_INT(repository_id), DB_TEXT(digest), DB_INT(lease_s)));
    blob->leased_s = lease_s;
    return OK;
}

enum fault blob_link(struct op *op, int64_t repository_id, const char *digest)
{
    enum fault fault = db_query(op, &stmts[LINK], NULL, DB_INT(repository_id), DB_TEXT(digest),
                                DB_INT(registry_settings->blob_lease_s));

    return fault == CONFLICT ? unknown(op, digest) : fault;
}

enum fault blob_unlink(struct op *op, int64_t repository_id, const char *digest)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[UNLINK], &rows, DB_INT(repository_id), DB_TEXT(digest)));
    return rows.affected ? OK : unknown(op, digest);
}

enum fault blob_sources(struct op *op, int64_t registry_id, const char *digest,
                        const char ***ret_names, size_t *ret_n)
{
    struct db_rows rows;
    const char **names;
    size_t n = 0;

    TRY(db_query(op, &stmts[SOURCES], &rows, DB_INT(registry_id), DB_TEXT(digest)));
    names = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(*names));
    while (db_next(&rows))
        names[n++] = db_text(&rows, "name");
    *ret_names = names;
    *ret_n = n;
    return OK;
}

enum fault blob_lock(struct op *op, const char *digest)
{
    return db_query(op, &stmts[LOCK], NULL, DB_TEXT(digest));
}

enum fault blob_row_size(struct op *op, const char *digest, int64_t *ret_size)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[ROW_SIZE], &rows, DB_TEXT(digest)));
    *ret_size = db_next(&rows) ? db_int(&rows, "size") : -1;
    return OK;
}

enum fault blob_insert(struct op *op, const char *digest, int64_t size)
{
    return db_query(op, &stmts[INSERT], NULL, DB_TEXT(digest), DB_INT(size));
}
