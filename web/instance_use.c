/*
 * What a group's containers use, beside what they may: asked of Microsoft.Insights/metrics in its
 * finest steps, so that the page is another each two seconds, and drawn again while one looks.
 */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "clusters/object/object.h"
#include "web/chart.h"
#include "web/instance.h"
#include "web/metric_view.h"

#define STEPS      150 /* of two seconds: five minutes */
#define CHARTS_MAX 6   /* containers with charts; the table has all */
#define GIB        (1024.0 * 1024 * 1024)
#define FINE       "interval=PT2S&timespan=PT5M&metricnames="
#define EACH       "&top=60&$filter=containerName%20eq%20%27*%27"

/* The last five minutes. */
enum what { CPU, MEMORY, RECEIVED, SENT, WHATS };
struct uses {
    struct metric_lines of[WHATS];
};

static enum fault read_uses(struct page *p, struct uses *ret)
{
    const char *path = instance_path(p->c);

    TRY(metric_lines_ask(p, path, FINE "CpuUsage,MemoryUsage" EACH, "average", &ret->of[CPU], 2));
    return metric_lines_ask(p, path,
                            FINE "NetworkBytesReceivedPerSecond,NetworkBytesTransmittedPerSecond",
                            "average", &ret->of[RECEIVED], 2);
}

/* ---- limits ---- */

/* A container's own, or what all of the group's have asked for together. */
static double limit_of(const json_t *group, const json_t *container, const char *name)
{
    json_t *own = json_object_get(at(container, "properties.resources.limits"), name), *one;
    double sum = 0;
    size_t i;

    if (json_is_number(own))
        return json_number_value(own);
    json_array_foreach(at(group, "properties.containers"), i, one)
    {
        const json_t *resources = at(one, "properties.resources");
        double asked = json_number_value(json_object_get(at(resources, "requests"), name));
        double most = json_number_value(json_object_get(at(resources, "limits"), name));

        sum += most > asked ? most : asked;
    }
    return sum;
}

/* ---- showing ---- */

static const char *cores(struct op *op, double n)
{
    return arena_printf(&op->arena, "%.2f", n);
}

static const char *bytes_or_none(struct op *op, double bytes)
{
    return isnan(bytes) ? "unknown" : page_bytes(op, (int64_t)(bytes + .5));
}

static void add_amount(struct page *p, const char *now, const char *limit, const char *label,
                       double share)
{
    page_html(p, "<td class=\"n\">");
    page_printf(p, "%s / %s", now, limit);
    page_bar(p, label, (int64_t)(share * 1000), 1000);
    page_html(p, "</td>");
}

static void add_row(struct page *p, const json_t *group, const json_t *container,
                    const struct uses *uses)
{
    const char *name = text_at_or(container, "name", "");
    double cpu = metric_line_now(metric_line_of(&uses->of[CPU], name)) / 1000;
    double memory = metric_line_now(metric_line_of(&uses->of[MEMORY], name));
    double cpu_limit = limit_of(group, container, "cpu");
    double memory_limit = limit_of(group, container, "memoryInGB") * GIB;
    struct op *op = p->op;

    page_row_begin(p);
    page_cell(p, name);
    if (isnan(memory)) {
        page_cell_number(p, arena_printf(&op->arena, "– / %g", cpu_limit));
        page_cell_number(p, arena_printf(&op->arena, "– / %s", bytes_or_none(op, memory_limit)));
    } else {
        add_amount(p, isnan(cpu) ? "–" : cores(op, cpu), arena_printf(&op->arena, "%g", cpu_limit),
                   arena_printf(&op->arena, "CPU of %s in use", name),
                   cpu_limit > 0 && !isnan(cpu) ? cpu / cpu_limit : 0);
        add_amount(p, bytes_or_none(op, memory), bytes_or_none(op, memory_limit),
                   arena_printf(&op->arena, "Memory of %s in use", name),
                   memory_limit > 0 ? memory / memory_limit : 0);
    }
    page_row_end(p);
}

static void add_table(struct page *p, const json_t *group, const struct uses *uses)
{
    json_t *container;
    bool init;

    page_table_begin(
        p, "Limits and use",
        (const char *const[]){"Container", ">CPU used / limit", ">Memory used / limit", NULL});
    for (size_t i = 0; (container = instance_container(group, i, &init)); i++)
        if (!init || metric_line_of(&uses->of[MEMORY], text_at_or(container, "name", "")))
            add_row(p, group, container, uses);
    page_table_end(p);
}

static void add_chart(struct page *p, const char *caption, const struct metric_line *use,
                      double top)
{
    const struct chart chart = {
        .caption = caption, .values = use->values, .n = use->n, .width = STEPS, .top = top};

    chart_add(p, &chart);
}

static void add_charts_of(struct page *p, const json_t *group, const json_t *container,
                          const struct uses *uses)
{
    const char *name = text_at_or(container, "name", "");
    const struct metric_line *cpu = metric_line_of(&uses->of[CPU], name);
    const struct metric_line *memory = metric_line_of(&uses->of[MEMORY], name);
    double cpu_limit = limit_of(group, container, "cpu") * 1000;
    double memory_limit = limit_of(group, container, "memoryInGB") * GIB;
    struct op *op = p->op;

    if (cpu)
        add_chart(p,
                  arena_printf(&op->arena, "CPU of %s: at most %s of %g cores", name,
                               cores(op, chart_most(cpu->values, cpu->n) / 1000), cpu_limit / 1000),
                  cpu, cpu_limit / 10);
    if (memory)
        add_chart(p,
                  arena_printf(&op->arena, "Memory of %s: at most %s of %s", name,
                               bytes_or_none(op, chart_most(memory->values, memory->n)),
                               bytes_or_none(op, memory_limit)),
                  memory, memory_limit / 10);
}

static void add_network(struct page *p, const char *what, const struct metric_lines *lines)
{
    const struct metric_line *line = metric_line_of(lines, "");
    struct op *op = p->op;

    if (line)
        add_chart(p,
                  arena_printf(&op->arena, "%s: %s a second now, at most %s", what,
                               bytes_or_none(op, metric_line_now(line)),
                               bytes_or_none(op, chart_most(line->values, line->n))),
                  line, 1024);
}

static void add_charts(struct page *p, const json_t *group, const struct uses *uses)
{
    json_t *container;
    size_t n = 0;
    bool init;

    page_html(p, "<p class=\"soft\">The last five minutes:</p>");
    charts_begin(p);
    for (size_t i = 0; (container = instance_container(group, i, &init)) && n < CHARTS_MAX; i++)
        if (!init) {
            add_charts_of(p, group, container, uses);
            n++;
        }
    add_network(p, "Received by the group", &uses->of[RECEIVED]);
    add_network(p, "Sent by the group", &uses->of[SENT]);
    charts_end(p);
}

enum fault instance_use(struct page *p, const json_t *group)
{
    struct uses uses = {0};
    enum fault fault = read_uses(p, &uses);

    if (fault == FORBIDDEN) {
        op_clear_fault(p->op);
        return OK;
    }
    TRY(fault);
    page_heading(p, "Limits and use");
    add_table(p, group, &uses);
    if (uses.of[CPU].n + uses.of[MEMORY].n)
        add_charts(p, group, &uses);
    return OK;
}
