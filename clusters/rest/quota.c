/*
 * ResourceQuota. What a namespace uses is counted anew from its objects (pending ones too) when
 * something is made in a namespace that has quotas; status.used follows in the same batch. One
 * count and its write at a time per cluster.
 */
#include <string.h>

#include "clusters/object/quantity.h"
#include "clusters/rest/rest_internal.h"

#define RETRIES 8

/* ---- amounts: {name: quantity} as trees of texts ---- */

static void add_amount(struct op *op, json_t *amounts, const char *name, struct quantity q)
{
    const char *have = json_string_value(json_object_get(amounts, name));
    struct quantity sum = q;

    if (have && quantity_parse(have, &sum))
        sum = quantity_add(sum, q);
    json_object_set_new(amounts, name, json_string(quantity_text(op, sum)));
}

static void add_one(struct op *op, json_t *amounts, const char *name)
{
    struct quantity one = {.nano = 1000000000, .format = 'D'};

    add_amount(op, amounts, name, one);
}

static void add_all(struct op *op, json_t *amounts, const json_t *more)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)more, name, value)
    {
        struct quantity q;

        if (json_is_string(value) && quantity_parse(json_string_value(value), &q))
            add_amount(op, amounts, name, q);
    }
}

static void raise_to(struct op *op, json_t *amounts, const json_t *least)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)least, name, value)
    {
        const char *have = json_string_value(json_object_get(amounts, name));
        struct quantity q, now;

        if (!json_is_string(value) || !quantity_parse(json_string_value(value), &q))
            continue;
        if (!have || !quantity_parse(have, &now) || quantity_compare(now, q) < 0)
            json_object_set_new(amounts, name, json_string(quantity_text(op, q)));
    }
}

/* Of all containers; an init container counts when it alone wants more. which: requests, limits. */
json_t *pod_total(struct op *op, const json_t *pod, const char *which)
{
    const char *path = arena_printf(&op->arena, "resources.%s", which);
    json_t *total = json_object(), *container;
    size_t i;

    arena_defer(&op->arena, (void (*)(void *))json_decref, total);
    json_array_foreach(at(pod, "spec.containers"), i, container)
    {
        add_all(op, total, at(container, path));
    }
    json_array_foreach(at(pod, "spec.initContainers"), i, container)
    {
        if (strcmp(text_at_or(container, "restartPolicy", ""), "Always") == 0)
            add_all(op, total, at(container, path));
        else
            raise_to(op, total, at(container, path));
    }
    add_all(op, total, at(pod, "spec.overhead"));
    return total;
}

/* ---- what one object uses ---- */

static bool has_ended(const json_t *pod)
{
    const char *phase = text_at_or(pod, "status.phase", "");

    return strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0;
}

static bool is_native(const char *name)
{
    return strcmp(name, "cpu") == 0 || strcmp(name, "memory") == 0 ||
           strcmp(name, "ephemeral-storage") == 0;
}

static void use_resources(struct op *op, json_t *used, const json_t *amounts, const char *which)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)amounts, name, value)
    {
        struct quantity q;

        if (!quantity_parse(json_string_value(value), &q))
            continue;
        add_amount(op, used, arena_printf(&op->arena, "%s.%s", which, name), q);
        if (is_native(name) && strcmp(which, "requests") == 0)
            add_amount(op, used, name, q);
    }
}

static void use_pod(struct op *op, json_t *used, const json_t *pod)
{
    if (has_ended(pod))
        return;
    add_one(op, used, "pods");
    use_resources(op, used, pod_total(op, pod, "requests"), "requests");
    use_resources(op, used, pod_total(op, pod, "limits"), "limits");
}

static void use_service(struct op *op, json_t *used, const json_t *service)
{
    const char *type = text_at_or(service, "spec.type", "");
    bool balanced = strcmp(type, "LoadBalancer") == 0;

    add_one(op, used, "services");
    if (balanced)
        add_one(op, used, "services.loadbalancers");
    if (strcmp(type, "NodePort") == 0 ||
        (balanced && bool_at(service, "spec.allocateLoadBalancerNodePorts", true)))
        for (size_t i = 0; i < json_array_size(at(service, "spec.ports")); i++)
            add_one(op, used, "services.nodeports");
}

