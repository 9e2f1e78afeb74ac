#include "auth/graph.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char object[] = "{\"displayName\":\"it's\",\"accountEnabled\":true,\"mail\":null,"
                                 "\"tags\":[\"a\",\"b\"],\"web\":{\"homePageUrl\":\"u\"}}";
    json_t *json = json_loads(object, 0, NULL);
    enum fault with, without;
    struct op op;
    char *filter;
    bool fits;

    op_init(&op);
    filter = arena_strndup(&op.arena, data, size);
    with = graph_filter(&op, filter, json, &fits);
    without = graph_filter(&op, filter, NULL, &fits);
    MUST(with == without); /* whether a filter is good does not hang on the object */
    op_free(&op);
    json_decref(json);
    return 0;
}
