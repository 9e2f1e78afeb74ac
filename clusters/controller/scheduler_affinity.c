/* Node affinity, taints, affinity between pods, topology spread. */
#include <stdlib.h>
#include <string.h>

#include "clusters/controller/scheduler.h"

/* ---- node affinity ---- */

static bool has_value(const json_t *values, const char *value)
{
    json_t *one;
    size_t i;

    json_array_foreach((json_t *)values, i, one)
    {
        if (strcmp(json_string_value(one), value) == 0)
            return true;
    }
    return false;
}

static bool compares(const char *value, const json_t *values, bool greater)
{
    const char *bound = json_string_value(json_array_get(values, 0));
    char *end, *bound_end;
    long long a, b;

    if (!value || !bound)
        return false;
    a = strtoll(value, &end, 10);
    b = strtoll(bound, &bound_end, 10);
    if (*end || *bound_end)
        return false;
    return greater ? a > b : a < b;
}

static bool expression_matches(const json_t *expression, const char *value)
{
    const char *operator= text_at_or(expression, "operator", "");
    const json_t *values = json_object_get(expression, "values");

    if (strcmp(operator, "In") == 0)
        return value && has_value(values, value);
    if (strcmp(operator, "NotIn") == 0)
        return !value || !has_value(values, value);
    if (strcmp(operator, "Exists") == 0)
        return value != NULL;
    if (strcmp(operator, "DoesNotExist") == 0)
        return value == NULL;
    if (strcmp(operator, "Gt") == 0)
        return compares(value, values, true);
    return strcmp(operator, "Lt") == 0 && compares(value, values, false);
}

static bool term_matches(const json_t *term, const json_t *node)
{
    const json_t *labels = json_object_get(term, "matchExpressions");
    const json_t *fields = json_object_get(term, "matchFields");
    json_t *expression;
    size_t i;

    if (!json_array_size(labels) && !json_array_size(fields))
        return false; /* an empty term chooses nothing */
    json_array_foreach((json_t *)labels, i, expression)
    {
        if (!expression_matches(expression, label_of(node, text_at_or(expression, "key", ""))))
            return false;
    }
    json_array_foreach((json_t *)fields, i, expression)
    {
        if (!expression_matches(expression, text_at(node, "metadata.name")))
            return false;
    }
    return true;
}

bool node_selector_terms_match(struct op *op, const json_t *terms, const json_t *node)
{
    json_t *term;
    size_t i;

    (void)op;
    json_array_foreach((json_t *)terms, i, term)
    {
        if (term_matches(term, node))
            return true;
    }
    return false;
}

/* ---- taints ---- */

static bool tolerates_one(const json_t *toleration, const json_t *taint)
{
    const char *key = text_at_or(toleration, "key", ""), *effect;

    effect = text_at_or(toleration, "effect", "");
    if (*effect && strcmp(effect, text_at_or(taint, "effect", "")) != 0)
        return false;
    if (*key && strcmp(key, text_at_or(taint, "key", "")) != 0)
        return false;
    if (strcmp(text_at_or(toleration, "operator", "Equal"), "Exists") == 0)
        return true;
    return *key && strcmp(text_at_or(toleration, "value", ""), text_at_or(taint, "value", "")) == 0;
}

bool tolerates(const json_t *tolerations, const json_t *taint)
{
    json_t *toleration;
    size_t i;

    json_array_foreach((json_t *)tolerations, i, toleration)
    {
        if (tolerates_one(toleration, taint))
            return true;
    }
    return false;
}

/* ---- affinity between pods ---- */

/* Namespaces of a term: its own list and selector, or the pod's. */
static bool namespace_counts(const struct cluster_state *state, const json_t *term,
                             const json_t *pod, const char *ns)
{
    const json_t *list = json_object_get(term, "namespaces");
    const json_t *chooser = json_object_get(term, "namespaceSelector");
    const struct selector *selector;
    struct object *object;

    if (!json_array_size(list) && !chooser)
        return strcmp(text_at_or(pod, "metadata.namespace", ""), ns) == 0;
    if (has_value(list, ns))
        return true;
    if (!chooser || selector_of(state->op, &state->op->arena, chooser, &selector) != OK)
        return false;
    object = store_read(state->op, state->cluster->store, resource_find("", "v1", "namespaces"),
                        NULL, ns);
    return object && selector_matches(selector, at(object_tree(object), "metadata.labels"));
}

static bool term_chooses(const struct cluster_state *state, const json_t *term, const json_t *pod,
                         const json_t *other)
{
    const struct selector *selector;

    if (selector_of(state->op, &state->op->arena, json_object_get(term, "labelSelector"),
                    &selector) != OK) {
        op_clear_fault(state->op);
        return false;
    }
    return namespace_counts(state, term, pod, text_at_or(other, "metadata.namespace", "")) &&
           selector_matches(selector, at(other, "metadata.labels"));
}

static bool same_domain(const json_t *a, const json_t *b, const char *key)
{
    const char *left = label_of(a, key), *right = label_of(b, key);

    return left && right && strcmp(left, right) == 0;
}

/* How many pods that the term chooses are in the node's domain; *ret_anywhere in all. */
static int64_t count_chosen(const struct cluster_state *state, const struct node_state *node,
                            const json_t *pod, const json_t *term, int64_t *ret_anywhere)
{
    const char *key = text_at_or(term, "topologyKey", "");
    int64_t here = 0, anywhere = 0;

    for (size_t i = 0; i < state->n; i++)
        for (size_t k = 0; k < state->nodes[i].n; k++) {
            if (!term_chooses(state, term, pod, object_tree(state->nodes[i].list[k])))
                continue;
            anywhere++;
            here += same_domain(node->tree, state->nodes[i].tree, key);
        }
    if (ret_anywhere)
        *ret_anywhere = anywhere;
    return here;
}

