/*
 * Watches config maps of a cluster over many connections while it changes them, and measures from
 * just before a write is sent until each watcher has its event. One thread and one epoll for all
 * watchers, eight threads that write.
 *
 *     watch_load HOST PORT NAMESPACE TOKEN REVISION WATCHERS some|all RATE SECONDS
 *
 * some: each watches one of 100 objects (x0 … x99), so that a write matches one watcher in a
 * hundred. Prints "RESULT writes-per-second events missing disordered p50-ms p99-ms max-ms".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define OBJECTS   100
#define WRITERS   8
#define LINE_MAX_ 16384
#define EVENTS    8000000

struct watcher {
    SSL *ssl;
    int fd;
    char line[LINE_MAX_];
    size_t have;
    long long revision;
};

static SSL_CTX *tls;
static const char *host, *port, *ns, *token;
static bool some;
static int rate, seconds, n_watchers;
static atomic_long written;
static atomic_int writing; /* threads that are not done */
static float *latencies_ms;
static long events, disordered;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static long long now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static SSL *dial(int *ret_fd)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((unsigned short)strtol(port, NULL, 10))};
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    SSL *ssl = SSL_new(tls);

    inet_pton(AF_INET, host, &to.sin_addr);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    SSL_set_fd(ssl, fd);
    if (SSL_connect(ssl) != 1)
        die("TLS");
    *ret_fd = fd;
    return ssl;
}

/* ---- writers ---- */

static void change(SSL *ssl, long number)
{
    char request[4096], answer[16384], body[128], *end, *length;
    int len, got = 0, n, size;

    size = snprintf(body, sizeof(body), "{\"data\":{\"t\":\"%lld\"}}", now_us());
    len = snprintf(request, sizeof(request),
                   "PATCH /api/v1/namespaces/%s/configmaps/x%ld HTTP/1.1\r\nHost: "
                   "localhost\r\nAuthorization: Bearer %s\r\n"
                   "Content-Type: application/merge-patch+json\r\nContent-Length: %d\r\n\r\n%s",
                   ns, number % OBJECTS, token, size, body);
    if (SSL_write(ssl, request, len) != len)
        die("write");
    for (;;) {
        n = SSL_read(ssl, answer + got, (int)sizeof(answer) - 1 - got);
        if (n <= 0)
            die("read");
        got += n;
        answer[got] = '\0';
        end = strstr(answer, "\r\n\r\n");
        length = strcasestr(answer, "content-length: ");
        if (end && length && got >= end + 4 - answer + strtol(length + 16, NULL, 10))
            break;
    }
    if (strncmp(answer, "HTTP/1.1 200", 12) != 0) {
        fprintf(stderr, "%s\n", answer);
        exit(1);
    }
}

static void *write_main(void *arg)
{
    long number = (long)(intptr_t)arg, step = rate < WRITERS * 10 ? 1 : WRITERS;
    long long begin = now_us(), due;
    int fd;
    SSL *ssl = dial(&fd);

    for (;; number += step) {
        due = begin + number * 1000000LL / rate;
        if (due >= begin + seconds * 1000000LL)
            break;
        if (due > now_us())
            usleep((useconds_t)(due - now_us() > 0 ? due - now_us() : 0));
        change(ssl, number);
        atomic_fetch_add(&written, 1);
    }
    SSL_free(ssl);
    close(fd);
    atomic_fetch_sub(&writing, 1);
    return NULL;
}

/* ---- watchers ---- */

static void open_watch(struct watcher *w, int epoll, int number, const char *revision)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)number};
    char request[4096], selector[64] = "";
    int len;

    w->ssl = dial(&w->fd);
    if (some)
        snprintf(selector, sizeof(selector), "&fieldSelector=metadata.name%%3Dx%d",
                 number % OBJECTS);
    len = snprintf(request, sizeof(request),
                   "GET /api/v1/namespaces/%s/configmaps?watch=1&resourceVersion=%s%s "
                   "HTTP/1.1\r\nHost: localhost\r\n"
                   "Authorization: Bearer %s\r\n\r\n",
                   ns, revision, selector, token);
    if (SSL_write(w->ssl, request, len) != len)
        die("write");
    fcntl(w->fd, F_SETFL, O_NONBLOCK);
    epoll_ctl(epoll, EPOLL_CTL_ADD, w->fd, &event);
}

