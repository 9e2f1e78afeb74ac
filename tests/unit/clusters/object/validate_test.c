/* What kinds refuse, in upstream's words: what is sent, and the message (NULL: taken). */
#include <string.h>

#include "clusters/object/strategy.h"
#include "clusters/object/strategy_kinds.h"
#include "tests/unit/unit.h"

struct validate_case {
    const char *group, *version, *plural;
    const char *tree, *live; /* live NULL: creation */
    const char *message;     /* after `Kind "x" is invalid: `; NULL: OK */
};

#define META        "\"metadata\":{\"name\":\"x\",\"namespace\":\"n\"}"
#define POD         "\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]"
#define TEMPLATE    "\"template\":{\"metadata\":{\"labels\":{\"a\":\"b\"}}," POD "}}"
#define SELECTOR_AB "\"selector\":{\"matchLabels\":{\"a\":\"b\"}}"
#define INGRESS(path, backend)                                                                     \
    "{" META ",\"spec\":{\"rules\":[{\"host\":\"a.b\",\"http\":{\"paths\":[{" path                 \
    "\"backend\":" backend "}]}}]}}"
#define SERVICE      "{\"service\":{\"name\":\"s\",\"port\":{\"number\":80}}}"
#define POLICY(from) "{" META ",\"spec\":{\"podSelector\":{},\"ingress\":[{\"from\":[" from "]}]}}"
#define SCALER(more)                                                                               \
    "{" META ",\"spec\":{\"scaleTargetRef\":{\"kind\":\"Deployment\",\"name\":\"d\"}" more "}}"
#define CRON(schedule)                                                                             \
    "{" META ",\"spec\":{\"schedule\":\"" schedule                                                 \
    "\",\"jobTemplate\":{\"spec\":{\"template\":{" POD ",\"restartPolicy\":\"Never\"}}}}}}"
#define CLAIM(size)                                                                                \
    "{" META ",\"spec\":{\"accessModes\":[\"ReadWriteOnce\"],\"resources\":{\"requests\":"         \
    "{\"storage\":\"" size "\"}}}}"
#define CLASS(name) "{" META ",\"provisioner\":\"" name "\"}"
#define BINDING(role, subject)                                                                     \
    "{\"kind\":\"RoleBinding\"," META                                                              \
    ",\"roleRef\":{\"apiGroup\":\"rbac.authorization.k8s.io\",\"kind\":\"Role\",\"name\":\"" role  \
    "\"},\"subjects\":[" subject "]}"
#define USER      "{\"kind\":\"User\",\"apiGroup\":\"rbac.authorization.k8s.io\",\"name\":\"u\"}"
#define SET(more) "{\"kind\":\"StatefulSet\"," META ",\"spec\":{" SELECTOR_AB "," TEMPLATE more "}}"
#define SLICE(type, address)                                                                       \
    "{" META ",\"addressType\":\"" type "\",\"endpoints\":[{\"addresses\":[" address "]}]}"
#define CRD(name, versions)                                                                        \
    "{\"metadata\":{\"name\":\"" name "\"},\"spec\":{\"group\":\"a.b\",\"scope\":\"Cluster\","     \
    "\"names\":{\"plural\":\"xs\",\"kind\":\"X\"},\"versions\":[" versions "]}}"
#define VERSION                                                                                    \
    "{\"name\":\"v1\",\"storage\":true,\"schema\":{\"openAPIV3Schema\":{\"type\":\"object\"}}}"
#define ROLE(rule) "{" META ",\"rules\":[" rule "]}"
#define CONTAINER(more)                                                                            \
    "{" META ",\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"," more "}]}}"
#define SYSCTL                                                                                     \
    "must have at most 253 characters and match regex "                                            \
    "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
#define RBAC "rbac.authorization.k8s.io", "v1"
#define NET  "networking.k8s.io", "v1"

