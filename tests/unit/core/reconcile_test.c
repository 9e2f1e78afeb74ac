#include "core/reconcile.h"

#include <dirent.h>
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

/* A key is forgotten only after its step has returned. */
static void wait_for_depth(struct reconciler *r, size_t wanted)
{
    for (int64_t until = now_ms() + PATIENCE_MS; now_ms() < until && reconciler_depth(r) != wanted;)
        usleep(1000);
    CU_ASSERT_EQUAL(reconciler_depth(r), wanted);
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

static atomic_int sweeps, swept;

/* Fails once; finds a key each time. */
static enum fault find(struct op *op)
{
    char key[16];

    if (atomic_fetch_add(&sweeps, 1) == 1)
        return fail(op, UNAVAILABLE, "not now");
    snprintf(key, sizeof(key), "key-%d", atomic_fetch_add(&swept, 1));
    reconciler_add(self, key);
    return OK;
}

static void test_sweeping(void)
{
    struct reconciler *r;

    reset();
    atomic_store(&sweeps, 0);
    atomic_store(&swept, 0);
    self = r = reconciler_new("test", 2, count);
    reconciler_sweep(r, find, 1);
    for (int64_t until = now_ms() + PATIENCE_MS; now_ms() < until && runs < 3;)
        usleep(1000);
    CU_ASSERT(runs >= 3 && sweeps >= 4);
    reconciler_free(r);
    CU_ASSERT(runs <= swept); /* the sweep itself is no step */
    self = r = reconciler_new("test", 1, count);
    reset();
    reconciler_sweep(r, find, 60000);
    wait_for(r, 1); /* what it found is done, and it is not counted */
    CU_ASSERT_EQUAL(runs, 1);
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

/* Within so short a time that each is added before the first of them is due. */
static struct reconciler *add_later_keys(void)
{
    for (;;) {
        struct reconciler *r = reconciler_new("test", 1, note);
        int64_t began = now_ms();

        reset();
        memset(order, 0, sizeof(order));
        reconciler_add_after(r, "c", 400);
        reconciler_add_after(r, "z", 3600000);
        reconciler_add_after(r, "b", 200);
        reconciler_add_after(r, "a", 100000);
        reconciler_add_after(r, "a", 1); /* the earlier time counts */
        if (now_ms() - began < 200)
            return r;
        reconciler_free(r); /* we were held up: b's time may be after c's */
    }
}

static void test_later_keys_wait_and_come_in_order(void)
{
    struct reconciler *r = add_later_keys();

    for (int64_t until = now_ms() + PATIENCE_MS; now_ms() < until && runs < 3;)
        usleep(1000);
    CU_ASSERT_STRING_EQUAL(order, "abc");
    wait_for_depth(r, 1); /* forgotten with the reconciler */
    reconciler_free(r);
}

/* ---- those that grow ---- */

static atomic_int held, worst_held;
static atomic_bool let_go;

/* Steps hang until let_go, but for those of "other". */
static enum fault hold(struct op *op, const char *key, int64_t *ret_again_ms)
{
    (void)op;
    (void)ret_again_ms;
    if (strncmp(key, "other ", 6) != 0) {
        int now = atomic_fetch_add(&held, 1) + 1;

        if (now > worst_held)
            worst_held = now;
        while (!let_go)
            usleep(1000);
        atomic_fetch_sub(&held, 1);
    }
    atomic_fetch_add(&runs, 1);
    return OK;
}

static void wait_until_held(int wanted)
{
    for (int64_t until = now_ms() + PATIENCE_MS; now_ms() < until && held < wanted;)
        usleep(1000);
    CU_ASSERT_EQUAL(held, wanted);
}

static void add_many(struct reconciler *r, const char *word, int n)
{
    char key[32];

    for (int i = 0; i < n; i++) {
        snprintf(key, sizeof(key), "%s %d", word, i);
        reconciler_add(r, key);
    }
}

/* Threads of this process whose name begins so. */
static int count_threads(const char *name)
{
    DIR *dir = opendir("/proc/self/task");
    struct dirent *entry;
    int n = 0;

    CU_ASSERT_PTR_NOT_NULL_FATAL(dir);
    while ((entry = readdir(dir))) {
        char path[300], comm[32] = "";
        FILE *file;

        snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
        file = fopen(path, "re");
        if (file && fgets(comm, sizeof(comm), file))
            n += strncmp(comm, name, strlen(name)) == 0;
        if (file)
            fclose(file);
    }
    closedir(dir);
    return n;
}

static void wait_for_threads(const char *name, int wanted)
{
    for (int64_t until = now_ms() + PATIENCE_MS; now_ms() < until;)
        if (count_threads(name) == wanted)
            break;
        else
            usleep(1000);
    CU_ASSERT_EQUAL(count_threads(name), wanted);
}

static void reset_growing(void)
{
    reset();
    atomic_store(&held, 0);
    atomic_store(&worst_held, 0);
    atomic_store(&let_go, false);
}

/* As many as hang, and those of others run; when all is over as few threads as at first. Twice:
   threads that have ended are followed by others. */
static void test_it_grows_and_shrinks(void)
{
    struct reconciler *r = reconciler_new_growing("growth", 2, 40, hold);

    for (int round = 0; round < 2; round++) {
        reset_growing();
        add_many(r, "hog", 100);
        wait_until_held(10); /* a quarter of 40 */
        add_many(r, "other", 50);
        for (int64_t until = now_ms() + PATIENCE_MS; now_ms() < until && runs < 50;)
            usleep(1000);
        CU_ASSERT_EQUAL(runs, 50);
        CU_ASSERT_EQUAL(held, 10);
        wait_for_depth(r, 100);
        let_go = true;
        wait_for(r, 150);
        CU_ASSERT_EQUAL(runs, 150);
        CU_ASSERT_EQUAL(worst_held, 10);
        wait_for_threads("growth-", 2);
    }
    reconciler_free(r);
}

/* Some of them hang, and one more finds a thread. */
static void test_many_groups_share(void)
{
    struct reconciler *r = reconciler_new_growing("share", 1, 30, hold);
    char word[16];

    reset_growing();
    for (int i = 0; i < 6; i++) {
        int before = held;

        snprintf(word, sizeof(word), "hog%d", i);
        add_many(r, word, 100);
        for (int64_t until = now_ms() + PATIENCE_MS; now_ms() < until && held == before;)
            usleep(1000);
        CU_ASSERT(held > before);
    }
    reconciler_add(r, "other 1");
    for (int64_t until = now_ms() + PATIENCE_MS; now_ms() < until && runs < 1;)
        usleep(1000);
    CU_ASSERT_EQUAL(runs, 1);
    CU_ASSERT(held < 30);
    let_go = true;
    reconciler_free(r); /* forgets those that wait for a share, too */
}

/* A share of one thread: they come one by one, and adding one that waits adds nothing. */
static void test_waiting_for_a_share(void)
{
    struct reconciler *r = reconciler_new_growing("one", 1, 4, hold);

    reset_growing();
    reconciler_add(r, "hog first");
    wait_until_held(1);
    add_many(r, "hog", 50);
    reconciler_add(r, "other 1"); /* those before it have been looked at then */
    for (int64_t until = now_ms() + PATIENCE_MS; now_ms() < until && runs < 1;)
        usleep(1000);
    add_many(r, "hog", 50);
    CU_ASSERT_EQUAL(held, 1);
    wait_for_depth(r, 51);
    let_go = true;
    wait_for(r, 52);
    CU_ASSERT_EQUAL(runs, 52);
    CU_ASSERT_EQUAL(worst_held, 1);
    reconciler_free(r);
}

CU_TestInfo core_reconcile_tests[] = {
    {"each key runs",                                test_each_key_runs                    },
    {"a key never runs twice at once",               test_a_key_never_runs_twice_at_once   },
    {"a running key runs once more",                 test_a_running_key_runs_once_more     },
    {"it comes back after a fault and when it asks",
     test_it_comes_back_after_a_fault_and_when_it_asks                                     },
    {"keys are looked for, too",                     test_sweeping                         },
    {"later keys wait and come in order",            test_later_keys_wait_and_come_in_order},
    {"it grows and shrinks",                         test_it_grows_and_shrinks             },
    {"many groups share its threads",                test_many_groups_share                },
    {"waiting for a share",                          test_waiting_for_a_share              },
    CU_TEST_INFO_NULL,
};
