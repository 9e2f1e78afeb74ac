#include "core/meter.h"

#include <string.h>

#include "tests/unit/unit.h"

#define R "/subscriptions/s/resourcegroups/g/providers/p/t/meter"
#define T INT64_C(4102444800) /* a whole hour of a time to come: what is past is pruned */

static struct meter_series *series;
static size_t n_series;

static void add(struct meter *m, int64_t at_s, double value)
{
    meter_add(m, at_s * 1000000, value);
}

static void read(struct op *op, const char *resource, int64_t from_s, int64_t to_s, int64_t step_s)
{
    const struct meter_span span = {from_s, to_s, step_s};

    CU_ASSERT_EQUAL_FATAL(meter_read(op, resource, "m", &span, &series, &n_series), OK);
}

static void begin(struct op *op)
{
    unit_op(op);
    meters_start(3600);
    CU_ASSERT_EQUAL_FATAL(meter_delete(op, R), OK);
}

static void end(struct op *op)
{
    meters_stop();
    CU_ASSERT_EQUAL(meter_delete(op, R), OK);
    CU_ASSERT_EQUAL(meter_delete(op, R "-moved"), OK);
    unit_op_end(op);
}

static void check(size_t i, size_t k, int64_t at_s, int64_t n, double sum, double least,
                  double most)
{
    CU_ASSERT_FATAL(i < n_series && k < series[i].n);
    CU_ASSERT_EQUAL(series[i].points[k].at_s, at_s);
    CU_ASSERT_EQUAL(series[i].points[k].n, n);
    CU_ASSERT_DOUBLE_EQUAL(series[i].points[k].sum, sum, 1e-9);
    CU_ASSERT_EQUAL(series[i].points[k].least, least);
    CU_ASSERT_EQUAL(series[i].points[k].most, most);
}

/* Minutes, coarser steps, and what has no samples; from memory and from rows alike. */
static void test_steps(void)
{
    struct meter *a, *b;
    struct op op;

    begin(&op);
    a = meter_open(R, "m", "a", false);
    b = meter_open(R, "m", "b", false);
    add(a, T + 1, 4);
    add(a, T + 59, 8);
    add(a, T + 60, 1);
    add(b, T + 61, -2);
    add(a, T + 301, 0.5); /* minutes 2, 3, 4: none */
    for (int round = 0; round < 2; round++) {
        read(&op, R, T, T + 600, 60);
        CU_ASSERT_EQUAL_FATAL(n_series, 2);
        CU_ASSERT_STRING_EQUAL(series[0].dimensions, "a");
        CU_ASSERT_EQUAL_FATAL(series[0].n, 3);
        check(0, 0, T, 2, 12, 4, 8);
        check(0, 1, T + 60, 1, 1, 1, 1);
        check(0, 2, T + 300, 1, .5, .5, .5);
        CU_ASSERT_EQUAL(series[1].n, 1);
        check(1, 0, T + 60, 1, -2, -2, -2);
        read(&op, R, T, T + 600, 300);
        CU_ASSERT_EQUAL(series[0].n, 2);
        check(0, 0, T, 3, 13, 1, 8);
        check(0, 1, T + 300, 1, .5, .5, .5);
        read(&op, R, T + 60, T + 120, 60); /* the end is not in it */
        CU_ASSERT_EQUAL(series[0].n, 1);
        read(&op, R, T + 120, T + 300, 60);
        CU_ASSERT_EQUAL(n_series, 0);
        CU_ASSERT_EQUAL_FATAL(meters_write(&op, T + 400, false), OK);
    }
    meter_close(a);
    meter_close(b);
    end(&op);
}

/* A minute is written once it is over; an orderly end writes the begun one, and the next start adds
   to it. */
static void test_restart(void)
{
    struct meter *m, *silent;
    struct op op;

    begin(&op);
    m = meter_open(R, "m", "", true);
    silent = meter_open(R, "m", "says nothing", true);
    add(m, T + 10, 10);
    CU_ASSERT_EQUAL_FATAL(meters_write(&op, T + 59, false), OK);
    add(m, T + 59, 20); /* not lost though there was a round */
    meter_close(silent);
    meter_close(m);
    meters_stop();
    meters_start(3600);
    read(&op, R, T, T + 60, 60);
    CU_ASSERT_EQUAL_FATAL(n_series, 1);
    check(0, 0, T, 2, 30, 10, 20);
    m = meter_open(R, "m", "", true);
    add(m, T + 59, 5);
    read(&op, R, T, T + 60, 60);
    check(0, 0, T, 3, 35, 5, 20);
    CU_ASSERT_EQUAL_FATAL(meters_write(&op, T + 70, false), OK);
    CU_ASSERT_EQUAL_FATAL(meters_write(&op, T + 80, false), OK);
    read(&op, R, T, T + 60, 60);
    check(0, 0, T, 3, 35, 5, 20);
    meter_close(m);
    end(&op);
}

static void test_fine_steps(void)
{
    struct meter *m;
    struct op op;

    begin(&op);
    m = meter_open(R, "m", "", true);
    for (int64_t i = 0; i < 400; i++) /* the ring goes round */
        if (i != 390)
            add(m, T + i * METER_FINE_S + 1, (double)i);
    read(&op, R, T + 250 * METER_FINE_S, T + 400 * METER_FINE_S, METER_FINE_S);
    CU_ASSERT_EQUAL_FATAL(n_series, 1);
    CU_ASSERT_EQUAL_FATAL(series[0].n, METER_FINE_STEPS - 1);
    check(0, 0, T + 250 * METER_FINE_S, 1, 250, 250, 250);
    check(0, 140, T + 391 * METER_FINE_S, 1, 391, 391, 391);
    read(&op, R, T + 398 * METER_FINE_S, T + 399 * METER_FINE_S, METER_FINE_S);
    CU_ASSERT_EQUAL(series[0].n, 1);
    meter_close(m);
    end(&op);
}

