/* Defaults that are not a plain value: they look at other members. */
#include <string.h>

#include "clusters/object/quantity.h"
#include "clusters/object/strategy_kinds.h"

static bool has(const json_t *tree, const char *member)
{
    const json_t *value = json_object_get(tree, member);

    return value && !json_is_null(value);
}

static void set_default(json_t *tree, const char *member, json_t *value)
{
    if (has(tree, member))
        json_decref(value);
    else
        json_object_set_new(tree, member, value);
}

static const char *text(const json_t *tree, const char *member)
{
    const char *value = json_string_value(json_object_get(tree, member));

    return value ? value : "";
}

static bool is(const json_t *tree, const char *member, const char *value)
{
    return strcmp(text(tree, member), value) == 0;
}

/* A string member that is empty counts as absent. */
static void set_text(json_t *tree, const char *member, const char *value)
{
    if (!*text(tree, member))
        json_object_set_new(tree, member, json_string(value));
}

/* ---- apps ---- */

/* {type, rollingUpdate: {a, b}} */
static json_t *rolling(json_t *spec, const char *member)
{
    json_t *strategy = object_at(spec, member);

    set_text(strategy, "type", "RollingUpdate");
    return is(strategy, "type", "RollingUpdate") ? object_at(strategy, "rollingUpdate") : NULL;
}

void default_deployment(struct op *op, json_t *spec)
{
    json_t *update = rolling(spec, "strategy");

    (void)op;
    if (!update)
        return;
    set_default(update, "maxUnavailable", json_string("25%"));
    set_default(update, "maxSurge", json_string("25%"));
}

void default_daemon_set(struct op *op, json_t *spec)
{
    json_t *update = rolling(spec, "updateStrategy");

    (void)op;
    if (!update)
        return;
    set_default(update, "maxUnavailable", json_integer(1));
    set_default(update, "maxSurge", json_integer(0));
}

void default_stateful_set(struct op *op, json_t *spec)
{
    json_t *update = rolling(spec, "updateStrategy"), *claim;
    size_t i;

    (void)op;
    if (update)
        set_default(update, "partition", json_integer(0));
    json_array_foreach(json_object_get(spec, "volumeClaimTemplates"), i, claim)
    {
        set_default(claim, "kind", json_string("PersistentVolumeClaim"));
        set_default(claim, "apiVersion", json_string("v1"));
        set_default(claim, "status", json_pack("{s:s}", "phase", "Pending"));
    }
}

void default_replication_controller(struct op *op, json_t *controller)
{
    json_t *spec = json_object_get(controller, "spec");
    json_t *labels = at(spec, "template.metadata.labels");

    (void)op;
    if (!json_object_size(labels))
        return;
    if (!json_object_size(json_object_get(spec, "selector")))
        json_object_set_new(spec, "selector", json_deep_copy(labels));
    if (!json_object_size(at(controller, "metadata.labels")))
        set_at(controller, "metadata.labels", json_deep_copy(labels));
}

/* ---- batch ---- */

void default_job(struct op *op, json_t *job)
{
    json_t *spec = object_at(job, "spec");
    bool per_index = has(spec, "backoffLimitPerIndex");

    (void)op;
    if (!has(spec, "completions") && !has(spec, "parallelism"))
        json_object_set_new(spec, "completions", json_integer(1));
    set_default(spec, "parallelism", json_integer(1));
    set_default(spec, "backoffLimit", json_integer(per_index ? INT32_MAX : 6));
    set_default(spec, "completionMode", json_string("NonIndexed"));
    set_default(spec, "suspend", json_false());
    set_default(spec, "manualSelector", json_false());
    set_default(spec, "podReplacementPolicy",
                json_string(has(spec, "podFailurePolicy") ? "Failed" : "TerminatingOrFailed"));
}

/* ---- autoscaling ---- */

static void default_scaling_rules(json_t *rules, int64_t window, const char *policies)
{
    set_default(rules, "selectPolicy", json_string("Max"));
    if (window >= 0)
        set_default(rules, "stabilizationWindowSeconds", json_integer(window));
    set_default(rules, "policies", json_loads(policies, 0, NULL));
}

void default_autoscaler(struct op *op, json_t *spec)
{
    json_t *behavior = json_object_get(spec, "behavior");

    (void)op;
    if (!json_is_object(behavior))
        return;
    default_scaling_rules(object_at(behavior, "scaleUp"), 0,
                          "[{\"type\":\"Pods\",\"value\":4,\"periodSeconds\":15},"
                          "{\"type\":\"Percent\",\"value\":100,\"periodSeconds\":15}]");
    default_scaling_rules(object_at(behavior, "scaleDown"), -1,
                          "[{\"type\":\"Percent\",\"value\":100,\"periodSeconds\":15}]");
}

/* ---- core: pods ---- */

/* The image's tag: what follows the last ":" after the last "/"; a digest counts as one. */
static bool is_latest(const char *image)
{
    const char *slash = strrchr(image, '/');
    const char *tag = strchr(slash ? slash : image, ':');

    if (strchr(image, '@'))
        return false;
    return !tag || strcmp(tag, ":latest") == 0;
}

void default_pull_policy(struct op *op, json_t *container)
{
    (void)op;
    set_text(container, "imagePullPolicy",
             is_latest(text(container, "image")) ? "Always" : "IfNotPresent");
}

