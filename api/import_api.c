/* importImage: a job of the registry (registry/import.h) behind a long-running operation. */
#include "registry/import.h"

#include <string.h>
#include <strings.h>

#include "api/body.h"
#include "api/operation.h"
#include "api/registry_api.h"
#include "core/db.h"
#include "core/json.h"
#include "core/server.h"
#include "registry/principal.h"

#define KIND       "registry.import"
#define IMAGE_MAX  1024
#define PULL_RIGHT "Microsoft.ContainerRegistry/registries/pull/read"

static const char *const import_modes[] = {"NoForce", "Force", NULL};

/* ---- the source ---- */

/* One of ours by its login server ("other.azurecr.localhost:8443", "other.azurecr.io"), or NULL. */
static const struct registry *ours(struct op *op, const char *host)
{
    const char *dot = strchr(host, '.');
    const char *name = dot ? arena_strndup(&op->arena, host, (size_t)(dot - host)) : host;

    if (!dot || (strcasecmp(dot, server_registry_suffix()) != 0 &&
                 strcasecmp(dot, ".azurecr.io") != 0 && strcasecmp(dot, ".azurecr.localhost") != 0))
        return NULL;
    return registry_find(op, name);
}

/* Who imports must be able to pull what is imported. */
static enum fault need_pull(struct call *c, const struct registry *source, const char *image)
{
    struct op *op = &c->op;
    struct principal principal = {PRINCIPAL_ENTRA, .identity = arm_who(c)};
    const char *repository;

    TRY(registry_fault(op, import_source_repository(op, image, &repository)));
    if (principal_rights(op, &principal, source, repository, SCOPE_PULL))
        return OK;
    return fail_on(op, "AuthorizationFailed", FORBIDDEN,
                   "The client '%s' with object id '%s' does not have authorization to perform "
                   "action '" PULL_RIGHT "' over scope '%s' or the scope is invalid.",
                   arm_who(c)->name, arm_who(c)->object_id, source->scope);
}

static enum fault source_by_id(struct call *c, const char *resource_id,
                               struct import_request *request)
{
    struct op *op = &c->op;
    const struct registry *source;
    struct resource_id id;

    if (resource_id_parse(op, resource_id, &id) != OK || registry_of_id(op, &id, &source) != OK)
        return arm_fail_at(op, "InvalidParameter", INVALID, "source.resourceId",
                           "there is no registry \"%s\"", resource_id);
    TRY(need_pull(c, source, request->source_image));
    request->source_registry = source->id;
    return OK;
}

static enum fault source_by_host(struct call *c, const char *host, struct import_request *request)
{
    struct op *op = &c->op;
    const struct registry *source;

    if (!host)
        import_split_image(op, request->source_image, &host, &request->source_image);
    if (!host)
        return arm_fail_at(op, "InvalidParameter", INVALID, "source",
                           "the source needs a registryUri or a resourceId");
    source = ours(op, host);
    if (source && !request->username && !request->password) {
        TRY(need_pull(c, source, request->source_image));
        request->source_registry = source->id;
        return OK;
    }
    request->source_host = host;
    return OK;
}

static enum fault read_source(struct call *c, const json_t *body, struct import_request *request)
{
    struct op *op = &c->op;
    const char *resource_id = NULL, *host = NULL;

    TRY(body_required(op, body, "source.sourceImage"));
    TRY(body_text(op, body, "source.sourceImage", 1, IMAGE_MAX, &request->source_image));
    TRY(body_text(op, body, "source.resourceId", 1, ID_MAX_BYTES, &resource_id));
    TRY(body_text(op, body, "source.registryUri", 1, 512, &host));
    TRY(body_text(op, body, "source.credentials.username", 0, 512, &request->username));
    TRY(body_text(op, body, "source.credentials.password", 0, 16384, &request->password));
    return resource_id ? source_by_id(c, resource_id, request) : source_by_host(c, host, request);
}

/* ---- the call ---- */

static enum fault read_request(struct call *c, struct import_request *request)
{
    struct op *op = &c->op;
    const char **targets = NULL, **untagged = NULL, *mode = NULL;
    json_t *body;

    TRY(body_read(c, false, &body));
    TRY(read_source(c, body, request));
    TRY(body_texts(op, body, "targetTags", IMPORT_TARGETS_MAX, IMAGE_MAX, &targets,
                   &request->n_targets));
    TRY(body_texts(op, body, "untaggedTargetRepositories", IMPORT_TARGETS_MAX, IMAGE_MAX, &untagged,
                   &request->n_untagged));
    TRY(body_choice(op, body, "mode", import_modes, &mode));
    request->targets = targets;
    request->untagged = untagged;
    request->force = mode == import_modes[1];
    request->started_by = arm_who(c)->object_id;
    return OK;
}

enum fault import_image(struct call *c)
{
    struct op *op = &c->op;
    struct operation operation = {.kind = KIND, .provider = "Microsoft.ContainerRegistry"};
    struct import_request request = {0};
    const struct registry *registry;
    struct resource envelope;
    const char *job;

    TRY(registry_of_call(c, &registry));
    TRY(resource_get(op, arm_id(c), &envelope));
    TRY(read_request(c, &request));
    TRY(db_begin(op));
    TRY(registry_fault(op, import_start(op, registry, &request, &job)));
    operation.location = envelope.location;
    operation.input = arena_printf(&op->arena, "{\"job\":\"%s\"}", job);
    TRY(operation_start(c, &operation));
    TRY(db_commit(op));
    import_wake(job);
    operation_headers(c, &operation, OPERATION_LOCATION);
    return reply_empty(c, 202);
}

/* ---- the operation ---- */

static enum fault job_of(struct op *op, const struct operation *o, const char **ret_job)
{
    json_t *input;

    TRY(json_parse(op, BYTES(o->input), &input));
    *ret_job = json_string_value(json_object_get(input, "job"));
    return *ret_job ? OK : fail(op, INTERNAL, "an operation has lost its job");
}

static enum fault look(struct op *op, struct operation *o)
{
    static const enum operation_status statuses[] = {
        [IMPORT_RUNNING] = OPERATION_RUNNING,
        [IMPORT_SUCCEEDED] = OPERATION_SUCCEEDED,
        [IMPORT_FAILED] = OPERATION_FAILED,
        [IMPORT_CANCELED] = OPERATION_CANCELED,
    };
    struct import_job job;
    const char *id;

    TRY(job_of(op, o, &id));
    TRY(import_get(op, id, &job));
    o->status = statuses[job.state];
    o->code = job.code;
    o->message = job.message;
    o->properties = arena_printf(&op->arena, "{\"bytesCompleted\":%lld,\"bytesTotal\":%lld}",
                                 (long long)job.bytes, (long long)job.total_bytes);
    if (job.total_bytes > 0)
        o->percent = job.bytes * 100 / job.total_bytes;
    return OK;
}

static enum fault cancel(struct op *op, struct operation *o)
{
    const char *id;

    TRY(job_of(op, o, &id));
    return import_cancel(op, id);
}

void import_api_start(void)
{
    static const struct operation_kind kind = {KIND, look, cancel};

    operation_kind_register(&kind);
}
