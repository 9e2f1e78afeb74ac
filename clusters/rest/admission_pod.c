/* Admission of pods: service account, priority, runtime class, tolerations. */
#include <string.h>

#include "clusters/rest/rest_internal.h"

#define TOKEN_MOUNT   "/var/run/secrets/kubernetes.io/serviceaccount"
#define TOKEN_SECONDS 3607
#define MIRROR        "kubernetes.io/config.mirror"

/* ---- service account ---- */

static bool mounts_there(const json_t *container)
{
    json_t *mount;
    size_t i;

    json_array_foreach(json_object_get(container, "volumeMounts"), i, mount)
    {
        if (strcmp(text_at_or(mount, "mountPath", ""), TOKEN_MOUNT) == 0)
            return true;
    }
    return false;
}

static bool mount_into(json_t *containers, const char *volume)
{
    json_t *container;
    bool any = false;
    size_t i;

    json_array_foreach(containers, i, container)
    {
        if (mounts_there(container))
            continue;
        json_array_append_new(
            array_at(container, "volumeMounts"),
            json_pack("{s:s, s:b, s:s}", "name", volume, "readOnly", 1, "mountPath", TOKEN_MOUNT));
        any = true;
    }
    return any;
}

static json_t *token_volume(const char *name)
{
    return json_pack("{s:s, s:{s:[{s:{s:i, s:s}}, {s:{s:s, s:[{s:s, s:s}]}},"
                     " {s:{s:[{s:s, s:{s:s, s:s}}]}}], s:i}}",
                     "name", name, "projected", "sources", "serviceAccountToken",
                     "expirationSeconds", TOKEN_SECONDS, "path", "token", "configMap", "name",
                     "kube-root-ca.crt", "items", "key", "ca.crt", "path", "ca.crt", "downwardAPI",
                     "items", "path", "namespace", "fieldRef", "apiVersion", "v1", "fieldPath",
                     "metadata.namespace", "defaultMode", 0644);
}

static void mount_token(struct admission *a)
{
    const char *name = arena_printf(&a->op->arena, "kube-api-access-%s", random_suffix(a->op));
    bool any = mount_into(at(a->tree, "spec.initContainers"), name);

    any |= mount_into(at(a->tree, "spec.containers"), name);
    if (any)
        json_array_append_new(array_at(a->tree, "spec.volumes"), token_volume(name));
}

enum fault admit_pod_account(struct admission *a)
{
    const char *name = text_at_or(a->tree, "spec.serviceAccountName", "");
    const json_t *account, *wanted = at(a->tree, "spec.automountServiceAccountToken"), *secrets;
    struct object *object;

    if (annotation_of(a->tree, MIRROR))
        return OK;
    if (!*name)
        name = text_at_or(a->tree, "spec.serviceAccount", "");
    if (!*name)
        name = "default";
    object = store_latest(a->op, a->r->cluster->store, known.service_accounts, a->r->ns, name);
    if (!object)
        return forbidden(a->op, a->r->resource, a->r->name,
                         arena_printf(&a->op->arena,
                                      "error looking up service account %s/%s: serviceaccount "
                                      "\"%s\" not found",
                                      a->r->ns, name, name));
    name = arena_strdup(&a->op->arena, name); /* not a part of what is replaced now */
    set_at(a->tree, "spec.serviceAccountName", json_string(name));
    set_at(a->tree, "spec.serviceAccount", json_string(name));
    account = object_tree(object);
    if (!wanted)
        wanted = json_object_get(account, "automountServiceAccountToken");
    if (!wanted || json_is_true(wanted))
        mount_token(a);
    secrets = json_object_get(account, "imagePullSecrets");
    if (json_array_size(secrets) && !json_array_size(at(a->tree, "spec.imagePullSecrets")))
        set_at(a->tree, "spec.imagePullSecrets", json_deep_copy(secrets));
    return OK;
}

/* ---- priority ---- */

static enum fault class_of(struct admission *a, const char *name, struct object **ret)
{
    struct store_page page = {0};

