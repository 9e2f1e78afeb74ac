#include <stdio.h>

#include "auth/local_client.h"
#include "core/settings.h"
#include "web/console.h"

static enum fault make_link(struct op *op, const char *data, const char **ret)
{
    struct local_client client;
    const char *code;
    json_t *answer;

    TRY(local_client_open(op, data, LOCAL_USER, &client));
    TRY(local_client_ask(op, &client, "POST", "/console/link", NULL, &answer));
    code = json_string_value(json_object_get(answer, "code"));
    *ret = client.local.tls
               ? arena_printf(&op->arena, "https://%s/console/link/%s", client.local.tls, code)
               : json_string_value(json_object_get(answer, "url"));
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
