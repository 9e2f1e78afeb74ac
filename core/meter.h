/*
 * Meters: what resources use and do, over time. Whoever knows a figure adds samples to a meter;
 *here they become one line a minute (how many, sum, least, most) in the database, kept for
 * --metrics-keep, and, where somebody wants to look on, the last five minutes in memory as they
 * came.
 *
 *~ Samples never touch the database. One thread writes all complete minutes in one transaction, and
 *~ none when there are none; what ends a `serve` in an orderly way writes the begun minute, too,
 *~ and the next `serve` adds to that. A crash loses the minute it happens in.
 */
#ifndef SUNDOG_CORE_METER_H
#define SUNDOG_CORE_METER_H

#include "core/op.h"
#include "core/settings.h"

#define METER_FINE_S     2     /* seconds of a fine step */
#define METER_FINE_STEPS 150   /* kept of them */
#define METER_MAX        65536 /* meters in memory; further ones are not kept */
#define METER_WAITING    60    /* minutes kept in memory while the database is away */

struct meter;
/*
 * The meter of (resource, metric, dimensions), to be closed by meter_close; opened again, it goes
 * on. resource: a key, lower case. dimensions: values of the metric's dimensions, "/" between; "":
 * none. fine: the last minutes are kept as they came. NULL: there are METER_MAX; adding to it does
 * nothing.
 */
struct meter *meter_open(const char *resource, const char *metric, const char *dimensions,
                         bool fine);
/* From any thread. at_us: Unix time. */
void meter_add(struct meter *meter, int64_t at_us, double value);
void meter_close(struct meter *meter); /* what it has not written yet is still written */

/* ---- reading ---- */

struct meter_point {
    int64_t at_s; /* where its step begins, Unix time */
    int64_t n;    /* samples */
    double sum, least, most;
};
struct meter_series {
    const char *dimensions;
    struct meter_point *points; /* ascending; steps without samples have none */
    size_t n;
};
struct meter_span {
    int64_t from_s, to_s; /* to_s is not in it; from_s is a whole step's begin */
    int64_t step_s;       /* whole minutes, counted from from_s; or METER_FINE_S: from memory only,
                             what this `serve` has measured */
};
/* All meters of that metric that have samples in span, by dimensions. */
enum fault meter_read(struct op *op, const char *resource, const char *metric,
                      const struct meter_span *span, struct meter_series **ret, size_t *ret_n);
/* One point of two. */
void meter_merge(struct meter_point *into, const struct meter_point *other);

/* ---- resources end and move ---- */

/* At and below key, part of the open transaction; meter_forget after its commit. */
enum fault meter_delete(struct op *op, const char *key);
void meter_forget(const char *key);
/* The same when it becomes new_key; meter_moved after its commit. */
enum fault meter_rekey(struct op *op, const char *key, const char *new_key);
void meter_moved(const char *key, const char *new_key);

/* ---- life ---- */

/* keep_s: how long minutes are kept; one at least. */
void meters_start(int64_t keep_s);
void meters_stop(void);
int64_t meters_keep_s(void);
/* What the writer's thread does: write minutes that are complete (all: begun ones, too), and remove
   old ones. For tests. */
enum fault meters_write(struct op *op, int64_t now_s, bool all);
enum fault meters_prune(struct op *op, int64_t now_s);
void meters_metrics(struct text *out); /* lines for /metrics */

#endif
