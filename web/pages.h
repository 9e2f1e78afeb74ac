/* Every page and form of the console, by the file it stands in. */
#ifndef SUNDOG_WEB_PAGES_H
#define SUNDOG_WEB_PAGES_H

#include "core/call.h"

enum fault overview_page(struct call *c);        /* overview_page.c */
enum fault activity_page(struct call *c);        /* activity_page.c */
enum fault resource_groups_page(struct call *c); /* resource_group_page.c */
enum fault resource_group_page(struct call *c);
enum fault resource_group_delete(struct call *c);

/* registries */
enum fault registries_page(struct call *c); /* registry_page.c */
enum fault registry_page(struct call *c);
enum fault registry_delete_post(struct call *c);
enum fault webhook_page(struct call *c); /* webhook_page.c */
enum fault webhook_ping_post(struct call *c);
enum fault webhook_delete_post(struct call *c);
enum fault repository_page(struct call *c); /* repository_page.c */
enum fault repository_lock_post(struct call *c);
enum fault repository_delete_post(struct call *c);
enum fault manifests_page(struct call *c); /* manifests_page.c */
enum fault tag_page(struct call *c);       /* manifest_page.c */
enum fault tag_lock_post(struct call *c);
enum fault tag_delete_post(struct call *c);
enum fault manifest_page(struct call *c);
enum fault manifest_lock_post(struct call *c);
enum fault manifest_delete_post(struct call *c);

#endif
