/* Objects of some kinds have more to show: pods their containers, workloads their pods. */
#include <string.h>

#include "clusters/object/quantity.h"
#include "core/uri.h"
#include "web/cluster_use.h"
#include "web/object_page.h"

static bool is_a(const struct shown_object *o, const char *group, const char *plural)
{
    return strcmp(o->r->group, group) == 0 && strcmp(o->r->plural, plural) == 0;
}

static bool is_pod(const struct shown_object *o)
{
    return is_a(o, "", "pods");
}

/* ---- facts ---- */

static void add_pod_facts(struct page *p, const struct shown_object *o)
{
    const json_t *cells = cluster_cells(p->op, o->r, o->tree);
    const char *node = text_at(o->tree, "spec.nodeName");

    page_fact_state(p, "Status", json_string_value(json_array_get(cells, 2)));
    page_fact_link(
        p, "Node",
        node ? cluster_object_link(p->op, &o->k, resource_find("", "v1", "nodes"), NULL, node)
             : NULL,
        node);
    page_fact(p, "IP", text_at(o->tree, "status.podIP"));
    page_fact(p, "Service account", text_at(o->tree, "spec.serviceAccountName"));
    page_fact(p, "Why", text_at(o->tree, "status.message"));
}

static const char *ready_text(struct op *op, const struct shown_object *o)
{
    return arena_printf(&op->arena, "%lld of %lld",
                        (long long)int_at(o->tree, "status.readyReplicas", 0),
                        (long long)int_at(o->tree, "spec.replicas", 1));
}

void object_add_facts(struct page *p, const struct shown_object *o)
{
    if (is_pod(o))
        add_pod_facts(p, o);
    if (at(o->tree, "spec.replicas"))
        page_fact(p, "Ready", ready_text(p->op, o));
    if (at(o->tree, "spec.template"))
        page_fact(p, "Images", cluster_images(p->op, at(o->tree, "spec.template.spec")));
    page_fact(p, "Type", text_at(o->tree, is_a(o, "", "secrets") ? "type" : "spec.type"));
}

/* ---- what can be done ---- */

static void add_scale(struct page *p, const struct shown_object *o)
{
    if (!cluster_may(p, &o->k, "patch", o->r, "scale", o->ns, o->name))
        return;
    page_form_begin(p, arena_printf(&p->op->arena, "%s/scale", o->link));
    page_html(p, "<input type=\"number\" name=\"replicas\" min=\"0\" aria-label=\"Replicas\"");
    page_html(p, arena_printf(&p->op->arena, " value=\"%lld\"> ",
                              (long long)int_at(o->tree, "spec.replicas", 1)));
    page_form_end(p, "Scale");
}

void object_add_actions(struct page *p, const struct shown_object *o)
{
    bool is_owned = controller_of(o->tree); /* its owner would set it back */

    if (resource_subresource(o->r, "scale") && !is_owned && !is_a(o, "apps", "statefulsets"))
        add_scale(p, o);
    if (is_a(o, "apps", "deployments") &&
        cluster_may(p, &o->k, "patch", o->r, NULL, o->ns, o->name))
        page_button(p, arena_printf(&p->op->arena, "%s/restart", o->link), "Restart");
}

/* ---- containers ---- */

static const json_t *by_name(const json_t *list, const char *name)
{
    json_t *one;
    size_t i;

    json_array_foreach((json_t *)list, i, one)
    {
        if (strcmp(text_at_or(one, "name", ""), name) == 0)
            return one;
    }
    return NULL;
}

static void add_state(struct page *p, const json_t *status)
{
    const json_t *terminated = at(status, "state.terminated");
    const char *waiting = text_at(status, "state.waiting.reason");
    const char *message =
        text_at_or(status, "state.waiting.message", text_at(terminated, "message"));

    page_html(p, "<td class=\"prose\">");
    if (at(status, "state.running"))
        page_state(p, "Running");
    else if (terminated)
        page_state(p, text_at_or(terminated, "reason", "Terminated"));
    else
        page_state(p, waiting ? waiting : "Waiting");
    if (terminated)
        page_printf(p, " (exit code %lld)", (long long)int_at(terminated, "exitCode", 0));
    if (message) {
        page_html(p, "<div class=\"soft\">");
        page_text(p, message);
        page_html(p, "</div>");
    }
    page_cell_end(p);
}

/* "logs" or "shell" of a container. */
static const char *inside_link(struct page *p, const struct shown_object *o, const char *what,
                               const char *container)
{
    struct arena *arena = &p->op->arena;

    return arena_printf(arena, "%s/pods/%s/%s/%s?container=%s", o->k.link,
                        uri_encode(arena, o->ns, ""), uri_encode(arena, o->name, ""), what,
                        uri_encode(arena, container, ""));
}

static void add_logs(struct page *p, const struct shown_object *o, const char *container,
                     int64_t restarts)
{
    const char *link = inside_link(p, o, "logs", container);

    page_cell_begin(p);
    page_anchor(p, link, "Logs");
    if (restarts) {
        page_html(p, ", ");
        page_anchor(p, arena_printf(&p->op->arena, "%s&previous=true", link), "of the run before");
    }
    page_cell_end(p);
}

static int64_t limit_of(const json_t *container, const char *what)
{
    const char *text = text_at(at(container, "resources.limits"), what);

    return strcmp(what, "cpu") == 0 ? quantity_millis_of(text) : quantity_value_of(text);
}

