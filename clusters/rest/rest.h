/*
 * The Kubernetes API as functions: what a request does once somebody is known and allowed to. HTTP
 * handlers, controllers, scheduler and node agent all come through here, so admission, defaults,
 * validation, finalizers, ownership of fields and revisions are the same for everybody.
 *
 * A request is filled in by http/ from a URL, or by a controller in a few lines:
 *
 *     struct rest r = rest_of(cluster, &controller_actor, resource, ns, name);
 *     TRY(rest_create(op, &r, tree, &made));
 *     ... more of them ...
 *     return store_wait(op, cluster->store, r.revision);
 *
 * Writes are submitted, not yet durable: whoever tells somebody waits for r.revision (store_wait,
 * store_park).
 */
#ifndef SUNDOG_CLUSTERS_REST_REST_H
#define SUNDOG_CLUSTERS_REST_REST_H

#include "clusters/cluster.h"
#include "clusters/object/selector.h"

/* Who asks. In-process actors are static; their names are those of upstream's ("system:node:x"). */
struct actor {
    const char *name, *uid;
    const char *const *groups; /* NULL-terminated */
    const char *manager;       /* for managedFields, when options name none */
    bool trusted;              /* ours: no RBAC, no quota on status writes */
};

struct rest {
    struct cluster *cluster;
    const struct actor *actor;
    const struct resource *resource; /* as asked for; may differ from stored_as */
    const char *subresource;         /* NULL */
    const char *ns, *name;           /* ns "" when cluster-wide; NULL: all namespaces (lists) */
    bool dry_run;
    const char *field_manager; /* NULL: the actor's */
    const char *user_agent;
    const char *warnings[32]; /* to be sent as Warning headers; NULL-terminated */
    int64_t revision;         /* out: what to wait for; 0: nothing was written */
};
struct rest rest_of(struct cluster *cluster, const struct actor *actor,
                    const struct resource *resource, const char *ns, const char *name);

/* Trees given are the caller's, may be changed by the call; objects returned (where ret is not
   NULL) are held by op's arena and have the stored form (object_convert for others). Faults as
   clients see them. */
enum fault rest_get(struct op *op, struct rest *r, struct object **ret);
/* tree: decoded. Fills in name from generateName, namespace, uid, creationTimestamp, generation. */
enum fault rest_create(struct op *op, struct rest *r, json_t *tree, struct object **ret);
/* PUT: tree's metadata.resourceVersion, when there is one, must be the present one. *ret_created:
   it was not there and its resource allows creation by PUT (leases…); may be NULL. */
enum fault rest_update(struct op *op, struct rest *r, json_t *tree, struct object **ret,
                       bool *ret_created);
/*
 * Read, change by a function, write; again on conflict with another writer (at most 8 times), as
 * PATCH does. change works on a copy that it may alter; *ret_skip true: leave it as it is.
 */
enum fault rest_modify(struct op *op, struct rest *r,
                       enum fault (*change)(struct op *op, json_t *tree, void *arg, bool *ret_skip),
                       void *arg, struct object **ret);
enum patch_kind { PATCH_JSON, PATCH_MERGE_KIND, PATCH_STRATEGIC, PATCH_APPLY };
struct patch_request {
    enum patch_kind kind;
    const json_t *patch;
    bool force; /* APPLY */
    enum field_validation validation;
};
enum fault rest_patch(struct op *op, struct rest *r, const struct patch_request *patch,
                      struct object **ret, bool *ret_created);

struct delete_options {
    const char
        *propagation; /* "Background", "Foreground", "Orphan"; NULL: the resource's default */
    int64_t grace_s;  /* -1: the object's own */
    const char *uid, *resource_version; /* preconditions; NULL */
};
/* *ret: the object as it is now: gone (*ret_gone), or waiting for finalizers or its node. */
enum fault rest_delete(struct op *op, struct rest *r, const struct delete_options *options,
                       struct object **ret, bool *ret_gone);
/* All that the selectors choose; stops at the first fault. */
enum fault rest_delete_collection(struct op *op, struct rest *r, const struct selector *labels,
                                  const struct field_selector *fields,
                                  const struct delete_options *options, struct store_page *ret);

/* object as r's resource and subresource show it: another version, a Scale. In op's arena. */
enum fault rest_view(struct op *op, const struct rest *r, struct object *object, json_t **ret);
/* pods/binding: to target.name of a Binding. */
enum fault rest_bind(struct op *op, struct rest *r, const json_t *binding, struct object **ret);
/* pods/eviction: delete unless a disruption budget forbids it (TOO_MANY). */
enum fault rest_evict(struct op *op, struct rest *r, const struct delete_options *options);

/* ---- convenience for controllers ---- */

/* Replace status alone, from what it is now: status is the new member (taken). Writes only when it
   differs. NOT_FOUND is OK (it is gone). */
enum fault rest_set_status(struct op *op, struct rest *r, json_t *status);
/* An Event about an object (core v1), counted up when the same was said in the last ten minutes.
   type "Normal" or "Warning". Never fails; not waited for. */
void rest_event(struct op *op, struct cluster *cluster, const struct actor *actor,
                struct object *about, const char *type, const char *reason, const char *fmt, ...)
    PRINTF_LIKE(7, 8);

/* ---- rights (RBAC) ---- */

struct access {
    const struct actor *actor;
    const char *verb;                                       /* "get", …, or any */
    const char *group, *resource, *subresource, *ns, *name; /* NULL where not given */
    const char *path;                                       /* a non-resource URL instead */
};
/* From memory, any thread: roles are kept evaluated per cluster and follow their objects. */
bool access_allowed(struct cluster *cluster, const struct access *access);
/* FORBIDDEN in upstream's words: `configmaps is forbidden: User "x" cannot list resource …`. */
enum fault access_check(struct op *op, struct cluster *cluster, const struct access *access);

/* ---- life ---- */
/* Bootstrap objects (namespaces, roles, bindings, priority classes, flow schemas, API services,
   the `kubernetes` service) that are not there yet; caches of rights, quotas, addresses. */
enum fault rest_open(struct op *op, struct cluster *cluster);
void rest_close(struct cluster *cluster);
/* Events that nobody repeated for an hour go; looks at most once a minute. */
void rest_sweep(struct cluster *cluster);

#endif
