/*
 * Management locks (Microsoft.Authorization/locks) at any scope, inherited by all below it:
 * CanNotDelete forbids DELETE, ReadOnly forbids every write and every POST. Asked from a snapshot
 * in memory that each change replaces before it is answered.
 */
#ifndef SUNDOG_API_LOCK_H
#define SUNDOG_API_LOCK_H

#include "api/arm.h"

struct lock {
    const char *id, *key; /* …/providers/Microsoft.Authorization/locks/NAME */
    const char *scope;    /* key of what is locked */
    const char *name;
    const char *level;  /* "CanNotDelete", "ReadOnly" */
    const char *notes;  /* or NULL */
    const char *owners; /* JSON array, or NULL */
    const char *created, *created_by, *created_by_kind, *changed, *changed_by, *changed_by_kind;
};

enum fault lock_put(struct call *c, const struct lock *wanted, bool *ret_created);
/* NOT_FOUND on "LockNotFound". */
enum fault lock_get(struct op *op, const char *key, struct lock *ret);
enum fault lock_delete(struct op *op, const char *key, bool *ret_existed);
/* All at, above and below scope (a key), sorted by key; exact: those at scope only. */
enum fault lock_list(struct op *op, const char *scope, bool exact, struct lock **ret,
                     size_t *ret_n);
/* Part of the open transaction: all at and below what is deleted. */
enum fault lock_delete_below(struct op *op, const char *key);
enum fault lock_start(struct op *op);
/* After the commit of a change: read all anew. */
enum fault lock_reload(struct op *op);
void lock_stop(void);

/*
 * May this method go on at this id, however written? From memory. CONFLICT on "ScopeLocked" names
 * every lock in the way. DELETE is also stopped by locks on what lies below.
 */
enum fault lock_check(struct op *op, enum method method, const char *path);

#endif
