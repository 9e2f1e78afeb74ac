#include "instances/exec_session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/seal.h"
#include "core/stream.h"
#include "core/websocket.h"
#include "instances/group_run.h"
#include "instances/log_file.h"

#define SESSIONS_MAX 256
#define CONNECT_MS   60000
#define PASSWORD_MAX 256
#define INPUT_MAX    ((size_t)1 << 20)   /* typed and not taken by the program */
#define OUTPUT_MAX   ((size_t)256 << 10) /* printed and not taken by the client */
#define PIECE        16384
#define FOLLOW_MS    100
#define ATTACH_BYTES 16384 /* of what was printed before */
#define ROWS         24
#define COLS         80

/* A session waits in the list, or has a thread that moves bytes between a process and a client. */
struct session {
    struct session *next;
    int64_t expires_ms;
    char id[33], *password, *sandbox, *container, **args;
    int64_t attempt; /* attach */
    bool attach;
    int rows, cols;
    atomic_int refs; /* the thread's and the stream's */
    /* once connected */
    struct stream *stream;
    int wake; /* an eventfd */
    pthread_mutex_t lock;
    bool admitted, gone, refused; /* the password came; the client left; it was a wrong one */
    const char *ended;            /* why, when it was by exec_session_end */
    char *input;
    size_t n_input;
    /* the loop's */
    struct websocket_reader reader;
    char typed[PASSWORD_MAX + 1];
    size_t n_typed;
};

static pthread_mutex_t sessions_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t none_runs = PTHREAD_COND_INITIALIZER;
static struct session *waiting, *running;
static size_t n_waiting, n_running;
static atomic_bool ending;

/* ---- making ---- */

static char *copy(const char *s)
{
    char *c = strdup(s);

    if (!c)
        abort();
    return c;
}

