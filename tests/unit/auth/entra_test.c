#include "auth/entra.h"

#include <jansson.h>
#include <string.h>

#include "auth/assignment_store.h"
#include "auth/directory.h"
#include "auth/jwt.h"
#include "auth/managed_identity.h"
#include "auth/object.h"
#include "auth/role_store.h"
#include "auth/tenant.h"
#include "tests/unit/unit.h"

#define BASE "https://localhost:8443"

static const struct {
    const char *resource;
    int audience;
} audiences[] = {
    {"https://localhost:8443",                AUDIENCE_ARM     },
    {"https://localhost:8443/",               AUDIENCE_ARM     },
    {"https://other.example/arm/",            AUDIENCE_ARM     },
    {"https://localhost:8443/ARM",            AUDIENCE_ARM     },
    {"https://localhost:8443/acr",            AUDIENCE_REGISTRY},
    {"https://localhost:8443/graph/",         AUDIENCE_GRAPH   },
    {"https://management.azure.com",          AUDIENCE_ARM     },
    {"https://management.core.windows.net//", AUDIENCE_ARM     },
    {"https://containerregistry.azure.net",   AUDIENCE_REGISTRY},
    {"https://graph.microsoft.com/",          AUDIENCE_GRAPH   },
    {"00000003-0000-0000-c000-000000000000",  AUDIENCE_GRAPH   },
    {"https://vault.azure.net",               0                },
    {"https://storage.azure.com/",            0                },
    {"https://localhost:8443/else",           0                },
    {"http://localhost:8443",                 0                },
    {"api://app",                             0                },
    {"https://",                              0                },
    {"",                                      0                },
};

static void test_audiences(void)
{
    for (size_t i = 0; i < ARRAY_LEN(audiences); i++) {
        CU_ASSERT_EQUAL((int)entra_audience(audiences[i].resource), audiences[i].audience);
    }
}

/* The real start, first principals and all; what a test adds is rolled back. */
static void start(struct op *op)
{
    unit_op(op);
    object_store_start();
    directory_store_start();
    CU_ASSERT_EQUAL_FATAL(jwt_start(op), OK);
    role_store_start();
    assignment_store_start();
    CU_ASSERT_EQUAL_FATAL(tenant_start(op, unit_settings()), OK);
    CU_ASSERT_EQUAL_FATAL(db_begin(op), OK);
}

static void end(struct op *op)
{
    unit_op_end(op);
    directory_stop();
    jwt_stop();
}

static const char *sign(struct op *op, const struct object_row *who, const char *tenant,
                        const char *use, int64_t seconds)
{
    const char *token = NULL;
    json_t *claims =
        json_pack("{s:s, s:s, s:I, s:I, s:I, s:s, s:s, s:s, s:s, s:I}", "iss",
                  arena_printf(&op->arena, BASE "/%s/v2.0", tenant), "aud", BASE "/arm/", "iat",
                  (json_int_t)wall_s(), "nbf", (json_int_t)wall_s(), "exp",
                  (json_int_t)(wall_s() + seconds), "oid", who->id, "tid", tenant, "appid", "app",
                  "token_use", use, "xms_sessions", (json_int_t)who->sessions);

    CU_ASSERT_EQUAL_FATAL(jwt_sign(op, claims, &token), OK);
    json_decref(claims);
    return token;
}

static void refused(struct op *op, const char *token, unsigned wanted, const char *noun)
{
    const struct identity *who;

    op_clear_fault(op);
    CU_ASSERT_EQUAL(entra_verify(op, token, wanted, true, &who), UNAUTHENTICATED);
    CU_ASSERT_STRING_EQUAL(op->noun ? op->noun : "", noun);
}

