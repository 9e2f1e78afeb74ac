/* A cluster: facts, pools, nodes, what is in it, what can be done with it. */
#include <stdlib.h>
#include <string.h>

#include "api/managed_cluster_address.h"
#include "core/seal.h"
#include "web/cluster.h"
#include "web/cluster_nodes.h"
#include "web/create.h"
#include "web/pages.h"

#define EVENTS_SHOWN 12
#define POOL_MAX     1000 /* nodes of one */

/* ---- facts ---- */

static const char *network_text(struct op *op, const json_t *cluster)
{
    const json_t *network = at(cluster, "properties.networkProfile");

    return arena_printf(&op->arena, "%s: pods %s, services %s, DNS %s",
                        text_at_or(network, "networkPlugin", ""),
                        text_at_or(network, "podCidr", ""), text_at_or(network, "serviceCidr", ""),
                        text_at_or(network, "dnsServiceIP", ""));
}

static void add_fault(struct page *p, const struct shown_cluster *k)
{
    const char *why = text_at(k->resource, "properties.status.provisioningError.message");

    if (!why)
        return;
    page_html(p, "<p class=\"error\">");
    page_text(p, why);
    page_html(p, "</p>");
}

static enum fault add_facts(struct page *p, const struct shown_cluster *k)
{
    bool entra = bool_at(k->resource, "properties.aadProfile.managed", false);
    const char *address = NULL;

    TRY(managed_cluster_address_of(p->c, k->id, &address));
    add_fault(p, k);
    page_facts_begin(p);
    page_fact_state(p, "Power", k->power);
    page_fact_state(p, "State", k->provisioning);
    page_fact(p, "Kubernetes", text_at_or(k->resource, "properties.currentKubernetesVersion", ""));
    page_fact(p, "API server", address);
    page_fact(p, "FQDN", text_at_or(k->resource, "properties.fqdn", ""));
    page_fact(p, "Network", network_text(p->op, k->resource));
    page_fact(p, "Users", entra ? "Entra ID, by the cluster's role bindings" : "Certificates");
    page_fact(p, "Location", text_at_or(k->resource, "location", ""));
    page_fact_link(p, "Resource group",
                   page_of(p->op, arena_printf(&p->op->arena, "/subscriptions/%s/resourceGroups/%s",
                                               p->c->path_args[0], k->group)),
                   k->group);
    page_facts_end(p);
    return OK;
}

/* ---- what can be done ---- */

static void add_actions(struct page *p, const struct shown_cluster *k)
{
    bool stopped = strcmp(k->power, "Stopped") == 0;

    page_html(p, "<div class=\"actions\">");
    if (page_may(p, k->id, AKS_ACTION "listClusterUserCredential/action"))
        page_anchor(p, arena_printf(&p->op->arena, "%s/kubeconfig", k->link),
                    "Download kubeconfig");
    if (stopped && page_may(p, k->id, AKS_ACTION "start/action"))
        page_button(p, arena_printf(&p->op->arena, "%s/start", k->link), "Start");
    if (!stopped && page_may(p, k->id, AKS_ACTION "stop/action"))
        page_button(p, arena_printf(&p->op->arena, "%s/stop", k->link), "Stop");
    if (page_may(p, k->id, AKS_ACTION "delete"))
        page_danger(p, arena_printf(&p->op->arena, "%s/delete", k->link), "Delete the cluster",
                    arena_printf(&p->op->arena,
                                 "All that is in %s goes with it: its nodes, pods and objects."
                                 " This cannot be undone.",
                                 k->name));
    page_html(p, "</div>");
    page_command(p, "To use it with kubectl",
                 arena_printf(&p->op->arena, "az aks get-credentials -g %s -n %s",
                              shell_word(p->op, k->group), k->name));
    page_command(p, stopped ? "Start it by az" : "Stop it by az",
                 arena_printf(&p->op->arena, "az aks %s -g %s -n %s", stopped ? "start" : "stop",
                              shell_word(p->op, k->group), k->name));
}

/* ---- pools ---- */

static void add_scale(struct page *p, const struct shown_cluster *k, const char *pool,
                      int64_t count)
{
    page_cell_begin(p);
    page_form_begin(p, page_url(p->op, arena_printf(&p->op->arena, "%s/pools/%%s/scale", k->link),
                                (const char *const[]){pool}));
    page_html(p, "<input type=\"number\" name=\"count\" min=\"0\" max=\"1000\" aria-label=\"");
    page_attr(p, arena_printf(&p->op->arena, "Nodes of %s", pool));
    page_html(p, arena_printf(&p->op->arena, "\" value=\"%lld\">", (long long)count));
    page_html(p, "<button class=\"quiet\">Scale</button></form>");
    page_cell_end(p);
}

