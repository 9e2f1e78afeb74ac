#include "api/template/lenient.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/arm.h"
#include "api/template/limits.h"

struct reader {
    struct op *op;
    const char *start, *p, *end;
    struct text text; /* of the string that is read now */
    int depth;
};

static enum fault read_value(struct reader *r, json_t **ret);

static enum fault wrong(struct reader *r, const char *what)
{
    size_t line = 1, column = 1;

    for (const char *q = r->start; q < r->p; q++) {
        line += *q == '\n';
        column = *q == '\n' ? 1 : column + 1;
    }
    return fail_on(r->op, "InvalidRequestContent", INVALID,
                   "The request content was invalid and could not be deserialized: %s, line %zu, "
                   "position %zu.",
                   what, line, column);
}

/* False: a comment without an end. */
static bool skip_comment(struct reader *r)
{
    const char *close;

    if (r->p[1] == '/') {
        while (r->p < r->end && *r->p != '\n')
            r->p++;
        return true;
    }
    close = memmem(r->p + 2, (size_t)(r->end - r->p - 2), "*/", 2);
    if (close)
        r->p = close + 2;
    return close;
}

static enum fault skip_space(struct reader *r)
{
    while (r->p < r->end) {
        if (isspace((unsigned char)*r->p))
            r->p++;
        else if (*r->p == '/' && r->end - r->p > 1 && (r->p[1] == '/' || r->p[1] == '*')) {
            if (!skip_comment(r))
                return wrong(r, "a comment does not end");
        } else
            break;
    }
    return OK;
}

static bool is_next(struct reader *r, char c)
{
    if (r->p == r->end || *r->p != c)
        return false;
    r->p++;
    return true;
}

/* ---- texts ---- */

static bool hex4(struct reader *r, unsigned *ret)
{
    unsigned value = 0;

    if (r->end - r->p < 4)
        return false;
    for (int i = 0; i < 4; i++, r->p++) {
        if (!isxdigit((unsigned char)*r->p))
            return false;
        value = value * 16 + (unsigned)(isdigit((unsigned char)*r->p)
                                            ? *r->p - '0'
                                            : tolower((unsigned char)*r->p) - 'a' + 10);
    }
    *ret = value;
    return true;
}