    *ret = NULL;
    if (*name) {
        *ret = store_latest(a->op, a->r->cluster->store, known.priority_classes, NULL, name);
        if (!*ret)
            return forbidden(
                a->op, a->r->resource, a->r->name,
                arena_printf(&a->op->arena, "no PriorityClass with name %s was found", name));
        return OK;
    }
    TRY(store_list(a->op, a->r->cluster->store, known.priority_classes, NULL, NULL, NULL, 0, 0,
                   &page));
    for (size_t i = 0; i < page.n; i++)
        if (bool_at(object_tree(page.objects[i]), "globalDefault", false))
            *ret = page.objects[i];
    return OK;
}

enum fault admit_pod_priority(struct admission *a)
{
    const json_t *given = at(a->tree, "spec.priority");
    const char *policy = "PreemptLowerPriority";
    struct object *class = NULL;
    int64_t value = 0;

    TRY(class_of(a, text_at_or(a->tree, "spec.priorityClassName", ""), &class));
    if (class) {
        value = int_at(object_tree(class), "value", 0);
        policy = text_at_or(object_tree(class), "preemptionPolicy", policy);
        set_at(a->tree, "spec.priorityClassName", json_string(class->name));
    }
    if (given && json_integer_value(given) != value)
        return forbidden(a->op, a->r->resource, a->r->name,
                         arena_printf(&a->op->arena,
                                      "the integer value of priority (%lld) must not be provided "
                                      "in pod spec; priority admission controller computed %lld "
                                      "from the given PriorityClass name",
                                      (long long)json_integer_value(given), (long long)value));
    set_at(a->tree, "spec.priority", json_integer(value));
    if (!at(a->tree, "spec.preemptionPolicy"))
        set_at(a->tree, "spec.preemptionPolicy", json_string(policy));
    return OK;
}

/* ---- runtime class ---- */

static void add_map(json_t *tree, const char *path, const json_t *more)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)more, key, value)
    {
        json_object_set_new(object_at(tree, path), key, json_deep_copy(value));
    }
}

static void add_list(json_t *tree, const char *path, const json_t *more)
{
    json_t *value;
    size_t i;

    json_array_foreach(more, i, value)
    {
        json_array_append_new(array_at(tree, path), json_deep_copy(value));
    }
}

enum fault admit_pod_runtime(struct admission *a)
{
    const char *name = text_at_or(a->tree, "spec.runtimeClassName", "");
    const json_t *class, *overhead;
    struct object *object;

    if (!*name)
        return OK;
    object = store_latest(a->op, a->r->cluster->store, known.runtime_classes, NULL, name);
    if (!object)
        return forbidden(
            a->op, a->r->resource, a->r->name,
            arena_printf(&a->op->arena, "pod rejected: RuntimeClass \"%s\" not found", name));
    class = object_tree(object);
    overhead = at(class, "overhead.podFixed");
    if (overhead && at(a->tree, "spec.overhead") &&
        !json_equal(overhead, at(a->tree, "spec.overhead")))
        return forbidden(a->op, a->r->resource, a->r->name,
                         "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined "
                         "Overhead");
    if (overhead)
        set_at(a->tree, "spec.overhead", json_deep_copy(overhead));
    add_map(a->tree, "spec.nodeSelector", at(class, "scheduling.nodeSelector"));
    add_list(a->tree, "spec.tolerations", at(class, "scheduling.tolerations"));
    return OK;
}

/* ---- tolerations ---- */

static bool tolerates(const json_t *pod, const char *key)
{
    json_t *row;
    size_t i;

    json_array_foreach(at(pod, "spec.tolerations"), i, row)
    {
        const char *of = text_at_or(row, "key", ""), *effect = text_at_or(row, "effect", "");

        if ((!*of || strcmp(of, key) == 0) && (!*effect || strcmp(effect, "NoExecute") == 0))
            return true;
    }
    return false;
}

enum fault admit_pod_tolerations(struct admission *a)
{
    static const char *const keys[] = {"node.kubernetes.io/not-ready",
                                       "node.kubernetes.io/unreachable"};

    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (!tolerates(a->tree, keys[i]))
            json_array_append_new(array_at(a->tree, "spec.tolerations"),
                                  json_pack("{s:s, s:s, s:s, s:i}", "key", keys[i], "operator",
                                            "Exists", "effect", "NoExecute", "tolerationSeconds",
                                            300));
    return OK;
}
