/* What a registry uses of its tier, its webhooks, tokens and scope maps. */
#include <string.h>

#include "clusters/object/object.h"
#include "core/metrics.h"
#include "web/chart.h"
#include "web/create.h"
#include "web/metric_view.h"
#include "web/registry_view.h"
#include "web/subscriptions.h"

#define CHILDREN_MAX 1000
#define SHARED       "SharedLayers" /* of listUsages; Sundog's own */

/* ---- usage ---- */

static void add_usage(struct page *p, const json_t *usage)
{
    static const struct {
        const char *name, *text;
    } names[] = {
        {"Size",      "Storage"   },
        {"Webhooks",  "Webhooks"  },
        {"ScopeMaps", "Scope maps"},
        {"Tokens",    "Tokens"    },
    };
    int64_t now = int_at(usage, "currentValue", 0), limit = int_at(usage, "limit", 0);
    const char *name = text_at_or(usage, "name", "");
    bool bytes = strcmp(text_at_or(usage, "unit", ""), "Bytes") == 0;

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(names[i].name, name) == 0)
            name = names[i].text;
    page_row_begin(p);
    page_cell(p, name);
    page_cell_number(p, bytes ? page_bytes(p->op, now) : page_count(p->op, now));
    page_cell_number(p, bytes ? page_bytes(p->op, limit) : page_count(p->op, limit));
    page_cell_begin(p);
    page_bar(p, arena_printf(&p->op->arena, "%s in use", name), now, limit);
    page_cell_end(p);
    page_row_end(p);
}

static void add_sharing(struct page *p, const json_t *usage)
{
    page_html(p, "<p class=\"soft\">");
    page_printf(p,
                "A layer that many repositories share is stored and counted once: that saves %s of"
                " %s here.",
                page_bytes(p->op, int_at(usage, "currentValue", 0)),
                page_bytes(p->op, int_at(usage, "limit", 0)));
    page_html(p, "</p>");
}

/* Of this server's whole store: content is shared between registries. */
static void add_collection(struct page *p)
{
    const long long ran = metric_value("sundog_gc_last_round_seconds");
    struct op *op = p->op;

    page_html(p, "<p class=\"soft\">");
    page_printf(p,
                "What no image needs any more is collected: %s in %s blobs since this server's"
                " start; %s in %s blobs wait until a day after their last use.",
                page_bytes(op, metric_value("sundog_gc_bytes_freed_total")),
                page_count(op, metric_value("sundog_gc_blobs_deleted_total")),
                page_bytes(op, metric_value("sundog_gc_bytes_waiting")),
                page_count(op, metric_value("sundog_gc_blobs_waiting")));
    if (ran) {
        page_html(p, " Last looked for ");
        page_time(p, time_text(op, ran));
        page_html(p, ".");
    }
    page_html(p, "</p>");
}

enum fault registry_usage_add(struct page *p, const struct registry_view *v)
{
    json_t *usages, *usage, *shared = NULL;
    enum fault fault;
    size_t i;

    fault = ask_manager(p->c, arena_printf(&p->op->arena, "%s/listUsages", v->id), &usages);
    if (fault == FORBIDDEN) {
        op_clear_fault(p->op);
        return OK;
    }
    TRY(fault);
    page_heading(p, "Usage");
    page_table_begin(p, "Usage", (const char *const[]){"What", ">In use", ">Limit", "Share", NULL});
    json_array_foreach(json_object_get(usages, "value"), i, usage)
    {
        if (strcmp(text_at_or(usage, "name", ""), SHARED) == 0)
            shared = usage;
        else
            add_usage(p, usage);
    }
    page_table_end(p);
    if (shared)
        add_sharing(p, shared);
    add_collection(p);
    page_command(p, "The same by az",
                 arena_printf(&p->op->arena, "az acr show-usage -n %s -o table", v->name));
    return OK;
}

/* ---- pulls and pushes ---- */

enum fault registry_traffic_add(struct page *p, const struct registry_view *v)
{
    static const char *const names[] = {"Pulls", "Pushes"};
    struct metric_lines lines[ARRAY_LEN(names)];
    enum fault fault = metric_lines_ask(
        p, v->id, "interval=PT1M&timespan=PT1H&metricnames=SuccessfulPullCount,SuccessfulPushCount",
        "total", lines, ARRAY_LEN(lines));

    if (fault == FORBIDDEN) {
        op_clear_fault(p->op);
        return OK;
    }
    TRY(fault);
    page_heading(p, "Pulls and pushes");
    charts_begin(p);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const struct metric_line *line = metric_line_of(&lines[i], "");
        struct chart chart = {.width = 60, .top = 1};
        double sum = 0;

        for (size_t k = 0; line && k < line->n; k++)
            sum += line->values[k];
        chart.values = line ? line->values : NULL;
        chart.n = line ? line->n : 0;
        chart.caption = arena_printf(&p->op->arena, "%s: %.0f in the last hour", names[i], sum);
        chart_add(p, &chart);
    }
    charts_end(p);
    return OK;
}

/* ---- children ---- */

/* *ret NULL: the viewer may not see them. */
static enum fault children_of(struct page *p, const struct registry_view *v, const char *kind,
                              json_t **ret)
{
    const char *path = arena_printf(&p->op->arena, "%s/%s", v->id, kind);
    enum fault fault = ask_manager_all(p->c, path, CHILDREN_MAX, ret);

    if (fault != FORBIDDEN)
        return fault;
    op_clear_fault(p->op);
    *ret = NULL;
    return OK;
}

