/* The columns of every kind that has its own: names, order and priorities as upstream's. */
#include "clusters/object/table_cells.h"

#define LIST(name) static const struct column name[]
#define END                                                                                        \
    {                                                                                              \
        NULL, NULL, NULL, NULL, NULL, false, NULL                                                  \
    }
#define CREATED_AT                                                                                 \
    {                                                                                              \
        "Created At", cell_text, "metadata.creationTimestamp", NULL, "date", false, NULL           \
    }
/* name, writer, path, missing, and of type: */
#define COLUMN(name, write, path, missing)                                                         \
    {                                                                                              \
        name, write, path, missing, NULL, false, NULL                                              \
    }
#define INTEGER(name, path)                                                                        \
    {                                                                                              \
        name, cell_integer, path, NULL, "integer", false, NULL                                     \
    }
#define COUNT(name, path)                                                                          \
    {                                                                                              \
        name, cell_count, path, NULL, "integer", false, NULL                                       \
    }
#define BOOLEAN(name, path, missing)                                                               \
    {                                                                                              \
        name, cell_bool, path, missing, "boolean", false, NULL                                     \
    }
#define WIDE(name, write, path, missing)                                                           \
    {                                                                                              \
        name, write, path, missing, NULL, true, NULL                                               \
    }
#define CONTAINERS(path)                                                                           \
    WIDE("Containers", cell_containers, path, NULL), WIDE("Images", cell_images, path, NULL)

const struct column default_columns[] = {NAME_COLUMN, CREATED_AT, END};

LIST(component_statuses) = {
    NAME_COLUMN,
    COLUMN("Status", component_status, "status", NULL),
    COLUMN("Message", component_status, "message", NULL),
    COLUMN("Error", component_status, "error", NULL),
    END,
};
LIST(config_maps) = {NAME_COLUMN, COLUMN("Data", cell_count, "data", "binaryData"), AGE_COLUMN,
                     END};
LIST(endpoints) = {NAME_COLUMN, COLUMN("Endpoints", endpoints_of, "subsets", "<none>"), AGE_COLUMN,
                   END};
LIST(events) = {
    COLUMN("Last Seen", event_last, NULL, NULL),
    COLUMN("Type", cell_text, "type", NULL),
    COLUMN("Reason", cell_text, "reason", NULL),
    COLUMN("Object", event_object, NULL, NULL),
    WIDE("Subobject", event_text, "fieldPath", NULL),
    WIDE("Source", event_source, NULL, NULL),
    COLUMN("Message", event_text, "message", NULL),
    WIDE("First Seen", event_first, NULL, NULL),
    WIDE("Count", event_count, NULL, NULL),
    {"Name", cell_text, "metadata.name", NULL, NULL, true, "name"},
    END,
};
LIST(namespaces) = {NAME_COLUMN, COLUMN("Status", cell_text, "status.phase", NULL), AGE_COLUMN,
                    END};
