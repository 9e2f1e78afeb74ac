/* A repository: its tags, and the newest manifests that no tag names. */
#include <string.h>

#include "clusters/object/object.h"
#include "core/uri.h"
#include "web/pages.h"
#include "web/registry_view.h"

#define TAGS_AT_ONCE     10000 /* the most that the API gives */
#define LISTED_MAX       20000
#define NEAR             1000 /* tags that one question is worth for a page of them */
#define UNTAGGED_BESIDES 20   /* on the page of the tags */

/* ---- tags ---- */

/* All names, sorted. */
static enum fault tag_names_of(struct call *c, const struct registry_view *v, json_t **ret)
{
    struct arena *arena = &c->op.arena;
    json_t *all = json_array(), *answer, *some;
    const char *last = "";

    arena_defer(arena, (void (*)(void *))json_decref, all);
    do {
        const char *path = arena_printf(arena, "/v2/%s/tags/list?n=%d&last=%s",
                                        uri_encode(arena, v->repository, "/"), TAGS_AT_ONCE, last);

        TRY(ask_registry_json(c, GET, v->name, path, NULL, &answer));
        some = json_object_get(answer, "tags");
        json_array_extend(all, some);
        last = json_string_value(json_array_get(some, json_array_size(some) - 1));
    } while (json_array_size(some) == TAGS_AT_ONCE && json_array_size(all) < LISTED_MAX);
    *ret = all;
    return OK;
}

/* Sizes by digest, of those manifests that are known already. */
static void note_sizes(json_t *sizes, const json_t *manifests)
{
    json_t *manifest;
    size_t i;

    json_array_foreach(manifests, i, manifest)
    {
        json_object_set(sizes, text_at_or(manifest, "digest", ""),
                        json_object_get(manifest, "imageSize"));
    }
}

static enum fault size_of(struct call *c, const struct registry_view *v, const char *digest,
                          json_t *sizes, int64_t *ret)
{
    const char *below = arena_printf(&c->op.arena, "/_manifests/%s", digest);
    json_t *answer = NULL;
    enum fault fault = OK;

    if (!json_object_get(sizes, digest))
        fault = ask_repository(c, GET, v, below, NULL, &answer);
    if (fault == NOT_FOUND)
        op_clear_fault(&c->op);
    else
        TRY(fault);
    if (answer)
        json_object_set(sizes, digest, at(answer, "manifest.imageSize"));
    *ret = json_integer_value(json_object_get(sizes, digest));
    return OK;
}

static enum fault add_tag(struct page *p, const struct registry_view *v, const json_t *tag,
                          json_t *sizes)
{
    const char *name = text_at_or(tag, "name", ""), *digest = text_at_or(tag, "digest", "");
    int64_t size;

    TRY(size_of(p->c, v, digest, sizes, &size));
    page_row_begin(p);
    page_cell_link(p, tag_link(p->op, v, name), name);
    page_cell_digest(p, v, digest);
    page_cell_number(p, page_bytes(p->op, size));
    page_cell_time(p, text_at_or(tag, "lastUpdateTime", ""));
    page_cell(p, lock_text(p->op, at(tag, "changeableAttributes")));
    page_row_end(p);
    return OK;
}

/* Those of names from first to last: by one question where they stand close together. */
static enum fault add_near(struct page *p, const struct registry_view *v, const json_t *names,
                           size_t first, size_t last, const struct listing *l, json_t *sizes)
{
    const char *before = first ? json_string_value(json_array_get(names, first - 1)) : "";
    json_t *answer, *tag;
    size_t i;

    TRY(ask_repository(
        p->c, GET, v, arena_printf(&p->op->arena, "/_tags?n=%zu&last=%s", last - first + 1, before),
        NULL, &answer));
    json_array_foreach(json_object_get(answer, "tags"), i, tag)
    {
        if (page_matches(l, text_at_or(tag, "name", "")))
            TRY(add_tag(p, v, tag, sizes));
    }
    return OK;
}

static enum fault add_far(struct page *p, const struct registry_view *v, const json_t *names,
                          size_t first, size_t last, const struct listing *l, json_t *sizes)
{
    for (size_t i = first; i <= last; i++) {
        const char *name = json_string_value(json_array_get(names, i));
        json_t *answer;
        enum fault fault;

        if (!page_matches(l, name))
            continue;
        fault = ask_repository(p->c, GET, v, arena_printf(&p->op->arena, "/_tags/%s", name), NULL,
                               &answer);
        if (fault == NOT_FOUND) { /* it has just gone */
            op_clear_fault(p->op);
            continue;
        }
        TRY(fault);
        TRY(add_tag(p, v, json_object_get(answer, "tag"), sizes));
    }
    return OK;
}

static enum fault add_tags(struct page *p, const struct registry_view *v, const json_t *names,
                           json_t *sizes)
{
    size_t i, first = SIZE_MAX, last = 0;
    struct listing l = page_listing(p);
    json_t *name;

    page_search(p, &l, "Tag");
    page_table_begin(p, "Tags",
                     (const char *const[]){"Tag", "Digest", ">Size", "Pushed", "Lock", NULL});
    json_array_foreach(names, i, name)
    {
        if (page_shows(&l, json_string_value(name))) {
            first = first == SIZE_MAX ? i : first;
            last = i;
        }
    }
    if (first != SIZE_MAX)
        TRY((last - first < NEAR ? add_near : add_far)(p, v, names, first, last, &l, sizes));
    page_table_end(p);
    page_pages(p, &l);
    return OK;
}

