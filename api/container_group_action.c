/* What can be done with a container group: start, stop, restart, its logs, exec and attach. */
#include <stdlib.h>
#include <string.h>

#include "api/body.h"
#include "api/cache.h"
#include "api/command_words.h"
#include "api/container_instance.h"
#include "api/operation.h"
#include "core/db.h"
#include "core/json.h"
#include "instances/exec_session.h"
#include "instances/group_wait.h"

#define START_PARK_MS 2000
#define STOP_PARK_MS  40000 /* the grace of 30 s, and what comes after */
#define COMMAND_MAX   32768
#define ARGS_MAX      256
#define LOG_TAIL_MAX  1000000

static enum fault group_of_call(struct call *c, struct container_group *ret)
{
    enum fault fault;
    struct resource r;
    struct resource_id id = *arm_id(c);

    /* "…/containerGroups/G/containers/C/logs": the group is the id's parent */
    if (strstr(id.full_type, "/containers"))
        TRY(resource_id_parse(&c->op, id.parent, &id));
    TRY(resource_get(&c->op, &id, &r));
    fault = container_group_get(&c->op, r.key, ret);
    return fault == NOT_FOUND ? arm_not_found(&c->op, &id) : fault;
}

/* ---- start, stop, restart ---- */

struct action {
    struct container_group_started started;
    bool polled; /* the client may be told to ask again */
};

static enum fault answer(struct call *c, bool reached, void *arg)
{
    const struct action *a = arg;

    cache_changed(arm_id(c)->key);
    if (reached || !a->polled)
        return reply_empty(c, 204);
    TRY(container_group_follow(c, &a->started, OPERATION_LOCATION));
    return reply_empty(c, 202);
}

static enum fault act(struct call *c, enum group_wanted wanted, bool again, bool polled)
{
    struct op *op = &c->op;
    struct action *a = arena_alloc(&op->arena, sizeof(*a));
    struct container_group_written *written = &a->started.written;
    struct container_group g;

    a->polled = polled;
    TRY(db_begin(op));
    TRY(group_of_call(c, &g));
    TRY(container_group_want(op, &g, wanted, again, written));
    if (!written->begins)
        return reply_empty(c, 204);
    a->started.location = g.location;
    TRY(db_commit(op));
    cache_changed(arm_id(c)->key);
    return group_wait(c, g.id, written->generation, polled ? GROUP_GOAL_SETTLED : GROUP_GOAL_BEGUN,
                      polled ? START_PARK_MS : STOP_PARK_MS, answer, a);
}

enum fault container_group_start_api(struct call *c)
{
    struct container_group g;

    /* what has run to its end is run again, what runs is left alone */
    TRY(group_of_call(c, &g));
    return act(c, GROUP_WANT_RUNNING, g.state == GROUP_SUCCEEDED || g.state == GROUP_FAILED, true);
}

enum fault container_group_stop_api(struct call *c)
{
    return act(c, GROUP_WANT_STOPPED, false, false);
}

enum fault container_group_restart_api(struct call *c)
{
    return act(c, GROUP_WANT_RUNNING, true, false);
}

/* ---- logs ---- */

static enum fault container_fault(struct op *op, const char *name, enum fault fault)
{
    if (fault == NOT_FOUND && op->noun && strcmp(op->noun, "container") == 0)
        return arm_fail_at(op, "ContainerNotFound", NOT_FOUND, NULL,
                           "The container '%.100s' was not found in the container group.", name);
    if (fault == CONFLICT && op->noun && strcmp(op->noun, "container") == 0)
        return fail_on(op, "ContainerNotRunning", CONFLICT, "%s", op->message);
    return fault;
}

static enum fault read_tail(struct call *c, int64_t *ret)
{
    const char *text = call_query(c, "tail", 0);
    char *end;

    *ret = -1;
    if (!text || !*text)
        return OK;
    *ret = strtoll(text, &end, 10);
    if (*end || *ret < 0 || *ret > LOG_TAIL_MAX)
        return arm_fail_at(&c->op, "InvalidParameter", INVALID, "tail",
                           "tail must be a number of lines, not '%.40s'.", text);
    return OK;
}