LIST(nodes) = {
    NAME_COLUMN,
    COLUMN("Status", node_status, NULL, NULL),
    COLUMN("Roles", node_roles, NULL, "<none>"),
    AGE_COLUMN,
    COLUMN("Version", cell_text, "status.nodeInfo.kubeletVersion", NULL),
    WIDE("Internal-IP", node_address, "InternalIP", "<none>"),
    WIDE("External-IP", node_address, "ExternalIP", "<none>"),
    WIDE("OS-Image", cell_text, "status.nodeInfo.osImage", "<unknown>"),
    WIDE("Kernel-Version", cell_text, "status.nodeInfo.kernelVersion", "<unknown>"),
    WIDE("Container-Runtime", cell_text, "status.nodeInfo.containerRuntimeVersion", "<unknown>"),
    END,
};
LIST(claims) = {
    NAME_COLUMN,
    COLUMN("Status", claim_status, "status.phase", NULL),
    COLUMN("Volume", cell_text, "spec.volumeName", NULL),
    COLUMN("Capacity", storage_of, "status.capacity", "spec.volumeName"),
    COLUMN("Access Modes", cell_modes, "status.accessModes", NULL),
    COLUMN("StorageClass", class_of, "spec.storageClassName", NULL),
    COLUMN("VolumeAttributesClass", cell_text, "spec.volumeAttributesClassName", "<unset>"),
    AGE_COLUMN,
    WIDE("VolumeMode", cell_text, "spec.volumeMode", "<unset>"),
    END,
};
LIST(volumes) = {
    NAME_COLUMN,
    COLUMN("Capacity", storage_of, "spec.capacity", NULL),
    COLUMN("Access Modes", cell_modes, "spec.accessModes", NULL),
    COLUMN("Reclaim Policy", cell_text, "spec.persistentVolumeReclaimPolicy", NULL),
    COLUMN("Status", claim_status, "status.phase", NULL),
    COLUMN("Claim", volume_claim, "spec.claimRef", NULL),
    COLUMN("StorageClass", class_of, "spec.storageClassName", NULL),
    COLUMN("VolumeAttributesClass", cell_text, "spec.volumeAttributesClassName", "<unset>"),
    COLUMN("Reason", cell_text, "status.reason", NULL),
    AGE_COLUMN,
    WIDE("VolumeMode", cell_text, "spec.volumeMode", "<unset>"),
    END,
};
LIST(pods) = {
    NAME_COLUMN,
    COLUMN("Ready", pod_ready, NULL, NULL),
    COLUMN("Status", pod_status, NULL, NULL),
    COLUMN("Restarts", pod_restarts, NULL, NULL),
    AGE_COLUMN,
    WIDE("IP", pod_ip, NULL, "<none>"),
    WIDE("Node", cell_text, "spec.nodeName", "<none>"),
    WIDE("Nominated Node", cell_text, "status.nominatedNodeName", "<none>"),
    WIDE("Readiness Gates", pod_gates, NULL, "<none>"),
    END,
};
LIST(pod_templates) = {
    NAME_COLUMN,
    COLUMN("Containers", cell_containers, "template.spec", NULL),
    COLUMN("Images", cell_images, "template.spec", NULL),
    COLUMN("Pod Labels", cell_labels, "template.metadata.labels", "<none>"),
    END,
};
#define REPLICAS                                                                                   \
    NAME_COLUMN, INTEGER("Desired", "spec.replicas"), INTEGER("Current", "status.replicas"),       \
        INTEGER("Ready", "status.readyReplicas"), AGE_COLUMN, CONTAINERS("spec.template.spec")
LIST(replication_controllers) = {REPLICAS, WIDE("Selector", cell_labels, "spec.selector", "<none>"),
                                 END};
LIST(replica_sets) = {REPLICAS, WIDE("Selector", cell_selector, "spec.selector", "<none>"), END};
LIST(quotas) = {
    NAME_COLUMN,
    AGE_COLUMN,
    COLUMN("Request", quota_limits, NULL, NULL),
    COLUMN("Limit", quota_limits, "limits", NULL),
    END,
};
LIST(secrets) = {NAME_COLUMN, COLUMN("Type", cell_text, "type", NULL),
                 COLUMN("Data", cell_count, "data", NULL), AGE_COLUMN, END};
LIST(service_accounts) = {NAME_COLUMN, COLUMN("Secrets", cell_count, "secrets", NULL), AGE_COLUMN,
                          END};
LIST(services) = {
    NAME_COLUMN,
    COLUMN("Type", cell_text, "spec.type", NULL),
    COLUMN("Cluster-IP", cell_text, "spec.clusterIP", "<none>"),
    COLUMN("External-IP", service_addresses, NULL, "<none>"),
    COLUMN("Port(s)", service_ports, NULL, "<none>"),
    AGE_COLUMN,
    WIDE("Selector", cell_labels, "spec.selector", "<none>"),
    END,
};
LIST(api_services) = {
    NAME_COLUMN,
    COLUMN("Service", local_or_service, "spec.service", "Local"),
    COLUMN("Available", api_available, NULL, "Unknown"),
    AGE_COLUMN,
    END,
};
LIST(revisions) = {
    NAME_COLUMN,
    COLUMN("Controller", controller_reference, NULL, "<none>"),
    COLUMN("Revision", cell_integer, "revision", NULL),
    AGE_COLUMN,
    END,
};
LIST(daemon_sets) = {
    NAME_COLUMN,
    INTEGER("Desired", "status.desiredNumberScheduled"),
    INTEGER("Current", "status.currentNumberScheduled"),
    INTEGER("Ready", "status.numberReady"),
    INTEGER("Up-to-date", "status.updatedNumberScheduled"),
    INTEGER("Available", "status.numberAvailable"),
    COLUMN("Node Selector", cell_labels, "spec.template.spec.nodeSelector", "<none>"),
    AGE_COLUMN,
    CONTAINERS("spec.template.spec"),
    WIDE("Selector", cell_selector, "spec.selector", "<none>"),
    END,
};
LIST(deployments) = {
    NAME_COLUMN,
    COLUMN("Ready", ready_of, NULL, NULL),
    COLUMN("Up-to-date", cell_integer, "status.updatedReplicas", NULL),
    COLUMN("Available", cell_integer, "status.availableReplicas", NULL),
    AGE_COLUMN,
    CONTAINERS("spec.template.spec"),
    WIDE("Selector", cell_selector, "spec.selector", NULL),
    END,
};
LIST(stateful_sets) = {NAME_COLUMN, COLUMN("Ready", ready_of, NULL, NULL), AGE_COLUMN,
                       CONTAINERS("spec.template.spec"), END};
