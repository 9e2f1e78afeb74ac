/* Jobs as they are asked for: `sundog new` and `sundog delete` are clients of these. */
#include <ctype.h>
#include <string.h>

#include "api/body.h"
#include "api/group.h"
#include "api/handlers.h"
#include "api/job.h"
#include "api/location.h"
#include "api/page.h"
#include "api/registry_api.h"
#include "api/subscription.h"
#include "auth/object.h"
#include "core/db.h"
#include "core/seal.h"

#define FIRST_GROUP   "job" /* where its registry is */
#define SECRET_LENGTH 40
#define HUNDRED_YEARS (INT64_C(100) * 365 * 86400)

/* ---- making one ---- */

/* What is told once. */
struct made {
    struct job job;
    const char *secret, *principal;
    int64_t registry_id;
};

static bool is_edge(char c)
{
    return islower((unsigned char)c) || isdigit((unsigned char)c);
}

static enum fault check_name(struct op *op, const char *name)
{
    size_t len = strlen(name);

    if (len >= 1 && len <= JOB_NAME_MAX && is_edge(name[0]) && is_edge(name[len - 1]) &&
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len)
        return OK;
    return arm_fail_at(op, "InvalidJobName", INVALID, "name",
                       "The name '%.60s' of a job is not well-formed: " JOB_NAME_PATTERN ".", name);
}

static enum fault make_principal(struct call *c, struct made *m)
{
    struct op *op = &c->op;
    const char *name = arena_printf(&op->arena, "job %s", m->job.name);
    struct object_row app = {.kind = OBJECT_APPLICATION, .name = name, .enabled = true};
    struct object_row sp = {.kind = OBJECT_SERVICE_PRINCIPAL, .name = name, .enabled = true};
    struct credential_row secret = {.name = "job", .ends_s = wall_s() + HUNDRED_YEARS};
    struct role_assignment owner = {
        .scope = arena_printf(&op->arena, "/subscriptions/%s", m->job.subscription),
        .role_id = ROLE_OWNER,
        .principal_type = "ServicePrincipal",
    };
    char app_id[37], assignment[37];
    bool created;

    random_uuid(app_id);
    random_uuid(assignment);
    app.app_id = sp.app_id = m->job.app_id = arena_strdup(&op->arena, app_id);
    TRY(object_insert(op, &app));
    TRY(object_insert(op, &sp));
    m->job.application = secret.object_id = app.id;
    m->secret = random_password(op, SECRET_LENGTH);
    TRY(secret_add(op, &secret, m->secret));
    m->principal = owner.principal_id = sp.id;
    owner.id = assignment;
    return role_assignment_put(op, &owner, arm_who(c)->object_id, &created);
}

static enum fault make_registry(struct call *c, struct made *m)
{
    struct op *op = &c->op;
    struct group wanted = {.subscription = m->job.subscription,
                           .name = FIRST_GROUP,
                           .location = locations[0].name,
                           .tags = "{}"},
                 group;
    struct resource envelope = {.location = locations[0].name, .state = "Succeeded"}, now;
    struct registry_options options;
    struct resource_id id;
    bool created;

    registry_options_default(&options, SKU_PREMIUM);
    options.admin_enabled = true;
    envelope.sku = registry_sku_json(op, &options);
    m->job.registry = arena_printf(&op->arena, "job%s", random_hex(op, 8));
    TRY(group_put(op, &wanted, &group, &created));
    TRY(resource_id_parse(op,
                          arena_printf(&op->arena,
                                       "%s/providers/Microsoft.ContainerRegistry/registries/%s",
                                       group.id, m->job.registry),
                          &id));
    TRY(resource_put(c, &id, &envelope, &now, &created));
    return registry_fault(op,
                          registry_create(op, m->job.registry, now.id, &options, &m->registry_id));
}

/* All of it or nothing. */
static enum fault make(struct call *c, struct made *m, int64_t lives_s)
{
    struct op *op = &c->op;

