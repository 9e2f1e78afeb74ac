/* What a request for metrics asks for, and what is wrong with it in Azure's words. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/metric.h"
#include "api/scope.h"
#include "core/range.h"
#include "core/time_text.h"
#include "core/uri.h"

#define SPAN_S      3600 /* without timespan */
#define AUTO_POINTS 1440 /* without interval, the finest grain that gives no more */

const struct metric_grain metric_grains[] = {
    {60,    "PT1M" },
    {300,   "PT5M" },
    {900,   "PT15M"},
    {1800,  "PT30M"},
    {3600,  "PT1H" },
    {21600, "PT6H" },
    {43200, "PT12H"},
    {86400, "P1D"  },
    {0,     NULL   },
};

static const struct {
    const char *name;
    unsigned aggregation;
} aggregations[METRIC_AGGREGATIONS] = {
    {"Average", METRIC_AVERAGE},
    {"Minimum", METRIC_MINIMUM},
    {"Maximum", METRIC_MAXIMUM},
    {"Total",   METRIC_TOTAL  },
    {"Count",   METRIC_COUNT  },
};

#define BAD(op, ...) fail_on(op, "BadRequest", INVALID, __VA_ARGS__)

/* Clients of this API escape twice: "%2F" stays after the usual decoding, and is meant as "/". */
static const char *parameter(struct call *c, const char *name)
{
    const char *given = call_query(c, name, 0), *twice;

    if (!given || !strchr(given, '%'))
        return given;
    twice = uri_decode(&c->op.arena, BYTES(given), false);
    return twice ? twice : given;
}

/* ---- the resource ---- */

static const char *supported(struct op *op)
{
    struct text out;

    text_init(&out, &op->arena, 4096);
    for (size_t i = 0; providers[i]; i++)
        for (const struct resource_type *t = providers[i]->types; t && t->type; t++)
            if (t->metrics)
                text_printf(&out, "%s%s/%s", out.len ? "," : "", providers[i]->name, t->type);
    return out.data;
}

enum fault metric_resource(struct call *c, struct resource *ret,
                           const struct resource_type **ret_type)
{
    struct op *op = &c->op;
    const char *namespace = parameter(c, "metricnamespace");
    struct resource_id id;

    TRY(scope_check(op, arm_id(c)->scope, &id));
    *ret_type = id.full_type ? resource_type_find(id.full_type) : NULL;
    if (!*ret_type || !(*ret_type)->metrics ||
        (namespace && *namespace && strcasecmp(namespace, id.full_type) != 0))
        return BAD(op, "%s is not a supported platform metric namespace, supported ones are %s",
                   namespace && *namespace ? namespace
                   : id.full_type          ? id.full_type
                                           : "Microsoft.Resources/subscriptions",
                   supported(op));
    return resource_get(op, &id, ret);
}

/* ---- which metrics ---- */

static const char *valid_names(struct op *op, const struct metric_kind *metrics)
{
    struct text out;

    text_init(&out, &op->arena, 4096);
    for (; metrics->name; metrics++)
        text_printf(&out, "%s%s", out.len ? "," : "", metrics->name);
    return out.data;
}

static bool is_asked_for(const struct metric_query *q, const struct metric_kind *m)
{
    for (size_t i = 0; i < q->n_metrics; i++)
        if (q->metrics[i] == m)
            return true;
    return false;
}

/* One that is named twice is answered once. */
static enum fault add_metric(struct op *op, struct metric_query *q, const char *name)
{
    const char *provider = q->resource.provider;

    for (const struct metric_kind *m = q->type->metrics; m->name; m++) {
        if (strcasecmp(m->name, name) != 0)
            continue;
        if (is_asked_for(q, m))
            return OK;
        if (q->n_metrics == METRICS_MAX)
            return BAD(op, "Only %d metrics can be asked for at once.", METRICS_MAX);
        q->metrics[q->n_metrics++] = m;
        return OK;
    }
    return BAD(op,
               "Failed to find metric configuration for provider: %s, resource Type: %s, metric: "
               "%.200s, Valid metrics: %s",
               provider, q->type->type, name, valid_names(op, q->type->metrics));
}

