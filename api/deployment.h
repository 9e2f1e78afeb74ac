/*
 * Deployments of templates: rows of api.deployment, and what works on them. A deployment runs in
 * the background as whoever asked for it, through the very routes that clients use; each resource
 * is a step with a row of its own, so that any `serve` goes on with it after a crash.
 */
#ifndef SUNDOG_API_DEPLOYMENT_H
#define SUNDOG_API_DEPLOYMENT_H

#include "api/arm.h"
#include "api/template/template.h"

struct deployment {
    const char *uid;              /* of this run */
    const char *id, *key, *scope; /* scope: key of its group or subscription */
    const char *subscription, *group, *name, *location; /* group, location: or NULL */
    const char *tags;                                   /* JSON object text */
    const char *mode, *state, *operation;
    const char *who, *correlation, *client, *host;
    bool tls, cancel;
    const char *hash;
    struct bytes input, secrets; /* sealed; written alone: deployment_sealed reads them */
    const char *parameters, *facts, *outputs, *resources, *error; /* JSON; NULL: none yet */
    const char *owner, *created, *ended, *changed;
    int64_t duration_ms, created_us;
};

void deployment_store_start(void);
/* NOT_FOUND on "DeploymentNotFound". */
enum fault deployment_get(struct op *op, const struct resource_id *id, struct deployment *ret);
/* NOT_FOUND: it is over, and another one may have its name. */
enum fault deployment_by_uid(struct op *op, const char *uid, struct deployment *ret);
/* Within the open transaction; replaces one of its name and forgets the oldest of a long history.
   CONFLICT on "DeploymentActive": one of its name is running. */
enum fault deployment_insert(struct op *op, const struct deployment *d, bool *ret_created);
/* What it was begun with (up to 9 MiB), or its outputs with secret ones (none: empty), sealed. */
enum fault deployment_sealed(struct op *op, const char *uid, bool outputs, struct bytes *ret);
/* An ended one. CONFLICT on "DeploymentActive": it is running. */
enum fault deployment_delete(struct op *op, const char *key, bool *ret_existed);
/* Part of the open transaction: all of a group that is deleted. */
enum fault deployment_delete_below(struct op *op, const char *scope);
struct deployment_filter {
    const char *subscription, *scope; /* scope NULL: all in the subscription */
    const char *state;                /* NULL: any */
    int64_t before_us;                /* begun before then, or then and with a lesser key; 0: any */
    const char *before_key;
    int64_t limit;
};
/* The newest first. */
enum fault deployment_list(struct op *op, const struct deployment_filter *filter,
                           struct deployment **ret, size_t *ret_n);
/* It shall stop. *ret_uid NULL: it is not running. */
enum fault deployment_want_cancel(struct op *op, const char *key, const char **ret_uid);
/* Terminal, unless it is already; within the open transaction. */
enum fault deployment_end(struct op *op, const struct deployment *d);
/* Uids of running ones that nobody works on, which are ours from now on; and keep our own. */
enum fault deployment_adopt(struct op *op, const char *owner, const char ***ret, size_t *ret_n);

struct deployment_step {
    int64_t number;
    const char *id, *action, *target, *type, *name, *version, *state, *poll, *error;
    const char *started, *ended;
    int64_t blocker, tries, status, duration_ms;
};
enum fault deployment_steps(struct op *op, const char *uid, struct deployment_step **ret,
                            size_t *ret_n);
enum fault deployment_step_insert(struct op *op, const char *uid, const struct deployment_step *s);
/* state, poll, blocker, tries, status, error; started and ended by the clock. */
enum fault deployment_step_set(struct op *op, const char *uid, const struct deployment_step *s);
/* Those not ended become Canceled. */
enum fault deployment_steps_cancel(struct op *op, const char *uid);

/* ---- what a template means at a place: deployment_context.c ---- */

