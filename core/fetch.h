/*
 * One HTTP request to somebody else, by libcurl: webhooks, other registries, issuers' keys. Blocks:
 * only on slow_pool, reconcilers and the like. Proxies by their usual variables, certificates by
 * the system's store (and SSL_CERT_FILE, CURL_CA_BUNDLE), HTTP and HTTPS only.
 */
#ifndef SUNDOG_CORE_FETCH_H
#define SUNDOG_CORE_FETCH_H

#include "core/call.h"

struct fetch {
    const char *method; /* NULL: GET */
    const char *url;
    const struct header *headers;
    size_t n_headers;
    struct bytes body;  /* data NULL: none */
    int64_t timeout_ms; /* of it all; 0: 30 s */
    int64_t silence_s;  /* without a byte; 0: 30 s */
    int redirects_max;  /* credentials never follow to another host */
    bool direct;        /* a neighbour, not the world: no proxy, whatever certificate it has */
    bool http2;         /* HTTP/2 at once, without TLS (gRPC) */
    int socket;         /* connected already: use this one, and close it; 0: connect */
    size_t answer_max;  /* bytes of the body kept; 0: 1 MiB. More is TOO_LARGE */
    /* Instead of keeping the body of a 2xx: called for each piece; a fault ends the transfer. */
    enum fault (*write)(void *arg, struct op *op, struct bytes piece);
    void *arg;
};
struct fetched {
    int status;
    struct header *headers; /* names in lower case; of the last answer */
    size_t n_headers;
    struct bytes body; /* NUL-terminated besides */
    const char *url;   /* after redirects */
};
/* OK for any HTTP answer. UNAVAILABLE: nobody answers, TLS fails, it takes too long (the message
   says which, without credentials); INVALID: not a URL we fetch. All in op's arena. */
enum fault fetch(struct op *op, const struct fetch *ask, struct fetched *ret);
const char *fetched_header(const struct fetched *answer,
                           const char *name); /* lower case; or NULL */

void fetch_start(void); /* once, before threads */
void fetch_stop(void);

#endif
