#include "core/json.h"

#include "tests/fuzz/fuzz.h"

struct inner {
    int64_t number;
    bool flag, has_flag;
};
struct outer {
    const char *name, *raw;
    struct inner inner, *list;
    size_t n_list, n_texts;
    const char **texts;
};
static const struct json_field inner_json[] = {
    INT(inner, number, "number", -5, 500, REQUIRED),
    BOOL_IF(inner, flag, has_flag, "flag", 0),
    {0},
};
static const struct json_field outer_json[] = {
    TEXT(outer, name, "name", 0, 64, REQUIRED),
    OBJECT(outer, inner, "inner", inner_json, 0),
    LIST(outer, list, n_list, "list", inner_json, inner, OMIT_NULL),
    TEXTS(outer, texts, n_texts, "texts", OMIT_NULL),
    RAW(outer, raw, "raw", OMIT_NULL),
    {0},
};

/* What was read can be written, and what was written can be read again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outer first = {0}, second = {0};
    struct text text;
    json_t *value;
    struct op op;

    op_init(&op);
    if (json_parse(&op, (struct bytes){data, size}, &value) == OK &&
        json_read(&op, outer_json, value, &first) == OK) {
        text_init(&text, &op.arena, 1 << 24);
        json_write(&text, outer_json, &first);
        MUST(!text.overflow);
        MUST(json_parse(&op, text_bytes(&text), &value) == OK);
        MUST(json_read(&op, outer_json, value, &second) == OK);
        MUST(strcmp(first.name, second.name) == 0 && first.n_list == second.n_list);
    } else {
        MUST(op.message && op.fault == INVALID);
    }
    op_free(&op);
    return 0;
}
