/*
 * The strategies: one row per resource that is more than plain CRUD. What is not in the table has
 * no status, no generation and no rules but those of metadata.
 */
#include "clusters/object/strategy.h"

#include <string.h>

#include "clusters/object/selector.h"
#include "clusters/object/strategy_kinds.h"

#define CUSTOM "apiextensions.k8s.io"
#define HOOKS  "admissionregistration.k8s.io"
#define FLOW   "flowcontrol.apiserver.k8s.io"

/* clang-format 14 dies of designated rows in braces */
#define ROW(...)                                                                                   \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
static const struct strategy strategies[] = {
    ROW("", "configmaps", .validate = validate_keys, .no_generation = true),
    ROW("", "endpoints", .rules = endpoints_rules, .validate = validate_endpoints,
        .no_generation = true),
    ROW("", "events", .validate = validate_event, .no_generation = true),
    ROW("", "limitranges", .validate = validate_limit_range, .no_generation = true),
    ROW("", "namespaces", .defaults = default_namespace, .prepare_create = prepare_namespace,
        .prepare_update = prepare_namespace_update, .no_generation = true,
        .name_fault = dns_label_fault),
    ROW("", "nodes", .rules = node_rules, .validate = validate_node, .has_status = true,
        .no_generation = true),
    ROW("", "persistentvolumeclaims", .rules = claim_rules, .validate = validate_claim,
        .prepare_create = prepare_claim, .has_status = true, .no_generation = true),
    ROW("", "persistentvolumes", .rules = volume_rules, .validate = validate_volume,
        .prepare_create = prepare_volume, .has_status = true, .no_generation = true),
    ROW("", "pods", .validate = validate_pod, .prepare_create = prepare_pod,
        .prepare_update = prepare_pod_update, .no_generation = true, .graceful = true),
    ROW("", "podtemplates"),
    ROW("", "replicationcontrollers", .rules = controller_rules, .validate = validate_controller,
        .defaults = default_replication_controller, .has_status = true,
        .initial_status = "{\"replicas\":0}"),
    ROW("", "resourcequotas", .rules = quota_rules, .validate = validate_quota, .has_status = true,
        .initial_status = "{}", .no_generation = true),
    ROW("", "secrets", .rules = secret_rules, .validate = validate_secret,
        .defaults = default_secret, .prepare_update = prepare_secret_update, .no_generation = true),
    ROW("", "serviceaccounts", .no_generation = true),
    ROW("", "services", .validate = validate_service, .has_status = true,
        .initial_status = "{\"loadBalancer\":{}}", .no_generation = true,
        .name_fault = dns_1035_fault),
    ROW("apps", "controllerrevisions", .rules = controller_revision_rules, .no_generation = true),
    ROW("apps", "daemonsets", .rules = daemon_set_rules, .validate = validate_workload,
        .prepare_create = prepare_daemon_set, .prepare_update = prepare_daemon_set_update),
    ROW("apps", "deployments", .rules = deployment_rules, .validate = validate_workload,
        .has_status = true, .initial_status = "{}"),
    ROW("apps", "replicasets", .validate = validate_workload, .has_status = true,
        .initial_status = "{\"replicas\":0}"),
    ROW("apps", "statefulsets", .rules = stateful_set_rules, .validate = validate_stateful_set,
        .has_status = true, .initial_status = "{\"replicas\":0,\"availableReplicas\":0}"),
    ROW("autoscaling", "horizontalpodautoscalers", .rules = autoscaler_rules,
        .validate = validate_autoscaler, .has_status = true,
        .initial_status = "{\"desiredReplicas\":0,\"currentMetrics\":null}", .no_generation = true),
    ROW("batch", "cronjobs", .rules = cron_job_rules, .validate = validate_cron_job,
        .has_status = true, .initial_status = "{}"),
    ROW("batch", "jobs", .validate = validate_job, .defaults = default_job,
        .prepare_create = prepare_job, .has_status = true),
    ROW("certificates.k8s.io", "certificatesigningrequests", .has_status = true,
        .initial_status = "{}", .no_generation = true),
    ROW("coordination.k8s.io", "leases", .rules = lease_rules, .no_generation = true),
    ROW("discovery.k8s.io", "endpointslices", .rules = endpoint_slice_rules,
        .validate = validate_endpoint_slice, .generation_of_all = true),
    ROW(CUSTOM, "customresourcedefinitions", .rules = definition_rules,
        .validate = validate_definition, .prepare_create = prepare_definition, .has_status = true),
    ROW(HOOKS, "mutatingwebhookconfigurations", .generation_of_all = true),
    ROW(HOOKS, "validatingadmissionpolicies", .has_status = true, .initial_status = "{}"),
    ROW(HOOKS, "validatingwebhookconfigurations", .generation_of_all = true),
    ROW("apiregistration.k8s.io", "apiservices", .has_status = true, .initial_status = "{}",
        .no_generation = true),
    ROW(FLOW, "flowschemas", .has_status = true, .initial_status = "{}"),
    ROW(FLOW, "prioritylevelconfigurations", .has_status = true, .initial_status = "{}"),
    ROW("networking.k8s.io", "ingresses", .rules = ingress_rules, .validate = validate_ingress,
        .has_status = true, .initial_status = "{\"loadBalancer\":{}}"),
    ROW("networking.k8s.io", "ingressclasses", .rules = ingress_class_rules),
    ROW("networking.k8s.io", "networkpolicies", .rules = network_policy_rules,
        .validate = validate_network_policy),
    ROW("networking.k8s.io", "servicecidrs", .has_status = true, .initial_status = "{}"),
    ROW("node.k8s.io", "runtimeclasses", .rules = runtime_class_rules, .no_generation = true),
    ROW("policy", "poddisruptionbudgets", .rules = disruption_budget_rules,
        .validate = validate_disruption_budget, .has_status = true,
        .initial_status = "{\"disruptionsAllowed\":0,\"currentHealthy\":0,\"desiredHealthy\":0,"
                          "\"expectedPods\":0}"),
    ROW("rbac.authorization.k8s.io", "clusterrolebindings", .rules = cluster_role_binding_rules,
        .validate = validate_binding, .no_generation = true, .name_fault = path_segment_fault),
    ROW("rbac.authorization.k8s.io", "clusterroles", .validate = validate_cluster_role,
        .no_generation = true, .name_fault = path_segment_fault),
    ROW("rbac.authorization.k8s.io", "rolebindings", .rules = role_binding_rules,
        .validate = validate_binding, .no_generation = true, .name_fault = path_segment_fault),
    ROW("rbac.authorization.k8s.io", "roles", .validate = validate_role, .no_generation = true,
        .name_fault = path_segment_fault),
    ROW("scheduling.k8s.io", "priorityclasses", .rules = priority_class_rules,
        .validate = validate_priority_class, .generation_of_all = true),
    ROW("storage.k8s.io", "csidrivers", .no_generation = true),
    ROW("storage.k8s.io", "storageclasses", .rules = storage_class_rules, .no_generation = true),
    ROW("storage.k8s.io", "volumeattachments", .has_status = true, .initial_status = "{}",
        .no_generation = true),
};

const struct strategy *strategy_of(const struct resource *r)
{
    static const struct strategy plain = {.no_generation = true};
    static const struct strategy custom = {.has_status = false};

    for (size_t i = 0; i < ARRAY_LEN(strategies); i++)
        if (strcmp(strategies[i].plural, r->plural) == 0 &&
            strcmp(strategies[i].group, r->group) == 0)
            return &strategies[i];
    return r->type ? &plain : &custom;
}

enum fault object_validate(struct op *op, const struct resource *r, const json_t *tree,
                           const json_t *live, const char *subresource)
{
    const struct strategy *s = strategy_of(r);
    struct field_errors errors;

    field_errors_init(&errors, op);
    validate_metadata(&errors, r, tree, live);
    if (s->rules && (!subresource || strcmp(subresource, "status") != 0))
        check_rules(&errors, s->rules, tree, live, "");
    if (s->validate)
        s->validate(&errors, tree, live, subresource);
    return field_errors_end(&errors, r, text_at_or(tree, "metadata.name", ""));
}
