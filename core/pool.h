/*
 * A pool: some threads and one bounded queue of tasks (GUIDE §2: workers, io, slow). A task is
 * embedded in whatever is to be done; posting allocates nothing.
 */
#ifndef SUNDOG_CORE_POOL_H
#define SUNDOG_CORE_POOL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct db;
struct task {
    struct task *next;
    /* db: this thread's connection, NULL in a pool without. It may be down: see core/db.h. */
    void (*run)(struct task *task, struct db *db);
};

struct pool;
/* name shows in /metrics and thread names (≤ 10 bytes). with_db: each thread gets a connection. */
struct pool *pool_new(const char *name, int threads, size_t queue_max, bool with_db);
/* False when the queue is full (or the pool is ending): answer UNAVAILABLE. */
bool pool_post(struct pool *pool, struct task *task);
/* Post even over the limit: for work already begun that must end (sinks, completions). */
void pool_post_always(struct pool *pool, struct task *task);
size_t pool_depth(const struct pool *pool);
size_t pool_limit(const struct pool *pool); /* queue_max */
/* Nothing waits and at most one thread works: the one that asks. */
bool pool_has_one_busy(struct pool *pool);
/* Let queued tasks run, join the threads, free. */
void pool_free(struct pool *pool);

/* The program's pools, made by server_start (core/server.h). inside_pool: what calls within calls
   wait for, since workers may all be waiting for those (core/inside.h). */
extern struct pool *workers, *io_pool, *slow_pool, *inside_pool;

#endif
