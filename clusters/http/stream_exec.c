/*
 * exec and attach: between a process's pipes (or terminal, or log) and a client's channels.
 *
 *~ What the client sends is heard on the loop and waits in `input`; what is printed is read on the
 *~ pump's thread, as long as the client takes it. When too much waits one way, that way is not read
 *~ any more: nobody's memory is ours.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "clusters/http/streams.h"
#include "core/json.h"

#define BEGIN_MS  30000 /* for a client of SPDY to open its streams */
#define END_MS    5000  /* for a client to close when all is said */
#define FOLLOW_MS 40
/* kubectl since 1.30 throws away ("Unknown stream id") what comes before it has made its streams,
   and does not say when it has. Elsewhere a process takes longer to start than that. */
#define GRACE_MS   50
#define INPUT_HIGH ((size_t)512 << 10)
#define INPUT_LOW  ((size_t)128 << 10)
#define TURN       16
#define SIZE_MAX_  128 /* bytes of a terminal's size as JSON */
#define BIT(role)  (1u << (role))

const struct wire_protocol exec_protocols[] = {
    {"v5.channel.k8s.io",        WIRE_CHANNELS, 5},
    {"v4.channel.k8s.io",        WIRE_CHANNELS, 4},
    {"v3.channel.k8s.io",        WIRE_CHANNELS, 3},
    {"v2.channel.k8s.io",        WIRE_CHANNELS, 2},
    {"channel.k8s.io",           WIRE_CHANNELS, 1},
    {"",                         WIRE_CHANNELS, 1},
    {"v4.base64.channel.k8s.io", WIRE_BASE64,   4},
    {"base64.channel.k8s.io",    WIRE_BASE64,   1},
    {"v4.channel.k8s.io",        WIRE_SPDY,     4},
    {"v3.channel.k8s.io",        WIRE_SPDY,     3},
    {"v2.channel.k8s.io",        WIRE_SPDY,     2},
    {"channel.k8s.io",           WIRE_SPDY,     1},
    {"",                         WIRE_SPDY,     1},
    {NULL,                       0,             0},
};

static const char *const role_names[ROLES] = {"stdin", "stdout", "stderr", "error", "resize"};

enum stage { STAGE_OPENING, STAGE_RUNNING, STAGE_ENDING };

struct exec_stream {
    struct pump pump;
    struct wire wire;
    bool terminal;
    unsigned wanted; /* roles */
    /* the loop's */
    char size[SIZE_MAX_];
    size_t n_size;
    pthread_mutex_t lock; /* over these, of loop and pump */
    uint32_t ids[ROLES];
    unsigned open;
    char *input;
    size_t n_input, input_cap;
    bool input_ended, held, left;
    int rows, cols; /* 0: nothing new */
    /* the pump's */
    enum stage stage;
    struct pump_fd in, out, err, done;
    bool attach;
    struct pod_log *out_log, *err_log; /* NULL: ended, or not wanted */
    char *failure;
    int exit_code;
    bool exited;
    int64_t begin_ms, deadline_ms;
};

/* ---- hearing; on the loop ---- */

static unsigned role_of(struct exec_stream *s, uint32_t id)
{
    unsigned role = 0;

    while (role < ROLES && !(s->open & BIT(role) && s->ids[role] == id))
        role++;
    return role;
}

static bool opened(void *user, const struct spdy_event *event)
{
    const char *type = spdy_header(event, "streamtype");
    struct exec_stream *s = user;
    unsigned role = 0;
    bool fits;

    while (role < ROLES && !(type && strcmp(type, role_names[role]) == 0))
        role++;
    if (role == ROLES)
        return false;
    pthread_mutex_lock(&s->lock);
    fits = !(s->open & BIT(role));
    if (fits) {
        s->open |= BIT(role);
        s->ids[role] = event->id;
    }
    pthread_mutex_unlock(&s->lock);
    pump_wake(&s->pump);
    return fits;
}

