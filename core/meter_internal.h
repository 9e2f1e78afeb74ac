/* What meter.c and meter_read.c share. */
#ifndef SUNDOG_CORE_METER_INTERNAL_H
#define SUNDOG_CORE_METER_INTERNAL_H

#include <pthread.h>

#include "core/meter.h"

#define METER_BUCKETS 4096

/* The last samples, one a step: a ring by time. */
struct meter_fine {
    double values[METER_FINE_STEPS];
    uint32_t steps[METER_FINE_STEPS]; /* of METER_FINE_S since 1970 */
};

struct meter {
    struct meter *next;
    char *resource, *metric, *dimensions;
    int opened;                 /* how many add to it */
    bool forgotten;             /* its resource is no more: adding does nothing */
    struct meter_point *points; /* minutes not written yet; the last may be begun */
    size_t n_points, cap;
    size_t taken; /* by the writer, of points */
    int64_t taken_until_s;
    struct meter_fine *fine; /* or NULL */
};

extern struct meters {
    pthread_mutex_t lock;     /* over all but writing */
    pthread_rwlock_t writing; /* held while points become rows, and by who reads both */
    struct meter *table[METER_BUCKETS];
    size_t n;
    int64_t keep_s;
    struct reconciler *reconciler;
} meters;

struct meter **meters_of(const char *resource); /* its bucket */
void meter_read_start(void);

#endif
