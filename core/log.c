/*
 * Lines go into one buffer in memory, which a thread of the log's own writes out: neither a loop
 * nor a worker ever waits for a slow terminal or disk.
 */
#include "core/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/call.h"

#define LINE_MAX_  4096
#define BUFFER_MAX (1u << 20) /* beyond it lines are dropped, and counted */
#define FLUSH_AT   (BUFFER_MAX / 4)
#define FLUSH_MS   100

static struct {
    pthread_mutex_t lock, writing; /* writing: held around write, so that lines stay in order */
    pthread_cond_t more;
    char *buffer, *spare;
    size_t len, dropped;
    int fd;
    char *path;
    atomic_int level;
    bool threaded;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER,
           .writing = PTHREAD_MUTEX_INITIALIZER,
           .more = PTHREAD_COND_INITIALIZER,
           .fd = STDERR_FILENO,
           .level = LOG_INFO_};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

/* ---- writing out ---- */

static void write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* there is no place to complain to */
        data += n;
        len -= (size_t)n;
    }
}

void log_flush(void)
{
    char *full;
    size_t len, dropped;

    pthread_mutex_lock(&state.writing);
    pthread_mutex_lock(&state.lock);
    full = state.buffer;
    len = state.len;
    dropped = state.dropped;
    state.buffer = state.spare;
    state.spare = NULL;
    state.len = state.dropped = 0;
    pthread_mutex_unlock(&state.lock);
    write_all(state.fd, full, len);
    if (dropped > 0)
        dprintf(state.fd, "level=warn msg=\"log lines dropped\" n=%zu\n", dropped);
    pthread_mutex_lock(&state.lock);
    state.spare = full;
    pthread_mutex_unlock(&state.lock);
    pthread_mutex_unlock(&state.writing);
}

static void *flusher(void *arg)
{
    (void)arg;
    pthread_setname_np(pthread_self(), "log");
    for (;;) {
        struct timespec until;

        pthread_mutex_lock(&state.lock);
        while (state.len == 0)
            pthread_cond_wait(&state.more, &state.lock);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += FLUSH_MS * 1000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        while (state.len < FLUSH_AT &&
               pthread_cond_timedwait(&state.more, &state.lock, &until) != ETIMEDOUT)
            ;
        pthread_mutex_unlock(&state.lock);
        log_flush();
    }
    return NULL;
}

/* Started with the first request, not by log_open: the helper is forked before any thread. */
static void start_flusher(void)
{
    pthread_attr_t attr;
    pthread_t thread;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    state.threaded = pthread_create(&thread, &attr, flusher, NULL) == 0;
    pthread_attr_destroy(&attr);
}

static void append(const char *line, size_t len)
{
    pthread_mutex_lock(&state.lock);
    if (!state.buffer)
        state.buffer = malloc(BUFFER_MAX);
    if (!state.buffer || state.len + len > BUFFER_MAX) {
        state.dropped++;
    } else {
        if (state.len == 0 || (state.len < FLUSH_AT && state.len + len >= FLUSH_AT))
            pthread_cond_signal(&state.more);
        memcpy(state.buffer + state.len, line, len);
        state.len += len;
    }
    pthread_mutex_unlock(&state.lock);
}

static void append_buffered(const char *line, size_t len)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, start_flusher);
    append(line, len);
    if (!state.threaded)
        log_flush();
}

/* ---- opening ---- */

static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

void log_open(const char *path, const char *level)
{
    static bool registered;

    for (int i = 0; i < (int)ARRAY_LEN(level_names); i++) {
        if (level && strcmp(level, level_names[i]) == 0)
            state.level = i;
    }
    if (!registered)
        registered = atexit(log_flush) == 0;
    if (!path)
        return;
    free(state.path);
    state.path = strdup(path);
    log_reopen();
}

void log_reopen(void)
{
    int fd, error;

    if (!state.path)
        return;
    fd = open_file(state.path);
    error = errno;
    log_flush();
    if (fd < 0) {
        log_event(LOG_ERROR_, "cannot open the log file", "error=\"%s\"", strerror(error));
        return;
    }
    pthread_mutex_lock(&state.writing);
    if (state.fd > STDERR_FILENO)
        close(state.fd);
    state.fd = fd;
    pthread_mutex_unlock(&state.writing);
}

/* ---- lines ---- */

static void time_text(char text[32])
{
    static _Thread_local time_t second;
    static _Thread_local char cached[24];
    struct timespec now;
    struct tm tm;

    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec != second) {
        gmtime_r(&now.tv_sec, &tm);
        strftime(cached, sizeof(cached), "%Y-%m-%dT%H:%M:%S", &tm);
        second = now.tv_sec;
    }
    snprintf(text, 32, "%s.%03uZ", cached, (unsigned)(now.tv_nsec / 1000000) % 1000);
}

static bool plain_value(const char *value)
{
    for (const char *c = value; *c; c++) {
        if (*c <= ' ' || *c == '"' || *c == '=' || *c == '\\' || *c == 0x7f)
            return false;
    }
    return *value != '\0';
}

