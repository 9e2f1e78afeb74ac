/*
 * What is in a blob: gzip by ISA-L (three times as fast as zlib), zstd, or the bytes themselves.
 * Everything that comes out is hashed.
 */
#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "instances/unpack.h"
#include "registry/hash.h"

/* Both stay in the processor's second cache. */
#define IN_BYTES  ((size_t)256 << 10)
#define OUT_BYTES ((size_t)256 << 10)

enum packing { PLAIN, GZIP, ZSTD };

struct unpack_stream {
    int fd;
    enum packing packing;
    unsigned char *in, *out;
    size_t in_at, in_len;
    bool in_ended, ended;
    int64_t total, bytes_max;
    struct hash hash;
    struct inflate_state *gzip;
    ZSTD_DCtx *zstd;
    size_t zstd_wants; /* 0: a frame has just ended */
};

static enum fault truncated(struct op *op)
{
    return fail(op, INVALID, "its compressed data ends too early");
}

static enum fault fill(struct op *op, struct unpack_stream *s)
{
    ssize_t n;

    if (s->in_at < s->in_len || s->in_ended)
        return OK;
    while ((n = read(s->fd, s->in, IN_BYTES)) < 0 && errno == EINTR)
        ;
    if (n < 0)
        return fail(op, INTERNAL, "its blob cannot be read: %s", strerror(errno));
    s->in_at = 0;
    s->in_len = (size_t)n;
    s->in_ended = n == 0;
    return OK;
}

/* As many first bytes as tell the kinds apart, though a pipe may give one at a time. */
static enum fault sniff(struct op *op, struct unpack_stream *s)
{
    static const unsigned char gzip[] = {0x1f, 0x8b}, zstd[] = {0x28, 0xb5, 0x2f, 0xfd},
                               skippable[] = {0x2a, 0x4d, 0x18};

    while (s->in_len < 4 && !s->in_ended) {
        ssize_t n = read(s->fd, s->in + s->in_len, IN_BYTES - s->in_len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(op, INTERNAL, "its blob cannot be read: %s", strerror(errno));
        s->in_len += (size_t)n;
        s->in_ended = n == 0;
    }
    if (s->in_len >= 2 && memcmp(s->in, gzip, 2) == 0)
        s->packing = GZIP;
    else if (s->in_len >= 4 && (memcmp(s->in, zstd, 4) == 0 ||
                                (s->in[0] >> 4 == 5 && memcmp(s->in + 1, skippable, 3) == 0)))
        s->packing = ZSTD;
    return OK;
}

static void free_zstd(void *dctx)
{
    ZSTD_freeDCtx(dctx);
}

enum fault unpack_stream_open(struct op *op, int fd, const char *diff_id, int64_t bytes_max,
                              struct unpack_stream **ret)
{
    struct unpack_stream *s = arena_alloc(&op->arena, sizeof(*s));
    enum hash_kind kind;

    if (!hash_kind_parse(diff_id, &kind))
        return fail(op, INVALID, "\"%.80s\" is no digest", diff_id);
    s->fd = fd;
    s->bytes_max = bytes_max;
    s->in = arena_alloc(&op->arena, IN_BYTES);
    hash_init(&s->hash, kind);
    TRY(sniff(op, s));
    if (s->packing != PLAIN)
        s->out = arena_alloc(&op->arena, OUT_BYTES);
    if (s->packing == GZIP) {
        s->gzip = arena_alloc(&op->arena, sizeof(*s->gzip));
        isal_inflate_init(s->gzip);
        s->gzip->crc_flag = ISAL_GZIP;
    } else if (s->packing == ZSTD) {
        s->zstd = ZSTD_createDCtx();
        arena_defer(&op->arena, free_zstd, s->zstd);
        s->zstd_wants = 1;
    }
    *ret = s;
    return OK;
}

/* After a member another may follow, or zeros that fill up a block. */
static enum fault next_member(struct op *op, struct unpack_stream *s)
{
    for (;;) {
        TRY(fill(op, s));
        if (s->in_ended) {
            s->ended = true;
            return OK;
        }
        if (s->in[s->in_at] != 0)
            break;
        s->in_at++;
    }
    if (s->in[s->in_at] != 0x1f)
        return fail(op, INVALID, "something follows its compressed data");
    isal_inflate_reset(s->gzip);
    s->gzip->crc_flag = ISAL_GZIP;
    return OK;
}

static enum fault read_gzip(struct op *op, struct unpack_stream *s, size_t *ret_len)
{
    struct inflate_state *z = s->gzip;

    z->next_out = s->out;
    z->avail_out = OUT_BYTES;
    while (z->avail_out > 0 && !s->ended) {
        uint32_t room = z->avail_out;
        int result;

        TRY(fill(op, s));
        z->next_in = s->in + s->in_at;
        z->avail_in = (uint32_t)(s->in_len - s->in_at);
        result = isal_inflate(z);
        if (result < 0)
            return fail(op, INVALID, "its gzip data is damaged (%d)", result);
        s->in_at = s->in_len - z->avail_in;
        if (z->block_state == ISAL_BLOCK_FINISH)
            TRY(next_member(op, s));
        else if (s->in_ended && z->avail_out == room)
            return truncated(op);
    }
    *ret_len = OUT_BYTES - z->avail_out;
    return OK;
}

static enum fault read_zstd(struct op *op, struct unpack_stream *s, size_t *ret_len)
{
    ZSTD_outBuffer out = {s->out, OUT_BYTES, 0};

    while (out.pos < out.size && !s->ended) {
        ZSTD_inBuffer in;
        size_t before = out.pos;

        TRY(fill(op, s));
        if (s->in_ended && s->zstd_wants == 0) {
            s->ended = true;
            break;
        }
        in = (ZSTD_inBuffer){s->in, s->in_len, s->in_at};
        s->zstd_wants = ZSTD_decompressStream(s->zstd, &out, &in);
        if (ZSTD_isError(s->zstd_wants))
            return fail(op, INVALID, "its zstd data is damaged: %s",
                        ZSTD_getErrorName(s->zstd_wants));
        s->in_at = in.pos;
        if (s->in_ended && out.pos == before && s->zstd_wants != 0)
            return truncated(op);
    }
    *ret_len = out.pos;
    return OK;
}

enum fault unpack_stream_read(struct op *op, struct unpack_stream *s, struct bytes *ret)
{
    struct bytes piece = {s->out, 0};

    if (s->packing == GZIP) {
        TRY(read_gzip(op, s, &piece.len));
    } else if (s->packing == ZSTD) {
        TRY(read_zstd(op, s, &piece.len));
    } else {
        TRY(fill(op, s));
        piece = (struct bytes){s->in + s->in_at, s->in_len - s->in_at};
        s->in_at = s->in_len;
    }
    s->total += (int64_t)piece.len;
    if (s->total > s->bytes_max)
        return fail(op, INVALID, "it unpacks to more than %lld bytes", (long long)s->bytes_max);
    if (piece.len)
        hash_update(&s->hash, piece);
    *ret = piece;
    return OK;
}

const char *unpack_stream_digest(struct op *op, const struct unpack_stream *s)
{
    return hash_digest(op, &s->hash);
}
