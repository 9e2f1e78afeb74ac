/* gnostic's openapi.v2 in protobuf: kubectl up to 1.28 validates by it. Numbers are those of its
   messages (kubernetes/protobuf-fields.json has them all). */
#include "clusters/object/openapi_v2.h"

#include <string.h>

#include "clusters/object/object.h"
#include "core/json.h"

enum how {
    TEXT_OF,  /* string */
    FLAG_OF,  /* bool */
    TEXTS_OF, /* repeated string */
    TYPE_OF,  /* a string in a TypeItem */
    ONE_OF,   /* a message */
    LIST_OF,  /* repeated messages */
    MAP_OF,   /* an object as a message of repeated {name = 1, value = 2} */
    PARAMETERS_OF,
};
struct gnostic;
struct member {
    const char *name; /* in JSON */
    uint8_t number;
    enum how how;
    const struct gnostic *message;
    uint8_t within; /* a message around the value: the number in it; 0: none */
    uint8_t list;   /* MAP_OF: the number of the repeated member */
};
struct gnostic {
    const struct member *members;
    uint8_t extensions; /* the number that takes "x-…" members; 0: none */
};

static const struct gnostic schema, operation, path_item, response, info, body, query, path;

static const struct member schema_members[] = {
    {"$ref",     1, TEXT_OF, NULL, 0, 0},
    {"format",   2, TEXT_OF, NULL, 0, 0},
    {"required",         19, TEXTS_OF, NULL, 0, 0},
    {"additionalProperties",          21, ONE_OF, &schema, 1, 0},
    {"type",       22, TYPE_OF, NULL, 0, 0},
    {"items",      23, ONE_OF, &schema, 1, 0},
    {"allOf",         24, LIST_OF, &schema, 0, 0},
    {"properties", 25, MAP_OF, &schema, 0, 1},
    {0 },
};
static const struct gnostic schema = {schema_members, 31};

static const struct member body_members[] = {
    {"name",   2, TEXT_OF, NULL, 0, 0},
    {"in", 3, TEXT_OF, NULL, 0, 0},
    {"required",       4, FLAG_OF, NULL, 0, 0},
    {"schema",        5, ONE_OF, &schema, 0, 0},
    {0      },
};
static const struct gnostic body = {body_members, 0};

static const struct member query_members[] = {
    {"in",     2, TEXT_OF, NULL, 0, 0},
    {"name", 4, TEXT_OF, NULL, 0, 0},
    {"type",       6, TEXT_OF, NULL, 0, 0},
    {"uniqueItems",        20, FLAG_OF, NULL, 0, 0},
    {0      },
};
static const struct gnostic query = {query_members, 0};

static const struct member path_members[] = {
    {"required", 1, FLAG_OF, NULL, 0, 0},
    {"in",   2, TEXT_OF, NULL, 0, 0},
    {"name",         4, TEXT_OF, NULL, 0, 0},
    {"type",          5, TEXT_OF, NULL, 0, 0},
    {"uniqueItems",       19, FLAG_OF, NULL, 0, 0},
    {0     },
};
static const struct gnostic path = {path_members, 0};

static const struct member response_members[] = {
    {"description", 1, TEXT_OF, NULL, 0, 0},
    {"schema",      2, ONE_OF, &schema, 1, 0},
    {0           },
};
static const struct gnostic response = {response_members, 0};

static const struct member operation_members[] = {
    {"operationId", 5, TEXT_OF, NULL, 0, 0},
    {"produces",      6, TEXTS_OF, NULL, 0, 0},
    {"consumes",            7, TEXTS_OF, NULL, 0, 0},
    {"parameters",             8, PARAMETERS_OF, NULL, 0, 0},
    {"responses",       9, MAP_OF, &response, 1, 1},
    {0        },
};
static const struct gnostic operation = {operation_members, 13};

static const struct member path_item_members[] = {
    {"get",       2, ONE_OF, &operation, 0, 0},
    {"put",     3, ONE_OF, &operation, 0, 0},
    {"post",          4, ONE_OF, &operation, 0, 0},
    {"delete",           5, ONE_OF, &operation, 0, 0},
    {"patch",      8, ONE_OF, &operation, 0, 0},
    {"parameters", 9, PARAMETERS_OF, NULL, 0, 0},
    {0         },
};
static const struct gnostic path_item = {path_item_members, 0};

static const struct member info_members[] = {
    {"title",  1, TEXT_OF, NULL, 0, 0},
    {"version", 2, TEXT_OF, NULL, 0, 0},
    {0      },
};
static const struct gnostic info = {info_members, 0};

static const struct member document_members[] = {
    {"swagger", 1, TEXT_OF, NULL, 0, 0},
    {"info",  2, ONE_OF, &info, 0, 0},
    {"paths",        8, MAP_OF, &path_item, 0, 2},
    {"definitions",         9, MAP_OF, &schema, 0, 1},
    {0      },
};
static const struct gnostic document = {document_members, 0};

/* ---- the wire ---- */

