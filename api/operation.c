#include "api/operation.h"

#include <string.h>

#include "core/db.h"
#include "core/metrics.h"
#include "core/seal.h"

#define KINDS_MAX  32
#define KEPT_DAYS  "7"
#define PRUNE_ROWS "10000"

#define COLUMNS                                                                                    \
    "id, kind, subscription, resource_id, provider, location, who, status_word, status, code,"     \
    " message, properties, result, input, percent, cancel_wanted, api.iso(created) AS created,"    \
    " api.iso(ended) AS ended"

enum {
    INSERT,
    FINISH,
    PROGRESS,
    GET_ONE,
    RUNNING,
    OF_SUBSCRIPTION,
    WANT_CANCEL,
    PRUNE,
    COUNT_RUNNING
};
static const struct db_stmt stmts[] = {
    [INSERT] = {"INSERT INTO api.operation (id, kind, subscription, resource_id, provider,"
                "  location, who, status_word, properties, input)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
                " RETURNING api.iso(created) AS created"},
    [FINISH] = {"UPDATE api.operation SET status = $2, code = $3, message = $4, result = $5,"
                "  ended = now() WHERE id = $1 AND status = 0"},
    [PROGRESS] = {"UPDATE api.operation SET properties = coalesce($2, properties), percent = $3"
                  " WHERE id = $1 AND status = 0"},
    [GET_ONE] = {"SELECT " COLUMNS " FROM api.operation WHERE id = $1"},
    [RUNNING] = {"SELECT " COLUMNS " FROM api.operation WHERE kind = $1 AND status = 0"
                 " ORDER BY id"},
    [OF_SUBSCRIPTION] = {"SELECT " COLUMNS " FROM api.operation WHERE subscription = $1"
                         " AND status = 0 ORDER BY created DESC, id LIMIT 1000"},
    [WANT_CANCEL] = {"UPDATE api.operation SET cancel_wanted = true WHERE id = $1 AND status = 0"},
    [PRUNE] = {"DELETE FROM api.operation WHERE id IN (SELECT id FROM api.operation WHERE status"
               " <> 0 AND ended < now() - interval '" KEPT_DAYS " days' LIMIT " PRUNE_ROWS ")"},
    [COUNT_RUNNING] = {"SELECT count(*) AS n FROM api.operation WHERE status = 0"},
    {0},
};

static const struct operation_kind *kinds[KINDS_MAX];
static size_t n_kinds;

void operation_store_start(void)
{
    db_register(stmts);
}

void operation_kind_register(const struct operation_kind *kind)
{
    for (size_t i = 0; i < n_kinds; i++)
        if (kinds[i] == kind)
            return;
    if (n_kinds < KINDS_MAX)
        kinds[n_kinds++] = kind;
}

const struct operation_kind *operation_kind_find(const char *name)
{
    for (size_t i = 0; i < n_kinds; i++)
        if (strcmp(kinds[i]->name, name) == 0)
            return kinds[i];
    return NULL;
}

static struct operation from_row(const struct db_rows *rows)
{
    return (struct operation){
        .id = db_text(rows, "id"),
        .kind = db_text(rows, "kind"),
        .subscription = db_text(rows, "subscription"),
        .resource_id = db_text(rows, "resource_id"),
        .provider = db_text(rows, "provider"),
        .location = db_text(rows, "location"),
        .who = db_text(rows, "who"),
        .status_word = db_text(rows, "status_word"),
        .status = (enum operation_status)db_int(rows, "status"),
        .code = db_text(rows, "code"),
        .message = db_text(rows, "message"),
        .properties = db_text(rows, "properties"),
        .result = db_text(rows, "result"),
        .input = db_text(rows, "input"),
        .percent = db_int(rows, "percent"),
        .cancel_wanted = db_bool(rows, "cancel_wanted"),
        .created = db_text(rows, "created"),
        .ended = db_text(rows, "ended"),
    };
}

enum fault operation_start(struct call *c, struct operation *o)
{
    struct op *op = &c->op;
    struct db_rows rows;
    char id[37];

