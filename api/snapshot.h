/*
 * What is read from memory on every request (locks, subscriptions): an immutable snapshot, counted
 * by its readers, replaced as a whole by whoever changed the rows, or when another `serve` did.
 */
#ifndef SUNDOG_API_SNAPSHOT_H
#define SUNDOG_API_SNAPSHOT_H

#include <pthread.h>

#include "core/op.h"

struct snapshot;
struct snapshot_slot {
    struct snapshot *current;
    pthread_mutex_t lock;      /* over current */
    pthread_mutex_t reloading; /* one at a time, so that the last to commit is seen */
    /* Reads the rows; what it returns lives in op's arena. */
    enum fault (*load)(struct op *op, void **ret);
};

/* Held until op's arena is freed. NULL: none yet. */
const void *snapshot_hold(struct op *op, struct snapshot_slot *slot);
/* Read anew with op's connection and replace. */
enum fault snapshot_reload(struct op *op, struct snapshot_slot *slot);
/* The same on a connection of its own, for the hub's thread; false: it could not be read. */
bool snapshot_reload_alone(struct snapshot_slot *slot);
void snapshot_drop(struct snapshot_slot *slot);

#endif