static void put_varint(struct text *out, uint64_t value)
{
    unsigned char bytes[10];
    size_t n = 0;

    do {
        bytes[n++] = (unsigned char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        value >>= 7;
    } while (value);
    text_add(out, bytes, n);
}

static void put_bytes(struct text *out, unsigned number, struct bytes bytes)
{
    put_varint(out, number << 3 | 2);
    put_varint(out, bytes.len);
    text_add(out, bytes.data, bytes.len);
}

static void put_text(struct text *out, unsigned number, const char *s)
{
    put_bytes(out, number, BYTES(s));
}

/* ---- messages ---- */

static void write_message(struct op *op, struct text *out, const struct gnostic *message,
                          const json_t *value);

static struct bytes message_bytes(struct op *op, const struct gnostic *message, const json_t *value,
                                  unsigned within)
{
    struct text inner, outer;

    text_init(&inner, &op->arena, (size_t)64 << 20);
    write_message(op, &inner, message, value);
    if (!within)
        return text_bytes(&inner);
    text_init(&outer, &op->arena, (size_t)64 << 20);
    put_bytes(&outer, within, text_bytes(&inner));
    return text_bytes(&outer);
}

/* ParametersItem{parameter = 1 {body = 1 | non-body = 2 {query = 3 | path = 4}}} */
static void write_parameters(struct op *op, struct text *out, unsigned number, const json_t *list)
{
    json_t *item;
    size_t i;

    json_array_foreach((json_t *)list, i, item)
    {
        const char *in = text_at_or(item, "in", "");
        struct text choice, parameter, element;

        text_init(&choice, &op->arena, 1 << 16);
        text_init(&parameter, &op->arena, 1 << 16);
        text_init(&element, &op->arena, 1 << 16);
        if (strcmp(in, "body") == 0) {
            put_bytes(&parameter, 1, message_bytes(op, &body, item, 0));
        } else {
            bool is_path = strcmp(in, "path") == 0;

            put_bytes(&choice, is_path ? 4 : 3,
                      message_bytes(op, is_path ? &path : &query, item, 0));
            put_bytes(&parameter, 2, text_bytes(&choice));
        }
        put_bytes(&element, 1, text_bytes(&parameter));
        put_bytes(out, number, text_bytes(&element));
    }
}

static void write_map(struct op *op, struct text *out, const struct member *member,
                      const json_t *object)
{
    const char *key;
    struct text map;
    json_t *value;

    text_init(&map, &op->arena, (size_t)64 << 20);
    json_object_foreach((json_t *)object, key, value)
    {
        struct text named;

        text_init(&named, &op->arena, (size_t)64 << 20);
        put_text(&named, 1, key);
        put_bytes(&named, 2, message_bytes(op, member->message, value, member->within));
        put_bytes(&map, member->list, text_bytes(&named));
    }
    put_bytes(out, member->number, text_bytes(&map));
}

static void write_texts(struct text *out, unsigned number, const json_t *list)
{
    json_t *item;
    size_t i;

    json_array_foreach((json_t *)list, i, item)
    {
        put_text(out, number, json_string_value(item));
    }
}

static void write_member(struct op *op, struct text *out, const struct member *member,
                         const json_t *value)
{
    struct text type;
    json_t *item;
    size_t i;

    switch (member->how) {
    case TEXT_OF:
        put_text(out, member->number, json_string_value(value));
        break;
    case FLAG_OF:
        put_varint(out, (unsigned)member->number << 3);
        put_varint(out, json_is_true(value));
        break;
    case TEXTS_OF:
        write_texts(out, member->number, value);
        break;
    case TYPE_OF:
        text_init(&type, &op->arena, 100);
        put_text(&type, 1, json_string_value(value));
        put_bytes(out, member->number, text_bytes(&type));
        break;
    case ONE_OF:
        put_bytes(out, member->number, message_bytes(op, member->message, value, member->within));
        break;
    case LIST_OF:
        json_array_foreach((json_t *)value, i, item)
        {
            put_bytes(out, member->number, message_bytes(op, member->message, item, 0));
        }
        break;
    case MAP_OF:
        write_map(op, out, member, value);
        break;
    case PARAMETERS_OF:
        write_parameters(op, out, member->number, value);
        break;
    }
}

/* NamedAny{name = 1, value = 2 {yaml = 2}}: JSON is YAML, too */
static void write_extension(struct op *op, struct text *out, unsigned number, const char *key,
                            const json_t *value)
{
    struct text any, named;
    char *dump = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

    text_init(&any, &op->arena, 1 << 16);
    text_init(&named, &op->arena, 1 << 16);
    put_text(&any, 2, dump ? dump : "");
    put_text(&named, 1, key);
    put_bytes(&named, 2, text_bytes(&any));
    put_bytes(out, number, text_bytes(&named));
    free(dump);
}

static void write_message(struct op *op, struct text *out, const struct gnostic *message,
                          const json_t *value)
{
    const char *key;
    json_t *item;

    for (const struct member *m = message->members; m->name; m++) {
        item = json_object_get(value, m->name);
        if (item)
            write_member(op, out, m, item);
    }
    json_object_foreach((json_t *)value, key, item)
    {
        if (message->extensions && strncmp(key, "x-", 2) == 0)
            write_extension(op, out, message->extensions, key, item);
    }
}

static void release(void *value)
{
    json_decref(value);
}

enum fault openapi_v2_protobuf(struct op *op, struct bytes json, struct text *out)
{
    json_error_t error;
    json_t *tree = json_loadb(json.data, json.len, 0, &error);

    if (!tree)
        return fail(op, INTERNAL, "the OpenAPI document is not JSON at %d: %s", error.position,
                    error.text);
    arena_defer(&op->arena, release, tree);
    write_message(op, out, &document, tree);
    return OK;
}
