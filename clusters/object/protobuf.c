/*
 * Protobuf bodies as the same trees that JSON gives: the envelope "k8s\0" + runtime.Unknown, then
 * messages by the table. Go writes every plain member, zeros too; is_omitted says which of them
 * were never set.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "clusters/object/decode.h"
#include "clusters/object/quantity.h"
#include "core/json.h"

enum wire { VARINT = 0, FIXED64 = 1, BYTES_OF = 2, FIXED32 = 5 };
struct item {
    unsigned number;
    enum wire wire;
    uint64_t value; /* VARINT, FIXED */
    struct bytes bytes;
};
struct cursor {
    const unsigned char *p, *end;
};

static struct cursor cursor_of(struct bytes bytes)
{
    const unsigned char *p = bytes.data ? bytes.data : (const unsigned char *)"";

    return (struct cursor){p, p + bytes.len};
}

static bool read_varint(struct cursor *c, uint64_t *ret)
{
    uint64_t value = 0;

    for (int shift = 0; shift < 64 && c->p < c->end; shift += 7) {
        unsigned char byte = *c->p++;

        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *ret = value;
            return true;
        }
    }
    return false;
}

static bool read_fixed(struct cursor *c, size_t size, uint64_t *ret)
{
    *ret = 0;
    if ((size_t)(c->end - c->p) < size)
        return false;
    for (size_t i = size; i > 0; i--)
        *ret = *ret << 8 | c->p[i - 1];
    c->p += size;
    return true;
}

/* The next member of a message. False: it is broken. */
static bool next_item(struct cursor *c, struct item *item)
{
    uint64_t tag, len;

    if (!read_varint(c, &tag) || tag >> 3 == 0 || tag >> 3 > 1 << 29)
        return false;
    *item = (struct item){
        .number = (unsigned)(tag >> 3), .wire = (enum wire)(tag & 7), .bytes = {"", 0}
    };
    switch (item->wire) {
    case VARINT:
        return read_varint(c, &item->value);
    case FIXED64:
        return read_fixed(c, 8, &item->value);
    case FIXED32:
        return read_fixed(c, 4, &item->value);
    case BYTES_OF:
        if (!read_varint(c, &len) || len > (size_t)(c->end - c->p))
            return false;
        item->bytes = (struct bytes){c->p, len};
        c->p += len;
        return true;
    }
    return false;
}

static json_t *broken(struct reader *r)
{
    return syntax_error(r, "proto: the message is cut short or not of its type");
}

/* Member `number` of a small message; the last one counts. */
static bool find_item(struct bytes message, unsigned number, struct item *ret)
{
    struct cursor c = cursor_of(message);
    struct item item;
    bool found = false;

    while (c.p < c.end) {
        if (!next_item(&c, &item))
            return false;
        if (item.number == number) {
            *ret = item;
            found = true;
        }
    }
    return found;
}

static int64_t number_in(struct bytes message, unsigned number)
{
    struct item item;

    return find_item(message, number, &item) ? (int64_t)item.value : 0;
}

static struct bytes bytes_in(struct bytes message, unsigned number)
{
    struct item item;

    return find_item(message, number, &item) ? item.bytes : (struct bytes){"", 0};
}

/* ---- values ---- */

static json_t *string_of(struct reader *r, struct bytes bytes)
{
    struct text text;

    text_init(&text, &r->op->arena, bytes.len * 3 + 1);
    utf8_clean(&text, bytes);
    return json_stringn_nocheck(text.data, text.len);
}

static json_t *base64_of(struct reader *r, struct bytes bytes)
{
    unsigned char *to = arena_alloc(&r->op->arena, (bytes.len + 2) / 3 * 4 + 1);
    int len = EVP_EncodeBlock(to, bytes.data, (int)bytes.len);

    return json_stringn_nocheck((char *)to, (size_t)len);
}

/* {seconds = 1, nanos = 2}; Go's zero time is an empty message, and null in JSON. */
static json_t *time_of(struct reader *r, struct bytes message, bool micro)
{
    int64_t seconds = number_in(message, 1), nanos = number_in(message, 2);

    if ((seconds == 0 && nanos == 0) || seconds < -62135596800LL || seconds > 253402300799LL ||
        nanos < 0 || nanos > 999999999)
        return NULL;
    return json_string_nocheck(micro ? micro_time_text(r->op, seconds * 1000000 + nanos / 1000)
                                     : time_text(r->op, seconds));
}

