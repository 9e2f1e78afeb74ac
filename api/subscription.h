/* Subscriptions: few, so all of them are kept in memory and read from there. */
#ifndef SUNDOG_API_SUBSCRIPTION_H
#define SUNDOG_API_SUBSCRIPTION_H

#include "api/arm.h"
#include "core/settings.h"

struct subscription {
    const char *id;    /* GUID, lower case */
    const char *name;  /* display name */
    const char *alias; /* the name it was made by, or NULL */
    const char *state; /* "Enabled", "Disabled" */
    const char *tags;  /* JSON object text */
    const char *created;
    int64_t version;
};

/* From memory, copied to op's arena. NOT_FOUND on "SubscriptionNotFound". */
enum fault subscription_find(struct op *op, const char *id, struct subscription *ret);
/* All, the oldest first. */
void subscription_all(struct op *op, struct subscription **ret, size_t *ret_n);
/* Make or rename by alias; id NULL: random. CONFLICT when the id is another alias's. */
enum fault subscription_put_alias(struct op *op, const char *alias, const char *id,
                                  const char *name, struct subscription *ret, bool *ret_created);
enum fault subscription_by_alias(struct op *op, const char *alias, struct subscription *ret);
enum fault subscription_delete_alias(struct op *op, const char *alias);
/* One of a random id, without alias; in the open transaction. */
enum fault subscription_make(struct op *op, const char *name, const char **ret_id);
/* With quotas, registrations, tag names, operations and activity. Its groups are gone already:
   CONFLICT. Role assignments and locks are the caller's affair; after the commit
   subscription_reload and quota_reload. */
enum fault subscription_delete(struct op *op, const char *id);
enum fault subscription_rename(struct op *op, const char *id, const char *name);
enum fault subscription_set_state(struct op *op, const char *id, const char *state);
enum fault subscription_set_tags(struct op *op, const char *id, const char *tags);
/* After the commit of a change: read all anew. */
enum fault subscription_reload(struct op *op);
/* Reads them; at first start makes the first one and notes it for admin.json. */
enum fault subscription_start(struct op *op, const struct settings *settings);
void subscription_stop(void);
/* The oldest, which admin.json names and which owns what the first start made. */
const char *subscription_first(struct op *op);

#endif
