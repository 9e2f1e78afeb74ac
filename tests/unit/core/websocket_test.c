#include "core/websocket.h"

#include <string.h>

#include "tests/unit/unit.h"

/* RFC 6455 1.3: "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" */
static void test_accept(void)
{
    static const char *const bad[] = {"", "abc", "dGhlIHNhbXBsZSBub25jZQ=",
                                      "!!!!IHNhbXBsZSBub25jZQ==", "AAAAAAAAAAAAAAAAAAAAAAAA"};
    const char *accept = NULL;
    struct op op;

    op_init(&op);
    CU_ASSERT_TRUE(websocket_accept(&op.arena, "dGhlIHNhbXBsZSBub25jZQ==", &accept));
    CU_ASSERT_STRING_EQUAL(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CU_ASSERT_FALSE(websocket_accept(&op.arena, bad[i], &accept));
    op_free(&op);
}

static void test_heads(void)
{
    static const struct {
        size_t len, n;
        uint8_t head[WEBSOCKET_HEAD_MAX];
    } cases[] = {
        {0,       2,  {0x82, 0}                          },
        {125,     2,  {0x82, 125}                        },
        {126,     4,  {0x82, 126, 0, 126}                },
        {65535,   4,  {0x82, 126, 255, 255}              },
        {65536,   10, {0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0}},
        {1 << 24, 10, {0x82, 127, 0, 0, 0, 0, 1, 0, 0, 0}},
    };
    uint8_t head[WEBSOCKET_HEAD_MAX];

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CU_ASSERT_EQUAL(websocket_head(head, WEBSOCKET_BINARY, cases[i].len), cases[i].n);
        CU_ASSERT_EQUAL(memcmp(head, cases[i].head, cases[i].n), 0);
    }
}

/* What a reader makes of bytes, given in pieces of step: "T:Hel", "T:lo.", "P:x", "C:1000",
   "!1002"; a message's last piece ends with a dot. */
static const char *read_all(struct op *op, const char *bytes, size_t len, size_t step, size_t max)
{
    struct websocket_reader reader = {.message_max = max};
    struct websocket_event e;
    struct text out;

    text_init(&out, &op->arena, 4096);
    for (size_t at = 0; at < len; at += step) {
        struct bytes in = {bytes + at, len - at < step ? len - at : step};

        while ((e = websocket_read(&reader, &in)).kind != WEBSOCKET_MORE) {
            int n = (int)e.data.len;
            const char *data = e.data.data ? e.data.data : "";

            if (e.kind == WEBSOCKET_DATA && n + e.last > 0)
                text_printf(&out, "%s%.*s%s", e.text ? "t" : "b", n, data, e.last ? "." : "");
            else if (e.kind == WEBSOCKET_PINGED || e.kind == WEBSOCKET_PONGED)
                text_printf(&out, "%s%.*s", e.kind == WEBSOCKET_PINGED ? "<" : ">", n, data);
            else if (e.kind == WEBSOCKET_CLOSED || e.kind == WEBSOCKET_BROKEN)
                text_printf(&out, "%s%d", e.kind == WEBSOCKET_CLOSED ? "c" : "!", e.code);
        }
    }
    return out.data;
}

#define MASK "\x37\xfa\x21\x3d"
#define ZERO "\0\0\0\0"
#define B(s) s, sizeof(s) - 1

static void test_reading(void)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *read;
    } cases[] = {
  /* RFC 6455 5.7: a masked "Hello" */
        {B("\x81\x85" MASK "\x7f\x9f\x4d\x51\x58"),                   "tHello."       },
        {B("\x82\x80" ZERO),                                          "b."            },
        {B("\x01\x83" ZERO "Hel\x80\x82" ZERO "lo"),                  "tHeltlo."      },
        {B("\x01\x83" ZERO "Hel\x89\x81" ZERO "x\x80\x82" ZERO "lo"), "tHel<xtlo."    },
        {B("\x8a\x80" ZERO "\x82\x81" ZERO "z"),                      ">bz."          },
        {B("\x88\x82" ZERO "\x03\xe8\x82\x81" ZERO "z"),              "c1000"         },
        {B("\x88\x80" ZERO),                                          "c1005"         },
        {B("\x88\x81" ZERO "\x03"),                                   "!1002"         },
        {B("\x88\x82" ZERO "\x03\xed"),                               "!1002"         },
        {B("\x81\x05Hello"),                                          "!1002"         },
        {B("\xc1\x80" ZERO),                                          "!1002"         },
        {B("\x83\x80" ZERO),                                          "!1002"         },
        {B("\x8b\x80" ZERO),                                          "!1002"         },
        {B("\x80\x80" ZERO),                                          "!1002"         },
        {B("\x01\x80" ZERO "\x81\x80" ZERO),                          "!1002"         },
        {B("\x09\x80" ZERO),                                          "!1002"         },
        {B("\x89\xfe\x00\x7e" ZERO),                                  "!1002"         },
        {B("\x82\xfe\x00\x0b" ZERO),                                  "!1009"         },
        {B("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff" ZERO),          "!1009"         },
        {B("\x02\x88" ZERO "12345678\x80\x83" ZERO "9ab"),            "b12345678!1009"},
    };
    struct op op;

    op_init(&op);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CU_ASSERT_STRING_EQUAL(read_all(&op, cases[i].bytes, cases[i].len, cases[i].len, 10),
                               cases[i].read);
    op_free(&op);
}

/* However the bytes arrive, they mean the same. */
static void test_pieces(void)
{
    static const char bytes[] =
        "\x01\x83" ZERO "Hel\x89\x81" ZERO "x\x80\x82" ZERO "lo\x88\x82" ZERO "\x03\xe8";
    struct op op;

    op_init(&op);
    CU_ASSERT_STRING_EQUAL(read_all(&op, bytes, sizeof(bytes) - 1, 1, 10), "tHtetl<xtlto.c1000");
    op_free(&op);
}

CU_TestInfo core_websocket_tests[] = {
    {"the handshake's answer",   test_accept },
    {"heads of frames",          test_heads  },
    {"frames, whole and broken", test_reading},
    {"bytes one by one",         test_pieces },
    CU_TEST_INFO_NULL,
};
