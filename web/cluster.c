#include "web/cluster.h"

#include <string.h>

#include "core/uri.h"

/* ---- which ---- */

enum fault cluster_of_page(struct call *c, struct shown_cluster *ret)
{
    struct shown_cluster k = {0};
    json_t *resource;

    k.id = arena_printf(&c->op.arena,
                        "/subscriptions/%s/resourceGroups/%s/providers/"
                        "Microsoft.ContainerService/managedClusters/%s",
                        c->path_args[0], c->path_args[1], c->path_args[2]);
    TRY(ask_manager(c, k.id, &resource));
    k.resource = resource;
    k.name = text_at_or(resource, "name", "");
    k.group = c->path_args[1];
    k.link = page_of(&c->op, k.id);
    k.power = text_at_or(resource, "properties.powerState.code", "");
    k.provisioning = text_at_or(resource, "properties.provisioningState", "");
    k.runs = strcmp(k.power, "Running") == 0 && strcmp(k.provisioning, "Creating") != 0;
    cluster_access_of(&c->op, ((const struct session *)c->caller)->who, k.id, resource, &k.inside);
    *ret = k;
    return OK;
}

static enum fault check_inside(struct call *c, const struct shown_cluster *k)
{
    if (!k->inside.missing)
        return OK;
    return fail(&c->op, FORBIDDEN, "to look into cluster %s you need the right %s on it", k->name,
                k->inside.missing);
}

enum fault cluster_inside_of_page(struct call *c, struct shown_cluster *ret)
{
    TRY(cluster_of_page(c, ret));
    TRY(check_inside(c, ret));
    if (!ret->runs)
        return fail(&c->op, UNAVAILABLE, "cluster %s does not run: start it first", ret->name);
    return OK;
}

enum fault cluster_of_form(struct call *c, struct shown_cluster *ret)
{
    TRY(page_check_form(c));
    return cluster_inside_of_page(c, ret);
}

/* ---- pages ---- */

static const struct {
    const char *below, *text;
} links[] = {
    {"",               "Cluster"      },
    {"/workloads",     "Workloads"    },
    {"/pods",          "Pods"         },
    {"/services",      "Services"     },
    {"/configuration", "Configuration"},
    {"/events",        "Events"       },
};

void cluster_add_links(struct page *p, const struct shown_cluster *k)
{
    page_html(p, "<nav class=\"tabs\" aria-label=\"Of this cluster\"><ul>");
    for (size_t i = 0; i < ARRAY_LEN(links); i++) {
        const char *link = arena_printf(&p->op->arena, "%s%s", k->link, links[i].below);

        page_html(p, "<li><a href=\"");
        page_attr(p, link);
        page_html(p, strcmp(link, page_of(p->op, p->c->path + strlen("/console"))) == 0
                         ? "\" aria-current=\"page\">"
                         : "\">");
        page_html(p, links[i].text);
        page_html(p, "</a></li>");
    }
    page_html(p, "</ul></nav>");
}

void cluster_add_stopped(struct page *p, const struct shown_cluster *k)
{
    if (strcmp(k->provisioning, "Creating") == 0)
        page_empty(p, "The cluster is being made. What is in it shows here as soon as it runs.",
                   NULL);
    else
        page_empty(p, "The cluster is stopped. All its objects are kept, and no pods run.",
                   arena_printf(&p->op->arena, "az aks start -g %s -n %s",
                                shell_word(p->op, k->group), k->name));
}

enum fault cluster_page_begin(struct call *c, struct page *p, const char *title,
                              struct shown_cluster *ret, bool *ret_usable)
{
    struct crumb crumbs[3] = {
        {"Clusters", "/console/clusters"},
    };

    TRY(cluster_of_page(c, ret));
    TRY(check_inside(c, ret));
    crumbs[1] = (struct crumb){ret->name, ret->link};
    page_begin(c, p, title, crumbs);
    cluster_add_links(p, ret);
    if (!ret->runs)
        cluster_add_stopped(p, ret);
    *ret_usable = ret->runs;
    return OK;
}

enum fault cluster_note_forbidden(struct page *p, enum fault fault)
{
    if (fault != FORBIDDEN)
        return fault;
    page_html(p, "<p class=\"note\">");
    page_text(p, p->op->message);
    page_html(p, "</p>");
    op_clear_fault(p->op);
    return OK;
}

/* ---- objects ---- */

static const char *encoded(struct op *op, const char *text)
{
    return uri_encode(&op->arena, text, "");
}

const char *cluster_path(struct op *op, const struct resource *r, const char *ns, const char *name)
{
    struct text out;

    text_init(&out, &op->arena, 4096);
    text_printf(&out, *r->group ? "/apis/%s" : "/api/%s", r->api_version);
    if (r->namespaced && ns && *ns)
        text_printf(&out, "/namespaces/%s", encoded(op, ns));
    text_printf(&out, "/%s", r->plural);
    if (name)
        text_printf(&out, "/%s", encoded(op, name));
    return out.data;
}

const char *cluster_object_link(struct op *op, const struct shown_cluster *k,
                                const struct resource *r, const char *ns, const char *name)
{
    return arena_printf(&op->arena, "%s/objects/%s/%s/%s/%s/%s", k->link,
                        *r->group ? r->group : "core", r->version, r->plural,
                        r->namespaced && ns && *ns ? encoded(op, ns) : "_", encoded(op, name));
}

const char *cluster_reference_link(struct op *op, const struct shown_cluster *k,
                                   const json_t *reference, const char *ns)
{
    const char *api = text_at_or(reference, "apiVersion", ""), *slash = strchr(api, '/');
    const char *group = slash ? arena_strndup(&op->arena, api, (size_t)(slash - api)) : "";
    const char *name = text_at_or(reference, "name", "");
    const struct resource *r =
        resource_of_kind(group, slash ? slash + 1 : api, text_at_or(reference, "kind", ""));

    return r && *name ? cluster_object_link(op, k, r, ns, name) : NULL;
}

bool cluster_may(struct page *p, const struct shown_cluster *k, const char *verb,
                 const struct resource *r, const char *subresource, const char *ns,
                 const char *name)
{
    json_t *review, *answer = NULL;

    if (k->inside.certificate)
        return true;
    review = json_pack("{s:s, s:s, s:{s:{s:s, s:s, s:s, s:s, s:s, s:s}}}", "apiVersion",
                       "authorization.k8s.io/v1", "kind", "SelfSubjectAccessReview", "spec",
                       "resourceAttributes", "verb", verb, "group", r->group, "resource", r->plural,
                       "subresource", subresource ? subresource : "", "namespace", ns ? ns : "",
                       "name", name ? name : "");
    arena_defer(&p->op->arena, (void (*)(void *))json_decref, review);
    if (ask_cluster(p->c, POST, &k->inside,
                    "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "application/json",
                    review, &answer) != OK) {
        op_clear_fault(p->op);
        return false;
    }
    return bool_at(answer, "status.allowed", false);
}
