/* Every page and form of the console, by the file it stands in. */
#ifndef SUNDOG_WEB_PAGES_H
#define SUNDOG_WEB_PAGES_H

#include "core/call.h"

enum fault overview_page(struct call *c);        /* overview_page.c */
enum fault activity_page(struct call *c);        /* activity_page.c */
enum fault resource_groups_page(struct call *c); /* resource_group_page.c */
enum fault resource_group_page(struct call *c);
enum fault resource_group_delete(struct call *c);

#endif
