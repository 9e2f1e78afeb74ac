/*
 * Entries are found by key in a tree (tsearch) and taken by time from a heap; those over their
 * group's share wait in its list. One mutex guards all; steps run without it.
 */
#include "core/reconcile.h"

#include <pthread.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/db.h"
#include "core/log.h"
#include "core/seal.h"

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS   30000
#define NOT_IN_HEAP      SIZE_MAX
#define SHARES           3  /* as many times what a group has is free before it gets one more */
#define SWEEP            "" /* the key of what looks for keys */
#define STACK_BYTES      ((size_t)1 << 20) /* of those that may be many */

struct keyed {
    int64_t due_ms;
    int64_t again_ms; /* running: somebody wants it at that time once more; -1: nobody */
    unsigned failures;
    bool running, parked;
    size_t place;        /* in the heap */
    struct group *group; /* NULL: threads are not shared out */
    struct keyed *next;  /* parked: in its group */
    char key[];
};

/* Keys of the same first word. */
struct group {
    struct group *next;
    struct keyed *first, **last; /* parked: due, and over the group's share */
    size_t n_entries;
    int running;
    char name[];
};

struct worker {
    struct reconciler *r;
    pthread_t thread;
    bool begun, ended; /* ended: to be joined */
};

struct reconciler {
    const char *name;
    reconcile_step step;
    reconcile_sweep sweep; /* or NULL */
    int64_t sweep_ms;
    bool ending;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    void *tree;
    struct keyed **heap;
    size_t n_heap, heap_size, n_entries, n_parked;
    struct group *groups;
    int least, most, n_threads, n_running;
    struct worker workers[]; /* most */
};

/* ---- the heap: the earliest on top; all under the lock ---- */

static void place_at(struct reconciler *r, struct keyed *e, size_t i)
{
    r->heap[i] = e;
    e->place = i;
}

static void sift_up(struct reconciler *r, struct keyed *e, size_t i)
{
    for (; i > 0 && r->heap[(i - 1) / 2]->due_ms > e->due_ms; i = (i - 1) / 2)
        place_at(r, r->heap[(i - 1) / 2], i);
    place_at(r, e, i);
}

static void sift_down(struct reconciler *r, struct keyed *e, size_t i)
{
    for (size_t child; (child = 2 * i + 1) < r->n_heap; i = child) {
        if (child + 1 < r->n_heap && r->heap[child + 1]->due_ms < r->heap[child]->due_ms)
            child++;
        if (r->heap[child]->due_ms >= e->due_ms)
            break;
        place_at(r, r->heap[child], i);
    }
    place_at(r, e, i);
}

static void heap_add(struct reconciler *r, struct keyed *e)
{
    if (r->n_heap == r->heap_size) {
        r->heap_size = r->heap_size ? 2 * r->heap_size : 64;
        r->heap = realloc(r->heap, r->heap_size * sizeof(struct keyed *));
        if (!r->heap)
            abort();
    }
    sift_up(r, e, r->n_heap++);
}

static struct keyed *heap_take(struct reconciler *r)
{
    struct keyed *first = r->heap[0], *last = r->heap[--r->n_heap];

    if (last != first)
        sift_down(r, last, 0);
    first->place = NOT_IN_HEAP;
    return first;
}

/* ---- groups: how threads are shared out; under the lock ---- */

static struct group *group_get(struct reconciler *r, const char *key)
{
    size_t len = strcspn(key, " ");
    struct group *g;

    for (g = r->groups; g; g = g->next)
        if (strncmp(g->name, key, len) == 0 && !g->name[len])
            return g;
    g = calloc(1, sizeof(*g) + len + 1);
    if (!g)
        abort();
    memcpy(g->name, key, len);
    g->last = &g->first;
    g->next = r->groups;
    r->groups = g;
    return g;
}

static void group_release(struct reconciler *r, struct group *group)
{
    if (--group->n_entries > 0)
        return;
    for (struct group **p = &r->groups; *p; p = &(*p)->next)
        if (*p == group) {
            *p = group->next;
            break;
        }
    free(group);
}

/* Of what is free: whoever comes next finds a thread. */
static bool has_share(const struct reconciler *r, const struct group *group)
{
    return !group || SHARES * group->running < r->most - r->n_running;
}

static void park(struct reconciler *r, struct keyed *e)
{
    e->parked = true;
    e->next = NULL;
    *e->group->last = e;
    e->group->last = &e->next;
    r->n_parked++;
}

/* The first one of the group that has least; NULL: none has a share left. */
static struct keyed *unpark(struct reconciler *r)
{
    struct group *best = NULL;
    struct keyed *e;

