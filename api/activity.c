#include "api/activity.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api/operation.h"
#include "core/db.h"
#include "core/json.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/seal.h"

#define QUEUE_MAX      20000 /* events */
#define BATCH_MAX      500
#define PRUNE_EVERY_MS 600000
#define RETRIES_MS     1000

#define AT_US "(extract(epoch FROM at) * 1000000)::bigint AS at_us"
/* Of one subscription, or one group of it: times, resource, before which one. By the indexes on
   these: what there is of others, and before it, is not read. */
#define ALL   " AND $4::text IS NULL"
#define GROUP " AND group_key = $4"
#define WANTED(of)                                                                                 \
    " FROM api.activity WHERE subscription = $1" of                                                \
    " AND at >= coalesce($2::timestamptz, '-infinity')"                                            \
    " AND at <= coalesce($3::timestamptz, 'infinity')"                                             \
    " AND ($5::text IS NULL OR resource_key = $5"                                                  \
    "  OR (resource_key > $5 || '/' AND resource_key < $5 || '0'))"                                \
    " AND (at, id) < (CASE WHEN $6::bigint = 0 THEN 'infinity'"                                    \
    "  ELSE 'epoch'::timestamptz + $6 * interval '1 microsecond' END, $7::bigint)"
#define NEWEST_FIRST " ORDER BY at DESC, id DESC"
/* What is looked for in it: all but the words that each id has. */
#define ROWS(of)                                                                                   \
    "SELECT id, " AT_US ", body" WANTED(                                                           \
        of) " AND (at, id) > ('epoch'::timestamptz + $10 * interval '1 microsecond', $11)"         \
            " AND ($9::text IS NULL OR EXISTS (SELECT FROM json_to_record(body)"                   \
            "  AS e(\"operationName\" json, \"resourceId\" text, caller text, status json)"        \
            "  WHERE concat_ws(E'\\n', \"operationName\"->>'value', caller, status->>'value',"     \
            "   CASE WHEN $9 LIKE '%/%' THEN \"resourceId\" ELSE regexp_replace(\"resourceId\","   \
            "    '^/subscriptions/[^/]*(/resourceGroups/)?', '', 'i') END) ILIKE "                 \
            "$9))" NEWEST_FIRST " LIMIT $8"
#define NEXT(of) "SELECT id, " AT_US WANTED(of) NEWEST_FIRST " OFFSET $8 LIMIT 1"

enum { INSERT, ROWS_OF_ALL, ROWS_OF_GROUP, NEXT_OF_ALL, NEXT_OF_GROUP, PRUNE_AGE, PRUNE_NUMBER };
static const struct db_stmt stmts[] = {
    [INSERT] = {"INSERT INTO api.activity (at, subscription, group_key, resource_key, event, body)"
                " SELECT * FROM unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[],"
                "  $5::text[], $6::json[])"},
    [ROWS_OF_ALL] = {ROWS(ALL)},
    [ROWS_OF_GROUP] = {ROWS(GROUP)},
    [NEXT_OF_ALL] = {NEXT(ALL)},
    [NEXT_OF_GROUP] = {NEXT(GROUP)},
    [PRUNE_AGE] = {"DELETE FROM api.activity WHERE id IN (SELECT id FROM api.activity"
                   " WHERE at < now() - interval '90 days' ORDER BY id LIMIT 10000)"},
    [PRUNE_NUMBER] = {"DELETE FROM api.activity WHERE id <="
                      " (SELECT max(id) - 1000000 FROM api.activity)"},
    {0},
};

/* One event; the texts follow each other in data. */
struct event {
    struct event *next;
    const char *texts[6]; /* at, subscription, group, resource, id, body */
    char data[];
};

static pthread_t thread;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake;
static struct event *first, **last = &first;
static size_t queued;
static bool running, stopping;
static atomic_ullong written, dropped;

/* ---- noting ---- */

static json_t *localized(const char *value, const char *shown)
{
    return json_pack("{s:s,s:s}", "value", value, "localizedValue", shown ? shown : value);
}

