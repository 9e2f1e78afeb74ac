/* What can be done with a managed cluster: start, stop, credentials, commands; versions. */
#include <stdlib.h>
#include <string.h>

#include "api/body.h"
#include "api/cache.h"
#include "api/managed_cluster.h"
#include "api/operation.h"
#include "core/db.h"
#include "core/json.h"
#include "core/seal.h"
#include "instances/group_run.h"

#define COMMAND_MAX 32768
#define CONTEXT_MAX ((size_t)2 << 20)

/* ---- start and stop ---- */

struct action {
    struct cluster_written written;
    const char *location;
};

static enum fault answer(struct call *c, bool reached, void *arg)
{
    const struct action *a = arg;

    cache_changed(arm_id(c)->key);
    if (reached)
        return reply_empty(c, 204);
    TRY(managed_cluster_follow(c, &a->written, a->location, OPERATION_LOCATION | OPERATION_ASYNC));
    return reply_empty(c, 202);
}

static enum fault act(struct call *c, enum cluster_wanted wanted)
{
    struct op *op = &c->op;
    struct action *a = arena_alloc(&op->arena, sizeof(*a));
    struct managed_cluster m;

    TRY(db_begin(op));
    TRY(managed_cluster_of_call(c, &m));
    TRY(managed_cluster_want(op, &m, wanted, &a->written));
    if (!a->written.begins)
        return reply_empty(c, 204);
    a->location = m.location;
    TRY(db_commit(op));
    cache_changed(arm_id(c)->key);
    return managed_cluster_wait(c, &a->written, CLUSTER_GOAL_SETTLED, AKS_PARK_MS, answer, a);
}

enum fault managed_cluster_start_api(struct call *c)
{
    return act(c, CLUSTER_WANT_RUNNING);
}

enum fault managed_cluster_stop_api(struct call *c)
{
    return act(c, CLUSTER_WANT_STOPPED);
}

/* ---- credentials ---- */

static bool local_accounts_are_off(const struct managed_cluster *m)
{
    json_t *properties = json_loads(m->document, 0, NULL);
    bool off = json_is_true(json_object_get(properties, "disableLocalAccounts"));

    json_decref(properties);
    return off;
}

static bool is_entra_managed(const struct managed_cluster *m)
{
    json_t *properties = json_loads(m->document, 0, NULL);
    bool managed =
        json_is_true(json_object_get(json_object_get(properties, "aadProfile"), "managed"));

    json_decref(properties);
    return managed;
}

static enum fault kubeconfig(struct call *c, enum kubeconfig_kind wanted, const char **ret_base64,
                             struct managed_cluster *ret)
{
    enum kubeconfig_kind kind = wanted;
    const char *text;

    TRY(managed_cluster_of_call(c, ret));
    if (kind == KUBECONFIG_USER && is_entra_managed(ret))
        kind = KUBECONFIG_EXEC;
    if (kind != KUBECONFIG_EXEC && local_accounts_are_off(ret))
        return arm_fail_at(&c->op, "BadRequest", INVALID, NULL,
                           "Getting static credential is not allowed because this cluster is set"
                           " to disable local accounts.");
    TRY(managed_cluster_kubeconfig(c, ret, kind, &text));
    *ret_base64 = base64_encode(&c->op.arena, BYTES(text), false);
    return OK;
}

static enum fault reply_credential(struct call *c, enum kubeconfig_kind kind, const char *name)
{
    json_t *body = json_new_object(&c->op);
    struct managed_cluster m;
    const char *value;

    TRY(kubeconfig(c, kind, &value, &m));
    json_object_set_new(body, "kubeconfigs",
                        json_pack("[{s:s, s:s}]", "name", name, "value", value));
    reply_header(c, "Cache-Control", "no-store");
    return arm_reply(c, 200, body);
}

enum fault managed_cluster_admin_credential_api(struct call *c)
{
    return reply_credential(c, KUBECONFIG_ADMIN, "clusterAdmin");
}

enum fault managed_cluster_user_credential_api(struct call *c)
{
    const char *format = call_query(c, "format", 0);
    bool exec = format && strcasecmp(format, "exec") == 0;

    if (format && *format && !exec && strcasecmp(format, "azure") != 0)
        return arm_fail_at(&c->op, "BadRequest", INVALID, "format",
                           "format is azure or exec, not '%.20s'.", format);
    return reply_credential(c, KUBECONFIG_USER, "clusterUser");
}

enum fault managed_cluster_monitoring_credential_api(struct call *c)
{
    return arm_fail_at(&c->op, "NotSupported", UNSUPPORTED, NULL,
                       "credentials of a monitoring user are not supported by this Sundog "
                       "(docs/azure-coverage.md)");
}

enum fault managed_cluster_access_profile_api(struct call *c)
{
    const char *profile = c->path_args[3];
    bool admin = strcasecmp(profile, "clusterAdmin") == 0;
    json_t *body = json_new_object(&c->op);
    struct managed_cluster m;
    const char *value;

    if (!admin && strcasecmp(profile, "clusterUser") != 0)
        return arm_not_found(&c->op, arm_id(c));
    TRY(kubeconfig(c, admin ? KUBECONFIG_ADMIN : KUBECONFIG_USER, &value, &m));
    json_set_text(body, "id", arena_printf(&c->op.arena, "%s/accessProfiles/%s", m.scope, profile));
    json_set_text(body, "name", profile);
    json_set_text(body, "type", AKS_TYPE "/AccessProfiles");
    json_set_text(body, "location", m.location);
    json_object_set_new(body, "properties", json_pack("{s:s}", "kubeConfig", value));
    reply_header(c, "Cache-Control", "no-store");
    return arm_reply(c, 200, body);
}

