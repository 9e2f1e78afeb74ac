#include "clusters/http/spdy.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define VERSION        3
#define DICTIONARY_MAX 1536
#define WINDOW_BITS    15
#define FLAG_FIN       1

enum frame_type {
    SYN_STREAM = 1,
    SYN_REPLY = 2,
    RST_STREAM = 3,
    PING = 6,
    GOAWAY = 7,
    HEADERS = 8
};

/* ---- the dictionary (draft 3, 2.6.10.1): words, each after its length in four bytes … ---- */

static const char *const words[] = {"options",
                                    "head",
                                    "post",
                                    "put",
                                    "delete",
                                    "trace",
                                    "accept",
                                    "accept-charset",
                                    "accept-encoding",
                                    "accept-language",
                                    "accept-ranges",
                                    "age",
                                    "allow",
                                    "authorization",
                                    "cache-control",
                                    "connection",
                                    "content-base",
                                    "content-encoding",
                                    "content-language",
                                    "content-length",
                                    "content-location",
                                    "content-md5",
                                    "content-range",
                                    "content-type",
                                    "date",
                                    "etag",
                                    "expect",
                                    "expires",
                                    "from",
                                    "host",
                                    "if-match",
                                    "if-modified-since",
                                    "if-none-match",
                                    "if-range",
                                    "if-unmodified-since",
                                    "last-modified",
                                    "location",
                                    "max-forwards",
                                    "pragma",
                                    "proxy-authenticate",
                                    "proxy-authorization",
                                    "range",
                                    "referer",
                                    "retry-after",
                                    "server",
                                    "te",
                                    "trailer",
                                    "transfer-encoding",
                                    "upgrade",
                                    "user-agent",
                                    "vary",
                                    "via",
                                    "warning",
                                    "www-authenticate",
                                    "method",
                                    "get",
                                    "status",
                                    "200 OK",
                                    "version",
                                    "HTTP/1.1",
                                    "url",
                                    "public",
                                    "set-cookie",
                                    "keep-alive",
                                    "origin"};

/* … and text without. */
static const char tail[] =
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request"
    "401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented"
    "503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 "
    "Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,"
    "application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age="
    "gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

static uint8_t dictionary[DICTIONARY_MAX];
static size_t dictionary_len;
static pthread_once_t dictionary_once = PTHREAD_ONCE_INIT;

static void put32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void make_dictionary(void)
{
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        size_t len = strlen(words[i]);

        put32(dictionary + n, (uint32_t)len);
        memcpy(dictionary + n + 4, words[i], len);
        n += 4 + len;
    }
    memcpy(dictionary + n, tail, sizeof(tail) - 1);
    dictionary_len = n + sizeof(tail) - 1;
}

size_t spdy_dictionary(const uint8_t **ret)
{
    pthread_once(&dictionary_once, make_dictionary);
    *ret = dictionary;
    return dictionary_len;
}

/* ---- reading ---- */

void spdy_reader_init(struct spdy_reader *r)
{
    memset(r, 0, sizeof(*r));
    pthread_once(&dictionary_once, make_dictionary);
    if (inflateInit2(&r->inflate, WINDOW_BITS) != Z_OK)
        abort();
}

void spdy_reader_free(struct spdy_reader *r)
{
    inflateEnd(&r->inflate);
}

static struct spdy_event broken(struct spdy_reader *r)
{
    r->broken = true;
    return (struct spdy_event){.kind = SPDY_BROKEN};
}

/* All blocks of a connection are one zlib stream, flushed behind each. False: it is none, or too
   long when unpacked. */
static bool unpack(struct spdy_reader *r, const uint8_t *data, size_t len, size_t *ret_len)
{
    z_stream *z = &r->inflate;
    int result;

    z->next_in = (Bytef *)data;
    z->avail_in = (uInt)len;
    z->next_out = (Bytef *)r->block;
    z->avail_out = SPDY_BLOCK_MAX;
    do {
        result = inflate(z, Z_SYNC_FLUSH);
        if (result == Z_NEED_DICT)
            result = inflateSetDictionary(z, dictionary, (uInt)dictionary_len);
        else if (result == Z_BUF_ERROR && z->avail_in == 0)
            break;
        if (result != Z_OK)
            return false;
    } while (z->avail_in > 0 && z->avail_out > 0);
    *ret_len = SPDY_BLOCK_MAX - z->avail_out;
    return z->avail_in == 0 && z->avail_out > 0;
}

