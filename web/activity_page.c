#include "clusters/object/object.h"
#include "web/events.h"
#include "web/pages.h"
#include "web/subscriptions.h"

#define EVENTS_MAX 10000

static const char *words_of(struct op *op, const json_t *event)
{
    return arena_printf(&op->arena, "%s %s %s %s", text_at_or(event, "operationName.value", ""),
                        text_at_or(event, "resourceId", ""), text_at_or(event, "caller", ""),
                        text_at_or(event, "status.value", ""));
}

enum fault activity_page(struct call *c)
{
    json_t *events, *event, *shown = json_array();
    struct listing l;
    struct page p;
    size_t i;

    arena_defer(&c->op.arena, (void (*)(void *))json_decref, shown);
    page_begin(c, &p, "Activity", NULL);
    TRY(events_of(c, NULL, EVENTS_MAX, &events));
    l = page_listing(&p);
    json_array_foreach(events, i, event)
    {
        if (page_shows(&l, words_of(&c->op, event)))
            json_array_append(shown, event);
    }
    page_html(&p,
              "<p class=\"soft\">Every call that changed something, or tried to, in the last seven"
              " days.</p>");
    page_search(&p, &l, "What, on what, who or outcome");
    if (json_array_size(shown))
        events_table(&p, shown);
    else
        page_empty(&p, *l.q ? "Nothing matches." : "Nothing was changed yet.",
                   *l.q ? NULL : "az group create -n demo -l eastus");
    page_pages(&p, &l);
    return page_end(&p);
}
