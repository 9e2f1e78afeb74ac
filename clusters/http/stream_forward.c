/*
 * port-forward: connections to a pod's ports, each a pair of a client's streams: data, and an error
 * stream that says why it ended. In SPDY the client opens the pairs; as channels they are there
 * from the start, 2i and 2i + 1 for the i-th port.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clusters/http/streams.h"
#include "core/pool.h"

#define CONNECTIONS_MAX 512
#define CHANNELS_MAX    100 /* ports of a request */
#define REQUEST_ID_MAX  31
#define INPUT_HIGH      ((size_t)1 << 20) /* of all connections of a client */
#define INPUT_LOW       ((size_t)256 << 10)
#define TURN            16
#define END_MS          5000 /* for a client to close when all is said */

const struct wire_protocol forward_protocols[] = {
    {"SPDY/3.1+portforward.k8s.io", WIRE_TUNNEL,   1},
    {"v4.channel.k8s.io",           WIRE_CHANNELS, 4},
    {"",                            WIRE_CHANNELS, 4},
    {"v4.base64.channel.k8s.io",    WIRE_BASE64,   4},
    {"portforward.k8s.io",          WIRE_SPDY,     1},
    {NULL,                          0,             0},
};

static bool has_channels(const struct wire_protocol *protocol)
{
    return protocol->kind == WIRE_CHANNELS || protocol->kind == WIRE_BASE64;
}

/* A client. */
struct forward {
    struct pump pump;
    struct wire wire;
    struct object *pod;
    pthread_mutex_t lock; /* over the rest, and what of connections says so */
    struct connection *connections;
    size_t n_connections, n_input;
    bool held, left;
};

enum half { HALF_DATA = 1, HALF_ERROR = 2, HALF_BOTH = 3 };

struct connection {
    struct pump pump;
    struct forward *owner; /* held */
    struct task dial;
    struct connection *next;    /* the lock's */
    unsigned halves;            /* the lock's: streams that were opened */
    uint32_t data_id, error_id; /* set before the pump is started */
    char request_id[REQUEST_ID_MAX + 1];
    int port;
    char *input; /* the lock's, as all until … */
    size_t n_input, input_cap;
    bool input_ended, reset, dialled;
    int dialled_fd;
    char *why; /* … here: it could not be dialled */
    /* its pump's */
    struct pump_fd fd;
    bool in_shut, out_ended;
};

/* ---- connections, under the lock ---- */

static struct connection *find(struct forward *f, uint32_t id)
{
    struct connection *n = f->connections;

    while (n && !(n->halves & HALF_DATA && n->data_id == id))
        n = n->next;
    return n;
}

static struct connection *find_half(struct forward *f, const char *request_id, enum half half)
{
    struct connection *n = f->connections;

    while (n &&
           (n->halves & half || n->halves == HALF_BOTH || strcmp(n->request_id, request_id) != 0))
        n = n->next;
    return n;
}

/* Too much waits for pods: the client waits, too. */
static void add_waiting(struct forward *f, size_t added, size_t taken)
{
    f->n_input = f->n_input + added - taken;
    if (f->held ? f->n_input >= INPUT_LOW : f->n_input <= INPUT_HIGH)
        return;
    f->held = !f->held;
    wire_hold(&f->wire, f->held);
}

static void unlink_connection(struct connection *n)
{
    struct forward *f = n->owner;
    struct connection **at_link = &f->connections;

    while (*at_link && *at_link != n)
        at_link = &(*at_link)->next;
    if (!*at_link)
        return;
    *at_link = n->next;
    f->n_connections--;
    add_waiting(f, 0, n->n_input);
    n->n_input = 0;
}

static void free_connection(struct pump *pump)
{
    struct connection *n = (struct connection *)pump;

    if (n->dialled_fd >= 0)
        close(n->dialled_fd); /* dialled, and nobody wanted it any more */
    free(n->input);
    free(n->why);
    pump_release(&n->owner->pump);
    free(n);
}

/* ---- dialling, on a worker ---- */

