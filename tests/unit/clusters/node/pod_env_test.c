/* Containers' environments: $(NAME), and how much there may be. */
#include "tests/unit/clusters/node/pass.h"

static void test_expand(void)
{
    static const char *const env[] = {"A=one", "E=", NULL};
    static const struct {
        const char *text;
        size_t max;
        const char *expected; /* NULL: it is too long */
    } cases[] = {
        {"plain",        100, "plain"      },
        {"$(A)-$(A)",    100, "one-one"    },
        {"$$(A) $ $$",   100, "$(A) $ $"   },
        {"$(B) $(A",     100, "$(B) $(A"   },
        {"$(B$(A))$(A)", 100, "$(B$(A))one"}, /* as kubelet: a name goes up to the next ')' */
        {"$($($(A",      100, "$($($(A"    },
        {"$(E)",         100, ""           },
        {"$(A)$(A)",     5,   NULL         },
        {"plain",        4,   NULL         },
    };
    struct op op;

    op_init(&op);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *is = expand(&op, cases[i].text, env, cases[i].max);

        if (!cases[i].expected) {
            CU_ASSERT_PTR_NULL(is);
            continue;
        }
        CU_ASSERT_PTR_NOT_NULL_FATAL(is);
        CU_ASSERT_STRING_EQUAL(is, cases[i].expected);
    }
    op_free(&op);
}

/* A variable of the secret's key, then n more of one kind. */
static json_t *container(size_t n, const char *more)
{
    json_t *env = json_array();

    json_array_append_new(env, json_pack("{s:s, s:{s:{s:s, s:s}}}", "name", "A", "valueFrom",
                                         "secretKeyRef", "name", "big", "key", "k"));
    for (size_t i = 0; i < n; i++)
        json_array_append_new(env, json_pack("{s:s, s:s}", "name", "B", "value", more));
    return json_pack("{s:s, s:o}", "name", "c", "env", env);
}

static void test_amount(void)
{
    static const struct {
        size_t bytes, n;
        const char *more;
        enum fault fault;
    } cases[] = {
        {10,     1,    "$(A)",             OK     },
        {600000, 2,    "$(A)",             OK     },
        {600000, 3,    "$(A)",             INVALID}, /* each costs its bytes, if it is replaced, too */
        {600000, 1,    "$(A)$(A)",         OK     },
        {600000, 1,    "$(A)$(A)$(A)$(A)", INVALID},
        {10,     9000, "$(A)",             OK     },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        json_t *one = container(cases[i].n, cases[i].more);
        size_t left = POD_TEXTS_MAX;
        const char *const *env;
        struct pass pass;
        enum fault fault;

        pass_begin(&pass, cases[i].bytes);
        pass_pod(&pass, json_pack("{s:[O]}", "containers", one));
        fault = pod_env(&pass.p, one, NULL, &left, &env);
        CU_ASSERT_EQUAL(fault, cases[i].fault);
        if (fault == OK) {
            CU_ASSERT(left < POD_TEXTS_MAX - cases[i].bytes * (1 + cases[i].n));
        } else {
            CU_ASSERT_STRING_EQUAL(pass.p.op->noun, "CreateContainerConfigError");
        }
        json_decref(one);
        pass_end(&pass);
    }
}

CU_TestInfo clusters_node_pod_env_tests[] = {
    {"$(NAME)",                 test_expand},
    {"how much variables hold", test_amount},
    CU_TEST_INFO_NULL,
};
