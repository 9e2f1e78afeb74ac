/* pods/log: text as it was printed, and (follow) as it is being printed. */
#include <stdlib.h>
#include <string.h>

#include "clusters/http/streams.h"

#define FOLLOW_MS  40
#define OUTPUT_MAX ((size_t)256 << 10) /* that waits for the client */
#define PIECE      ((size_t)32 << 10)
#define TURN       16 /* pieces until others have their turn */

struct log_stream {
    struct pump pump;
    struct stream *stream;
    struct pod_log *log;
    atomic_bool left;
};

/* ---- options ---- */

static const struct resource log_options_resource = {
    .group = "", .kind = "PodLogOptions", .qualified_kind = "PodLogOptions"};

static void check_least(struct field_errors *e, const char *field, int64_t value, int64_t least)
{
    json_t *bad = json_integer(value);

    if (value < least)
        field_invalid(e, field, bad,
                      least ? "must be greater than 0" : "must be greater than or equal to 0");
    json_decref(bad);
}

static enum fault check_options(struct call *c, const struct pod_log_options *o)
{
    bool has_time = call_query(c, "sinceTime", 0);
    struct field_errors e;

    field_errors_init(&e, &c->op);
    if (call_query(c, "tailLines", 0))
        check_least(&e, "tailLines", o->tail, 0);
    if (call_query(c, "limitBytes", 0))
        check_least(&e, "limitBytes", o->limit_bytes, 1);
    if (call_query(c, "sinceSeconds", 0) && has_time)
        field_forbidden(&e, "", "at most one of `sinceTime` or `sinceSeconds` may be specified");
    else if (call_query(c, "sinceSeconds", 0))
        check_least(&e, "sinceSeconds", o->since_s, 1);
    return field_errors_end(&e, &log_options_resource, KUBE(c)->r.name);
}

enum fault read_log_options(struct call *c, struct pod_log_options *ret)
{
    const char *since = call_query(c, "sinceTime", 0);

    *ret = (struct pod_log_options){.tail = -1, .limit_bytes = -1, .since_s = -1, .since_us = -1};
    TRY(query_bool(c, "follow", false, &ret->follow));
    TRY(query_bool(c, "previous", false, &ret->previous));
    TRY(query_bool(c, "timestamps", false, &ret->timestamps));
    TRY(query_int(c, "tailLines", -1, &ret->tail));
    TRY(query_int(c, "limitBytes", -1, &ret->limit_bytes));
    TRY(query_int(c, "sinceSeconds", -1, &ret->since_s));
    if (since && *since && !micro_time_parse(since, &ret->since_us))
        return bad_request(&c->op,
                           "parsing time \"%s\" as \"2006-01-02T15:04:05Z07:00\": cannot parse "
                           "\"%s\" as \"2006\"",
                           since, since);
    return check_options(c, ret);
}

/* ---- moving ---- */

static bool end(struct log_stream *s)
{
    pod_log_close(s->log);
    s->log = NULL;
    stream_end(s->stream);
    return false;
}

static bool step(struct pump *pump)
{
    struct log_stream *s = (struct log_stream *)pump;
    char piece[PIECE];
    int64_t n = 1;
    struct op op;

    pump->at_ms = 0;
    if (atomic_load(&s->left) || atomic_load(&pump->ending))
        return end(s);
    op_init(&op);
    for (int i = 0; n > 0 && i < TURN; i++) {
        if (stream_queued(s->stream) > OUTPUT_MAX)
            break; /* on_room wakes */
        n = pod_log_read(&op, s->log, piece, sizeof(piece));
        if (n > 0 && !stream_send(s->stream, (struct bytes){piece, (size_t)n}))
            n = -1;
    }
    op_free(&op);
    if (n < 0)
        return end(s);
    if (n == 0)
        pump->at_ms = now_ms() + FOLLOW_MS;
    else if (stream_queued(s->stream) <= OUTPUT_MAX)
        pump_wake(pump);
    return true;
}

static void free_stream(struct pump *pump)
{
    struct log_stream *s = (struct log_stream *)pump;

    stream_release(s->stream);
    free(s);
}

static void on_room(struct stream *stream)
{
    pump_wake(stream->user);
}

static void on_close(struct stream *stream)
{
    struct log_stream *s = stream->user;

    atomic_store(&s->left, true);
    pump_wake(&s->pump);
    pump_release(&s->pump);
}

enum fault stream_log(struct call *c, struct pod_log *log)
{
    struct log_stream *s = calloc(1, sizeof(*s));

    if (!s)
        abort();
    reply_header(c, "Content-Type", "text/plain");
    s->log = log;
    s->pump = (struct pump){
        .step = step, .free = free_stream, .thread = PUMP_LOGS, .cluster = KUBE(c)->cluster};
    s->stream = stream_open(c, 200);
    s->stream->user = s;
    s->stream->on_close = on_close;
    s->stream->on_room = on_room;
    pump_start(&s->pump);
    return OK;
}
