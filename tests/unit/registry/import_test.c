#include "registry/import.h"

#include <string.h>

#include "registry/import_job.h"
#include "tests/unit/registry/store.h"

static void test_split(void)
{
    static const struct {
        const char *image, *host, *rest;
    } cases[] = {
        {"docker.io/library/hello:1", "docker.io",      "library/hello:1"},
        {"localhost:5000/team/app:1", "localhost:5000", "team/app:1"     },
        {"localhost/app",             "localhost",      "app"            },
        {"team/app:1",                NULL,             "team/app:1"     },
        {"app:1",                     NULL,             "app:1"          },
        {"ghcr.io/a/b@sha256:00",     "ghcr.io",        "a/b@sha256:00"  },
    };
    const char *host, *rest;
    struct op op;

    op_init(&op);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        import_split_image(&op, cases[i].image, &host, &rest);
        CU_ASSERT_STRING_EQUAL(rest, cases[i].rest);
        CU_ASSERT_EQUAL(!host, !cases[i].host);
        if (host && cases[i].host) {
            CU_ASSERT_STRING_EQUAL(host, cases[i].host);
        }
    }
    op_free(&op);
}

/* What import_start makes of a request, as its row has it. */
static enum fault started(struct op *op, const struct registry *target, struct import_request *r,
                          struct import_work *work)
{
    const char *id;

    TRY(import_start(op, target, r, &id));
    return import_load(op, id, work);
}

static void begin(struct op *op, struct registry *target)
{
    struct repository repository;

    *target = (struct registry){.name = "unittests"};
    import_store_start();
    store_begin(op, &target->id, &repository);
}

static void test_start(void)
{
    static const char digest[] =
        "app@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    static const struct {
        const char *host, *image, *target;             /* target NULL: none */
        const char *repository, *reference, *to, *tag; /* repository NULL: INVALID */
    } cases[] = {
        {"docker.io",               "hello-world",                "hello:1", "library/hello-world", "latest",   "hello", "1"     },
        {"docker.io",               "docker.io/bitnami/git:2",    "git",     "bitnami/git",         "2",        "git",   "2"     },
        {"https://localhost:5000/", "localhost:5000/team/app:v1", NULL,      "team/app",            "v1",
         "team/app",                                                                                                     "v1"    },
        {"h.example",               digest,                       "a:1",     "app",                 digest + 4, "a",     "1"     },
        {"h.example",               digest,                       "a",       "app",                 digest + 4, "a",     "latest"},
        {"h.example",               "UPPER:1",                    "a:1",     NULL,                  NULL,       NULL,    NULL    },
        {"h.example",               "a@sha256:00",                "a:1",     NULL,                  NULL,       NULL,    NULL    },
        {"h.example",               "a:1",                        digest,    NULL,                  NULL,       NULL,    NULL    },
        {"h.example",               "a:1",                        "a:-x",    NULL,                  NULL,       NULL,    NULL    },
        {"h@evil/",                 "a:1",                        "a:1",     NULL,                  NULL,       NULL,    NULL    },
        {"",                        "a:1",                        "a:1",     NULL,                  NULL,       NULL,    NULL    },
    };
    struct registry target;
    struct op op;

    begin(&op, &target);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct import_request r = {.source_host = cases[i].host,
                                   .source_image = cases[i].image,
                                   .targets = &cases[i].target,
                                   .n_targets = cases[i].target ? 1 : 0};
        struct import_work work;
        enum fault fault = started(&op, &target, &r, &work);

        CU_ASSERT_EQUAL(fault, cases[i].repository ? OK : INVALID);
        op_clear_fault(&op);
        if (fault != OK || !cases[i].repository)
            continue;
        CU_ASSERT_STRING_EQUAL(work.repository, cases[i].repository);
        CU_ASSERT_STRING_EQUAL(work.reference, cases[i].reference);
        CU_ASSERT_EQUAL_FATAL(work.n_targets, 1);
        CU_ASSERT_STRING_EQUAL(work.targets[0].repository, cases[i].to);
        CU_ASSERT_STRING_EQUAL(work.targets[0].tag, cases[i].tag);
    }
    unit_op_end(&op);
}

static void test_job(void)
{
    static const char *const targets[] = {"a:1"};
    struct import_request r = {.source_host = "h.example",
                               .source_image = "a:1",
                               .username = "somebody",
                               .password = "a secret",
                               .targets = targets,
                               .n_targets = 1};
    struct registry target;
    struct import_work work;
    struct import_job job;
    struct op op;
    bool cancelled;

    begin(&op, &target);
    CU_ASSERT_EQUAL_FATAL(started(&op, &target, &r, &work), OK);
    CU_ASSERT_STRING_EQUAL(work.password, "a secret");
    CU_ASSERT_EQUAL(import_progress(&op, work.id, 5, 10, &cancelled), OK);
    CU_ASSERT_FALSE(cancelled);
    CU_ASSERT_EQUAL(import_cancel(&op, work.id), OK);
    CU_ASSERT_EQUAL(import_progress(&op, work.id, 6, -1, &cancelled), OK);
    CU_ASSERT_TRUE(cancelled);
    CU_ASSERT_EQUAL_FATAL(import_get(&op, work.id, &job), OK);
    CU_ASSERT(job.state == IMPORT_RUNNING && job.bytes == 6 && job.total_bytes == 10 && !job.ended);
    CU_ASSERT_EQUAL(import_finish(&op, work.id, IMPORT_CANCELED, "Canceled", "so it was"), OK);
    CU_ASSERT_EQUAL_FATAL(import_get(&op, work.id, &job), OK);
    CU_ASSERT(job.state == IMPORT_CANCELED && job.ended);
    CU_ASSERT_EQUAL(import_load(&op, work.id, &work), NOT_FOUND);
    CU_ASSERT_EQUAL(import_get(&op, "nothing", &job), NOT_FOUND);
    unit_op_end(&op);
}

CU_TestInfo registry_import_tests[] = {
    {"hosts and images",               test_split},
    {"what a request becomes",         test_start},
    {"a job's life, secrets included", test_job  },
    CU_TEST_INFO_NULL,
};
