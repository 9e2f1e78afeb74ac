#include "instances/dns.h"

#include <string.h>

#include "tests/unit/unit.h"

/* A query for name, type and class IN, as a resolver sends it. */
static size_t make_query(const char *name, unsigned type, unsigned char *out)
{
    static const unsigned char head[12] = {0xab, 0xcd, 1, 0, 0, 1};
    size_t n = sizeof(head);

    memcpy(out, head, sizeof(head));
    while (*name) {
        size_t label = strcspn(name, ".");

        out[n++] = (unsigned char)label;
        memcpy(out + n, name, label);
        n += label;
        name += label + (name[label] == '.');
    }
    out[n++] = 0;
    out[n++] = 0;
    out[n++] = (unsigned char)type;
    out[n++] = 0;
    out[n++] = 1;
    return n;
}

static enum dns_verdict ask(const char *name, unsigned type, unsigned char *answer, size_t *ret_len)
{
    unsigned char query[600];

    return dns_answer(query, make_query(name, type, query), answer, ret_len);
}

static void test_known_names(void)
{
    static const char *const names[] = {"hello.eastus.azurecontainer.localhost",
                                        "hello.eastus.azurecontainer.io", NULL};
    unsigned char answer[700];
    size_t len = 0;

    dns_names("g1", names, "10.213.0.7");
    CU_ASSERT_EQUAL(ask("HELLO.eastus.azurecontainer.localhost", 1, answer, &len), DNS_ANSWER);
    CU_ASSERT_EQUAL(answer[0], 0xab); /* the query's id */
    CU_ASSERT_EQUAL(answer[2] & 0x80, 0x80);
    CU_ASSERT_EQUAL(answer[3] & 15, 0);
    CU_ASSERT_EQUAL(answer[7], 1);
    CU_ASSERT_EQUAL(memcmp(answer + len - 4, "\x0a\xd5\x00\x07", 4), 0);
    /* IPv6: the name is there, an address of that kind is not */
    CU_ASSERT_EQUAL(ask("hello.eastus.azurecontainer.io", 28, answer, &len), DNS_ANSWER);
    CU_ASSERT_EQUAL(answer[3] & 15, 0);
    CU_ASSERT_EQUAL(answer[7], 0);
    CU_ASSERT_EQUAL(ask("other.eastus.azurecontainer.io", 1, answer, &len), DNS_ANSWER);
    CU_ASSERT_EQUAL(answer[3] & 15, 3);
    CU_ASSERT_EQUAL(ask("example.org", 1, answer, &len), DNS_FORWARD);
    dns_names("g1", NULL, NULL);
    CU_ASSERT_EQUAL(ask("hello.eastus.azurecontainer.io", 1, answer, &len), DNS_ANSWER);
    CU_ASSERT_EQUAL(answer[3] & 15, 3);
}

static void test_rubbish(void)
{
    unsigned char query[600], answer[700];
    size_t n = make_query("hello.eastus.azurecontainer.io", 1, query), len;

    for (size_t cut = 0; cut < n; cut++) {
        CU_ASSERT_EQUAL(dns_answer(query, cut, answer, &len), DNS_DROP);
    }
    query[2] |= 0x80; /* an answer */
    CU_ASSERT_EQUAL(dns_answer(query, n, answer, &len), DNS_DROP);
    n = make_query("x", 1, query);
    query[12] = 0xc0; /* a compressed name */
    CU_ASSERT_EQUAL(dns_answer(query, n, answer, &len), DNS_DROP);
    CU_ASSERT_EQUAL(dns_failure(query, n, answer), 12);
    CU_ASSERT_EQUAL(answer[3] & 15, 2);
    CU_ASSERT_EQUAL(dns_failure(query, 5, answer), 0);
}

static void test_lines_for_hosts(void)
{
    static const char *const a[] = {"b.eastus.azurecontainer.localhost",
                                    "b.eastus.azurecontainer.io", NULL};
    static const char *const b[] = {"a.eastus.azurecontainer.localhost", NULL};
    struct op op;

    op_init(&op);
    dns_names("g1", a, "10.213.0.7");
    dns_names("g2", b, "10.213.0.16");
    CU_ASSERT_STRING_EQUAL(dns_hosts_lines(&op), "10.213.0.16 a.eastus.azurecontainer.localhost\n"
                                                 "10.213.0.7 b.eastus.azurecontainer.localhost\n");
    dns_names("g1", NULL, NULL);
    dns_names("g2", NULL, NULL);
    CU_ASSERT_STRING_EQUAL(dns_hosts_lines(&op), "");
    op_free(&op);
}

CU_TestInfo instances_dns_tests[] = {
    {"known names",     test_known_names    },
    {"rubbish",         test_rubbish        },
    {"lines for hosts", test_lines_for_hosts},
    CU_TEST_INFO_NULL,
};
