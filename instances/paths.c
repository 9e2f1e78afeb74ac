#include "instances/paths.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

const char *data_id(struct op *op, const char *data)
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    char *real = realpath(data, NULL);
    const char *path = real ? real : data;

    SHA256((const unsigned char *)path, strlen(path), hash);
    free(real);
    return arena_printf(&op->arena, "%02x%02x%02x", hash[0], hash[1], hash[2]);
}

const char *run_folder(struct op *op, const char *data)
{
    return arena_printf(&op->arena, "/run/sundog-%s", data_id(op, data));
}
