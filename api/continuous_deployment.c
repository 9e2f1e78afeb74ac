#include "api/continuous_deployment.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/cluster_access.h"
#include "auth/role.h"
#include "clusters/object/object.h"
#include "core/inside.h"
#include "core/json.h"
#include "core/seal.h"
#include "core/uri.h"
#include "instances/image.h"
#include "registry/webhook.h"

#define ACI           "Microsoft.ContainerInstance/containerGroups"
#define AKS           "Microsoft.ContainerService/managedClusters"
#define ACI_VERSION   "?api-version=2023-05-01"
#define AKS_VERSION   "?api-version=2024-05-01"
#define NAME_MAX_     253
#define FIELD_MANAGER "continuous-deployment"
#define DEPLOYED_BY   "kubernetes.io/change-cause"
#define STRATEGIC     "application/strategic-merge-patch+json"

/* What was pushed. */
struct pushed {
    const char *action, *repository, *tag, *digest;
};
struct deployer {
    struct op *op;
    const struct webhook_deployment *d;
    const struct identity *who;
    struct deployment_place place;
    struct pushed pushed;
};

/* ---- where ---- */

static enum fault no_place(struct op *op, const char *path)
{
    return arm_fail_at(op, "InvalidServiceUri", INVALID, "properties.serviceUri",
                       "'%.300s' is neither the id of a container group nor that of a managed "
                       "cluster with /namespaces/NAMESPACE/deployments/NAME behind it.",
                       path);
}

static bool is_name(const char *text)
{
    size_t len = strlen(text);

    return len > 0 && len <= NAME_MAX_ &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-.") == len;
}

enum fault continuous_deployment_place(struct op *op, const char *path,
                                       struct deployment_place *ret)
{
    struct deployment_place place = {.id = path};
    struct resource_id id;

    TRY(resource_id_parse(op, path, &id));
    if (strcmp(id.path, path) != 0 || !id.full_type)
        return no_place(op, path);
    if (strcasecmp(id.full_type, AKS "/namespaces/deployments") == 0) {
        place.ns = strchr(id.names, '/') + 1; /* "CLUSTER/NS/NAME" */
        place.ns = arena_strndup(&op->arena, place.ns, strcspn(place.ns, "/"));
        place.name = id.name;
        place.id = arena_strndup(&op->arena, path, /* the parent is the namespace */
                                 strlen(id.parent) - strlen("/namespaces/") - strlen(place.ns));
        if (!is_name(place.ns) || !is_name(place.name))
            return no_place(op, path);
    } else if (strcasecmp(id.full_type, ACI) != 0) {
        return no_place(op, path);
    }
    *ret = place;
    return OK;
}

enum fault continuous_deployment_check(struct call *c, const char *path, struct resource_id *ret)
{
    struct deployment_place place;

    TRY(continuous_deployment_place(&c->op, path, &place));
    TRY(resource_id_parse(&c->op, place.id, ret));
    return arm_need(c, ret->path,
                    place.name ? AKS_ACTION "listClusterUserCredential/action"
                               : ACI "/restart/action");
}

/* ---- asking, as who set it ---- */

static struct call *ask(const struct deployer *y, struct inside *asked)
{
    struct op *op = y->op;
    char *id = arena_alloc(&op->arena, 37);
    struct inside_origin origin = {.host = "localhost", .client = "127.0.0.1", .tls = true};

    random_uuid(id);
    origin.correlation_id = id;
    return call_alone(op, &origin, asked);
}

static struct call *ask_manager(const struct deployer *y, enum method method, const char *path)
{
    struct inside asked = {
        .method = method, .target = path, .vouched = y->who, .headers = inside_json_headers};

    return ask(y, &asked);
}

/* What was said to us is what is said of it. */
static enum fault pass_on(struct op *op, const struct call *answer, struct webhook_answer *ret)
{
    struct bytes body = inside_body(answer);

    ret->status = answer->reply.status;
    ret->content = arena_strndup(&op->arena, body.data, body.len < 4096 ? body.len : 4096);
    return OK;
}

static enum fault say(struct op *op, int status, json_t *content, struct webhook_answer *ret)
{
    char *text = json_dumps(content, JSON_COMPACT);

    json_decref(content);
    arena_defer(&op->arena, free, text);
    *ret = (struct webhook_answer){status, text ? text : "{}"};
    return OK;
}

