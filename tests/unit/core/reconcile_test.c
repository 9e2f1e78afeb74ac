#include "core/reconcile.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#define PATIENCE_MS 60000 /* against hangs only */

static atomic_int runs, inside, worst_inside;

static void wait_for(struct reconciler *r, int wanted)
{
    for (int64_t until = now_ms() + PATIENCE_MS; now_ms() < until; usleep(1000))
        if (runs >= wanted && reconciler_depth(r) == 0)
            return;
}

static void reset(void)
{
    atomic_store(&runs, 0);
    atomic_store(&inside, 0);
    atomic_store(&worst_inside, 0);
}

static enum fault count(struct op *op, const char *key, int64_t *ret_again_ms)
{
    int now = atomic_fetch_add(&inside, 1) + 1;

    (void)op;
    (void)key;
    (void)ret_again_ms;
    if (now > worst_inside)
        worst_inside = now;
    usleep(200);
    atomic_fetch_sub(&inside, 1);
    atomic_fetch_add(&runs, 1);
    return OK;
}

static void test_each_key_runs(void)
{
    struct reconciler *r;
    char key[16];

    reset();
    r = reconciler_new("test", 3, count);
    for (int i = 0; i < 300; i++) {
        snprintf(key, sizeof(key), "key-%d", (i * 7919) % 300);
        reconciler_add(r, key);
    }
    wait_for(r, 300);
    CU_ASSERT_EQUAL(runs, 300);
    CU_ASSERT_EQUAL(reconciler_depth(r), 0);
    reconciler_free(r);
}

static void test_a_key_never_runs_twice_at_once(void)
{
    struct reconciler *r;

    reset();
    r = reconciler_new("test", 4, count);
    for (int i = 0; i < 1000; i++)
        reconciler_add(r, "the one");
    wait_for(r, 1);
    CU_ASSERT_EQUAL(worst_inside, 1);
    CU_ASSERT(runs >= 1);
    CU_ASSERT(runs < 1000); /* those added while it waited are one */
    reconciler_free(r);
}

static atomic_int adds;
static struct reconciler *_Atomic self;

/* Somebody adds the key while it runs: it runs once more after. */
static enum fault add_self(struct op *op, const char *key, int64_t *ret_again_ms)
{
    (void)op;
    (void)ret_again_ms;
    while (!self)
        usleep(100);
    if (atomic_fetch_add(&adds, 1) == 0)
        reconciler_add(self, key);
    atomic_fetch_add(&runs, 1);
    return OK;
}

static void test_a_running_key_runs_once_more(void)
{
    struct reconciler *r;

    reset();
    r = reconciler_new("test", 2, add_self);
    self = r;
    reconciler_add(r, "k");
    wait_for(r, 2);
    CU_ASSERT_EQUAL(runs, 2);
    reconciler_free(r);
}

static enum fault fail_twice(struct op *op, const char *key, int64_t *ret_again_ms)
{
    int n = atomic_fetch_add(&runs, 1);

    (void)key;
    if (n < 2)
        return fail(op, UNAVAILABLE, "not yet");
    if (n < 4)
        *ret_again_ms = 1;
    return OK;
}

static void test_it_comes_back_after_a_fault_and_when_it_asks(void)
{
    struct reconciler *r;

    reset();
    r = reconciler_new("test", 1, fail_twice);
    reconciler_add(r, "k");
    wait_for(r, 5);
    CU_ASSERT_EQUAL(runs, 5);
    CU_ASSERT_EQUAL(reconciler_depth(r), 0);
    reconciler_free(r);
}

static char order[8];

static enum fault note(struct op *op, const char *key, int64_t *ret_again_ms)
{
    (void)op;
    (void)ret_again_ms;
    order[runs] = key[0];
    atomic_fetch_add(&runs, 1);
    return OK;
}

static void test_later_keys_wait_and_come_in_order(void)
{
    struct reconciler *r;

    reset();
    memset(order, 0, sizeof(order));
    r = reconciler_new("test", 1, note);
    reconciler_add_after(r, "c", 400);
    reconciler_add_after(r, "z", 3600000);
    reconciler_add_after(r, "b", 200);
    reconciler_add_after(r, "a", 100000);
    reconciler_add_after(r, "a", 1); /* the earlier time counts */
    for (int64_t until = now_ms() + PATIENCE_MS; now_ms() < until && runs < 3;)
        usleep(1000);
    CU_ASSERT_STRING_EQUAL(order, "abc");
    CU_ASSERT_EQUAL(reconciler_depth(r), 1); /* forgotten with the reconciler */
    reconciler_free(r);
}

CU_TestInfo core_reconcile_tests[] = {
    {"each key runs",                                test_each_key_runs                    },
    {"a key never runs twice at once",               test_a_key_never_runs_twice_at_once   },
    {"a running key runs once more",                 test_a_running_key_runs_once_more     },
    {"it comes back after a fault and when it asks",
     test_it_comes_back_after_a_fault_and_when_it_asks                                     },
    {"later keys wait and come in order",            test_later_keys_wait_and_come_in_order},
    CU_TEST_INFO_NULL,
};
