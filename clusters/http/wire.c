#include "clusters/http/wire.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "clusters/object/status.h"
#include "core/seal.h"

#define OUTPUT_MAX   ((size_t)256 << 10) /* of ours that waits for the client */
#define MESSAGE_MAX  ((size_t)64 << 20)  /* of a client; it is not kept */
#define BASE64_MAX   ((size_t)128 << 10) /* of a message that is */
#define CLOSE_MARK   255
#define HEAD_MAX     (WEBSOCKET_HEAD_MAX + SPDY_HEAD_LEN)
#define FRAME_MAX    (WIRE_PIECE / 3 * 4 + 8) /* of a piece, in base64 */
#define PROTOCOL_MAX 32                       /* offered */

/* ---- the Upgrade ---- */

static bool is_upgrade(const struct call *c)
{
    const char *connection = call_header(c, "connection");

    return c->http_major == 1 && call_header(c, "upgrade") && connection &&
           strcasestr(connection, "upgrade");
}

/* The texts of a header that may be a list, or come several times. */
static size_t offered(struct call *c, const char *header, const char *ret[PROTOCOL_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < c->n_headers; i++) {
        const char *at = c->headers[i].value;

        if (strcmp(c->headers[i].name, header) != 0)
            continue;
        for (; *at && n < PROTOCOL_MAX; at += strcspn(at, ",")) {
            at += strspn(at, ", \t");
            if (*at)
                ret[n++] = arena_strndup(&c->op.arena, at, strcspn(at, ", \t"));
        }
    }
    return n;
}

static const struct wire_protocol *find(const struct wire_protocol *p, bool spdy, const char *name)
{
    for (; p->name; p++)
        if ((p->kind == WIRE_SPDY) == spdy && strcmp(p->name, name) == 0)
            return p;
    return NULL;
}

static const char *list_of(struct op *op, const struct wire_protocol *protocols, bool spdy)
{
    struct text text;

    text_init(&text, &op->arena, 1024);
    for (const struct wire_protocol *p = protocols; p->name; p++)
        if ((p->kind == WIRE_SPDY) == spdy && *p->name)
            text_printf(&text, "%s%s", text.len ? " " : "", p->name);
    return text.data;
}

static enum fault none_fits(struct call *c, const struct wire_protocol *protocols, bool spdy,
                            const char *const *names, size_t n)
{
    struct text wanted;

    text_init(&wanted, &c->op.arena, 4096);
    for (size_t i = 0; i < n; i++)
        text_printf(&wanted, "%s%s", i ? " " : "", names[i]);
    return status_fail(&c->op, FORBIDDEN, "Forbidden", NULL,
                       "unable to upgrade: unable to negotiate protocol: client supports [%s], "
                       "server accepts [%s]",
                       wanted.data, list_of(&c->op, protocols, spdy));
}

enum fault wire_negotiate(struct call *c, const struct wire_protocol *protocols, struct wire *ret)
{
    const char *names[PROTOCOL_MAX], *upgrade = call_header(c, "upgrade");
    const char *version = call_header(c, "sec-websocket-version");
    const char *key = call_header(c, "sec-websocket-key");
    bool spdy = upgrade && strcasecmp(upgrade, "SPDY/3.1") == 0;
    size_t n;

    if (!is_upgrade(c) || (!spdy && strcasecmp(upgrade, "websocket") != 0))
        return bad_request(&c->op, "Upgrade request required");
    if (!spdy && (!version || strcmp(version, "13") != 0 || !key ||
                  !websocket_accept(&c->op.arena, key, &ret->accept)))
        return bad_request(&c->op, "this is a WebSocket of version 13");
    n = offered(c, spdy ? "x-stream-protocol-version" : "sec-websocket-protocol", names);
    if (n == 0)
        ret->protocol = find(protocols, spdy, "");
    for (size_t i = 0; i < n && !ret->protocol; i++)
        ret->protocol = find(protocols, spdy, names[i]);
    return ret->protocol ? OK : none_fits(c, protocols, spdy, names, n);
}

/* ---- frames; any thread ---- */

static bool is_spdy(const struct wire *w)
{
    return w->protocol->kind == WIRE_SPDY || w->protocol->kind == WIRE_TUNNEL;
}

static bool send_websocket(struct wire *w, enum websocket_opcode opcode, struct bytes a,
                           struct bytes b)
{
    uint8_t frame[HEAD_MAX + FRAME_MAX];
    size_t n = websocket_head(frame, opcode, a.len + b.len);

    memcpy(frame + n, a.data, a.len);
    memcpy(frame + n + a.len, b.data, b.len);
    return stream_send(w->stream, (struct bytes){frame, n + a.len + b.len});
}

static const struct bytes nothing = {"", 0};

