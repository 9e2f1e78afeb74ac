/* Figures over time as pages draw them: asked of Microsoft.Insights/metrics, as the viewer. */
#ifndef SUNDOG_WEB_METRIC_VIEW_H
#define SUNDOG_WEB_METRIC_VIEW_H

#include "web/ask.h"

/* One series of a metric. */
struct metric_line {
    const char *name; /* of what it is told apart by: a container; "" */
    double *values;   /* oldest first; NAN: not known */
    size_t n;         /* at least 1; the last is the newest that is known, if that is new */
};
struct metric_lines {
    struct metric_line *lines;
    size_t n;
};
/*
 * path: of the resource; query: "metricnames=A,B&interval=PT2S&…"; figure: "average". ret: of each
 * metric, in order, at most n. FORBIDDEN: the viewer may not know.
 */
enum fault metric_lines_ask(struct page *p, const char *path, const char *query, const char *figure,
                            struct metric_lines *ret, size_t n);
/* NULL: there is none of that name. */
const struct metric_line *metric_line_of(const struct metric_lines *lines, const char *name);
double metric_line_now(const struct metric_line *line); /* NAN: none (line NULL), or not known */

#endif
