/*
 * Compose files (the Compose Specification) as container groups: the YAML form that
 * `az container create --file` takes, and a list of what such a group cannot be.
 */
#ifndef SUNDOG_API_COMPOSE_H
#define SUNDOG_API_COMPOSE_H

#include <jansson.h>

#include "core/op.h"

#define COMPOSE_FILE_MAX     ((size_t)1 << 20)
#define COMPOSE_SERVICES_MAX 60    /* containers of a group */
#define COMPOSE_TEXT_MAX     65536 /* bytes of one value after its variables are filled in */
#define COMPOSE_DEPTH_MAX    16    /* of defaults within defaults */

/* Where a compose file's variables and files come from. */
struct compose_source {
    const char *name; /* of the group; NULL: the file's own, else fallback */
    const char *fallback;
    const char *folder;                                   /* relative paths begin there */
    const char *(*variable)(void *arg, const char *name); /* NULL: it is not set */
    void *arg;
};
/* What does not fit, or (is_note) fits with a difference. */
struct compose_left {
    const struct compose_left *next;
    const char *path, *why; /* "services.web.networks" */
    bool is_note;
};
struct compose_group {
    json_t *group; /* lives as long as the op */
    const struct compose_left *left;
    bool fits; /* nothing but notes */
};
/*
 * INVALID: it is no YAML, no compose file, has no service that can be one of a group, asks for
 * profiles, extends or include, or a ${VARIABLE:?} is not set.
 */
enum fault compose_read(struct op *op, struct bytes file, const struct compose_source *source,
                        struct compose_group *ret);

/* ---- its parts ---- */

struct compose {
    struct op *op;
    const struct compose_source *source;
    const json_t *file, *services;
    const json_t *placed;    /* of services, those with an image: the others are left out */
    json_t *volumes, *ports; /* of the group */
    struct compose_left *first, **tail;
    bool fits;
};
/* Note what does not fit; path ends as given. */
void compose_leave(struct compose *c, const char *path, const char *why);
void compose_note(struct compose *c, const char *path, const char *why);
const char *compose_path(struct compose *c, const char *path, const char *member);
/* Fill in ${VARIABLES} of all texts below, and "<<" of mappings (compose_text.c). */
enum fault compose_fill(struct compose *c, json_t *tree);
/* A scalar as text; NULL: it is none. */
const char *compose_text(struct op *op, const json_t *value);
/* A boolean, which a variable fills in as text. Neither given nor null: otherwise. */
bool compose_flag(const json_t *value, bool otherwise);
/* "1m30s" in seconds, rounded up; -1. "512m" in bytes; -1. */
int64_t compose_seconds(const char *text);
int64_t compose_bytes(const char *text);
/* A relative path is one of the source's folder. INVALID: it cannot be read, or is too big. */
enum fault compose_read_file(struct op *op, const struct compose_source *source, const char *path,
                             size_t max, struct bytes *ret);
/* Lines NAME=VALUE of an env file into an object. */
enum fault compose_env_file(struct op *op, struct bytes file, json_t *into);
/* Lower case, "-" for what names may not have. */
const char *compose_name(struct op *op, const char *name);
/* compose_mount.c: volumes, tmpfs and secrets of a service into the mounts of its container. */
enum fault compose_mounts(struct compose *c, const char *path, const json_t *service,
                          const char *name, json_t *properties);
/* compose_port.c */
enum fault compose_ports(struct compose *c, const char *path, const json_t *service,
                         json_t *properties);

#endif
