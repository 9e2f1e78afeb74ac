/*
 *~ How a deployment runs. Keys of the reconciler: "" looks for deployments that nobody works on;
 *~ "UID" looks which steps can begin and whether all have ended (deployment_end.c); "UID 7" makes
 *~ step 7: PUT, or DELETE, and polls until it has ended. All that is known is in the rows: after a
 *~ crash the plan is made again from the same input, and a PUT whose answer was lost is sent again.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/deployment_run.h"
#include "api/operation.h"
#include "core/db.h"
#include "core/inside.h"
#include "core/reconcile.h"
#include "core/server.h"
#include "instances/paths.h"

#define SWEEP_MS      5000
#define POLL_MS       500
#define RETRY_MS      1000
#define TRIES_MAX     30
#define THREADS       16 /* of which one deployment gets a quarter */
#define POLLS_MAX_LEN 2048

static struct reconciler *reconciler;
static const char *owner = "";

const char *deployment_owner(void)
{
    return owner;
}

void deployment_wake(const char *uid)
{
    reconciler_add(reconciler, uid);
}

/* ---- what runs ---- */

enum fault deployment_run_load(struct op *op, const char *uid, struct deployment_run *ret,
                               bool *ret_running)
{
    struct deployment_run run = {.context = {.plan = NULL}};
    enum fault fault = deployment_by_uid(op, uid, &run.d);

    *ret_running = false;
    if (fault == NOT_FOUND) {
        op_clear_fault(op);
        return OK;
    }
    TRY(fault);
    if (strcmp(run.d.state, "Running") != 0)
        return OK;
    TRY(deployment_steps(op, uid, &run.steps, &run.n_steps));
    *ret_running = true;
    *ret = run;
    return OK;
}

enum fault deployment_run_who(struct op *op, struct deployment_run *run)
{
    run->asker =
        (struct deployment_asker){.d = &run->d, .asked = json_new_object(op), .blocker = -1};
    return entra_principal(op, run->d.who, &run->asker.who);
}

bool deployment_step_makes(const struct deployment_step *step)
{
    return strcmp(step->action, "Create") == 0;
}

const struct template_node *deployment_step_node(const struct deployment_run *run,
                                                 const struct deployment_step *step)
{
    const struct template_plan *plan = run->context.plan;

    return step->number < (int64_t)plan->n && deployment_step_makes(step)
               ? &plan->nodes[step->number]
               : NULL;
}

enum fault deployment_run_plan(struct op *op, struct deployment_run *run)
{
    TRY(deployment_unseal(op, &run->d, &run->context.input));
    TRY(deployment_plan(op, &run->d, &run->context));
    run->states = arena_alloc(&op->arena, (run->context.plan->n + 1) * sizeof(char *));
    for (size_t i = 0; i < run->context.plan->n; i++)
        run->states[i] = "Waiting";
    for (size_t i = 0; i < run->n_steps; i++)
        if (deployment_step_node(run, &run->steps[i]))
            run->states[run->steps[i].number] = run->steps[i].state;
    run->asker.plan = run->context.plan;
    run->asker.states = run->states;
    return OK;
}

/* ---- one step ---- */

struct work {
    struct op *op;
    struct deployment_run *run;
    struct deployment_step *step;
    int64_t again_ms;
};

static enum fault set(struct work *w, const char *state)
{
    w->step->state = state;
    return deployment_step_set(w->op, w->run->d.uid, w->step);
}

/* The error of an answer, as JSON text. */
static const char *error_of(struct op *op, const struct call *answer)
{
    json_t *error = json_object_get(inside_json(op, answer), "error");

    if (!json_is_object(error))
        error = json_keep(
            op, json_pack("{s:s, s:s*}", "code", "Unexpected", "message", answer->op.message));
    return json_text_of(op, error);
}

static enum fault fail_step(struct work *w, const char *error)
{
    w->step->error = error;
    return set(w, "Failed");
}

/* It came to an end by itself, and not a good one. */
static enum fault fail_by_state(struct work *w, const char *state, const json_t *error)
{
    json_t *out = json_keep(
        w->op, json_pack("{s:s, s:s, s:s}", "code", "ResourceDeploymentFailure", "target",
                         w->step->target, "message",
                         arena_printf(&w->op->arena,
                                      "The resource write operation failed to complete "
                                      "successfully, because it reached terminal provisioning "
                                      "state '%s'.",
                                      state)));

    if (json_is_object(error))
        json_object_set_new(out, "details", json_pack("[O]", error));
    return fail_step(w, json_text_of(w->op, out));
}

static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words; words++)
        if (strcasecmp(word, *words) == 0)
            return true;
    return false;
}

/* A status or provisioningState that was answered. */
static enum fault by_state(struct work *w, const char *state, const json_t *error)
{
    static const char *const good[] = {"Succeeded", "Ready", NULL};
    static const char *const bad[] = {"Failed", "Canceled", "Cancelled", NULL};

