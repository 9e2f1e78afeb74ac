/*
 * Asks HEAD of one path over and over: wrk and h2load wait for the body that a HEAD does not have.
 * One thread, one epoll, as wrk does it.
 *
 *     head_load HOST PORT tls|plain CONNECTIONS SECONDS PATH AUTHORIZATION
 *
 * Prints "RESULT requests-per-second p99-ms mean-ms bad-answers", as the script for wrk does.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LATENCIES_MAX 20000000

struct connection {
    int fd;
    SSL *ssl;
    double sent_s;
    char answer[8192];
    size_t have;
};

static char request[8192];
static size_t request_len;
static float *latencies_ms;
static size_t done, bad;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void ask(struct connection *c)
{
    int len = (int)request_len;

    c->have = 0;
    c->sent_s = now_s();
    if ((c->ssl ? SSL_write(c->ssl, request, len) : (int)write(c->fd, request, request_len)) != len)
        die("write");
}

static void open_connection(struct connection *c, const char *host, int port, SSL_CTX *tls)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    int one = 1;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        die("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (tls) {
        c->ssl = SSL_new(tls);
        SSL_set_tlsext_host_name(c->ssl, host);
        SSL_set_fd(c->ssl, c->fd);
        if (SSL_connect(c->ssl) != 1)
            die("TLS");
    }
}

/* Something has come; a whole head is an answer, and the next request goes out. */
static void hear(struct connection *c)
{
    do {
        size_t room = sizeof(c->answer) - 1 - c->have;
        ssize_t n = c->ssl ? SSL_read(c->ssl, c->answer + c->have, (int)room)
                           : read(c->fd, c->answer + c->have, room);

        if (n <= 0)
            die("the server closed a connection");
        c->have += (size_t)n;
    } while (c->ssl && SSL_pending(c->ssl) > 0);
    c->answer[c->have] = '\0';
    if (!strstr(c->answer, "\r\n\r\n"))
        return;
    if (done < LATENCIES_MAX)
        latencies_ms[done++] = (float)((now_s() - c->sent_s) * 1000);
    bad += memcmp(c->answer + 9, "200", 3) != 0;
    ask(c);
}

static int by_size(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

static void print_result(double seconds)
{
    double sum = 0;

    qsort(latencies_ms, done, sizeof(*latencies_ms), by_size);
    for (size_t i = 0; i < done; i++)
        sum += latencies_ms[i];
    printf("RESULT %f %f %f %zu\n", (double)done / seconds,
           done ? latencies_ms[done * 99 / 100] : 0, done ? sum / (double)done : 0, bad);
}

int main(int argc, char **argv)
{
    int connections = argc == 8 ? (int)strtol(argv[4], NULL, 10) : 0,
        poll = epoll_create1(EPOLL_CLOEXEC);
    struct connection *all = calloc((size_t)connections + 1, sizeof(*all));
    struct epoll_event events[64];
    SSL_CTX *tls = NULL;
    double begin, seconds;

    if (connections < 1) {
        fprintf(stderr,
                "usage: head_load HOST PORT tls|plain CONNECTIONS SECONDS PATH AUTHORIZATION\n");
        return 2;
    }
    latencies_ms = malloc(LATENCIES_MAX * sizeof(*latencies_ms));
    seconds = strtod(argv[5], NULL);
    request_len = (size_t)snprintf(
        request, sizeof(request), "HEAD %s HTTP/1.1\r\nHost: %s:%s\r\n%s%s%s\r\n", argv[6], argv[1],
        argv[2], *argv[7] ? "Authorization: " : "", argv[7], *argv[7] ? "\r\n" : "");
    if (strcmp(argv[3], "tls") == 0)
        tls = SSL_CTX_new(TLS_client_method()); /* a benchmark on loopback verifies nothing */
    for (int i = 0; i < connections; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[i]};

        open_connection(&all[i], argv[1], (int)strtol(argv[2], NULL, 10), tls);
        epoll_ctl(poll, EPOLL_CTL_ADD, all[i].fd, &event);
    }
    begin = now_s();
    for (int i = 0; i < connections; i++)
        ask(&all[i]);
    while (now_s() - begin < seconds) {
        int n = epoll_wait(poll, events, 64, 1000);

        for (int i = 0; i < n; i++)
            hear(events[i].data.ptr);
    }
    print_result(now_s() - begin);
    return 0;
}
