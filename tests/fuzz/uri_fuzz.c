#include "core/uri.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *decoded;
    struct op op;

    op_init(&op);
    decoded = uri_decode(&op.arena, (struct bytes){data, size}, false);
    if (decoded) { /* what was decoded comes through encoding and decoding unchanged */
        const char *encoded = uri_encode(&op.arena, decoded, "/");
        const char *again = uri_decode(&op.arena, BYTES(encoded), false);

        MUST(strlen(decoded) <= size);
        MUST(again && strcmp(again, decoded) == 0);
    }
    for (size_t nth = 0; uri_parameter(&op.arena, (struct bytes){data, size}, "n", nth); nth++)
        MUST(nth < size);
    op_free(&op);
    return 0;
}