    if (!state || is_one_of(state, good))
        return set(w, "Succeeded");
    if (is_one_of(state, bad))
        return fail_by_state(w, state, error);
    w->again_ms = POLL_MS;
    return set(w, "Running");
}

/* Where its progress is told, without scheme and host; NULL: by the resource itself. */
static const char *place_to_ask(struct op *op, const struct call *answer)
{
    const char *url = inside_header(answer, "Azure-AsyncOperation"), *path;

    if (!url && answer->reply.status == 202)
        url = inside_header(answer, "Location");
    path = url ? strstr(url, "://") : NULL;
    path = path ? strchr(path + 3, '/') : NULL;
    return path && strlen(path) < POLLS_MAX_LEN ? arena_strdup(&op->arena, path) : NULL;
}

/* 429, 500 and 503 are tried again, for a while. */
static bool is_for_now(const struct call *answer)
{
    return answer->reply.status == 429 || answer->reply.status >= 500;
}

static enum fault try_again(struct work *w, const struct call *answer)
{
    if (answer->reply.status == 501 || ++w->step->tries > TRIES_MAX)
        return fail_step(w, error_of(w->op, answer));
    w->again_ms = RETRY_MS;
    return set(w, "Running");
}

static const json_t *at(const json_t *value, const char *a, const char *b)
{
    return member_of(b ? member_of(value, a) : value, b ? b : a);
}

static enum fault poll(struct work *w)
{
    struct deployment_step *step = w->step;
    bool itself = step->poll[0] != '/'; /* "=": the resource */
    const json_t *body, *state;
    struct call *answer;

    TRY(deployment_ask(w->op, &w->run->asker, GET, itself ? step->target : step->poll,
                       itself ? step->version : NULL, NULL, &answer));
    if (answer->reply.status == 404 && strcmp(step->action, "Delete") == 0)
        return set(w, "Succeeded");
    if (is_for_now(answer))
        return try_again(w, answer);
    if (answer->reply.status >= 300) {
        step->status = answer->reply.status;
        return fail_step(w, error_of(w->op, answer));
    }
    if (answer->reply.status == 202) {
        w->again_ms = POLL_MS;
        return OK;
    }
    body = inside_json(w->op, answer);
    state = itself ? at(body, "properties", "provisioningState") : at(body, "status", NULL);
    return by_state(w, json_string_value(state), member_of(body, "error"));
}

static enum fault take_answer(struct work *w, const struct call *answer)
{
    const json_t *body = inside_json(w->op, answer);
    const char *state = json_string_value(at(body, "properties", "provisioningState"));

    w->step->status = answer->reply.status;
    if (is_for_now(answer))
        return try_again(w, answer);
    if (answer->reply.status >= 300)
        return fail_step(w, error_of(w->op, answer));
    w->step->tries = 0;
    w->step->poll = place_to_ask(w->op, answer);
    if (!w->step->poll && state)
        w->step->poll = "=";
    if (!w->step->poll || (w->step->poll[0] == '=' && strcasecmp(state, "Succeeded") == 0))
        return set(w, "Succeeded");
    w->again_ms =
        w->step->poll[0] == '/' && state && strcasecmp(state, "Succeeded") == 0 ? 0 : POLL_MS;
    return set(w, "Running");
}

/* What keeps a body from being made: another step, the moment, or the template. */
static enum fault no_body(struct work *w, enum fault fault)
{
    struct op *op = w->op;
    const char *code = op->noun ? op->noun : "InvalidTemplate";
    const char *message = op->message ? op->message : fault_name(fault);

    op_clear_fault(op);
    if (fault == WOULD_BLOCK) {
        w->step->blocker = w->run->asker.blocker;
        return set(w, "Waiting");
    }
    if (fault_passes(fault) && ++w->step->tries <= TRIES_MAX) {
        w->again_ms = RETRY_MS;
        return set(w, "Running");
    }
    return fail_step(
        w, json_text_of(op, json_keep(op, json_pack("{s:s, s:s, s:s}", "code", code, "target",
                                                    w->step->target, "message", message))));
}

/* Was the answer to an earlier PUT lost, and is the deployment that is refused now the one that it
   began? */
static enum fault is_begun(struct work *w, const struct call *answer, bool *ret)
{
    struct op *op = w->op;
    struct deployment inner;
    struct resource_id id;
    enum fault fault;

    *ret = false;
    if (answer->reply.status != 409 || !answer->op.noun ||
        strcmp(answer->op.noun, "DeploymentActive") != 0)
        return OK;
    TRY(resource_id_parse(op, w->step->target, &id));
    fault = deployment_get(op, &id, &inner);
    if (fault == NOT_FOUND)
        op_clear_fault(op);
    else
        TRY(fault);
    *ret = fault == OK && strcmp(inner.correlation, w->run->d.correlation) == 0;
    return OK;
}

