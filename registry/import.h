/*
 * importImage: bring an image (with all it refers to) into a registry, from another of ours by
 * reference, at once, or from any OCI registry, blob by blob. A job is a row (DESIGN §4.9) that a
 * reconciler finishes or fails, also after a restart: blobs that have arrived are not fetched
 * again.
 */
#ifndef SUNDOG_REGISTRY_IMPORT_H
#define SUNDOG_REGISTRY_IMPORT_H

#include "registry/registry.h"

#define IMPORT_TARGETS_MAX 100

struct import_request {
    int64_t source_registry;  /* one of ours, or 0 … */
    const char *source_host;  /* … "docker.io", "localhost:5000" */
    const char *source_image; /* "library/hello-world:latest", "app@sha256:…"; a leading host is
                                 taken off when it is source_host */
    const char *username, *password; /* for source_host; NULL: anonymous. password alone: a token */
    const char *const *targets;      /* "team/app:1"; without a tag: the source's, else latest */
    size_t n_targets;
    const char *const *untagged; /* untaggedTargetRepositories: "team/app" */
    size_t n_untagged;
    bool force;             /* else a tag that is there is a CONFLICT */
    const char *started_by; /* object id, for the record; may be NULL */
};
/* Split "localhost:5000/team/app:1" as given in source.sourceImage when no registryUri came:
 *ret_host NULL: it names none. */
void import_split_image(struct op *op, const char *image, const char **ret_host,
                        const char **ret_rest);
/*
 * The repository of a source among ours, for the caller's check of rights on it ("the caller must
 * be able to pull"). INVALID: no image's name.
 */
enum fault import_source_repository(struct op *op, const char *source_image,
                                    const char **ret_repository);
/*
 * Check all that can be checked at once and make the job in the caller's transaction. INVALID on
 * "source" or "targetTags"; CONFLICT on "targetTags": it exists and force is off; FORBIDDEN:
 * write-locked, or the source may not be exported. Credentials are sealed and live as long as the
 * job. import_wake after the commit.
 */
enum fault import_start(struct op *op, const struct registry *target,
                        const struct import_request *request, const char **ret_id);
void import_wake(const char *id);

enum import_state { IMPORT_RUNNING, IMPORT_SUCCEEDED, IMPORT_FAILED, IMPORT_CANCELED };
struct import_job {
    const char *id;
    int64_t registry_id;
    enum import_state state;
    int64_t bytes, total_bytes;  /* so far known */
    const char *code, *message;  /* FAILED: "ManifestNotFound", "Unauthorized", "TooManyRequests",
                                    "SourceUnavailable", "TargetTagExists", … */
    const char *created, *ended; /* ISO 8601; ended NULL: not yet */
};
/* Kept for 7 days after their end. NOT_FOUND. */
enum fault import_get(struct op *op, const char *id, struct import_job *ret);
/* In the caller's transaction; stops at the next piece. Nothing when it has ended. */
enum fault import_cancel(struct op *op, const char *id);

/* ---- for containers: images of other registries, kept where no API can name them ---- */

struct hidden_image {
    int64_t registry_id;    /* for manifest_get … */
    const char *repository; /* … with the image's own reference */
};
/*
 * Ask the source for an image and fetch what is missing of it, for this machine's platform only.
 * The answer is the source's own to whoever has these credentials (username NULL: nobody); what was
 * fetched with credentials is kept apart. Blocks on the network. NOT_FOUND, FORBIDDEN, TOO_MANY,
 * UNSUPPORTED (no such platform), INVALID, UNAVAILABLE: it cannot be reached.
 */
enum fault import_hidden(struct op *op, const char *host, const char *repository,
                         const char *reference, const char *username, const char *password,
                         struct hidden_image *ret);
/* Where it is kept, whether or not it is there. NOT_FOUND: nothing is kept at all. */
enum fault import_hidden_find(struct op *op, const char *host, const char *repository,
                              bool with_credentials, struct hidden_image *ret);
/* "docker.io/library/nginx:1" of all that was fetched by nobody in particular, after last. */
enum fault import_hidden_list(struct op *op, const char *last, int64_t max, const char ***ret,
                              size_t *ret_n);
/* Forget those that nobody has pulled for so long. */
enum fault import_hidden_collect(struct op *op, int64_t older_than_s);
void import_hidden_start(void);
void import_hidden_stop(void); /* what is under way ends at its next piece */

void import_store_start(void);
void import_run(void); /* starts the reconciler; takes up what was running */
void import_stop(void);

#endif
