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

struct dns_door {
    struct dns_door *next;
    int udp, tcp;
    dns_answerer answer;
    void *user;
    bool closed; /* by its owner: the thread takes it away */
};

struct pending {
    struct dns_door *door;
    int fd; /* connected to a resolver; -1: free */
    int tries;
    int64_t until_ms;
    struct sockaddr_in client;
    size_t len;
    unsigned char query[1500];
};

static struct {
    int wake;
    pthread_t thread;
    bool running; /* by the lock */
    atomic_bool ending;
    atomic_int n_tcp;
    struct pending pending[PENDING_MAX]; /* and the buffers: the thread's */
    unsigned char buffer[DNS_MESSAGE_MAX + 64], answer[DNS_MESSAGE_MAX + 64];
    pthread_mutex_t lock; /* held while an answer is made */
    pthread_cond_t gone;
    struct dns_door *doors; /* by the lock; the thread alone takes from it */
} state = {.wake = -1, .lock = PTHREAD_MUTEX_INITIALIZER, .gone = PTHREAD_COND_INITIALIZER};

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

static void reply(const struct dns_door *door, const struct sockaddr_in *client,
                  const unsigned char *message, size_t len)
{
    /* one that is lost is asked for again */
    (void)sendto(door->udp, message, len, MSG_DONTWAIT, (const void *)client, sizeof(*client));
}

