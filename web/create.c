#include "web/create.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/arm.h"
#include "clusters/object/object.h"
#include "web/subscriptions.h"

#define ROWS "4"

/* ---- what was typed ---- */

static const char *typed(struct call *c, const char *name)
{
    return c->method == POST ? call_form(c, name, 0) : call_query(c, name, 0);
}

const char *create_value(struct call *c, const struct create_form *form, const char *name)
{
    const struct create_field *field = form->fields;
    const char *text = typed(c, name);

    while (field->name && strcmp(field->name, name) != 0)
        field++;
    if (!text)
        text = field->begins_with;
    return text ? text : "";
}

enum fault create_needed(struct call *c, const struct create_form *form, const char *name,
                         const char **ret)
{
    const char *text = create_value(c, form, name);

    if (!*text)
        return fail(&c->op, INVALID, "the %s is missing", name);
    *ret = text;
    return OK;
}

enum fault create_number(struct call *c, const struct create_form *form, const char *name,
                         int64_t least, int64_t most, int64_t *ret)
{
    const char *text = create_value(c, form, name);
    char *end;
    long long n = strtoll(text, &end, 10);

    if (end == text || *end || n < least || n > most)
        return fail(&c->op, INVALID, "%s must be a number from %lld to %lld, not \"%.40s\"", name,
                    (long long)least, (long long)most, text);
    *ret = n;
    return OK;
}

/* ---- resource groups ---- */

enum fault create_groups(struct page *p, const char *action, json_t **ret)
{
    json_t *all, *group, *some = json_keep(p->op, json_array());
    size_t i;

    TRY(resources_of(p->c, "/resourcegroups", &all));
    json_array_foreach(all, i, group)
    {
        const char *id = text_at_or(group, "id", "");

        if (page_may(p, id, action))
            json_array_append_new(some, json_pack("[s,s]", id, text_at_or(group, "name", "")));
    }
    *ret = some;
    return OK;
}

static bool is_group(struct op *op, const json_t *resource)
{
    const char *id = text_at_or(resource, "id", "");

    return *id_group(op, id) && !strcasestr(id, "/providers/");
}

/* What was typed may name anything: a list, a subscription, a resource. */
enum fault create_group(struct call *c, const struct create_form *form, const json_t **ret)
{
    const char *id = create_value(c, form, "group");
    json_t *group = NULL;

    if (strncasecmp(id, "/subscriptions/", strlen("/subscriptions/")) == 0)
        TRY(ask_manager(c, page_of(&c->op, id) + strlen("/console"), &group));
    if (!is_group(&c->op, group))
        return fail(&c->op, INVALID, "choose a resource group");
    *ret = group;
    return OK;
}

/* ---- the form ---- */

static void add_select(struct page *p, const struct create_field *field, const json_t *list,
                       const char *chosen)
{
    json_t *choice;
    size_t i;

    page_html(p, "<label><span>");
    page_text(p, field->label);
    page_html(p, "</span><select name=\"");
    page_html(p, field->name);
    page_html(p, "\">");
    for (const struct create_choice *c = field->choices; c && c->value; c++)
        page_option(p, c->value, c->text, chosen);
    json_array_foreach(list, i, choice)
    {
        page_option(p, json_string_value(json_array_get(choice, 0)),
                    json_string_value(json_array_get(choice, 1)), chosen);
    }
    page_html(p, "</select></label>");
}

static void add_lines(struct page *p, const struct create_field *field, const char *value)
{
    page_html(p, "<label class=\"wide\"><span>");
    page_text(p, field->label);
    page_html(p, "</span><textarea name=\"");
    page_html(p, field->name);
    page_html(p, "\" rows=\"" ROWS "\">\n");
    page_text(p, value);
    page_html(p, "</textarea></label>");
}

static void add_field(struct page *p, const struct create_form *form,
                      const struct create_field *field, const json_t *list)
{
    const char *value = create_value(p->c, form, field->name);

    if (field->choices || field->list) {
        add_select(p, field, list, value);
        return;
    }
    if (field->lines) {
        add_lines(p, field, value);
        return;
    }
    if (field->wide)
        page_html(p, "<div class=\"wide\">");
    page_field(p, field->label, "text", field->name, value, field->hint ? field->hint : "");
    if (field->wide)
        page_html(p, "</div>");
}

/* The first button is what Enter does, and changes nothing; the proof goes with the second only. */
static void add_form(struct page *p, const struct create_form *form, json_t *const *lists)
{
    page_html(p, "<form class=\"fields\" method=\"get\" action=\"");
    page_attr(p, p->c->path);
    page_html(p, "\">");
    for (size_t i = 0; form->fields[i].name; i++)
        add_field(p, form, &form->fields[i], lists[i]);
    page_html(p, "<div class=\"actions wide\"><button class=\"quiet\" name=\"show\" "
                 "value=\"1\">Show</button>"
                 "<button formmethod=\"post\" name=\"proof\" value=\"");
    page_attr(p, p->session->proof);
    page_html(p, "\">Create</button></div></form>");
}

