/* Lists of what is in a cluster: workloads, pods, services, configuration, events. */
#include <string.h>

#include "core/uri.h"
#include "web/cluster.h"
#include "web/pages.h"

/* Nothing to be seen: because of what was asked for, or because there is nothing. */
static void add_nothing(struct page *p, const struct cluster_list *list, const char *text,
                        const char *command)
{
    bool asked = *list->l.q || *list->ns;

    page_empty(p, asked ? "Nothing matches." : text, asked ? NULL : command);
}

/* All kinds of a page; those that the viewer may not list leave a note. */
static enum fault gather(struct page *p, const struct shown_cluster *k, struct cluster_list *list,
                         const struct resource *r, bool unowned, json_t **ret)
{
    *ret = cluster_rows_new(p->op);
    return cluster_note_forbidden(p, cluster_list_add(p, k, list, r, unowned, *ret));
}

static void add_name(struct page *p, const struct shown_cluster *k, const struct resource *r,
                     const json_t *object)
{
    const char *ns = text_at_or(object, "metadata.namespace", "");
    const char *name = text_at_or(object, "metadata.name", "");

    page_cell_as(p, "name", cluster_object_link(p->op, k, r, ns, name), name);
}

/* ---- workloads ---- */

static const struct workload {
    const char *group, *plural, *ready, *desired;
    int64_t desired_default;
    bool unowned;
} workloads[] = {
    {"apps",  "deployments",  "status.readyReplicas", "spec.replicas",                 1, false},
    {"apps",  "statefulsets", "status.readyReplicas", "spec.replicas",                 1, false},
    {"apps",  "daemonsets",   "status.numberReady",   "status.desiredNumberScheduled", 0, false},
    {"apps",  "replicasets",  "status.readyReplicas", "spec.replicas",                 1, true },
    {"batch", "jobs",         "status.succeeded",     "spec.completions",              1, false},
};

static void add_workload(struct page *p, const struct shown_cluster *k, const struct resource *r,
                         const struct workload *w, const json_t *object)
{
    long long ready = int_at(object, w->ready, 0);
    long long desired = int_at(object, w->desired, w->desired_default);

    page_row_begin(p);
    add_name(p, k, r, object);
    page_cell_as(p, "word", NULL, r->kind);
    page_cell_as(p, "word", NULL, text_at_or(object, "metadata.namespace", ""));
    page_cell_number(p, arena_printf(&p->op->arena, "%lld/%lld", ready, desired));
    page_cell_as(p, "name", NULL, cluster_images(p->op, at(object, "spec.template.spec")));
    page_cell_time(p, text_at_or(object, "metadata.creationTimestamp", ""));
    page_row_end(p);
}

static void add_workloads(struct page *p, const struct shown_cluster *k, json_t *const *rows)
{
    page_table_begin(
        p, "Workloads",
        (const char *const[]){"Name", "Kind", "Namespace", ">Ready", "Images", "Age", NULL});
    for (size_t i = 0; i < ARRAY_LEN(workloads); i++) {
        const struct resource *r = resource_find(workloads[i].group, "v1", workloads[i].plural);
        json_t *object;
        size_t n;

        json_array_foreach(rows[i], n, object)
        {
            add_workload(p, k, r, &workloads[i], object);
        }
    }
    page_table_end(p);
}

enum fault cluster_workloads_page(struct call *c)
{
    json_t *rows[ARRAY_LEN(workloads)];
    struct cluster_list list;
    struct shown_cluster k;
    struct page p;
    bool usable;

    TRY(cluster_page_begin(c, &p, "Workloads", &k, &usable));
    if (!usable)
        return page_end(&p);
    TRY(cluster_list_begin(&p, &k, "Name", &list));
    for (size_t i = 0; i < ARRAY_LEN(workloads); i++)
        TRY(gather(&p, &k, &list, resource_find(workloads[i].group, "v1", workloads[i].plural),
                   workloads[i].unowned, &rows[i]));
    if (list.l.total)
        add_workloads(&p, &k, rows);
    else
        add_nothing(&p, &list, "No workloads yet: a Deployment keeps so many pods of an image.",
                    "kubectl create deployment web --image=sundog.azurecr.io/app:1");
    page_pages(&p, &list.l);
    page_command(&p, "The same by kubectl",
                 arena_printf(&c->op.arena,
                              "kubectl get deployments,statefulsets,daemonsets,replicasets,jobs %s",
                              list.scope));
    return page_end(&p);
}

