/*
 * Running hashes whose state can be stored as bytes, so that an upload goes on after a restart or
 * on another `serve` without reading again what is there. OpenSSL's EVP interface cannot do that;
 * its older one can, and is as fast.
 */
#ifndef SUNDOG_REGISTRY_HASH_H
#define SUNDOG_REGISTRY_HASH_H

#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include "core/op.h"

enum hash_kind { HASH_SHA256, HASH_SHA512, HASH_KINDS };

struct hash {
    enum hash_kind kind;
    union {
        SHA256_CTX sha256;
        SHA512_CTX sha512;
    } state;
};

const char *hash_name(enum hash_kind kind); /* "sha256" */
/* By the name before a digest's colon, or alone. False: not one of ours. */
bool hash_kind_parse(const char *text, enum hash_kind *ret);

void hash_init(struct hash *hash, enum hash_kind kind);
void hash_update(struct hash *hash, struct bytes data);
/* "sha256:…" of all so far; the hash can go on afterwards. */
const char *hash_digest(struct op *op, const struct hash *hash);
struct bytes hash_save(const struct hash *hash); /* points into hash */
bool hash_load(struct hash *hash, enum hash_kind kind, struct bytes saved);
/* "sha256:…" of bytes in memory. */
const char *hash_bytes(struct op *op, enum hash_kind kind, struct bytes data);

#endif