enum fault container_group_logs_api(struct call *c)
{
    struct op *op = &c->op;
    const char *stamps = call_query(c, "timestamps", 0), *name = arm_id(c)->name;
    struct bytes log = {"", 0};
    struct container_group g;
    struct text clean, out;
    int64_t tail;

    TRY(read_tail(c, &tail));
    TRY(group_of_call(c, &g));
    TRY(container_fault(
        op, name,
        container_group_log(op, &g, name, tail, stamps && strcasecmp(stamps, "true") == 0, &log)));
    text_init(&clean, &op->arena, 3 * log.len + 64);
    utf8_clean(&clean, log);
    text_init(&out, &op->arena, 6 * clean.len + 64);
    text_str(&out, "{\"content\":");
    json_quote(&out, clean.data);
    text_str(&out, "}");
    return reply_bytes(c, 200, "application/json; charset=utf-8", text_bytes(&out));
}

/* ---- exec and attach ---- */

enum fault command_words(struct op *op, const char *command, const char ***ret)
{
    const char **args = arena_alloc(&op->arena, (ARGS_MAX + 1) * sizeof(*args));
    char *word = arena_alloc(&op->arena, strlen(command) + 1), quote = 0;
    size_t n = 0, len = 0;
    bool in_word = false;

    for (const char *p = command;; p++) {
        if (!*p || (!quote && strchr(" \t\n", *p))) {
            if (in_word && n < ARGS_MAX)
                args[n++] = arena_strndup(&op->arena, word, len);
            in_word = false;
            len = 0;
            if (!*p)
                break;
        } else if (quote ? *p == quote : *p == '"' || *p == '\'') {
            quote = quote ? 0 : *p;
            in_word = true;
        } else {
            if (*p == '\\' && quote != '\'' && p[1])
                p++;
            word[len++] = *p;
            in_word = true;
        }
    }
    if (quote || !n || n == ARGS_MAX)
        return arm_fail_at(op, "InvalidParameter", INVALID, "command",
                           "The command has no words, too many, or a quote that does not end.");
    *ret = args;
    return OK;
}

static enum fault reply_session(struct call *c, const struct exec_session *session)
{
    struct op *op = &c->op;
    json_t *body = json_new_object(op);
    bool tls = strncmp(c->base_url, "https://", 8) == 0;

    json_set_text(body, "webSocketUri",
                  arena_printf(&op->arena, "%s://%s%s", tls ? "wss" : "ws",
                               strstr(c->base_url, "://") + 3, session->path));
    json_set_text(body, "password", session->password);
    reply_header(c, "Cache-Control", "no-store");
    return arm_reply(c, 200, body);
}

enum fault container_group_exec_api(struct call *c)
{
    struct op *op = &c->op;
    const char *command = NULL, *name = arm_id(c)->name, **args = NULL;
    int64_t rows = 0, cols = 0;
    struct exec_session session = {0};
    struct container_group g;
    json_t *body;

    TRY(body_read(c, false, &body));
    TRY(body_required(op, body, "command"));
    TRY(body_text(op, body, "command", 1, COMMAND_MAX, &command));
    TRY(body_int(op, body, "terminalSize.rows", 0, 10000, &rows));
    TRY(body_int(op, body, "terminalSize.cols", 0, 10000, &cols));
    TRY(command_words(op, command, &args));
    TRY(group_of_call(c, &g));
    TRY(container_fault(op, name,
                        exec_session_new(op, &g, name, args, (int)rows, (int)cols, &session)));
    return reply_session(c, &session);
}

enum fault container_group_attach_api(struct call *c)
{
    struct exec_session session = {0};
    struct container_group g;

    TRY(group_of_call(c, &g));
    TRY(container_fault(&c->op, arm_id(c)->name,
                        attach_session_new(&c->op, &g, arm_id(c)->name, &session)));
    return reply_session(c, &session);
}

/* ---- the rest ---- */

enum fault container_group_outbound_api(struct call *c)
{
    struct container_group g;

    TRY(group_of_call(c, &g));
    return arm_reply(c, 200, json_new_array(&c->op));
}