    TRY(db_begin(op));
    TRY(subscription_make(op, arena_printf(&op->arena, "job %s", m->job.name),
                          &m->job.subscription));
    TRY(make_principal(c, m));
    TRY(make_registry(c, m));
    TRY(job_insert(op, &m->job, lives_s));
    TRY(db_commit(op));
    TRY(subscription_reload(op));
    TRY(role_reload(op));
    return registry_changed(op, m->registry_id);
}

/* ---- JSON ---- */

static json_t *job_properties(struct op *op, const struct job *job)
{
    json_t *p = json_new_object(op);

    json_set_text(p, "subscriptionId", job->subscription);
    json_set_text(p, "clientId", job->app_id);
    json_set_text(p, "registryName", job->registry);
    json_set_text(p, "state", job->deleting ? "Deleting" : "Running");
    json_set_text(p, "created", job->created);
    json_set_text(p, "expires", job->ends);
    json_object_set_new(p, "resourceGroups", json_integer(job->groups));
    json_object_set_new(p, "resources", json_integer(job->resources));
    return p;
}

static json_t *job_json(struct op *op, const struct job *job)
{
    json_t *out = json_new_object(op);

    json_set_text(out, "id", arena_printf(&op->arena, JOBS_PATH "/%s", job->name));
    json_set_text(out, "name", job->name);
    json_set_text(out, "type", "Sundog.Jobs/jobs");
    json_object_set(out, "properties", job_properties(op, job));
    return out;
}

/* The members that admin.json has, for the job's own. */
static enum fault reply_made(struct call *c, const struct made *m)
{
    struct op *op = &c->op;
    const struct registry *registry = registry_find(op, m->job.registry);
    struct job now;
    json_t *out, *p;

    TRY(job_get(op, m->job.name, &now));
    if (!registry)
        return fail(op, UNAVAILABLE, "the job's registry is gone already");
    out = job_json(op, &now);
    p = json_object_get(out, "properties");
    json_set_text(p, "tenantId", entra_tenant());
    json_set_text(p, "principalId", m->principal);
    json_set_text(p, "clientSecret", m->secret);
    json_set_text(p, "registryUsername", registry->name);
    json_set_text(p, "registryPassword", registry_password(op, registry, 0));
    reply_header(c, "Cache-Control", "no-store");
    return arm_reply(c, 201, out);
}

/* ---- handlers ---- */

enum fault job_api_new(struct call *c)
{
    struct op *op = &c->op;
    struct made made = {0};
    int64_t lives_s = 0;
    json_t *body;

    TRY(body_read(c, true, &body));
    TRY(body_text(op, body, "name", 1, 256, &made.job.name));
    TRY(body_int(op, body, "expiresInSeconds", 1, JOB_SECONDS_MAX, &lives_s));
    if (made.job.name)
        TRY(check_name(op, made.job.name));
    else
        made.job.name = arena_printf(&op->arena, "job-%s", random_hex(op, 6));
    TRY(make(c, &made, lives_s));
    return reply_made(c, &made);
}

enum fault job_api_list(struct call *c)
{
    json_t *values = json_new_array(&c->op);
    struct arm_page page;
    struct job *jobs;
    size_t n, shown;

    TRY(page_read_arm(c, PAGE_DEFAULT, &page));
    TRY(job_list(&c->op, page.last, page.limit, &jobs, &n));
    shown = n < (size_t)page.limit ? n : n - 1;
    for (size_t i = 0; i < shown; i++)
        json_array_append(values, job_json(&c->op, &jobs[i]));
    return page_reply(c, values, shown < n ? jobs[shown - 1].name : NULL);
}

enum fault job_api_get(struct call *c)
{
    struct job job;

    TRY(job_get(&c->op, c->path_args[0], &job));
    return arm_reply(c, 200, job_json(&c->op, &job));
}

enum fault job_api_delete(struct call *c)
{
    TRY(job_delete(&c->op, c->path_args[0]));
    reply_header(c, "Location", "%s" JOBS_PATH "/%s", c->base_url, c->path_args[0]);
    reply_header(c, "Retry-After", "1");
    return reply_empty(c, 202);
}
