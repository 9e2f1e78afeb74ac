#include "web/console.h"

#include <string.h>

#include "core/migrate.h"
#include "core/uri.h"
#include "web/assets.h"
#include "web/history.h"
#include "web/live.h"
#include "web/page.h"
#include "web/pages.h"
#include "web/sign_in.h"
#include "web/terminal.h"

#define SIGNED_IN            1
#define FORM_MAX             65536
#define SUBSCRIPTION         "/console/subscriptions/{subscription}"
#define GROUP                SUBSCRIPTION "/resourceGroups/{group}"
#define DEPLOYMENT_OF(scope) scope "/providers/Microsoft.Resources/deployments/{name}"
#define INSTANCE             GROUP "/providers/Microsoft.ContainerInstance/containerGroups/{name}"
#define CLUSTER              GROUP "/providers/Microsoft.ContainerService/managedClusters/{cluster}"
#define OBJECT               CLUSTER "/objects/{object+}"
#define REGISTRY             GROUP "/providers/Microsoft.ContainerRegistry/registries/{registry}"
#define REPOSITORY           REGISTRY "/repositories/{repository+}"

static enum fault to_console(struct call *c)
{
    return page_go(c, NULL, "/console");
}

/* clang-format off */
/* A deployment, to a resource group and to a subscription alike. */
#define DEPLOYMENT(scope, where) \
    {GET, DEPLOYMENT_OF(scope), SIGNED_IN, CALL, deployment_page, "a deployment to a " where, \
     .query = "q, page"}, \
    {POST, DEPLOYMENT_OF(scope) "/cancel", SIGNED_IN, CALL, deployment_cancel, "stop it", \
     .body_max = FORM_MAX}, \
    {POST, DEPLOYMENT_OF(scope) "/delete", SIGNED_IN, CALL, deployment_forget, "forget it", \
     .body_max = FORM_MAX}

