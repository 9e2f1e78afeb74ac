/* Any object of a cluster: what it is, what happened to it, its YAML; and what can be done with it.
 */
#include "web/object_page.h"

#include <string.h>

#include "web/pages.h"

#define EVENTS_MAX 50
#define YAML_MAX   ((size_t)100 << 10)
#define MASK       "********"
#define APPLIED    "kubectl.kubernetes.io/last-applied-configuration"

/* ---- which ---- */

/* "apps/v1/deployments/default/web": group-or-core, version, plural, namespace-or-_, name. */
static enum fault read_path(struct call *c, struct shown_object *o)
{
    char *rest = arena_strdup(&c->op.arena, c->path_args[3]), *parts[5];
    size_t n = 0;

    for (char *slash; n < 4 && (slash = strchr(rest, '/')); rest = slash + 1) {
        *slash = '\0';
        parts[n++] = rest;
    }
    parts[n++] = rest;
    if (n < 5 || strchr(rest, '/'))
        return fail(&c->op, NOT_FOUND, "an object is GROUP/VERSION/KINDS/NAMESPACE/NAME");
    o->r = resource_find(strcmp(parts[0], "core") == 0 ? "" : parts[0], parts[1], parts[2]);
    if (!o->r || o->r->virtual_)
        return fail(&c->op, NOT_FOUND, "there is no kind of objects %s in %s/%s", parts[2],
                    parts[0], parts[1]);
    o->ns = strcmp(parts[3], "_") == 0 ? "" : parts[3];
    o->name = parts[4];
    o->path = cluster_path(&c->op, o->r, o->ns, o->name);
    return OK;
}

static const char *in_namespace(struct op *op, const struct shown_object *o)
{
    return *o->ns ? arena_printf(&op->arena, " -n %s", shell_word(op, o->ns)) : "";
}

/* "deployment/web", "roles.rbac.authorization.k8s.io/web" */
const char *object_word(struct op *op, const struct shown_object *o)
{
    bool plain =
        !*o->r->group || strcmp(o->r->group, "apps") == 0 || strcmp(o->r->group, "batch") == 0;

    return shell_word(
        op, arena_printf(&op->arena, "%s/%s", plain ? o->r->singular : o->r->qualified, o->name));
}

static void add_kubectl(struct page *p, const struct shown_object *o, const char *label,
                        const char *verb, const char *options)
{
    page_command(p, label,
                 arena_printf(&p->op->arena, "kubectl %s %s%s%s", verb, object_word(p->op, o),
                              in_namespace(p->op, o), options));
}

/* ---- facts ---- */

static const char *pairs(struct op *op, const json_t *map)
{
    const char *key;
    json_t *value;
    struct text out;

    text_init(&out, &op->arena, 4096);
    json_object_foreach((json_t *)map, key, value)
    {
        text_printf(&out, "%s%s=%s", out.len ? ", " : "", key, json_string_value(value));
    }
    return out.data;
}

static void add_owners(struct page *p, const struct shown_object *o)
{
    json_t *owner;
    size_t i;

    json_array_foreach(at(o->tree, "metadata.ownerReferences"), i, owner)
    {
        page_fact_link(p, "Belongs to", cluster_reference_link(p->op, &o->k, owner, o->ns),
                       arena_printf(&p->op->arena, "%s %s", text_at_or(owner, "kind", ""),
                                    text_at_or(owner, "name", "")));
    }
}

static void add_facts(struct page *p, const struct shown_object *o)
{
    page_facts_begin(p);
    object_add_facts(p, o);
    page_fact(p, "Namespace", o->ns);
    add_owners(p, o);
    page_fact_time(p, "Created", text_at_or(o->tree, "metadata.creationTimestamp", ""));
    page_fact_time(p, "Being deleted since", text_at_or(o->tree, "metadata.deletionTimestamp", ""));
    page_fact(p, "Labels", pairs(p->op, at(o->tree, "metadata.labels")));
    page_facts_end(p);
}

/* ---- events ---- */

static enum fault add_events(struct page *p, const struct shown_object *o)
{
    page_heading(p, "Events");
    return cluster_add_latest_events(
        p, &o->k, o->ns,
        arena_printf(&p->op->arena,
                     "involvedObject.kind=%s,involvedObject.name=%s,involvedObject.uid=%s",
                     o->r->kind, o->name, text_at_or(o->tree, "metadata.uid", "")),
        EVENTS_MAX);
}

/* ---- YAML ---- */

static bool is_secret(const struct shown_object *o)
{
    return !*o->r->group && strcmp(o->r->plural, "secrets") == 0;
}

/* What was applied has the values, too. */
static void mask(json_t *tree)
{
    json_t *annotations = at(tree, "metadata.annotations"), *data = at(tree, "data"), *value;
    const char *key;
    void *next;

    json_object_foreach_safe(data, next, key, value)
    {
        json_object_set_new(data, key, json_string(MASK));
    }
    if (json_object_get(annotations, APPLIED))
        json_object_set_new(annotations, APPLIED, json_string(MASK));
}

