/* Numbers, logic and comparison. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/template/function.h"

static enum fault too_large(const struct arguments *a)
{
    return function_fail(a, "makes a number that does not fit into 64 bits.");
}

static enum fault both(const struct arguments *a, int64_t *x, int64_t *y)
{
    TRY(int_arg(a, 0, x));
    return int_arg(a, 1, y);
}

FUNCTION(f_add)
{
    int64_t x, y, z;

    TRY(both(a, &x, &y));
    return __builtin_add_overflow(x, y, &z) ? too_large(a) : give(a, json_integer(z), ret);
}

FUNCTION(f_sub)
{
    int64_t x, y, z;

    TRY(both(a, &x, &y));
    return __builtin_sub_overflow(x, y, &z) ? too_large(a) : give(a, json_integer(z), ret);
}

FUNCTION(f_mul)
{
    int64_t x, y, z;

    TRY(both(a, &x, &y));
    return __builtin_mul_overflow(x, y, &z) ? too_large(a) : give(a, json_integer(z), ret);
}

/* What can be divided by: INT64_MIN / -1 does not fit either. */
static enum fault divisible(const struct arguments *a, int64_t *x, int64_t *y)
{
    TRY(both(a, x, y));
    if (*y == 0)
        return function_fail(a, "divides by zero.");
    return *y == -1 && *x == INT64_MIN ? too_large(a) : OK;
}

FUNCTION(f_div)
{
    int64_t x, y;

    TRY(divisible(a, &x, &y));
    return give(a, json_integer(x / y), ret);
}

FUNCTION(f_mod)
{
    int64_t x, y;

    TRY(divisible(a, &x, &y));
    return give(a, json_integer(x % y), ret);
}

FUNCTION(f_int)
{
    const char *text = json_string_value(a->v[0]);
    long long n;
    char *end;

    if (json_is_integer(a->v[0])) {
        *ret = a->v[0];
        return OK;
    }
    if (json_is_real(a->v[0])) {
        double real = trunc(json_real_value(a->v[0]));

        return fabs(real) < 9e18 ? give(a, json_integer((json_int_t)real), ret) : too_large(a);
    }
    if (!text)
        return wrong_arg(a, 0, "String");
    errno = 0;
    n = strtoll(text, &end, 10);
    if (end == text || *end || errno)
        return function_fail(a, "is given a text that is no whole number.");
    return give(a, json_integer(n), ret);
}

FUNCTION(f_float)
{
    const char *text = json_string_value(a->v[0]);
    double number;
    char *end;

    if (json_is_number(a->v[0]))
        return give(a, json_real(json_number_value(a->v[0])), ret);
    if (!text)
        return wrong_arg(a, 0, "String");
    number = strtod(text, &end);
    if (end == text || *end || !isfinite(number))
        return function_fail(a, "is given a text that is no number.");
    return give(a, json_real(number), ret);
}

/* Of numbers, or of one array of them. */
static enum fault extreme(const struct arguments *a, int sign, json_t **ret)
{
    bool listed = a->n == 1 && json_is_array(a->v[0]);
    size_t n = listed ? json_array_size(a->v[0]) : a->n;
    const json_t *best = NULL;

    for (size_t i = 0; i < n; i++) {
        const json_t *one = listed ? json_array_get(a->v[0], i) : a->v[i];

        if (!json_is_integer(one))
            return listed ? function_fail(a, "takes whole numbers.") : wrong_arg(a, i, "Integer");
        if (!best || (sign > 0 ? json_integer_value(one) > json_integer_value(best)
                               : json_integer_value(one) < json_integer_value(best)))
            best = one;
    }
    if (!best)
        return function_fail(a, "is given no number.");
    *ret = (json_t *)best;
    return OK;
}

FUNCTION(f_min)
{
    return extreme(a, -1, ret);
}

FUNCTION(f_max)
{
    return extreme(a, 1, ret);
}

/* ---- logic ---- */

FUNCTION(f_not)
{
    bool value;

    TRY(bool_arg(a, 0, &value));
    return give(a, json_boolean(!value), ret);
}

FUNCTION(f_equals)
{
    bool same = false;

    TRY(values_equal(a->s, a->v[0], a->v[1], &same));
    return give(a, json_boolean(same), ret);
}

FUNCTION(f_bool)
{
    const char *text = json_string_value(a->v[0]);

    if (json_is_boolean(a->v[0])) {
        *ret = a->v[0];
        return OK;
    }
    if (json_is_integer(a->v[0]))
        return give(a, json_boolean(json_integer_value(a->v[0]) != 0), ret);
    if (!text)
        return wrong_arg(a, 0, "String");
    if (strcasecmp(text, "true") == 0 || strcmp(text, "1") == 0)
        return give(a, json_true(), ret);
    if (strcasecmp(text, "false") == 0 || strcmp(text, "0") == 0)
        return give(a, json_false(), ret);
    return function_fail(a, "is given a text that is neither 'true' nor 'false'.");
}

FUNCTION(f_true)
{
    return give(a, json_true(), ret);
}

FUNCTION(f_false)
{
    return give(a, json_false(), ret);
}

FUNCTION(f_null)
{
    return give(a, json_null(), ret);
}

/* ---- comparison: of two numbers or two texts ---- */

static enum fault compare(const struct arguments *a, int *ret)
{
    if (json_is_integer(a->v[0]) && json_is_integer(a->v[1])) {
        json_int_t x = json_integer_value(a->v[0]), y = json_integer_value(a->v[1]);

        *ret = (x > y) - (x < y);
        return OK;
    }
    if (json_is_number(a->v[0]) && json_is_number(a->v[1])) {
        double x = json_number_value(a->v[0]), y = json_number_value(a->v[1]);

        *ret = (x > y) - (x < y);
        return OK;
    }
    if (!json_is_string(a->v[0]) || !json_is_string(a->v[1]))
        return function_fail(a, "compares two numbers or two texts.");
    *ret = strcmp(json_string_value(a->v[0]), json_string_value(a->v[1]));
    return OK;
}

FUNCTION(f_less)
{
    int order = 0;

    TRY(compare(a, &order));
    return give(a, json_boolean(order < 0), ret);
}

FUNCTION(f_less_or_equals)
{
    int order = 0;

    TRY(compare(a, &order));
    return give(a, json_boolean(order <= 0), ret);
}

FUNCTION(f_greater)
{
    int order = 0;

    TRY(compare(a, &order));
    return give(a, json_boolean(order > 0), ret);
}

FUNCTION(f_greater_or_equals)
{
    int order = 0;

    TRY(compare(a, &order));
    return give(a, json_boolean(order >= 0), ret);
}
