/* Threads with an h2o event loop each: accepting, the second's tick, tasks from other threads. */
#include "core/loop.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/log.h"

#define ACCEPTS_A_TURN 32

struct loop loops[LOOPS_MAX];
size_t n_loops;

/* ---- tasks from other threads ---- */

void loop_post(struct loop *loop, struct loop_task *task)
{
    bool wake;

    task->next = NULL;
    pthread_mutex_lock(&loop->lock);
    *loop->tasks_tail = task;
    loop->tasks_tail = &task->next;
    wake = !loop->wake_sent;
    loop->wake_sent = true;
    pthread_mutex_unlock(&loop->lock);
    if (wake) /* one message for however many tasks */
        h2o_multithread_send_message(&loop->receiver, &loop->wake);
}

static void on_wake(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages)
{
    struct loop *loop = H2O_STRUCT_FROM_MEMBER(struct loop, receiver, receiver);
    struct loop_task *task;

    while (!h2o_linklist_is_empty(messages))
        h2o_linklist_unlink(messages->next);
    pthread_mutex_lock(&loop->lock);
    task = loop->tasks;
    loop->tasks = NULL;
    loop->tasks_tail = &loop->tasks;
    loop->wake_sent = false;
    pthread_mutex_unlock(&loop->lock);
    while (task) {
        struct loop_task *next = task->next;

        task->run(task);
        task = next;
    }
}

/* ---- buffers ---- */

struct io_buffer *io_buffer_take(struct loop *loop)
{
    struct io_buffer *buffer = loop->spare_buffers;

    if (buffer) {
        loop->spare_buffers = buffer->next;
        loop->n_spare_buffers--;
        return buffer;
    }
    buffer = malloc(sizeof(*buffer) + IO_BUFFER_BYTES);
    if (!buffer)
        abort();
    buffer->loop = loop;
    return buffer;
}

void io_buffer_give(struct chunk *chunk)
{
    struct io_buffer *buffer = H2O_STRUCT_FROM_MEMBER(struct io_buffer, chunk, chunk);
    struct loop *loop = buffer->loop;

    if (loop->n_spare_buffers >= IO_BUFFERS_KEPT) {
        free(buffer);
        return;
    }
    buffer->next = loop->spare_buffers;
    loop->spare_buffers = buffer;
    loop->n_spare_buffers++;
}

/* ---- accepting ---- */

/* One listening socket of one loop. */
struct loop_listener {
    struct loop_listener *next;
    struct loop *loop;
    h2o_socket_t *sock;
    struct listener listener; /* fd: not ours */
};

static void on_accept(h2o_socket_t *sock, const char *err)
{
    struct loop_listener *l = sock->data;

    for (int i = 0; !err && i < ACCEPTS_A_TURN; i++) {
        h2o_socket_t *accepted = h2o_evloop_socket_accept(sock);

        if (!accepted)
            return;
        http1_accept(l->loop, accepted, &l->listener);
    }
}

/* ---- the loop ---- */

static bool is_empty(struct loop *loop)
{
    return loop->n_connections == 0 && http2_connections(loop) == 0 &&
           atomic_load(&loop->n_calls) == 0;
}

static void on_tick(h2o_timeout_entry_t *entry)
{
    struct loop *loop = H2O_STRUCT_FROM_MEMBER(struct loop, tick_entry, entry);

    http1_tick(loop);
    if (loop->n_spare_buffers) { /* each second gives one back */
        struct io_buffer *spare = loop->spare_buffers;

        loop->spare_buffers = spare->next;
        loop->n_spare_buffers--;
        free(spare);
    }
    h2o_timeout_link(loop->evloop, &loop->tick, &loop->tick_entry);
}

struct start {
    struct loop *loop;
    const struct listener *listeners;
    size_t n_listeners;
    pthread_barrier_t *started;
};

static void loop_listen(struct loop *loop, const struct listener *listeners, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct loop_listener *l = calloc(1, sizeof(*l));

        if (!l)
            abort();
        l->loop = loop;
        l->listener = listeners[i];
        realm_hold(l->listener.realm);
        l->sock =
            h2o_evloop_socket_create(loop->evloop, dup(listeners[i].fd), H2O_SOCKET_FLAG_DONT_READ);
        l->sock->data = l;
        h2o_socket_read_start(l->sock, on_accept);
        l->next = loop->listeners;
        loop->listeners = l;
    }
}

