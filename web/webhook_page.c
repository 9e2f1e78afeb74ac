/* A webhook of a registry, and what came of its deliveries. */
#include <string.h>

#include "api/continuous_deployment.h"
#include "clusters/object/object.h"
#include "core/uri.h"
#include "web/pages.h"
#include "web/registry_view.h"

#define HOOK ACR "/webhooks"

static const char *hook_id(struct call *c, const struct registry_view *v)
{
    return arena_printf(&c->op.arena, "%s/webhooks/%s", v->id,
                        uri_encode(&c->op.arena, c->path_args[3], ""));
}

/* The image it is about, as a link while it names one; a ping names none. */
static void add_target(struct page *p, const struct registry_view *v, const json_t *content)
{
    const char *repository = text_at_or(content, "target.repository", "");
    const char *tag = text_at_or(content, "target.tag", "");
    const char *digest = text_at_or(content, "target.digest", "");
    struct registry_view of = *v;

    page_cell_begin(p);
    of.repository = repository;
    if (*repository && *tag)
        page_anchor(p, tag_link(p->op, &of, tag),
                    arena_printf(&p->op->arena, "%s:%s", repository, tag));
    else if (*repository && *digest)
        page_anchor(p, manifest_link(p->op, &of, digest),
                    arena_printf(&p->op->arena, "%s@%s", repository, digest_short(p->op, digest)));
    else
        page_text(p, repository);
    page_cell_end(p);
}

/* The page of what a delivery deploys to; NULL: it goes to an address. */
static const char *place_link(struct op *op, const char *uri)
{
    struct deployment_place place;
    const char *link;

    if (continuous_deployment_place(op, uri, &place) != OK) {
        op_clear_fault(op);
        return NULL;
    }
    link = page_of(op, place.id);
    return place.name ? arena_printf(&op->arena, "%s/objects/apps/v1/deployments/%s/%s", link,
                                     place.ns, place.name)
                      : link;
}

/* Of an address only the host: its path may be what keeps it secret. */
static void add_place(struct page *p, const char *uri)
{
    const char *link = place_link(p->op, uri), *slash = link ? strrchr(link, '/') : NULL;
    const char *host = strstr(uri, "://"), *at;

    if (slash) {
        page_cell_link(p, link, slash + 1);
        return;
    }
    host = host ? host + 3 : uri;
    at = memchr(host, '@', strcspn(host, "/?#"));
    host = at ? at + 1 : host;
    page_cell(p, arena_printf(&p->op->arena, "%.*s", (int)strcspn(host, "/?#"), host));
}

static void add_answer(struct page *p, const json_t *answer)
{
    const char *status = text_at_or(answer, "statusCode", "");
    const char *reason = text_at_or(answer, "reasonPhrase", "");
    const char *state = *status == '2' ? "Succeeded" : "Failed";

    page_cell_state(p, answer ? state : "Waiting");
    page_cell_begin(p);
    page_printf(p, "%s%s%s", status, *status && *reason ? " " : "", reason);
    page_cell_end(p);
}

static void add_deliveries(struct page *p, const struct registry_view *v, const json_t *events)
{
    json_t *event;
    size_t i;

    if (!json_array_size(events)) {
        page_empty(p, "Nothing was told in the last seven days.", NULL);
        return;
    }
    page_table_begin(
        p, "Deliveries",
        (const char *const[]){"When", "Event", "Image", "To", "Outcome", "Answer", NULL});
    json_array_foreach(events, i, event)
    {
        const json_t *content = at(event, "eventRequestMessage.content");

        page_row_begin(p);
        page_cell_time(p, text_at_or(content, "timestamp", ""));
        page_cell(p, text_at_or(content, "action", ""));
        add_target(p, v, content);
        add_place(p, text_at_or(event, "eventRequestMessage.requestUri", ""));
        add_answer(p, json_object_get(event, "eventResponseMessage"));
        page_row_end(p);
    }
    page_table_end(p);
}

/* A lock on the registry forbids this action, too: the page is whole without. */
static enum fault deliveries(struct page *p, const struct registry_view *v, const char *id)
{
    json_t *events;
    enum fault fault;

    if (!page_may(p, id, HOOK "/listEvents/action"))
        return OK;
    fault =
        ask_manager_do(p->c, POST, arena_printf(&p->op->arena, "%s/listEvents", id), NULL, &events);
    if (fault == FORBIDDEN || fault == CONFLICT) {
        op_clear_fault(p->op);
        return OK;
    }
    TRY(fault);
    page_heading(p, "Deliveries");
    add_deliveries(p, v, json_object_get(events, "value"));
    page_command(p, "The same by az",
                 arena_printf(&p->op->arena, "az acr webhook list-events -r %s -n %s", v->name,
                              p->c->path_args[3]));
    return OK;
}

static void add_facts(struct page *p, const json_t *hook)
{
    const char *scope = text_at_or(hook, "properties.scope", "");
    json_t *action;
    struct text out;
    size_t i;

    text_init(&out, &p->op->arena, 512);
    json_array_foreach(at(hook, "properties.actions"), i, action)
    {
        text_printf(&out, "%s%s", i ? ", " : "", json_string_value(action));
    }
    page_facts_begin(p);
    page_fact_state(p, "State",
                    strcmp(text_at_or(hook, "properties.status", ""), "enabled") == 0 ? "Enabled"
                                                                                      : "Disabled");
    page_fact(p, "Events", out.data);
    page_fact(p, "Images", *scope ? scope : "all");
    page_fact(p, "Location", text_at_or(hook, "location", ""));
    page_facts_end(p);
}

enum fault webhook_page(struct call *c)
{
    struct registry_view v;
    const char *id;
    struct page p;
    json_t *hook;

    TRY(registry_view(c, &v));
    id = hook_id(c, &v);
    TRY(ask_manager(c, id, &hook));
    page_begin(c, &p, text_at_or(hook, "name", ""),
               (const struct crumb[]){
                   {"Registries", "/console/registries"},
                   {v.name,            v.link},
                   {0}
    });
    add_facts(&p, hook);
    if (page_may(&p, id, HOOK "/ping/action"))
        page_button(&p, arena_printf(&c->op.arena, "%s/ping", page_of(&c->op, id)), "Send a ping");
    page_command(
        &p, "A ping by az",
        arena_printf(&c->op.arena, "az acr webhook ping -r %s -n %s", v.name, c->path_args[3]));
    TRY(deliveries(&p, &v, id));
    page_heading(&p, "Delete it");
    if (page_may(&p, id, HOOK "/delete"))
        page_danger(&p, arena_printf(&c->op.arena, "%s/delete", page_of(&c->op, id)),
                    "Delete the webhook", "It goes with the list of its deliveries.");
    page_command(
        &p, "The same by az",
        arena_printf(&c->op.arena, "az acr webhook delete -r %s -n %s", v.name, c->path_args[3]));
    return page_end(&p);
}

enum fault webhook_ping_post(struct call *c)
{
    struct registry_view v;
    const char *id;

    TRY(page_check_form(c));
    TRY(registry_view(c, &v));
    id = hook_id(c, &v);
    TRY(ask_manager_do(c, POST, arena_printf(&c->op.arena, "%s/ping", id), NULL, NULL));
    return page_go(c, "A ping is on its way.", "%s", page_of(&c->op, id));
}

enum fault webhook_delete_post(struct call *c)
{
    struct registry_view v;

    TRY(page_check_form(c));
    TRY(registry_view(c, &v));
    TRY(ask_manager_do(c, DELETE, hook_id(c, &v), NULL, NULL));
    return page_go(c, "The webhook is deleted.", "%s", v.link);
}