static const char *status_word(int status)
{
    if (status >= 400)
        return "Failed";
    return status == 202 ? "Accepted" : "Succeeded";
}

static void set_who(struct op *op, json_t *out, const struct call *c)
{
    const struct identity *who = arm_who(c);
    json_t *claims = json_new_object(op), *authorization = json_new_object(op);

    json_set_text(authorization, "action", c->route->action);
    json_set_text(authorization, "scope", arm_id(c)->path);
    json_object_set(out, "authorization", authorization);
    if (!who)
        return;
    json_set_text(out, "caller", who->kind == IDENTITY_USER ? who->name : who->object_id);
    json_set_text(claims, "appid", who->app_id);
    json_set_text(claims, "http://schemas.microsoft.com/identity/claims/objectidentifier",
                  who->object_id);
    json_set_text(claims, "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name", who->name);
    json_set_text(claims, "http://schemas.microsoft.com/identity/claims/tenantid", who->tenant_id);
    json_object_set(out, "claims", claims);
    json_set_text(out, "tenantId", who->tenant_id);
}

static void set_request(struct op *op, json_t *out, const struct call *c)
{
    json_t *request = json_new_object(op), *properties = json_new_object(op);

    json_set_text(request, "clientRequestId", call_header(c, "x-ms-client-request-id"));
    json_set_text(request, "clientIpAddress", c->client);
    json_set_text(request, "method", method_name(c->method));
    json_set_text(request, "uri", arena_printf(&op->arena, "%s%s", c->base_url, c->path));
    json_object_set(out, "httpRequest", request);
    json_set_text(properties, "serviceRequestId", c->id);
    json_set_text(properties, "statusCode", arena_printf(&op->arena, "%d", c->reply.status));
    if (c->reply.status >= 400)
        json_set_text(properties, "statusMessage", op->message);
    json_object_set(out, "properties", properties);
}

static const char *event_json(struct call *c, const char *event, const char *at)
{
    const struct resource_id *id = arm_id(c);
    struct op *op = &c->op;
    json_t *out = json_new_object(op);
    int status = c->reply.status;
    const char *type = id->full_type ? id->full_type
                                     : "Microsoft.Resources/subscriptions"
                                       "/resourceGroups";

    set_who(op, out, c);
    set_request(op, out, c);
    json_set_text(out, "channels", "Operation");
    json_set_text(out, "correlationId", c->correlation_id);
    json_set_text(out, "operationId", c->id);
    json_set_text(out, "eventDataId", event);
    json_set_text(out, "id", arena_printf(&op->arena, "%s/events/%s", id->path, event));
    json_set_text(out, "level", status >= 400 ? "Error" : "Informational");
    json_object_set_new(out, "eventName", localized("EndRequest", "End request"));
    json_object_set_new(out, "category", localized("Administrative", NULL));
    json_object_set_new(out, "operationName", localized(c->route->action, c->route->summary));
    json_object_set_new(out, "status", localized(status_word(status), NULL));
    json_object_set_new(out, "subStatus",
                        localized(arena_printf(&op->arena, "%d", status),
                                  arena_printf(&op->arena, "HTTP Status Code: %d", status)));
    json_set_text(out, "resourceGroupName", id->group);
    json_set_text(out, "resourceId", id->path);
    json_object_set_new(out, "resourceType", localized(type, NULL));
    json_object_set_new(out, "resourceProviderName",
                        localized(id->provider ? id->provider : "Microsoft.Resources", NULL));
    json_set_text(out, "subscriptionId", id->subscription);
    json_set_text(out, "eventTimestamp", at);
    json_set_text(out, "submissionTimestamp", at);
    return json_text_of(op, out);
}

static struct event *event_new(const char *const texts[6])
{
    struct event *e;
    size_t size = sizeof(*e);
    char *at;

    for (size_t i = 0; i < 6; i++)
        size += strlen(texts[i]) + 1;
    e = malloc(size);
    if (!e)
        return NULL;
    e->next = NULL;
    at = e->data;
    for (size_t i = 0; i < 6; i++) {
        size_t len = strlen(texts[i]) + 1;

        memcpy(at, texts[i], len);
        e->texts[i] = at;
        at += len;
    }
    return e;
}

