#include "auth/throttle.h"

#include "tests/unit/unit.h"

static enum fault check(const char *client, const char *account, int *ret_wait)
{
    struct op op;
    enum fault fault;

    op_init(&op);
    fault = throttle_check(&op, client, account);
    *ret_wait = op.retry_after_s;
    op_free(&op);
    return fault;
}

static void test_ten_at_once(void)
{
    int wait;

    throttle_reset();
    for (int i = 0; i < 10; i++) {
        CU_ASSERT_EQUAL(check("10.0.0.1", "admin", &wait), OK);
        throttle_failed("10.0.0.1", "admin");
    }
    CU_ASSERT_EQUAL(check("10.0.0.1", "admin", &wait), TOO_MANY);
    CU_ASSERT(wait >= 1 && wait <= 6);
    /* Another address and another account are other pairs; so is a differing split of the same. */
    CU_ASSERT_EQUAL(check("10.0.0.2", "admin", &wait), OK);
    CU_ASSERT_EQUAL(check("10.0.0.1", "admin2", &wait), OK);
    CU_ASSERT_EQUAL(check("10.0.0.1a", "dmin", &wait), OK);
}

static void test_waiting_is_bounded(void)
{
    int wait;

    throttle_reset();
    for (int i = 0; i < 1000; i++)
        throttle_failed("10.0.0.1", "admin");
    CU_ASSERT_EQUAL(check("10.0.0.1", "admin", &wait), TOO_MANY);
    CU_ASSERT(wait <= 66);
}

static void test_memory_is_bounded(void)
{
    struct arena arena;
    int wait;

    throttle_reset();
    for (int i = 0; i < 20; i++)
        throttle_failed("10.0.0.1", "admin");
    arena_init(&arena);
    for (int i = 0; i < 5000; i++)
        throttle_failed("10.0.0.1", arena_printf(&arena, "user%d", i));
    arena_free(&arena);
    /* A crowd of single failures does not push out who failed often. */
    CU_ASSERT_EQUAL(check("10.0.0.1", "admin", &wait), TOO_MANY);
    throttle_reset();
}

CU_TestInfo auth_throttle_tests[] = {
    {"ten failures at once", test_ten_at_once       },
    {"waiting is bounded",   test_waiting_is_bounded},
    {"memory is bounded",    test_memory_is_bounded },
    CU_TEST_INFO_NULL,
};