/* ---- pods ---- */

enum fault cluster_pods_page(struct call *c)
{
    struct cluster_list list;
    struct shown_cluster k;
    json_t *rows;
    struct page p;
    bool usable;

    TRY(cluster_page_begin(c, &p, "Pods", &k, &usable));
    if (!usable)
        return page_end(&p);
    TRY(cluster_list_begin(&p, &k, "Name", &list));
    TRY(gather(&p, &k, &list, resource_find("", "v1", "pods"), false, &rows));
    if (list.l.total)
        TRY(cluster_add_pods(&p, &k, rows));
    else
        add_nothing(&p, &list, "No pods yet.",
                    "kubectl run shell -it --rm --image=sundog.azurecr.io/app:1 -- sh");
    page_pages(&p, &list.l);
    page_command(&p, "The same by kubectl",
                 arena_printf(&c->op.arena, "kubectl get pods -o wide %s\nkubectl top pods %s",
                              list.scope, list.scope));
    return page_end(&p);
}

/* ---- services ---- */

/* Each port on a line: what browsers can open is a link. */
static void add_external(struct page *p, const char *address, const json_t *service)
{
    json_t *port;
    size_t i;

    json_array_foreach(at(service, "spec.ports"), i, port)
    {
        const char *protocol = text_at_or(port, "protocol", "TCP"), *text, *link;
        long long number = int_at(port, "port", 0);
        bool tcp = strcmp(protocol, "TCP") == 0;

        text = arena_printf(&p->op->arena, "%s:%lld%s%s", address, number, tcp ? "" : "/",
                            tcp ? "" : protocol);
        link = arena_printf(&p->op->arena, "%s://%s:%lld/", number == 443 ? "https" : "http",
                            uri_encode(&p->op->arena, address, ""), number);
        page_html(p, "<div>");
        page_anchor(p, tcp ? link : NULL, text);
        page_html(p, "</div>");
    }
}

static void add_externals(struct page *p, const json_t *service)
{
    json_t *ingress;
    size_t i;

    page_cell_begin(p);
    json_array_foreach(at(service, "status.loadBalancer.ingress"), i, ingress)
    {
        add_external(p, text_at_or(ingress, "ip", text_at_or(ingress, "hostname", "")), service);
    }
    json_array_foreach(at(service, "spec.externalIPs"), i, ingress)
    {
        add_external(p, json_string_value(ingress), service);
    }
    if (!at(service, "status.loadBalancer.ingress") &&
        strcmp(text_at_or(service, "spec.type", ""), "LoadBalancer") == 0)
        page_state(p, "Pending");
    page_text(p, text_at(service, "spec.externalName"));
    page_cell_end(p);
}

static void add_service(struct page *p, const struct shown_cluster *k, const struct resource *r,
                        const json_t *service)
{
    const json_t *cells = cluster_cells(p->op, r, service);

    page_row_begin(p);
    add_name(p, k, r, service);
    page_cell_as(p, "word", NULL, text_at_or(service, "metadata.namespace", ""));
    page_cell_as(p, "word", NULL, text_at_or(service, "spec.type", ""));
    page_cell_as(p, "word", NULL, text_at_or(service, "spec.clusterIP", ""));
    add_externals(p, service);
    page_cell_as(p, "name", NULL, json_string_value(json_array_get(cells, 4)));
    page_cell_time(p, text_at_or(service, "metadata.creationTimestamp", ""));
    page_row_end(p);
}

static void add_services(struct page *p, const struct shown_cluster *k, const struct resource *r,
                         const json_t *rows)
{
    json_t *service;
    size_t i;

    page_table_begin(p, "Services",
                     (const char *const[]){"Name", "Namespace", "Type", "Cluster IP",
                                           "External address", "Ports", "Age", NULL});
    json_array_foreach(rows, i, service)
    {
        add_service(p, k, r, service);
    }
    page_table_end(p);
}