LIST(autoscalers) = {
    NAME_COLUMN,
    COLUMN("Reference", hpa_reference, "spec.scaleTargetRef", NULL),
    COLUMN("Targets", hpa_targets, NULL, "<none>"),
    COLUMN("MinPods", cell_any, "spec.minReplicas", "<unset>"),
    COLUMN("MaxPods", cell_integer, "spec.maxReplicas", NULL),
    COLUMN("Replicas", cell_integer, "status.currentReplicas", NULL),
    AGE_COLUMN,
    END,
};
LIST(cron_jobs) = {
    NAME_COLUMN,
    COLUMN("Schedule", cell_text, "spec.schedule", NULL),
    COLUMN("Timezone", cell_text, "spec.timeZone", "<none>"),
    {"Suspend", cell_bool_text, "spec.suspend", "<unset>", "boolean", false, NULL},
    COUNT("Active", "status.active"),
    COLUMN("Last Schedule", cell_age, "status.lastScheduleTime", "<none>"),
    AGE_COLUMN,
    CONTAINERS("spec.jobTemplate.spec.template.spec"),
    WIDE("Selector", cell_selector, "spec.jobTemplate.spec.selector", "<none>"),
    END,
};
LIST(jobs) = {
    NAME_COLUMN,
    COLUMN("Status", job_status, NULL, NULL),
    COLUMN("Completions", completions, NULL, NULL),
    COLUMN("Duration", job_duration, NULL, NULL),
    AGE_COLUMN,
    CONTAINERS("spec.template.spec"),
    WIDE("Selector", cell_selector, "spec.selector", "<none>"),
    END,
};
LIST(signing_requests) = {
    NAME_COLUMN,
    AGE_COLUMN,
    COLUMN("SignerName", cell_text, "spec.signerName", "<none>"),
    COLUMN("Requestor", cell_text, "spec.username", NULL),
    COLUMN("RequestedDuration", requested_duration, "spec.expirationSeconds", "<none>"),
    COLUMN("Condition", csr_condition, NULL, NULL),
    END,
};
LIST(ingress_classes) = {
    NAME_COLUMN,
    COLUMN("Controller", cell_text, "spec.controller", NULL),
    COLUMN("Parameters", ingress_class_parameters, "spec.parameters", "<none>"),
    AGE_COLUMN,
    END,
};
LIST(ingresses) = {
    NAME_COLUMN,
    COLUMN("Class", ingress_class, "spec.ingressClassName", "<none>"),
    COLUMN("Hosts", ingress_hosts, NULL, "*"),
    COLUMN("Address", ingress_address, "status.loadBalancer", NULL),
    COLUMN("Ports", ingress_ports, "spec.tls", NULL),
    AGE_COLUMN,
    END,
};
LIST(network_policies) = {NAME_COLUMN,
                          COLUMN("Pod-Selector", cell_selector, "spec.podSelector", "<none>"),
                          AGE_COLUMN, END};
