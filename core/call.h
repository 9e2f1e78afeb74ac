/*
 * A call: one HTTP request and its answer, the same over HTTP/1.1 and HTTP/2. A transport makes it
 * on a loop thread, core/dispatch.c leads it, a handler fills in the reply on a worker, the
 * transport sends that and frees the call. Handlers never see a socket.
 */
#ifndef SUNDOG_CORE_CALL_H
#define SUNDOG_CORE_CALL_H

#include "core/op.h"
#include "core/pool.h"

enum method { GET = 1, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, METHOD_COUNT };
const char *method_name(enum method method);
enum method method_parse(const char *name, size_t len); /* 0 when unknown */

/* How a route's work is done (GUIDE §5). */
enum lane {
    CALL,   /* whole body in memory (≤ body_max), then a worker runs the handler */
    UPLOAD, /* a worker opens a sink, the body streams into it on the io pool, then the handler */
    WATCH,  /* a worker opens it, the loop keeps it and sends what is published (core/stream.h) */
    STREAM, /* HTTP/1.1 Upgrade: a worker authorises, then the loop pumps bytes both ways */
};

struct call;
struct route {
    enum method method;  /* GET routes answer HEAD too */
    const char *pattern; /* "/v2/{name+}/blobs/{digest}": {x} one segment, {x+} one or more */
    int access;          /* 0 = public, else the service's own number of a right */
    enum lane lane;
    enum fault (*handler)(struct call *c);
    const char *summary; /* one sentence for docs/api */
    size_t body_max;     /* CALL: 0 = no body wanted (one up to 64 KiB is read and ignored) */
    enum fault (*open)(struct call *c); /* UPLOAD: on a worker, before the body: sets c->sink */
    /* Optional: answer on the loop from memory only; OK = answered, WOULD_BLOCK = ask a worker. */
    enum fault (*from_memory)(struct call *c);
    const char *query;  /* the query parameters it reads, for docs/api: "n, last" */
    bool metadata;      /* also answered to containers, at 169.254.169.254 */
    const char *action; /* the named right it needs: "Microsoft.Resources/tags/read"; or NULL */
};

/* One row: a fault (and noun, NULL = any) becomes a status and a code. First match wins. */
struct dialect_row {
    enum fault fault;
    const char *noun;
    int status;
    const char *code;
};
struct dialect {
    const char *name;
    const struct dialect_row *rows; /* ends with status 0 */
    /* Fill c->reply's body from c->op's reason. Status and code come from the row. */
    void (*render)(struct call *c, const struct dialect_row *row);
};

struct certificate;
struct migration;
struct settings;
/* A service as main.c lists it. Every member but name may be NULL. */
struct service {
    const char *name;
    const struct route *routes;
    const struct dialect *dialect;
    const struct migration *migrations; /* ends with name NULL; applied in the order of services */
    const char *schema;
    bool realm;    /* answers calls that came through a realm's door, and no others */
    bool any_case; /* paths match in any case of letters, "//" as "/" and without the slash
                           at their end (Resource Manager's) */
    bool (*owns_host)(
        const char *host); /* such a host is answered by this service (and core) only */
    /*
     * May this call do what route->access asks? Runs for every route whose access is not 0, before
     * any body byte is read. From the loop with may_block false: WOULD_BLOCK sends it to a worker.
     */
    enum fault (*authorise)(struct call *c, bool may_block);
    /* Headers every answer of this service carries (challenge, API version). After handler or
     * fault. */
    void (*decorate)(struct call *c);
    /* Before the helper is forked and root given up: helper_register. */
    void (*prepare)(void);
    /* What a first start needs and takes a processor's time, without the database: on a thread of
       its own, while that is made; ended before start. */
    void (*ahead)(void);
    /* After migrations: first-start rows, caches, background jobs. op->db is set. */
    enum fault (*start)(struct op *op, const struct settings *settings);
    /* Before any service stops: what asks others' routes in the background ends. */
    void (*drain)(void);
    void (*stop)(void);
    /* Before start, when another state is loaded: what runs on this machine ends. May be NULL. */
    enum fault (*end_all)(struct op *op, const struct settings *settings);
    /* `sundog doctor`: what this machine lacks for the service, and how to mend it; NULL: nothing.
       Without a server. */
    const char *(*lacks)(struct op *op);
    void (*metrics)(struct op *op, struct text *out); /* further lines for /metrics; op->db set */
};

