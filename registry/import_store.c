#include <stdlib.h>
#include <string.h>

#include "core/db.h"
#include "core/json.h"
#include "core/seal.h"
#include "registry/import_job.h"

#define LOCK_KEY "hashtextextended($1, 5209417)"

enum {
    INSERT,
    GET_ONE,
    LOAD,
    LOCK,
    UNLOCK,
    PROGRESS,
    FINISH,
    TRIED,
    CANCEL,
    UNFINISHED,
    PURGE,
};
static const struct db_stmt stmts[] = {
    [INSERT] = {"INSERT INTO registry.import (id, registry_id, request, credentials, started_by)"
                " VALUES ($1, $2, $3, $4, $5)"},
    [GET_ONE] = {"SELECT id, registry_id, state, bytes, total_bytes, code, message,"
                 " registry.iso(created) AS created, registry.iso(ended) AS ended"
                 " FROM registry.import WHERE id = $1::text::uuid"},
    [LOAD] = {"SELECT id, registry_id, request, credentials, cancelled, tries FROM registry.import"
              " WHERE id = $1::text::uuid AND ended IS NULL"},
    [LOCK] = {"SELECT pg_try_advisory_lock(" LOCK_KEY ") AS locked"},
    [UNLOCK] = {"SELECT pg_advisory_unlock(" LOCK_KEY ") AS unlocked"},
    [PROGRESS] = {"UPDATE registry.import SET bytes = $2,"
                  " total_bytes = CASE WHEN $3::bigint < 0 THEN total_bytes ELSE $3::bigint END"
                  " WHERE id = $1::text::uuid RETURNING cancelled"},
    [FINISH] = {"UPDATE registry.import SET state = $2, code = $3, message = $4,"
                " credentials = NULL, ended = now(),"
                " bytes = CASE WHEN $2 = 1 THEN total_bytes ELSE bytes END"
                " WHERE id = $1::text::uuid AND ended IS NULL"},
    [TRIED] = {"UPDATE registry.import SET tries = tries + 1 WHERE id = $1::text::uuid"},
    [CANCEL] = {"UPDATE registry.import SET cancelled = true"
                " WHERE id = $1::text::uuid AND ended IS NULL"},
    [UNFINISHED] = {"SELECT id FROM registry.import WHERE ended IS NULL ORDER BY created"},
    [PURGE] = {"DELETE FROM registry.import WHERE ended < now() - interval '7 days'"},
    {0},
};

void import_store_start(void)
{
    db_register(stmts);
}

static const char *label(struct op *op, const char *id)
{
    return arena_printf(&op->arena, "registry/import/%s", id);
}

static char *dump(struct op *op, json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT),
         *copy = arena_strdup(&op->arena, text ? text : "{}");

    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
    json_decref(object);
    return copy;
}

static struct bytes seal_credentials(struct op *op, const struct import_work *w)
{
    if (!w->username && !w->password)
        return (struct bytes){NULL, 0};
    return seal(op, label(op, w->id),
                BYTES(dump(op, json_pack("{s:s?, s:s?}", "username", w->username, "password",
                                         w->password))));
}

enum fault import_insert(struct op *op, const struct import_work *w, const char *started_by)
{
    json_t *targets = json_array();
    const char *request;

    for (size_t i = 0; i < w->n_targets; i++)
        json_array_append_new(targets,
                              json_pack("[s, s?]", w->targets[i].repository, w->targets[i].tag));
    request = dump(op, json_pack("{s:I, s:s?, s:s, s:s, s:o, s:b}", "sourceRegistry",
                                 (json_int_t)w->source_registry, "sourceHost", w->source_host,
                                 "repository", w->repository, "reference", w->reference, "targets",
                                 targets, "force", w->force));
    return db_query(op, &stmts[INSERT], NULL, DB_TEXT(w->id), DB_INT(w->registry_id),
                    DB_TEXT(request), DB_BYTES(seal_credentials(op, w)), DB_TEXT(started_by));
}

static enum fault open_credentials(struct op *op, struct bytes sealed, struct import_work *w)
{
    struct bytes plain;
    json_t *object;

    if (!sealed.data)
        return OK;
    TRY(unseal(op, label(op, w->id), sealed, &plain));
    TRY(json_parse(op, plain, &object));
    w->username = json_string_value(json_object_get(object, "username"));
    w->password = json_string_value(json_object_get(object, "password"));
    return OK;
}