/* Under the lock. */
static void add_input(struct exec_stream *s, struct bytes data)
{
    if (s->left || s->input_ended || atomic_load(&s->wire.ended) || !(s->wanted & BIT(ROLE_STDIN)))
        return;
    if (s->n_input + data.len > s->input_cap) {
        s->input_cap = (s->n_input + data.len) * 2;
        s->input = realloc(s->input, s->input_cap);
        if (!s->input)
            abort();
    }
    memcpy(s->input + s->n_input, data.data, data.len);
    s->n_input += data.len;
    if (s->n_input > INPUT_HIGH && !s->held) {
        s->held = true;
        wire_hold(&s->wire, true);
    }
}

/* {"Width":80,"Height":24}, in pieces or several at once. */
static void hear_size(struct exec_stream *s, struct bytes data)
{
    for (size_t i = 0; i < data.len; i++) {
        char letter = ((const char *)data.data)[i];
        json_t *tree;

        s->size[s->n_size++] = letter;
        if (letter == '}') {
            tree = json_loadb(s->size, s->n_size, 0, NULL);
            pthread_mutex_lock(&s->lock);
            s->cols = (int)int_at(tree, "Width", 0) & 0xffff;
            s->rows = (int)int_at(tree, "Height", 0) & 0xffff;
            pthread_mutex_unlock(&s->lock);
            json_decref(tree);
        }
        if (letter == '}' || s->n_size == SIZE_MAX_)
            s->n_size = 0;
    }
}

static void heard(void *user, uint32_t id, struct bytes data)
{
    struct exec_stream *s = user;
    unsigned role;

    pthread_mutex_lock(&s->lock);
    role = role_of(s, id);
    if (role == ROLE_STDIN)
        add_input(s, data);
    pthread_mutex_unlock(&s->lock);
    if (role == ROLE_RESIZE)
        hear_size(s, data);
    if (role == ROLE_STDIN || role == ROLE_RESIZE)
        pump_wake(&s->pump);
}

static void finished(void *user, uint32_t id)
{
    struct exec_stream *s = user;

    pthread_mutex_lock(&s->lock);
    if (role_of(s, id) == ROLE_STDIN)
        s->input_ended = true;
    pthread_mutex_unlock(&s->lock);
    pump_wake(&s->pump);
}

static void room(void *user)
{
    struct exec_stream *s = user;

    pump_wake(&s->pump);
}

static void left(void *user)
{
    struct exec_stream *s = user;

    pthread_mutex_lock(&s->lock);
    s->left = true;
    pthread_mutex_unlock(&s->lock);
    pump_wake(&s->pump);
}

static void closed(void *user)
{
    struct exec_stream *s = user;

    pump_release(&s->pump);
}

static const struct wire_events events = {opened, heard, finished, finished, room, left, closed};

/* ---- what is said at the end ---- */

static struct bytes plain_result(struct op *op, int exit_code, const char *failure)
{
    if (!failure && exit_code == 0)
        return (struct bytes){0};
    if (failure)
        return BYTES(failure);
    return BYTES(arena_printf(
        &op->arena, "command terminated with non-zero exit code: exit status %d", exit_code));
}

struct bytes exec_result(struct op *op, int version, int exit_code, const char *failure)
{
    const char *message;
    struct bytes text;
    json_t *status;

    if (version < 4)
        return plain_result(op, exit_code, failure);
    if (failure) {
        message = arena_printf(&op->arena, "Internal error occurred: %s", failure);
        status = json_pack("{s:{}, s:s, s:s, s:s, s:{s:[{s:s}]}, s:i}", "metadata", "status",
                           "Failure", "message", message, "reason", "InternalError", "details",
                           "causes", "message", failure, "code", 500);
    } else if (exit_code == 0) {
        status = json_pack("{s:{}, s:s}", "metadata", "status", "Success");
    } else {
        message = arena_printf(
            &op->arena, "command terminated with non-zero exit code: exit status %d", exit_code);
        status =
            json_pack("{s:{}, s:s, s:s, s:s, s:{s:[{s:s, s:s}]}}", "metadata", "status", "Failure",
                      "message", message, "reason", "NonZeroExitCode", "details", "causes",
                      "reason", "ExitCode", "message", arena_printf(&op->arena, "%d", exit_code));
    }
    if (!status) /* the message is no UTF-8 */
        return plain_result(op, exit_code ? exit_code : 1, NULL);
    text = object_encode(op, status);
    json_decref(status);
    return text;
}

