/*
 * What import.c (checks), import_store.c (rows), import_source.c (other registries over HTTP),
 * import_copy.c (what is copied) and import_run.c (the reconciler) share.
 */
#ifndef SUNDOG_REGISTRY_IMPORT_JOB_H
#define SUNDOG_REGISTRY_IMPORT_JOB_H

#include "registry/import.h"
#include "registry/manifest.h"

struct import_target {
    const char *repository, *tag; /* tag NULL: the manifest only */
};

/* A job as its row has it. */
struct import_work {
    const char *id;                       /* NULL: no job, only the copy (import_hidden.c) */
    int64_t registry_id, source_registry; /* the latter 0: source_host */
    const char *source_host, *repository, *reference;
    const char *username, *password; /* NULL: none */
    struct import_target *targets;
    size_t n_targets;
    bool force, cancelled;
    bool one_platform; /* of an index only what is for this machine */
    int64_t tries;     /* how often the source could not be reached */
};

/* ---- rows ---- */

enum fault import_insert(struct op *op, const struct import_work *work, const char *started_by);
/* NOT_FOUND: it has ended, or is no more. */
enum fault import_load(struct op *op, const char *id, struct import_work *ret);
/* Only one thread of one `serve` works on a job: a lock of the connection. */
enum fault import_lock(struct op *op, const char *id, bool *ret_locked);
void import_unlock(struct op *op, const char *id);
/* total < 0: as it is. *ret_cancelled: it is to stop. */
enum fault import_progress(struct op *op, const char *id, int64_t bytes, int64_t total,
                           bool *ret_cancelled);
/* Also erases the credentials. bytes < 0: all of them. */
enum fault import_finish(struct op *op, const char *id, enum import_state state, const char *code,
                         const char *message);
enum fault import_tried(struct op *op, const char *id);
/* Ids of jobs that have not ended; forgets those that did 7 days ago. */
enum fault import_unfinished(struct op *op, const char ***ret_ids, size_t *ret_n);

/* ---- a registry somewhere else ---- */

struct source {
    struct arena *arena; /* of the job: what is learnt outlives the blob it was learnt with */
    const char *host;    /* as named: for messages */
    const char *base;    /* "https://registry-1.docker.io" */
    const char *repository;
    const char *username, *password; /* NULL: anonymous */
    const char *authorization;       /* once it was asked for */
    bool may_be_plain;               /* loopback: http when https does not answer */
    bool answered;                   /* it has: then http is not tried any more */
};
void source_init(struct op *op, const struct import_work *work, struct source *ret);
/*
 * By tag or digest; verified against a digest. Faults carry the job's code as noun:
 * "ManifestNotFound", "SourceUnauthorized", "TooManyRequests", "SourceUnavailable",
 * "SourceInvalid".
 */
enum fault source_manifest(struct op *op, struct source *source, const char *reference,
                           const char **ret_media_type, struct bytes *ret_content);
/* What a tag names now; "" when the source does not say. A HEAD: where pulls are counted it is
   none. Faults as above. */
enum fault source_digest(struct op *op, struct source *source, const char *reference,
                         const char **ret_digest);
/* Its bytes in pieces to write; not verified here. */
enum fault source_blob(struct op *op, struct source *source, const char *digest,
                       enum fault (*write)(void *arg, struct op *op, struct bytes piece),
                       void *arg);

/* ---- copying ---- */

/* Do the job as far as it goes: OK: it has succeeded, and its row says so. */
enum fault import_copy(struct op *op, const struct import_work *work);
/* From another registry, without a job, into target; its first target only. */
enum fault import_copy_into(struct op *op, const struct import_work *work,
                            const struct registry *target);
/* A stop is wanted: what is under way ends at its next piece. */
extern atomic_bool import_ending;

#endif
