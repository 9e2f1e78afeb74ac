/*
 * hello: the web server of the image sundog/hello. Static, no dependencies: it greets, says where
 * it runs, and ends on SIGTERM. PORT chooses the port (80).
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MAX 64
#define HEAD_MAX    8192

struct client {
    int fd;
    size_t len;
    char head[HEAD_MAX];
};

static struct client clients[CLIENTS_MAX];
static volatile sig_atomic_t ended;

static void on_signal(int number)
{
    (void)number;
    ended = 1;
}

static int listen_on(unsigned short port)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    int on = 1, off = 0, fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
        if (bind(fd, (struct sockaddr *)&any, sizeof(any)) == 0 && listen(fd, 64) == 0)
            return fd;
        close(fd);
    }
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&any4, sizeof(any4)) == 0 && listen(fd, 64) == 0)
        return fd;
    return -1;
}

static void forget(struct client *client)
{
    close(client->fd);
    client->fd = -1;
}

static void greet(struct client *client, int with_body, int keep)
{
    char body[1024], answer[2048], host[256] = "somewhere";
    int body_len, len;

    gethostname(host, sizeof(host) - 1);
    body_len = snprintf(body, sizeof(body),
                        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">"
                        "<title>Hello from Sundog</title>\n"
                        "<h1>Hello from Sundog</h1>\n"
                        "<p>This is the container image <code>sundog/hello</code>, running on "
                        "<code>%s</code>.</p>\n</html>\n",
                        host);
    len = snprintf(answer, sizeof(answer),
                   "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n"
                   "Content-Length: %d\r\nConnection: %s\r\n\r\n%s",
                   body_len, keep ? "keep-alive" : "close", with_body ? body : "");
    if (send(client->fd, answer, (size_t)len, MSG_NOSIGNAL) != len || !keep)
        forget(client);
}

/* Answer each whole head that is there; bodies are not expected. */
static void answer(struct client *client)
{
    char *end;

    client->head[client->len] = '\0';
    while (client->fd >= 0 && (end = strstr(client->head, "\r\n\r\n"))) {
        size_t used = (size_t)(end + 4 - client->head);

        end[2] = '\0';
        greet(client, strncmp(client->head, "HEAD ", 5) != 0,
              strstr(client->head, " HTTP/1.1\r\n") &&
                  !strcasestr(client->head, "connection: close"));
        client->len -= used;
        memmove(client->head, client->head + used, client->len + 1);
    }
    if (client->fd >= 0 && client->len == HEAD_MAX - 1)
        forget(client);
}

static void receive(struct client *client)
{
    ssize_t n = recv(client->fd, client->head + client->len, HEAD_MAX - 1 - client->len, 0);

    if (n <= 0) {
        forget(client);
        return;
    }
    client->len += (size_t)n;
    answer(client);
}

static void welcome(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    for (int i = 0; fd >= 0 && i < CLIENTS_MAX; i++) {
        if (clients[i].fd < 0) {
            clients[i].fd = fd;
            clients[i].len = 0;
            return;
        }
    }
    if (fd >= 0)
        close(fd);
}

static void serve(int listener)
{
    struct pollfd fds[CLIENTS_MAX + 1] = {
        {.fd = listener, .events = POLLIN}
    };

    while (!ended) {
        for (int i = 0; i < CLIENTS_MAX; i++)
            fds[i + 1] = (struct pollfd){.fd = clients[i].fd, .events = POLLIN};
        if (poll(fds, CLIENTS_MAX + 1, -1) < 0 && errno != EINTR)
            return;
        if (ended)
            return;
        for (int i = 0; i < CLIENTS_MAX; i++)
            if (clients[i].fd >= 0 && clients[i].fd == fds[i + 1].fd && fds[i + 1].revents)
                receive(&clients[i]);
        if (fds[0].revents)
            welcome(listener);
    }
}

int main(void)
{
    const char *port = getenv("PORT");
    long number = port ? strtol(port, NULL, 10) : 80;
    struct sigaction action = {.sa_handler = on_signal};
    int listener;

    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    for (int i = 0; i < CLIENTS_MAX; i++)
        clients[i].fd = -1;
    listener = number > 0 && number < 65536 ? listen_on((unsigned short)number) : -1;
    if (listener < 0) {
        fprintf(stderr, "hello: cannot listen on port %ld: %s\n", number, strerror(errno));
        return 1;
    }
    printf("hello: listening on port %ld\n", number);
    fflush(stdout);
    serve(listener);
    return 0;
}
