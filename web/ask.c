#include "web/ask.h"

#include <stdlib.h>
#include <string.h>

#include "core/inside.h"
#include "core/json.h"
#include "core/server.h"
#include "core/uri.h"

static void release(void *call)
{
    call_free(call);
}

static struct call *ask(struct call *c, const struct inside *asked)
{
    struct call *inner = call_inside(c, asked);

    arena_defer(&c->op.arena, release, inner);
    return inner;
}

/* What the API said, as a fault of the page. */
static enum fault refusal(struct call *c, const struct call *inner)
{
    enum fault fault = inner->op.fault != OK ? inner->op.fault : INTERNAL;

    return fail_on(&c->op, inner->op.noun, fault, "%s",
                   inner->op.message ? inner->op.message : fault_name(fault));
}

static enum fault parse(struct call *c, struct bytes body, json_t **ret)
{
    json_t *value;

    if (!ret)
        return OK;
    *ret = NULL;
    if (!body.len)
        return OK;
    value = json_loadb(body.data, body.len, JSON_DECODE_ANY, NULL);
    if (!value)
        return fail(&c->op, INTERNAL, "an answer of our own is no JSON");
    arena_defer(&c->op.arena, (void (*)(void *))json_decref, value);
    *ret = value;
    return OK;
}

static const char *text_of(struct call *c, const json_t *body)
{
    char *text = json_dumps(body, JSON_COMPACT);

    if (!text)
        abort();
    arena_defer(&c->op.arena, free, text);
    return text;
}

/* ---- the resource manager ---- */

/* Each service answers every version alike. */
#define API_VERSION "2023-05-01"

static const struct session *session_of(const struct call *c)
{
    return c->caller;
}

/* Waiting for a change, of a container that ends say, keeps a worker: half of them stay others'. */
static atomic_int n_changing;

static bool begin_change(void)
{
    int64_t threads = server_settings->worker_threads;

    if (atomic_fetch_add(&n_changing, 1) < (threads > 1 ? threads / 2 : 1))
        return true;
    atomic_fetch_sub(&n_changing, 1);
    return false;
}

static struct call *ask_for_change(struct call *c, const struct inside *asked)
{
    struct call *inner;

    if (!begin_change())
        return NULL;
    inner = ask(c, asked);
    atomic_fetch_sub(&n_changing, 1);
    return inner;
}

static const char *versioned(struct call *c, const char *path)
{
    return arena_printf(&c->op.arena, "%s%sapi-version=" API_VERSION, path,
                        strchr(path, '?') ? "&" : "?");
}

enum fault ask_manager_do(struct call *c, enum method method, const char *path, const json_t *body,
                          json_t **ret)
{
    struct inside asked = {
        .method = method, .target = versioned(c, path), .vouched = session_of(c)->who};
    struct call *inner;

    if (body) {
        asked.headers = inside_json_headers;
        asked.body = BYTES(text_of(c, body));
    }
    inner = method == GET ? ask(c, &asked) : ask_for_change(c, &asked);
    if (!inner)
        return fail(&c->op, UNAVAILABLE,
                    "too many changes are being made at once: try again in a moment");
    return inner->reply.status < 300 ? parse(c, inside_body(inner), ret) : refusal(c, inner);
}

enum fault ask_manager(struct call *c, const char *path, json_t **ret)
{
    return ask_manager_do(c, GET, path, NULL, ret);
}

/* "https://host/subscriptions/…?api-version=…&$filter=…&$skiptoken=…" → "/subscriptions/…?$filter=…
 * &$skiptoken=…": what was asked for stays. NULL: it was the last. */
static const char *next_path(struct call *c, const char *link)
{
    const char *path = link ? strstr(link, "://") : NULL, *p;
    struct text out;

    path = path ? strchr(path + 3, '/') : NULL;
    p = path ? strchr(path, '?') : NULL;
    if (!p)
        return NULL;
    text_init(&out, &c->op.arena, strlen(path) + 1);
    text_add(&out, path, (size_t)(p - path));
    for (char before = '?'; *p++;) {
        size_t len = strcspn(p, "&");

        if (strncmp(p, "api-version=", strlen("api-version=")) != 0) {
            text_add(&out, &before, 1);
            text_add(&out, p, len);
            before = '&';
        }
        p += len;
    }
    return out.data;
}

enum fault ask_manager_all(struct call *c, const char *path, size_t max, json_t **ret)
{
    json_t *all = json_array(), *answer;

    arena_defer(&c->op.arena, (void (*)(void *))json_decref, all);
    while (path && json_array_size(all) < max) {
        TRY(ask_manager(c, path, &answer));
        json_array_extend(all, json_object_get(answer, "value"));
        path = next_path(c, json_string_value(json_object_get(answer, "nextLink")));
    }
    *ret = all;
    return OK;
}

enum fault ask_manager_text(struct call *c, const char *path, const char *header, struct bytes *ret,
                            const char **ret_header)
{
    struct inside asked = {
        .method = GET, .target = versioned(c, path), .vouched = session_of(c)->who};
    struct call *inner = ask(c, &asked);

    if (inner->reply.status >= 300)
        return refusal(c, inner);
    *ret = inside_body(inner);
    *ret_header = inside_header(inner, header);
    return OK;
}

