/*
 * Reading request bodies: members by their dotted path ("properties.policies.retentionPolicy.days",
 * "properties.rules[3].value" where the caller builds it). Names match in any case of letters, as
 * Azure's do; null is absent. All faults are INVALID with the path as target.
 */
#ifndef SUNDOG_API_BODY_H
#define SUNDOG_API_BODY_H

#include "api/arm.h"

/* The body as an object; INVALID on "InvalidRequestContent". An empty body is an empty object when
   may_be_empty. Depth ≤ 32. */
enum fault body_read(struct call *c, bool may_be_empty, json_t **ret_body);

/* The member at a path; NULL when absent or null (also where a part of the path is). */
json_t *body_at(const json_t *body, const char *path);
/* Each leaves *ret as it was when the member is absent. Texts live as long as the body. */
enum fault body_text(struct op *op, const json_t *body, const char *path, size_t min, size_t max,
                     const char **ret);
enum fault body_bool(struct op *op, const json_t *body, const char *path, bool *ret);
enum fault body_int(struct op *op, const json_t *body, const char *path, int64_t min, int64_t max,
                    int64_t *ret);
/* One of these words (NULL-terminated), in any case of letters; gives the table's spelling. */
enum fault body_choice(struct op *op, const json_t *body, const char *path,
                       const char *const *choices, const char **ret);
/* An array of at most max_n texts of at most max bytes each. */
enum fault body_texts(struct op *op, const json_t *body, const char *path, size_t max_n, size_t max,
                      const char ***ret, size_t *ret_n);
/* An object or an array as it is; *ret NULL when absent. */
enum fault body_object(struct op *op, const json_t *body, const char *path, json_t **ret);
enum fault body_array(struct op *op, const json_t *body, const char *path, size_t max_n,
                      json_t **ret);
/* Members of the body that are none of these (NULL-terminated) have no effect here: they are named
   in the x-sundog-ignored header. */
void body_ignored(struct call *c, const json_t *body, const char *const *known);
/* Absent is INVALID on "MissingRequiredProperty"… call before the reader. */
enum fault body_required(struct op *op, const json_t *body, const char *path);

/*
 * "tags": an object of at most 50 texts, names ≤ 512 without <>%&\?/, values ≤ 256. *ret is JSON
 * text ("{}" when absent or null), *ret_given whether it was there (may be NULL). INVALID on
 * "InvalidTagName…".
 */
enum fault body_tags(struct op *op, const json_t *body, const char **ret, bool *ret_given);
enum fault tags_check(struct op *op, const json_t *tags);
/* "location", normalised ("East US" → "eastus"). Absent: INVALID on "LocationRequired" if required.
   Unknown: INVALID on "LocationNotAvailableForResourceType" (groups: "LocationNotAvailable…"). */
enum fault body_location(struct op *op, const json_t *body, bool required, const char **ret);

#endif