enum fault cluster_services_page(struct call *c)
{
    const struct resource *r = resource_find("", "v1", "services");
    struct cluster_list list;
    struct shown_cluster k;
    json_t *rows;
    struct page p;
    bool usable;

    TRY(cluster_page_begin(c, &p, "Services", &k, &usable));
    if (!usable)
        return page_end(&p);
    TRY(cluster_list_begin(&p, &k, "Name", &list));
    TRY(gather(&p, &k, &list, r, false, &rows));
    if (list.l.total)
        add_services(&p, &k, r, rows);
    else
        add_nothing(&p, &list, "No services yet: a service is one address for many pods.",
                    "kubectl expose deployment web --type=LoadBalancer --port=80");
    page_pages(&p, &list.l);
    page_command(&p, "The same by kubectl",
                 arena_printf(&c->op.arena, "kubectl get services %s", list.scope));
    return page_end(&p);
}

/* ---- configuration ---- */

static const char *keys_of(struct op *op, const json_t *object)
{
    static const char *const members[] = {"data", "binaryData"};
    struct text out;
    const char *key;
    json_t *value;

    text_init(&out, &op->arena, 2048);
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        json_object_foreach(at(object, members[i]), key, value)
        {
            text_printf(&out, "%s%s", out.len ? ", " : "", key);
        }
    }
    return out.overflow ? arena_printf(&op->arena, "%s …", out.data) : out.data;
}

static void add_data(struct page *p, const struct shown_cluster *k, const struct resource *r,
                     const json_t *rows)
{
    json_t *object;
    size_t i;

    json_array_foreach(rows, i, object)
    {
        page_row_begin(p);
        add_name(p, k, r, object);
        page_cell_as(p, "word", NULL, r->kind);
        page_cell_as(p, "word", NULL, text_at_or(object, "metadata.namespace", ""));
        page_cell_as(p, "prose", NULL, keys_of(p->op, object));
        page_cell_time(p, text_at_or(object, "metadata.creationTimestamp", ""));
        page_row_end(p);
    }
}

enum fault cluster_configuration_page(struct call *c)
{
    const struct resource *maps = resource_find("", "v1", "configmaps");
    const struct resource *secrets = resource_find("", "v1", "secrets");
    json_t *map_rows, *secret_rows;
    struct cluster_list list;
    struct shown_cluster k;
    struct page p;
    bool usable;

    TRY(cluster_page_begin(c, &p, "Configuration", &k, &usable));
    if (!usable)
        return page_end(&p);
    TRY(cluster_list_begin(&p, &k, "Name", &list));
    TRY(gather(&p, &k, &list, maps, false, &map_rows));
    TRY(gather(&p, &k, &list, secrets, false, &secret_rows));
    if (list.l.total) {
        page_table_begin(&p, "Config maps and secrets",
                         (const char *const[]){"Name", "Kind", "Namespace", "Keys", "Age", NULL});
        add_data(&p, &k, maps, map_rows);
        add_data(&p, &k, secrets, secret_rows);
        page_table_end(&p);
    } else {
        add_nothing(&p, &list, "No config maps and no secrets yet.",
                    "kubectl create configmap settings --from-literal=colour=red");
    }
    page_pages(&p, &list.l);
    page_command(&p, "The same by kubectl",
                 arena_printf(&c->op.arena, "kubectl get configmaps,secrets %s", list.scope));
    return page_end(&p);
}

/* ---- events ---- */

enum fault cluster_events_page(struct call *c)
{
    struct cluster_list list;
    struct shown_cluster k;
    json_t *rows;
    struct page p;
    bool usable;

    TRY(cluster_page_begin(c, &p, "Events", &k, &usable));
    if (!usable)
        return page_end(&p);
    TRY(cluster_list_begin(&p, &k, "Type, reason, object or message", &list));
    TRY(cluster_note_forbidden(&p, cluster_events(&p, &k, list.ns, NULL, &list.l, &rows)));
    if (list.l.total)
        cluster_add_events(&p, &k, rows);
    else
        add_nothing(&p, &list, "Nothing was reported in the last hour.", NULL);
    page_pages(&p, &list.l);
    page_command(
        &p, "The same by kubectl",
        arena_printf(&c->op.arena, "kubectl get events --sort-by=.lastTimestamp %s", list.scope));
    return page_end(&p);
}