const char *ask_text(struct op *op, const char *text)
{
    struct text out;

    text_init(&out, &op->arena, 2 * strlen(text) + 16);
    text_str(&out, "'");
    for (; *text; text++)
        text_add(&out, *text == '\'' ? "''" : text, *text == '\'' ? 2 : 1);
    text_str(&out, "'");
    return out.data;
}

const char *ask_next(struct op *op, const char *link)
{
    const char *query = link ? strchr(link, '?') : NULL;

    return query ? uri_parameter(&op->arena, BYTES(query + 1), "$skiptoken", 0) : NULL;
}

const char *ask_after(struct op *op, const char *after)
{
    return *after ? arena_printf(&op->arena, "&$skiptoken=%s", uri_encode(&op->arena, after, ""))
                  : "";
}

/* ---- the directory ---- */

enum fault ask_graph(struct call *c, enum method method, const char *path, const json_t *body,
                     json_t **ret)
{
    const char *target = arena_printf(&c->op.arena, "/graph/v1.0%s", path);
    struct inside asked = {.method = method, .target = target, .vouched = session_of(c)->who};
    struct call *inner;

    if (body) {
        asked.headers = inside_json_headers;
        asked.body = BYTES(text_of(c, body));
    }
    inner = ask(c, &asked);
    return inner->reply.status < 300 ? parse(c, inside_body(inner), ret) : refusal(c, inner);
}

/* ---- registries ---- */

/* Too small a right is a 401 there, and a lock a 405; the viewer is signed in all the same. */
static enum fault registry_refusal(struct call *c, const struct call *inner)
{
    const struct op *op = &inner->op;

    if (op->fault == UNAUTHENTICATED)
        return fail(&c->op, FORBIDDEN, "your roles do not allow this in the registry %s",
                    inner->host);
    if (op->fault == FORBIDDEN && op->noun && strcmp(op->noun, "lock") == 0)
        return fail(&c->op, CONFLICT, "%s%s", op->message,
                    strstr(op->message, "attributes") ? " Unlock it first." : "");
    return refusal(c, inner);
}

static enum fault ask_data(struct call *c, const char *registry, struct inside *asked,
                           struct call **ret)
{
    asked->host = arena_printf(&c->op.arena, "%s%s", registry, server_registry_suffix());
    asked->vouched = session_of(c)->who;
    *ret = ask(c, asked);
    return (*ret)->reply.status < 300 ? OK : registry_refusal(c, *ret);
}

enum fault ask_registry(struct call *c, enum method method, const char *registry, const char *path,
                        const char *accept, struct bytes *ret, const char **ret_type)
{
    const struct header headers[] = {
        {accept ? "accept" : NULL, accept},
        {0                       },
    };
    struct inside asked = {.method = method, .target = path, .headers = headers};
    struct call *inner;

    TRY(ask_data(c, registry, &asked, &inner));
    if (ret)
        TRY(inside_read(&c->op, inner, ASK_FILE_MAX, ret));
    if (ret_type)
        *ret_type = inside_header(inner, "content-type");
    return OK;
}

enum fault ask_registry_json(struct call *c, enum method method, const char *registry,
                             const char *path, const json_t *body, json_t **ret)
{
    struct inside asked = {.method = method, .target = path};
    struct call *inner;

    if (body) {
        asked.headers = inside_json_headers;
        asked.body = BYTES(text_of(c, body));
    }
    TRY(ask_data(c, registry, &asked, &inner));
    return parse(c, inside_body(inner), ret);
}

/* ---- clusters ---- */

/* Who is a stranger there is signed in here all the same. */
static enum fault cluster_refusal(struct call *c, struct call *inner)
{
    if (inner->op.fault == UNAUTHENTICATED)
        inner->op.fault = FORBIDDEN;
    return refusal(c, inner);
}

static struct call *ask_realm(struct call *c, const struct cluster_access *cluster,
                              struct inside *asked)
{
    asked->realm = cluster->uid;
    asked->vouched = cluster->certificate ? NULL : session_of(c)->who;
    asked->certificate = cluster->certificate;
    return ask(c, asked);
}

enum fault ask_cluster(struct call *c, enum method method, const struct cluster_access *cluster,
                       const char *path, const char *type, const json_t *body, json_t **ret)
{
    const struct header headers[] = {
        {"accept", "application/json"},
        {type ? "content-type" : NULL,        type},
        {0},
    };
    struct inside asked = {.method = method, .target = path, .headers = headers};
    struct call *inner;

    if (body)
        asked.body = BYTES(text_of(c, body));
    inner = ask_realm(c, cluster, &asked);
    return inner->reply.status < 300 ? parse(c, inside_body(inner), ret)
                                     : cluster_refusal(c, inner);
}

enum fault ask_cluster_text(struct call *c, const struct cluster_access *cluster, const char *path,
                            const char *accept, struct bytes *ret)
{
    const struct header headers[] = {
        {"accept", accept},
        {0       },
    };
    struct inside asked = {.method = GET, .target = path, .headers = headers};
    struct call *inner = ask_realm(c, cluster, &asked);

    if (inner->reply.status >= 300)
        return cluster_refusal(c, inner);
    *ret = inside_body(inner);
    return OK;
}
