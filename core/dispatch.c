/*
 *~ The life of a request, from its head to its log line:
 *~
 *~   loop    dispatch_begin   which route? who asks (from memory, if memory can tell)?
 *~   worker  STEP_AUTHORISE   otherwise ask the database, before any body byte is read
 *~   worker  STEP_OPEN        UPLOAD: where shall the body go?
 *~   loop    STEP_RECEIVE     the transport lets the body come: into memory, or chunk by chunk …
 *~   io      STEP_SINK        … into the sink
 *~   worker  STEP_HANDLE      the route's handler; it may park
 *~   loop    STEP_ANSWER      the transport sends the reply, and dispatch_done ends it
 *
 * A call is freed on its loop, and only when no other thread has it.
 */
#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/call.h"
#include "core/db.h"
#include "core/json.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/metrics.h"
#include "core/seal.h"
#include "core/server.h"
#include "core/stream.h"
#include "core/trace.h"
#include "core/uri.h"

#define SINK_QUEUE_HIGH  ((size_t)2 << 20) /* bytes waiting for the disk: then the client waits */
#define SINK_QUEUE_LOW   ((size_t)1 << 20)
#define CALL_DEADLINE_MS 60000
#define DEADLOCK_TRIES   3
#define CORRELATION_MAX  64
#define ABANDONED_MAX    64 /* HTTP/2 rapid reset: work whose client has gone, a loop */

#define CALL_OF(ptr, member) ((struct call *)((char *)(ptr)-offsetof(struct call, dispatch.member)))

static void on_worker(struct task *task, struct db *db);
static void back_on_loop(struct loop_task *task);
static void drain_on_io(struct task *task, struct db *db);
static void drained_on_loop(struct loop_task *task);

static int64_t now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* ---- birth and death ---- */

struct call *call_new(struct loop *loop, const struct transport *transport, void *connection)
{
    struct call *c = calloc(1, sizeof(*c));

    if (!c)
        abort();
    op_init(&c->op);
    c->loop = loop;
    c->transport = transport;
    c->connection = connection;
    c->reply.fd = -1;
    c->query = c->host = c->client = "";
    c->started_us = now_us();
    c->dispatch.work.run = on_worker;
    c->dispatch.back.run = back_on_loop;
    c->dispatch.drain.run = drain_on_io;
    c->dispatch.drained.run = drained_on_loop;
    c->dispatch.chunks_tail = &c->dispatch.chunks;
    pthread_mutex_init(&c->dispatch.lock, NULL);
    atomic_fetch_add_explicit(&loop->n_calls, 1, memory_order_relaxed);
    return c;
}

void call_free(struct call *c)
{
    atomic_fetch_sub_explicit(&c->loop->n_calls, 1, memory_order_relaxed);
    if (c->abandoned)
        atomic_fetch_sub_explicit(&c->loop->n_abandoned, 1, memory_order_relaxed);
    if (c->reply.fd >= 0)
        close(c->reply.fd);
    pthread_mutex_destroy(&c->dispatch.lock);
    op_free(&c->op);
    free(c);
}

void dispatch_done(struct call *c)
{
    if (c->stream)
        stream_closed(c->stream);
    c->started_us = now_us() - c->started_us; /* from here on: how long it took */
    metrics_count_call(c);
    log_call(c);
    trace_call(c);
    call_free(c);
}

/* ---- faults into replies ---- */

static const struct dialect_row default_rows[] = {
    {INVALID,         "method", 405, "MethodNotAllowed"},
    {INVALID,            NULL, 400, "BadRequest"},
    {UNAUTHENTICATED,               NULL, 401, "Unauthorized"},
    {FORBIDDEN,NULL, 403, "Forbidden"},
    {NOT_FOUND,   NULL, 404, "NotFound"},
    {CONFLICT, NULL, 409, "Conflict"},
    {PRECONDITION,            NULL, 412, "PreconditionFailed"},
    {RANGE,               NULL, 416, "RangeNotSatisfiable"},
    {GONE,            NULL, 410, "Gone"},
    {TOO_LARGE,    NULL, 413, "RequestEntityTooLarge"},
    {TOO_MANY,       NULL, 429, "TooManyRequests"},
    {UNSUPPORTED,            NULL, 501, "NotSupported"},
    {UNAVAILABLE,               NULL, 503, "ServiceUnavailable"},
    {INTERNAL,           NULL, 500, "InternalServerError"},
    {0    },
};

