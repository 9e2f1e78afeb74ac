/*
 * Webhooks: a registry tells others by POST what was pushed and deleted (facts §2.5). The event is
 * a row of the transaction it tells of, so none is lost and none lies; a reconciler delivers it, at
 * least once, again with back-off while nobody takes it (≥ 5 tries), also after a restart.
 *
 * They may go to loopback and private addresses: this is a developer's machine.
 */
#ifndef SUNDOG_REGISTRY_WEBHOOK_H
#define SUNDOG_REGISTRY_WEBHOOK_H

#include "registry/registry.h"

enum webhook_action {
    WEBHOOK_PUSH = 1,
    WEBHOOK_DELETE = 2,
    WEBHOOK_QUARANTINE = 4,
    WEBHOOK_CHART_PUSH = 8, /* taken and shown; Helm 2 charts are not served, so it never fires */
    WEBHOOK_CHART_DELETE = 16,
};
#define WEBHOOK_HEADERS_MAX 32
#define WEBHOOK_TRIES       6

struct webhook {
    int64_t id;
    const char *name; /* ^[a-zA-Z0-9]{5,50}$ */
    bool enabled;
    const char *scope; /* "": all; "repo:tag", "repo:*"; "repo" is "repo:latest", as ACR has it */
    unsigned actions;  /* of enum webhook_action */
    const char *created, *updated;
};
/* What a registry's memory keeps of an enabled one. */
struct webhook_filter {
    int64_t id;
    unsigned actions;
    const char *scope;
};
/* "push" ↔ WEBHOOK_PUSH; 0, NULL: unknown. */
unsigned webhook_action_parse(const char *name);
const char *webhook_action_name(unsigned action);
/* tag NULL: the event names none; then only ":*" fits. A repository may end in "*" too. */
bool webhook_scope_fits(const char *scope, const char *repository, const char *tag);

/* ---- management; in the caller's transaction, registry_changed after the commit ---- */

struct webhook_wanted {
    const char *name;
    bool enabled;
    const char *scope;            /* NULL: "" */
    unsigned actions;             /* not 0 */
    const char *service_uri;      /* http or https, or a path; NULL keeps what is there */
    const struct header *headers; /* of each delivery; */
    size_t n_headers;
    bool keep_headers; /* … or those that are there */
    const char *who;   /* object id of who gives a path: as whom is deployed */
};
/* Make or replace. INVALID (on "name", "serviceUri", "customHeaders", "scope", "actions"), CONFLICT
   on "quota": the tier has no more. */
enum fault webhook_put(struct op *op, const struct registry *registry,
                       const struct webhook_wanted *wanted, bool *ret_created);
enum fault webhook_get(struct op *op, int64_t registry_id, const char *name, struct webhook *ret);
enum fault webhook_list(struct op *op, int64_t registry_id, struct webhook **ret, size_t *ret_n);
enum fault webhook_delete(struct op *op, int64_t registry_id, const char *name); /* NOT_FOUND */

/* Its address and headers, in clear: getCallbackConfig. */
struct webhook_callback {
    const char *service_uri, *who;
    struct header *headers;
    size_t n_headers;
};
enum fault webhook_callback(struct op *op, int64_t registry_id, const char *name,
                            struct webhook_callback *ret);
/* Send a ping soon, enabled or not; *ret_id is the event's. */
enum fault webhook_ping(struct op *op, const struct registry *registry, const char *name,
                        const char **ret_id);

/* An event with its last try; Authorization and what looks like a secret masked "******". */
struct webhook_event {
    const char *id;
    const char *content;                /* JSON, as it was (or will be) sent */
    const char *request_headers;        /* JSON object */
    const char *method, *uri, *version; /* "POST", …, "1.1" */
    int64_t status;                     /* of the answer; 0: none yet, or nobody answered */
    const char *reason;                 /* its phrase, or why there is none; NULL: not tried yet */
    const char *response_headers, *response_content; /* JSON object; at most 4 KiB; or NULL */
};
/* Newest first; at most 100, of the last 7 days. */
enum fault webhook_events(struct op *op, int64_t registry_id, const char *name,
                          struct webhook_event **ret, size_t *ret_n);

/* ---- what writes in the registry call ---- */

struct webhook_target {
    const char *repository, *tag, *digest, *media_type; /* tag NULL: none */
    int64_t size;
};
/*
 * Add the event to the open transaction for each webhook that wants it; nothing, and no query, when
 * none does. c tells host, method and user agent; NULL: the registry itself did it. After the
 * commit call webhook_wake.
 */
enum fault webhook_event(struct op *op, const struct registry *registry, unsigned action,
                         const struct webhook_target *target, const struct call *c);
void webhook_wake(void);

/* ---- deployments: a service URI that is the path of what runs the image ---- */

/* "/subscriptions/…": an event is no POST then, but deploys what was pushed there. */
bool webhook_uri_is_path(const char *uri);
struct webhook_deployment {
    const char *path, *who; /* object id */
    const struct registry *registry;
    const char *content; /* of the event */
};
struct webhook_answer {
    int status; /* as HTTP has it */
    const char *content;
};
/* Who deploys. On a thread with a connection, no transaction open. At start, once. */
void webhook_deploy_with(enum fault (*deploy)(struct op *op, const struct webhook_deployment *d,
                                              struct webhook_answer *ret));

void webhook_store_start(void);
void webhook_start(void); /* the reconciler; takes up what is due */
void webhook_stop(void);

#endif
