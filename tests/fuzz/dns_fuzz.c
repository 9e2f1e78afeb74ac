#include "instances/dns.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char *answer;
    size_t len = 0;

    if (size > DNS_MESSAGE_MAX)
        return 0;
    answer = malloc(size + 16); /* as much as the contract asks for */
    MUST(answer);
    if (dns_answer(data, size, answer, &len) == DNS_ANSWER)
        MUST(len <= size + 16 && len >= 12 && (answer[2] & 0x80) && memcmp(answer, data, 2) == 0);
    len = dns_failure(data, size, answer);
    MUST(len <= size && (len == 0) == (size < 12));
    free(answer);
    return 0;
}
