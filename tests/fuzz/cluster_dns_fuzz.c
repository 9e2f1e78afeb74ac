#include "clusters/network/cluster_dns.h"

#include "tests/fuzz/fuzz.h"

static void resolve(struct op *op, void *user, const char *name, bool *ret_known,
                    const struct dns_record **ret, size_t *ret_n)
{
    static const struct dns_record all[] = {
        {1,  "10.0.0.1",   0 },
        {33, "a.b.c",      80},
        {5,  "",           0 },
        {12, "..",         0 },
        {1,  "no address", 0 },
    };

    (void)op;
    (void)user;
    *ret_known = name[0] % 2;
    *ret = all;
    *ret_n = (unsigned char)name[0] % 6;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dns_zone zone = {
        .resolve = resolve, .pods = {10u << 24, 16}
    };
    unsigned char *answer;
    size_t len = 0;

    if (size > DNS_MESSAGE_MAX)
        return 0;
    zone.services = zone.pods;
    answer = malloc(DNS_MESSAGE_MAX + 64);
    MUST(answer);
    for (int tcp = 0; tcp < 2; tcp++)
        if (cluster_dns_answer(&zone, data, size, tcp, answer, &len) == DNS_ANSWER)
            MUST(len >= 12 && len <= DNS_MESSAGE_MAX && (answer[2] & 0x80) &&
                 memcmp(answer, data, 2) == 0);
    free(answer);
    return 0;
}