/* clang-format off */
static const struct validate_case cases[] = {
    /* ingresses */
    {NET, "ingresses", INGRESS("\"path\":\"/\",\"pathType\":\"Prefix\",", SERVICE), NULL, NULL},
    {NET, "ingresses", INGRESS("\"path\":\"/\",", SERVICE), NULL,
     "spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified"},
    {NET, "ingresses", INGRESS("\"path\":\"a\",\"pathType\":\"Prefix\",", SERVICE), NULL,
     "spec.rules[0].http.paths[0].path: Invalid value: \"a\": must be an absolute path"},
    {NET, "ingresses", INGRESS("\"path\":\"/a//b\",\"pathType\":\"Exact\",", SERVICE), NULL,
     "spec.rules[0].http.paths[0].path: Invalid value: \"/a//b\": must not contain '//'"},
    {NET, "ingresses", INGRESS("\"path\":\"/\",\"pathType\":\"Some\",", SERVICE), NULL,
     "spec.rules[0].http.paths[0].pathType: Unsupported value: \"Some\": supported values: "
     "\"Exact\", \"ImplementationSpecific\", \"Prefix\""},
    {NET, "ingresses", INGRESS("\"pathType\":\"ImplementationSpecific\",",
                               "{\"service\":{\"name\":\"s\"}}"), NULL,
     "spec.rules[0].http.paths[0].backend.service: Required value: port name or number is required"},
    {NET, "ingresses", "{" META ",\"spec\":{}}", NULL,
     "spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"},
    {NET, "ingresses", "{" META ",\"spec\":{\"defaultBackend\":" SERVICE
                       ",\"rules\":[{\"host\":\"1.2.3.4\"}]}}", NULL,
     "spec.rules[0].host: Invalid value: \"1.2.3.4\": must be a DNS name, not an IP address"},
    {NET, "ingressclasses", "{" META ",\"spec\":{\"controller\":\"a.b/c\"}}", NULL, NULL},
    {NET, "ingressclasses", "{" META ",\"spec\":{\"controller\":\"a.b/c\"}}",
     "{" META ",\"spec\":{\"controller\":\"a.b/d\"}}",
     "spec.controller: Invalid value: \"a.b/c\": field is immutable"},
    /* network policies */
    {NET, "networkpolicies", POLICY("{\"podSelector\":{}},{\"ipBlock\":{\"cidr\":\"10.0.0.0/8\","
                                    "\"except\":[\"10.1.0.0/16\"]}}"), NULL, NULL},
    {NET, "networkpolicies", POLICY("{}"), NULL,
     "spec.ingress[0].from[0]: Required value: must specify a peer"},
    {NET, "networkpolicies", POLICY("{\"ipBlock\":{\"cidr\":\"10.0.0.0/33\"}}"), NULL,
     "spec.ingress[0].from[0].ipBlock.cidr: Invalid value: \"10.0.0.0/33\": must be a valid CIDR "
     "value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"},
    {NET, "networkpolicies", POLICY("{\"ipBlock\":{\"cidr\":\"10.0.0.0/8\",\"except\":"
                                    "[\"11.0.0.0/16\"]}}"), NULL,
     "spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: \"11.0.0.0/16\": must be a strict "
     "subset of `cidr`"},
    {NET, "networkpolicies", "{" META ",\"spec\":{\"podSelector\":{},\"egress\":[{\"ports\":[{"
                             "\"port\":80,\"endPort\":70}]}]}}", NULL,
     "spec.egress[0].ports[0].endPort: Invalid value: 70: must be greater than or equal to `port`"},
    /* autoscalers, budgets */
    {"autoscaling", "v2", "horizontalpodautoscalers", SCALER(",\"maxReplicas\":3"), NULL, NULL},
    {"autoscaling", "v2", "horizontalpodautoscalers", SCALER(",\"minReplicas\":4,\"maxReplicas\":3"),
     NULL, "spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`"},
    {"autoscaling", "v2", "horizontalpodautoscalers",
     SCALER(",\"maxReplicas\":3,\"metrics\":[{\"type\":\"Resource\"}]"), NULL,
     "spec.metrics[0].resource: Required value: must populate information for the given metric "
     "source"},
    {"policy", "v1", "poddisruptionbudgets", "{" META ",\"spec\":{\"minAvailable\":\"50%\"}}", NULL,
     NULL},
    {"policy", "v1", "poddisruptionbudgets", "{" META ",\"spec\":{\"minAvailable\":\"150%\"}}",
     NULL, "spec.minAvailable: Invalid value: \"150%\": must not be greater than 100%"},
    {"policy", "v1", "poddisruptionbudgets", "{" META ",\"spec\":{\"maxUnavailable\":\"x%\"}}",
     NULL, "spec.maxUnavailable: Invalid value: \"x%\": a valid percent string must be a numeric "
     "string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is "
     "'[0-9]+%')"},
    /* cron jobs */
    {"batch", "v1", "cronjobs", CRON("*/5 1-3,7 * jan-mar sun"), NULL, NULL},
    {"batch", "v1", "cronjobs", CRON("@hourly"), NULL, NULL},
    {"batch", "v1", "cronjobs", CRON("* * *"), NULL,
     "spec.schedule: Invalid value: \"* * *\": expected exactly 5 fields, found 3: [* * *]"},
    {"batch", "v1", "cronjobs", CRON("61 * * * *"), NULL,
     "spec.schedule: Invalid value: \"61 * * * *\": end of range (61) above maximum (59): 61"},
    {"batch", "v1", "cronjobs", CRON("x * * * *"), NULL,
     "spec.schedule: Invalid value: \"x * * * *\": failed to parse int from x: strconv.Atoi: "
     "parsing \"x\": invalid syntax"},
    {"batch", "v1", "cronjobs", CRON("*/0 * * * *"), NULL,
     "spec.schedule: Invalid value: \"*/0 * * * *\": step of range should be a positive number: "
     "*/0"},
    {"batch", "v1", "cronjobs", CRON("@often"), NULL,
     "spec.schedule: Invalid value: \"@often\": unrecognized descriptor: @often"},
    {"batch", "v1", "cronjobs", CRON("CRON_TZ=UTC * * * * *"), NULL,
     "spec.schedule: Invalid value: \"CRON_TZ=UTC * * * * *\": cannot use TZ or CRON_TZ in "
     "schedule, use timeZone field instead"},
    {"batch", "v1", "cronjobs",
     "{" META ",\"spec\":{\"schedule\":\"@daily\",\"jobTemplate\":{\"spec\":{\"template\":{" POD
     "}}}}}}", NULL,
     "spec.jobTemplate.spec.template.spec.restartPolicy: Required value: valid values: "
     "\"OnFailure\", \"Never\""},
    /* workloads */
    {"apps", "v1", "statefulsets", SET(",\"serviceName\":\"a\""), NULL, NULL},
    {"apps", "v1", "statefulsets", SET(",\"replicas\":2"), SET(",\"replicas\":3"), NULL},
    {"apps", "v1", "statefulsets", SET(",\"serviceName\":\"a\""), SET(",\"serviceName\":\"b\""),
     "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', "
     "'template', 'updateStrategy', 'revisionHistoryLimit', "
     "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"},
    {"apps", "v1", "deployments", "{\"kind\":\"Deployment\"," META ",\"spec\":{" SELECTOR_AB
     "," TEMPLATE ",\"strategy\":{\"type\":\"RollingUpdate\",\"rollingUpdate\":{"
     "\"maxSurge\":0,\"maxUnavailable\":\"0%\"}}}}", NULL,
     "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: \"0%\": may not be 0 when "
     "`maxSurge` is 0"},
    {"apps", "v1", "daemonsets", "{\"kind\":\"DaemonSet\"," META ",\"spec\":{\"selector\":{},"
     TEMPLATE "}}", NULL,
     "spec.selector: Invalid value: {}: empty selector is invalid for daemonset"},
    {"", "v1", "replicationcontrollers", "{" META ",\"spec\":{\"selector\":{\"a\":\"c\"}," TEMPLATE
     "}}", NULL, "spec.template.metadata.labels: Invalid value: map[string]string{\"a\":\"b\"}: "
     "`selector` does not match template `labels`"},
    {"apps", "v1", "controllerrevisions", "{" META ",\"revision\":1,\"data\":{\"a\":1}}",
     "{" META ",\"revision\":1,\"data\":{\"a\":2}}",
     "data: Invalid value: {\"a\":1}: field is immutable"},
    /* pods */
    {"", "v1", "pods", "{" META "," POD ",\"securityContext\":{\"sysctls\":[{\"name\":\"foo-\"},"
     "{\"name\":\"kernel.shmmax\"},{\"name\":\"safe-and-unsafe\"},{\"name\":\"bar..\"}]}}}", NULL,
     "[spec.securityContext.sysctls[0].name: Invalid value: \"foo-\": " SYSCTL ", "
     "spec.securityContext.sysctls[3].name: Invalid value: \"bar..\": " SYSCTL "]"},
    {"", "v1", "pods", CONTAINER("\"resources\":{\"requests\":{\"cpu\":\"2\"},\"limits\":{\"cpu\":"
     "\"1\"}}"), NULL,
     "spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal to "
     "cpu limit of 1"},
    {"", "v1", "pods", CONTAINER("\"livenessProbe\":{\"periodSeconds\":1}"), NULL,
     "spec.containers[0].livenessProbe: Required value: must specify a handler type"},
    {"", "v1", "pods", CONTAINER("\"env\":[{\"name\":\"a=b\"}]"), NULL,
     "spec.containers[0].env[0].name: Invalid value: \"a=b\": a valid environment variable name must "
     "consist only of printable ASCII characters other than '='"},
    {"", "v1", "pods", CONTAINER("\"env\":[{\"name\":\"a.b-c\"}],\"livenessProbe\":{\"exec\":{}}"),
     NULL, NULL},
    {"", "v1", "pods", "{" META "," POD ",\"tolerations\":[{\"operator\":\"Near\"}]}}", NULL,
     "spec.tolerations[0].operator: Unsupported value: \"Near\": supported values: \"Equal\", "
     "\"Exists\""},
    {"", "v1", "pods", "{" META "," POD ",\"volumes\":[{\"name\":\"v\",\"secret\":{}},{\"name\":"
     "\"v\",\"emptyDir\":{}}]}}", NULL,
     "[spec.volumes[0].secret.secretName: Required value, spec.volumes[1].name: Duplicate value: "
     "\"v\"]"},
    /* storage */
    {"", "v1", "persistentvolumeclaims", CLAIM("1Gi"), NULL, NULL},
    {"", "v1", "persistentvolumeclaims", "{" META ",\"spec\":{\"resources\":{\"requests\":{"
     "\"storage\":\"1\"}}}}", NULL,
     "spec.accessModes: Required value: at least 1 access mode is required"},
    {"", "v1", "persistentvolumeclaims", CLAIM("2Gi"), CLAIM("1Gi"), NULL},
    {"", "v1", "persistentvolumeclaims", CLAIM("1Gi"), CLAIM("2Gi"),
     "spec.resources.requests.storage: Forbidden: field can not be less than status.capacity"},
    {"", "v1", "persistentvolumes", "{" META ",\"spec\":{\"accessModes\":[\"ReadWriteOnce\"],"
     "\"capacity\":{\"storage\":\"1\"}}}", NULL,
     "spec: Required value: must specify a volume type"},
    {"", "v1", "persistentvolumes", "{" META ",\"spec\":{\"accessModes\":[\"ReadWriteOnce\"],"
     "\"capacity\":{\"storage\":\"1\"},\"hostPath\":{\"path\":\"/a\"}}}", NULL, NULL},
    {"storage.k8s.io", "v1", "storageclasses", CLASS("a.b/c"), NULL, NULL},
    {"storage.k8s.io", "v1", "storageclasses", CLASS("a.b/c"), CLASS("a.b/d"),
     "provisioner: Forbidden: updates to provisioner are forbidden."},
    /* rights */
    {RBAC, "roles", ROLE("{\"apiGroups\":[\"\"],\"resources\":[\"pods\"],\"verbs\":[\"get\"]}"),
     NULL, NULL},
    {RBAC, "roles", ROLE("{\"apiGroups\":[\"\"],\"resources\":[\"pods\"]}"), NULL,
     "rules[0].verbs: Required value: verbs must contain at least one value"},
    {RBAC, "roles", ROLE("{\"nonResourceURLs\":[\"/a\"],\"verbs\":[\"get\"]}"), NULL,
     "rules[0].nonResourceURLs: Invalid value: []string{\"/a\"}: namespaced rules cannot apply to "
     "non-resource URLs"},
    {RBAC, "clusterroles", ROLE("{\"nonResourceURLs\":[\"/a\"],\"verbs\":[\"get\"]}"), NULL, NULL},
    {RBAC, "rolebindings", BINDING("r", USER), NULL, NULL},
    {RBAC, "rolebindings", BINDING("r", "{\"kind\":\"Robot\",\"name\":\"u\"}"), NULL,
     "subjects[0].kind: Unsupported value: \"Robot\": supported values: \"Group\", "
     "\"ServiceAccount\", \"User\""},
    {RBAC, "rolebindings", BINDING("r", USER), BINDING("r", ""), NULL},
    /* keys */
    {"", "v1", "secrets", "{\"kind\":\"Secret\"," META ",\"type\":\"kubernetes.io/tls\"}", NULL,
     "[data[tls.crt]: Required value, data[tls.key]: Required value]"},
    {"", "v1", "secrets", "{\"kind\":\"Secret\"," META ",\"type\":\"kubernetes.io/basic-auth\","
     "\"data\":{\"username\":\"YQ==\"}}", NULL, NULL},
    {"", "v1", "secrets", "{\"kind\":\"Secret\"," META ",\"type\":\"Opaque\"}",
     "{\"kind\":\"Secret\"," META ",\"type\":\"a/b\"}",
     "type: Invalid value: \"Opaque\": field is immutable"},
    {"", "v1", "configmaps", "{\"kind\":\"ConfigMap\"," META ",\"data\":{\"a\":\"b\"},"
     "\"binaryData\":{\"a\":\"Yg==\"}}", NULL,
     "data[a]: Invalid value: \"a\": duplicate of key present in binaryData"},
    {"", "v1", "configmaps", "{" META ",\"data\":{\"a\":\"b\"},\"immutable\":true}",
     "{" META ",\"data\":{\"a\":\"c\"},\"immutable\":true}",
     "data: Forbidden: field is immutable when `immutable` is set"},
    /* endpoints */
    {"", "v1", "endpoints", "{" META ",\"subsets\":[{\"addresses\":[{\"ip\":\"10.1.2.3\"}],"
     "\"ports\":[{\"port\":80}]}]}", NULL, NULL},
    {"", "v1", "endpoints", "{" META ",\"subsets\":[{\"addresses\":[{\"ip\":\"127.0.0.1\"}]}]}",
     NULL, "subsets[0].addresses[0].ip: Invalid value: \"127.0.0.1\": may not be in the loopback "
     "range (127.0.0.0/8, ::1/128)"},
    {"", "v1", "endpoints", "{" META ",\"subsets\":[{\"ports\":[{\"port\":80}]}]}", NULL,
     "subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"},
    {"discovery.k8s.io", "v1", "endpointslices", SLICE("IPv4", "\"10.1.2.3\""), NULL, NULL},
    {"discovery.k8s.io", "v1", "endpointslices", SLICE("IPv4", ""), NULL,
     "endpoints[0].addresses: Required value: must contain at least 1 address"},
    {"discovery.k8s.io", "v1", "endpointslices", SLICE("IPv6", "\"::2\""),
     SLICE("IPv4", "\"10.1.2.3\""), "addressType: Invalid value: \"IPv6\": field is immutable"},
    /* the rest */
    {"scheduling.k8s.io", "v1", "priorityclasses",
     "{\"metadata\":{\"name\":\"system-x\"},\"value\":1}", NULL,
     "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system "
     "use only"},
    {"scheduling.k8s.io", "v1", "priorityclasses", "{" META ",\"value\":2000000000}", NULL,
     "value: Forbidden: maximum allowed value of a user defined priority is 1000000000"},
    {"scheduling.k8s.io", "v1", "priorityclasses", "{" META ",\"value\":2}",
     "{" META ",\"value\":3}", "value: Forbidden: may not be changed in an update."},
    {"coordination.k8s.io", "v1", "leases", "{" META ",\"spec\":{\"leaseDurationSeconds\":0}}",
     NULL, "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"},
    {"", "v1", "limitranges", "{" META ",\"spec\":{\"limits\":[{\"type\":\"Container\",\"min\":{"
     "\"cpu\":\"2\"},\"max\":{\"cpu\":\"500m\"}}]}}", NULL,
     "spec.limits[0].min[cpu]: Invalid value: \"2\": min value 2 is greater than max value 500m"},
    {"", "v1", "resourcequotas", "{" META ",\"spec\":{\"hard\":{\"pods\":\"-1\"}}}", NULL,
     "spec.hard[pods]: Invalid value: \"-1\": must be greater than or equal to 0"},
    {"", "v1", "nodes", "{" META ",\"spec\":{\"podCIDR\":\"10.0.1.0/24\"}}",
     "{" META ",\"spec\":{\"podCIDR\":\"10.0.2.0/24\"}}",
     "spec.podCIDR: Forbidden: node updates may not change podCIDR except from \"\" to valid"},
    {"node.k8s.io", "v1", "runtimeclasses", "{" META "}", NULL, "handler: Required value"},
    {"apiextensions.k8s.io", "v1", "customresourcedefinitions", CRD("xs.a.b", VERSION), NULL, NULL},
    {"apiextensions.k8s.io", "v1", "customresourcedefinitions", CRD("ys.a.b", VERSION), NULL,
     "metadata.name: Invalid value: \"ys.a.b\": must be spec.names.plural+\".\"+spec.group"},
    {"", "v1", "events", "{" META ",\"involvedObject\":{\"namespace\":\"m\"}}", NULL,
     "involvedObject.namespace: Invalid value: \"m\": does not match event.namespace"},
};
/* clang-format on */