static void use_claim(struct op *op, json_t *used, const json_t *claim)
{
    const char *class = text_at_or(claim, "spec.storageClassName", "");
    const char *size =
        json_string_value(json_object_get(at(claim, "spec.resources.requests"), "storage"));
    struct quantity q;

    add_one(op, used, "persistentvolumeclaims");
    if (*class)
        add_one(op, used,
                arena_printf(&op->arena, "%s.storageclass.storage.k8s.io/persistentvolumeclaims",
                             class));
    if (!size || !quantity_parse(size, &q))
        return;
    add_amount(op, used, "requests.storage", q);
    if (*class)
        add_amount(
            op, used,
            arena_printf(&op->arena, "%s.storageclass.storage.k8s.io/requests.storage", class), q);
}

static const struct {
    const char *plural; /* of the core group */
    void (*use)(struct op *op, json_t *used, const json_t *tree);
} users[] = {
    {"pods",                   use_pod    },
    {"services",               use_service},
    {"persistentvolumeclaims", use_claim  },
    {"configmaps",             NULL       },
    {"secrets",                NULL       },
    {"replicationcontrollers", NULL       },
    {"resourcequotas",         NULL       },
};

static json_t *usage_of(struct op *op, const struct resource *r, const json_t *tree)
{
    json_t *used = json_object();

    arena_defer(&op->arena, (void (*)(void *))json_decref, used);
    if (!tree)
        return used;
    add_one(op, used, arena_printf(&op->arena, "count/%s", resource_qualified(r)));
    for (size_t i = 0; !*r->group && i < ARRAY_LEN(users); i++) {
        if (strcmp(users[i].plural, r->plural) != 0)
            continue;
        if (users[i].use)
            users[i].use(op, used, tree);
        else
            add_one(op, used, r->plural);
    }
    return used;
}

/* ---- scopes ---- */

static bool in_scope(const json_t *pod, const char *scope)
{
    const char *qos = text_at_or(pod, "status.qosClass", "BestEffort");
    bool best_effort = strcmp(qos, "BestEffort") == 0;
    bool terminating = int_at(pod, "spec.activeDeadlineSeconds", -1) >= 0;

    if (strcmp(scope, "BestEffort") == 0)
        return best_effort;
    if (strcmp(scope, "NotBestEffort") == 0)
        return !best_effort;
    if (strcmp(scope, "Terminating") == 0)
        return terminating;
    if (strcmp(scope, "NotTerminating") == 0)
        return !terminating;
    if (strcmp(scope, "PriorityClass") == 0)
        return *text_at_or(pod, "spec.priorityClassName", "");
    return false;
}

static bool one_of(const json_t *values, const char *text)
{
    for (size_t i = 0; i < json_array_size(values); i++) {
        const char *value = json_string_value(json_array_get(values, i));

        if (value && strcmp(value, text) == 0)
            return true;
    }
    return false;
}

static bool fits_expression(const json_t *pod, const json_t *row)
{
    const char *scope = text_at_or(row, "scopeName", ""), *how = text_at_or(row, "operator", "");
    const char *class = text_at_or(pod, "spec.priorityClassName", "");
    bool listed = one_of(json_object_get(row, "values"), class);

    if (strcmp(scope, "PriorityClass") != 0)
        return in_scope(pod, scope);
    if (strcmp(how, "In") == 0)
        return listed;
    if (strcmp(how, "NotIn") == 0)
        return !listed;
    return (*class != '\0') == (strcmp(how, "Exists") == 0);
}

/* A quota with scopes is about pods alone. */
static bool concerns(const json_t *quota, const struct resource *r, const json_t *tree)
{
    const json_t *scopes = at(quota, "spec.scopes");
    const json_t *rows = at(quota, "spec.scopeSelector.matchExpressions");
    bool scoped = json_array_size(scopes) > 0 || json_array_size(rows) > 0;

    if (!scoped)
        return true;
    if (r != known.pods)
        return false;
    for (size_t i = 0; i < json_array_size(scopes); i++)
        if (!in_scope(tree, json_string_value(json_array_get(scopes, i))))
            return false;
    for (size_t i = 0; i < json_array_size(rows); i++)
        if (!fits_expression(tree, json_array_get(rows, i)))
            return false;
    return true;
}

