/* The manifests of a repository, newest first, also those that no tag names. */
#include <string.h>

#include "clusters/object/object.h"
#include "core/uri.h"
#include "web/pages.h"
#include "web/registry_view.h"

#define LOOKED_AT_ONCE 1000 /* for those without a tag */

/* ---- rows ---- */

bool manifest_is_untagged(const json_t *manifest)
{
    return json_array_size(json_object_get(manifest, "tags")) == 0;
}

static const char *platform_of(struct op *op, const json_t *manifest)
{
    const char *os = text_at_or(manifest, "os", "");
    const char *architecture = text_at_or(manifest, "architecture", "");

    if (json_array_size(json_object_get(manifest, "references")))
        return "several";
    return *os || *architecture ? arena_printf(&op->arena, "%s/%s", os, architecture) : "";
}

/* The first few, as links. */
static void add_tag_links(struct page *p, const struct registry_view *v, const json_t *tags)
{
    json_t *tag;
    size_t i;

    page_cell_begin(p);
    if (!json_array_size(tags))
        page_html(p, "<span class=\"soft\">none</span>");
    json_array_foreach(tags, i, tag)
    {
        if (i < 5) {
            page_html(p, i ? ", " : "");
            page_anchor(p, tag_link(p->op, v, json_string_value(tag)), json_string_value(tag));
        }
    }
    if (json_array_size(tags) > 5)
        page_printf(p, " and %zu more", json_array_size(tags) - 5);
    page_cell_end(p);
}

void manifest_rows_begin(struct page *p, const char *label)
{
    page_table_begin(
        p, label,
        (const char *const[]){"Digest", "Tags", "Platform", ">Size", "Pushed", "Lock", NULL});
}

void manifest_row_add(struct page *p, const struct registry_view *v, const json_t *manifest)
{
    page_row_begin(p);
    page_cell_digest(p, v, text_at_or(manifest, "digest", ""));
    add_tag_links(p, v, json_object_get(manifest, "tags"));
    page_cell(p, platform_of(p->op, manifest));
    page_cell_number(p, page_bytes(p->op, int_at(manifest, "imageSize", 0)));
    page_cell_time(p, text_at_or(manifest, "lastUpdateTime", ""));
    page_cell(p, lock_text(p->op, json_object_get(manifest, "changeableAttributes")));
    page_row_end(p);
}

/* ---- the page ---- */

static const char *query_of(struct call *c, const char *name)
{
    const char *value = call_query(c, name, 0);

    return value ? value : "";
}

/* What a page of manifests shows: those whose digest begins with q, or the newest after one. */
struct wanted {
    const char *q, *after; /* whole digests, or beginnings; "" */
    bool untagged;
};

static struct wanted wanted_of(struct call *c)
{
    const char *q = query_of(c, "q");

    if (*q && !strchr(q, ':'))
        q = arena_printf(&c->op.arena, "sha256:%s", q);
    return (struct wanted){q, query_of(c, "after"), *query_of(c, "untagged") == '1'};
}

static enum fault look(struct call *c, const struct registry_view *v, const struct wanted *w, int n,
                       json_t **ret)
{
    const char *after = uri_encode(&c->op.arena, *w->q ? w->q : w->after, "");
    json_t *answer;

    TRY(ask_repository(c, GET, v,
                       arena_printf(&c->op.arena, "/_manifests?n=%d&last=%s%s", n, after,
                                    *w->q ? "" : "&orderby=timedesc"),
                       NULL, &answer));
    *ret = json_object_get(answer, "manifests");
    return OK;
}

/* The digest itself comes before what comes after it; *ret_n counts it. */
static enum fault add_same(struct page *p, const struct registry_view *v, const char *digest,
                           size_t *ret_n)
{
    json_t *answer;
    enum fault fault;

    fault = ask_repository(
        p->c, GET, v,
        arena_printf(&p->op->arena, "/_manifests/%s", uri_encode(&p->op->arena, digest, "")), NULL,
        &answer);
    if (fault == NOT_FOUND || fault == INVALID) { /* it is only the beginning of one */
        op_clear_fault(p->op);
        return OK;
    }
    TRY(fault);
    manifest_row_add(p, v, json_object_get(answer, "manifest"));
    ++*ret_n;
    return OK;
}

/* How many it shows. *ret_next: where an older page goes on, or "". */
static size_t add_manifests(struct page *p, const struct registry_view *v, const struct wanted *w,
                            const json_t *manifests, size_t asked, const char **ret_next)
{
    json_t *manifest;
    size_t i, shown = 0;

    *ret_next = "";
    json_array_foreach(manifests, i, manifest)
    {
        const char *digest = text_at_or(manifest, "digest", "");

        if (shown == PAGE_ROWS || (*w->q && strncmp(digest, w->q, strlen(w->q)) != 0))
            break;
        if (!w->untagged || manifest_is_untagged(manifest)) {
            manifest_row_add(p, v, manifest);
            shown++;
        }
        *ret_next =
            i + 1 < json_array_size(manifests) || json_array_size(manifests) == asked ? digest : "";
    }
    return shown;
}

static void add_pages(struct page *p, const struct wanted *w, const char *next)
{
    const char *untagged = w->untagged ? "&untagged=1" : "";

    page_marks(p, "Newest",
               !*w->after    ? NULL
               : w->untagged ? "?untagged=1"
                             : "?",
               "Older",
               *next && !*w->q ? arena_printf(&p->op->arena, "?after=%s%s",
                                              uri_encode(&p->op->arena, next, ""), untagged)
                               : NULL);
}

static void add_choice(struct page *p, const struct registry_view *v, const struct wanted *w)
{
    const char *link = arena_printf(&p->op->arena, "%s/_manifests", v->here);

    page_search(p, &(struct listing){.q = w->q}, "Digest, or how it begins");
    page_html(p, "<p>");
    page_anchor(p, w->untagged || *w->q ? link : NULL, "All, newest first");
    page_html(p, " · ");
    page_anchor(p, w->untagged ? NULL : arena_printf(&p->op->arena, "%s?untagged=1", link),
                "Those without a tag");
    page_html(p, "</p>");
}

enum fault manifests_page(struct call *c)
{
    struct wanted w = wanted_of(c);
    int asked = w.untagged ? LOOKED_AT_ONCE : PAGE_ROWS + 1;
    struct registry_view v;
    json_t *manifests;
    const char *next;
    struct page p;
    size_t n = 0;

    TRY(registry_view_repository(c, &v));
    TRY(look(c, &v, &w, asked, &manifests));
    page_begin(
        c, &p, w.untagged ? "Manifests without a tag" : "Manifests",
        (const struct crumb[]){
            {"Registries", "/console/registries"},
            {v.name,            v.link},
            {v.repository,v.here},
            {0}
    });
    add_choice(&p, &v, &w);
    manifest_rows_begin(&p, "Manifests");
    if (*w.q)
        TRY(add_same(&p, &v, w.q, &n));
    n += add_manifests(&p, &v, &w, manifests, (size_t)asked, &next);
    page_table_end(&p);
    if (!n)
        page_html(&p, "<p class=\"soft\">None.</p>");
    add_pages(&p, &w, next);
    page_command(&p, "The same by az",
                 arena_printf(&c->op.arena,
                              "az acr manifest list-metadata -r %s -n %s --orderby time_desc",
                              v.name, v.repository));
    return page_end(&p);
}
