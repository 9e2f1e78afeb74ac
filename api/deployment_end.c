/* Which steps can begin, and how a deployment ends: outputs, what Complete deletes, errors. */
#include <string.h>
#include <strings.h>

#include "api/deployment_run.h"
#include "api/operation.h"
#include "api/provider.h"
#include "core/db.h"
#include "core/seal.h"

#define FAILED_MESSAGE                                                                             \
    "At least one resource deployment operation failed. Please list deployment operations for "    \
    "details. Please see https://aka.ms/arm-deployment-operations for usage details."

/* ---- the end ---- */

static enum fault end(struct op *op, struct deployment_run *run, enum operation_status status)
{
    static const char *const states[] = {[OPERATION_SUCCEEDED] = "Succeeded",
                                         [OPERATION_FAILED] = "Failed",
                                         [OPERATION_CANCELED] = "Canceled"};
    json_t *error =
        run->d.error ? json_keep(op, json_loads(run->d.error, 0, NULL)) : json_new_object(op);
    const json_t *details = json_object_get(error, "details");

    run->d.state = states[status];
    TRY(db_begin(op));
    TRY(deployment_steps_cancel(op, run->d.uid));
    TRY(deployment_end(op, &run->d));
    TRY(operation_finish(op, run->d.operation, status,
                         json_string_value(json_object_get(error, "code")),
                         json_string_value(json_object_get(error, "message")),
                         details ? json_text_of(op, details) : NULL));
    return db_commit(op);
}

/* Each step's error becomes a detail. */
static enum fault end_failed(struct op *op, struct deployment_run *run)
{
    json_t *details = json_new_array(op), *error;

    for (size_t i = 0; i < run->n_steps; i++) {
        error = run->steps[i].error ? json_loads(run->steps[i].error, 0, NULL) : NULL;
        if (!error)
            continue;
        json_set_text(error, "target", run->steps[i].target);
        json_array_append_new(details, error);
    }
    error = json_keep(op, json_pack("{s:s, s:s, s:s, s:O}", "code", "DeploymentFailed", "target",
                                    run->d.id, "message", FAILED_MESSAGE, "details", details));
    run->d.error = json_text_of(op, error);
    return end(op, run, OPERATION_FAILED);
}

/* For what op says. */
static enum fault end_with(struct op *op, struct deployment_run *run, const char *code)
{
    json_t *error = json_keep(op, json_pack("{s:s, s:s, s:s}", "code",
                                            code       ? code
                                            : op->noun ? op->noun
                                                       : "InternalError",
                                            "target", run->d.id, "message",
                                            op->message ? op->message : "It failed."));

    op_clear_fault(op);
    run->d.error = json_text_of(op, error);
    return end(op, run, OPERATION_FAILED);
}

/* What deployments within this one have made, and those within them. *ret_lost: one of which that
   is not known any more; NULL: none. */
static enum fault add_made_within(struct op *op, const struct deployment_run *run, json_t *all,
                                  const char **ret_lost)
{
    *ret_lost = NULL;
    for (size_t i = 0; i < run->n_steps; i++) {
        struct deployment inner;
        struct resource_id id;
        enum fault fault;

        if (strcasecmp(run->steps[i].type, "Microsoft.Resources/deployments") != 0)
            continue;
        TRY(resource_id_parse(op, run->steps[i].target, &id));
        fault = deployment_get(op, &id, &inner);
        if (fault == NOT_FOUND) {
            op_clear_fault(op);
            *ret_lost = run->steps[i].target;
            continue;
        }
        TRY(fault);
        if (inner.resources)
            json_array_extend(all, json_keep(op, json_loads(inner.resources, 0, NULL)));
    }
    return OK;
}

static enum fault made(struct op *op, const struct deployment_run *run, json_t **ret,
                       const char **ret_lost)
{
    json_t *out = json_new_array(op);

    for (size_t i = 0; i < run->n_steps; i++)
        if (deployment_step_makes(&run->steps[i]) && strcmp(run->steps[i].state, "Succeeded") == 0)
            json_array_append_new(out, json_pack("{s:s}", "id", run->steps[i].target));
    *ret = out;
    return add_made_within(op, run, out, ret_lost);
}

