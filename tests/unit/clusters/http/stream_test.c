/* exec by a client that is played here, of a process that is played here, too. */
#include "clusters/http/streams.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/loop.h"
#include "tests/unit/unit.h"

#define KEY     "dGhlIHNhbXBsZSBub25jZQ=="
#define WAIT_MS 60000 /* only against hangs */

struct client {
    struct loop loop;
    struct call call;
    struct kube kube;
    struct header headers[8];
    int in, out, err, done; /* the process's ends */
    struct text said;       /* "1:out 2:err 3:{…} close:1000 " */
    bool ended;
};

static void client_init(struct client *c, const char *upgrade, const char *protocols)
{
    bool spdy = strcmp(upgrade, "SPDY/3.1") == 0;

    memset(c, 0, sizeof(*c));
    c->headers[0] = (struct header){"connection", "keep-alive, Upgrade"};
    c->headers[1] = (struct header){"upgrade", upgrade};
    c->headers[2] = (struct header){"sec-websocket-version", "13"};
    c->headers[3] = (struct header){"sec-websocket-key", KEY};
    c->headers[4] =
        (struct header){spdy ? "x-stream-protocol-version" : "sec-websocket-protocol", protocols};
    pthread_mutex_init(&c->loop.lock, NULL);
    c->loop.wake_sent = true; /* there is no thread to wake */
    c->loop.tasks_tail = &c->loop.tasks;
    op_init(&c->call.op);
    c->call.http_major = 1;
    c->call.method = GET;
    c->call.query = "";
    c->call.loop = &c->loop;
    c->call.headers = c->headers;
    c->call.n_headers = protocols ? 5 : 4;
    c->call.caller = &c->kube;
    c->in = c->out = c->err = c->done = -1;
    text_init(&c->said, &c->call.op.arena, (size_t)8 << 20);
}

static void client_free(struct client *c)
{
    const int ends[] = {c->in, c->out, c->err, c->done};
    struct loop_task *task;

    if (c->call.stream)
        stream_closed(c->call.stream);
    for (;;) { /* what was posted holds the stream */
        pthread_mutex_lock(&c->loop.lock);
        task = c->loop.tasks;
        c->loop.tasks = task ? task->next : NULL;
        pthread_mutex_unlock(&c->loop.lock);
        if (!task)
            break;
        task->run(task);
    }
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (ends[i] >= 0)
            close(ends[i]);
    op_free(&c->call.op);
    pthread_mutex_destroy(&c->loop.lock);
}

static void make_pipe(int *ret_reads, int *ret_writes)
{
    int ends[2];

    CU_ASSERT_EQUAL_FATAL(pipe2(ends, O_CLOEXEC), 0);
    *ret_reads = ends[0];
    *ret_writes = ends[1];
}

/* A process with pipes, asked for by exec. */
static void begin(struct client *c, struct exec_source source)
{
    struct wire wire = {0};

    CU_ASSERT_EQUAL_FATAL(wire_negotiate(&c->call, exec_protocols, &wire), OK);
    if (!source.terminal) {
        make_pipe(&c->in, &source.exec.in);
        make_pipe(&source.exec.out, &c->out);
        make_pipe(&source.exec.err, &c->err);
    }
    make_pipe(&source.exec.done, &c->done);
    CU_ASSERT_EQUAL(stream_exec(&c->call, &wire, &source), OK);
    CU_ASSERT_EQUAL(c->call.reply.status, 101);
}

static void end_process(struct client *c, int exit_code)
{
    const struct exec_end end = {exit_code};

    CU_ASSERT_EQUAL(write(c->done, &end, sizeof(end)), sizeof(end));
}

/* A masked frame (the mask is 0), as browsers and kubectl send them. */
static void send_frame(struct client *c, int opcode, const void *data, size_t len)
{
    uint8_t frame[256] = {(uint8_t)(0x80 | opcode), (uint8_t)(0x80 | len)};

    memcpy(frame + 6, data, len);
    c->call.stream->on_data(c->call.stream, (struct bytes){frame, 6 + len});
}

/* The server's frames in what has come; text is "'…'", the rest is binary. */
static void show(struct client *c, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len;) {
        unsigned opcode = data[i] & 15, n = data[i + 1];
        size_t head = n == 126 ? 4 : 2;

        if (n == 126)
            n = (unsigned)(data[i + 2] << 8 | data[i + 3]);
        data += head;
        len -= head;
        if (opcode == WEBSOCKET_CLOSE)
            text_printf(&c->said, "close:%d ", data[i] << 8 | data[i + 1]);
        else if (opcode == WEBSOCKET_TEXT)
            text_printf(&c->said, "'%.*s' ", (int)n, (const char *)data + i);
        else
            text_printf(&c->said, "%d:%.*s ", data[i], (int)n - 1, (const char *)data + i + 1);
        i += n;
    }
}

