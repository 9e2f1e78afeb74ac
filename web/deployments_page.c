/* All deployments that the viewer may see, and the long-running operations of this moment. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "clusters/object/object.h"
#include "core/uri.h"
#include "web/deployment.h"
#include "web/pages.h"
#include "web/subscriptions.h"

#define LATEST 10

const char *duration_text(struct op *op, const char *iso)
{
    struct text out;
    char *end;

    if (strncmp(iso, "PT", 2) != 0)
        return "";
    text_init(&out, &op->arena, 64);
    for (const char *p = iso + 2; *p; p = end + 1) {
        double n = strtod(p, &end);

        if (end == p || !*end)
            break;
        if (*end == 'S')
            text_printf(&out, "%s%.1f s", out.len ? " " : "", n);
        else
            text_printf(&out, "%s%.0f %s", out.len ? " " : "", n, *end == 'H' ? "h" : "min");
    }
    return out.data;
}

/* ---- deployments ---- */

const char *deployment_state(const json_t *one)
{
    const char *state = text_at_or(one, "properties.provisioningState", "");

    return strcmp(state, "Running") == 0 ? "InProgress" : state;
}

static const char *scope_of(struct op *op, const char *id)
{
    const char *group = id_group(op, id);

    return *group ? group : "subscription";
}

void deployment_rows(struct page *p, const json_t *deployments, bool with_scope)
{
    json_t *one;
    size_t i;

    json_array_foreach(deployments, i, one)
    {
        const char *id = text_at_or(one, "id", "");

        page_row_begin(p);
        page_cell_link(p, page_of(p->op, id), text_at_or(one, "name", ""));
        if (with_scope)
            page_cell(p, scope_of(p->op, id));
        page_cell_state(p, deployment_state(one));
        page_cell_number(p, duration_text(p->op, text_at_or(one, "properties.duration", "")));
        page_cell_time(p, text_at_or(one, "properties.timestamp", ""));
        page_row_end(p);
    }
}

static int newest_first(const void *a, const void *b)
{
    return strcmp(text_at_or(*(json_t *const *)b, "properties.timestamp", ""),
                  text_at_or(*(json_t *const *)a, "properties.timestamp", ""));
}

/* At most max of those that match. */
static json_t *sorted(struct op *op, const json_t *deployments, size_t max)
{
    size_t n = json_array_size(deployments);
    json_t **all = arena_alloc(&op->arena, (n + 1) * sizeof(json_t *)), *out = json_array();

    arena_defer(&op->arena, (void (*)(void *))json_decref, out);
    for (size_t i = 0; i < n; i++)
        all[i] = json_array_get(deployments, i);
    qsort(all, n, sizeof(json_t *), newest_first);
    for (size_t i = 0; i < n && i < max; i++)
        json_array_append(out, all[i]);
    return out;
}

enum fault deployments_add(struct page *p, const char *group)
{
    const char *path =
        arena_printf(&p->op->arena, "%s/providers/Microsoft.Resources/deployments?$top=%d", group,
                     LATEST + 1); /* one more, to know whether there are more */
    json_t *said, *all;
    enum fault fault = ask_manager(p->c, path, &said);

    if (fault == FORBIDDEN) {
        op_clear_fault(p->op);
        return OK;
    }
    TRY(fault);
    all = json_object_get(said, "value");
    page_heading(p, "Deployments");
    if (!json_array_size(all)) {
        page_empty(p, "No template was deployed here yet.",
                   arena_printf(&p->op->arena,
                                "az deployment group create -g %s --template-file main.json",
                                shell_word(p->op, id_name(group))));
        return OK;
    }
    page_table_begin(p, "Deployments",
                     (const char *const[]){"Name", "State", ">Took", "When", NULL});
    deployment_rows(p, sorted(p->op, all, LATEST), false);
    page_table_end(p);
    if (json_array_size(all) > LATEST) {
        page_html(p, "<p class=\"soft\">");
        page_printf(p, "The latest %d. ", LATEST);
        page_anchor(p, arena_printf(&p->op->arena, "/console/deployments?q=%s", id_name(group)),
                    "All of them");
        page_html(p, "</p>");
    }
    return OK;
}

/* ---- what runs now ---- */

