#include "clusters/http/spdy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

/* SPDY draft 3, 2.6.10.1: the dictionary's checksum begins every connection's first block. */
static void test_dictionary(void)
{
    const uint8_t *dictionary = NULL;
    size_t len = spdy_dictionary(&dictionary);

    CU_ASSERT_EQUAL(len, 1423);
    CU_ASSERT_EQUAL(adler32(1, dictionary, (uInt)len), 0xe3c6a7c2);
}

/* ---- a client ---- */

struct client {
    z_stream deflate;
    uint8_t sent[65536];
    size_t n;
};

static void client_init(struct client *c)
{
    const uint8_t *dictionary = NULL;
    size_t len = spdy_dictionary(&dictionary);

    memset(c, 0, sizeof(*c));
    CU_ASSERT_EQUAL_FATAL(deflateInit(&c->deflate, 9), Z_OK);
    CU_ASSERT_EQUAL_FATAL(deflateSetDictionary(&c->deflate, dictionary, (uInt)len), Z_OK);
}

static void add(struct client *c, const void *data, size_t len)
{
    memcpy(c->sent + c->n, data, len);
    c->n += len;
}

static void add32(struct client *c, uint32_t value)
{
    const uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                              (uint8_t)value};

    add(c, bytes, sizeof(bytes));
}

/* A block of n headers "name=value". */
static size_t pack(struct client *c, const char *const *headers, size_t n, uint8_t *block,
                   size_t max)
{
    struct client plain = {.n = 0};

    add32(&plain, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        size_t name = strcspn(headers[i], "=");

        add32(&plain, (uint32_t)name);
        add(&plain, headers[i], name);
        add32(&plain, (uint32_t)strlen(headers[i] + name + 1));
        add(&plain, headers[i] + name + 1, strlen(headers[i] + name + 1));
    }
    c->deflate.next_in = plain.sent;
    c->deflate.avail_in = (uInt)plain.n;
    c->deflate.next_out = block;
    c->deflate.avail_out = (uInt)max;
    CU_ASSERT_EQUAL_FATAL(deflate(&c->deflate, Z_SYNC_FLUSH), Z_OK);
    return max - c->deflate.avail_out;
}

static void open_stream(struct client *c, uint32_t id, bool last, const char *const *headers,
                        size_t n)
{
    uint8_t block[16384];
    size_t len = pack(c, headers, n, block, sizeof(block));

    add32(c, 0x80030001);
    add32(c, (last ? 1u << 24 : 0) | (uint32_t)(10 + len));
    add32(c, id);
    add32(c, 0);
    add(c, "\0\0", 2);
    add(c, block, len);
}

static void send_data(struct client *c, uint32_t id, bool last, const char *text)
{
    add32(c, id);
    add32(c, (last ? 1u << 24 : 0) | (uint32_t)strlen(text));
    add(c, text, strlen(text));
}

static void send_control(struct client *c, uint32_t type, uint32_t a, uint32_t b)
{
    add32(c, 0x80030000 | type);
    add32(c, 8);
    add32(c, a);
    add32(c, b);
}

/* What a reader makes of it, given in pieces of step: "open 1 port=80 fin; data 1 hello; …". */
static const char *read_all(struct op *op, struct client *c, size_t step)
{
    static const char *const names[] = {"more", "open",   "data",  "reset",
                                        "ping", "goaway", "broken"};
    struct spdy_reader *r = malloc(sizeof(*r));
    struct spdy_event e;
    struct text out;
    bool joined = false;

    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    spdy_reader_init(r);
    text_init(&out, &op->arena, 65536);
    for (size_t at = 0; at < c->n; at += step) {
        struct bytes in = {c->sent + at, c->n - at < step ? c->n - at : step};

        while ((e = spdy_read(r, &in)).kind != SPDY_MORE) {
            const char *what = joined && e.kind == SPDY_DATA ? "" : names[e.kind];

            text_printf(&out, "%s", what);
            if (e.kind != SPDY_BROKEN && *what)
                text_printf(&out, " %u ", e.id);
            for (size_t i = 0; i < e.n_headers; i++)
                text_printf(&out, "%s=%s ", e.headers[i].name, e.headers[i].value);
            text_add(&out, e.data.data ? e.data.data : "", e.data.len);
            joined = e.kind == SPDY_DATA && r->in_frame;
            text_printf(&out, "%s", e.last ? " fin; " : joined ? "" : "; ");
        }
    }
    spdy_reader_free(r);
    free(r);
    deflateEnd(&c->deflate);
    return out.data;
}

static void test_reading(void)
{
    static const char *const a[] = {"streamtype=error", "port=80", "requestid=0"};
    static const char *const b[] = {"streamtype=data", "port=80", "requestid=0"};
    static const size_t steps[] = {1, 7, 65536};
    struct op op;

    op_init(&op);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        struct client c;

        client_init(&c);
        open_stream(&c, 1, true, a, 3);
        open_stream(&c, 3, false, b, 3);
        send_data(&c, 3, false, "hello");
        send_control(&c, 6, 7, 0);  /* PING */
        send_control(&c, 9, 3, 99); /* WINDOW_UPDATE: read over */
        send_control(&c, 4, 0, 0);  /* SETTINGS, too */
        send_data(&c, 3, true, "");
        send_control(&c, 3, 3, 5);
        send_control(&c, 7, 3, 0);
        CU_ASSERT_STRING_EQUAL(read_all(&op, &c, steps[i]),
                               "open 1 streamtype=error port=80 requestid=0  fin; "
                               "open 3 streamtype=data port=80 requestid=0 ; data 3 hello; "
                               "ping 7 ; data 3  fin; reset 3 ; goaway 3 ; ");
    }
    op_free(&op);
}

