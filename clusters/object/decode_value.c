/* Single values of fields, and what is said of those that do not fit. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clusters/object/decode.h"
#include "clusters/object/quantity.h"

#define PATH_MAX_BYTES ((size_t)4000)

/* ---- places ---- */

bool push_place(struct reader *r, struct place place)
{
    if (r->depth >= OBJECT_DEPTH_MAX)
        return syntax_error(r, "exceeded max depth");
    if (++r->n_values > OBJECT_VALUES_MAX)
        return syntax_error(r, "it has more than %d values", OBJECT_VALUES_MAX);
    r->places[r->depth++] = place;
    return true;
}

/* "spec.containers[0].image"; as Go names fields: "spec.containers.image" */
static void write_path(struct reader *r, struct text *out, bool fields_only)
{
    for (size_t i = 0; i < r->depth; i++) {
        const struct place *place = &r->places[i];

        if (fields_only && !place->type)
            continue;
        if (!place->name) {
            text_printf(out, "[%zu]", place->index);
            continue;
        }
        text_str(out, out->len ? "." : "");
        text_add(out, place->name, place->len);
    }
}

json_t *syntax_error(struct reader *r, const char *fmt, ...)
{
    char *message = NULL;
    va_list args;

    if (r->syntax)
        return NULL;
    va_start(args, fmt);
    if (vasprintf(&message, fmt, args) < 0)
        abort(); /* out of memory */
    va_end(args);
    r->syntax = arena_strdup(&r->op->arena, message);
    free(message);
    return NULL;
}

void field_problem(struct reader *r, const char *what)
{
    struct text path;

    if (r->validation == FIELDS_IGNORE || r->n_problems++ >= PROBLEMS_MAX ||
        (r->validation == FIELDS_WARN && r->n_warnings + 1 >= ARRAY_LEN(r->ret->warnings)))
        return;
    text_init(&path, &r->op->arena, PATH_MAX_BYTES);
    write_path(r, &path, false);
    if (r->validation == FIELDS_WARN)
        r->ret->warnings[r->n_warnings++] =
            arena_printf(&r->op->arena, "%s field \"%s\"", what, path.data);
    else
        text_printf(&r->problems, "%s%s field \"%s\"", r->problems.len ? ", " : "", what,
                    path.data);
}

/* ---- mismatches ---- */

static const char *last_part(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot ? dot + 1 : name;
}

/* "v1.Container" of io.k8s.api.core.v1.Container. */
static const char *go_type(const struct type *type)
{
    const char *name = type->name, *from = last_part(name);

    while (from > name + 1 && from[-2] != '.')
        from--;
    return from > name ? from - 1 : name;
}

static const char *go_value(const struct field *field)
{
    static const char *const names[] = {
        [VALUE_STRING] = "string",       [VALUE_BOOL] = "bool",
        [VALUE_INT32] = "int32",         [VALUE_INT64] = "int64",
        [VALUE_DOUBLE] = "float64",      [VALUE_BYTES] = "[]uint8",
        [VALUE_TIME] = "string",         [VALUE_MICRO_TIME] = "string",
        [VALUE_DURATION] = "string",     [VALUE_QUANTITY] = "resource.Quantity",
        [VALUE_INT_OR_STRING] = "int32", [VALUE_TEXTS] = "[]string",
        [VALUE_ANY] = "interface {}",
    };

    if (field->value == VALUE_OBJECT)
        return field->type ? go_type(field->type) : "struct";
    return names[field->value];
}

void mismatch_text(struct reader *r, const char *message)
{
    if (!r->mismatch)
        r->mismatch = arena_strdup(&r->op->arena, message);
}

json_t *mismatch(struct reader *r, const char *what, const struct field *field, bool element)
{
    const char *shape = "", *in = NULL;
    struct text path;

    if (r->mismatch)
        return NULL;
    if (!field) {
        mismatch_text(r, arena_printf(&r->op->arena,
                                      "json: cannot unmarshal %s into Go value of type %s", what,
                                      r->root ? go_type(r->root) : "map[string]interface {}"));
        return NULL;
    }
    if (!element && field->shape != SHAPE_ONE)
        shape = field->shape == SHAPE_LIST ? "[]" : "map[string]";
    for (size_t i = r->depth; i > 0 && !in; i--) {
        if (r->places[i - 1].type)
            in = last_part(r->places[i - 1].type->name);
    }
    text_init(&path, &r->op->arena, PATH_MAX_BYTES);
    write_path(r, &path, true);
    mismatch_text(r,
                  arena_printf(&r->op->arena,
                               "json: cannot unmarshal %s into Go struct field %s.%s of type %s%s",
                               what, in ? in : "", path.data, shape, go_value(field)));
    return NULL;
}

