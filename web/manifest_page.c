/* One image or artifact, by a tag or by its digest. */
#include <string.h>

#include "clusters/object/object.h"
#include "core/json.h"
#include "core/uri.h"
#include "web/image_parts.h"
#include "web/pages.h"
#include "web/registry_view.h"

/* A manifest as lists show it and as it was pushed. */
struct shown {
    json_t *tag;     /* as ACR shows it; NULL: by digest */
    json_t *details; /* of the manifest, likewise */
    json_t *content; /* NULL: it may not be read now */
    const char *digest;
};

/* A lock or the quarantine may be on it: then the page is of what lists tell. */
static enum fault read_content(struct call *c, const struct registry_view *v, const char *digest,
                               json_t **ret)
{
    struct arena *arena = &c->op.arena;
    const char *path =
        arena_printf(arena, "/v2/%s/manifests/%s", uri_encode(arena, v->repository, "/"),
                     uri_encode(arena, digest, ""));
    struct bytes content;
    enum fault fault;

    *ret = NULL;
    fault = ask_registry(c, GET, v->name, path, NULL, &content, NULL);
    if (fault == CONFLICT || fault == FORBIDDEN) {
        op_clear_fault(&c->op);
        return OK;
    }
    TRY(fault);
    return json_parse(&c->op, content, ret);
}

static enum fault read(struct call *c, const struct registry_view *v, struct shown *ret)
{
    struct shown s = {.digest = v->digest};
    json_t *answer;

    if (v->tag) {
        TRY(ask_repository(c, GET, v, below_of(&c->op, v), NULL, &answer));
        s.tag = json_object_get(answer, "tag");
        s.digest = text_at_or(s.tag, "digest", "");
    }
    TRY(ask_repository(
        c, GET, v,
        arena_printf(&c->op.arena, "/_manifests/%s", uri_encode(&c->op.arena, s.digest, "")), NULL,
        &answer));
    s.details = json_object_get(answer, "manifest");
    TRY(read_content(c, v, s.digest, &s.content));
    *ret = s;
    return OK;
}

/* ---- parts ---- */

static void add_quarantine(struct page *p, const json_t *details)
{
    const char *state = text_at_or(details, "quarantineState", "");

    if (*state && strcmp(state, "Passed") != 0)
        page_fact(p, "Quarantine", state);
}

static void add_facts(struct page *p, const struct registry_view *v, const struct shown *s)
{
    const json_t *d = s->details, *own = s->tag ? s->tag : s->details;
    const char *os = text_at_or(d, "os", ""), *architecture = text_at_or(d, "architecture", "");
    const char *subject = text_at_or(s->content, "subject.digest", "");
    struct op *op = p->op;

    page_facts_begin(p);
    page_fact_link(p, "Digest", s->tag ? manifest_link(op, v, s->digest) : NULL, s->digest);
    page_fact(p, "Media type", text_at_or(d, "mediaType", ""));
    page_fact(p, "Artifact type", text_at_or(s->content, "artifactType", ""));
    page_fact(p, "Size", page_bytes(op, int_at(d, "imageSize", 0)));
    if (*os || *architecture)
        page_fact(p, "Platform", arena_printf(&op->arena, "%s/%s", os, architecture));
    page_fact_time(p, "First pushed", text_at_or(own, "createdTime", ""));
    page_fact_time(p, "Last changed", text_at_or(own, "lastUpdateTime", ""));
    page_fact_time(p, "Last pulled", text_at_or(own, "lastPulledTime", ""));
    page_fact(p, s->tag ? "Lock of the tag" : "Lock",
              lock_text(op, json_object_get(own, "changeableAttributes")));
    add_quarantine(p, d);
    if (*subject)
        page_fact_link(p, "Refers to", manifest_link(op, v, subject), digest_short(op, subject));
    page_facts_end(p);
}

static void add_commands(struct page *p, const struct registry_view *v, const struct shown *s)
{
    struct arena *arena = &p->op->arena;
    const char *by_digest = arena_printf(arena, "%s@%s", v->image, s->digest);
    const char *image = v->tag ? arena_printf(arena, "%s:%s", v->image, v->tag) : by_digest;

    page_heading(p, "Pull");
    page_command(p, "docker", arena_printf(arena, "docker pull %s", image));
    page_command(p, "podman", arena_printf(arena, "podman pull %s", image));
    page_command(p, "skopeo", arena_printf(arena, "skopeo inspect docker://%s", image));
    if (v->tag)
        page_command(p, "Exactly this one, whatever the tag will name",
                     arena_printf(arena, "docker pull %s", by_digest));
}

