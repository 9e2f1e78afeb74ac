/*
 * Defaults by type: the schema is walked along with the tree, and each object of a type in the
 * table gets what is missing. So a pod in a Deployment's template and a pod of its own share rows.
 */
#include <stdlib.h>
#include <string.h>

#include "clusters/object/strategy_kinds.h"

#define CORE         "io.k8s.api.core.v1."
#define APPS         "io.k8s.api.apps.v1."
#define BATCH        "io.k8s.api.batch.v1."
#define NETWORKING   "io.k8s.api.networking.v1."
#define ADMISSION    "io.k8s.api.admissionregistration.v1."
#define API_REGISTER "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1."

/* A member and its value, as JSON without quotes around objects; fn instead: what is not so plain.
 */
struct type_default {
    const char *type, *member, *json;
    void (*fn)(struct op *op, json_t *tree);
};

/* Sorted by type: each type's rows are together and found by bisection. */
#define IS(type, member, json)                                                                     \
    {                                                                                              \
        type, member, json, NULL                                                                   \
    }
#define BY(type, fn)                                                                               \
    {                                                                                              \
        type, NULL, NULL, fn                                                                       \
    }
static const struct type_default defaults[] = {
    IS(ADMISSION "MatchResources", "matchPolicy", "\"Equivalent\""),
    IS(ADMISSION "MatchResources", "namespaceSelector", "{}"),
    IS(ADMISSION "MatchResources", "objectSelector", "{}"),
    IS(ADMISSION "MutatingWebhook", "failurePolicy", "\"Fail\""),
    IS(ADMISSION "MutatingWebhook", "matchPolicy", "\"Equivalent\""),
    IS(ADMISSION "MutatingWebhook", "namespaceSelector", "{}"),
    IS(ADMISSION "MutatingWebhook", "objectSelector", "{}"),
    IS(ADMISSION "MutatingWebhook", "reinvocationPolicy", "\"Never\""),
    IS(ADMISSION "MutatingWebhook", "timeoutSeconds", "10"),
    IS(ADMISSION "NamedRuleWithOperations", "scope", "\"*\""),
    IS(ADMISSION "RuleWithOperations", "scope", "\"*\""),
    IS(ADMISSION "ServiceReference", "port", "443"),
    IS(ADMISSION "ValidatingAdmissionPolicySpec", "failurePolicy", "\"Fail\""),
    IS(ADMISSION "ValidatingWebhook", "failurePolicy", "\"Fail\""),
    IS(ADMISSION "ValidatingWebhook", "matchPolicy", "\"Equivalent\""),
    IS(ADMISSION "ValidatingWebhook", "namespaceSelector", "{}"),
    IS(ADMISSION "ValidatingWebhook", "objectSelector", "{}"),
    IS(ADMISSION "ValidatingWebhook", "timeoutSeconds", "10"),
    IS(APPS "DaemonSetSpec", "revisionHistoryLimit", "10"),
    BY(APPS "DaemonSetSpec", default_daemon_set),
    IS(APPS "DeploymentSpec", "progressDeadlineSeconds", "600"),
    IS(APPS "DeploymentSpec", "replicas", "1"),
    IS(APPS "DeploymentSpec", "revisionHistoryLimit", "10"),
    BY(APPS "DeploymentSpec", default_deployment),
    IS(APPS "ReplicaSetSpec", "replicas", "1"),
    IS(APPS "StatefulSetPersistentVolumeClaimRetentionPolicy", "whenDeleted", "\"Retain\""),
    IS(APPS "StatefulSetPersistentVolumeClaimRetentionPolicy", "whenScaled", "\"Retain\""),
    IS(APPS "StatefulSetSpec", "persistentVolumeClaimRetentionPolicy", "{}"),
    IS(APPS "StatefulSetSpec", "podManagementPolicy", "\"OrderedReady\""),
    IS(APPS "StatefulSetSpec", "replicas", "1"),
    IS(APPS "StatefulSetSpec", "revisionHistoryLimit", "10"),
    BY(APPS "StatefulSetSpec", default_stateful_set),
    IS("io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerSpec", "metrics",
       "[{\"type\":\"Resource\",\"resource\":{\"name\":\"cpu\",\"target\":"
       "{\"type\":\"Utilization\",\"averageUtilization\":80}}}]"),
    IS("io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerSpec", "minReplicas", "1"),
    BY("io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerSpec", default_autoscaler),
    IS(BATCH "CronJobSpec", "concurrencyPolicy", "\"Allow\""),
    IS(BATCH "CronJobSpec", "failedJobsHistoryLimit", "1"),
    IS(BATCH "CronJobSpec", "successfulJobsHistoryLimit", "3"),
    IS(BATCH "CronJobSpec", "suspend", "false"),
    IS(BATCH "JobTemplateSpec", "metadata", "{}"),
    IS(CORE "ConfigMapVolumeSource", "defaultMode", "420"),
    IS(CORE "Container", "resources", "{}"),
    IS(CORE "Container", "terminationMessagePath", "\"/dev/termination-log\""),
    IS(CORE "Container", "terminationMessagePolicy", "\"File\""),
    BY(CORE "Container", default_pull_policy),
    IS(CORE "ContainerPort", "protocol", "\"TCP\""),
    IS(CORE "DownwardAPIVolumeSource", "defaultMode", "420"),
    IS(CORE "EndpointPort", "protocol", "\"TCP\""),
    IS(CORE "EphemeralContainer", "resources", "{}"),
    IS(CORE "EphemeralContainer", "terminationMessagePath", "\"/dev/termination-log\""),
    IS(CORE "EphemeralContainer", "terminationMessagePolicy", "\"File\""),
    BY(CORE "EphemeralContainer", default_pull_policy),
    IS(CORE "GRPCAction", "service", "\"\""),
    IS(CORE "HTTPGetAction", "path", "\"/\""),
    IS(CORE "HTTPGetAction", "scheme", "\"HTTP\""),
    IS(CORE "HostPathVolumeSource", "type", "\"\""),
    BY(CORE "LimitRangeItem", default_limit_range_item),
    IS(CORE "ObjectFieldSelector", "apiVersion", "\"v1\""),
    IS(CORE "PersistentVolumeClaimSpec", "volumeMode", "\"Filesystem\""),
    IS(CORE "PersistentVolumeSpec", "persistentVolumeReclaimPolicy", "\"Retain\""),
    IS(CORE "PersistentVolumeSpec", "volumeMode", "\"Filesystem\""),
    BY(CORE "Pod", default_pod),
    IS(CORE "PodSpec", "dnsPolicy", "\"ClusterFirst\""),
    IS(CORE "PodSpec", "restartPolicy", "\"Always\""),
    IS(CORE "PodSpec", "schedulerName", "\"default-scheduler\""),
    IS(CORE "PodSpec", "securityContext", "{}"),
    IS(CORE "PodSpec", "terminationGracePeriodSeconds", "30"),
    BY(CORE "PodSpec", default_pod_spec),
    IS(CORE "PodTemplateSpec", "metadata", "{}"),
    IS(CORE "Probe", "failureThreshold", "3"),
    IS(CORE "Probe", "periodSeconds", "10"),
    IS(CORE "Probe", "successThreshold", "1"),
    IS(CORE "Probe", "timeoutSeconds", "1"),
    IS(CORE "ProjectedVolumeSource", "defaultMode", "420"),
    IS(CORE "ReplicationControllerSpec", "replicas", "1"),
    IS(CORE "Secret", "type", "\"Opaque\""),
    IS(CORE "SecretVolumeSource", "defaultMode", "420"),
    IS(CORE "ServiceAccountTokenProjection", "expirationSeconds", "3600"),
    IS(CORE "ServicePort", "protocol", "\"TCP\""),
    BY(CORE "ServicePort", default_service_port),
    IS(CORE "ServiceSpec", "sessionAffinity", "\"None\""),
    IS(CORE "ServiceSpec", "type", "\"ClusterIP\""),
    BY(CORE "ServiceSpec", default_service),
    BY(CORE "Volume", default_volume),
    IS("io.k8s.api.discovery.v1.EndpointPort", "name", "\"\""),
    IS("io.k8s.api.discovery.v1.EndpointPort", "protocol", "\"TCP\""),
    IS("io.k8s.api.flowcontrol.v1.FlowSchemaSpec", "matchingPrecedence", "1000"),
    IS(NETWORKING "NetworkPolicyPort", "protocol", "\"TCP\""),
    BY(NETWORKING "NetworkPolicySpec", default_network_policy),
    IS("io.k8s.api.policy.v1.PodDisruptionBudgetStatus", "currentHealthy", "0"),
    IS("io.k8s.api.policy.v1.PodDisruptionBudgetStatus", "desiredHealthy", "0"),
    IS("io.k8s.api.policy.v1.PodDisruptionBudgetStatus", "disruptionsAllowed", "0"),
    IS("io.k8s.api.policy.v1.PodDisruptionBudgetStatus", "expectedPods", "0"),
    IS("io.k8s.api.rbac.v1.RoleRef", "apiGroup", "\"rbac.authorization.k8s.io\""),
    BY("io.k8s.api.rbac.v1.Subject", default_subject),
    IS("io.k8s.api.scheduling.v1.PriorityClass", "preemptionPolicy", "\"PreemptLowerPriority\""),
    IS("io.k8s.api.storage.v1.CSIDriverSpec", "attachRequired", "true"),
    IS("io.k8s.api.storage.v1.CSIDriverSpec", "fsGroupPolicy", "\"ReadWriteOnceWithFSType\""),
    IS("io.k8s.api.storage.v1.CSIDriverSpec", "podInfoOnMount", "false"),
    IS("io.k8s.api.storage.v1.CSIDriverSpec", "requiresRepublish", "false"),
    IS("io.k8s.api.storage.v1.CSIDriverSpec", "seLinuxMount", "false"),
    IS("io.k8s.api.storage.v1.CSIDriverSpec", "storageCapacity", "false"),
    IS("io.k8s.api.storage.v1.CSIDriverSpec", "volumeLifecycleModes", "[\"Persistent\"]"),
    IS("io.k8s.api.storage.v1.StorageClass", "reclaimPolicy", "\"Delete\""),
    IS("io.k8s.api.storage.v1.StorageClass", "volumeBindingMode", "\"Immediate\""),
    BY("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionSpec",
       default_custom_resource),
    IS("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.ServiceReference", "port", "443"),
    IS(API_REGISTER "ServiceReference", "port", "443"),
};

