#include "instances/image.h"

#include <stdlib.h>
#include <string.h>

#include "auth/assignment_store.h"
#include "auth/directory.h"
#include "auth/object.h"
#include "auth/role.h"
#include "auth/role_store.h"
#include "auth/throttle.h"
#include "core/seal.h"
#include "instances/image_parts.h"
#include "registry/hash.h"
#include "registry/platform.h"
#include "registry/registry_token_store.h"
#include "registry/scope_map_store.h"
#include "registry/webhook.h"
#include "tests/unit/registry/store.h"

#define DIGEST "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define OTHER  "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

/* ---- names ---- */

static const struct settings listens = {
    .listen = {"127.0.0.1:8443", "[::1]:8443"},
    .plain_listen = {"127.0.0.1:8480"               },
    .tls_names = {"sundog.test"},
    .public_url = "https://cloud.example:9000",
};

static const char *const addresses[] = {"127.0.0.1:8443", "[::1]:8443", "127.0.0.1:8480", NULL};

static void test_names(void)
{
    static const struct {
        const char *text, *registry, *host, *repository, *reference; /* repository NULL: INVALID */
    } cases[] = {
        {"nginx",                                     NULL,     "docker.io",                     "library/nginx", "latest"},
        {"nginx:1.25",                                NULL,     "docker.io",                     "library/nginx", "1.25"  },
        {"bitnami/git:2",                             NULL,     "docker.io",                     "bitnami/git",   "2"     },
        {"docker.io/nginx",                           NULL,     "docker.io",                     "library/nginx", "latest"},
        {"index.docker.io/library/nginx",             NULL,     "docker.io",                     "library/nginx", "latest"},
        {"nginx@" DIGEST,                             NULL,     "docker.io",                     "library/nginx", DIGEST  },
        {"nginx:1@" DIGEST,                           NULL,     "docker.io",                     "library/nginx", DIGEST  },
        {"ghcr.io/a/b",                               NULL,     "ghcr.io",                       "a/b",           "latest"},
        {"GHCR.io/a/b:V1",                            NULL,     "ghcr.io",                       "a/b",           "V1"    },
        {"localhost:5000/app:1",                      NULL,     "localhost:5000",                "app",           "1"     },
        {"localhost/app",                             NULL,     "localhost",                     "app",           "latest"},
        {"[::1]:5000/app",                            NULL,     "[::1]:5000",                    "app",           "latest"},
        {"sundog.azurecr.io/app:1",                   "sundog", "sundog.azurecr.io",             "app",           "1"     },
        {"Sundog.AzureCR.io/team/app",                "sundog", "sundog.azurecr.io",             "team/app",      "latest"},
        {"sundog.azurecr.localhost:8443/app@" DIGEST, "sundog", "sundog.azurecr.localhost:8443",
         "app",                                                                                                   DIGEST  },
        {"localhost:8480/sundog/app:1",               "sundog", "localhost:8480",                "app",           "1"     },
        {"127.0.0.1:8480/sundog/team/app",            "sundog", "127.0.0.1:8480",                "team/app",      "latest"},
        {"[::1]:8443/sundog/app",                     "sundog", "[::1]:8443",                    "app",           "latest"},
        {"localhost:8443/sundog/app",                 "sundog", "localhost:8443",                "app",           "latest"},
        {"sundog.test:8443/sundog/app",               "sundog", "sundog.test:8443",              "app",           "latest"},
        {"cloud.example:9000/sundog/app",             "sundog", "cloud.example:9000",            "app",           "latest"},
        {"other.test:8443/sundog/app",                NULL,     "other.test:8443",               "sundog/app",    "latest"},
        {"localhost:8480/app",                        NULL,     NULL,                            NULL,            NULL    }, /* names no registry */
        {"",                                          NULL,     NULL,                            NULL,            NULL    },
        {"Nginx",                                     NULL,     NULL,                            NULL,            NULL    },
        {"nginx:",                                    NULL,     NULL,                            NULL,            NULL    },
        {"nginx:-1",                                  NULL,     NULL,                            NULL,            NULL    },
        {"nginx@sha256:00",                           NULL,     NULL,                            NULL,            NULL    },
        {"https://ghcr.io/a/b",                       NULL,     NULL,                            NULL,            NULL    },
        {"ghcr.io/",                                  NULL,     NULL,                            NULL,            NULL    },
        {"ghcr.io/a/../b",                            NULL,     NULL,                            NULL,            NULL    },
        {"a b",                                       NULL,     NULL,                            NULL,            NULL    },
        {"-x.io/a",                                   NULL,     NULL,                            NULL,            NULL    },
        {"x.io:port/a",                               NULL,     NULL,                            NULL,            NULL    },
        {"u:p@x.io/a",                                NULL,     NULL,                            NULL,            NULL    },
        {"_public.azurecr.io/x",                      NULL,     NULL,                            NULL,            NULL    },
    };

    image_name_start(&listens, addresses);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct image_name name;
        enum fault fault;
        struct op op;

        op_init(&op);
        fault = image_name_parse(&op, cases[i].text, &name);
        if (fault != (cases[i].repository ? OK : INVALID)) {
            fprintf(stderr, "%s: %s\n", cases[i].text, fault_name(fault));
            CU_FAIL("another fault");
        } else if (fault == OK) {
            CU_ASSERT_STRING_EQUAL(name.host, cases[i].host);
            CU_ASSERT_STRING_EQUAL(name.repository, cases[i].repository);
            CU_ASSERT_STRING_EQUAL(name.reference, cases[i].reference);
            CU_ASSERT_EQUAL(!name.registry, !cases[i].registry);
            if (name.registry && cases[i].registry) {
                CU_ASSERT_STRING_EQUAL(name.registry, cases[i].registry);
            }
        } else {
            CU_ASSERT_STRING_EQUAL(op.noun, "image");
        }
        op_free(&op);
    }
}

