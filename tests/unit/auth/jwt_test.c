#include "auth/jwt.h"

#include <stdlib.h>
#include <string.h>

#include "core/seal.h"
#include "tests/unit/unit.h"

#define ISSUER "https://issuer"

static int n_parsed;

static void *parse_subject(const json_t *claims)
{
    const char *sub = json_string_value(json_object_get(claims, "sub"));

    n_parsed++;
    return sub ? strdup(sub) : NULL;
}

static const char *token_with(struct op *op, const char *issuer, int64_t nbf, int64_t exp,
                              const char *sub)
{
    json_t *claims = json_pack("{s:s,s:I,s:I,s:s*}", "iss", issuer, "nbf", (json_int_t)nbf, "exp",
                               (json_int_t)exp, "sub", sub);
    const char *token = NULL;

    CU_ASSERT_EQUAL_FATAL(jwt_sign(op, claims, &token), OK);
    json_decref(claims);
    return token;
}

static enum fault verify(struct op *op, const char *token, bool may_block)
{
    struct jwt *jwt = NULL;
    enum fault fault = jwt_verify(op, token, ISSUER, parse_subject, free, may_block, &jwt);

    if (fault == OK) {
        CU_ASSERT_STRING_EQUAL(jwt->parsed, "me");
        jwt_release(jwt);
    }
    return fault;
}

static void start(struct op *op)
{
    unit_op(op);
    CU_ASSERT_EQUAL_FATAL(jwt_start(op), OK);
}

static void end(struct op *op)
{
    jwt_stop();
    unit_op_end(op);
}

static void test_good_and_remembered(void)
{
    int64_t now = wall_s();
    const char *token;
    struct op op;

    start(&op);
    token = token_with(&op, ISSUER, now, now + 60, "me");
    CU_ASSERT_EQUAL(verify(&op, token, false), WOULD_BLOCK);
    CU_ASSERT_EQUAL(verify(&op, token, true), OK);
    n_parsed = 0;
    op.db = NULL; /* as on a loop */
    CU_ASSERT_EQUAL(verify(&op, token, false), OK);
    CU_ASSERT_EQUAL(n_parsed, 0);
    unit_op_end(&op);
    jwt_stop();
}

static void test_claims(void)
{
    int64_t now = wall_s();
    struct op op;

    start(&op);
    CU_ASSERT_EQUAL(verify(&op, token_with(&op, ISSUER, now, now, "me"), true), UNAUTHENTICATED);
    CU_ASSERT_STRING_EQUAL(op.message, "the token has expired");
    CU_ASSERT_EQUAL(verify(&op, token_with(&op, ISSUER, now + 3600, now + 7200, "me"), true),
                    UNAUTHENTICATED);
    CU_ASSERT_STRING_EQUAL(op.message, "the token is not valid yet");
    CU_ASSERT_EQUAL(verify(&op, token_with(&op, "https://other", now, now + 60, "me"), true),
                    UNAUTHENTICATED);
    CU_ASSERT_EQUAL(verify(&op, token_with(&op, ISSUER, now, now + 60, NULL), true),
                    UNAUTHENTICATED);
    end(&op);
}

/* Every single changed byte is noticed. */
static void test_forged(void)
{
    int64_t now = wall_s();
    const char *token;
    size_t step;
    struct op op;

    start(&op);
    token = token_with(&op, ISSUER, now, now + 60, "me");
    step = strlen(token) / 60;
    for (size_t i = 0; i < strlen(token); i += step) {
        char *forged = arena_strdup(&op.arena, token);

        forged[i] = forged[i] == 'A' ? 'B' : 'A';
        CU_ASSERT_EQUAL(verify(&op, forged, true), UNAUTHENTICATED);
    }
    CU_ASSERT_EQUAL(verify(&op, "", true), UNAUTHENTICATED);
    CU_ASSERT_EQUAL(verify(&op, arena_printf(&op.arena, "%s.", token), true), UNAUTHENTICATED);
    CU_ASSERT_EQUAL(verify(&op, arena_printf(&op.arena, "%20000d", 1), true), UNAUTHENTICATED);
    end(&op);
}