/* used: its entry of the pod's metrics, or NULL. */
static void add_container(struct page *p, const struct shown_object *o, const json_t *container,
                          const json_t *status, const json_t *used, bool init, bool may_exec)
{
    const struct cluster_use use = cluster_use_read(json_object_get(used, "usage"));
    const char *name = text_at_or(container, "name", "");
    const char *started = text_at_or(status, "state.running.startedAt",
                                     text_at(status, "state.terminated.startedAt"));

    page_row_begin(p);
    page_cell(p, init ? arena_printf(&p->op->arena, "%s (init)", name) : name);
    page_cell_as(p, "name", NULL, text_at_or(container, "image", ""));
    add_state(p, status);
    page_cell_number(p, page_count(p->op, int_at(status, "restartCount", 0)));
    cluster_use_cell(p, &use, limit_of(container, "cpu"), limit_of(container, "memory"));
    page_cell_time(p, started);
    add_logs(p, o, name, int_at(status, "restartCount", 0));
    if (may_exec && at(status, "state.running"))
        page_cell_link(p, inside_link(p, o, "shell", name), "Shell");
    else
        page_cell(p, "");
    page_row_end(p);
}

static enum fault add_containers(struct page *p, const struct shown_object *o)
{
    static const struct {
        const char *spec, *status;
    } lists[] = {
        {"spec.initContainers",      "status.initContainerStatuses"     },
        {"spec.containers",          "status.containerStatuses"         },
        {"spec.ephemeralContainers", "status.ephemeralContainerStatuses"},
    };
    bool may_exec = cluster_may(p, &o->k, "create", o->r, "exec", o->ns, o->name);
    struct cluster_use whole;
    const json_t *metrics;
    json_t *container;
    size_t n;

    TRY(cluster_use_of(p, &o->k, o->ns, o->name, &whole, &metrics));
    page_heading(p, "Containers");
    page_table_begin(p, "Containers",
                     (const char *const[]){"Name", "Image", "State", ">Restarts", ">Used / limit",
                                           "Started", "Logs", "Shell", NULL});
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        json_array_foreach(at(o->tree, lists[i].spec), n, container)
        {
            const char *name = text_at_or(container, "name", "");

            add_container(p, o, container, by_name(at(o->tree, lists[i].status), name),
                          by_name(at(metrics, "containers"), name), i == 0, may_exec);
        }
    }
    page_table_end(p);
    return OK;
}

/* ---- pods ---- */

/* "key in (a,b)" */
static void add_expression(struct text *out, const json_t *e)
{
    const char *word = text_at_or(e, "operator", ""), *key = text_at_or(e, "key", "");
    json_t *value;
    size_t i;

    text_str(out, out->len ? "," : "");
    if (strcmp(word, "Exists") == 0 || strcmp(word, "DoesNotExist") == 0) {
        text_printf(out, "%s%s", word[0] == 'D' ? "!" : "", key);
        return;
    }
    text_printf(out, "%s %s (", key, strcmp(word, "In") == 0 ? "in" : "notin");
    json_array_foreach(at(e, "values"), i, value)
    {
        text_printf(out, "%s%s", i ? "," : "", json_string_value(value));
    }
    text_str(out, ")");
}

/* Of a workload's spec.selector, as a query takes it; "": it has none. */
static const char *selector_of(struct op *op, const json_t *tree)
{
    const char *key;
    json_t *value;
    struct text out;
    size_t i;

    text_init(&out, &op->arena, 8192);
    json_object_foreach(at(tree, "spec.selector.matchLabels"), key, value)
    {
        text_printf(&out, "%s%s=%s", out.len ? "," : "", key, json_string_value(value));
    }
    json_array_foreach(at(tree, "spec.selector.matchExpressions"), i, value)
    {
        add_expression(&out, value);
    }
    return out.data;
}

static enum fault add_pods(struct page *p, const struct shown_object *o, const char *selector)
{
    json_t *list, *pods;
    long long more;
    enum fault fault =
        ask_cluster(p->c, GET, &o->k.inside,
                    arena_printf(&p->op->arena, "%s?limit=%d&labelSelector=%s",
                                 cluster_path(p->op, resource_find("", "v1", "pods"), o->ns, NULL),
                                 PAGE_ROWS, uri_encode(&p->op->arena, selector, "")),
                    NULL, NULL, &list);

    page_heading(p, "Pods");
    if (fault != OK)
        return cluster_note_forbidden(p, fault);
    pods = at(list, "items");
    more = text_at(list, "metadata.continue") != NULL;
    if (json_array_size(pods))
        TRY(cluster_add_pods(p, &o->k, pods));
    else
        page_html(p, "<p class=\"soft\">It has none.</p>");
    if (more)
        page_html(p, "<p class=\"note\">These are the first; the command shows all.</p>");
    page_command(p, "The same by kubectl",
                 arena_printf(&p->op->arena, "kubectl get pods -n %s -l %s", o->ns,
                              shell_word(p->op, selector)));
    return OK;
}

static void add_commands(struct page *p, const struct shown_object *o)
{
    const char *word = object_word(p->op, o);

    if (at(o->tree, "spec.replicas") && !controller_of(o->tree))
        page_command(
            p, "Scale it by kubectl",
            arena_printf(&p->op->arena, "kubectl scale %s -n %s --replicas=3", word, o->ns));
    if (is_a(o, "apps", "deployments"))
        page_command(p, "Restart it by kubectl",
                     arena_printf(&p->op->arena, "kubectl rollout restart %s -n %s", word, o->ns));
}

enum fault object_add_parts(struct page *p, const struct shown_object *o)
{
    const char *selector = selector_of(p->op, o->tree);

    if (is_pod(o))
        TRY(add_containers(p, o));
    add_commands(p, o);
    if (*selector && at(o->tree, "spec.template"))
        TRY(add_pods(p, o, selector));
    return OK;
}