static const char *operation_word(const char *kind)
{
    static const struct {
        const char *kind, *word;
    } words[] = {
        {"deployment",           "Deploy a template"               },
        {"containerGroup.write", "Make or change a container group"},
        {"managedCluster.write", "Make or change a cluster"        },
        {"group.delete",         "Delete a resource group"         },
        {"registry.import",      "Import an image"                 },
    };

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcmp(words[i].kind, kind) == 0)
            return words[i].word;
    return kind;
}

static void add_operation(struct page *p, const json_t *one)
{
    const char *id = text_at_or(one, "properties.resourceId", ""),
               *who = text_at_or(one, "properties.principalName",
                                 text_at_or(one, "properties.principalId", ""));
    int64_t percent = int_at(one, "percentComplete", -1);

    page_row_begin(p);
    page_cell(p, operation_word(text_at_or(one, "properties.operation", "")));
    page_cell_link(p, page_of(p->op, id), id_name(id));
    page_cell_state(p, text_at_or(one, "status", ""));
    page_cell_begin(p);
    if (percent >= 0)
        page_bar(p, arena_printf(&p->op->arena, "%s: how far it is", id_name(id)), percent, 100);
    page_cell_end(p);
    page_cell(p, who);
    page_cell_time(p, text_at_or(one, "startTime", ""));
    page_row_end(p);
}

static void operations_table(struct page *p, const json_t *all)
{
    json_t *one;
    size_t i;

    page_table_begin(
        p, "Operations that run now",
        (const char *const[]){"What", "On", "State", "Progress", "Who", "Since", NULL});
    json_array_foreach(all, i, one) add_operation(p, one);
    page_table_end(p);
}

enum fault running_add(struct page *p, const char *group)
{
    const char *path = arena_printf(
        &p->op->arena, "/subscriptions/%s/operationresults?$filter=%s", p->c->path_args[0],
        uri_encode(&p->op->arena, arena_printf(&p->op->arena, "resourceId eq '%s'", group), ""));
    json_t *all;
    enum fault fault = ask_manager_all(p->c, path, RESOURCES_MAX, &all);

    if (fault == FORBIDDEN) {
        op_clear_fault(p->op);
        return OK;
    }
    TRY(fault);
    if (json_array_size(all)) {
        page_heading(p, "Running now");
        operations_table(p, all);
    }
    return OK;
}

static enum fault all_running_add(struct page *p)
{
    json_t *all;

    TRY(resources_of(p->c, "/operationresults", &all));
    page_heading(p, "Running now");
    if (json_array_size(all))
        operations_table(p, all);
    else
        page_html(p, "<p class=\"soft\">No long-running operation is under way.</p>");
    return OK;
}

/* ---- the page ---- */

static enum fault listing_add(struct page *p)
{
    json_t *all, *one, *shown = json_array();
    struct listing l;
    size_t i;

    arena_defer(&p->op->arena, (void (*)(void *))json_decref, shown);
    TRY(resources_of(p->c, "/providers/Microsoft.Resources/deployments?$expand=resourceGroups",
                     &all));
    page_heading(p, "Deployments");
    if (!json_array_size(all)) {
        page_empty(p, "A template says what there shall be; deploying it makes it so.",
                   "az deployment group create -g demo --template-file main.json");
        return OK;
    }
    l = page_listing(p);
    page_search(p, &l, "Name, resource group or state");
    all = sorted(p->op, all, RESOURCES_MAX);
    json_array_foreach(all, i, one)
    {
        const char *id = text_at_or(one, "id", "");

        if (page_shows(&l, arena_printf(&p->op->arena, "%s %s %s", id_name(id), scope_of(p->op, id),
                                        text_at_or(one, "properties.provisioningState", ""))))
            json_array_append(shown, one);
    }
    page_table_begin(p, "Deployments",
                     (const char *const[]){"Name", "Where", "State", ">Took", "When", NULL});
    deployment_rows(p, shown, true);
    page_table_end(p);
    page_pages(p, &l);
    return OK;
}

enum fault deployments_page(struct call *c)
{
    struct page p;

    page_begin(c, &p, "Deployments", NULL);
    TRY(all_running_add(&p));
    TRY(listing_add(&p));
    return page_end(&p);
}
