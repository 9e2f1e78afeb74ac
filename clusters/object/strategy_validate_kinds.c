/* What kinds demand beyond their types: pods, workloads, services, keys of config maps. */
#include <ctype.h>
#include <string.h>

#include "clusters/object/selector.h"
#include "clusters/object/strategy_kinds.h"

const char *path_of(struct field_errors *e, const char *parent, const char *member)
{
    return arena_printf(&e->op->arena, "%s.%s", parent, member);
}

const char *path_at(struct field_errors *e, const char *parent, const char *list, size_t i)
{
    return arena_printf(&e->op->arena, "%s.%s[%zu]", parent, list, i);
}

static bool is_one_of(const char *text, const char *const *texts)
{
    for (; *texts; texts++)
        if (strcmp(*texts, text) == 0)
            return true;
    return false;
}

static void check_choice(struct field_errors *e, const json_t *value, const char *path,
                         const char *const *choices)
{
    const char *text = json_string_value(value);

    if (text && !is_one_of(text, choices))
        field_not_supported(e, path, value, choices);
}

/* ---- pods ---- */

static void check_port(struct field_errors *e, const json_t *port, const char *path)
{
    static const char *const protocols[] = {"SCTP", "TCP", "UDP", NULL};
    const json_t *number = json_object_get(port, "containerPort");

    if (!number)
        field_required(e, path_of(e, path, "containerPort"), "");
    else if (json_integer_value(number) < 1 || json_integer_value(number) > 65535)
        field_invalid(e, path_of(e, path, "containerPort"), number,
                      "must be between 1 and 65535, inclusive");
    check_choice(e, json_object_get(port, "protocol"), path_of(e, path, "protocol"), protocols);
}

static bool names_volume(const json_t *spec, const char *name)
{
    json_t *volume;
    size_t i;

    json_array_foreach(json_object_get(spec, "volumes"), i, volume)
    {
        if (strcmp(text_at_or(volume, "name", ""), name) == 0)
            return true;
    }
    return false;
}

static void check_mounts(struct field_errors *e, const json_t *spec, const json_t *container,
                         const char *path)
{
    json_t *mount;
    size_t i;

    json_array_foreach(json_object_get(container, "volumeMounts"), i, mount)
    {
        const char *at_mount = path_at(e, path, "volumeMounts", i);
        const char *name = text_at_or(mount, "name", "");

        if (!*name)
            field_required(e, path_of(e, at_mount, "name"), "");
        else if (!names_volume(spec, name))
            field_not_found(e, path_of(e, at_mount, "name"), json_object_get(mount, "name"));
        if (!*text_at_or(mount, "mountPath", ""))
            field_required(e, path_of(e, at_mount, "mountPath"), "");
    }
}

static void check_env(struct field_errors *e, const json_t *container, const char *path)
{
    json_t *row;
    size_t i;

    json_array_foreach(json_object_get(container, "env"), i, row)
    {
        if (!*text_at_or(row, "name", ""))
            field_required(e, path_of(e, path_at(e, path, "env", i), "name"), "");
    }
}

static void check_container(struct field_errors *e, const json_t *spec, const json_t *container,
                            const char *path)
{
    static const char *const policies[] = {"Always", "IfNotPresent", "Never", NULL};
    const char *name = text_at_or(container, "name", ""), *fault;
    json_t *port;
    size_t i;

    if (!*name)
        field_required(e, path_of(e, path, "name"), "");
    else if ((fault = dns_label_fault(name)))
        field_invalid(e, path_of(e, path, "name"), json_object_get(container, "name"), fault);
    if (!*text_at_or(container, "image", ""))
        field_required(e, path_of(e, path, "image"), "");
    check_choice(e, json_object_get(container, "imagePullPolicy"),
                 path_of(e, path, "imagePullPolicy"), policies);
    json_array_foreach(json_object_get(container, "ports"), i, port)
    {
        check_port(e, port, path_at(e, path, "ports", i));
    }
    check_mounts(e, spec, container, path);
    check_env(e, container, path);
}

