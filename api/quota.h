/*
 * Quotas of subscriptions (Microsoft.Quota): how many groups, registries, resources it may hold.
 * What differs from the built-in limits is a row; asked from memory. A quota stops what is new; a
 * limit below what is there takes nothing away. Few requests at the same moment may pass it
 * together: each counts what is committed.
 */
#ifndef SUNDOG_API_QUOTA_H
#define SUNDOG_API_QUOTA_H

#include "api/arm.h"

/* One that there is. */
struct quota {
    const char *provider, *name; /* "Microsoft.Resources", "resourceGroups" */
    const char *display;
    const char *type;              /* full type that is counted; NULL: any */
    int64_t standard, most;        /* until changed; what it can be raised to */
    const struct db_stmt *counted; /* $1 subscription, $2 type in lower case: row n */
    /* Instead of counted: the service knows. */
    enum fault (*used)(struct op *op, const char *subscription, int64_t *ret);
};

extern const struct quota quota_groups;    /* resource groups of a subscription */
extern const struct quota quota_cores;     /* of container groups, whole ones */
extern const struct quota quota_of_type;   /* resources of any one type in one group */
extern const struct quota *const quotas[]; /* all, NULL-terminated */

/* In any case of letters; NULL: there is none. */
const struct quota *quota_find(const char *provider, const char *name);
/* Of resources of this full type in a subscription; NULL: not limited. */
const struct quota *quota_for_type(const char *full_type);
/* Its present value, from memory. */
int64_t quota_limit(struct op *op, const char *subscription, const struct quota *quota);
/* How much of it is in use; of quota_of_type the fullest group's. */
enum fault quota_usage(struct op *op, const char *subscription, const struct quota *quota,
                       int64_t *ret);

struct quota_request {
    int64_t number;
    const char *id, *name, *location, *who, *at;
    int64_t value;
};
/* Within the open transaction: the new value, and who asked for it. id, at and number are set.
   After the commit: quota_reload. */
enum fault quota_set(struct op *op, const char *subscription, const struct quota *quota,
                     struct quota_request *request);
/* Newest first: those of a provider before that number (0: from the newest). */
enum fault quota_requests(struct op *op, const char *subscription, const char *provider,
                          int64_t before, int64_t limit, struct quota_request **ret, size_t *ret_n);
/* NOT_FOUND on "QuotaRequestNotFound". */
enum fault quota_request_get(struct op *op, const char *subscription, const char *provider,
                             const char *id, struct quota_request *ret);

enum fault quota_start(struct op *op);
enum fault quota_reload(struct op *op);
void quota_stop(void);

#endif