/* All is printed: the result, then goodbye. */
static void finish(struct exec_stream *s)
{
    static const enum role ours[] = {ROLE_STDOUT, ROLE_STDERR, ROLE_ERROR};
    struct bytes result;
    struct op op;

    op_init(&op);
    result = exec_result(&op, s->wire.protocol->version, s->exit_code, s->failure);
    pthread_mutex_lock(&s->lock);
    if (result.data && s->open & BIT(ROLE_ERROR))
        wire_send(&s->wire, s->ids[ROLE_ERROR], result);
    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        if (s->open & BIT(ours[i]))
            wire_finish(&s->wire, s->ids[ours[i]]);
    pthread_mutex_unlock(&s->lock);
    op_free(&op);
    wire_end(&s->wire);
    s->stage = STAGE_ENDING;
    s->pump.at_ms = s->deadline_ms = now_ms() + END_MS;
}

/* ---- moving; on the pump's thread ---- */

static void close_all(struct exec_stream *s)
{
    pump_close(&s->pump, &s->in);
    pump_close(&s->pump, &s->out);
    pump_close(&s->pump, &s->err);
    pump_close(&s->pump, &s->done); /* kills what still runs */
    pod_log_close(s->out_log);
    pod_log_close(s->err_log);
    s->out_log = s->err_log = NULL;
}

/* Under the lock: its end of file, when all it was sent is taken. A terminal is told by a key. */
static void end_input(struct exec_stream *s)
{
    static const char end_of_transmission = 4;

    if (!s->input_ended || s->n_input || s->in.fd < 0)
        return;
    if (s->terminal && write(s->in.fd, &end_of_transmission, 1) == 1)
        s->input_ended = false;
    else if (!s->terminal)
        pump_close(&s->pump, &s->in);
}

/* Under the lock. */
static void take_input(struct exec_stream *s, size_t n)
{
    s->n_input -= n;
    if (n && s->n_input)
        memmove(s->input, s->input + n, s->n_input);
    if (s->held && s->n_input < INPUT_LOW) {
        s->held = false;
        wire_hold(&s->wire, false);
    }
}

static void move_input(struct exec_stream *s)
{
    ssize_t n = 0;

    pthread_mutex_lock(&s->lock);
    if (s->n_input && s->in.fd >= 0)
        n = write(s->in.fd, s->input, s->n_input);
    if (n > 0)
        take_input(s, (size_t)n);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        if (!s->terminal)
            pump_close(&s->pump, &s->in); /* it reads no more */
        take_input(s, s->n_input);
    } else if (s->in.fd < 0) {
        take_input(s, s->n_input);
    }
    end_input(s);
    pump_watch(&s->pump, &s->in, s->n_input ? EPOLLOUT : 0);
    pthread_mutex_unlock(&s->lock);
}

static bool send_output(struct exec_stream *s, enum role role, const char *data, size_t n)
{
    return !(s->wanted & BIT(role)) || wire_send(&s->wire, s->ids[role], (struct bytes){data, n});
}

/* False: there may be more, but nothing to be waited for. */
static bool move_output(struct exec_stream *s, struct pump_fd *fd, enum role role)
{
    char piece[WIRE_PIECE];
    bool has_room = true;

    for (int i = 0; fd->fd >= 0 && i < TURN; i++) {
        ssize_t n;

        has_room = wire_has_room(&s->wire);
        if (!has_room)
            break; /* room() wakes */
        n = read(fd->fd, piece, sizeof(piece));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            pump_watch(&s->pump, fd, EPOLLIN);
            return true;
        }
        if (n <= 0 || !send_output(s, role, piece, (size_t)n))
            pump_close(&s->pump, fd);
    }
    pump_watch(&s->pump, fd, 0);
    if (has_room && fd->fd >= 0)
        pump_wake(&s->pump); /* after the others' turn */
    return fd->fd < 0;
}

