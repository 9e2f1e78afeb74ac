#include "clusters/object/document.h"

#include <openssl/sha.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

struct kept {
    struct kept *next;
    const char *key;
    struct document document;
    size_t plain_len;
    struct arena arena; /* of everything above */
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct kept *all_kept;

const char *hash_of(struct op *op, struct bytes bytes)
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    char *hex = arena_alloc(&op->arena, 2 * sizeof(hash) + 1);

    SHA256(bytes.data, bytes.len, hash);
    for (size_t i = 0; i < sizeof(hash); i++) {
        hex[2 * i] = "0123456789ABCDEF"[hash[i] >> 4];
        hex[2 * i + 1] = "0123456789ABCDEF"[hash[i] & 15];
    }
    return hex;
}

/* windowBits 31: gzip's header and trailer */
static enum fault deflate_into(struct op *op, struct bytes plain, struct arena *arena,
                               struct bytes *ret)
{
    z_stream z = {0};
    unsigned char *to;
    size_t bound;

    if (deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return fail(op, INTERNAL, "zlib cannot be used");
    bound = deflateBound(&z, plain.len);
    to = arena_alloc(&op->arena, bound);
    z.next_in = (unsigned char *)plain.data;
    z.avail_in = (unsigned)plain.len;
    z.next_out = to;
    z.avail_out = (unsigned)bound;
    if (deflate(&z, Z_FINISH) != Z_STREAM_END) {
        deflateEnd(&z);
        return fail(op, INTERNAL, "zlib cannot compress a document");
    }
    *ret = (struct bytes){arena_memdup(arena, to, z.total_out), z.total_out};
    deflateEnd(&z);
    return OK;
}

enum fault document_inflate(struct op *op, struct document *document)
{
    const unsigned char *data = document->bytes.data, *end = data + document->bytes.len;
    size_t len = (size_t)end[-4] | (size_t)end[-3] << 8 | (size_t)end[-2] << 16 |
                 (size_t)end[-1] << 24; /* gzip's last field */
    unsigned char *to = arena_alloc(&op->arena, len + 1);
    z_stream z = {.next_in = (unsigned char *)data,
                  .avail_in = (unsigned)document->bytes.len,
                  .next_out = to,
                  .avail_out = (unsigned)len};
    int rc;

    if (inflateInit2(&z, 31) != Z_OK)
        return fail(op, INTERNAL, "zlib cannot be used");
    rc = inflate(&z, Z_FINISH);
    inflateEnd(&z);
    if (rc != Z_STREAM_END)
        return fail(op, INTERNAL, "a document kept in memory cannot be inflated");
    document->bytes = (struct bytes){to, len};
    document->gzipped = false;
    return OK;
}

static enum fault make(struct op *op, const char *key, bool compressed,
                       enum fault (*write)(struct op *op, const void *arg, struct text *out),
                       const void *arg, struct kept *kept)
{
    struct text text;

    text_init(&text, &op->arena, DOCUMENT_MAX);
    TRY(write(op, arg, &text));
    if (text.overflow)
        return fail(op, INTERNAL, "the document %s is too long", key);
    kept->key = arena_strdup(&kept->arena, key);
    kept->document.etag = arena_printf(&kept->arena, "\"%s\"", hash_of(op, text_bytes(&text)));
    kept->document.gzipped = compressed;
    if (compressed)
        return deflate_into(op, text_bytes(&text), &kept->arena, &kept->document.bytes);
    kept->document.bytes =
        (struct bytes){arena_memdup(&kept->arena, text.data, text.len), text.len};
    return OK;
}

static struct kept *find(const char *key)
{
    struct kept *kept;

    pthread_mutex_lock(&lock);
    for (kept = all_kept; kept && strcmp(kept->key, key) != 0; kept = kept->next)
        ;
    pthread_mutex_unlock(&lock);
    return kept;
}

/* Two may have made it at once: the first one's is kept. */
static struct kept *keep(struct kept *made)
{
    struct kept *kept;

    pthread_mutex_lock(&lock);
    for (kept = all_kept; kept && strcmp(kept->key, made->key) != 0; kept = kept->next)
        ;
    if (!kept) {
        made->next = all_kept;
        all_kept = kept = made;
    }
    pthread_mutex_unlock(&lock);
    if (kept != made) {
        arena_free(&made->arena);
        free(made);
    }
    return kept;
}

enum fault document_get(struct op *op, const char *key, bool compressed,
                        enum fault (*write)(struct op *op, const void *arg, struct text *out),
                        const void *arg, struct document *ret)
{
    struct kept *kept = find(key);

    if (!kept) {
        enum fault fault;
        struct op own; /* what it takes to make it is given back at once */

        kept = calloc(1, sizeof(*kept));
        if (!kept)
            return fail(op, UNAVAILABLE, "out of memory");
        op_init(&own);
        fault = make(&own, key, compressed, write, arg, kept);
        if (fault != OK) {
            fail(op, fault, "%s", own.message ? own.message : fault_name(fault));
            op_free(&own);
            arena_free(&kept->arena);
            free(kept);
            return fault;
        }
        op_free(&own);
        kept = keep(kept);
    }
    *ret = kept->document;
    return OK;
}
