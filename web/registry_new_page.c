/* Making a registry, and what belongs to one: webhooks, and tokens with a password. */
#include <string.h>

#include "api/arm.h"
#include "clusters/object/object.h"
#include "web/create.h"
#include "web/pages.h"
#include "web/registry_view.h"
#include "web/subscriptions.h"

#define WORDS_MAX 16

/* ---- a registry ---- */

static enum fault registry_places(struct page *p, json_t **ret)
{
    return create_groups(p, ACR "/write", ret);
}

static const struct create_choice skus[] = {
    {"Basic",     "Basic"},
    {"Standard",           "Standard"},
    {"Premium","Premium"},
    {0  },
};
static const struct create_choice switches[] = {
    {"false", "off"},
    {"true",       "on"},
    {0},
};
static const struct create_field registry_fields[] = {
    {"group",                               "Resource group", .list = registry_places},
    {"name",              "Name", .hint = "5 to 50 letters and digits"},
    {"sku",                                "SKU", "Basic", .choices = skus},
    {"admin", "Admin user", "false", .choices = switches},
    {0                                },
};

static enum fault read_registry(struct call *c, const struct create_form *form, struct created *ret)
{
    const char *name, *sku, *id, *admin = create_value(c, form, "admin");
    struct op *op = &c->op;
    const json_t *group;

    TRY(create_needed(c, form, "name", &name));
    TRY(create_needed(c, form, "sku", &sku));
    TRY(create_group(c, form, &group));
    id = text_at_or(group, "id", "");
    ret->path = arena_printf(&op->arena, "%s%s", page_of(op, id) + strlen("/console"),
                             page_url(op, "/providers/" ACR "/%s", &name));
    ret->body =
        json_keep(op, json_pack("{s:s, s:{s:s}, s:{s:b}}", "location",
                                text_at_or(group, "location", ""), "sku", "name", sku, "properties",
                                "adminUserEnabled", strcmp(admin, "true") == 0));
    ret->command = arena_printf(&op->arena, "az acr create -g %s -n %s --sku %s --admin-enabled %s",
                                shell_word(op, id_group(op, id)), shell_word(op, name),
                                shell_word(op, sku), shell_word(op, admin));
    ret->said = "The registry is there.";
    ret->link = arena_printf(&op->arena, "/console%s", ret->path);
    return OK;
}

static const struct create_form registry_form = {
    .title = "Create a registry",
    .fields = registry_fields,
    .none = "A registry stands in a resource group, and there is none where you may make one.",
    .next = "az group create -n demo -l eastus",
    .read = read_registry,
};
static const struct crumb registry_crumbs[] = {
    {"Registries", "/console/registries"},
    {0           },
};

enum fault registry_new_page(struct call *c)
{
    return create_page(c, &registry_form, registry_crumbs);
}

enum fault registry_new_post(struct call *c)
{
    return create_post(c, &registry_form, registry_crumbs);
}

/* ---- of one ---- */

/* Also: whoever may not see the registry gets no form. */
static enum fault in_registry(struct call *c, const struct create_form *form,
                              enum fault (*handler)(struct call *c, const struct create_form *form,
                                                    const struct crumb *crumbs))
{
    struct crumb crumbs[3] = {
        {"Registries", "/console/registries"},
    };
    struct registry_view v;

    TRY(registry_view(c, &v));
    crumbs[1] = (struct crumb){v.name, v.link};
    return handler(c, form, crumbs);
}

/* ---- a webhook ---- */

static const struct create_field webhook_fields[] = {
    {"name",                                "Name", .hint = "5 to 50 letters and digits"},
    {"uri", "Address", .hint = "http://localhost:8000/hook"},
    {"actions",                                 "Events", "push, delete", "push, delete, quarantine"},
    {"scope", "Images, if not all", .hint = "app:*"},
    {0                            },
};

/* "push, delete" → ["push","delete"], and "push delete" for a shell. */
static json_t *read_words(struct op *op, const char *typed, const char **ret_words)
{
    static const char between[] = ", \t\r\n";
    json_t *list = json_keep(op, json_array());
    struct text words;

    text_init(&words, &op->arena, 8 * strlen(typed) + 64);
    for (typed += strspn(typed, between); *typed; typed += strspn(typed, between)) {
        const char *word = arena_strndup(&op->arena, typed, strcspn(typed, between));

        if (json_array_size(list) < WORDS_MAX)
            json_array_append_new(list, json_string(word));
        text_printf(&words, "%s%s", words.len ? " " : "", shell_word(op, word));
        typed += strlen(word);
    }
    *ret_words = words.len ? words.data : "";
    return list;
}

static enum fault read_webhook(struct call *c, const struct create_form *form, struct created *ret)
{
    const char *name, *uri, *actions, *words, *scope = create_value(c, form, "scope");
    struct registry_view v;
    struct op *op = &c->op;
    json_t *list;