static void move_log(struct exec_stream *s, struct pod_log **log, enum role role)
{
    char piece[WIRE_PIECE];
    int64_t n = 1;
    struct op op;

    if (!*log)
        return;
    op_init(&op);
    for (int i = 0; n > 0 && i < TURN && wire_has_room(&s->wire); i++) {
        n = pod_log_read(&op, *log, piece, sizeof(piece));
        if (n > 0 && !send_output(s, role, piece, (size_t)n))
            n = -1;
    }
    op_free(&op);
    if (n == 0)
        s->pump.at_ms = now_ms() + FOLLOW_MS;
    else if (n > 0 && wire_has_room(&s->wire))
        pump_wake(&s->pump);
    if (n >= 0)
        return;
    pod_log_close(*log);
    *log = NULL;
}

static void move_logs(struct exec_stream *s)
{
    s->pump.at_ms = 0;
    move_log(s, &s->out_log, ROLE_STDOUT);
    move_log(s, &s->err_log, ROLE_STDERR);
    s->exited = !s->out_log && !s->err_log;
}

static void read_end(struct exec_stream *s)
{
    struct exec_end end = {0};
    ssize_t n = s->done.fd < 0 ? 0 : read(s->done.fd, &end, sizeof(end));

    if (s->done.fd < 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
        return;
    s->exited = true;
    s->exit_code = end.exit_code;
    if (n != sizeof(end) && !s->failure)
        s->failure = strdup("the container has ended");
    pump_close(&s->pump, &s->done);
}

static void resize(struct exec_stream *s)
{
    struct winsize size = {0};

    pthread_mutex_lock(&s->lock);
    size.ws_row = (unsigned short)s->rows;
    size.ws_col = (unsigned short)s->cols;
    s->rows = s->cols = 0;
    pthread_mutex_unlock(&s->lock);
    if (s->terminal && s->in.fd >= 0 && size.ws_row && size.ws_col)
        ioctl(s->in.fd, TIOCSWINSZ, &size);
}

static void run(struct exec_stream *s)
{
    bool out, err;

    resize(s);
    move_input(s);
    if (s->attach) {
        move_logs(s);
        if (s->exited)
            finish(s);
        return;
    }
    if (!s->exited)
        read_end(s); /* before its output: what it printed last is there then */
    out = move_output(s, &s->out, ROLE_STDOUT);
    err = move_output(s, &s->err, ROLE_STDERR);
    if (s->exited && out && err)
        finish(s);
    else
        pump_watch(&s->pump, &s->done, EPOLLIN);
}

/* Upstream, too, says an empty piece first: so clients see that the connection stands. */
static void begin(struct exec_stream *s)
{
    unsigned role = ROLE_STDOUT;

    s->pump.at_ms = 0;
    s->stage = STAGE_RUNNING;
    while (role < ROLE_ERROR && !(s->wanted & BIT(role)))
        role++;
    if (s->wire.protocol->kind != WIRE_SPDY)
        wire_send(&s->wire, role, (struct bytes){"", 0});
    if (!(s->wanted & BIT(ROLE_STDIN)) && !s->terminal)
        pump_close(&s->pump, &s->in);
}

static bool is_open(struct exec_stream *s, bool *ret_left)
{
    bool open;

    pthread_mutex_lock(&s->lock);
    open = (s->open & s->wanted) == s->wanted;
    *ret_left = s->left;
    pthread_mutex_unlock(&s->lock);
    return open;
}

static bool step(struct pump *pump)
{
    struct exec_stream *s = (struct exec_stream *)pump;
    bool has_left = false, open = is_open(s, &has_left);

    if (atomic_load(&pump->ending) && !has_left) {
        wire_end(&s->wire);
        wire_close(&s->wire);
        has_left = true;
    }
    if (has_left) {
        close_all(s);
        return false;
    }
    if (s->stage == STAGE_OPENING && !open && now_ms() >= s->deadline_ms) {
        wire_end(&s->wire);
        s->stage = STAGE_ENDING;
        s->pump.at_ms = s->deadline_ms = now_ms() + END_MS;
    }
    if (s->stage == STAGE_OPENING && open && now_ms() < s->begin_ms) {
        pump->at_ms = s->begin_ms;
        return true;
    }
    if (s->stage == STAGE_OPENING && open)
        begin(s);
    if (s->stage == STAGE_RUNNING && s->failure)
        finish(s);
    else if (s->stage == STAGE_RUNNING)
        run(s);
    if (s->stage == STAGE_ENDING)
        close_all(s);
    if (s->stage == STAGE_ENDING && now_ms() >= s->deadline_ms) {
        pump->at_ms = 0;
        wire_close(&s->wire);
    }
    return true;
}

static void free_stream(struct pump *pump)
{
    struct exec_stream *s = (struct exec_stream *)pump;

    wire_free(&s->wire);
    pthread_mutex_destroy(&s->lock);
    free(s->input);
    free(s->failure);
    free(s);
}

/* ---- beginning ---- */

/* All are tried before they are watched, and one thread serves many. */
static struct pump_fd never_waiting(int fd)
{
    if (fd >= 0)
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    return (struct pump_fd){.fd = fd};
}

/* A terminal is one descriptor for both ways; each way waits for itself. */
static void take_descriptors(struct exec_stream *s, const struct exec_source *source)
{
    const struct exec *x = &source->exec;

    s->in = never_waiting(x->in);
    s->out = never_waiting(x->out);
    s->err = never_waiting(x->err);
    s->done = never_waiting(x->done);
    if (s->terminal && !source->attach && x->in >= 0)
        s->out = pump_take(dup(x->in));
    s->attach = source->attach;
    s->out_log = source->out_log;
    s->err_log = source->err_log;
}

static void choose_roles(struct exec_stream *s, const struct exec_source *source)
{
    bool channels = s->wire.protocol->kind != WIRE_SPDY;
    bool resizes = s->terminal && s->wire.protocol->version >= 3;

    s->wanted = BIT(ROLE_ERROR) | (source->in ? BIT(ROLE_STDIN) : 0) |
                (source->out ? BIT(ROLE_STDOUT) : 0) | (source->err ? BIT(ROLE_STDERR) : 0) |
                (resizes ? BIT(ROLE_RESIZE) : 0);
    s->open = channels ? s->wanted : 0;
    for (unsigned role = 0; role < ROLES; role++)
        s->ids[role] = role; /* a channel's number */
}

enum fault stream_exec(struct call *c, const struct wire *wire, const struct exec_source *source)
{
    struct exec_stream *s = calloc(1, sizeof(*s));

    if (!s)
        abort();
    pthread_mutex_init(&s->lock, NULL);
    s->pump = (struct pump){.step = step,
                            .free = free_stream,
                            .thread = source->attach ? PUMP_LOGS : PUMP_BYTES,
                            .cluster = KUBE(c)->cluster};
    s->wire = *wire;
    s->wire.events = &events;
    s->wire.user = s;
    s->terminal = source->terminal;
    take_descriptors(s, source);
    choose_roles(s, source);
    s->failure = source->failure ? strdup(source->failure) : NULL;
    s->pump.at_ms = s->deadline_ms = now_ms() + BEGIN_MS;
    if (s->wire.protocol->version >= WIRE_HALF_CLOSE_VERSION)
        s->begin_ms = now_ms() + GRACE_MS;
    wire_begin(c, &s->wire);
    pump_start(&s->pump);
    return OK;
}