static void default_render(struct call *c, const struct dialect_row *row);
static const struct dialect default_dialect = {"core", default_rows, default_render};

/* {"error":{"code","message"}}: the shape most of what we imitate has. */
static void default_render(struct call *c, const struct dialect_row *row)
{
    struct text out;

    text_init(&out, &c->op.arena, 8192);
    text_printf(&out, "{\"error\":{\"code\":\"%s\",\"message\":", row->code);
    json_quote(&out, c->op.message ? c->op.message : fault_name(c->op.fault));
    text_str(&out, "}}");
    reply_bytes(c, row->status, "application/json; charset=utf-8", text_bytes(&out));
}

static const struct dialect_row *dialect_find(const struct dialect *dialect, const struct op *op)
{
    for (const struct dialect_row *row = dialect->rows; row->status; row++)
        if (row->fault == op->fault &&
            (!row->noun || (op->noun && strcmp(row->noun, op->noun) == 0)))
            return row;
    return NULL;
}

/* What a handler says of its failure stays; Location and the like belonged to a success. */
static bool belongs_to_fault(const char *header)
{
    static const char *const kept[] = {"Allow", "Content-Range", "Range", "WWW-Authenticate"};

    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        if (strcasecmp(header, kept[i]) == 0)
            return true;
    return false;
}

static void reply_clear_body(struct reply *r)
{
    size_t kept = 0;

    if (r->fd >= 0)
        close(r->fd);
    for (size_t i = 0; i < r->n_headers; i++)
        if (belongs_to_fault(r->headers[i].name))
            r->headers[kept++] = r->headers[i];
    r->n_headers = kept;
    r->fd = -1;
    r->status = 0;
    r->n_parts = 0;
    r->content_length = 0;
}

static void render(struct call *c, enum fault fault)
{
    const struct dialect *dialect =
        c->service && c->service->dialect ? c->service->dialect : &default_dialect;
    const struct dialect_row *row;

    if (c->op.fault != fault)
        fail(&c->op, fault, "%s", fault_name(fault));
    row = dialect_find(dialect, &c->op);
    if (!row) {
        dialect = &default_dialect;
        row = dialect_find(dialect, &c->op);
    }
    reply_clear_body(&c->reply);
    if (c->stream) { /* opened, then failed: an ordinary reply after all */
        stream_closed(c->stream);
        c->stream = NULL;
    }
    if ((fault == TOO_MANY || fault == UNAVAILABLE) && c->op.retry_after_s >= 0)
        reply_header(c, "Retry-After", "%d", c->op.retry_after_s ? c->op.retry_after_s : 1);
    dialect->render(c, row);
}

/* Make the reply whole: body of a fault, the service's and our own headers. On any thread. */
static void compose(struct call *c, enum fault fault)
{
    if (fault != OK)
        render(c, fault);
    assert(c->reply.status);
    if (c->service && c->service->decorate)
        c->service->decorate(c);
    reply_header(c, "x-ms-request-id", "%s", c->id);
    reply_header(c, "x-ms-correlation-request-id", "%s", c->correlation_id);
}

static void send_answer(struct call *c)
{
    c->dispatch.step = STEP_ANSWER;
    if (c->abandoned)
        dispatch_done(c);
    else
        c->transport->answer(c);
}

static void answer(struct call *c, enum fault fault)
{
    compose(c, fault);
    send_answer(c);
}

/* ---- on a worker ---- */

static void post_work(struct call *c, enum dispatch_step step)
{
    c->dispatch.step = step;
    /* what has a sink open must end: its progress is to be saved */
    if (c->sink)
        pool_post_always(workers, &c->dispatch.work);
    else if (!pool_post(workers, &c->dispatch.work))
        answer(c, fail(&c->op, UNAVAILABLE, "too many requests are waiting"));
}

