/* Arithmetic of address ranges. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "instances/network_host.h"
#include "instances/paths.h"

static uint32_t mask_of(int prefix)
{
    return ~0u << (32 - prefix); /* prefix is never 0 */
}

bool network_range_parse(const char *text, struct network_range *ret)
{
    const char *slash = strchr(text, '/');
    char address[INET_ADDRSTRLEN] = "", *end;
    struct in_addr in;
    long prefix;

    if (!slash || (size_t)(slash - text) >= sizeof(address))
        return false;
    memcpy(address, text, (size_t)(slash - text));
    prefix = strtol(slash + 1, &end, 10);
    if (slash[1] < '0' || slash[1] > '9' || *end || prefix < 8 || prefix > 28 ||
        inet_pton(AF_INET, address, &in) != 1 || (ntohl(in.s_addr) & ~mask_of((int)prefix)))
        return false;
    *ret = (struct network_range){ntohl(in.s_addr), (int)prefix};
    return true;
}

bool network_ranges_overlap(struct network_range a, struct network_range b)
{
    int shorter = a.prefix < b.prefix ? a.prefix : b.prefix;

    return shorter <= 0 || ((a.base ^ b.base) & mask_of(shorter)) == 0;
}

bool network_candidate(unsigned n, struct network_range ret[RANGES])
{
    const unsigned first = 213, last = 255;
    uint32_t base = 10u << 24 | (first + n) << 16;

    if (first + n > last)
        return false;
    ret[RANGE_PUBLIC] = (struct network_range){base, 17};
    ret[RANGE_PRIVATE] = (struct network_range){base | 1u << 15, 17};
    return true;
}

const char *network_address_text(struct op *op, uint32_t address)
{
    return arena_printf(&op->arena, "%u.%u.%u.%u", address >> 24, address >> 16 & 255,
                        address >> 8 & 255, address & 255);
}

const char *network_bridge_name(struct op *op, const char *data)
{
    return arena_printf(&op->arena, "sd%s", data_id(op, data));
}
