/* What the readers of JSON, YAML and protobuf share; only clusters/object/ includes it. */
#ifndef SUNDOG_CLUSTERS_OBJECT_DECODE_H
#define SUNDOG_CLUSTERS_OBJECT_DECODE_H

#include "clusters/object/object.h"

#define OBJECT_DEPTH_MAX  200
#define OBJECT_VALUES_MAX 300000 /* members and elements: trees take much more room than text */
#define PROBLEMS_MAX      100    /* that one answer names, as upstream */

/* Where a reader is, for messages: "spec.containers[0].image". */
struct place {
    const char *name; /* NULL: an element of a list */
    size_t len, index;
    const struct type *type; /* whose member it is; NULL: of a map or of any value */
};
struct reader {
    struct op *op;
    const char *start, *p, *end; /* of JSON text; NULL: protobuf */
    const struct type *root;
    enum field_validation validation;
    struct decoded *ret;
    size_t n_warnings, n_problems, n_values;
    struct text problems; /* strict: what was found, joined */
    const char *syntax;   /* the text cannot be read: everything stops */
    const char *mismatch; /* the first value of a wrong type; reading goes on */
    struct place places[OBJECT_DEPTH_MAX + 2];
    size_t depth;
};

/* Record why the text cannot be read (the first time); returns NULL. */
json_t *syntax_error(struct reader *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Record that what ("string", "number 1.5") cannot be a value of field; returns NULL. field NULL:
   of the reader's root. */
json_t *mismatch(struct reader *r, const char *what, const struct field *field, bool element);
void mismatch_text(struct reader *r, const char *message); /* of a value's own parser */
/* `unknown field "spec.foo"`, `duplicate field "spec.foo"`. The member is the last place. */
void field_problem(struct reader *r, const char *what);
bool push_place(struct reader *r, struct place place); /* false: too deep, too many */

/*
 * A text that a JSON string gives for a field of VALUE_STRING, _BYTES, _TIME, _MICRO_TIME,
 * _DURATION, _QUANTITY or _INT_OR_STRING, checked and in canonical form. NULL: a mismatch.
 */
json_t *text_value(struct reader *r, const struct field *field, const char *text, size_t len);
/* The same for a JSON number. text: as it stood. */
json_t *number_value(struct reader *r, const struct field *field, const char *text, bool element);
/* Is it what Go's omitempty leaves out? */
bool is_omitted(const struct field *field, const json_t *value);

/* The tree is op's arena's. Keys that are there twice are problems or warnings of r. */
enum fault yaml_to_tree(struct reader *r, struct bytes body, json_t **ret);
/* Into r->ret->tree; a failure is in r->syntax or r->mismatch. */
void protobuf_decode(struct reader *r, struct bytes body);

#endif
