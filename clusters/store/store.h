/*
 * The objects of one cluster: in memory for readers and watchers, in PostgreSQL for ever. One
 * writer per cluster (its owner process): a change is checked against committed and pending state,
 * gets the next revision, and is shown to anybody only after its transaction has committed. One
 * thread commits for all clusters of the process, many changes in one transaction.
 *
 *~ store_submit gives a revision at once; store_wait (or store_park, in handlers) returns when it
 *~ is safe. Ten pods are ten submits and one wait.
 */
#ifndef SUNDOG_CLUSTERS_STORE_STORE_H
#define SUNDOG_CLUSTERS_STORE_STORE_H

#include "clusters/object/object.h"
#include "core/call.h"

/* One revision of an object: immutable, counted. */
struct object {
    atomic_int refs;
    const struct resource *resource; /* the stored form's */
    const char *ns, *name, *uid;     /* ns: "" when not namespaced */
    int64_t revision;
    bool deleting;        /* has a deletionTimestamp */
    struct bytes text;    /* compact JSON, resourceVersion included */
    json_t *_Atomic tree; /* the store's */
    json_t *labels;       /* NULL: none */
};
struct object *object_hold(struct object *object);
void object_drop(struct object *object);                      /* NULL is fine */
void object_drop_later(struct op *op, struct object *object); /* with op's arena */
/* Parsed at first use and shared, as long as the object lives: never change it (object_copy). */
const json_t *object_tree(struct object *object);

struct store;

/* Load all rows of a cluster (its row's id). epoch: when the row has another, somebody else owns
   the cluster: writes fail UNAVAILABLE, lost() is called once. user: for store_user. Needs op->db.
 */
enum fault store_open(struct op *op, int64_t cluster, int64_t epoch, void *user,
                      void (*lost)(void *user), struct store **ret);
/* Waits for pending writes, ends all watches. Where their streams hold the store's owner, they are
   ended before it waits for those. */
void store_close(struct store *store);
void store_end_watches(struct store *store);
void *store_user(struct store *store);
int64_t store_revision(struct store *store); /* the newest committed */
/* ---- reading: from memory, any thread ---- */
/* Held for the caller; NULL: there is none. ns "" or NULL when not namespaced. */
struct object *store_get(struct store *store, const struct resource *r, const char *ns,
                         const char *name); /* The same with op's arena as holder. */
struct object *store_read(struct op *op, struct store *store, const struct resource *r,
                          const char *ns, const char *name);
/* What a writer builds on: with pending changes. NULL: none. */
struct object *store_latest(struct op *op, struct store *store, const struct resource *r,
                            const char *ns, const char *name);
struct store_page {
    struct object **objects; /* held by op's arena; by namespace, then name */
    size_t n;
    int64_t revision; /* of the whole view */
    size_t remaining; /* objects after the last one */
};
/* ns NULL: of all namespaces. after_ns/after_name: begin after this key (NULL: at the start); max
   0: all. at 0: the newest view; else that revision's as it was then (undone from the history);
   GONE when history no longer reaches so far. */
enum fault store_list(struct op *op, struct store *store, const struct resource *r, const char *ns,
                      const char *after_ns, const char *after_name, size_t max, int64_t at,
                      struct store_page *ret);
/* All of a namespace, as a writer sees it: with pending changes; in no order. */
enum fault store_list_latest(struct op *op, struct store *store, const struct resource *r,
                             const char *ns, struct store_page *ret);
size_t store_count(struct store *store, const struct resource *r, const char *ns);
/* The last change to any object of r: what was derived from them is fresh while this is the same.
 */
int64_t store_changed(struct store *store, const struct resource *r);

/* ---- writing ---- */
enum change { CHANGE_CREATE, CHANGE_UPDATE, CHANGE_DELETE };
struct write {
    enum change change;
    const struct resource *resource; /* stored_as */
    const char *ns, *name;
    /* CREATE, UPDATE: the whole object; its metadata.resourceVersion is put in by the store.
       DELETE: the last state, for watchers (NULL: as it was). The store keeps no reference. */
    const json_t *tree;
    int64_t expected; /* UPDATE, DELETE: the revision this builds on, else CONFLICT; 0: any */
    const char *expected_uid; /* may be NULL */
};
/*
 * Check and queue; *ret_object (may be NULL) is the new revision, held by op's arena, shown to
 * nobody yet. CREATE of what exists: CONFLICT, "AlreadyExists". UPDATE and DELETE: CONFLICT
 * ("Conflict") when it is another revision now, NOT_FOUND. An UPDATE that changes nothing but
 * resourceVersion is not written: it answers with what is there. UNAVAILABLE: not the owner.
 */
enum fault store_submit(struct op *op, struct store *store, const struct write *write,
                        int64_t *ret_revision, struct object **ret_object);
/* Several, all or none; of different objects. */
enum fault store_submit_all(struct op *op, struct store *store, const struct write *writes,
                            size_t n, int64_t *ret_revision);
/* What a write would make, for dry runs: not stored. revision 0: the object shows none. */
struct object *store_draft(struct op *op, const struct write *write, int64_t revision);
/* Until revision is committed and shown. UNAVAILABLE: its batch failed, nothing of it happened or
   ever will, or nobody knows (then the store has read its rows anew). */
enum fault store_wait(struct op *op, struct store *store, int64_t revision);
/* The same for a handler whose reply is filled in: PARKED. Uses c->scratch. */
enum fault store_park(struct call *c, struct store *store, int64_t revision);

/* ---- watching ---- */
enum event_kind { EVENT_ADDED, EVENT_MODIFIED, EVENT_DELETED };
struct event {
    enum event_kind kind;
    int64_t revision;
    struct object *object;   /* the new state; DELETED: the last, with the deletion's revision */
    struct object *previous; /* NULL: ADDED */
};
/*
 * In-process listeners (controllers, scheduler, node agent): called on the committing thread, in
 * order, after each commit; must be quick and not call store_wait. r NULL: all resources. On a
 * reload (a commit of unknown outcome) event is NULL: anything may have changed.
 */
void store_listen(struct store *store, const struct resource *r,
                  void (*heard)(void *user, const struct event *event), void *user);
/* No call is under way or follows after it returns. */
void store_unlisten(struct store *store, void (*heard)(void *user, const struct event *event),
                    void *user);

/*
 * Clients' watches. accept gets every event of resource (in ns, of name, with label key=value, if
 * given: the old or the new state) after `from`, in order, without gap: those still in history
 * inside store_watch, the others on the committing thread. It must not block: it filters and hands
 * bytes to a stream. from older than history: GONE ("Expired"). from 0: events from now on.
 */
struct watch {
    bool (*accept)(struct watch *watch, const struct event *event); /* false: end the watch */
    /* About once a second; all up to revision was offered. false: end the watch. May be NULL. */
    bool (*tick)(struct watch *watch, int64_t revision);
    void (*ended)(struct watch *watch); /* store closed or history lost; may be NULL */
    void *user;
    const struct resource *resource;
    const char *ns, *name;   /* NULL: any; alive until store_unwatch */
    const char *key, *value; /* a label, so that many selective watchers are cheap; NULL: any */
    /* owned by the store */
    struct watch *next, **pprev;
    struct store *store;
    int64_t seen;
};
enum fault store_watch(struct op *op, struct store *store, struct watch *watch, int64_t from);
void store_unwatch(struct watch *watch); /* accept is not running and never runs again */

void stores_start(void); /* the committing thread, with a connection of its own */
void stores_stop(void);
void stores_metrics(struct text *out);

#endif
