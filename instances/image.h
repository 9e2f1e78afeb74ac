/*
 * Images: from the name a user writes to layers on the disk and a configuration. Ours come straight
 * out of the content store; others are fetched once into it (a registry of our own, shown nowhere)
 * and are asked for again at their source each time, so a tag that has moved is noticed and rights
 * that were taken away are.
 */
#ifndef SUNDOG_INSTANCES_IMAGE_H
#define SUNDOG_INSTANCES_IMAGE_H

#include "auth/entra.h"
#include "core/op.h"
#include "core/settings.h"

/* ---- names ---- */

struct image_name {
    const char *registry;   /* one of ours, by name ("sundog"); NULL: host says */
    const char *host;       /* in lower case: "docker.io", "ghcr.io", "localhost:5000", … */
    const char *repository; /* "library/nginx" */
    const char *reference;  /* tag or digest; a name without one: "latest" */
    const char *text;       /* as written */
    bool by_path;           /* registry is the first part of the path: a host and port of ours */
};
/*
 * "nginx", "sundog.azurecr.io/app:1", "sundog.azurecr.localhost:8443/app@sha256:…",
 * "localhost:8480/sundog/app:1" (a host and port of ours), "ghcr.io/a/b". Of a tag and a digest the
 * digest counts. INVALID on "image". Needs no database.
 */
enum fault image_name_parse(struct op *op, const char *text, struct image_name *ret);
/* Does a credential's server ("https://index.docker.io/v1/", "sundog.azurecr.io") mean the registry
   that a name is at? */
bool image_server_is(struct op *op, const char *server, const struct image_name *name);
/* For image_name_parse: which hosts and ports are ours. addresses: where we listen, NULL ends.
   image_start does it. */
void image_name_start(const struct settings *settings, const char *const *addresses);

/* ---- from name to container ---- */

struct image_credential {
    const char *server, *username, *password; /* server: any host as in names */
};
struct image_request {
    const char *name;
    const char
        *subscription; /* whose registries may be pulled from without more (--pull-default) */
    const struct image_credential *credentials;
    size_t n_credentials;
    const char *const
        *principals; /* object ids of managed identities that may pull, too; NULL ends */
};
struct image {
    const char *digest;                                      /* of this platform's manifest */
    const char *const *layers;                               /* diff ids, bottom first; NULL ends */
    const char *const *entrypoint, *const *cmd, *const *env; /* NULL ends */
    const char *cwd, *user, *stop_signal;                    /* "" where the image says nothing */
    int64_t bytes;                                           /* of its blobs */
    bool was_here; /* nothing had to be fetched or unpacked for it */
};
/*
 * May it be pulled, as far as is known without asking anybody else? NOT_FOUND, FORBIDDEN on "image"
 * (the text names it), INVALID; OK for other registries' images. Needs op->db.
 */
enum fault image_check(struct op *op, const struct image_request *request);
/*
 * The image, its layers unpacked. WOULD_BLOCK: it is being fetched or unpacked, and the listener is
 * called with wake when it is worth asking again. Faults are final for now and their texts for
 * users: NOT_FOUND, FORBIDDEN, UNSUPPORTED (no image for linux/amd64), TOO_MANY (429), UNAVAILABLE,
 * INVALID. Needs op->db; never waits for the network itself.
 */
enum fault image_ready(struct op *op, const struct image_request *request, const char *wake,
                       struct image *ret);
/* Drop what was remembered of a finished attempt for wake, so that the next image_ready asks the
   source anew (restart pulls a newer image). */
void image_forget(const char *wake);
/* Which layers must stay: diff ids, NULL-terminated, of all containers that there are or will be.
   Up to four are asked. Asked from a thread with op->db, when unused ones are collected (hourly);
   NULL on a failure keeps all. */
void image_add_in_use(const char *const *(*in_use)(struct op *op));
/* Up to four listeners, from a thread of ours; they know their own by the wake. */
void image_on_event(void (*event)(const char *wake));

/* References of other registries' images kept here, for cachedImages: "docker.io/library/nginx:1"
 */
enum fault image_cached(struct op *op, const char *last, int64_t max, const char ***ret,
                        size_t *ret_n);

/* After layer_register and helper_start; also starts layers. */
enum fault image_start(struct op *op, const struct settings *settings);
void image_stop(void);

#endif
