/*
 * Numbers for /metrics in Prometheus text format. Counters are relaxed atomics; a request is
 * counted by service, route, method and status class, with a latency histogram per route.
 */
#ifndef SUNDOG_CORE_METRICS_H
#define SUNDOG_CORE_METRICS_H

#include "core/call.h"

struct metric {
    const char *name; /* "sundog_gc_blobs_deleted_total" */
    const char *help;
    const char *type; /* "counter" or "gauge" */
    atomic_llong value;
    struct metric *next;
};
/* Register a static metric once, at start. Then atomic_fetch_add(&m.value, n). */
void metric_register(struct metric *metric);
/* The present value of a registered one; 0: there is none of that name. */
long long metric_value(const char *name);
void metrics_count_call(const struct call *c);
/* "# HELP" and "# TYPE" of a family: before its first line. */
void metric_head(struct text *out, const char *name, const char *type, const char *help);
/* Requests since the start by how long they took, streams not counted; the last without a bound. */
#define METRICS_BUCKETS 15
struct metrics_requests {
    uint64_t buckets[METRICS_BUCKETS], total;
};
struct metrics_requests metrics_requests(void);
int64_t metrics_bound_us(size_t bucket); /* INT64_MAX: the last one */
/* All of them, then pools, database, each service's own lines. */
void metrics_write(struct op *op, struct text *out);

#endif
