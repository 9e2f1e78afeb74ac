#include "instances/dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOK_MS 100 /* whether somebody has cancelled it */

static const char *reason(int error)
{
    switch (error) {
    case ECONNREFUSED:
        return "connection refused";
    case ETIMEDOUT:
        return "i/o timeout";
    case EHOSTUNREACH:
        return "no route to host";
    case ECANCELED:
        return "operation was canceled";
    case ENETUNREACH:
        return "network is unreachable";
    default:
        return strerror(error);
    }
}

/* 0, or an errno. */
static int wait_until_connected(const struct op *op, int fd, int64_t timeout_ms)
{
    struct pollfd look = {.fd = fd, .events = POLLOUT};
    int64_t until = now_ms() + timeout_ms, left;
    int error = 0, n;
    socklen_t len = sizeof(error);

    do {
        left = until - now_ms();
        n = poll(&look, 1, left > LOOK_MS ? LOOK_MS : left > 0 ? (int)left : 0);
        if (op->cancelled)
            return ECANCELED;
    } while (n < 0 ? errno == EINTR : n == 0 && left > LOOK_MS);
    if (n == 0)
        return ETIMEDOUT;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ? errno : error;
}

enum fault dial(struct op *op, int socket, const char *address, int port, int64_t timeout_ms,
                int *ret_fd)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int error = 0;

    if (inet_pton(AF_INET, address, &to.sin_addr) != 1) {
        close(socket);
        return fail(op, INVALID, "\"%s\" is no IPv4 address", address);
    }
    if (connect(socket, (const struct sockaddr *)&to, sizeof(to)) < 0)
        error = errno == EINPROGRESS ? wait_until_connected(op, socket, timeout_ms) : errno;
    if (error) {
        close(socket);
        return fail(op, UNAVAILABLE, "dial tcp %s:%d: %s%s", address, port,
                    error == ETIMEDOUT || error == ECANCELED ? "" : "connect: ", reason(error));
    }
    *ret_fd = socket;
    return OK;
}
