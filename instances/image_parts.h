/* What image.c (what is asked), image_source.c (rights, rows), image_config.c (documents) and
   image_job.c (fetching and unpacking) share. */
#ifndef SUNDOG_INSTANCES_IMAGE_PARTS_H
#define SUNDOG_INSTANCES_IMAGE_PARTS_H

#include "instances/image.h"
#include "registry/import.h"

#define IMAGE_LAYERS_MAX 127 /* what overlay mounts can take */

struct image_layer {
    const char *digest, *diff_id; /* of the blob; of what is in it */
    int64_t size;
};
struct image_parts {
    struct image image;
    struct image_layer *layers;
    size_t n_layers;
};

/* ---- image_config.c ---- */

/* Digest and size of a manifest's config. INVALID on "image": it is none of a container image. */
enum fault image_config_of(struct op *op, const char *what, struct bytes manifest,
                           const char **ret_digest, int64_t *ret_size);
/* what: the name for messages. INVALID, UNSUPPORTED (another platform) on "image". */
enum fault image_parse(struct op *op, const char *what, const char *digest, struct bytes manifest,
                       struct bytes config, struct image_parts *ret);
/* Parsed ones by their manifest's digest: what a digest names does not change. */
bool image_recall(struct op *op, const char *digest, struct image_parts *ret);
void image_remember(const struct image_parts *parts);
void image_forget_parts(void);

/* ---- image_source.c ---- */

/* May it be pulled from our registry? *ret_registry NULL: it is another's. NOT_FOUND, FORBIDDEN. */
enum fault image_rights(struct op *op, const struct image_request *request,
                        const struct image_name *name, const struct registry **ret_registry);
/* The request's credentials for a name, or NULL. */
const struct image_credential *image_credential_for(struct op *op,
                                                    const struct image_request *request,
                                                    const struct image_name *name);
/* From rows to parts; counts as a pull. by: a tag or digest. NOT_FOUND, UNSUPPORTED, INVALID. */
enum fault image_find(struct op *op, const char *what, int64_t registry_id, bool quarantine,
                      const char *repository, const char *reference, struct image_parts *ret);

/* ---- image_job.c, image_fetch.c ---- */

enum image_job_state { JOB_NONE, JOB_RUNNING, JOB_DONE };
struct image_job_end {
    enum fault fault;          /* with op's message and noun as the attempt left them */
    struct hidden_image where; /* of another registry's image, when OK */
    bool worked;               /* something was unpacked */
};
/* What became of the attempt for wake and this name; *ret is set when it is JOB_DONE. */
enum image_job_state image_job_state(struct op *op, const char *wake, const char *name,
                                     struct image_job_end *ret);
/* Unpack its layers. UNAVAILABLE: too much is going on. */
enum fault image_job_unpack(struct op *op, const char *wake, const char *name,
                            const struct image_parts *parts);
/* Ask the source, fetch, unpack. */
enum fault image_job_fetch(struct op *op, const char *wake, const struct image_name *name,
                           const struct image_credential *credential);
enum fault image_job_start(struct op *op, const struct settings *settings);
void image_job_stop(void);

struct image_fetch {
    const char *what, *host, *repository, *reference;
    const char *username, *password; /* NULL: none */
    int64_t asked_ms;                /* an answer begun since then is as good as a new one */
};
/* Blocks on the network. One at a time for each repository. */
enum fault image_fetch(struct op *op, const struct image_fetch *ask, struct hidden_image *ret);

#endif
