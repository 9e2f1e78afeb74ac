/* The HTTP/1.1 front, dispatch and streams, over real sockets and without a database. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/x509v3.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/listen.h"
#include "core/loop.h"
#include "core/server.h"
#include "core/stream.h"
#include "tests/unit/unit.h"

#define CONTAINS(text, part) CU_ASSERT_PTR_NOT_NULL(strstr(text, part))

/* ---- a small service ---- */

static enum fault hello(struct call *c)
{
    return reply_bytes(c, 200, "text/plain", BYTES("hello"));
}

static enum fault echo(struct call *c)
{
    return reply_bytes(c, 200, "text/plain", c->body);
}

static enum fault name(struct call *c)
{
    return reply_bytes(c, 200, "text/plain",
                       BYTES(arena_printf(&c->op.arena, "[%s][%s]", c->path_args[0],
                                          c->path_args[1] ? c->path_args[1] : "")));
}

struct counter {
    struct sink sink;
    size_t bytes, fail_after;
    bool finished;
};
static atomic_int cut_bodies;

static enum fault count(struct sink *sink, struct op *op, struct bytes chunk)
{
    struct counter *counter = (struct counter *)sink;

    counter->bytes += chunk.len;
    if (counter->fail_after && counter->bytes > counter->fail_after)
        return fail(op, UNAVAILABLE, "the disk is full");
    return OK;
}

static enum fault counted(struct sink *sink, struct op *op)
{
    (void)op;
    ((struct counter *)sink)->finished = true;
    return OK;
}

static enum fault upload_open(struct call *c)
{
    struct counter *counter = arena_alloc(&c->op.arena, sizeof(*counter));

    counter->sink = (struct sink){count, counted};
    counter->fail_after = call_query(c, "fail", 0) ? 1000 : 0;
    c->sink = &counter->sink;
    return OK;
}

static enum fault upload(struct call *c)
{
    struct counter *counter = (struct counter *)c->sink;

    CU_ASSERT_TRUE(counter->finished);
    if (c->body_state == BODY_CUT)
        atomic_fetch_add(&cut_bodies, 1);
    return reply_bytes(c, 201, "text/plain",
                       BYTES(arena_printf(&c->op.arena, "%zu bytes", counter->bytes)));
}

static enum fault refuse(struct call *c, bool may_block)
{
    return may_block ? fail(&c->op, UNAUTHENTICATED, "who are you?") : WOULD_BLOCK;
}

static struct stream *watched;
static atomic_int streams_closed;

static void on_stream_close(struct stream *s)
{
    (void)s;
    atomic_fetch_add(&streams_closed, 1);
}

static enum fault watch(struct call *c)
{
    watched = stream_open(c, 200);
    watched->on_close = on_stream_close;
    stream_send(watched, BYTES("one\n"));
    return OK;
}

static void on_data(struct stream *s, struct bytes data)
{
    stream_send(s, data);
    if (memchr(data.data, '!', data.len)) {
        stream_end(s);
        stream_release(s);
    }
}

static enum fault both_ways(struct call *c)
{
    struct stream *s;

    reply_header(c, "Upgrade", "%s", "echo");
    s = stream_open(c, 101);
    s->on_data = on_data;
    return OK;
}

static void complete_soon(struct call *c)
{
    reply_bytes(c, 202, "text/plain", BYTES("parked"));
    call_complete(c, OK);
}

static enum fault park(struct call *c)
{
    return call_park(c, complete_soon);
}

static const struct route routes[] = {
    {GET,                   "/memory", 0, CALL, hello, "", .from_memory = hello},
    {GET,                    "/hello", 0, CALL, hello, ""},
    {GET,                "/park", 0, CALL, park, ""},
    {POST, "/echo", 0, CALL, echo, "", .body_max = 1000},
    {POST,                   "/secret", 1, CALL, echo, "", .body_max = 1000},
    {GET,                    "/n/{name+}/blobs/{digest}", 0, CALL, name, ""},
    {PUT,                "/upload", 0, UPLOAD, upload, "", .open = upload_open},
    {PUT,                     "/private", 1, UPLOAD, upload, "", .open = upload_open},
    {GET,"/watch", 0, WATCH, watch, ""},
    {GET,                 "/stream", 0, STREAM, both_ways, ""},
    {0                  },
};
static const struct service service = {.name = "test", .routes = routes, .authorise = refuse};

static enum fault who(struct call *c)
{
    const struct certificate *of = c->certificate;