static void add_yaml(struct page *p, const struct shown_object *o)
{
    json_t *tree = object_copy(p->op, o->tree);
    struct bytes yaml;
    size_t len;

    set_at(tree, "metadata.managedFields", NULL);
    if (is_secret(o))
        mask(tree);
    yaml = object_encode_yaml(p->op, tree);
    for (len = yaml.len < YAML_MAX ? yaml.len : YAML_MAX;
         len < yaml.len && len && ((const char *)yaml.data)[len - 1] != '\n'; len--)
        ;
    page_heading(p, "YAML");
    page_html(p, "<pre class=\"yaml\" tabindex=\"0\"><code>");
    page_text(p, arena_strndup(&p->op->arena, yaml.data, len));
    page_html(p, "</code></pre>");
    if (len < yaml.len)
        page_html(p, "<p class=\"note\">This is its beginning; the command shows all of it.</p>");
    add_kubectl(p, o, is_secret(o) ? "The same by kubectl, with the values" : "The same by kubectl",
                "get", " -o yaml");
}

/* ---- the page ---- */

static void add_delete(struct page *p, const struct shown_object *o)
{
    if (!cluster_may(p, &o->k, "delete", o->r, NULL, o->ns, o->name))
        return;
    page_danger(p, arena_printf(&p->op->arena, "%s/delete", o->link), "Delete",
                arena_printf(&p->op->arena,
                             "%s %s goes, with all that belongs to it. This cannot be undone.",
                             o->r->kind, o->name));
}

enum fault cluster_object_page(struct call *c)
{
    struct shown_object o = {0};
    struct page p;
    bool usable;

    TRY(read_path(c, &o));
    TRY(cluster_page_begin(c, &p, arena_printf(&c->op.arena, "%s %s", o.r->kind, o.name), &o.k,
                           &usable));
    if (!usable)
        return page_end(&p);
    o.link = cluster_object_link(&c->op, &o.k, o.r, o.ns, o.name);
    TRY(ask_cluster(c, GET, &o.k.inside, o.path, NULL, NULL, &o.tree));
    add_facts(&p, &o);
    page_html(&p, "<div class=\"actions\">");
    object_add_actions(&p, &o);
    add_delete(&p, &o);
    page_html(&p, "</div>");
    TRY(object_add_parts(&p, &o));
    TRY(add_events(&p, &o));
    add_yaml(&p, &o);
    if (cluster_may(&p, &o.k, "delete", o.r, NULL, o.ns, o.name))
        add_kubectl(&p, &o, "Delete it by kubectl", "delete", "");
    return page_end(&p);
}

/* ---- doing ---- */

static enum fault object_of_form(struct call *c, struct shown_object *o)
{
    *o = (struct shown_object){0};
    TRY(cluster_of_form(c, &o->k));
    TRY(read_path(c, o));
    o->link = cluster_object_link(&c->op, &o->k, o->r, o->ns, o->name);
    return OK;
}

static enum fault patch(struct call *c, const struct shown_object *o, const char *path,
                        json_t *wanted)
{
    arena_defer(&c->op.arena, (void (*)(void *))json_decref, wanted);
    return ask_cluster(c, PATCH, &o->k.inside, path, "application/merge-patch+json", wanted, NULL);
}

enum fault cluster_object_scale(struct call *c)
{
    struct shown_object o;
    int64_t count;

    TRY(object_of_form(c, &o));
    TRY(cluster_number_of_form(c, "replicas", REPLICAS_MAX, &count));
    TRY(patch(c, &o, arena_printf(&c->op.arena, "%s/scale", o.path),
              json_pack("{s:{s:I}}", "spec", "replicas", (json_int_t)count)));
    return page_go(
        c, arena_printf(&c->op.arena, "%s is being scaled to %lld.", o.name, (long long)count),
        "%s", o.link);
}

/* As kubectl rollout restart: another pod template makes other pods. */
enum fault cluster_object_restart(struct call *c)
{
    struct shown_object o;

    TRY(object_of_form(c, &o));
    TRY(patch(c, &o, o.path,
              json_pack("{s:{s:{s:{s:{s:s}}}}}", "spec", "template", "metadata", "annotations",
                        "kubectl.kubernetes.io/restartedAt", time_text(&c->op, wall_s()))));
    return page_go(c, arena_printf(&c->op.arena, "%s is being restarted.", o.name), "%s", o.link);
}

static const char *list_of(const struct resource *r)
{
    static const struct {
        const char *group, *plural, *below;
    } lists[] = {
        {"",      "pods",       "/pods"         },
        {"",      "services",   "/services"     },
        {"",      "configmaps", "/configuration"},
        {"",      "secrets",    "/configuration"},
        {"",      "events",     "/events"       },
        {"apps",  NULL,         "/workloads"    },
        {"batch", NULL,         "/workloads"    },
    };

    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        if (strcmp(lists[i].group, r->group) == 0 &&
            (!lists[i].plural || strcmp(lists[i].plural, r->plural) == 0))
            return lists[i].below;
    return "";
}

enum fault cluster_object_delete(struct call *c)
{
    struct shown_object o;
    json_t *options = json_pack("{s:s}", "propagationPolicy", "Background");

    arena_defer(&c->op.arena, (void (*)(void *))json_decref, options);
    TRY(object_of_form(c, &o));
    TRY(ask_cluster(c, DELETE, &o.k.inside, o.path, "application/json", options, NULL));
    return page_go(c, arena_printf(&c->op.arena, "%s %s is being deleted.", o.r->kind, o.name),
                   "%s%s", o.k.link, list_of(o.r));
}