static enum fault end_well(struct op *op, struct deployment_run *run)
{
    struct template_calls calls = deployment_calls(&run->asker);
    json_t *shown, *all, *resources;
    const char *lost;
    enum fault fault;

    TRY(made(op, run, &resources, &lost));
    run->d.resources = json_text_of(op, resources);
    fault = template_outputs(run->context.plan, &calls, &shown, &all);
    if (fault_passes(fault))
        return fault;
    if (fault != OK)
        return end_with(op, run, "DeploymentOutputEvaluationFailed");
    run->d.outputs = json_text_of(op, shown);
    run->d.secrets = seal(op, arena_printf(&op->arena, "deployment-outputs/%s", run->d.uid),
                          BYTES(json_text_of(op, all)));
    return end(op, run, OPERATION_SUCCEEDED);
}

/* Deployments within this one stop, too; what a service has begun goes on there. */
static enum fault end_canceled(struct op *op, struct deployment_run *run)
{
    struct call *answer;

    for (size_t i = 0; i < run->n_steps; i++) {
        const struct deployment_step *s = &run->steps[i];

        if (strcmp(s->state, "Running") != 0 || !run->asker.who ||
            strcasecmp(s->type, "Microsoft.Resources/deployments") != 0)
            continue;
        TRY(deployment_ask(op, &run->asker, POST, arena_printf(&op->arena, "%s/cancel", s->target),
                           s->version, NULL, &answer));
    }
    return end(op, run, OPERATION_CANCELED);
}

/* ---- mode Complete: what the template does not name ---- */

static enum fault add_deletion(struct op *op, const struct deployment_run *run, int64_t number,
                               const struct resource *r)
{
    const struct resource_type *type = resource_type_find(r->type);
    struct deployment_step s = {.number = number,
                                .action = "Delete",
                                .target = r->id,
                                .type = r->type,
                                .name = r->name,
                                .version = type && type->api_versions ? *type->api_versions : ""};
    char id[37];

    random_uuid(id);
    s.id = id;
    return deployment_step_insert(op, run->d.uid, &s);
}

static enum fault add_deletions(struct op *op, const struct deployment_run *run,
                                const json_t *names, size_t *ret_n)
{
    struct deployment_there there = {.rows = NULL};
    const struct resource *r;
    const char *last = NULL;

    for (;;) {
        TRY(deployment_there_next(op, &run->d, &there, &r));
        if (!r)
            return OK;
        if (deployment_names(names, r->key) || (last && id_is_within(r->key, last)))
            continue;
        last = r->key;
        TRY(add_deletion(op, run, (int64_t)(run->context.plan->n + *ret_n), r));
        ++*ret_n;
    }
}

/* Rows for all that is to go: parents alone, whose children go with them. *ret_n: how many.
   CONFLICT: it cannot be told what is to stay. */
static enum fault plan_deletions(struct op *op, const struct deployment_run *run, size_t *ret_n)
{
    const struct template_plan *plan = run->context.plan;
    json_t *names = json_new_object(op), *all, *one;
    const char *lost;
    size_t i;

    *ret_n = 0;
    TRY(made(op, run, &all, &lost));
    if (lost)
        return fail_on(op, "DeploymentNotFound", CONFLICT,
                       "Nothing was deleted: the deployment '%s' is gone, and with it what its "
                       "resources were.",
                       lost);
    json_array_foreach(all, i, one)
        deployment_name(op, names, json_string_value(json_object_get(one, "id")), true);
    for (i = 0; i < plan->n; i++)
        if (!plan->nodes[i].skipped)
            deployment_name(op, names, plan->nodes[i].id, !plan->nodes[i].existing);
    TRY(db_begin(op));
    TRY(add_deletions(op, run, names, ret_n));
    return db_commit(op);
}

/* ---- what can begin ---- */

static enum fault insert_steps(struct op *op, const struct deployment_run *run)
{
    const struct template_plan *plan = run->context.plan;
    char id[37];