    return reply_bytes(
        c, 200, "text/plain",
        BYTES(arena_printf(
            &c->op.arena, "realm %s of %s in %s,%s.", c->realm, of ? of->common_name : "nobody",
            of && of->organizations[0] ? of->organizations[0] : "-",
            of && of->organizations[0] && of->organizations[1] ? of->organizations[1] : "-")));
}

static const struct route realm_routes[] = {
    {GET, "/who", 0, CALL, who, ""},
    {0 }
};
static const struct service realm_service = {
    .name = "realm", .routes = realm_routes, .realm = true};
static const struct service *const services[] = {&service, &realm_service, NULL};

/* ---- a client ---- */

static struct sockaddr_in server;

static void start_once(void)
{
    static bool started;
    struct listener listener = {.tls = false};
    socklen_t len = sizeof(server);
    struct op op;

    if (started)
        return;
    started = true;
    op_init(&op);
    server_settings = unit_settings();
    all_services = services;
    workers = pool_new("worker", 4, 64, false);
    io_pool = pool_new("io", 2, 64, false);
    CU_ASSERT_EQUAL_FATAL(listen_bind(&op, "127.0.0.1:0", &listener.fd), OK);
    listen(listener.fd, 64);
    getsockname(listener.fd, (struct sockaddr *)&server, &len);
    http1_setup();
    http2_setup();
    loops_start(2, &listener, 1);
    op_free(&op);
}

