/* What the files of object pages share: an object of a cluster, and what is shown of some kinds. */
#ifndef SUNDOG_WEB_OBJECT_PAGE_H
#define SUNDOG_WEB_OBJECT_PAGE_H

#include "web/cluster.h"

#define REPLICAS_MAX 100000

struct shown_object {
    struct shown_cluster k;
    const struct resource *r;
    const char *ns, *name; /* ns "": it is in none */
    const char *path;      /* in the cluster's API */
    const char *link;      /* of its page */
    json_t *tree;
};
/* "deployment/web", as kubectl takes it. */
const char *object_word(struct op *op, const struct shown_object *o);

/* ---- object_kinds.c: what is more than any object has ---- */

void object_add_facts(struct page *p, const struct shown_object *o);
void object_add_actions(struct page *p, const struct shown_object *o);
/* A pod's containers; a workload's pods. */
enum fault object_add_parts(struct page *p, const struct shown_object *o);

#endif
