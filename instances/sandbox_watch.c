#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "instances/sandbox.h"
#include "instances/sandbox_socket.h"

/* One supervisor that is listened to. */
struct watch {
    struct watch *next;
    int fd;
    char id[SANDBOX_ID_MAX + 1];
};

#define LISTENERS_MAX 4

static struct {
    pthread_t thread;
    pthread_mutex_t lock; /* of the list; the thread alone takes from it */
    struct watch *list;
    int epoll, end;
    void (*event[LISTENERS_MAX])(const char *id);
    size_t n_events;
} watches = {.lock = PTHREAD_MUTEX_INITIALIZER};

void sandbox_on_event(void (*event)(const char *id))
{
    pthread_mutex_lock(&watches.lock);
    if (watches.n_events < LISTENERS_MAX)
        watches.event[watches.n_events++] = event;
    pthread_mutex_unlock(&watches.lock);
}

static void tell(const char *id)
{
    void (*events[LISTENERS_MAX])(const char *id);
    size_t n;

    pthread_mutex_lock(&watches.lock);
    n = watches.n_events;
    memcpy(events, watches.event, sizeof(events));
    pthread_mutex_unlock(&watches.lock);
    for (size_t i = 0; i < n; i++)
        events[i](id);
}

static void drop(struct watch *watch)
{
    pthread_mutex_lock(&watches.lock);
    for (struct watch **at = &watches.list; *at; at = &(*at)->next)
        if (*at == watch) {
            *at = watch->next;
            break;
        }
    pthread_mutex_unlock(&watches.lock);
    close(watch->fd); /* leaves epoll with it */
    free(watch);
}

static void hear(struct watch *watch)
{
    struct message message = {0};
    enum fault fault;
    struct op op;

    op_init(&op);
    fault = message_receive(&op, watch->fd, &message);
    message_close_fds(&message);
    tell(watch->id);
    if (fault != OK)
        drop(watch);
    op_free(&op);
}

static void *listen_all(void *arg)
{
    struct epoll_event event;

    (void)arg;
    for (;;) {
        int n = epoll_wait(watches.epoll, &event, 1, -1);

        if (n == 1 && !event.data.ptr)
            return NULL;
        if (n == 1)
            hear(event.data.ptr);
    }
}

enum fault watch_start(struct op *op)
{
    struct epoll_event event = {.events = EPOLLIN};

    watches.epoll = epoll_create1(EPOLL_CLOEXEC);
    watches.end = eventfd(0, EFD_CLOEXEC);
    if (watches.epoll < 0 || watches.end < 0 ||
        epoll_ctl(watches.epoll, EPOLL_CTL_ADD, watches.end, &event) < 0 ||
        pthread_create(&watches.thread, NULL, listen_all, NULL) != 0)
        return fail(op, UNAVAILABLE, "cannot watch sandboxes: %s", strerror(errno));
    return OK;
}

void watch_stop(void)
{
    uint64_t one = 1;

    if (write(watches.end, &one, sizeof(one)) == sizeof(one))
        pthread_join(watches.thread, NULL);
    while (watches.list)
        drop(watches.list);
    close(watches.epoll);
    close(watches.end);
}

enum fault watch_add(struct op *op, const char *id)
{
    json_t *ask = json_pack("{s:s}", "call", "watch");
    struct epoll_event event = {.events = EPOLLIN};
    struct message answer = {0};
    struct watch *watch;
    int fd;

    arena_defer(&op->arena, (void (*)(void *))json_decref, ask);
    TRY(sandbox_connect(op, id, &fd));
    if (message_call(op, fd, ask, NULL, 0, &answer) != OK) {
        close(fd);
        return fail_on(op, "sandbox", GONE, "the sandbox \"%s\" has no supervisor", id);
    }
    message_close_fds(&answer);
    watch = calloc(1, sizeof(*watch));
    if (!watch)
        abort();
    watch->fd = fd;
    memcpy(watch->id, id, strlen(id)); /* a valid name; zeroed behind */
    pthread_mutex_lock(&watches.lock);
    watch->next = watches.list;
    watches.list = watch;
    pthread_mutex_unlock(&watches.lock);
    event.data.ptr = watch;
    epoll_ctl(watches.epoll, EPOLL_CTL_ADD, fd, &event);
    return OK;
}