/* One line of the stream: an event, or what HTTP puts between. */
static void hear(struct watcher *w, const char *line, long long now)
{
    const char *at = strstr(line, "\"t\":\""), *revision = strstr(line, "\"resourceVersion\":\"");
    long long number;

    if (strncmp(line, "{\"type\":", 8) != 0 || !at || !revision)
        return;
    number = strtoll(revision + 19, NULL, 10);
    disordered += number <= w->revision;
    w->revision = number;
    if (events < EVENTS)
        latencies_ms[events] = (float)(now - strtoll(at + 5, NULL, 10)) / 1000.0F;
    events++;
}

static void read_all(struct watcher *w)
{
    long long now;
    char *end;
    int n;

    while ((n = SSL_read(w->ssl, w->line + w->have, (int)(sizeof(w->line) - 1 - w->have))) > 0) {
        now = now_us();
        w->have += (size_t)n;
        w->line[w->have] = '\0';
        while ((end = strchr(w->line, '\n')) != NULL) {
            *end++ = '\0';
            hear(w, w->line, now);
            w->have -= (size_t)(end - w->line);
            memmove(w->line, end, w->have + 1);
        }
    }
    if (SSL_get_error(w->ssl, n) != SSL_ERROR_WANT_READ) {
        fprintf(stderr, "a watch ended\n");
        exit(1);
    }
}

static int by_size(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

static long expected(void)
{
    return atomic_load(&written) * (some ? n_watchers / OBJECTS : n_watchers);
}

int main(int argc, char **argv)
{
    struct epoll_event ready[64];
    pthread_t threads[WRITERS];
    struct watcher *watchers;
    int epoll = epoll_create1(0), writers;
    long long end;

    if (argc != 10)
        return 2;
    host = argv[1], port = argv[2], ns = argv[3], token = argv[4];
    n_watchers = (int)strtol(argv[6], NULL, 10);
    some = strcmp(argv[7], "some") == 0;
    rate = (int)strtol(argv[8], NULL, 10), seconds = (int)strtol(argv[9], NULL, 10);
    writers = rate < WRITERS * 10 ? 1 : WRITERS;
    tls = SSL_CTX_new(TLS_client_method());
    watchers = calloc((size_t)n_watchers, sizeof(*watchers));
    latencies_ms = calloc(EVENTS, sizeof(*latencies_ms));
    for (int i = 0; i < n_watchers; i++)
        open_watch(&watchers[i], epoll, i, argv[5]);
    end = now_us() + (seconds + 30) * 1000000LL; /* only against hangs */
    atomic_store(&writing, writers);
    for (long i = 0; i < writers; i++)
        pthread_create(&threads[i], NULL, write_main, (void *)(intptr_t)i);
    while (now_us() < end && (atomic_load(&writing) > 0 || events < expected())) {
        int n = epoll_wait(epoll, ready, 64, 50);

        for (int i = 0; i < n; i++)
            read_all(&watchers[ready[i].data.u32]);
    }
    for (int i = 0; i < writers; i++)
        pthread_join(threads[i], NULL);
    qsort(latencies_ms, (size_t)(events < EVENTS ? events : EVENTS), sizeof(float), by_size);
    printf("RESULT %.0f %ld %ld %ld %.2f %.2f %.2f\n", (double)atomic_load(&written) / seconds,
           events, expected() - events, disordered, events ? (double)latencies_ms[events / 2] : 0,
           events ? (double)latencies_ms[events * 99 / 100] : 0,
           events ? (double)latencies_ms[events - 1] : 0);
    return 0;
}
