/* The last hour in numbers, for the overview's charts. */
#ifndef SUNDOG_WEB_HISTORY_H
#define SUNDOG_WEB_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#define HISTORY_SECONDS 30
#define HISTORY_POINTS  120

struct history_point {
    double requests_per_s, p95_ms; /* p95: an upper bound's; 0 without requests */
};

/* What registries hold, as of the latest point: all rows are counted for it. */
struct history_store {
    int64_t blobs, bytes;
};

void history_start(void);
void history_stop(void);
/* Oldest first; ret has room for HISTORY_POINTS. How many there are yet. */
size_t history_read(struct history_point *ret);
struct history_store history_store(void);

#endif