/* Each is the end of the connection, and nothing comes after it. */
static void bad_version(struct client *c)
{
    add32(c, 0x80020001);
    add32(c, 0);
}

static void bad_block(struct client *c)
{
    add32(c, 0x80030001);
    add32(c, 14);
    add(c, "\0\0\0\1\0\0\0\0\0\0junk", 14);
}

static void bad_order(struct client *c)
{
    open_stream(c, 3, false, NULL, 0);
    open_stream(c, 1, false, NULL, 0);
}

static void bad_parity(struct client *c)
{
    open_stream(c, 2, false, NULL, 0);
}

static void bad_length(struct client *c)
{
    add32(c, 0x80030004);
    add32(c, 0xffffff);
}

static void bad_count(struct client *c)
{
    const char *many[SPDY_HEADERS_MAX + 1];

    for (size_t i = 0; i < ARRAY_LEN(many); i++)
        many[i] = "a=b";
    open_stream(c, 1, false, many, ARRAY_LEN(many));
}

static void bad_bomb(struct client *c)
{
    static char big[SPDY_BLOCK_MAX + 3] = "a=";
    const char *header = big;

    memset(big + 2, 'x', SPDY_BLOCK_MAX);
    open_stream(c, 1, false, &header, 1);
}

static void test_bad_input(void)
{
    static void (*const cases[])(struct client *) = {bad_version, bad_block, bad_parity, bad_length,
                                                     bad_count,   bad_bomb,  bad_order};
    struct op op;

    op_init(&op);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *got, *wanted = cases[i] == bad_order ? "open 3 ; broken; " : "broken; ";
        struct client c;

        client_init(&c);
        cases[i](&c);
        send_data(&c, 1, false, "more");
        got = read_all(&op, &c, 65536);
        CU_ASSERT_STRING_EQUAL(got, wanted);
    }
    op_free(&op);
}

/* What is written can be read: a reply's block unpacks to no headers. */
static void test_writing(void)
{
    const uint8_t *dictionary = NULL;
    size_t dictionary_len = spdy_dictionary(&dictionary), n;
    uint8_t frame[SPDY_REPLY_MAX], block[64];
    struct spdy_writer w;
    z_stream z = {0};

    spdy_writer_init(&w);
    CU_ASSERT_EQUAL_FATAL(inflateInit(&z), Z_OK);
    for (uint32_t id = 1; id < 2000; id += 2) {
        n = spdy_reply(&w, frame, id);
        CU_ASSERT_EQUAL(memcmp(frame, "\x80\x03\0\2\0\0\0", 7), 0);
        CU_ASSERT_EQUAL(frame[7], n - SPDY_HEAD_LEN);
        CU_ASSERT_EQUAL((uint32_t)(frame[10] << 8 | frame[11]), id);
        z.next_in = frame + 12;
        z.avail_in = (uInt)(n - 12);
        z.next_out = block;
        z.avail_out = sizeof(block);
        if (inflate(&z, Z_SYNC_FLUSH) == Z_NEED_DICT) {
            CU_ASSERT_EQUAL(inflateSetDictionary(&z, dictionary, (uInt)dictionary_len), Z_OK);
            inflate(&z, Z_SYNC_FLUSH);
        }
        CU_ASSERT_EQUAL(sizeof(block) - z.avail_out, 4);
        CU_ASSERT_EQUAL(memcmp(block, "\0\0\0\0", 4), 0);
    }
    spdy_data_head(frame, 5, 0x1234, true);
    CU_ASSERT_EQUAL(memcmp(frame, "\0\0\0\5\1\0\x12\x34", 8), 0);
    CU_ASSERT_EQUAL(spdy_ping(frame, 9), 12);
    CU_ASSERT_EQUAL(memcmp(frame, "\x80\3\0\6\0\0\0\4\0\0\0\x9", 12), 0);
    CU_ASSERT_EQUAL(spdy_reset(frame, 3, SPDY_REFUSED), 16);
    CU_ASSERT_EQUAL(memcmp(frame, "\x80\3\0\3\0\0\0\x8\0\0\0\3\0\0\0\3", 16), 0);
    CU_ASSERT_EQUAL(spdy_goaway(frame, 3), 16);
    CU_ASSERT_EQUAL(memcmp(frame, "\x80\3\0\7\0\0\0\x8\0\0\0\3\0\0\0\0", 16), 0);
    inflateEnd(&z);
    spdy_writer_free(&w);
}

CU_TestInfo clusters_http_spdy_tests[] = {
    {"the dictionary is SPDY's",                   test_dictionary},
    {"frames are read, however they come",         test_reading   },
    {"bad frames end the connection",              test_bad_input },
    {"what is written is what the spec describes", test_writing   },
    CU_TEST_INFO_NULL,
};
