/* What the pages under Access share. */
#ifndef SUNDOG_WEB_ACCESS_H
#define SUNDOG_WEB_ACCESS_H

#include "web/resource_list.h"

#define ACCESS_MAX        20000
#define ACCESS_NAMES_MAX  999
#define ACCESS_SCOPES_MAX 1000
#define ACCESS_ROLES      "/providers/Microsoft.Authorization/"

/* What is drawn: names as far as they are known, and where assignments can be read. */
struct access {
    json_t *own;   /* {id: assignment} */
    json_t *roles; /* {GUID: name} */
    json_t *names; /* {object id: display name} */
    /* "" alone, or those of subscriptions and groups: none is within another */
    const char **scopes;
    size_t n_scopes;
    json_t *found_roles, *found_names; /* what is searched for: {id: name} */
};

/* access_read.c */
/* Where the viewer may read assignments, from the top down, and its own. */
enum fault access_scopes(struct call *c, struct access *a);
/* Up to PAGE_ROWS from that place on into {id: assignment}; searched: of what was found only. The
   place moves to where the next page begins; *ret_more: there may be one. */
enum fault access_read(struct page *p, const struct access *a, bool searched,
                       struct resource_place *place, json_t *shown, bool *ret_more);

/* Links to its pages; here: "" or "/users", … */
void access_tabs(struct page *p, const char *here);
/* A condition of the directory's $filter. */
const char *access_starts_with(struct op *op, const char *member, const char *q);

#endif
