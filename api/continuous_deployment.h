/*
 * Continuous deployment: a webhook whose service URI is the path of what runs the image deploys
 * what its scope lets through, as the one who set it and with his rights of that moment. Its
 * history is the webhook's events.
 *
 *   {container group}
 *       whose containers run the very tag: restarted
 *   {managed cluster}/namespaces/NS/deployments/NAME
 *       whose containers run the repository: rolled to the tag and digest that was pushed
 */
#ifndef SUNDOG_API_CONTINUOUS_DEPLOYMENT_H
#define SUNDOG_API_CONTINUOUS_DEPLOYMENT_H

#include "api/arm.h"

struct deployment_place {
    const char *id; /* of the container group or managed cluster, whether there is one or not */
    const char *ns, *name; /* of the Deployment; NULL: a container group */
};
/* INVALID on "InvalidServiceUri": no such path. */
enum fault continuous_deployment_place(struct op *op, const char *path,
                                       struct deployment_place *ret);
/* May who calls deploy there? *ret: the group or cluster, whether there is one or not. FORBIDDEN;
   INVALID: no such path. */
enum fault continuous_deployment_check(struct call *c, const char *path, struct resource_id *ret);
void continuous_deployment_start(void); /* once, before webhooks are delivered */

#endif