static const struct route routes[] = {
    {GET, "/", 0, CALL, to_console, "to the console"},
    {GET, "/console/assets/{file}", 0, CALL, asset_get, "its stylesheet and its script"},
    {GET, "/console/sign-in", 0, CALL, sign_in_get, "to the sign-in page", .query = "to"},
    {GET, "/console/signed-in", 0, CALL, signed_in_get, "back from there", .query = "code, state"},
    {POST, "/console/sign-out", SIGNED_IN, CALL, sign_out_post, "end the session",
     .body_max = FORM_MAX},
    {POST, "/console/link", 0, CALL, sign_in_link_post, "a link that signs in whose token this is"},
    {GET, "/console/link/{code}", 0, CALL, sign_in_link_get, "sign in by such a link, once"},
    {GET, "/console/live", SIGNED_IN, WATCH, live_open, "a page's content whenever it changes",
     .query = "page"},
    {GET, "/console", SIGNED_IN, CALL, overview_page, "what there is and how it does"},
    {GET, "/console/activity", SIGNED_IN, CALL, activity_page, "who did what", .query = "q, after"},
    {GET, "/console/groups", SIGNED_IN, CALL, resource_groups_page, "resource groups",
     .query = "q, page"},
    {GET, "/console/groups/new", SIGNED_IN, CALL, resource_group_new_page, "a form that makes one",
     .query = "show, name, location, subscription"},
    {POST, "/console/groups/new", SIGNED_IN, CALL, resource_group_new_post, "make one",
     .body_max = FORM_MAX},
    {GET, GROUP, SIGNED_IN, CALL, resource_group_page, "what is in a resource group",
     .query = "q, part, after"},
    {POST, GROUP "/delete", SIGNED_IN, CALL, resource_group_delete, "delete it with all in it",
     .body_max = FORM_MAX},
    /* deployments */
    {GET, "/console/deployments", SIGNED_IN, CALL, deployments_page,
     "deployments, and operations that run now", .query = "q, page"},
    DEPLOYMENT(GROUP, "resource group"),
    DEPLOYMENT(SUBSCRIPTION, "subscription"),
    /* registries */
    {GET, "/console/registries", SIGNED_IN, CALL, registries_page, "registries",
     .query = "q, part, after"},
    {GET, "/console/registries/new", SIGNED_IN, CALL, registry_new_page, "a form that makes one",
     .query = "show, group, name, sku, admin"},
    {POST, "/console/registries/new", SIGNED_IN, CALL, registry_new_post, "make one",
     .body_max = FORM_MAX},
    {GET, REGISTRY, SIGNED_IN, CALL, registry_page, "a registry and its repositories",
     .query = "q, page"},
    {POST, REGISTRY "/delete", SIGNED_IN, CALL, registry_delete_post, "delete it with all in it",
     .body_max = FORM_MAX},
    {GET, REGISTRY "/webhooks/new", SIGNED_IN, CALL, webhook_new_page,
     "a form that makes a webhook", .query = "show, name, uri, actions, scope"},
    {POST, REGISTRY "/webhooks/new", SIGNED_IN, CALL, webhook_new_post, "make one",
     .body_max = FORM_MAX},
    {GET, REGISTRY "/tokens/new", SIGNED_IN, CALL, token_new_page, "a form that makes a token",
     .query = "show, name, map"},
    {POST, REGISTRY "/tokens/new", SIGNED_IN, CALL, token_new_post,
     "make one, with a password shown once", .body_max = FORM_MAX},
    {GET, REGISTRY "/webhooks/{webhook}", SIGNED_IN, CALL, webhook_page,
     "a webhook and its deliveries"},
    {POST, REGISTRY "/webhooks/{webhook}/ping", SIGNED_IN, CALL, webhook_ping_post, "send a ping",
     .body_max = FORM_MAX},
    {POST, REGISTRY "/webhooks/{webhook}/delete", SIGNED_IN, CALL, webhook_delete_post, "delete it",
     .body_max = FORM_MAX},
    {GET, REPOSITORY "/_tags/{tag}", SIGNED_IN, CALL, tag_page, "an image by a tag"},
    {POST, REPOSITORY "/_tags/{tag}/_lock", SIGNED_IN, CALL, tag_lock_post,
     "lock or unlock the tag", .body_max = FORM_MAX},
    {POST, REPOSITORY "/_tags/{tag}/_delete", SIGNED_IN, CALL, tag_delete_post, "delete the tag",
     .body_max = FORM_MAX},
    {GET, REPOSITORY "/_manifests", SIGNED_IN, CALL, manifests_page, "manifests of a repository",
     .query = "q, after, untagged"},
    {GET, REPOSITORY "/_manifests/{digest}", SIGNED_IN, CALL, manifest_page,
     "an image by its digest"},
    {POST, REPOSITORY "/_manifests/{digest}/_lock", SIGNED_IN, CALL, manifest_lock_post,
     "lock or unlock the manifest", .body_max = FORM_MAX},
    {POST, REPOSITORY "/_manifests/{digest}/_delete", SIGNED_IN, CALL, manifest_delete_post,
     "delete the manifest with its tags", .body_max = FORM_MAX},
    {POST, REPOSITORY "/_lock", SIGNED_IN, CALL, repository_lock_post,
     "lock or unlock the repository", .body_max = FORM_MAX},
    {POST, REPOSITORY "/_delete", SIGNED_IN, CALL, repository_delete_post, "delete the repository",
     .body_max = FORM_MAX},
    {GET, REPOSITORY, SIGNED_IN, CALL, repository_page, "a repository and its tags",
     .query = "q, page"},
    /* container groups */
    {GET, "/console/instances", SIGNED_IN, CALL, instances_page, "container groups",
     .query = "q, part, after"},
    {GET, "/console/instances/new", SIGNED_IN, CALL, instance_new_page, "a form that makes one",
     .query =
         "show, group, name, image, ports, command, environment, cpu, memory, policy, address"},
    {POST, "/console/instances/new", SIGNED_IN, CALL, instance_new_post, "make one",
     .body_max = FORM_MAX},
    {GET, INSTANCE, SIGNED_IN, CALL, instance_page, "a container group"},
    {GET, INSTANCE "/logs", SIGNED_IN, CALL, instance_logs_page, "what a container printed",
     .query = "container"},
    {GET, INSTANCE "/shell", SIGNED_IN, CALL, instance_shell_page, "a shell in a container",
     .query = "container"},
    {GET, INSTANCE "/terminal", SIGNED_IN, STREAM, instance_terminal, "its WebSocket",
     .query = "container, rows, cols"},
    {POST, INSTANCE "/start", SIGNED_IN, CALL, instance_start, "start it", .body_max = FORM_MAX},
    {POST, INSTANCE "/stop", SIGNED_IN, CALL, instance_stop, "stop it", .body_max = FORM_MAX},
    {POST, INSTANCE "/restart", SIGNED_IN, CALL, instance_restart, "stop and start it",
     .body_max = FORM_MAX},
    {POST, INSTANCE "/delete", SIGNED_IN, CALL, instance_delete, "delete it", .body_max = FORM_MAX},
    /* access */
    {GET, "/console/access", SIGNED_IN, CALL, access_page, "who may do what",
     .query = "q, part, after"},
    {GET, "/console/access/new", SIGNED_IN, CALL, access_new_page, "a form that gives a role",
     .query = "show, principal, role, scope"},
    {POST, "/console/access/new", SIGNED_IN, CALL, access_new_post, "give it",
     .body_max = FORM_MAX},
    {GET, "/console/access/{kind}", SIGNED_IN, CALL, principals_page, "users, groups, applications",
     .query = "q, after"},
    {POST, "/console/access/delete", SIGNED_IN, CALL, access_delete, "remove a role assignment",
     .body_max = FORM_MAX, .query = "id"},
    /* clusters */
    {GET, "/console/clusters", SIGNED_IN, CALL, clusters_page, "Kubernetes clusters",
     .query = "q, part, after"},
    {GET, "/console/clusters/new", SIGNED_IN, CALL, cluster_new_page, "a form that makes one",
     .query = "show, group, name, count, size"},
    {POST, "/console/clusters/new", SIGNED_IN, CALL, cluster_new_post, "make one",
     .body_max = FORM_MAX},
    {GET, CLUSTER, SIGNED_IN, CALL, cluster_page, "a cluster, its pools and its nodes",
     .query = "q, page"},
    {POST, CLUSTER "/start", SIGNED_IN, CALL, cluster_start, "start it", .body_max = FORM_MAX},
    {POST, CLUSTER "/stop", SIGNED_IN, CALL, cluster_stop, "stop it", .body_max = FORM_MAX},
    {POST, CLUSTER "/delete", SIGNED_IN, CALL, cluster_delete, "delete it", .body_max = FORM_MAX},
    {GET, CLUSTER "/pools/new", SIGNED_IN, CALL, pool_new_page, "a form that adds a node pool",
     .query = "show, name, count, size, mode"},
    {POST, CLUSTER "/pools/new", SIGNED_IN, CALL, pool_new_post, "add it", .body_max = FORM_MAX},
    {POST, CLUSTER "/pools/{pool}/delete", SIGNED_IN, CALL, cluster_pool_delete, "delete it",
     .body_max = FORM_MAX},
    {POST, CLUSTER "/pools/{pool}/scale", SIGNED_IN, CALL, cluster_pool_scale,
     "more or fewer nodes", .body_max = FORM_MAX},
    {GET, CLUSTER "/kubeconfig", SIGNED_IN, CALL, cluster_kubeconfig,
     "a user's kubeconfig as a file"},
    {GET, CLUSTER "/workloads", SIGNED_IN, CALL, cluster_workloads_page, "what runs in it",
     .query = "q, page, namespace"},
    {GET, CLUSTER "/pods", SIGNED_IN, CALL, cluster_pods_page, "its pods",
     .query = "q, page, namespace"},
    {GET, CLUSTER "/services", SIGNED_IN, CALL, cluster_services_page, "its services",
     .query = "q, page, namespace"},
    {GET, CLUSTER "/configuration", SIGNED_IN, CALL, cluster_configuration_page,
     "its config maps and secrets", .query = "q, page, namespace"},
    {GET, CLUSTER "/events", SIGNED_IN, CALL, cluster_events_page, "what happened in it",
     .query = "q, page, namespace"},
    {GET, OBJECT, SIGNED_IN, CALL, cluster_object_page, "any object of it"},
    {POST, OBJECT "/scale", SIGNED_IN, CALL, cluster_object_scale,
     "set how many replicas there are", .body_max = FORM_MAX},
    {POST, OBJECT "/restart", SIGNED_IN, CALL, cluster_object_restart, "make its pods anew",
     .body_max = FORM_MAX},
    {POST, OBJECT "/delete", SIGNED_IN, CALL, cluster_object_delete, "delete it",
     .body_max = FORM_MAX},
    {GET, CLUSTER "/pods/{namespace}/{pod}/logs", SIGNED_IN, CALL, cluster_pod_log_page,
     "what a container printed last", .query = "container, previous"},
    {GET, CLUSTER "/pods/{namespace}/{pod}/shell", SIGNED_IN, CALL, cluster_pod_shell_page,
     "a shell in a container of a pod", .query = "container"},
    {GET, CLUSTER "/pods/{namespace}/{pod}/terminal", SIGNED_IN, STREAM, cluster_pod_terminal,
     "its WebSocket", .query = "container, rows, cols"},
    {0},
};
/* clang-format on */

