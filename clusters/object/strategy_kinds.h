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
void default_secret(struct op *op, json_t *secret);
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

/* ---- strategy_rules.c ---- */
struct field_rule {
    const char *path; /* "spec.rules[].host": of every item. NULL ends a table */
    enum {
        THERE,    /* neither absent nor empty */
        ONE_OF,   /* a text that is there is one of choices */
        NUMBER,   /* a number that is there is min or more and (max not 0) max or less */
        NAME,     /* fault has nothing against a text that is there */
        SELECTOR, /* a LabelSelector */
        PERCENT,  /* a number, or a text like "25%" */
        SAME,     /* an update leaves it as it is: else invalid (no [] in path) */
        FROZEN,   /* the same, in other words: forbidden */
    } demand;
    const char *detail; /* what messages say of it */
    const char *const *choices;
    const char *(*fault)(const char *text);
    int64_t min, max;
};
/* shown: what messages put before the paths, "" for none. live NULL: creation. */
void check_rules(struct field_errors *e, const struct field_rule *rules, const json_t *tree,
                 const json_t *live, const char *shown);

/* ---- strategy_validate_rules.c: one table per kind ---- */
extern const struct field_rule autoscaler_rules[], claim_rules[], controller_rules[],
    controller_revision_rules[], cron_job_rules[], daemon_set_rules[], definition_rules[],
    deployment_rules[], disruption_budget_rules[], endpoint_slice_rules[], endpoints_rules[],
    ingress_class_rules[], ingress_rules[], lease_rules[], network_policy_rules[], node_rules[],
    priority_class_rules[], quota_rules[], role_binding_rules[], runtime_class_rules[],
    secret_rules[], stateful_set_rules[], storage_class_rules[], volume_rules[];
extern const struct field_rule cluster_role_binding_rules[];

/* ---- strategy_validate*.c ---- */
/* A path below another, in e's arena: "spec.rules[2]" + "host". */
const char *path_of(struct field_errors *e, const char *parent, const char *member);
const char *path_at(struct field_errors *e, const char *parent, const char *list, size_t i);
/* What makes text no schedule of a CronJob, or NULL; in op's arena. */
const char *cron_fault(struct op *op, const char *text);
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
/* of a pod, or of spec.template of what makes pods: path says where */
void check_pod_spec(struct field_errors *e, const json_t *spec, const char *path);
void check_pod_fields(struct field_errors *e, const json_t *spec, const char *path); /* a part */
void validate_autoscaler(struct field_errors *e, const json_t *tree, const json_t *live,
                         const char *subresource);
void validate_binding(struct field_errors *e, const json_t *tree, const json_t *live,
                      const char *subresource);
void validate_claim(struct field_errors *e, const json_t *tree, const json_t *live,
                    const char *subresource);
void validate_controller(struct field_errors *e, const json_t *tree, const json_t *live,
                         const char *subresource);
void validate_cron_job(struct field_errors *e, const json_t *tree, const json_t *live,
                       const char *subresource);
void validate_definition(struct field_errors *e, const json_t *tree, const json_t *live,
                         const char *subresource);
void validate_disruption_budget(struct field_errors *e, const json_t *tree, const json_t *live,
                                const char *subresource);
void validate_endpoint_slice(struct field_errors *e, const json_t *tree, const json_t *live,
                             const char *subresource);
void validate_endpoints(struct field_errors *e, const json_t *tree, const json_t *live,
                        const char *subresource);
void validate_event(struct field_errors *e, const json_t *tree, const json_t *live,
                    const char *subresource);
void validate_ingress(struct field_errors *e, const json_t *tree, const json_t *live,
                      const char *subresource);
void validate_limit_range(struct field_errors *e, const json_t *tree, const json_t *live,
                          const char *subresource);
void validate_network_policy(struct field_errors *e, const json_t *tree, const json_t *live,
                             const char *subresource);
void validate_node(struct field_errors *e, const json_t *tree, const json_t *live,
                   const char *subresource);
void validate_priority_class(struct field_errors *e, const json_t *tree, const json_t *live,
                             const char *subresource);
void validate_quota(struct field_errors *e, const json_t *tree, const json_t *live,
                    const char *subresource);
void validate_role(struct field_errors *e, const json_t *tree, const json_t *live,
                   const char *subresource);
void validate_cluster_role(struct field_errors *e, const json_t *tree, const json_t *live,
                           const char *subresource);
void validate_secret(struct field_errors *e, const json_t *tree, const json_t *live,
                     const char *subresource);
void validate_stateful_set(struct field_errors *e, const json_t *tree, const json_t *live,
                           const char *subresource);
void validate_volume(struct field_errors *e, const json_t *tree, const json_t *live,
                     const char *subresource);
/* config maps, secrets */
void validate_keys(struct field_errors *e, const json_t *tree, const json_t *live,
                   const char *subresource);

#endif