static void test_servers(void)
{
    static const struct {
        const char *server, *image;
        bool same;
    } cases[] = {
        {"sundog.azurecr.io",           "sundog.azurecr.localhost:8443/app", true },
        {"https://sundog.azurecr.io/",  "sundog.azurecr.io/app",             true },
        {"sundog.azurecr.io",           "localhost:8480/sundog/app",         true },
        {"localhost:8480",              "localhost:8480/sundog/app",         true },
        {"localhost:8480",              "sundog.azurecr.io/app",             true },
        {"other.azurecr.io",            "sundog.azurecr.io/app",             false},
        {"https://index.docker.io/v1/", "nginx",                             true },
        {"docker.io",                   "ghcr.io/nginx",                     false},
        {"GHCR.io",                     "ghcr.io/a/b",                       true },
        {"localhost:5000",              "localhost:5001/a",                  false},
    };

    image_name_start(&listens, addresses);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct image_name name;
        struct op op;

        op_init(&op);
        CU_ASSERT_EQUAL_FATAL(image_name_parse(&op, cases[i].image, &name), OK);
        CU_ASSERT_EQUAL(image_server_is(&op, cases[i].server, &name), cases[i].same);
        op_free(&op);
    }
}

/* ---- documents ---- */

#define MANIFEST(config_type, layers)                                                              \
    "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" config_type "\",\"digest\":\"" DIGEST      \
    "\",\"size\":2},\"layers\":[" layers "]}"
#define OCI   "application/vnd.oci.image.config.v1+json"
#define LAYER "{\"digest\":\"" OTHER "\",\"size\":7}"
#define GOOD  MANIFEST(OCI, LAYER)
#define ROOT  "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" DIGEST "\"]}"

