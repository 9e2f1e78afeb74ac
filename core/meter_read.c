/* Figures over time as readers want them: rows and what is still in memory, in steps. */
#include <stdlib.h>
#include <string.h>

#include "core/db.h"
#include "core/meter_internal.h"

#define SERIES_MAX 4096
#define POINTS_MAX 1000000 /* of all series: 40 MB */

enum { READ };
static const struct db_stmt stmts[] = {
    [READ] = {"SELECT s.dimensions, (p.minute - $3) / $5 AS step, sum(p.n)::bigint AS n,"
              " sum(p.sum) AS sum, min(p.least) AS least, max(p.most) AS most"
              " FROM core.meter s JOIN core.meter_minute p ON p.meter = s.id"
              " WHERE s.resource = $1 AND s.metric = $2 AND p.minute >= $3 AND p.minute < $4"
              " GROUP BY 1, 2 ORDER BY 1, 2"},
    {0},
};

void meter_read_start(void)
{
    db_register(stmts);
}

struct reading {
    struct op *op;
    const struct meter_span *span;
    struct meter_series *series; /* of SERIES_MAX */
    size_t n, steps;
};

static struct meter_series *series_of(struct reading *r, const char *dimensions)
{
    size_t at = 0;

    while (at < r->n && strcmp(r->series[at].dimensions, dimensions) < 0)
        at++;
    if (at < r->n && strcmp(r->series[at].dimensions, dimensions) == 0)
        return &r->series[at];
    if (r->n == SERIES_MAX || (r->n + 1) * r->steps > POINTS_MAX)
        return NULL;
    memmove(&r->series[at + 1], &r->series[at], (r->n - at) * sizeof(*r->series));
    r->n++;
    r->series[at] = (struct meter_series){
        .dimensions = arena_strdup(&r->op->arena, dimensions),
        .points = arena_alloc(&r->op->arena, r->steps * sizeof(struct meter_point)),
    };
    return &r->series[at];
}

/* Until compact, a point's place is its step. */
static void put(struct reading *r, const char *dimensions, size_t step,
                const struct meter_point *point)
{
    struct meter_series *s = series_of(r, dimensions);

    if (!s)
        return;
    meter_merge(&s->points[step], point);
    s->points[step].at_s = r->span->from_s + (int64_t)step * r->span->step_s;
}

static void put_at(struct reading *r, const char *dimensions, const struct meter_point *point)
{
    const struct meter_span *span = r->span;

    if (point->n && point->at_s >= span->from_s && point->at_s < span->to_s)
        put(r, dimensions, (size_t)((point->at_s - span->from_s) / span->step_s), point);
}

static void compact(struct reading *r)
{
    for (size_t i = 0; i < r->n; i++) {
        struct meter_series *s = &r->series[i];

        for (size_t k = 0; k < r->steps; k++)
            if (s->points[k].n)
                s->points[s->n++] = s->points[k];
    }
}

static enum fault read_rows(struct reading *r, const char *resource, const char *metric)
{
    struct db_rows rows;

    TRY(db_query(r->op, &stmts[READ], &rows, DB_TEXT(resource), DB_TEXT(metric),
                 DB_INT(r->span->from_s / 60), DB_INT((r->span->to_s + 59) / 60),
                 DB_INT(r->span->step_s / 60)));
    while (db_next(&rows)) {
        struct meter_point point = {.n = db_int(&rows, "n"),
                                    .sum = strtod(db_text(&rows, "sum"), NULL),
                                    .least = strtod(db_text(&rows, "least"), NULL),
                                    .most = strtod(db_text(&rows, "most"), NULL)};

        put(r, db_text(&rows, "dimensions"), (size_t)db_int(&rows, "step"), &point);
    }
    return OK;
}

static void put_fine(struct reading *r, const struct meter *m)
{
    for (size_t i = 0; m->fine && i < METER_FINE_STEPS; i++) {
        double value = m->fine->values[i];
        const struct meter_point point = {.at_s = (int64_t)m->fine->steps[i] * METER_FINE_S,
                                          .n = m->fine->steps[i] != 0,
                                          .sum = value,
                                          .least = value,
                                          .most = value};

        put_at(r, m->dimensions, &point);
    }
}

static void read_memory(struct reading *r, const char *resource, const char *metric)
{
    pthread_mutex_lock(&meters.lock);
    for (const struct meter *m = *meters_of(resource); m; m = m->next) {
        if (m->forgotten || strcmp(m->resource, resource) != 0 || strcmp(m->metric, metric) != 0)
            continue;
        if (r->span->step_s == METER_FINE_S)
            put_fine(r, m);
        for (size_t i = 0; r->span->step_s != METER_FINE_S && i < m->n_points; i++)
            put_at(r, m->dimensions, &m->points[i]);
    }
    pthread_mutex_unlock(&meters.lock);
}

enum fault meter_read(struct op *op, const char *resource, const char *metric,
                      const struct meter_span *span, struct meter_series **ret, size_t *ret_n)
{
    struct reading r = {.op = op, .span = span};
    enum fault fault = OK;

    r.series = arena_alloc(&op->arena, (SERIES_MAX + 1) * sizeof(*r.series));
    r.steps = (size_t)((span->to_s - span->from_s + span->step_s - 1) / span->step_s);
    pthread_rwlock_rdlock(&meters.writing);
    if (span->step_s != METER_FINE_S)
        fault = read_rows(&r, resource, metric);
    if (fault == OK)
        read_memory(&r, resource, metric);
    pthread_rwlock_unlock(&meters.writing);
    TRY(fault);
    compact(&r);
    *ret = r.series;
    *ret_n = r.n;
    return OK;
}
