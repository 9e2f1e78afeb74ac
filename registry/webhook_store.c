#include <stdlib.h>
#include <string.h>

#include "core/db.h"
#include "core/json.h"
#include "core/seal.h"
#include "registry/registry_store.h"
#include "registry/scope_map_store.h"
#include "registry/webhook_store.h"

#define EVENTS_SHOWN 100
#define EVENTS_KEPT  "1000"

#define COLUMNS                                                                                    \
    "SELECT id, name, enabled, scope, actions, registry.iso(created) AS created,"                  \
    " registry.iso(updated) AS updated FROM registry.webhook WHERE registry_id = $1"

enum {
    GET_ONE,
    LIST,
    CONFIG,
    INSERT,
    UPDATE_ROW,
    COUNT,
    DELETE_ROW,
    ADD_EVENT,
    EVENTS,
    CLAIM,
    RECORD,
    NEXT,
    NEXT_OF,
    DUE,
    PURGE_OLD,
    PURGE_MANY,
};
static const struct db_stmt stmts[] = {
    [GET_ONE] = {COLUMNS " AND lower(name) = $2"},
    [LIST] = {COLUMNS " ORDER BY lower(name)"},
    [CONFIG] = {"SELECT id, config FROM registry.webhook WHERE registry_id = $1"
                " AND lower(name) = $2"},
    [INSERT] = {"INSERT INTO registry.webhook (registry_id, name, enabled, scope, actions, config)"
                " VALUES ($1, $2, $3, $4, $5, $6)"},
    [UPDATE_ROW] = {"UPDATE registry.webhook SET enabled = $2, scope = $3, actions = $4,"
                    " config = $5, updated = now() WHERE id = $1"},
    [COUNT] = {"SELECT count(*) AS n FROM registry.webhook WHERE registry_id = $1"},
    [DELETE_ROW] = {"DELETE FROM registry.webhook WHERE registry_id = $1 AND lower(name) = $2"},
    [ADD_EVENT] = {"INSERT INTO registry.webhook_event (id, webhook_id, content)"
                   " SELECT $2, id, $3 FROM registry.webhook WHERE id = $1 FOR KEY SHARE"},
    [EVENTS] = {"SELECT e.id, e.content, e.request, e.status, e.reason, e.response_headers,"
                " e.response_content FROM registry.webhook_event e JOIN registry.webhook w"
                " ON w.id = e.webhook_id WHERE w.registry_id = $1 AND lower(w.name) = $2"
                " AND e.created > now() - interval '7 days' ORDER BY e.created DESC LIMIT $3"},
    [CLAIM] = {"UPDATE registry.webhook_event e SET tries = tries + 1,"
               " next_try = now() + interval '60 s' FROM registry.webhook w,"
               " (SELECT id FROM registry.webhook_event WHERE webhook_id = $1"
               "  AND next_try <= now() ORDER BY created LIMIT 1 FOR UPDATE SKIP LOCKED) d"
               " WHERE e.id = d.id AND w.id = e.webhook_id"
               " RETURNING e.id, e.content, e.tries, w.registry_id, w.name, w.config"},
    [RECORD] = {"UPDATE registry.webhook_event SET request = $2, status = $3, reason = $4,"
                " response_headers = $5, response_content = $6, next_try ="
                " CASE WHEN $7::bigint >= 0 THEN now() + make_interval(secs => $7::bigint) END"
                " WHERE id = $1"},
    [NEXT] = {"SELECT (extract(epoch FROM min(next_try) - now()) * 1000)::bigint AS ms"
              " FROM registry.webhook_event WHERE next_try IS NOT NULL"},
    [NEXT_OF] = {"SELECT (extract(epoch FROM min(next_try) - now()) * 1000)::bigint AS ms"
                 " FROM registry.webhook_event WHERE webhook_id = $1 AND next_try IS NOT NULL"},
    [DUE] = {"SELECT DISTINCT webhook_id FROM registry.webhook_event WHERE next_try <= now()"},
    [PURGE_OLD] = {"DELETE FROM registry.webhook_event WHERE created < now() - interval '7 days'"},
    [PURGE_MANY] = {"DELETE FROM registry.webhook_event e USING (SELECT id, row_number() OVER"
                    " (PARTITION BY webhook_id ORDER BY created DESC) AS n"
                    " FROM registry.webhook_event WHERE next_try IS NULL) x"
                    " WHERE e.id = x.id AND x.n > " EVENTS_KEPT},
    {0},
};