static void add_pool_delete(struct page *p, const struct shown_cluster *k, const char *pool)
{
    page_cell_begin(p);
    page_danger(p,
                page_url(p->op, arena_printf(&p->op->arena, "%s/pools/%%s/delete", k->link), &pool),
                "Delete",
                arena_printf(&p->op->arena,
                             "The nodes of %s go. Their pods start again on other nodes, if there"
                             " is room.",
                             pool));
    page_cell_end(p);
}

static void add_pools(struct page *p, const struct shown_cluster *k)
{
    const json_t *pools = at(k->resource, "properties.agentPoolProfiles");
    bool may = page_may(p, k->id, AKS_ACTION "agentPools/write");
    bool may_delete =
        json_array_size(pools) > 1 && page_may(p, k->id, AKS_ACTION "agentPools/delete");
    json_t *pool;
    size_t i;

    page_heading(p, "Node pools");
    if (may)
        create_link(p, arena_printf(&p->op->arena, "%s/pools/new", k->link), "Add a node pool");
    page_table_begin(p, "Node pools",
                     (const char *const[]){"Name", "Mode", "State", "Power", "Size", ">Nodes",
                                           may          ? "Change"
                                           : may_delete ? ""
                                                        : NULL,
                                           may && may_delete ? "" : NULL, NULL});
    json_array_foreach(pools, i, pool)
    {
        page_row_begin(p);
        page_cell_as(p, "word", NULL, text_at_or(pool, "name", ""));
        page_cell(p, text_at_or(pool, "mode", ""));
        page_cell_state(p, text_at_or(pool, "provisioningState", ""));
        page_cell_state(p, text_at_or(pool, "powerState.code", ""));
        page_cell_as(p, "word", NULL, text_at_or(pool, "vmSize", ""));
        page_cell_number(p, page_count(p->op, int_at(pool, "count", 0)));
        if (may)
            add_scale(p, k, text_at_or(pool, "name", ""), int_at(pool, "count", 0));
        if (may_delete)
            add_pool_delete(p, k, text_at_or(pool, "name", ""));
        page_row_end(p);
    }
    page_table_end(p);
    page_command(p, "The same by az",
                 arena_printf(&p->op->arena,
                              "az aks nodepool scale -g %s --cluster-name %s -n %s --node-count 3",
                              shell_word(p->op, k->group), k->name,
                              text_at_or(json_array_get(pools, 0), "name", "nodepool1")));
}

/* ---- what is inside ---- */

static const struct {
    const char *group, *plural, *text, *below;
} kinds[] = {
    {"apps",  "deployments",  "Deployments",  "workloads"},
    {"apps",  "statefulsets", "StatefulSets", "workloads"},
    {"apps",  "daemonsets",   "DaemonSets",   "workloads"},
    {"batch", "jobs",         "Jobs",         "workloads"},
    {"",      "pods",         "Pods",         "pods"     },
    {"",      "services",     "Services",     "services" },
};

/* Those that the viewer may not list are left out. */
static enum fault add_counts(struct page *p, const struct shown_cluster *k)
{
    int64_t counts[ARRAY_LEN(kinds)];

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        enum fault fault = cluster_count(
            p->c, k, resource_find(kinds[i].group, "v1", kinds[i].plural), &counts[i]);

        if (fault == FORBIDDEN) {
            op_clear_fault(p->op);
            counts[i] = -1;
            continue;
        }
        TRY(fault);
    }
    page_html(p, "<ul class=\"tiles\">");
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (counts[i] < 0)
            continue;
        page_html(p, "<li><b>");
        page_text(p, page_count(p->op, counts[i]));
        page_html(p, "</b>");
        page_anchor(p, arena_printf(&p->op->arena, "%s/%s", k->link, kinds[i].below),
                    kinds[i].text);
        page_html(p, "</li>");
    }
    page_html(p, "</ul>");
    return OK;
}

static enum fault add_events(struct page *p, const struct shown_cluster *k)
{
    page_heading(p, "Latest events");
    return cluster_add_latest_events(p, k, NULL, NULL, EVENTS_SHOWN);
}

/* Each part asks first and writes then, so that what fails leaves the page whole. */
static enum fault add_inside(struct page *p, const struct shown_cluster *k)
{
    static enum fault (*const parts[])(struct page * p, const struct shown_cluster *k) = {
        add_counts, cluster_add_nodes, add_events};

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        enum fault fault = parts[i](p, k);

        if (fault == UNAVAILABLE) {
            op_clear_fault(p->op);
            page_empty(p, "Its Kubernetes API does not answer now.", NULL);
            return OK;
        }
        TRY(cluster_note_forbidden(p, fault));
    }
    return OK;
}

