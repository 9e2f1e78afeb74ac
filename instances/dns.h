/*
 * DNS for containers: names of this Sundog from memory, all else from the host's resolvers
 * (/etc/resolv.conf, read anew when it changes). UDP and TCP (RFC 1035, 6891 for sizes).
 */
#ifndef SUNDOG_INSTANCES_DNS_H
#define SUNDOG_INSTANCES_DNS_H

#include "core/op.h"

/* Names and addresses; key says whose they are. names NULL: drops them. Any thread. */
void dns_names(const char *key, const char *const *names, const char *address);
/* Lines of /etc/hosts for all that end in ".localhost", sorted. */
const char *dns_hosts_lines(struct op *op);
/* False: not known. In any case of letters. */
bool dns_find(const char *name, uint32_t *ret_address); /* host byte order */

/* One thread; takes both descriptors (bound; TCP listening). */
void dns_start(int udp, int tcp);
void dns_stop(void);

/* ---- messages, for the thread and its tests ---- */

enum dns_verdict {
    DNS_DROP,    /* not a query: no answer */
    DNS_ANSWER,  /* the answer is written */
    DNS_FORWARD, /* ask others */
};
#define DNS_MESSAGE_MAX 65535
/* size: of answer; at least len + 16. */
enum dns_verdict dns_answer(const unsigned char *query, size_t len, unsigned char *answer,
                            size_t *ret_len);
/* SERVFAIL for a query. */
size_t dns_failure(const unsigned char *query, size_t len, unsigned char *answer);

#endif