/* ---- commands ---- */

static json_t *command_json(struct op *op, const struct cluster_command *command)
{
    json_t *body = json_new_object(op), *properties = json_object();
    bool ended = command->finished_us > 0;

    json_set_text(body, "id", command->id);
    json_object_set_new(body, "properties", properties);
    json_set_text(properties, "provisioningState",
                  !ended            ? "Running"
                  : command->reason ? "Failed"
                                    : "Succeeded");
    json_set_text(properties, "startedAt", iso_time(op, command->started_us));
    if (!ended)
        return body;
    json_object_set_new(properties, "exitCode", json_integer(command->exit_code));
    json_set_text(properties, "finishedAt", iso_time(op, command->finished_us));
    json_set_text(properties, "logs", command->logs ? command->logs : "");
    json_set_text(properties, "reason", command->reason);
    return body;
}

static enum fault read_context(struct op *op, const json_t *body, struct bytes *ret)
{
    const char *text = NULL;

    *ret = (struct bytes){NULL, 0};
    TRY(body_text(op, body, "context", 0, CONTEXT_MAX, &text));
    if (text && *text && !base64_decode(&op->arena, text, false, ret))
        return arm_fail_at(op, "InvalidParameter", INVALID, "context",
                           "context is a ZIP file in base64.");
    return OK;
}

enum fault managed_cluster_run_command_api(struct call *c)
{
    struct op *op = &c->op;
    const char *command = NULL, *id;
    struct bytes context;
    struct managed_cluster m;
    json_t *body;

    TRY(body_read(c, false, &body));
    TRY(body_required(op, body, "command"));
    TRY(body_text(op, body, "command", 1, COMMAND_MAX, &command));
    TRY(read_context(op, body, &context));
    TRY(managed_cluster_of_call(c, &m));
    TRY(cluster_command_start(op, &m, command, context, &id));
    reply_header(c, "Location", "%s%s/commandResults/%s?api-version=%s", c->base_url, m.scope, id,
                 call_query(c, "api-version", 0));
    reply_header(c, "Retry-After", "1");
    return reply_empty(c, 202);
}

enum fault managed_cluster_command_result_api(struct call *c)
{
    struct cluster_command command;
    struct managed_cluster m;

    TRY(managed_cluster_of_call(c, &m));
    TRY(cluster_command_get(&c->op, &m, c->path_args[3], &command));
    if (command.finished_us)
        return arm_reply(c, 200, command_json(&c->op, &command));
    reply_header(c, "Location", "%s%s?api-version=%s", c->base_url, c->path,
                 call_query(c, "api-version", 0));
    reply_header(c, "Retry-After", "1");
    return arm_reply(c, 202, command_json(&c->op, &command));
}

/* ---- versions ---- */

enum fault managed_cluster_upgrades_api(struct call *c)
{
    struct op *op = &c->op;
    json_t *body = json_new_object(op), *pools = json_array();
    struct managed_cluster m;

    TRY(managed_cluster_of_call(c, &m));
    for (size_t i = 0; i < m.n_pools; i++)
        json_array_append_new(pools,
                              json_pack("{s:s, s:s, s:s, s:[]}", "kubernetesVersion", AKS_VERSION,
                                        "name", m.pools[i].name, "osType", "Linux", "upgrades"));
    json_set_text(body, "id", arena_printf(&op->arena, "%s/upgradeprofiles/default", m.scope));
    json_set_text(body, "name", "default");
    json_set_text(body, "type", AKS_TYPE "/upgradeprofiles");
    json_object_set_new(body, "properties",
                        json_pack("{s:{s:s, s:s, s:[]}, s:o}", "controlPlaneProfile",
                                  "kubernetesVersion", AKS_VERSION, "osType", "Linux", "upgrades",
                                  "agentPoolProfiles", pools));
    return arm_reply(c, 200, body);
}

enum fault managed_cluster_outbound_api(struct call *c)
{
    struct managed_cluster m;
    json_t *body = json_new_object(&c->op);

    TRY(managed_cluster_of_call(c, &m));
    json_object_set_new(body, "value", json_array());
    return arm_reply(c, 200, body);
}

enum fault kubernetes_versions_api(struct call *c)
{
    json_t *body = json_new_object(&c->op);

    json_object_set_new(body, "values",
                        json_pack("[{s:s, s:b, s:{s:[s]}, s:{s:{s:[]}}}]", "version", AKS_MINOR,
                                  "isDefault", 1, "capabilities", "supportPlan",
                                  "KubernetesOfficial", "patchVersions", AKS_VERSION, "upgrades"));
    return arm_reply(c, 200, body);
}

enum fault orchestrators_api(struct call *c)
{
    struct op *op = &c->op;
    json_t *body = json_new_object(op);

    json_set_text(body, "id",
                  arena_printf(&op->arena,
                               "/subscriptions/%s/providers/" AKS_NAMESPACE
                               "/locations/%s/orchestrators",
                               arm_id(c)->subscription, c->path_args[1]));
    json_set_text(body, "name", "default");
    json_set_text(body, "type", AKS_NAMESPACE "/locations/orchestrators");
    json_object_set_new(body, "properties",
                        json_pack("{s:[{s:s, s:s, s:b}]}", "orchestrators", "orchestratorType",
                                  "Kubernetes", "orchestratorVersion", AKS_VERSION, "default", 1));
    return arm_reply(c, 200, body);
}
