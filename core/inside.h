/*
 * A call within a call: what a page shows and does goes through the very routes, rights, locks and
 * handlers that clients use, but without a socket.
 */
#ifndef SUNDOG_CORE_INSIDE_H
#define SUNDOG_CORE_INSIDE_H

#include <jansson.h>

#include "core/call.h"

struct certificate;
struct inside {
    enum method method;
    const char *target;           /* "/subscriptions?api-version=2022-12-01" */
    const char *host, *realm;     /* NULL: outer's; the common door */
    const struct header *headers; /* ends with name NULL; NULL: none. Names in lower case */
    struct bytes body;            /* with a content-type among the headers */
    /* who asks: one of these, or headers, or nobody */
    const void *vouched;
    const struct certificate *certificate;
};

/*
 * Ask, on outer's worker, and wait for the answer, also of handlers that park. Never NULL, and the
 * caller's (call_free); what asked points to must live as long. A fault is a reply of its dialect,
 * too, and inner->op says which. outer has no transaction open. Lanes CALL, and WATCH: what it
 * streams is heard to its end or for 2 s; of more than 1 MiB the last 512 KiB or more are kept.
 */
struct call *call_inside(struct call *outer, const struct inside *asked);
/*
 * The same for work in the background, which is nobody's request: whose URLs, address and
 * correlation id the answer and the logs have. On any thread with op->db, no transaction open.
 */
struct inside_origin {
    const char *host, *client, *correlation_id;
    bool tls;
};
/* The call lives as long as op's arena. */
struct call *call_alone(struct op *op, const struct inside_origin *origin,
                        const struct inside *asked);
/* For a body in JSON. */
extern const struct header inside_json_headers[];
/* A header of the reply, or NULL. */
const char *inside_header(const struct call *inner, const char *name);
/* The reply's body; empty when it is not in memory. */
struct bytes inside_body(const struct call *inner);
/* The reply's JSON, in op's arena; NULL: it has none. */
json_t *inside_json(struct op *op, const struct call *inner);
/* The body, read into op's arena when it is a file's. TOO_LARGE: more than max. */
enum fault inside_read(struct op *op, const struct call *inner, size_t max, struct bytes *ret);

#endif