static void add_command(struct page *p, const struct created *made)
{
    page_heading(p, "The same by az");
    if (made->file)
        page_command(p, made->file, made->content);
    page_command(p, made->file ? "Next to that file" : "In a terminal", made->command);
}

/* A choice of which there is none leaves nothing to be filled in. */
static enum fault ask_lists(struct page *p, const struct create_form *form, json_t ***ret,
                            bool *ret_usable)
{
    size_t n = 0;
    json_t **lists;

    while (form->fields[n].name)
        n++;
    lists = arena_alloc(&p->op->arena, (n + 1) * sizeof(*lists));
    *ret_usable = true;
    for (size_t i = 0; i < n; i++) {
        lists[i] = NULL;
        if (!form->fields[i].list)
            continue;
        TRY(form->fields[i].list(p, &lists[i]));
        *ret_usable = *ret_usable && json_array_size(lists[i]);
    }
    *ret = lists;
    return OK;
}

/* made NULL: nothing was typed yet, or it is wrong. why: how; or NULL. */
static enum fault draw(struct call *c, const struct create_form *form, const struct crumb *crumbs,
                       const struct created *made, const char *why, int status)
{
    json_t **lists;
    struct page p;
    bool usable;

    page_begin(c, &p, form->title, crumbs);
    if (why) {
        page_html(&p, "<p class=\"error\" role=\"alert\">");
        page_text(&p, why);
        page_html(&p, "</p>");
    }
    TRY(ask_lists(&p, form, &lists, &usable));
    if (!usable) {
        page_empty(&p, form->none, form->next);
        return page_end_as(&p, status);
    }
    add_form(&p, form, lists);
    if (made)
        add_command(&p, made);
    return page_end_as(&p, status);
}

static enum fault draw_refused(struct call *c, const struct create_form *form,
                               const struct crumb *crumbs, const struct created *made)
{
    const char *why = c->op.message;
    int status = c->op.fault == CONFLICT ? 409 : 400;

    op_clear_fault(&c->op);
    return draw(c, form, crumbs, made, why, status);
}

/* ---- handlers ---- */

enum fault create_page(struct call *c, const struct create_form *form, const struct crumb *crumbs)
{
    struct created made = {0};

    if (!call_query(c, "show", 0))
        return draw(c, form, crumbs, NULL, NULL, 200);
    if (form->read(c, form, &made) != OK)
        return draw_refused(c, form, crumbs, NULL);
    return draw(c, form, crumbs, &made, NULL, 200);
}

/* A PUT would replace it. */
static enum fault need_none(struct call *c, const struct created *made)
{
    json_t *there;
    enum fault fault;

    if (made->may_exist)
        return OK;
    fault = ask_manager(c, made->path, &there);
    if (fault == NOT_FOUND) {
        op_clear_fault(&c->op);
        return OK;
    }
    TRY(fault);
    return fail(&c->op, CONFLICT, "there is one named \"%.100s\" already: choose another name",
                id_name(made->path));
}

static enum fault make(struct call *c, const struct create_form *form, struct created *made,
                       bool *ret_read)
{
    TRY(form->read(c, form, made));
    *ret_read = true;
    TRY(need_none(c, made));
    return ask_manager_do(c, PUT, made->path, made->body, NULL);
}

enum fault create_post(struct call *c, const struct create_form *form, const struct crumb *crumbs)
{
    struct created made = {0};
    bool read = false;
    enum fault fault;

    TRY(page_check_form(c));
    fault = make(c, form, &made, &read);
    if (fault == FORBIDDEN || fault == INTERNAL || fault == UNAVAILABLE)
        return fault;
    if (fault != OK)
        return draw_refused(c, form, crumbs, read ? &made : NULL);
    return form->done ? form->done(c, &made) : page_go(c, made.said, "%s", made.link);
}

void create_link(struct page *p, const char *link, const char *text)
{
    page_html(p, "<p class=\"actions\">");
    page_anchor(p, link, text);
    page_html(p, "</p>");
}

/* Whoever may in a subscription is not asked about each of its groups. */
enum fault create_link_in_groups(struct page *p, const char *action, const char *link,
                                 const char *text)
{
    json_t *subscriptions, *one, *groups;
    size_t i;

    TRY(subscriptions_of(p->c, &subscriptions));
    json_array_foreach(subscriptions, i, one)
    {
        if (page_may(p,
                     arena_printf(&p->op->arena, "/subscriptions/%s",
                                  text_at_or(one, "subscriptionId", "")),
                     action)) {
            create_link(p, link, text);
            return OK;
        }
    }
    TRY(create_groups(p, action, &groups));
    if (json_array_size(groups))
        create_link(p, link, text);
    return OK;
}