static void check_containers(struct field_errors *e, const json_t *spec, const char *path,
                             const char *list)
{
    const json_t *containers = json_object_get(spec, list);
    json_t *container, *other;
    size_t i, j;

    json_array_foreach(containers, i, container)
    {
        const char *at_container = path_at(e, path, list, i);

        check_container(e, spec, container, at_container);
        json_array_foreach(containers, j, other)
        {
            if (j < i &&
                json_equal(json_object_get(other, "name"), json_object_get(container, "name")))
                field_duplicate(e, path_of(e, at_container, "name"),
                                json_object_get(container, "name"));
        }
    }
}

static void check_volumes(struct field_errors *e, const json_t *spec, const char *path)
{
    json_t *volume;
    size_t i;

    json_array_foreach(json_object_get(spec, "volumes"), i, volume)
    {
        const char *name = text_at_or(volume, "name", ""), *fault;
        const char *at_name = path_of(e, path_at(e, path, "volumes", i), "name");

        if (!*name)
            field_required(e, at_name, "");
        else if ((fault = dns_label_fault(name)))
            field_invalid(e, at_name, json_object_get(volume, "name"), fault);
    }
}

void check_pod_spec(struct field_errors *e, const json_t *spec, const char *path)
{
    static const char *const restarts[] = {"Always", "Never", "OnFailure", NULL};
    static const char *const policies[] = {"ClusterFirst", "ClusterFirstWithHostNet", "Default",
                                           "None", NULL};

    if (!json_array_size(json_object_get(spec, "containers")))
        field_required(e, path_of(e, path, "containers"), "");
    check_volumes(e, spec, path);
    check_pod_fields(e, spec, path);
    check_containers(e, spec, path, "containers");
    check_containers(e, spec, path, "initContainers");
    check_choice(e, json_object_get(spec, "restartPolicy"), path_of(e, path, "restartPolicy"),
                 restarts);
    check_choice(e, json_object_get(spec, "dnsPolicy"), path_of(e, path, "dnsPolicy"), policies);
}

/* What an update may change of a pod's spec; else it is as it was. */
static json_t *without_mutable(const json_t *spec)
{
    static const char *const members[] = {"activeDeadlineSeconds",
                                          "terminationGracePeriodSeconds",
                                          "tolerations",
                                          "schedulingGates",
                                          "ephemeralContainers",
                                          "nodeSelector",
                                          "affinity",
                                          "nodeName"};
    static const char *const lists[] = {"containers", "initContainers"};
    json_t *copy = json_deep_copy(spec), *container;
    size_t j;

    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        json_object_del(copy, members[i]);
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        json_array_foreach(json_object_get(copy, lists[i]), j, container)
        {
            json_object_del(container, "image");
            json_object_del(container, "resources");
            json_object_del(container, "resizePolicy");
        }
    return copy;
}

static void check_unchanged_pod(struct field_errors *e, const json_t *tree, const json_t *live)
{
    json_t *now = without_mutable(json_object_get(tree, "spec"));
    json_t *was = without_mutable(json_object_get(live, "spec"));

    if (!json_equal(now, was))
        field_forbidden(e, "spec",
                        "pod updates may not change fields other than "
                        "`spec.containers[*].image`,`spec.initContainers[*].image`,"
                        "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to "
                        "existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to "
                        "be set to 1 if it was previously negative)");
    json_decref(now);
    json_decref(was);
}

void validate_pod(struct field_errors *e, const json_t *tree, const json_t *live,
                  const char *subresource)
{
    if (subresource && strcmp(subresource, "status") == 0)
        return;
    check_pod_spec(e, json_object_get(tree, "spec"), "spec");
    if (live)
        check_unchanged_pod(e, tree, live);
}

/* ---- workloads: a selector that chooses their template's pods ---- */

