/* What fields of each kind may hold, in upstream's words. Rules between fields are functions. */
#include <arpa/inet.h>
#include <string.h>

#include "clusters/object/selector.h"
#include "clusters/object/strategy_kinds.h"

#define NOT_NEGATIVE "must be greater than or equal to 0"
#define POSITIVE     "must be greater than 0"
#define PORT_RANGE   "must be between 1 and 65535, inclusive"
#define CHOICES(...) ((const char *const[]){__VA_ARGS__, NULL})
#define PROTOCOLS    CHOICES("SCTP", "TCP", "UDP")
#define MODES        CHOICES("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
#define VOLUME_MODES CHOICES("Block", "Filesystem")
#define RECLAIMS     CHOICES("Delete", "Recycle", "Retain")

static const char *address_fault(const char *text)
{
    unsigned char bytes[16];

    return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1
               ? NULL
               : "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
}

static const char *host_fault(const char *text)
{
    if (!address_fault(text))
        return "must be a DNS name, not an IP address";
    return dns_subdomain_fault(strncmp(text, "*.", 2) == 0 ? text + 2 : text);
}

static const char *absolute_fault(const char *text)
{
    return *text == '/' ? NULL : "must be an absolute path";
}

/* "acme.io/foo", "acme.io/foo/bar" */
static const char *domain_path_fault(const char *text)
{
    const char *slash = strchr(text, '/');
    char domain[254];

    if (!slash || slash == text || !slash[1] || slash - text > 253)
        return "must be a domain-prefixed path (such as \"acme.io/foo\")";
    memcpy(domain, text, (size_t)(slash - text));
    domain[slash - text] = '\0';
    return dns_subdomain_fault(domain);
}

static const char *group_fault(const char *text)
{
    const char *fault = dns_subdomain_fault(text);

    return fault || strchr(text, '.') ? fault : "should be a domain with at least one dot";
}

/* ---- workloads ---- */

