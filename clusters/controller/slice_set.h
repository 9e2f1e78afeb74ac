/* The EndpointSlices of one Service or Endpoints object: what one controller keeps. */
#ifndef SUNDOG_CLUSTERS_CONTROLLER_SLICE_SET_H
#define SUNDOG_CLUSTERS_CONTROLLER_SLICE_SET_H

#include "clusters/controller/controllers.h"

struct slice_set {
    struct op *op;
    struct cluster *cluster;
    const struct actor *actor;
    const char *managed_by; /* label: whose slices these are */
    const char *ns, *name;  /* of the service */
    struct object *owner;   /* Service or Endpoints; may be NULL when nothing is wanted */
    bool headless;
    json_t *wanted; /* [{addressType, ports, endpoints}]; op's arena's */
    int64_t revision;
};

/* Nothing wanted yet. */
struct slice_set slice_set_new(struct op *op, struct cluster *cluster, const struct actor *actor,
                               const char *managed_by, const char *ns, const char *name);
/* Makes it so, by as few writes as can be: a slice stays with its ports, surplus ones go. Waits for
   what it wrote, also after a fault. */
enum fault slice_set_apply(struct slice_set *s);
/* A slice that managed_by made was changed by somebody: its service is a key. */
void slice_set_key(const struct event *event, const char *managed_by, struct keys *keys);

#endif
