/*
 * Microsoft.Insights/metrics: what a request asks for (metric_query.c), and its answer
 * (metric_api.c). Which metrics a type has is its provider's table (provider.h); the figures are
 * core/meter.h's.
 */
#ifndef SUNDOG_API_METRIC_H
#define SUNDOG_API_METRIC_H

#include "api/provider.h"
#include "core/meter.h"

#define METRICS_MAX       20     /* of one request, as Azure's */
#define METRIC_POINTS_MAX 10080  /* of one series: a week of minutes */
#define METRIC_VALUES_MAX 200000 /* of one answer: of all its series */
#define METRIC_TERMS_MAX  64     /* of a $filter */
#define METRIC_SERIES_TOP 10     /* given without top */

enum metric_aggregation {
    METRIC_AVERAGE = 1,
    METRIC_MINIMUM = 2,
    METRIC_MAXIMUM = 4,
    METRIC_TOTAL = 8,
    METRIC_COUNT = 16,
    METRIC_AGGREGATIONS = 5
};

struct metric_term { /* "containerName eq 'web'" */
    const char *dimension, *value;
    enum { METRIC_EQ, METRIC_NE, METRIC_STARTS } operator;
};
struct metric_filter {
    struct metric_term terms[METRIC_TERMS_MAX];
    size_t n;
};
/*
 * $filter as metrics know it: NAME eq|ne|sw 'text' with and, or, parentheses; or stands between
 * terms of one dimension only; '*' is any value. NULL: no terms. INVALID on "BadRequest".
 */
enum fault metric_filter_parse(struct op *op, const char *text, struct metric_filter *ret);
/* Do these values of the metric's dimensions, "/" between, fit? */
bool metric_filter_fits(const struct metric_filter *filter, const struct metric_kind *metric,
                        const char *values);
/* The value of the i-th of them, in op's arena. */
const char *metric_dimension(struct op *op, const char *values, size_t i);

struct metric_query {
    const struct resource_type *type;
    struct resource resource;
    const struct metric_kind *metrics[METRICS_MAX];
    size_t n_metrics;
    struct meter_span span;
    const char *interval;  /* as answered: "PT1M" */
    bool metadata;         /* which series there are, without figures */
    unsigned aggregations; /* 0: the metric's own */
    struct metric_filter filter;
    const char *rolled_up; /* names of dimensions, commas between; or "" */
    int64_t top;           /* series of a metric; 0: all */
    unsigned order;        /* an aggregation; 0: by name */
    bool descending;
};
/* All that a request says. INVALID on "BadRequest", in Azure's words; NOT_FOUND. */
enum fault metric_query_read(struct call *c, struct metric_query *ret);
/* The resource that the path is about, and its type, which has metrics. INVALID on "BadRequest",
   NOT_FOUND. */
enum fault metric_resource(struct call *c, struct resource *ret,
                           const struct resource_type **ret_type);
/* "PT5M", "P1D", … → seconds; 0: it is none. */
int64_t metric_duration(const char *text);
/* Steps that metrics come in, METER_FINE_S not among them; seconds 0 ends. */
extern const struct metric_grain {
    int64_t seconds;
    const char *text; /* "PT5M" */
} metric_grains[];

/* Meters to the series of an answer, in the order and as many as the query wants: all meters that
   agree in the dimensions that are told apart, of which .dimensions has the values. */
enum fault metric_fold(struct op *op, const struct metric_query *query,
                       const struct metric_kind *metric, const struct meter_series *meters,
                       size_t n, struct meter_series **ret, size_t *ret_n);
/* Is the i-th dimension of the metric told apart? */
bool metric_splits(const struct metric_query *query, const struct metric_kind *metric, size_t i);
/* n > 0. */
double metric_figure(const struct meter_point *point, unsigned aggregation);

#endif
