#include "registry/upload.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t first, last;
    struct op op;

    op_init(&op);
    if (upload_range_parse(arena_strndup(&op.arena, data, size), &first, &last))
        MUST(first >= 0 && last >= first && last < INT64_MAX);
    op_free(&op);
    return 0;
}
