/*
 * Garbage collection, running while pushes go on. Garbage is what no row names and no lease holds:
 * unfinished uploads that nobody continued, links that no manifest needs and nobody asked for,
 * blobs without a link, files without a row. One thread of one `serve` at a time (an advisory
 * lock), and never while a backup copies (core/backup.h).
 */
#ifndef SUNDOG_REGISTRY_COLLECT_H
#define SUNDOG_REGISTRY_COLLECT_H

#include "core/op.h"

void collect_start(void);
void collect_stop(void);
/* One round, as the thread does it each settings->collect_interval_s. */
enum fault collect_round(struct op *op);
/* Lines for /metrics: the store's size and each registry's usage, as of the last minute. */
void collect_metrics(struct text *out);

/* ---- rows (collect_store.c) ---- */

/* Take the locks of a round; false: another collects, or a backup runs. */
enum fault collect_lock(struct op *op, bool *ret_locked);
void collect_unlock(struct op *op);
/* Ids of uploads that nobody continued for upload_expire_s; at most max. */
enum fault collect_expired_uploads(struct op *op, int64_t max, const char ***ret_ids,
                                   size_t *ret_n);
/* Delete this one if it is still expired. */
enum fault collect_upload(struct op *op, const char *id, bool *ret_deleted);
/*
 * Look at up to max links whose lease has ended: those that a manifest holds get a lease without
 * end, the others are deleted.
 */
enum fault collect_links(struct op *op, int64_t max, int64_t *ret_seen, int64_t *ret_deleted);
/* Blobs without a link among the max after *cursor; moves *cursor, to "" at the end. */
struct loose_blob {
    const char *digest;
    int64_t size;
};
enum fault collect_loose_blobs(struct op *op, const char **cursor, int64_t max,
                               struct loose_blob **ret, size_t *ret_n);
/* The lock of a digest, for the session. */
enum fault collect_lock_blob(struct op *op, const char *digest, bool *ret_locked);
void collect_unlock_blob(struct op *op, const char *digest);
/* Delete its row, durably, unless a link has appeared. The caller holds its lock. */
enum fault collect_blob(struct op *op, const char *digest, bool *ret_deleted);
/* Which of these have rows? */
enum fault collect_known_blobs(struct op *op, const char *const *digests, size_t n,
                               const char ***ret_known, size_t *ret_n);
enum fault collect_known_uploads(struct op *op, const char *const *ids, size_t n,
                                 const char ***ret_known, size_t *ret_n);
enum fault collect_store_size(struct op *op, int64_t *ret_blobs, int64_t *ret_bytes);
/* Blobs that no manifest names and that leases keep: garbage as soon as those are over. */
enum fault collect_store_waiting(struct op *op, int64_t *ret_blobs, int64_t *ret_bytes);
void collect_store_start(void);

#endif