/* Those of realm, or all when every is true. */
static void loop_unlisten(struct loop *loop, const struct realm *realm, bool every)
{
    struct loop_listener **p = &loop->listeners;

    while (*p) {
        struct loop_listener *l = *p;

        if (!every && l->listener.realm != realm) {
            p = &l->next;
            continue;
        }
        *p = l->next;
        h2o_socket_close(l->sock);
        realm_drop(l->listener.realm);
        free(l);
    }
}

/* On the loop's own thread: h2o's buffers belong to the thread that made their socket. */
static void loop_init(struct loop *loop)
{
    loop->evloop = h2o_evloop_create();
    loop->tasks_tail = &loop->tasks;
    pthread_mutex_init(&loop->lock, NULL);
    h2o_linklist_init_anchor(&loop->connections);
    h2o_context_init(&loop->context, loop->evloop, &http2_config);
    loop->accept.ctx = &loop->context;
    loop->accept.hosts = http2_config.hosts;
    h2o_multithread_register_receiver(loop->context.queue, &loop->receiver, on_wake);
    h2o_timeout_init(loop->evloop, &loop->tick, 1000);
    loop->tick_entry.cb = on_tick;
    h2o_timeout_link(loop->evloop, &loop->tick, &loop->tick_entry);
}

/* What is the thread's own. The rest hangs on loops[] until the process ends: h2o cannot dispose of
   a context whose graceful shutdown is under way. */
static void free_buffers(struct loop *loop)
{
    h2o_mem_recycle_t *recycled = &h2o_socket_buffer_prototype.allocator;

    while (loop->spare_buffers) {
        struct io_buffer *spare = loop->spare_buffers;

        loop->spare_buffers = spare->next;
        free(spare);
    }
    while (recycled->cnt)
        free(h2o_mem_alloc_recycle(recycled, 1));
}

static void *loop_main(void *arg)
{
    struct start *start = arg;
    struct loop *loop = start->loop;
    char name[16] = "loop-0";

    name[5] = (char)('0' + loop->index);
    pthread_setname_np(pthread_self(), name);
    loop_init(loop);
    loop_listen(loop, start->listeners, start->n_listeners);
    pthread_barrier_wait(start->started);
    while (!loop->draining || (!is_empty(loop) && now_ms() < loop->drain_deadline_ms))
        h2o_evloop_run(loop->evloop, loop->draining ? 50 : 1000);
    free_buffers(loop);
    return NULL;
}

/* ---- later listeners ---- */

struct listen_task {
    struct loop_task task;
    struct loop *loop;
    struct listener listener; /* a duplicate of its own */
};

static void on_listen(struct loop_task *task)
{
    struct listen_task *t = H2O_STRUCT_FROM_MEMBER(struct listen_task, task, task);

    if (!t->loop->draining)
        loop_listen(t->loop, &t->listener, 1);
    close(t->listener.fd);
    realm_drop(t->listener.realm);
    free(t);
}

static struct {
    pthread_mutex_t lock;
    bool started;
    struct listener *waiting;
    size_t n;
} later = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void post_listen(struct loop *loop, const struct listener *listener)
{
    struct listen_task *t = calloc(1, sizeof(*t));

    if (!t)
        abort();
    t->task.run = on_listen;
    t->loop = loop;
    t->listener = *listener;
    t->listener.fd = dup(listener->fd);
    realm_hold(listener->realm);
    loop_post(loop, &t->task);
}

static void listen_now(const struct listener *listener)
{
    for (size_t i = 0; i < n_loops; i++)
        post_listen(&loops[i], listener);
    close(listener->fd);
}

static void keep_waiting(const struct listener *listener)
{
    later.waiting = realloc(later.waiting, (later.n + 1) * sizeof(*later.waiting));
    if (!later.waiting)
        abort();
    realm_hold(listener->realm);
    later.waiting[later.n++] = *listener;
}

