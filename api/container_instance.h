/*
 * The management face of container groups (Microsoft.ContainerInstance): what its files share. Rows
 * and rules are instances/group.h's; here are JSON, ids and answers.
 */
#ifndef SUNDOG_API_CONTAINER_INSTANCE_H
#define SUNDOG_API_CONTAINER_INSTANCE_H

#include "api/provider.h"
#include "api/shape.h"
#include "instances/group.h"

#define ACI_NAMESPACE "Microsoft.ContainerInstance"
#define ACI_TYPE      ACI_NAMESPACE "/containerGroups"

extern const struct provider container_instance_provider;
extern const struct service container_instance_service;

/* ---- container_group_shape.c ---- */
extern const struct shape container_group_shape[]; /* {"properties", "zones", "identity", …} */

/* ---- container_group_json.c ---- */

struct container_group_body {
    const char *location, *tags;
    json_t *full; /* {"properties", "zones", "identity"} with secrets and defaults */
    bool has_public;
    const char *label; /* with its scope's suffix; or NULL */
    bool system_identity;
    int64_t cpu_millis;
};
/* All that can be checked without rows. previous: the document it replaces, with secrets, whose
   secrets stay where the body has none; NULL: none. Sets x-sundog-ignored. */
enum fault container_group_body_read(struct call *c, const json_t *previous,
                                     struct container_group_body *ret);
/* "properties" as shown. view: with instanceViews. */
enum fault container_group_properties(struct op *op, const struct container_group *g, bool view,
                                      json_t **ret);
/* container_group_check.c: limits and what must fit together. */
enum fault container_group_check(struct op *op, const char *name, const json_t *properties);

/* What a request began and waits for, and what it needs to answer when it has waited long enough.
 */
struct container_group_started {
    struct container_group_written written;
    const char *location;
    bool created;
};
/* It goes on without the request: an operation whose end is that of this generation, and the
   headers (OPERATION_ASYNC, …) that lead to it. */
enum fault container_group_follow(struct call *c, const struct container_group_started *started,
                                  int headers);

/* ---- handlers ---- */

/* container_group_action.c */
enum fault container_group_start_api(struct call *c);
enum fault container_group_stop_api(struct call *c);
enum fault container_group_restart_api(struct call *c);
enum fault container_group_logs_api(struct call *c);
enum fault container_group_exec_api(struct call *c);
enum fault container_group_attach_api(struct call *c);
enum fault container_group_outbound_api(struct call *c);
/* container_instance_locations.c */
enum fault container_usages_api(struct call *c);
enum fault container_cached_images_api(struct call *c);
enum fault container_capabilities_api(struct call *c);

#endif
