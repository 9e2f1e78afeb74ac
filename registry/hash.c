#include "registry/hash.h"

#include <string.h>

#include "core/seal.h"

static const char *const names[HASH_KINDS] = {[HASH_SHA256] = "sha256", [HASH_SHA512] = "sha512"};

const char *hash_name(enum hash_kind kind)
{
    return names[kind];
}

bool hash_kind_parse(const char *text, enum hash_kind *ret)
{
    size_t len = strcspn(text, ":");

    for (enum hash_kind kind = 0; kind < HASH_KINDS; kind++) {
        if (strlen(names[kind]) == len && strncmp(names[kind], text, len) == 0) {
            *ret = kind;
            return true;
        }
    }
    return false;
}

void hash_init(struct hash *hash, enum hash_kind kind)
{
    memset(hash, 0, sizeof(*hash));
    hash->kind = kind;
    if (kind == HASH_SHA256)
        SHA256_Init(&hash->state.sha256);
    else
        SHA512_Init(&hash->state.sha512);
}

void hash_update(struct hash *hash, struct bytes data)
{
    if (hash->kind == HASH_SHA256)
        SHA256_Update(&hash->state.sha256, data.data, data.len);
    else
        SHA512_Update(&hash->state.sha512, data.data, data.len);
}

const char *hash_digest(struct op *op, const struct hash *hash)
{
    struct hash copy = *hash;
    uint8_t out[SHA512_DIGEST_LENGTH];
    size_t len = hash->kind == HASH_SHA256 ? SHA256_DIGEST_LENGTH : SHA512_DIGEST_LENGTH;

    if (hash->kind == HASH_SHA256)
        SHA256_Final(out, &copy.state.sha256);
    else
        SHA512_Final(out, &copy.state.sha512);
    return arena_printf(&op->arena, "%s:%s", names[hash->kind],
                        hex_encode(&op->arena, (struct bytes){out, len}));
}

static size_t state_size(enum hash_kind kind)
{
    return kind == HASH_SHA256 ? sizeof(SHA256_CTX) : sizeof(SHA512_CTX);
}

struct bytes hash_save(const struct hash *hash)
{
    return (struct bytes){&hash->state, state_size(hash->kind)};
}

bool hash_load(struct hash *hash, enum hash_kind kind, struct bytes saved)
{
    hash_init(hash, kind);
    if (saved.len != state_size(kind))
        return false;
    memcpy(&hash->state, saved.data, saved.len);
    return true;
}

const char *hash_bytes(struct op *op, enum hash_kind kind, struct bytes data)
{
    struct hash hash;

    hash_init(&hash, kind);
    hash_update(&hash, data);
    return hash_digest(op, &hash);
}
