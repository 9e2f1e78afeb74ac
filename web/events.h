/* Events of the activity log as a table. */
#ifndef SUNDOG_WEB_EVENTS_H
#define SUNDOG_WEB_EVENTS_H

#include <jansson.h>

#include "web/page.h"

/*
 * A page of them, of all subscriptions that the viewer sees, newest first. search: what stands in
 * them; "": everything. after: where an earlier page ended; NULL: the newest. *ret_next: where this
 * one does, or NULL at the end.
 */
enum fault events_page(struct page *p, const char *search, const char *after, json_t **ret,
                       const char **ret_next);
void events_table(struct page *p, const json_t *events);
/* The newest max, with a word where there are none. group: a resource group's id, for its own only;
   NULL: all. */
enum fault events_add(struct page *p, const char *group, size_t max);

#endif
