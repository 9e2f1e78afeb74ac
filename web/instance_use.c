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

#define POINTS     160 /* of five minutes in steps of two seconds, and a few */
#define SERIES_MAX 61  /* a group has at most 60 containers */
#define CHARTS_MAX 6   /* containers with charts; the table has all */
#define LATEST     4   /* steps back that are "now" */
#define GIB        (1024.0 * 1024 * 1024)
#define OF_GROUP   "interval=PT2S&timespan=PT5M&metricnames="
#define EACH       "&top=60&$filter=containerName%20eq%20%27*%27"

/* The last five minutes of one figure. */
struct use {
    const char *container; /* "": the group */
    double values[POINTS];
    size_t n;
};
struct uses {
    struct use *cpu, *memory, *received, *transmitted; /* of SERIES_MAX */
    size_t n_cpu, n_memory, n_received, n_transmitted;
};

/* ---- asking ---- */

static void read_points(const json_t *data, struct use *use)
{
    size_t i, last = 0, skip;
    json_t *point;

    skip = json_array_size(data) > POINTS ? json_array_size(data) - POINTS : 0;
    json_array_foreach(data, i, point)
    {
        const json_t *average = json_object_get(point, "average");

        if (i < skip)
            continue;
        use->values[i - skip] = average ? json_number_value(average) : NAN;
        if (average)
            last = i - skip + 1;
    }
    use->n = json_array_size(data) - skip;
    if (use->n - last <= LATEST) /* the step that has just begun has no value yet */
        use->n = last;
}

static size_t read_series(struct op *op, const json_t *metric, struct use **ret)
{
    const json_t *series = json_object_get(metric, "timeseries");
    struct use *uses = arena_alloc(&op->arena, SERIES_MAX * sizeof(*uses));
    size_t i, n = 0;
    json_t *one;

    json_array_foreach(series, i, one)
    {
        if (n == SERIES_MAX)
            break;
        uses[n].container =
            text_at_or(json_array_get(json_object_get(one, "metadatavalues"), 0), "value", "");
        read_points(json_object_get(one, "data"), &uses[n]);
        n += uses[n].n > 0;
    }
    *ret = uses;
    return n;
}

static enum fault ask(struct page *p, const char *what, json_t **ret)
{
    const char *path = arena_printf(&p->op->arena, "%s/providers/Microsoft.Insights/metrics?%s",
                                    instance_path(p->c), what);
    json_t *answer;

    TRY(ask_manager(p->c, path, &answer));
    *ret = json_object_get(answer, "value");
    return OK;
}

static enum fault read_uses(struct page *p, struct uses *ret)
{
    json_t *each, *whole;

    TRY(ask(p, OF_GROUP "CpuUsage,MemoryUsage" EACH, &each));
    TRY(ask(p, OF_GROUP "NetworkBytesReceivedPerSecond,NetworkBytesTransmittedPerSecond", &whole));
    ret->n_cpu = read_series(p->op, json_array_get(each, 0), &ret->cpu);
    ret->n_memory = read_series(p->op, json_array_get(each, 1), &ret->memory);
    ret->n_received = read_series(p->op, json_array_get(whole, 0), &ret->received);
    ret->n_transmitted = read_series(p->op, json_array_get(whole, 1), &ret->transmitted);
    return OK;
}

static const struct use *use_of(const struct use *uses, size_t n, const char *container)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(uses[i].container, container) == 0)
            return &uses[i];
    return NULL;
}

static double now_of(const struct use *use)
{
    return use ? use->values[use->n - 1] : NAN;
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
    double cpu = now_of(use_of(uses->cpu, uses->n_cpu, name)) / 1000;
    double memory = now_of(use_of(uses->memory, uses->n_memory, name));
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
        if (!init || use_of(uses->memory, uses->n_memory, text_at_or(container, "name", "")))
            add_row(p, group, container, uses);
    page_table_end(p);
}

static void add_chart(struct page *p, const char *caption, const struct use *use, double top)
{
    const struct chart chart = {
        .caption = caption, .values = use->values, .n = use->n, .width = POINTS - 10, .top = top};

    chart_add(p, &chart);
}

static void add_charts_of(struct page *p, const json_t *group, const json_t *container,
                          const struct uses *uses)
{
    const char *name = text_at_or(container, "name", "");
    const struct use *cpu = use_of(uses->cpu, uses->n_cpu, name);
    const struct use *memory = use_of(uses->memory, uses->n_memory, name);
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

static void add_network(struct page *p, const char *what, const struct use *uses, size_t n)
{
    struct op *op = p->op;

    if (n)
        add_chart(p,
                  arena_printf(&op->arena, "%s: %s a second now, at most %s", what,
                               bytes_or_none(op, now_of(uses)),
                               bytes_or_none(op, chart_most(uses->values, uses->n))),
                  uses, 1024);
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
    add_network(p, "Received by the group", uses->received, uses->n_received);
    add_network(p, "Sent by the group", uses->transmitted, uses->n_transmitted);
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
    if (uses.n_cpu + uses.n_memory)
        add_charts(p, group, &uses);
    return OK;
}
