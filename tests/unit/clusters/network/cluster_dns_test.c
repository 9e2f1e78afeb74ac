#include "clusters/network/cluster_dns.h"

#include <string.h>

#include "tests/unit/unit.h"

enum { A = 1, AAAA = 28, SRV = 33 };

static void resolve(struct op *op, void *user, const char *name, bool *ret_known,
                    const struct dns_record **ret, size_t *ret_n)
{
    static const struct dns_record web = {A, "10.0.0.50", 0};
    static const struct dns_record srv = {SRV, "web.default.svc.cluster.local", 80};
    struct dns_record *many;

    (void)user;
    *ret_known = true;
    *ret_n = 1;
    if (strcmp(name, "web.default.svc.cluster.local") == 0) {
        *ret = &web;
    } else if (strcmp(name, "_http._tcp.web.default.svc.cluster.local") == 0) {
        *ret = &srv;
    } else if (strcmp(name, "many.default.svc.cluster.local") == 0) {
        many = arena_alloc(&op->arena, 100 * sizeof(*many));
        for (size_t i = 0; i < 100; i++)
            many[i] = web;
        *ret = many;
        *ret_n = 100;
    } else {
        *ret_known = false;
        *ret_n = 0;
    }
}

static struct dns_zone zone = {
    .resolve = resolve, .pods = {10u << 24 | 244u << 16, 16},
         .services = {10u << 24,              16}
};

static size_t make_query(const char *name, unsigned type, bool edns, unsigned char *out)
{
    static const unsigned char head[12] = {0xab, 0xcd, 1, 0, 0, 1};
    static const unsigned char opt[11] = {0, 0, 41, 0x10, 0};
    size_t n = sizeof(head);

    memcpy(out, head, sizeof(head));
    while (*name) {
        size_t label = strcspn(name, ".");

        out[n++] = (unsigned char)label;
        memcpy(out + n, name, label);
        n += label;
        name += label + (name[label] == '.');
    }
    memcpy(out + n, (const unsigned char[]){0, 0, (unsigned char)type, 0, 1}, 5);
    n += 5;
    if (edns) {
        memcpy(out + n, opt, sizeof(opt));
        out[11] = 1;
        n += sizeof(opt);
    }
    return n;
}

static unsigned char answer[DNS_MESSAGE_MAX + 64];

static enum dns_verdict ask(const char *name, unsigned type, bool edns, bool tcp, size_t *ret_len)
{
    unsigned char query[600];

    return cluster_dns_answer(&zone, query, make_query(name, type, edns, query), tcp, answer,
                              ret_len);
}

static void test_what_is_known(void)
{
    static const unsigned char address[] = {0, 4, 10, 0, 0, 50};
    size_t len = 0;

    CU_ASSERT_EQUAL(ask("WEB.default.svc.cluster.LOCAL", A, false, false, &len), DNS_ANSWER);
    CU_ASSERT_EQUAL(answer[3] & 15, 0);
    CU_ASSERT_EQUAL(answer[7], 1);
    CU_ASSERT_EQUAL(memcmp(answer + len - sizeof(address), address, sizeof(address)), 0);
    CU_ASSERT_EQUAL(ask("web.default.svc.cluster.local", AAAA, true, false, &len), DNS_ANSWER);
    CU_ASSERT_EQUAL(answer[3] & 15, 0);
    CU_ASSERT_TRUE(answer[7] == 0 && answer[9] == 1 && answer[11] == 1);
}

static void test_what_is_not(void)
{
    static const char *const ours[] = {"nope.default.svc.cluster.local", "cluster.local",
                                       "5.0.244.10.in-addr.arpa", "9.0.0.10.in-addr.arpa"};
    static const char *const others[] = {"example.test",          "cluster.local.test",
                                         "xcluster.local",        "5.0.245.10.in-addr.arpa",
                                         "in-addr.arpa",          "300.0.0.10.in-addr.arpa",
                                         "x9.0.0.10.in-addr.arpa"};
    size_t len = 0;

    for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
        CU_ASSERT_EQUAL(ask(ours[i], A, false, false, &len), DNS_ANSWER);
        CU_ASSERT_EQUAL(answer[3] & 15, 3);
        CU_ASSERT_EQUAL(answer[9], 1);
    }
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        CU_ASSERT_EQUAL(ask(others[i], A, false, false, &len), DNS_FORWARD);
}

static void test_sizes(void)
{
    size_t len = 0;

    CU_ASSERT_EQUAL(ask("many.default.svc.cluster.local", A, false, false, &len), DNS_ANSWER);
    CU_ASSERT_TRUE((answer[2] & 2) && len <= 512 && answer[7] == 0);
    CU_ASSERT_EQUAL(ask("many.default.svc.cluster.local", A, true, false, &len), DNS_ANSWER);
    CU_ASSERT_TRUE((answer[2] & 2) && len <= 1232);
    CU_ASSERT_EQUAL(ask("many.default.svc.cluster.local", A, false, true, &len), DNS_ANSWER);
    CU_ASSERT_TRUE(!(answer[2] & 2) && answer[7] == 100);
}

static void test_no_queries(void)
{
    unsigned char query[600];
    size_t len = make_query("web.default.svc.cluster.local", A, false, query), n = 0;

    for (size_t cut = 0; cut < len; cut++)
        CU_ASSERT_EQUAL(cluster_dns_answer(&zone, query, cut, false, answer, &n), DNS_DROP);
    query[2] |= 0x80;
    CU_ASSERT_EQUAL(cluster_dns_answer(&zone, query, len, false, answer, &n), DNS_DROP);
}

CU_TestInfo clusters_network_cluster_dns_tests[] = {
    {"what is known",    test_what_is_known},
    {"what is not",      test_what_is_not  },
    {"what is too long", test_sizes        },
    {"what is no query", test_no_queries   },
    CU_TEST_INFO_NULL,
};
