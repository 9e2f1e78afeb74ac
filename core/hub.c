#include "core/hub.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/db.h"

#define CHANNELS_MAX 32
#define RECONNECT_MS 100

static struct {
    const char *name;
    void (*fn)(const char *payload);
} channels[CHANNELS_MAX];
static size_t n_channels;

static pthread_t thread;
static bool running;
static atomic_bool ending;
static int wake_fd = -1;

void hub_listen(const char *channel, void (*fn)(const char *payload))
{
    if (n_channels == CHANNELS_MAX)
        abort();
    channels[n_channels].name = channel;
    channels[n_channels++].fn = fn;
}

static void tell_all_changed(void)
{
    for (size_t i = 0; i < n_channels; i++)
        channels[i].fn(NULL);
}

static enum fault listen_all(struct op *op)
{
    for (size_t i = 0; i < n_channels; i++)
        TRY(db_exec(op, arena_printf(&op->arena, "LISTEN \"%s\"", channels[i].name)));
    return OK;
}

static void deliver(PGconn *conn)
{
    PGnotify *notify;

    while ((notify = PQnotifies(conn))) {
        for (size_t i = 0; i < n_channels; i++) {
            if (strcmp(channels[i].name, notify->relname) == 0)
                channels[i].fn(notify->extra);
        }
        PQfreemem(notify);
    }
}

/* False when the hub is to end. conn NULL: only wait. */
static bool wait_for(PGconn *conn, int timeout_ms)
{
    struct pollfd fds[2] = {
        {.fd = wake_fd,                    .events = POLLIN},
        {.fd = conn ? PQsocket(conn) : -1, .events = POLLIN}
    };

    while (poll(fds, 2, timeout_ms) < 0 && errno == EINTR)
        ;
    return !ending;
}

/* Listen until the connection breaks or the hub ends. */
static void follow(struct op *op)
{
    PGconn *conn = db_pgconn(op->db);

    for (;;) {
        deliver(conn);
        if (!wait_for(conn, -1) || PQconsumeInput(conn) == 0 || PQstatus(conn) == CONNECTION_BAD)
            return;
    }
}

static void *hub_main(void *arg)
{
    pthread_setname_np(pthread_self(), "hub");
    (void)arg;
    do {
        struct db *db = db_open(); /* anew each time: a fresh connection LISTENs to nothing */
        struct op op;

        op_init(&op);
        op.db = db;
        if (listen_all(&op) == OK && db_pgconn(db)) {
            tell_all_changed(); /* what was said while nobody listened is unknown */
            follow(&op);
        }
        op_free(&op);
        db_close(db);
    } while (wait_for(NULL, RECONNECT_MS));
    return NULL;
}

void hub_start(void)
{
    ending = false;
    wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    running = wake_fd >= 0 && pthread_create(&thread, NULL, hub_main, NULL) == 0;
    if (!running)
        abort();
}

void hub_stop(void)
{
    if (!running)
        return;
    ending = true;
    eventfd_write(wake_fd, 1);
    pthread_join(thread, NULL);
    close(wake_fd);
    running = false;
}

enum fault hub_notify(struct op *op, const char *channel, const char *payload)
{
    return db_notify(op, channel, payload);
}