static enum fault read_metrics(struct call *c, struct metric_query *q)
{
    const char *given = parameter(c, "metricnames");
    char *names, *save = NULL;

    if (!given || !*given)
        return add_metric(&c->op, q, q->type->metrics[0].name);
    names = arena_strdup(&c->op.arena, given);
    for (char *name = strtok_r(names, ",", &save); name; name = strtok_r(NULL, ",", &save))
        TRY(add_metric(&c->op, q, name + strspn(name, " ")));
    return OK;
}

/* ---- when ---- */

int64_t metric_duration(const char *s)
{
    static const struct {
        char letter;
        int64_t date_s, time_s;
    } units[] = {
        {'D', 86400,  0   },
        {'W', 604800, 0   },
        {'H', 0,      3600},
        {'M', 0,      60  },
        {'S', 0,      1   },
    };
    bool in_time = false;
    int64_t sum = 0;

    if (*s++ != 'P')
        return 0;
    while (*s) {
        int64_t n, unit = 0;

        if (*s == 'T' && !in_time) {
            in_time = true;
            s++;
        }
        n = decimal_parse(&s);
        for (size_t i = 0; i < ARRAY_LEN(units); i++)
            if (*s == units[i].letter)
                unit = in_time ? units[i].time_s : units[i].date_s;
        if (n < 0 || n > 100000000 || !unit)
            return 0;
        sum += n * unit;
        s++;
    }
    return sum;
}

/* A time as clients write it: also without a zone, which is UTC, and with a '+' that came as a
   blank. */
static bool read_time(struct op *op, const char *text, int64_t *ret_s)
{
    char *time = arena_strdup(&op->arena, text), *blank = strchr(time, ' ');
    int64_t us;

    if (blank && blank - time > 10)
        *blank = '+';
    if (!micro_time_parse(time, &us) &&
        !micro_time_parse(arena_printf(&op->arena, "%sZ", time), &us) &&
        !micro_time_parse(arena_printf(&op->arena, "%sT00:00:00Z", time), &us))
        return false;
    *ret_s = us / 1000000;
    return true;
}

/* The end is not in a span; what was counted just now is, also in the first second of a minute. */
static int64_t after_now(void)
{
    return wall_s() + 1;
}

/* "FROM/TO", "FROM/PT1H", "PT1H/TO", "PT1H". */
static bool read_span(struct op *op, const char *text, struct meter_span *span)
{
    const char *slash = strchr(text, '/');
    const char *from = slash ? arena_strndup(&op->arena, text, (size_t)(slash - text)) : text;
    const char *to = slash ? slash + 1 : "";
    int64_t before = metric_duration(from), after = metric_duration(to);

    span->to_s = after_now();
    if (slash && !after && !read_time(op, to, &span->to_s))
        return false;
    if (before)
        span->from_s = span->to_s - before;
    else if (!slash || !read_time(op, from, &span->from_s))
        return false;
    if (after)
        span->to_s = span->from_s + after;
    return !before || !after;
}

static enum fault read_timespan(struct call *c, struct metric_query *q, bool fine)
{
    const char *given = parameter(c, "timespan");
    struct op *op = &c->op;

    q->span.to_s = after_now();
    q->span.from_s = q->span.to_s - (fine ? METER_FINE_S * METER_FINE_STEPS : SPAN_S);
    if (given && *given && !read_span(op, given, &q->span))
        return BAD(op,
                   "Invalid timespan: %.100s, it is expected as start/end in ISO 8601, as in "
                   "2026-01-01T00:00:00Z/2026-01-01T01:00:00Z",
                   given);
    if (q->span.from_s < 0 || q->span.from_s >= q->span.to_s)
        return BAD(op, "The start time of the timespan must be before its end: %.100s",
                   given ? given : "");
    return OK;
}

static const char *metric_list(struct op *op, const struct metric_query *q)
{
    struct text out;

    text_init(&out, &op->arena, 4096);
    for (size_t i = 0; i < q->n_metrics; i++)
        text_printf(&out, "%s%s", i ? "," : "", q->metrics[i]->name);
    return out.data;
}

