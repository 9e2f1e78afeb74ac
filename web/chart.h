/* Small charts, drawn by the server as SVG: a line over its area, without axes; a caption says the
   figures. */
#ifndef SUNDOG_WEB_CHART_H
#define SUNDOG_WEB_CHART_H

#include "web/page.h"

struct chart {
    const char *caption;
    const double *values; /* oldest first, the last at the right edge; NAN: not known */
    size_t n;
    size_t width; /* so many values are the whole width */
    double top;   /* what reaches the upper edge; larger values, too, if there are: they do then */
};
void charts_begin(struct page *p); /* side by side */
void chart_add(struct page *p, const struct chart *chart);
void charts_end(struct page *p);
/* NAN: none is known. */
double chart_most(const double *values, size_t n);

#endif
