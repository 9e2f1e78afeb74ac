#include "core/helper.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/unit.h"

/* ---- run in forks of the helper ---- */

static enum fault call_double(struct op *op, struct helper_job *job)
{
    int64_t number = 0;

    TRY(message_int(op, job->in->body, "number", 0, 1000, &number));
    job->out = json_pack("{s:I}", "number", (json_int_t)(2 * number));
    return OK;
}

static enum fault call_refuse(struct op *op, struct helper_job *job)
{
    (void)job;
    return fail_on(op, "thing", NOT_FOUND, "there is no such thing");
}

static enum fault call_die(struct op *op, struct helper_job *job)
{
    (void)op;
    (void)job;
    _exit(3);
}

static void write_byte(void *arg)
{
    if (write(*(int *)arg, "z", 1) != 1)
        _exit(1);
}

static enum fault call_stay(struct op *op, struct helper_job *job)
{
    static int fds[2];

    if (pipe(fds) < 0)
        return fail(op, INTERNAL, "no pipe");
    job->fds[job->n_fds++] = fds[0];
    job->stay = write_byte;
    job->stay_arg = &fds[1];
    return OK;
}

const struct helper_call unit_helper_calls[] = {
    {"unit.double", call_double},
    {"unit.refuse",             call_refuse},
    {"unit.die",call_die},
    {"unit.stay",    call_stay},
    {0            },
};

/* ---- the tests ---- */

static int64_t ask_double(int64_t number)
{
    struct message answer = {0};
    int64_t result = -1;
    struct op op;
    json_t *body = json_pack("{s:I}", "number", (json_int_t)number);

    op_init(&op);
    if (helper_call(&op, "unit.double", body, NULL, 0, &answer) == OK)
        (void)message_int(&op, answer.body, "number", 0, 2000, &result);
    json_decref(body);
    op_free(&op);
    return result;
}

static void *ask_many(void *arg)
{
    bool *right = arg;

    for (int64_t i = 0; i < 20; i++)
        *right = *right && ask_double(i) == 2 * i;
    return NULL;
}

static void test_many_at_once(void)
{
    bool right[4] = {true, true, true, true};
    pthread_t threads[4];

    for (int i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(pthread_create(&threads[i], NULL, ask_many, &right[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        CU_ASSERT_TRUE(right[i]);
    }
}

static void test_faults_cross(void)
{
    struct op op;

    op_init(&op);
    CU_ASSERT_EQUAL(helper_call(&op, "unit.refuse", NULL, NULL, 0, NULL), NOT_FOUND);
    CU_ASSERT_STRING_EQUAL(op.message, "there is no such thing");
    CU_ASSERT_STRING_EQUAL(op.noun, "thing");
    CU_ASSERT_EQUAL(helper_call(&op, "unit.die", NULL, NULL, 0, NULL), UNAVAILABLE);
    CU_ASSERT_EQUAL(helper_call(&op, "unit.unknown", NULL, NULL, 0, NULL), INTERNAL);
    CU_ASSERT_EQUAL(ask_double(1), 2);
    op_free(&op);
}

static void test_a_call_stays(void)
{
    struct message answer = {0};
    struct op op;
    char byte = 0;

    op_init(&op);
    CU_ASSERT_EQUAL(helper_call(&op, "unit.stay", NULL, NULL, 0, &answer), OK);
    CU_ASSERT_EQUAL(answer.n_fds, 1);
    CU_ASSERT_EQUAL(read(answer.fds[0], &byte, 1), 1);
    CU_ASSERT_EQUAL(byte, 'z');
    message_close_fds(&answer);
    op_free(&op);
}

CU_TestInfo core_helper_tests[] = {
    {"many at once", test_many_at_once},
    {"faults cross", test_faults_cross},
    {"a call stays", test_a_call_stays},
    CU_TEST_INFO_NULL,
};
