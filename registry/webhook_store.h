/*
 * What webhook.c (rules), webhook_store.c (rows) and webhook_send.c (deliveries) share.
 */
#ifndef SUNDOG_REGISTRY_WEBHOOK_STORE_H
#define SUNDOG_REGISTRY_WEBHOOK_STORE_H

#include "registry/webhook.h"

#define WEBHOOK_RESPONSE_MAX ((size_t)4096)

/* webhook.c: are these allowed? INVALID on the property. */
enum fault webhook_check(struct op *op, const struct webhook_wanted *wanted);
/* JSON of headers; masked: what is, or looks like, a secret is "******". */
const char *webhook_headers_json(struct op *op, const struct header *headers, size_t n,
                                 bool masked);
/* An address without what may be secret in it: user info and query. */
const char *webhook_masked_uri(struct op *op, const char *uri);

/* The JSON that is sent; target NULL: a ping. */
const char *webhook_content(struct op *op, const char *id, const char *action_name, unsigned action,
                            const struct registry *registry, const struct webhook_target *target,
                            const struct call *c);

/* ---- rows ---- */

/* Nothing when the webhook is gone. */
enum fault webhook_event_insert(struct op *op, int64_t webhook_id, const char *id,
                                const char *content);

/* One event that is due, claimed for a minute. */
struct webhook_delivery {
    const char *id, *content;
    int64_t tries; /* this one included */
    int64_t registry_id;
    struct webhook_callback to;
};
struct webhook_result {
    int64_t status; /* 0: nobody answered */
    const char *reason, *headers, *content;
    const char *uri, *request_headers; /* masked */
    int64_t again_s;                   /* < 0: never */
};
/* Take the oldest that is due of a webhook; NOT_FOUND: none is. */
enum fault webhook_claim(struct op *op, int64_t webhook_id, struct webhook_delivery *ret);
enum fault webhook_record(struct op *op, const struct webhook_delivery *delivery,
                          const struct webhook_result *result);
/* Milliseconds until the next try of a webhook (0: of any), or -1: none is wanted. */
enum fault webhook_next(struct op *op, int64_t webhook_id, int64_t *ret_ms);
enum fault webhook_due(struct op *op, int64_t **ret_ids, size_t *ret_n);
/* Forget what is older than 7 days, and of each webhook all but the newest 1000. */
enum fault webhook_purge(struct op *op);

#endif
