/* Making a cluster, and a node pool of one. */
#include <ctype.h>
#include <string.h>

#include "api/arm.h"
#include "web/cluster.h"
#include "web/create.h"
#include "web/pages.h"
#include "web/subscriptions.h"

#define CLUSTERS  "/providers/Microsoft.ContainerService/managedClusters"
#define NODES_MAX 1000 /* of a pool */
#define SIZE      "Standard_DS2_v2"

/* ---- a cluster ---- */

static enum fault cluster_places(struct page *p, json_t **ret)
{
    return create_groups(p, AKS_ACTION "write", ret);
}

static const struct create_field cluster_fields[] = {
    {"group",                                          "Resource group", .list = cluster_places},
    {"name",                          "Name", .hint = "letters, digits, hyphens, underscores"},
    {"count",                                           "Nodes", "1", "1"},
    {"size", "Size of a node", SIZE, SIZE},
    {0                                         },
};

/* Letters, digits and hyphens of it, at most so many. */
static const char *plain(struct op *op, const char *text, size_t max)
{
    char *out = arena_alloc(&op->arena, max + 1);
    size_t n = 0;

    for (; *text && n < max; text++)
        if (isalnum((unsigned char)*text) || *text == '-')
            out[n++] = *text;
    out[n] = '\0';
    return out;
}

/* As az makes it: "c1-demo-0123ab". */
static const char *dns_prefix(struct op *op, const char *name, const char *group_id)
{
    const char *begin = plain(op, name, 10);

    if (!isalpha((unsigned char)*begin))
        begin = arena_printf(&op->arena, "a%.9s", begin);
    return arena_printf(&op->arena, "%s-%s-%.6s", begin, plain(op, id_group(op, group_id), 16),
                        group_id + strlen("/subscriptions/"));
}

static enum fault read_cluster(struct call *c, const struct create_form *form, struct created *ret)
{
    const char *name, *size, *id;
    struct op *op = &c->op;
    const json_t *group;
    int64_t count;

    TRY(create_needed(c, form, "name", &name));
    TRY(create_number(c, form, "count", 1, NODES_MAX, &count));
    TRY(create_needed(c, form, "size", &size));
    TRY(create_group(c, form, &group));
    id = text_at_or(group, "id", "");
    ret->path = arena_printf(&op->arena, "%s%s", page_of(op, id) + strlen("/console"),
                             page_url(op, CLUSTERS "/%s", &name));
    ret->body = json_keep(op, json_pack("{s:s, s:{s:s}, s:{s:s, s:[{s:s, s:s, s:s, s:s, s:I}]}}",
                                        "location", text_at_or(group, "location", ""), "identity",
                                        "type", "SystemAssigned", "properties", "dnsPrefix",
                                        dns_prefix(op, name, id), "agentPoolProfiles", "name",
                                        "nodepool1", "mode", "System", "osType", "Linux", "vmSize",
                                        size, "count", (json_int_t)count));
    ret->command = arena_printf(
        &op->arena, "az aks create -g %s -n %s --node-count %lld --node-vm-size %s --no-ssh-key",
        shell_word(op, id_group(op, id)), shell_word(op, name), (long long)count,
        shell_word(op, size));
    ret->said = "The cluster is being made.";
    ret->link = arena_printf(&op->arena, "/console%s", ret->path);
    return OK;
}

static const struct create_form cluster_form = {
    .title = "Create a cluster",
    .fields = cluster_fields,
    .none = "A cluster stands in a resource group, and there is none where you may make one.",
    .next = "az group create -n demo -l eastus",
    .read = read_cluster,
};
static const struct crumb cluster_crumbs[] = {
    {"Clusters", "/console/clusters"},
    {0         },
};

enum fault cluster_new_page(struct call *c)
{
    return create_page(c, &cluster_form, cluster_crumbs);
}

enum fault cluster_new_post(struct call *c)
{
    return create_post(c, &cluster_form, cluster_crumbs);
}

/* ---- a pool ---- */

static const struct create_choice modes[] = {
    {"User",                              "User"},
    {"System",                                   "System, for what a cluster needs"},
    {0},
};
static const struct create_field pool_fields[] = {
    {"name",                                           "Name", .hint = "1 to 12 lower-case letters and digits"},
    {"count", "Nodes", "1", "1"},
    {"size",                                          "Size of a node", SIZE, SIZE},
    {"mode",                                             "Mode", "User", .choices = modes},
    {0                                               },
};

static enum fault read_pool(struct call *c, const struct create_form *form, struct created *ret)
{
    const char *name, *size, *mode;
    struct shown_cluster k;
    struct op *op = &c->op;
    int64_t count;

    TRY(cluster_of_page(c, &k));
    TRY(create_needed(c, form, "name", &name));
    TRY(create_number(c, form, "count", 0, NODES_MAX, &count));
    TRY(create_needed(c, form, "size", &size));
    TRY(create_needed(c, form, "mode", &mode));
    ret->path = arena_printf(&op->arena, "%s%s", k.id, page_url(op, "/agentPools/%s", &name));
    ret->body =
        json_keep(op, json_pack("{s:{s:s, s:s, s:s, s:I}}", "properties", "mode", mode, "osType",
                                "Linux", "vmSize", size, "count", (json_int_t)count));
    ret->command = arena_printf(
        &op->arena,
        "az aks nodepool add -g %s --cluster-name %s -n %s --node-count %lld --node-vm-size %s"
        " --mode %s",
        shell_word(op, k.group), k.name, shell_word(op, name), (long long)count,
        shell_word(op, size), shell_word(op, mode));
    ret->said = "The node pool is being made.";
    ret->link = k.link;
    return OK;
}

static const struct create_form pool_form = {
    .title = "Add a node pool",
    .fields = pool_fields,
    .read = read_pool,
};

static enum fault in_cluster(struct call *c,
                             enum fault (*handler)(struct call *c, const struct create_form *form,
                                                   const struct crumb *crumbs))
{
    struct crumb crumbs[3] = {
        {"Clusters", "/console/clusters"},
    };
    struct shown_cluster k;

    TRY(cluster_of_page(c, &k));
    crumbs[1] = (struct crumb){k.name, k.link};
    return handler(c, &pool_form, crumbs);
}

enum fault pool_new_page(struct call *c)
{
    return in_cluster(c, create_page);
}

enum fault pool_new_post(struct call *c)
{
    return in_cluster(c, create_post);
}
