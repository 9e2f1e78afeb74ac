/* A deployment: how it went or goes, why it failed, its operations, what it gave, its template. */
#include <string.h>
#include <strings.h>

#include "clusters/object/object.h"
#include "web/deployment.h"
#include "web/pages.h"
#include "web/subscriptions.h"

#define DEPLOYMENTS "Microsoft.Resources/deployments"

static const char *path_of(struct call *c)
{
    return c->path_args[2]
               ? page_url(&c->op,
                          "/subscriptions/%s/resourceGroups/%s/providers/" DEPLOYMENTS "/%s",
                          c->path_args)
               : page_url(&c->op, "/subscriptions/%s/providers/" DEPLOYMENTS "/%s", c->path_args);
}

/* ---- why it failed ---- */

/* How to mend what codes say. */
static const char *advice(const char *code)
{
    static const struct {
        const char *code, *text;
    } rows[] = {
        {"AuthorizationFailed",
         "Whoever deploys needs a role that allows this action at this scope."                              },
        {"InvalidTemplateDeployment",
         "Whoever deploys needs a role that allows each resource to be made."                               },
        {"ScopeLocked",                      "Remove the lock, or deploy where there is none."              },
        {"InvalidTemplate",                  "Mend the template; az deployment group validate tells before."},
        {"DeploymentOutputEvaluationFailed",
         "The resources are made. Mend the template's outputs and deploy again."                            },
        {"ResourceQuotaExceeded",            "Delete what is not needed, or ask for a larger quota."        },
        {"QuotaExceeded",                    "Delete what is not needed, or ask for a larger quota."        },
        {"ResourceGroupNotFound",
         "Make the resource group first, and let the resource depend on it."                                },
        {"ResourceNotFound",                 "Let the resource depend on what it refers to (dependsOn)."    },
        {"ParentResourceNotFound",           "Let the resource depend on its parent (dependsOn)."           },
        {"AlreadyInUse",                     "The name is taken: choose another, uniqueString() makes one." },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcasecmp(rows[i].code, code) == 0)
            return rows[i].text;
    return NULL;
}

static void add_problem(struct page *p, const json_t *error)
{
    const char *code = text_at_or(error, "code", ""), *target = text_at_or(error, "target", "");
    const char *help = advice(code);
    json_t *one;
    size_t i;

    page_html(p, "<div class=\"error\"><p><b>");
    page_text(p, code);
    page_html(p, "</b> ");
    if (*target == '/')
        page_text(p, id_name(target));
    page_html(p, "</p><p>");
    page_text(p, text_at_or(error, "message", ""));
    page_html(p, "</p>");
    if (help) {
        page_html(p, "<p><b>To mend it:</b> ");
        page_text(p, help);
        page_html(p, "</p>");
    }
    json_array_foreach(at(error, "details"), i, one) add_problem(p, one);
    page_html(p, "</div>");
}

/* What each resource says is what counts: the whole only says that one of them has failed. */
static void add_error(struct page *p, const json_t *error)
{
    const json_t *details = at(error, "details");
    json_t *one;
    size_t i;

    if (!error)
        return;
    page_heading(p, "Why it failed");
    if (!json_array_size(details))
        add_problem(p, error);
    json_array_foreach(details, i, one) add_problem(p, one);
}

/* ---- what it does ---- */

static void add_operation(struct page *p, const json_t *one)
{
    const char *id = text_at_or(one, "properties.targetResource.id", "");
    const char *message = text_at_or(one, "properties.statusMessage.error.message", "");
    const char *started = text_at_or(one, "properties.timestamp", "");

    page_row_begin(p);
    page_cell_link(p, page_of(p->op, id),
                   text_at_or(one, "properties.targetResource.resourceName", ""));
    page_cell(p, text_at_or(one, "properties.targetResource.resourceType", ""));
    page_cell(p, text_at_or(one, "properties.provisioningOperation", ""));
    page_cell_state(p, deployment_state(one));
    page_cell_number(p, *started ? duration_text(p->op, text_at_or(one, "properties.duration", ""))
                                 : "");
    page_cell_as(p, "prose", NULL, message);
    page_row_end(p);
}

/* What needs a look comes first. */
static int rank(const json_t *one)
{
    const char *state = text_at_or(one, "properties.provisioningState", "");

    return strcmp(state, "Failed") == 0 ? 0 : strcmp(state, "Running") == 0 ? 1 : 2;
}

static void operations_table(struct page *p, const json_t *all)
{
    struct listing l = page_listing(p);
    json_t *one;
    size_t i;

    if (json_array_size(all) > PAGE_ROWS)
        page_search(p, &l, "Resource, type or state");
    page_table_begin(
        p, "Operations",
        (const char *const[]){"Resource", "Type", "What", "State", ">Took", "Message", NULL});
    for (int r = 0; r < 3; r++)
        json_array_foreach(all, i, one)
        {
            const char *words =
                arena_printf(&p->op->arena, "%s %s %s",
                             text_at_or(one, "properties.targetResource.resourceName", ""),
                             text_at_or(one, "properties.targetResource.resourceType", ""),
                             text_at_or(one, "properties.provisioningState", ""));

            if (rank(one) == r && page_shows(&l, words))
                add_operation(p, one);
        }
    page_table_end(p);
    page_pages(p, &l);
}

static enum fault operations_add(struct page *p, const char *path)
{
    json_t *all;
    enum fault fault = ask_manager_all(p->c, arena_printf(&p->op->arena, "%s/operations", path),
                                       RESOURCES_MAX, &all);

    if (fault == FORBIDDEN) {
        op_clear_fault(p->op);
        return OK;
    }
    TRY(fault);
    page_heading(p, "Operations");
    if (json_array_size(all))
        operations_table(p, all);
    else
        page_html(p, "<p class=\"soft\">It makes no resource.</p>");
    return OK;
}

