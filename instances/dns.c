/*
 *~ One thread polls the socket of containers and one socket a forwarded query, so an answer can
 *~ only come from whom we asked, at a port nobody knows. TCP, which few queries need, has a thread
 *~ a connection, of which there may be some.
 */
#include "instances/dns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PENDING_MAX = 256,
    SERVERS_MAX = 3,
    TRY_MS = 2000, /* then the next resolver */
    TRIES_MAX = 3,
    TCP_MAX = 16,
    TCP_TIMEOUT_S = 5
};

struct pending {
    int fd; /* connected to a resolver; -1: free */
    int tries;
    int64_t until_ms;
    struct sockaddr_in client;
    size_t len;
    unsigned char query[1500];
};

static struct {
    int udp, tcp, wake;
    pthread_t thread;
    bool running;
    atomic_bool ending;
    atomic_int n_tcp;
    struct pending pending[PENDING_MAX];
    unsigned char buffer[DNS_MESSAGE_MAX + 64], answer[DNS_MESSAGE_MAX + 64];
} state = {.udp = -1, .tcp = -1, .wake = -1};

/* ---- the host's resolvers ---- */

static struct {
    pthread_mutex_t lock;
    struct timespec changed;
    struct sockaddr_in list[SERVERS_MAX];
    size_t n;
} servers = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void read_servers(void)
{
    FILE *f = fopen("/etc/resolv.conf", "re");
    char line[512], address[64];

    servers.n = 0;
    while (f && fgets(line, sizeof(line), f) && servers.n < SERVERS_MAX) {
        struct sockaddr_in *server = &servers.list[servers.n];

        *server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(53)};
        if (sscanf(line, " nameserver %63s", address) == 1 &&
            inet_pton(AF_INET, address, &server->sin_addr) == 1)
            servers.n++;
    }
    if (f)
        fclose(f);
}

/* False: there is none. */
static bool resolver(int which, struct sockaddr_in *ret)
{
    struct stat st;
    bool any;

    pthread_mutex_lock(&servers.lock);
    if (stat("/etc/resolv.conf", &st) == 0 && (st.st_mtim.tv_sec != servers.changed.tv_sec ||
                                               st.st_mtim.tv_nsec != servers.changed.tv_nsec)) {
        servers.changed = st.st_mtim;
        read_servers();
    }
    any = servers.n > 0;
    if (any)
        *ret = servers.list[(size_t)which % servers.n];
    pthread_mutex_unlock(&servers.lock);
    return any;
}

/* ---- UDP ---- */

static void reply(const struct sockaddr_in *client, const unsigned char *message, size_t len)
{
    /* one that is lost is asked for again */
    (void)sendto(state.udp, message, len, MSG_DONTWAIT, (const void *)client, sizeof(*client));
}

static void give_up(struct pending *p)
{
    size_t len = dns_failure(p->query, p->len, state.answer);

    reply(&p->client, state.answer, len);
    p->fd = -1;
}