static void session_free(struct session *s)
{
    for (char **a = s->args; a && *a; a++)
        free(*a);
    free(s->args);
    free(s->password);
    free(s->sandbox);
    free(s->container);
    free(s->input);
    if (s->wake >= 0)
        close(s->wake);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static void release(struct session *s)
{
    if (atomic_fetch_sub(&s->refs, 1) == 1)
        session_free(s);
}

/* Under sessions_lock: those whose time is over make room. */
static void expire(int64_t now)
{
    for (struct session **at = &waiting, *s; (s = *at);) {
        if (s->expires_ms > now) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        n_waiting--;
        session_free(s);
    }
}

static enum fault keep(struct op *op, struct session *s)
{
    bool full;

    pthread_mutex_lock(&sessions_lock);
    expire(now_ms());
    full = n_waiting + n_running >= SESSIONS_MAX;
    if (!full) {
        s->next = waiting;
        waiting = s;
        n_waiting++;
    }
    pthread_mutex_unlock(&sessions_lock);
    if (!full)
        return OK;
    session_free(s);
    return fail(op, TOO_MANY, "there are %d sessions of exec and attach already", SESSIONS_MAX);
}

static struct session *session_new(struct op *op, const char *sandbox, const char *container,
                                   struct exec_session *ret)
{
    struct session *s = calloc(1, sizeof(*s));

    if (!s)
        abort();
    snprintf(s->id, sizeof(s->id), "%s", random_hex(op, 16));
    ret->password = random_password(op, 40);
    s->password = copy(ret->password);
    s->sandbox = copy(sandbox);
    s->container = copy(container);
    s->expires_ms = now_ms() + CONNECT_MS;
    s->wake = -1;
    s->reader.message_max = INPUT_MAX;
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

static enum fault find_container(struct op *op, const struct container_group *g, const char *name,
                                 const struct container_row **ret)
{
    for (size_t i = 0; i < g->n_containers; i++) {
        if (strcmp(g->containers[i].name, name) != 0)
            continue;
        *ret = &g->containers[i];
        if (container_group_is_ours(g))
            return OK;
        return fail(op, UNAVAILABLE, "the container group runs on another machine: ask there");
    }
    return fail_on(op, "container", NOT_FOUND, "there is no such container");
}

enum fault exec_session_in(struct op *op, const char *sandbox, const char *container,
                           const char *const *args, int rows, int cols, struct exec_session *ret)
{
    struct session *s;
    size_t n = 0;

    while (args[n])
        n++;
    s = session_new(op, sandbox, container, ret);
    s->args = calloc(n + 1, sizeof(*s->args));
    if (!s->args)
        abort();
    for (size_t i = 0; i < n; i++)
        s->args[i] = copy(args[i]);
    s->rows = rows > 0 ? rows : ROWS;
    s->cols = cols > 0 ? cols : COLS;
    ret->path = arena_printf(&op->arena, "/exec/%s?rows=%d&cols=%d", s->id, rows, cols);
    return keep(op, s);
}

enum fault exec_session_new(struct op *op, const struct container_group *g, const char *container,
                            const char *const *args, int rows, int cols, struct exec_session *ret)
{
    const struct container_row *row = NULL;

    TRY(find_container(op, g, container, &row));
    if (row->state != SHOW_RUNNING)
        return fail_on(op, "container", CONFLICT,
                       "The container '%s' is not running, so nothing can be run in it.",
                       container);
    return exec_session_in(op, container_group_sandbox(op, g), row->name, args, rows, cols, ret);
}

enum fault attach_session_new(struct op *op, const struct container_group *g, const char *container,
                              struct exec_session *ret)
{
    const struct container_row *row = NULL;
    struct session *s;

    TRY(find_container(op, g, container, &row));
    if (row->starts == 0)
        return fail_on(op, "container", CONFLICT, "The container '%s' has not been started yet.",
                       container);
    s = session_new(op, container_group_sandbox(op, g), row->name, ret);
    s->attempt = row->starts - 1;
    s->attach = true;
    ret->path = arena_printf(&op->arena, "/exec/%s", s->id);
    return keep(op, s);
}

/* ---- saying; any thread ---- */

static bool send_frame(struct session *s, enum websocket_opcode opcode, struct bytes data)
{
    uint8_t frame[WEBSOCKET_HEAD_MAX + PIECE];
    size_t n = websocket_head(frame, opcode, data.len);

    memcpy(frame + n, data.data, data.len);
    return stream_send(s->stream, (struct bytes){frame, n + data.len});
}

static void say_goodbye(struct session *s, int code, const char *why)
{
    uint8_t data[WEBSOCKET_CONTROL_MAX] = {(uint8_t)(code >> 8), (uint8_t)code};
    size_t len = strlen(why) < sizeof(data) - 2 ? strlen(why) : sizeof(data) - 2;

    memcpy(data + 2, why, len);
    send_frame(s, WEBSOCKET_CLOSE, (struct bytes){data, code == WEBSOCKET_NO_CODE ? 0 : 2 + len});
    stream_end(s->stream);
}

static void wake(struct session *s)
{
    eventfd_write(s->wake, 1);
}

/* ---- hearing; on the loop ---- */

static void set_gone(struct session *s, bool refused)
{
    pthread_mutex_lock(&s->lock);
    s->gone = true;
    s->refused = s->refused || refused;
    pthread_mutex_unlock(&s->lock);
    wake(s);
}

static void hear_password(struct session *s, const struct websocket_event *e)
{
    if (s->n_typed + e->data.len > PASSWORD_MAX) {
        say_goodbye(s, WEBSOCKET_POLICY, "this is not the password");
        set_gone(s, true);
        return;
    }
    memcpy(s->typed + s->n_typed, e->data.data, e->data.len);
    s->n_typed += e->data.len;
    if (!e->last)
        return;
    s->typed[s->n_typed] = '\0';
    if (!equal_constant_time(s->typed, s->password)) {
        say_goodbye(s, WEBSOCKET_POLICY, "this is not the password");
        set_gone(s, true);
        return;
    }
    explicit_bzero(s->typed, sizeof(s->typed));
    pthread_mutex_lock(&s->lock);
    s->admitted = true;
    pthread_mutex_unlock(&s->lock);
    wake(s);
}

static void hear_input(struct session *s, struct bytes data)
{
    bool fits;
    char *grown;

    pthread_mutex_lock(&s->lock);
    fits = s->n_input + data.len <= INPUT_MAX;
    if (fits && data.len) {
        grown = realloc(s->input, s->n_input + data.len);
        if (!grown)
            abort();
        s->input = grown;
        memcpy(s->input + s->n_input, data.data, data.len);
        s->n_input += data.len;
    }
    pthread_mutex_unlock(&s->lock);
    if (!fits) {
        say_goodbye(s, WEBSOCKET_TOO_BIG, "the program does not read its input");
        set_gone(s, false);
        return;
    }
    wake(s);
}

static void on_data(struct stream *stream, struct bytes data)
{
    struct session *s = stream->user;
    struct websocket_event e;

    while (!s->gone && (e = websocket_read(&s->reader, &data)).kind != WEBSOCKET_MORE) {
        switch (e.kind) {
        case WEBSOCKET_DATA:
            if (s->admitted)
                hear_input(s, e.data);
            else
                hear_password(s, &e);
            break;
        case WEBSOCKET_PINGED:
            send_frame(s, WEBSOCKET_PONG, e.data);
            break;
        case WEBSOCKET_CLOSED:
        case WEBSOCKET_BROKEN:
            say_goodbye(s, e.code, "");
            set_gone(s, false);
            break;
        default:
            break;
        }
    }
}

static void on_room(struct stream *stream)
{
    wake(stream->user);
}

static void on_close(struct stream *stream)
{
    struct session *s = stream->user;

    set_gone(s, false);
    release(s);
}

/* ---- moving; on the session's thread ---- */

static bool is_gone(struct session *s)
{
    bool gone;

    pthread_mutex_lock(&s->lock);
    gone = s->gone || atomic_load(&ending);
    pthread_mutex_unlock(&s->lock);
    return gone;
}

/* The process is over, or the session was ended. */
static void say_end(struct session *s)
{
    const char *why;

    pthread_mutex_lock(&s->lock);
    why = s->ended;
    pthread_mutex_unlock(&s->lock);
    say_goodbye(s, why ? WEBSOCKET_POLICY : WEBSOCKET_NORMAL, why ? why : "");
}

static bool is_admitted(struct session *s)
{
    bool admitted;

    pthread_mutex_lock(&s->lock);
    admitted = s->admitted;
    pthread_mutex_unlock(&s->lock);
    return admitted;
}

static void wait_wake(struct session *s, int64_t ms)
{
    struct pollfd fd = {s->wake, POLLIN, 0};
    eventfd_t unused;

    if (poll(&fd, 1, (int)ms) > 0)
        eventfd_read(s->wake, &unused);
}

static bool wait_password(struct session *s)
{
    int64_t until = now_ms() + CONNECT_MS;

    while (!is_gone(s) && !is_admitted(s) && now_ms() < until)
        wait_wake(s, 1000); /* the end of the service wakes nobody */
    return is_admitted(s) && !is_gone(s);
}

/* From the program to the client. False: there is no more. */
static bool pump_out(struct session *s, int *fd)
{
    char piece[PIECE];
    ssize_t n = *fd < 0 ? 0 : read(*fd, piece, sizeof(piece));

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n > 0)
        return send_frame(s, WEBSOCKET_BINARY, (struct bytes){piece, (size_t)n});
    return false;
}

/* From the client to the program, as much as it takes. False: it takes no more. */
static bool pump_in(struct session *s, int fd)
{
    ssize_t n = 0;

    pthread_mutex_lock(&s->lock);
    if (s->n_input)
        n = write(fd, s->input, s->n_input);
    if (n > 0) {
        s->n_input -= (size_t)n;
        memmove(s->input, s->input + n, s->n_input);
    }
    pthread_mutex_unlock(&s->lock);
    return n >= 0 || errno == EAGAIN || errno == EINTR;
}

static size_t input_waits(struct session *s)
{
    size_t n;

    pthread_mutex_lock(&s->lock);
    n = s->n_input;
    pthread_mutex_unlock(&s->lock);
    return n;
}

/* What is left in the terminal when its process has ended. */
static void drain(struct session *s, int fd)
{
    struct pollfd p = {fd, POLLIN, 0};

    while (!is_gone(s) && poll(&p, 1, 0) > 0 && p.revents & POLLIN) {
        while (stream_queued(s->stream) > OUTPUT_MAX && !is_gone(s))
            wait_wake(s, 1000);
        if (!pump_out(s, &fd))
            return;
    }
}

static void pump(struct session *s, const struct exec *x)
{
    bool out_open = true, in_open = true;
    int terminal = x->in;

    while (!is_gone(s)) {
        bool room = stream_queued(s->stream) <= OUTPUT_MAX;
        short events =
            (short)((out_open && room ? POLLIN : 0) | (in_open && input_waits(s) ? POLLOUT : 0));
        struct pollfd fds[3] = {
            {s->wake,                POLLIN, 0},
            {x->done,                POLLIN, 0},
            {events ? terminal : -1, events, 0}
        };
        eventfd_t unused;

        if (poll(fds, 3, 1000) < 0 && errno != EINTR)
            return;
        if (fds[0].revents)
            eventfd_read(s->wake, &unused);
        if (fds[2].revents & POLLOUT)
            in_open = pump_in(s, terminal);
        if (fds[2].revents & (POLLIN | POLLHUP | POLLERR) && out_open && room)
            out_open = pump_out(s, &terminal);
        if (fds[2].revents & (POLLHUP | POLLERR) && !out_open)
            in_open = false;
        if (fds[1].revents) {
            if (out_open)
                drain(s, terminal);
            return;
        }
    }
}

static void run_exec(struct session *s)
{
    const struct exec_spec spec = {
        .args = (const char *const *)s->args, .terminal = true, .rows = s->rows, .cols = s->cols};
    struct exec x = {-1, -1, -1, -1};
    struct op op;

    op_init(&op);
    if (container_exec(&op, s->sandbox, s->container, &spec, &x) == OK) {
        fcntl(x.in, F_SETFL, O_RDWR | O_NONBLOCK);
        pump(s, &x);
        close(x.in);
        close(x.done); /* kills what still runs */
        say_end(s);
    } else {
        const char *why = arena_printf(&op.arena, "%.1000s\r\n", op.message ? op.message : "");

        send_frame(s, WEBSOCKET_BINARY, BYTES(why));
        say_goodbye(s, WEBSOCKET_INTERNAL, "the command could not be run");
    }
    op_free(&op);
}

/* ---- attach ---- */

static bool has_ended(struct session *s)
{
    struct container_state *states = NULL;
    bool ended = true;
    struct op op;
    size_t n = 0;

    op_init(&op);
    if (sandbox_states(&op, s->sandbox, &states, &n) == OK)
        for (size_t i = 0; i < n; i++)
            if (strcmp(states[i].name, s->container) == 0)
                ended = states[i].attempt != s->attempt || states[i].phase == CONTAINER_EXITED;
    op_free(&op);
    return ended;
}

static bool send_all(struct session *s, struct bytes data)
{
    const char *at = data.data;

    for (size_t left = data.len; left > 0;) {
        size_t n = left < PIECE ? left : PIECE;

        while (stream_queued(s->stream) > OUTPUT_MAX && !is_gone(s))
            wait_wake(s, 1000);
        if (is_gone(s) || !send_frame(s, WEBSOCKET_BINARY, (struct bytes){at, n}))
            return false;
        at += n;
        left -= n;
    }
    return true;
}

/* false: nothing has come, *ret_open: more may come. */
static bool follow_once(struct session *s, struct log_cursor *cursor, bool *ret_open)
{
    struct bytes some = {"", 0};
    struct op op;

    op_init(&op);
    *ret_open = log_cursor_read(&op, cursor, &some) == OK && send_all(s, some);
    op_free(&op);
    return some.len > 0;
}

static void follow(struct session *s, struct log_cursor *cursor, int in)
{
    bool open = true, ended = false;

    while (open && !is_gone(s)) {
        if (in >= 0 && input_waits(s) && !pump_in(s, in))
            in = -1;
        if (follow_once(s, cursor, &open))
            continue;
        if (ended) /* and has nothing left to say */
            return;
        ended = has_ended(s);
        if (!ended)
            wait_wake(s, FOLLOW_MS);
    }
}

static void run_attach(struct session *s)
{
    const struct log_query query = {.tail = -1, .bytes_max = ATTACH_BYTES};
    struct log_cursor *cursor = NULL;
    int in = -1;
    struct op op;

    op_init(&op);
    if (container_stdin(&op, s->sandbox, s->container, &in) == OK)
        fcntl(in, F_SETFL, fcntl(in, F_GETFL) | O_NONBLOCK);
    else
        in = -1;
    if (log_cursor_new(&op, s->sandbox, s->container, s->attempt, &query, &cursor) == OK) {
        follow(s, cursor, in);
        log_cursor_free(cursor);
    }
    if (in >= 0)
        close(in);
    op_free(&op);
    say_end(s);
}

/* Under sessions_lock. */
static struct session **find_running(const char *id)
{
    struct session **at = &running;

    while (*at && strcmp((*at)->id, id) != 0)
        at = &(*at)->next;
    return at;
}

static void forget(struct session *s)
{
    struct session **at;

    pthread_mutex_lock(&sessions_lock);
    at = find_running(s->id);
    *at = s->next;
    pthread_mutex_unlock(&sessions_lock);
}

static void *thread_main(void *arg)
{
    struct session *s = arg;

    pthread_setname_np(pthread_self(), "exec");
    if (!wait_password(s)) {
        if (!s->refused)
            say_goodbye(s, WEBSOCKET_POLICY, "no password came");
    } else if (s->attach) {
        run_attach(s);
    } else {
        run_exec(s);
    }
    forget(s);
    stream_release(s->stream);
    release(s);
    pthread_mutex_lock(&sessions_lock);
    if (--n_running == 0)
        pthread_cond_broadcast(&none_runs);
    pthread_mutex_unlock(&sessions_lock);
    return NULL;
}

/* ---- the route ---- */

static struct session *take(const char *id)
{
    struct session **at, *s;

    pthread_mutex_lock(&sessions_lock);
    expire(now_ms());
    for (at = &waiting; *at && strcmp((*at)->id, id) != 0;)
        at = &(*at)->next;
    s = *at;
    if (s) {
        *at = s->next;
        n_waiting--;
        n_running++;
    }
    pthread_mutex_unlock(&sessions_lock);
    return s;
}

static void read_size(struct call *c, const char *name, int *size)
{
    const char *text = call_query(c, name, 0);
    long n = text ? strtol(text, NULL, 10) : 0;

    if (n > 0 && n <= 10000)
        *size = (int)n;
}

static void begin(struct call *c, struct session *s)
{
    pthread_attr_t attributes;
    pthread_t thread;

    read_size(c, "rows", &s->rows);
    read_size(c, "cols", &s->cols);
    s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->wake < 0)
        abort();
    atomic_store(&s->refs, 2);
    s->stream = stream_open(c, 101);
    s->stream->user = s;
    s->stream->on_data = on_data;
    s->stream->on_close = on_close;
    s->stream->on_room = on_room;
    pthread_mutex_lock(&sessions_lock);
    s->next = running;
    running = s;
    pthread_mutex_unlock(&sessions_lock);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attributes, thread_main, s) != 0)
        abort();
    pthread_attr_destroy(&attributes);
}