/* "1.00:00:00" of seconds. */
static const char *clock_of(struct op *op, int64_t s)
{
    const char *days = s >= 86400 ? arena_printf(&op->arena, "%lld.", (long long)(s / 86400)) : "";

    return arena_printf(&op->arena, "%s%02d:%02d:%02d", days, (int)(s % 86400 / 3600),
                        (int)(s % 3600 / 60), (int)(s % 60));
}

static const char *grain_list(struct op *op)
{
    struct text out;

    text_init(&out, &op->arena, 1024);
    for (const struct metric_grain *g = metric_grains; g->seconds; g++)
        text_printf(&out, "%s%s", out.len ? "," : "", clock_of(op, g->seconds));
    return out.data;
}

static bool all_fine(const struct metric_query *q)
{
    for (size_t i = 0; i < q->n_metrics; i++)
        if (!q->metrics[i]->fine)
            return false;
    return true;
}

/* The nearest grain; ties go to the finer one. */
static const struct metric_grain *nearest(int64_t seconds)
{
    const struct metric_grain *best = metric_grains;

    for (const struct metric_grain *g = metric_grains; g->seconds; g++)
        if (llabs(g->seconds - seconds) < llabs(best->seconds - seconds))
            best = g;
    return best;
}

static enum fault set_grain(struct call *c, struct metric_query *q, int64_t seconds,
                            const char *given)
{
    const char *adjust = parameter(c, "AutoAdjustTimegrain");
    const struct metric_grain *g = nearest(seconds);
    struct op *op = &c->op;

    if (seconds == METER_FINE_S && all_fine(q)) {
        q->span.step_s = METER_FINE_S;
        q->interval = "PT2S";
        return OK;
    }
    if (!seconds)
        return BAD(op, "Invalid time grain duration: %.60s, supported ones are: %s", given,
                   grain_list(op));
    if (g->seconds != seconds && (!adjust || strcasecmp(adjust, "true") != 0))
        return BAD(op,
                   "Commonly allowed time grains: %s between metrics: %s, can not support "
                   "requested time grain: %s please adjust your interval parameter to use one of "
                   "the common grains",
                   grain_list(op), metric_list(op, q), clock_of(op, seconds));
    q->span.step_s = g->seconds;
    q->interval = g->text;
    return OK;
}

static enum fault read_interval(struct call *c, struct metric_query *q)
{
    const char *given = parameter(c, "interval");
    int64_t length = q->span.to_s - q->span.from_s;
    const struct metric_grain *g = metric_grains;

    if (given && strcasecmp(given, "FULL") == 0) {
        q->span.step_s = (q->span.to_s + 59) / 60 * 60 - q->span.from_s / 60 * 60;
        q->interval = "FULL";
        return OK;
    }
    if (given && *given)
        return set_grain(c, q, metric_duration(given), given);
    while (g[1].seconds && length / g->seconds > AUTO_POINTS)
        g++;
    q->span.step_s = g->seconds;
    q->interval = g->text;
    return OK;
}

/* Steps begin with the timespan's own minute, as Azure's do. */
static enum fault read_when(struct call *c, struct metric_query *q)
{
    const char *given = parameter(c, "interval");
    struct op *op = &c->op;
    int64_t whole;

    TRY(read_timespan(c, q, given && metric_duration(given) == METER_FINE_S));
    TRY(read_interval(c, q));
    whole = q->span.step_s == METER_FINE_S ? METER_FINE_S : 60;
    q->span.from_s -= q->span.from_s % whole;
    if ((q->span.to_s - q->span.from_s) / q->span.step_s > METRIC_POINTS_MAX)
        return BAD(op,
                   "%s in steps of %s would be more than %d values: ask for less, or more "
                   "coarsely",
                   parameter(c, "timespan"), q->interval, METRIC_POINTS_MAX);
    return OK;
}

/* ---- how ---- */

