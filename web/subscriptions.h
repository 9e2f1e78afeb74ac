/* What pages show is of all subscriptions that the viewer sees. */
#ifndef SUNDOG_WEB_SUBSCRIPTIONS_H
#define SUNDOG_WEB_SUBSCRIPTIONS_H

#include "web/ask.h"

#define RESOURCES_MAX 20000

/* [{"subscriptionId","displayName","state"}] */
enum fault subscriptions_of(struct call *c, json_t **ret);
/* In each of them the collection's values, as one array: "/resourcegroups",
   "/providers/Microsoft.ContainerRegistry/registries". Where the viewer may not look: none. */
enum fault resources_of(struct call *c, const char *collection, json_t **ret);

/* Of a resource id, in op's arena; "" when it has none. */
const char *id_group(struct op *op, const char *id);
const char *id_name(const char *id);

#endif
