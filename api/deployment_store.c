#include <string.h>

#include "api/deployment.h"
#include "api/template/limits.h"
#include "core/db.h"

#define LEASE "interval '30 seconds'"

#define CREATED_US "(extract(epoch FROM api.deployment.created) * 1000000)::bigint"
#define COLUMNS                                                                                    \
    "uid, key, id, scope, subscription, group_name, name, location, tags, mode, state, operation," \
    " who, correlation, client, host, tls, hash, parameters, facts, outputs, resources, error,"    \
    " cancel, owner, api.iso(created) AS created, api.iso(ended) AS ended,"                        \
    " " CREATED_US " AS created_us, api.iso(coalesce(ended, now())) AS changed,"                   \
    " (extract(epoch FROM coalesce(ended, now()) - created) * 1000)::bigint AS duration_ms"
#define STEP_COLUMNS                                                                               \
    "number, id, action, target, type, name, version, state, poll, blocker, tries, status, error," \
    " api.iso(started) AS started, api.iso(ended) AS ended,"                                       \
    " (extract(epoch FROM coalesce(ended, now()) - started) * 1000)::bigint AS duration_ms"

enum {
    GET_ONE,
    BY_UID,
    INPUT_OF,
    SECRETS_OF,
    STATE_OF,
    DELETE_ONE,
    INSERT,
    TRIM,
    END_BELOW,
    DELETE_BELOW,
    LIST_THEM,
    WANT_CANCEL,
    END_ONE,
    ADOPT,
    STEPS,
    STEP_INSERT,
    STEP_SET,
    STEPS_CANCEL
};
static const struct db_stmt stmts[] = {
    [GET_ONE] = {"SELECT " COLUMNS " FROM api.deployment WHERE key = $1"},
    [BY_UID] = {"SELECT " COLUMNS " FROM api.deployment WHERE uid = $1"},
    [INPUT_OF] = {"SELECT input AS sealed FROM api.deployment WHERE uid = $1"},
    [SECRETS_OF] = {"SELECT secrets AS sealed FROM api.deployment WHERE uid = $1"},
    [STATE_OF] = {"SELECT state FROM api.deployment WHERE key = $1 FOR UPDATE"},
    [DELETE_ONE] = {"DELETE FROM api.deployment WHERE key = $1"},
    [INSERT] = {"INSERT INTO api.deployment (uid, key, id, scope, subscription, group_name, name,"
                "  location, tags, mode, state, operation, who, correlation, client, host, tls,"
                "  hash, input, parameters, facts, owner, group_key, lease) VALUES ($1, $2, $3,"
                "  $4, $5, $6, $7, $8, $9, $10, 'Running', $11, $12, $13, $14, $15, $16, $17,"
                "  $18, $19, $20, $21, CASE WHEN $6::text IS NOT NULL THEN $4 END,"
                "  now() + " LEASE ")"},
    [TRIM] = {"DELETE FROM api.deployment WHERE uid IN (SELECT uid FROM api.deployment"
              " WHERE scope = $1 AND state <> 'Running' ORDER BY created DESC OFFSET $2)"},
    [END_BELOW] = {"UPDATE api.operation SET status = 3, ended = now() WHERE status = 0 AND id IN"
                   " (SELECT operation FROM api.deployment WHERE scope = $1)"},
    [DELETE_BELOW] = {"DELETE FROM api.deployment WHERE scope = $1"},
    [LIST_THEM] = {"SELECT " COLUMNS " FROM api.deployment WHERE subscription = $1"
                   " AND ($2::text IS NULL OR scope = $2)"
                   " AND ($3::bigint = 0 OR (" CREATED_US ", key) < ($3, $4))"
                   " AND ($5::text IS NULL OR lower(state) = lower($5))"
                   " ORDER BY api.deployment.created DESC, key DESC LIMIT $6"},
    [WANT_CANCEL] = {"UPDATE api.deployment SET cancel = true WHERE key = $1"
                     " AND state = 'Running' RETURNING uid"},
    [END_ONE] = {"UPDATE api.deployment SET state = $2, outputs = $3, secrets = $4,"
                 "  resources = $5, error = $6, ended = now() WHERE uid = $1"
                 " AND state = 'Running'"},
    [ADOPT] = {"UPDATE api.deployment SET owner = $1, lease = now() + " LEASE
               " WHERE state = 'Running' AND (owner = $1 OR lease < now()) RETURNING uid"},
    [STEPS] = {"SELECT " STEP_COLUMNS " FROM api.deployment_step WHERE deployment = $1"
               " ORDER BY number"},
    [STEP_INSERT] = {"INSERT INTO api.deployment_step (deployment, number, id, action, target,"
                     "  type, name, version, state) VALUES ($1, $2, $3, $4, $5, $6, $7, $8,"
                     "  'Waiting') ON CONFLICT DO NOTHING"},
    [STEP_SET] = {"UPDATE api.deployment_step SET state = $3, poll = $4, blocker = $5, tries = $6,"
                  "  status = NULLIF($7, 0), error = $8,"
                  "  started = CASE WHEN $3 = 'Waiting' THEN NULL ELSE coalesce(started, now())"
                  "   END,"
                  "  ended = CASE WHEN $3 IN ('Waiting', 'Running') THEN NULL ELSE now() END"
                  " WHERE deployment = $1 AND number = $2"
                  " AND state IN ('Waiting', 'Running')"},
    [STEPS_CANCEL] = {"UPDATE api.deployment_step SET state = 'Canceled', ended = now()"
                      " WHERE deployment = $1 AND state IN ('Waiting', 'Running')"},
    {0},
};