static enum fault say_nothing_runs(const struct deployer *y, const char *what,
                                   struct webhook_answer *ret)
{
    return say(y->op, 200,
               json_pack("{s:s, s:[], s:o}", what, y->place.name ? y->place.name : y->place.id,
                         "deployed", "message",
                         json_sprintf("no container of it runs %s:%s", y->pushed.repository,
                                      y->pushed.tag)),
               ret);
}

/* ---- which containers ---- */

/* same_tag: the reference must be what was pushed, too. */
static bool runs_it(const struct deployer *y, const json_t *image, bool same_tag)
{
    struct image_name name;

    if (!json_is_string(image) || image_name_parse(y->op, json_string_value(image), &name) != OK) {
        op_clear_fault(y->op);
        return false;
    }
    return name.registry && strcasecmp(name.registry, y->d->registry->name) == 0 &&
           strcmp(name.repository, y->pushed.repository) == 0 &&
           (!same_tag || strcmp(name.reference, y->pushed.tag) == 0);
}

/* ---- a container group ---- */

static size_t note_running(const struct deployer *y, const json_t *containers, json_t *names)
{
    const json_t *container;
    size_t i, n = 0;

    json_array_foreach(containers, i, container)
    {
        if (!runs_it(y, at(container, "properties.image"), true))
            continue;
        json_array_append_new(names, json_string(text_at_or(container, "name", "")));
        n++;
    }
    return n;
}

static enum fault restart_group(const struct deployer *y, struct webhook_answer *ret)
{
    struct op *op = y->op;
    struct call *answer =
        ask_manager(y, GET, arena_printf(&op->arena, "%s" ACI_VERSION, y->place.id));
    json_t *group = inside_json(op, answer), *names = json_keep(op, json_array());
    size_t n;

    if (answer->reply.status != 200 || !group)
        return pass_on(op, answer, ret);
    n = note_running(y, at(group, "properties.containers"), names) +
        note_running(y, at(group, "properties.initContainers"), names);
    if (n == 0)
        return say_nothing_runs(y, "containerGroup", ret);
    if (strcmp(text_at_or(group, "properties.instanceView.state", ""), "Stopped") == 0)
        return say(op, 200,
                   json_pack("{s:s, s:[], s:s}", "containerGroup", text_at_or(group, "name", ""),
                             "deployed", "message", "it is stopped, and pulls when it starts"),
                   ret);
    answer = ask_manager(y, POST, arena_printf(&op->arena, "%s/restart" ACI_VERSION, y->place.id));
    if (answer->reply.status >= 300)
        return pass_on(op, answer, ret);
    return say(op, 200,
               json_pack("{s:s, s:O, s:s, s:s}", "containerGroup", text_at_or(group, "name", ""),
                         "deployed", names, "tag", y->pushed.tag, "digest", y->pushed.digest),
               ret);
}

/* ---- a Deployment ---- */

/* "sundog.azurecr.io/team/app:1@sha256:…" of that name, whatever tag and digest it had. */
static const char *image_now(const struct deployer *y, const char *image)
{
    size_t len = strcspn(image, "@");
    const char *slash = memrchr(image, '/', len);
    const char *colon = slash ? memchr(slash, ':', (size_t)(image + len - slash)) : NULL;

    return arena_printf(&y->op->arena, "%.*s:%s@%s", (int)(colon ? (size_t)(colon - image) : len),
                        image, y->pushed.tag, y->pushed.digest);
}

static json_t *patched(const struct deployer *y, const json_t *containers, json_t *names)
{
    json_t *out = json_array();
    const json_t *container;
    size_t i;

    json_array_foreach(containers, i, container)
    {
        const char *name = text_at_or(container, "name", "");

        if (!runs_it(y, json_object_get(container, "image"), false))
            continue;
        json_array_append_new(out, json_pack("{s:s, s:s}", "name", name, "image",
                                             image_now(y, text_at_or(container, "image", ""))));
        json_array_append_new(names, json_string(name));
    }
    return out;
}

static struct call *ask_cluster(const struct deployer *y, const struct cluster_access *access,
                                enum method method, const char *path, const json_t *body)
{
    const struct header headers[] = {
        {"accept",   "application/json"},
        {"content-type",          STRATEGIC},
        {0},
    };
    struct inside asked = {.method = method,
                           .target = path,
                           .realm = access->uid,
                           .vouched = access->certificate ? NULL : y->who,
                           .certificate = access->certificate,
                           .headers = headers};

