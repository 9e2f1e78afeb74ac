/* From a template to the resources it makes: loops, conditions, children, ids, and their order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/template/limits.h"
#include "api/template/template.h"

#define DEPLOYMENTS "Microsoft.Resources/deployments"
#define GROUPS      "Microsoft.Resources/resourceGroups"

struct planner {
    struct scope *s;
    struct template_plan *plan;
};

/* Written where; on a resource of the template. */
struct place {
    const char *symbol;
    const struct template_node *parent;
};

static enum fault add_all(struct planner *p, const json_t *resources,
                          const struct template_node *parent);

/* ---- ids ---- */

static size_t segments(const char *text)
{
    size_t n = 1;

    for (; *text; text++)
        n += *text == '/';
    return n;
}

static enum fault check_segments(struct scope *s, const struct template_node *n)
{
    if (strchr(n->type, '/') && segments(n->type) == segments(n->name) + 1)
        return OK;
    return template_fail(s->op,
                         "The template resource '%.200s' for type '%.200s' has incorrect segment "
                         "lengths. A nested resource type must have identical number of segments "
                         "as its resource name. A root resource type must have segment length one "
                         "greater than its resource name.",
                         n->name, n->type);
}

/* What a deployment within this one is deployed to; NULL: as this one. */
static enum fault other_group(struct scope *s, const struct template_node *n, const char *base,
                              const char **ret)
{
    const json_t *group = member_of(n->source, "resourceGroup"),
                 *subscription = member_of(n->source, "subscriptionId");
    const char *in = s->facts->subscription_id, *name;

    *ret = base;
    if (strcasecmp(n->type, DEPLOYMENTS) != 0 || (!group && !subscription))
        return OK;
    if (subscription)
        TRY(evaluate_text(s, subscription, "subscriptionId", &in));
    *ret = arena_printf(&s->op->arena, "/subscriptions/%s", in);
    if (group) {
        TRY(evaluate_text(s, group, "resourceGroup", &name));
        *ret = arena_printf(&s->op->arena, "%s/resourceGroups/%s", *ret, name);
    }
    return OK;
}

/* "scope": an id, or "Namespace/type/name" of a resource beside. */
static enum fault scope_of(struct scope *s, const struct template_node *n, const char *base,
                           const char **ret)
{
    const json_t *written = member_of(n->source, "scope");
    const char *scope;

    TRY(other_group(s, n, base, ret));
    if (!written)
        return OK;
    TRY(evaluate_text(s, written, "scope", &scope));
    if (strncasecmp(scope, "/subscriptions/", strlen("/subscriptions/")) == 0)
        *ret = scope;
    else if (*scope == '/' || strncasecmp(scope, "Microsoft.Management/", 21) == 0)
        return template_fail(s->op,
                             "The resource '%.200s' has the scope '%.200s': tenants and "
                             "management groups are not supported by this Sundog.",
                             n->name, scope);
    else
        *ret = arena_printf(&s->op->arena, "%s/providers/%s", base, scope);
    return OK;
}

/* …/providers/NS/type/name/type/name */
static const char *pair_up(struct op *op, const char *base, const char *type, const char *name)
{
    size_t len = strcspn(type, "/");
    struct text out;

    text_init(&out, &op->arena, ID_MAX_BYTES + 1);
    text_printf(&out, "%s/providers/%.*s", base, (int)len, type);
    for (type += len; *type == '/'; type += len + 1) {
        len = strcspn(type + 1, "/");
        text_printf(&out, "/%.*s", (int)len, type + 1);
        text_printf(&out, "/%.*s", (int)strcspn(name, "/"), name);
        name += strcspn(name, "/");
        name += *name == '/';
    }
    return out.overflow ? NULL : out.data;
}

static enum fault make_id(struct planner *p, struct template_node *n)
{
    struct scope *s = p->s;
    const char *base;

    TRY(check_segments(s, n));
    if (strcasecmp(n->type, GROUPS) == 0) {
        if (s->facts->group_name)
            return template_fail(s->op, "Resource groups are made by deployments to a "
                                        "subscription, not to a resource group.");
        n->id = arena_printf(&s->op->arena, "%s/resourceGroups/%s", p->plan->base, n->name);
        return OK;
    }
    TRY(scope_of(s, n, p->plan->base, &base));
    n->id = pair_up(s->op, base, n->type, n->name);
    return n->id ? OK
                 : template_fail(s->op, "The id of the resource '%.200s' is too long.", n->name);
}

