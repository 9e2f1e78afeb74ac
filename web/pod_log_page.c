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
    add_containers(&p, pod, container);
    TRY(add_log(&p, &k,
                arena_printf(&c->op.arena, "%s/log?tailLines=%d&container=%s", path, LOG_VIEW_LINES,
                             uri_encode(&c->op.arena, container, ""))));
    page_command(&p, "The same by kubectl",
                 arena_printf(&c->op.arena, "kubectl logs %s -n %s -c %s --tail=%d", name, ns,
                              page_word(&c->op, container), LOG_VIEW_LINES));
    return page_end(&p);
}