/* A text behind its length; its end is put over the first byte of what follows, later. */
static const char *take_text(struct spdy_reader *r, size_t *at, size_t len, size_t *ret_len)
{
    uint32_t n;

    if (len - *at < 4)
        return NULL;
    n = get32((const uint8_t *)r->block + *at);
    *at += 4;
    if (n > len - *at)
        return NULL;
    *at += n;
    *ret_len = n;
    return r->block + *at - n;
}

/* Count, then names and values. Texts are ended in place, over lengths that were read. */
static bool read_headers(struct spdy_reader *r, size_t len)
{
    size_t at = 4, n_name = 0, n_value = 0;
    uint32_t n;

    r->n_headers = 0;
    if (len < 4 || (n = get32((const uint8_t *)r->block)) > SPDY_HEADERS_MAX)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        const char *name = take_text(r, &at, len, &n_name);
        const char *value = name ? take_text(r, &at, len, &n_value) : NULL;

        if (!value || !n_name)
            return false;
        r->headers[i] = (struct spdy_header){name, value};
        ((char *)name)[n_name] = '\0'; /* the value's length is read already */
        if (i > 0)                     /* so is this name's, which follows the value before */
            ((char *)name)[-4] = '\0';
    }
    r->block[at] = '\0';
    r->n_headers = n;
    return at == len;
}

static struct spdy_event control(struct spdy_reader *r)
{
    static const size_t before_headers[] = {
        [SYN_STREAM] = 10, [SYN_REPLY] = 4, [RST_STREAM] = 0, [4] = 0,
        [5] = 0,           [PING] = 0,      [GOAWAY] = 0,     [HEADERS] = 4};
    unsigned type = (unsigned)(r->head[2] << 8 | r->head[3]);
    size_t skip = type < ARRAY_LEN(before_headers) ? before_headers[type] : 0, len = 0;
    uint32_t first = r->n_body >= 4 ? get32(r->body) & SPDY_STREAM_MAX : 0;
    struct spdy_event event = {.kind = SPDY_MORE, .id = first, .last = r->head[4] & FLAG_FIN};

    if ((r->head[0] & 0x7f) != 0 || r->head[1] != VERSION || r->n_body < skip)
        return broken(r);
    if (skip && (!unpack(r, r->body + skip, r->n_body - skip, &len) || !read_headers(r, len)))
        return broken(r);
    switch (type) {
    case SYN_STREAM:
        if (first <= r->newest || !(first & 1))
            return broken(r);
        r->newest = first;
        event.kind = SPDY_OPEN;
        event.headers = r->headers;
        event.n_headers = r->n_headers;
        break;
    case RST_STREAM:
        event.kind = SPDY_RESET;
        break;
    case PING:
        event.id = r->n_body >= 4 ? get32(r->body) : 0;
        event.kind = SPDY_PING;
        break;
    case GOAWAY:
        event.kind = SPDY_GOAWAY;
        break;
    case HEADERS: /* nobody sends any but to say that it was the last */
        event.kind = event.last ? SPDY_DATA : SPDY_MORE;
        event.data = (struct bytes){"", 0};
        break;
    default:
        break;
    }
    return event;
}

static void move(struct bytes *in, size_t n)
{
    in->data = (const uint8_t *)in->data + n;
    in->len -= n;
}

static size_t smaller(size_t a, uint64_t b)
{
    return a < b ? a : (size_t)b;
}

/* False: more is needed. */
static bool read_head(struct spdy_reader *r, struct bytes *in)
{
    size_t n = smaller(in->len, SPDY_HEAD_LEN - r->n_head);

    if (n)
        memcpy(r->head + r->n_head, in->data, n);
    r->n_head += n;
    move(in, n);
    if (r->n_head < SPDY_HEAD_LEN)
        return false;
    r->n_head = 0;
    r->n_body = 0;
    r->left = get32(r->head + 4) & 0xffffff;
    r->in_frame = true;
    return true;
}