/* As resourceId() writes a resource group, and as it is. */
static const char *plain_id(struct op *op, const char *id)
{
    static const char long_form[] = "/providers/" GROUPS "/";
    const char *at = *id == '/' ? strcasestr(id, long_form) : NULL;

    return at ? arena_printf(&op->arena, "%.*s/resourceGroups/%s", (int)(at - id), id,
                             at + strlen(long_form))
              : id;
}

/* ---- one resource ---- */

static enum fault read_depends(struct scope *s, struct template_node *n)
{
    const json_t *list = member_of(n->source, "dependsOn"), *one;
    size_t i;

    n->depends = arena_alloc(&s->op->arena, (json_array_size(list) + 1) * sizeof(char *));
    if (list && !json_is_array(list))
        return template_fail(s->op, "'dependsOn' of the resource '%.200s' must be an array.",
                             n->name);
    json_array_foreach(list, i, one) TRY(evaluate_text(s, one, "dependsOn", &n->depends[i]));
    return OK;
}

static enum fault read_names(struct scope *s, struct template_node *n)
{
    const struct template_node *parent = n->parent;

    TRY(evaluate_text(s, member_of(n->source, "type"), "type", &n->type));
    TRY(evaluate_text(s, member_of(n->source, "name"), "name", &n->name));
    if (!*n->name)
        return template_fail(s->op, "A resource of type '%.200s' has an empty name.", n->type);
    if (parent && (strlen(n->type) <= strlen(parent->type) ||
                   strncasecmp(n->type, parent->type, strlen(parent->type)) != 0)) {
        n->type = arena_printf(&s->op->arena, "%s/%s", parent->type, n->type);
        n->name = arena_printf(&s->op->arena, "%s/%s", parent->name, n->name);
    }
    if (!member_of(n->source, "apiVersion"))
        return template_fail(s->op,
                             "Required property 'apiVersion' not found in the template resource "
                             "'%.200s'.",
                             n->name);
    return evaluate_text(s, member_of(n->source, "apiVersion"), "apiVersion", &n->version);
}

static enum fault read_condition(struct scope *s, struct template_node *n)
{
    const json_t *condition = member_of(n->source, "condition");
    bool holds = true;

    if (condition)
        TRY(evaluate_bool(s, condition, "condition", &holds));
    n->skipped = !holds || (n->parent && n->parent->skipped);
    return OK;
}

static enum fault add_one(struct planner *p, const json_t *resource, const struct place *place,
                          const struct copy *copy, int64_t batch)
{
    struct template_plan *plan = p->plan;
    struct template_node *n = &plan->nodes[plan->n];
    struct scope s = *p->s;
    const json_t *children = member_of(resource, "resources");
    struct planner inner = {&s, plan};

    if (plan->n == TEMPLATE_RESOURCES_MAX)
        return template_fail(s.op, "The template makes more than %d resources.",
                             TEMPLATE_RESOURCES_MAX);
    if (!json_is_object(resource))
        return template_fail(s.op, "A resource of the template is no object.");
    *n = (struct template_node){
        .source = resource, .symbol = place->symbol, .parent = place->parent, .batch = batch};
    if (copy) {
        s.copies = copy;
        n->loop = copy->name;
        n->index = copy->index;
    }
    n->copies = s.copies;
    n->existing = json_is_true(member_of(resource, "existing"));
    TRY(read_names(&s, n));
    TRY(read_condition(&s, n));
    TRY(make_id(&inner, n));
    TRY(read_depends(&s, n));
    plan->n++;
    if (children && strcasecmp(n->type, DEPLOYMENTS) != 0)
        return add_all(&inner, children, n);
    return OK;
}

static enum fault read_batch(struct scope *s, const json_t *loop, int64_t *ret)
{
    const json_t *mode = member_of(loop, "mode"), *size = member_of(loop, "batchSize");
    const char *word = "parallel";

    *ret = 0;
    if (mode)
        TRY(evaluate_text(s, mode, "copy.mode", &word));
    if (strcasecmp(word, "serial") == 0)
        *ret = 1;
    else if (strcasecmp(word, "parallel") != 0)
        return template_fail(s->op, "The mode of a copy is 'serial' or 'parallel'.");
    if (*ret && size)
        TRY(evaluate_int(s, size, "copy.batchSize", ret));
    if (*ret < 0 || (word[0] == 's' && *ret == 0))
        return template_fail(s->op, "The batchSize of a copy must be 1 or more.");
    return OK;
}

static enum fault add_copies(struct planner *p, const json_t *resource, const json_t *loop,
                             const struct place *place)
{
    const char *name = place->symbol;
    struct scope *s = p->s;
    int64_t count, batch;

    if (member_of(loop, "name"))
        TRY(evaluate_text(s, member_of(loop, "name"), "copy.name", &name));
    if (!name)
        return template_fail(s->op, "A copy of the template has no name.");
    TRY(evaluate_count(s, loop, name, &count));
    TRY(read_batch(s, loop, &batch));
    for (int64_t i = 0; i < count; i++) {
        struct copy *copy = arena_alloc(&s->op->arena, sizeof(*copy));

        *copy = (struct copy){.name = name, .index = i, .outer = s->copies};
        TRY(add_one(p, resource, place, copy, batch));
    }
    return OK;
}

