#include "core/range.h"

#include "tests/fuzz/fuzz.h"

/* The first byte makes the size: small ones, where ranges meet the end, and large ones. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct range ranges[RANGES_MAX];
    int64_t total;
    struct op op;
    size_t n;

    if (size == 0)
        return 0;
    total = data[0] < 128 ? data[0] : (int64_t)data[0] << 40;
    op_init(&op);
    if (range_parse(arena_strndup(&op.arena, data + 1, size - 1), total, ranges, &n) == OK) {
        MUST(n <= RANGES_MAX);
        for (size_t i = 0; i < n; i++)
            MUST(ranges[i].first >= 0 && ranges[i].first <= ranges[i].last &&
                 ranges[i].last < total);
    }
    op_free(&op);
    return 0;
}