/* ---- counting ---- */

/* Is any name of hard about r? Spares looking at its objects. */
static bool hard_names(struct op *op, const json_t *hard, const struct resource *r)
{
    const char *count = arena_printf(&op->arena, "count/%s", resource_qualified(r)), *name;
    json_t *value;

    json_object_foreach((json_t *)hard, name, value)
    {
        if (strcmp(name, count) == 0)
            return true;
        if (*r->group || strncmp(name, "count/", 6) == 0)
            continue;
        if (strcmp(name, r->plural) == 0)
            return true;
        if (r == known.services && strncmp(name, "services.", 9) == 0)
            return true;
        if (strcmp(r->plural, "persistentvolumeclaims") == 0 && strstr(name, "storage"))
            return true;
        if (r == known.pods && (is_native(name) || strncmp(name, "requests.", 9) == 0 ||
                                strncmp(name, "limits.", 7) == 0))
            return true;
    }
    return false;
}

/* status.used of a quota: each name of hard. */
static enum fault count(struct op *op, struct cluster *cluster, const char *ns, const json_t *quota,
                        json_t **ret)
{
    const json_t *hard = at(quota, "spec.hard");
    json_t *all = json_object(), *used = json_object(), *value;
    const char *name;

    arena_defer(&op->arena, (void (*)(void *))json_decref, all);
    arena_defer(&op->arena, (void (*)(void *))json_decref, used);
    for (size_t i = 0; all_resources[i]; i++) {
        const struct resource *r = all_resources[i];
        struct store_page page = {0};

        if (r->stored_as != r || r->virtual_ || !r->namespaced || !hard_names(op, hard, r))
            continue;
        TRY(store_list_latest(op, cluster->store, r, ns, &page));
        for (size_t j = 0; j < page.n; j++)
            if (concerns(quota, r, object_tree(page.objects[j])))
                add_all(op, all, usage_of(op, r, object_tree(page.objects[j])));
    }
    json_object_foreach((json_t *)hard, name, value)
    {
        const char *have = json_string_value(json_object_get(all, name));

        json_object_set_new(used, name, json_string(have ? have : "0"));
    }
    *ret = used;
    return OK;
}

static struct quantity amount(const json_t *amounts, const char *name)
{
    const char *text = json_string_value(json_object_get(amounts, name));
    struct quantity q = {.format = 'D'};

    if (text)
        quantity_parse(text, &q);
    return q;
}

/* ---- may it be made? ---- */

/* A pod in a namespace with a quota of cpu must say how much it wants. */
static enum fault check_given(struct admission *a, const struct object *quota, const json_t *hard)
{
    static const char *const names[] = {
        "cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"};
    struct text missing;
    json_t *container;
    size_t j;

    text_init(&missing, &a->op->arena, 4096);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *dot = strchr(names[i], '.');
        const char *path =
            arena_printf(&a->op->arena, "resources.%.*s", dot ? (int)(dot - names[i]) : 8,
                         dot ? names[i] : "requests");

        if (!json_object_get(hard, names[i]))
            continue;
        json_array_foreach(at(a->tree, "spec.containers"), j, container)
        {
            if (!json_object_get(at(container, path), dot ? dot + 1 : names[i]))
                text_printf(&missing, "%s%s for: %s", missing.len ? "; " : "", names[i],
                            text_at_or(container, "name", ""));
        }
    }
    if (!missing.len)
        return OK;
    return forbidden(a->op, a->r->resource, a->r->name,
                     arena_printf(&a->op->arena, "failed quota: %s: must specify %s", quota->name,
                                  missing.data));
}

static enum fault check_quota(struct admission *a, struct object *quota)
{
    struct op *op = a->op;
    const json_t *tree = object_tree(quota), *hard = at(tree, "spec.hard");
    const struct resource *r = a->r->resource->stored_as;
    json_t *new, *old, *used, *value;
    struct text requested, now, limited;
    const char *name;

