#include "core/listen.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* "[::1]:8443" → "::1", "8443" */
static bool split(struct op *op, const char *address, const char **host, const char **port)
{
    const char *colon = strrchr(address, ':');
    size_t len;

    if (!colon || !colon[1])
        return false;
    len = (size_t)(colon - address);
    if (len >= 2 && address[0] == '[' && address[len - 1] == ']')
        *host = arena_strndup(&op->arena, address + 1, len - 2);
    else
        *host = arena_strndup(&op->arena, address, len);
    *port = colon + 1;
    return true;
}

static int port_of(const struct sockaddr *sa)
{
    return sa->sa_family == AF_INET6 ? ntohs(((const struct sockaddr_in6 *)sa)->sin6_port)
                                     : ntohs(((const struct sockaddr_in *)sa)->sin_port);
}

static enum fault bind_one(struct op *op, const char *address, const struct addrinfo *ai,
                           int *ret_fd)
{
    int on = 1, fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int error;

    if (fd < 0)
        return fail(op, NOT_FOUND, "cannot listen on %s: %s", address, strerror(errno));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (ai->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0) {
        *ret_fd = fd;
        return OK;
    }
    error = errno;
    close(fd);
    if (error == EADDRINUSE)
        return fail(op, CONFLICT, "%s is taken by %s", address,
                    listen_holder(op, port_of(ai->ai_addr)));
    return fail(op, error == EADDRNOTAVAIL ? NOT_FOUND : INVALID, "cannot listen on %s: %s",
                address, strerror(error));
}

enum fault listen_bind(struct op *op, const char *address, int *ret_fd)
{
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *ai;
    const char *host, *port;
    enum fault fault;
    int error;

    if (!split(op, address, &host, &port))
        return fail(op, INVALID, "\"%s\" is not ADDRESS:PORT", address);
    error = getaddrinfo(strcmp(host, "*") == 0 ? NULL : host, port, &hints, &ai);
    if (error)
        return fail(op, INVALID, "cannot listen on %s: %s", address, gai_strerror(error));
    fault = bind_one(op, address, ai, ret_fd);
    freeaddrinfo(ai);
    return fault;
}

const char *listen_address(struct op *op, int fd)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof(ss);
    char host[NI_MAXHOST];

    if (getsockname(fd, (struct sockaddr *)&ss, &len) ||
        getnameinfo((struct sockaddr *)&ss, len, host, sizeof(host), NULL, 0, NI_NUMERICHOST))
        return "?";
    return arena_printf(&op->arena, strchr(host, ':') ? "[%s]:%d" : "%s:%d", host,
                        port_of((struct sockaddr *)&ss));
}

void listen_text(const struct sockaddr *address, size_t len, char *buffer, size_t size)
{
    char host[NI_MAXHOST];

    *buffer = '\0';
    if (getnameinfo(address, (socklen_t)len, host, sizeof(host), NULL, 0, NI_NUMERICHOST) == 0)
        snprintf(buffer, size, strchr(host, ':') ? "[%s]:%d" : "%s:%d", host, port_of(address));
}

bool listen_is_loopback(int fd)
{
    struct sockaddr_storage ss = {0};
    socklen_t len = sizeof(ss);

    if (getsockname(fd, (struct sockaddr *)&ss, &len))
        return false;
    if (ss.ss_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&((struct sockaddr_in6 *)&ss)->sin6_addr);
    return ntohl(((struct sockaddr_in *)&ss)->sin_addr.s_addr) >> 24 == 127;
}

/* ---- whose port is it? /proc/net/tcp has the socket's inode, /proc/PID/fd the owner ---- */

static unsigned long inode_in(const char *table, int port)
{
    FILE *f = fopen(table, "re");
    unsigned long found = 0;
    char line[512];

    if (!f)
        return 0;
    while (!found && fgets(line, sizeof(line), f)) {
        unsigned long inode;
        unsigned local_port, state;

        if (sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %*d %*d %lu",
                   &local_port, &state, &inode) == 3 &&
            (int)local_port == port && state == 0x0a)
            found = inode;
    }
    fclose(f);
    return found;
}

static bool pid_has_socket(const char *pid, const char *socket_name)
{
    char path[300], target[64];
    DIR *dir;
    struct dirent *entry;
    bool found = false;

    snprintf(path, sizeof(path), "/proc/%s/fd", pid);
    dir = opendir(path);
    if (!dir)
        return false;
    while (!found && (entry = readdir(dir))) {
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);

        if (n > 0) {
            target[n] = '\0';
            found = strcmp(target, socket_name) == 0;
        }
    }
    closedir(dir);
    return found;
}

static const char *name_of(struct op *op, const char *pid)
{
    char path[300], comm[64] = "";
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%s/comm", pid);
    f = fopen(path, "re");
    if (f) {
        if (fgets(comm, sizeof(comm), f))
            comm[strcspn(comm, "\n")] = '\0';
        fclose(f);
    }
    return arena_printf(&op->arena, "%s (pid %s)", comm, pid);
}

const char *listen_holder(struct op *op, int port)
{
    unsigned long inode = inode_in("/proc/net/tcp", port);
    const char *holder = "another process", *wanted;
    struct dirent *entry;
    DIR *proc;

    if (!inode)
        inode = inode_in("/proc/net/tcp6", port);
    proc = inode ? opendir("/proc") : NULL;
    if (!proc)
        return holder;
    wanted = arena_printf(&op->arena, "socket:[%lu]", inode);
    while ((entry = readdir(proc)))
        if (isdigit((unsigned char)entry->d_name[0]) && pid_has_socket(entry->d_name, wanted)) {
            holder = name_of(op, entry->d_name);
            break;
        }
    closedir(proc);
    return holder;
}
