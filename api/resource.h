/*
 * The envelope of every resource: what the resource manager knows about it. Its properties are the
 * service's (provider.h). Rows of api.resource; all functions are part of the open transaction.
 */
#ifndef SUNDOG_API_RESOURCE_H
#define SUNDOG_API_RESOURCE_H

#include "api/arm.h"

struct resource {
    const char *id, *key;                        /* the id as made; lower case */
    const char *subscription, *group, *provider; /* provider: "Microsoft.ContainerRegistry" */
    const char *type;              /* full: "Microsoft.ContainerRegistry/registries" */
    const char *name;              /* last name */
    const char *location;          /* NULL: it has none */
    const char *tags;              /* JSON object text, never NULL when read */
    const char *sku, *identity;    /* JSON object text, or NULL */
    const char *kind, *managed_by; /* or NULL */
    const char *state;             /* provisioningState: "Succeeded" */
    const char *created, *changed; /* ISO 8601 */
    const char *created_by, *created_by_kind, *changed_by, *changed_by_kind;
    int64_t version; /* counts its changes; the ETag where the service has one */
};

/*
 * Make or replace the envelope; id (as parsed), location, tags, sku, identity, kind, managed_by and
 * state are read from wanted, who from the call. Gives the row as it is now. The group must exist
 * (NOT_FOUND on "ResourceGroupNotFound") and not be under deletion (CONFLICT on
 * "ResourceGroupBeingDeleted"); the provider must be registered (CONFLICT on
 * "MissingSubscriptionRegistration"); the location cannot change (CONFLICT on
 * "InvalidResourceLocation"); a group and a subscription hold as many of a type as
 * their quotas say (CONFLICT on "ResourceQuotaExceeded", "QuotaExceeded"). wanted equal to the row
 * changes nothing (changed, version stay).
 */
enum fault resource_put(struct call *c, const struct resource_id *id, const struct resource *wanted,
                        struct resource *ret_now, bool *ret_created);
/* The same by this Sundog itself: for what its first start made. */
enum fault resource_put_own(struct op *op, const struct resource_id *id,
                            const struct resource *wanted, struct resource *ret_now);
/* NOT_FOUND on "ResourceGroupNotFound" or "ResourceNotFound", as the real texts are. */
enum fault resource_get(struct op *op, const struct resource_id *id, struct resource *ret);
/* The same, locked against other writers until the transaction ends. */
enum fault resource_get_for_update(struct op *op, const struct resource_id *id,
                                   struct resource *ret);
/* provisioningState only: what a reconciler reached. *changed* moves on. NOT_FOUND. */
enum fault resource_set_state(struct op *op, const char *key, const char *state);
/* PATCH: tags and whatever else is not NULL replaces what is there. */
enum fault resource_patch(struct call *c, const struct resource_id *id, const struct resource *part,
                          struct resource *ret_now);
/*
 * The row and those of children, their locks, tags, and role assignments at and below it.
 * *ret_existed false: there was none (DELETE answers 204). After the commit: resource_deleted.
 */
enum fault resource_delete(struct op *op, const struct resource_id *id, bool *ret_existed);
/* After that commit: drop what memory holds (its figures; cache, locks, role snapshot). */
enum fault resource_deleted(struct op *op, const struct resource_id *id);
/* Of that what is not one resource's: cache, locks, role snapshot. */
enum fault resource_reload(struct op *op);

struct resource_filter {
    const char *subscription; /* required */
    const char *group;        /* NULL: all */
    const char *type;         /* full type; NULL: all */
    const char *name;         /* last name; NULL: all. With it, type is not looked at */
    bool tracked_only;
    const char *parent; /* key of the parent: children of it only; NULL: all */
    const char *within; /* what the key contains, in any case; NULL: anything. Not with name */
    const char *last;   /* key after which to begin; "" */
    int64_t limit;
};
/* Sorted by key. For a service's own lists, and as candidates of the generic one. */
enum fault resource_list(struct op *op, const struct resource_filter *filter, struct resource **ret,
                         size_t *ret_n);
/* Does a resource of this full type with this name exist in any subscription? (global names) */
enum fault resource_find_name(struct op *op, const char *type, const char *name,
                              struct resource *ret, bool *ret_found);

/*
 * {"id","name","type","location","tags","sku","identity","kind","managedBy","systemData"} in op's
 * arena; the service adds "properties". NULL members are left out; an untracked one has no tags.
 */
json_t *resource_json(struct op *op, const struct resource *r);
/* The ETag of its present version, with quotes. */
const char *resource_etag(struct op *op, const struct resource *r);

/* After the envelope moved: the row's id, group and subscription become those of to, whose quotas
   hold (CONFLICT as of resource_put). */
enum fault resource_rekey(struct op *op, const struct resource *r, const struct resource_id *to,
                          const char *group_name, const char **ret_id);
void resource_store_start(void);

#endif
