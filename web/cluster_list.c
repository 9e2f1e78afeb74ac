/*
 *~ Lists of a cluster's objects. Few are asked for whole, in one request. Many are searched by
 *their ~ metadata alone, and only those that are shown are then asked for.
 */
#include <string.h>

#include "core/json.h"
#include "core/uri.h"
#include "web/cluster.h"
#include "web/scan.h"

#define NAMESPACES_MAX 200 /* to choose from; more are typed */
#define METADATA       "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

json_t *cluster_rows_new(struct op *op)
{
    json_t *rows = json_array();

    arena_defer(&op->arena, (void (*)(void *))json_decref, rows);
    return rows;
}

/* ---- the search field ---- */

static void add_choice(struct page *p, const json_t *namespaces, const char *chosen)
{
    json_t *one;
    size_t i;

    page_html(p, "<select name=\"namespace\">");
    page_option(p, "", "All", chosen);
    json_array_foreach(namespaces, i, one)
    {
        const char *name = text_at_or(one, "metadata.name", "");

        page_option(p, name, name, chosen);
    }
    page_html(p, "</select>");
}

/* Who may not list namespaces types the one that he knows. */
static enum fault add_namespaces(struct page *p, const struct shown_cluster *k, const char *chosen)
{
    const char *path = cluster_path(p->op, resource_find("", "v1", "namespaces"), NULL, NULL);
    json_t *list = NULL;
    struct bytes text;
    enum fault fault = ask_cluster_text(
        p->c, &k->inside, arena_printf(&p->op->arena, "%s?limit=%d", path, NAMESPACES_MAX),
        METADATA, &text);

    if (fault == OK)
        TRY(json_parse(p->op, text, &list));
    else if (fault != FORBIDDEN)
        return fault;
    op_clear_fault(p->op);
    if (list && !text_at(list, "metadata.continue")) {
        add_choice(p, at(list, "items"), chosen);
        return OK;
    }
    page_html(p, "<input name=\"namespace\" value=\"");
    page_attr(p, chosen);
    page_html(p, "\" placeholder=\"all\">");
    return OK;
}

enum fault cluster_list_begin(struct page *p, const struct shown_cluster *k, const char *what,
                              struct cluster_list *ret)
{
    const char *ns = call_query(p->c, "namespace", 0);

    *ret = (struct cluster_list){.l = page_listing(p), .ns = ns ? ns : "", .scope = "-A"};
    if (*ret->ns) {
        ret->l.kept =
            arena_printf(&p->op->arena, "&namespace=%s", uri_encode(&p->op->arena, ret->ns, ""));
        ret->scope = arena_printf(&p->op->arena, "-n %s", shell_word(p->op, ret->ns));
    }
    page_html(p, "<form class=\"search\" role=\"search\"><label><span>");
    page_text(p, what);
    page_html(p, "</span><input type=\"search\" name=\"q\" value=\"");
    page_attr(p, ret->l.q);
    page_html(p, "\"></label><label><span>Namespace</span>");
    TRY(add_namespaces(p, k, ret->ns));
    page_html(p, "</label><button class=\"quiet\">Search</button></form>");
    if (strchr(ret->ns, '/'))
        ret->ns = "-"; /* no namespace is called so, and no path is made of it */
    return OK;
}

/* ---- few ---- */

static bool is_owned(const json_t *object)
{
    return json_array_size(at(object, "metadata.ownerReferences")) > 0;
}

static void add_few(struct page *p, struct cluster_list *list, const json_t *items, bool unowned,
                    json_t *rows)
{
    json_t *item;
    size_t i;

    json_array_foreach(items, i, item)
    {
        const char *words =
            arena_printf(&p->op->arena, "%s/%s", text_at_or(item, "metadata.namespace", ""),
                         text_at_or(item, "metadata.name", ""));

        if (!(unowned && is_owned(item)) && page_shows(&list->l, words))
            json_array_append(rows, item);
    }
}

/* ---- many ---- */

enum { NAMESPACE, NAME, OWNERS };
static const struct scan_member names[] = {
    [NAMESPACE] = {"metadata", "namespace"},
    [NAME] = {"metadata",          "name"},
    [OWNERS] = {"metadata","ownerReferences"},
    {0},
};

static const char *text_of(struct op *op, struct bytes text)
{
    return text.data ? arena_strndup(&op->arena, text.data, text.len) : "";
}

static enum fault add_one(struct page *p, const struct shown_cluster *k, const struct resource *r,
                          const char *ns, const char *name, json_t *rows)
{
    json_t *object;
    enum fault fault =
        ask_cluster(p->c, GET, &k->inside, cluster_path(p->op, r, ns, name), NULL, NULL, &object);

    if (fault == OK) {
        json_array_append(rows, object);
        return OK;
    }
    op_clear_fault(p->op); /* deleted at this moment */
    return fault == NOT_FOUND || fault == FORBIDDEN ? OK : fault;
}

static enum fault add_many(struct page *p, const struct shown_cluster *k, struct cluster_list *list,
                           const struct resource *r, bool unowned, json_t *rows)
{
    struct scanned *all;
    struct bytes text;
    size_t n;

    TRY(ask_cluster_text(p->c, &k->inside, cluster_path(p->op, r, list->ns, NULL), METADATA,
                         &text));
    n = scan_items(p->op, text, names, &all);
    for (size_t i = 0; i < n; i++) {
        const char *ns = text_of(p->op, all[i].members[NAMESPACE]);
        const char *name = text_of(p->op, all[i].members[NAME]);

        if (unowned && all[i].members[OWNERS].data)
            continue;
        if (page_shows(&list->l, arena_printf(&p->op->arena, "%s/%s", ns, name)))
            TRY(add_one(p, k, r, ns, name, rows));
    }
    return OK;
}

/* ---- both ---- */

enum fault cluster_list_add(struct page *p, const struct shown_cluster *k,
                            struct cluster_list *list, const struct resource *r, bool unowned,
                            json_t *rows)
{
    const char *path = cluster_path(p->op, r, list->ns, NULL);
    json_t *first;
    int64_t remaining;

    TRY(ask_cluster(p->c, GET, &k->inside,
                    arena_printf(&p->op->arena, "%s?limit=%d", path, PAGE_ROWS), NULL, NULL,
                    &first));
    remaining = int_at(first, "metadata.remainingItemCount", 0);
    if (remaining && (*list->l.q || list->l.number || list->l.total || unowned))
        return add_many(p, k, list, r, unowned, rows);
    add_few(p, list, at(first, "items"), unowned, rows);
    list->l.total += (size_t)remaining;
    return OK;
}

enum fault cluster_count(struct call *c, const struct shown_cluster *k, const struct resource *r,
                         int64_t *ret)
{
    json_t *first;

    TRY(ask_cluster(c, GET, &k->inside,
                    arena_printf(&c->op.arena, "%s?limit=1", cluster_path(&c->op, r, NULL, NULL)),
                    NULL, NULL, &first));
    *ret = (int64_t)json_array_size(at(first, "items")) +
           int_at(first, "metadata.remainingItemCount", 0);
    return OK;
}