const char *log_quote(struct arena *arena, const char *value)
{
    char *quoted, *out;

    if (plain_value(value))
        return value;
    out = quoted = arena_alloc(arena, strlen(value) * 4 + 3);
    *out++ = '"';
    for (const unsigned char *c = (const unsigned char *)value; *c; c++) {
        static const char digits[] = "0123456789abcdef";

        if (*c == '"' || *c == '\\') {
            *out++ = '\\';
            *out++ = (char)*c;
        } else if (*c < ' ' || *c == 0x7f) { /* one line stays one line, whatever a client sends */
            *out++ = '\\';
            *out++ = 'x';
            *out++ = digits[*c >> 4];
            *out++ = digits[*c & 15];
        } else {
            *out++ = (char)*c;
        }
    }
    *out++ = '"';
    return quoted;
}

void log_event(enum log_level level, const char *message, const char *fmt, ...)
{
    struct arena arena;
    char line[LINE_MAX_], when[32];
    va_list args;
    size_t len;
    int n;

    if ((int)level < state.level)
        return;
    arena_init(&arena);
    time_text(when);
    len = (size_t)snprintf(line, sizeof(line) / 2, "time=%s level=%s msg=%s%s", when,
                           level_names[level], log_quote(&arena, message), *fmt ? " " : "");
    arena_free(&arena);
    if (len >= sizeof(line) / 2)
        len = sizeof(line) / 2 - 1;
    va_start(args, fmt);
    n = vsnprintf(line + len, sizeof(line) - len - 1, fmt, args);
    va_end(args);
    if (n > 0)
        len = len + (size_t)n < sizeof(line) - 1 ? len + (size_t)n : sizeof(line) - 2;
    line[len++] = '\n';
    append(line, len);
    log_flush();
}

static void add_value(struct text *line, const char *key, const char *value)
{
    if (value && *value)
        text_printf(line, " %s=%s", key, log_quote(line->arena, value));
}

/* Parameters whose values are never anybody's secret. */
static const char *const plain_parameters[] = {"$filter",
                                               "$top",
                                               "allowWatchBookmarks",
                                               "api-version",
                                               "artifactType",
                                               "client_id",
                                               "container",
                                               "digest",
                                               "dryRun",
                                               "fieldManager",
                                               "fieldSelector",
                                               "fieldValidation",
                                               "follow",
                                               "force",
                                               "from",
                                               "grant_type",
                                               "labelSelector",
                                               "last",
                                               "limit",
                                               "mount",
                                               "n",
                                               "orderby",
                                               "propagationPolicy",
                                               "resourceVersion",
                                               "resourceVersionMatch",
                                               "response_type",
                                               "scope",
                                               "service",
                                               "tail",
                                               "tailLines",
                                               "timeoutSeconds",
                                               "watch"};

static bool is_plain(const char *name, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(plain_parameters); i++)
        if (strlen(plain_parameters[i]) == len && memcmp(plain_parameters[i], name, len) == 0)
            return true;
    return false;
}

const char *log_time(struct arena *arena)
{
    char when[32];

    time_text(when);
    return arena_strdup(arena, when);
}

/* "*" for values that may be secret: passwords, tokens, upload states, commands. */
const char *log_target(struct arena *arena, const char *target)
{
    size_t at = strcspn(target, "?");
    struct text out;

    text_init(&out, arena, strlen(target) * 2 + 1);
    text_printf(&out, "%.*s", (int)at, target);
    while (target[at]) { /* at '?' or '&' */
        const char *pair = target + at + 1;
        size_t len = strcspn(pair, "&"), name = strcspn(pair, "=&");
        bool shown = is_plain(pair, name);

        text_printf(&out, "%c%.*s", target[at], (int)(shown ? len : name), pair);
        text_str(&out, !shown && name < len ? "=*" : "");
        at += 1 + len;
    }
    return out.data;
}

/* Asked every few seconds by whoever watches over us. */
static bool is_probe(const struct call *c)
{
    return c->path && (strcmp(c->path, "/readyz") == 0 || strcmp(c->path, "/healthz") == 0);
}

/* The query only for debugging. */
void log_call(const struct call *c)
{
    struct arena arena;
    struct text line;
    char when[32];
    bool failed = c->reply.status >= 500;
    enum log_level level = failed ? LOG_WARN_ : is_probe(c) ? LOG_DEBUG_ : LOG_INFO_;

    if ((int)level < state.level)
        return;
    arena_init(&arena);
    text_init(&line, &arena, LINE_MAX_ * 4);
    time_text(when);
    text_printf(&line, "time=%s level=%s msg=request id=%s", when, level_names[level], c->id);
    add_value(&line, "correlation", c->correlation_id);
    add_value(&line, "client", c->client);
    add_value(&line, "method", method_name(c->method));
    add_value(&line, "host", c->host);
    add_value(&line, "path", state.level == LOG_DEBUG_ ? log_target(&arena, c->target) : c->path);
    /* dispatch has turned started_us into how long the call took */
    text_printf(&line, " status=%d in=%lld out=%lld us=%lld http=%d%s", c->reply.status,
                (long long)c->received_bytes, (long long)c->sent_bytes, (long long)c->started_us,
                c->http_major, c->tls ? " tls=1" : "");
    if (c->op.fault != OK) {
        add_value(&line, "fault", fault_name(c->op.fault));
        add_value(&line, "reason", c->op.message);
    }
    text_str(&line, "\n");
    append_buffered(line.data, line.len);
    arena_free(&arena);
}
