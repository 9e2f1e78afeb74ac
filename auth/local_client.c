#include "auth/local_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/oauth.h"
#include "core/json.h"
#include "core/uri.h"

#define ANSWER_MAX ((size_t)16 << 20)

/* "{"error":{"message"}}" of the resource manager, "error_description" of Entra. */
static const char *reason(const json_t *answer)
{
    const char *described = json_string_value(json_object_get(answer, "error_description"));

    return described ? described : json_text(json_object_get(answer, "error"), "message");
}

static enum fault status_fault(int status)
{
    return status == 401   ? UNAUTHENTICATED
           : status == 403 ? FORBIDDEN
           : status == 404 ? NOT_FOUND
           : status == 409 ? CONFLICT
           : status < 500  ? INVALID
           : status == 501 ? UNSUPPORTED
                           : UNAVAILABLE;
}

static enum fault post(struct op *op, const struct fetch *ask, json_t **ret)
{
    struct fetched answer;
    json_t *body = NULL;

    TRY(fetch(op, ask, &answer));
    if (answer.body.len > 0 && json_parse(op, answer.body, &body) != OK)
        return fail(op, UNAVAILABLE, "%s answered %d with what is no JSON", ask->url,
                    answer.status);
    if (answer.status >= 300)
        return fail(op, status_fault(answer.status), "%s",
                    body && *reason(body) ? reason(body) : fault_name(status_fault(answer.status)));
    if (ret)
        *ret = body;
    return OK;
}

/* What the token endpoint is asked with. */
static const char *grant(struct arena *arena, const json_t *admin, enum local_who who)
{
    const char *scope = uri_encode(arena, "https://management.azure.com/.default", "");

    if (who == LOCAL_USER)
        return arena_printf(arena,
                            "grant_type=password&client_id=" OAUTH_CONSOLE_APP
                            "&username=%s&password=%s&scope=%s",
                            uri_encode(arena, json_text(admin, "userName"), ""),
                            uri_encode(arena, json_text(admin, "userPassword"), ""), scope);
    return arena_printf(arena,
                        "grant_type=client_credentials&client_id=%s&client_secret=%s&scope=%s",
                        uri_encode(arena, json_text(admin, "clientId"), ""),
                        uri_encode(arena, json_text(admin, "clientSecret"), ""), scope);
}

enum fault local_client_open(struct op *op, const char *data, enum local_who who,
                             struct local_client *ret)
{
    static const struct header form = {"content-type", "application/x-www-form-urlencoded"};
    struct arena *arena = &op->arena;
    struct fetch ask = {.method = "POST", .headers = &form, .n_headers = 1, .direct = true};
    const char *text;
    json_t *answer;

    TRY(local_read(op, data, &ret->local));
    if (!ret->local.admin)
        return fail(op, FORBIDDEN, "%s", op->message);
    ret->base = ret->local.plain ? arena_printf(arena, "http://%s", ret->local.plain)
                                 : arena_printf(arena, "https://%s", ret->local.tls);
    ask.url = arena_printf(arena, "%s/%s/oauth2/v2.0/token", ret->base,
                           json_text(ret->local.admin, "tenantId"));
    text = grant(arena, ret->local.admin, who);
    ask.body = BYTES(text);
    TRY(post(op, &ask, &answer));
    ret->authorization = arena_printf(arena, "Bearer %s", json_text(answer, "access_token"));
    return OK;
}

enum fault local_client_ask(struct op *op, const struct local_client *client, const char *method,
                            const char *path, const json_t *body, json_t **ret)
{
    const struct header headers[] = {
        {"authorization", client->authorization},
        {"content-type",  "application/json"   }
    };
    struct fetch ask = {.method = method,
                        .headers = headers,
                        .n_headers = 2,
                        .direct = true,
                        .answer_max = ANSWER_MAX,
                        .timeout_ms = 600000,
                        .silence_s = 600}; /* it answers when it is done */
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;

    ask.url = arena_printf(&op->arena, "%s%s", client->base, path);
    if (text)
        arena_defer(&op->arena, free, text);
    ask.body = BYTES(text ? text : ""); /* a POST says its length in any case */
    if (!text && strcmp(method, "GET") == 0)
        ask.body.data = NULL;
    return post(op, &ask, ret);
}

int local_client_run(const struct settings *settings,
                     enum fault (*command)(struct op *op, const struct settings *settings,
                                           const struct local_client *client))
{
    struct local_client client;
    enum fault fault;
    struct op op;

    op_init(&op);
    fetch_start();
    fault = local_client_open(&op, settings->data, LOCAL_APPLICATION, &client);
    if (fault == OK)
        fault = command(&op, settings, &client);
    if (fault != OK)
        fprintf(stderr, "sundog: %s\n", op.message ? op.message : fault_name(fault));
    fetch_stop();
    op_free(&op);
    return fault == OK ? 0 : 1;
}
