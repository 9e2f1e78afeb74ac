#include "clusters/object/object.h"
#include "web/events.h"
#include "web/pages.h"
#include "web/subscriptions.h"

#define EVENTS_MAX 10000

/* Without a search no more is read than is shown, so nobody knows how many there are. */
static void add_pages(struct page *p, const struct listing *l, bool more)
{
    if (*l->q) {
        page_pages(p, l);
        return;
    }
    page_html(p, "<nav class=\"pages\" aria-label=\"Pages\">");
    if (l->number)
        page_anchor(p, arena_printf(&p->op->arena, "?page=%zu", l->number), "Newer");
    page_html(p, " ");
    if (more)
        page_anchor(p, arena_printf(&p->op->arena, "?page=%zu", l->number + 2), "Older");
    page_html(p, "</nav>");
}

enum fault activity_page(struct call *c)
{
    json_t *shown;
    struct listing l;
    struct page p;
    size_t wanted, read;

    page_begin(c, &p, "Activity", NULL);
    l = page_listing(&p);
    wanted =
        *l.q || l.number >= EVENTS_MAX / PAGE_ROWS ? EVENTS_MAX : (l.number + 1) * PAGE_ROWS + 1;
    TRY(events_find(&p, wanted, &l, &read, &shown));
    page_html(&p,
              "<p class=\"soft\">Every call that changed something, or tried to, in the last seven"
              " days.</p>");
    page_search(&p, &l, "What, on what, who or outcome");
    if (json_array_size(shown))
        events_table(&p, shown);
    else
        page_empty(&p, *l.q ? "Nothing matches." : "Nothing was changed yet.",
                   *l.q ? NULL : "az group create -n demo -l eastus");
    add_pages(&p, &l, read == wanted && wanted < EVENTS_MAX);
    return page_end(&p);
}