static void test_ending_and_moving(void)
{
    struct meter *m, *again;
    struct op op;

    begin(&op);
    m = meter_open(R, "m", "", false);
    add(m, T, 1);
    CU_ASSERT_EQUAL_FATAL(meters_write(&op, T + 70, false), OK);
    add(m, T + 60, 2);
    CU_ASSERT_EQUAL_FATAL(meter_rekey(&op, R, R "-moved"), OK);
    meter_moved(R, R "-moved");
    add(m, T + 61, 3); /* who adds knows nothing of it */
    read(&op, R, T, T + 600, 60);
    CU_ASSERT_EQUAL(n_series, 0);
    read(&op, R "-moved", T, T + 600, 60);
    CU_ASSERT_EQUAL_FATAL(n_series, 1);
    check(0, 0, T, 1, 1, 1, 1);
    check(0, 1, T + 60, 2, 5, 2, 3);
    CU_ASSERT_EQUAL_FATAL(meter_delete(&op, R "-moved"), OK);
    meter_forget(R "-moved");
    add(m, T + 120, 4); /* the last words of what is gone are not those of its heir */
    again = meter_open(R "-moved", "m", "", false);
    add(again, T + 121, 7);
    CU_ASSERT_EQUAL_FATAL(meters_write(&op, T + 400, false), OK);
    read(&op, R "-moved", T, T + 600, 60);
    CU_ASSERT_EQUAL_FATAL(n_series, 1);
    CU_ASSERT_EQUAL(series[0].n, 1);
    check(0, 0, T + 120, 1, 7, 7, 7);
    meter_close(m);
    meter_close(again);
    end(&op);
}

/* More than goes into one transaction: after an hour without a database, or of very many things. */
static void test_very_many(void)
{
    enum { METERS = 400, MINUTES = 59 };
    struct op op;

    begin(&op);
    for (int i = 0; i < METERS; i++) {
        struct meter *m = meter_open(R, "m", arena_printf(&op.arena, "%d", i), false);

        for (int k = 0; k < MINUTES; k++)
            add(m, T + k * 60, k);
        meter_close(m);
    }
    CU_ASSERT_EQUAL_FATAL(meters_write(&op, T + 3600, false), OK);
    meter_forget(R); /* what memory still had is gone */
    read(&op, R, T, T + 3600, 60);
    CU_ASSERT_EQUAL_FATAL(n_series, METERS);
    for (size_t i = 0; i < METERS; i++) {
        CU_ASSERT_EQUAL(series[i].n, MINUTES);
    }
    end(&op);
}

/* Where it was, there may still be figures: those it left, written late by another `serve`. */
static void test_moving_back(void)
{
    struct meter *m;
    struct op op;

    begin(&op);
    for (int i = 0; i < 2; i++) {
        m = meter_open(i ? R "-moved" : R, "m", "", false);
        add(m, T, i + 1);
        meter_close(m);
    }
    CU_ASSERT_EQUAL_FATAL(meters_write(&op, T + 70, false), OK);
    CU_ASSERT_EQUAL_FATAL(meter_rekey(&op, R, R), OK);
    CU_ASSERT_EQUAL_FATAL(meter_rekey(&op, R "-moved", R), OK);
    read(&op, R, T, T + 600, 60);
    CU_ASSERT_EQUAL_FATAL(n_series, 1);
    check(0, 0, T, 1, 2, 2, 2);
    read(&op, R "-moved", T, T + 600, 60);
    CU_ASSERT_EQUAL(n_series, 0);
    end(&op);
}

static void test_pruning(void)
{
    struct meter *m;
    struct op op;

    begin(&op);
    m = meter_open(R, "m", "", false);
    add(m, T, 1);
    add(m, T + 7200, 2);
    CU_ASSERT_EQUAL_FATAL(meters_write(&op, T + 9000, false), OK);
    CU_ASSERT_EQUAL_FATAL(meters_prune(&op, T + 7300), OK);
    read(&op, R, T, T + 10000, 60);
    CU_ASSERT_EQUAL_FATAL(n_series, 1);
    CU_ASSERT_EQUAL(series[0].n, 1);
    CU_ASSERT_EQUAL_FATAL(meters_prune(&op, T + 20000), OK);
    read(&op, R, T, T + 10000, 60);
    CU_ASSERT_EQUAL(n_series, 0);
    add(m, T + 20000, 3); /* its name was removed, too, and comes back */
    CU_ASSERT_EQUAL_FATAL(meters_write(&op, T + 30000, false), OK);
    read(&op, R, T + 20000 - T % 60, T + 30000, 60);
    CU_ASSERT_EQUAL(n_series, 1);
    meter_close(m);
    end(&op);
}

CU_TestInfo core_meter_tests[] = {
    {"samples become minutes and coarser steps, and gaps stay gaps", test_steps            },
    {"a restart loses nothing and counts nothing twice",             test_restart          },
    {"the last minutes are there as they came",                      test_fine_steps       },
    {"figures go and move with their resource",                      test_ending_and_moving},
    {"more than one transaction takes is written at once",           test_very_many        },
    {"a move to where there were figures",                           test_moving_back      },
    {"what is old goes",                                             test_pruning          },
    CU_TEST_INFO_NULL,
};
