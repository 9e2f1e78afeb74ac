/*
 * JSON into a tree that fits its type, in one pass over the text: what is not a member of the type
 * is never made. Messages are those of Go's decoder, which clients and tests compare.
 */
#include "clusters/object/decode.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clusters/object/status.h"
#include "core/json.h"

static json_t *read_any(struct reader *r);
static json_t *read_object(struct reader *r, const struct type *type);
static json_t *read_map(struct reader *r, const struct field *map);

/* ---- characters ---- */

static void skip_space(struct reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\t' || *r->p == '\r'))
        r->p++;
}

/* "invalid character 'b' looking for beginning of value", or that the text ended. */
static json_t *unexpected(struct reader *r, const char *where)
{
    unsigned char c;

    if (r->p >= r->end)
        return syntax_error(r, "unexpected end of JSON input");
    c = (unsigned char)*r->p;
    if (c == '\'')
        return syntax_error(r, "invalid character '\\'' %s", where);
    if (c >= 0x80) /* Go reads single bytes and prints them as code points */
        return syntax_error(r, "invalid character '%c%c' %s", 0xc0 | c >> 6, 0x80 | (c & 0x3f),
                            where);
    if (c < 0x20 || c == 0x7f)
        return syntax_error(r,
                            c == '\n'   ? "invalid character '\\n' %s"
                            : c == '\t' ? "invalid character '\\t' %s"
                            : c == '\r' ? "invalid character '\\r' %s"
                                        : "invalid character %s in JSON text",
                            where);
    return syntax_error(r, "invalid character '%c' %s", c, where);
}

/* ---- strings ---- */

