#include "clusters/object/quantity.h"

#include <stdio.h>
#include <string.h>

#define NANO ((__int128)1000000000)
#define MOST ((__int128)INT64_MAX * NANO) /* upstream cuts here, too */

static const struct suffix {
    const char *text;
    int8_t tens, twos; /* value = 10^tens × 2^twos */
} suffixes[] = {
    {"n",  -9, 0 },
    {"u",  -6, 0 },
    {"m",  -3, 0 },
    {"",   0,  0 },
    {"k",  3,  0 },
    {"M",  6,  0 },
    {"G",  9,  0 },
    {"T",  12, 0 },
    {"P",  15, 0 },
    {"E",  18, 0 },
    {"Ki", 0,  10},
    {"Mi", 0,  20},
    {"Gi", 0,  30},
    {"Ti", 0,  40},
    {"Pi", 0,  50},
    {"Ei", 0,  60},
};

/* ---- reading ---- */

/* "e3", "E-2": a number after the letter; "E" alone is a suffix. */
static bool parse_exponent(const char *s, int *ret)
{
    int sign = 1, value = 0;

    if (*s != 'e' && *s != 'E')
        return false;
    s++;
    if (*s == '-' || *s == '+')
        sign = *s++ == '-' ? -1 : 1;
    if (!*s)
        return false;
    for (; *s >= '0' && *s <= '9'; s++) {
        if (value < 1000)
            value = value * 10 + (*s - '0');
    }
    *ret = sign * value;
    return !*s;
}

static bool parse_suffix(const char *s, int *tens, int *twos, char *format)
{
    if (parse_exponent(s, tens)) {
        *twos = 0;
        *format = 'E';
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        if (strcmp(suffixes[i].text, s) == 0) {
            *tens = suffixes[i].tens;
            *twos = suffixes[i].twos;
            *format = *twos ? 'B' : 'D';
            return true;
        }
    }
    return false;
}

/* mantissa × 10^tens × 2^twos in nanos, rounded away from zero, cut at MOST. */
static __int128 scaled(__int128 mantissa, int tens, int twos)
{
    bool rest = false;

    if (mantissa == 0)
        return 0;
    tens += 9;
    for (; mantissa >= (__int128)1 << 80 && tens < 0; tens++) { /* room for the powers of two */
        rest = rest || mantissa % 10;
        mantissa /= 10;
    }
    while (twos-- > 0) {
        if (mantissa > MOST)
            return MOST;
        mantissa *= 2;
        if (tens < 0 && mantissa % 10 == 0) {
            mantissa /= 10;
            tens++;
        }
    }
    for (; tens > 0; tens--) {
        if (mantissa > MOST)
            return MOST;
        mantissa *= 10;
    }
    for (; tens < 0 && mantissa > 0; tens++) {
        rest = rest || mantissa % 10;
        mantissa /= 10;
    }
    mantissa += rest;
    return mantissa > MOST ? MOST : mantissa;
}

bool quantity_parse(const char *text, struct quantity *ret)
{
    int tens = 0, twos = 0, fraction = 0;
    bool negative = false, point = false, digits = false;
    __int128 mantissa = 0;
    char format = 'D';
    const char *s = text;

    if (*s == '-' || *s == '+')
        negative = *s++ == '-';
    for (; (*s >= '0' && *s <= '9') || *s == '.'; s++) {
        if (*s == '.') {
            if (point)
                return false;
            point = true;
            continue;
        }
        digits = true;
        if (mantissa < (__int128)1 << 100) {
            mantissa = mantissa * 10 + (*s - '0');
            fraction += point;
        } else {
            fraction -= !point; /* digits that no longer count */
        }
    }
    if (!digits || !parse_suffix(s, &tens, &twos, &format))
        return false;
    ret->nano = scaled(mantissa, tens - fraction, twos);
    if (negative)
        ret->nano = -ret->nano;
    ret->format = format;
    return true;
}

/* ---- writing ---- */

/* Every __int128 here is at most MOST: its digits fit. */
static char *digits_of(struct op *op, __int128 value)
{
    char buffer[48], *p = buffer + sizeof(buffer) - 1;
    bool negative = value < 0;

    *p = '\0';
    if (negative)
        value = -value;
    do {
        *--p = (char)('0' + (int)(value % 10));
        value /= 10;
    } while (value > 0);
    if (negative)
        *--p = '-';
    return arena_strdup(&op->arena, p);
}

static const char *binary_text(struct op *op, __int128 value)
{
    static const char *const names[] = {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
    size_t i = 0;

    while (value % 1024 == 0 && i + 1 < ARRAY_LEN(names)) {
        value /= 1024;
        i++;
    }
    return arena_printf(&op->arena, "%s%s", digits_of(op, value), names[i]);
}

static const char *decimal_text(struct op *op, __int128 nano, bool exponent)
{
    static const char *const names[] = {"n", "u", "m", "", "k", "M", "G", "T", "P", "E"};
    size_t i = 0;

    while (nano % 1000 == 0 && i + 1 < ARRAY_LEN(names)) {
        nano /= 1000;
        i++;
    }
    if (exponent && i != 3)
        return arena_printf(&op->arena, "%se%d", digits_of(op, nano), ((int)i - 3) * 3);
    return arena_printf(&op->arena, "%s%s", digits_of(op, nano), exponent ? "" : names[i]);
}

static __int128 whole(__int128 nano, __int128 unit)
{
    __int128 value = nano / unit;

    if (nano % unit)
        value += nano > 0 ? 1 : -1; /* away from zero, as upstream */
    return value;
}

const char *quantity_text(struct op *op, struct quantity q)
{
    if (q.nano == 0)
        return "0";
    if (q.format == 'B' && (q.nano <= -1024 * NANO || q.nano >= 1024 * NANO))
        return binary_text(op, whole(q.nano, NANO));
    return decimal_text(op, q.nano, q.format == 'E');
}

/* ---- as numbers ---- */

static int64_t cut(__int128 value)
{
    return value > INT64_MAX ? INT64_MAX : value < INT64_MIN ? INT64_MIN : (int64_t)value;
}

int64_t quantity_value(struct quantity q)
{
    return cut(whole(q.nano, NANO));
}

int64_t quantity_millis(struct quantity q)
{
    return cut(whole(q.nano, NANO / 1000));
}

int64_t quantity_value_of(const char *text)
{
    struct quantity q;

    return text && quantity_parse(text, &q) ? quantity_value(q) : 0;
}

int64_t quantity_millis_of(const char *text)
{
    struct quantity q;

    return text && quantity_parse(text, &q) ? quantity_millis(q) : 0;
}

struct quantity quantity_add(struct quantity a, struct quantity b)
{
    if (a.nano == 0)
        a.format = b.format; /* nothing yet: as the first that is added */
    a.nano += b.nano;
    return a;
}

struct quantity quantity_subtract(struct quantity a, struct quantity b)
{
    if (a.nano == 0)
        a.format = b.format;
    a.nano -= b.nano;
    return a;
}

int quantity_compare(struct quantity a, struct quantity b)
{
    return a.nano < b.nano ? -1 : a.nano > b.nano;
}