const struct field_rule deployment_rules[] = {
    {"spec.minReadySeconds",         NUMBER, NOT_NEGATIVE, .min = 0},
    {"spec.revisionHistoryLimit",                  NUMBER, NOT_NEGATIVE, .min = 0},
    {"spec.progressDeadlineSeconds",                              NUMBER, NOT_NEGATIVE, .min = 0},
    {"spec.strategy.type",       ONE_OF, .choices = CHOICES("Recreate", "RollingUpdate")},
    {"spec.strategy.rollingUpdate.maxUnavailable",                      PERCENT},
    {"spec.strategy.rollingUpdate.maxSurge", PERCENT},
    {NULL                 },
};
const struct field_rule daemon_set_rules[] = {
    {"spec.minReadySeconds",     NUMBER, NOT_NEGATIVE, .min = 0},
    {"spec.revisionHistoryLimit",              NUMBER, NOT_NEGATIVE, .min = 0},
    {"spec.updateStrategy.type",                          ONE_OF, .choices = CHOICES("OnDelete", "RollingUpdate")},
    {"spec.updateStrategy.rollingUpdate.maxUnavailable",       PERCENT},
    {"spec.updateStrategy.rollingUpdate.maxSurge",                  PERCENT},
    {NULL},
};
const struct field_rule stateful_set_rules[] = {
    {"spec.minReadySeconds", NUMBER, NOT_NEGATIVE, .min = 0},
    {"spec.revisionHistoryLimit",          NUMBER, NOT_NEGATIVE, .min = 0},
    {"spec.ordinals.start",                      NUMBER, NOT_NEGATIVE, .min = 0},
    {"spec.podManagementPolicy",       ONE_OF, .choices = CHOICES("OrderedReady", "Parallel")},
    {"spec.updateStrategy.type",              ONE_OF, .choices = CHOICES("OnDelete", "RollingUpdate")},
    {"spec.updateStrategy.rollingUpdate.partition",  NUMBER, NOT_NEGATIVE, .min = 0},
    {"spec.persistentVolumeClaimRetentionPolicy.whenDeleted",          ONE_OF,
     .choices = CHOICES("Delete", "Retain")},
    {"spec.persistentVolumeClaimRetentionPolicy.whenScaled",                      ONE_OF,
     .choices = CHOICES("Delete", "Retain")},
    {NULL         },
};
const struct field_rule controller_rules[] = {
    {"spec.replicas", NUMBER, NOT_NEGATIVE, .min = 0},
    {"spec.minReadySeconds",   NUMBER, NOT_NEGATIVE, .min = 0},
    {"spec.selector",               THERE, ""},
    {"spec.template",       THERE, ""},
    {NULL      },
};
const struct field_rule controller_revision_rules[] = {
    {"revision",    NUMBER, NOT_NEGATIVE, .min = 0},
    {"data", SAME},
    {NULL            },
};
const struct field_rule cron_job_rules[] = {
    {"spec.schedule",                THERE, ""},
    {"spec.concurrencyPolicy",                            ONE_OF, .choices = CHOICES("Allow", "Forbid", "Replace")},
    {"spec.startingDeadlineSeconds",       NUMBER, NOT_NEGATIVE, .min = 0},
    {"spec.successfulJobsHistoryLimit",    NUMBER, NOT_NEGATIVE, .min = 0},
    {"spec.failedJobsHistoryLimit",                    NUMBER, NOT_NEGATIVE, .min = 0},
    {"spec.jobTemplate.spec.parallelism", NUMBER, NOT_NEGATIVE, .min = 0},
    {"spec.jobTemplate.spec.completions",                  NUMBER, NOT_NEGATIVE, .min = 0},
    {"spec.jobTemplate.spec.backoffLimit",                              NUMBER, NOT_NEGATIVE, .min = 0},
    {NULL                    },
};
const struct field_rule autoscaler_rules[] = {
    {"spec.minReplicas",                                  NUMBER, "must be greater than or equal to 1", .min = 1},
    {"spec.maxReplicas",               NUMBER, POSITIVE, .min = 1},
    {"spec.scaleTargetRef.kind",                                                   THERE, ""},
    {"spec.scaleTargetRef.kind",                               NAME, .fault = path_segment_fault},
    {"spec.scaleTargetRef.name",                                           THERE, ""},
    {"spec.scaleTargetRef.name",                          NAME, .fault = path_segment_fault},
    {"spec.metrics[].type",                                                 THERE, "must specify a metric source type"},
    {"spec.metrics[].type",                          ONE_OF,
     .choices = CHOICES("ContainerResource", "External", "Object", "Pods", "Resource")},
    {"spec.metrics[].resource.name",                        THERE, "must specify a resource name"},
    {"spec.metrics[].resource.target.type",                          THERE, "must specify the metric target type"},
    {"spec.metrics[].resource.target.averageUtilization",                                                 NUMBER, POSITIVE, .min = 1},
    {"spec.metrics[].containerResource.name",                          THERE, "must specify a resource name"},
    {"spec.metrics[].containerResource.container",                        THERE, "must specify a container"},
    {"spec.metrics[].containerResource.target.type",                               THERE, "must specify the metric target type"},
    {"spec.metrics[].pods.metric.name",                THERE, "must specify a metric name"},
    {"spec.metrics[].pods.metric.selector",                               SELECTOR},
    {"spec.metrics[].external.metric.name",              THERE, "must specify a metric name"},
    {"spec.metrics[].object.metric.name",                                           THERE, "must specify a metric name"},
    {"spec.behavior.scaleUp.stabilizationWindowSeconds",                                        NUMBER,
     "must be less than or equal to 3600", .min = 0, .max = 3600},
    {"spec.behavior.scaleDown.stabilizationWindowSeconds",                      NUMBER,
     "must be less than or equal to 3600", .min = 0, .max = 3600},
    {"spec.behavior.scaleUp.selectPolicy",                     ONE_OF, .choices = CHOICES("Disabled", "Max", "Min")},
    {"spec.behavior.scaleDown.selectPolicy",               ONE_OF, .choices = CHOICES("Disabled", "Max", "Min")},
    {"spec.behavior.scaleUp.policies[].type",              ONE_OF, .choices = CHOICES("Percent", "Pods")},
    {"spec.behavior.scaleDown.policies[].type", ONE_OF, .choices = CHOICES("Percent", "Pods")},
    {"spec.behavior.scaleUp.policies[].value",                                           NUMBER, "must be greater than zero", .min = 1},
    {"spec.behavior.scaleDown.policies[].value",                                                   NUMBER, "must be greater than zero", .min = 1},
    {"spec.behavior.scaleUp.policies[].periodSeconds",                     NUMBER, "must be less than or equal to 1800",
     .min = 1, .max = 1800},
    {"spec.behavior.scaleDown.policies[].periodSeconds",                                                   NUMBER,
     "must be less than or equal to 1800", .min = 1, .max = 1800},
    {NULL                      },
};
const struct field_rule disruption_budget_rules[] = {
    {"spec.minAvailable", PERCENT},
    {"spec.maxUnavailable",                   PERCENT},
    {"spec.selector",SELECTOR},
    {"spec.unhealthyPodEvictionPolicy",     ONE_OF,
     .choices = CHOICES("AlwaysAllow", "IfHealthyBudget")},
    {NULL                  },
};