/* As Go prints a duration of whole nanoseconds: "1h2m3.5s". */
static json_t *duration_of(struct reader *r, struct bytes message)
{
    int64_t ns = number_in(message, 1);
    uint64_t rest = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    uint64_t hours = rest / 3600000000000ULL, minutes = rest / 60000000000ULL % 60;
    char fraction[16] = "";

    rest %= 60000000000ULL;
    if (rest % 1000000000ULL) {
        snprintf(fraction, sizeof(fraction), ".%09u", (unsigned)(rest % 1000000000ULL));
        for (size_t len = 10; len > 1 && fraction[len - 1] == '0'; len--)
            fraction[len - 1] = '\0';
    }
    return json_string_nocheck(arena_printf(
        &r->op->arena, "%s%s%s%llu%ss", ns < 0 ? "-" : "",
        hours ? arena_printf(&r->op->arena, "%lluh", (unsigned long long)hours) : "",
        hours || minutes ? arena_printf(&r->op->arena, "%llum", (unsigned long long)minutes) : "",
        (unsigned long long)(rest / 1000000000ULL), fraction));
}

static json_t *quantity_of(struct reader *r, const struct field *field, struct bytes message)
{
    struct bytes text = bytes_in(message, 1);

    return text.len ? text_value(r, field, text.data, text.len) : json_string_nocheck("0");
}

/* {type = 1, intVal = 2, strVal = 3} */
static json_t *int_or_string_of(struct reader *r, struct bytes message)
{
    if (number_in(message, 1) == 1)
        return string_of(r, bytes_in(message, 3));
    return json_integer((int32_t)number_in(message, 2));
}

/* {items = 1} */
static json_t *texts_of(struct reader *r, struct bytes message)
{
    struct cursor c = cursor_of(message);
    json_t *list = json_array();
    struct item item;

    while (c.p < c.end) {
        if (!next_item(&c, &item)) {
            json_decref(list);
            return broken(r);
        }
        if (item.number == 1)
            json_array_append_new(list, string_of(r, item.bytes));
    }
    return list;
}

static json_t *message_of(struct reader *r, const struct type *type, struct bytes message);
static json_t *value_of(struct reader *r, const struct field *field, const struct item *item);

/* JSON as bytes within a message (FieldsV1, RawExtension, JSON). */
static json_t *raw_of(struct reader *r, struct bytes raw)
{
    json_t *value;
    struct op own;

    if (raw.len == 0)
        return NULL;
    op_init(&own);
    if (json_parse(&own, raw, &value) != OK) {
        op_free(&own);
        return syntax_error(r, "proto: a raw member is not JSON");
    }
    json_incref(value);
    op_free(&own);
    return value;
}

/* One of the forms that its type's message has: raw JSON, a schema, a list of them or of texts, a
   boolean (which Go always writes: the others win). */
static json_t *any_of(struct reader *r, const struct type *type, struct bytes message)
{
    struct cursor c = cursor_of(message);
    json_t *result = NULL, *value;
    struct item item;

    while (c.p < c.end && !r->syntax) {
        const struct field *field;

        if (!next_item(&c, &item)) {
            json_decref(result);
            return broken(r);
        }
        field = type_field_numbered(type, item.number);
        if (!field || (result && field->value == VALUE_BOOL))
            continue;
        value = field->value == VALUE_BYTES ? raw_of(r, item.bytes) : value_of(r, field, &item);
        if (value && field->shape == SHAPE_LIST) {
            if (!json_is_array(result)) {
                json_decref(result);
                result = json_array();
            }
            json_array_append_new(result, value);
        } else if (value) {
            json_decref(result);
            result = value;
        }
    }
    return result;
}

static json_t *varint_of(const struct field *field, uint64_t value)
{
    if (field->value == VALUE_BOOL)
        return json_boolean(value != 0);
    return json_integer(field->value == VALUE_INT32 ? (int32_t)value : (int64_t)value);
}

static json_t *double_of(uint64_t bits)
{
    double value;

    memcpy(&value, &bits, sizeof(value));
    return json_real(value);
}

/* NULL without r->syntax: it counts as absent. */
static json_t *value_of(struct reader *r, const struct field *field, const struct item *item)
{
    static const uint8_t wires[] = {
        [VALUE_BOOL] = VARINT,    [VALUE_INT32] = VARINT, [VALUE_INT64] = VARINT,
        [VALUE_DOUBLE] = FIXED64, [VALUE_ANY] = BYTES_OF,
    };
    enum wire wire = field->value <= VALUE_DOUBLE && field->value != VALUE_STRING
                         ? (enum wire)wires[field->value]
                         : BYTES_OF;

    if (item->wire != wire)
        return broken(r);
    switch (field->value) {
    case VALUE_BOOL:
    case VALUE_INT32:
    case VALUE_INT64:
        return varint_of(field, item->value);
    case VALUE_DOUBLE:
        return double_of(item->value);
    case VALUE_BYTES:
        return base64_of(r, item->bytes);
    case VALUE_TIME:
    case VALUE_MICRO_TIME:
        return time_of(r, item->bytes, field->value == VALUE_MICRO_TIME);
    case VALUE_DURATION:
        return duration_of(r, item->bytes);
    case VALUE_QUANTITY:
        return quantity_of(r, field, item->bytes);
    case VALUE_INT_OR_STRING:
        return int_or_string_of(r, item->bytes);
    case VALUE_TEXTS:
        return texts_of(r, item->bytes);
    case VALUE_OBJECT:
        return message_of(r, field->type, item->bytes);
    case VALUE_ANY:
        return field->type ? any_of(r, field->type, item->bytes) : NULL;
    default:
        return string_of(r, item->bytes);
    }
}