static size_t take(struct client *c, bool shown)
{
    struct stream_part *parts = stream_take(c->call.stream, &c->ended);
    size_t n = 0;

    for (struct stream_part *p = parts; p; p = p->next) {
        n += p->len;
        if (shown)
            show(c, (const uint8_t *)p->data, p->len);
    }
    stream_parts_free(parts);
    return n;
}

static void read_until(struct client *c, const char *text)
{
    int64_t until = now_ms() + WAIT_MS;

    while (!strstr(c->said.data, text) && now_ms() < until)
        if (!take(c, true))
            poll(NULL, 0, 1);
}

/* ---- cases ---- */

static void test_negotiation(void)
{
    /* clang-format off */
    static const struct {
        const char *upgrade, *protocols;
        bool forward;
        int version; /* 0: refused, with … */
        const char *message;
    } cases[] = {
        {"websocket", "v5.channel.k8s.io,v4.channel.k8s.io", false, 5, ""},
        {"websocket", "nosuch, v4.channel.k8s.io", false, 4, ""},
        {"WebSocket", NULL, false, 1, ""},
        {"websocket", "nosuch", false, 0, "unable to upgrade: unable to negotiate protocol: client "
                                          "supports [nosuch], server accepts [v5.channel.k8s.io "},
        {"SPDY/3.1", "v4.channel.k8s.io", false, 4, ""},
        {"SPDY/3.1", "v5.channel.k8s.io, v4.channel.k8s.io,v3.channel.k8s.io", false, 4, ""},
        {"SPDY/3.1", "portforward.k8s.io", true, 1, ""},
        {"websocket", "SPDY/3.1+portforward.k8s.io", true, 1, ""},
        {"h2c", NULL, false, 0, "Upgrade request required"},
    };
    /* clang-format on */

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct wire wire = {0};
        struct client c;
        enum fault fault;

        client_init(&c, cases[i].upgrade, cases[i].protocols);
        fault =
            wire_negotiate(&c.call, cases[i].forward ? forward_protocols : exec_protocols, &wire);
        CU_ASSERT_EQUAL(fault == OK, cases[i].version > 0);
        CU_ASSERT_EQUAL(wire.protocol ? wire.protocol->version : 0, cases[i].version);
        if (fault != OK)
            CU_ASSERT_PTR_NOT_NULL(strstr(c.call.op.message, cases[i].message));
        client_free(&c);
    }
}

static void test_results(void)
{
    /* clang-format off */
    static const struct {
        int version, exit_code;
        const char *failure, *text;
    } cases[] = {
        {4, 0, NULL, "{\"metadata\":{},\"status\":\"Success\"}"},
        {5, 3, NULL, "{\"metadata\":{},\"status\":\"Failure\",\"message\":\"command terminated with "
                     "non-zero exit code: exit status 3\",\"reason\":\"NonZeroExitCode\","
                     "\"details\":{\"causes\":[{\"reason\":\"ExitCode\",\"message\":\"3\"}]}}"},
        {4, 0, "why", "{\"metadata\":{},\"status\":\"Failure\",\"message\":\"Internal error occurred: "
                      "why\",\"reason\":\"InternalError\",\"details\":{\"causes\":[{\"message\":"
                      "\"why\"}]},\"code\":500}"},
        {1, 0, NULL, NULL},
        {3, 3, NULL, "command terminated with non-zero exit code: exit status 3"},
        {2, 0, "why", "why"},
    };
    /* clang-format on */
    struct op op;

    op_init(&op);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bytes got = exec_result(&op, cases[i].version, cases[i].exit_code, cases[i].failure);

        CU_ASSERT_EQUAL(!got.data, !cases[i].text);
        if (got.data && cases[i].text)
            CU_ASSERT_STRING_EQUAL(got.data, cases[i].text);
    }
    op_free(&op);
}

static void test_both_ways(void)
{
    char got[8] = "";
    struct client c;

    client_init(&c, "websocket", "v5.channel.k8s.io");
    begin(&c, (struct exec_source){.in = true, .out = true, .err = true});
    send_frame(&c, WEBSOCKET_BINARY, "\0abc", 4);
    send_frame(&c, WEBSOCKET_BINARY, "\7nobody", 7);
    send_frame(&c, WEBSOCKET_PING, "hi", 2);
    CU_ASSERT_EQUAL(read(c.in, got, sizeof(got)), 3);
    CU_ASSERT_STRING_EQUAL(got, "abc");
    send_frame(&c, WEBSOCKET_BINARY, "\xff\0", 2);
    CU_ASSERT_EQUAL(read(c.in, got, sizeof(got)), 0);
    CU_ASSERT_EQUAL(write(c.out, "out", 3), 3);
    read_until(&c, "1:out ");
    CU_ASSERT_EQUAL(write(c.err, "err", 3), 3);
    read_until(&c, "2:err ");
    CU_ASSERT_EQUAL(write(c.out, "last", 4), 4);
    end_process(&c, 0); /* somebody else still holds its output */
    read_until(&c, "close:");
    CU_ASSERT_PTR_NOT_NULL(strstr(c.said.data, "1:last 3:{\"metadata\":{},\"status\":\"Success\"} "
                                               "close:1000 "));
    CU_ASSERT_FALSE(c.ended); /* that is the client's turn */
    send_frame(&c, WEBSOCKET_CLOSE, "\x03\xe8", 2);
    take(&c, true);
    CU_ASSERT_TRUE(c.ended);
    client_free(&c);
}

