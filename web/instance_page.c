/* Container groups: the list of them, a group's page, and what its buttons do. */
#include "web/instance.h"

#include <string.h>

#include "clusters/object/object.h"
#include "web/create.h"
#include "web/pages.h"
#include "web/resource_list.h"
#include "web/subscriptions.h"

#define TYPE     "Microsoft.ContainerInstance/containerGroups"
#define FEW_MAX  300
#define FEW_WHAT "Name, image, address or resource group" /* of so many */

/* ---- of a group ---- */

const char *instance_path(struct call *c)
{
    return page_url(&c->op, "/subscriptions/%s/resourceGroups/%s" INSTANCES "/%s",
                    (const char *const *)c->path_args);
}

const char *instance_link(struct call *c)
{
    return arena_printf(&c->op.arena, "/console%s", instance_path(c));
}

enum fault instance_get(struct call *c, json_t **ret)
{
    return ask_manager(c, instance_path(c), ret);
}

void instance_begin(struct call *c, struct page *p, const char *title, const json_t *group)
{
    const struct crumb crumbs[] = {
        {"Container groups", "/console/instances"},
        {text_at_or(group,                  "name", ""), instance_link(c)},
        {0},
    };

    page_begin(c, p, title, crumbs);
}

const char *instance_state(const json_t *group)
{
    const char *made = text_at_or(group, "properties.provisioningState", "");

    if (*made && strcmp(made, "Succeeded") != 0)
        return made;
    return text_at_or(group, "properties.instanceView.state", made);
}

json_t *instance_container(const json_t *group, size_t place, bool *ret_init)
{
    json_t *inits = at(group, "properties.initContainers");
    size_t n = json_array_size(inits);

    *ret_init = place < n;
    return place < n ? json_array_get(inits, place)
                     : json_array_get(at(group, "properties.containers"), place - n);
}

const char *instance_words(struct op *op, const json_t *group)
{
    return arena_printf(&op->arena, "-g %s -n %s",
                        shell_word(op, id_group(op, text_at_or(group, "id", ""))),
                        shell_word(op, text_at_or(group, "name", "")));
}

/* ---- which container ---- */

const char *instance_wanted(struct call *c, const json_t *group)
{
    const char *given = call_query(c, "container", 0);

    return given && *given
               ? given
               : text_at_or(json_array_get(at(group, "properties.containers"), 0), "name", "");
}

void instance_choice(struct page *p, const json_t *group, const char *wanted)
{
    json_t *container;
    bool init;

    page_html(p, "<nav class=\"pages\" aria-label=\"Containers\">");
    for (size_t i = 0; (container = instance_container(group, i, &init)); i++) {
        const char *const name[] = {text_at_or(container, "name", "")};

        page_html(p, "<a href=\"");
        page_attr(p, page_url(p->op, "?container=%s", name));
        page_html(p, strcmp(name[0], wanted) == 0 ? "\" aria-current=\"page\">" : "\">");
        page_text(p, name[0]);
        page_html(p, "</a> ");
    }
    page_html(p, "</nav>");
}

/* ---- the list ---- */

static const char *images_of(struct op *op, const json_t *group, bool all)
{
    const json_t *containers = at(group, "properties.containers");
    size_t n = json_array_size(containers);
    struct text out;

    text_init(&out, &op->arena, 65536);
    for (size_t i = 0; i < n && (all || i < 1); i++)
        text_printf(&out, i ? ", %s" : "%s",
                    text_at_or(json_array_get(containers, i), "properties.image", ""));
    if (!all && n > 1)
        text_printf(&out, " and %zu more", n - 1);
    return out.data;
}

static int64_t restarts_of(const json_t *group)
{
    json_t *container;
    int64_t n = 0;
    bool init;

    for (size_t i = 0; (container = instance_container(group, i, &init)); i++)
        n += int_at(container, "properties.instanceView.restartCount", 0);
    return n;
}

static const char *address_of(const json_t *group)
{
    return text_at_or(group, "properties.ipAddress.fqdn",
                      text_at_or(group, "properties.ipAddress.ip", ""));
}

/* Lists have no instance view: each group that is on this page is asked by itself. */
static void add_row(struct page *p, json_t *group)
{
    const char *id = text_at_or(group, "id", ""), *link = page_of(p->op, id);
    json_t *now;

    if (ask_manager(p->c, link + strlen("/console"), &now) == OK)
        group = now;
    else
        op_clear_fault(p->op); /* it was deleted at this moment */
    page_row_begin(p);
    page_cell_link(p, link, text_at_or(group, "name", ""));
    page_cell_state(p, instance_state(group));
    page_cell(p, images_of(p->op, group, false));
    page_cell(p, address_of(group));
    page_cell(p, id_group(p->op, id));
    page_cell_number(p, page_count(p->op, restarts_of(group)));
    page_row_end(p);
}

static void table_begin(struct page *p)
{
    page_table_begin(p, "Container groups",
                     (const char *const[]){"Name", "State", "Image", "Address", "Resource group",
                                           ">Restarts", NULL});
}

/* So few that all of what they are can be searched. */
static enum fault are_few(struct page *p, bool *ret)
{
    json_t *subscriptions, *one, *some;
    size_t i, n = 0;

    TRY(subscriptions_of(p->c, &subscriptions));
    json_array_foreach(subscriptions, i, one)
    {
        const char *path = arena_printf(
            &p->op->arena,
            "/subscriptions/%s/resources?$top=%d&$filter=resourceType%%20eq%%20'" TYPE "'",
            text_at_or(one, "subscriptionId", ""), FEW_MAX + 1);

        enum fault fault = ask_manager(p->c, path, &some);

        if (fault == FORBIDDEN) {
            op_clear_fault(p->op);
            continue;
        }
        TRY(fault);
        n += json_array_size(at(some, "value"));
    }
    *ret = n <= FEW_MAX;
    return OK;
}

