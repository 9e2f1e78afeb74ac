#include "core/websocket.h"

#include <openssl/sha.h>
#include <string.h>

#include "core/seal.h"

/* RFC 6455 1.3: "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" */
#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

bool websocket_accept(struct arena *arena, const char *key, const char **ret)
{
    uint8_t digest[SHA_DIGEST_LENGTH];
    struct bytes nonce;
    char *text;

    if (strlen(key) != 24 || !base64_decode(arena, key, false, &nonce) || nonce.len != 16)
        return false;
    text = arena_printf(arena, "%s" GUID, key);
    SHA1((const unsigned char *)text, strlen(text), digest);
    *ret = base64_encode(arena, (struct bytes){digest, sizeof(digest)}, false);
    return true;
}

size_t websocket_head(uint8_t head[WEBSOCKET_HEAD_MAX], enum websocket_opcode opcode, size_t len)
{
    size_t bytes = len < 126 ? 0 : len < 65536 ? 2 : 8;

    head[0] = (uint8_t)(0x80 | opcode);
    head[1] = (uint8_t)(bytes == 0 ? len : bytes == 2 ? 126 : 127);
    for (size_t i = 0; i < bytes; i++)
        head[2 + i] = (uint8_t)((uint64_t)len >> (8 * (bytes - 1 - i)));
    return 2 + bytes;
}

/* ---- reading ---- */

static struct websocket_event broken(struct websocket_reader *r, int code)
{
    r->broken = true;
    return (struct websocket_event){.kind = WEBSOCKET_BROKEN, .code = code};
}

static size_t head_length(const struct websocket_reader *r)
{
    unsigned length = r->head[1] & 0x7f;

    return r->n_head < 2 ? 2 : 2 + (size_t)(length == 126 ? 2 : length == 127 ? 8 : 0) + 4;
}

static bool is_control(uint8_t opcode)
{
    return opcode & 8;
}

/* RFC 6455 5.2, 5.4, 5.5; 0 or the code to close with. */
static int begin_frame(struct websocket_reader *r)
{
    unsigned length = r->head[1] & 0x7f;
    size_t bytes = length == 126 ? 2 : length == 127 ? 8 : 0;
    uint8_t opcode = r->head[0] & 0x0f;

    r->left = bytes ? 0 : length;
    for (size_t i = 0; i < bytes; i++)
        r->left = r->left << 8 | r->head[2 + i];
    memcpy(r->mask, r->head + 2 + bytes, 4);
    r->fin = r->head[0] & 0x80;
    r->at = 0;
    r->n_head = 0;
    r->opcode = opcode;
    r->in_frame = true;
    if (is_control(opcode)) {
        r->n_control = 0;
        return opcode > WEBSOCKET_PONG || !r->fin || r->left > WEBSOCKET_CONTROL_MAX
                   ? WEBSOCKET_PROTOCOL_ERROR
                   : 0;
    }
    if (opcode > WEBSOCKET_BINARY || (opcode == WEBSOCKET_CONTINUATION) != r->in_message)
        return WEBSOCKET_PROTOCOL_ERROR;
    if (!r->in_message) {
        r->in_message = true;
        r->text = opcode == WEBSOCKET_TEXT;
        r->message_bytes = 0;
    }
    if (r->left > r->message_max - r->message_bytes)
        return WEBSOCKET_TOO_BIG;
    r->message_bytes += r->left;
    return 0;
}

/* Byte by byte until the head is whole; false: more is needed. */
static bool read_head(struct websocket_reader *r, struct bytes *in, int *ret_code)
{
    const uint8_t *data = in->data;

    *ret_code = 0;
    while (in->len > 0) {
        r->head[r->n_head++] = *data++;
        *in = (struct bytes){data, in->len - 1};
        /* reserved bits: no extension was agreed on; a client's frames are masked */
        if ((r->n_head == 1 && r->head[0] & 0x70) || (r->n_head == 2 && !(r->head[1] & 0x80))) {
            *ret_code = WEBSOCKET_PROTOCOL_ERROR;
            return true;
        }
        if (r->n_head < 2 || r->n_head < head_length(r))
            continue;
        *ret_code = begin_frame(r);
        return true;
    }
    return false;
}

/* Unmask what there is of the frame into the buffer, behind its first n bytes. */
static size_t read_payload(struct websocket_reader *r, struct bytes *in, size_t n)
{
    const uint8_t *data = in->data;
    size_t some = sizeof(r->buffer) - n;

    if (some > in->len)
        some = in->len;
    if (some > r->left)
        some = (size_t)r->left;
    for (size_t i = 0; i < some; i++)
        r->buffer[n + i] = data[i] ^ r->mask[(r->at + i) & 3];
    r->at += some;
    r->left -= some;
    if (some)
        *in = (struct bytes){data + some, in->len - some};
    return some;
}

static struct websocket_event data_event(struct websocket_reader *r, struct bytes *in)
{
    size_t n = read_payload(r, in, 0);
    struct websocket_event event = {
        .kind = WEBSOCKET_DATA,
        .data = {r->buffer, n},
        .text = r->text,
        .last = r->fin && r->left == 0,
    };

    if (r->left == 0) {
        r->in_frame = false;
        r->in_message = !r->fin;
    }
    return event;
}

/* RFC 6455 7.4: codes that may be in a close frame. */
static bool is_close_code(int code)
{
    return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
           (code >= 3000 && code < 5000);
}

static struct websocket_event control_event(struct websocket_reader *r, struct bytes *in)
{
    struct websocket_event event = {.kind = WEBSOCKET_MORE};

    r->n_control += read_payload(r, in, r->n_control);
    if (r->left > 0)
        return event;
    r->in_frame = false;
    event.data = (struct bytes){r->buffer, r->n_control};
    if (r->opcode != WEBSOCKET_CLOSE) {
        event.kind = r->opcode == WEBSOCKET_PING ? WEBSOCKET_PINGED : WEBSOCKET_PONGED;
        return event;
    }
    event.kind = WEBSOCKET_CLOSED;
    event.code = r->n_control >= 2 ? r->buffer[0] << 8 | r->buffer[1] : WEBSOCKET_NO_CODE;
    if (r->n_control == 1 || (r->n_control >= 2 && !is_close_code(event.code)))
        return broken(r, WEBSOCKET_PROTOCOL_ERROR);
    r->broken = true; /* nothing follows */
    return event;
}

struct websocket_event websocket_read(struct websocket_reader *r, struct bytes *in)
{
    struct websocket_event more = {.kind = WEBSOCKET_MORE};
    int code;

    if (r->broken)
        return more;
    if (!r->in_frame) {
        if (!read_head(r, in, &code))
            return more;
        if (code)
            return broken(r, code);
    }
    if (is_control(r->opcode))
        return control_event(r, in);
    return r->left > 0 && in->len == 0 ? more : data_event(r, in);
}