/* ---- parameters and outputs ---- */

static const char *shown(struct op *op, const json_t *value)
{
    char *text;

    if (json_is_string(value))
        return json_string_value(value);
    text = json_dumps(value, JSON_ENCODE_ANY | JSON_INDENT(2));
    if (!text)
        return "";
    arena_defer(&op->arena, free, text);
    return text;
}

static void add_values(struct page *p, const char *title, const json_t *values)
{
    const char *name;
    json_t *one;

    if (!json_object_size(values))
        return;
    page_heading(p, title);
    page_table_begin(p, title, (const char *const[]){"Name", "Type", "Value", NULL});
    json_object_foreach((json_t *)values, name, one)
    {
        const json_t *value = json_object_get(one, "value");

        page_row_begin(p);
        page_cell_as(p, "name", NULL, name);
        page_cell(p, text_at_or(one, "type", ""));
        if (value)
            page_cell_as(p, "prose", NULL, shown(p->op, value));
        else
            page_cell(p, "not shown");
        page_row_end(p);
    }
    page_table_end(p);
}

/* A lock forbids this action, too: the page is whole without. */
static enum fault template_add(struct page *p, const char *id, const char *path)
{
    json_t *answer;
    enum fault fault;

    if (!page_may(p, id, DEPLOYMENTS "/exportTemplate/action"))
        return OK;
    fault = ask_manager_do(p->c, POST, arena_printf(&p->op->arena, "%s/exportTemplate", path), NULL,
                           &answer);
    if (fault == FORBIDDEN || fault == CONFLICT || fault == UNAVAILABLE) {
        op_clear_fault(p->op);
        return OK;
    }
    TRY(fault);
    page_heading(p, "Template");
    page_html(p, "<pre class=\"yaml\" tabindex=\"0\">");
    page_text(p, shown(p->op, json_object_get(answer, "template")));
    page_html(p, "</pre>");
    return OK;
}

/* ---- the page ---- */

static void add_facts(struct page *p, const json_t *d)
{
    const char *id = text_at_or(d, "id", ""), *group = id_group(p->op, id);
    const char *subscription = p->c->path_args[0];

    page_facts_begin(p);
    page_fact_state(p, "State", deployment_state(d));
    page_fact(p, "Took", duration_text(p->op, text_at_or(d, "properties.duration", "")));
    page_fact_time(p, "When", text_at_or(d, "properties.timestamp", ""));
    page_fact(p, "Mode", text_at_or(d, "properties.mode", ""));
    if (*group)
        page_fact_link(
            p, "Resource group",
            page_of(p->op, arena_printf(&p->op->arena, "/subscriptions/%s/resourceGroups/%s",
                                        subscription, group)),
            group);
    page_fact(p, "Location", text_at_or(d, "location", ""));
    page_fact(p, "Subscription", subscription);
    page_fact(p, "Correlation", text_at_or(d, "properties.correlationId", ""));
    page_facts_end(p);
}

static void add_actions(struct page *p, const json_t *d)
{
    const char *id = text_at_or(d, "id", ""), *link = page_of(p->op, id);
    bool running = strcmp(text_at_or(d, "properties.provisioningState", ""), "Running") == 0;

    page_html(p, "<div class=\"actions\">");
    if (running && page_may(p, id, DEPLOYMENTS "/cancel/action"))
        page_danger(p, arena_printf(&p->op->arena, "%s/cancel", link), "Cancel",
                    "What has not begun is not made. What is made stays, and what a service has "
                    "begun goes on there.");
    if (!running && page_may(p, id, DEPLOYMENTS "/delete"))
        page_danger(p, arena_printf(&p->op->arena, "%s/delete", link), "Forget it",
                    "The deployment leaves the history. What it made stays.");
    page_html(p, "</div>");
}

static const char *command(struct op *op, const json_t *d)
{
    const char *id = text_at_or(d, "id", ""), *group = id_group(op, id),
               *name = shell_word(op, text_at_or(d, "name", ""));

    if (*group)
        return arena_printf(&op->arena, "az deployment group show -g %s -n %s",
                            shell_word(op, group), name);
    return arena_printf(&op->arena, "az deployment sub show -n %s", name);
}

enum fault deployment_page(struct call *c)
{
    static const struct crumb crumbs[] = {
        {"Deployments", "/console/deployments"},
        {0            },
    };
    const char *path = path_of(c);
    struct page p;
    json_t *d;

    TRY(ask_manager(c, path, &d));
    page_begin(c, &p, text_at_or(d, "name", ""), crumbs);
    add_facts(&p, d);
    add_error(&p, at(d, "properties.error"));
    add_actions(&p, d);
    TRY(operations_add(&p, path));
    add_values(&p, "Outputs", at(d, "properties.outputs"));
    add_values(&p, "Parameters", at(d, "properties.parameters"));
    page_command(&p, "The same by az", command(p.op, d));
    TRY(template_add(&p, text_at_or(d, "id", ""), path));
    return page_end(&p);
}

enum fault deployment_cancel(struct call *c)
{
    const char *path = path_of(c);

    TRY(page_check_form(c));
    TRY(ask_manager_do(c, POST, arena_printf(&c->op.arena, "%s/cancel", path), NULL, NULL));
    return page_go(c, "The deployment is being cancelled.", "/console%s", path);
}

enum fault deployment_forget(struct call *c)
{
    TRY(page_check_form(c));
    TRY(ask_manager_do(c, DELETE, path_of(c), NULL, NULL));
    return page_go(c, "The deployment is forgotten.", "/console/deployments");
}