static void check(const struct validate_case *c)
{
    const struct resource *r = resource_find(c->group, c->version, c->plural);
    json_t *tree = json_loads(c->tree, 0, NULL);
    json_t *live = c->live ? json_loads(c->live, 0, NULL) : NULL;
    const char *said;
    enum fault fault;
    struct op op;

    if (!r || !tree || (c->live && !live))
        printf("\nno %s or no JSON: %s\n", c->plural, c->tree);
    CU_ASSERT_FATAL(r && tree && (!c->live || live));
    op_init(&op);
    fault = object_validate(&op, r->stored_as, tree, live, NULL);
    CU_ASSERT_EQUAL(fault, c->message ? INVALID : OK);
    said = fault == OK ? "" : strstr(op.message, " is invalid: ");
    said = said && *said ? said + strlen(" is invalid: ") : "";
    if (strcmp(said, c->message ? c->message : "") != 0)
        printf("\n%s %s\nsays   %s\nshould %s\n", c->plural, c->tree, said,
               c->message ? c->message : "");
    CU_ASSERT_STRING_EQUAL(said, c->message ? c->message : "");
    op_free(&op);
    json_decref(tree);
    json_decref(live);
}

static void test_kinds(void)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        check(&cases[i]);
}

/* roleRef's object has no order one can rely on in a message: only the words. */
static void test_role_ref(void)
{
    const struct resource *r = resource_find(RBAC, "rolebindings");
    json_t *tree = json_loads(BINDING("a", USER), 0, NULL);
    json_t *live = json_loads(BINDING("b", USER), 0, NULL);
    struct op op;

    op_init(&op);
    CU_ASSERT_EQUAL(object_validate(&op, r, tree, live, NULL), INVALID);
    CU_ASSERT(op.message && strstr(op.message, "roleRef: Invalid value: ") &&
              strstr(op.message, ": cannot change roleRef"));
    op_free(&op);
    json_decref(tree);
    json_decref(live);
}

CU_TestInfo clusters_object_validate_tests[] = {
    {"what kinds refuse, in upstream's words", test_kinds   },
    {"a binding's role stays",                 test_role_ref},
    CU_TEST_INFO_NULL,
};
