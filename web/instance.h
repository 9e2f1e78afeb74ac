/* Container groups as pages read them: what several of their pages need. */
#ifndef SUNDOG_WEB_INSTANCE_H
#define SUNDOG_WEB_INSTANCE_H

#include "web/ask.h"

#define INSTANCES       "/providers/Microsoft.ContainerInstance/containerGroups"
#define INSTANCE_ACTION "Microsoft.ContainerInstance/containerGroups/"
#define INSTANCE_EXEC   INSTANCE_ACTION "containers/exec/action"

/* The group in the page's path: its id, encoded as a path of the API, and its page. */
const char *instance_path(struct call *c);
const char *instance_link(struct call *c);
enum fault instance_get(struct call *c, json_t **ret);
/* A page that is below the group's own. */
void instance_begin(struct call *c, struct page *p, const char *title, const json_t *group);
/* "Running"; while it is being made or if that failed: "Creating", "Failed". */
const char *instance_state(const json_t *group);
/* In order; init: initContainers. */
json_t *instance_container(const json_t *group, size_t at, bool *ret_init); /* NULL: the end */
/* The container that "?container=" names, or the first; and links to that of each. */
const char *instance_wanted(struct call *c, const json_t *group);
void instance_choice(struct page *p, const json_t *group, const char *wanted);
/* "-g GROUP -n NAME", as words of a shell. */
const char *instance_words(struct op *op, const json_t *group);

/* instance_facts.c: sections of its page. */
void instance_facts(struct page *p, const json_t *group);
void instance_containers(struct page *p, const json_t *group);
void instance_environment(struct page *p, const json_t *group);
void instance_volumes(struct page *p, const json_t *group);
void instance_events(struct page *p, const json_t *group);
/* instance_use.c: limits and use of each container, with charts of the last minutes; nothing when
   the viewer may not read metrics. */
enum fault instance_use(struct page *p, const json_t *group);

#endif
