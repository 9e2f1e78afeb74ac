/*
 * Long-running operations, once for all services: a row whose status is computed from the service
 * (look) until terminal, then frozen. Polled through Azure-AsyncOperation and Location.
 */
#ifndef SUNDOG_API_OPERATION_H
#define SUNDOG_API_OPERATION_H

#include "api/arm.h"

enum operation_status {
    OPERATION_RUNNING,
    OPERATION_SUCCEEDED,
    OPERATION_FAILED,
    OPERATION_CANCELED
};

struct operation {
    const char *id;   /* UUID */
    const char *kind; /* of a registered kind */
    const char *subscription, *resource_id;
    const char *provider, *location; /* for the URL: "Microsoft.ContainerRegistry", "eastus" */
    const char *who;                 /* object id */
    const char
        *status_word; /* shown while running: "InProgress" (default), "Creating", … or NULL */
    enum operation_status status;
    const char *code, *message; /* of a failure */
    const char *properties;     /* JSON object text: progress; or NULL */
    const char *result;         /* JSON text: the body of …/operationResults; NULL: 204. Of a
                                   failure: an array, the details of its error; or NULL */
    const char *input;          /* JSON text for the kind's own use; never shown */
    const char *created, *ended;
    int64_t percent; /* -1: not shown */
    bool cancel_wanted;
};

struct operation_kind {
    const char *name; /* "registry.import" */
    /*
     * Where is it now? Reads the service's state and sets status, and with it code and message,
     * result, properties, percent. Runs on each poll until it says something terminal, which is
     * then kept for ever. May be NULL when operation_finish is called instead.
     */
    enum fault (*look)(struct op *op, struct operation *o);
    /* Somebody wants it to stop (cancel_wanted is set, part of the transaction). NULL: CONFLICT. */
    enum fault (*cancel)(struct op *op, struct operation *o);
};
/* Before start; constant. */
void operation_kind_register(const struct operation_kind *kind);
const struct operation_kind *operation_kind_find(const char *name); /* NULL: unknown */
void operation_store_start(void);

/*
 * A new row, within the open transaction: kind, resource_id, provider, location, status_word,
 * properties and input are read from o; subscription and who come from the call; id and created
 * are set. resource_id NULL: that of the call.
 */
enum fault operation_start(struct call *c, struct operation *o);
/* Make it terminal, within the open transaction or at once. A terminal one stays as it is. */
enum fault operation_finish(struct op *op, const char *id, enum operation_status status,
                            const char *code, const char *message, const char *result);
/* Properties (progress) and percent (-1: unknown) of a running one. */
enum fault operation_progress(struct op *op, const char *id, const char *properties,
                              int64_t percent);
/* The row, without look. NOT_FOUND on "NotFound". */
enum fault operation_get(struct op *op, const char *id, struct operation *ret);
/* Rows of a kind that are not terminal: what to go on with after a restart. */
enum fault operation_list_running(struct op *op, const char *kind, struct operation **ret,
                                  size_t *ret_n);
/* Those of a subscription that are not terminal, the newest first, at most 1000. */
enum fault operation_list_of(struct op *op, const char *subscription, struct operation **ret,
                             size_t *ret_n);
/* Note that it shall stop; a terminal one stays as it is. */
enum fault operation_want_cancel(struct op *op, const char *id);
/* Count those that are not terminal, of all `serve`; operation_metrics tells the last count. */
enum fault operation_measure(struct op *op);
void operation_metrics(struct text *out);
/* Forget those that ended a week ago. */
enum fault operation_prune(struct op *op);

enum { OPERATION_ASYNC = 1, OPERATION_LOCATION = 2 };
/* Azure-AsyncOperation and/or Location (absolute) and Retry-After: 1. */
void operation_headers(struct call *c, const struct operation *o, int which);

#endif
