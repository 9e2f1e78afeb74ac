/* All registries, and one with its repositories. */
#include <ctype.h>
#include <string.h>

#include "clusters/object/object.h"
#include "core/server.h"
#include "core/uri.h"
#include "web/create.h"
#include "web/pages.h"
#include "web/registry_view.h"
#include "web/resource_list.h"
#include "web/subscriptions.h"

#define CATALOG_AT_ONCE 1000 /* the most that ACR gives */
#define LISTED_MAX      20000

/* ---- all of them ---- */

static const char *lower(struct op *op, const char *name)
{
    char *out = arena_strdup(&op->arena, name);

    for (char *p = out; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return out;
}

/* What a registry stores, and what it saves by sharing; "" when the viewer may not know. */
static enum fault stored_of(struct call *c, const char *id, const char **ret,
                            const char **ret_saved)
{
    json_t *usages, *usage;
    enum fault fault;
    size_t i;

    *ret = *ret_saved = "";
    fault = ask_manager(c, arena_printf(&c->op.arena, "%s/listUsages", id), &usages);
    if (fault == FORBIDDEN || fault == NOT_FOUND) {
        op_clear_fault(&c->op);
        return OK;
    }
    TRY(fault);
    json_array_foreach(json_object_get(usages, "value"), i, usage)
    {
        if (strcmp(text_at_or(usage, "name", ""), "Size") == 0)
            *ret = page_bytes(&c->op, int_at(usage, "currentValue", 0));
        if (strcmp(text_at_or(usage, "name", ""), "SharedLayers") == 0)
            *ret_saved = page_bytes(&c->op, int_at(usage, "currentValue", 0));
    }
    return OK;
}

static enum fault add_registry(struct page *p, const json_t *registry)
{
    const char *id = text_at_or(registry, "id", ""), *name = text_at_or(registry, "name", "");
    const char *login =
        arena_printf(&p->op->arena, "%s%s", lower(p->op, name), server_registry_suffix());
    const char *sku = text_at_or(registry, "sku.name", ""), *group = id_group(p->op, id);
    const char *stored, *saved;

    TRY(stored_of(p->c, id, &stored, &saved));
    page_row_begin(p);
    page_cell_link(p, page_of(p->op, id), name);
    page_cell_state(p, text_at_or(registry, "provisioningState", ""));
    page_cell(p, sku);
    page_cell(p, group);
    page_cell_number(p, stored);
    page_cell_number(p, saved);
    page_cell_whole(p, login);
    page_row_end(p);
    return OK;
}

enum fault registries_page(struct call *c)
{
    json_t *registries, *registry;
    struct resource_list l;
    struct page p;
    size_t i;

    page_begin(c, &p, "Registries", NULL);
    TRY(resource_list_read(&p, ACR, NULL, RESOURCE_NAMES, &l, &registries));
    TRY(create_link_in_groups(&p, ACR "/write", "/console/registries/new", "Create a registry"));
    if (!json_array_size(registries) && resource_list_is_whole(&l)) {
        page_empty(&p, "A registry keeps images and gives them to those who may have them.",
                   "az acr create -n myregistry -g demo --sku Basic --admin-enabled true");
        return page_end(&p);
    }
    resource_list_search(&p, &l);
    page_table_begin(&p, "Registries",
                     (const char *const[]){"Name", "State", "SKU", "Group", ">Stored",
                                           ">Saved by sharing", "Login server", NULL});
    json_array_foreach(registries, i, registry)
    {
        TRY(add_registry(&p, registry));
    }
    page_table_end(&p);
    resource_list_pages(&p, &l);
    page_command(&p, "The same by az", "az acr list -o table");
    return page_end(&p);
}

/* ---- repositories ---- */

/* All names. FORBIDDEN: the viewer may not list them. */
static enum fault names_of(struct call *c, const struct registry_view *v, json_t **ret)
{
    json_t *all = json_array(), *answer, *some;
    const char *last = "";

    arena_defer(&c->op.arena, (void (*)(void *))json_decref, all);
    do {
        const char *path = arena_printf(&c->op.arena, "/acr/v1/_catalog?n=%d&last=%s",
                                        CATALOG_AT_ONCE, uri_encode(&c->op.arena, last, "/"));

        TRY(ask_registry_json(c, GET, v->name, path, NULL, &answer));
        some = json_object_get(answer, "repositories");
        json_array_extend(all, some);
        last = json_string_value(json_array_get(some, json_array_size(some) - 1));
    } while (json_array_size(some) == CATALOG_AT_ONCE && json_array_size(all) < LISTED_MAX);
    *ret = all;
    return OK;
}

static enum fault add_repository(struct page *p, const struct registry_view *v, const char *name)
{
    struct registry_view of = *v;
    json_t *repository;
    enum fault fault;

    of.repository = name;
    fault = ask_repository(p->c, GET, &of, "", NULL, &repository);
    if (fault == NOT_FOUND || fault == FORBIDDEN) { /* it has just gone, or shows its name only */
        op_clear_fault(p->op);
        repository = NULL;
    } else {
        TRY(fault);
    }
    page_row_begin(p);
    page_cell_link(p, repository_link(p->op, v, name), name);
    page_cell_number(p, repository ? page_count(p->op, int_at(repository, "tagCount", 0)) : "");
    page_cell_number(p,
                     repository ? page_count(p->op, int_at(repository, "manifestCount", 0)) : "");
    page_cell_time(p, text_at_or(repository, "lastUpdateTime", ""));
    page_cell(p, lock_text(p->op, at(repository, "changeableAttributes")));
    page_row_end(p);
    return OK;
}

static enum fault add_repositories(struct page *p, const struct registry_view *v,
                                   const json_t *names)
{
    struct listing l = page_listing(p);
    json_t *name;
    size_t i;

    if (!json_array_size(names)) {
        page_empty(p, "It holds no images yet.",
                   arena_printf(&p->op->arena, "docker tag app:1 %s/app:1\ndocker push %s/app:1",
                                v->login_server, v->login_server));
        return OK;
    }
    page_search(p, &l, "Repository");
    page_table_begin(
        p, "Repositories",
        (const char *const[]){"Repository", ">Tags", ">Manifests", "Last update", "Lock", NULL});
    json_array_foreach(names, i, name)
    {
        if (page_shows(&l, json_string_value(name)))
            TRY(add_repository(p, v, json_string_value(name)));
    }
    page_table_end(p);
    page_pages(p, &l);
    page_command(p, "The same by az",
                 arena_printf(&p->op->arena, "az acr repository list -n %s -o table", v->name));
    return OK;
}

/* ---- one ---- */

static void add_facts(struct page *p, const struct registry_view *v)
{
    const json_t *r = v->registry;
    const char *group = id_group(p->op, v->id);
    const char *group_id =
        arena_strndup(&p->op->arena, v->id, strcasestr(v->id, "/providers/") - v->id);

    page_facts_begin(p);
    page_fact_state(p, "State", text_at_or(r, "properties.provisioningState", ""));
    page_fact(p, "Login server", v->login_server);
    page_fact(p, "SKU", text_at_or(r, "sku.name", ""));
    page_fact(p, "Admin user", bool_at(r, "properties.adminUserEnabled", false) ? "on" : "off");
    page_fact(p, "Anonymous pull",
              bool_at(r, "properties.anonymousPullEnabled", false) ? "on" : "off");
    page_fact(p, "Public network access", text_at_or(r, "properties.publicNetworkAccess", ""));
    page_fact_link(p, "Resource group", page_of(p->op, group_id), group);
    page_fact(p, "Location", text_at_or(r, "location", ""));
    page_fact_time(p, "Created", text_at_or(r, "properties.creationDate", ""));
    page_facts_end(p);
}

static void add_commands(struct page *p, const struct registry_view *v)
{
    struct arena *arena = &p->op->arena;
    const char *name = v->name, *login = v->login_server;

    page_heading(p, "Use it");
    if (bool_at(v->registry, "properties.adminUserEnabled", false))
        page_command(p, "Sign in as the admin user",
                     arena_printf(arena,
                                  "az acr credential show -n %s --query \"passwords[0].value\""
                                  " -o tsv |\n  docker login %s -u %s --password-stdin",
                                  name, login, name));
    page_command(p, "Sign in as yourself",
                 arena_printf(arena,
                              "az acr login -n %s --expose-token --query accessToken -o tsv |\n"
                              "  docker login %s -u 00000000-0000-0000-0000-000000000000"
                              " --password-stdin",
                              name, login));
    page_command(
        p, "Push",
        arena_printf(arena, "docker tag app:1 %s/app:1\ndocker push %s/app:1", login, login));
    page_command(p, "Pull", arena_printf(arena, "docker pull %s/app:1", login));
}

/* names NULL: the viewer may not list them. */
static void add_delete(struct page *p, const struct registry_view *v, const json_t *names)
{
    struct op *op = p->op;
    const char *what = "All its repositories";

    if (names)
        what = counted(op, (int64_t)json_array_size(names), "repository", "repositories");
    page_heading(p, "Delete it");
    if (page_may(p, v->id, ACR "/delete"))
        page_danger(p, arena_printf(&op->arena, "%s/delete", v->link), "Delete the registry",
                    arena_printf(&op->arena,
                                 "%s, all images, webhooks and tokens of %s go with it."
                                 " This cannot be undone.",
                                 what, v->name));
    page_command(p, "The same by az",
                 arena_printf(&op->arena, "az acr delete -n %s -g %s --yes", v->name,
                              shell_word(op, id_group(op, v->id))));
}

enum fault registry_page(struct call *c)
{
    static const struct crumb crumbs[] = {
        {"Registries", "/console/registries"},
        {0           },
    };
    struct registry_view v;
    json_t *names = NULL;
    enum fault fault;
    struct page p;

    TRY(registry_view(c, &v));
    fault = names_of(c, &v, &names);
    if (fault != FORBIDDEN)
        TRY(fault);
    op_clear_fault(&c->op);
    page_begin(c, &p, v.name, crumbs);
    add_facts(&p, &v);
    page_heading(&p, "Repositories");
    if (names)
        TRY(add_repositories(&p, &v, names));
    else
        page_empty(&p,
                   "You may not list its repositories: that takes AcrPull, or in a registry "
                   "with AbacRepositoryPermissions Container Registry Repository Catalog "
                   "Lister.",
                   NULL);
    add_commands(&p, &v);
    TRY(registry_traffic_add(&p, &v));
    TRY(registry_usage_add(&p, &v));
    TRY(registry_webhooks_add(&p, &v));
    TRY(registry_tokens_add(&p, &v));
    add_delete(&p, &v, names);
    return page_end(&p);
}

enum fault registry_delete_post(struct call *c)
{
    struct registry_view v;

    TRY(page_check_form(c));
    TRY(registry_view(c, &v));
    TRY(ask_manager_do(c, DELETE, v.id, NULL, NULL));
    return page_go(c, "The registry is deleted.", "/console/registries");
}
