/*
 * WebSocket frames (RFC 6455), the server's side: a reader that takes bytes as they come and gives
 * pieces of messages, and heads for frames to send. No extensions.
 */
#ifndef SUNDOG_CORE_WEBSOCKET_H
#define SUNDOG_CORE_WEBSOCKET_H

#include "core/op.h"

enum websocket_opcode {
    WEBSOCKET_CONTINUATION = 0,
    WEBSOCKET_TEXT = 1,
    WEBSOCKET_BINARY = 2,
    WEBSOCKET_CLOSE = 8,
    WEBSOCKET_PING = 9,
    WEBSOCKET_PONG = 10
};
enum websocket_code {
    WEBSOCKET_NORMAL = 1000,
    WEBSOCKET_PROTOCOL_ERROR = 1002,
    WEBSOCKET_NO_CODE = 1005, /* never sent: a close without one */
    WEBSOCKET_POLICY = 1008,
    WEBSOCKET_TOO_BIG = 1009,
    WEBSOCKET_INTERNAL = 1011
};
#define WEBSOCKET_CONTROL_MAX 125
#define WEBSOCKET_HEAD_MAX    10
#define WEBSOCKET_ACCEPT_LEN  28

/* The value of Sec-WebSocket-Accept for a client's key. False: that is no key (RFC 6455 4.1). */
bool websocket_accept(struct arena *arena, const char *key, const char **ret);

enum websocket_event_kind {
    WEBSOCKET_MORE,   /* all bytes are read; give more */
    WEBSOCKET_DATA,   /* a piece of a message */
    WEBSOCKET_PINGED, /* answer with a PONG of the same data */
    WEBSOCKET_PONGED,
    WEBSOCKET_CLOSED, /* answer with a CLOSE of the same code and end */
    WEBSOCKET_BROKEN  /* send a CLOSE with code and end; the reader gives nothing more */
};
struct websocket_event {
    enum websocket_event_kind kind;
    struct bytes data; /* DATA, PINGED: good until the next call */
    bool text;         /* DATA: of a text message */
    bool last;         /* DATA: the message ends with it */
    int code;          /* CLOSED, BROKEN */
};

/* Zeroed is a new one; set message_max. */
struct websocket_reader {
    size_t message_max; /* bytes of one message; more is BROKEN with 1009 */
    /* its own */
    uint8_t head[14];
    size_t n_head;
    bool in_frame, in_message, text, fin, broken;
    uint8_t opcode, mask[4];
    uint64_t left, at, message_bytes;
    uint8_t buffer[4096];
    size_t n_control;
};
/* The next event out of *in, which is moved on past what was read. */
struct websocket_event websocket_read(struct websocket_reader *reader, struct bytes *in);

/* Head of a whole, unmasked frame; its bytes. */
size_t websocket_head(uint8_t head[WEBSOCKET_HEAD_MAX], enum websocket_opcode opcode, size_t len);

#endif
