#include "registry/hash.h"

#include <string.h>

#include "tests/unit/unit.h"

#define ABC_256 "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC_512                                                                                    \
    "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3" \
    "c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"

static void test_known(void)
{
    struct op op;

    op_init(&op);
    CU_ASSERT_STRING_EQUAL(hash_bytes(&op, HASH_SHA256, BYTES("abc")), ABC_256);
    CU_ASSERT_STRING_EQUAL(hash_bytes(&op, HASH_SHA512, BYTES("abc")), ABC_512);
    op_free(&op);
}

/* Stored after any byte and loaded again, it goes on as if nothing had been. */
static void test_saved(void)
{
    char data[300];
    struct op op;

    op_init(&op);
    memset(data, 'x', sizeof(data));
    for (enum hash_kind kind = 0; kind < HASH_KINDS; kind++) {
        const char *whole = hash_bytes(&op, kind, (struct bytes){data, sizeof(data)});

        for (size_t at = 0; at <= sizeof(data); at++) {
            struct hash first, second;

            hash_init(&first, kind);
            hash_update(&first, (struct bytes){data, at});
            CU_ASSERT_FATAL(hash_load(&second, kind, hash_save(&first)));
            hash_update(&second, (struct bytes){data + at, sizeof(data) - at});
            CU_ASSERT_STRING_EQUAL(hash_digest(&op, &second), whole);
            CU_ASSERT_STRING_EQUAL(hash_digest(&op, &second), whole); /* not used up */
        }
    }
    op_free(&op);
}

static void test_kinds(void)
{
    struct hash hash;
    enum hash_kind kind;

    CU_ASSERT(hash_kind_parse("sha256", &kind) && kind == HASH_SHA256);
    CU_ASSERT(hash_kind_parse("sha512:abc", &kind) && kind == HASH_SHA512);
    CU_ASSERT_FALSE(hash_kind_parse("sha25", &kind));
    CU_ASSERT_FALSE(hash_kind_parse("", &kind));
    CU_ASSERT_FALSE(hash_load(&hash, HASH_SHA256, BYTES("too short")));
}

CU_TestInfo registry_hash_tests[] = {
    {"known", test_known},
    {"saved", test_saved},
    {"kinds", test_kinds},
    CU_TEST_INFO_NULL,
};
