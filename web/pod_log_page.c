/* What a container of a pod printed last. */
#include <string.h>

#include "core/json.h"
#include "core/uri.h"
#include "web/cluster.h"
#include "web/log_view.h"
#include "web/pages.h"

/* ---- containers ---- */

static const char *const lists[] = {"spec.containers", "spec.initContainers",
                                    "spec.ephemeralContainers"};

/* A choice where there is one. */
static void add_containers(struct page *p, const json_t *pod, const char *chosen)
{
    json_t *container;
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        n += json_array_size(at(pod, lists[i]));
    if (n < 2)
        return;
    page_html(p, "<nav class=\"tabs\" aria-label=\"Containers\"><ul>");
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        json_array_foreach(at(pod, lists[i]), n, container)
        {
            const char *name = text_at_or(container, "name", "");

            page_html(p, "<li><a href=\"?container=");
            page_attr(p, uri_encode(&p->op->arena, name, ""));
            page_html(p, strcmp(name, chosen) == 0 ? "\" aria-current=\"true\">" : "\">");
            page_text(p, name);
            page_html(p, "</a></li>");
        }
    }
    page_html(p, "</ul></nav>");
}

static int64_t restarts_of(const json_t *pod, const char *name)
{
    static const char *const statuses[] = {"status.containerStatuses",
                                           "status.initContainerStatuses",
                                           "status.ephemeralContainerStatuses"};
    json_t *status;
    size_t n;

    for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
        json_array_foreach(at(pod, statuses[i]), n, status)
        {
            if (strcmp(text_at_or(status, "name", ""), name) == 0)
                return int_at(status, "restartCount", 0);
        }
    return 0;
}

/* Of a container that was started again: this run, or the one before. */
static void add_runs(struct page *p, const json_t *pod, const char *name, bool previous)
{
    if (!previous && restarts_of(pod, name) == 0)
        return;
    page_html(p, "<nav class=\"pages\" aria-label=\"Runs\"><a href=\"");
    page_attr(p, page_url(p->op, "?container=%s", &name));
    page_html(p, previous ? "\">This run</a> <a href=\""
                          : "\" aria-current=\"true\">This run</a> <a href=\"");
    page_attr(p, page_url(p->op, "?container=%s&previous=true", &name));
    page_html(p, previous ? "\" aria-current=\"true\">The run before</a></nav>"
                          : "\">The run before</a></nav>");
}

/* ---- the page ---- */

/* One that has not begun yet is no fault of the page. */
static enum fault add_log(struct page *p, const struct shown_cluster *k, const char *path)
{
    struct text clean;
    struct bytes log;
    enum fault fault = ask_cluster_text(p->c, &k->inside, path, "*/*", &log);

    if (fault == INVALID || fault == UNAVAILABLE || fault == INTERNAL) {
        page_empty(p, p->op->message, NULL);
        op_clear_fault(p->op);
        return OK;
    }
    TRY(fault);
    if (!log.len) {
        page_empty(p, "It has printed nothing yet.", NULL);
        return OK;
    }
    text_init(&clean, &p->op->arena, 3 * log.len + 1);
    utf8_clean(&clean, log);
    log_view(p, "What it printed", clean.data);
    return OK;
}

static enum fault add_run(struct page *p, const struct shown_cluster *k, const json_t *pod,
                          const char *container)
{
    const char *ns = p->c->path_args[3], *name = p->c->path_args[4];
    const char *wanted = call_query(p->c, "previous", 0);
    bool previous = wanted && strcmp(wanted, "true") == 0;

    add_containers(p, pod, container);
    add_runs(p, pod, container, previous);
    TRY(add_log(p, k,
                arena_printf(&p->op->arena, "%s/log?tailLines=%d&container=%s%s",
                             cluster_path(p->op, resource_find("", "v1", "pods"), ns, name),
                             LOG_VIEW_LINES, uri_encode(&p->op->arena, container, ""),
                             previous ? "&previous=true" : "")));
    page_command(p, "The same by kubectl",
                 arena_printf(&p->op->arena, "kubectl logs %s -n %s -c %s --tail=%d%s",
                              shell_word(p->op, name), shell_word(p->op, ns),
                              shell_word(p->op, container), LOG_VIEW_LINES,
                              previous ? " --previous" : ""));
    return OK;
}

enum fault cluster_pod_log_page(struct call *c)
{
    const char *ns = c->path_args[3], *name = c->path_args[4];
    const char *container = call_query(c, "container", 0), *path;
    const struct resource *r = resource_find("", "v1", "pods");
    struct shown_cluster k;
    struct page p;
    bool usable;
    json_t *pod;

    TRY(cluster_page_begin(c, &p, arena_printf(&c->op.arena, "Logs of pod %s", name), &k, &usable));
    if (!usable)
        return page_end(&p);
    path = cluster_path(&c->op, r, ns, name);
    TRY(ask_cluster(c, GET, &k.inside, path, NULL, NULL, &pod));
    if (!container || !*container)
        container = text_at_or(json_array_get(at(pod, lists[0]), 0), "name", "");
    page_html(&p, "<p>");
    page_anchor(&p, cluster_object_link(&c->op, &k, r, ns, name), "To the pod");
    page_html(&p, "</p>");
    TRY(add_run(&p, &k, pod, container));
    return page_end(&p);
}
