#include "registry/names.h"

#include <string.h>

#include "tests/unit/unit.h"

static const struct {
    const char *name;
    bool good;
} repositories[] = {
    {"a",          true },
    {"a/b/c",      true },
    {"a.b_c__d-e", true },
    {"a---b",      true },
    {"0/1",        true },
    {"blobs",      true },
    {"",           false},
    {"/",          false},
    {"a/",         false},
    {"/a",         false},
    {"a//b",       false},
    {"A",          false},
    {"a..b",       false},
    {"a___b",      false},
    {"a.",         false},
    {"-a",         false},
    {"a-",         false},
    {"_a",         false},
    {"a/.b",       false},
    {"a b",        false},
    {"a:b",        false},
    {"a\xc3\xbc",  false},
    {"../a",       false},
};
static const struct {
    const char *tag;
    bool good;
} tags[] = {
    {"a",      true },
    {"_a",     true },
    {"1.0-x_", true },
    {"",       false},
    {".a",     false},
    {"-a",     false},
    {"a/b",    false},
    {"a+b",    false},
    {"a b",    false},
    {"a:b",    false},
};

static const char *filled(char *buf, const char *prefix, size_t n)
{
    size_t len = strlen(prefix);

    memcpy(buf, prefix, len);
    memset(buf + len, 'a', n);
    buf[len + n] = '\0';
    return buf;
}

static void test_repositories(void)
{
    char buf[400];

    for (size_t i = 0; i < ARRAY_LEN(repositories); i++)
        CU_ASSERT_EQUAL(repository_name_is_valid(repositories[i].name), repositories[i].good);
    CU_ASSERT(repository_name_is_valid(filled(buf, "", 255)));
    CU_ASSERT_FALSE(repository_name_is_valid(filled(buf, "", 256)));
}

static void test_tags(void)
{
    char buf[400];

    for (size_t i = 0; i < ARRAY_LEN(tags); i++)
        CU_ASSERT_EQUAL(tag_is_valid(tags[i].tag), tags[i].good);
    CU_ASSERT(tag_is_valid(filled(buf, "", 128)));
    CU_ASSERT_FALSE(tag_is_valid(filled(buf, "", 129)));
}

static void test_digests(void)
{
    char buf[400];

    CU_ASSERT(digest_is_valid(filled(buf, "sha256:", 64)));
    CU_ASSERT(digest_is_valid(filled(buf, "sha512:", 128)));
    CU_ASSERT_FALSE(digest_is_valid(filled(buf, "sha256:", 63)));
    CU_ASSERT_FALSE(digest_is_valid(filled(buf, "sha256:", 65)));
    CU_ASSERT_FALSE(digest_is_valid(filled(buf, "sha512:", 64)));
    CU_ASSERT_FALSE(digest_is_valid(filled(buf, "sha384:", 96)));
    filled(buf, "sha256:", 64);
    buf[20] = 'A';
    CU_ASSERT_FALSE(digest_is_valid(buf));
    buf[20] = '/';
    CU_ASSERT_FALSE(digest_is_valid(buf));
    CU_ASSERT_FALSE(digest_is_valid("sha256"));
    CU_ASSERT_FALSE(digest_is_valid(""));
}

static void test_registries(void)
{
    char buf[400];

    CU_ASSERT(registry_name_is_valid("sundog"));
    CU_ASSERT(registry_name_is_valid("MyReg1"));
    CU_ASSERT(registry_name_is_valid(filled(buf, "", 50)));
    CU_ASSERT_FALSE(registry_name_is_valid(filled(buf, "", 51)));
    CU_ASSERT_FALSE(registry_name_is_valid("four"));
    CU_ASSERT_FALSE(registry_name_is_valid("my-registry"));
    CU_ASSERT_FALSE(registry_name_is_valid(""));
}

static void test_uuids(void)
{
    CU_ASSERT(uuid_is_valid("01234567-89ab-cdef-0123-456789abcdef"));
    CU_ASSERT_FALSE(uuid_is_valid("01234567-89AB-cdef-0123-456789abcdef"));
    CU_ASSERT_FALSE(uuid_is_valid("01234567-89ab-cdef-0123-456789abcdef0"));
    CU_ASSERT_FALSE(uuid_is_valid("../../../../etc/passwd"));
    CU_ASSERT_FALSE(uuid_is_valid(""));
}

CU_TestInfo registry_names_tests[] = {
    {"repositories", test_repositories},
    {"tags",         test_tags        },
    {"digests",      test_digests     },
    {"registries",   test_registries  },
    {"uuids",        test_uuids       },
    CU_TEST_INFO_NULL,
};
