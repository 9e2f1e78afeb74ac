#include "clusters/object/object.h"
#include "web/events.h"
#include "web/pages.h"
#include "web/subscriptions.h"

static void add_pages(struct page *p, const char *q, const char *after, const char *next)
{
    const char *const parts[] = {q, next};

    page_marks(p, "Newest", after ? page_url(p->op, "?q=%s", parts) : NULL, "Older",
               next ? page_url(p->op, "?q=%s&after=%s", parts) : NULL);
}

static void add_searched(struct page *p, const char *to)
{
    page_html(p, "<p class=\"soft\">Searched back to ");
    page_time(p, to);
    page_html(p, "; “Older” goes on from there.</p>");
}

enum fault activity_page(struct call *c)
{
    const char *after = call_query(c, "after", 0);
    struct events_end end;
    json_t *shown;
    struct listing l;
    struct page p;

    page_begin(c, &p, "Activity", NULL);
    l = page_listing(&p);
    TRY(events_page(&p, l.q, after, &shown, &end));
    page_html(&p,
              "<p class=\"soft\">Every call that changed something, or tried to, in the last seven"
              " days.</p>");
    page_search(&p, &l, "What, on what, who or outcome");
    if (json_array_size(shown))
        events_table(&p, shown);
    else
        page_empty(&p, *l.q ? "Nothing matches." : "Nothing was changed yet.",
                   *l.q ? NULL : "az group create -n demo -l eastus");
    if (end.searched_to)
        add_searched(&p, end.searched_to);
    add_pages(&p, l.q, after, end.next);
    page_command(&p, "The same by az", "az monitor activity-log list --offset 7d -o table");
    return page_end(&p);
}