static void add_missing(struct page *p, const struct shown_cluster *k)
{
    page_html(p, "<p class=\"note\">What is inside you cannot see: you need the right <code>");
    page_text(p, k->inside.missing);
    page_html(p, "</code> on this cluster.</p>");
}

/* ---- the page ---- */

enum fault cluster_page(struct call *c)
{
    static const struct crumb crumbs[] = {
        {"Clusters", "/console/clusters"},
        {0         },
    };
    struct shown_cluster k;
    struct page p;

    TRY(cluster_of_page(c, &k));
    page_begin(c, &p, k.name, crumbs);
    cluster_add_links(&p, &k);
    TRY(add_facts(&p, &k));
    add_actions(&p, &k);
    add_pools(&p, &k);
    page_heading(&p, "Inside");
    if (k.inside.missing)
        add_missing(&p, &k);
    else if (k.runs)
        TRY(add_inside(&p, &k));
    else
        cluster_add_stopped(&p, &k);
    return page_end(&p);
}

/* ---- doing ---- */

static enum fault act(struct call *c, enum method method, const char *verb, const char *said,
                      bool to_list)
{
    struct shown_cluster k;

    TRY(page_check_form(c));
    TRY(cluster_of_page(c, &k));
    TRY(ask_manager_do(c, method, arena_printf(&c->op.arena, "%s%s", k.id, verb), NULL, NULL));
    return page_go(c, said, "%s", to_list ? "/console/clusters" : k.link);
}

enum fault cluster_start(struct call *c)
{
    return act(c, POST, "/start", "The cluster is being started.", false);
}

enum fault cluster_stop(struct call *c)
{
    return act(c, POST, "/stop", "The cluster is being stopped.", false);
}

enum fault cluster_delete(struct call *c)
{
    return act(c, DELETE, "", "The cluster is being deleted.", true);
}

enum fault cluster_number_of_form(struct call *c, const char *name, int64_t max, int64_t *ret)
{
    const char *text = call_form(c, name, 0);
    char *end = NULL;
    long long n = text && *text ? strtoll(text, &end, 10) : -1;

    if (n < 0 || n > max || *end)
        return fail(&c->op, INVALID,
                    "'%.40s' is not a number from 0 to %lld: go back and change it",
                    text ? text : "", (long long)max);
    *ret = n;
    return OK;
}

enum fault cluster_pool_scale(struct call *c)
{
    const char *path, *name = c->path_args[3];
    struct shown_cluster k;
    json_t *pool, *body;
    int64_t count;

    TRY(page_check_form(c));
    TRY(cluster_number_of_form(c, "count", POOL_MAX, &count));
    TRY(cluster_of_page(c, &k));
    path = page_url(&c->op, arena_printf(&c->op.arena, "%s/agentPools/%%s", k.id),
                    (const char *const[]){name});
    TRY(ask_manager(c, path, &pool));
    body = json_pack("{s:O}", "properties", json_object_get(pool, "properties"));
    arena_defer(&c->op.arena, (void (*)(void *))json_decref, body);
    set_at(body, "properties.count", json_integer(count));
    TRY(ask_manager_do(c, PUT, path, body, NULL));
    return page_go(
        c, arena_printf(&c->op.arena, "%s is being scaled to %lld nodes.", name, (long long)count),
        "%s", k.link);
}

enum fault cluster_pool_delete(struct call *c)
{
    const char *pool = c->path_args[3];
    struct shown_cluster k;

    TRY(page_check_form(c));
    TRY(cluster_of_page(c, &k));
    TRY(ask_manager_do(
        c, DELETE, page_url(&c->op, arena_printf(&c->op.arena, "%s/agentPools/%%s", k.id), &pool),
        NULL, NULL));
    return page_go(c, arena_printf(&c->op.arena, "%s is being deleted.", pool), "%s", k.link);
}

enum fault cluster_kubeconfig(struct call *c)
{
    struct shown_cluster k;
    struct bytes file;
    json_t *answer;
    const char *text;

    TRY(cluster_of_page(c, &k));
    TRY(ask_manager_do(c, POST, arena_printf(&c->op.arena, "%s/listClusterUserCredential", k.id),
                       NULL, &answer));
    text = text_at_or(json_array_get(at(answer, "kubeconfigs"), 0), "value", "");
    if (!base64_decode(&c->op.arena, text, false, &file))
        return fail(&c->op, INTERNAL, "a kubeconfig of ours is not base64");
    reply_header(c, "Cache-Control", "no-store");
    reply_header(c, "X-Content-Type-Options", "nosniff");
    reply_header(c, "Content-Disposition", "attachment; filename=\"%s.yaml\"", k.name);
    return reply_bytes(c, 200, "application/yaml", file);
}