LIST(disruption_budgets) = {
    NAME_COLUMN,
    COLUMN("Min Available", cell_any, "spec.minAvailable", "N/A"),
    COLUMN("Max Unavailable", cell_any, "spec.maxUnavailable", "N/A"),
    INTEGER("Allowed Disruptions", "status.disruptionsAllowed"),
    AGE_COLUMN,
    END,
};
LIST(role_bindings) = {
    NAME_COLUMN,
    COLUMN("Role", cell_of, "roleRef", NULL),
    AGE_COLUMN,
    WIDE("Users", role_subjects, "User", NULL),
    WIDE("Groups", role_subjects, "Group", NULL),
    WIDE("ServiceAccounts", role_subjects, "ServiceAccount", NULL),
    END,
};
LIST(csi_drivers) = {
    NAME_COLUMN,
    BOOLEAN("AttachRequired", "spec.attachRequired", "true"),
    BOOLEAN("PodInfoOnMount", "spec.podInfoOnMount", NULL),
    BOOLEAN("StorageCapacity", "spec.storageCapacity", NULL),
    COLUMN("TokenRequests", token_audiences, "spec.tokenRequests", "<unset>"),
    BOOLEAN("RequiresRepublish", "spec.requiresRepublish", NULL),
    COLUMN("Modes", cell_texts, "spec.volumeLifecycleModes", "<none>"),
    AGE_COLUMN,
    END,
};
LIST(csi_nodes) = {NAME_COLUMN, COUNT("Drivers", "spec.drivers"), AGE_COLUMN, END};
LIST(storage_classes) = {
    {"Name", storage_name, "metadata.name", NULL, NULL, false, "name"},
    COLUMN("Provisioner", cell_text, "provisioner", NULL),
    COLUMN("ReclaimPolicy", cell_text, "reclaimPolicy", "Delete"),
    COLUMN("VolumeBindingMode", cell_text, "volumeBindingMode", "Immediate"),
    COLUMN("AllowVolumeExpansion", cell_bool, "allowVolumeExpansion", NULL),
    AGE_COLUMN,
    END,
};
LIST(attachments) = {
    NAME_COLUMN,
    {"Attacher", cell_text, "spec.attacher", NULL, NULL, false, "name"},
    COLUMN("PV", cell_text, "spec.source.persistentVolumeName", NULL),
    COLUMN("Node", cell_text, "spec.nodeName", NULL),
    BOOLEAN("Attached", "status.attached", NULL),
    AGE_COLUMN,
    END,
};
LIST(webhooks) = {NAME_COLUMN, COUNT("Webhooks", "webhooks"), AGE_COLUMN, END};
LIST(admission_policies) = {
    NAME_COLUMN,
    COUNT("Validations", "spec.validations"),
    COLUMN("ParamKind", param_kind, "spec.paramKind", "<unset>"),
    AGE_COLUMN,
    END,
};
LIST(admission_bindings) = {
    NAME_COLUMN,
    COLUMN("PolicyName", cell_text, "spec.policyName", NULL),
    COLUMN("ParamRef", param_reference, "spec.paramRef", "<unset>"),
    AGE_COLUMN,
    END,
};
LIST(priority_classes) = {NAME_COLUMN, INTEGER("Value", "value"),
                          BOOLEAN("Global-Default", "globalDefault", NULL), AGE_COLUMN, END};
LIST(leases) = {NAME_COLUMN, COLUMN("Holder", cell_text, "spec.holderIdentity", NULL), AGE_COLUMN,
                END};
LIST(runtime_classes) = {NAME_COLUMN, COLUMN("Handler", cell_text, "handler", NULL), AGE_COLUMN,
                         END};
LIST(endpoint_slices) = {
    NAME_COLUMN,
    COLUMN("AddressType", cell_text, "addressType", NULL),
    COLUMN("Ports", ports_of_slice, "ports", "<unset>"),
    COLUMN("Endpoints", addresses_of_slice, "endpoints", "<unset>"),
    AGE_COLUMN,
    END,
};
LIST(flow_schemas) = {
    NAME_COLUMN,
    COLUMN("PriorityLevel", cell_text, "spec.priorityLevelConfiguration.name", NULL),
    COLUMN("MatchingPrecedence", cell_integer, "spec.matchingPrecedence", NULL),
    COLUMN("DistinguisherMethod", cell_text, "spec.distinguisherMethod.type", "<none>"),
    AGE_COLUMN,
    COLUMN("MissingPL", missing_level, "Dangling", "?"),
    END,
};
#define QUEUING "spec.limited.limitResponse.queuing."
LIST(priority_levels) = {
    NAME_COLUMN,
    COLUMN("Type", cell_text, "spec.type", NULL),
    COLUMN("NominalConcurrencyShares", flow_limit, "spec.limited.nominalConcurrencyShares",
           "<none>"),
    COLUMN("Queues", flow_limit, QUEUING "queues", "<none>"),
    COLUMN("HandSize", flow_limit, QUEUING "handSize", "<none>"),
    COLUMN("QueueLengthLimit", flow_limit, QUEUING "queueLengthLimit", "<none>"),
    AGE_COLUMN,
    END,
};
LIST(ip_addresses) = {NAME_COLUMN, COLUMN("ParentRef", ip_parent, "spec.parentRef", NULL),
                      AGE_COLUMN, END};