static enum fault authorise(struct call *c)
{
    if (c->authorised)
        return OK;
    TRY(c->service->authorise(c, true));
    c->authorised = true;
    return OK;
}

static enum fault run_step(struct call *c)
{
    if (c->op.cancelled && !c->sink)
        return fail(&c->op, UNAVAILABLE, "the client has left");
    TRY(authorise(c));
    if (c->dispatch.step == STEP_AUTHORISE)
        return OK;
    return c->dispatch.step == STEP_OPEN ? c->route->open(c) : c->route->handler(c);
}

static void run(struct call *c, struct db *db)
{
    enum fault fault;

    c->op.db = db;
    for (int tries = 1;; tries++) {
        fault = run_step(c);
        if (fault != PARKED && db_wants_retry(&c->op) && tries < DEADLOCK_TRIES) {
            db_rollback(&c->op);
            reply_reset(c);
            op_clear_fault(&c->op);
            continue;
        }
        break;
    }
    db_op_ended(&c->op);
    c->op.db = NULL;
    if (fault == PARKED)
        c->dispatch.park(c); /* from here on the call is another's */
    else
        call_complete(c, fault);
}

static void on_worker(struct task *task, struct db *db)
{
    run(CALL_OF(task, work), db);
}

enum fault call_park(struct call *c, void (*start)(struct call *c))
{
    c->dispatch.park = start;
    return PARKED;
}

void call_complete(struct call *c, enum fault fault)
{
    if (fault != OK || c->dispatch.step == STEP_HANDLE)
        compose(c, fault);
    if (c->dispatch.completed)
        c->dispatch.completed(c);
    else
        loop_post(c->loop, &c->dispatch.back);
}

struct pool *call_pool(const struct call *c)
{
    return c->dispatch.completed && inside_pool ? inside_pool : workers;
}

/* ---- back on the loop ---- */

static size_t body_max(const struct call *c)
{
    return c->route->body_max ? c->route->body_max : (size_t)64 << 10;
}

static void receive(struct call *c)
{
    if (c->route->lane != UPLOAD && c->content_length > (int64_t)body_max(c)) {
        answer(c, fail(&c->op, TOO_LARGE, "the request's body is too large"));
        return;
    }
    c->dispatch.step = STEP_RECEIVE;
    c->body_state = BODY_COMING;
    if (!c->abandoned)
        c->transport->receive(c);
    else if (c->sink)
        dispatch_body_end(c, BODY_CUT);
    else
        dispatch_done(c);
}

static void back_on_loop(struct loop_task *task)
{
    struct call *c = CALL_OF(task, back);

    if (c->reply.status)
        send_answer(c);
    else if (c->dispatch.step == STEP_AUTHORISE && c->route->lane == UPLOAD)
        post_work(c, STEP_OPEN);
    else
        receive(c);
}

/* ---- the head ---- */

static const char *correlation_of(struct call *c)
{
    const char *id = call_header(c, "x-ms-correlation-request-id");
    size_t len = id ? strlen(id) : 0;

    if (!len || len > CORRELATION_MAX)
        return c->id;
    for (const char *p = id; *p; p++)
        if (!isalnum((unsigned char)*p) && *p != '-' && *p != '_')
            return c->id;
    return id;
}

static bool host_is_sane(const char *host)
{
    for (; *host; host++)
        if (!isalnum((unsigned char)*host) && !strchr("-._:[]", *host))
            return false;
    return true;
}

/* Every absolute URL we answer begins with what the client used to reach us (DESIGN §2). */
static enum fault read_target(struct call *c)
{
    const char *target = c->target, *mark;

    if (target[0] != '/')
        return fail(&c->op, INVALID, "the request target must begin with a slash");
    if (!host_is_sane(c->host))
        return fail(&c->op, INVALID, "the Host header is malformed");
    mark = strchr(target, '?');
    c->query = mark ? mark + 1 : "";
    c->path =
        uri_decode(&c->op.arena,
                   (struct bytes){target, mark ? (size_t)(mark - target) : strlen(target)}, false);
    if (!c->path)
        return fail(&c->op, INVALID, "the path is not well encoded");
    c->base_url = server_settings->public_url
                      ? server_settings->public_url
                      : arena_printf(&c->op.arena, "%s://%s", c->tls ? "https" : "http",
                                     c->host[0] ? c->host : "localhost");
    return OK;
}