static void test_documents(void)
{
    static const struct {
        const char *manifest, *config;
        enum fault fault;
        const char *why;
    } cases[] = {
        {GOOD,                                                      "{" ROOT "}",                              OK,                       ""},
        {MANIFEST("application/vnd.docker.container.image.v1+json", LAYER),                                    "{" ROOT "}",             OK,""},
        {MANIFEST("application/vnd.cncf.helm.config.v1+json",                                                         LAYER),                                                "{" ROOT "}",          INVALID,
         "helm"},
        {MANIFEST(OCI,                                                    LAYER "," LAYER),                                                                                             "{" ROOT "}",                                                                                                          INVALID,"2 layers"},
        {GOOD,                                                  "{}",                                                                                 INVALID,"1 layers, and its config names 0"},
        {GOOD,                                                  "[]",INVALID,  "config cannot be read"},
        {GOOD,                                                  "{" ROOT ",\"config\":{\"Env\":[1]}}",                                                                                            INVALID,                                                                                                                   "Env"                                                                       },
        {GOOD,                                                  "{" ROOT ",\"config\":{\"Cmd\":\"ls\"}}",INVALID,"Cmd"},
        {GOOD,                                                  "{" ROOT ",\"config\":{\"Cmd\":null}}",                                                                                            OK,                                                                                                                                                                                                                    ""                                                                                                                                                                                                                                                                                                                                                                                          },
        {GOOD,                                                       "{" ROOT ",\"os\":\"windows\",\"architecture\":\"amd64\"}",   UNSUPPORTED,
         "it has windows/amd64"},
        {GOOD,                                              "{" ROOT ",\"os\":\"linux\",\"architecture\":\"s390y\"}",                                                                               UNSUPPORTED,
         "it has linux/s390y"                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                         },
        {MANIFEST(OCI,                                              "{\"digest\":\"x\",\"size\":7}"),                                                                                 "{" ROOT "}",                                                                                                         INVALID,"without a digest"},
        {MANIFEST(OCI,                                             "{\"digest\":\"" OTHER "\",\"size\":-7}"),"{" ROOT "}",INVALID,
         "without a digest"},
        {GOOD,"{\"rootfs\":{\"diff_ids\":[\"sha256:../../x\"]}}",   INVALID,                                                                                                                        "without a digest"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct image_parts parts = {0};
        struct op op;
        const char *digest;
        int64_t size;
        enum fault fault;

        op_init(&op);
        fault = image_config_of(&op, "app:1", BYTES(cases[i].manifest), &digest, &size);
        if (fault == OK)
            fault = image_parse(&op, "app:1", DIGEST, BYTES(cases[i].manifest),
                                BYTES(cases[i].config), &parts);
        if (fault != cases[i].fault || (fault != OK && !strstr(op.message, cases[i].why))) {
            fprintf(stderr, "case %zu: %s\n", i, op.message ? op.message : "OK");
            CU_FAIL("another answer");
        }
        op_free(&op);
    }
}

static void test_config(void)
{
    static const char config[] =
        "{" ROOT ",\"config\":{\"Entrypoint\":[\"/bin/sh\",\"-c\"],\"Cmd\":[\"ls\"],\"Env\":["
        "\"A=1\",\"B=\"],\"User\":\"app\",\"WorkingDir\":\"/w\",\"StopSignal\":\"SIGINT\"}}";
    struct image_parts parts, again;
    struct op op;

    op_init(&op);
    image_forget_parts();
    CU_ASSERT_FALSE(image_recall(&op, DIGEST, &again));
    CU_ASSERT_EQUAL_FATAL(image_parse(&op, "a", DIGEST, BYTES(GOOD), BYTES(config), &parts), OK);
    for (int i = 0; i < 300; i++) { /* more than are kept */
        struct image_parts other = parts;

        other.image.digest = arena_printf(&op.arena, "sha256:%064d", i);
        image_remember(&other);
    }
    image_remember(&parts);
    CU_ASSERT_FALSE(image_recall(&op, arena_printf(&op.arena, "sha256:%064d", 0), &again));
    CU_ASSERT_TRUE(image_recall(&op, arena_printf(&op.arena, "sha256:%064d", 299), &again));
    CU_ASSERT_TRUE_FATAL(image_recall(&op, DIGEST, &again));
    CU_ASSERT_STRING_EQUAL(again.image.entrypoint[0], "/bin/sh");
    CU_ASSERT_STRING_EQUAL(again.image.entrypoint[1], "-c");
    CU_ASSERT_PTR_NULL(again.image.entrypoint[2]);
    CU_ASSERT_STRING_EQUAL(again.image.cmd[0], "ls");
    CU_ASSERT_STRING_EQUAL(again.image.env[1], "B=");
    CU_ASSERT_STRING_EQUAL(again.image.user, "app");
    CU_ASSERT_STRING_EQUAL(again.image.cwd, "/w");
    CU_ASSERT_STRING_EQUAL(again.image.stop_signal, "SIGINT");
    CU_ASSERT_STRING_EQUAL(again.image.layers[0], DIGEST);
    CU_ASSERT_STRING_EQUAL(again.layers[0].digest, OTHER);
    CU_ASSERT_EQUAL(again.n_layers, 1);
    image_forget_parts();
    op_free(&op);
}

#define AT(os, arch, more)                                                                         \
    ",\"platform\":{\"os\":\"" os "\",\"architecture\":\"" arch "\"" more "}}"
#define IS(digest) "{\"digest\":\"" digest "\""
#ifdef __x86_64__
#define HERE  "amd64"
#define THERE "arm64"
#else
#define HERE  "arm64"
#define THERE "amd64"
#endif

static void test_platforms(void)
{
    static const struct {
        const char *list, *digest; /* NULL: UNSUPPORTED */
        const char *why;
    } cases[] = {
        {IS(OTHER) AT("linux",   THERE,                       "") "," IS(DIGEST) AT("linux",                                                     HERE, ""), DIGEST, ""},
        {IS(OTHER) AT("unknown",                   "unknown",                                        "") "," IS(DIGEST) AT("linux",                                                                                                                       HERE, ""), DIGEST, ""},
        {IS(OTHER) AT("windows", HERE, "") "," IS(DIGEST) AT("linux",              HERE, ""), DIGEST, ""},
        {IS(OTHER) AT("linux",                   HERE,                                        ",\"variant\":\"v99\"") "," IS(DIGEST) AT("linux",                                                                                                                       HERE, ""),
         DIGEST, ""},
        {IS(OTHER) AT("linux", HERE,                        ",\"variant\":\"v99\""),                                                                            NULL, "v99"},
        {IS(DIGEST) "}",                   DIGEST,                                        ""                                                                                                                      },
        {IS(DIGEST) "}," IS(OTHER) "}",   NULL,        "none"},
        {IS(OTHER) AT("linux",                   THERE,                                              "") "," IS(DIGEST) AT("unknown",                                                                                                                             "unknown", ""), NULL,
         "there is no image for linux/" HERE " in app:1; it has linux/" THERE},
        {"",   NULL,                          "none"                                                            },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *digest = "", *index;
        enum fault fault;
        struct op op;

        op_init(&op);
        index = arena_printf(&op.arena, "{\"manifests\":[%s]}", cases[i].list);
        fault = platform_choose(&op, "app:1", BYTES(index), &digest);
        CU_ASSERT_EQUAL(fault, cases[i].digest ? OK : UNSUPPORTED);
        if (cases[i].digest) {
            CU_ASSERT_STRING_EQUAL(digest, cases[i].digest);
        } else {
            CU_ASSERT_PTR_NOT_NULL(strstr(op.message, cases[i].why));
        }
        op_free(&op);
    }
}

/* ---- rights ---- */

#define SUBSCRIPTION "11111111-1111-1111-1111-111111111111"
#define SCOPE_OF_IT                                                                                \
    "/subscriptions/" SUBSCRIPTION                                                                 \
    "/resourceGroups/g/providers/Microsoft.ContainerRegistry/registries/unittests"

struct pull_case {
    const char *image, *subscription;
    const char *server, *user,
        *password;        /* server NULL: no credentials; password "*": the right one */
    bool none, anonymous; /* --pull-default none; the registry's anonymous pull */
    enum fault fault;
};

static enum fault ask(struct op *op, const struct pull_case *r, const char *password)
{
    struct image_credential credential = {
        r->server, r->user, r->password && *r->password == '*' ? password : r->password};
    struct image_request request = {.name = r->image,
                                    .subscription = r->subscription,
                                    .credentials = &credential,
                                    .n_credentials = r->server ? 1 : 0};
    const struct registry *registry;
    struct image_name name;

    TRY(image_name_parse(op, r->image, &name));
    return image_rights(op, &request, &name, &registry);
}

static void set_anonymous(struct op *op, int64_t id, bool on)
{
    struct registry_options options;

    registry_options_default(&options, SKU_PREMIUM);
    options.admin_enabled = true;
    options.anonymous_pull = on;
    CU_ASSERT_EQUAL_FATAL(registry_update(op, id, &options), OK);
    CU_ASSERT_EQUAL_FATAL(registry_reload(op), OK);
}

static void test_rights(void)
{
    static const char app[] = "unittests.azurecr.io/team/app:1", io[] = "unittests.azurecr.io";
    const struct pull_case rights[] = {
        {app,                            SUBSCRIPTION,                           NULL,                            NULL,        NULL,    false, false, OK       },
        {app,                            SUBSCRIPTION,                           NULL,                            NULL,        NULL,    true,  false, FORBIDDEN},
        {app,                            SUBSCRIPTION,                           NULL,                            NULL,        NULL,    true,  true,  OK       },
        {app,                            "22222222-2222-2222-2222-222222222222", NULL,                            NULL,        NULL,    false, false, FORBIDDEN},
        {app,                            "11111111",                             NULL,                            NULL,        NULL,    false, false, FORBIDDEN},
        {app,                            "",                                     NULL,                            NULL,        NULL,    false, false, FORBIDDEN},
        {app,                            NULL,                                   NULL,                            NULL,        NULL,    false, true,  OK       },
        {app,                            NULL,                                   io,                              "unittests", "*",     true,  false, OK       },
        {app,                            NULL,                                   "https://unittests.azurecr.io/", "UnitTests", "*",     true,  false, OK       },
        {app,                            SUBSCRIPTION,                           io,                              "unittests", "wrong", false, true,  FORBIDDEN}, /* wrong is wrong */
        {app,                            NULL,                                   io,                              "somebody",  "*",     true,  false, FORBIDDEN},
        {app,                            NULL,                                   io,                              NULL,        NULL,    true,  false, FORBIDDEN},
        {app,                            NULL,                                   "other.azurecr.io",              "unittests", "*",     true,  false, FORBIDDEN},
        {"nosuch.azurecr.localhost/app", SUBSCRIPTION,                           NULL,                            NULL,        NULL,    false, false, NOT_FOUND},
        {"nosuch1.azurecr.io/app",       SUBSCRIPTION,                           NULL,                            NULL,        NULL,    false, false,
         OK                                                                                                                                                    }, /* another's */
        {"nginx",                        NULL,                                   NULL,                            NULL,        NULL,    true,  false, OK       },
    };
    struct settings settings = *unit_settings();
    struct repository repository;
    const char *password;
    int64_t id;
    struct op op;

    store_begin(&op, &id, &repository);
    scope_map_store_start();
    registry_token_store_start();
    webhook_store_start();
    throttle_reset();
    registry_settings = &settings;
    CU_ASSERT_EQUAL_FATAL(registry_set_scope(&op, id, SCOPE_OF_IT), OK);
    CU_ASSERT_EQUAL_FATAL(registry_reload(&op), OK);
    password = registry_password(&op, registry_find_id(&op, id), 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(password);
    for (size_t i = 0; i < ARRAY_LEN(rights); i++) {
        enum fault fault;

        settings.pull_default = rights[i].none ? "none" : "subscription";
        set_anonymous(&op, id, rights[i].anonymous);
        fault = ask(&op, &rights[i], password);
        if (fault != rights[i].fault) {
            fprintf(stderr, "case %zu: %s\n", i, op.message ? op.message : "OK");
            CU_FAIL("another right");
        }
        CU_ASSERT_TRUE(fault == OK || strcmp(op.noun, "image") == 0);
        op_clear_fault(&op);
    }
    throttle_reset();
    registry_settings = unit_settings();
    unit_op_end(&op);
    unit_op(&op);
    CU_ASSERT_EQUAL(registry_reload(&op), OK); /* what was rolled back is forgotten */
    unit_op_end(&op);
}

static const char *new_principal(struct op *op)
{
    struct object_row row = {.kind = OBJECT_SERVICE_PRINCIPAL, .name = "mi", .enabled = true};
    char app_id[37];

    random_uuid(app_id);
    row.app_id = app_id;
    CU_ASSERT_EQUAL_FATAL(object_insert(op, &row), OK);
    return row.id;
}

static enum fault ask_as(struct op *op, const char *const *principals)
{
    struct image_request request = {.name = "unittests.azurecr.io/team/app",
                                    .principals = principals};
    const struct registry *registry;
    struct image_name name;
    enum fault fault;

    CU_ASSERT_EQUAL(image_name_parse(op, request.name, &name), OK);
    fault = image_rights(op, &request, &name, &registry);
    op_clear_fault(op);
    return fault;
}

/* One of a group's managed identities that may pull is enough. */
static void test_identities(void)
{
    struct role_assignment a = {.scope = SCOPE_OF_IT, .role_id = ROLE_ACR_PULL};
    const char *principals[3] = {NULL, NULL, NULL};
    struct repository repository;
    char assignment[37];
    int64_t id;
    struct op op;
    bool created;

    store_begin(&op, &id, &repository);
    scope_map_store_start();
    registry_token_store_start();
    webhook_store_start();
    object_store_start();
    role_store_start();
    assignment_store_start();
    directory_store_start();
    CU_ASSERT_EQUAL_FATAL(registry_set_scope(&op, id, SCOPE_OF_IT), OK);
    CU_ASSERT_EQUAL_FATAL(registry_reload(&op), OK);
    principals[0] = new_principal(&op);
    principals[1] = new_principal(&op);
    CU_ASSERT_EQUAL_FATAL(directory_reload(&op), OK);
    CU_ASSERT_EQUAL(ask_as(&op, principals), FORBIDDEN);
    random_uuid(assignment);
    a.id = assignment;
    a.principal_id = principals[1];
    CU_ASSERT_EQUAL_FATAL(role_assignment_put(&op, &a, "tests", &created), OK);
    CU_ASSERT_EQUAL_FATAL(directory_reload(&op), OK);
    CU_ASSERT_EQUAL(ask_as(&op, principals), OK);
    principals[1] = "33333333-3333-3333-3333-333333333333"; /* there is no such principal */
    CU_ASSERT_EQUAL(ask_as(&op, principals), FORBIDDEN);
    unit_op_end(&op);
    unit_op(&op);
    CU_ASSERT_EQUAL(registry_reload(&op), OK);
    CU_ASSERT_EQUAL(directory_reload(&op), OK);
    unit_op_end(&op);
}

CU_TestInfo instances_image_tests[] = {
    {"names",                  test_names     },
    {"servers of credentials", test_servers   },
    {"documents",              test_documents },
    {"what a config says",     test_config    },
    {"platforms",              test_platforms },
    {"who may pull",           test_rights    },
    {"managed identities",     test_identities},
    CU_TEST_INFO_NULL,
};
