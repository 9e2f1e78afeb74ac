/* Making a container group by a form, which shows the YAML that does the same. */
#include <string.h>
#include <strings.h>

#include "clusters/object/object.h"
#include "web/instance.h"
#include "web/instance_form.h"
#include "web/pages.h"
#include "web/subscriptions.h"

enum fault instance_places(struct page *p, json_t **ret)
{
    json_t *all, *group, *some = json_array();
    size_t i;

    arena_defer(&p->op->arena, (void (*)(void *))json_decref, some);
    TRY(resources_of(p->c, "/resourcegroups", &all));
    json_array_foreach(all, i, group)
    {
        if (page_may(p, text_at_or(group, "id", ""), INSTANCE_ACTION "write"))
            json_array_append(some, group);
    }
    *ret = some;
    return OK;
}

static void add_yaml(struct page *p, const struct instance_form *f, const json_t *body)
{
    struct bytes yaml = object_encode_yaml(p->op, body);

    page_heading(p, "The same by az");
    page_command(p, "group.yaml", arena_strndup(&p->op->arena, yaml.data, yaml.len));
    page_command(p, "Next to that file",
                 arena_printf(&p->op->arena, "az container create -g %s --file group.yaml",
                              page_word(p->op, id_group(p->op, f->group))));
}

/* why: what is wrong with what was sent; or NULL. */
static enum fault draw(struct call *c, const struct instance_form *f, const json_t *body,
                       const char *why, int status)
{
    static const struct crumb crumbs[] = {
        {"Container groups", "/console/instances"},
        {0                 },
    };
    json_t *groups;
    struct page p;

    page_begin(c, &p, "Create a container group", crumbs);
    if (why) {
        page_html(&p, "<p class=\"error\" role=\"alert\">");
        page_text(&p, why);
        page_html(&p, "</p>");
    }
    TRY(instance_places(&p, &groups));
    if (!json_array_size(groups)) {
        page_empty(&p,
                   "A container group stands in a resource group, and there is none where you may"
                   " make one.",
                   "az group create -n demo -l eastus");
        return page_end_as(&p, status);
    }
    instance_form_add(&p, f, groups);
    if (body)
        add_yaml(&p, f, body);
    return page_end_as(&p, status);
}

static enum fault draw_refused(struct call *c, const struct instance_form *f, const json_t *body)
{
    const char *why = c->op.message;
    int status = c->op.fault == CONFLICT ? 409 : 400;

    op_clear_fault(&c->op);
    return draw(c, f, body, why, status);
}

/* The resource group that was chosen; its location is the container group's. */
static enum fault read_body(struct call *c, const struct instance_form *f, json_t **ret)
{
    json_t *group;

    if (strncasecmp(f->group, "/subscriptions/", strlen("/subscriptions/")) != 0)
        return fail(&c->op, INVALID, "choose a resource group");
    if (!*f->name || !*f->image)
        return fail(&c->op, INVALID, "%s is missing", *f->name ? "the image" : "the name");
    TRY(ask_manager(c, page_of(&c->op, f->group) + strlen("/console"), &group));
    return instance_form_body(&c->op, f, text_at_or(group, "location", ""), ret);
}

enum fault instance_new_page(struct call *c)
{
    struct instance_form f;
    json_t *body = NULL;

    instance_form_read(c, &f);
    if (!call_query(c, "name", 0))
        return draw(c, &f, NULL, NULL, 200);
    if (read_body(c, &f, &body) != OK)
        return draw_refused(c, &f, NULL);
    return draw(c, &f, body, NULL, 200);
}

/* A PUT would replace it. */
static enum fault need_none(struct call *c, const char *path, const char *name)
{
    json_t *there;
    enum fault fault = ask_manager(c, path, &there);

    if (fault == NOT_FOUND) {
        op_clear_fault(&c->op);
        return OK;
    }
    TRY(fault);
    return fail(&c->op, CONFLICT,
                "there is a container group \"%.100s\" already: choose another name", name);
}

static enum fault create(struct call *c, const struct instance_form *f, json_t **body,
                         const char **ret_path)
{
    const char *const parts[] = {f->name};

    TRY(read_body(c, f, body));
    *ret_path = arena_printf(&c->op.arena, "%s%s", page_of(&c->op, f->group) + strlen("/console"),
                             page_url(&c->op, INSTANCES "/%s", parts));
    TRY(need_none(c, *ret_path, f->name));
    return ask_manager_do(c, PUT, *ret_path, *body, NULL);
}

enum fault instance_new_post(struct call *c)
{
    const char *path = NULL;
    struct instance_form f;
    json_t *body = NULL;
    enum fault fault;

    TRY(page_check_form(c));
    instance_form_read(c, &f);
    fault = create(c, &f, &body, &path);
    if (fault == FORBIDDEN || fault == INTERNAL || fault == UNAVAILABLE)
        return fault;
    if (fault != OK)
        return draw_refused(c, &f, body);
    return page_go(c, "The container group is being made.", "/console%s", path);
}