/* The first row of type, or NULL. */
static const struct type_default *rows_of(const struct type *type)
{
    size_t low = 0, high = ARRAY_LEN(defaults);

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (strcmp(defaults[middle].type, type->name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < ARRAY_LEN(defaults) && strcmp(defaults[low].type, type->name) == 0 ? &defaults[low]
                                                                                    : NULL;
}

static void apply(struct op *op, const struct type_default *row, json_t *tree)
{
    json_t *now;

    if (row->fn) {
        row->fn(op, tree);
        return;
    }
    now = json_object_get(tree, row->member);
    if (!now || json_is_null(now))
        json_object_set_new(tree, row->member, json_loads(row->json, JSON_DECODE_ANY, NULL));
}

static void fill_in(struct op *op, const struct type *type, json_t *tree);

static void fill_in_member(struct op *op, const struct field *field, json_t *value)
{
    const char *key;
    json_t *item;
    size_t i;

    if (field->shape == SHAPE_ONE) {
        fill_in(op, field->type, value);
    } else if (field->shape == SHAPE_LIST) {
        json_array_foreach(value, i, item)
        {
            fill_in(op, field->type, item);
        }
    } else {
        json_object_foreach(value, key, item)
        {
            fill_in(op, field->type, item);
        }
    }
}

static void fill_in(struct op *op, const struct type *type, json_t *tree)
{
    const struct type_default *row;
    const char *key;
    json_t *value;

    if (!json_is_object(tree))
        return;
    row = rows_of(type);
    for (const char *name = row ? row->type : NULL;
         row && row < defaults + ARRAY_LEN(defaults) && strcmp(row->type, name) == 0; row++)
        apply(op, row, tree);
    json_object_foreach(tree, key, value)
    {
        const struct field *field;

        if (strcmp(key, "metadata") == 0)
            continue;
        field = type_field(type, key, strlen(key));
        if (field && field->value == VALUE_OBJECT && field->type)
            fill_in_member(op, field, value);
    }
}

void object_defaults(struct op *op, const struct resource *r, json_t *tree)
{
    const struct strategy *s = strategy_of(r);

    if (r->type)
        fill_in(op, r->type, tree);
    if (s->defaults)
        s->defaults(op, tree);
}
