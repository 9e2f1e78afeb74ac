/* Snapshots and reset as they are asked for: `sundog snapshot` and `sundog reset` are clients. */
#include "api/body.h"
#include "api/handlers.h"
#include "api/page.h"
#include "core/saved.h"
#include "core/server.h"

static json_t *saved_json(struct op *op, const struct saved *s)
{
    json_t *out = json_new_object(op), *p = json_new_object(op);

    json_set_text(out, "name", s->name);
    json_set_text(out, "type", "Sundog.Snapshots/snapshots");
    json_set_text(p, "created", s->created);
    json_object_set_new(p, "blobs", json_integer(s->blobs));
    json_object_set_new(p, "blobBytes", json_integer(s->blob_bytes));
    json_object_set_new(p, "tableBytes", json_integer(s->table_bytes));
    json_object_set(out, "properties", p);
    return out;
}

enum fault saved_api_list(struct call *c)
{
    json_t *values = json_new_array(&c->op), *body = json_new_object(&c->op);
    struct saved *list;
    size_t n;

    TRY(saved_list(&c->op, &list, &n));
    for (size_t i = 0; i < n; i++)
        json_array_append(values, saved_json(&c->op, &list[i]));
    json_object_set(body, "value", values);
    json_set_text(body, "process", saved_process());
    json_set_text(body, "failure", saved_failure());
    return arm_reply(c, 200, body);
}

enum fault saved_api_put(struct call *c)
{
    TRY(saved_save(&c->op, c->path_args[0]));
    return reply_empty(c, 201);
}

enum fault saved_api_delete(struct call *c)
{
    TRY(saved_delete(&c->op, c->path_args[0]));
    return reply_empty(c, 200);
}

/* name NULL: what the first start made. The answer tells which process it is that ends. */
static enum fault load(struct call *c, const char *name)
{
    json_t *body = json_new_object(&c->op);

    TRY(saved_wish(&c->op, name));
    json_set_text(body, "process", saved_process());
    TRY(arm_reply(c, 202, body));
    server_restart();
    return OK;
}

enum fault saved_api_load(struct call *c)
{
    return load(c, c->path_args[0]);
}

enum fault saved_api_reset(struct call *c)
{
    bool everything = false;
    json_t *body;

    TRY(body_read(c, true, &body));
    TRY(body_bool(&c->op, body, "everything", &everything));
    if (!everything)
        return arm_fail_at(&c->op, "InvalidParameter", INVALID, "everything",
                           "A reset deletes everything that the first start has not made: the body "
                           "must say {\"everything\": true}.");
    return load(c, NULL);
}
