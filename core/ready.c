#include "core/ready.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/fetch.h"
#include "core/local.h"

#define PAUSE_MS 50

static enum fault ask(struct op *op, const char *data)
{
    struct fetch ask = {.timeout_ms = 5000, .direct = true};
    struct fetched answer;
    struct local local;

    TRY(local_read(op, data, &local));
    ask.url = local.plain ? arena_printf(&op->arena, "http://%s/readyz", local.plain)
                          : arena_printf(&op->arena, "https://%s/readyz", local.tls);
    TRY(fetch(op, &ask, &answer));
    return answer.status == 200 ? OK
                                : fail(op, UNAVAILABLE, "%s answers %d", ask.url, answer.status);
}

int ready_run(struct settings *settings)
{
    int64_t end = now_ms() + settings->wait_s * 1000;
    enum fault fault;
    struct op op;

    fetch_start();
    for (;;) {
        op_init(&op);
        fault = ask(&op, settings->data);
        if (fault == OK || now_ms() >= end)
            break;
        op_free(&op);
        usleep(PAUSE_MS * 1000);
    }
    if (fault == OK)
        puts("ready");
    else
        fprintf(stderr, "sundog: not ready: %s\n", op.message);
    op_free(&op);
    fetch_stop();
    return fault == OK ? 0 : 1;
}
