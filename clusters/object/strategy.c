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
    ROW("", "endpoints", .no_generation = true),
    ROW("", "events", .no_generation = true),
    ROW("", "limitranges", .no_generation = true),
    ROW("", "namespaces", .defaults = default_namespace, .prepare_create = prepare_namespace,
        .prepare_update = prepare_namespace_update, .no_generation = true,
        .name_fault = dns_label_fault),
    ROW("", "nodes", .has_status = true, .no_generation = true),
    ROW("", "persistentvolumeclaims", .prepare_create = prepare_claim, .has_status = true,
        .no_generation = true),
    ROW("", "persistentvolumes", .prepare_create = prepare_volume, .has_status = true,
        .no_generation = true),
    ROW("", "pods", .validate = validate_pod, .prepare_create = prepare_pod,
        .prepare_update = prepare_pod_update, .no_generation = true, .graceful = true),
    ROW("", "podtemplates"),
    ROW("", "replicationcontrollers", .defaults = default_replication_controller,
        .has_status = true, .initial_status = "{\"replicas\":0}"),
    ROW("", "resourcequotas", .has_status = true, .initial_status = "{}", .no_generation = true),
    ROW("", "secrets", .validate = validate_keys, .prepare_create = prepare_secret,
        .prepare_update = prepare_secret_update, .no_generation = true),
    ROW("", "serviceaccounts", .no_generation = true),
    ROW("", "services", .validate = validate_service, .has_status = true,
        .initial_status = "{\"loadBalancer\":{}}", .no_generation = true,
        .name_fault = dns_1035_fault),
    ROW("apps", "controllerrevisions", .no_generation = true),
    ROW("apps", "daemonsets", .validate = validate_workload, .prepare_create = prepare_daemon_set,
        .prepare_update = prepare_daemon_set_update),
    ROW("apps", "deployments", .validate = validate_workload, .has_status = true,
        .initial_status = "{}"),
    ROW("apps", "replicasets", .validate = validate_workload, .has_status = true,
        .initial_status = "{\"replicas\":0}"),
    ROW("apps", "statefulsets", .validate = validate_workload, .has_status = true,
        .initial_status = "{\"replicas\":0,\"availableReplicas\":0}"),
    ROW("autoscaling", "horizontalpodautoscalers", .has_status = true,
        .initial_status = "{\"desiredReplicas\":0,\"currentMetrics\":null}", .no_generation = true),
    ROW("batch", "cronjobs", .has_status = true, .initial_status = "{}"),
    ROW("batch", "jobs", .validate = validate_job, .defaults = default_job,
        .prepare_create = prepare_job, .has_status = true),
    ROW("certificates.k8s.io", "certificatesigningrequests", .has_status = true,
        .initial_status = "{}", .no_generation = true),
    ROW("coordination.k8s.io", "leases", .no_generation = true),
    ROW("discovery.k8s.io", "endpointslices", .generation_of_all = true),
    ROW(CUSTOM, "customresourcedefinitions", .prepare_create = prepare_definition,
        .has_status = true),
    ROW(HOOKS, "mutatingwebhookconfigurations", .generation_of_all = true),
    ROW(HOOKS, "validatingadmissionpolicies", .has_status = true, .initial_status = "{}"),
    ROW(HOOKS, "validatingwebhookconfigurations", .generation_of_all = true),
    ROW("apiregistration.k8s.io", "apiservices", .has_status = true, .initial_status = "{}",
        .no_generation = true),
    ROW(FLOW, "flowschemas", .has_status = true, .initial_status = "{}"),
    ROW(FLOW, "prioritylevelconfigurations", .has_status = true, .initial_status = "{}"),
    ROW("networking.k8s.io", "ingresses", .has_status = true,
        .initial_status = "{\"loadBalancer\":{}}"),
    ROW("networking.k8s.io", "ingressclasses"),
    ROW("networking.k8s.io", "networkpolicies"),
    ROW("networking.k8s.io", "servicecidrs", .has_status = true, .initial_status = "{}"),
    ROW("node.k8s.io", "runtimeclasses", .no_generation = true),
    ROW("policy", "poddisruptionbudgets", .has_status = true,
        .initial_status = "{\"disruptionsAllowed\":0,\"currentHealthy\":0,\"desiredHealthy\":0,"
                          "\"expectedPods\":0}"),
    ROW("rbac.authorization.k8s.io", "clusterrolebindings", .no_generation = true,
        .name_fault = path_segment_fault),
    ROW("rbac.authorization.k8s.io", "clusterroles", .no_generation = true,
        .name_fault = path_segment_fault),
    ROW("rbac.authorization.k8s.io", "rolebindings", .no_generation = true,
        .name_fault = path_segment_fault),
    ROW("rbac.authorization.k8s.io", "roles", .no_generation = true,
        .name_fault = path_segment_fault),
    ROW("scheduling.k8s.io", "priorityclasses", .generation_of_all = true),
    ROW("storage.k8s.io", "csidrivers", .no_generation = true),
    ROW("storage.k8s.io", "storageclasses", .no_generation = true),
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
    if (s->validate)
        s->validate(&errors, tree, live, subresource);
    return field_errors_end(&errors, r, text_at_or(tree, "metadata.name", ""));
}
