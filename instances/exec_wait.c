#include "instances/exec_wait.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#define SAID_MAX 512
#define LOOK_MS  100 /* whether somebody has cancelled it */

/* Read what it says until it ends or its time is over. false: it is over. */
static bool wait_for_end(const struct op *op, const struct exec *x, int64_t until_ms, char *said,
                         size_t *n, struct exec_end *end)
{
    struct pollfd fds[3] = {
        {x->done, POLLIN, 0},
        {x->out,  POLLIN, 0},
        {x->err,  POLLIN, 0}
    };

    for (;;) {
        int64_t left = until_ms - now_ms();

        if (left <= 0 || op->cancelled ||
            (poll(fds, 3, left < LOOK_MS ? (int)left : LOOK_MS) < 0 && errno != EINTR))
            return false;
        for (int i = 1; i < 3; i++) {
            char chunk[256];
            ssize_t got;

            if (fds[i].fd < 0 || !fds[i].revents)
                continue;
            got = read(fds[i].fd, chunk, sizeof(chunk));
            if (got <= 0)
                fds[i].fd = -1;
            for (ssize_t j = 0; j < got && *n + 1 < SAID_MAX; j++)
                said[(*n)++] = chunk[j];
        }
        if (fds[0].revents)
            return read(x->done, end, sizeof(*end)) == (ssize_t)sizeof(*end);
    }
}

enum fault exec_wait(struct op *op, const char *sandbox, const char *container,
                     const char *const *args, int64_t timeout_ms, struct exec_result *ret)
{
    const struct exec_spec spec = {.args = args};
    struct exec x = {-1, -1, -1, -1};
    struct exec_end end = {.exit_code = -1};
    char said[SAID_MAX] = "";
    size_t n = 0;

    TRY(container_exec(op, sandbox, container, &spec, &x));
    ret->ended = wait_for_end(op, &x, now_ms() + timeout_ms, said, &n, &end);
    close(x.in);
    close(x.out);
    close(x.err);
    close(x.done); /* kills what still runs */
    ret->exit_code = end.exit_code;
    ret->said = arena_strndup(&op->arena, said, n);
    return OK;
}