static void dial(struct task *task, struct db *db)
{
    struct connection *n = (struct connection *)((char *)task - offsetof(struct connection, dial));
    struct forward *f = n->owner;
    int fd = -1;
    struct op op;

    (void)db;
    op_init(&op);
    if (pod_dial(&op, f->pump.cluster, f->pod, n->port, &fd) != OK &&
        asprintf(&n->why, "error forwarding port %d to pod %s, uid %s: %s", n->port, f->pod->name,
                 f->pod->uid, op.message ? op.message : "") < 0)
        abort();
    op_free(&op);
    pthread_mutex_lock(&f->lock);
    n->dialled_fd = fd;
    n->dialled = true;
    pthread_mutex_unlock(&f->lock);
    pump_wake(&n->pump);
    pump_release(&n->pump);
}

static bool step_connection(struct pump *pump);

static struct connection *connection_new(struct forward *f, int port)
{
    struct connection *n = calloc(1, sizeof(*n));

    if (!n)
        abort();
    n->pump = (struct pump){.step = step_connection,
                            .free = free_connection,
                            .thread = PUMP_BYTES,
                            .cluster = f->pump.cluster};
    n->owner = f;
    n->port = port;
    n->fd.fd = n->dialled_fd = -1;
    n->dial.run = dial;
    n->next = f->connections;
    f->connections = n;
    f->n_connections++;
    return n;
}

/* Both streams are there. The pump's thread holds it, and so does who dials. */
static void connection_start(struct connection *n)
{
    pump_hold(&n->owner->pump);
    pump_start(&n->pump);
    pool_post_always(workers, &n->dial); /* the caller's reference is the worker's now */
}

/* ---- hearing; on the loop ---- */

static int read_port(const char *text)
{
    char *end = NULL;
    long port = text ? strtol(text, &end, 10) : 0;

    return text && *text && !*end && port > 0 && port < 65536 ? (int)port : 0;
}

/* Under the lock. */
static struct connection *pair(struct forward *f, const struct spdy_event *e, enum half half)
{
    const char *request_id = spdy_header(e, "requestid");
    char made_up[REQUEST_ID_MAX + 1];
    int port = read_port(spdy_header(e, "port"));
    struct connection *n;

    /* clients of old send none: error streams are opened right before their data stream */
    snprintf(made_up, sizeof(made_up), "%u", half == HALF_ERROR ? e->id : e->id - 2);
    if (!request_id)
        request_id = made_up;
    if (!port || strlen(request_id) > REQUEST_ID_MAX)
        return NULL;
    n = find_half(f, request_id, half);
    if (!n && f->n_connections == CONNECTIONS_MAX)
        return NULL;
    if (!n)
        n = connection_new(f, port);
    memcpy(n->request_id, request_id, strlen(request_id) + 1);
    n->halves |= half;
    *(half == HALF_DATA ? &n->data_id : &n->error_id) = e->id;
    return n;
}

static bool opened(void *user, const struct spdy_event *e)
{
    const char *type = spdy_header(e, "streamtype");
    enum half half = !type                        ? 0
                     : strcmp(type, "data") == 0  ? HALF_DATA
                     : strcmp(type, "error") == 0 ? HALF_ERROR
                                                  : 0;
    struct forward *f = user;
    struct connection *n = NULL;
    bool both;

    pthread_mutex_lock(&f->lock);
    if (half && !f->left)
        n = pair(f, e, half);
    both = n && n->halves == HALF_BOTH;
    pthread_mutex_unlock(&f->lock);
    if (both)
        connection_start(n);
    return n;
}

/* Under the lock. */
static void add_input(struct connection *n, struct bytes data)
{
    if (n->input_ended || n->reset)
        return;
    if (n->n_input + data.len > n->input_cap) {
        n->input_cap = (n->n_input + data.len) * 2;
        n->input = realloc(n->input, n->input_cap);
        if (!n->input)
            abort();
    }
    memcpy(n->input + n->n_input, data.data, data.len);
    n->n_input += data.len;
    add_waiting(n->owner, data.len, 0);
}

/* Under the lock; one that only has its data stream so far has no pump. */
static void wake(struct connection *n)
{
    if (n && n->halves == HALF_BOTH)
        pump_wake(&n->pump);
}

static void heard(void *user, uint32_t id, struct bytes data)
{
    struct forward *f = user;
    struct connection *n;

    pthread_mutex_lock(&f->lock);
    n = find(f, id);
    if (n)
        add_input(n, data);
    wake(n);
    pthread_mutex_unlock(&f->lock);
}

