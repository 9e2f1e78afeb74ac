#include "registry/page.h"

#include <string.h>

#include "core/range.h"
#include "core/uri.h"

/* -1: malformed. More digits than an integer has mean "as many as there are". */
static int64_t parse_count(const char *text)
{
    int64_t n;

    if (strlen(text) > 18 && strspn(text, "0123456789") == strlen(text))
        return INT64_MAX;
    n = decimal_parse(&text);
    return *text ? -1 : n;
}

static enum order parse_order(const char *text)
{
    if (strcmp(text, "timedesc") == 0)
        return ORDER_NEWEST;
    return strcmp(text, "timeasc") == 0 ? ORDER_OLDEST : ORDER_NAME;
}

enum fault page_read(struct call *c, int64_t default_n, int64_t max_n, struct page *ret)
{
    const char *n = call_query(c, "n", 0), *last = call_query(c, "last", 0);
    const char *orderby = call_query(c, "orderby", 0), *at = call_query(c, "at", 0);
    struct page page = {.n = default_n, .at_us = -1};

    if (n && *n) {
        page.n = parse_count(n);
        if (page.n < 0)
            return fail_on(&c->op, "page", INVALID, "n must be a number, not \"%.40s\"", n);
        page.n = page.n > max_n ? max_n : page.n;
    }
    page.last = last ? last : "";
    page.orderby = orderby ? orderby : "";
    page.order = parse_order(page.orderby);
    if (at)
        page.at_us = decimal_parse(&at);
    *ret = page;
    return OK;
}

void page_link(struct call *c, const struct page *page, const char *path, const char *last,
               int64_t at_us, const char *further)
{
    struct arena *arena = &c->op.arena;
    const char *at = at_us < 0 ? "" : arena_printf(arena, "&at=%lld", (long long)at_us);

    reply_header(c, "Link", "<%s?last=%s&n=%lld&orderby=%s%s%s>; rel=\"next\"",
                 uri_encode(arena, path, "/"), uri_encode(arena, last, "/"), (long long)page->n,
                 uri_encode(arena, page->orderby, ""), at, further);
}
