/*
 * What is particular to a resource, as pure functions over trees: defaults, what clients may not
 * set, validation. One row per resource in strategies[]; rows without functions are plain CRUD.
 * Whatever needs other objects (quotas, addresses, service accounts) is admission (rest/).
 */
#ifndef SUNDOG_CLUSTERS_OBJECT_STRATEGY_H
#define SUNDOG_CLUSTERS_OBJECT_STRATEGY_H

#include "clusters/object/object.h"
#include "clusters/object/status.h"

struct field_rule; /* strategy_kinds.h */

struct strategy {
    const char *group, *plural;
    /* Fill in defaults as upstream's (golden/defaulting.json), also of nested templates. */
    void (*defaults)(struct op *op, json_t *tree);
    /* Drop or reset what clients may not set on creation (status, …) and update (status from live;
       spec from live when subresource is "status"). */
    void (*prepare_create)(struct op *op, json_t *tree);
    void (*prepare_update)(struct op *op, json_t *tree, const json_t *live,
                           const char *subresource);
    const struct field_rule *rules; /* what each field may hold; not asked of a new status */
    /* What no row of rules says. live NULL: creation. subresource NULL: the object itself. */
    void (*validate)(struct field_errors *e, const json_t *tree, const json_t *live,
                     const char *subresource);
    bool has_status; /* status is kept apart: rest does so where no function above does */
    const char *initial_status; /* has_status: of a new object, as JSON; NULL: none */
    bool no_generation;         /* metadata.generation is not counted (config maps, secrets, …) */
    bool generation_of_all;     /* counts on any change but metadata (no spec member: webhooks) */
    const char *(*name_fault)(const char *name); /* NULL: dns_subdomain_fault */
    bool graceful; /* pods: deletion is asked first, done by the node */
};
/* Never NULL: a row of defaults for what has none. */
const struct strategy *strategy_of(const struct resource *r);

/* All that happens to a tree between decoding and the store, in order; op's arena's throughout. */
void object_defaults(struct op *op, const struct resource *r, json_t *tree);
/* Metadata rules of every kind (name, labels, annotations ≤ 256 KiB, finalizers, owner references,
   immutable fields) and the strategy's validation. */
enum fault object_validate(struct op *op, const struct resource *r, const json_t *tree,
                           const json_t *live, const char *subresource);

/* Between versions that share a store (autoscaling v1 ↔ v2, core events ↔ events.k8s.io): tree in
   `to`'s form. The same tree when nothing differs but apiVersion. */
json_t *object_convert(struct op *op, json_t *tree, const struct resource *from,
                       const struct resource *to);

#endif
