/*
 * RS256 tokens: signing keys in the database (sealed), their public half as JWKS, signing and
 * verifying (RFC 7515, 7517, 7519). A verified token is remembered by its SHA-256 until it expires,
 * so that a loop thread can know it again without arithmetic.
 */
#ifndef SUNDOG_AUTH_JWT_H
#define SUNDOG_AUTH_JWT_H

#include <jansson.h>
#include <openssl/evp.h>

#include "core/op.h"

/* Load the signing keys, making the first one. A key is used for 30 days, published 30 more; a kid
   we do not know makes us look into the database once more (another serve may have rotated). */
enum fault jwt_start(struct op *op);
/* Any thread: make the key now that jwt_start or a later turn will want. */
void jwt_make_ahead(void);
void jwt_stop(void);
/* Sign claims (an object; borrowed). Adds nothing: iss, aud, iat, nbf, exp are the caller's. */
enum fault jwt_sign(struct op *op, json_t *claims, const char **ret_token);
/*
 * A verified token's claims, shared and counted. parsed is what the caller's parse function made of
 * them (freed with the claims), so that hot paths never touch JSON.
 */
struct jwt {
    atomic_int refs;
    int64_t expires_s;
    void *parsed;
    void (*free_parsed)(void *);
};
/* Turn claims into the caller's struct (malloc'ed), or NULL when they are not for this use. */
typedef void *(*jwt_parse_fn)(const json_t *claims);
/*
 * Verify signature, alg (RS256 only), typ, kid, exp, nbf and (iss equals issuer; NULL: parse judges
 * it); then parse. Only tokens whose parse succeeded are remembered, per issuer. UNAUTHENTICATED
 * says why, on noun "ExpiredAuthenticationToken" when time alone is against it. may_block false:
 * WOULD_BLOCK unless remembered. *ret is held until jwt_release.
 */
enum fault jwt_verify(struct op *op, const char *token, const char *issuer, jwt_parse_fn parse,
                      void (*free_parsed)(void *), bool may_block, struct jwt **ret);
void jwt_release(void *jwt); /* fits arena_defer */
/*
 * Tokens of other makers. Take one apart without believing it (header and claims in op's arena),
 * and verify it with that maker's public key: RS256 or PS256, exp (wanted), nbf. UNAUTHENTICATED.
 */
struct jwt_text {
    json_t *header, *claims;
    const char *signed_text;
    struct bytes signature;
};
enum fault jwt_split(struct op *op, const char *token, struct jwt_text *ret);
enum fault jwt_verify_with(struct op *op, const struct jwt_text *token, EVP_PKEY *key);
/* {"keys":[{kty,use,alg,kid,n,e}]}, in op's arena. */
const char *jwt_jwks(struct op *op);

#endif
