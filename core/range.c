#include "core/range.h"

#include <ctype.h>
#include <string.h>

int64_t decimal_parse(const char **s)
{
    const char *p = *s;
    int64_t n = 0;

    if (!isdigit((unsigned char)*p))
        return -1;
    for (; isdigit((unsigned char)*p); p++) {
        if (p - *s >= 18)
            return -1;
        n = n * 10 + (*p - '0');
    }
    *s = p;
    return n;
}

enum spec { SPEC_MALFORMED, SPEC_OUTSIDE, SPEC_BACKWARDS, SPEC_OK };

/* RFC 9110 14.1.2: first-pos "-" [last-pos], or "-" suffix-length. */
static enum spec parse_one(const char **p, int64_t size, struct range *range)
{
    int64_t first = decimal_parse(p), last;

    if (**p != '-')
        return SPEC_MALFORMED;
    (*p)++;
    last = decimal_parse(p);
    if (first < 0 && last < 0)
        return SPEC_MALFORMED;
    if (first < 0) {
        if (last == 0 || size == 0)
            return SPEC_OUTSIDE;
        *range = (struct range){last >= size ? 0 : size - last, size - 1};
        return SPEC_OK;
    }
    if (last >= 0 && last < first)
        return SPEC_BACKWARDS;
    if (first >= size)
        return SPEC_OUTSIDE;
    *range = (struct range){first, last < 0 || last >= size ? size - 1 : last};
    return SPEC_OK;
}

enum fault range_parse(const char *value, int64_t size, struct range ranges[RANGES_MAX],
                       size_t *ret_n)
{
    size_t n = 0, seen = 0;
    bool backwards = false;

    *ret_n = 0;
    if (!value || strncasecmp(value, "bytes=", 6) != 0)
        return OK;
    for (const char *p = value + 6;; p++) {
        struct range range;
        enum spec spec;

        while (*p == ' ' || *p == '\t')
            p++;
        spec = parse_one(&p, size, &range);
        if (spec == SPEC_MALFORMED || ++seen > RANGES_MAX)
            return OK;
        if (spec == SPEC_OK)
            ranges[n++] = range;
        backwards |= spec == SPEC_BACKWARDS;
        while (*p == ' ' || *p == '\t')
            p++;
        if (*p != ',') {
            if (*p)
                return OK;
            break;
        }
    }
    if (!n || backwards)
        return RANGE;
    *ret_n = n;
    return OK;
}
