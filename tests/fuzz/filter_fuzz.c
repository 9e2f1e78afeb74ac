/* $filter and resource ids, as anybody signed in may send them. */
#include "api/filter.h"
#include "tests/fuzz/fuzz.h"

static const char *value(void *arg, const char *name)
{
    return *name == 'n' ? arg : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct filter *filter;
    struct resource_id id;
    const char *text;
    struct op op;

    op_init(&op);
    text = arena_strndup(&op.arena, data, size);
    if (filter_parse(&op, text, &filter) == OK && filter) {
        filter_holds(filter, value, (void *)(uintptr_t) "x", NULL);
        filter_equal(filter, "name");
        filter_call(filter, "atScope");
    }
    op_clear_fault(&op);
    if (resource_id_parse(&op, text, &id) == OK)
        id_is_within(id.key, id.key);
    op_free(&op);
    return 0;
}
