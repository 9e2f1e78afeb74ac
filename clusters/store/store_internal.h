/*
 * What the store's own files share.
 *
 *~ Locks, in the order in which they may be taken: watch_lock (who listens), write_lock (what is
 *~ pending; submitters), lock (what is committed: held for microseconds, by readers), and last the
 *~ committing thread's own. Publishing takes write_lock and lock, so a writer always sees an object
 *~ either pending or committed.
 */
#ifndef SUNDOG_CLUSTERS_STORE_STORE_INTERNAL_H
#define SUNDOG_CLUSTERS_STORE_STORE_INTERNAL_H

#include <pthread.h>

#include "clusters/store/store.h"

#define PENDING_SLOTS   256
#define WATCH_SLOTS     1024
#define FAILED_MAX      16
#define HISTORY_MAX     10000
#define HISTORY_BYTES   ((size_t)8 << 20)
#define ROUND_BYTES     ((size_t)4 << 20) /* of one cluster in one transaction */
#define UNAVAILABLE_WHY "the cluster's objects cannot be written now"

/* A submitted change that is not committed yet. */
struct pending_change {
    struct pending_change *next;      /* by revision */
    struct pending_change *hash_next; /* newest first */
    enum event_kind kind;
    struct object *object, *previous; /* references of its own; previous may be NULL */
    bool taken;                       /* in the transaction that runs now */
    struct pending_change *
        superseded_by; /* a later change of the object: if it is taken along, it alone is written */
};

/* The committed objects of a resource, by namespace and name. */
struct bucket {
    struct object **objects;
    size_t n, cap;
    int64_t changed;
};

/* A ring. */
struct history {
    struct event *events;
    size_t first, n, cap, bytes;
    int64_t floor; /* events after this revision are all there */
};

struct waiter {
    struct waiter *next;
    int64_t revision;
    struct store *store;
    struct call *call; /* NULL: a thread waits on store->waited */
    bool done;
    enum fault fault;
};

struct listener {
    struct listener *next;
    const struct resource *resource;
    void (*heard)(void *user, const struct event *event);
    void *user;
};

struct store {
    int64_t cluster, epoch;
    void *user;
    void (*lost)(void *user);

    pthread_mutex_t write_lock;
    int64_t last; /* the newest revision given to anybody */
    struct pending_change *queue, **queue_tail, *pending[PENDING_SLOTS];
    struct {
        int64_t first, last;
    } failed[FAILED_MAX]; /* revisions that never happened */
    size_t n_failed;
    struct waiter *waiters;
    pthread_cond_t waited;
    bool is_lost, unknown; /* unknown: a commit's outcome is; the rows must be read again */

    pthread_mutex_t lock;
    struct bucket buckets[RESOURCE_INDEX_MAX];
    struct history history;
    int64_t revision; /* the newest committed */

    pthread_mutex_t watch_lock;
    struct watch *watches[WATCH_SLOTS];
    atomic_size_t n_watches;
    struct listener *listeners;

    /* under the committing thread's lock */
    struct store *next, *next_dirty;
    bool dirty;
};

/* ---- store.c ---- */
/* text is compact JSON; tree: to take labels and uid from. */
struct object *object_make(const struct resource *r, const char *ns, const char *name,
                           int64_t revision, struct bytes text, const json_t *tree);
int object_compare(const struct object *a, const char *ns, const char *name);
/* Index of the first object that is not before the key. */
size_t bucket_find(const struct bucket *bucket, const char *ns, const char *name);
/* Under lock. Takes a reference of object; NULL removes. */
void bucket_set(struct bucket *bucket, const char *ns, const char *name, struct object *object);
void store_clear(struct store *store); /* buckets and history; under lock */
/* Read all rows into empty buckets, and the cluster's revision. Needs op->db. NOT_FOUND: another
   epoch or no such cluster. */
enum fault store_load(struct op *op, struct store *store);

/* ---- store_write.c ---- */
void store_publish(struct store *store, struct pending_change *batch, int64_t revision);
/* Nothing that is pending will ever happen. Under write_lock. */
void store_discard(struct store *store);
void store_answer_waiters(struct store *store);
void change_free(struct pending_change *change);

/* ---- store_watch.c ---- */
void history_add(struct history *history, const struct event *event); /* takes references */
void history_clear(struct history *history);
void store_tell(struct store *store, const struct event *event); /* on the committing thread */
void store_tell_listeners(struct store *store, const struct event *event);
void store_tick(struct store *store);

/* ---- store_commit.c ---- */
void store_dirty(struct store *store); /* it has something to commit */
void store_enroll(struct store *store);
void store_leave(struct store *store); /* returns when the committing thread has let go of it */

#endif