static struct spdy_event data_event(struct spdy_reader *r, struct bytes *in)
{
    size_t n = smaller(in->len, r->left);
    struct spdy_event event = {
        .kind = SPDY_DATA, .id = get32(r->head), .data = {in->data, n}
    };

    move(in, n);
    r->left -= n;
    r->in_frame = r->left > 0;
    event.last = !r->in_frame && r->head[4] & FLAG_FIN;
    return event;
}

struct spdy_event spdy_read(struct spdy_reader *r, struct bytes *in)
{
    static const struct spdy_event more = {.kind = SPDY_MORE};

    while (!r->broken && (in->len > 0 || (r->in_frame && r->left == 0))) {
        bool is_control;
        struct spdy_event event;
        size_t n;

        if (!r->in_frame && !read_head(r, in))
            return more;
        is_control = r->head[0] & 0x80;
        if (!is_control && (in->len > 0 || r->left == 0))
            return data_event(r, in);
        if (!is_control)
            return more;
        if (r->left > SPDY_BLOCK_MAX - r->n_body)
            return broken(r);
        n = smaller(in->len, r->left);
        if (n)
            memcpy(r->body + r->n_body, in->data, n);
        r->n_body += n;
        r->left -= n;
        move(in, n);
        if (r->left > 0)
            return more;
        r->in_frame = false;
        event = control(r);
        if (event.kind != SPDY_MORE)
            return event;
    }
    return more;
}

const char *spdy_header(const struct spdy_event *event, const char *name)
{
    for (size_t i = 0; i < event->n_headers; i++)
        if (strcmp(event->headers[i].name, name) == 0)
            return event->headers[i].value;
    return NULL;
}

/* ---- to send ---- */

void spdy_writer_init(struct spdy_writer *w)
{
    memset(w, 0, sizeof(*w));
    pthread_once(&dictionary_once, make_dictionary);
    /* a small window: replies have no headers to be compressed */
    if (deflateInit2(&w->deflate, 1, Z_DEFLATED, 11, 1, Z_DEFAULT_STRATEGY) != Z_OK ||
        deflateSetDictionary(&w->deflate, dictionary, (uInt)dictionary_len) != Z_OK)
        abort();
}

void spdy_writer_free(struct spdy_writer *w)
{
    deflateEnd(&w->deflate);
}

static void control_head(uint8_t *frame, enum frame_type type, size_t len)
{
    put32(frame, 0x80000000u | VERSION << 16 | (uint32_t)type);
    put32(frame + 4, (uint32_t)len);
}

size_t spdy_reply(struct spdy_writer *w, uint8_t frame[SPDY_REPLY_MAX], uint32_t id)
{
    static const uint8_t no_headers[4] = {0};
    const size_t max = SPDY_REPLY_MAX - SPDY_HEAD_LEN - 4;
    size_t len;

    w->deflate.next_in = (Bytef *)no_headers;
    w->deflate.avail_in = sizeof(no_headers);
    w->deflate.next_out = frame + SPDY_HEAD_LEN + 4;
    w->deflate.avail_out = (uInt)max;
    if (deflate(&w->deflate, Z_SYNC_FLUSH) != Z_OK || !w->deflate.avail_out)
        abort(); /* four bytes fit */
    len = 4 + max - w->deflate.avail_out;
    control_head(frame, SYN_REPLY, len);
    put32(frame + SPDY_HEAD_LEN, id);
    return SPDY_HEAD_LEN + len;
}

void spdy_data_head(uint8_t head[SPDY_HEAD_LEN], uint32_t id, size_t len, bool last)
{
    put32(head, id & SPDY_STREAM_MAX);
    put32(head + 4, (last ? (uint32_t)FLAG_FIN << 24 : 0) | (uint32_t)len);
}

size_t spdy_reset(uint8_t frame[16], uint32_t id, uint32_t why)
{
    control_head(frame, RST_STREAM, 8);
    put32(frame + 8, id);
    put32(frame + 12, why);
    return 16;
}

size_t spdy_ping(uint8_t frame[12], uint32_t id)
{
    control_head(frame, PING, 4);
    put32(frame + 8, id);
    return 12;
}

size_t spdy_goaway(uint8_t frame[16], uint32_t newest)
{
    control_head(frame, GOAWAY, 8);
    put32(frame + 8, newest);
    put32(frame + 12, 0);
    return 16;
}
