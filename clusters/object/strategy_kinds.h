/* What strategies' table refers to: functions by kind. Trees are op's arena's and may be changed.
 */
#ifndef SUNDOG_CLUSTERS_OBJECT_STRATEGY_KINDS_H
#define SUNDOG_CLUSTERS_OBJECT_STRATEGY_KINDS_H

#include "clusters/object/strategy.h"

/* ---- strategy_default.c: of types (strategy_defaults.c has the table) ---- */
void default_daemon_set(struct op *op, json_t *spec);
void default_deployment(struct op *op, json_t *spec);
void default_stateful_set(struct op *op, json_t *spec);
void default_autoscaler(struct op *op, json_t *spec);
void default_pull_policy(struct op *op, json_t *container);
void default_limit_range_item(struct op *op, json_t *item);
void default_pod(struct op *op, json_t *pod);
void default_pod_spec(struct op *op, json_t *spec);
void default_service_port(struct op *op, json_t *port);
void default_service(struct op *op, json_t *spec);
void default_volume(struct op *op, json_t *volume);
void default_network_policy(struct op *op, json_t *spec);
void default_subject(struct op *op, json_t *subject);
void default_custom_resource(struct op *op, json_t *spec);
/* of objects: strategies[].defaults */
void default_job(struct op *op, json_t *job);
void default_replication_controller(struct op *op, json_t *controller);
void default_namespace(struct op *op, json_t *ns);

/* ---- strategy_prepare.c ---- */
void prepare_pod(struct op *op, json_t *pod);
void prepare_pod_update(struct op *op, json_t *pod, const json_t *live, const char *subresource);
void prepare_secret(struct op *op, json_t *secret);
void prepare_secret_update(struct op *op, json_t *secret, const json_t *live,
                           const char *subresource);
void prepare_namespace(struct op *op, json_t *ns);
void prepare_namespace_update(struct op *op, json_t *ns, const json_t *live,
                              const char *subresource);
void prepare_job(struct op *op, json_t *job);
void prepare_claim(struct op *op, json_t *claim);
void prepare_volume(struct op *op, json_t *volume);
void prepare_definition(struct op *op, json_t *definition);
void prepare_daemon_set(struct op *op, json_t *set);
void prepare_daemon_set_update(struct op *op, json_t *set, const json_t *live,
                               const char *subresource);
/* "Guaranteed", "Burstable", "BestEffort". */
const char *pod_qos_class(struct op *op, const json_t *pod);

/* ---- strategy_validate*.c ---- */
void validate_metadata(struct field_errors *e, const struct resource *r, const json_t *tree,
                       const json_t *live);
/* "may not be '.'", … : names that only need to fit into a path (RBAC). */
const char *path_segment_fault(const char *name);
/* strategies[].validate */
void validate_pod(struct field_errors *e, const json_t *tree, const json_t *live,
                  const char *subresource);
/* deployments, replica sets, stateful sets, daemon sets */
void validate_workload(struct field_errors *e, const json_t *tree, const json_t *live,
                       const char *subresource);
void validate_job(struct field_errors *e, const json_t *tree, const json_t *live,
                  const char *subresource);
void validate_service(struct field_errors *e, const json_t *tree, const json_t *live,
                      const char *subresource);
/* config maps, secrets */
void validate_keys(struct field_errors *e, const json_t *tree, const json_t *live,
                   const char *subresource);

#endif
