#include "core/json.h"

#include <stdlib.h>
#include <string.h>

/* ---- parsing ---- */

/* jansson recurses up to 2048 deep; we stop before it is asked. */
static bool too_deep(struct bytes text)
{
    const char *s = text.data;
    size_t depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < text.len; i++) {
        if (in_string) {
            if (s[i] == '\\')
                i++;
            else if (s[i] == '"')
                in_string = false;
        } else if (s[i] == '"') {
            in_string = true;
        } else if (s[i] == '{' || s[i] == '[') {
            if (++depth > JSON_DEPTH_LIMIT)
                return true;
        } else if ((s[i] == '}' || s[i] == ']') && depth > 0) {
            depth--;
        }
    }
    return false;
}

static void free_value(void *value)
{
    json_decref(value);
}

enum fault json_parse(struct op *op, struct bytes text, json_t **ret_value)
{
    json_error_t error;
    json_t *value;

    if (text.len == 0)
        return fail(op, INVALID, "the JSON text is empty");
    if (too_deep(text))
        return fail(op, INVALID, "the JSON text is nested deeper than %d levels", JSON_DEPTH_LIMIT);
    value = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, &error);
    if (!value)
        return fail(op, INVALID, "invalid JSON at line %d, column %d: %s", error.line, error.column,
                    error.text);
    arena_defer(&op->arena, free_value, value);
    *ret_value = value;
    return OK;
}

const char *json_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : "";
}

/* ---- reading by a table ---- */

static enum fault read_object(struct op *op, const struct json_field *table, json_t *object,
                              void *to, const char *at);

static void *member(void *base, size_t offset)
{
    return (char *)base + offset;
}

static enum fault read_text(struct op *op, const struct json_field *field, json_t *value, void *to,
                            const char *at)
{
    size_t len;

    if (!json_is_string(value))
        return fail(op, INVALID, "%s must be a string", at);
    len = json_string_length(value);
    if ((int64_t)len < field->min || (int64_t)len > field->max)
        return fail(op, INVALID, "%s must have %lld to %lld bytes, not %zu", at,
                    (long long)field->min, (long long)field->max, len);
    *(const char **)member(to, field->offset) = json_string_value(value);
    return OK;
}

static enum fault read_int(struct op *op, const struct json_field *field, json_t *value, void *to,
                           const char *at)
{
    json_int_t number = json_integer_value(value);

    if (!json_is_integer(value))
        return fail(op, INVALID, "%s must be a whole number", at);
    if (number < field->min || number > field->max)
        return fail(op, INVALID, "%s must be between %lld and %lld", at, (long long)field->min,
                    (long long)field->max);
    *(int64_t *)member(to, field->offset) = number;
    return OK;
}

static enum fault read_bool(struct op *op, const struct json_field *field, json_t *value, void *to,
                            const char *at)
{
    if (!json_is_boolean(value))
        return fail(op, INVALID, "%s must be true or false", at);
    *(bool *)member(to, field->offset) = json_is_true(value);
    return OK;
}

static enum fault read_list(struct op *op, const struct json_field *field, json_t *value, void *to,
                            const char *at)
{
    size_t n = json_array_size(value);
    char *items = arena_alloc(&op->arena, n * field->size + 1);

    if (!json_is_array(value))
        return fail(op, INVALID, "%s must be an array", at);
    for (size_t i = 0; i < n; i++) {
        TRY(read_object(op, field->table, json_array_get(value, i), items + i * field->size,
                        arena_printf(&op->arena, "%s[%zu]", at, i)));
    }
    *(void **)member(to, field->offset) = items;
    *(size_t *)member(to, field->count_offset) = n;
    return OK;
}

static enum fault read_texts(struct op *op, const struct json_field *field, json_t *value, void *to,
                             const char *at)
{
    size_t n = json_array_size(value);
    const char **texts = arena_alloc(&op->arena, (n + 1) * sizeof(*texts));

    if (!json_is_array(value))
        return fail(op, INVALID, "%s must be an array of strings", at);
    for (size_t i = 0; i < n; i++) {
        texts[i] = json_string_value(json_array_get(value, i));
        if (!texts[i])
            return fail(op, INVALID, "%s[%zu] must be a string", at, i);
    }
    *(const char ***)member(to, field->offset) = texts;
    *(size_t *)member(to, field->count_offset) = n;
    return OK;
}

static enum fault read_raw(struct op *op, const struct json_field *field, json_t *value, void *to)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

    if (!text)
        return fail(op, INVALID, "%s cannot be written as JSON", field->name);
    arena_defer(&op->arena, free, text);
    *(const char **)member(to, field->offset) = text;
    return OK;
}

static enum fault read_field(struct op *op, const struct json_field *field, json_t *value, void *to,
                             const char *at)
{
    switch (field->kind) {
    case JK_TEXT:
        return read_text(op, field, value, to, at);
    case JK_INT:
        return read_int(op, field, value, to, at);
    case JK_BOOL:
        return read_bool(op, field, value, to, at);
    case JK_OBJECT:
        return read_object(op, field->table, value, member(to, field->offset), at);
    case JK_LIST:
        return read_list(op, field, value, to, at);
    case JK_TEXTS:
        return read_texts(op, field, value, to, at);
    case JK_RAW:
        return read_raw(op, field, value, to);
    case JK_END:
        break;
    }
    return fail(op, INTERNAL, "the field table of %s is wrong", at);
}

static enum fault refuse_unknown(struct op *op, const struct json_field *table, json_t *object,
                                 const char *at)
{
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value)
    {
        const struct json_field *field = table;

        while (field->kind != JK_END && strcmp(field->name, key) != 0)
            field++;
        if (field->kind == JK_END)
            return fail(op, INVALID, "%s%s\"%.64s\" is not known", at, *at ? ": " : "", key);
    }
    return OK;
}

