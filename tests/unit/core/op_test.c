#include "core/op.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

static void test_memory_is_zeroed_and_aligned(void)
{
    struct arena arena;

    arena_init(&arena);
    for (size_t size = 1; size < 20000; size = size * 3 + 1) {
        unsigned char *p = arena_alloc(&arena, size);

        CU_ASSERT_EQUAL((uintptr_t)p % 16, 0);
        CU_ASSERT_EQUAL(p[0], 0);
        CU_ASSERT_EQUAL(p[size - 1], 0);
        memset(p, 0xff, size);
    }
    arena_free(&arena);
    CU_ASSERT_STRING_EQUAL(arena_strdup(&arena, "again"), "again");
    arena_free(&arena);
}

static int order[3], n_order;

static void note(void *arg)
{
    order[n_order++] = *(int *)arg;
}

static void test_deferred_run_newest_first(void)
{
    int numbers[] = {1, 2, 3};
    struct arena arena;

    arena_init(&arena);
    n_order = 0;
    for (int i = 0; i < 3; i++)
        arena_defer(&arena, note, &numbers[i]);
    arena_free(&arena);
    CU_ASSERT_EQUAL(n_order, 3);
    CU_ASSERT_EQUAL(order[0], 3);
    CU_ASSERT_EQUAL(order[2], 1);
}

static void test_strings(void)
{
    struct arena arena;

    arena_init(&arena);
    CU_ASSERT_STRING_EQUAL(arena_strndup(&arena, "abcdef", 3), "abc");
    CU_ASSERT_STRING_EQUAL(arena_printf(&arena, "%d-%s", 7, "x"), "7-x");
    CU_ASSERT_EQUAL(strlen(arena_printf(&arena, "%10000d", 1)), 10000);
    CU_ASSERT_EQUAL(memcmp(arena_memdup(&arena, "a\0b", 3), "a\0b", 3), 0);
    arena_free(&arena);
}

static void test_text_stops_at_its_limit(void)
{
    struct arena arena;
    struct text text;

    arena_init(&arena);
    text_init(&text, &arena, 10);
    CU_ASSERT_STRING_EQUAL(text.data, "");
    text_str(&text, "12345");
    CU_ASSERT_FALSE(text.overflow);
    text_printf(&text, "%s", "678901234567");
    CU_ASSERT(text.overflow);
    CU_ASSERT(text.len <= 10);
    CU_ASSERT_EQUAL(strlen(text.data), text.len);
    arena_free(&arena);
}

static enum fault fails(struct op *op)
{
    TRY(fail_on(op, "blob", NOT_FOUND, "blob %d does not exist", 7));
    return OK;
}

static void test_reasons(void)
{
    struct op op;

    op_init(&op);
    CU_ASSERT_EQUAL(fails(&op), NOT_FOUND);
    CU_ASSERT_EQUAL(op.fault, NOT_FOUND);
    CU_ASSERT_STRING_EQUAL(op.noun, "blob");
    CU_ASSERT_STRING_EQUAL(op.message, "blob 7 does not exist");
    CU_ASSERT_EQUAL(fail(&op, INVALID, "again: %s", op.message), INVALID);
    CU_ASSERT_STRING_EQUAL(op.message, "again: blob 7 does not exist");
    op_clear_fault(&op);
    CU_ASSERT_EQUAL(op.fault, OK);
    for (int i = 0; i < FAULT_COUNT; i++)
        CU_ASSERT_PTR_NOT_NULL(fault_name((enum fault)i));
    op_free(&op);
}

CU_TestInfo core_op_tests[] = {
    {"memory is zeroed and aligned",        test_memory_is_zeroed_and_aligned},
    {"deferred functions run newest first", test_deferred_run_newest_first   },
    {"strings",                             test_strings                     },
    {"text stops at its limit",             test_text_stops_at_its_limit     },
    {"reasons of failure",                  test_reasons                     },
    CU_TEST_INFO_NULL,
};