static void check_template(struct field_errors *e, const json_t *tree)
{
    const json_t *spec = at(tree, "spec.template.spec");

    check_pod_spec(e, spec, "spec.template.spec");
    if (strcmp(text_at_or(spec, "restartPolicy", "Always"), "Always") != 0)
        field_not_supported(e, "spec.template.spec.restartPolicy",
                            json_object_get(spec, "restartPolicy"),
                            (const char *const[]){"Always", NULL});
}

/* As upstream's messages name it: of replica sets they say deployment too. */
static const char *selecting_kind(const json_t *tree)
{
    const char *kind = text_at_or(tree, "kind", "");

    if (strcmp(kind, "StatefulSet") == 0)
        return "statefulset";
    return strcmp(kind, "DaemonSet") == 0 ? "daemonset" : "deployment";
}

/* What rolls needs room to: one more or one less. */
static void check_rolling(struct field_errors *e, const json_t *tree)
{
    const json_t *rolling = at(tree, "spec.strategy.rollingUpdate");
    const json_t *fewer = json_object_get(rolling, "maxUnavailable");
    const json_t *more = json_object_get(rolling, "maxSurge");
    const char *few = json_string_value(fewer), *much = json_string_value(more);
    const json_t *deadline = at(tree, "spec.progressDeadlineSeconds");

    if (rolling && strcmp(text_at_or(tree, "spec.strategy.type", ""), "Recreate") == 0)
        field_forbidden(e, "spec.strategy.rollingUpdate",
                        "may not be specified when strategy `type` is 'Recreate'");
    else if (fewer && more && (few ? strcmp(few, "0%") == 0 : !json_integer_value(fewer)) &&
             (much ? strcmp(much, "0%") == 0 : !json_integer_value(more)))
        field_invalid(e, "spec.strategy.rollingUpdate.maxUnavailable", fewer,
                      "may not be 0 when `maxSurge` is 0");
    if (deadline && json_integer_value(deadline) <= int_at(tree, "spec.minReadySeconds", 0))
        field_invalid(e, "spec.progressDeadlineSeconds", deadline,
                      "must be greater than minReadySeconds");
}

void validate_workload(struct field_errors *e, const json_t *tree, const json_t *live,
                       const char *subresource)
{
    const json_t *selector = at(tree, "spec.selector"), *replicas = at(tree, "spec.replicas");
    const json_t *labels = at(tree, "spec.template.metadata.labels");
    const struct selector *parsed = NULL;
    json_t *none;

    if (subresource && strcmp(subresource, "status") == 0)
        return;
    if (replicas && json_integer_value(replicas) < 0)
        field_invalid(e, "spec.replicas", replicas, "must be greater than or equal to 0");
    if (!selector) {
        field_required(e, "spec.selector", "");
    } else if (selector_of(e->op, &e->op->arena, selector, &parsed) != OK) {
        field_invalid(e, "spec.selector", selector, e->op->message);
        op_clear_fault(e->op);
    } else if (selector_is_all(parsed)) {
        field_invalid(
            e, "spec.selector", selector,
            arena_printf(&e->op->arena, "empty selector is invalid for %s", selecting_kind(tree)));
    } else if (!selector_matches(parsed, labels)) {
        none = labels ? NULL : json_object();
        field_invalid(e, "spec.template.metadata.labels", labels ? labels : none,
                      "`selector` does not match template `labels`");
        json_decref(none);
    }
    if (live && !json_equal(selector, at(live, "spec.selector")))
        field_invalid(e, "spec.selector", selector, "field is immutable");
    check_rolling(e, tree);
    check_template(e, tree);
}

void validate_job(struct field_errors *e, const json_t *tree, const json_t *live,
                  const char *subresource)
{
    static const char *const restarts[] = {"OnFailure", "Never", NULL};
    const json_t *spec = at(tree, "spec.template.spec");

    if (subresource && strcmp(subresource, "status") == 0)
        return;
    check_pod_spec(e, spec, "spec.template.spec");
    if (!is_one_of(text_at_or(spec, "restartPolicy", "Always"), restarts))
        field_required(e, "spec.template.spec.restartPolicy",
                       "valid values: \"OnFailure\", \"Never\"");
    if (live && !json_equal(at(tree, "spec.selector"), at(live, "spec.selector")))
        field_invalid(e, "spec.selector", at(tree, "spec.selector"), "field is immutable");
}