/* ---- values ---- */

static json_t *quantity_value_from(struct reader *r, const char *text)
{
    struct quantity q;

    if (!quantity_parse(text, &q)) {
        mismatch_text(r, "quantities must match the regular expression "
                         "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
        return NULL;
    }
    return json_string_nocheck(quantity_text(r->op, q));
}

static json_t *time_value(struct reader *r, const char *text, bool micro)
{
    int64_t us;

    if (!*text)
        return NULL; /* Go: as null */
    if (!micro_time_parse(text, &us)) {
        mismatch_text(r, arena_printf(&r->op->arena,
                                      "parsing time \"%s\" as \"2006-01-02T15:04:05%sZ07:00\": "
                                      "cannot parse \"%s\" as \"2006\"",
                                      text, micro ? ".000000" : "", text));
        return NULL;
    }
    return json_string_nocheck(
        micro ? micro_time_text(r->op, us)
              : time_text(r->op, (us - (us % 1000000 + 1000000) % 1000000) / 1000000));
}

/* Standard base64 with its padding; line ends do not count, as in Go. */
static json_t *base64_value(struct reader *r, const char *text, size_t len)
{
    char *clean = arena_alloc(&r->op->arena, len + 1);
    size_t n = 0, padding = 0;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                      c == '+' || c == '/';

        if (c == '\r' || c == '\n')
            continue;
        padding += c == '=';
        if ((!letter && c != '=') || (letter && padding) || padding > 2) {
            mismatch_text(r,
                          arena_printf(&r->op->arena, "illegal base64 data at input byte %zu", i));
            return NULL;
        }
        clean[n++] = c;
    }
    if (n % 4 != 0) {
        mismatch_text(
            r, arena_printf(&r->op->arena, "illegal base64 data at input byte %zu", n - n % 4));
        return NULL;
    }
    return json_stringn_nocheck(clean, n);
}

json_t *text_value(struct reader *r, const struct field *field, const char *text, size_t len)
{
    const char *copy;

    switch (field->value) {
    case VALUE_STRING:
    case VALUE_INT_OR_STRING:
        return json_stringn_nocheck(text, len);
    case VALUE_BYTES:
        return base64_value(r, text, len);
    case VALUE_TIME:
    case VALUE_MICRO_TIME:
    case VALUE_DURATION:
    case VALUE_QUANTITY:
        break;
    default:
        return mismatch(r, "string", field, true);
    }
    if (field->value == VALUE_DURATION)
        return json_stringn_nocheck(text, len);
    copy = arena_strndup(&r->op->arena, text, len);
    if (field->value == VALUE_QUANTITY)
        return quantity_value_from(r, copy);
    return time_value(r, copy, field->value == VALUE_MICRO_TIME);
}

json_t *number_value(struct reader *r, const struct field *field, const char *text, bool element)
{
    bool narrow = field->value == VALUE_INT32 || field->value == VALUE_INT_OR_STRING;
    json_t *real;
    long long value;
    char *end;

    if (field->value == VALUE_QUANTITY)
        return quantity_value_from(r, text);
    if (field->value == VALUE_DOUBLE) {
        real = json_real(strtod(text, NULL));
        return real ? real
                    : mismatch(r, arena_printf(&r->op->arena, "number %s", text), field, element);
    }
    if (!narrow && field->value != VALUE_INT64)
        return mismatch(r, "number", field, element);
    errno = 0;
    value = strtoll(text, &end, 10);
    if (errno || *end || (narrow && (value > INT32_MAX || value < INT32_MIN)))
        return mismatch(r, arena_printf(&r->op->arena, "number %s", text), field, element);
    return json_integer(value);
}

bool is_omitted(const struct field *field, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return field->shape == SHAPE_MAP && !field->required && json_object_size(value) == 0;
    case JSON_ARRAY:
        return field->shape == SHAPE_LIST && !field->required && json_array_size(value) == 0;
    case JSON_STRING:
        return !field->pointer && field->value != VALUE_ANY && json_string_length(value) == 0;
    case JSON_INTEGER:
        return !field->pointer && field->value != VALUE_ANY && json_integer_value(value) == 0;
    case JSON_FALSE:
        return !field->pointer && field->value != VALUE_ANY;
    default:
        return false;
    }
}