static void test_verify(void)
{
    struct object_row row = {.kind = OBJECT_USER, .name = "U", .upn = "u@x", .enabled = true};
    const struct identity *who;
    const char *token;
    struct op op;

    start(&op);
    CU_ASSERT_EQUAL_FATAL(object_insert(&op, &row), OK);
    row.document = "{}";
    CU_ASSERT_EQUAL_FATAL(directory_reload(&op), OK);
    token = sign(&op, &row, entra_tenant(), "access", 60);
    CU_ASSERT_EQUAL(entra_verify(&op, token, AUDIENCE_ARM, false, &who), WOULD_BLOCK);
    CU_ASSERT_EQUAL_FATAL(entra_verify(&op, token, AUDIENCE_ARM, true, &who), OK);
    CU_ASSERT_EQUAL(entra_verify(&op, token, AUDIENCE_ARM, false, &who), OK);
    CU_ASSERT_STRING_EQUAL(who->name, "u@x");
    refused(&op, token, AUDIENCE_GRAPH, "InvalidAuthenticationTokenAudience");
    refused(&op, sign(&op, &row, entra_tenant(), "id", 60), AUDIENCE_ARM,
            "InvalidAuthenticationToken");
    refused(&op, sign(&op, &row, entra_tenant(), "access", -5), AUDIENCE_ARM,
            "ExpiredAuthenticationToken");
    refused(&op, sign(&op, &row, "99999999-0000-4000-8000-000000000000", "access", 60),
            AUDIENCE_ARM, "InvalidAuthenticationTokenTenant");
    row.enabled = false;
    CU_ASSERT_EQUAL(object_update(&op, &row, false), OK);
    CU_ASSERT_EQUAL(directory_reload(&op), OK);
    refused(&op, token, AUDIENCE_ARM, "InvalidAuthenticationToken");
    row.enabled = true;
    CU_ASSERT_EQUAL(object_update(&op, &row, true), OK); /* sessions revoked */
    CU_ASSERT_EQUAL(directory_reload(&op), OK);
    refused(&op, token, AUDIENCE_ARM, "InvalidAuthenticationToken");
    end(&op);
}

/* Registry tokens are signed by the same keys and must not open anything here. */
static void test_registry_tokens_are_refused(void)
{
    const char *token;
    json_t *claims;
    struct op op;

    start(&op);
    claims = json_pack("{s:s, s:s, s:I, s:s, s:s}", "iss", "Azure Container Registry", "aud", BASE,
                       "exp", (json_int_t)(wall_s() + 60), "oid",
                       "11111111-1111-4111-8111-111111111111", "token_use", "access");
    CU_ASSERT_EQUAL_FATAL(jwt_sign(&op, claims, &token), OK);
    json_decref(claims);
    refused(&op, token, AUDIENCE_ARM | AUDIENCE_REGISTRY | AUDIENCE_GRAPH | AUDIENCE_OTHER,
            "InvalidAuthenticationToken");
    end(&op);
}

static enum fault ask(struct op *op, const char *path, const char *query, const char *header,
                      struct text *ret)
{
    struct header headers[] = {
        {"metadata",          "true"},
        {"x-identity-header", header},
    };
    struct call c = {.op = *op,
                     .path = path,
                     .query = query,
                     .host = "localhost:8443",
                     .client = "127.0.0.1",
                     .base_url = BASE,
                     .headers = headers,
                     .n_headers = ARRAY_LEN(headers)};
    enum fault fault;

    c.reply.fd = -1;
    fault = managed_identity_token(&c);
    *op = c.op;
    text_init(ret, &op->arena, 65536);
    if (fault == OK && c.reply.n_parts)
        text_add(ret, c.reply.parts[0].bytes.data, c.reply.parts[0].bytes.len);
    return fault;
}

static void test_managed_identity(void)
{
    struct managed_identity identity;
    const char *second;
    struct text answer;
    struct op op;

    start(&op);
    CU_ASSERT_EQUAL_FATAL(managed_identity_create(&op, "/subscriptions/s/x", "group", &identity),
                          OK);
    CU_ASSERT_EQUAL(managed_identity_add_header(&op, identity.principal_id, &second), OK);
    CU_ASSERT_EQUAL(directory_reload(&op), OK);
    CU_ASSERT_EQUAL(ask(&op, "/metadata/identity/oauth2/token",
                        "resource=https%3A%2F%2Fmanagement.azure.com%2F", identity.header, &answer),
                    OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer.data, "\"access_token\":\"ey"));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer.data, identity.client_id));
    CU_ASSERT_EQUAL(
        ask(&op, "/msi/token", "resource=https://management.azure.com", second, &answer), OK);
    CU_ASSERT_EQUAL(ask(&op, "/msi/token", "resource=https://vault.azure.net", second, &answer),
                    INVALID);
    CU_ASSERT_EQUAL(ask(&op, "/msi/token",
                        "resource=https://management.azure.com&client_id=somebody-else", second,
                        &answer),
                    INVALID);
    CU_ASSERT_EQUAL(ask(&op, "/msi/token", "resource=https://management.azure.com", "x.y", &answer),
                    INVALID);
    CU_ASSERT_EQUAL(managed_identity_delete(&op, identity.principal_id), OK);
    CU_ASSERT_EQUAL(directory_reload(&op), OK);
    CU_ASSERT_EQUAL(
        ask(&op, "/msi/token", "resource=https://management.azure.com", second, &answer), INVALID);
    end(&op);
}

CU_TestInfo auth_entra_tests[] = {
    {"audiences",                  test_audiences                  },
    {"what makes a token good",    test_verify                     },
    {"registry tokens are no use", test_registry_tokens_are_refused},
    {"managed identity",           test_managed_identity           },
    CU_TEST_INFO_NULL,
};