static int hex4(const char *s, const char *end)
{
    int value = 0;

    if (end - s < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = s[i] >= '0' && s[i] <= '9'   ? s[i] - '0'
                    : s[i] >= 'a' && s[i] <= 'f' ? s[i] - 'a' + 10
                    : s[i] >= 'A' && s[i] <= 'F' ? s[i] - 'A' + 10
                                                 : -1;
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

static char *put_utf8(char *to, unsigned code)
{
    if (code < 0x80) {
        *to++ = (char)code;
    } else if (code < 0x800) {
        *to++ = (char)(0xc0 | code >> 6);
        *to++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *to++ = (char)(0xe0 | code >> 12);
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    } else {
        *to++ = (char)(0xf0 | code >> 18);
        *to++ = (char)(0x80 | (code >> 12 & 0x3f));
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    }
    return to;
}

/* Bytes of the valid UTF-8 sequence at s; 0: none. */
static size_t utf8_sequence(const char *s, const char *end)
{
    unsigned char a = (unsigned char)s[0], b = end - s > 1 ? (unsigned char)s[1] : 0;
    size_t n = a < 0x80 ? 1 : a >= 0xc2 && a < 0xe0 ? 2 : a >= 0xe0 && a < 0xf0 ? 3 : 4;

    if (n == 1)
        return 1;
    if (a < 0xc2 || a > 0xf4 || end - s < (long)n)
        return 0;
    if ((a == 0xe0 && b < 0xa0) || (a == 0xed && b > 0x9f) || (a == 0xf0 && b < 0x90) ||
        (a == 0xf4 && b > 0x8f))
        return 0;
    for (size_t i = 1; i < n; i++) {
        if (((unsigned char)s[i] & 0xc0) != 0x80)
            return 0;
    }
    return n;
}

/* \uXXXX and a second one when they are a surrogate pair; halves alone become U+FFFD. */
static char *read_unicode(struct reader *r, char *to)
{
    int code = hex4(r->p, r->end), low;

    if (code < 0)
        return (void)unexpected(r, "in \\u hexadecimal character escape"), NULL;
    r->p += 4;
    if (code >= 0xd800 && code < 0xdc00 && r->end - r->p >= 6 && r->p[0] == '\\' &&
        r->p[1] == 'u' && (low = hex4(r->p + 2, r->end)) >= 0xdc00 && low < 0xe000) {
        r->p += 6;
        return put_utf8(to, 0x10000U + (((unsigned)code - 0xd800) << 10) + (unsigned)low - 0xdc00);
    }
    return put_utf8(to, code >= 0xd800 && code < 0xe000 ? 0xfffd : (unsigned)code);
}

static char *read_escape(struct reader *r, char *to)
{
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    const char *hit;

    if (r->p >= r->end)
        return (void)unexpected(r, ""), NULL;
    if (*r->p == 'u') {
        r->p++;
        return read_unicode(r, to);
    }
    hit = *r->p ? strchr(from, *r->p) : NULL;
    if (!hit)
        return (void)unexpected(r, "in string escape code"), NULL;
    r->p++;
    *to++ = into[hit - from];
    return to;
}

/* From the first byte that cannot be taken as it is (span: what stood before it). */
static bool read_string_slowly(struct reader *r, const char *span, struct bytes *ret)
{
    size_t before = (size_t)(r->p - span);
    char *copy, *to;

    /* an escape of six gives at most three bytes, a wrong byte gives three */
    const char *close = r->p;
    while (close < r->end && *close != '"')
        close += 1 + (*close == '\\');
    copy = arena_alloc(&r->op->arena, ((size_t)(close - span) + 2) * 3);
    memcpy(copy, span, before);
    to = copy + before;
    while (r->p < r->end && *r->p != '"') {
        size_t n = utf8_sequence(r->p, r->end);

        if (*r->p == '\\') {
            r->p++;
            to = read_escape(r, to);
            if (!to)
                return false;
        } else if ((unsigned char)*r->p < 0x20) {
            return unexpected(r, "in string literal");
        } else if (n == 0) {
            to = put_utf8(to, 0xfffd);
            r->p++;
        } else {
            memcpy(to, r->p, n);
            to += n;
            r->p += n;
        }
    }
    if (r->p >= r->end)
        return unexpected(r, "");
    r->p++;
    *ret = (struct bytes){copy, (size_t)(to - copy)};
    return true;
}

/* At the opening quote. The text points into the body where nothing had to be changed. */
static bool read_string(struct reader *r, struct bytes *ret)
{
    const char *span = ++r->p;

    for (; r->p < r->end; r->p++) {
        unsigned char c = (unsigned char)*r->p;

        if (c == '"') {
            *ret = (struct bytes){span, (size_t)(r->p++ - span)};
            return true;
        }
        if (c == '\\' || c < 0x20 || c >= 0x80)
            return read_string_slowly(r, span, ret);
    }
    return unexpected(r, "");
}

/* ---- numbers and words ---- */

static bool is_digit(const struct reader *r)
{
    return r->p < r->end && *r->p >= '0' && *r->p <= '9';
}

static void skip_digits(struct reader *r)
{
    while (is_digit(r))
        r->p++;
}

#define NUMBER_MAX 400

/* At '-' or a digit: the literal as text, in `to`. */
static bool read_number(struct reader *r, char to[NUMBER_MAX], bool *ret_whole)
{
    const char *start = r->p;

    *ret_whole = true;
    if (*r->p == '-')
        r->p++;
    if (!is_digit(r))
        return unexpected(r, "in numeric literal");
    if (*r->p == '0')
        r->p++;
    else
        skip_digits(r);
    if (r->p < r->end && *r->p == '.') {
        *ret_whole = false;
        r->p++;
        if (!is_digit(r))
            return unexpected(r, "after decimal point in numeric literal");
        skip_digits(r);
    }
    if (r->p < r->end && (*r->p == 'e' || *r->p == 'E')) {
        *ret_whole = false;
        r->p++;
        if (r->p < r->end && (*r->p == '+' || *r->p == '-'))
            r->p++;
        if (!is_digit(r))
            return unexpected(r, "in exponent of numeric literal");
        skip_digits(r);
    }
    if (r->p - start >= NUMBER_MAX)
        return syntax_error(r, "a number has more than %d characters", NUMBER_MAX - 1);
    memcpy(to, start, (size_t)(r->p - start));
    to[r->p - start] = '\0';
    return true;
}

static bool whole_number(const char *text, json_int_t *ret)
{
    char *end;

    errno = 0;
    *ret = strtoll(text, &end, 10);
    return errno == 0 && *end == '\0';
}

static json_t *any_number(struct reader *r)
{
    char text[NUMBER_MAX];
    json_int_t value;
    json_t *real;
    bool whole;

    if (!read_number(r, text, &whole))
        return NULL;
    if (whole && whole_number(text, &value))
        return json_integer(value);
    real = json_real(strtod(text, NULL)); /* NULL: infinite */
    return real ? real
                : syntax_error(
                      r, "json: cannot unmarshal number %.40s into Go value of type float64", text);
}

static bool read_word(struct reader *r, const char *word)
{
    size_t len = strlen(word);

    for (size_t i = 1; i < len; i++) {
        r->p++;
        if (r->p >= r->end || *r->p != word[i])
            return unexpected(
                r, arena_printf(&r->op->arena, "in literal %s (expecting '%c')", word, word[i]));
    }
    r->p++;
    return true;
}

/* ---- lists and objects, of anything ---- */

/* After '[' or '{' and after each element: is there another one? close ends it. */
static bool another(struct reader *r, bool first, char close, const char *where, bool *ret_more)
{
    skip_space(r);
    if (r->p < r->end && *r->p == close) {
        r->p++;
        *ret_more = false;
        return true;
    }
    *ret_more = true;
    if (first)
        return true;
    if (r->p >= r->end || *r->p != ',')
        return unexpected(r, where);
    r->p++;
    skip_space(r);
    return true;
}

/* A key and its colon. */
static bool read_key(struct reader *r, struct bytes *ret)
{
    if (r->p >= r->end || *r->p != '"')
        return unexpected(r, "looking for beginning of object key string");
    if (!read_string(r, ret))
        return false;
    if (memchr(ret->data, '\0', ret->len))
        return syntax_error(r, "a key has a NUL in it");
    skip_space(r);
    if (r->p >= r->end || *r->p != ':')
        return unexpected(r, "after object key");
    r->p++;
    skip_space(r);
    return true;
}

static json_t *drop(json_t *value)
{
    json_decref(value);
    return NULL;
}

static json_t *any_object(struct reader *r)
{
    json_t *object = json_object();
    bool more, first = true;
    struct bytes key;

    for (r->p++;; first = false) {
        size_t size = json_object_size(object);
        json_t *value;

        if (!another(r, first, '}', "after object key:value pair", &more))
            return drop(object);
        if (!more)
            return object;
        if (!read_key(r, &key) || !push_place(r, (struct place){key.data, key.len, 0, NULL}))
            return drop(object);
        value = read_any(r);
        if (!value)
            return drop(object);
        json_object_setn_new_nocheck(object, key.data, key.len, value);
        if (json_object_size(object) == size)
            field_problem(r, "duplicate");
        r->depth--;
    }
}

static json_t *any_list(struct reader *r)
{
    json_t *list = json_array(), *value;
    bool more, first = true;

    for (r->p++;; first = false) {
        if (!another(r, first, ']', "after array element", &more))
            return drop(list);
        if (!more)
            return list;
        if (!push_place(r, (struct place){NULL, 0, json_array_size(list), NULL}))
            return drop(list);
        value = read_any(r);
        if (!value)
            return drop(list);
        json_array_append_new(list, value);
        r->depth--;
    }
}

/* NULL: only when the text cannot be read. */
static json_t *read_any(struct reader *r)
{
    struct bytes text;

    if (r->p >= r->end)
        return unexpected(r, "");
    switch (*r->p) {
    case '{':
        return any_object(r);
    case '[':
        return any_list(r);
    case '"':
        return read_string(r, &text) ? json_stringn_nocheck(text.data, text.len) : NULL;
    case 't':
        return read_word(r, "true") ? json_true() : NULL;
    case 'f':
        return read_word(r, "false") ? json_false() : NULL;
    case 'n':
        return read_word(r, "null") ? json_null() : NULL;
    default:
        if (*r->p == '-' || (*r->p >= '0' && *r->p <= '9'))
            return any_number(r);
        return unexpected(r, "looking for beginning of value");
    }
}

/* ---- by type ---- */

static const char *go_word(const json_t *value)
{
    static const char *const words[] = {"object", "array", "string", "number",
                                        "number", "bool",  "bool",   "null"};

    return words[json_typeof(value)];
}

/* Read and forget a value that does not fit; what it was in Go's words. */
static json_t *misfit(struct reader *r, const struct field *field, bool element)
{
    enum field_validation kept = r->validation;
    const char *word;
    json_t *value;

    r->validation = FIELDS_IGNORE; /* it is dropped: what is in it does not matter */
    value = read_any(r);
    r->validation = kept;
    if (!value)
        return NULL;
    word = go_word(value);
    json_decref(value);
    return mismatch(r, word, field, element);
}

static json_t *read_typed_number(struct reader *r, const struct field *field, bool element)
{
    char text[NUMBER_MAX];
    bool whole;

    if (!read_number(r, text, &whole))
        return NULL;
    return number_value(r, field, text, element);
}

/* One value of a field: its own, or an element of its list or map. NULL without r->syntax: it was
   null, or did not fit. */
static json_t *read_one(struct reader *r, const struct field *field, bool element)
{
    struct bytes text;

    if (field->value == VALUE_ANY)
        return read_any(r);
    if (r->p >= r->end)
        return unexpected(r, "");
    switch (*r->p) {
    case '{':
        if (field->value != VALUE_OBJECT)
            return misfit(r, field, element);
        return read_object(r, field->type);
    case '"':
        if (field->value == VALUE_OBJECT || field->value == VALUE_TEXTS)
            return misfit(r, field, element);
        if (!read_string(r, &text))
            return NULL;
        return text_value(r, field, text.data, text.len);
    case 't':
    case 'f':
        if (field->value != VALUE_BOOL)
            return misfit(r, field, element);
        return read_any(r);
    case 'n':
        read_word(r, "null");
        return NULL;
    case '[':
        if (field->value == VALUE_TEXTS)
            return any_list(r);
        return misfit(r, field, element);
    default:
        if (*r->p == '-' || (*r->p >= '0' && *r->p <= '9'))
            return read_typed_number(r, field, element);
        return unexpected(r, "looking for beginning of value");
    }
}

static json_t *read_list(struct reader *r, const struct field *field)
{
    json_t *list = json_array(), *value;
    bool more, first = true;

    for (r->p++;; first = false) {
        if (!another(r, first, ']', "after array element", &more))
            return drop(list);
        if (!more)
            return list;
        if (!push_place(r, (struct place){NULL, 0, json_array_size(list), NULL}))
            return drop(list);
        value = read_one(r, field, true);
        if (r->syntax)
            return drop(list);
        /* null as an element is Go's zero value */
        if (!value)
            value = field->value == VALUE_OBJECT ? json_object() : json_stringn_nocheck("", 0);
        json_array_append_new(list, value);
        r->depth--;
    }
}

static json_t *read_shaped(struct reader *r, const struct field *field)
{
    char c = r->p < r->end ? *r->p : '\0';

    if (field->shape == SHAPE_ONE || c == 'n')
        return read_one(r, field, false);
    if (field->shape == SHAPE_LIST && c == '[')
        return read_list(r, field);
    if (field->shape == SHAPE_MAP && c == '{')
        return read_map(r, field);
    return misfit(r, field, false);
}

/* What is not a member of the type, or does not count any more. */
static void skip_value(struct reader *r)
{
    enum field_validation kept = r->validation;

    r->validation = FIELDS_IGNORE;
    json_decref(read_any(r));
    r->validation = kept;
}

static void read_member(struct reader *r, const struct type *type, struct bytes key,
                        uint64_t seen[4], json_t *object)
{
    const struct field *field = type_field(type, key.data, key.len);
    size_t index = field ? (size_t)(field - type->fields) : 0;
    json_t *value;

    if (!field) {
        field_problem(r, "unknown");
        skip_value(r);
        return;
    }
    if (seen[index / 64] >> index % 64 & 1)
        field_problem(r, "duplicate");
    seen[index / 64] |= 1ULL << index % 64;
    value = read_shaped(r, field);
    if (value && is_omitted(field, value)) {
        json_object_deln(object, key.data, key.len);
        json_decref(value);
    } else if (value) {
        json_object_setn_new_nocheck(object, key.data, key.len, value);
    }
}

static json_t *read_object(struct reader *r, const struct type *type)
{
    json_t *object = json_object();
    uint64_t seen[4] = {0};
    bool more, first = true;
    struct bytes key;

    for (r->p++;; first = false) {
        if (!another(r, first, '}', "after object key:value pair", &more))
            return drop(object);
        if (!more)
            return object;
        if (!read_key(r, &key) || !push_place(r, (struct place){key.data, key.len, 0, type}))
            return drop(object);
        read_member(r, type, key, seen, object);
        if (r->syntax)
            return drop(object);
        r->depth--;
    }
}

static void read_entry(struct reader *r, const struct field *map, struct bytes key, json_t *object)
{
    size_t size = json_object_size(object);
    json_t *value = read_one(r, map, true);

    if (!value && !r->syntax && map->value == VALUE_STRING)
        value = json_stringn_nocheck("", 0); /* null in a map of texts, as Go has it */
    if (!value)
        return;
    json_object_setn_new_nocheck(object, key.data, key.len, value);
    if (json_object_size(object) == size)
        field_problem(r, "duplicate");
}

static json_t *read_map(struct reader *r, const struct field *map)
{
    json_t *object = json_object();
    bool more, first = true;
    struct bytes key;

    for (r->p++;; first = false) {
        if (!another(r, first, '}', "after object key:value pair", &more))
            return drop(object);
        if (!more)
            return object;
        if (!read_key(r, &key) || !push_place(r, (struct place){key.data, key.len, 0, NULL}))
            return drop(object);
        read_entry(r, map, key, object);
        if (r->syntax)
            return drop(object);
        r->depth--;
    }
}

/* ---- the whole ---- */

static void release(void *value)
{
    json_decref(value);
}

static const char *last_part(const char *name, char separator)
{
    const char *part = strrchr(name, separator);

    return part ? part + 1 : name;
}

/* Upstream's beginning of the body, for messages. */
static const char *summary(struct op *op, struct bytes body)
{
    static const char hex[] = "0123456789abcdef";
    const unsigned char *data = body.data;
    struct text text;

    if (body.len == 0)
        return "<empty>";
    text_init(&text, &op->arena, 1000);
    if (data[0] == '{')
        utf8_clean(&text, (struct bytes){data, body.len < 30 ? body.len : 30});
    else {
        for (size_t i = 0; i < body.len && i < 30; i++)
            text_printf(&text, "%c%c", hex[data[i] >> 4], hex[data[i] & 15]);
    }
    text_str(&text, body.len > 30 ? " ..." : "");
    return text.data;
}

static const char *kind_of(const struct type *type)
{
    return type ? last_part(type->name, '.') : "object";
}

/* `Pod in version "v1" cannot be handled as a Pod: …` */
static enum fault cannot_be_handled(struct reader *r, const char *why)
{
    const char *kind = text_at_or(r->ret->tree, "kind", kind_of(r->root));
    const char *version = text_at(r->ret->tree, "apiVersion");

    if (!version && r->root && r->root->gvk)
        version = arena_strndup(&r->op->arena, r->root->gvk, strcspn(r->root->gvk, " "));
    return bad_request(r->op, "%s in version \"%s\" cannot be handled as a %s: %s", kind,
                       last_part(version ? version : "v1", '/'), r->root ? kind_of(r->root) : kind,
                       why);
}

static enum fault finish(struct reader *r, struct bytes body)
{
    if (r->syntax)
        return bad_request(
            r->op, "the object provided is unrecognized (must be of type %s): %s%s (%s)",
            kind_of(r->root), r->start ? "couldn't get version/kind; json parse error: " : "",
            r->syntax, summary(r->op, body));
    if (r->mismatch)
        return cannot_be_handled(r, r->mismatch);
    if (r->problems.len)
        return cannot_be_handled(
            r, arena_printf(&r->op->arena, "strict decoding error: %s", r->problems.data));
    return OK;
}

static void read_text(struct reader *r)
{
    json_t *tree;

    skip_space(r);
    if (r->p < r->end && *r->p == '{')
        tree = r->root ? read_object(r, r->root) : any_object(r);
    else
        tree = misfit(r, NULL, false);
    skip_space(r);
    if (!r->syntax && r->p < r->end)
        unexpected(r, "after top-level value");
    if (tree) {
        r->ret->tree = tree;
        arena_defer(&r->op->arena, release, tree);
    }
}

enum fault object_decode(struct op *op, const struct type *type, enum media media,
                         struct bytes body, enum field_validation validation, struct decoded *ret)
{
    struct decoded decoded = {0};
    struct reader *r = arena_alloc(&op->arena, sizeof(*r));
    struct bytes text = body;
    json_t *yaml;

    *r = (struct reader){.op = op, .root = type, .validation = validation, .ret = &decoded};
    if (validation == FIELDS_STRICT)
        text_init(&r->problems, &op->arena, (size_t)64 << 10);
    if (media == MEDIA_YAML) {
        TRY(yaml_to_tree(r, body, &yaml));
        text = object_encode(op, yaml);
    }
    if (media != MEDIA_PROTOBUF) {
        r->start = r->p = text.data ? text.data : "";
        r->end = r->start + text.len;
    }
    if (media == MEDIA_PROTOBUF)
        protobuf_decode(r, body);
    else
        read_text(r);
    TRY(finish(r, body));
    *ret = decoded;
    return OK;
}

enum fault object_conform(struct op *op, const struct type *type, const json_t *tree,
                          enum field_validation validation, struct decoded *ret)
{
    return object_decode(op, type, MEDIA_JSON, object_encode(op, tree), validation, ret);
}

enum fault object_check_kind(struct op *op, const struct resource *r, json_t *tree)
{
    static const char *const members[] = {"apiVersion", "kind"};
    const char *version = text_at_or(tree, "apiVersion", ""), *kind = text_at_or(tree, "kind", "");

    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        const json_t *value = json_object_get(tree, members[i]);

        if (value && !json_is_string(value))
            return bad_request(
                op,
                "couldn't get version/kind; json parse error: json: cannot unmarshal "
                "%s into Go struct field .%s of type string",
                go_word(value), members[i]);
    }
    if (!r || (strcmp(kind, r->kind) == 0 && strcmp(version, r->api_version) == 0))
        return OK;
    if (*kind && strcmp(kind, r->kind) != 0)
        return bad_request(op,
                           "%s in version \"%s\" cannot be handled as a %s: converting (%s.%s) to "
                           "(%s.%s): unknown conversion",
                           kind, last_part(*version ? version : r->version, '/'), r->kind,
                           last_part(*version ? version : r->version, '/'), kind,
                           *r->group ? r->group : "core", r->kind);
    if (*version && strcmp(version, r->api_version) != 0)
        return bad_request(op,
                           "the API version in the data (%s) does not match the expected API "
                           "version (%s)",
                           version, r->api_version);
    json_object_set_new(tree, "apiVersion", json_string(r->api_version));
    json_object_set_new(tree, "kind", json_string(r->kind));
    return OK;
}
