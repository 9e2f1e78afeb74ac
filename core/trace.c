#include "core/trace.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/log.h"
#include "core/reconcile.h"
#include "core/stream.h"

#define LINE_MAX_ 16384
#define BEAT_MS   10000 /* an empty line: proxies and clients give up what is silent */
#define BEAT      "beat"
#define MEND_MAX  2048

/* ---- notes ---- */

void trace_who(struct call *c, const char *name, const char *id)
{
    c->asked.who = name;
    c->asked.who_id = id;
}

void trace_right(struct call *c, const char *right, const char *scope)
{
    c->asked.right = right;
    c->asked.scope = scope;
}

void trace_mend(struct op *op, const char *fmt, ...)
{
    char text[MEND_MAX];
    va_list args;

    if (!trace_wanted())
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    op->mend = arena_strdup(&op->arena, text);
}

/* ---- listeners ---- */

static struct {
    pthread_mutex_t lock;
    struct stream *streams[TRACE_LISTENERS_MAX];
    atomic_int n;
    struct reconciler *beat;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER};

bool trace_wanted(void)
{
    return atomic_load_explicit(&state.n, memory_order_relaxed) > 0;
}

static void forget(size_t i)
{
    stream_release(state.streams[i]);
    state.streams[i] = state.streams[--state.n];
}

static void tell(struct bytes line)
{
    pthread_mutex_lock(&state.lock);
    for (size_t i = (size_t)state.n; i-- > 0;)
        if (!stream_send(state.streams[i], line))
            forget(i);
    pthread_mutex_unlock(&state.lock);
}

static enum fault beat(struct op *op, const char *key, int64_t *ret_again_ms)
{
    (void)op;
    (void)key;
    tell(BYTES("\n"));
    *ret_again_ms = atomic_load(&state.n) ? BEAT_MS : -1;
    return OK;
}

enum fault trace_listen(struct call *c)
{
    enum fault fault = OK;

    reply_header(c, "Content-Type", "application/x-ndjson");
    pthread_mutex_lock(&state.lock);
    if (state.n == TRACE_LISTENERS_MAX)
        fault = fail(&c->op, TOO_MANY, "%d clients trace already", TRACE_LISTENERS_MAX);
    else
        state.streams[state.n++] = stream_open(c, 200);
    pthread_mutex_unlock(&state.lock);
    if (fault == OK)
        reconciler_add(state.beat, BEAT);
    return fault;
}

/* ---- the line ---- */

static void add(struct text *out, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    text_printf(out, ",\"%s\":", name);
    json_quote(out, value);
}

static void add_asked(struct text *out, const struct call *c)
{
    if (c->asked.who) {
        text_str(out, ",\"principal\":{\"name\":");
        json_quote(out, c->asked.who);
        add(out, "id", c->asked.who_id);
        text_str(out, "}");
    }
    add(out, "right", c->asked.right);
    add(out, "scope", c->asked.scope);
}

/* Probes and scrapes, and the tracing itself, would drown the rest. */
static bool is_uninteresting(const struct call *c)
{
    return (c->service && strcmp(c->service->name, "core") == 0) ||
           (c->route && c->route->handler == trace_listen);
}

void trace_call(const struct call *c)
{
    struct arena arena;
    struct text out;

    if (!trace_wanted() || !c->path || is_uninteresting(c))
        return;
    arena_init(&arena);
    text_init(&out, &arena, LINE_MAX_);
    text_printf(&out, "{\"time\":\"%s\",\"id\":\"%s\",\"status\":%d,\"us\":%lld,\"method\":\"%s\"",
                log_time(&arena), c->id, c->reply.status, (long long)c->started_us,
                method_name(c->method));
    add(&out, "host", c->host);
    add(&out, "path", log_target(&arena, c->target));
    add(&out, "service", c->service ? c->service->name : NULL);
    add(&out, "operation", c->route ? c->route->summary : NULL);
    add(&out, "client", c->client);
    add(&out, "agent", call_header(c, "user-agent"));
    add_asked(&out, c);
    if (c->op.fault != OK) {
        add(&out, "fault", fault_name(c->op.fault));
        add(&out, "reason", c->op.message);
    }
    add(&out, "mend", c->op.mend); /* also of what was answered with less than was asked */
    text_str(&out, "}\n");
    if (!out.overflow)
        tell(text_bytes(&out));
    arena_free(&arena);
}

/* ---- life ---- */

void trace_start(void)
{
    state.beat = reconciler_new("trace", 1, beat);
}

void trace_stop(void)
{
    reconciler_free(state.beat);
    state.beat = NULL;
    pthread_mutex_lock(&state.lock);
    while (state.n > 0) {
        stream_end(state.streams[0]);
        forget(0);
    }
    pthread_mutex_unlock(&state.lock);
}
