/* Resource groups: rows of api.resource_group, and their cascading deletion. */
#ifndef SUNDOG_API_GROUP_H
#define SUNDOG_API_GROUP_H

#include "api/arm.h"

struct group {
    const char *id, *key; /* "/subscriptions/S/resourceGroups/NAME" as made; lower case */
    const char *subscription, *name, *location, *managed_by;
    const char *tags;  /* JSON object text */
    const char *state; /* "Succeeded", "Deleting" */
    int64_t version;
};

void group_store_start(void);
/* One statement; CONFLICT on "InvalidResourceGroupLocation", "ResourceGroupBeingDeleted" or
   "ResourceGroupQuotaExceeded". */
enum fault group_put(struct op *op, const struct group *wanted, struct group *ret_now,
                     bool *ret_created);
/* NOT_FOUND on "ResourceGroupNotFound". */
enum fault group_get(struct op *op, const char *subscription, const char *name, struct group *ret);
/* tags, managed_by NULL: as they are. */
enum fault group_set_tags(struct op *op, const char *subscription, const char *name,
                          const char *tags, const char *managed_by, struct group *ret_now);
/* From now on it is Deleting; *ret_operation: NULL, or the operation that deletes it already. */
enum fault group_set_deleting(struct op *op, const char *key, const char *operation,
                              const char **ret_operation);
/* Its state and deleting operation; both NULL when there is no such group. */
enum fault group_operation(struct op *op, const char *key, const char **ret_state,
                           const char **ret_operation);
/* Keys of up to 1000 groups under deletion after last. */
enum fault group_list_deleting(struct op *op, const char *last, const char ***ret, size_t *ret_n);
/* Nobody else works on this group until the transaction ends. false: this deletion is over, the
   group is gone, lives, or is another of the same name. */
enum fault group_hold_deleting(struct op *op, const char *key, const char *operation,
                               bool *ret_held);
/* Its deletion was given up. */
enum fault group_set_alive(struct op *op, const char *key);
enum fault group_delete_row(struct op *op, const char *key);

struct group_filter {
    const char *subscription;
    const char *tag_name, *tag_value; /* NULL: any */
    const char *last;                 /* key after which to begin; "" */
    int64_t limit;
};
/* Sorted by key. */
enum fault group_list(struct op *op, const struct group_filter *filter, struct group **ret,
                      size_t *ret_n);

/* What finishes deletions, also those that an earlier run or another `serve` began. */
void group_delete_start(void);
void group_delete_stop(void);
void group_delete_wake(const char *key);
void group_delete_metrics(struct text *out);

#endif
