/* What a container of a pod printed last. */
#include <string.h>

#include "core/json.h"
#include "core/uri.h"
#include "web/cluster.h"
#include "web/pages.h"

#define LINES   500
#define LOG_MAX ((size_t)100 << 10)

/* ---- text ---- */

/* Past "ESC [ … letter": colours are for terminals. */
static const char *skip_escape(const char *p)
{
    if (p[1] != '[')
        return p + 1;
    for (p += 2; *p >= ' ' && *p < '@'; p++)
        ;
    return *p ? p + 1 : p;
}

static const char *readable(struct op *op, struct bytes log)
{
    struct text clean, out;

    text_init(&clean, &op->arena, log.len * 3 + 1);
    utf8_clean(&clean, log);
    text_init(&out, &op->arena, clean.len * 3 + 1);
    for (const char *p = clean.data; *p;) {
        if (*p == '\033') {
            p = skip_escape(p);
            continue;
        }
        if ((unsigned char)*p >= ' ' || *p == '\n' || *p == '\t')
            text_add(&out, p, 1);
        else if (*p != '\r')
            text_str(&out, "\xEF\xBF\xBD");
        p++;
    }
    return out.data;
}

/* Whole lines at its end. */
static struct bytes end_of(struct bytes log)
{
    const char *text = log.data, *line;
    size_t skip;

    if (log.len <= LOG_MAX)
        return log;
    skip = log.len - LOG_MAX;
    line = memchr(text + skip, '\n', LOG_MAX);
    if (line)
        skip = (size_t)(line + 1 - text);
    return (struct bytes){text + skip, log.len - skip};
}

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
    page_html(p, "<pre class=\"log\" tabindex=\"0\" role=\"region\" aria-label=\"Log\">");
    page_text(p, readable(p->op, end_of(log)));
    page_html(p, "</pre>");
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
                arena_printf(&c->op.arena, "%s/log?tailLines=%d&container=%s", path, LINES,
                             uri_encode(&c->op.arena, container, ""))));
    page_command(&p, "The same by kubectl",
                 arena_printf(&c->op.arena, "kubectl logs %s -n %s -c %s --tail=%d", name, ns,
                              page_word(&c->op, container), LINES));
    return page_end(&p);
}