/* ---- manifests ---- */

/* Those without a tag among the newest; all of them have a page of their own. */
static void add_untagged(struct page *p, const struct registry_view *v, const json_t *manifests,
                         int64_t total)
{
    const char *link = arena_printf(&p->op->arena, "%s/_manifests", v->here);
    json_t *manifest;
    size_t i, n = 0;

    page_heading(p, "Manifests without a tag");
    json_array_foreach(manifests, i, manifest)
    {
        if (!manifest_is_untagged(manifest) || n == UNTAGGED_BESIDES)
            continue;
        if (n++ == 0)
            manifest_rows_begin(p, "Manifests without a tag");
        manifest_row_add(p, v, manifest);
    }
    if (n)
        page_table_end(p);
    page_html(p, "<p class=\"soft\">");
    page_text(p, n ? "Parts of an index, signatures and SBOMs have none of their own. " : "None");
    page_text(p, n ? "" : total > PAGE_ROWS ? " among the newest. " : ". ");
    page_text(p, "See ");
    page_anchor(
        p, link,
        arena_printf(&p->op->arena, "all %s", counted(p->op, total, "manifest", "manifests")));
    page_html(p, " or ");
    page_anchor(p, arena_printf(&p->op->arena, "%s?untagged=1", link), "all without a tag");
    page_html(p, "</p>");
}

/* ---- the page ---- */

static void add_facts(struct page *p, const struct registry_view *v, const json_t *repository)
{
    struct op *op = p->op;

    page_facts_begin(p);
    page_fact(p, "Image", v->image);
    page_fact(p, "Tags", page_count(op, int_at(repository, "tagCount", 0)));
    page_fact(p, "Manifests", page_count(op, int_at(repository, "manifestCount", 0)));
    page_fact_time(p, "Created", text_at_or(repository, "createdTime", ""));
    page_fact_time(p, "Last update", text_at_or(repository, "lastUpdateTime", ""));
    page_fact(p, "Lock", lock_text(op, at(repository, "changeableAttributes")));
    page_facts_end(p);
}

static void add_commands(struct page *p, const struct registry_view *v, const char *tag)
{
    struct arena *arena = &p->op->arena;

    page_heading(p, "Pull");
    page_command(p, "docker", arena_printf(arena, "docker pull %s:%s", v->image, tag));
    page_command(p, "podman", arena_printf(arena, "podman pull %s:%s", v->image, tag));
    page_command(p, "skopeo",
                 arena_printf(arena, "skopeo copy docker://%s:%s dir:%s", v->image, tag,
                              strrchr(v->image, '/') + 1));
}

static void add_deed(struct page *p, const struct registry_view *v, const json_t *repository)
{
    struct op *op = p->op;

    page_heading(p, "Lock or delete it");
    lock_add(p, v, at(repository, "changeableAttributes"));
    if (registry_may(p, v, SCOPE_DELETE))
        page_danger(p, arena_printf(&op->arena, "%s/_delete", v->here), "Delete the repository",
                    arena_printf(&op->arena, "%s and %s of %s go with it. This cannot be undone.",
                                 counted(op, int_at(repository, "tagCount", 0), "tag", "tags"),
                                 counted(op, int_at(repository, "manifestCount", 0), "manifest",
                                         "manifests"),
                                 v->repository));
    page_command(p, "Delete it by az",
                 arena_printf(&op->arena, "az acr repository delete -n %s --repository %s --yes",
                              v->name, v->repository));
}

enum fault repository_page(struct call *c)
{
    json_t *repository, *names, *newest, *sizes = json_object();
    struct registry_view v;
    const char *some;
    struct page p;

    arena_defer(&c->op.arena, (void (*)(void *))json_decref, sizes);
    TRY(registry_view_repository(c, &v));
    TRY(ask_repository(c, GET, &v, "", NULL, &repository));
    TRY(tag_names_of(c, &v, &names));
    TRY(ask_repository(c, GET, &v, "/_manifests?n=100&orderby=timedesc", NULL, &newest));
    note_sizes(sizes, json_object_get(newest, "manifests"));
    page_begin(c, &p, v.repository,
               (const struct crumb[]){
                   {"Registries", "/console/registries"},
                   {v.name,            v.link},
                   {0}
    });
    add_facts(&p, &v, repository);
    page_heading(&p, "Tags");
    some = json_string_value(json_array_get(names, 0));
    if (some)
        TRY(add_tags(&p, &v, names, sizes));
    else
        page_empty(&p, "No tag names anything here.",
                   arena_printf(&c->op.arena, "docker tag app:1 %s:1\ndocker push %s:1", v.image,
                                v.image));
    add_untagged(&p, &v, json_object_get(newest, "manifests"),
                 int_at(repository, "manifestCount", 0));
    if (some)
        add_commands(&p, &v, some);
    page_command(&p, "Its tags by az",
                 arena_printf(&c->op.arena,
                              "az acr repository show-tags -n %s --repository %s --detail", v.name,
                              v.repository));
    add_deed(&p, &v, repository);
    return page_end(&p);
}

enum fault repository_delete_post(struct call *c)
{
    struct registry_view v;

    TRY(page_check_form(c));
    TRY(registry_view_repository(c, &v));
    TRY(ask_repository(c, DELETE, &v, "", NULL, NULL));
    return page_go(c, "The repository is deleted.", "%s", v.link);
}

enum fault repository_lock_post(struct call *c)
{
    struct registry_view v;

    TRY(registry_view_repository(c, &v));
    return lock_post(c, &v);
}
