#include "api/job.h"

#include "core/db.h"

#define COLUMNS                                                                                    \
    "j.name, j.subscription, j.application, j.app_id, j.registry, j.deleting,"                     \
    " api.iso(j.created) AS created, api.iso(j.ends) AS ends"
#define COUNTS                                                                                     \
    ", (SELECT count(*) FROM api.resource_group g WHERE g.subscription = j.subscription)"          \
    " AS groups,"                                                                                  \
    " (SELECT count(*) FROM api.resource r WHERE r.subscription = j.subscription) AS resources"

enum { INSERT, GET_ONE, LIST, HOLD, SET_DELETING, DOOMED };
static const struct db_stmt stmts[] = {
    [INSERT] = {"INSERT INTO api.job (name, subscription, application, app_id, registry, ends)"
                " VALUES ($1, $2, $3, $4, $5, CASE WHEN $6::bigint > 0"
                " THEN now() + make_interval(secs => $6::bigint) END) ON CONFLICT DO NOTHING"},
    [GET_ONE] = {"SELECT " COLUMNS COUNTS " FROM api.job j WHERE j.name = $1"},
    [LIST] = {"SELECT " COLUMNS COUNTS " FROM api.job j WHERE j.name > $1 ORDER BY j.name"
              " LIMIT $2"},
    [HOLD] = {"SELECT " COLUMNS ", deleting OR coalesce(ends <= now(), false) AS doomed"
              " FROM api.job j WHERE j.name = $1 FOR UPDATE"},
    [SET_DELETING] = {"UPDATE api.job SET deleting = true WHERE name = $1"},
    [DOOMED] = {"SELECT name FROM api.job WHERE deleting OR ends <= now() ORDER BY created"
                " LIMIT 1000"},
    {0},
};

void job_store_start(void)
{
    db_register(stmts);
}

static struct job from_row(const struct db_rows *rows)
{
    return (struct job){
        .name = db_text(rows, "name"),
        .subscription = db_text(rows, "subscription"),
        .application = db_text(rows, "application"),
        .app_id = db_text(rows, "app_id"),
        .registry = db_text(rows, "registry"),
        .deleting = db_bool(rows, "deleting"),
        .created = db_text(rows, "created"),
        .ends = db_text(rows, "ends"),
    };
}

static struct job from_counted_row(const struct db_rows *rows)
{
    struct job job = from_row(rows);

    job.groups = db_int(rows, "groups");
    job.resources = db_int(rows, "resources");
    return job;
}

enum fault job_insert(struct op *op, const struct job *job, int64_t lives_s)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[INSERT], &rows, DB_TEXT(job->name), DB_TEXT(job->subscription),
                 DB_TEXT(job->application), DB_TEXT(job->app_id), DB_TEXT(job->registry),
                 DB_INT(lives_s)));
    if (!rows.affected)
        return fail_on(op, "JobExists", CONFLICT, "There is a job of the name '%s' already.",
                       job->name);
    return OK;
}

enum fault job_get(struct op *op, const char *name, struct job *ret)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[GET_ONE], &rows, DB_TEXT(name)));
    if (!db_next(&rows))
        return fail_on(op, "JobNotFound", NOT_FOUND, "There is no job '%.60s'.", name);
    *ret = from_counted_row(&rows);
    return OK;
}

enum fault job_list(struct op *op, const char *last, int64_t limit, struct job **ret, size_t *ret_n)
{
    struct db_rows rows;
    size_t n = 0;

    TRY(db_query(op, &stmts[LIST], &rows, DB_TEXT(last), DB_INT(limit)));
    *ret = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(**ret));
    while (db_next(&rows))
        (*ret)[n++] = from_counted_row(&rows);
    *ret_n = n;
    return OK;
}

enum fault job_hold(struct op *op, const char *name, bool *ret_there, struct job *ret)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[HOLD], &rows, DB_TEXT(name)));
    *ret_there = db_next(&rows);
    if (!*ret_there)
        return OK;
    *ret = from_row(&rows);
    ret->doomed = db_bool(&rows, "doomed");
    return OK;
}

enum fault job_set_deleting(struct op *op, const char *name)
{
    return db_query(op, &stmts[SET_DELETING], NULL, DB_TEXT(name));
}

enum fault job_list_doomed(struct op *op, const char ***ret, size_t *ret_n)
{
    struct db_rows rows;
    size_t n = 0;

    TRY(db_query(op, &stmts[DOOMED], &rows));
    *ret = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(**ret));
    while (db_next(&rows))
        (*ret)[n++] = db_text(&rows, "name");
    *ret_n = n;
    return OK;
}