/* ---- networks ---- */

const struct field_rule ingress_rules[] = {
    {"spec.ingressClassName",       NAME, .fault = dns_subdomain_fault},
    {"spec.tls[].hosts[]", NAME, .fault = host_fault},
    {"spec.rules[].host",          NAME, .fault = host_fault},
    {"spec.rules[].http.paths",          THERE, ""},
    {"spec.rules[].http.paths[].pathType",           THERE, "pathType must be specified"},
    {"spec.rules[].http.paths[].pathType",          ONE_OF,
     .choices = CHOICES("Exact", "ImplementationSpecific", "Prefix")},
    {"spec.rules[].http.paths[].path",     NAME, .fault = absolute_fault},
    {NULL                          },
};
const struct field_rule ingress_class_rules[] = {
    {"spec.controller",           THERE, ""},
    {"spec.controller",                         NAME, .fault = domain_path_fault},
    {"spec.controller",           SAME},
    {NULL},
};
const struct field_rule network_policy_rules[] = {
    {"spec.podSelector",                  SELECTOR},
    {"spec.policyTypes[]",                                   ONE_OF, .choices = CHOICES("Egress", "Ingress")},
    {"spec.ingress[].ports[].protocol",ONE_OF, .choices = PROTOCOLS},
    {"spec.ingress[].ports[].port",                         NUMBER, PORT_RANGE, .min = 1, .max = 65535},
    {"spec.ingress[].from[].podSelector",   SELECTOR},
    {"spec.ingress[].from[].namespaceSelector",               SELECTOR},
    {"spec.egress[].ports[].protocol",       ONE_OF, .choices = PROTOCOLS},
    {"spec.egress[].ports[].port",                         NUMBER, PORT_RANGE, .min = 1, .max = 65535},
    {"spec.egress[].to[].podSelector",                       SELECTOR},
    {"spec.egress[].to[].namespaceSelector", SELECTOR},
    {NULL                                  },
};
const struct field_rule endpoints_rules[] = {
    {"subsets[].addresses[].ip",         THERE, ""},
    {"subsets[].addresses[].ip",                                NAME, .fault = address_fault},
    {"subsets[].addresses[].hostname",         NAME, .fault = dns_label_fault},
    {"subsets[].notReadyAddresses[].ip",            THERE, ""},
    {"subsets[].notReadyAddresses[].ip",   NAME, .fault = address_fault},
    {"subsets[].ports[].name",          NAME, .fault = dns_label_fault},
    {"subsets[].ports[].port", NUMBER, PORT_RANGE, .min = 1, .max = 65535},
    {"subsets[].ports[].protocol",                                ONE_OF, .choices = PROTOCOLS},
    {NULL},
};
const struct field_rule endpoint_slice_rules[] = {
    {"addressType",              THERE, ""},
    {"addressType",                        ONE_OF, .choices = CHOICES("FQDN", "IPv4", "IPv6")},
    {"addressType",              SAME},
    {"endpoints[].addresses", THERE, "must contain at least 1 address"},
    {"endpoints[].hostname",                   NAME, .fault = dns_label_fault},
    {"ports[].name",              NAME, .fault = dns_label_fault},
    {"ports[].protocol",                          ONE_OF, .choices = PROTOCOLS},
    {NULL                    },
};

/* ---- storage ---- */

const struct field_rule claim_rules[] = {
    {"spec.accessModes",                    THERE, "at least 1 access mode is required"},
    {"spec.accessModes[]", ONE_OF, .choices = MODES},
    {"spec.selector",                  SELECTOR},
    {"spec.resources.requests.storage",                     THERE, ""},
    {"spec.storageClassName",                       NAME, .fault = dns_subdomain_fault},
    {"spec.volumeMode",                                     ONE_OF, .choices = VOLUME_MODES},
    {NULL           },
};
const struct field_rule volume_rules[] = {
    {"spec.accessModes",                   THERE, ""},
    {"spec.accessModes[]",                                  ONE_OF, .choices = MODES},
    {"spec.capacity",                 THERE, ""},
    {"spec.persistentVolumeReclaimPolicy",                    ONE_OF, .choices = RECLAIMS},
    {"spec.storageClassName",                      NAME, .fault = dns_subdomain_fault},
    {"spec.volumeMode",                                  ONE_OF, .choices = VOLUME_MODES},
    {"spec.volumeMode", SAME},
    {NULL                },
};
const struct field_rule storage_class_rules[] = {
    {"provisioner",                            THERE, ""},
    {"provisioner",                                      NAME, .fault = label_key_fault},
    {"provisioner",                            FROZEN, "updates to provisioner are forbidden."},
    {"parameters",                FROZEN, "updates to parameters are forbidden."},
    {"reclaimPolicy",                            ONE_OF, .choices = CHOICES("Delete", "Retain")},
    {"reclaimPolicy", FROZEN, "updates to reclaimPolicy are forbidden."},
    {"volumeBindingMode",                             ONE_OF, .choices = CHOICES("Immediate", "WaitForFirstConsumer")},
    {"volumeBindingMode",  SAME},
    {NULL                         },
};