void default_volume(struct op *op, json_t *volume)
{
    (void)op;
    if (json_object_size(volume) == 1 && has(volume, "name"))
        json_object_set_new(volume, "emptyDir", json_object());
}

static void default_host_ports(json_t *containers)
{
    json_t *container, *port;
    size_t i, j;

    json_array_foreach(containers, i, container)
    {
        json_array_foreach(json_object_get(container, "ports"), j, port)
        {
            if (json_integer_value(json_object_get(port, "hostPort")) == 0)
                json_object_set(port, "hostPort", json_object_get(port, "containerPort"));
        }
    }
}

void default_pod_spec(struct op *op, json_t *spec)
{
    (void)op;
    if (json_is_true(json_object_get(spec, "hostNetwork"))) {
        default_host_ports(json_object_get(spec, "containers"));
        default_host_ports(json_object_get(spec, "initContainers"));
    }
    if (has(spec, "serviceAccount") && !has(spec, "serviceAccountName"))
        json_object_set(spec, "serviceAccountName", json_object_get(spec, "serviceAccount"));
    else if (has(spec, "serviceAccountName"))
        json_object_set(spec, "serviceAccount", json_object_get(spec, "serviceAccountName"));
}

/* What is limited and not asked for is asked for. */
static void requests_from_limits(json_t *containers)
{
    json_t *container, *limit;
    const char *name;
    size_t i;

    json_array_foreach(containers, i, container)
    {
        json_object_foreach(at(container, "resources.limits"), name, limit)
        {
            json_t *requests = object_at(json_object_get(container, "resources"), "requests");

            set_default(requests, name, json_incref(limit));
        }
    }
}

void default_pod(struct op *op, json_t *pod)
{
    json_t *spec = object_at(pod, "spec");

    (void)op;
    requests_from_limits(json_object_get(spec, "containers"));
    requests_from_limits(json_object_get(spec, "initContainers"));
    set_default(spec, "enableServiceLinks", json_true());
}

/* ---- core: the rest ---- */

void default_service_port(struct op *op, json_t *port)
{
    const json_t *target = json_object_get(port, "targetPort");

    (void)op;
    if (!target || json_is_null(target) || (json_is_integer(target) && !json_integer_value(target)))
        json_object_set(port, "targetPort", json_object_get(port, "port"));
}

void default_service(struct op *op, json_t *spec)
{
    bool balanced = is(spec, "type", "LoadBalancer"), external = is(spec, "type", "ExternalName");

    (void)op;
    if (is(spec, "sessionAffinity", "ClientIP") && !has(spec, "sessionAffinityConfig"))
        set_at(spec, "sessionAffinityConfig.clientIP.timeoutSeconds", json_integer(10800));
    if (is(spec, "sessionAffinity", "None"))
        json_object_del(spec, "sessionAffinityConfig");
    if (balanced || is(spec, "type", "NodePort") || json_array_size(at(spec, "externalIPs")))
        set_text(spec, "externalTrafficPolicy", "Cluster");
    if (balanced)
        set_default(spec, "allocateLoadBalancerNodePorts", json_true());
    if (!external)
        set_text(spec, "internalTrafficPolicy", "Cluster");
}

static void copy_missing(json_t *into, const json_t *from)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)from, name, value)
    {
        set_default(into, name, json_incref(value));
    }
}

void default_limit_range_item(struct op *op, json_t *item)
{
    (void)op;
    if (!is(item, "type", "Container"))
        return;
    if (has(item, "max"))
        copy_missing(object_at(item, "default"), json_object_get(item, "max"));
    if (has(item, "default"))
        copy_missing(object_at(item, "defaultRequest"), json_object_get(item, "default"));
    if (has(item, "min"))
        copy_missing(object_at(item, "defaultRequest"), json_object_get(item, "min"));
}

void default_namespace(struct op *op, json_t *ns)
{
    const char *name = text_at(ns, "metadata.name");

    (void)op;
    if (name && *name)
        json_object_set_new(object_at(ns, "metadata.labels"), "kubernetes.io/metadata.name",
                            json_string(name));
}

/* ---- other groups ---- */

void default_network_policy(struct op *op, json_t *spec)
{
    json_t *types;

    (void)op;
    if (json_array_size(json_object_get(spec, "policyTypes")))
        return;
    types = json_pack("[s]", "Ingress");
    if (json_array_size(json_object_get(spec, "egress")))
        json_array_append_new(types, json_string("Egress"));
    json_object_set_new(spec, "policyTypes", types);
}

void default_subject(struct op *op, json_t *subject)
{
    (void)op;
    if (is(subject, "kind", "User") || is(subject, "kind", "Group"))
        set_text(subject, "apiGroup", "rbac.authorization.k8s.io");
}

void default_custom_resource(struct op *op, json_t *spec)
{
    json_t *names = object_at(spec, "names");
    char *singular = arena_strdup(&op->arena, text(names, "kind"));

    for (char *p = singular; *p; p++)
        *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
    set_text(names, "singular", singular);
    set_text(names, "listKind", arena_printf(&op->arena, "%sList", text(names, "kind")));
    set_text(object_at(spec, "conversion"), "strategy", "None");
}
