/* Compose files: what is made of one is a container group whose YAML reads back as it was. */
#include "api/compose.h"
#include "clusters/object/decode.h"
#include "tests/fuzz/fuzz.h"

static const char *variable(void *arg, const char *name)
{
    (void)arg;
    return strcmp(name, "SET") == 0 ? "v:1" : strcmp(name, "EMPTY") == 0 ? "" : NULL;
}

static void check_group(struct op *op, const json_t *group)
{
    struct decoded decoded = {0};
    struct reader reader = {.op = op, .ret = &decoded, .validation = FIELDS_STRICT};
    const json_t *containers = at(group, "properties.containers"), *one;
    struct bytes yaml = object_encode_yaml(op, group), again;
    json_t *back;
    size_t i;

    MUST(json_array_size(containers) > 0 && json_array_size(containers) <= COMPOSE_SERVICES_MAX);
    json_array_foreach((json_t *)containers, i, one)
    {
        MUST(json_string_length(at(one, "properties.image")) > 0);
    }
    text_init(&reader.problems, &op->arena, 4096);
    MUST(yaml_to_tree(&reader, yaml, &back) == OK && !reader.n_problems);
    again = object_encode_yaml(op, back); /* as text: 1.0 is written as 1 */
    MUST(again.len == yaml.len && memcmp(again.data, yaml.data, yaml.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct compose_source source = {
        .fallback = "app", .folder = "/nowhere", .variable = variable};
    struct compose_group group = {0};
    enum fault fault;
    struct op op;

    op_init(&op);
    fault = compose_read(&op, (struct bytes){data, size}, &source, &group);
    MUST(fault == OK || fault == INVALID);
    if (fault == OK)
        check_group(&op, group.group);
    op_free(&op);
    return 0;
}
