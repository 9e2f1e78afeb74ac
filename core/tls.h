/*
 * TLS: our certificate authority, made on first start (EC P-256, name-constrained, key sealed in
 * core.ca and the certificate in DIR/tls/ca.pem), and server certificates minted on demand for the
 * name the client asks for by SNI, or for the address it reached.
 */
#ifndef SUNDOG_CORE_TLS_H
#define SUNDOG_CORE_TLS_H

#include <openssl/ssl.h>

#include "core/settings.h"

/* Load or make the CA (in the database, so that two serve share it) and write DIR/tls/ca.pem. */
enum fault tls_start(struct op *op, const struct settings *settings);
void tls_stop(void);
/* The server context for all listeners. Its SNI callback picks or mints a certificate; ALPN offers
   h2 and http/1.1, or http/1.1 only where http1_only(name) says so. */
SSL_CTX *tls_server_context(bool (*http1_only)(const char *server_name));

/* A bare context with our protocol versions and ciphers, HTTP/2 and HTTP/1.1; NULL: out of memory.
 */
SSL_CTX *tls_new_context(void);
/* An ALPN callback that knows HTTP/1.1 only. */
int tls_choose_http1(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                     const unsigned char *in, unsigned in_len, void *arg);
const char *tls_ca_pem(void); /* for GET /ca.pem */
/* Until when the CA's certificate is valid, in seconds since 1970; 0: there is none. */
int64_t tls_ca_not_after_s(void);

#endif