static void finished(void *user, uint32_t id)
{
    struct forward *f = user;
    struct connection *n;

    pthread_mutex_lock(&f->lock);
    n = find(f, id);
    if (n)
        n->input_ended = true;
    wake(n);
    pthread_mutex_unlock(&f->lock);
}

static void reset(void *user, uint32_t id)
{
    struct forward *f = user;
    struct connection *n;

    pthread_mutex_lock(&f->lock);
    n = find(f, id);
    if (n)
        n->reset = true;
    wake(n);
    pthread_mutex_unlock(&f->lock);
}

static void wake_all(struct forward *f)
{
    for (struct connection *n = f->connections; n; n = n->next)
        wake(n);
}

static void room(void *user)
{
    struct forward *f = user;

    pthread_mutex_lock(&f->lock);
    wake_all(f);
    pthread_mutex_unlock(&f->lock);
}

static void left(void *user)
{
    struct forward *f = user;

    pthread_mutex_lock(&f->lock);
    f->left = true;
    wake_all(f);
    pthread_mutex_unlock(&f->lock);
    pump_wake(&f->pump);
}

static void closed(void *user)
{
    struct forward *f = user;

    pump_release(&f->pump);
}

static const struct wire_events events = {opened, heard, finished, reset, room, left, closed};

/* ---- moving; on the pump's thread ---- */

/* Both streams end; a client of channels that has no connection left is said goodbye to. */
static bool end(struct connection *n)
{
    struct forward *f = n->owner;
    bool last;

    pump_close(&n->pump, &n->fd);
    if (!n->out_ended) {
        wire_finish(&f->wire, n->data_id);
        wire_finish(&f->wire, n->error_id);
    }
    pthread_mutex_lock(&f->lock);
    unlink_connection(n);
    last = !f->connections;
    pthread_mutex_unlock(&f->lock);
    if (last && has_channels(f->wire.protocol)) {
        wire_end(&f->wire);
        f->pump.at_ms = now_ms() + END_MS; /* the same thread's */
    }
    return false;
}

static bool refuse(struct connection *n)
{
    size_t len = strlen(n->why);

    wire_send(&n->owner->wire, n->error_id,
              (struct bytes){n->why, len < WIRE_PIECE ? len : WIRE_PIECE});
    return end(n);
}

/* Under the lock. */
static void move_input(struct connection *n)
{
    ssize_t sent = 0;

    if (n->n_input && !n->in_shut)
        sent = send(n->fd.fd, n->input, n->n_input, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        n->input_ended = true; /* it reads no more, but may have said something before */
        sent = (ssize_t)n->n_input;
    }
    if (sent > 0) {
        n->n_input -= (size_t)sent;
        memmove(n->input, n->input + sent, n->n_input);
        add_waiting(n->owner, 0, (size_t)sent);
    }
    if (n->input_ended && !n->n_input && !n->in_shut) {
        shutdown(n->fd.fd, SHUT_WR);
        n->in_shut = true;
    }
}

/* False: the pod's side is gone. *ret_wait: it has nothing to say now. */
static bool move_output(struct connection *n, bool *ret_wait)
{
    struct forward *f = n->owner;
    char piece[WIRE_PIECE];

    for (int i = 0; i < TURN && !n->out_ended && wire_has_room(&f->wire); i++) {
        ssize_t got = recv(n->fd.fd, piece, sizeof(piece), 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            *ret_wait = errno == EAGAIN;
            return *ret_wait;
        }
        if (got > 0) {
            wire_send(&f->wire, n->data_id, (struct bytes){piece, (size_t)got});
            continue;
        }
        n->out_ended = true;
        wire_finish(&f->wire, n->data_id);
        wire_finish(&f->wire, n->error_id);
    }
    if (!n->out_ended && wire_has_room(&f->wire))
        pump_wake(&n->pump); /* after the others' turn */
    return true;
}

static bool step_connection(struct pump *pump)
{
    struct connection *n = (struct connection *)pump;
    struct forward *f = n->owner;
    bool over, dialled, waits = false, input;

    pthread_mutex_lock(&f->lock);
    over = f->left || n->reset || atomic_load(&pump->ending);
    dialled = n->dialled;
    if (n->dialled_fd >= 0 && !over) {
        n->fd = pump_take(n->dialled_fd);
        n->dialled_fd = -1;
    }
    pthread_mutex_unlock(&f->lock);
    if (over)
        return end(n);
    if (!dialled)
        return true;
    if (n->why)
        return refuse(n);
    pthread_mutex_lock(&f->lock);
    move_input(n);
    input = n->n_input && !n->in_shut;
    pthread_mutex_unlock(&f->lock);
    if (!move_output(n, &waits) || (n->out_ended && n->in_shut))
        return end(n);
    pump_watch(pump, &n->fd, (waits ? EPOLLIN : 0u) | (input ? EPOLLOUT : 0u));
    return true;
}

