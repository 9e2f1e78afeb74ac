#include "core/backup.h"
#include "core/db.h"
#include "registry/blob.h"
#include "registry/collect.h"
#include "registry/registry.h"

#define COLLECT_LOCK "126943972913001"

enum {
    LOCK,
    UNLOCK,
    EXPIRED,
    DELETE_UPLOAD,
    HOLD_LINKS,
    PIN_LINKS,
    DELETE_LINKS,
    WALK_BLOBS,
    LOCK_BLOB,
    UNLOCK_BLOB,
    DELETE_BLOB,
    KNOWN_BLOBS,
    KNOWN_UPLOADS,
    STORE_SIZE,
    WAITING,
};

#define SOME_LINKS                                                                                 \
    " (repository_id, digest) IN (SELECT unnest($1::text[])::bigint, unnest($2::text[]))"
#define HELD                                                                                       \
    "EXISTS (SELECT FROM registry.manifest_blob m WHERE m.repository_id = l.repository_id"         \
    " AND m.blob = l.digest)"

static const struct db_stmt stmts[] = {
    [LOCK] = {"SELECT pg_try_advisory_lock(" COLLECT_LOCK ") AS mine,"
              " pg_try_advisory_lock(" BACKUP_LOCK_SQL ") AS alone"},
    [UNLOCK] = {"SELECT CASE WHEN $1 THEN pg_advisory_unlock(" COLLECT_LOCK ") END AS mine,"
                " CASE WHEN $2 THEN pg_advisory_unlock(" BACKUP_LOCK_SQL ") END AS alone"},
    [EXPIRED] = {"SELECT id AS name FROM registry.upload"
                 " WHERE updated < now() - make_interval(secs => $1) ORDER BY updated LIMIT $2"},
    [DELETE_UPLOAD] = {"DELETE FROM registry.upload"
                       " WHERE id = $1 AND updated < now() - make_interval(secs => $2)"},
    /* Locked first and judged by the next statement, whose snapshot is younger: a manifest that was
       committed in between is seen, one that is not has to wait for us. */
    [HOLD_LINKS] = {"SELECT repository_id, digest FROM registry.repository_blob"
                    " WHERE leased_until < now() ORDER BY leased_until LIMIT $1"
                    " FOR UPDATE SKIP LOCKED"},
    [PIN_LINKS] = {"UPDATE registry.repository_blob l SET leased_until = " LEASE_WITHOUT_END
                   " WHERE" SOME_LINKS " AND " HELD},
    [DELETE_LINKS] = {"DELETE FROM registry.repository_blob l"
                      " WHERE" SOME_LINKS " AND leased_until < now() AND NOT " HELD},
    [WALK_BLOBS] = {"SELECT digest, size, NOT EXISTS (SELECT FROM registry.repository_blob l"
                    " WHERE l.digest = b.digest) AS loose FROM registry.blob b WHERE digest > $1"
                    " ORDER BY digest LIMIT $2"},
    [LOCK_BLOB] = {"SELECT pg_try_advisory_lock(registry.lock_key($1)) AS locked"},
    [UNLOCK_BLOB] = {"SELECT pg_advisory_unlock(registry.lock_key($1)) AS unlocked"},
    [DELETE_BLOB] = {"DELETE FROM registry.blob b WHERE digest = $1 AND NOT EXISTS"
                     " (SELECT FROM registry.repository_blob l WHERE l.digest = b.digest)"},
    [KNOWN_BLOBS] = {"SELECT digest AS name FROM registry.blob WHERE digest = ANY($1::text[])"
                     " ORDER BY digest"},
    [KNOWN_UPLOADS] = {"SELECT id AS name FROM registry.upload WHERE id = ANY($1::text[]::uuid[])"
                       " ORDER BY id"},
    [STORE_SIZE] = {"SELECT count(*) AS blobs, coalesce(sum(size), 0) AS bytes FROM registry.blob"},
    [WAITING] = {"SELECT count(*) AS blobs, coalesce(sum(size), 0) AS bytes FROM registry.blob b"
                 " WHERE digest IN (SELECT l.digest FROM registry.repository_blob l"
                 "  WHERE l.leased_until < " LEASE_WITHOUT_END " AND NOT " HELD ")"
                 " AND NOT EXISTS (SELECT FROM registry.repository_blob l"
                 "  WHERE l.digest = b.digest AND " HELD ")"},
    {0},
};

void collect_store_start(void)
{
    db_register(stmts);
}

enum fault collect_lock(struct op *op, bool *ret_locked)
{
    struct db_rows rows;
    bool mine, alone;

    TRY(db_query(op, &stmts[LOCK], &rows));
    if (!db_next(&rows))
        return fail(op, INTERNAL, "the lock gave no row");
    mine = db_bool(&rows, "mine");
    alone = db_bool(&rows, "alone");
    *ret_locked = mine && alone;
    return *ret_locked ? OK : db_query(op, &stmts[UNLOCK], NULL, DB_BOOL(mine), DB_BOOL(alone));
}

void collect_unlock(struct op *op)
{
    if (db_query(op, &stmts[UNLOCK], NULL, DB_BOOL(true), DB_BOOL(true)) != OK)
        op_clear_fault(op); /* with the connection the locks went too */
}