/* ---- who ---- */

static enum fault authorise(struct call *c, bool may_block)
{
    const struct session *session;

    if (!may_block)
        return WOULD_BLOCK;
    TRY(session_find(c, &session));
    c->caller = (void *)(uintptr_t)session;
    return OK;
}

/* ---- faults ---- */

static const struct dialect_row rows[] = {
    {INVALID,         "method", 405, ""},
    {INVALID,            NULL, 400, ""},
    {UNAUTHENTICATED,               NULL, 401, ""},
    {FORBIDDEN,NULL, 403, ""},
    {NOT_FOUND,             NULL, 404, ""},
    {CONFLICT, NULL, 409, ""},
    {GONE,            NULL, 410, ""},
    {PRECONDITION,               NULL, 412, ""},
    {TOO_LARGE,            NULL, 413, ""},
    {TOO_MANY,             NULL, 429, ""},
    {INTERNAL,       NULL, 500, ""},
    {UNSUPPORTED,            NULL, 501, ""},
    {UNAVAILABLE,               NULL, 503, ""},
    {0          },
};

static bool is_page(const struct call *c)
{
    return c->method == GET && c->route && c->route->lane == CALL;
}

/* Who is not signed in goes there first, and comes back to what was asked. */
static void render(struct call *c, const struct dialect_row *row)
{
    if (row->status == 401 && is_page(c) && c->route->access) {
        reply_header(c, "Cache-Control", "no-store");
        reply_header(
            c, "Location", "/console/sign-in?to=%s",
            uri_encode(&c->op.arena, strlen(c->target) < 500 ? c->target : "/console", ""));
        reply_empty(c, 303);
        return;
    }
    page_error(c, row->status);
}

static const struct dialect dialect = {"console", rows, render};

/* ---- the service ---- */

static enum fault start(struct op *op, const struct settings *settings)
{
    (void)op;
    (void)settings;
    session_store_start();
    assets_start();
    history_start();
    live_start();
    terminal_start();
    return OK;
}

static void stop(void)
{
    terminal_stop();
    live_stop();
    history_stop();
}

const struct service console_service = {
    .name = "console",
    .routes = routes,
    .dialect = &dialect,
    .migrations = web_migrations,
    .schema = "web",
    .any_case = true, /* ids of resources are in the letters that they were made by */
    .authorise = authorise,
    .start = start,
    .stop = stop,
};