static enum fault put(struct work *w)
{
    bool sent = strcmp(w->step->state, "Running") == 0, begun = false;
    const struct template_node *node;
    struct template_calls calls;
    struct call *answer;
    json_t *body;
    enum fault fault;

    TRY(deployment_run_plan(w->op, w->run));
    node = deployment_step_node(w->run, w->step);
    calls = deployment_calls(&w->run->asker);
    fault = node ? template_body(w->run->context.plan, node, &calls, false, &body)
                 : template_fail(w->op, "The template does not make this resource any more.");
    if (fault != OK)
        return no_body(w, fault);
    w->step->blocker = -1;
    TRY(set(w, "Running"));
    TRY(deployment_ask(w->op, &w->run->asker, PUT, node->id, node->version, body, &answer));
    if (sent)
        TRY(is_begun(w, answer, &begun));
    if (!begun)
        return take_answer(w, answer);
    w->step->poll = "=";
    w->again_ms = POLL_MS;
    return set(w, "Running");
}

static enum fault delete_one(struct work *w)
{
    struct call *answer;

    TRY(set(w, "Running"));
    TRY(deployment_ask(w->op, &w->run->asker, DELETE, w->step->target, w->step->version, NULL,
                       &answer));
    if (answer->reply.status == 404)
        return set(w, "Succeeded");
    return take_answer(w, answer);
}

static bool has_ended(const struct deployment_step *s)
{
    return strcmp(s->state, "Waiting") != 0 && strcmp(s->state, "Running") != 0;
}

static enum fault work(struct op *op, const char *uid, int64_t number, int64_t *ret_again_ms)
{
    struct deployment_run run;
    struct work w = {.op = op, .run = &run, .again_ms = RECONCILE_DONE};
    bool running;

    TRY(deployment_run_load(op, uid, &run, &running));
    for (size_t i = 0; running && i < run.n_steps; i++)
        if (run.steps[i].number == number)
            w.step = &run.steps[i];
    if (!w.step || has_ended(w.step) || run.d.cancel)
        return OK;
    TRY(deployment_run_who(op, &run));
    if (strcmp(w.step->state, "Running") == 0 && w.step->poll)
        TRY(poll(&w));
    else if (deployment_step_makes(w.step))
        TRY(put(&w));
    else
        TRY(delete_one(&w));
    *ret_again_ms = w.again_ms;
    if (w.again_ms == RECONCILE_DONE)
        deployment_wake(uid);
    return OK;
}

void deployment_step_wake(const char *uid, const struct deployment_step *step)
{
    bool runs = strcmp(step->state, "Running") == 0;
    char key[64];

    snprintf(key, sizeof(key), "%s %lld", uid, (long long)step->number);
    reconciler_add_after(reconciler, key, runs ? RETRY_MS : 0);
}

/* ---- the reconciler ---- */

static enum fault sweep(struct op *op)
{
    const char **uids;
    size_t n;

    TRY(deployment_adopt(op, owner, &uids, &n));
    for (size_t i = 0; i < n; i++)
        deployment_wake(uids[i]);
    return OK;
}

static enum fault step(struct op *op, const char *key, int64_t *ret_again_ms)
{
    const char *space = strchr(key, ' ');

    if (space)
        return work(op, arena_strndup(&op->arena, key, (size_t)(space - key)),
                    strtoll(space + 1, NULL, 10), ret_again_ms);
    return deployment_coordinate(op, key);
}

/* The operation ends in the transaction that ends the deployment; look only covers its loss. */
static enum fault look(struct op *op, struct operation *o)
{
    struct resource_id id;
    struct deployment d;
    enum fault fault;

    TRY(resource_id_parse(op, o->resource_id, &id));
    fault = deployment_get(op, &id, &d);
    if (fault == OK && strcmp(d.operation, o->id) == 0)
        return OK;
    if (fault != OK && fault != NOT_FOUND)
        return fault;
    op_clear_fault(op);
    o->status = OPERATION_CANCELED;
    return OK;
}

static enum fault cancel(struct op *op, struct operation *o)
{
    const char *uid;

    TRY(deployment_want_cancel(op, id_lower(op, o->resource_id), &uid));
    return OK;
}

enum fault deployment_run_start(struct op *op, const struct settings *settings)
{
    static const struct operation_kind kind = {"deployment", look, cancel};
    static char name[64];

    operation_kind_register(&kind);
    snprintf(name, sizeof(name), "%s", data_id(op, settings->data));
    owner = name;
    reconciler = reconciler_new_growing("deploy", 1, THREADS, step);
    reconciler_sweep(reconciler, sweep, SWEEP_MS);
    return OK;
}

void deployment_run_stop(void)
{
    reconciler_free(reconciler);
    reconciler = NULL;
}