/* STREAM: RFC 9110 7.8, an Upgrade over HTTP/1.1. */
static bool can_upgrade(const struct call *c)
{
    const char *connection = call_header(c, "connection");

    return c->http_major == 1 && call_header(c, "upgrade") && connection &&
           strcasestr(connection, "upgrade");
}

static void begin_known(struct call *c)
{
    bool has_body = c->content_length != 0;
    enum fault fault = OK;

    if (c->route->lane == STREAM && !can_upgrade(c)) {
        answer(c, fail(&c->op, INVALID, "this needs an Upgrade over HTTP/1.1"));
        return;
    }
    if (!c->route->access || !c->service->authorise)
        c->authorised = true;
    else
        fault = c->service->authorise(c, false);
    if (fault != OK && fault != WOULD_BLOCK) {
        answer(c, fault);
        return;
    }
    c->authorised = fault == OK;
    if (c->authorised && !has_body && c->route->from_memory) {
        fault = c->route->from_memory(c);
        if (fault != WOULD_BLOCK) {
            answer(c, fault);
            return;
        }
    }
    if (c->route->lane == UPLOAD)
        post_work(c, STEP_OPEN);
    else if (!has_body)
        post_work(c, STEP_HANDLE);
    else if (c->authorised)
        receive(c);
    else
        post_work(c, STEP_AUTHORISE);
}

void dispatch_begin(struct call *c)
{
    enum fault fault;

    random_uuid(c->id);
    c->correlation_id = correlation_of(c);
    c->op.deadline_ms = now_ms() + CALL_DEADLINE_MS;
    fault = read_target(c);
    if (fault == OK)
        fault = route_find(c);
    if (fault == OK && c->http_major == 2 &&
        atomic_load_explicit(&c->loop->n_abandoned, memory_order_relaxed) > ABANDONED_MAX)
        fault = fail(&c->op, UNAVAILABLE, "too many of your requests were given up half way");
    if (fault != OK)
        answer(c, fault);
    else
        begin_known(c);
}

void dispatch_inside(struct call *c, struct db *db)
{
    enum fault fault;

    random_uuid(c->id);
    c->correlation_id = correlation_of(c);
    c->dispatch.step = STEP_HANDLE;
    fault = read_target(c);
    if (fault == OK)
        fault = route_find(c);
    if (fault == OK && c->route->lane != CALL && c->route->lane != WATCH)
        fault = fail(&c->op, UNSUPPORTED, "only whole answers are had here");
    if (fault == OK && c->body.len > body_max(c))
        fault = fail(&c->op, TOO_LARGE, "the request's body is too large");
    c->authorised = fault == OK && (!c->route->access || !c->service->authorise);
    if (fault == OK)
        run(c, db);
    else
        call_complete(c, fault);
}

/* ---- the body ---- */

void dispatch_body_end(struct call *c, enum body_state state)
{
    c->body_state = state;
    if (c->dispatch.step == STEP_ANSWER) /* the sink failed and the answer is on its way */
        return;
    if (c->route->lane != UPLOAD) {
        if (c->body.len <= body_max(c))
            post_work(c, STEP_HANDLE);
        else
            answer(c, fail(&c->op, TOO_LARGE, "the request's body is too large"));
        return;
    }
    if (!c->sink->finish && c->content_length == 0) { /* there is nothing to wait for */
        post_work(c, STEP_HANDLE);
        return;
    }
    c->dispatch.step = STEP_SINK;
    pthread_mutex_lock(&c->dispatch.lock);
    c->dispatch.body_ended = true;
    if (!c->dispatch.draining) {
        c->dispatch.draining = true;
        pool_post_always(io_pool, &c->dispatch.drain);
    }
    pthread_mutex_unlock(&c->dispatch.lock);
}