enum fault exec_session_enter(struct call *c, const char *id, const char *password)
{
    const char *upgrade = call_header(c, "upgrade"), *key = call_header(c, "sec-websocket-key");
    const char *version = call_header(c, "sec-websocket-version"), *accept;
    struct session *s;

    if (!upgrade || strcasecmp(upgrade, "websocket") != 0 || !version ||
        strcmp(version, "13") != 0 || !key || !websocket_accept(&c->op.arena, key, &accept))
        return fail(&c->op, INVALID, "this is a WebSocket of version 13");
    if (atomic_load(&ending))
        return fail(&c->op, UNAVAILABLE, "the service is stopping");
    s = take(id);
    if (!s)
        return fail(&c->op, NOT_FOUND, "there is no such session: it was used, or is too old");
    s->admitted = password && equal_constant_time(password, s->password);
    reply_header(c, "Upgrade", "websocket");
    reply_header(c, "Sec-WebSocket-Accept", "%s", accept);
    begin(c, s);
    return OK;
}

enum fault exec_session_open(struct call *c)
{
    return exec_session_enter(c, c->path_args[0], NULL);
}

bool exec_session_is_open(const char *id)
{
    bool open;

    pthread_mutex_lock(&sessions_lock);
    open = *find_running(id) != NULL;
    pthread_mutex_unlock(&sessions_lock);
    return open;
}

void exec_session_end(const char *id, const char *why)
{
    struct session *s;

    pthread_mutex_lock(&sessions_lock);
    s = *find_running(id);
    if (s) {
        pthread_mutex_lock(&s->lock);
        s->ended = why;
        pthread_mutex_unlock(&s->lock);
        set_gone(s, false);
    }
    pthread_mutex_unlock(&sessions_lock);
}

void exec_sessions_stop(void)
{
    atomic_store(&ending, true);
    pthread_mutex_lock(&sessions_lock);
    expire(INT64_MAX);
    while (n_running > 0) {
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 1;
        pthread_cond_timedwait(&none_runs, &sessions_lock, &until);
    }
    pthread_mutex_unlock(&sessions_lock);
    atomic_store(&ending, false);
}