static int dial(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct timeval patience = {.tv_sec = 60};

    start_once();
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&server, sizeof(server)), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    CU_ASSERT_EQUAL(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Read until end says enough, or the server closes (end NULL). */
static const char *hear(int fd, const char *end)
{
    static char buf[65536];
    size_t n = 0;
    ssize_t got;

    buf[0] = '\0';
    while (n < sizeof(buf) - 1 && (!end || !strstr(buf, end)) &&
           (got = recv(fd, buf + n, sizeof(buf) - 1 - n, 0)) > 0) {
        n += (size_t)got;
        buf[n] = '\0';
    }
    return buf;
}

/* One request on a connection of its own. */
static const char *ask(const char *request)
{
    int fd = dial();
    const char *answer;

    say(fd, request);
    answer = hear(fd, NULL);
    close(fd);
    return answer;
}

#define GET_(path) "GET " path " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

/* ---- tests ---- */

static void test_answers(void)
{
    CONTAINS(ask(GET_("/memory")), "\r\n\r\nhello");
    CONTAINS(ask(GET_("/hello")), "HTTP/1.1 200 OK\r\n");
    CONTAINS(ask(GET_("/park")), "HTTP/1.1 202 Accepted\r\n");
    CONTAINS(ask(GET_("/hello")), "x-ms-request-id: ");
    CONTAINS(ask(GET_("/n/a/b/blobs/c/blobs/d")), "[a/b/blobs/c][d]");
    CONTAINS(ask(GET_("/n/a%2Fb/blobs/sha256%3Ad")), "[a/b][sha256:d]");
    CONTAINS(ask(GET_("/nowhere")), "HTTP/1.1 404 ");
    CONTAINS(ask("DELETE /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
             "Allow: GET, HEAD\r\n");
}

static void test_head_has_no_body(void)
{
    const char *answer = ask("HEAD /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");

    CONTAINS(answer, "Content-Length: 5\r\n");
    CU_ASSERT_PTR_NULL(strstr(answer, "hello"));
}

static void test_pipelined(void)
{
    const char *answer =
        ask("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
            "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" GET_("/memory"));
    const char *second = strstr(answer + 1, "HTTP/1.1 200");

    CU_ASSERT_PTR_NOT_NULL_FATAL(second);
    CONTAINS(second, "abcHTTP/1.1 200");
}

static void test_malformed(void)
{
    static const char *const requests[] = {
        "GET /hello HTTP/1.1\r\n\r\n", /* no Host */
        "GET /hello HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        "nonsense\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -3\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: x\r\nA: b\r\n folded\r\n\r\n",
        "GET /%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET /%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET http://x/hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: a/b\r\nConnection: close\r\n\r\n",
    };

    for (size_t i = 0; i < ARRAY_LEN(requests); i++)
        CONTAINS(ask(requests[i]), "HTTP/1.1 400 ");
}

static void test_bodies(void)
{
    CONTAINS(ask("POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                 "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"),
             "\r\n\r\nabcde");
    CONTAINS(ask("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n"),
             "HTTP/1.1 413 ");
    CONTAINS(ask("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n"
                 "Connection: close\r\n\r\nabcde"),
             "\r\n\r\nabcde");
}

static void test_authorised_before_the_body(void)
{
    int fd = dial();

    say(fd, "PUT /private HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"
            "Expect: 100-continue\r\n\r\n");
    CONTAINS(hear(fd, "who are you?"), "HTTP/1.1 401 "); /* and no 100 before it */
    close(fd);
    CONTAINS(ask("POST /secret HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde"),
             "HTTP/1.1 401 ");
}

static void test_upload(void)
{
    static char chunk[100000];
    int fd = dial();

    memset(chunk, 'x', sizeof(chunk));
    say(fd, "PUT /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n"
            "Expect: 100-continue\r\n\r\n");
    CONTAINS(hear(fd, "\r\n\r\n"), "HTTP/1.1 100 Continue");
    for (int i = 0; i < 50; i++)
        CU_ASSERT_EQUAL(send(fd, chunk, sizeof(chunk), MSG_NOSIGNAL), (ssize_t)sizeof(chunk));
    CONTAINS(hear(fd, "bytes"), "5000000 bytes");
    say(fd, "PUT /upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            "3\r\nabc\r\n0\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    CONTAINS(hear(fd, "hello"), "3 bytesHTTP/1.1 200"); /* the connection goes on */
    say(fd, "PUT /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    CONTAINS(hear(fd, "bytes"), "0 bytes");
    close(fd);
}

static void test_upload_fails_midway(void)
{
    static char chunk[100000];
    int fd = dial();

    say(fd, "PUT /upload?fail=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n");
    for (int i = 0; i < 3; i++)
        (void)!send(fd, chunk, sizeof(chunk), MSG_NOSIGNAL);
    CONTAINS(hear(fd, "disk"), "HTTP/1.1 503 ");
    close(fd);
}

static void wait_for(atomic_int *counter, int value)
{
    for (int i = 0; i < 6000 && atomic_load(counter) < value; i++)
        usleep(10000);
    CU_ASSERT_EQUAL(atomic_load(counter), value);
}

static void test_client_leaves(void)
{
    int before = atomic_load(&cut_bodies), fd = dial();

    say(fd, "PUT /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc");
    close(fd);
    wait_for(&cut_bodies, before + 1);
}

static void test_watch(void)
{
    int before = atomic_load(&streams_closed), fd = dial();
    struct stream *first;

    say(fd, "GET /watch HTTP/1.1\r\nHost: x\r\n\r\n");
    CONTAINS(hear(fd, "one"), "4\r\none\n\r\n");
    first = watched;
    CU_ASSERT_TRUE(stream_send(first, BYTES("two\n")));
    CONTAINS(hear(fd, "two"), "two\n");
    stream_end(first);
    CONTAINS(hear(fd, NULL), "0\r\n\r\n");
    close(fd);
    wait_for(&streams_closed, before + 1);
    CU_ASSERT_FALSE(stream_send(first, BYTES("late")));
    stream_release(first);

    fd = dial(); /* a watcher that leaves is noticed at once */
    say(fd, "GET /watch HTTP/1.1\r\nHost: x\r\n\r\n");
    hear(fd, "one");
    close(fd);
    wait_for(&streams_closed, before + 2);
    stream_release(watched);
}

/* slowly: our loop has written all it could before the queue fills, and waits to write more. */
static void cut_off(bool slowly)
{
    static char much[STREAM_QUEUE_MAX / 4];
    int fd = dial(), before = atomic_load(&streams_closed);
    bool sent = true;

    say(fd, "GET /watch HTTP/1.1\r\nHost: x\r\n\r\n");
    hear(fd, "one");
    for (int i = 0; i < 100000 && sent; i++) {
        sent = stream_send(watched, (struct bytes){much, sizeof(much)});
        usleep(slowly ? 20000 : 0);
    }
    CU_ASSERT_FALSE(sent);
    wait_for(&streams_closed, before + 1);
    stream_release(watched);
    close(fd);
}

static void test_slow_watcher_is_cut_off(void)
{
    cut_off(false);
    cut_off(true);
}

static void test_stream(void)
{
    int fd = dial();

    CONTAINS(ask(GET_("/stream")), "HTTP/1.1 400 ");
    say(fd, "GET /stream HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly");
    CONTAINS(hear(fd, "early"), "HTTP/1.1 101 Switching Protocols");
    say(fd, "more");
    CONTAINS(hear(fd, "more"), "more");
    say(fd, "!");
    CONTAINS(hear(fd, NULL), "!");
    close(fd);
}

/* ---- realms: TLS with client certificates ---- */

static EVP_PKEY *ca_key, *other_key;

/* subject: "CN=x,O=y,O=z" by NID; signed by the CA, or by the other one. */
static X509 *make_certificate(EVP_PKEY *key, EVP_PKEY *signer, const char *issuer, const char *cn,
                              const char *const *organizations)
{
    X509 *x = X509_new();
    X509_NAME *name = X509_get_subject_name(x);

    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
    X509_gmtime_adj(X509_getm_notBefore(x), -60);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const void *)cn, -1, -1, 0);
    for (; organizations && *organizations; organizations++)
        X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const void *)*organizations, -1, -1,
                                   0);
    X509_NAME_add_entry_by_txt(X509_get_issuer_name(x), "CN", MBSTRING_UTF8, (const void *)issuer,
                               -1, -1, 0);
    X509_set_pubkey(x, key);
    if (!organizations && strcmp(cn, issuer) == 0) {
        X509_EXTENSION *is_ca =
            X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");

        X509_add_ext(x, is_ca, -1);
        X509_EXTENSION_free(is_ca);
    }
    X509_sign(x, signer, EVP_sha256());
    return x;
}

/* One request over TLS, with a certificate (NULL: none); the answer, "" when the door is shut. */
static const char *ask_tls(int port, X509 *certificate, EVP_PKEY *key)
{
    static char buf[4096];
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    int fd = socket(AF_INET, SOCK_STREAM, 0), n = 0, got;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (certificate) {
        SSL_use_certificate(ssl, certificate);
        SSL_use_PrivateKey(ssl, key);
    }
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0) {
        static const char request[] = "GET /who HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

        SSL_set_fd(ssl, fd);
        if (SSL_connect(ssl) == 1 && SSL_write(ssl, request, sizeof(request) - 1) > 0)
            while ((got = SSL_read(ssl, buf + n, (int)sizeof(buf) - 1 - n)) > 0)
                n += got;
    }
    buf[n] = '\0';
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close(fd);
    return buf;
}

