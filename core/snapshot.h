/*
 * What is read from memory on every request (rights, locks, subscriptions): an immutable snapshot,
 * counted by its readers, replaced as a whole by whoever changed the rows, or when another `serve`
 * did.
 */
#ifndef SUNDOG_CORE_SNAPSHOT_H
#define SUNDOG_CORE_SNAPSHOT_H

#include <pthread.h>

#include "core/op.h"

struct snapshot;
/* A static one needs SNAPSHOT_SLOT(its load function). */
#define SNAPSHOT_SLOT(fn)                                                                          \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER, .reloading = PTHREAD_MUTEX_INITIALIZER, .load = (fn)    \
    }
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
/*
 * The same on a connection of its own, for the hub's thread: tried again for some seconds, since
 * what was heard is not said twice. false: it could not be read. (A database that is away makes the
 * hub ask for everything once it is back.)
 */
bool snapshot_reload_alone(struct snapshot_slot *slot);
/* After hub_stop. */
void snapshot_drop(struct snapshot_slot *slot);

#endif