/* ---- services ---- */

static void check_service_port(struct field_errors *e, const json_t *port, const char *path,
                               bool named)
{
    static const char *const protocols[] = {"SCTP", "TCP", "UDP", NULL};
    const json_t *number = json_object_get(port, "port");
    const char *name = text_at_or(port, "name", "");

    if (named && !*name)
        field_required(e, path_of(e, path, "name"), "");
    else if (*name && dns_label_fault(name))
        field_invalid(e, path_of(e, path, "name"), json_object_get(port, "name"),
                      dns_label_fault(name));
    if (json_integer_value(number) < 1 || json_integer_value(number) > 65535)
        field_invalid(e, path_of(e, path, "port"), number,
                      "must be between 1 and 65535, inclusive");
    check_choice(e, json_object_get(port, "protocol"), path_of(e, path, "protocol"), protocols);
}

static void check_ports(struct field_errors *e, const json_t *spec)
{
    const json_t *ports = json_object_get(spec, "ports");
    json_t *port, *other;
    size_t i, j;

    json_array_foreach(ports, i, port)
    {
        const char *path = path_at(e, "spec", "ports", i);

        check_service_port(e, port, path, json_array_size(ports) > 1);
        json_array_foreach(ports, j, other)
        {
            if (j < i && *text_at_or(port, "name", "") &&
                json_equal(json_object_get(other, "name"), json_object_get(port, "name")))
                field_duplicate(e, path_of(e, path, "name"), json_object_get(port, "name"));
        }
    }
}

void validate_service(struct field_errors *e, const json_t *tree, const json_t *live,
                      const char *subresource)
{
    static const char *const types[] = {"ClusterIP", "ExternalName", "LoadBalancer", "NodePort",
                                        NULL};
    const json_t *spec = json_object_get(tree, "spec"), *had = at(live, "spec.clusterIPs");
    const char *type = text_at_or(spec, "type", "ClusterIP");
    bool external = strcmp(type, "ExternalName") == 0;
    bool headless = strcmp(text_at_or(spec, "clusterIP", ""), "None") == 0;

    if (subresource && strcmp(subresource, "status") == 0)
        return;
    check_choice(e, json_object_get(spec, "type"), "spec.type", types);
    if (external && !*text_at_or(spec, "externalName", ""))
        field_required(e, "spec.externalName", "");
    if (!external && !headless && !json_array_size(json_object_get(spec, "ports")))
        field_required(e, "spec.ports", "");
    check_ports(e, spec);
    if (!external && json_array_size(had) &&
        strcmp(text_at_or(live, "spec.type", ""), "ExternalName") != 0 &&
        !json_equal(json_array_get(had, 0), json_array_get(json_object_get(spec, "clusterIPs"), 0)))
        field_invalid(e, "spec.clusterIPs[0]", json_object_get(spec, "clusterIPs"),
                      "may not change once set");
}

/* ---- config maps and secrets ---- */

static const char *key_fault(const char *key)
{
    for (const char *p = key; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("-._", *p))
            return "a valid config key must consist of alphanumeric characters, '-', '_' or '.' "
                   "(e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is "
                   "'[-._a-zA-Z0-9]+')";
    if (strcmp(key, ".") == 0)
        return "must not be '.'";
    return strncmp(key, "..", 2) == 0 ? "must not start with '..'" : NULL;
}

