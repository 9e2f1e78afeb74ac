/*
 * Kubernetes' Status: how the API says what went wrong. Functions below fail() an op whose detail
 * is the `details` member as JSON and whose noun is the reason; the HTTP dialect renders them, and
 * golden/errors.json is what upstream says.
 */
#ifndef SUNDOG_CLUSTERS_OBJECT_STATUS_H
#define SUNDOG_CLUSTERS_OBJECT_STATUS_H

#include "clusters/object/object.h"

/* Nouns: "NotFound", "AlreadyExists", "Conflict", "Invalid", "BadRequest", "Forbidden",
   "Unauthorized", "MethodNotAllowed", "Gone", "Expired", "Timeout", "TooManyRequests",
   "UnsupportedMediaType", "NotAcceptable", "InternalError", "ServiceUnavailable",
   "RequestEntityTooLarge". The dialect's table maps each to its code. */
enum fault not_found(struct op *op, const struct resource *r, const char *name);
enum fault already_exists(struct op *op, const struct resource *r, const char *name);
/* `Operation cannot be fulfilled on configmaps "x": why` */
enum fault conflict(struct op *op, const struct resource *r, const char *name, const char *why);
#define CONFLICT_MODIFIED                                                                          \
    "the object has been modified; please apply your changes to the latest version and try again"
enum fault forbidden(struct op *op, const struct resource *r, const char *name, const char *why);
enum fault bad_request(struct op *op, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A fault under any noun, with details as a tree (may be NULL; taken). */
enum fault status_fail(struct op *op, enum fault fault, const char *reason, json_t *details,
                       const char *fmt, ...) PRINTF_LIKE(5, 6);

/* ---- field errors: collected, then one 422 ---- */
struct field_errors {
    struct op *op;
    json_t *causes; /* [{reason, message, field}] */
};
void field_errors_init(struct field_errors *errors, struct op *op);
void field_required(struct field_errors *e, const char *path, const char *detail);
/* bad: the value as shown: text is quoted, others as JSON. detail as upstream words it. */
void field_invalid(struct field_errors *e, const char *path, const json_t *bad, const char *detail);
void field_duplicate(struct field_errors *e, const char *path, const json_t *bad);
void field_forbidden(struct field_errors *e, const char *path, const char *detail);
void field_not_supported(struct field_errors *e, const char *path, const json_t *bad,
                         const char *const *supported);
void field_not_found(struct field_errors *e, const char *path, const json_t *bad);
void field_too_long(struct field_errors *e, const char *path, int64_t max);
void field_too_many(struct field_errors *e, const char *path, int64_t have, int64_t max);
/* OK when there are none; else INVALID, "Invalid": `Pod "x" is invalid: [a, b]`. */
enum fault field_errors_end(struct field_errors *e, const struct resource *r, const char *name);

/* The whole Status object for the failure that op holds (code: from the reason). */
json_t *status_of(struct op *op);
int status_code(const char *reason);

#endif
