/* Events of the activity log as a table. */
#ifndef SUNDOG_WEB_EVENTS_H
#define SUNDOG_WEB_EVENTS_H

#include <jansson.h>

#include "web/page.h"

struct events_end {
    const char *next;        /* where the page ends and another goes on; NULL: it is the last */
    const char *searched_to; /* a time: what is older was not searched yet; NULL: it was */
};
/*
 * A page of them, of all subscriptions that the viewer sees, newest first. search: what stands in
 * them; "": everything. after: where an earlier page ended; NULL: the newest.
 */
enum fault events_page(struct page *p, const char *search, const char *after, json_t **ret,
                       struct events_end *ret_end);
void events_table(struct page *p, const json_t *events);
/* The newest max, with a word where there are none. group: a resource group's id, for its own only;
   NULL: all. */
enum fault events_add(struct page *p, const char *group, size_t max);

#endif