static enum fault add(struct planner *p, const json_t *resource, const struct place *place)
{
    const json_t *loop = member_of(resource, "copy");

    return json_is_object(loop) ? add_copies(p, resource, loop, place)
                                : add_one(p, resource, place, NULL, 0);
}

static enum fault add_all(struct planner *p, const json_t *resources,
                          const struct template_node *parent)
{
    struct place place = {.parent = parent};
    json_t *one;
    size_t i;

    json_array_foreach(resources, i, one) TRY(add(p, one, &place));
    json_object_foreach((json_t *)resources, place.symbol, one) TRY(add(p, one, &place));
    return OK;
}

/* ---- finding ---- */

static bool is_symbol(const struct template_node *n, const char *what)
{
    size_t len = n->symbol ? strlen(n->symbol) : 0;
    char index[32];

    if (!len || strncasecmp(n->symbol, what, len) != 0)
        return false;
    if (!n->loop || !what[len])
        return !what[len];
    snprintf(index, sizeof(index), "[%lld]", (long long)n->index);
    return strcmp(what + len, index) == 0;
}

/* "…/providers/Namespace/type/name" of "Namespace/type/name". */
static bool is_end_of_id(const char *id, const char *what)
{
    static const char before[] = "/providers/";
    size_t len = strlen(id), n = strlen(what), m = strlen(before);

    return len >= n + m && strcasecmp(id + len - n, what) == 0 &&
           strncasecmp(id + len - n - m, before, m) == 0;
}

/* Does dependsOn, or the argument of reference(), mean this one? what: after plain_id. */
static bool is_meant(const struct template_node *n, const char *what)
{
    if (is_symbol(n, what))
        return true;
    if (*what == '/')
        return strcasecmp(n->id, what) == 0;
    return strcasecmp(n->name, what) == 0 || is_end_of_id(n->id, what);
}

const struct template_node *template_find(const struct template_plan *plan, const char *what)
{
    what = plain_id(plan->scope.op, what);
    for (int only_made = 1; only_made >= 0; only_made--)
        for (size_t i = 0; i < plan->n; i++)
            if ((!only_made || !plan->nodes[i].existing) && is_meant(&plan->nodes[i], what))
                return &plan->nodes[i];
    return NULL;
}

json_t *template_infos(const struct template_plan *plan, const char *symbol)
{
    json_t *out = json_new_array(plan->scope.op);

    for (size_t i = 0; i < plan->n; i++) {
        const struct template_node *n = &plan->nodes[i];

        if (is_symbol(n, symbol))
            json_array_append_new(out, json_pack("{s:s,s:s,s:s,s:s}", "id", n->id, "name", n->name,
                                                 "type", n->type, "apiVersion", n->version));
    }
    return out;
}

/* ---- the order ---- */

static void need(struct template_plan *plan, struct template_node *n, size_t which)
{
    for (size_t i = 0; i < n->n_needs; i++)
        if (n->needs[i] == which)
            return;
    if (&plan->nodes[which] != n)
        n->needs[n->n_needs++] = which;
}

/* A copy of count 0 is known by its name, and nothing to wait for. */
static bool is_empty_loop(const struct template_plan *plan, const char *what)
{
    const json_t *resources = member_of(plan->scope.template, "resources"), *one;
    const char *key, *name;
    size_t i;

    json_array_foreach(resources, i, one)
    {
        name = json_string_value(member_of(member_of(one, "copy"), "name"));
        if (name && strcasecmp(name, what) == 0)
            return true;
    }
    json_object_foreach((json_t *)resources, key, one)
    {
        if (strcasecmp(key, what) == 0 && member_of(one, "copy"))
            return true;
    }
    return false;
}

static enum fault link_one(struct template_plan *plan, struct template_node *n, const char *what)
{
    const char *id = plain_id(plan->scope.op, what);
    bool found = false;

    TRY(spend(&plan->scope, 1 + plan->n / 8));
    for (size_t i = 0; i < plan->n; i++) {
        const struct template_node *other = &plan->nodes[i];

        if ((other->loop && strcasecmp(other->loop, what) == 0) || is_meant(other, id)) {
            need(plan, n, i);
            found = true;
        }
    }
    if (found || is_empty_loop(plan, what))
        return OK;
    return template_fail(plan->scope.op,
                         "The resource '%.300s' is not defined in the template; '%.200s' depends "
                         "on it. Please see https://aka.ms/arm-syntax for usage details.",
                         what, n->id);
}