    for (struct group *g = r->groups; g && r->n_parked; g = g->next)
        if (g->first && has_share(r, g) && (!best || g->running < best->running))
            best = g;
    if (!best)
        return NULL;
    e = best->first;
    best->first = e->next;
    if (!best->first)
        best->last = &best->first;
    e->parked = false;
    r->n_parked--;
    return e;
}

/* ---- keys; under the lock ---- */

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct keyed *)a)->key, ((const struct keyed *)b)->key);
}

static struct keyed *entry_get(struct reconciler *r, const char *key)
{
    size_t len = strlen(key) + 1;
    struct keyed *e = calloc(1, sizeof(*e) + len), **found;

    if (!e)
        abort();
    memcpy(e->key, key, len);
    e->place = NOT_IN_HEAP;
    e->again_ms = -1;
    found = tsearch(e, &r->tree, compare);
    if (!found)
        abort();
    if (*found != e) {
        free(e);
        return *found;
    }
    r->n_entries++;
    if (r->least < r->most) {
        e->group = group_get(r, key);
        e->group->n_entries++;
    }
    return e;
}

static void entry_free(struct reconciler *r, struct keyed *e)
{
    tdelete(e, &r->tree, compare);
    r->n_entries--;
    if (e->group)
        group_release(r, e->group);
    free(e);
}

static void schedule(struct reconciler *r, struct keyed *e, int64_t due_ms)
{
    if (e->running) {
        if (e->again_ms < 0 || due_ms < e->again_ms)
            e->again_ms = due_ms;
        return;
    }
    if (e->parked) /* it is due already */
        return;
    if (e->place == NOT_IN_HEAP) {
        e->due_ms = due_ms;
        heap_add(r, e);
    } else if (due_ms < e->due_ms) {
        e->due_ms = due_ms;
        sift_up(r, e, e->place);
    }
    pthread_cond_signal(&r->changed);
}

void reconciler_add_after(struct reconciler *r, const char *key, int64_t delay_ms)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    if (!r->ending)
        schedule(r, entry_get(r, key), now_ms() + delay_ms);
    pthread_mutex_unlock(&r->lock);
}

void reconciler_add(struct reconciler *r, const char *key)
{
    reconciler_add_after(r, key, 0);
}

void reconciler_sweep(struct reconciler *r, reconcile_sweep sweep, int64_t every_ms)
{
    pthread_mutex_lock(&r->lock);
    r->sweep = sweep;
    r->sweep_ms = every_ms;
    pthread_mutex_unlock(&r->lock);
    reconciler_add(r, SWEEP);
}

size_t reconciler_depth(struct reconciler *r)
{
    size_t n;

    if (!r)
        return 0;
    pthread_mutex_lock(&r->lock);
    n = r->n_entries;
    if (r->sweep && n > 0) /* it is one of them, from reconciler_sweep on */
        n--;
    pthread_mutex_unlock(&r->lock);
    return n;
}

/* ---- the threads ---- */

static struct keyed *next_due(struct reconciler *r)
{
    struct keyed *e = unpark(r);

    while (!e && r->n_heap && r->heap[0]->due_ms <= now_ms()) {
        e = heap_take(r);
        if (!has_share(r, e->group)) {
            park(r, e);
            e = NULL;
        }
    }
    return e;
}

static void wait_for_change(struct reconciler *r)
{
    int64_t wait_ms = r->n_heap ? r->heap[0]->due_ms - now_ms() : 60000;
    struct timespec until;

    if (wait_ms <= 0) /* its time has just come */
        return;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += wait_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&r->changed, &r->lock, &until);
}

/* Under the lock: wait for a key whose time has come; NULL when we end, or this thread is one too
   many. */
static struct keyed *take(struct reconciler *r)
{
    while (!r->ending) {
        struct keyed *e = next_due(r);

        if (e)
            return e;
        if (r->n_threads - r->n_running > r->least) {
            pthread_cond_signal(&r->changed); /* what this one was woken for is another's now */
            return NULL;
        }
        wait_for_change(r);
    }
    return NULL;
}

static int64_t backoff_ms(unsigned failures)
{
    int64_t ms = failures < 10 ? (int64_t)BACKOFF_FIRST_MS << failures : BACKOFF_MAX_MS;
    char uuid[37];

    if (ms > BACKOFF_MAX_MS)
        ms = BACKOFF_MAX_MS;
    random_uuid(uuid); /* ±25 %: those that failed together do not come back together */
    return ms * 3 / 4 + ms / 2 * (int64_t)strtoul((char[]){uuid[0], uuid[1], '\0'}, NULL, 16) / 255;
}

static enum fault step_or_sweep(struct reconciler *r, struct op *op, const char *key,
                                int64_t *ret_again_ms)
{
    if (!r->sweep || strcmp(key, SWEEP) != 0)
        return r->step(op, key, ret_again_ms);
    *ret_again_ms = r->sweep_ms;
    return r->sweep(op);
}