void webhook_store_start(void)
{
    db_register(stmts);
}

static enum fault unknown(struct op *op, const char *name)
{
    return fail_on(op, "webhook", NOT_FOUND, "the webhook %.60s does not exist", name);
}

/* ---- addresses and headers: sealed, since they hold what lets us in there ---- */

static const char *label(struct op *op, int64_t registry_id, const char *name)
{
    return arena_printf(&op->arena, "registry/webhook/%lld/%s", (long long)registry_id,
                        registry_item_key(op, name));
}

static struct bytes seal_config(struct op *op, int64_t registry_id, const char *name,
                                const struct webhook_callback *config)
{
    json_t *headers = json_array(), *object;
    struct bytes sealed;
    char *text;

    for (size_t i = 0; i < config->n_headers; i++)
        json_array_append_new(headers,
                              json_pack("[ss]", config->headers[i].name, config->headers[i].value));
    object = json_pack("{s:s, s:s*, s:o}", "uri", config->service_uri, "who", config->who,
                       "headers", headers);
    text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    sealed = seal(op, label(op, registry_id, name), BYTES(text ? text : "{}"));
    free(text);
    return sealed;
}

static enum fault open_config(struct op *op, int64_t registry_id, const char *name,
                              struct bytes sealed, struct webhook_callback *ret)
{
    const json_t *headers;
    struct bytes plain;
    json_t *object;

    TRY(unseal(op, label(op, registry_id, name), sealed, &plain));
    TRY(json_parse(op, plain, &object));
    headers = json_object_get(object, "headers");
    *ret =
        (struct webhook_callback){.service_uri = json_string_value(json_object_get(object, "uri")),
                                  .who = json_string_value(json_object_get(object, "who"))};
    ret->headers = arena_alloc(&op->arena, (json_array_size(headers) + 1) * sizeof(struct header));
    for (size_t i = 0; i < json_array_size(headers); i++) {
        const json_t *pair = json_array_get(headers, i);

        ret->headers[ret->n_headers++] = (struct header){
            json_string_value(json_array_get(pair, 0)), json_string_value(json_array_get(pair, 1))};
    }
    return ret->service_uri ? OK : fail(op, INTERNAL, "the webhook's address is damaged");
}

/* ---- management ---- */

/* *ret_id 0: there is none of that name. */
static enum fault find_config(struct op *op, int64_t registry_id, const char *name, int64_t *ret_id,
                              struct webhook_callback *ret)
{
    struct db_rows rows;

    *ret_id = 0;
    TRY(db_query(op, &stmts[CONFIG], &rows, DB_INT(registry_id),
                 DB_TEXT(registry_item_key(op, name))));
    if (!db_next(&rows))
        return OK;
    *ret_id = db_int(&rows, "id");
    return open_config(op, registry_id, name, db_bytes(&rows, "config"), ret);
}

static enum fault check_quota(struct op *op, int64_t registry_id, enum sku sku)
{
    const struct sku_limits *limits = sku_limits(sku);
    struct db_rows rows;

    TRY(db_query(op, &stmts[COUNT], &rows, DB_INT(registry_id)));
    if (db_next(&rows) && db_int(&rows, "n") > limits->webhooks)
        return fail_on(op, "quota", CONFLICT, "the SKU %s allows %lld webhooks", limits->name,
                       (long long)limits->webhooks);
    return OK;
}

static enum fault store(struct op *op, const struct registry *registry, int64_t id, enum sku sku,
                        const struct webhook_wanted *w, const struct webhook_callback *config)
{
    const char *scope = w->scope ? w->scope : "";
    struct bytes sealed = seal_config(op, registry->id, w->name, config);

    if (id)
        return db_query(op, &stmts[UPDATE_ROW], NULL, DB_INT(id), DB_BOOL(w->enabled),
                        DB_TEXT(scope), DB_INT(w->actions), DB_BYTES(sealed));
    TRY(db_query(op, &stmts[INSERT], NULL, DB_INT(registry->id), DB_TEXT(w->name),
                 DB_BOOL(w->enabled), DB_TEXT(scope), DB_INT(w->actions), DB_BYTES(sealed)));
    return check_quota(op, registry->id, sku);
}

