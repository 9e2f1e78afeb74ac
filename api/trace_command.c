/* `sundog trace`: what clients ask, as lines for people, or as they come (--format json). */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "api/commands.h"
#include "auth/local_client.h"
#include "core/json.h"

#define LINE_MAX_ ((size_t)64 << 10)

struct tracer {
    const struct settings *settings;
    bool json, colour;
    char line[LINE_MAX_];
    size_t len;
    bool too_long; /* the rest of such a line is left out */
};

/* What came over the network may hold escapes of terminals. */
static void put(const char *text)
{
    for (; *text; text++)
        putchar((unsigned char)*text < ' ' || *text == 127 ? '?' : *text);
}

static void put_row(const char *name, const char *value)
{
    if (!*value)
        return;
    printf("         %-8s ", name);
    put(value);
    putchar('\n');
}

static const char *colour_of(const struct tracer *t, int status)
{
    if (!t->colour)
        return "";
    return status >= 500 ? "\033[31m" : status >= 400 ? "\033[33m" : "\033[32m";
}

/* "23:46:22 403 PUT  12.3 ms  ci  /subscriptions/…", then what it needed, why not, and the mend. */
static void show(const struct tracer *t, const json_t *line)
{
    int status = (int)json_integer_value(json_object_get(line, "status"));
    double ms = (double)json_integer_value(json_object_get(line, "us")) / 1000;
    const json_t *principal = json_object_get(line, "principal");
    const char *who = json_text(principal, "name"), *time = json_text(line, "time");

    printf("%.8s %s%d%s %-6s %8.1f ms  ", strlen(time) > 11 ? time + 11 : time,
           colour_of(t, status), status, t->colour ? "\033[0m" : "", json_text(line, "method"), ms);
    put(*who ? who : "-");
    fputs("  ", stdout);
    put(json_text(line, "host"));
    put(json_text(line, "path"));
    putchar('\n');
    put_row("asked", json_text(line, "operation"));
    put_row("needs", json_text(line, "right"));
    put_row("on", json_text(line, "scope"));
    put_row("refused", json_text(line, "reason"));
    put_row("mend", json_text(line, "mend"));
}

static void take_line(struct tracer *t, struct op *op)
{
    json_t *line;

    if (t->len == 0 || t->too_long)
        return;
    if (json_parse(op, (struct bytes){t->line, t->len}, &line) != OK) {
        op_clear_fault(op);
        return;
    }
    if (t->settings->refused && !json_object_get(line, "fault") && !json_object_get(line, "mend"))
        return;
    if (t->json)
        printf("%.*s\n", (int)t->len, t->line);
    else
        show(t, line);
    fflush(stdout);
}

static enum fault take(void *arg, struct op *op, struct bytes piece)
{
    struct tracer *t = arg;
    const char *data = piece.data;

    for (size_t i = 0; i < piece.len; i++) {
        if (data[i] == '\n') {
            struct op scratch; /* it may go on for days */

            op_init(&scratch);
            take_line(t, &scratch);
            op_free(&scratch);
            t->len = 0;
            t->too_long = false;
        } else if (t->len < sizeof(t->line)) {
            t->line[t->len++] = data[i];
        } else {
            t->too_long = true;
        }
    }
    return ferror(stdout) ? fail(op, UNAVAILABLE, "cannot write what is told") : OK;
}

static enum fault follow(struct op *op, struct tracer *t, const struct local_client *client)
{
    const struct header authorization = {"authorization", client->authorization};
    const struct fetch ask = {.url = arena_printf(&op->arena, "%s" TRACE_PATH, client->base),
                              .headers = &authorization,
                              .n_headers = 1,
                              .direct = true,
                              .timeout_ms = INT64_C(1000) * 86400 * 365,
                              .write = take,
                              .arg = t};
    struct fetched answer;

    fprintf(stderr, "sundog: what clients ask of %s, until ^C\n", client->base);
    TRY(fetch(op, &ask, &answer));
    return answer.status == 200 ? fail(op, UNAVAILABLE, "the service has ended")
                                : fail(op, FORBIDDEN, "%s answered %d", ask.url, answer.status);
}

static enum fault trace(struct op *op, const struct settings *settings,
                        const struct local_client *client)
{
    struct tracer *tracer = arena_alloc(&op->arena, sizeof(*tracer));

    tracer->settings = settings;
    tracer->json = strcmp(settings->format, "json") == 0;
    tracer->colour = isatty(1) && !getenv("NO_COLOR");
    return follow(op, tracer, client);
}

int trace_run(struct settings *settings)
{
    return local_client_run(settings, trace);
}
