#include "clusters/object/selector.h"

#include "clusters/object/quantity.h"
#include "tests/fuzz/fuzz.h"

static void selectors(const char *text, json_t *tree)
{
    const struct field_selector *fields;
    const struct selector *labels;
    struct op op;

    op_init(&op);
    if (selector_parse(&op, &op.arena, text, &labels) == OK)
        (void)selector_matches(labels, at(tree, "metadata.labels"));
    else
        MUST(op.message && op.fault == INVALID);
    op_free(&op);
    op_init(&op);
    if (field_selector_parse(&op, &op.arena, resource_find("", "v1", "pods"), text, &fields) == OK)
        (void)field_selector_matches(fields, tree);
    else
        MUST(op.message && op.fault == INVALID);
    op_free(&op);
}

/* A quantity's canonical text is the same quantity, and its own canonical text. */
static void quantities(const char *text)
{
    struct quantity q, again;
    const char *canonical;
    int64_t us;
    struct op op;

    op_init(&op);
    if (quantity_parse(text, &q)) {
        canonical = quantity_text(&op, q);
        MUST(quantity_parse(canonical, &again));
        /* in binary suffixes what is finer than one is rounded */
        MUST(q.format == 'B' || quantity_compare(q, again) == 0);
        MUST(strcmp(quantity_text(&op, again), canonical) == 0);
    }
    if (micro_time_parse(text, &us))
        MUST(micro_time_parse(micro_time_text(&op, us), &us));
    op_free(&op);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *tree = json_pack("{s:{s:s, s:{s:s, s:s}}}", "metadata", "name", "p", "labels", "a", "b",
                             "n", "12");
    char *text = malloc(size + 1);

    MUST(tree && text);
    memcpy(text, data, size);
    text[size] = '\0';
    selectors(text, tree);
    quantities(text);
    free(text);
    json_decref(tree);
    return 0;
}
