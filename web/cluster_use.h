/* What pods and nodes use now (metrics.k8s.io), and what pods request. */
#ifndef SUNDOG_WEB_CLUSTER_USE_H
#define SUNDOG_WEB_CLUSTER_USE_H

#include "web/cluster.h"

struct cluster_use {
    bool known;
    int64_t cpu_millis, memory_bytes;
};
/* Of the pod, or (ns NULL) the node; ret_tree (or NULL): as the API says it, with containers. What
   does not run, and what the viewer may not know, is not known. */
enum fault cluster_use_of(struct page *p, const struct shown_cluster *cluster, const char *ns,
                          const char *name, struct cluster_use *ret, const json_t **ret_tree);
/* Of a "usage" object. */
struct cluster_use cluster_use_read(const json_t *usage);
/* "cpu" in thousandths, "memory" in bytes: all containers at once, or the init container that needs
   more. */
int64_t cluster_request_of(const json_t *pod, const char *what);
/* "0.25" of thousandths. */
const char *cluster_cores(struct op *op, int64_t millis);
/* A cell of two lines, processor and memory: "used / most", or only what is known. most 0: none. */
void cluster_use_cell(struct page *p, const struct cluster_use *use, int64_t cpu_most,
                      int64_t memory_most);

#endif
