/* `sundog snapshot` and `sundog reset`: states of a running Sundog of this machine. */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "api/arm.h"
#include "api/commands.h"
#include "auth/local_client.h"
#include "core/json.h"
#include "core/uri.h"

#define LOOK_MS     10
#define PATIENCE_MS 300000

static const char *path_of(struct op *op, const char *name, const char *rest)
{
    return arena_printf(&op->arena, SNAPSHOTS_PATH "/%s%s", uri_encode(&op->arena, name, ""), rest);
}

/* ---- until another process serves ---- */

/* *ret_done: it does, and said how it went. */
static void look(struct op *op, const struct local_client *client, const char *process,
                 bool *ret_done, enum fault *ret_fault)
{
    struct op scratch;
    enum fault fault;
    json_t *answer;

    op_init(&scratch);
    fault = local_client_ask(&scratch, client, "GET", SNAPSHOTS_PATH, NULL, &answer);
    *ret_done = fault == OK && strcmp(json_text(answer, "process"), process) != 0;
    *ret_fault = OK;
    if (*ret_done && *json_text(answer, "failure"))
        *ret_fault =
            fail(op, UNAVAILABLE, "everything is as it was: %s", json_text(answer, "failure"));
    if (fault == UNAUTHENTICATED || fault == FORBIDDEN) {
        /* it serves, and the state is of a time when admin.json's principal was another */
        *ret_done = true;
        fputs("sundog: loaded; in it the first service principal has other rights or another "
              "secret\n",
              stderr);
    }
    op_free(&scratch);
}

static enum fault wait_anew(struct op *op, const struct local_client *client, const json_t *asked)
{
    int64_t deadline = now_ms() + PATIENCE_MS;
    enum fault fault = OK;
    bool done = false;

    while (!done) {
        look(op, client, json_text(asked, "process"), &done, &fault);
        if (!done && now_ms() > deadline)
            return fail(op, UNAVAILABLE, "it has not started anew: see its log");
        if (!done)
            poll(NULL, 0, LOOK_MS);
    }
    return fault;
}

/* ---- the commands ---- */

static enum fault list(struct op *op, const struct settings *settings,
                       const struct local_client *client)
{
    json_t *answer, *one, *all;
    size_t i;

    TRY(local_client_ask(op, client, "GET", SNAPSHOTS_PATH, NULL, &answer));
    all = json_object_get(answer, "value");
    if (strcmp(settings->format, "json") == 0) {
        json_dumpf(all, stdout, JSON_INDENT(2));
        putchar('\n');
        return OK;
    }
    printf("%-40s %-20s %9s %9s\n", "SNAPSHOT", "SAVED", "BLOBS", "SIZE");
    json_array_foreach(all, i, one)
    {
        const json_t *p = json_object_get(one, "properties");
        json_int_t bytes = json_integer_value(json_object_get(p, "blobBytes")) +
                           json_integer_value(json_object_get(p, "tableBytes"));

        printf("%-40s %-20s %9lld %5lld MiB\n", json_text(one, "name"), json_text(p, "created"),
               (long long)json_integer_value(json_object_get(p, "blobs")),
               (long long)(bytes >> 20));
    }
    return OK;
}

static enum fault snapshot(struct op *op, const struct settings *settings,
                           const struct local_client *client)
{
    const char *what = settings_args[0] ? settings_args[0] : "", *name = settings_args[1];
    json_t *asked;

    if (strcmp(what, "list") == 0 && !name)
        return list(op, settings, client);
    if (!name || settings_args[2])
        what = "";
    if (strcmp(what, "save") == 0)
        return local_client_ask(op, client, "PUT", path_of(op, name, ""), NULL, NULL);
    if (strcmp(what, "delete") == 0)
        return local_client_ask(op, client, "DELETE", path_of(op, name, ""), NULL, NULL);
    if (strcmp(what, "load") != 0)
        return fail(op, INVALID, "usage: sundog snapshot save|load|delete NAME, or snapshot list");
    TRY(local_client_ask(op, client, "POST", path_of(op, name, "/load"), NULL, &asked));
    return wait_anew(op, client, asked);
}

static enum fault reset(struct op *op, const struct settings *settings,
                        const struct local_client *client)
{
    json_t *body = json_new_object(op), *asked;

    (void)settings;
    if (settings_args[0])
        return fail(op, INVALID, "usage: sundog reset");
    json_object_set_new(body, "everything", json_true());
    TRY(local_client_ask(op, client, "POST", RESET_PATH, body, &asked));
    return wait_anew(op, client, asked);
}

int snapshot_run(struct settings *settings)
{
    return local_client_run(settings, snapshot);
}

int reset_run(struct settings *settings)
{
    return local_client_run(settings, reset);
}