LIST(service_cidrs) = {NAME_COLUMN, COLUMN("CIDRs", cell_texts, "spec.cidrs", NULL), AGE_COLUMN,
                       END};

#define RBAC      "rbac.authorization.k8s.io"
#define STORAGE   "storage.k8s.io"
#define ADMISSION "admissionregistration.k8s.io"
#define NETWORK   "networking.k8s.io"
#define FLOW      "flowcontrol.apiserver.k8s.io"
const struct table tables[] = {
    {"",                       "componentstatuses",                 component_statuses     },
    {"",                       "configmaps",                        config_maps            },
    {"",                       "endpoints",                         endpoints              },
    {"",                       "events",                            events                 },
    {"",                       "namespaces",                        namespaces             },
    {"",                       "nodes",                             nodes                  },
    {"",                       "persistentvolumeclaims",            claims                 },
    {"",                       "persistentvolumes",                 volumes                },
    {"",                       "pods",                              pods                   },
    {"",                       "podtemplates",                      pod_templates          },
    {"",                       "replicationcontrollers",            replication_controllers},
    {"",                       "resourcequotas",                    quotas                 },
    {"",                       "secrets",                           secrets                },
    {"",                       "serviceaccounts",                   service_accounts       },
    {"",                       "services",                          services               },
    {"apiregistration.k8s.io", "apiservices",                       api_services           },
    {"apps",                   "controllerrevisions",               revisions              },
    {"apps",                   "daemonsets",                        daemon_sets            },
    {"apps",                   "deployments",                       deployments            },
    {"apps",                   "replicasets",                       replica_sets           },
    {"apps",                   "statefulsets",                      stateful_sets          },
    {"events.k8s.io",          "events",                            events                 },
    {"autoscaling",            "horizontalpodautoscalers",          autoscalers            },
    {"batch",                  "cronjobs",                          cron_jobs              },
    {"batch",                  "jobs",                              jobs                   },
    {"certificates.k8s.io",    "certificatesigningrequests",        signing_requests       },
    {NETWORK,                  "ingressclasses",                    ingress_classes        },
    {NETWORK,                  "ingresses",                         ingresses              },
    {NETWORK,                  "networkpolicies",                   network_policies       },
    {NETWORK,                  "ipaddresses",                       ip_addresses           },
    {NETWORK,                  "servicecidrs",                      service_cidrs          },
    {"policy",                 "poddisruptionbudgets",              disruption_budgets     },
    {RBAC,                     "clusterrolebindings",               role_bindings          },
    {RBAC,                     "rolebindings",                      role_bindings          },
    {STORAGE,                  "csidrivers",                        csi_drivers            },
    {STORAGE,                  "csinodes",                          csi_nodes              },
    {STORAGE,                  "storageclasses",                    storage_classes        },
    {STORAGE,                  "volumeattachments",                 attachments            },
    {ADMISSION,                "mutatingwebhookconfigurations",     webhooks               },
    {ADMISSION,                "validatingwebhookconfigurations",   webhooks               },
    {ADMISSION,                "validatingadmissionpolicies",       admission_policies     },
    {ADMISSION,                "validatingadmissionpolicybindings", admission_bindings     },
    {"scheduling.k8s.io",      "priorityclasses",                   priority_classes       },
    {"coordination.k8s.io",    "leases",                            leases                 },
    {"node.k8s.io",            "runtimeclasses",                    runtime_classes        },
    {"discovery.k8s.io",       "endpointslices",                    endpoint_slices        },
    {FLOW,                     "flowschemas",                       flow_schemas           },
    {FLOW,                     "prioritylevelconfigurations",       priority_levels        },
    {NULL,                     NULL,                                NULL                   },
};
