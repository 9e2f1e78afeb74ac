/*
 * Public keys of other token issuers (GitHub Actions, clusters), by OpenID Connect discovery:
 * ISSUER/.well-known/openid-configuration, then its jwks_uri. Kept for an hour; a key id that is
 * not among them makes us look again, at most once a minute. Only issuers that a federated
 * credential of the directory names are ever asked.
 */
#ifndef SUNDOG_AUTH_TRUSTED_ISSUER_H
#define SUNDOG_AUTH_TRUSTED_ISSUER_H

#include <openssl/evp.h>

#include "core/op.h"

/* https, or http on a loopback address (clusters of this machine, tests). */
bool trusted_issuer_is_url(const char *issuer);
/*
 * *ret is the caller's (EVP_PKEY_free). WOULD_BLOCK: it must be fetched and may_block is false;
 * call again on the slow pool. UNAVAILABLE: the issuer does not answer. NOT_FOUND: it has no such
 * key.
 */
enum fault trusted_issuer_key(struct op *op, const char *issuer, const char *kid, bool may_block,
                              EVP_PKEY **ret);
void trusted_issuer_stop(void);

#endif