void deployment_store_start(void)
{
    db_register(stmts);
}

static struct deployment from_row(const struct db_rows *rows)
{
    return (struct deployment){
        .uid = db_text(rows, "uid"),
        .key = db_text(rows, "key"),
        .id = db_text(rows, "id"),
        .scope = db_text(rows, "scope"),
        .subscription = db_text(rows, "subscription"),
        .group = db_text(rows, "group_name"),
        .name = db_text(rows, "name"),
        .location = db_text(rows, "location"),
        .tags = db_text(rows, "tags"),
        .mode = db_text(rows, "mode"),
        .state = db_text(rows, "state"),
        .operation = db_text(rows, "operation"),
        .who = db_text(rows, "who"),
        .correlation = db_text(rows, "correlation"),
        .client = db_text(rows, "client"),
        .host = db_text(rows, "host"),
        .tls = db_bool(rows, "tls"),
        .hash = db_text(rows, "hash"),
        .parameters = db_text(rows, "parameters"),
        .facts = db_text(rows, "facts"),
        .outputs = db_text(rows, "outputs"),
        .resources = db_text(rows, "resources"),
        .error = db_text(rows, "error"),
        .cancel = db_bool(rows, "cancel"),
        .owner = db_text(rows, "owner"),
        .created = db_text(rows, "created"),
        .ended = db_text(rows, "ended"),
        .changed = db_text(rows, "changed"),
        .duration_ms = db_int(rows, "duration_ms"),
        .created_us = db_int(rows, "created_us"),
    };
}

enum fault deployment_get(struct op *op, const struct resource_id *id, struct deployment *ret)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[GET_ONE], &rows, DB_TEXT(id->key)));
    if (!db_next(&rows))
        return fail_on(op, "DeploymentNotFound", NOT_FOUND, "Deployment '%s' could not be found.",
                       id->name);
    *ret = from_row(&rows);
    return OK;
}

enum fault deployment_by_uid(struct op *op, const char *uid, struct deployment *ret)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[BY_UID], &rows, DB_TEXT(uid)));
    if (!db_next(&rows))
        return fail_on(op, "DeploymentNotFound", NOT_FOUND, "The deployment is gone.");
    *ret = from_row(&rows);
    return OK;
}

enum fault deployment_sealed(struct op *op, const char *uid, bool outputs, struct bytes *ret)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[outputs ? SECRETS_OF : INPUT_OF], &rows, DB_TEXT(uid)));
    if (!db_next(&rows))
        return fail_on(op, "DeploymentNotFound", NOT_FOUND, "The deployment is gone.");
    *ret = db_bytes(&rows, "sealed");
    return OK;
}

/* The row's state, held until the transaction ends; NULL: there is none. */
static enum fault hold_state(struct op *op, const char *key, const char **ret)
{
    struct db_rows rows;

    *ret = NULL;
    TRY(db_query(op, &stmts[STATE_OF], &rows, DB_TEXT(key)));
    if (db_next(&rows))
        *ret = db_text(&rows, "state");
    return OK;
}

enum fault deployment_insert(struct op *op, const struct deployment *d, bool *ret_created)
{
    const char *state;

    TRY(hold_state(op, d->key, &state));
    if (state && strcmp(state, "Running") == 0)
        return fail_on(op, "DeploymentActive", CONFLICT,
                       "Unable to edit or replace deployment '%s': the previous deployment is "
                       "still active. Wait for its end, or cancel it.",
                       d->name);
    *ret_created = !state;
    TRY(db_query(op, &stmts[DELETE_ONE], NULL, DB_TEXT(d->key)));
    TRY(db_query(op, &stmts[INSERT], NULL, DB_TEXT(d->uid), DB_TEXT(d->key), DB_TEXT(d->id),
                 DB_TEXT(d->scope), DB_TEXT(d->subscription), DB_TEXT(d->group), DB_TEXT(d->name),
                 DB_TEXT(d->location), DB_TEXT(d->tags), DB_TEXT(d->mode), DB_TEXT(d->operation),
                 DB_TEXT(d->who), DB_TEXT(d->correlation), DB_TEXT(d->client), DB_TEXT(d->host),
                 DB_BOOL(d->tls), DB_TEXT(d->hash), DB_BYTES(d->input), DB_TEXT(d->parameters),
                 DB_TEXT(d->facts), DB_TEXT(d->owner)));
    return db_query(op, &stmts[TRIM], NULL, DB_TEXT(d->scope), DB_INT(DEPLOYMENT_HISTORY_MAX - 1));
}

