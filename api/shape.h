/*
 * Shapes: which members a resource's body may have, as tables, and one function that reads by them.
 * Names match in any case of letters, as Azure's do.
 */
#ifndef SUNDOG_API_SHAPE_H
#define SUNDOG_API_SHAPE_H

#include "api/arm.h"

#define SHAPE_TEXT_MAX 65536

enum shape_kind {
    SHAPE_TEXT,
    SHAPE_INT,
    SHAPE_NUMBER,
    SHAPE_BOOL,
    SHAPE_OBJECT,
    SHAPE_LIST,
    SHAPE_TEXTS,
    SHAPE_MAP,
    SHAPE_ANY
};
enum shape_flag {
    SHAPE_REQUIRED = 1,
    SHAPE_READ_ONLY = 2, /* dropped: what is read can be put back */
    SHAPE_SECRET = 4,    /* never shown again */
    SHAPE_IGNORED = 8,   /* kept and shown, without effect: named in x-sundog-ignored */
    SHAPE_DEFAULTED = 16 /* IGNORED, but not when it is the first of words */
};
struct shape {
    const char *name;
    enum shape_kind kind;
    unsigned flags;
    int64_t min, max;         /* TEXT: bytes; INT: value; LIST, TEXTS, MAP: items */
    const char *const *words; /* TEXT: one of these, NULL ends */
    const struct shape *of;   /* OBJECT, LIST: members */
};
/* As a row's name, the last one: members that no other row names. They are kept as they are. */
#define SHAPE_OTHERS "*"

/*
 * The body in canonical spelling: names as the tables have them, null and read-only members
 * dropped. INVALID with code and target for what no table knows or does not fit. ignored: a text
 * that names what has no effect.
 */
enum fault shape_read(struct op *op, const struct shape *shape, json_t *value, const char *path,
                      struct text *ignored, json_t **ret);
/* A copy without secrets. */
json_t *shape_public(struct op *op, const struct shape *shape, const json_t *value);

#endif
