/*
 * Realms: doors of their own into this server. Each has listeners, a TLS name on the common
 * listeners (by SNI), its own certificate, and asks clients for certificates. A call that came
 * through one has c->realm, and only services with .realm = true answer it. Clusters are realms.
 */
#ifndef SUNDOG_CORE_REALM_H
#define SUNDOG_CORE_REALM_H

#include <openssl/ssl.h>

#include "core/op.h"

/* Whom a connection's client certificate names. It was verified by the realm's context. */
struct certificate {
    const char *common_name;
    const char *const *organizations; /* NULL-terminated */
};

struct realm;
/*
 * A server context: key and certificate as given (the caller's references stay its own), clients
 * asked for a certificate of ca. Who shows none, or another's, is let in as nobody. HTTP/1.1.
 * NULL: OpenSSL says why.
 */
SSL_CTX *realm_context(X509 *certificate, EVP_PKEY *key, X509 *ca);
/* Open the door: from now on server_name on any TLS listener is this realm's. Takes the reference
   to context. id: no other open realm has it. */
struct realm *realm_open(const char *id, const char *server_name, SSL_CTX *context);
/* Other certificates for new connections; takes the reference. */
void realm_renew(struct realm *realm, SSL_CTX *context);
/* One more listener (bound, listening; TLS) for it. Takes fd. */
void realm_listen(struct realm *realm, int fd);
/* Its listeners close, its idle connections too, busy ones after their reply. */
void realm_close(struct realm *realm);

/* One that is closed, but held by the caller: its connections end as they are, in the midst of a
   request's body or of an answer that nobody takes, but for those whose request somebody works on.
   NULL is fine. */
void realm_cut(struct realm *realm);

/* ---- what connections use ---- */

struct realm *realm_hold(struct realm *realm); /* NULL is fine */
void realm_drop(struct realm *realm);
const char *realm_id(const struct realm *realm);
/* A context of its own reference. */
SSL_CTX *realm_tls(struct realm *realm);
/* In the servername callback: if it is a realm's name, switch ssl over to that. */
bool realm_choose(SSL *ssl, const char *server_name);
/* What connections want to hear of handshakes, on their loop: chosen gets a reference when
   realm_choose found one; shaken is called when a realm's handshake is done. Before any of them. */
void realm_hooks(void (*chosen)(SSL *ssl, struct realm *realm), void (*shaken)(SSL *ssl));
/* The verified client certificate, malloc'ed as one block; NULL: none that counts. */
struct certificate *certificate_of(SSL *ssl);

#endif