static bool is_of_loop(const struct template_node *n, const char *loop)
{
    return n->loop == loop || (n->loop && strcasecmp(n->loop, loop) == 0);
}

/* In a serial copy, a batch comes after the one before it. */
static void link_batch(struct template_plan *plan, size_t which)
{
    struct template_node *n = &plan->nodes[which];
    int64_t place = 0, before = 0;

    if (!n->batch)
        return;
    for (size_t i = 0; i < which; i++)
        place += is_of_loop(&plan->nodes[i], n->loop);
    for (size_t i = 0; i < which; i++)
        if (is_of_loop(&plan->nodes[i], n->loop)) {
            if (before / n->batch + 1 == place / n->batch)
                need(plan, n, i);
            before++;
        }
}

static enum fault link_node(struct template_plan *plan, size_t which)
{
    struct template_node *n = &plan->nodes[which];

    n->needs = arena_alloc(&plan->scope.op->arena, plan->n * sizeof(*n->needs));
    for (size_t i = 0; n->depends[i]; i++)
        TRY(link_one(plan, n, n->depends[i]));
    for (size_t i = 0; n->parent && i < plan->n; i++)
        if (&plan->nodes[i] == n->parent)
            need(plan, n, i);
    link_batch(plan, which);
    return OK;
}

static bool has_all(const struct template_node *n, const bool *met)
{
    for (size_t k = 0; k < n->n_needs; k++)
        if (!met[n->needs[k]])
            return false;
    return true;
}

/* Take away those whose needs are met until none is left. */
static enum fault find_order(struct template_plan *plan)
{
    struct arena *arena = &plan->scope.op->arena;
    bool *met = arena_alloc(arena, plan->n + 1), moved = true;
    size_t n = 0;

    plan->order = arena_alloc(arena, (plan->n + 1) * sizeof(*plan->order));
    while (moved) {
        moved = false;
        for (size_t i = 0; i < plan->n; i++)
            if (!met[i] && has_all(&plan->nodes[i], met)) {
                plan->order[n++] = i;
                met[i] = moved = true;
            }
    }
    for (size_t i = 0; i < plan->n; i++)
        if (!met[i])
            return template_fail(plan->scope.op,
                                 "Circular dependency detected on resource: '%.300s'. Please see "
                                 "https://aka.ms/arm-syntax-resources for usage details.",
                                 plan->nodes[i].id);
    return OK;
}

const bool *template_met(const struct template_plan *plan, const bool *made)
{
    bool *met = arena_alloc(&plan->scope.op->arena, plan->n + 1);

    for (size_t i = 0; i < plan->n; i++) {
        size_t which = plan->order[i];
        const struct template_node *n = &plan->nodes[which];

        met[which] = n->existing || n->skipped ? has_all(n, met) : made[which];
    }
    return met;
}

static int by_id(const void *a, const void *b)
{
    return strcasecmp((*(const struct template_node *const *)a)->id,
                      (*(const struct template_node *const *)b)->id);
}

static enum fault check_twice(const struct template_plan *plan)
{
    struct op *op = plan->scope.op;
    const struct template_node **made = arena_alloc(&op->arena, (plan->n + 1) * sizeof(*made));
    size_t n = 0;

    for (size_t i = 0; i < plan->n; i++)
        if (!plan->nodes[i].existing && !plan->nodes[i].skipped)
            made[n++] = &plan->nodes[i];
    qsort(made, n, sizeof(*made), by_id);
    for (size_t i = 1; i < n; i++)
        if (strcasecmp(made[i]->id, made[i - 1]->id) == 0)
            return template_fail(op,
                                 "The resource '%.300s' is defined multiple times in a template. "
                                 "Please see https://aka.ms/arm-syntax-resources for usage "
                                 "details.",
                                 made[i]->id);
    return OK;
}

enum fault template_plan(struct scope *s, const char *base, struct template_plan **ret)
{
    struct template_plan *plan = arena_alloc(&s->op->arena, sizeof(*plan));
    struct planner p = {s, plan};

    plan->scope = *s;
    plan->base = base;
    plan->nodes = arena_alloc(&s->op->arena, TEMPLATE_RESOURCES_MAX * sizeof(*plan->nodes));
    TRY(add_all(&p, member_of(s->template, "resources"), NULL));
    for (size_t i = 0; i < plan->n; i++)
        TRY(link_node(plan, i));
    TRY(check_twice(plan));
    TRY(find_order(plan));
    *ret = plan;
    return OK;
}
