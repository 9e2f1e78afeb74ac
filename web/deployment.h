/* Deployments on pages: lists of them, and what runs now. */
#ifndef SUNDOG_WEB_DEPLOYMENT_H
#define SUNDOG_WEB_DEPLOYMENT_H

#include "web/page.h"

/* A row's cells: name, state, how long it took, when. with_scope: where, after the name. */
void deployment_rows(struct page *p, const json_t *deployments, bool with_scope);
/* A resource group's latest, with its heading; nothing where the viewer may not look. */
enum fault deployments_add(struct page *p, const char *group);
/* The long-running operations on a resource group and what is in it, with a heading; nothing where
   none runs. */
enum fault running_add(struct page *p, const char *group);
/* Of a deployment or an operation of one. "Running" is not yet good here, as it is elsewhere. */
const char *deployment_state(const json_t *one);
/* "PT1M2.345S" → "1 min 2.3 s" */
const char *duration_text(struct op *op, const char *iso);

#endif