static const char *const headers[] = {
    "{\"alg\":\"none\",\"kid\":\"%s\"}",
    "{\"alg\":\"HS256\",\"kid\":\"%s\"}",
    "{\"alg\":\"RS512\",\"kid\":\"%s\"}",
    "{\"alg\":\"RS256\",\"kid\":\"%s\",\"crit\":[\"b64\"],\"b64\":false}",
    "{\"alg\":\"RS256\",\"kid\":\"unknown%s\"}",
    "{\"alg\":\"RS256\",\"typ\":\"other\",\"kid\":\"%s\"}",
    "{\"alg\":\"none\",\"alg\":\"RS256\",\"kid\":\"%s\"}",
    "[\"%s\"]",
};

static void test_headers(void)
{
    int64_t now = wall_s();
    const char *token, *rest, *kid;
    struct op op;

    start(&op);
    token = token_with(&op, ISSUER, now, now + 60, "me");
    rest = strchr(token, '.');
    kid = strstr(jwt_jwks(&op), "\"kid\":\"") + 7;
    kid = arena_strndup(&op.arena, kid, strcspn(kid, "\""));
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        struct text header;

        text_init(&header, &op.arena, 512);
        text_add(&header, headers[i], (size_t)(strstr(headers[i], "%s") - headers[i]));
        text_printf(&header, "%s%s", kid, strstr(headers[i], "%s") + 2);
        CU_ASSERT_EQUAL(
            verify(&op,
                   arena_printf(&op.arena, "%s%s",
                                base64_encode(&op.arena, text_bytes(&header), true), rest),
                   true),
            UNAUTHENTICATED);
    }
    end(&op);
}

static void test_keys_are_kept(void)
{
    int64_t now = wall_s();
    const char *token, *keys;
    struct op op;
    json_t *root;

    start(&op);
    token = token_with(&op, ISSUER, now, now + 60, "me");
    keys = jwt_jwks(&op);
    root = json_loads(keys, 0, NULL);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(root, "keys")), 1);
    json_decref(root);
    jwt_stop();
    CU_ASSERT_EQUAL(verify(&op, token, true), OK); /* an unknown kid is looked up */
    CU_ASSERT_STRING_EQUAL(keys, jwt_jwks(&op));
    end(&op);
}

static size_t n_published(struct op *op)
{
    json_t *root = json_loads(jwt_jwks(op), 0, NULL);
    size_t n = json_array_size(json_object_get(root, "keys"));

    json_decref(root);
    return n;
}

/* As if days went by, and the program started anew. In a transaction that is rolled back. */
static void age(struct op *op, int days)
{
    CU_ASSERT_EQUAL_FATAL(
        db_exec(op, arena_printf(&op->arena,
                                 "UPDATE auth.signing_key SET created_at = created_at"
                                 " - interval '%d days'",
                                 days)),
        OK);
    jwt_stop();
    CU_ASSERT_EQUAL_FATAL(jwt_start(op), OK);
}

/* A key signs for 30 days and is published for 60: tokens outlive the change of keys. */
static void test_rotation(void)
{
    int64_t now = wall_s();
    const char *old, *fresh;
    struct op op;

    unit_op(&op);
    CU_ASSERT_EQUAL_FATAL(db_begin(&op), OK);
    CU_ASSERT_EQUAL_FATAL(jwt_start(&op), OK);
    old = token_with(&op, ISSUER, now, now + 60, "me");
    age(&op, 29);
    CU_ASSERT_EQUAL(n_published(&op), 1);
    age(&op, 2);
    CU_ASSERT_EQUAL(n_published(&op), 2);
    fresh = token_with(&op, ISSUER, now, now + 60, "me");
    CU_ASSERT_NOT_EQUAL(strncmp(old, fresh, strcspn(old, ".")), 0);
    CU_ASSERT_EQUAL(verify(&op, old, true), OK);
    CU_ASSERT_EQUAL(verify(&op, fresh, true), OK);
    age(&op, 29);
    CU_ASSERT_EQUAL(n_published(&op), 1);
    CU_ASSERT_EQUAL(verify(&op, old, true), UNAUTHENTICATED);
    CU_ASSERT_EQUAL(verify(&op, fresh, true), OK);
    end(&op);
}

CU_TestInfo auth_jwt_tests[] = {
    {"a good one is remembered", test_good_and_remembered},
    {"claims",                   test_claims             },
    {"forged",                   test_forged             },
    {"headers",                  test_headers            },
    {"keys are kept",            test_keys_are_kept      },
    {"keys change with overlap", test_rotation           },
    CU_TEST_INFO_NULL,
};
