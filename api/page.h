/* Lists in pages: $top, $skiptoken (opaque: where the last page ended), nextLink (absolute). */
#ifndef SUNDOG_API_PAGE_H
#define SUNDOG_API_PAGE_H

#include "api/arm.h"

#define PAGE_DEFAULT 1000

struct arm_page {
    int64_t top;      /* rows of this page */
    int64_t limit;    /* rows to ask the store for: one more than top, to know of a next page */
    const char *last; /* key after which the page begins; "" = from the start */
    bool top_given;   /* $top ends the list: the real service still gives a nextLink */
};

/* $top 1…max (default PAGE_DEFAULT), $skiptoken (or $skipToken). INVALID on "InvalidTop…". */
enum fault page_read_arm(struct call *c, int64_t max, struct arm_page *ret);
/*
 * {"value":[…]} and nextLink when last_key is not NULL: this request's URL with its query, the
 * $skiptoken replaced.
 */
enum fault page_reply(struct call *c, json_t *values, const char *last_key);
/* The same for values that are JSON text already, with commas between. */
enum fault page_reply_text(struct call *c, const struct text *values, const char *last_key);

#endif