static enum fault read_object(struct op *op, const struct json_field *table, json_t *object,
                              void *to, const char *at)
{
    if (!json_is_object(object))
        return fail(op, INVALID, "%s must be an object", *at ? at : "the JSON text");
    TRY(refuse_unknown(op, table, object, at));
    for (const struct json_field *field = table; field->kind != JK_END; field++) {
        json_t *value = json_object_get(object, field->name);
        const char *path = arena_printf(&op->arena, "%s%s%s", at, *at ? "." : "", field->name);

        if (field->flags & READ_ONLY)
            continue;
        if (!value || json_is_null(value)) { /* clients write null for "not given" */
            if (field->flags & REQUIRED)
                return fail(op, INVALID, "%s is missing", path);
            continue;
        }
        TRY(read_field(op, field, value, to, path));
        if (field->flags & PRESENCE)
            *(bool *)member(to, field->has_offset) = true;
    }
    return OK;
}

enum fault json_read(struct op *op, const struct json_field *table, json_t *object,
                     void *ret_struct)
{
    return read_object(op, table, object, ret_struct, "");
}

/* ---- writing ---- */

/* Length of the valid UTF-8 sequence at s, or 0. */
static size_t utf8_length(const unsigned char *s)
{
    size_t n = s[0] < 0x80   ? 1
               : s[0] < 0xc2 ? 0
               : s[0] < 0xe0 ? 2
               : s[0] < 0xf0 ? 3
               : s[0] < 0xf5 ? 4
                             : 0;

    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0; /* overlong, a surrogate, or beyond U+10FFFF */
    return n;
}

static void write_escape(struct text *out, unsigned char c)
{
    static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt";

    for (size_t i = 0; i + 1 < sizeof(shorts); i += 2) {
        if (shorts[i] == (char)c) {
            text_add(out, "\\", 1);
            text_add(out, &shorts[i + 1], 1);
            return;
        }
    }
    text_printf(out, "\\u%04x", c);
}

void json_quote(struct text *out, const char *s)
{
    const unsigned char *at = (const unsigned char *)s, *run = at;

    text_add(out, "\"", 1);
    while (*at) {
        size_t n = utf8_length(at);

        if (n > 0 && *at >= 0x20 && *at != '"' && *at != '\\' && *at != 0x7f) {
            at += n;
            continue;
        }
        text_add(out, run, (size_t)(at - run));
        if (n == 0)
            text_str(out, "\xef\xbf\xbd"); /* U+FFFD */
        else
            write_escape(out, *at);
        run = ++at;
    }
    text_add(out, run, (size_t)(at - run));
    text_add(out, "\"", 1);
}

void utf8_clean(struct text *out, struct bytes in)
{
    const unsigned char *at = in.data, *end = at + in.len, *run = at;

    while (at < end) {
        unsigned char some[5] = {0}; /* ends with NUL, which continues nothing */
        size_t n;

        memcpy(some, at, (size_t)(end - at) < 4 ? (size_t)(end - at) : 4);
        n = *at ? utf8_length(some) : 0;
        if (n > 0) {
            at += n;
            continue;
        }
        text_add(out, run, (size_t)(at - run));
        text_str(out, "\xef\xbf\xbd"); /* U+FFFD */
        run = ++at;
    }
    text_add(out, run, (size_t)(at - run));
}

static bool left_out(const struct json_field *field, const char *base)
{
    if (!(field->flags & OMIT_NULL))
        return false;
    switch (field->kind) {
    case JK_TEXT:
    case JK_RAW:
        return *(const char *const *)(base + field->offset) == NULL;
    case JK_LIST:
    case JK_TEXTS:
        return *(const size_t *)(base + field->count_offset) == 0;
    default:
        return false;
    }
}

static void write_text_or_null(struct text *out, const char *s)
{
    if (s)
        json_quote(out, s);
    else
        text_str(out, "null");
}

static void write_elements(struct text *out, const struct json_field *field, const char *base)
{
    size_t n = *(const size_t *)(base + field->count_offset);
    const char *items = *(const char *const *)(base + field->offset);

    text_str(out, "[");
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            text_str(out, ",");
        if (field->kind == JK_TEXTS)
            write_text_or_null(out, ((const char *const *)(const void *)items)[i]);
        else
            json_write(out, field->table, items + i * field->size);
    }
    text_str(out, "]");
}

static void write_value(struct text *out, const struct json_field *field, const char *base)
{
    const char *at = base + field->offset;

    switch (field->kind) {
    case JK_TEXT:
        write_text_or_null(out, *(const char *const *)at);
        break;
    case JK_INT:
        text_printf(out, "%lld", (long long)*(const int64_t *)at);
        break;
    case JK_BOOL:
        text_str(out, *(const bool *)at ? "true" : "false");
        break;
    case JK_OBJECT:
        json_write(out, field->table, at);
        break;
    case JK_LIST:
    case JK_TEXTS:
        write_elements(out, field, base);
        break;
    case JK_RAW:
        text_str(out, *(const char *const *)at ? *(const char *const *)at : "null");
        break;
    case JK_END:
        break;
    }
}

void json_write(struct text *out, const struct json_field *table, const void *object)
{
    bool first = true;

    text_str(out, "{");
    for (const struct json_field *field = table; field->kind != JK_END; field++) {
        if (left_out(field, object))
            continue;
        if (!first)
            text_str(out, ",");
        first = false;
        json_quote(out, field->name);
        text_str(out, ":");
        write_value(out, field, object);
    }
    text_str(out, "}");
}
