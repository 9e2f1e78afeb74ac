/* format(): composite formats, "{0}", "{1:D3}", "{2,-8}", "{0:N0}", "{0:X2}", "{{". */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/template/function.h"
#include "api/template/limits.h"

#define WIDTH_MAX 1024

struct item {
    int64_t index, width;
    char how[32]; /* after ':' */
};

/* After "{". False: it is none. */
static bool read_item(const char **p, struct item *ret)
{
    struct item item = {0};
    size_t n = 0;
    char *end;

    if (!isdigit((unsigned char)**p))
        return false;
    item.index = strtoll(*p, &end, 10);
    if (*end == ',')
        item.width = strtoll(end + 1, &end, 10);
    if (*end == ':')
        for (end++; *end && *end != '}' && n + 1 < sizeof(item.how); end++)
            item.how[n++] = *end;
    if (*end != '}' || item.width < -WIDTH_MAX || item.width > WIDTH_MAX)
        return false;
    *p = end + 1;
    *ret = item;
    return true;
}

/* How many digits: at most 99. */
static int digits_of(const char *how)
{
    long n = strtol(how, NULL, 10);

    return n < 0 ? 0 : n > 99 ? 99 : (int)n;
}

/* 1234567 → 1,234,567 */
static const char *grouped(struct op *op, const char *digits)
{
    size_t len = strcspn(digits, "."), sign = *digits == '-';
    struct text out;

    text_init(&out, &op->arena, 2 * strlen(digits) + 1);
    for (size_t i = 0; i < len; i++) {
        if (i > sign && (len - i) % 3 == 0)
            text_str(&out, ",");
        text_add(&out, digits + i, 1);
    }
    text_str(&out, digits + len);
    return out.data;
}

static const char *whole(struct op *op, const char *how, int64_t n)
{
    unsigned long long amount = n < 0 ? 0ULL - (unsigned long long)n : (unsigned long long)n;
    int digits = how[1] ? digits_of(how + 1) : -1;

    switch (how[0]) {
    case 'D':
    case 'd':
        return arena_printf(&op->arena, "%s%0*llu", n < 0 ? "-" : "", digits < 0 ? 1 : digits,
                            amount);
    case 'X':
        return arena_printf(&op->arena, "%0*llX", digits < 0 ? 1 : digits, (unsigned long long)n);
    case 'x':
        return arena_printf(&op->arena, "%0*llx", digits < 0 ? 1 : digits, (unsigned long long)n);
    case '0': /* "000" */
        return arena_printf(&op->arena, "%s%0*llu", n < 0 ? "-" : "", (int)strspn(how, "0"),
                            amount);
    default:
        return NULL;
    }
}

static enum fault formatted(const struct arguments *a, const char *how, const json_t *value,
                            const char **ret)
{
    struct op *op = a->s->op;
    int digits = how[0] && how[1] ? digits_of(how + 1) : 2;

    if (!how[0] || !json_is_number(value) || how[0] == 'G' || how[0] == 'g')
        return as_text(a, value, ret);
    if (how[0] == 'F' || how[0] == 'f')
        *ret = arena_printf(&op->arena, "%.*f", digits, json_number_value(value));
    else if (how[0] == 'N' || how[0] == 'n')
        *ret = grouped(op, arena_printf(&op->arena, "%.*f", digits, json_number_value(value)));
    else
        *ret = json_is_integer(value) ? whole(op, how, json_integer_value(value)) : NULL;
    return *ret ? OK : function_fail(a, "does not know the format '%s' for such a value.", how);
}

static void add_padded(struct text *out, const char *text, int64_t width)
{
    int64_t room = llabs(width) - (int64_t)letters(text);

    for (int64_t i = 0; width > 0 && i < room; i++)
        text_str(out, " ");
    text_str(out, text);
    for (int64_t i = 0; width < 0 && i < room; i++)
        text_str(out, " ");
}

static enum fault add_item(const struct arguments *a, const char **p, struct text *out)
{
    struct item item;
    const char *text;

    if (!read_item(p, &item))
        return function_fail(a, "has a format string that is not well formed.");
    if ((size_t)item.index + 1 >= a->n)
        return function_fail(a, "has no argument number %lld.", (long long)item.index);
    TRY(formatted(a, item.how, a->v[item.index + 1], &text));
    add_padded(out, text, item.width);
    return OK;
}

FUNCTION(f_format)
{
    const char *p;
    struct text out;

    TRY(text_arg(a, 0, &p));
    text_init(&out, &a->s->op->arena, EXPRESSION_TEXT_MAX);
    while (*p && !out.overflow) {
        size_t len = strcspn(p, "{}");

        text_add(&out, p, len);
        p += len;
        if (!*p)
            break;
        if (p[1] == *p) { /* "{{" */
            text_add(&out, p, 1);
            p += 2;
        } else if (*p++ == '{')
            TRY(add_item(a, &p, &out));
        else
            return function_fail(a, "has a format string that is not well formed.");
    }
    return out.overflow ? too_long(a) : give_text(a, out.data, ret);
}
