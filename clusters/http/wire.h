/*
 * What clients of exec, attach and port-forward speak after the Upgrade, as numbered streams in one
 * connection: channels in WebSocket messages (a stream's number is its channel), SPDY, or SPDY in
 * WebSocket messages. Owners see streams and bytes; here is how they look on the wire.
 */
#ifndef SUNDOG_CLUSTERS_HTTP_WIRE_H
#define SUNDOG_CLUSTERS_HTTP_WIRE_H

#include "clusters/http/spdy.h"
#include "core/stream.h"
#include "core/websocket.h"

enum wire_kind { WIRE_CHANNELS, WIRE_BASE64, WIRE_SPDY, WIRE_TUNNEL };

/* One row: a subprotocol by its name ("" when the client names none). Ends with name NULL. */
struct wire_protocol {
    const char *name;
    enum wire_kind kind;
    int version;
};
#define WIRE_HALF_CLOSE_VERSION 5 /* from it on, channels are closed one by one */

/* On the loop; none may block. */
struct wire_events {
    /* SPDY: the client wants a stream. False: it is refused. */
    bool (*opened)(void *user, const struct spdy_event *event);
    void (*bytes)(void *user, uint32_t id, struct bytes data);
    void (*finished)(void *user, uint32_t id); /* the client says nothing more on it */
    void (*reset)(void *user, uint32_t id);    /* nor listens; SPDY */
    void (*room)(void *user);                  /* what waited was taken */
    void (*left)(void *user);   /* the client will say nothing more at all; may come twice */
    void (*closed)(void *user); /* the last one */
};

struct wire {
    const struct wire_protocol *protocol;
    const struct wire_events *events;
    void *user;
    /* wire.c's */
    const char *accept; /* Sec-WebSocket-Accept */
    struct stream *stream;
    atomic_bool ended;
    bool gone;
    struct websocket_reader reader;
    enum { AT_CHANNEL, AT_CLOSED_CHANNEL, AT_DATA } at;
    uint8_t channel;
    char *message; /* BASE64 */
    size_t n_message;
    struct spdy_reader spdy;
    struct spdy_writer writer;
};

/* Which of protocols does the request ask for? Fails as upstream when it is no Upgrade, or names
   none of them. */
enum fault wire_negotiate(struct call *c, const struct wire_protocol *protocols, struct wire *ret);
/* Answer 101; events and user are set. */
void wire_begin(struct call *c, struct wire *wire);
void wire_free(struct wire *wire); /* after closed, or never begun */

/* ---- any thread ---- */

#define WIRE_PIECE ((size_t)16 << 10) /* more is sent in several */
/* False: the client has left, or wire_end was. */
bool wire_send(struct wire *wire, uint32_t id, struct bytes data);
/* We say nothing more on it. Does nothing where that cannot be said. */
void wire_finish(struct wire *wire, uint32_t id);
void wire_reset(struct wire *wire, uint32_t id);
bool wire_has_room(struct wire *wire);
void wire_hold(struct wire *wire, bool hold); /* read no more from the client, or again */
/* Say goodbye. The client closes then; wire_close if it does not. */
void wire_end(struct wire *wire);
void wire_close(struct wire *wire);

#endif
