/*
 * Lists of resources that may be long: one page is asked for at a time, and what is searched for is
 * found by the API's $filter, so that ten thousand take no longer than a hundred. Pages follow the
 * API's own marks, one subscription after the other.
 */
#ifndef SUNDOG_WEB_RESOURCE_LIST_H
#define SUNDOG_WEB_RESOURCE_LIST_H

#include "web/ask.h"

#define RESOURCE_LIST_WHAT "Name or resource group" /* is searched for */

struct resource_place {
    size_t part;       /* which subscription, or other list: one is shown after the other */
    const char *after; /* the API's mark within it; "" at its beginning */
};
/* That a page's query names. */
struct resource_place resource_place_of(struct call *c);
/* Links to the first page and to the one at next; NULL: there is none. */
void resource_place_pages(struct page *p, const char *q, const struct resource_place *next);

struct resource_list {
    struct listing l; /* q */
    struct resource_place from, next;
    bool more; /* there may be a page at next */
};
enum resource_detail {
    RESOURCE_NAMES, /* id, name, type, location, sku, provisioningState */
    RESOURCE_WHOLE, /* as their service shows them; of what is searched for fewer a page */
};
/*
 * Up to PAGE_ROWS resources of a type (NULL: of all), in this group (its path; NULL: everywhere),
 * from the place on that the page's query names.
 */
enum fault resource_list_read(struct page *p, const char *type, const char *group,
                              enum resource_detail detail, struct resource_list *ret,
                              json_t **ret_resources);
/* Nothing was asked for but all of it. */
bool resource_list_is_whole(const struct resource_list *l);
void resource_list_search(struct page *p, const struct resource_list *l);
void resource_list_pages(struct page *p, const struct resource_list *l);

#endif