struct header {
    const char *name; /* requests: lower case */
    const char *value;
};

/* Where an UPLOAD's body goes. write and finish run on an io thread, one at a time, in order. */
struct sink {
    enum fault (*write)(struct sink *sink, struct op *op, struct bytes chunk);
    enum fault (*finish)(struct sink *sink,
                         struct op *op); /* after the last byte: make it durable; may be NULL */
};

enum body_state {
    BODY_NONE,     /* the request has none */
    BODY_COMING,   /* not read yet */
    BODY_COMPLETE, /* c->body (CALL), or all of it went to the sink (UPLOAD) */
    BODY_CUT,      /* UPLOAD: the client left midway; the handler runs, nobody hears its reply */
};

#define PATH_ARGS_MAX     6
#define REPLY_HEADERS_MAX 24
#define REPLY_PARTS_MAX   33 /* multipart/byteranges: 16 ranges */

/* A piece of a reply's body: bytes in memory, or a range of reply.fd. */
struct part {
    struct bytes bytes; /* data NULL: a piece of the file */
    int64_t offset, length;
};

struct reply {
    int status; /* 0: not answered yet */
    struct header headers[REPLY_HEADERS_MAX];
    size_t n_headers;
    struct part parts[REPLY_PARTS_MAX]; /* the body, in order */
    size_t n_parts;
    int64_t content_length; /* computed from parts; set it to differ only for HEAD; -1 = unknown */
    int fd;                 /* of file parts; closed with the call; -1 */
    bool close;             /* the connection ends after it */
};

struct stream;
struct transport {
    void (*answer)(struct call *c);  /* on the loop: c->reply is complete */
    void (*receive)(struct call *c); /* on the loop: authorised; let the body come */
    void (*resume)(struct call *c);  /* on the loop: the sink has room again */
    void (*flush)(struct call *c);   /* on the loop: c->stream has something to say */
};

/* A message to a loop thread, embedded in what it is about. */
struct loop;
struct loop_task {
    struct loop_task *next;
    void (*run)(struct loop_task *task);
};
void loop_post(struct loop *loop, struct loop_task *task); /* from any thread */

/* Where a call is between its head and its answer. */
enum dispatch_step {
    STEP_BEGIN,
    STEP_AUTHORISE, /* a worker asks who this is before the body may come */
    STEP_OPEN,      /* a worker opens the sink */
    STEP_RECEIVE,   /* the body is coming */
    STEP_SINK,      /* the body has ended, its last chunks go to the sink */
    STEP_HANDLE,    /* a worker runs the handler, or it is parked */
    STEP_ANSWER,    /* the transport has the reply */
};

struct call {
    struct op op;
    /* the request; strings live in the arena */
    enum method method;
    const char *target; /* as sent: "/v2/a%2Fb/tags/list?n=2" */
    const char *path;   /* decoded, without query */
    const char *query;  /* raw, "" when none */
    const char *host;   /* as sent, port included; "" when absent */
    bool tls;
    bool metadata;     /* it came from a container, to the metadata service */
    const char *realm; /* whose door it came through (core/realm.h); NULL: the common one */
    const struct certificate *certificate; /* of the client, verified by its realm; NULL: none */
    /* A call within a call (inside.h): who asks, known already (struct identity of auth/entra.h).
       Never set by what came over a network. */
    const void *vouched;
    const char *local;  /* the address it reached: "127.0.0.1:8443" */
    int http_major;     /* 1 or 2 */
    const char *client; /* numeric address */
    struct header *headers;
    size_t n_headers;
    int64_t content_length; /* of the request; -1: chunked or unknown */
    enum body_state body_state;
    struct bytes body;
    const char *base_url; /* "https://host:port", no slash at its end; --public-url when set */
    char id[37];          /* x-ms-request-id, ours */
    const char *correlation_id;

    const struct service *service;
    const struct route *route;
    const char *path_args[PATH_ARGS_MAX]; /* of {…}, in order, decoded */
    void *caller;                         /* the service's own: who asks, set by authorise */
    struct {
        const char *who, *who_id, *right, *scope;
    } asked;       /* for core/trace.h; NULL: not known */
    void *scratch; /* the service's own: from open to handler */
    struct sink *sink;
    struct stream *stream; /* the reply goes on (core/stream.h) */

