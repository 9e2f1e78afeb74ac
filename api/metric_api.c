/* GET {resource}/providers/Microsoft.Insights/metrics, …/metricDefinitions, …/metricNamespaces. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/handlers.h"
#include "api/metric.h"
#include "core/time_text.h"

#define METRIC_TYPE "Microsoft.Insights/metrics"

/* ---- from meters to series ---- */

static bool listed(const char *list, const char *name)
{
    size_t len = strlen(name);

    for (const char *at = list; *at;) {
        size_t n;

        at += strspn(at, ", ");
        n = strcspn(at, ", ");
        if (n == len && strncasecmp(at, name, n) == 0)
            return true;
        at += n;
    }
    return false;
}

bool metric_splits(const struct metric_query *q, const struct metric_kind *metric, size_t i)
{
    for (size_t k = 0; k < q->filter.n; k++)
        if (strcasecmp(q->filter.terms[k].dimension, metric->dimensions[i]) == 0)
            return !listed(q->rolled_up, metric->dimensions[i]);
    return false;
}

/* Of the values of all dimensions those of the ones that are told apart. */
static const char *told_apart(struct op *op, const struct metric_query *q,
                              const struct metric_kind *metric, const char *values)
{
    struct text out;
    bool first = true;

    text_init(&out, &op->arena, 4096);
    for (size_t i = 0; metric->dimensions[i]; i++)
        if (metric_splits(q, metric, i)) {
            text_printf(&out, "%s%s", first ? "" : "/", metric_dimension(op, values, i));
            first = false;
        }
    return out.data;
}

static struct meter_series *series_of(struct meter_series *list, size_t *n, const char *name)
{
    for (size_t i = 0; i < *n; i++)
        if (strcmp(list[i].dimensions, name) == 0)
            return &list[i];
    list[*n] = (struct meter_series){.dimensions = name};
    return &list[(*n)++];
}

/* Both are ascending. */
static void fold_points(struct op *op, struct meter_series *s, const struct meter_series *more)
{
    struct meter_point *all = arena_alloc(&op->arena, (s->n + more->n + 1) * sizeof(*all));
    size_t n = 0;

    for (size_t i = 0, k = 0; i < s->n || k < more->n;) {
        bool own = k == more->n || (i < s->n && s->points[i].at_s <= more->points[k].at_s);
        const struct meter_point *p = own ? &s->points[i++] : &more->points[k++];

        if (n && all[n - 1].at_s == p->at_s)
            meter_merge(&all[n - 1], p);
        else
            all[n++] = *p;
    }
    s->points = all;
    s->n = n;
}

double metric_figure(const struct meter_point *p, unsigned aggregation)
{
    switch (aggregation) {
    case METRIC_MINIMUM:
        return p->least;
    case METRIC_MAXIMUM:
        return p->most;
    case METRIC_TOTAL:
        return p->sum;
    case METRIC_COUNT:
        return (double)p->n;
    default:
        return p->sum / (double)p->n;
    }
}

static double figure_of_all(const struct meter_series *s, unsigned aggregation)
{
    struct meter_point all = {0};

    for (size_t i = 0; i < s->n; i++)
        meter_merge(&all, &s->points[i]);
    return all.n ? metric_figure(&all, aggregation) : 0;
}

static int compare(const void *a, const void *b, void *arg)
{
    const struct metric_query *q = arg;
    double x = figure_of_all(a, q->order), y = figure_of_all(b, q->order);

    return q->descending ? (x < y) - (x > y) : (x > y) - (x < y);
}

enum fault metric_fold(struct op *op, const struct metric_query *q,
                       const struct metric_kind *metric, const struct meter_series *meters,
                       size_t n, struct meter_series **ret, size_t *ret_n)
{
    struct meter_series *list = arena_alloc(&op->arena, (n + 1) * sizeof(*list));
    size_t n_series = 0;

    for (size_t i = 0; i < n; i++)
        if (metric_filter_fits(&q->filter, metric, meters[i].dimensions))
            fold_points(op,
                        series_of(list, &n_series, told_apart(op, q, metric, meters[i].dimensions)),
                        &meters[i]);
    if (q->order)
        qsort_r(list, n_series, sizeof(*list), compare, (void *)q);
    *ret = list;
    *ret_n = q->top && n_series > (size_t)q->top ? (size_t)q->top : n_series;
    return OK;
}

/* ---- the answer ---- */

static json_t *localized(struct op *op, const char *value, const char *shown)
{
    json_t *out = json_new_object(op);

    json_set_text(out, "value", value);
    json_set_text(out, "localizedValue", shown);
    return out;
}

