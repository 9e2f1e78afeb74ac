/* A hostile client of exec or port-forward: the first byte names the protocol, the second the
 * steps its bytes come in. */
#include <stdlib.h>
#include <string.h>

#include "clusters/http/wire.h"
#include "tests/fuzz/fuzz.h"

struct heard {
    size_t bytes;
    bool left;
};

static bool opened(void *user, const struct spdy_event *event)
{
    struct heard *heard = user;

    MUST(!heard->left);
    return event->n_headers % 2;
}

static void bytes(void *user, uint32_t id, struct bytes data)
{
    struct heard *heard = user;

    (void)id;
    MUST(!heard->left && data.len > 0);
    heard->bytes += data.len;
}

static void finished(void *user, uint32_t id)
{
    struct heard *heard = user;

    (void)id;
    MUST(!heard->left);
}

static void room(void *user)
{
    (void)user;
}

static void left(void *user)
{
    ((struct heard *)user)->left = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct wire_events events = {opened, bytes, finished, finished, room, left, room};
    static const struct wire_protocol protocols[] = {
        {"v5.channel.k8s.io",     WIRE_CHANNELS, 5},
        {"channel.k8s.io",        WIRE_CHANNELS, 1},
        {"base64.channel.k8s.io", WIRE_BASE64,   1},
        {"portforward.k8s.io",    WIRE_SPDY,     1},
        {"tunnel",                WIRE_TUNNEL,   1}
    };
    static struct wire wire;
    struct heard heard = {0};
    struct call call = {.http_major = 1};
    size_t step = size > 1 ? (size_t)data[1] + 1 : 1;

    op_init(&call.op);
    memset(&wire, 0, sizeof(wire));
    wire.protocol = &protocols[size ? data[0] % ARRAY_LEN(protocols) : 0];
    wire.events = &events;
    wire.user = &heard;
    wire.accept = "";
    wire_begin(&call, &wire);
    call.stream->posted = true; /* there is no loop to tell */
    for (size_t at = 2; at < size && !heard.left; at += step)
        call.stream->on_data(call.stream,
                             (struct bytes){data + at, size - at < step ? size - at : step});
    MUST(heard.bytes <= size);
    stream_closed(call.stream);
    wire_free(&wire);
    op_free(&call.op);
    return 0;
}