    struct reply reply;

    /* owned by core/dispatch.c and the transports */
    struct loop *loop;
    const struct transport *transport;
    void *connection;
    bool authorised, abandoned; /* abandoned: loop only; the connection is gone */
    struct dispatch_state {
        enum dispatch_step step;
        struct task work;      /* on the workers */
        struct loop_task back; /* from there to the loop */
        void (*park)(struct call *c);
        void (*completed)(struct call *c); /* core/inside.c: instead of going back to the loop */
        void (*heard)(struct call *c);     /* and for news of its stream */
        struct task drain;                 /* on the io pool: chunks into the sink */
        struct loop_task drained;          /* from there to the loop */
        pthread_mutex_t lock;              /* over the rest */
        struct chunk *chunks, **chunks_tail, *used;
        size_t chunk_bytes;
        bool draining, drained_posted, paused, body_ended, sink_finished;
        enum fault sink_fault;
    } dispatch;
    struct {
        struct call *next;
        unsigned flusher;
    } durable; /* core/durable.c's */
    int64_t started_us, received_bytes, sent_bytes;
};

/* ---- what handlers use ---- */

/* A request header by lower-case name, or NULL. call_header_at walks repeated ones. */
const char *call_header(const struct call *c, const char *name);
/* A query parameter, decoded, or NULL. nth: 0 the first of that name, 1 the second, … */
const char *call_query(struct call *c, const char *name, size_t nth);
/* The same from an application/x-www-form-urlencoded body. */
const char *call_form(struct call *c, const char *name, size_t nth);

/* All reply functions copy what they are given into the arena unless said otherwise. */
void reply_header(struct call *c, const char *name, const char *fmt, ...) PRINTF_LIKE(3, 4);
enum fault reply_empty(struct call *c, int status);
/* body stays the caller's and must live as long as the call (arena, or held by arena_defer). */
enum fault reply_bytes(struct call *c, int status, const char *content_type, struct bytes body);
/* Takes fd. Ranges: parses the Range header (several → multipart/byteranges); 206 or 416 (RANGE).
 */
enum fault reply_file(struct call *c, const char *content_type, int fd, int64_t size);
/* Undo what a handler put into the reply (it is run again, or failed). */
void reply_reset(struct call *c);

/*
 * Park: "return call_park(c, wait_for_it);". The worker gives back its connection and then,
 * touching the call no more, runs start(c), which arranges that somebody, on any thread, calls
 * call_complete once: with OK when c->reply is filled in, or with a fault recorded in c->op. The
 * arena lives on.
 */
enum fault call_park(struct call *c, void (*start)(struct call *c));
void call_complete(struct call *c, enum fault fault);
/* Where what a parked call waits for is done, when it needs a connection: on workers, but for a
   call within a call, whose asker keeps a worker waiting, elsewhere. */
struct pool *call_pool(const struct call *c);

/* ---- what transports use; all on the call's loop ---- */

struct call *call_new(struct loop *loop, const struct transport *transport, void *connection);
void call_free(struct call *c);
/* The head is parsed: method, target, host, headers, content_length, body_state are set. */
void dispatch_begin(struct call *c);
/* CALL: c->body is whole. UPLOAD: the last byte was given (state COMPLETE or CUT). */
void dispatch_body_end(struct call *c, enum body_state state);
/* UPLOAD: give a chunk; it is released on this loop after use. Returns false: pause until resume.
 */
struct chunk {
    struct chunk *next;
    struct bytes bytes;
    void (*release)(struct chunk *chunk); /* on the loop */
};
bool dispatch_chunk(struct call *c, struct chunk *chunk);
/* On a worker: all of it at once, for a call that has a body already and no client (inside.h); ends
   by dispatch.completed, maybe on another thread. */
void dispatch_inside(struct call *c, struct db *db);
/* The client is gone: the transport forgets the call; dispatch frees it when nobody uses it. */
void dispatch_abandon(struct call *c);
/* The reply is sent (or cannot be): logs, counts, frees the call. */
void dispatch_done(struct call *c);

#endif