    if (body)
        asked.body = BYTES(json_text_of(y->op, body));
    return ask(y, &asked);
}

static enum fault roll(const struct deployer *y, const struct cluster_access *access,
                       struct webhook_answer *ret)
{
    struct op *op = y->op;
    const char *path = arena_printf(&op->arena, "/apis/apps/v1/namespaces/%s/deployments/%s",
                                    y->place.ns, y->place.name);
    struct call *answer = ask_cluster(y, access, GET, path, NULL);
    json_t *deployment = inside_json(op, answer), *names = json_keep(op, json_array());
    json_t *containers, *inits, *cause, *body;

    if (answer->reply.status != 200 || !deployment)
        return pass_on(op, answer, ret);
    containers = patched(y, at(deployment, "spec.template.spec.containers"), names);
    inits = patched(y, at(deployment, "spec.template.spec.initContainers"), names);
    cause = json_sprintf("%s:%s was pushed (%s)", y->pushed.repository, y->pushed.tag,
                         y->pushed.digest);
    body = json_keep(op, json_pack("{s:{s:{s:o}}, s:{s:{s:{s:o, s:o}}}}", "metadata", "annotations",
                                   DEPLOYED_BY, cause, "spec", "template", "spec", "containers",
                                   containers, "initContainers", inits));
    if (json_array_size(names) == 0)
        return say_nothing_runs(y, "deployment", ret);
    if (json_array_size(inits) == 0)
        json_object_del(at(body, "spec.template.spec"), "initContainers");
    if (json_array_size(containers) == 0)
        json_object_del(at(body, "spec.template.spec"), "containers");
    answer = ask_cluster(y, access, PATCH,
                         arena_printf(&op->arena, "%s?fieldManager=" FIELD_MANAGER, path), body);
    if (answer->reply.status >= 300)
        return pass_on(op, answer, ret);
    return say(op, 200,
               json_pack("{s:s, s:s, s:O, s:s, s:s}", "deployment", y->place.name, "namespace",
                         y->place.ns, "deployed", names, "tag", y->pushed.tag, "digest",
                         y->pushed.digest),
               ret);
}

static enum fault roll_deployment(const struct deployer *y, struct webhook_answer *ret)
{
    struct op *op = y->op;
    struct call *answer =
        ask_manager(y, GET, arena_printf(&op->arena, "%s" AKS_VERSION, y->place.id));
    json_t *cluster = inside_json(op, answer);
    struct cluster_access access;

    if (answer->reply.status != 200 || !cluster)
        return pass_on(op, answer, ret);
    cluster_access_of(op, y->who, y->place.id, cluster, &access);
    if (access.missing)
        return say(op, 403,
                   json_pack("{s:o}", "message",
                             json_sprintf("%s lacks the right %s", y->who->name, access.missing)),
                   ret);
    return roll(y, &access, ret);
}

/* ---- an event ---- */

static const char *text_or_null(const json_t *event, const char *path)
{
    return json_string_value(at(event, path));
}

static enum fault read_event(struct deployer *y)
{
    json_t *event;

    TRY(json_parse(y->op, BYTES(y->d->content), &event));
    y->pushed = (struct pushed){
        .action = text_or_null(event, "action"),
        .repository = text_or_null(event, "target.repository"),
        .tag = text_or_null(event, "target.tag"),
        .digest = text_or_null(event, "target.digest"),
    };
    return OK;
}

static enum fault deploy(struct op *op, const struct webhook_deployment *d,
                         struct webhook_answer *ret)
{
    struct deployer y = {.op = op, .d = d};

    TRY(read_event(&y));
    if (!y.pushed.action || strcmp(y.pushed.action, "push") != 0 || !y.pushed.repository ||
        !y.pushed.tag || !y.pushed.digest)
        return say(op, 200, json_pack("{s:s}", "message", "there is nothing to deploy"), ret);
    TRY(continuous_deployment_place(op, d->path, &y.place));
    if (!d->who || entra_principal(op, d->who, &y.who) != OK) {
        op_clear_fault(op);
        return say(op, 403, json_pack("{s:s}", "message", "who set this webhook is no more"), ret);
    }
    return y.place.name ? roll_deployment(&y, ret) : restart_group(&y, ret);
}

void continuous_deployment_start(void)
{
    webhook_deploy_with(deploy);
}