static json_t *metadata_of(struct op *op, const struct metric_query *q,
                           const struct metric_kind *metric, const char *values)
{
    json_t *out = json_new_array(op);
    size_t at = 0;

    for (size_t i = 0; metric->dimensions[i]; i++) {
        const char *name = id_lower(op, metric->dimensions[i]);
        json_t *one;

        if (!metric_splits(q, metric, i))
            continue;
        one = json_new_object(op);
        json_object_set(one, "name", localized(op, name, name));
        json_set_text(one, "value", metric_dimension(op, values, at++));
        json_array_append(out, one);
    }
    return out;
}

static unsigned wanted(const struct metric_query *q, const struct metric_kind *metric)
{
    if (q->aggregations)
        return q->aggregations;
    return strcmp(metric->primary, "Total") == 0 ? METRIC_TOTAL : METRIC_AVERAGE;
}

/* point NULL: the step has no samples, and for what is not counted no figure. */
static json_t *step_of(struct op *op, const struct metric_query *q,
                       const struct metric_kind *metric, int64_t at_s,
                       const struct meter_point *point)
{
    static const char *const names[METRIC_AGGREGATIONS] = {"average", "minimum", "maximum", "total",
                                                           "count"};
    json_t *out = json_new_object(op);

    json_set_text(out, "timeStamp", time_text(op, at_s));
    for (unsigned i = 0; i < METRIC_AGGREGATIONS; i++)
        if (wanted(q, metric) & 1u << i && (point || metric->zeros))
            json_object_set_new(out, names[i],
                                json_real(point ? metric_figure(point, 1u << i) : 0));
    return out;
}

static json_t *data_of(struct op *op, const struct metric_query *q,
                       const struct metric_kind *metric, const struct meter_series *s)
{
    json_t *out = json_new_array(op);
    size_t k = 0;

    for (int64_t at = q->span.from_s; at < q->span.to_s; at += q->span.step_s) {
        bool there = k < s->n && s->points[k].at_s == at;

        json_array_append(out, step_of(op, q, metric, at, there ? &s->points[k] : NULL));
        k += there;
    }
    return out;
}

/* An answer under way. */
struct answer {
    json_t *metrics;
    int64_t n_values;
};

/* Each is a JSON object: what one series may have is no limit for thousands. */
static enum fault count_values(struct op *op, const struct metric_query *q, size_t n_series,
                               struct answer *answer)
{
    int64_t steps = (q->span.to_s - q->span.from_s + q->span.step_s - 1) / q->span.step_s;

    if (!q->metadata)
        answer->n_values += (int64_t)n_series * steps;
    if (answer->n_values > METRIC_VALUES_MAX)
        return fail_on(op, "BadRequest", INVALID,
                       "The answer would have more than %d values: ask for fewer metrics or series "
                       "(top), a shorter timespan, or a coarser interval than %s",
                       METRIC_VALUES_MAX, q->interval);
    return OK;
}

/* A count of nothing is a series of zeros; of other figures nothing is known. */
static enum fault add_series(struct op *op, const struct metric_query *q,
                             const struct metric_kind *metric, struct answer *answer, json_t *out)
{
    static const struct meter_series none = {.dimensions = ""};
    struct meter_series *meters;
    struct meter_series *list;
    size_t n_meters, n;

    TRY(meter_read(op, q->resource.key, metric->name, &q->span, &meters, &n_meters));
    TRY(metric_fold(op, q, metric, meters, n_meters, &list, &n));
    TRY(count_values(op, q, n ? n : 1, answer));
    for (size_t i = 0; i < n || (i == 0 && metric->zeros && !q->filter.n); i++) {
        const struct meter_series *s = n ? &list[i] : &none;
        json_t *one = json_new_object(op);

        json_object_set(one, "metadatavalues", metadata_of(op, q, metric, s->dimensions));
        if (!q->metadata)
            json_object_set(one, "data", data_of(op, q, metric, s));
        json_array_append(out, one);
    }
    return OK;
}

static enum fault add_metric(struct op *op, const struct metric_query *q,
                             const struct metric_kind *metric, struct answer *answer)
{
    json_t *out = json_new_object(op), *series = json_new_array(op);

    TRY(add_series(op, q, metric, answer, series));
    json_set_text(
        out, "id",
        arena_printf(&op->arena, "%s/providers/" METRIC_TYPE "/%s", q->resource.id, metric->name));
    json_set_text(out, "type", METRIC_TYPE);
    json_object_set(out, "name", localized(op, metric->name, metric->display));
    json_set_text(out, "displayDescription", metric->description);
    json_set_text(out, "unit", metric->unit);
    json_object_set(out, "timeseries", series);
    json_set_text(out, "errorCode", "Success");
    json_array_append(answer->metrics, out);
    return OK;
}