/* One SPDY frame, in two pieces. */
static bool send_spdy(struct wire *w, struct bytes a, struct bytes b)
{
    uint8_t frame[SPDY_REPLY_MAX + WIRE_PIECE];

    if (w->protocol->kind == WIRE_TUNNEL)
        return send_websocket(w, WEBSOCKET_BINARY, a, b);
    memcpy(frame, a.data, a.len);
    memcpy(frame + a.len, b.data, b.len);
    return stream_send(w->stream, (struct bytes){frame, a.len + b.len});
}

static bool send_base64(struct wire *w, uint32_t id, struct bytes data)
{
    char channel = (char)('0' + id);
    struct op op;
    bool sent;

    op_init(&op);
    sent = send_websocket(w, WEBSOCKET_TEXT, (struct bytes){&channel, 1},
                          BYTES(base64_encode(&op.arena, data, false)));
    op_free(&op);
    return sent;
}

static bool send_piece(struct wire *w, uint32_t id, struct bytes data)
{
    uint8_t head[SPDY_HEAD_LEN] = {(uint8_t)id};

    if (w->protocol->kind == WIRE_BASE64)
        return send_base64(w, id, data);
    if (w->protocol->kind == WIRE_CHANNELS)
        return send_websocket(w, WEBSOCKET_BINARY, (struct bytes){head, 1}, data);
    spdy_data_head(head, id, data.len, false);
    return send_spdy(w, (struct bytes){head, sizeof(head)}, data);
}

bool wire_send(struct wire *w, uint32_t id, struct bytes data)
{
    size_t at = 0, n;

    do {
        n = data.len - at < WIRE_PIECE ? data.len - at : WIRE_PIECE;
        if (atomic_load(&w->ended) ||
            !send_piece(w, id, (struct bytes){(const char *)data.data + at, n}))
            return false;
        at += n;
    } while (at < data.len);
    return true;
}

void wire_finish(struct wire *w, uint32_t id)
{
    uint8_t head[SPDY_HEAD_LEN];

    if (!is_spdy(w)) /* 255 is for clients: they do not expect to hear it */
        return;
    spdy_data_head(head, id, 0, true);
    send_spdy(w, (struct bytes){head, sizeof(head)}, nothing);
}

void wire_reset(struct wire *w, uint32_t id)
{
    uint8_t frame[16];

    if (is_spdy(w))
        send_spdy(w, (struct bytes){frame, spdy_reset(frame, id, SPDY_CANCEL)}, nothing);
}

bool wire_has_room(struct wire *w)
{
    return stream_queued(w->stream) <= OUTPUT_MAX;
}

void wire_hold(struct wire *w, bool hold)
{
    stream_hold(w->stream, hold);
}

static void say_goodbye(struct wire *w, int code)
{
    uint8_t data[2] = {(uint8_t)(code >> 8), (uint8_t)code}, frame[16];

    if (w->protocol->kind == WIRE_TUNNEL || w->protocol->kind == WIRE_SPDY)
        send_spdy(w, (struct bytes){frame, spdy_goaway(frame, w->spdy.newest)}, nothing);
    if (w->protocol->kind != WIRE_SPDY)
        send_websocket(w, WEBSOCKET_CLOSE,
                       (struct bytes){data, code == WEBSOCKET_NO_CODE ? 0 : sizeof(data)}, nothing);
}

void wire_end(struct wire *w)
{
    if (!atomic_exchange(&w->ended, true))
        say_goodbye(w, WEBSOCKET_NORMAL);
    stream_hold(w->stream, false); /* its own goodbye is to be heard */
}

void wire_close(struct wire *w)
{
    stream_end(w->stream);
}

/* ---- hearing; on the loop ---- */

static void leave(struct wire *w, int code)
{
    if (!atomic_exchange(&w->ended, true))
        say_goodbye(w, code);
    stream_end(w->stream);
    w->gone = true;
    w->events->left(w->user);
}

/* The reply goes first: clients drop what is said on a stream before it. */
static void hear_open(struct wire *w, const struct spdy_event *e)
{
    uint8_t frame[SPDY_REPLY_MAX];

    send_spdy(w, (struct bytes){frame, spdy_reply(&w->writer, frame, e->id)}, nothing);
    if (atomic_load(&w->ended) || !w->events->opened(w->user, e))
        send_spdy(w, (struct bytes){frame, spdy_reset(frame, e->id, SPDY_REFUSED)}, nothing);
    else if (e->last)
        w->events->finished(w->user, e->id);
}

