/* Which pods stand behind a Service, and at which ports. */
#ifndef SUNDOG_CLUSTERS_CONTROLLER_SERVICE_PORTS_H
#define SUNDOG_CLUSTERS_CONTROLLER_SERVICE_PORTS_H

#include "clusters/controller/workload.h"

struct backend {
    struct object *pod;
    bool ready; /* or unready ones are wanted as well */
    bool serving, terminating;
};
struct backends {
    struct backend *list; /* by name of pod */
    size_t n;
};
/* Pods of the service's namespace that its selector chooses and that have an address. */
enum fault backends_of(struct op *op, struct cluster *cluster, struct object *service,
                       struct backends *ret);
/* The port of a pod that a service's port leads to; -1: this pod has none of that name. */
int64_t target_port(const json_t *service_port, const json_t *pod);
/* Pods → services that choose them, now or before: for rules. */
void keys_of_services(struct cluster *cluster, const struct event *event, struct keys *keys);
/* The hostname under which a headless service knows the pod; NULL: none. */
const char *pod_hostname(const json_t *pod, const char *service);

#endif