    if (!hard_names(op, hard, r) || !concerns(tree, r, a->tree))
        return OK;
    if (r == known.pods && !a->old)
        TRY(check_given(a, quota, hard));
    new = usage_of(op, r, a->tree);
    old = usage_of(op, r, a->old);
    TRY(count(op, a->r->cluster, a->r->ns, tree, &used));
    text_init(&requested, &op->arena, 4096);
    text_init(&now, &op->arena, 4096);
    text_init(&limited, &op->arena, 4096);
    json_object_foreach((json_t *)hard, name, value)
    {
        struct quantity more = quantity_subtract(amount(new, name), amount(old, name));
        struct quantity limit = amount(hard, name), have = amount(used, name);
        const char *comma = requested.len ? "," : "";

        if (more.nano <= 0 || quantity_compare(quantity_add(have, more), limit) <= 0)
            continue;
        text_printf(&requested, "%s%s=%s", comma, name, quantity_text(op, more));
        text_printf(&now, "%s%s=%s", comma, name, quantity_text(op, have));
        text_printf(&limited, "%s%s=%s", comma, name, quantity_text(op, limit));
    }
    if (!requested.len)
        return OK;
    return forbidden(op, a->r->resource, a->r->name,
                     arena_printf(&op->arena,
                                  "exceeded quota: %s, requested: %s, used: %s, limited: %s",
                                  quota->name, requested.data, now.data, limited.data));
}

/* ---- status ---- */

static enum fault refresh_one(struct op *op, struct rest *r, const char *ns, const char *name)
{
    for (int tries = 0; tries < RETRIES; tries++) {
        struct object *quota = store_latest(op, r->cluster->store, known.quotas, ns, name);
        json_t *tree, *used, *status;
        struct write w;
        int64_t revision = 0;
        enum fault fault;

        if (!quota)
            return OK;
        tree = object_copy(op, object_tree(quota));
        TRY(count(op, r->cluster, ns, tree, &used));
        status = json_pack("{s:O, s:O}", "hard", at(tree, "spec.hard"), "used", used);
        if (json_equal(status, json_object_get(tree, "status"))) {
            json_decref(status);
            return OK;
        }
        json_object_set_new(tree, "status", status);
        w = (struct write){.change = CHANGE_UPDATE,
                           .resource = known.quotas,
                           .ns = ns,
                           .name = name,
                           .tree = tree,
                           .expected = quota->revision};
        fault = store_submit(op, r->cluster->store, &w, &revision, NULL);
        if (fault == OK && r->revision < revision)
            r->revision = revision;
        if (fault != CONFLICT)
            return fault;
        op_clear_fault(op);
    }
    return OK; /* the next change counts again */
}

/* ---- the contract ---- */

static bool has_quotas(const struct rest *r)
{
    return r->resource->namespaced && r->ns && !r->resource->virtual_ &&
           (store_count(r->cluster->store, known.quotas, r->ns) ||
            r->resource->stored_as == known.quotas);
}

bool quota_begin(const struct rest *r)
{
    if (!has_quotas(r) || r->resource->stored_as == known.events)
        return false;
    pthread_mutex_lock(&r->cluster->rest->quota_lock);
    return true;
}

enum fault quota_check(struct admission *a)
{
    struct store_page page = {0};

    if (a->r->subresource && strcmp(a->r->subresource, "status") == 0)
        return OK;
    TRY(store_list_latest(a->op, a->r->cluster->store, known.quotas, a->r->ns, &page));
    for (size_t i = 0; i < page.n; i++)
        TRY(check_quota(a, page.objects[i]));
    return OK;
}

void quota_end(struct op *op, struct rest *r, bool changed)
{
    struct store_page page = {0};

    if (changed && !r->dry_run &&
        store_list_latest(op, r->cluster->store, known.quotas, r->ns, &page) == OK)
        for (size_t i = 0; i < page.n; i++)
            if (r->resource->stored_as == known.quotas ||
                hard_names(op, at(object_tree(page.objects[i]), "spec.hard"),
                           r->resource->stored_as))
                refresh_one(op, r, r->ns, page.objects[i]->name);
    pthread_mutex_unlock(&r->cluster->rest->quota_lock);
}