/* ---- messages ---- */

/* A map's entry is a message {key = 1, value = 2}. */
static void add_entry(struct reader *r, const struct field *field, const struct item *entry,
                      json_t *object)
{
    struct item item = {
        .number = 2, .wire = BYTES_OF, .bytes = {"", 0}
    };
    json_t *map = json_object_get(object, field->name), *value;
    struct bytes key;

    if (entry->wire != BYTES_OF) {
        broken(r);
        return;
    }
    key = bytes_in(entry->bytes, 1);
    find_item(entry->bytes, 2, &item);
    if (memchr(key.data, '\0', key.len)) {
        syntax_error(r, "a key has a NUL in it");
        return;
    }
    value = value_of(r, field, &item);
    if (!value)
        return;
    if (!map) {
        map = json_object();
        json_object_set_new(object, field->name, map);
    }
    if (json_object_setn_new(map, key.data, key.len, value))
        syntax_error(r, "a key is not UTF-8");
}

static void add_element(struct reader *r, const struct field *field, const struct item *item,
                        json_t *object)
{
    json_t *list = json_object_get(object, field->name), *value = value_of(r, field, item);

    if (!value)
        return;
    if (!list) {
        list = json_array();
        json_object_set_new(object, field->name, list);
    }
    json_array_append_new(list, value);
}

static bool is_inlined(const struct type *type, const struct field *field)
{
    return field >= type->fields + type->n_fields;
}

static void read_into(struct reader *r, const struct type *type, struct bytes message,
                      json_t *object);

static void add_member(struct reader *r, const struct type *type, const struct item *item,
                       json_t *object)
{
    const struct field *field = type_field_numbered(type, item->number);
    json_t *value;

    if (!field) { /* of a later version than ours: unknown, as a JSON member */
        if (push_place(r, (struct place){"#", 1, 0, type})) {
            r->places[r->depth - 1].name = arena_printf(&r->op->arena, "#%u", item->number);
            r->places[r->depth - 1].len = strlen(r->places[r->depth - 1].name);
            field_problem(r, "unknown");
            r->depth--;
        }
        return;
    }
    if (!push_place(r, (struct place){field->name, strlen(field->name), 0, type}))
        return;
    if (is_inlined(type, field) && field->value == VALUE_OBJECT) {
        read_into(r, field->type, item->bytes, object);
    } else if (field->shape == SHAPE_MAP) {
        add_entry(r, field, item, object);
    } else if (field->shape == SHAPE_LIST) {
        add_element(r, field, item, object);
    } else {
        value = value_of(r, field, item);
        if (value && is_omitted(field, value))
            json_decref(value);
        else if (value)
            json_object_set_new_nocheck(object, field->name, value);
    }
    r->depth--;
}

static void read_into(struct reader *r, const struct type *type, struct bytes message,
                      json_t *object)
{
    struct cursor c = cursor_of(message);
    struct item item;

    while (c.p < c.end && !r->syntax) {
        if (!next_item(&c, &item)) {
            broken(r);
            return;
        }
        add_member(r, type, &item, object);
    }
}

static json_t *message_of(struct reader *r, const struct type *type, struct bytes message)
{
    json_t *object = json_object();

    read_into(r, type, message, object);
    if (r->syntax) {
        json_decref(object);
        return NULL;
    }
    return object;
}

/* ---- the envelope ---- */

static void release(void *value)
{
    json_decref(value);
}

static const char *text_in(struct reader *r, struct bytes message, unsigned number)
{
    struct bytes bytes = bytes_in(message, number);
    struct text text;

    text_init(&text, &r->op->arena, bytes.len * 3 + 1);
    utf8_clean(&text, bytes);
    return text.data;
}

void protobuf_decode(struct reader *r, struct bytes body)
{
    struct bytes unknown, meta;
    const char *version, *kind;
    json_t *tree;

    if (body.len < 4 || memcmp(body.data, "k8s", 4) != 0) {
        syntax_error(r, "provided data does not appear to be a protobuf message, expected prefix "
                        "[107 56 115 0]");
        return;
    }
    if (!r->root) {
        syntax_error(r, "custom resources have no protobuf form");
        return;
    }
    unknown = (struct bytes){(const char *)body.data + 4, body.len - 4};
    meta = bytes_in(unknown, 1);
    version = text_in(r, meta, 1);
    kind = text_in(r, meta, 2);
    tree = message_of(r, r->root, bytes_in(unknown, 2));
    if (!tree)
        return;
    if (*version && !json_object_get(tree, "apiVersion"))
        json_object_set_new(tree, "apiVersion", json_string(version));
    if (*kind && !json_object_get(tree, "kind"))
        json_object_set_new(tree, "kind", json_string(kind));
    arena_defer(&r->op->arena, release, tree);
    r->ret->tree = tree;
}