static void hear_spdy(struct wire *w, struct bytes data)
{
    uint8_t frame[16];
    struct spdy_event e;

    while (!w->gone && (e = spdy_read(&w->spdy, &data)).kind != SPDY_MORE) {
        switch (e.kind) {
        case SPDY_OPEN:
            hear_open(w, &e);
            break;
        case SPDY_DATA:
            if (e.data.len)
                w->events->bytes(w->user, e.id, e.data);
            if (e.last)
                w->events->finished(w->user, e.id);
            break;
        case SPDY_RESET:
            w->events->reset(w->user, e.id);
            break;
        case SPDY_PING:
            send_spdy(w, (struct bytes){frame, spdy_ping(frame, e.id)}, nothing);
            break;
        case SPDY_BROKEN:
            leave(w, WEBSOCKET_PROTOCOL_ERROR);
            break;
        default:
            break;
        }
    }
}

/* The first byte of a message is its channel; 255 and a channel: that is closed. */
static void hear_channels(struct wire *w, const struct websocket_event *e)
{
    const uint8_t *data = e->data.data;
    size_t n = e->data.len, i = 0;

    if (i < n && w->at == AT_CHANNEL) {
        w->channel = data[i++];
        w->at = w->channel == CLOSE_MARK && w->protocol->version >= WIRE_HALF_CLOSE_VERSION
                    ? AT_CLOSED_CHANNEL
                    : AT_DATA;
    }
    if (i < n && w->at == AT_CLOSED_CHANNEL)
        w->events->finished(w->user, data[i]);
    else if (i < n)
        w->events->bytes(w->user, w->channel, (struct bytes){data + i, n - i});
    if (e->last)
        w->at = AT_CHANNEL;
}

static void hear_base64(struct wire *w, const struct websocket_event *e)
{
    struct bytes data = {0};
    struct op op;

    if (w->n_message + e->data.len > BASE64_MAX) {
        leave(w, WEBSOCKET_TOO_BIG);
        return;
    }
    if (!w->message && !(w->message = malloc(BASE64_MAX + 1)))
        abort();
    memcpy(w->message + w->n_message, e->data.data, e->data.len);
    w->n_message += e->data.len;
    if (!e->last)
        return;
    w->message[w->n_message] = '\0';
    op_init(&op);
    if (w->n_message && base64_decode(&op.arena, w->message + 1, false, &data) && data.len)
        w->events->bytes(w->user, (uint32_t)(uint8_t)w->message[0] - '0', data);
    w->n_message = 0;
    op_free(&op);
}

static void hear_data(struct wire *w, const struct websocket_event *e)
{
    if (w->protocol->kind == WIRE_TUNNEL)
        hear_spdy(w, e->data);
    else if (w->protocol->kind == WIRE_BASE64)
        hear_base64(w, e);
    else
        hear_channels(w, e);
}

static void on_data(struct stream *stream, struct bytes data)
{
    struct wire *w = stream->user;
    struct websocket_event e;

    if (w->protocol->kind == WIRE_SPDY) {
        hear_spdy(w, data);
        return;
    }
    while (!w->gone && (e = websocket_read(&w->reader, &data)).kind != WEBSOCKET_MORE) {
        if (e.kind == WEBSOCKET_DATA)
            hear_data(w, &e);
        else if (e.kind == WEBSOCKET_PINGED)
            send_websocket(w, WEBSOCKET_PONG, e.data, nothing);
        else if (e.kind == WEBSOCKET_CLOSED || e.kind == WEBSOCKET_BROKEN)
            leave(w, e.code);
    }
}

static void on_room(struct stream *stream)
{
    struct wire *w = stream->user;

    w->events->room(w->user);
}

static void on_close(struct stream *stream)
{
    struct wire *w = stream->user;

    w->events->left(w->user);
    w->events->closed(w->user);
}

void wire_begin(struct call *c, struct wire *w)
{
    bool spdy = w->protocol->kind == WIRE_SPDY;

    reply_header(c, "Upgrade", "%s", spdy ? "SPDY/3.1" : "websocket");
    if (!spdy)
        reply_header(c, "Sec-WebSocket-Accept", "%s", w->accept);
    if (*w->protocol->name)
        reply_header(c, spdy ? "X-Stream-Protocol-Version" : "Sec-WebSocket-Protocol", "%s",
                     w->protocol->name);
    w->reader.message_max = MESSAGE_MAX;
    if (is_spdy(w)) {
        spdy_reader_init(&w->spdy);
        spdy_writer_init(&w->writer);
    }
    w->stream = stream_open(c, 101);
    w->stream->user = w;
    w->stream->on_data = on_data;
    w->stream->on_room = on_room;
    w->stream->on_close = on_close;
}

void wire_free(struct wire *w)
{
    free(w->message);
    if (!w->stream)
        return;
    if (is_spdy(w)) {
        spdy_reader_free(&w->spdy);
        spdy_writer_free(&w->writer);
    }
    stream_release(w->stream);
}
