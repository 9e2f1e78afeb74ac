#include "core/fetch.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/unit.h"

/* A server of one answer a path, on a port of its own, one connection after another. */
static struct peer {
    int fd, port;
    pthread_t thread;
    char seen[8192]; /* the last request */
} peer;

static const char *answer_for(const char *request)
{
    if (strstr(request, " /redirect "))
        return "HTTP/1.1 302 Found\r\nLocation: /plain\r\nContent-Length: 0\r\n"
               "X-Old: 1\r\nConnection: close\r\n\r\n";
    if (strstr(request, " /missing "))
        return "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\nConnection: close\r\n\r\nnope";
    return "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nX-Mixed-Case:  a b \r\n"
           "Connection: close\r\n\r\n0123456789";
}

static void *serve(void *arg)
{
    int fd;

    (void)arg;
    while ((fd = accept(peer.fd, NULL, NULL)) >= 0) {
        const char *answer;
        ssize_t n = recv(fd, peer.seen, sizeof(peer.seen) - 1, 0);

        if (n > 0) {
            peer.seen[n] = '\0';
            answer = answer_for(peer.seen);
            (void)!write(fd, answer, strlen(answer));
        }
        shutdown(fd, SHUT_WR);
        close(fd);
    }
    return NULL;
}

static void start_peer(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);

    peer.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL(bind(peer.fd, (struct sockaddr *)&at, sizeof(at)), 0);
    CU_ASSERT_EQUAL(listen(peer.fd, 8), 0);
    getsockname(peer.fd, (struct sockaddr *)&at, &len);
    peer.port = ntohs(at.sin_port);
    pthread_create(&peer.thread, NULL, serve, NULL);
    fetch_start();
}

static void stop_peer(void)
{
    shutdown(peer.fd, SHUT_RDWR);
    close(peer.fd);
    pthread_join(peer.thread, NULL);
    fetch_stop();
}

static const char *url(struct op *op, const char *path)
{
    return arena_printf(&op->arena, "http://127.0.0.1:%d%s", peer.port, path);
}

static void test_answers(void)
{
    static const struct header header = {"X-Mine", "yes"};
    struct fetched got;
    struct op op;

    op_init(&op);
    start_peer();
    CU_ASSERT_EQUAL(fetch(&op, &(struct fetch){.url = url(&op, "/plain")}, &got), OK);
    CU_ASSERT_EQUAL(got.status, 200);
    CU_ASSERT_STRING_EQUAL(got.body.data, "0123456789");
    CU_ASSERT_STRING_EQUAL(fetched_header(&got, "x-mixed-case"), "a b");
    CU_ASSERT_PTR_NULL(fetched_header(&got, "x-old"));

    CU_ASSERT_EQUAL(fetch(&op,
                          &(struct fetch){.method = "POST",
                                          .url = url(&op, "/post"),
                                          .headers = &header,
                                          .n_headers = 1,
                                          .body = BYTES("the body")},
                          &got),
                    OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(peer.seen, "POST /post HTTP/1.1\r\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(peer.seen, "X-Mine: yes\r\n"));

    CU_ASSERT_EQUAL(fetch(&op, &(struct fetch){.url = url(&op, "/redirect")}, &got), OK);
    CU_ASSERT_EQUAL(got.status, 302);
    CU_ASSERT_EQUAL(
        fetch(&op, &(struct fetch){.url = url(&op, "/redirect"), .redirects_max = 2}, &got), OK);
    CU_ASSERT_EQUAL(got.status, 200);
    CU_ASSERT_PTR_NULL(fetched_header(&got, "x-old"));
    CU_ASSERT_STRING_EQUAL(got.url, url(&op, "/plain"));
    stop_peer();
    op_free(&op);
}

static enum fault count(void *arg, struct op *op, struct bytes piece)
{
    *(size_t *)arg += piece.len;
    return *(size_t *)arg > 5 && op->detail ? fail(op, INVALID, "enough") : OK;
}

static void test_a_writer_gets_the_body_of_a_success(void)
{
    struct fetched got;
    size_t n = 0;
    struct op op;

    op_init(&op);
    start_peer();
    struct fetch ask = {.url = url(&op, "/plain"), .write = count, .arg = &n};
    CU_ASSERT_EQUAL(fetch(&op, &ask, &got), OK);
    CU_ASSERT_EQUAL(n, 10);
    CU_ASSERT_EQUAL(got.body.len, 0);
    ask.url = url(&op, "/missing");
    CU_ASSERT_EQUAL(fetch(&op, &ask, &got), OK);
    CU_ASSERT_EQUAL(n, 10);
    CU_ASSERT_EQUAL(got.status, 404);
    CU_ASSERT_STRING_EQUAL(got.body.data, "nope");
    op.detail = "stop"; /* the writer's fault ends the transfer, and is told */
    ask.url = url(&op, "/plain");
    CU_ASSERT_EQUAL(fetch(&op, &ask, &got), INVALID);
    CU_ASSERT_STRING_EQUAL(op.message, "enough");
    stop_peer();
    op_free(&op);
}

static void test_failures(void)
{
    static const struct header split = {"A", "b\r\nEvil: yes"};
    struct fetched got;
    struct op op;

    op_init(&op);
    start_peer();
    CU_ASSERT_EQUAL(fetch(&op, &(struct fetch){.url = url(&op, "/plain"), .answer_max = 9}, &got),
                    TOO_LARGE);
    CU_ASSERT_EQUAL(fetch(&op, &(struct fetch){.url = "file:///etc/passwd"}, &got), INVALID);
    CU_ASSERT_EQUAL(fetch(&op, &(struct fetch){.url = "http://a b/"}, &got), INVALID);
    CU_ASSERT_EQUAL(
        fetch(&op, &(struct fetch){.url = url(&op, "/plain"), .headers = &split, .n_headers = 1},
              &got),
        INVALID);
    atomic_store(&op.cancelled, true);
    CU_ASSERT_EQUAL(fetch(&op, &(struct fetch){.url = url(&op, "/plain")}, &got), UNAVAILABLE);
    atomic_store(&op.cancelled, false);
    const char *nobody = arena_printf(&op.arena, "http://u:secret@127.0.0.1:%d/x", peer.port);
    stop_peer();
    fetch_start();
    CU_ASSERT_EQUAL(fetch(&op, &(struct fetch){.url = nobody}, &got), UNAVAILABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(op.message, "127.0.0.1"));
    CU_ASSERT_PTR_NULL(strstr(op.message, "secret"));
    fetch_stop();
    op_free(&op);
}

CU_TestInfo core_fetch_tests[] = {
    {"answers, headers, bodies, redirects", test_answers                            },
    {"a writer gets the body of a success", test_a_writer_gets_the_body_of_a_success},
    {"failures",                            test_failures                           },
    CU_TEST_INFO_NULL,
};