static void test_base64(void)
{
    char got[8] = "";
    struct client c;

    client_init(&c, "websocket", "v4.base64.channel.k8s.io");
    begin(&c, (struct exec_source){.in = true, .out = true});
    send_frame(&c, WEBSOCKET_TEXT, "0YWJj", 5);
    send_frame(&c, WEBSOCKET_TEXT, "0???", 4);
    CU_ASSERT_EQUAL(read(c.in, got, sizeof(got)), 3);
    CU_ASSERT_STRING_EQUAL(got, "abc");
    CU_ASSERT_EQUAL(write(c.out, "out", 3), 3);
    read_until(&c, "'1b3V0' ");
    CU_ASSERT_STRING_EQUAL(c.said.data, "'1' '1b3V0' ");
    client_free(&c);
}

static void test_failure(void)
{
    struct client c;

    client_init(&c, "websocket", "v4.channel.k8s.io");
    begin(&c, (struct exec_source){.out = true, .failure = "no such program"});
    read_until(&c, "close:1000");
    CU_ASSERT_PTR_NOT_NULL(strstr(c.said.data, "Internal error occurred: no such program"));
    client_free(&c);
}

/* Who leaves takes the process along: its end of `done` has nobody to read it. */
static void test_leaving(void)
{
    struct client c;
    struct pollfd done;

    client_init(&c, "websocket", "v5.channel.k8s.io");
    begin(&c, (struct exec_source){.out = true});
    done = (struct pollfd){c.done, 0, 0};
    stream_closed(c.call.stream);
    c.call.stream = NULL;
    CU_ASSERT_EQUAL(poll(&done, 1, WAIT_MS), 1);
    CU_ASSERT_TRUE(done.revents & POLLERR);
    client_free(&c);
}

/* Over SPDY: streams are opened by the client, and replied to before anything is said on them. */
static void test_spdy(void)
{
    static const char *const types[] = {"error", "stdout"};
    const uint8_t *dictionary = NULL;
    size_t dictionary_len = spdy_dictionary(&dictionary), n = 0;
    z_stream z = {0};
    uint8_t all[4096];
    int64_t until = now_ms() + WAIT_MS;
    struct client c;

    client_init(&c, "SPDY/3.1", "v4.channel.k8s.io");
    begin(&c, (struct exec_source){.out = true});
    CU_ASSERT_EQUAL(write(c.out, "out", 3), 3); /* before anybody listens */
    CU_ASSERT_EQUAL_FATAL(deflateInit(&z, 9), Z_OK);
    deflateSetDictionary(&z, dictionary, (uInt)dictionary_len);
    for (unsigned i = 0; i < ARRAY_LEN(types); i++) {
        uint8_t plain[64] = {0, 0, 0, 1, 0, 0, 0, 10}, frame[256] = {0x80, 3, 0, 1};

        memcpy(plain + 8, "streamtype", 10);
        plain[21] = (uint8_t)strlen(types[i]);
        memcpy(plain + 22, types[i], strlen(types[i]));
        z.next_in = plain;
        z.avail_in = (uInt)(22 + strlen(types[i]));
        z.next_out = frame + 18;
        z.avail_out = sizeof(frame) - 18;
        deflate(&z, Z_SYNC_FLUSH);
        frame[7] = (uint8_t)(sizeof(frame) - 8 - z.avail_out);
        frame[11] = (uint8_t)(2 * i + 1);
        c.call.stream->on_data(c.call.stream, (struct bytes){frame, 8u + frame[7]});
    }
    deflateEnd(&z);
    end_process(&c, 0);
    while (!(n > 16 && memcmp(all + n - 16, "\x80\3\0\7", 4) == 0) && now_ms() < until) {
        struct stream_part *parts = stream_take(c.call.stream, &c.ended);

        for (struct stream_part *p = parts; p && n + p->len <= sizeof(all); p = p->next) {
            memcpy(all + n, p->data, p->len);
            n += p->len;
        }
        stream_parts_free(parts);
    }
    CU_ASSERT_EQUAL(memcmp(all, "\x80\3\0\2", 4), 0);              /* SYN_REPLY of 1 */
    CU_ASSERT_EQUAL(memcmp(all + 8 + all[7], "\x80\3\0\2", 4), 0); /* … of 3 */
    CU_ASSERT_PTR_NOT_NULL(memmem(all, n, "\0\0\0\3\0\0\0\3out", 11));
    CU_ASSERT_PTR_NOT_NULL(memmem(all, n, "Success", 7));
    CU_ASSERT_PTR_NOT_NULL(memmem(all, n, "\0\0\0\3\1\0\0\0", 8)); /* its end */
    CU_ASSERT_PTR_NOT_NULL(memmem(all, n, "\0\0\0\1\1\0\0\0", 8));
    client_free(&c);
}