bool dispatch_chunk(struct call *c, struct chunk *chunk)
{
    struct dispatch_state *d = &c->dispatch;
    bool room;

    chunk->next = NULL;
    pthread_mutex_lock(&d->lock);
    if (d->sink_fault != OK) {
        pthread_mutex_unlock(&d->lock);
        chunk->release(chunk);
        return true;
    }
    *d->chunks_tail = chunk;
    d->chunks_tail = &chunk->next;
    d->chunk_bytes += chunk->bytes.len;
    room = d->chunk_bytes < SINK_QUEUE_HIGH;
    d->paused = !room;
    if (!d->draining) {
        d->draining = true;
        pool_post_always(io_pool, &d->drain);
    }
    pthread_mutex_unlock(&d->lock);
    return room;
}

/* Under the lock: tell the loop that chunks can be released, room is there, or the sink is done. */
static void post_drained(struct call *c)
{
    if (c->dispatch.drained_posted)
        return;
    c->dispatch.drained_posted = true;
    loop_post(c->loop, &c->dispatch.drained);
}

static void drain_on_io(struct task *task, struct db *db)
{
    struct call *c = CALL_OF(task, drain);
    struct dispatch_state *d = &c->dispatch;
    struct chunk *chunk;

    (void)db;
    pthread_mutex_lock(&d->lock);
    while ((chunk = d->chunks)) {
        d->chunks = chunk->next;
        if (!d->chunks)
            d->chunks_tail = &d->chunks;
        pthread_mutex_unlock(&d->lock);
        enum fault fault = d->sink_fault == OK ? c->sink->write(c->sink, &c->op, chunk->bytes) : OK;
        pthread_mutex_lock(&d->lock);
        if (fault != OK)
            d->sink_fault = fault;
        d->chunk_bytes -= chunk->bytes.len;
        chunk->next = d->used;
        d->used = chunk;
        post_drained(c);
    }
    if (d->body_ended && !d->sink_finished) {
        pthread_mutex_unlock(&d->lock);
        enum fault fault =
            d->sink_fault == OK && c->sink->finish ? c->sink->finish(c->sink, &c->op) : OK;
        pthread_mutex_lock(&d->lock);
        if (fault != OK)
            d->sink_fault = fault;
        d->sink_finished = true;
    }
    d->draining = false;
    post_drained(c); /* last: after this message the loop may free the call */
    pthread_mutex_unlock(&d->lock);
}

static void release_chunks(struct chunk *chunk)
{
    while (chunk) {
        struct chunk *next = chunk->next;

        chunk->release(chunk);
        chunk = next;
    }
}

static void drained_on_loop(struct loop_task *task)
{
    struct call *c = CALL_OF(task, drained);
    struct dispatch_state *d = &c->dispatch;
    struct chunk *used;
    bool resume, idle, finished;
    enum fault fault;

    pthread_mutex_lock(&d->lock);
    used = d->used;
    d->used = NULL;
    d->drained_posted = false;
    resume = d->paused && d->chunk_bytes <= SINK_QUEUE_LOW;
    if (resume)
        d->paused = false;
    idle = !d->draining && !d->chunks;
    finished = d->sink_finished;
    fault = d->sink_fault;
    pthread_mutex_unlock(&d->lock);
    release_chunks(used);
    if (fault != OK && idle && d->step == STEP_RECEIVE) {
        c->reply.close = true; /* more of the body is on its way, and unwanted */
        answer(c, fault);
    } else if (finished && d->step == STEP_SINK) {
        if (fault != OK)
            answer(c, fault);
        else
            post_work(c, STEP_HANDLE);
    } else if (resume && d->step == STEP_RECEIVE && !c->abandoned) {
        c->transport->resume(c);
    }
}

void dispatch_abandon(struct call *c)
{
    c->abandoned = true;
    atomic_store(&c->op.cancelled, true);
    atomic_fetch_add_explicit(&c->loop->n_abandoned, 1, memory_order_relaxed);
    if (c->dispatch.step == STEP_ANSWER)
        dispatch_done(c);
    else if (c->dispatch.step == STEP_RECEIVE && c->sink)
        dispatch_body_end(c, BODY_CUT);
    else if (c->dispatch.step == STEP_RECEIVE)
        dispatch_done(c);
    /* else a worker, the io pool or a parking place has it, and it comes back to the loop */
}
