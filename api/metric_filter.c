/* $filter of metrics: which values of dimensions are told apart, and which are wanted. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "api/metric.h"

struct reader {
    struct op *op;
    const char *text, *at;
    int depth;
};

static enum fault wrong(const struct reader *r)
{
    return fail_on(r->op, "BadRequest", INVALID,
                   "Invalid $filter: %.200s: something else was expected at '%.40s'", r->text,
                   r->at);
}

static void blanks(struct reader *r)
{
    r->at += strspn(r->at, " ");
}

static bool word(struct reader *r, const char *text)
{
    size_t len = strlen(text);

    blanks(r);
    if (strncasecmp(r->at, text, len) != 0 || isalnum((unsigned char)r->at[len]))
        return false;
    r->at += len;
    return true;
}

/* A dimension: one word, without blanks. */
static const char *name(struct reader *r)
{
    size_t len;

    blanks(r);
    len = strcspn(r->at, " '()");
    r->at += len;
    return len ? arena_strndup(&r->op->arena, r->at - len, len) : NULL;
}

/* 'text', a quote in it doubled. */
static const char *quoted(struct reader *r)
{
    struct text out;

    blanks(r);
    if (*r->at != '\'')
        return NULL;
    text_init(&out, &r->op->arena, 1024);
    for (r->at++; *r->at; r->at++) {
        if (*r->at == '\'' && *++r->at != '\'')
            return out.data;
        text_add(&out, r->at, 1);
    }
    return NULL;
}

static enum fault term(struct reader *r, struct metric_filter *f)
{
    struct metric_term t = {.dimension = name(r)};

    if (!t.dimension)
        return wrong(r);
    if (word(r, "ne"))
        t.operator= METRIC_NE;
    else if (word(r, "sw"))
        t.operator= METRIC_STARTS;
    else if (!word(r, "eq"))
        return wrong(r);
    t.value = quoted(r);
    if (!t.value)
        return wrong(r);
    if (f->n == METRIC_TERMS_MAX)
        return fail_on(r->op, "BadRequest", INVALID, "$filter has more than %d terms",
                       METRIC_TERMS_MAX);
    f->terms[f->n++] = t;
    return OK;
}

static enum fault check_or(const struct reader *r, const struct metric_filter *f, size_t before)
{
    if (strcasecmp(f->terms[before].dimension, f->terms[f->n - 1].dimension) == 0)
        return OK;
    return fail_on(r->op, "BadRequest", INVALID,
                   "Invalid $filter: the or operator cannot separate two different dimensions: %s "
                   "and %s",
                   f->terms[before].dimension, f->terms[f->n - 1].dimension);
}

enum fault metric_filter_parse(struct op *op, const char *text, struct metric_filter *ret)
{
    struct reader r = {.op = op, .text = text ? text : "", .at = text ? text : ""};

    ret->n = 0;
    blanks(&r);
    while (*r.at) {
        bool or = ret->n && word(&r, "or");

        if (ret->n && ! or &&!word(&r, "and"))
            return wrong(&r);
        for (blanks(&r); *r.at == '('; blanks(&r)) {
            r.at++;
            r.depth++;
        }
        TRY(term(&r, ret));
        if (or)
            TRY(check_or(&r, ret, ret->n - 2));
        for (blanks(&r); *r.at == ')' && r.depth > 0; blanks(&r)) {
            r.at++;
            r.depth--;
        }
    }
    return r.depth ? wrong(&r) : OK;
}

/* ---- holding ---- */

const char *metric_dimension(struct op *op, const char *values, size_t i)
{
    while (i-- > 0 && *values) {
        values += strcspn(values, "/");
        values += *values == '/';
    }
    return arena_strndup(&op->arena, values, strcspn(values, "/"));
}

static bool value_is(const char *value, size_t len, const char *wanted)
{
    return strcmp(wanted, "*") == 0 ||
           (strlen(wanted) == len && strncasecmp(wanted, value, len) == 0);
}

/* Some eq or sw holds, if there are any, and every ne. */
static bool dimension_fits(const struct metric_filter *f, const char *dimension, const char *value,
                           size_t len)
{
    bool any = false, held = false;

    for (size_t i = 0; i < f->n; i++) {
        const struct metric_term *t = &f->terms[i];

        if (strcasecmp(t->dimension, dimension) != 0)
            continue;
        if (t->operator== METRIC_NE) {
            if (value_is(value, len, t->value))
                return false;
            continue;
        }
        any = true;
        held = held ||
               (t->operator== METRIC_EQ ? value_is(value, len, t->value)
                                        : strlen(t->value) <= len &&
                                              strncasecmp(value, t->value, strlen(t->value)) == 0);
    }
    return held || !any;
}

bool metric_filter_fits(const struct metric_filter *f, const struct metric_kind *metric,
                        const char *values)
{
    for (size_t i = 0; metric->dimensions[i]; i++) {
        size_t len = strcspn(values, "/");

        if (!dimension_fits(f, metric->dimensions[i], values, len))
            return false;
        values += len;
        values += *values == '/';
    }
    return true;
}
