/*
 * One mutex, a list of tasks, a stack of idle threads: the thread that became idle last is woken
 * first, since its connection, and PostgreSQL's process behind it, are still in the processor's
 * cache.
 */
#include "core/pool.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/db.h"

struct pool *workers, *io_pool, *slow_pool, *inside_pool;

struct worker {
    struct pool *pool;
    struct worker *next_idle;
    pthread_cond_t wake;
    bool woken;
    pthread_t thread;
};

struct pool {
    char name[12];
    bool with_db, ending;
    int n_threads; /* that were started: the joiner counts on it */
    size_t depth, queue_max;
    struct task *head, **tail;
    pthread_mutex_t lock;
    struct worker *idle;
    int n_idle;
    struct worker threads[];
};

/* Under the lock. */
static void wait_for_work(struct worker *worker)
{
    struct pool *pool = worker->pool;

    worker->woken = false;
    worker->next_idle = pool->idle;
    pool->idle = worker;
    pool->n_idle++;
    while (!worker->woken)
        pthread_cond_wait(&worker->wake, &pool->lock);
}

/* Under the lock. */
static void wake_one(struct pool *pool)
{
    struct worker *worker = pool->idle;

    if (!worker)
        return;
    pool->idle = worker->next_idle;
    pool->n_idle--;
    worker->woken = true;
    pthread_cond_signal(&worker->wake);
}

static struct task *pool_take(struct worker *worker)
{
    struct pool *pool = worker->pool;
    struct task *task;

    pthread_mutex_lock(&pool->lock);
    while (!pool->head && !pool->ending)
        wait_for_work(worker);
    task = pool->head;
    if (task) {
        pool->head = task->next;
        if (!pool->head)
            pool->tail = &pool->head;
        pool->depth--;
    }
    pthread_mutex_unlock(&pool->lock);
    return task;
}

static void *pool_main(void *arg)
{
    struct worker *worker = arg;
    struct pool *pool = worker->pool;
    struct db *db = pool->with_db ? db_open() : NULL;
    struct task *task;

    pthread_setname_np(pthread_self(), pool->name);
    while ((task = pool_take(worker)))
        task->run(task, db);
    if (db)
        db_close(db);
    return NULL;
}

struct pool *pool_new(const char *name, int threads, size_t queue_max, bool with_db)
{
    struct pool *pool = calloc(1, sizeof(*pool) + (size_t)threads * sizeof(struct worker));

    if (!pool)
        abort();
    snprintf(pool->name, sizeof(pool->name), "%s", name);
    pool->queue_max = queue_max;
    pool->with_db = with_db;
    pool->tail = &pool->head;
    pthread_mutex_init(&pool->lock, NULL);
    for (int i = 0; i < threads; i++) {
        struct worker *worker = &pool->threads[i];

        worker->pool = pool;
        pthread_cond_init(&worker->wake, NULL);
        if (pthread_create(&worker->thread, NULL, pool_main, worker))
            abort();
        pool->n_threads++;
    }
    return pool;
}

static bool pool_put(struct pool *pool, struct task *task, bool bounded)
{
    bool fits;

    pthread_mutex_lock(&pool->lock);
    fits = !bounded || (pool->depth < pool->queue_max && !pool->ending);
    if (fits) {
        task->next = NULL;
        *pool->tail = task;
        pool->tail = &task->next;
        pool->depth++;
        wake_one(pool);
    }
    pthread_mutex_unlock(&pool->lock);
    return fits;
}

bool pool_post(struct pool *pool, struct task *task)
{
    return pool_put(pool, task, true);
}

void pool_post_always(struct pool *pool, struct task *task)
{
    pool_put(pool, task, false);
}

size_t pool_limit(const struct pool *pool)
{
    return pool->queue_max;
}

size_t pool_depth(const struct pool *pool)
{
    struct pool *p = (struct pool *)pool;
    size_t depth;

    pthread_mutex_lock(&p->lock);
    depth = p->depth;
    pthread_mutex_unlock(&p->lock);
    return depth;
}

bool pool_has_one_busy(struct pool *pool)
{
    bool one;

    pthread_mutex_lock(&pool->lock);
    one = pool->depth == 0 && pool->n_threads - pool->n_idle <= 1;
    pthread_mutex_unlock(&pool->lock);
    return one;
}

void pool_free(struct pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->ending = true;
    while (pool->idle)
        wake_one(pool);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->n_threads; i++) {
        pthread_join(pool->threads[i].thread, NULL);
        pthread_cond_destroy(&pool->threads[i].wake);
    }
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}
