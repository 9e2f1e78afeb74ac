#include "web/registry_view.h"

#include <string.h>

#include "clusters/object/object.h"
#include "core/uri.h"
#include "registry/principal.h"

/* ---- which one ---- */

enum fault registry_view(struct call *c, struct registry_view *ret)
{
    const char *const *args = c->path_args;
    struct op *op = &c->op;
    json_t *registry;

    TRY(ask_manager(c,
                    page_url(op, "/subscriptions/%s/resourceGroups/%s/providers/" ACR "/%s", args),
                    &registry));
    *ret = (struct registry_view){
        .registry = registry,
        .id = text_at_or(registry, "id", ""),
        .name = text_at_or(registry, "name", ""),
        .login_server = text_at_or(registry, "properties.loginServer", ""),
    };
    ret->link = page_of(op, ret->id);
    return OK;
}

enum fault registry_view_repository(struct call *c, struct registry_view *ret)
{
    TRY(registry_view(c, ret));
    ret->repository = c->path_args[3];
    ret->image = arena_printf(&c->op.arena, "%s/%s", ret->login_server, ret->repository);
    ret->here = repository_link(&c->op, ret, ret->repository);
    return OK;
}

enum fault registry_view_tag(struct call *c, struct registry_view *ret)
{
    TRY(registry_view_repository(c, ret));
    ret->tag = c->path_args[4];
    ret->here = tag_link(&c->op, ret, ret->tag);
    return OK;
}

enum fault registry_view_manifest(struct call *c, struct registry_view *ret)
{
    TRY(registry_view_repository(c, ret));
    ret->digest = c->path_args[4];
    ret->here = manifest_link(&c->op, ret, ret->digest);
    return OK;
}

/* ---- links ---- */

const char *repository_link(struct op *op, const struct registry_view *v, const char *name)
{
    return arena_printf(&op->arena, "%s/repositories/%s", v->link,
                        uri_encode(&op->arena, name, "/"));
}

const char *tag_link(struct op *op, const struct registry_view *v, const char *tag)
{
    return arena_printf(&op->arena, "%s/_tags/%s", repository_link(op, v, v->repository),
                        uri_encode(&op->arena, tag, ""));
}

const char *manifest_link(struct op *op, const struct registry_view *v, const char *digest)
{
    return arena_printf(&op->arena, "%s/_manifests/%s", repository_link(op, v, v->repository),
                        uri_encode(&op->arena, digest, ":"));
}

/* ---- the data plane ---- */

enum fault ask_repository(struct call *c, enum method method, const struct registry_view *v,
                          const char *below, const json_t *body, json_t **ret)
{
    const char *path = arena_printf(&c->op.arena, "/acr/v1/%s%s",
                                    uri_encode(&c->op.arena, v->repository, "/"), below);

    return ask_registry_json(c, method, v->name, path, body, ret);
}

const char *below_of(struct op *op, const struct registry_view *v)
{
    if (v->tag)
        return arena_printf(&op->arena, "/_tags/%s", uri_encode(&op->arena, v->tag, ""));
    if (v->digest)
        return arena_printf(&op->arena, "/_manifests/%s", uri_encode(&op->arena, v->digest, ""));
    return "";
}

bool registry_may(struct page *p, const struct registry_view *v, enum scope_action action)
{
    const struct registry *registry = registry_find(p->op, v->name);
    struct principal viewer = principal_of_identity(p->who);

    return registry && principal_rights(p->op, &viewer, registry, v->repository, action);
}

/* ---- digests ---- */

const char *digest_short(struct op *op, const char *digest)
{
    return arena_strndup(&op->arena, digest, strnlen(digest, strcspn(digest, ":") + 13));
}

void page_cell_digest(struct page *p, const struct registry_view *v, const char *digest)
{
    page_cell_begin(p);
    page_html(p, "<code class=\"whole\">");
    page_anchor(p, manifest_link(p->op, v, digest), digest_short(p->op, digest));
    page_html(p, "</code>");
    page_cell_end(p);
}

void page_cell_whole(struct page *p, const char *text)
{
    page_cell_begin(p);
    page_html(p, "<code class=\"whole\">");
    page_text(p, text);
    page_html(p, "</code>");
    page_cell_end(p);
}

const char *counted(struct op *op, int64_t n, const char *one, const char *several)
{
    return arena_printf(&op->arena, "%s %s", page_count(op, n), n == 1 ? one : several);
}

/* ---- locks ---- */

static bool is_allowed(const json_t *attributes, const char *name)
{
    return bool_at(attributes, name, true);
}

const char *lock_text(struct op *op, const json_t *attributes)
{
    static const struct {
        const char *name, *text;
    } locks[] = {
        {"deleteEnabled", "no deleting"},
        {"writeEnabled",  "no changing"},
        {"readEnabled",   "no pulling" },
        {"listEnabled",   "not listed" },
    };
    struct text out;

    text_init(&out, &op->arena, 256);
    for (size_t i = 0; i < ARRAY_LEN(locks); i++)
        if (!is_allowed(attributes, locks[i].name))
            text_printf(&out, "%s%s", out.len ? ", " : "", locks[i].text);
    return out.len ? out.data : "none";
}

static void lock_form(struct page *p, const struct registry_view *v, const char *locked,
                      const char *button)
{
    page_form_begin(p, arena_printf(&p->op->arena, "%s/_lock", v->here));
    page_hidden(p, "locked", locked);
    page_form_end(p, button);
}

static const char *lock_command(struct op *op, const struct registry_view *v, bool locked)
{
    const char *what = "--repository", *at = "", *reference = "";

    if (v->tag || v->digest) {
        what = "--image";
        at = v->tag ? ":" : "@";
        reference = v->tag ? v->tag : v->digest;
    }
    return arena_printf(&op->arena,
                        "az acr repository update -n %s %s %s%s%s --write-enabled %s"
                        " --delete-enabled %s",
                        v->name, what, v->repository, at, reference, locked ? "false" : "true",
                        locked ? "false" : "true");
}

void lock_add(struct page *p, const struct registry_view *v, const json_t *attributes)
{
    bool may_delete = is_allowed(attributes, "deleteEnabled");
    bool may_write = is_allowed(attributes, "writeEnabled");

    if (registry_may(p, v, SCOPE_METADATA_WRITE)) {
        page_html(p, "<div class=\"actions\">");
        if (may_delete || may_write)
            lock_form(p, v, "true", "Lock");
        if (!may_delete || !may_write)
            lock_form(p, v, "false", "Unlock");
        page_html(p, "</div>");
    }
    page_command(p, may_delete || may_write ? "Lock it by az" : "Unlock it by az",
                 lock_command(p->op, v, may_delete || may_write));
}

enum fault lock_post(struct call *c, const struct registry_view *v)
{
    const char *locked = call_form(c, "locked", 0);
    json_t *body = json_object();
    bool lock = locked && strcmp(locked, "true") == 0;

    arena_defer(&c->op.arena, (void (*)(void *))json_decref, body);
    TRY(page_check_form(c));
    if (!lock && (!locked || strcmp(locked, "false") != 0))
        return fail(&c->op, INVALID, "locked must be true or false");
    json_object_set_new(body, "writeEnabled", json_boolean(!lock));
    json_object_set_new(body, "deleteEnabled", json_boolean(!lock));
    TRY(ask_repository(c, PATCH, v, below_of(&c->op, v), body, NULL));
    return page_go(c, lock ? "It is locked." : "It is unlocked.", "%s", v->here);
}
