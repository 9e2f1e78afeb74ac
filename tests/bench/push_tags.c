/*
 * Pushes many small manifests, each under a tag of its own: a client that costs little beside the
 * server it measures. One thread and one kept connection for each of the connections asked for.
 *
 *     push_tags HOST PORT tls|plain CONNECTIONS COUNT PATH AUTHORIZATION MANIFEST
 *
 * PATH is what stands before the tag ("/v2/sundog/app/manifests/"). AUTHORIZATION is a header's
 * value, or "". MANIFEST has the mark @@@@@@@@, which becomes the number. Prints the seconds.
 */
#define _GNU_SOURCE
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MARK "@@@@@@@@"

static struct {
    const char *host, *port, *path, *authorization, *manifest;
    bool tls;
    long count;
    SSL_CTX *ssl;
    atomic_long next, failed;
} job;

struct connection {
    int fd;
    SSL *ssl;
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void open_connection(struct connection *c)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
    int one = 1;

    if (getaddrinfo("127.0.0.1", job.port, &hints, &found) != 0)
        die("getaddrinfo");
    c->fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, found->ai_addr, found->ai_addrlen) < 0)
        die("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    freeaddrinfo(found);
    c->ssl = NULL;
    if (job.tls) {
        c->ssl = SSL_new(job.ssl);
        SSL_set_tlsext_host_name(c->ssl, job.host);
        SSL_set_fd(c->ssl, c->fd);
        if (SSL_connect(c->ssl) != 1)
            die("TLS");
    }
}

static void close_connection(struct connection *c)
{
    SSL_free(c->ssl);
    close(c->fd);
}

static bool send_all(struct connection *c, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = c->ssl ? SSL_write(c->ssl, data, (int)len) : write(c->fd, data, len);

        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

/* Reads a whole answer; its status, or 0 when the connection ended. keep: may be used again. */
static int read_answer(struct connection *c, bool *keep)
{
    char buffer[8192];
    size_t have = 0;
    char *end, *length;
    size_t body = 0;

    do {
        ssize_t n = c->ssl ? SSL_read(c->ssl, buffer + have, (int)(sizeof(buffer) - 1 - have))
                           : read(c->fd, buffer + have, sizeof(buffer) - 1 - have);

        if (n <= 0)
            return 0;
        have += (size_t)n;
        buffer[have] = '\0';
        end = strstr(buffer, "\r\n\r\n");
        length = end ? strcasestr(buffer, "content-length:") : NULL;
        body = length ? strtoul(length + 15, NULL, 10) : 0;
    } while (!end || (size_t)(end + 4 - buffer) + body > have);
    *keep = !strcasestr(buffer, "connection: close");
    return (int)strtol(buffer + 9, NULL, 10);
}

static size_t make_request(char *out, size_t size, long number)
{
    char *body = strdup(job.manifest), *mark = strstr(body, MARK), digits[24];
    int n;

    snprintf(digits, sizeof(digits), "%08ld", number);
    memcpy(mark, digits, sizeof(MARK) - 1);
    n = snprintf(out, size,
                 "PUT %sv%08ld HTTP/1.1\r\nHost: %s:%s\r\n%s%s%sContent-Length: %zu\r\n"
                 "Content-Type: application/vnd.oci.image.manifest.v1+json\r\n\r\n%s",
                 job.path, number, job.host, job.port, *job.authorization ? "Authorization: " : "",
                 job.authorization, *job.authorization ? "\r\n" : "", strlen(body), body);
    free(body);
    return (size_t)n;
}

static void *work(void *arg)
{
    struct connection c;
    char request[16384];
    bool keep = true;
    long number;

    (void)arg;
    open_connection(&c);
    while ((number = atomic_fetch_add(&job.next, 1)) < job.count) {
        size_t len = make_request(request, sizeof(request), number);
        int status = send_all(&c, request, len) ? read_answer(&c, &keep) : 0;

        if (status != 201 && atomic_fetch_add(&job.failed, 1) == 0)
            fprintf(stderr, "push_tags: tag %ld was answered %d\n", number, status);
        if (status == 0 || !keep) {
            close_connection(&c);
            open_connection(&c);
        }
    }
    close_connection(&c);
    return NULL;
}

int main(int argc, char **argv)
{
    struct timespec begin, end;
    pthread_t threads[256];
    int connections;

    if (argc != 9 || !strstr(argv[8], MARK) || (connections = (int)strtol(argv[4], NULL, 10)) < 1 ||
        connections > 256) {
        fprintf(
            stderr,
            "usage: push_tags HOST PORT tls|plain CONNECTIONS COUNT PATH AUTHORIZATION MANIFEST\n");
        return 2;
    }
    job.host = argv[1];
    job.port = argv[2];
    job.tls = strcmp(argv[3], "tls") == 0;
    job.count = strtol(argv[5], NULL, 10);
    job.path = argv[6];
    job.authorization = argv[7];
    job.manifest = argv[8];
    if (job.tls)
        job.ssl = SSL_CTX_new(TLS_client_method()); /* a benchmark on loopback verifies nothing */
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int i = 0; i < connections; i++)
        pthread_create(&threads[i], NULL, work, NULL);
    for (int i = 0; i < connections; i++)
        pthread_join(threads[i], NULL);
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%.6f\n",
           (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9);
    return job.failed ? 1 : 0;
}