    TRY(registry_view(c, &v));
    TRY(create_needed(c, form, "name", &name));
    TRY(create_needed(c, form, "uri", &uri));
    TRY(create_needed(c, form, "actions", &actions));
    list = read_words(op, actions, &words);
    ret->path = arena_printf(&op->arena, "%s%s", v.id, page_url(op, "/webhooks/%s", &name));
    ret->body =
        json_keep(op, json_pack("{s:s, s:{s:s, s:s, s:s, s:O}}", "location",
                                text_at_or(v.registry, "location", ""), "properties", "serviceUri",
                                uri, "status", "enabled", "scope", scope, "actions", list));
    ret->command =
        arena_printf(&op->arena, "az acr webhook create -r %s -n %s --uri %s --actions %s%s%s",
                     v.name, shell_word(op, name), shell_word(op, uri), words,
                     *scope ? " --scope " : "", *scope ? shell_word(op, scope) : "");
    ret->said = "The webhook is there. Ping it to see that it is heard.";
    ret->link = arena_printf(&op->arena, "/console%s", ret->path);
    return OK;
}

static const struct create_form webhook_form = {
    .title = "Create a webhook",
    .fields = webhook_fields,
    .read = read_webhook,
};

enum fault webhook_new_page(struct call *c)
{
    return in_registry(c, &webhook_form, create_page);
}

enum fault webhook_new_post(struct call *c)
{
    return in_registry(c, &webhook_form, create_post);
}

/* ---- a token ---- */

#define MAPS_MAX 1000

static enum fault scope_maps(struct page *p, json_t **ret)
{
    json_t *maps, *map, *some = json_keep(p->op, json_array());
    struct registry_view v;
    size_t i;

    TRY(registry_view(p->c, &v));
    TRY(ask_manager_all(p->c, arena_printf(&p->op->arena, "%s/scopeMaps", v.id), MAPS_MAX, &maps));
    json_array_foreach(maps, i, map)
    {
        const char *name = text_at_or(map, "name", "");

        json_array_append_new(some, json_pack("[s,s]", name, name));
    }
    *ret = some;
    return OK;
}

static const struct create_field token_fields[] = {
    {"name",                                         "Name", .hint = "5 to 50 letters, digits and hyphens"},
    {"map", "What it allows (scope map)", "_repositories_pull", .list = scope_maps},
    {0                                         },
};

static enum fault read_token(struct call *c, const struct create_form *form, struct created *ret)
{
    struct registry_view v;
    struct op *op = &c->op;
    const char *name, *map;

    TRY(registry_view(c, &v));
    TRY(create_needed(c, form, "name", &name));
    TRY(create_needed(c, form, "map", &map));
    ret->path = arena_printf(&op->arena, "%s%s", v.id, page_url(op, "/tokens/%s", &name));
    ret->body = json_keep(op, json_pack("{s:{s:s, s:s}}", "properties", "scopeMapId",
                                        arena_printf(&op->arena, "%s/scopeMaps/%s", v.id, map),
                                        "status", "enabled"));
    ret->command = arena_printf(&op->arena, "az acr token create -r %s -n %s --scope-map %s",
                                v.name, shell_word(op, name), shell_word(op, map));
    return OK;
}

static void add_sign_in(struct page *p, const struct registry_view *v, const char *name,
                        const char *password)
{
    page_html(p,
              "<p class=\"note\">This password is shown now and never again: only its hash is"
              " kept. Another one is made by <code>az acr token credential generate</code>.</p>");
    page_facts_begin(p);
    page_fact(p, "Token", name);
    page_fact_link(p, "Registry", v->link, v->name);
    page_facts_end(p);
    page_command(p, "Password", password);
    page_command(p, "To sign in, with the password on stdin",
                 arena_printf(&p->op->arena, "docker login %s -u %s --password-stdin",
                              v->login_server, name));
}

/* The page is the answer to the POST, so that nobody comes back to it. */
static enum fault show_password(struct call *c, const struct created *made)
{
    struct crumb crumbs[3] = {
        {"Registries", "/console/registries"},
    };
    const char *name = id_name(made->path);
    struct registry_view v;
    json_t *body, *answer;
    struct page p;

    TRY(registry_view(c, &v));
    body = json_keep(&c->op, json_pack("{s:s, s:s}", "tokenId", made->path, "name", "password1"));
    TRY(ask_manager_do(c, POST, arena_printf(&c->op.arena, "%s/generateCredentials", v.id), body,
                       &answer));
    crumbs[1] = (struct crumb){v.name, v.link};
    page_begin(c, &p, arena_printf(&c->op.arena, "The token %s", name), crumbs);
    add_sign_in(&p, &v, name, text_at_or(json_array_get(at(answer, "passwords"), 0), "value", ""));
    return page_end(&p);
}

static const struct create_form token_form = {
    .title = "Create a token",
    .fields = token_fields,
    .none = "There is no scope map.",
    .read = read_token,
    .done = show_password,
};

enum fault token_new_page(struct call *c)
{
    return in_registry(c, &token_form, create_page);
}

enum fault token_new_post(struct call *c)
{
    return in_registry(c, &token_form, create_post);
}
