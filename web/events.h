/* Events of the activity log as a table. */
#ifndef SUNDOG_WEB_EVENTS_H
#define SUNDOG_WEB_EVENTS_H

#include "web/page.h"

/* Of all subscriptions that the viewer sees, newest first, at most max. group: a resource group's
   id, for its own only; NULL: all. */
enum fault events_of(struct call *c, const char *group, size_t max, json_t **ret);
void events_table(struct page *p, const json_t *events);
/* Both, with a word where there are none. */
enum fault events_add(struct page *p, const char *group, size_t max);

#endif