static void queue(struct event *e)
{
    bool kept;

    pthread_mutex_lock(&lock);
    kept = e && running && queued < QUEUE_MAX;
    if (kept) {
        *last = e;
        last = &e->next;
        if (queued++ == 0)
            pthread_cond_signal(&wake);
    }
    pthread_mutex_unlock(&lock);
    if (kept)
        return;
    free(e);
    atomic_fetch_add(&dropped, 1);
}

static bool ends(const char *text, const char *end)
{
    size_t len = strlen(text), n = strlen(end);

    return len > n && strcmp(text + len - n, end) == 0;
}

/* POSTs that only read are no writes; nor is what a page of the console looks at each second. */
static bool only_reads(const struct call *c)
{
    return ends(c->route->action, "/read") ||
           (c->vouched && (ends(c->route->action, "/listEvents/action") ||
                           ends(c->route->action, "/deployments/exportTemplate/action")));
}

/* Refused tokens are not noted: anybody can make those. */
void activity_note(struct call *c)
{
    const struct resource_id *id;
    const char *at;
    char event[37];

    if (!c->caller || !arm_who(c) || !c->route->action || only_reads(c) || !arm_id(c)->subscription)
        return;
    id = arm_id(c);
    random_uuid(event);
    at = arm_now(&c->op);
    queue(event_new((const char *const[]){at, id->subscription,
                                          id->group ? id_lower(&c->op, id->group) : "", id->key,
                                          event, event_json(c, event, at)}));
}

/* ---- writing ---- */

static struct event *take(size_t *ret_n, int64_t *idle_ms)
{
    struct event *batch, **end = &batch;
    struct timespec until;
    size_t n = 0;

    pthread_mutex_lock(&lock);
    if (!first && !stopping) {
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += 1;
        pthread_cond_timedwait(&wake, &lock, &until);
        *idle_ms += 1000;
    }
    batch = first;
    while (*end && n < BATCH_MAX) {
        end = &(*end)->next;
        n++;
    }
    first = *end;
    *end = NULL;
    if (!first)
        last = &first;
    queued -= n;
    pthread_mutex_unlock(&lock);
    *ret_n = n;
    return n ? batch : NULL;
}

static enum fault insert(struct op *op, const struct event *batch, size_t n)
{
    const char **columns[6];
    size_t i = 0;

