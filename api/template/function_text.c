/* Texts. Positions count letters (code points), as people do. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "api/template/function.h"
#include "api/template/limits.h"

static enum fault give_written(const struct arguments *a, const struct text *out, json_t **ret)
{
    return out->overflow ? too_long(a) : give_text(a, out->data, ret);
}

static enum fault concat_arrays(const struct arguments *a, json_t **ret)
{
    json_t *all = json_new_array(a->s->op);

    for (size_t i = 0; i < a->n; i++) {
        TRY(array_arg(a, i));
        TRY(spend_bytes(a->s, json_array_size(a->v[i]) * sizeof(json_t *)));
        json_array_extend(all, a->v[i]);
    }
    *ret = all;
    return OK;
}

FUNCTION(f_concat)
{
    const char *text;
    struct text out;

    if (json_is_array(a->v[0]))
        return concat_arrays(a, ret);
    text_init(&out, &a->s->op->arena, EXPRESSION_TEXT_MAX);
    for (size_t i = 0; i < a->n && !out.overflow; i++) {
        if (json_is_array(a->v[i]) || json_is_object(a->v[i]))
            return wrong_arg(a, i, "String");
        TRY(as_text(a, a->v[i], &text));
        text_str(&out, text);
    }
    return give_written(a, &out, ret);
}

FUNCTION(f_replace)
{
    const char *text, *old, *new, *at;
    struct text out;

    TRY(text_arg(a, 0, &text));
    TRY(text_arg(a, 1, &old));
    TRY(text_arg(a, 2, &new));
    if (!*old)
        return function_fail(a, "cannot look for an empty text.");
    text_init(&out, &a->s->op->arena, EXPRESSION_TEXT_MAX);
    while ((at = strstr(text, old))) {
        text_add(&out, text, (size_t)(at - text));
        text_str(&out, new);
        text = at + strlen(old);
    }
    text_str(&out, text);
    return give_written(a, &out, ret);
}

/* What separates, and where it is next; NULL: nowhere. */
struct delimiter {
    const char *text, *at;
};

static enum fault read_delimiters(const struct arguments *a, const char *text,
                                  struct delimiter **ret, size_t *ret_n)
{
    size_t n = json_is_array(a->v[1]) ? json_array_size(a->v[1]) : 1;
    struct delimiter *d = arena_alloc(&a->s->op->arena, (n + 1) * sizeof(*d));

    if (!json_is_string(a->v[1]))
        TRY(array_arg(a, 1));
    for (size_t i = 0; i < n; i++) {
        d[i].text =
            json_string_value(json_is_array(a->v[1]) ? json_array_get(a->v[1], i) : a->v[1]);
        TRY(spend(a->s, 1 + strlen(text) / 64));
        d[i].at = d[i].text && *d[i].text ? strstr(text, d[i].text) : NULL;
    }
    *ret = d;
    *ret_n = n;
    return OK;
}

/* The first in text; each looks for itself anew only where its last place is passed. */
static const struct delimiter *next_delimiter(struct delimiter *d, size_t n, const char *text)
{
    const struct delimiter *first = NULL;

    for (size_t i = 0; i < n; i++) {
        if (d[i].at && d[i].at < text)
            d[i].at = strstr(text, d[i].text);
        if (d[i].at && (!first || d[i].at < first->at))
            first = &d[i];
    }
    return first;
}

FUNCTION(f_split)
{
    json_t *parts = json_new_array(a->s->op);
    const struct delimiter *next;
    struct delimiter *delimiters;
    const char *text;
    size_t n = 0;

    TRY(text_arg(a, 0, &text));
    TRY(read_delimiters(a, text, &delimiters, &n));
    while ((next = next_delimiter(delimiters, n, text))) {
        TRY(spend(a->s, 1 + n / 8));
        TRY(spend_bytes(a->s, (size_t)(next->at - text)));
        json_array_append_new(parts, json_stringn(text, (size_t)(next->at - text)));
        text = next->at + strlen(next->text);
    }
    TRY(spend_bytes(a->s, strlen(text)));
    json_array_append_new(parts, json_string(text));
    *ret = parts;
    return OK;
}

FUNCTION(f_join)
{
    const char *between, *text;
    struct text out;
    json_t *one;
    size_t i;

    TRY(array_arg(a, 0));
    TRY(text_arg(a, 1, &between));
    text_init(&out, &a->s->op->arena, EXPRESSION_TEXT_MAX);
    json_array_foreach(a->v[0], i, one)
    {
        if (i)
            text_str(&out, between);
        TRY(as_text(a, one, &text));
        text_str(&out, text);
        if (out.overflow)
            break;
    }
    return give_written(a, &out, ret);
}

