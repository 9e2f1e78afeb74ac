/* Rules between fields of roles, quotas, autoscalers, storage, and what else has few. */
#include <string.h>

#include "clusters/object/quantity.h"
#include "clusters/object/selector.h"
#include "clusters/object/strategy_kinds.h"

static bool is_status(const char *subresource)
{
    return subresource && strcmp(subresource, "status") == 0;
}

static bool is_same(const json_t *a, const json_t *b)
{
    return a == b || (a && b && json_equal(a, b));
}

/* ---- roles and bindings ---- */

static void check_role_rule(struct field_errors *e, const json_t *rule, const char *path,
                            bool namespaced)
{
    const json_t *urls = json_object_get(rule, "nonResourceURLs");
    const json_t *groups = json_object_get(rule, "apiGroups");
    const json_t *resources = json_object_get(rule, "resources");

    if (!json_array_size(json_object_get(rule, "verbs")))
        field_required(e, path_of(e, path, "verbs"), "verbs must contain at least one value");
    if (json_array_size(urls)) {
        const char *at_urls = path_of(e, path, "nonResourceURLs");

        if (namespaced)
            field_invalid(e, at_urls, urls, "namespaced rules cannot apply to non-resource URLs");
        if (json_array_size(groups) || json_array_size(resources))
            field_invalid(e, at_urls, urls,
                          "rules cannot apply to both regular resources and non-resource URLs");
        return;
    }
    if (!json_array_size(groups))
        field_required(e, path_of(e, path, "apiGroups"),
                       "resource rules must supply at least one api group");
    if (!json_array_size(resources))
        field_required(e, path_of(e, path, "resources"),
                       "resource rules must supply at least one resource");
}

static void check_role(struct field_errors *e, const json_t *tree, bool namespaced)
{
    json_t *rule;
    size_t i;

    json_array_foreach(json_object_get(tree, "rules"), i, rule)
    {
        check_role_rule(e, rule, arena_printf(&e->op->arena, "rules[%zu]", i), namespaced);
    }
}

void validate_role(struct field_errors *e, const json_t *tree, const json_t *live,
                   const char *subresource)
{
    (void)live;
    (void)subresource;
    check_role(e, tree, true);
}

void validate_cluster_role(struct field_errors *e, const json_t *tree, const json_t *live,
                           const char *subresource)
{
    json_t *selector;
    size_t i;

    (void)live;
    (void)subresource;
    check_role(e, tree, false);
    json_array_foreach(at(tree, "aggregationRule.clusterRoleSelectors"), i, selector)
    {
        const struct selector *parsed;

        if (selector_of(e->op, &e->op->arena, selector, &parsed) != OK) {
            field_invalid(e, path_at(e, "aggregationRule", "clusterRoleSelectors", i), selector,
                          e->op->message);
            op_clear_fault(e->op);
        }
    }
}

void validate_binding(struct field_errors *e, const json_t *tree, const json_t *live,
                      const char *subresource)
{
    static const char *const none[] = {"", NULL};
    static const char *const rbac[] = {"rbac.authorization.k8s.io", NULL};
    bool wide = strcmp(text_at_or(tree, "kind", ""), "ClusterRoleBinding") == 0;
    json_t *subject;
    size_t i;

    (void)live;
    (void)subresource;
    json_array_foreach(json_object_get(tree, "subjects"), i, subject)
    {
        const char *path = arena_printf(&e->op->arena, "subjects[%zu]", i);
        const char *group = text_at_or(subject, "apiGroup", "");
        bool account = strcmp(text_at_or(subject, "kind", ""), "ServiceAccount") == 0;

        if (*group && strcmp(group, account ? "" : rbac[0]) != 0)
            field_not_supported(e, path_of(e, path, "apiGroup"),
                                json_object_get(subject, "apiGroup"), account ? none : rbac);
        if (account && wide && !*text_at_or(subject, "namespace", ""))
            field_required(e, path_of(e, path, "namespace"), "");
    }
}

/* ---- autoscalers and budgets ---- */

