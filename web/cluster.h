/*
 * A cluster behind a page that is about it or about what is in it: /console, its ARM id, and what
 * is below. What is in it is asked of its Kubernetes API, as whom a kubeconfig of the viewer's
 * would make him.
 */
#ifndef SUNDOG_WEB_CLUSTER_H
#define SUNDOG_WEB_CLUSTER_H

#include "clusters/object/object.h"
#include "web/ask.h"

struct shown_cluster {
    const char *id, *name, *group;
    const char *link;       /* of its page */
    const json_t *resource; /* as the resource manager shows it */
    const char *power, *provisioning;
    bool runs; /* its Kubernetes API answers */
    struct cluster_access inside;
};
/* That of the path. NOT_FOUND, FORBIDDEN. */
enum fault cluster_of_page(struct call *c, struct shown_cluster *ret);
/* The same for what is inside. FORBIDDEN: which right is missing; UNAVAILABLE: it does not run. */
enum fault cluster_inside_of_page(struct call *c, struct shown_cluster *ret);
/* In the handler of a POST: the form is ours, and the cluster can be asked. */
enum fault cluster_of_form(struct call *c, struct shown_cluster *ret);

/* A number of a form. INVALID: it is none from 0 to max. */
enum fault cluster_number_of_form(struct call *c, const char *name, int64_t max, int64_t *ret);

/* ---- pages ---- */

/* A page below the cluster's, with links to its neighbours. *ret_usable false: the cluster does not
   run, and the page says so: end it. FORBIDDEN. */
enum fault cluster_page_begin(struct call *c, struct page *p, const char *title,
                              struct shown_cluster *ret, bool *ret_usable);
/* Those links; and why there is nothing inside to be seen. */
void cluster_add_links(struct page *p, const struct shown_cluster *cluster);
void cluster_add_stopped(struct page *p, const struct shown_cluster *cluster);
/* A note, in place of what the viewer may not see; other faults are passed on. */
enum fault cluster_note_forbidden(struct page *p, enum fault fault);

/* ---- objects ---- */

/* "/apis/apps/v1/namespaces/NS/deployments/NAME"; ns NULL or "": all; name NULL: the list. */
const char *cluster_path(struct op *op, const struct resource *r, const char *ns, const char *name);
/* Of an object's page. */
const char *cluster_object_link(struct op *op, const struct shown_cluster *cluster,
                                const struct resource *r, const char *ns, const char *name);
/* To what a reference {apiVersion, kind, name} in a namespace names; NULL: not known. */
const char *cluster_reference_link(struct op *op, const struct shown_cluster *cluster,
                                   const json_t *reference, const char *ns);
/* May the viewer, by the cluster's RBAC? subresource NULL: none. */
bool cluster_may(struct page *p, const struct shown_cluster *cluster, const char *verb,
                 const struct resource *r, const char *subresource, const char *ns,
                 const char *name);

/* ---- lists of objects (cluster_list.c) ---- */

struct cluster_list {
    struct listing l;
    const char *ns;    /* chosen; "" all */
    const char *scope; /* of kubectl: "-A", "-n NS" */
};
/* Reads what is asked for, and shows the field for it. */
enum fault cluster_list_begin(struct page *p, const struct shown_cluster *cluster, const char *what,
                              struct cluster_list *ret);
/*
 * Of one resource, the objects that are on this page, appended to rows (an array). Searched by
 * "namespace/name". unowned: only those that belong to no other.
 */
enum fault cluster_list_add(struct page *p, const struct shown_cluster *cluster,
                            struct cluster_list *list, const struct resource *r, bool unowned,
                            json_t *rows);
/* How many there are. */
enum fault cluster_count(struct call *c, const struct shown_cluster *cluster,
                         const struct resource *r, int64_t *ret);
/* An empty array, op's arena's. */
json_t *cluster_rows_new(struct op *op);

/* ---- what is shown of kinds (cluster_show.c) ---- */

/* The cells that kubectl prints of it. */
const json_t *cluster_cells(struct op *op, const struct resource *r, const json_t *object);
/* With what those that run use now. */
enum fault cluster_add_pods(struct page *p, const struct shown_cluster *cluster,
                            const json_t *pods);
/* "a:1, b:2": of a pod's spec. */
const char *cluster_images(struct op *op, const json_t *pod_spec);

/* ---- events (cluster_events.c) ---- */

/* Those of a namespace ("": of all), newest first, that are on the listing's page. selector: of
   fields, or NULL. */
enum fault cluster_events(struct page *p, const struct shown_cluster *cluster, const char *ns,
                          const char *selector, struct listing *l, json_t **ret);
/* The newest, at most max, as a table; or a word where there are none. */
enum fault cluster_add_latest_events(struct page *p, const struct shown_cluster *cluster,
                                     const char *ns, const char *selector, size_t max);
void cluster_add_events(struct page *p, const struct shown_cluster *cluster, const json_t *events);

#endif
