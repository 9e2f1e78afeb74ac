/* Events of the activity log as a table. */
#ifndef SUNDOG_WEB_EVENTS_H
#define SUNDOG_WEB_EVENTS_H

#include <jansson.h>

#include "web/page.h"

/* Of all subscriptions that the viewer sees, newest first, of the newest max those that match and
   are on the listing's page. *ret_read: how many there were, of all. */
enum fault events_find(struct page *p, size_t max, struct listing *l, size_t *ret_read,
                       json_t **ret);
void events_table(struct page *p, const json_t *events);
/* The newest max, with a word where there are none. group: a resource group's id, for its own only;
   NULL: all. */
enum fault events_add(struct page *p, const char *group, size_t max);

#endif
