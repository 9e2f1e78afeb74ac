#include "web/chart.h"

#include <math.h>

#define WIDTH  360
#define HEIGHT 60

double chart_most(const double *values, size_t n)
{
    double most = NAN;

    for (size_t i = 0; i < n; i++)
        if (!(most >= values[i]) && !isnan(values[i]))
            most = values[i];
    return most;
}

static double x_of(const struct chart *c, size_t i)
{
    return WIDTH - (double)(c->n - 1 - i) * WIDTH / (double)(c->width > 1 ? c->width - 1 : 1);
}

/* One stretch without gaps: values from..to-1. */
static void add_stretch(struct page *p, const struct chart *c, size_t from, size_t to, double top,
                        bool area)
{
    struct op *op = p->op;

    if (area)
        page_html(p, arena_printf(&op->arena, "M%.1f %d", x_of(c, from), HEIGHT));
    for (size_t i = from; i < to; i++)
        page_html(p, arena_printf(&op->arena, "%s%.1f %.1f", i > from || area ? "L" : "M",
                                  x_of(c, i), HEIGHT - 2 - c->values[i] / top * (HEIGHT - 6)));
    if (to - from == 1 && !area) /* a point alone is a short line */
        page_html(p, "h.1");
    if (area)
        page_html(p, arena_printf(&op->arena, "L%.1f %dZ", x_of(c, to - 1), HEIGHT));
}

static void add_path(struct page *p, const struct chart *c, double top, bool area)
{
    page_html(p, area ? "<path class=\"area\" d=\"" : "<path class=\"line\" d=\"");
    for (size_t i = 0, end; i < c->n; i = end + 1) {
        for (end = i; end < c->n && !isnan(c->values[end]); end++)
            ;
        if (end > i)
            add_stretch(p, c, i, end, top, area);
    }
    page_html(p, "\"/>");
}

void charts_begin(struct page *p)
{
    page_html(p, "<div class=\"charts\">");
}

void chart_add(struct page *p, const struct chart *c)
{
    double most = chart_most(c->values, c->n), top = most > c->top ? most : c->top;

    page_html(p, "<figure><figcaption>");
    page_text(p, c->caption);
    page_html(p, "</figcaption>");
    page_html(p, arena_printf(&p->op->arena,
                              "<svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\""
                              " aria-hidden=\"true\">",
                              WIDTH, HEIGHT));
    add_path(p, c, top > 0 ? top : 1, true);
    add_path(p, c, top > 0 ? top : 1, false);
    page_html(p, "</svg></figure>");
}

void charts_end(struct page *p)
{
    page_html(p, "</div>");
}
