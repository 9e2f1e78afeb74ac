#include <string.h>
#include <strings.h>

#include "api/resource_count.h"
#include "clusters/object/object.h"
#include "core/server.h"
#include "web/chart.h"
#include "web/events.h"
#include "web/history.h"
#include "web/pages.h"
#include "web/subscriptions.h"

#define LATEST 12

/* ---- counts ---- */

#define ALL "/resources?$expand=provisioningState"

static const struct {
    const char *what, *link, *type;
} kinds[] = {
    {"Registries",       "/console/registries", "Microsoft.ContainerRegistry/registries"     },
    {"Container groups", "/console/instances",  "Microsoft.ContainerInstance/containerGroups"},
    {"Clusters",         "/console/clusters",   "Microsoft.ContainerService/managedClusters" },
};

static void add_tile(struct page *p, const char *link, const char *what, size_t n, size_t failed)
{
    page_html(p, "<li><b>");
    page_text(p, page_count(p->op, (int64_t)n));
    page_html(p, "</b>");
    page_anchor(p, link, what);
    if (failed) {
        page_html(p, " ");
        page_state(p, "Failed");
        page_text(p, arena_printf(&p->op->arena, " (%zu)", failed));
    }
    page_html(p, "</li>");
}

struct tile {
    int64_t n, failed;
};

/* Whoever may read all of a type in a subscription sees how many there are. */
static enum fault count_all(struct page *p, const char *subscription, const bool *all,
                            struct tile *tiles)
{
    struct resource_count *counts;
    size_t n;

    TRY(resource_count(p->op, subscription, &counts, &n));
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
            if (all[k] && strcasecmp(counts[i].type, kinds[k].type) == 0) {
                tiles[k].n += counts[i].n;
                tiles[k].failed += counts[i].failed;
            }
    return OK;
}

/* Who may read some is shown those, one by one. */
static enum fault count_some(struct page *p, const char *subscription, const bool *all,
                             struct tile *tiles)
{
    json_t *resources, *resource;
    enum fault fault;
    size_t i;

    fault =
        ask_manager_all(p->c, arena_printf(&p->op->arena, "/subscriptions/%s" ALL, subscription),
                        RESOURCES_MAX, &resources);
    if (fault == FORBIDDEN) {
        op_clear_fault(p->op);
        return OK;
    }
    TRY(fault);
    json_array_foreach(resources, i, resource)
    {
        for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
            if (!all[k] && strcasecmp(text_at_or(resource, "type", ""), kinds[k].type) == 0) {
                tiles[k].n++;
                tiles[k].failed +=
                    strcmp(text_at_or(resource, "provisioningState", ""), "Failed") == 0;
            }
    }
    return OK;
}

static enum fault count_in(struct page *p, const char *subscription, struct tile *tiles)
{
    const char *scope = arena_printf(&p->op->arena, "/subscriptions/%s", subscription);
    bool all[ARRAY_LEN(kinds)], every = true, any = false;

    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        all[k] = page_may(p, scope, arena_printf(&p->op->arena, "%s/read", kinds[k].type));
        every = every && all[k];
        any = any || all[k];
    }
    if (any)
        TRY(count_all(p, subscription, all, tiles));
    return every ? OK : count_some(p, subscription, all, tiles);
}

static enum fault add_tiles(struct page *p, size_t *ret_total)
{
    struct tile tiles[ARRAY_LEN(kinds)] = {0};
    json_t *subscriptions, *one, *groups;
    size_t i;

    TRY(subscriptions_of(p->c, &subscriptions));
    json_array_foreach(subscriptions, i, one)
    {
        TRY(count_in(p, text_at_or(one, "subscriptionId", ""), tiles));
    }
    TRY(resources_of(p->c, "/resourcegroups", &groups));
    *ret_total = json_array_size(groups);
    page_html(p, "<ul class=\"tiles\">");
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        add_tile(p, kinds[k].link, kinds[k].what, (size_t)tiles[k].n, (size_t)tiles[k].failed);
        *ret_total += (size_t)tiles[k].n;
    }
    add_tile(p, "/console/groups", "Resource groups", json_array_size(groups), 0);
    page_html(p, "</ul>");
    return OK;
}

/* ---- charts ---- */

static void add_chart(struct page *p, const char *name, const char *unit, const double *values,
                      size_t n)
{
    const struct chart chart = {
        .caption = arena_printf(&p->op->arena, "%s: %.1f %s now, %.1f at most in the last hour",
                                name, values[n - 1], unit, chart_most(values, n)),
        .values = values,
        .n = n,
        .width = HISTORY_POINTS,
    };

    chart_add(p, &chart);
}

static void add_charts(struct page *p)
{
    struct history_point points[HISTORY_POINTS];
    double rate[HISTORY_POINTS], latency[HISTORY_POINTS];
    size_t n = history_read(points);

    if (!n) {
        page_html(p, "<p class=\"soft\">Charts begin half a minute after the start.</p>");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        rate[i] = points[i].requests_per_s;
        latency[i] = points[i].p95_ms;
    }
    charts_begin(p);
    add_chart(p, "Requests", "a second", rate, n);
    add_chart(p, "95 of 100 answers within", "ms", latency, n);
    charts_end(p);
}

/* ---- the page ---- */

enum fault overview_page(struct call *c)
{
    struct history_store store;
    struct page p;
    size_t total;

    page_begin(c, &p, "Overview", NULL);
    TRY(add_tiles(&p, &total));
    if (!total)
        page_empty(&p, "There is nothing here yet, or nothing that you may see.",
                   "az group create -n demo -l eastus");
    page_heading(&p, "Health");
    store = history_store();
    page_facts_begin(&p);
    page_fact_state(&p, "Service", server_ready() ? "Ready" : "NotReady");
    page_fact(&p, "Version", SUNDOG_VERSION);
    page_fact(&p, "Address", c->base_url);
    page_fact(&p, "Storage used",
              arena_printf(&c->op.arena, "%s in %s blobs", page_bytes(p.op, store.bytes),
                           page_count(p.op, store.blobs)));
    page_facts_end(&p);
    page_heading(&p, "Requests");
    add_charts(&p);
    page_heading(&p, "Latest activity");
    TRY(events_add(&p, NULL, LATEST));
    return page_end(&p);
}