enum fault deployment_delete(struct op *op, const char *key, bool *ret_existed)
{
    const char *state;

    TRY(hold_state(op, key, &state));
    if (state && strcmp(state, "Running") == 0)
        return fail_on(op, "DeploymentActive", CONFLICT,
                       "The deployment is running and cannot be deleted: cancel it first.");
    *ret_existed = state;
    return db_query(op, &stmts[DELETE_ONE], NULL, DB_TEXT(key));
}

enum fault deployment_delete_below(struct op *op, const char *scope)
{
    TRY(db_query(op, &stmts[END_BELOW], NULL, DB_TEXT(scope)));
    return db_query(op, &stmts[DELETE_BELOW], NULL, DB_TEXT(scope));
}

enum fault deployment_list(struct op *op, const struct deployment_filter *filter,
                           struct deployment **ret, size_t *ret_n)
{
    struct db_rows rows;
    size_t n = 0;

    TRY(db_query(op, &stmts[LIST_THEM], &rows, DB_TEXT(filter->subscription),
                 DB_TEXT(filter->scope), DB_INT(filter->before_us), DB_TEXT(filter->before_key),
                 DB_TEXT(filter->state), DB_INT(filter->limit)));
    *ret = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(**ret));
    while (db_next(&rows))
        (*ret)[n++] = from_row(&rows);
    *ret_n = n;
    return OK;
}

enum fault deployment_want_cancel(struct op *op, const char *key, const char **ret_uid)
{
    struct db_rows rows;

    *ret_uid = NULL;
    TRY(db_query(op, &stmts[WANT_CANCEL], &rows, DB_TEXT(key)));
    if (db_next(&rows))
        *ret_uid = db_text(&rows, "uid");
    return OK;
}

enum fault deployment_end(struct op *op, const struct deployment *d)
{
    return db_query(op, &stmts[END_ONE], NULL, DB_TEXT(d->uid), DB_TEXT(d->state),
                    DB_TEXT(d->outputs), DB_BYTES(d->secrets), DB_TEXT(d->resources),
                    DB_TEXT(d->error));
}

enum fault deployment_adopt(struct op *op, const char *owner, const char ***ret, size_t *ret_n)
{
    struct db_rows rows;
    size_t n = 0;

    TRY(db_query(op, &stmts[ADOPT], &rows, DB_TEXT(owner)));
    *ret = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(**ret));
    while (db_next(&rows))
        (*ret)[n++] = db_text(&rows, "uid");
    *ret_n = n;
    return OK;
}

/* ---- steps ---- */

static struct deployment_step step_from_row(const struct db_rows *rows)
{
    return (struct deployment_step){
        .id = db_text(rows, "id"),
        .action = db_text(rows, "action"),
        .target = db_text(rows, "target"),
        .type = db_text(rows, "type"),
        .name = db_text(rows, "name"),
        .version = db_text(rows, "version"),
        .state = db_text(rows, "state"),
        .poll = db_text(rows, "poll"),
        .error = db_text(rows, "error"),
        .started = db_text(rows, "started"),
        .ended = db_text(rows, "ended"),
        .number = db_int(rows, "number"),
        .blocker = db_int(rows, "blocker"),
        .tries = db_int(rows, "tries"),
        .status = db_int(rows, "status"),
        .duration_ms = db_int(rows, "duration_ms"),
    };
}

enum fault deployment_steps(struct op *op, const char *uid, struct deployment_step **ret,
                            size_t *ret_n)
{
    struct db_rows rows;
    size_t n = 0;

    TRY(db_query(op, &stmts[STEPS], &rows, DB_TEXT(uid)));
    *ret = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(**ret));
    while (db_next(&rows))
        (*ret)[n++] = step_from_row(&rows);
    *ret_n = n;
    return OK;
}

enum fault deployment_step_insert(struct op *op, const char *uid, const struct deployment_step *s)
{
    return db_query(op, &stmts[STEP_INSERT], NULL, DB_TEXT(uid), DB_INT(s->number), DB_TEXT(s->id),
                    DB_TEXT(s->action), DB_TEXT(s->target), DB_TEXT(s->type), DB_TEXT(s->name),
                    DB_TEXT(s->version));
}

enum fault deployment_step_set(struct op *op, const char *uid, const struct deployment_step *s)
{
    return db_query(op, &stmts[STEP_SET], NULL, DB_TEXT(uid), DB_INT(s->number), DB_TEXT(s->state),
                    DB_TEXT(s->poll), DB_INT(s->blocker), DB_INT(s->tries), DB_INT(s->status),
                    DB_TEXT(s->error));
}

enum fault deployment_steps_cancel(struct op *op, const char *uid)
{
    return db_query(op, &stmts[STEPS_CANCEL], NULL, DB_TEXT(uid));
}