FUNCTION(f_substring)
{
    int64_t start, length;
    const char *text;
    size_t n, from;

    TRY(text_arg(a, 0, &text));
    TRY(int_arg(a, 1, &start));
    n = letters(text);
    length = start < 0 ? 0 : (int64_t)n - start;
    if (a->n == 3)
        TRY(int_arg(a, 2, &length));
    if (start < 0 || length < 0 || start > (int64_t)n || length > (int64_t)n - start)
        return function_fail(a,
                             "is asked for %lld letters from position %lld on; the text has %zu.",
                             (long long)length, (long long)start, n);
    from = letter_at(text, (size_t)start);
    return give(a, json_stringn(text + from, letter_at(text + from, (size_t)length)), ret);
}

static enum fault change_case(const struct arguments *a, int (*change)(int), json_t **ret)
{
    const char *text;
    char *copy;

    TRY(text_arg(a, 0, &text));
    copy = arena_strdup(&a->s->op->arena, text);
    for (char *p = copy; *p; p++)
        if ((unsigned char)*p < 128)
            *p = (char)change(*p);
    return give_text(a, copy, ret);
}

FUNCTION(f_to_lower)
{
    return change_case(a, tolower, ret);
}

FUNCTION(f_to_upper)
{
    return change_case(a, toupper, ret);
}

FUNCTION(f_trim)
{
    const char *text;
    size_t len;

    TRY(text_arg(a, 0, &text));
    while (isspace((unsigned char)*text))
        text++;
    len = strlen(text);
    while (len && isspace((unsigned char)text[len - 1]))
        len--;
    return give(a, json_stringn(text, len), ret);
}

FUNCTION(f_starts_with)
{
    const char *text, *start;

    TRY(text_arg(a, 0, &text));
    TRY(text_arg(a, 1, &start));
    return give(a, json_boolean(strncasecmp(text, start, strlen(start)) == 0), ret);
}

FUNCTION(f_ends_with)
{
    const char *text, *end;
    size_t len, n;

    TRY(text_arg(a, 0, &text));
    TRY(text_arg(a, 1, &end));
    len = strlen(text);
    n = strlen(end);
    return give(a, json_boolean(len >= n && strcasecmp(text + len - n, end) == 0), ret);
}

static enum fault index_in_array(const struct arguments *a, bool last, json_t **ret)
{
    json_int_t found = -1;
    json_t *one;
    size_t i;

    json_array_foreach(a->v[0], i, one)
    {
        bool same = false;

        TRY(values_equal(a->s, one, a->v[1], &same));
        if (!same)
            continue;
        found = (json_int_t)i;
        if (!last)
            break;
    }
    return give(a, json_integer(found), ret);
}

static enum fault index_in(const struct arguments *a, bool last, json_t **ret)
{
    const char *text, *sought, *at, *found = NULL;
    json_int_t place = -1;

    if (json_is_array(a->v[0]))
        return index_in_array(a, last, ret);
    TRY(text_arg(a, 0, &text));
    TRY(text_arg(a, 1, &sought));
    for (at = text; (at = strcasestr(at, sought)) && (!found || last); at++) {
        TRY(spend(a->s, strlen(sought) / 64)); /* read anew from each place on */
        found = at;
        if (!*at)
            break;
    }
    if (found)
        place = (json_int_t)letters(arena_strndup(&a->s->op->arena, text, (size_t)(found - text)));
    return give(a, json_integer(place), ret);
}

FUNCTION(f_index_of)
{
    return index_in(a, false, ret);
}

FUNCTION(f_last_index_of)
{
    return index_in(a, true, ret);
}

FUNCTION(f_pad_left)
{
    const char *text, *with = " ";
    struct text out;
    int64_t width;

    if (!json_is_string(a->v[0]) && !json_is_integer(a->v[0]))
        return wrong_arg(a, 0, "String");
    TRY(as_text(a, a->v[0], &text));
    TRY(int_arg(a, 1, &width));
    if (a->n == 3)
        TRY(text_arg(a, 2, &with));
    if (letters(with) != 1)
        return function_fail(a, "pads with one letter.");
    text_init(&out, &a->s->op->arena, EXPRESSION_TEXT_MAX);
    for (int64_t n = (int64_t)letters(text); n < width && !out.overflow; n++)
        text_str(&out, with);
    text_str(&out, text);
    return give_written(a, &out, ret);
}

FUNCTION(f_string)
{
    const char *text;

    TRY(as_text(a, a->v[0], &text));
    return give_text(a, text, ret);
}