    for (size_t k = 0; k < 6; k++)
        columns[k] = arena_alloc(&op->arena, n * sizeof(char *));
    for (const struct event *e = batch; e; e = e->next, i++)
        for (size_t k = 0; k < 6; k++)
            columns[k][i] = e->texts[k];
    return db_query(op, &stmts[INSERT], NULL, DB_TEXTS(columns[0], n), DB_TEXTS(columns[1], n),
                    DB_TEXTS(columns[2], n), DB_TEXTS(columns[3], n), DB_TEXTS(columns[4], n),
                    DB_TEXTS(columns[5], n));
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static bool is_stopping(void)
{
    bool now;

    pthread_mutex_lock(&lock);
    now = stopping;
    pthread_mutex_unlock(&lock);
    return now;
}

/* Until it is written, or we stop and the database is away. */
static void write_batch(struct db *db, struct event *batch, size_t n)
{
    enum fault fault;

    for (;;) {
        struct op op;

        op_init(&op);
        op.db = db;
        fault = insert(&op, batch, n);
        db_op_ended(&op);
        op.db = NULL;
        if (fault == INTERNAL)
            log_event(LOG_ERROR_, "activity-lost", "events=%zu why=%s", n,
                      log_quote(&op.arena, op.message));
        op_free(&op);
        if (fault == OK || fault == INTERNAL || is_stopping())
            break;
        pause_ms(RETRIES_MS);
    }
    atomic_fetch_add(fault == OK ? &written : &dropped, n);
    while (batch) {
        struct event *next = batch->next;

        free(batch);
        batch = next;
    }
}

static void prune(struct db *db)
{
    struct op op;

    op_init(&op);
    op.db = db;
    if (db_query(&op, &stmts[PRUNE_AGE], NULL) == OK &&
        db_query(&op, &stmts[PRUNE_NUMBER], NULL) == OK)
        operation_prune(&op);
    db_op_ended(&op);
    op.db = NULL;
    op_free(&op);
}

static void *run(void *unused)
{
    struct db *db = db_open();
    int64_t idle_ms = 0;
    struct event *batch;
    size_t n;

    (void)unused;
    do {
        batch = take(&n, &idle_ms);
        if (batch)
            write_batch(db, batch, n);
        if (idle_ms >= PRUNE_EVERY_MS) {
            prune(db);
            idle_ms = 0;
        }
    } while (batch || !is_stopping());
    db_close(db);
    return NULL;
}

void activity_start(void)
{
    pthread_condattr_t monotonic;

    db_register(stmts);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    running = true;
    stopping = false;
    if (pthread_create(&thread, NULL, run, NULL) != 0)
        abort();
}

void activity_stop(void)
{
    pthread_mutex_lock(&lock);
    stopping = true;
    pthread_cond_signal(&wake);
    pthread_mutex_unlock(&lock);
    if (running)
        pthread_join(thread, NULL);
    running = false;
}

void activity_metrics(struct text *out)
{
    metric_head(out, "sundog_activity_events_total", "counter",
                "events of the activity log, dropped when its queue was full");
    text_printf(out,
                "sundog_activity_events_total{result=\"written\"} %llu\n"
                "sundog_activity_events_total{result=\"dropped\"} %llu\n",
                atomic_load(&written), atomic_load(&dropped));
}

/* ---- reading ---- */

/* "%text%", with what LIKE takes for more than itself escaped. */
static const char *like_pattern(struct op *op, const char *text)
{
    struct text out;

    text_init(&out, &op->arena, 2 * strlen(text) + 3);
    text_str(&out, "%");
    for (; *text; text++) {
        if (strchr("%_\\", *text))
            text_str(&out, "\\");
        text_add(&out, text, 1);
    }
    text_str(&out, "%");
    return out.data;
}

/* The first that a search does not look at. */
static enum fault find_next(struct op *op, const struct activity_filter *f,
                            struct activity_mark *ret)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[f->group ? NEXT_OF_GROUP : NEXT_OF_ALL], &rows,
                 DB_TEXT(f->subscription), DB_TEXT(f->from), DB_TEXT(f->to), DB_TEXT(f->group),
                 DB_TEXT(f->resource), DB_INT(f->before.at_us), DB_INT(f->before.number),
                 DB_INT(ACTIVITY_SEARCHED)));
    *ret = (struct activity_mark){0};
    if (db_next(&rows))
        *ret = (struct activity_mark){db_int(&rows, "at_us"), db_int(&rows, "id")};
    return OK;
}

enum fault activity_select(struct op *op, const struct activity_filter *f, struct activity **ret,
                           size_t *ret_n, struct activity_mark *ret_next)
{
    const char *pattern = f->search ? like_pattern(op, f->search) : NULL;
    struct activity_mark next = {0};
    struct db_rows rows;
    size_t n = 0;

    if (f->search)
        TRY(find_next(op, f, &next));
    TRY(db_query(op, &stmts[f->group ? ROWS_OF_GROUP : ROWS_OF_ALL], &rows,
                 DB_TEXT(f->subscription), DB_TEXT(f->from), DB_TEXT(f->to), DB_TEXT(f->group),
                 DB_TEXT(f->resource), DB_INT(f->before.at_us), DB_INT(f->before.number),
                 DB_INT(f->limit), DB_TEXT(pattern), DB_INT(next.at_us), DB_INT(next.number)));
    *ret = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(**ret));
    while (db_next(&rows))
        (*ret)[n++] = (struct activity){
            {db_int(&rows, "at_us"), db_int(&rows, "id")},
            db_text(&rows, "body")
        };
    *ret_n = n;
    *ret_next = next;
    return OK;
}