/* Returns when the key wants to come back, in milliseconds, or RECONCILE_DONE. */
static int64_t run_step(struct reconciler *r, struct keyed *e, struct db *db)
{
    int64_t again_ms = RECONCILE_DONE;
    enum fault fault;
    struct op op;

    op_init(&op);
    op.db = db;
    fault = step_or_sweep(r, &op, e->key, &again_ms);
    db_op_ended(&op);
    if (fault != OK) {
        again_ms = backoff_ms(e->failures++);
        log_event(LOG_WARN_, "a step failed", "reconciler=%s key=%s fault=%s reason=%s", r->name,
                  log_quote(&op.arena, e->key), fault_name(fault),
                  log_quote(&op.arena, op.message ? op.message : ""));
    } else {
        e->failures = 0;
    }
    op.db = NULL;
    op_free(&op);
    return again_ms;
}

static void grow(struct reconciler *r);

/* Under the lock, as after_step. */
static void before_step(struct reconciler *r, struct keyed *e)
{
    e->running = true;
    r->n_running++;
    if (e->group)
        e->group->running++;
    if (r->n_running == r->n_threads && r->n_threads < r->most)
        grow(r); /* somebody must look for what comes next */
    else if (r->n_parked)
        pthread_cond_signal(&r->changed); /* there may be shares for more than one */
}

static void after_step(struct reconciler *r, struct keyed *e, int64_t again_ms)
{
    int64_t due_ms = again_ms == RECONCILE_DONE ? -1 : now_ms() + again_ms;

    if (e->again_ms >= 0 && (due_ms < 0 || e->again_ms < due_ms))
        due_ms = e->again_ms;
    e->again_ms = -1;
    e->running = false;
    r->n_running--;
    if (e->group)
        e->group->running--;
    if (due_ms < 0)
        entry_free(r, e);
    else
        schedule(r, e, due_ms);
}

static void *thread_main(void *arg)
{
    struct worker *w = arg;
    struct reconciler *r = w->r;
    struct db *db = db_open();
    struct keyed *e;

    pthread_mutex_lock(&r->lock);
    while ((e = take(r))) {
        int64_t again_ms;

        before_step(r, e);
        pthread_mutex_unlock(&r->lock);
        again_ms = run_step(r, e, db);
        pthread_mutex_lock(&r->lock);
        after_step(r, e, again_ms);
    }
    r->n_threads--;
    w->ended = true;
    pthread_mutex_unlock(&r->lock);
    db_close(db);
    return NULL;
}

/* Under the lock, with fewer threads than most: one more, or, where the machine has none to give,
   none. */
static void grow(struct reconciler *r)
{
    struct worker *w = r->workers;
    pthread_attr_t attributes;
    char thread_name[16];

    while (w->begun && !w->ended)
        w++;
    if (w->begun)
        pthread_join(w->thread, NULL); /* it has left the lock for good */
    *w = (struct worker){.r = r};
    pthread_attr_init(&attributes);
    if (r->least < r->most)
        pthread_attr_setstacksize(&attributes, STACK_BYTES);
    w->begun = pthread_create(&w->thread, &attributes, thread_main, w) == 0;
    pthread_attr_destroy(&attributes);
    if (!w->begun)
        return;
    r->n_threads++;
    snprintf(thread_name, sizeof(thread_name), "%.10s-%u", r->name,
             (unsigned)(w - r->workers) % 1000);
    pthread_setname_np(w->thread, thread_name);
}

struct reconciler *reconciler_new_growing(const char *name, int least, int most,
                                          reconcile_step step)
{
    struct reconciler *r = calloc(1, sizeof(*r) + (size_t)most * sizeof(struct worker));
    pthread_condattr_t attributes;

    if (!r)
        abort();
    r->name = name;
    r->step = step;
    r->least = least;
    r->most = most;
    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&r->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_lock(&r->lock);
    for (int i = 0; i < least; i++)
        grow(r);
    if (r->n_threads < least)
        abort();
    pthread_mutex_unlock(&r->lock);
    return r;
}

struct reconciler *reconciler_new(const char *name, int threads, reconcile_step step)
{
    return reconciler_new_growing(name, threads, threads, step);
}

void reconciler_free(struct reconciler *r)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    r->ending = true;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    for (int i = 0; i < r->most; i++) /* nobody grows it any more */
        if (r->workers[i].begun)
            pthread_join(r->workers[i].thread, NULL);
    while (r->n_heap)
        entry_free(r, heap_take(r));
    while (r->groups) { /* what is left of them is parked */
        struct keyed *e = r->groups->first;

        r->groups->first = e->next;
        entry_free(r, e);
    }
    free(r->heap);
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
    free(r);
}