static unsigned aggregation_named(const char *name, size_t len)
{
    for (size_t i = 0; i < METRIC_AGGREGATIONS; i++)
        if (strlen(aggregations[i].name) == len &&
            strncasecmp(aggregations[i].name, name, len) == 0)
            return aggregations[i].aggregation;
    return 0;
}

static enum fault read_aggregations(struct call *c, struct metric_query *q)
{
    const char *given = parameter(c, "aggregation");

    for (const char *s = given; s && *s;) {
        size_t len;
        unsigned one;

        s += strspn(s, ", ");
        len = strcspn(s, ", ");
        one = aggregation_named(s, len);
        if (len && !one && strncasecmp(s, "None", len) != 0)
            return BAD(&c->op,
                       "Invalid aggregation type: %.60s, supported ones are: "
                       "Average,Minimum,Maximum,Total,Count",
                       s);
        q->aggregations |= one;
        s += len;
    }
    return OK;
}

/* "average desc"; names of Azure's documents ("sum asc") too. */
static enum fault read_order(struct call *c, struct metric_query *q)
{
    const char *given = parameter(c, "orderby");
    size_t len = given ? strcspn(given, " ") : 0;
    const char *way = given ? given + len + strspn(given + len, " ") : "";

    if (!len)
        return OK;
    q->order = len == 3 && strncasecmp(given, "sum", 3) == 0 ? METRIC_TOTAL
                                                             : aggregation_named(given, len);
    q->descending = strcasecmp(way, "desc") == 0;
    if (!q->order || (*way && !q->descending && strcasecmp(way, "asc") != 0))
        return BAD(&c->op, "Invalid orderby: %.60s, it is expected as average desc", given);
    return OK;
}

static enum fault read_top(struct call *c, struct metric_query *q)
{
    const char *given = parameter(c, "top"), *rest = given;

    q->top = q->filter.n ? METRIC_SERIES_TOP : 0;
    if (!given || !*given)
        return OK;
    q->top = decimal_parse(&rest);
    if (q->top < 1 || *rest)
        return BAD(&c->op, "Invalid top: %.60s, it is expected to be a number above 0", given);
    return OK;
}

static const char *dimension_list(struct op *op, const struct metric_kind *m)
{
    struct text out;

    text_init(&out, &op->arena, 1024);
    for (size_t i = 0; m->dimensions[i]; i++)
        text_printf(&out, "%s%s", i ? "," : "", m->dimensions[i]);
    return out.data;
}

static bool has_dimension(const struct metric_kind *m, const char *name)
{
    for (size_t i = 0; m->dimensions[i]; i++)
        if (strcasecmp(m->dimensions[i], name) == 0)
            return true;
    return false;
}

static enum fault check_filter(struct op *op, const struct metric_query *q)
{
    for (size_t i = 0; i < q->n_metrics; i++)
        for (size_t k = 0; k < q->filter.n; k++)
            if (!has_dimension(q->metrics[i], q->filter.terms[k].dimension))
                return BAD(op,
                           "Metric: %s does not support requested dimension combination: %.100s, "
                           "supported ones are: %s",
                           q->metrics[i]->name, q->filter.terms[k].dimension,
                           dimension_list(op, q->metrics[i]));
    return OK;
}

enum fault metric_query_read(struct call *c, struct metric_query *q)
{
    const char *result = parameter(c, "resultType"), *rolled = parameter(c, "rollupby");
    struct op *op = &c->op;

    *q = (struct metric_query){.rolled_up = rolled ? rolled : ""};
    TRY(metric_resource(c, &q->resource, &q->type));
    TRY(read_metrics(c, q));
    TRY(read_when(c, q));
    TRY(read_aggregations(c, q));
    TRY(metric_filter_parse(op, parameter(c, "$filter"), &q->filter));
    TRY(check_filter(op, q));
    TRY(read_order(c, q));
    TRY(read_top(c, q));
    q->metadata = result && strcasecmp(result, "Metadata") == 0;
    if (result && *result && !q->metadata && strcasecmp(result, "Data") != 0)
        return BAD(op, "Invalid resultType: %.60s, supported ones are: Data,Metadata", result);
    return OK;
}
