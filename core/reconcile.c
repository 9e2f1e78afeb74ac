/*
 * Entries are found by key in a tree (tsearch) and taken by time from a heap. One mutex guards
 * both; steps run without it.
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

struct keyed {
    int64_t due_ms;
    int64_t again_ms; /* running: somebody wants it at that time once more; -1: nobody */
    unsigned failures;
    bool running;
    size_t place; /* in the heap */
    char key[];
};

struct reconciler {
    const char *name;
    reconcile_step step;
    bool ending;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    void *tree;
    struct keyed **heap;
    size_t n_heap, heap_size, n_entries;
    int n_threads;
    pthread_t threads[];
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
    return e;
}

static void entry_free(struct reconciler *r, struct keyed *e)
{
    tdelete(e, &r->tree, compare);
    r->n_entries--;
    free(e);
}

static void schedule(struct reconciler *r, struct keyed *e, int64_t due_ms)
{
    if (e->running) {
        if (e->again_ms < 0 || due_ms < e->again_ms)
            e->again_ms = due_ms;
        return;
    }
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

size_t reconciler_depth(struct reconciler *r)
{
    size_t n;

    if (!r)
        return 0;
    pthread_mutex_lock(&r->lock);
    n = r->n_entries;
    pthread_mutex_unlock(&r->lock);
    return n;
}

/* ---- the threads ---- */

/* Under the lock: wait for a key whose time has come; NULL when we end. */
static struct keyed *take(struct reconciler *r)
{
    while (!r->ending) {
        int64_t wait_ms = r->n_heap ? r->heap[0]->due_ms - now_ms() : 60000;
        struct timespec until;

        if (r->n_heap && wait_ms <= 0)
            return heap_take(r);
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += wait_ms / 1000;
        until.tv_nsec += wait_ms % 1000 * 1000000;
        if (until.tv_nsec >= 1000000000) {
            until.tv_sec++;
            until.tv_nsec -= 1000000000;
        }
        pthread_cond_timedwait(&r->changed, &r->lock, &until);
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

/* Returns when the key wants to come back, in milliseconds, or RECONCILE_DONE. */
static int64_t run_step(struct reconciler *r, struct keyed *e, struct db *db)
{
    int64_t again_ms = RECONCILE_DONE;
    enum fault fault;
    struct op op;

    op_init(&op);
    op.db = db;
    fault = r->step(&op, e->key, &again_ms);
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

static void after_step(struct reconciler *r, struct keyed *e, int64_t again_ms)
{
    int64_t due_ms = again_ms == RECONCILE_DONE ? -1 : now_ms() + again_ms;

    if (e->again_ms >= 0 && (due_ms < 0 || e->again_ms < due_ms))
        due_ms = e->again_ms;
    e->again_ms = -1;
    e->running = false;
    if (due_ms < 0)
        entry_free(r, e);
    else
        schedule(r, e, due_ms);
}

static void *thread_main(void *arg)
{
    struct reconciler *r = arg;
    struct db *db = db_open();
    struct keyed *e;

    pthread_mutex_lock(&r->lock);
    while ((e = take(r))) {
        int64_t again_ms;

        e->running = true;
        pthread_mutex_unlock(&r->lock);
        again_ms = run_step(r, e, db);
        pthread_mutex_lock(&r->lock);
        after_step(r, e, again_ms);
    }
    pthread_mutex_unlock(&r->lock);
    db_close(db);
    return NULL;
}

struct reconciler *reconciler_new(const char *name, int threads, reconcile_step step)
{
    struct reconciler *r = calloc(1, sizeof(*r) + (size_t)threads * sizeof(pthread_t));
    pthread_condattr_t attributes;

    if (!r)
        abort();
    r->name = name;
    r->step = step;
    r->n_threads = threads;
    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&r->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    for (int i = 0; i < threads; i++) {
        char thread_name[16];

        if (pthread_create(&r->threads[i], NULL, thread_main, r) != 0)
            abort();
        snprintf(thread_name, sizeof(thread_name), "%.10s-%u", name, (unsigned)i % 100);
        pthread_setname_np(r->threads[i], thread_name);
    }
    return r;
}

void reconciler_free(struct reconciler *r)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    r->ending = true;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    for (int i = 0; i < r->n_threads; i++)
        pthread_join(r->threads[i], NULL);
    while (r->n_heap)
        entry_free(r, heap_take(r));
    free(r->heap);
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
    free(r);
}