enum fault metric_api_list(struct call *c)
{
    struct op *op = &c->op;
    struct answer answer = {.metrics = json_new_array(op)};
    json_t *out = json_new_object(op);
    struct metric_query q;

    TRY(metric_query_read(c, &q));
    for (size_t i = 0; i < q.n_metrics; i++)
        TRY(add_metric(op, &q, q.metrics[i], &answer));
    json_object_set_new(out, "cost", json_integer((q.span.to_s - q.span.from_s) / 60));
    json_set_text(out, "timespan",
                  arena_printf(&op->arena, "%s/%s", time_text(op, q.span.from_s),
                               time_text(op, q.span.to_s)));
    if (!q.metadata)
        json_set_text(out, "interval", q.interval);
    json_object_set(out, "value", answer.metrics);
    json_set_text(out, "namespace", q.resource.type);
    json_set_text(out, "resourceregion", q.resource.location);
    return arm_reply(c, 200, out);
}

/* ---- which there are ---- */

static json_t *availabilities(struct op *op)
{
    int64_t minutes = meters_keep_s() / 60;
    const char *retention = arena_printf(&op->arena, minutes % 60 ? "PT%lldM" : "PT%lldH",
                                         (long long)(minutes % 60 ? minutes : minutes / 60));
    json_t *out = json_new_array(op);

    for (const struct metric_grain *g = metric_grains; g->seconds; g++) {
        json_t *one = json_new_object(op);

        json_set_text(one, "timeGrain", g->text);
        json_set_text(one, "retention", retention);
        json_array_append(out, one);
    }
    return out;
}

static json_t *texts(struct op *op, const char *const *list)
{
    json_t *out = json_new_array(op);

    for (; *list; list++)
        json_array_append_new(out, json_string(*list));
    return out;
}

static json_t *definition(struct op *op, const struct resource *r, const struct metric_kind *metric)
{
    static const char *const aggregations[] = {"None",  "Average", "Minimum", "Maximum",
                                               "Total", "Count",   NULL};
    json_t *out = json_new_object(op), *dimensions = json_new_array(op);

    json_set_text(out, "id",
                  arena_printf(&op->arena, "%s/providers/microsoft.insights/metricdefinitions/%s",
                               r->id, metric->name));
    json_set_text(out, "resourceId", r->id);
    json_set_text(out, "namespace", r->type);
    json_set_text(out, "category", metric->category);
    json_object_set(out, "name", localized(op, metric->name, metric->display));
    json_set_text(out, "displayDescription", metric->description);
    json_object_set_new(out, "isDimensionRequired", json_false());
    json_set_text(out, "unit", metric->unit);
    json_set_text(out, "primaryAggregationType", metric->primary);
    json_object_set(out, "supportedAggregationTypes", texts(op, aggregations));
    json_object_set(out, "metricAvailabilities", availabilities(op));
    for (size_t i = 0; metric->dimensions[i]; i++)
        json_array_append(dimensions, localized(op, metric->dimensions[i], metric->dimensions[i]));
    if (metric->dimensions[0])
        json_object_set(out, "dimensions", dimensions);
    return out;
}

static enum fault reply_list(struct call *c, json_t *values)
{
    json_t *out = json_new_object(&c->op);

    json_object_set(out, "value", values);
    return arm_reply(c, 200, out);
}

enum fault metric_api_definitions(struct call *c)
{
    json_t *values = json_new_array(&c->op);
    const struct resource_type *type;
    struct resource r;

    TRY(metric_resource(c, &r, &type));
    for (const struct metric_kind *m = type->metrics; m->name; m++)
        json_array_append(values, definition(&c->op, &r, m));
    return reply_list(c, values);
}

enum fault metric_api_namespaces(struct call *c)
{
    struct op *op = &c->op;
    json_t *values = json_new_array(op), *one = json_new_object(op), *p = json_new_object(op);
    const struct resource_type *type;
    struct resource r;

    TRY(metric_resource(c, &r, &type));
    json_set_text(one, "id",
                  arena_printf(&op->arena, "%s/providers/microsoft.insights/metricNamespaces/%s",
                               r.id, r.type));
    json_set_text(one, "name", r.type);
    json_set_text(one, "type", "Microsoft.Insights/metricNamespaces");
    json_set_text(one, "classification", "Platform");
    json_set_text(p, "metricNamespaceName", r.type);
    json_object_set(one, "properties", p);
    json_array_append(values, one);
    return reply_list(c, values);
}