static const struct {
    const char *type, *member;
} metric_sources[] = {
    {"ContainerResource", "containerResource"},
    {"External",          "external"         },
    {"Object",            "object"           },
    {"Pods",              "pods"             },
    {"Resource",          "resource"         },
};

static void check_metric(struct field_errors *e, const json_t *metric, const char *path)
{
    const char *type = text_at_or(metric, "type", "");

    for (size_t i = 0; i < ARRAY_LEN(metric_sources); i++) {
        bool there = json_object_get(metric, metric_sources[i].member) != NULL;
        const char *at_source = path_of(e, path, metric_sources[i].member);

        if (strcmp(type, metric_sources[i].type) == 0 && !there)
            field_required(e, at_source, "must populate information for the given metric source");
        else if (*type && strcmp(type, metric_sources[i].type) != 0 && there)
            field_forbidden(e, at_source, "must populate the given metric source only");
    }
}

void validate_autoscaler(struct field_errors *e, const json_t *tree, const json_t *live,
                         const char *subresource)
{
    const json_t *most = at(tree, "spec.maxReplicas");
    json_t *metric;
    size_t i;

    (void)live;
    if (is_status(subresource))
        return;
    if (int_at(tree, "spec.maxReplicas", 0) < 1)
        field_invalid(e, "spec.maxReplicas", most, "must be greater than 0");
    if (int_at(tree, "spec.maxReplicas", 0) < int_at(tree, "spec.minReplicas", 1))
        field_invalid(e, "spec.maxReplicas", most,
                      "must be greater than or equal to `minReplicas`");
    json_array_foreach(at(tree, "spec.metrics"), i, metric)
    {
        check_metric(e, metric, path_at(e, "spec", "metrics", i));
    }
}

void validate_disruption_budget(struct field_errors *e, const json_t *tree, const json_t *live,
                                const char *subresource)
{
    const json_t *spec = json_object_get(tree, "spec");

    (void)live;
    if (is_status(subresource))
        return;
    if (json_object_get(spec, "minAvailable") && json_object_get(spec, "maxUnavailable"))
        field_invalid(e, "spec", spec, "minAvailable and maxUnavailable cannot be both set");
}

/* ---- quotas, limits, priorities ---- */

void validate_quota(struct field_errors *e, const json_t *tree, const json_t *live,
                    const char *subresource)
{
    const char *name;
    json_t *value;

    (void)live;
    (void)subresource;
    json_object_foreach(at(tree, "spec.hard"), name, value)
    {
        const char *path = arena_printf(&e->op->arena, "spec.hard[%s]", name);
        struct quantity q = {0};
        json_t *shown = json_string(name);

        if (label_key_fault(name))
            field_invalid(e, path, shown, label_key_fault(name));
        else if (!strchr(name, '.') && !strchr(name, '/') && label_key_fault(name))
            field_invalid(e, path, shown, "must be a standard resource for quota");
        if (quantity_parse(json_string_value(value), &q) && q.nano < 0)
            field_invalid(e, path, value, "must be greater than or equal to 0");
        else if (strncmp(name, "count/", 6) == 0 && q.nano % 1000000000 != 0)
            field_invalid(e, path, value, "must be an integer");
        json_decref(shown);
    }
}

/* A pair of a limit's members of which the first may not be greater. */
static const struct {
    const char *low, *high, *words;
} limit_orders[] = {
    {"min",            "max",            "min value %s is greater than max value %s"            },
    {"min",            "defaultRequest", "min value %s is greater than default request value %s"},
    {"min",            "default",        "min value %s is greater than default value %s"        },
    {"defaultRequest", "max",            "default request value %s is greater than max value %s"},
    {"defaultRequest", "default",
     "default request value %s is greater than default limit value %s"                          },
    {"default",        "max",            "default value %s is greater than max value %s"        },
};