/* Ask the next resolver; what cannot be asked is tried again when its time is over. */
static void ask(struct pending *p)
{
    struct sockaddr_in server;

    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
    if (p->tries < TRIES_MAX && resolver(p->tries, &server))
        p->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (p->fd < 0) {
        give_up(p);
        return;
    }
    p->tries++;
    p->until_ms = now_ms() + TRY_MS;
    if (connect(p->fd, (const struct sockaddr *)&server, sizeof(server)) == 0)
        (void)send(p->fd, p->query, p->len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void forward(const struct sockaddr_in *client, const unsigned char *query, size_t len)
{
    for (size_t i = 0; i < PENDING_MAX && len <= sizeof(state.pending[0].query); i++) {
        struct pending *p = &state.pending[i];

        if (p->fd >= 0)
            continue;
        *p = (struct pending){.fd = -1, .client = *client, .len = len};
        memcpy(p->query, query, len);
        ask(p);
        return;
    }
}

static void serve_udp(void)
{
    for (int i = 0; i < 64; i++) {
        struct sockaddr_in client;
        socklen_t client_len = sizeof(client);
        ssize_t n = recvfrom(state.udp, state.buffer, DNS_MESSAGE_MAX, MSG_DONTWAIT,
                             (struct sockaddr *)&client, &client_len);
        size_t len;

        if (n < 0)
            return;
        switch (dns_answer(state.buffer, (size_t)n, state.answer, &len)) {
        case DNS_ANSWER:
            reply(&client, state.answer, len);
            break;
        case DNS_FORWARD:
            forward(&client, state.buffer, (size_t)n);
            break;
        case DNS_DROP:
            break;
        }
    }
}

static void take_answer(struct pending *p)
{
    ssize_t n = recv(p->fd, state.buffer, DNS_MESSAGE_MAX, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 12) { /* nobody is there, or rubbish */
        ask(p);
        return;
    }
    if (memcmp(state.buffer, p->query, 2) != 0)
        return;
    reply(&p->client, state.buffer, (size_t)n);
    close(p->fd);
    p->fd = -1;
}

/* ---- TCP: two bytes of length before each message ---- */

static bool transfer(int fd, unsigned char *data, size_t len, bool out)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = out ? send(fd, data + done, len - done, MSG_NOSIGNAL)
                        : recv(fd, data + done, len - done, 0);

        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

static bool receive_message(int fd, unsigned char *message, size_t *ret_len)
{
    unsigned char head[2];

    if (!transfer(fd, head, 2, false))
        return false;
    *ret_len = (size_t)head[0] << 8 | head[1];
    return transfer(fd, message, *ret_len, false);
}

static bool send_message(int fd, unsigned char *message, size_t len)
{
    unsigned char head[2] = {(unsigned char)(len >> 8), (unsigned char)len};

    return transfer(fd, head, 2, true) && transfer(fd, message, len, true);
}

static void limit_time(int fd)
{
    struct timeval limit = {.tv_sec = TCP_TIMEOUT_S};

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

static bool ask_by_tcp(unsigned char *query, size_t len, unsigned char *answer, size_t *ret_len)
{
    AUTO_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in server;

    if (fd < 0 || !resolver(0, &server))
        return false;
    limit_time(fd);
    return connect(fd, (const struct sockaddr *)&server, sizeof(server)) == 0 &&
           send_message(fd, query, len) && receive_message(fd, answer, ret_len);
}

static void *tcp_main(void *arg)
{
    int fd = (int)(intptr_t)arg;
    unsigned char *query = malloc(DNS_MESSAGE_MAX + 64), *answer = malloc(DNS_MESSAGE_MAX + 64);
    size_t len, answer_len = 0;

    pthread_setname_np(pthread_self(), "dns-tcp");
    limit_time(fd);
    while (query && answer && receive_message(fd, query, &len)) {
        enum dns_verdict verdict = dns_answer(query, len, answer, &answer_len);

        if (verdict == DNS_DROP)
            break;
        if (verdict == DNS_FORWARD && !ask_by_tcp(query, len, answer, &answer_len))
            answer_len = dns_failure(query, len, answer);
        if (!send_message(fd, answer, answer_len))
            break;
    }
    free(query);
    free(answer);
    close(fd);
    atomic_fetch_sub(&state.n_tcp, 1);
    return NULL;
}

static void serve_tcp(void)
{
    int fd = accept4(state.tcp, NULL, NULL, SOCK_CLOEXEC);
    pthread_t thread;

    if (fd < 0)
        return;
    if (atomic_fetch_add(&state.n_tcp, 1) >= TCP_MAX ||
        pthread_create(&thread, NULL, tcp_main, (void *)(intptr_t)fd) != 0) {
        atomic_fetch_sub(&state.n_tcp, 1);
        close(fd);
        return;
    }
    pthread_detach(thread);
}

/* ---- the thread ---- */

static void look_at_pending(const struct pollfd *fds, struct pending *const *whose, nfds_t n)
{
    int64_t now = now_ms();

    for (nfds_t i = 0; i < n; i++) {
        if (fds[i].revents)
            take_answer(whose[i]);
        else if (now >= whose[i]->until_ms)
            ask(whose[i]);
    }
}

static void *dns_main(void *arg)
{
    struct pollfd fds[3 + PENDING_MAX];
    struct pending *whose[PENDING_MAX];

    (void)arg;
    pthread_setname_np(pthread_self(), "dns");
    while (!atomic_load(&state.ending)) {
        nfds_t n = 0;

        fds[0] = (struct pollfd){.fd = state.udp, .events = POLLIN};
        fds[1] = (struct pollfd){.fd = state.tcp, .events = POLLIN};
        fds[2] = (struct pollfd){.fd = state.wake, .events = POLLIN};
        for (size_t i = 0; i < PENDING_MAX; i++) {
            if (state.pending[i].fd < 0)
                continue;
            whose[n] = &state.pending[i];
            fds[3 + n++] = (struct pollfd){.fd = state.pending[i].fd, .events = POLLIN};
        }
        if (poll(fds, 3 + n, n ? 200 : -1) < 0)
            continue;
        look_at_pending(fds + 3, whose, n);
        if (fds[0].revents)
            serve_udp();
        if (fds[1].revents)
            serve_tcp();
    }
    return NULL;
}

void dns_start(int udp, int tcp)
{
    for (size_t i = 0; i < PENDING_MAX; i++)
        state.pending[i].fd = -1;
    state.udp = udp;
    state.tcp = tcp;
    state.wake = eventfd(0, EFD_CLOEXEC);
    atomic_store(&state.ending, false);
    if (state.wake < 0 || pthread_create(&state.thread, NULL, dns_main, NULL) != 0)
        abort();
    state.running = true;
}

void dns_stop(void)
{
    if (!state.running)
        return;
    atomic_store(&state.ending, true);
    (void)eventfd_write(state.wake, 1);
    pthread_join(state.thread, NULL);
    while (atomic_load(&state.n_tcp) > 0) /* at most their time limit */
        poll(NULL, 0, 10);
    for (size_t i = 0; i < PENDING_MAX; i++)
        if (state.pending[i].fd >= 0)
            close(state.pending[i].fd);
    close(state.udp);
    close(state.tcp);
    close(state.wake);
    state.running = false;
}
