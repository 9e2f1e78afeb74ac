/*
 * Reconcilers (GUIDE §6): a queue of keys, not events. A key waiting is not added twice, never runs
 * on two threads, and comes back with jittered back-off when its step fails. A step re-reads state,
 * does one thing that may be done twice, and says when it wants to be called again.
 */
#ifndef SUNDOG_CORE_RECONCILE_H
#define SUNDOG_CORE_RECONCILE_H

#include "core/op.h"

#define RECONCILE_DONE (-1) /* *ret_again_ms: nothing left to do for this key */

struct reconciler;
/*
 * One step for a key, on a thread with a connection (op->db), no transaction open. *ret_again_ms is
 * RECONCILE_DONE at the call; set it to come back after so many milliseconds (0: at once). A fault
 * brings the key back by itself: 0.1 s, doubled up to 30 s, ±25 %.
 */
typedef enum fault (*reconcile_step)(struct op *op, const char *key, int64_t *ret_again_ms);

/* name shows in thread names and the log (≤ 10 bytes). */
struct reconciler *reconciler_new(const char *name, int threads, reconcile_step step);
/*
 * For steps that may wait long for somebody else. There are `least` threads (1 or more); when all
 * are busy there is one more, up to `most`, and those end as soon as `least` others are idle. Keys
 * of the same first word (up to a space) get a further thread only while three times as many as
 * they have are free: where they all hang, a quarter of `most`, the next word's a quarter of the
 * rest, and so on. Of 256 threads it takes 17 such words to hold up others.
 */
struct reconciler *reconciler_new_growing(const char *name, int least, int most,
                                          reconcile_step step);
typedef enum fault (*reconcile_sweep)(struct op *op);
/*
 * Besides, at once and every_ms after each time: a look for keys that nobody adds here, those of a
 * time before this start or of another `serve`. Part of the reconciler: as a step, but of no key.
 */
void reconciler_sweep(struct reconciler *r, reconcile_sweep sweep, int64_t every_ms);
/* From any thread. A key that is running now runs once more after. NULL reconciler: ignored. */
void reconciler_add(struct reconciler *r, const char *key);
void reconciler_add_after(struct reconciler *r, const char *key, int64_t delay_ms);
/* Steps running now end; what waits is forgotten (the rows know it). */
void reconciler_free(struct reconciler *r);
/* Keys waiting or running, for /metrics; the sweep is none. */
size_t reconciler_depth(struct reconciler *r);

#endif
