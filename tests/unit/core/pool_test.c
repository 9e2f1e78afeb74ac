#include "core/pool.h"

#include <pthread.h>
#include <unistd.h>

#include "tests/unit/unit.h"

struct job {
    struct task task;
    pthread_barrier_t *gate;
    atomic_int *done;
    bool had_db;
};

static void run_job(struct task *task, struct db *db)
{
    struct job *job = (struct job *)task;

    job->had_db = db != NULL;
    if (job->gate)
        pthread_barrier_wait(job->gate);
    atomic_fetch_add(job->done, 1);
}

static void test_everything_posted_runs(void)
{
    struct pool *pool = pool_new("test", 3, 1000, true);
    struct job jobs[500];
    atomic_int done = 0;

    for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
        jobs[i] = (struct job){.task.run = run_job, .done = &done};
        CU_ASSERT(pool_post(pool, &jobs[i].task));
    }
    pool_free(pool); /* lets the queued ones run */
    CU_ASSERT_EQUAL(done, 500);
    CU_ASSERT(jobs[0].had_db);
}

static void test_a_full_queue_refuses(void)
{
    struct pool *pool = pool_new("test", 1, 2, false);
    pthread_barrier_t gate;
    struct job jobs[5];
    atomic_int done = 0;

    pthread_barrier_init(&gate, NULL, 2);
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++)
        jobs[i] = (struct job){.task.run = run_job, .done = &done};
    jobs[0].gate = &gate;
    CU_ASSERT(pool_post(pool, &jobs[0].task));
    while (pool_depth(pool) > 0)
        usleep(1000); /* until the thread has taken the first */
    CU_ASSERT(pool_post(pool, &jobs[1].task));
    CU_ASSERT(pool_post(pool, &jobs[2].task));
    CU_ASSERT_FALSE(pool_post(pool, &jobs[3].task));
    CU_ASSERT_EQUAL(pool_depth(pool), 2);
    pool_post_always(pool, &jobs[4].task);
    CU_ASSERT_EQUAL(pool_depth(pool), 3);
    pthread_barrier_wait(&gate);
    pool_free(pool);
    pthread_barrier_destroy(&gate);
    CU_ASSERT_EQUAL(done, 4);
    CU_ASSERT_FALSE(jobs[1].had_db);
}

CU_TestInfo core_pool_tests[] = {
    {"everything posted runs", test_everything_posted_runs},
    {"a full queue refuses",   test_a_full_queue_refuses  },
    CU_TEST_INFO_NULL,
};
