/*
 * The Kubernetes API over HTTP: what its files share. A request is understood once, in authorise
 * (request.c), before its body comes; handlers (verbs.c, watch.c, documents.c) find it in
 * c->caller.
 */
#ifndef SUNDOG_CLUSTERS_HTTP_KUBERNETES_H
#define SUNDOG_CLUSTERS_HTTP_KUBERNETES_H

#include "clusters/cluster.h"
#include "clusters/object/status.h"
#include "clusters/rest/identity.h"
#include "core/call.h"

/* How an answer is to look: the first that Accept names and we can. */
enum form { FORM_JSON, FORM_YAML, FORM_TABLE, FORM_PARTIAL, FORM_PARTIAL_LIST };
struct accepted {
    enum form form;
    const char *version; /* "v1", "v1beta1": of Table and PartialObjectMetadata */
    bool pretty;
};

struct kube {
    struct cluster *cluster; /* held with the call */
    struct user_info who;
    struct rest r;    /* resource NULL: not a resource's path */
    const char *verb; /* as RBAC names it: "get", "list", "watch", … */
    const char *group, *version;
    bool known_version; /* of a group version that is served */
    const struct subresource *sub;
};
#define KUBE(c) ((struct kube *)(c)->caller)

/* ---- request.c ---- */
enum { ACCESS_RESOURCE = 1, ACCESS_PATH };
enum fault kube_authorise(struct call *c, bool may_block);
/* strconv.ParseBool; fallback when absent. BadRequest for other texts. */
enum fault query_bool(struct call *c, const char *name, bool fallback, bool *ret);
enum fault query_int(struct call *c, const char *name, int64_t fallback, int64_t *ret);
enum fault read_write_options(struct call *c, enum field_validation *ret);
/* The body as an object of type, its kind checked against r (or NULL). */
enum fault read_body(struct call *c, const struct type *type, const struct resource *r,
                     enum field_validation validation, json_t **ret);
enum fault body_media(struct call *c, enum media *ret);
const struct type *subresource_type(struct op *op, const struct subresource *sub);
enum fault no_such_resource(struct op *op);
enum fault not_allowed(struct op *op);

/* ---- negotiate.c ---- */
enum fault negotiate(struct call *c, struct accepted *ret);
bool accepts_gzip(const struct call *c);

/* ---- answer.c ---- */
struct list_view {
    const struct store_page *page;
    const char *next;  /* the continue token; NULL: this is the end */
    int64_t remaining; /* -1: unknown */
};
enum fault answer_object(struct call *c, int status, struct object *object);
enum fault answer_tree(struct call *c, int status, const json_t *tree);
enum fault answer_list(struct call *c, const struct list_view *list);
enum fault answer_success(struct call *c, int status, struct object *about);
/* JSON text in op's arena, gzipped when it is long and the client takes that. */
enum fault answer_bytes(struct call *c, int status, const char *content_type, struct bytes body);
/* One object in a form: with columns (a Table's), or not. JSON. */
struct bytes shape_object(struct op *op, const struct rest *r, const struct accepted *accepted,
                          struct object *object, struct bytes text, bool columns,
                          const char *include);
const char *include_object(struct call *c);
void add_warnings(struct call *c, const struct rest *r);

/* ---- verbs.c: the lanes' handlers ---- */
enum fault kube_from_memory(struct call *c);
enum fault kube_read(struct call *c);
enum fault kube_write(struct call *c);
enum fault kube_watch(struct call *c);
/* The selectors of the query. */
struct chosen {
    const struct selector *labels;
    const struct field_selector *fields;
    bool all;
};
enum fault read_selectors(struct call *c, struct arena *arena, struct chosen *ret);
bool is_chosen(const struct chosen *chosen, struct object *object);

/* ---- metrics.c: get and list of metrics.k8s.io ---- */
bool is_metrics(const struct rest *r);
enum fault kube_metrics(struct call *c);

/* ---- documents.c ---- */
enum fault kube_document(struct call *c);
enum fault kube_nowhere(struct call *c);

extern const struct dialect kube_dialect;
extern const struct service kubernetes_service; /* what main.c lists */

#endif