static int port_of(int fd)
{
    struct sockaddr_in at;
    socklen_t len = sizeof(at);

    getsockname(fd, (struct sockaddr *)&at, &len);
    return ntohs(at.sin_port);
}

static void test_realm(void)
{
    static const char *const masters[] = {"system:masters", "b", NULL};
    X509 *ca, *server_certificate, *client, *stranger;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    struct realm *realm;
    struct op op;
    int fd = -1, port;

    start_once();
    op_init(&op);
    ca_key = EVP_EC_gen("P-256");
    other_key = EVP_EC_gen("P-256");
    ca = make_certificate(ca_key, ca_key, "ca", "ca", NULL);
    server_certificate = make_certificate(key, ca_key, "ca", "server", NULL);
    client = make_certificate(key, ca_key, "ca", "me", masters);
    stranger = make_certificate(key, other_key, "ca", "me", masters);
    CU_ASSERT_EQUAL_FATAL(listen_bind(&op, "127.0.0.1:0", &fd), OK);
    listen(fd, 8);
    port = port_of(fd);
    realm = realm_open("r1", "r1.example", realm_context(server_certificate, key, ca));
    realm_listen(realm, fd);
    CONTAINS(ask_tls(port, NULL, NULL), "realm r1 of nobody in -,-.");
    CONTAINS(ask_tls(port, client, key), "realm r1 of me in system:masters,b.");
    CONTAINS(ask_tls(port, stranger, key), "realm r1 of nobody in -,-.");
    CONTAINS(ask(GET_("/who")), "HTTP/1.1 404 "); /* the common door has no such service */
    realm_close(realm);
    while (*ask_tls(port, client, key)) /* its listeners close on the loops' threads */
        sched_yield();
    X509_free(ca);
    X509_free(server_certificate);
    X509_free(client);
    X509_free(stranger);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(other_key);
    op_free(&op);
}

CU_TestInfo core_transport_tests[] = {
    {"answers",                     test_answers                   },
    {"HEAD has no body",            test_head_has_no_body          },
    {"pipelined requests",          test_pipelined                 },
    {"malformed requests",          test_malformed                 },
    {"bodies",                      test_bodies                    },
    {"authorised before the body",  test_authorised_before_the_body},
    {"uploads stream",              test_upload                    },
    {"an upload that fails midway", test_upload_fails_midway       },
    {"a client that leaves",        test_client_leaves             },
    {"a watch",                     test_watch                     },
    {"a slow watcher is cut off",   test_slow_watcher_is_cut_off   },
    {"a stream goes both ways",     test_stream                    },
    {"a realm's own door",          test_realm                     },
    CU_TEST_INFO_NULL,
};
