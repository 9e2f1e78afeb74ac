#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "auth/oauth.h"
#include "core/fetch.h"
#include "core/json.h"
#include "core/local.h"
#include "core/settings.h"
#include "core/uri.h"
#include "web/console.h"

static const char *member(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));

    return value ? value : "";
}

/* POST; the answer's JSON. */
static enum fault post(struct op *op, const char *url, const struct header *headers, size_t n,
                       const char *body, json_t **ret)
{
    const struct fetch ask = {.method = "POST",
                              .url = url,
                              .headers = headers,
                              .n_headers = n,
                              .body = BYTES(body),
                              .direct = true};
    struct fetched answer;

    TRY(fetch(op, &ask, &answer));
    TRY(json_parse(op, answer.body, ret));
    if (answer.status >= 300)
        return fail(op, FORBIDDEN, "%s answered %d: %s", url, answer.status,
                    member(*ret, "error_description"));
    return OK;
}

static enum fault sign_in(struct op *op, const char *base, const json_t *admin, const char **ret)
{
    static const struct header form = {"content-type", "application/x-www-form-urlencoded"};
    struct arena *arena = &op->arena;
    json_t *answer;

    TRY(post(op, arena_printf(arena, "%s/organizations/oauth2/v2.0/token", base), &form, 1,
             arena_printf(arena,
                          "grant_type=password&client_id=" OAUTH_CONSOLE_APP
                          "&username=%s&password=%s&scope=%s",
                          uri_encode(arena, member(admin, "userName"), ""),
                          uri_encode(arena, member(admin, "userPassword"), ""),
                          uri_encode(arena, "https://management.azure.com/.default", "")),
             &answer));
    *ret = member(answer, "access_token");
    return OK;
}

static enum fault make_link(struct op *op, const char *data, const char **ret)
{
    struct arena *arena = &op->arena;
    struct header bearer = {"authorization", NULL};
    const char *base, *token;
    struct local local;
    json_t *answer;

    TRY(local_read(op, data, &local));
    if (!local.admin)
        return FORBIDDEN; /* op says why */
    base = local.plain ? arena_printf(arena, "http://%s", local.plain)
                       : arena_printf(arena, "https://%s", local.tls);
    TRY(sign_in(op, base, local.admin, &token));
    bearer.value = arena_printf(arena, "Bearer %s", token);
    TRY(post(op, arena_printf(arena, "%s/console/link", base), &bearer, 1, "", &answer));
    *ret = local.tls ? arena_printf(arena, "https://%s/console/link/%s", local.tls,
                                    member(answer, "code"))
                     : member(answer, "url");
    return OK;
}

int console_run(struct settings *settings)
{
    const char *link = NULL;
    enum fault fault;
    struct op op;

    op_init(&op);
    fetch_start();
    fault = make_link(&op, settings->data, &link);
    if (fault == OK)
        printf("%s\n", link);
    else
        fprintf(stderr, "sundog: %s\n", op.message);
    fetch_stop();
    op_free(&op);
    return fault == OK ? 0 : 1;
}