static void give_up(struct pending *p)
{
    size_t len = dns_failure(p->query, p->len, state.answer);

    reply(p->door, &p->client, state.answer, len);
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

static void forward(struct dns_door *door, const struct sockaddr_in *client,
                    const unsigned char *query, size_t len)
{
    for (size_t i = 0; i < PENDING_MAX && len <= sizeof(state.pending[0].query); i++) {
        struct pending *p = &state.pending[i];

        if (p->fd >= 0)
            continue;
        *p = (struct pending){.door = door, .fd = -1, .client = *client, .len = len};
        memcpy(p->query, query, len);
        ask(p);
        return;
    }
}

static enum dns_verdict own_answer(void *user, const unsigned char *query, size_t len, bool tcp,
                                   unsigned char *answer, size_t *ret_len)
{
    (void)user;
    (void)tcp;
    return dns_answer(query, len, answer, ret_len);
}

/* What its owner says, while he has not closed it. */
static enum dns_verdict answer_at(struct dns_door *door, const unsigned char *query, size_t len,
                                  bool tcp, unsigned char *answer, size_t *ret_len)
{
    enum dns_verdict verdict = DNS_DROP;

    pthread_mutex_lock(&state.lock);
    for (const struct dns_door *each = state.doors; each; each = each->next)
        if (each == door && !door->closed)
            verdict = door->answer(door->user, query, len, tcp, answer, ret_len);
    pthread_mutex_unlock(&state.lock);
    return verdict;
}

static void serve_udp(struct dns_door *door)
{
    for (int i = 0; i < 64; i++) {
        struct sockaddr_in client;
        socklen_t client_len = sizeof(client);
        ssize_t n = recvfrom(door->udp, state.buffer, DNS_MESSAGE_MAX, MSG_DONTWAIT,
                             (struct sockaddr *)&client, &client_len);
        size_t len = 0;

        if (n < 0)
            return;
        switch (answer_at(door, state.buffer, (size_t)n, false, state.answer, &len)) {
        case DNS_ANSWER:
            reply(door, &client, state.answer, len);
            break;
        case DNS_FORWARD:
            forward(door, &client, state.buffer, (size_t)n);
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
    reply(p->door, &p->client, state.buffer, (size_t)n);
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

struct tcp_conn {
    struct dns_door *door; /* perhaps gone: answer_at looks */
    int fd;
};

static void *tcp_main(void *arg)
{
    struct tcp_conn conn = *(struct tcp_conn *)arg;
    unsigned char *query = malloc(DNS_MESSAGE_MAX + 64), *answer = malloc(DNS_MESSAGE_MAX + 64);
    size_t len, answer_len = 0;

    free(arg);
    pthread_setname_np(pthread_self(), "dns-tcp");
    limit_time(conn.fd);
    while (query && answer && receive_message(conn.fd, query, &len)) {
        enum dns_verdict verdict = answer_at(conn.door, query, len, true, answer, &answer_len);

        if (verdict == DNS_DROP)
            break;
        if (verdict == DNS_FORWARD && !ask_by_tcp(query, len, answer, &answer_len))
            answer_len = dns_failure(query, len, answer);
        if (!send_message(conn.fd, answer, answer_len))
            break;
    }
    free(query);
    free(answer);
    close(conn.fd);
    atomic_fetch_sub(&state.n_tcp, 1);
    return NULL;
}

static void serve_tcp(struct dns_door *door)
{
    int fd = accept4(door->tcp, NULL, NULL, SOCK_CLOEXEC);
    struct tcp_conn *conn;
    pthread_t thread;

    if (fd < 0)
        return;
    conn = malloc(sizeof(*conn));
    if (!conn)
        abort();
    *conn = (struct tcp_conn){door, fd};
    if (atomic_fetch_add(&state.n_tcp, 1) >= TCP_MAX ||
        pthread_create(&thread, NULL, tcp_main, conn) != 0) {
        atomic_fetch_sub(&state.n_tcp, 1);
        free(conn);
        close(fd);
        return;
    }
    pthread_detach(thread);
}

/* ---- doors ---- */

static struct dns_door *door_new(int udp, int tcp, dns_answerer answer, void *user)
{
    struct dns_door *door = calloc(1, sizeof(*door));

    if (!door)
        abort();
    *door = (struct dns_door){.udp = udp, .tcp = tcp, .answer = answer, .user = user};
    door->next = state.doors;
    state.doors = door;
    return door;
}

static void door_free(struct dns_door *door)
{
    for (size_t i = 0; i < PENDING_MAX; i++)
        if (state.pending[i].fd >= 0 && state.pending[i].door == door) {
            close(state.pending[i].fd);
            state.pending[i].fd = -1;
        }
    close(door->udp);
    close(door->tcp);
    free(door);
}

/* By the thread, with the lock: nobody else looks at descriptors. */
static void take_away_closed(bool all)
{
    for (struct dns_door **at = &state.doors; *at;) {
        struct dns_door *door = *at;

        if (!door->closed && !all) {
            at = &door->next;
            continue;
        }
        *at = door->next;
        door_free(door);
    }
    pthread_cond_broadcast(&state.gone);
}

struct dns_door *dns_door_open(int udp, int tcp, dns_answerer answer, void *user)
{
    struct dns_door *door = NULL;

    pthread_mutex_lock(&state.lock);
    if (state.running) {
        door = door_new(udp, tcp, answer, user);
        (void)eventfd_write(state.wake, 1);
    }
    pthread_mutex_unlock(&state.lock);
    if (!door) {
        close(udp);
        close(tcp);
    }
    return door;
}

static bool is_there(const struct dns_door *door)
{
    const struct dns_door *each = state.doors;

    while (each && each != door)
        each = each->next;
    return each != NULL;
}

void dns_door_close(struct dns_door *door)
{
    pthread_mutex_lock(&state.lock);
    if (is_there(door)) { /* else DNS has been stopped, and all are gone */
        door->closed = true;
        (void)eventfd_write(state.wake, 1);
        while (is_there(door))
            pthread_cond_wait(&state.gone, &state.lock);
    }
    pthread_mutex_unlock(&state.lock);
}

/* ---- the thread ---- */

enum what { WAKE, DOOR_UDP, DOOR_TCP, ASKED };

/* What is polled: grown by the thread alone, as doors come. */
struct looks {
    struct pollfd *fds;
    struct look {
        enum what what;
        struct dns_door *door;
        struct pending *pending;
    } * whose;
    size_t n, cap;
    bool waits; /* for others' answers */
};

static void look_at(struct looks *looks, int fd, struct look whose)
{
    if (looks->n == looks->cap) {
        looks->cap = looks->cap ? 2 * looks->cap : 64;
        looks->fds = realloc(looks->fds, looks->cap * sizeof(*looks->fds));
        looks->whose = realloc(looks->whose, looks->cap * sizeof(*looks->whose));
        if (!looks->fds || !looks->whose)
            abort();
    }
    looks->fds[looks->n] = (struct pollfd){.fd = fd, .events = POLLIN};
    looks->whose[looks->n++] = whose;
}

static void look_at_all(struct looks *looks)
{
    looks->n = 0;
    looks->waits = false;
    look_at(looks, state.wake, (struct look){WAKE});
    pthread_mutex_lock(&state.lock);
    take_away_closed(false);
    for (struct dns_door *door = state.doors; door; door = door->next) {
        look_at(looks, door->udp, (struct look){DOOR_UDP, .door = door});
        look_at(looks, door->tcp, (struct look){DOOR_TCP, .door = door});
    }
    pthread_mutex_unlock(&state.lock);
    for (size_t i = 0; i < PENDING_MAX; i++)
        if (state.pending[i].fd >= 0) {
            look_at(looks, state.pending[i].fd, (struct look){ASKED, NULL, &state.pending[i]});
            looks->waits = true;
        }
}

static void go_on(const struct look *look, bool ready, int64_t now)
{
    eventfd_t count;

    if (look->what == ASKED && ready)
        take_answer(look->pending);
    else if (look->what == ASKED && now >= look->pending->until_ms)
        ask(look->pending);
    else if (look->what == DOOR_UDP && ready)
        serve_udp(look->door);
    else if (look->what == DOOR_TCP && ready)
        serve_tcp(look->door);
    else if (look->what == WAKE && ready)
        (void)eventfd_read(state.wake, &count);
}

static void *dns_main(void *arg)
{
    struct looks looks = {0};

    (void)arg;
    pthread_setname_np(pthread_self(), "dns");
    while (!atomic_load(&state.ending)) {
        int64_t now;

        look_at_all(&looks);
        if (poll(looks.fds, looks.n, looks.waits ? 200 : -1) < 0)
            continue;
        now = now_ms();
        for (size_t i = looks.n; i-- > 0;) /* what was asked first, then what is asked now */
            go_on(&looks.whose[i], looks.fds[i].revents != 0, now);
    }
    free(looks.fds);
    free(looks.whose);
    return NULL;
}

void dns_start(int udp, int tcp)
{
    for (size_t i = 0; i < PENDING_MAX; i++)
        state.pending[i].fd = -1;
    state.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    atomic_store(&state.ending, false);
    pthread_mutex_lock(&state.lock);
    (void)door_new(udp, tcp, own_answer, NULL);
    if (state.wake < 0 || pthread_create(&state.thread, NULL, dns_main, NULL) != 0)
        abort();
    state.running = true;
    pthread_mutex_unlock(&state.lock);
}

void dns_stop(void)
{
    pthread_mutex_lock(&state.lock);
    if (!state.running) {
        pthread_mutex_unlock(&state.lock);
        return;
    }
    state.running = false;
    pthread_mutex_unlock(&state.lock);
    atomic_store(&state.ending, true);
    (void)eventfd_write(state.wake, 1);
    pthread_join(state.thread, NULL);
    pthread_mutex_lock(&state.lock);
    take_away_closed(true);
    pthread_mutex_unlock(&state.lock);
    while (atomic_load(&state.n_tcp) > 0) /* at most their time limit */
        poll(NULL, 0, 10);
    close(state.wake);
}