static void add_create(struct page *p, const struct registry_view *v, const char *kind,
                       const char *text)
{
    if (page_may(p, v->id, arena_printf(&p->op->arena, ACR "/%s/write", kind)))
        create_link(p, arena_printf(&p->op->arena, "%s/%s/new", v->link, kind), text);
}

/* Texts of a list, with commas; at most a few. */
static const char *joined(struct op *op, const json_t *list)
{
    struct text out;
    json_t *item;
    size_t i;

    text_init(&out, &op->arena, 8192);
    json_array_foreach(list, i, item)
    {
        if (i < 20)
            text_printf(&out, "%s%.200s", i ? ", " : "", json_string_value(item));
    }
    if (json_array_size(list) > 20)
        text_printf(&out, " and %zu more", json_array_size(list) - 20);
    return out.data ? out.data : "";
}

static const char *state_of(const json_t *child)
{
    return strcmp(text_at_or(child, "properties.status", ""), "enabled") == 0 ? "Enabled"
                                                                              : "Disabled";
}

enum fault registry_webhooks_add(struct page *p, const struct registry_view *v)
{
    json_t *hooks, *hook;
    size_t i;

    TRY(children_of(p, v, "webhooks", &hooks));
    if (!hooks)
        return OK;
    page_heading(p, "Webhooks");
    add_create(p, v, "webhooks", "Create a webhook");
    if (!json_array_size(hooks)) {
        page_empty(p, "A webhook tells another service what is pushed and deleted.",
                   arena_printf(&p->op->arena,
                                "az acr webhook create -r %s -n tellme --actions push delete"
                                " --uri http://localhost:8000/hook",
                                v->name));
        return OK;
    }
    page_table_begin(p, "Webhooks",
                     (const char *const[]){"Name", "State", "Events", "Images", NULL});
    json_array_foreach(hooks, i, hook)
    {
        const char *scope = text_at_or(hook, "properties.scope", "");

        page_row_begin(p);
        page_cell_link(p, page_of(p->op, text_at_or(hook, "id", "")), text_at_or(hook, "name", ""));
        page_cell_state(p, state_of(hook));
        page_cell(p, joined(p->op, at(hook, "properties.actions")));
        page_cell(p, *scope ? scope : "all");
        page_row_end(p);
    }
    page_table_end(p);
    return OK;
}

/* ---- tokens and scope maps ---- */

/* "password1 until 2027-01-01" */
static const char *passwords_of(struct op *op, const json_t *token)
{
    json_t *password;
    struct text out;
    size_t i;

    text_init(&out, &op->arena, 1024);
    json_array_foreach(at(token, "properties.credentials.passwords"), i, password)
    {
        const char *expiry = text_at_or(password, "expiry", "");

        text_printf(&out, "%s%s%s%.10s", out.len ? ", " : "", text_at_or(password, "name", ""),
                    *expiry ? " until " : "", expiry);
    }
    return out.len ? out.data : "none yet";
}

static void add_tokens(struct page *p, const struct registry_view *v, const json_t *tokens)
{
    json_t *token;
    size_t i;

    page_heading(p, "Tokens");
    add_create(p, v, "tokens", "Create a token");
    if (!json_array_size(tokens)) {
        page_empty(p, "A token signs in to some repositories only.",
                   arena_printf(&p->op->arena,
                                "az acr token create -n mytoken -r %s --repository app"
                                " content/read metadata/read",
                                v->name));
        return;
    }
    page_table_begin(
        p, "Tokens",
        (const char *const[]){"Name", "State", "Scope map", "Passwords", "Created", NULL});
    json_array_foreach(tokens, i, token)
    {
        page_row_begin(p);
        page_cell(p, text_at_or(token, "name", ""));
        page_cell_state(p, state_of(token));
        page_cell(p, id_name(text_at_or(token, "properties.scopeMapId", "")));
        page_cell(p, passwords_of(p->op, token));
        page_cell_time(p, text_at_or(token, "properties.creationDate", ""));
        page_row_end(p);
    }
    page_table_end(p);
}

static void add_scope_maps(struct page *p, const json_t *maps)
{
    json_t *map;
    size_t i;

    if (!json_array_size(maps))
        return;
    page_heading(p, "Scope maps");
    page_table_begin(p, "Scope maps",
                     (const char *const[]){"Name", "Made by", "Allows", "About it", NULL});
    json_array_foreach(maps, i, map)
    {
        bool system = strcmp(text_at_or(map, "properties.type", ""), "SystemDefined") == 0;

        page_row_begin(p);
        page_cell(p, text_at_or(map, "name", ""));
        page_cell(p, system ? "Sundog" : "you");
        page_cell(p, joined(p->op, at(map, "properties.actions")));
        page_cell(p, text_at_or(map, "properties.description", ""));
        page_row_end(p);
    }
    page_table_end(p);
}

enum fault registry_tokens_add(struct page *p, const struct registry_view *v)
{
    json_t *tokens, *maps;

    TRY(children_of(p, v, "tokens", &tokens));
    if (tokens)
        add_tokens(p, v, tokens);
    TRY(children_of(p, v, "scopeMaps", &maps));
    add_scope_maps(p, maps);
    return OK;
}