static void check_limit(struct field_errors *e, const json_t *limit, const char *path)
{
    const char *name;
    json_t *low;

    for (size_t i = 0; i < ARRAY_LEN(limit_orders); i++)
        json_object_foreach(json_object_get(limit, limit_orders[i].low), name, low)
        {
            const json_t *high =
                json_object_get(json_object_get(limit, limit_orders[i].high), name);
            struct quantity a = {0}, b = {0};
            const char *words = limit_orders[i].words;
            size_t before = strcspn(words, "%");
            const char *between = words + before + 2;

            if (!high || !quantity_parse(json_string_value(low), &a) ||
                !quantity_parse(json_string_value(high), &b) || quantity_compare(a, b) <= 0)
                continue;
            field_invalid(
                e, arena_printf(&e->op->arena, "%s.%s[%s]", path, limit_orders[i].low, name), low,
                arena_printf(&e->op->arena, "%.*s%s%.*s%s", (int)before, words,
                             json_string_value(low), (int)strcspn(between, "%"), between,
                             json_string_value(high)));
        }
}

void validate_limit_range(struct field_errors *e, const json_t *tree, const json_t *live,
                          const char *subresource)
{
    const json_t *limits = at(tree, "spec.limits");
    json_t *limit, *other;
    size_t i, j;

    (void)live;
    (void)subresource;
    json_array_foreach(limits, i, limit)
    {
        const char *path = path_at(e, "spec", "limits", i);

        if (!*text_at_or(limit, "type", ""))
            field_required(e, path_of(e, path, "type"), "");
        json_array_foreach(limits, j, other)
        {
            if (j < i && is_same(json_object_get(other, "type"), json_object_get(limit, "type")))
                field_duplicate(e, path_of(e, path, "type"), json_object_get(limit, "type"));
        }
        check_limit(e, limit, path);
    }
}

#define PRIORITY_MAX 1000000000

void validate_priority_class(struct field_errors *e, const json_t *tree, const json_t *live,
                             const char *subresource)
{
    const char *name = text_at_or(tree, "metadata.name", "");
    bool ours =
        strcmp(name, "system-node-critical") == 0 || strcmp(name, "system-cluster-critical") == 0;

    (void)subresource;
    if (live || ours)
        return;
    if (strncmp(name, "system-", 7) == 0)
        field_forbidden(e, "metadata.name",
                        "priority class names with 'system-' prefix are reserved for system use "
                        "only");
    if (int_at(tree, "value", 0) > PRIORITY_MAX)
        field_forbidden(e, "value",
                        arena_printf(&e->op->arena,
                                     "maximum allowed value of a user defined priority is %d",
                                     PRIORITY_MAX));
}

/* ---- nodes ---- */

void validate_node(struct field_errors *e, const json_t *tree, const json_t *live,
                   const char *subresource)
{
    static const char *const once[] = {"podCIDR", "providerID"};
    const json_t *taints = at(tree, "spec.taints");
    json_t *taint, *other;
    size_t i, j;

    if (is_status(subresource))
        return;
    json_array_foreach(taints, i, taint)
    {
        json_array_foreach(taints, j, other)
        {
            if (j < i && is_same(json_object_get(other, "key"), json_object_get(taint, "key")) &&
                is_same(json_object_get(other, "effect"), json_object_get(taint, "effect")))
                field_duplicate(e, path_at(e, "spec", "taints", i), taint);
        }
    }
    for (i = 0; live && i < ARRAY_LEN(once); i++) {
        const json_t *was = json_object_get(json_object_get(live, "spec"), once[i]);

        if (json_string_length(was) &&
            !is_same(was, json_object_get(json_object_get(tree, "spec"), once[i])))
            field_forbidden(e, path_of(e, "spec", once[i]),
                            arena_printf(&e->op->arena,
                                         "node updates may not change %s except from \"\" to valid",
                                         once[i]));
    }
}

/* ---- storage ---- */

/* Where a claim may grow, and what its binder sets. */
static json_t *claim_without_mutable(const json_t *spec, bool bound)
{
    json_t *copy = json_deep_copy(spec);

    json_object_del(copy, "resources");
    json_object_del(copy, "volumeAttributesClassName");
    if (!bound) {
        json_object_del(copy, "volumeName");
        json_object_del(copy, "storageClassName"); /* filled in when a default class appears */
    }
    return copy;
}