static enum fault add_found(struct page *p)
{
    struct listing l = page_listing(p);
    json_t *groups, *group;
    size_t i;

    TRY(resources_of(p->c, INSTANCES, &groups));
    page_search(p, &l, FEW_WHAT);
    table_begin(p);
    json_array_foreach(groups, i, group)
    {
        const char *words = arena_printf(
            &p->op->arena, "%s %s %s %s", text_at_or(group, "name", ""), address_of(group),
            id_group(p->op, text_at_or(group, "id", "")), images_of(p->op, group, true));

        if (page_shows(&l, words))
            add_row(p, group);
    }
    page_table_end(p);
    page_pages(p, &l);
    return OK;
}

static void add_groups(struct page *p, const struct resource_list *l, const json_t *groups)
{
    bool all = resource_list_is_whole(l) && !l->more;
    json_t *group;
    size_t i;

    page_search(p, &l->l, all ? FEW_WHAT : RESOURCE_LIST_WHAT);
    table_begin(p);
    json_array_foreach(groups, i, group)
    {
        add_row(p, group);
    }
    page_table_end(p);
    resource_list_pages(p, l);
}

static enum fault add_list(struct page *p)
{
    struct resource_list l;
    json_t *groups;

    TRY(resource_list_read(p, TYPE, NULL, RESOURCE_NAMES, &l, &groups));
    if (json_array_size(groups) || !resource_list_is_whole(&l))
        add_groups(p, &l, groups);
    else
        page_empty(p, "A container group is one or more containers with an address of their own.",
                   "az container create -g demo -n hello --image $SUNDOG_LOGIN_SERVER/hello"
                   " --ports 80 --ip-address Public --os-type Linux --cpu 1 --memory 1.5");
    return OK;
}

enum fault instances_page(struct call *c)
{
    bool few = false;
    struct page p;

    page_begin(c, &p, "Container groups", NULL);
    TRY(create_link_in_groups(&p, INSTANCE_ACTION "write", "/console/instances/new",
                              "Create a container group"));
    if (*page_listing(&p).q)
        TRY(are_few(&p, &few));
    TRY(few ? add_found(&p) : add_list(&p));
    page_command(&p, "The same by az", "az container list -o table");
    return page_end(&p);
}

/* ---- a group ---- */

static void add_button(struct page *p, const json_t *group, const char *verb, const char *text)
{
    const char *action = arena_printf(&p->op->arena, INSTANCE_ACTION "%s/action", verb);

    if (page_may(p, text_at_or(group, "id", ""), action))
        page_button(p, arena_printf(&p->op->arena, "%s/%s", instance_link(p->c), verb), text);
}

static bool is_at_rest(const json_t *group)
{
    static const char *const words[] = {"Stopped", "Succeeded", "Failed"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcmp(instance_state(group), words[i]) == 0)
            return true;
    return false;
}

static void add_actions(struct page *p, const json_t *group)
{
    const char *name = text_at_or(group, "name", "");

    page_html(p, "<div class=\"actions\">");
    if (is_at_rest(group)) {
        add_button(p, group, "start", "Start");
    } else {
        add_button(p, group, "restart", "Restart");
        add_button(p, group, "stop", "Stop");
    }
    if (page_may(p, text_at_or(group, "id", ""), INSTANCE_ACTION "delete"))
        page_danger(p, arena_printf(&p->op->arena, "%s/delete", instance_link(p->c)), "Delete",
                    arena_printf(&p->op->arena,
                                 "%s ends, and with it its containers, its address, its logs and"
                                 " what is in its empty volumes. This cannot be undone.",
                                 name));
    page_html(p, "</div>");
}

static void add_commands(struct page *p, const json_t *group)
{
    const char *words = instance_words(p->op, group);

    page_command(p, "The same by az",
                 arena_printf(&p->op->arena,
                              "az container show %s\n"
                              "az container start %s\n"
                              "az container restart %s\n"
                              "az container stop %s\n"
                              "az container delete %s --yes",
                              words, words, words, words, words));
}

enum fault instance_page(struct call *c)
{
    static const struct crumb crumbs[] = {
        {"Container groups", "/console/instances"},
        {0                 },
    };
    json_t *group;
    struct page p;

    TRY(instance_get(c, &group));
    page_begin(c, &p, text_at_or(group, "name", ""), crumbs);
    instance_facts(&p, group);
    add_actions(&p, group);
    instance_containers(&p, group);
    TRY(instance_use(&p, group));
    instance_environment(&p, group);
    instance_volumes(&p, group);
    instance_events(&p, group);
    add_commands(&p, group);
    return page_end(&p);
}

/* ---- buttons ---- */

static enum fault act(struct call *c, const char *verb, const char *said)
{
    TRY(page_check_form(c));
    TRY(ask_manager_do(c, POST, arena_printf(&c->op.arena, "%s/%s", instance_path(c), verb), NULL,
                       NULL));
    return page_go(c, said, "%s", instance_link(c));
}

enum fault instance_start(struct call *c)
{
    return act(c, "start", "The group is being started.");
}

enum fault instance_stop(struct call *c)
{
    return act(c, "stop", "The group was stopped.");
}

enum fault instance_restart(struct call *c)
{
    return act(c, "restart", "The group is being restarted.");
}

enum fault instance_delete(struct call *c)
{
    TRY(page_check_form(c));
    TRY(ask_manager_do(c, DELETE, instance_path(c), NULL, NULL));
    return page_go(c, "The container group is being deleted.", "/console/instances");
}
