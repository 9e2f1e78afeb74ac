#include "core/notify.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/op.h"

static char path[108]; /* "": nobody wants to know */

void notify_start(void)
{
    const char *given = getenv("NOTIFY_SOCKET");

    snprintf(path, sizeof(path), "%s", given ? given : "");
    unsetenv("NOTIFY_SOCKET");
}

void notify_manager(const char *state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    AUTO_CLOSE int fd = -1;

    if (len < 2 || len >= sizeof(address.sun_path))
        return;
    memcpy(address.sun_path, path, len);
    if (*path == '@') /* an abstract one */
        address.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) /* who does not listen is not told */
        (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
                     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
}

void notify_hand_on(void)
{
    if (*path)
        setenv("NOTIFY_SOCKET", path, 1);
}