/* What a request asks for, or a row holds. */
struct deployment_input {
    const json_t *template; /* in op's arena */
    json_t *values;         /* of its parameters */
    json_t *shown;          /* {"name": {"type", "value"}} */
    json_t *facts;          /* what was true where it is deployed; NULL: not asked yet */
    const char *mode;
};
struct deployment_context {
    struct deployment_input input;
    struct template_facts facts;
    struct template_plan *plan;
};
/* The plan, and the facts where input has none; d's subscription, group, location, name, hash, host
   and tls are read. The same input gives the same plan, whatever has changed since. */
enum fault deployment_plan(struct op *op, const struct deployment *d,
                           struct deployment_context *context);
/* Seal what runs later; and back. */
struct bytes deployment_seal(struct op *op, const char *uid, const struct deployment_input *input);
enum fault deployment_unseal(struct op *op, const struct deployment *d,
                             struct deployment_input *ret);
/* As Azure's: of the template's text without space. */
const char *deployment_hash(struct op *op, const json_t *template);
/* May who make all of the plan's resources? FORBIDDEN on "InvalidTemplateDeployment", or INVALID:
   a type is unknown. */
enum fault deployment_preflight(struct op *op, const struct template_plan *plan,
                                const struct identity *who);

/* ---- asking as the one who deploys: deployment_ask.c ---- */

struct deployment_asker {
    const struct identity *who;
    const struct deployment *d;
    struct template_plan *plan;
    const char *const *states; /* of the plan's steps; NULL: what is there is asked at once */
    json_t *asked;             /* answers so far */
    int64_t blocker;           /* after WOULD_BLOCK: the step that must come first */
};
/* Any status is an answer. The call lives in op's arena. */
enum fault deployment_ask(struct op *op, const struct deployment_asker *asker, enum method method,
                          const char *path, const char *version, const json_t *body,
                          struct call **ret);
struct template_calls deployment_calls(struct deployment_asker *asker);

/* ---- shown: deployment_json.c ---- */

json_t *deployment_json(struct op *op, const struct deployment *d);
json_t *deployment_step_json(struct op *op, const struct deployment *d,
                             const struct deployment_step *s);
/* "PT1M2.5S" */
const char *deployment_duration(struct op *op, int64_t ms);
/* {"providers", "dependencies"} of a plan, as JSON text. */
const char *deployment_facts(struct op *op, const struct template_plan *plan);

/* ---- running: deployment_run.c ---- */

enum fault deployment_run_start(struct op *op, const struct settings *settings);
void deployment_run_stop(void);
void deployment_wake(const char *uid);
/* Whose are those begun here. */
const char *deployment_owner(void);

/* ---- what it leaves out: deployment_rest.c ---- */

/* Add an id to names, an object; and all that it belongs to, which stays with it. made: it is made,
   not only referred to. */
void deployment_name(struct op *op, json_t *names, const char *id, bool made);
/* Is it, or what belongs to it, among the names? Is it made? */
bool deployment_names(const json_t *names, const char *key);
bool deployment_makes(const json_t *names, const char *key);
/* All tracked resources of d's group, sorted by key; from {0} on. *ret NULL: there are no more. */
struct resource;
struct deployment_there {
    struct resource *rows;
    size_t i, n;
};
enum fault deployment_there_next(struct op *op, const struct deployment *d,
                                 struct deployment_there *there, const struct resource **ret);
/*
 * The names of all that the asker's plan makes or refers to, and the deployments within it.
 * *ret_unknown: one of these of which that cannot be told before it runs; NULL: none.
 */
enum fault deployment_foresee(struct op *op, struct deployment_asker *asker, json_t **ret_names,
                              const char **ret_unknown);

/* ---- what it would change: deployment_what_if.c ---- */

/* The changes from a resource as it is to a body, as whatIf shows them; in op's arena. */
json_t *deployment_delta(struct op *op, const json_t *before, const json_t *after);
/* The result of whatIf: {"status", "properties": {"changes"}}. */
enum fault deployment_what_if(struct op *op, struct deployment_asker *asker, const char *mode,
                              bool only_ids, json_t **ret);

#endif