/* ---- rights, policy, the rest ---- */

#define SUBJECT_RULES                                                                              \
    {"roleRef.apiGroup", ONE_OF, .choices = CHOICES("rbac.authorization.k8s.io")},                 \
        {"roleRef.name", THERE, ""}, {"roleRef.name", NAME, .fault = path_segment_fault},          \
        {"roleRef", SAME, "cannot change roleRef"}, {"subjects[].name", THERE, ""},                \
        {"subjects[].kind", THERE, ""},                                                            \
    {                                                                                              \
        "subjects[].kind", ONE_OF, .choices = CHOICES("Group", "ServiceAccount", "User")           \
    }
const struct field_rule role_binding_rules[] = {
    SUBJECT_RULES,
    {"roleRef.kind",                    ONE_OF, .choices = CHOICES("ClusterRole", "Role")},
    {NULL},
};
const struct field_rule cluster_role_binding_rules[] = {
    SUBJECT_RULES,
    {"roleRef.kind",                     ONE_OF, .choices = CHOICES("ClusterRole")},
    {NULL},
};
const struct field_rule secret_rules[] = {
    {"type", SAME},
    {NULL     }
};
const struct field_rule lease_rules[] = {
    {"spec.leaseDurationSeconds", NUMBER, POSITIVE, .min = 1},
    {"spec.leaseTransitions",                   NUMBER, NOT_NEGATIVE, .min = 0},
    {NULL                          },
};
const struct field_rule quota_rules[] = {
    {"spec.scopes", SAME},
    {"spec.scopes[]",             ONE_OF,
     .choices = CHOICES("BestEffort", "CrossNamespacePodAffinity", "NotBestEffort",
     "NotTerminating", "PriorityClass", "Terminating")},
    {NULL},
};
const struct field_rule priority_class_rules[] = {
    {"value",                             FROZEN, "may not be changed in an update."},
    {"preemptionPolicy", ONE_OF, .choices = CHOICES("Never", "PreemptLowerPriority")},
    {"preemptionPolicy",                  SAME},
    {NULL        },
};
const struct field_rule runtime_class_rules[] = {
    {"handler",                 THERE, ""},
    {"handler",                       NAME, .fault = dns_label_fault},
    {"handler",                 SAME},
    {NULL},
};
const struct field_rule node_rules[] = {
    {"spec.taints[].key",         THERE, ""},
    {"spec.taints[].key",                         NAME, .fault = label_key_fault},
    {"spec.taints[].value",         NAME, .fault = label_value_fault},
    {"spec.taints[].effect",   THERE, ""},
    {"spec.taints[].effect",       ONE_OF,
     .choices = CHOICES("NoExecute", "NoSchedule", "PreferNoSchedule")},
    {NULL},
};
const struct field_rule definition_rules[] = {
    {"spec.group",          THERE, ""},
    {"spec.group",                   NAME, .fault = group_fault},
    {"spec.group",          SAME},
    {"spec.scope", THERE, ""},
    {"spec.scope",          ONE_OF, .choices = CHOICES("Cluster", "Namespaced")},
    {"spec.scope",                     SAME},
    {"spec.versions",                THERE, ""},
    {"spec.versions[].name",                     THERE, ""},
    {"spec.versions[].name",      NAME, .fault = dns_1035_fault},
    {"spec.versions[].schema.openAPIV3Schema",        THERE, "schemas are required"},
    {"spec.names.plural",          THERE, ""},
    {"spec.names.plural",                     NAME, .fault = dns_1035_fault},
    {"spec.names.plural", SAME},
    {"spec.names.kind",                     THERE, ""},
    {"spec.names.kind",SAME},
    {"spec.names.singular",                     NAME, .fault = dns_1035_fault},
    {NULL           },
};
