/* The directory: users, groups and applications. Pages follow the API's own marks. */
#include <string.h>

#include "clusters/object/object.h"
#include "core/uri.h"
#include "web/access.h"
#include "web/pages.h"

static const struct principals {
    const char *path, *title;
    const char *heads[6], *members[5]; /* members: of the API's objects, in the order of heads */
    const char *command, *empty, *next;
} kinds[] = {
    {"/users",
     "Users",        {"Name", "Signs in as", "State", "Object id", "Created", NULL},
     {"displayName", "userPrincipalName", "accountEnabled", "id", "createdDateTime"},
     "az ad user list -o table",      "There is no user whose name begins so.",
     "az ad user create --display-name Ann --user-principal-name ann@sundog.localhost"
     " --password 'Correct-horse-1'"                              },
    {"/groups",
     "Groups",       {"Name", "Description", "Object id", "Created", NULL},
     {"displayName", "description", "id", "createdDateTime", NULL},
     "az ad group list -o table",     "A group gives its roles to all its members.",
     "az ad group create --display-name team --mail-nickname team"},
    {"/applications",
     "Applications", {"Name", "Application id", "Object id", "Created", NULL},
     {"displayName", "appId", "id", "createdDateTime", NULL},
     "az ad app list --all -o table", "An application signs in by a secret or a certificate.",
     "az ad sp create-for-rbac --name ci"                         },
};

void access_tabs(struct page *p, const char *here)
{
    page_html(p, "<nav class=\"pages\" aria-label=\"Access\"><a href=\"/console/access\"");
    page_html(p, *here ? ">Roles</a> " : " aria-current=\"page\">Roles</a> ");
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        page_html(p, "<a href=\"/console/access");
        page_html(p, kinds[i].path);
        page_html(p, strcmp(kinds[i].path, here) == 0 ? "\" aria-current=\"page\">" : "\">");
        page_html(p, kinds[i].title);
        page_html(p, "</a> ");
    }
    page_html(p, "</nav>");
}

static void add_member(struct page *p, const json_t *principal, const char *member)
{
    const json_t *value = json_object_get(principal, member);

    if (strcmp(member, "createdDateTime") == 0)
        page_cell_time(p, json_string_value(value));
    else if (strcmp(member, "accountEnabled") == 0)
        page_cell_state(p, json_is_true(value) ? "Enabled" : "Disabled");
    else
        page_cell(p, json_string_value(value));
}

static void add_table(struct page *p, const struct principals *kind, const json_t *values)
{
    json_t *principal;
    size_t i;

    page_table_begin(p, kind->title, kind->heads);
    json_array_foreach(values, i, principal)
    {
        page_row_begin(p);
        for (size_t m = 0; m < ARRAY_LEN(kind->members) && kind->members[m]; m++)
            add_member(p, principal, kind->members[m]);
        page_row_end(p);
    }
    page_table_end(p);
}

static const char *query_of(struct op *op, const char *q, const char *after)
{
    const char *query = arena_printf(&op->arena, "?$top=%d", PAGE_ROWS);

    if (*q)
        query = arena_printf(&op->arena, "%s&$filter=%s", query,
                             uri_encode(&op->arena, access_starts_with(op, "displayName", q), ""));
    return arena_printf(&op->arena, "%s%s", query, ask_after(op, after));
}

static void add_next(struct page *p, const char *q, const char *after, const char *link)
{
    const char *next = ask_next(p->op, link), *const parts[] = {q, next};

    page_marks(p, "First", *after ? page_url(p->op, "?q=%s", parts) : NULL, "Next",
               next ? page_url(p->op, "?q=%s&after=%s", parts) : NULL);
}

enum fault principals_page(struct call *c)
{
    static const struct crumb crumbs[] = {
        {"Access", "/console/access"},
        {0       },
    };
    const char *after = call_query(c, "after", 0);
    const struct principals *kind = NULL;
    struct listing l;
    json_t *answer;
    struct page p;

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(kinds[i].path + 1, c->path_args[0]) == 0)
            kind = &kinds[i];
    if (!kind)
        return fail(&c->op, NOT_FOUND, "there are users, groups and applications here");
    after = after ? after : "";
    page_begin(c, &p, kind->title, crumbs);
    l = page_listing(&p);
    TRY(ask_graph(c, GET,
                  arena_printf(&c->op.arena, "%s%s", kind->path, query_of(&c->op, l.q, after)),
                  NULL, &answer));
    access_tabs(&p, kind->path);
    page_search(&p, &l, "How the name begins");
    if (json_array_size(at(answer, "value")))
        add_table(&p, kind, at(answer, "value"));
    else
        page_empty(&p, kind->empty, kind->next);
    add_next(&p, l.q, after, json_string_value(json_object_get(answer, "@odata.nextLink")));
    page_command(&p, "The same by az", kind->command);
    return page_end(&p);
}