void validate_claim(struct field_errors *e, const json_t *tree, const json_t *live,
                    const char *subresource)
{
    bool bound = *text_at_or(live, "spec.volumeName", "") != '\0';
    const char *had = text_at(live, "spec.resources.requests.storage");
    const char *wants = text_at(tree, "spec.resources.requests.storage");
    json_t *now, *was;

    if (is_status(subresource) || !live)
        return;
    now = claim_without_mutable(json_object_get(tree, "spec"), bound);
    was = claim_without_mutable(json_object_get(live, "spec"), bound);
    if (!json_equal(now, was) ||
        (!bound && *text_at_or(live, "spec.storageClassName", "") &&
         !is_same(at(tree, "spec.storageClassName"), at(live, "spec.storageClassName"))))
        field_forbidden(e, "spec",
                        "spec is immutable after creation except resources.requests and "
                        "volumeAttributesClassName for bound claims");
    else if (quantity_value_of(wants) < quantity_value_of(had))
        field_forbidden(e, "spec.resources.requests.storage",
                        "field can not be less than status.capacity");
    json_decref(now);
    json_decref(was);
}

void validate_volume(struct field_errors *e, const json_t *tree, const json_t *live,
                     const char *subresource)
{
    static const char *const common[] = {"accessModes",      "capacity",
                                         "claimRef",         "mountOptions",
                                         "nodeAffinity",     "persistentVolumeReclaimPolicy",
                                         "storageClassName", "volumeAttributesClassName",
                                         "volumeMode"};
    const json_t *spec = json_object_get(tree, "spec"), *old = json_object_get(live, "spec");
    const char *name;
    json_t *value;
    size_t sources = 0;

    if (is_status(subresource))
        return;
    json_object_foreach((json_t *)spec, name, value)
    {
        bool source = true;

        for (size_t i = 0; i < ARRAY_LEN(common); i++)
            source = source && strcmp(common[i], name) != 0;
        sources += source;
        if (source && sources > 1)
            field_forbidden(e, path_of(e, "spec", name), "may not specify more than 1 volume type");
        if (source && live && !is_same(value, json_object_get(old, name)))
            field_forbidden(e, "spec.persistentvolumesource",
                            "spec.persistentvolumesource is immutable after creation");
    }
    if (!sources)
        field_required(e, "spec", "must specify a volume type");
}

/* ---- the rest ---- */

void validate_definition(struct field_errors *e, const json_t *tree, const json_t *live,
                         const char *subresource)
{
    const char *name = text_at_or(tree, "metadata.name", "");
    const char *wanted =
        arena_printf(&e->op->arena, "%s.%s", text_at_or(tree, "spec.names.plural", ""),
                     text_at_or(tree, "spec.group", ""));
    const json_t *versions = at(tree, "spec.versions");
    json_t *version;
    size_t i, stored = 0;

    (void)live;
    if (is_status(subresource))
        return;
    if (strcmp(name, wanted) != 0)
        field_invalid(e, "metadata.name", at(tree, "metadata.name"),
                      "must be spec.names.plural+\".\"+spec.group");
    json_array_foreach(versions, i, version)
    {
        stored += bool_at(version, "storage", false);
    }
    if (stored != 1)
        field_invalid(e, "spec.versions", versions,
                      "must have exactly one version marked as storage version");
}

void validate_event(struct field_errors *e, const json_t *tree, const json_t *live,
                    const char *subresource)
{
    const char *about = text_at_or(tree, "involvedObject.namespace", "");
    const char *ns = text_at_or(tree, "metadata.namespace", "");

    (void)live;
    (void)subresource;
    if (strcmp(*about ? about : "default", ns) != 0)
        field_invalid(e, "involvedObject.namespace", at(tree, "involvedObject.namespace"),
                      "does not match event.namespace");
}