    random_uuid(id);
    o->id = arena_strdup(&op->arena, id);
    o->subscription = arm_id(c)->subscription ? arm_id(c)->subscription : "";
    o->who = arm_who(c)->object_id;
    o->percent = -1;
    if (!o->resource_id)
        o->resource_id = arm_id(c)->path;
    TRY(db_query(op, &stmts[INSERT], &rows, DB_TEXT(o->id), DB_TEXT(o->kind),
                 DB_TEXT(o->subscription), DB_TEXT(o->resource_id), DB_TEXT(o->provider),
                 DB_TEXT(o->location ? o->location : "global"), DB_TEXT(o->who),
                 DB_TEXT(o->status_word), DB_TEXT(o->properties), DB_TEXT(o->input)));
    if (!db_next(&rows))
        return fail(op, INTERNAL, "the operation has no row");
    o->created = db_text(&rows, "created");
    return OK;
}

enum fault operation_finish(struct op *op, const char *id, enum operation_status status,
                            const char *code, const char *message, const char *result)
{
    return db_query(op, &stmts[FINISH], NULL, DB_TEXT(id), DB_INT(status), DB_TEXT(code),
                    DB_TEXT(message), DB_TEXT(result));
}

enum fault operation_progress(struct op *op, const char *id, const char *properties,
                              int64_t percent)
{
    return db_query(op, &stmts[PROGRESS], NULL, DB_TEXT(id), DB_TEXT(properties), DB_INT(percent));
}

enum fault operation_get(struct op *op, const char *id, struct operation *ret)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[GET_ONE], &rows, DB_TEXT(id_lower(op, id))));
    if (!db_next(&rows))
        return fail_on(op, "NotFound", NOT_FOUND, "The operation '%.60s' could not be found.", id);
    *ret = from_row(&rows);
    return OK;
}

static enum fault list(struct op *op, int which, const char *value, struct operation **ret,
                       size_t *ret_n)
{
    struct db_rows rows;
    size_t n = 0;

    TRY(db_query(op, &stmts[which], &rows, DB_TEXT(value)));
    *ret = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(**ret));
    while (db_next(&rows))
        (*ret)[n++] = from_row(&rows);
    *ret_n = n;
    return OK;
}

enum fault operation_list_running(struct op *op, const char *kind, struct operation **ret,
                                  size_t *ret_n)
{
    return list(op, RUNNING, kind, ret, ret_n);
}

enum fault operation_list_of(struct op *op, const char *subscription, struct operation **ret,
                             size_t *ret_n)
{
    return list(op, OF_SUBSCRIPTION, subscription, ret, ret_n);
}

static atomic_llong running;

enum fault operation_measure(struct op *op)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[COUNT_RUNNING], &rows));
    if (db_next(&rows))
        atomic_store(&running, db_int(&rows, "n"));
    return OK;
}

void operation_metrics(struct text *out)
{
    metric_head(out, "sundog_operations_running", "gauge",
                "long-running operations that have not ended, some seconds ago");
    text_printf(out, "sundog_operations_running %lld\n", (long long)atomic_load(&running));
}

enum fault operation_want_cancel(struct op *op, const char *id)
{
    return db_query(op, &stmts[WANT_CANCEL], NULL, DB_TEXT(id));
}

enum fault operation_prune(struct op *op)
{
    return db_query(op, &stmts[PRUNE], NULL);
}

void operation_headers(struct call *c, const struct operation *o, int which)
{
    const char *version = call_query(c, "api-version", 0);
    const char *path =
        arena_printf(&c->op.arena, "%s/subscriptions/%s/providers/%s/locations/%s", c->base_url,
                     o->subscription, o->provider, o->location ? o->location : "global");

    if (!version || !*version)
        version = "2021-04-01";
    if (which & OPERATION_ASYNC)
        reply_header(c, "Azure-AsyncOperation", "%s/operationStatuses/%s?api-version=%s", path,
                     o->id, version);
    if (which & OPERATION_LOCATION && strcmp(o->provider, "Microsoft.Resources") == 0)
        reply_header(c, "Location", "%s/subscriptions/%s/operationresults/%s?api-version=%s",
                     c->base_url, o->subscription, o->id, version);
    else if (which & OPERATION_LOCATION)
        reply_header(c, "Location", "%s/operationResults/%s?api-version=%s", path, o->id, version);
    reply_header(c, "Retry-After", "1");
}