/* A client that reads nothing: the process waits, memory does not grow, nobody is cut off. */
static void test_slow_client(void)
{
    enum { TOTAL = 4 << 20 };
    static char page[65536];
    size_t sent = 0, got = 0;
    int64_t until = now_ms() + WAIT_MS;
    struct client c;

    client_init(&c, "websocket", "v5.channel.k8s.io");
    begin(&c, (struct exec_source){.out = true});
    fcntl(c.out, F_SETFL, O_NONBLOCK);
    while (got < TOTAL && now_ms() < until) {
        ssize_t n = sent < TOTAL ? write(c.out, page, sizeof(page)) : 0;

        if (n > 0)
            sent += (size_t)n;
        if (n <= 0 && stream_queued(c.call.stream) > ((size_t)256 << 10))
            CU_ASSERT_TRUE(stream_queued(c.call.stream) < ((size_t)512 << 10));
        if (n <= 0)
            got += take(&c, false);
    }
    CU_ASSERT_TRUE(got >= TOTAL); /* frames have heads */
    CU_ASSERT_FALSE(stream_is_cut(c.call.stream));
    client_free(&c);
}

/* A process that reads nothing: the client is not read any more. */
static void test_slow_process(void)
{
    static const uint8_t more[100] = {0};
    int64_t until = now_ms() + WAIT_MS;
    char page[65536];
    struct client c;

    client_init(&c, "websocket", "v5.channel.k8s.io");
    begin(&c, (struct exec_source){.in = true});
    for (int i = 0; i < 8000 && !stream_is_held(c.call.stream); i++)
        send_frame(&c, WEBSOCKET_BINARY, more, sizeof(more));
    CU_ASSERT_TRUE(stream_is_held(c.call.stream));
    while (stream_is_held(c.call.stream) && now_ms() < until)
        CU_ASSERT_TRUE(read(c.in, page, sizeof(page)) > 0);
    CU_ASSERT_FALSE(stream_is_held(c.call.stream));
    client_free(&c);
}

static void test_terminal(void)
{
    struct exec_source source = {.in = true, .out = true, .terminal = true};
    struct winsize size = {0};
    int64_t until = now_ms() + WAIT_MS;
    struct client c;
    int slave = -1;

    CU_ASSERT_EQUAL_FATAL(openpty(&source.exec.in, &slave, NULL, NULL, NULL), 0);
    client_init(&c, "websocket", "v4.channel.k8s.io");
    source.exec.out = source.exec.err = -1;
    begin(&c, source);
    send_frame(&c, WEBSOCKET_BINARY, "\4{\"Width\":99,", 13);
    send_frame(&c, WEBSOCKET_BINARY, "\4\"Height\":33}", 13);
    while (size.ws_row != 33 && now_ms() < until)
        ioctl(slave, TIOCGWINSZ, &size);
    CU_ASSERT_EQUAL(size.ws_row, 33);
    CU_ASSERT_EQUAL(size.ws_col, 99);
    CU_ASSERT_EQUAL(write(slave, "shown", 5), 5);
    read_until(&c, "1:shown ");
    close(slave);
    end_process(&c, 7);
    read_until(&c, "close:1000");
    CU_ASSERT_PTR_NOT_NULL(strstr(c.said.data, "\"ExitCode\",\"message\":\"7\""));
    client_free(&c);
}

CU_TestInfo clusters_http_stream_tests[] = {
    {"a protocol is chosen, or refused",                   test_negotiation },
    {"how it ended is told in the protocol's way",         test_results     },
    {"bytes go both ways, ends too",                       test_both_ways   },
    {"base64 for who cannot send bytes",                   test_base64      },
    {"what could not begin is told in the stream",         test_failure     },
    {"SPDY's streams are the client's",                    test_spdy        },
    {"who leaves takes the process along",                 test_leaving     },
    {"a client that does not read makes the process wait", test_slow_client },
    {"a process that does not read makes the client wait", test_slow_process},
    {"a terminal has a size and an end",                   test_terminal    },
    CU_TEST_INFO_NULL,
};