static void check_keys(struct field_errors *e, const json_t *tree, const char *member)
{
    const char *key;
    json_t *value;

    json_object_foreach(json_object_get(tree, member), key, value)
    {
        const char *fault = key_fault(key);
        json_t *bad;

        if (!fault)
            continue;
        bad = json_string(key);
        field_invalid(e, arena_printf(&e->op->arena, "%s[%s]", member, key), bad, fault);
        json_decref(bad);
    }
}

#define KEYS_MAX_BYTES ((size_t)1 << 20)

/* One MiB in all, of what the values mean: binaryData and secrets are base64. */
static void check_sizes(struct field_errors *e, const json_t *tree)
{
    static const char *const members[] = {"data", "binaryData"};
    bool secret = strcmp(text_at_or(tree, "kind", ""), "Secret") == 0;
    size_t total = 0;
    const char *key;
    json_t *value;

    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        json_object_foreach(json_object_get(tree, members[i]), key, value)
        {
            size_t len = json_string_length(value);
            const char *text = json_string_value(value);

            while ((secret || i == 1) && len && text[len - 1] == '=')
                len--;
            total += secret || i == 1 ? len * 3 / 4 : len;
        }
    if (total > KEYS_MAX_BYTES)
        field_too_long(e, secret ? "data" : "", (int64_t)KEYS_MAX_BYTES);
    json_object_foreach(json_object_get(tree, "binaryData"), key, value)
    {
        json_t *shown = json_string(key);

        if (json_object_get(json_object_get(tree, "data"), key))
            field_invalid(e, arena_printf(&e->op->arena, "data[%s]", key), shown,
                          "duplicate of key present in binaryData");
        json_decref(shown);
    }
}

static void check_immutable(struct field_errors *e, const json_t *tree, const json_t *live)
{
    static const char *const members[] = {"data", "binaryData"};

    if (!live || !bool_at(live, "immutable", false))
        return;
    if (!bool_at(tree, "immutable", false))
        field_forbidden(e, "immutable", "field is immutable when `immutable` is set");
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        const json_t *now = json_object_get(tree, members[i]);
        const json_t *was = json_object_get(live, members[i]);

        if (!(now == was || json_equal(now, was)))
            field_forbidden(e, members[i], "field is immutable when `immutable` is set");
    }
}

void validate_keys(struct field_errors *e, const json_t *tree, const json_t *live,
                   const char *subresource)
{
    (void)subresource;
    check_keys(e, tree, "data");
    check_keys(e, tree, "binaryData");
    check_sizes(e, tree);
    check_immutable(e, tree, live);
}

/* What each type of secret holds: upstream's table. */
static const struct {
    const char *type, *keys[2];
} secret_types[] = {
    {"kubernetes.io/basic-auth",       {"username", "password"}   },
    {"kubernetes.io/dockercfg",        {".dockercfg", NULL}       },
    {"kubernetes.io/dockerconfigjson", {".dockerconfigjson", NULL}},
    {"kubernetes.io/ssh-auth",         {"ssh-privatekey", NULL}   },
    {"kubernetes.io/tls",              {"tls.crt", "tls.key"}     },
};

void validate_secret(struct field_errors *e, const json_t *tree, const json_t *live,
                     const char *subresource)
{
    const char *type = text_at_or(tree, "type", "");
    const json_t *data = json_object_get(tree, "data");

    validate_keys(e, tree, live, subresource);
    for (size_t i = 0; i < ARRAY_LEN(secret_types); i++) {
        const char *const *keys = secret_types[i].keys;
        bool any = i == 0 && (json_object_get(data, keys[0]) || json_object_get(data, keys[1]));

        for (size_t k = 0; strcmp(type, secret_types[i].type) == 0 && k < 2 && keys[k]; k++)
            if (!any && !json_object_get(data, keys[k]))
                field_required(e, arena_printf(&e->op->arena, "data[%s]", keys[k]), "");
    }
    if (strcmp(type, "kubernetes.io/service-account-token") == 0 &&
        !annotation_of(tree, "kubernetes.io/service-account.name"))
        field_required(e, "metadata.annotations[kubernetes.io/service-account.name]", "");
}