    TRY(db_begin(op));
    for (size_t i = 0; i < plan->n; i++) {
        const struct template_node *n = &plan->nodes[i];
        struct deployment_step s = {.number = (int64_t)i,
                                    .id = id,
                                    .action = "Create",
                                    .target = n->id,
                                    .type = n->type,
                                    .name = n->name,
                                    .version = n->version};

        if (n->existing || n->skipped)
            continue;
        random_uuid(id);
        TRY(deployment_step_insert(op, run->d.uid, &s));
    }
    return db_commit(op);
}

static const bool *find_met(struct op *op, const struct deployment_run *run)
{
    const struct template_plan *plan = run->context.plan;
    bool *made = arena_alloc(&op->arena, plan->n + 1);

    for (size_t i = 0; i < plan->n; i++)
        made[i] = strcmp(run->states[i], "Succeeded") == 0;
    return template_met(plan, made);
}

static bool can_begin(const struct deployment_run *run, const bool *met,
                      const struct deployment_step *s)
{
    const struct template_node *n;

    if (strcmp(s->state, "Waiting") != 0)
        return false;
    n = deployment_step_node(run, s);
    if (!n)
        return true; /* a deletion, or nothing that could be waited for */
    for (size_t i = 0; i < n->n_needs; i++)
        if (!met[n->needs[i]])
            return false;
    return s->blocker < 0 || s->blocker >= (int64_t)run->context.plan->n || met[s->blocker];
}

struct tally {
    size_t busy, waiting, failed, ended;
};

static struct tally wake_steps(struct op *op, struct deployment_run *run)
{
    const bool *met = find_met(op, run);
    struct tally t = {0};

    for (size_t i = 0; i < run->n_steps; i++) {
        const struct deployment_step *s = &run->steps[i];
        bool running = strcmp(s->state, "Running") == 0;

        if (running || can_begin(run, met, s)) {
            deployment_step_wake(run->d.uid, s);
            t.busy++;
        } else if (strcmp(s->state, "Waiting") == 0)
            t.waiting++;
        else
            t.ended++;
        t.failed += strcmp(s->state, "Failed") == 0;
    }
    return t;
}

/* Nothing runs, and nothing can begin. */
static enum fault settle(struct op *op, struct deployment_run *run, const struct tally *t)
{
    bool deletes = strcasecmp(run->d.mode, "Complete") == 0 && run->d.group;
    enum fault fault;
    size_t n = 0;

    if (t->failed)
        return end_failed(op, run);
    if (t->waiting) {
        template_fail(op, "Circular dependency detected: resources refer to each other by "
                          "reference().");
        return end_with(op, run, NULL);
    }
    for (size_t i = 0; i < run->n_steps; i++)
        deletes = deletes && deployment_step_makes(&run->steps[i]);
    fault = deletes ? plan_deletions(op, run, &n) : OK;
    if (fault == CONFLICT)
        return end_with(op, run, NULL);
    TRY(fault);
    if (n) {
        deployment_wake(run->d.uid);
        return OK;
    }
    return end_well(op, run);
}

enum fault deployment_coordinate(struct op *op, const char *uid)
{
    struct deployment_run run;
    struct tally t;
    bool running;
    enum fault fault;

    TRY(deployment_run_load(op, uid, &run, &running));
    if (!running)
        return OK;
    fault = deployment_run_who(op, &run);
    if (run.d.cancel && !fault_passes(fault)) {
        op_clear_fault(op);
        return end_canceled(op, &run);
    }
    if (fault == OK)
        fault = deployment_run_plan(op, &run);
    if (fault_passes(fault))
        return fault;
    if (fault != OK)
        return end_with(op, &run, NULL);
    if (!run.n_steps) {
        TRY(insert_steps(op, &run));
        TRY(deployment_steps(op, uid, &run.steps, &run.n_steps));
    }
    t = wake_steps(op, &run);
    if (t.busy) {
        int64_t percent = (int64_t)(100 * t.ended / run.n_steps);

        return operation_progress(op, run.d.operation, NULL, percent);
    }
    return settle(op, &run, &t);
}
