/*
 * Manifests: kept byte for byte in their row, parsed once at the push for what we must know: which
 * blobs they hold, what they refer to, how they show in lists.
 */
#ifndef SUNDOG_REGISTRY_MANIFEST_H
#define SUNDOG_REGISTRY_MANIFEST_H

#include "registry/page.h"
#include "registry/repository.h"

#define MANIFEST_MAX      ((size_t)4 << 20)
#define CONFIG_LOOK_BYTES ((int64_t)64 << 10)
#define MEDIA_TYPE_MAX    255

#define MEDIA_OCI_MANIFEST    "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_OCI_INDEX       "application/vnd.oci.image.index.v1+json"
#define MEDIA_OCI_CONFIG      "application/vnd.oci.image.config.v1+json"
#define MEDIA_OCI_LAYER_GZIP  "application/vnd.oci.image.layer.v1.tar+gzip"
#define MEDIA_OCI_ARTIFACT    "application/vnd.oci.artifact.manifest.v1+json"
#define MEDIA_ORAS_ARTIFACT   "application/vnd.cncf.oras.artifact.manifest.v1+json"
#define MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_LIST     "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_DOCKER_CONFIG   "application/vnd.docker.container.image.v1+json"

struct manifest_child {
    const char *digest, *architecture, *os;
};

struct manifest {
    const char *digest, *media_type;
    struct bytes content;
    const char *config_media_type, *artifact_type, *subject, *annotations; /* NULL: none */
    const char *architecture, *os; /* of the config; filled in by manifest_platform */
    int64_t image_size;
    const char *config; /* digest of a config that may tell the platform, or NULL */
    int64_t config_size;
    const char **blobs; /* that must be in the repository: sorted, each once */
    size_t n_blobs;
    struct manifest_child *children; /* of an index: need not be there */
    size_t n_children;
    bool quarantined; /* stored so when it is new: not found by tag until it has passed */
};

/*
 * Parse content pushed as content_type (NULL: not said). The digest is left to the caller. INVALID
 * on "manifest" says what is wrong; schema 1 is told apart. OCI image v1.1: "mediaType … this field
 * … MUST match" the type it is pushed as.
 */
enum fault manifest_parse(struct op *op, const char *content_type, struct bytes content,
                          struct manifest *ret);
/* architecture and os of a config's bytes; silently nothing when they are not there. */
void manifest_platform(struct op *op, struct bytes config, struct manifest *manifest);

/* ---- rows (manifest_store.c) ---- */

/*
 * Are its blobs in the repository? Locks their links against collection until the open transaction
 * ends. NOT_FOUND on "referenced blobs" lists all that are missing in op->detail.
 */
enum fault manifest_check_blobs(struct op *op, int64_t repository_id,
                                const struct manifest *manifest);
/*
 * Store it, and let these tags (each once) name it, in the same transaction. One that is there
 * already only becomes newer. FORBIDDEN on "lock": a tag is write-protected; then nothing is
 * stored.
 */
enum fault manifest_put(struct op *op, int64_t repository_id, const struct manifest *manifest,
                        const char *const *tags, size_t n_tags);

/* What a pull needs, found by one query. */
struct manifest_content {
    int64_t repository_id;
    const char *digest, *media_type;
    struct bytes content;
    bool quarantined; /* it has not passed */
};
/* reference: a tag or a digest. NOT_FOUND on "name" or "manifest"; FORBIDDEN on "lock". */
enum fault manifest_get(struct op *op, int64_t registry_id, const char *repository,
                        const char *reference, struct manifest_content *ret);
/* The manifest and its tags, within the open transaction. NOT_FOUND, FORBIDDEN. */
enum fault manifest_delete(struct op *op, int64_t repository_id, const char *digest,
                           const char **ret_media_type);

/* As ACR lists it. */
struct manifest_details {
    const char *digest, *created, *updated, *last_pulled, *architecture, *os, *media_type,
        *config_media_type, *quarantine_state, *quarantine_details;
    int64_t image_size, updated_us;
    const char *tags, *references; /* JSON */
    struct attributes attributes;
};
enum fault manifest_details(struct op *op, int64_t repository_id, const char *digest,
                            struct manifest_details *ret);
/* A page of listed ones and, when there are more, one beyond it. */
enum fault manifest_list(struct op *op, int64_t repository_id, const struct page *page,
                         struct manifest_details **ret, size_t *ret_n);
/* quarantine_*: NULL stays as it is. */
enum fault manifest_change(struct op *op, int64_t repository_id, const char *digest,
                           const struct attribute_changes *changes, const char *quarantine_state,
                           const char *quarantine_details);

struct referrer {
    const char *digest, *media_type, *artifact_type, *annotations;
    int64_t size;
};
/* Manifests whose subject is digest, after last: at most max, and few enough to fit a reply. */
enum fault manifest_referrers(struct op *op, int64_t repository_id, const char *digest,
                              const char *artifact_type, const char *last, int64_t max,
                              struct referrer **ret, size_t *ret_n, bool *ret_more);
void manifest_store_start(void);

#endif
