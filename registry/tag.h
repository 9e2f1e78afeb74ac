/*
 * Tags: names of manifests within a repository.
 */
#ifndef SUNDOG_REGISTRY_TAG_H
#define SUNDOG_REGISTRY_TAG_H

#include "registry/page.h"
#include "registry/repository.h"

#define TAGS_PER_PUT_MAX 100

/* The manifest stays. NOT_FOUND on noun ("tag" or "manifest", as the API says), FORBIDDEN. */
enum fault tag_delete(struct op *op, int64_t repository_id, const char *name, const char *noun);
/* Names after last, of tags that are listed; at most max. */
enum fault tag_names(struct op *op, int64_t repository_id, const char *last, int64_t max,
                     const char ***ret_names, size_t *ret_n);

/* As ACR lists it. */
struct tag_details {
    const char *name, *digest, *created, *updated, *last_pulled;
    int64_t updated_us;
    bool is_signed; /* by Docker content trust: never */
    struct attributes attributes;
};
enum fault tag_details(struct op *op, int64_t repository_id, const char *name,
                       struct tag_details *ret);
/* A page (digest: of this manifest only, or NULL) and, when there are more, one beyond it. */
enum fault tag_list(struct op *op, int64_t repository_id, const char *digest,
                    const struct page *page, struct tag_details **ret, size_t *ret_n);
enum fault tag_change(struct op *op, int64_t repository_id, const char *name,
                      const struct attribute_changes *changes);
void tag_store_start(void);

#endif