enum fault webhook_put(struct op *op, const struct registry *registry,
                       const struct webhook_wanted *wanted, bool *ret_created)
{
    struct webhook_callback config = {0};
    enum sku sku;
    int64_t id;

    TRY(webhook_check(op, wanted));
    TRY(registry_store_hold(op, registry->id, &sku));
    TRY(find_config(op, registry->id, wanted->name, &id, &config));
    if (wanted->service_uri) {
        config.service_uri = wanted->service_uri;
        config.who = wanted->who;
    }
    if (!config.service_uri)
        return fail_on(op, "serviceUri", INVALID, "a webhook needs a service URI");
    if (!wanted->keep_headers) {
        config.headers = (struct header *)wanted->headers;
        config.n_headers = wanted->n_headers;
    }
    TRY(store(op, registry, id, sku, wanted, &config));
    *ret_created = id == 0;
    return registry_store_touch(op, registry->id);
}

static struct webhook webhook_from_row(const struct db_rows *rows)
{
    return (struct webhook){
        .id = db_int(rows, "id"),
        .name = db_text(rows, "name"),
        .enabled = db_bool(rows, "enabled"),
        .scope = db_text(rows, "scope"),
        .actions = (unsigned)db_int(rows, "actions"),
        .created = db_text(rows, "created"),
        .updated = db_text(rows, "updated"),
    };
}

enum fault webhook_get(struct op *op, int64_t registry_id, const char *name, struct webhook *ret)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[GET_ONE], &rows, DB_INT(registry_id),
                 DB_TEXT(registry_item_key(op, name))));
    if (!db_next(&rows))
        return unknown(op, name);
    *ret = webhook_from_row(&rows);
    return OK;
}

enum fault webhook_list(struct op *op, int64_t registry_id, struct webhook **ret, size_t *ret_n)
{
    struct webhook *list;
    struct db_rows rows;
    size_t n = 0;

    TRY(db_query(op, &stmts[LIST], &rows, DB_INT(registry_id)));
    list = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(*list));
    while (db_next(&rows))
        list[n++] = webhook_from_row(&rows);
    *ret = list;
    *ret_n = n;
    return OK;
}

enum fault webhook_delete(struct op *op, int64_t registry_id, const char *name)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[DELETE_ROW], &rows, DB_INT(registry_id),
                 DB_TEXT(registry_item_key(op, name))));
    if (!rows.affected)
        return unknown(op, name);
    return registry_store_touch(op, registry_id);
}

enum fault webhook_callback(struct op *op, int64_t registry_id, const char *name,
                            struct webhook_callback *ret)
{
    int64_t id;

    TRY(find_config(op, registry_id, name, &id, ret));
    return id ? OK : unknown(op, name);
}

/* ---- events ---- */

enum fault webhook_event_insert(struct op *op, int64_t webhook_id, const char *id,
                                const char *content)
{
    return db_query(op, &stmts[ADD_EVENT], NULL, DB_INT(webhook_id), DB_TEXT(id), DB_TEXT(content));
}

enum fault webhook_ping(struct op *op, const struct registry *registry, const char *name,
                        const char **ret_id)
{
    struct webhook webhook;
    char id[37];

    TRY(webhook_get(op, registry->id, name, &webhook));
    random_uuid(id);
    TRY(webhook_event_insert(op, webhook.id, id,
                             webhook_content(op, id, "ping", 0, registry, NULL, NULL)));
    *ret_id = arena_strdup(&op->arena, id);
    return OK;
}

static const char *event_label(struct op *op, const char *id)
{
    return arena_printf(&op->arena, "registry/webhook_event/%s", id);
}

static enum fault open_request(struct op *op, struct bytes sealed, struct webhook_event *event)
{
    struct bytes plain;
    json_t *object;
    char *headers;

