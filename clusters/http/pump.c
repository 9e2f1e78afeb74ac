#include "clusters/http/pump.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/server.h"

#define EVENTS   64
#define CHECK_MS 1000 /* does the server end? */

static struct worker {
    const char *name;
    pthread_t thread;
    int epoll, wake; /* 0: not started */
    pthread_mutex_t lock;
    struct pump *pumps, *ready, **ready_tail;
    bool stopping;
} workers_of[PUMP_THREADS] = {
    [PUMP_BYTES] = {.name = "streams", .lock = PTHREAD_MUTEX_INITIALIZER},
    [PUMP_LOGS] = {.name = "logs",    .lock = PTHREAD_MUTEX_INITIALIZER},
};

void pump_hold(struct pump *p)
{
    atomic_fetch_add(&p->refs, 1);
}

void pump_release(struct pump *p)
{
    struct cluster *cluster = p->cluster;

    if (atomic_fetch_sub(&p->refs, 1) > 1)
        return;
    p->free(p);
    if (cluster)
        cluster_release(cluster);
}

/* Under the lock; one that is over is on no list and stays so. */
static bool make_ready(struct worker *w, struct pump *p)
{
    if (p->ready || !p->link)
        return false;
    p->ready = true;
    p->next_ready = NULL;
    *w->ready_tail = p;
    w->ready_tail = &p->next_ready;
    return true;
}

void pump_wake(struct pump *p)
{
    struct worker *w = &workers_of[p->thread];
    bool made;

    pthread_mutex_lock(&w->lock);
    made = make_ready(w, p);
    pthread_mutex_unlock(&w->lock);
    if (made)
        eventfd_write(w->wake, 1);
}

struct pump_fd pump_take(int fd)
{
    if (fd >= 0)
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    return (struct pump_fd){.fd = fd};
}

void pump_watch(struct pump *p, struct pump_fd *fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = p};
    int how = !fd->events ? EPOLL_CTL_ADD : !events ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;

    if (fd->fd < 0 || fd->events == events)
        return;
    if (epoll_ctl(workers_of[p->thread].epoll, how, fd->fd, &event) < 0)
        abort(); /* out of memory, or a mistake of ours */
    fd->events = events;
}

void pump_close(struct pump *p, struct pump_fd *fd)
{
    if (fd->fd < 0)
        return;
    pump_watch(p, fd, 0);
    close(fd->fd);
    fd->fd = -1;
}

/* ---- the threads ---- */

static struct pump *take_ready(struct worker *w, const struct epoll_event *events, int n)
{
    bool all = server_ending() || w->stopping;
    int64_t now = now_ms();
    struct pump *ready;
    eventfd_t unused;

    pthread_mutex_lock(&w->lock);
    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr)
            make_ready(w, events[i].data.ptr);
        else
            eventfd_read(w->wake, &unused);
    }
    for (struct pump *p = w->pumps; p; p = p->next) {
        if (all)
            atomic_store(&p->ending, true);
        if (all || (p->at_ms && p->at_ms <= now))
            make_ready(w, p);
    }
    ready = w->ready;
    w->ready = NULL;
    w->ready_tail = &w->ready;
    pthread_mutex_unlock(&w->lock);
    return ready;
}

static void step(struct worker *w, struct pump *p)
{
    pthread_mutex_lock(&w->lock);
    p->ready = false; /* woken from here on: once more */
    pthread_mutex_unlock(&w->lock);
    if (p->step(p))
        return;
    pthread_mutex_lock(&w->lock);
    *p->link = p->next;
    if (p->next)
        p->next->link = p->link;
    p->link = NULL;
    if (p->ready) { /* woken meanwhile */
        struct pump **at = &w->ready;

        while (*at != p)
            at = &(*at)->next_ready;
        *at = p->next_ready;
        if (w->ready_tail == &p->next_ready)
            w->ready_tail = at;
    }
    pthread_mutex_unlock(&w->lock);
    pump_release(p);
}

static int timeout(struct worker *w)
{
    int64_t at = 0, now = now_ms();
    bool any;

    pthread_mutex_lock(&w->lock);
    any = w->pumps;
    for (struct pump *p = w->pumps; p; p = p->next)
        if (p->at_ms && (!at || p->at_ms < at))
            at = p->at_ms;
    pthread_mutex_unlock(&w->lock);
    if (at && at - now < CHECK_MS)
        return at > now ? (int)(at - now) : 0;
    return any ? CHECK_MS : -1;
}

static bool is_over(struct worker *w)
{
    bool over;

    pthread_mutex_lock(&w->lock);
    over = w->stopping && !w->pumps;
    pthread_mutex_unlock(&w->lock);
    return over;
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    struct epoll_event events[EVENTS];

    pthread_setname_np(pthread_self(), w->name);
    while (!is_over(w)) {
        int n = epoll_wait(w->epoll, events, EVENTS, timeout(w));
        struct pump *ready = take_ready(w, events, n);

        while (ready) {
            struct pump *p = ready;

            ready = p->next_ready;
            step(w, p);
        }
    }
    return NULL;
}

/* Under the lock. */
static void start(struct worker *w)
{
    struct epoll_event event = {.events = EPOLLIN};

    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    w->ready_tail = &w->ready;
    if (w->epoll < 0 || w->wake < 0 || epoll_ctl(w->epoll, EPOLL_CTL_ADD, w->wake, &event) < 0 ||
        pthread_create(&w->thread, NULL, worker_main, w) != 0)
        abort();
}

void pump_start(struct pump *p)
{
    struct worker *w = &workers_of[p->thread];

    atomic_store(&p->refs, 2);
    if (p->cluster)
        atomic_fetch_add(&p->cluster->users, 1);
    pthread_mutex_lock(&w->lock);
    if (!w->wake)
        start(w);
    p->next = w->pumps;
    p->link = &w->pumps;
    if (p->next)
        p->next->link = &p->next;
    w->pumps = p;
    make_ready(w, p);
    pthread_mutex_unlock(&w->lock);
    eventfd_write(w->wake, 1);
}

void pumps_end(struct cluster *cluster)
{
    for (struct worker *w = workers_of; w < workers_of + PUMP_THREADS; w++) {
        pthread_mutex_lock(&w->lock);
        for (struct pump *p = w->pumps; p; p = p->next) {
            if (cluster && p->cluster != cluster)
                continue;
            atomic_store(&p->ending, true);
            make_ready(w, p);
        }
        if (w->wake)
            eventfd_write(w->wake, 1);
        pthread_mutex_unlock(&w->lock);
    }
}

void pumps_stop(void)
{
    for (struct worker *w = workers_of; w < workers_of + PUMP_THREADS; w++) {
        pthread_mutex_lock(&w->lock);
        w->stopping = true;
        pthread_mutex_unlock(&w->lock);
        if (!w->wake)
            continue;
        eventfd_write(w->wake, 1);
        pthread_join(w->thread, NULL);
        close(w->epoll);
        close(w->wake);
        w->wake = 0;
        w->stopping = false;
    }
}