static void read_targets(struct op *op, const json_t *list, struct import_work *w)
{
    w->targets = arena_alloc(&op->arena, (json_array_size(list) + 1) * sizeof(*w->targets));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *pair = json_array_get(list, i);

        w->targets[w->n_targets++] = (struct import_target){
            json_string_value(json_array_get(pair, 0)), json_string_value(json_array_get(pair, 1))};
    }
}

enum fault import_load(struct op *op, const char *id, struct import_work *ret)
{
    struct import_work w = {0};
    struct bytes sealed;
    struct db_rows rows;
    json_t *request;

    TRY(db_query(op, &stmts[LOAD], &rows, DB_TEXT(id)));
    if (!db_next(&rows))
        return fail(op, NOT_FOUND, "the import has ended");
    w.id = db_text(&rows, "id");
    w.registry_id = db_int(&rows, "registry_id");
    w.cancelled = db_bool(&rows, "cancelled");
    w.tries = db_int(&rows, "tries");
    sealed = db_bytes(&rows, "credentials");
    TRY(json_parse(op, BYTES(db_text(&rows, "request")), &request));
    w.source_registry = json_integer_value(json_object_get(request, "sourceRegistry"));
    w.source_host = json_string_value(json_object_get(request, "sourceHost"));
    w.repository = json_string_value(json_object_get(request, "repository"));
    w.reference = json_string_value(json_object_get(request, "reference"));
    w.force = json_is_true(json_object_get(request, "force"));
    read_targets(op, json_object_get(request, "targets"), &w);
    TRY(open_credentials(op, sealed, &w));
    *ret = w;
    return OK;
}

enum fault import_get(struct op *op, const char *id, struct import_job *ret)
{
    struct db_rows rows;

    if (strlen(id) == 36)
        TRY(db_query(op, &stmts[GET_ONE], &rows, DB_TEXT(id)));
    if (strlen(id) != 36 || !db_next(&rows))
        return fail_on(op, "import", NOT_FOUND, "there is no such import");
    *ret = (struct import_job){
        .id = db_text(&rows, "id"),
        .registry_id = db_int(&rows, "registry_id"),
        .state = (enum import_state)db_int(&rows, "state"),
        .bytes = db_int(&rows, "bytes"),
        .total_bytes = db_int(&rows, "total_bytes"),
        .code = db_text(&rows, "code"),
        .message = db_text(&rows, "message"),
        .created = db_text(&rows, "created"),
        .ended = db_text(&rows, "ended"),
    };
    return OK;
}

enum fault import_lock(struct op *op, const char *id, bool *ret_locked)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[LOCK], &rows, DB_TEXT(id)));
    *ret_locked = db_next(&rows) && db_bool(&rows, "locked");
    return OK;
}

void import_unlock(struct op *op, const char *id)
{
    if (db_in_transaction(op))
        db_rollback(op);
    db_query(op, &stmts[UNLOCK], NULL, DB_TEXT(id)); /* a broken connection holds no lock */
}

enum fault import_progress(struct op *op, const char *id, int64_t bytes, int64_t total,
                           bool *ret_cancelled)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[PROGRESS], &rows, DB_TEXT(id), DB_INT(bytes), DB_INT(total)));
    *ret_cancelled = !db_next(&rows) || db_bool(&rows, "cancelled"); /* no row: registry deleted */
    return OK;
}

enum fault import_finish(struct op *op, const char *id, enum import_state state, const char *code,
                         const char *message)
{
    return db_query(op, &stmts[FINISH], NULL, DB_TEXT(id), DB_INT(state), DB_TEXT(code),
                    DB_TEXT(message));
}

enum fault import_tried(struct op *op, const char *id)
{
    return db_query(op, &stmts[TRIED], NULL, DB_TEXT(id));
}

enum fault import_cancel(struct op *op, const char *id)
{
    return db_query(op, &stmts[CANCEL], NULL, DB_TEXT(id));
}

enum fault import_unfinished(struct op *op, const char ***ret_ids, size_t *ret_n)
{
    struct db_rows rows;
    const char **ids;
    size_t n = 0;

    TRY(db_query(op, &stmts[PURGE], NULL));
    TRY(db_query(op, &stmts[UNFINISHED], &rows));
    ids = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(*ids));
    while (db_next(&rows))
        ids[n++] = db_text(&rows, "id");
    *ret_ids = ids;
    *ret_n = n;
    return OK;
}