    event->request_headers = "{}";
    if (!sealed.data)
        return OK;
    TRY(unseal(op, event_label(op, event->id), sealed, &plain));
    TRY(json_parse(op, plain, &object));
    event->uri = json_string_value(json_object_get(object, "uri"));
    headers = json_dumps(json_object_get(object, "headers"), JSON_COMPACT);
    event->request_headers = arena_strdup(&op->arena, headers ? headers : "{}");
    free(headers);
    return OK;
}

enum fault webhook_events(struct op *op, int64_t registry_id, const char *name,
                          struct webhook_event **ret, size_t *ret_n)
{
    struct webhook_event *list;
    struct webhook webhook;
    struct db_rows rows;
    size_t n = 0;

    TRY(webhook_get(op, registry_id, name, &webhook));
    TRY(db_query(op, &stmts[EVENTS], &rows, DB_INT(registry_id),
                 DB_TEXT(registry_item_key(op, name)), DB_INT(EVENTS_SHOWN)));
    list = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(*list));
    while (db_next(&rows)) {
        list[n] = (struct webhook_event){
            .id = db_text(&rows, "id"),
            .content = db_text(&rows, "content"),
            .method = "POST",
            .version = "1.1",
            .status = db_int(&rows, "status"),
            .reason = db_text(&rows, "reason"),
            .response_headers = db_text(&rows, "response_headers"),
            .response_content = db_text(&rows, "response_content"),
        };
        TRY(open_request(op, db_bytes(&rows, "request"), &list[n]));
        n++;
    }
    *ret = list;
    *ret_n = n;
    return OK;
}

/* ---- deliveries ---- */

enum fault webhook_claim(struct op *op, int64_t webhook_id, struct webhook_delivery *ret)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[CLAIM], &rows, DB_INT(webhook_id)));
    if (!db_next(&rows))
        return fail(op, NOT_FOUND, "no event is due");
    *ret = (struct webhook_delivery){
        .id = db_text(&rows, "id"),
        .content = db_text(&rows, "content"),
        .tries = db_int(&rows, "tries"),
        .registry_id = db_int(&rows, "registry_id"),
    };
    return open_config(op, ret->registry_id, db_text(&rows, "name"), db_bytes(&rows, "config"),
                       &ret->to);
}

enum fault webhook_record(struct op *op, const struct webhook_delivery *delivery,
                          const struct webhook_result *r)
{
    const char *request;
    struct text out;

    text_init(&out, &op->arena, (size_t)1 << 20);
    text_str(&out, "{\"uri\":");
    json_quote(&out, r->uri);
    text_printf(&out, ",\"headers\":%s}", r->request_headers);
    request = out.data;
    return db_query(op, &stmts[RECORD], NULL, DB_TEXT(delivery->id),
                    DB_BYTES(seal(op, event_label(op, delivery->id), BYTES(request))),
                    DB_INT(r->status), DB_TEXT(r->reason), DB_TEXT(r->headers), DB_TEXT(r->content),
                    DB_INT(r->again_s));
}

enum fault webhook_next(struct op *op, int64_t webhook_id, int64_t *ret_ms)
{
    struct db_rows rows;

    if (webhook_id)
        TRY(db_query(op, &stmts[NEXT_OF], &rows, DB_INT(webhook_id)));
    else
        TRY(db_query(op, &stmts[NEXT], &rows));
    *ret_ms = -1;
    if (db_next(&rows) && !db_is_null(&rows, "ms"))
        *ret_ms = db_int(&rows, "ms") > 0 ? db_int(&rows, "ms") + 1 : 0;
    return OK;
}

enum fault webhook_due(struct op *op, int64_t **ret_ids, size_t *ret_n)
{
    struct db_rows rows;
    int64_t *ids;
    size_t n = 0;

    TRY(db_query(op, &stmts[DUE], &rows));
    ids = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(*ids));
    while (db_next(&rows))
        ids[n++] = db_int(&rows, "webhook_id");
    *ret_ids = ids;
    *ret_n = n;
    return OK;
}

enum fault webhook_purge(struct op *op)
{
    TRY(db_query(op, &stmts[PURGE_OLD], NULL));
    return db_query(op, &stmts[PURGE_MANY], NULL);
}