static enum fault read_names(struct op *op, struct db_rows *rows, const char ***ret, size_t *ret_n)
{
    const char **names =
        arena_alloc(&op->arena, ((size_t)PQntuples(rows->result) + 1) * sizeof(*names));
    size_t n = 0;

    while (db_next(rows))
        names[n++] = db_text(rows, "name");
    *ret = names;
    *ret_n = n;
    return OK;
}

enum fault collect_expired_uploads(struct op *op, int64_t max, const char ***ret_ids, size_t *ret_n)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[EXPIRED], &rows, DB_INT(registry_settings->upload_expire_s),
                 DB_INT(max)));
    return read_names(op, &rows, ret_ids, ret_n);
}

enum fault collect_upload(struct op *op, const char *id, bool *ret_deleted)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[DELETE_UPLOAD], &rows, DB_TEXT(id),
                 DB_INT(registry_settings->upload_expire_s)));
    *ret_deleted = rows.affected > 0;
    return OK;
}

static enum fault judge_links(struct op *op, struct db_rows *held, int64_t *ret_deleted)
{
    size_t n = (size_t)PQntuples(held->result), i = 0;
    const char **ids = arena_alloc(&op->arena, (n + 1) * sizeof(*ids));
    const char **digests = arena_alloc(&op->arena, (n + 1) * sizeof(*digests));
    struct db_rows rows;

    while (db_next(held)) {
        ids[i] = db_text(held, "repository_id");
        digests[i++] = db_text(held, "digest");
    }
    TRY(db_query(op, &stmts[PIN_LINKS], NULL, DB_TEXTS(ids, n), DB_TEXTS(digests, n)));
    TRY(db_query(op, &stmts[DELETE_LINKS], &rows, DB_TEXTS(ids, n), DB_TEXTS(digests, n)));
    *ret_deleted = rows.affected;
    return OK;
}

enum fault collect_links(struct op *op, int64_t max, int64_t *ret_seen, int64_t *ret_deleted)
{
    struct db_rows rows;

    TRY(db_begin(op));
    TRY(db_query(op, &stmts[HOLD_LINKS], &rows, DB_INT(max)));
    *ret_seen = PQntuples(rows.result);
    *ret_deleted = 0;
    if (*ret_seen > 0)
        TRY(judge_links(op, &rows, ret_deleted));
    return db_commit(op);
}

enum fault collect_loose_blobs(struct op *op, const char **cursor, int64_t max,
                               struct loose_blob **ret, size_t *ret_n)
{
    struct loose_blob *blobs;
    struct db_rows rows;
    size_t n = 0;

    TRY(db_query(op, &stmts[WALK_BLOBS], &rows, DB_TEXT(*cursor), DB_INT(max)));
    blobs = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(*blobs));
    *cursor = "";
    while (db_next(&rows)) {
        struct loose_blob blob = {db_text(&rows, "digest"), db_int(&rows, "size")};

        if (db_bool(&rows, "loose"))
            blobs[n++] = blob;
        if (PQntuples(rows.result) == max)
            *cursor = blob.digest;
    }
    *ret = blobs;
    *ret_n = n;
    return OK;
}

enum fault collect_lock_blob(struct op *op, const char *digest, bool *ret_locked)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[LOCK_BLOB], &rows, DB_TEXT(digest)));
    *ret_locked = db_next(&rows) && db_bool(&rows, "locked");
    return OK;
}

void collect_unlock_blob(struct op *op, const char *digest)
{
    if (db_query(op, &stmts[UNLOCK_BLOB], NULL, DB_TEXT(digest)) != OK)
        op_clear_fault(op);
}

enum fault collect_blob(struct op *op, const char *digest, bool *ret_deleted)
{
    struct db_rows rows;
    enum fault fault = db_query(op, &stmts[DELETE_BLOB], &rows, DB_TEXT(digest));

    if (fault == CONFLICT) { /* a mount was faster */
        op_clear_fault(op);
        *ret_deleted = false;
        return OK;
    }
    TRY(fault);
    *ret_deleted = rows.affected > 0;
    return OK;
}

enum fault collect_known_blobs(struct op *op, const char *const *digests, size_t n,
                               const char ***ret_known, size_t *ret_n)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[KNOWN_BLOBS], &rows, DB_TEXTS(digests, n)));
    return read_names(op, &rows, ret_known, ret_n);
}

enum fault collect_known_uploads(struct op *op, const char *const *ids, size_t n,
                                 const char ***ret_known, size_t *ret_n)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[KNOWN_UPLOADS], &rows, DB_TEXTS(ids, n)));
    return read_names(op, &rows, ret_known, ret_n);
}

static enum fault measure(struct op *op, const struct db_stmt *stmt, int64_t *ret_blobs,
                          int64_t *ret_bytes)
{
    struct db_rows rows;

    TRY(db_query(op, stmt, &rows));
    if (!db_next(&rows))
        return fail(op, INTERNAL, "the store's size gave no row");
    *ret_blobs = db_int(&rows, "blobs");
    *ret_bytes = db_int(&rows, "bytes");
    return OK;
}

enum fault collect_store_size(struct op *op, int64_t *ret_blobs, int64_t *ret_bytes)
{
    return measure(op, &stmts[STORE_SIZE], ret_blobs, ret_bytes);
}

enum fault collect_store_waiting(struct op *op, int64_t *ret_blobs, int64_t *ret_bytes)
{
    return measure(op, &stmts[WAITING], ret_blobs, ret_bytes);
}