static const char *check_affinity(const struct cluster_state *state, const struct node_state *node,
                                  const json_t *pod)
{
    json_t *term;
    size_t i;

    json_array_foreach(
        at(pod, "spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution"), i,
        term)
    {
        int64_t anywhere, here = count_chosen(state, node, pod, term, &anywhere);
        bool first = anywhere == 0 && term_chooses(state, term, pod, pod);

        if (!label_of(node->tree, text_at_or(term, "topologyKey", "")) || (!here && !first))
            return "didn't match pod affinity rules";
    }
    json_array_foreach(
        at(pod, "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution"), i,
        term)
    {
        if (count_chosen(state, node, pod, term, NULL))
            return "didn't match pod anti-affinity rules";
    }
    return NULL;
}

/* Pods that are there may refuse the newcomer. */
static const char *check_refusals(const struct cluster_state *state, const struct node_state *node,
                                  const json_t *pod)
{
    for (size_t i = 0; i < state->n; i++)
        for (size_t k = 0; k < state->nodes[i].n; k++) {
            const json_t *other = object_tree(state->nodes[i].list[k]);
            json_t *term;
            size_t t;

            json_array_foreach(at(other, "spec.affinity.podAntiAffinity."
                                         "requiredDuringSchedulingIgnoredDuringExecution"),
                               t, term)
            {
                if (term_chooses(state, term, other, pod) &&
                    same_domain(node->tree, state->nodes[i].tree,
                                text_at_or(term, "topologyKey", "")))
                    return "didn't satisfy existing pods anti-affinity rules";
            }
        }
    return NULL;
}

/* ---- topology spread ---- */

struct domain {
    const char *value;
    int64_t n;
};

static struct domain *domain_of(struct domain *domains, size_t *n, const char *value)
{
    for (size_t i = 0; i < *n; i++)
        if (strcmp(domains[i].value, value) == 0)
            return &domains[i];
    domains[*n] = (struct domain){value, 0};
    return &domains[(*n)++];
}

/* Pods that the constraint chooses in the node's domain, less the smallest domain's. */
static bool skew_of(const struct cluster_state *state, const struct node_state *node,
                    const json_t *pod, const json_t *constraint, int64_t *ret_skew)
{
    struct domain *domains = arena_alloc(&state->op->arena, (state->n + 1) * sizeof(*domains));
    const char *key = text_at_or(constraint, "topologyKey", ""), *mine = label_of(node->tree, key);
    const struct selector *selector;
    int64_t least = INT64_MAX;
    size_t n = 0;

    if (!mine || selector_of(state->op, &state->op->arena,
                             json_object_get(constraint, "labelSelector"), &selector) != OK)
        return false;
    for (size_t i = 0; i < state->n; i++) {
        const char *value = label_of(state->nodes[i].tree, key);
        struct domain *domain = value ? domain_of(domains, &n, value) : NULL;

        for (size_t k = 0; domain && k < state->nodes[i].n; k++) {
            struct object *other = state->nodes[i].list[k];

            if (!other->deleting &&
                strcmp(other->ns, text_at_or(pod, "metadata.namespace", "")) == 0 &&
                selector_matches(selector, at(object_tree(other), "metadata.labels")))
                domain->n++;
        }
    }
    for (size_t i = 0; i < n; i++)
        least = domains[i].n < least ? domains[i].n : least;
    *ret_skew = domain_of(domains, &n, mine)->n - least +
                selector_matches(selector, at(pod, "metadata.labels"));
    return true;
}

static const char *check_spread(const struct cluster_state *state, const struct node_state *node,
                                const json_t *pod)
{
    json_t *constraint;
    int64_t skew;
    size_t i;

    json_array_foreach(at(pod, "spec.topologySpreadConstraints"), i, constraint)
    {
        if (strcmp(text_at_or(constraint, "whenUnsatisfiable", ""), "DoNotSchedule") != 0)
            continue;
        if (!skew_of(state, node, pod, constraint, &skew))
            return "didn't match pod topology spread constraints (missing required label)";
        if (skew > int_at(constraint, "maxSkew", 1))
            return "didn't match pod topology spread constraints";
    }
    return NULL;
}

const char *scheduler_filter_pods(const struct cluster_state *state, const struct node_state *node,
                                  const json_t *pod)
{
    const char *why = check_affinity(state, node, pod);

    if (!why)
        why = check_refusals(state, node, pod);
    return why ? why : check_spread(state, node, pod);
}

/* ---- preferences ---- */

static int64_t weigh(const struct cluster_state *state, const struct node_state *node,
                     const json_t *pod, const char *path, int64_t sign)
{
    int64_t sum = 0;
    json_t *preference;
    size_t i;

    json_array_foreach(at(pod, path), i, preference)
    {
        const json_t *term = json_object_get(preference, "podAffinityTerm");

        if (count_chosen(state, node, pod, term, NULL))
            sum += sign * int_at(preference, "weight", 1);
    }
    return sum;
}

int64_t scheduler_score_pods(const struct cluster_state *state, const struct node_state *node,
                             const json_t *pod)
{
    int64_t sum, skew;
    json_t *constraint;
    size_t i;

    sum =
        weigh(state, node, pod,
              "spec.affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution", 1) +
        weigh(state, node, pod,
              "spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution", -1);
    json_array_foreach(at(pod, "spec.topologySpreadConstraints"), i, constraint)
    {
        if (skew_of(state, node, pod, constraint, &skew))
            sum -= 20 * skew;
    }
    return sum;
}