void loops_listen(struct listener listener)
{
    pthread_mutex_lock(&later.lock);
    if (later.started)
        listen_now(&listener);
    else
        keep_waiting(&listener);
    pthread_mutex_unlock(&later.lock);
}

struct realm_task {
    struct loop_task task;
    struct loop *loop;
    struct realm *realm;
};

static void on_unlisten(struct loop_task *task)
{
    struct realm_task *t = H2O_STRUCT_FROM_MEMBER(struct realm_task, task, task);

    loop_unlisten(t->loop, t->realm, false);
    http1_leave_realm(t->loop, t->realm);
    realm_drop(t->realm);
    free(t);
}

static void on_cut(struct loop_task *task)
{
    struct realm_task *t = H2O_STRUCT_FROM_MEMBER(struct realm_task, task, task);

    http1_cut_realm(t->loop, t->realm);
    realm_drop(t->realm);
    free(t);
}

/* On every loop. Under the lock. */
static void post_to_all(struct realm *realm, void (*run)(struct loop_task *task))
{
    for (size_t i = 0; later.started && i < n_loops; i++) {
        struct realm_task *t = calloc(1, sizeof(*t));

        if (!t)
            abort();
        t->task.run = run;
        t->loop = &loops[i];
        t->realm = realm_hold(realm);
        loop_post(&loops[i], &t->task);
    }
}

static void forget_waiting(const struct realm *realm)
{
    size_t kept = 0;

    for (size_t i = 0; i < later.n; i++) {
        struct listener *l = &later.waiting[i];

        if (l->realm != realm) {
            later.waiting[kept++] = *l;
            continue;
        }
        close(l->fd);
        realm_drop(l->realm);
    }
    later.n = kept;
}

void loops_unlisten(struct realm *realm)
{
    pthread_mutex_lock(&later.lock);
    forget_waiting(realm);
    post_to_all(realm, on_unlisten);
    pthread_mutex_unlock(&later.lock);
}

void loops_cut(struct realm *realm)
{
    pthread_mutex_lock(&later.lock);
    post_to_all(realm, on_cut);
    pthread_mutex_unlock(&later.lock);
}

static void listen_to_those_waiting(void)
{
    pthread_mutex_lock(&later.lock);
    later.started = true;
    while (later.n > 0) {
        listen_now(&later.waiting[--later.n]);
        realm_drop(later.waiting[later.n].realm);
    }
    free(later.waiting);
    later.waiting = NULL;
    pthread_mutex_unlock(&later.lock);
}

/* ---- the start ---- */

void loops_start(size_t n, const struct listener *listeners, size_t n_listeners)
{
    static struct start starts[LOOPS_MAX];
    static pthread_barrier_t started; /* static: a thread may still be leaving it when we return */

    pthread_barrier_init(&started, NULL, (unsigned)n + 1);
    n_loops = n;
    for (size_t i = 0; i < n; i++) {
        loops[i].index = (int)i;
        starts[i] = (struct start){&loops[i], listeners, n_listeners, &started};
        if (pthread_create(&loops[i].thread, NULL, loop_main, &starts[i]))
            abort();
    }
    pthread_barrier_wait(&started);
    listen_to_those_waiting();
}

/* ---- the end ---- */

struct drain_task {
    struct loop_task task;
    struct loop *loop;
    int64_t deadline_ms;
};

static void on_drain(struct loop_task *task)
{
    struct drain_task *drain = H2O_STRUCT_FROM_MEMBER(struct drain_task, task, task);
    struct loop *loop = drain->loop;

    loop_unlisten(loop, NULL, true);
    loop->drain_deadline_ms = drain->deadline_ms;
    loop->draining = true;
    http1_drain(loop);
    h2o_context_request_shutdown(&loop->context);
    free(drain);
}

void loops_drain(int64_t timeout_s)
{
    for (size_t i = 0; i < n_loops; i++) {
        struct drain_task *drain = calloc(1, sizeof(*drain));

        if (!drain)
            abort();
        drain->task.run = on_drain;
        drain->loop = &loops[i];
        drain->deadline_ms = now_ms() + timeout_s * 1000;
        loop_post(&loops[i], &drain->task);
    }
    for (size_t i = 0; i < n_loops; i++)
        pthread_join(loops[i].thread, NULL);
}
