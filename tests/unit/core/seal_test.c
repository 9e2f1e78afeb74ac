#include "core/seal.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static void load(struct op *op)
{
    op_init(op);
    CU_ASSERT_EQUAL_FATAL(
        seal_load(op, arena_printf(&op->arena, "%s/secret.key", unit_folder()), true), OK);
}

static void test_sealed_opens_only_whole_and_under_its_label(void)
{
    struct op op;
    struct bytes sealed, plain;

    load(&op);
    sealed = seal(&op, "a/1", BYTES("secret"));
    CU_ASSERT_EQUAL(sealed.len, 12 + 6 + 16);
    CU_ASSERT_EQUAL(unseal(&op, "a/1", sealed, &plain), OK);
    CU_ASSERT_STRING_EQUAL((const char *)plain.data, "secret");
    CU_ASSERT_EQUAL(unseal(&op, "a/2", sealed, &plain), INVALID);
    CU_ASSERT_EQUAL(unseal(&op, "a/1", (struct bytes){sealed.data, 27}, &plain), INVALID);
    for (size_t i = 0; i < sealed.len; i++) {
        uint8_t *damaged = arena_memdup(&op.arena, sealed.data, sealed.len);

        damaged[i] ^= 1;
        CU_ASSERT_EQUAL(unseal(&op, "a/1", (struct bytes){damaged, sealed.len}, &plain), INVALID);
    }
    sealed = seal(&op, "empty", (struct bytes){"", 0});
    CU_ASSERT_EQUAL(unseal(&op, "empty", sealed, &plain), OK);
    CU_ASSERT_EQUAL(plain.len, 0);
    op_free(&op);
}

static void test_key_file(void)
{
    const char *path;
    struct stat st;
    struct op op;
    FILE *file;

    load(&op);
    path = arena_printf(&op.arena, "%s/other.key", unit_folder());
    CU_ASSERT_EQUAL(seal_load(&op, path, false), INVALID);
    CU_ASSERT_EQUAL(seal_load(&op, path, true), OK);
    CU_ASSERT_EQUAL(stat(path, &st), 0);
    CU_ASSERT_EQUAL(st.st_mode & 0777, 0600);
    CU_ASSERT_EQUAL(st.st_size, 65);
    chmod(path, 0640);
    CU_ASSERT_EQUAL(seal_load(&op, path, true), INVALID);
    chmod(path, 0600);
    file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs("not hex", file);
    fclose(file);
    CU_ASSERT_EQUAL(seal_load(&op, path, true), INVALID);
    op_free(&op);
    load(&op); /* the others go on with the first key */
    op_free(&op);
}

static void test_secrets(void)
{
    struct op op;
    const char *hash;

    load(&op);
    hash = secret_hash(&op, "swordfish");
    CU_ASSERT(secret_verify(hash, "swordfish"));
    CU_ASSERT_FALSE(secret_verify(hash, "Swordfish"));
    CU_ASSERT_FALSE(secret_verify(hash, ""));
    CU_ASSERT_FALSE(secret_verify("", ""));
    CU_ASSERT_FALSE(secret_verify(NULL, "x"));
    CU_ASSERT_FALSE(secret_verify("sha256$", ""));
    CU_ASSERT_STRING_NOT_EQUAL(hash, secret_hash(&op, "swordfish"));
    CU_ASSERT(equal_constant_time("abc", "abc"));
    CU_ASSERT_FALSE(equal_constant_time("abc", "abcd"));
    op_free(&op);
}

static void test_random(void)
{
    char a[37], b[37];
    struct op op;

    load(&op);
    random_uuid(a);
    random_uuid(b);
    CU_ASSERT_EQUAL(strlen(a), 36);
    CU_ASSERT_EQUAL(a[14], '4');
    CU_ASSERT(strchr("89ab", a[19]) != NULL);
    CU_ASSERT_STRING_NOT_EQUAL(a, b);
    CU_ASSERT_EQUAL(strlen(random_password(&op, 32)), 32);
    CU_ASSERT_EQUAL(strlen(random_hex(&op, 16)), 32);
    op_free(&op);
}

static const struct {
    const char *plain, *base64, *url;
} encodings[] = {
    {"",             "",         ""      },
    {"f",            "Zg==",     "Zg"    },
    {"fo",           "Zm8=",     "Zm8"   },
    {"foo",          "Zm9v",     "Zm9v"  },
    {"foob",         "Zm9vYg==", "Zm9vYg"},
    {"\xff\xfe\xfd", "//79",     "__79"  },
};

static void test_encodings(void)
{
    static const char *const bad[] = {
        "Zg=", "Zg", "Z", "Zh==", "Zg==Zg==", "Z g=", "Zm9v=", "===="};
    struct bytes back;
    struct op op;

    load(&op);
    for (size_t i = 0; i < ARRAY_LEN(encodings); i++) {
        struct bytes plain = BYTES(encodings[i].plain);

        CU_ASSERT_STRING_EQUAL(base64_encode(&op.arena, plain, false), encodings[i].base64);
        CU_ASSERT_STRING_EQUAL(base64_encode(&op.arena, plain, true), encodings[i].url);
        CU_ASSERT(base64_decode(&op.arena, encodings[i].base64, false, &back));
        CU_ASSERT(back.len == plain.len && memcmp(back.data, plain.data, plain.len) == 0);
        CU_ASSERT(base64_decode(&op.arena, encodings[i].url, true, &back));
        CU_ASSERT(back.len == plain.len && memcmp(back.data, plain.data, plain.len) == 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CU_ASSERT_FALSE(base64_decode(&op.arena, bad[i], false, &back));
    }
    CU_ASSERT_STRING_EQUAL(hex_encode(&op.arena, BYTES("\x01\xab")), "01ab");
    CU_ASSERT(hex_decode(&op.arena, "01Ab", &back) && back.len == 2);
    CU_ASSERT_FALSE(hex_decode(&op.arena, "01a", &back));
    CU_ASSERT_FALSE(hex_decode(&op.arena, "0g", &back));
    op_free(&op);
}

CU_TestInfo core_seal_tests[] = {
    {"sealed opens only whole and under its label",
     test_sealed_opens_only_whole_and_under_its_label             },
    {"the key file",                                test_key_file },
    {"secrets are verified",                        test_secrets  },
    {"random strings",                              test_random   },
    {"base64 and hex",                              test_encodings},
    CU_TEST_INFO_NULL,
};
