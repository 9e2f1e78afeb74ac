/*
 * The resources a cluster serves, as one table in discovery's order: which path, which kind, what
 * may be done. Custom resources will be further rows, made at run time; so nobody may assume that a
 * row is static: take it from resource_find or from an object.
 */
#ifndef SUNDOG_CLUSTERS_OBJECT_RESOURCE_H
#define SUNDOG_CLUSTERS_OBJECT_RESOURCE_H

#include "clusters/object/schema.h"

enum verb {
    VERB_GET = 1,
    VERB_LIST = 2,
    VERB_WATCH = 4,
    VERB_CREATE = 8,
    VERB_UPDATE = 16,
    VERB_PATCH = 32,
    VERB_DELETE = 64,
    VERB_DELETE_COLLECTION = 128,
};
const char *verb_name(enum verb verb); /* "deletecollection" */

struct subresource {
    const char *name;                   /* "status", "scale", "eviction", "log" */
    const char *group, *version, *kind; /* of what it takes and answers */
    unsigned verbs;
};

struct resource {
    const char *group; /* "": the core group */
    const char *version, *plural, *singular, *kind, *list_kind;
    const char *api_version;    /* "v1", "apps/v1" */
    const char *qualified;      /* "pods", "deployments.apps": as messages name it */
    const char *qualified_kind; /* "Pod", "Deployment.apps" */
    const char *const *short_names, *const *categories; /* NULL-terminated */
    bool namespaced;
    unsigned verbs;
    const struct type *type; /* NULL: a custom resource */
    const struct subresource *subresources;
    size_t n_subresources;
    /* Versions and twins of one thing share what is stored (autoscaling v1 and v2, events of both
       groups): the resource whose form the store has; itself for most. */
    const struct resource *stored_as;
    /* Not stored: reviews, bindings, token requests; the server answers them by functions. */
    bool virtual_;
    int index; /* of stored_as: small, dense, for tables by resource */
};

/* NULL: none. group "" is core. */
const struct resource *resource_find(const char *group, const char *version, const char *plural);
const struct resource *resource_of_kind(const char *group, const char *version, const char *kind);
/* The preferred version's. */
const struct resource *resource_preferred(const char *group, const char *plural);
const struct subresource *resource_subresource(const struct resource *r, const char *name);
/* "v1", "apps/v1": static text. */
const char *resource_api_version(const struct resource *r);
/* "deployments.apps", "pods": as messages name it; static text. */
const char *resource_qualified(const struct resource *r);
/* "Deployment.apps", "Pod". */
const char *resource_qualified_kind(const struct resource *r);

extern const struct resource *const all_resources[]; /* NULL-terminated, in discovery's order */
#define RESOURCE_INDEX_MAX 128

#endif