static void add_tags(struct page *p, const struct registry_view *v, const json_t *tags)
{
    json_t *tag;
    size_t i;

    page_heading(p, "Tags that name it");
    if (!json_array_size(tags)) {
        page_html(p, "<p class=\"soft\">None.</p>");
        return;
    }
    page_html(p, "<p>");
    json_array_foreach(tags, i, tag)
    {
        if (i < PAGE_ROWS) {
            page_html(p, i ? ", " : "");
            page_anchor(p, tag_link(p->op, v, json_string_value(tag)), json_string_value(tag));
        }
    }
    if (json_array_size(tags) > PAGE_ROWS)
        page_printf(p, " and %zu more", json_array_size(tags) - PAGE_ROWS);
    page_html(p, "</p>");
}

static void add_untag(struct page *p, const struct registry_view *v)
{
    struct arena *arena = &p->op->arena;

    if (registry_may(p, v, SCOPE_DELETE))
        page_danger(p, arena_printf(arena, "%s/_delete", v->here), "Delete the tag",
                    arena_printf(arena,
                                 "The name %s goes. The manifest stays, and may be pulled by its "
                                 "digest.",
                                 v->tag));
    page_command(p, "Delete the tag by az",
                 arena_printf(arena, "az acr repository untag -n %s --image %s:%s", v->name,
                              v->repository, v->tag));
}

static void add_delete(struct page *p, const struct registry_view *v, const struct shown *s)
{
    size_t tags = json_array_size(json_object_get(s->details, "tags"));
    struct arena *arena = &p->op->arena;

    if (registry_may(p, v, SCOPE_DELETE))
        page_danger(p, arena_printf(arena, "%s/_delete", manifest_link(p->op, v, s->digest)),
                    "Delete the manifest",
                    arena_printf(arena, "It goes%s%s. This cannot be undone.",
                                 tags ? ", and with it " : "",
                                 tags ? counted(p->op, (int64_t)tags, "tag", "tags") : ""));
    page_command(p, "Delete the manifest by az",
                 arena_printf(arena, "az acr repository delete -n %s --image %s@%s --yes", v->name,
                              v->repository, s->digest));
}

/* ---- the pages ---- */

static enum fault show(struct call *c, const struct registry_view *v)
{
    struct shown s;
    struct page p;

    TRY(read(c, v, &s));
    page_begin(c, &p,
               v->tag ? arena_printf(&c->op.arena, "%s:%s", v->repository, v->tag)
                      : digest_short(&c->op, s.digest),
               (const struct crumb[]){
                   {"Registries",  "/console/registries"},
                   {v->name,             v->link},
                   {v->repository,repository_link(&c->op, v, v->repository)},
                   {0}
    });
    add_facts(&p, v, &s);
    if (!s.content)
        page_html(&p, "<p class=\"error\">Its content may not be read now: it is locked against "
                      "pulling, or in quarantine.</p>");
    add_commands(&p, v, &s);
    image_platforms_add(&p, v, s.content);
    image_layers_add(&p, s.content);
    TRY(image_config_add(&p, v, s.content));
    image_annotations_add(&p, s.content);
    if (s.content)
        TRY(image_referrers_add(&p, v, s.digest));
    add_tags(&p, v, json_object_get(s.details, "tags"));
    page_heading(&p, "Lock or delete it");
    lock_add(&p, v, json_object_get(s.tag ? s.tag : s.details, "changeableAttributes"));
    if (v->tag)
        add_untag(&p, v);
    add_delete(&p, v, &s);
    return page_end(&p);
}

enum fault tag_page(struct call *c)
{
    struct registry_view v;

    TRY(registry_view_tag(c, &v));
    return show(c, &v);
}

enum fault manifest_page(struct call *c)
{
    struct registry_view v;

    TRY(registry_view_manifest(c, &v));
    return show(c, &v);
}

/* ---- what their buttons do ---- */

static enum fault remove_it(struct call *c, const struct registry_view *v, const char *said)
{
    TRY(ask_repository(c, DELETE, v, below_of(&c->op, v), NULL, NULL));
    return page_go(c, said, "%s", repository_link(&c->op, v, v->repository));
}

enum fault tag_delete_post(struct call *c)
{
    struct registry_view v;

    TRY(page_check_form(c));
    TRY(registry_view_tag(c, &v));
    return remove_it(c, &v, "The tag is deleted.");
}

enum fault manifest_delete_post(struct call *c)
{
    struct registry_view v;

    TRY(page_check_form(c));
    TRY(registry_view_manifest(c, &v));
    return remove_it(c, &v, "The manifest is deleted, with its tags.");
}

enum fault tag_lock_post(struct call *c)
{
    struct registry_view v;

    TRY(registry_view_tag(c, &v));
    return lock_post(c, &v);
}

enum fault manifest_lock_post(struct call *c)
{
    struct registry_view v;

    TRY(registry_view_manifest(c, &v));
    return lock_post(c, &v);
}
