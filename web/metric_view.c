#include "web/metric_view.h"

#include <math.h>
#include <string.h>

#include "clusters/object/object.h"

#define LATEST 4 /* steps back that are new: the one that has just begun has no value yet */

static void read_points(struct op *op, const json_t *data, const char *figure,
                        struct metric_line *line)
{
    size_t i, last = 0, n = json_array_size(data);
    json_t *point;

    line->values = arena_alloc(&op->arena, (n + 1) * sizeof(*line->values));
    json_array_foreach((json_t *)data, i, point)
    {
        const json_t *value = json_object_get(point, figure);

        line->values[i] = value ? json_number_value(value) : NAN;
        if (value)
            last = i + 1;
    }
    line->n = n - last <= LATEST ? last : n;
}

static void read_lines(struct op *op, const json_t *metric, const char *figure,
                       struct metric_lines *ret)
{
    const json_t *series = json_object_get(metric, "timeseries");
    json_t *one;
    size_t i;

    *ret = (struct metric_lines){
        .lines = arena_alloc(&op->arena, (json_array_size(series) + 1) * sizeof(*ret->lines))};
    json_array_foreach((json_t *)series, i, one)
    {
        struct metric_line *line = &ret->lines[ret->n];

        line->name =
            text_at_or(json_array_get(json_object_get(one, "metadatavalues"), 0), "value", "");
        read_points(op, json_object_get(one, "data"), figure, line);
        ret->n += line->n > 0;
    }
}

enum fault metric_lines_ask(struct page *p, const char *path, const char *query, const char *figure,
                            struct metric_lines *ret, size_t n)
{
    json_t *answer;

    TRY(ask_manager(
        p->c,
        arena_printf(&p->op->arena, "%s/providers/Microsoft.Insights/metrics?%s", path, query),
        &answer));
    for (size_t i = 0; i < n; i++)
        read_lines(p->op, json_array_get(json_object_get(answer, "value"), i), figure, &ret[i]);
    return OK;
}

const struct metric_line *metric_line_of(const struct metric_lines *lines, const char *name)
{
    for (size_t i = 0; i < lines->n; i++)
        if (strcmp(lines->lines[i].name, name) == 0)
            return &lines->lines[i];
    return NULL;
}

double metric_line_now(const struct metric_line *line)
{
    return line ? line->values[line->n - 1] : NAN;
}