/* Connections that never got their second stream have no pump: they go with the client. */
static void drop_halves(struct forward *f)
{
    pthread_mutex_lock(&f->lock);
    for (struct connection *n = f->connections, *next; n; n = next) {
        next = n->next;
        if (n->halves == HALF_BOTH)
            continue;
        unlink_connection(n);
        free(n->input);
        free(n);
    }
    pthread_mutex_unlock(&f->lock);
}

static bool step_forward(struct pump *pump)
{
    struct forward *f = (struct forward *)pump;
    bool has_left;

    pthread_mutex_lock(&f->lock);
    has_left = f->left;
    f->left = f->left || atomic_load(&pump->ending);
    if (f->left)
        wake_all(f);
    pthread_mutex_unlock(&f->lock);
    if (pump->at_ms && now_ms() >= pump->at_ms) {
        pump->at_ms = 0;
        wire_close(&f->wire);
    }
    if (!f->left)
        return true;
    drop_halves(f);
    if (!has_left) {
        wire_end(&f->wire);
        wire_close(&f->wire);
    }
    return false;
}

static void free_forward(struct pump *pump)
{
    struct forward *f = (struct forward *)pump;

    wire_free(&f->wire);
    object_drop(f->pod);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

/* ---- beginning ---- */

/* Each channel opens with its port, in two bytes, the lower one first. */
static void begin_channels(struct forward *f, const int *ports, size_t n_ports)
{
    struct connection *made[CHANNELS_MAX];

    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < n_ports; i++) {
        made[i] = connection_new(f, ports[i]);
        made[i]->halves = HALF_BOTH;
        made[i]->data_id = (uint32_t)(2 * i);
        made[i]->error_id = (uint32_t)(2 * i + 1);
    }
    pthread_mutex_unlock(&f->lock);
    for (size_t i = 0; i < n_ports; i++) {
        const uint8_t port[2] = {(uint8_t)ports[i], (uint8_t)(ports[i] >> 8)};

        wire_send(&f->wire, made[i]->data_id, (struct bytes){port, 2});
        wire_send(&f->wire, made[i]->error_id, (struct bytes){port, 2});
        connection_start(made[i]);
    }
}

/* "ports=80,81" and "ports=80&ports=81". */
static enum fault read_ports(struct call *c, int ports[CHANNELS_MAX], size_t *ret_n)
{
    const char *text;

    *ret_n = 0;
    for (size_t nth = 0; (text = call_query(c, "ports", nth)); nth++) {
        for (const char *at_port = text; *at_port;) {
            size_t len = strcspn(at_port, ",");
            const char *one = arena_strndup(&c->op.arena, at_port, len);

            if (*ret_n == CHANNELS_MAX)
                return bad_request(&c->op, "there are more than %d ports", CHANNELS_MAX);
            if (!(ports[(*ret_n)++] = read_port(one)))
                return bad_request(&c->op, "port \"%s\" must be between 1 and 65535", one);
            at_port += len + (at_port[len] == ',');
        }
    }
    return *ret_n ? OK : bad_request(&c->op, "query parameter \"ports\" is required");
}

enum fault stream_forward(struct call *c, const struct wire *wire, struct object *pod)
{
    int ports[CHANNELS_MAX];
    struct forward *f;
    size_t n = 0;

    if (has_channels(wire->protocol))
        TRY(read_ports(c, ports, &n));
    f = calloc(1, sizeof(*f));
    if (!f)
        abort();
    pthread_mutex_init(&f->lock, NULL);
    f->pump = (struct pump){.step = step_forward,
                            .free = free_forward,
                            .thread = PUMP_BYTES,
                            .cluster = KUBE(c)->cluster};
    f->wire = *wire;
    f->wire.events = &events;
    f->wire.user = f;
    f->pod = object_hold(pod);
    wire_begin(c, &f->wire);
    pump_start(&f->pump);
    begin_channels(f, ports, n);
    return OK;
}
