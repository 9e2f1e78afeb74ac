/* What is in the resource group beside what a deployment names: what the mode Complete deletes, and
   whatIf tells. */
#include <string.h>
#include <strings.h>

#include "api/deployment.h"
#include "api/resource.h"
#include "api/template/limits.h"

#define PAGE       1000
#define INNER_COST 1000 /* steps: what a plan within the plan costs besides its expressions */

/* ---- names ---- */

void deployment_name(struct op *op, json_t *names, const char *id, bool made)
{
    char *key = arena_strdup(&op->arena, id_lower(op, id)), *end = key;

    for (; end && *key; made = false) {
        if (made || !json_object_get(names, key))
            json_object_set_new(names, key, json_boolean(made));
        end = strrchr(key, '/');
        if (end)
            *end = '\0';
    }
}

bool deployment_names(const json_t *names, const char *key)
{
    return json_object_get(names, key);
}

bool deployment_makes(const json_t *names, const char *key)
{
    return json_is_true(json_object_get(names, key));
}

/* ---- what is there ---- */

enum fault deployment_there_next(struct op *op, const struct deployment *d,
                                 struct deployment_there *there, const struct resource **ret)
{
    struct resource_filter filter = {
        .subscription = d->subscription, .group = d->group, .tracked_only = true, .limit = PAGE};

    *ret = NULL;
    if (there->i == there->n) {
        if (there->rows && there->n < PAGE)
            return OK;
        filter.last = there->n ? there->rows[there->n - 1].key : "";
        TRY(resource_list(op, &filter, &there->rows, &there->n));
        there->i = 0;
    }
    if (there->i < there->n)
        *ret = &there->rows[there->i++];
    return OK;
}

/* ---- what a plan will name, with the deployments within it ---- */

struct naming {
    struct op *op;
    json_t *names;
    struct scope *scope; /* whose budget is spent */
    const char *unknown;
};

static enum fault name_plan(struct naming *k, struct deployment_asker *asker);

static enum fault plan_inner(struct naming *k, const struct deployment_asker *asker,
                             const struct template_node *n, const json_t *body)
{
    const json_t *properties = json_object_get(body, "properties");
    struct deployment_context context = {
        .input = {.template = json_object_get(properties, "template"),
                  .values = json_object_get(properties, "parameters"),
                  .mode = "Incremental"}
    };
    struct deployment inner = *asker->d;
    struct deployment_asker within = {
        .who = asker->who, .d = &inner, .asked = asker->asked, .blocker = -1};
    struct resource_id id;

    TRY(resource_id_parse(k->op, n->id, &id));
    inner.id = id.path;
    inner.subscription = id.subscription;
    inner.group = id.group;
    inner.name = id.name;
    inner.location = json_string_value(json_object_get(body, "location"));
    TRY(deployment_plan(k->op, &inner, &context));
    within.plan = context.plan;
    TRY(spend_bytes(k->scope, context.plan->scope.effort->bytes));
    TRY(spend(k->scope, (size_t)context.plan->scope.effort->steps + INNER_COST));
    return name_plan(k, &within);
}

static enum fault name_inner(struct naming *k, struct deployment_asker *asker,
                             const struct template_node *n)
{
    struct template_calls calls = deployment_calls(asker);
    json_t *body;
    enum fault fault;

    if (k->unknown)
        return OK;
    fault = template_body(asker->plan, n, &calls, false, &body);
    if (fault == OK)
        fault = plan_inner(k, asker, n, body);
    if (fault == OK || fault_passes(fault))
        return fault;
    op_clear_fault(k->op);
    k->unknown = n->id;
    return OK;
}

static enum fault name_plan(struct naming *k, struct deployment_asker *asker)
{
    for (size_t i = 0; i < asker->plan->n; i++) {
        const struct template_node *n = &asker->plan->nodes[i];

        if (n->skipped)
            continue;
        deployment_name(k->op, k->names, n->id, !n->existing);
        if (!n->existing && strcasecmp(n->type, "Microsoft.Resources/deployments") == 0)
            TRY(name_inner(k, asker, n));
    }
    return OK;
}

enum fault deployment_foresee(struct op *op, struct deployment_asker *asker, json_t **ret_names,
                              const char **ret_unknown)
{
    struct naming k = {.op = op, .names = json_new_object(op), .scope = &asker->plan->scope};

    TRY(name_plan(&k, asker));
    *ret_names = k.names;
    *ret_unknown = k.unknown;
    return OK;
}
