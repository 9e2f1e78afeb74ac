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

/* One thread, and its first door, for names of above; takes both descriptors (bound; TCP
   listening). */
void dns_start(int udp, int tcp);
void dns_stop(void); /* all doors, too */

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
/* The question's name as text ("" for the root; ret has room for DNS_NAME_MAX + 1), and where the
   question ends; 0: malformed. */
#define DNS_NAME_MAX 255
size_t dns_question(const unsigned char *query, size_t len, char *ret);
/* Head and question into out: an answer (QR, RA) with this code and as many records. Its length. */
size_t dns_begin(const unsigned char *query, size_t question_end, unsigned code, unsigned answers,
                 unsigned char *out);

/* ---- further doors: others' sockets, with answers of their own ---- */

/* answer has room for DNS_MESSAGE_MAX + 64. Called by one thread at a time. */
typedef enum dns_verdict (*dns_answerer)(void *user, const unsigned char *query, size_t len,
                                         bool tcp, unsigned char *answer, size_t *ret_len);
struct dns_door;
/* Takes both descriptors. NULL: DNS does not run (dns_start). */
struct dns_door *dns_door_open(int udp, int tcp, dns_answerer answer, void *user);
/* When it returns answer is not called any more, and the sockets are closed. NULL is fine. Not
   while holding a lock that answer takes. */
void dns_door_close(struct dns_door *door);

#endif