static void add_point(struct text *out, unsigned c)
{
    char utf8[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    if (n == 1)
        utf8[0] = (char)c;
    for (size_t i = n; n > 1 && i-- > 0; c >>= 6)
        utf8[i] = (char)(i ? 0x80 | (c & 0x3f) : (unsigned)(0xf00 >> n & 0xff) | c);
    text_add(out, utf8, n);
}

/* After "\u". */
static enum fault read_point(struct reader *r)
{
    unsigned c, low;

    if (!hex4(r, &c) || c == 0 || (c >= 0xdc00 && c < 0xe000))
        return wrong(r, "a character after \\u is none");
    if (c >= 0xd800 && c < 0xdc00) {
        if (r->end - r->p < 6 || r->p[0] != '\\' || r->p[1] != 'u')
            return wrong(r, "half a character after \\u");
        r->p += 2;
        if (!hex4(r, &low) || low < 0xdc00 || low > 0xdfff)
            return wrong(r, "half a character after \\u");
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    add_point(&r->text, c);
    return OK;
}

static enum fault read_escape(struct reader *r)
{
    static const char from[] = "\"\\/bfnrt'", to[] = "\"\\/\b\f\n\r\t'";
    const char *at;
    char c;

    if (r->p == r->end)
        return wrong(r, "a text does not end");
    c = *r->p++;
    if (c == 'u')
        return read_point(r);
    at = c ? strchr(from, c) : NULL;
    if (!at)
        return wrong(r, "an unknown character after a backslash");
    text_add(&r->text, &to[at - from], 1);
    return OK;
}

/* Into r->text; the quote is read already. */
static enum fault read_text(struct reader *r, char quote)
{
    text_init(&r->text, &r->op->arena, TEMPLATE_BODY_MAX);
    while (r->p < r->end && *r->p != quote) {
        const char *from = r->p;

        while (r->p < r->end && *r->p != quote && *r->p != '\\' && *r->p)
            r->p++;
        text_add(&r->text, from, (size_t)(r->p - from));
        if (r->p < r->end && !*r->p)
            return wrong(r, "a NUL in a text");
        if (r->p < r->end && *r->p == '\\') {
            r->p++;
            TRY(read_escape(r));
        }
    }
    return is_next(r, quote) ? OK : wrong(r, "a text does not end");
}

static enum fault text_value(struct reader *r, char quote, json_t **ret)
{
    TRY(read_text(r, quote));
    *ret = json_stringn(r->text.data, r->text.len);
    return *ret ? OK : wrong(r, "a text is not UTF-8");
}

/* ---- values; each gives a reference of the caller's ---- */

static enum fault read_number(struct reader *r, json_t **ret)
{
    const char *from = r->p;
    bool real = false;
    char *end, *copy;

    while (r->p < r->end && *r->p && strchr("+-.0123456789eE", *r->p)) {
        real = real || strchr(".eE", *r->p);
        r->p++;
    }
    copy = arena_strndup(&r->op->arena, from, (size_t)(r->p - from));
    errno = 0;
    *ret = real ? json_real(strtod(copy, &end)) : json_integer(strtoll(copy, &end, 10));
    if (*ret && end != copy && !*end && !errno)
        return OK;
    json_decref(*ret);
    *ret = NULL;
    r->p = from;
    return wrong(r, "this is no value");
}

static bool is_name(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || c == '-';
}

static enum fault read_word(struct reader *r, json_t **ret)
{
    const char *from = r->p;
    size_t len;

    while (r->p < r->end && is_name(*r->p))
        r->p++;
    len = (size_t)(r->p - from);
    *ret = len == 4 && memcmp(from, "true", 4) == 0    ? json_true()
           : len == 5 && memcmp(from, "false", 5) == 0 ? json_false()
           : len == 4 && memcmp(from, "null", 4) == 0  ? json_null()
                                                       : NULL;
    if (*ret)
        return OK;
    r->p = from;
    return wrong(r, "this is no value");
}

static enum fault read_name(struct reader *r)
{
    const char *from = r->p;

    if (is_next(r, '"'))
        return read_text(r, '"');
    if (is_next(r, '\''))
        return read_text(r, '\'');
    while (r->p < r->end && is_name(*r->p))
        r->p++;
    if (r->p == from)
        return wrong(r, "a name of a member is missing");
    text_init(&r->text, &r->op->arena, (size_t)(r->p - from) + 1);
    text_add(&r->text, from, (size_t)(r->p - from));
    return OK;
}

static enum fault read_member(struct reader *r, json_t *object)
{
    json_t *value = NULL;
    const char *name;

    TRY(read_name(r));
    name = r->text.data;
    TRY(skip_space(r));
    if (!is_next(r, ':'))
        return wrong(r, "a colon is missing");
    TRY(read_value(r, &value));
    return json_object_set_new(object, name, value) ? wrong(r, "a name is not UTF-8") : OK;
}

static enum fault read_item(struct reader *r, json_t *array)
{
    json_t *value = NULL;

    TRY(read_value(r, &value));
    json_array_append_new(array, value);
    return OK;
}

static enum fault read_members(struct reader *r, json_t *into, char close)
{
    for (;;) {
        TRY(skip_space(r));
        if (is_next(r, close))
            return OK;
        TRY(close == '}' ? read_member(r, into) : read_item(r, into));
        TRY(skip_space(r));
        if (is_next(r, close))
            return OK;
        if (!is_next(r, ','))
            return wrong(r, "a comma is missing");
    }
}

static enum fault read_container(struct reader *r, char close, json_t **ret)
{
    json_t *into = close == '}' ? json_object() : json_array();
    enum fault fault;

    if (++r->depth > TEMPLATE_DEPTH_MAX)
        fault = wrong(r, "the content is nested too deeply");
    else
        fault = read_members(r, into, close);
    r->depth--;
    if (fault == OK)
        *ret = into;
    else
        json_decref(into);
    return fault;
}

static enum fault read_value(struct reader *r, json_t **ret)
{
    TRY(skip_space(r));
    if (r->p == r->end)
        return wrong(r, "the content ends too early");
    if (is_next(r, '{'))
        return read_container(r, '}', ret);
    if (is_next(r, '['))
        return read_container(r, ']', ret);
    if (is_next(r, '"'))
        return text_value(r, '"', ret);
    if (is_next(r, '\''))
        return text_value(r, '\'', ret);
    return *r->p == '-' || isdigit((unsigned char)*r->p) ? read_number(r, ret) : read_word(r, ret);
}

enum fault lenient_parse(struct op *op, struct bytes text, json_t **ret)
{
    struct reader r = {.op = op, .start = text.data, .p = text.data};
    json_t *value = NULL;

    r.end = r.p + text.len;
    if (text.len >= 3 && memcmp(r.p, "\xef\xbb\xbf", 3) == 0)
        r.p += 3;
    TRY(read_value(&r, &value));
    json_keep(op, value);
    TRY(skip_space(&r));
    if (r.p != r.end)
        return wrong(&r, "something follows the content");
    *ret = value;
    return OK;
}
