/* What a pod's volumes hold: how much of it there may be, and whose it is. */
#include <stdio.h>

#include "tests/unit/clusters/node/pass.h"

/* One volume of the secret, whose key is n files; and it so many times. */
static json_t *volumes(size_t n_volumes, size_t n)
{
    json_t *items = json_array(), *list = json_array();

    for (size_t i = 0; i < n; i++) {
        char path[32];

        snprintf(path, sizeof(path), "f%zu", i);
        json_array_append_new(items, json_pack("{s:s, s:s}", "key", "k", "path", path));
    }
    for (size_t i = 0; i < n_volumes; i++) {
        char name[32];

        snprintf(name, sizeof(name), "v%zu", i);
        json_array_append_new(list, json_pack("{s:s, s:{s:s, s:O}}", "name", name, "secret",
                                              "secretName", "big", "items", items));
    }
    json_decref(items);
    return json_pack("{s:o}", "volumes", list);
}

static void test_amount(void)
{
    static const struct {
        size_t bytes, volumes, files;
        enum fault fault;
    } cases[] = {
        {500000, 1,   20,   OK     },
        {500000, 1,   40,   INVALID}, /* 26 MiB as base64 */
        {500000, 8,   4,    INVALID}, /* the budget is the pod's */
        {10,     1,   1024, OK     },
        {10,     1,   1025, INVALID},
        {10,     256, 1,    OK     },
        {10,     257, 1,    INVALID},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct volume_spec *list;
        struct pass pass;
        size_t n = 0;

        pass_begin(&pass, cases[i].bytes);
        pass_pod(&pass, volumes(cases[i].volumes, cases[i].files));
        CU_ASSERT_EQUAL(pod_volumes(&pass.p, &list, &n), cases[i].fault);
        if (cases[i].fault == OK) {
            CU_ASSERT_EQUAL_FATAL(n, cases[i].volumes);
            CU_ASSERT_EQUAL(list[n - 1].n_files, cases[i].files);
            CU_ASSERT_EQUAL(list[n - 1].files[cases[i].files - 1].content.len, cases[i].bytes);
        } else {
            CU_ASSERT_PTR_NOT_NULL(pass.p.op->message);
        }
        pass_end(&pass);
    }
}

/* Only a token is opened to those who run as anybody: a secret beside it keeps its mode. */
static void test_token_mode(void)
{
    struct volume_spec *list;
    struct pass pass;
    size_t n;

    pass_begin(&pass, 10);
    pass_pod(&pass,
             json_pack("{s:[{s:s, s:{s:[{s:{s:s, s:[{s:s, s:s, s:i}]}}, {s:{s:s}}]}}]}", "volumes",
                       "name", "v", "projected", "sources", "secret", "name", "big", "items", "key",
                       "k", "path", "pw", "mode", 0600, "serviceAccountToken", "path", "token"));
    pass.memory.files =
        json_pack("{s:{s:s, s:I}}", "v/token", "token", "t", "renew", (json_int_t)wall_s() + 9999);
    CU_ASSERT_EQUAL_FATAL(pod_volumes(&pass.p, &list, &n), OK);
    CU_ASSERT_EQUAL_FATAL(list[0].n_files, 2);
    CU_ASSERT_EQUAL(list[0].files[0].mode, 0600);
    CU_ASSERT_STRING_EQUAL(list[0].files[1].path, "token");
    CU_ASSERT_EQUAL(list[0].files[1].mode, 0644);
    pass_end(&pass);
}

/* A sandbox that could not be told what its files are now is told again; not one that was. */
static void test_told_again(void)
{
    struct volume_spec *list;
    struct pass pass;
    size_t n;

    pass_begin(&pass, 10);
    pass_pod(&pass, volumes(1, 1));
    CU_ASSERT_EQUAL_FATAL(pod_volumes(&pass.p, &list, &n), OK);
    for (int tries = 0; tries < 3; tries++) { /* there is no sandbox here */
        CU_ASSERT_NOT_EQUAL(pod_volumes_refresh(&pass.p), OK);
        op_clear_fault(pass.p.op);
    }
    pod_volumes_told(&pass.p, list, n);
    CU_ASSERT_EQUAL(pod_volumes_refresh(&pass.p), OK);
    stage_patch(&pass.s, "secrets", "big", NULL, "{\"data\":{\"k\":\"bmV3\"}}");
    for (int tries = 0; tries < 3; tries++) {
        CU_ASSERT_NOT_EQUAL(pod_volumes_refresh(&pass.p), OK);
        op_clear_fault(pass.p.op);
    }
    pass_end(&pass);
}

CU_TestInfo clusters_node_pod_volume_tests[] = {
    {"how much volumes hold",  test_amount    },
    {"modes beside a token's", test_token_mode},
    {"told again until it is", test_told_again},
    CU_TEST_INFO_NULL,
};
