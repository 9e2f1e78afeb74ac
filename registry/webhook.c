/*
 * Webhooks: what may be set, what fits, and the events themselves (facts §2.5).
 */
#include "registry/webhook.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "core/json.h"
#include "core/seal.h"
#include "registry/names.h"
#include "registry/scope_map_store.h"
#include "registry/webhook_store.h"

#define URI_MAX    2048
#define HEADER_MAX 4096
#define SCOPE_MAX  (REPOSITORY_NAME_MAX + TAG_MAX + 1)

static const struct action_row {
    const char *name;
    unsigned action;
} action_rows[] = {
    {"push",         WEBHOOK_PUSH        },
    {"delete",       WEBHOOK_DELETE      },
    {"quarantine",   WEBHOOK_QUARANTINE  },
    {"chart_push",   WEBHOOK_CHART_PUSH  },
    {"chart_delete", WEBHOOK_CHART_DELETE},
};

unsigned webhook_action_parse(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(action_rows); i++)
        if (strcasecmp(action_rows[i].name, name) == 0)
            return action_rows[i].action;
    return 0;
}

const char *webhook_action_name(unsigned action)
{
    for (size_t i = 0; i < ARRAY_LEN(action_rows); i++)
        if (action_rows[i].action == action)
            return action_rows[i].name;
    return NULL;
}

/* ---- scopes ---- */

static bool fits(const char *pattern, size_t len, const char *text)
{
    if (len > 0 && pattern[len - 1] == '*')
        return strncmp(pattern, text, len - 1) == 0;
    return strlen(text) == len && memcmp(pattern, text, len) == 0;
}

bool webhook_scope_fits(const char *scope, const char *repository, const char *tag)
{
    size_t len = strcspn(scope, ":");
    const char *tags = scope[len] ? scope + len + 1 : "latest";

    if (!*scope)
        return true;
    if (!fits(scope, len, repository))
        return false;
    if (strcmp(tags, "*") == 0)
        return true;
    return tag && fits(tags, strlen(tags), tag);
}

static bool scope_is_valid(const char *scope)
{
    char repository[REPOSITORY_NAME_MAX + 1];
    size_t len = strcspn(scope, ":");

    if (!*scope)
        return true;
    if (strlen(scope) > SCOPE_MAX || len == 0 || len > REPOSITORY_NAME_MAX)
        return false;
    for (const char *p = scope; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("/._-*:", *p))
            return false;
    memcpy(repository, scope, len);
    repository[len] = '\0';
    if (scope[len] && (!scope[len + 1] || strchr(scope + len + 1, ':')))
        return false;
    return strchr(repository, '*') ? strchr(repository, '*') == repository + len - 1
                                   : repository_name_is_valid(repository);
}

/* ---- checks ---- */

static bool uri_is_valid(const char *uri)
{
    const char *host;

    if (strncasecmp(uri, "http://", 7) != 0 && strncasecmp(uri, "https://", 8) != 0)
        return false;
    host = strstr(uri, "://") + 3;
    if (!*host || strchr("/?#:", *host) || strlen(uri) > URI_MAX)
        return false;
    for (; *uri; uri++)
        if ((unsigned char)*uri <= ' ' || *uri == 0x7f)
            return false;
    return true;
}

static bool header_is_valid(const struct header *h)
{
    static const char *const ours[] = {"host",       "content-length", "content-type",
                                       "connection", "expect",         "transfer-encoding"};

    if (!*h->name || strlen(h->name) + strlen(h->value) > HEADER_MAX)
        return false;
    for (const char *p = h->name; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("!#$%&'*+-.^_`|~", *p))
            return false;
    for (const char *p = h->value; *p; p++)
        if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f)
            return false;
    for (size_t i = 0; i < ARRAY_LEN(ours); i++)
        if (strcasecmp(h->name, ours[i]) == 0)
            return false;
    return true;
}

bool webhook_uri_is_path(const char *uri)
{
    return strncasecmp(uri, "/subscriptions/", 15) == 0;
}

enum fault webhook_check(struct op *op, const struct webhook_wanted *w)
{
    if (!registry_item_name_is_valid(w->name, ""))
        return fail_on(op, "name", INVALID, "a webhook's name has 5 to 50 letters and digits");
    if (w->actions == 0)
        return fail_on(op, "actions", INVALID, "a webhook needs at least one action");
    if (w->scope && !scope_is_valid(w->scope))
        return fail_on(op, "scope", INVALID,
                       "the scope \"%.100s\" is neither REPOSITORY:TAG, REPOSITORY:* nor empty",
                       w->scope);
    if (w->service_uri && !uri_is_valid(w->service_uri) &&
        !(webhook_uri_is_path(w->service_uri) && w->who))
        return fail_on(op, "serviceUri", INVALID,
                       "the service URI is no http or https address, and no path of a container "
                       "group or of a Deployment in a cluster");
    if (w->n_headers > WEBHOOK_HEADERS_MAX)
        return fail_on(op, "customHeaders", INVALID, "there are more than %d custom headers",
                       WEBHOOK_HEADERS_MAX);
    for (size_t i = 0; i < w->n_headers; i++)
        if (!header_is_valid(&w->headers[i]))
            return fail_on(op, "customHeaders", INVALID, "the custom header \"%.60s\" is not taken",
                           w->headers[i].name);
    return OK;
}

/* ---- what is shown ---- */

static bool is_secret(const char *name)
{
    static const char *const words[] = {"authorization", "secret",    "token",
                                        "password",      "cookie",    "api",
                                        "key",           "signature", "credential"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcasestr(name, words[i]))
            return true;
    return false;
}

const char *webhook_headers_json(struct op *op, const struct header *headers, size_t n, bool masked)
{
    struct text out;

    text_init(&out, &op->arena, (size_t)1 << 20);
    text_str(&out, "{");
    for (size_t i = 0; i < n; i++) {
        text_str(&out, i ? "," : "");
        json_quote(&out, headers[i].name);
        text_str(&out, ":");
        json_quote(&out, masked && is_secret(headers[i].name) ? "******" : headers[i].value);
    }
    text_str(&out, "}");
    return out.data;
}

const char *webhook_masked_uri(struct op *op, const char *uri)
{
    const char *host, *path, *at;
    size_t shown;

    if (webhook_uri_is_path(uri))
        return uri;
    host = strstr(uri, "://") + 3;
    path = host + strcspn(host, "/?#");
    at = memrchr(host, '@', (size_t)(path - host));
    shown = strcspn(path, "?#");
    return arena_printf(&op->arena, "%.*s%s%.*s%.*s%s", (int)(host - uri), uri, at ? "******@" : "",
                        (int)(path - (at ? at + 1 : host)), at ? at + 1 : host, (int)shown, path,
                        path[shown] ? "?******" : "");
}

/* ---- events ---- */

static const char *now_text(struct op *op)
{
    struct timespec now;
    char buf[32];
    struct tm tm;

    clock_gettime(CLOCK_REALTIME, &now);
    strftime(buf, sizeof(buf), "%Y-%m-%dT%H:%M:%S", gmtime_r(&now.tv_sec, &tm));
    return arena_printf(&op->arena, "%s.%09ldZ", buf, now.tv_nsec);
}

static void member(struct text *out, const char *before, const char *name, const char *value)
{
    text_printf(out, "%s\"%s\":", before, name);
    json_quote(out, value);
}

static void add_target(struct text *out, unsigned action, const struct webhook_target *t)
{
    text_str(out, ",\"target\":{");
    member(out, "", "mediaType", t->media_type ? t->media_type : "");
    if (action != WEBHOOK_DELETE)
        text_printf(out, ",\"size\":%lld", (long long)t->size);
    if (t->digest)
        member(out, ",", "digest", t->digest);
    if (action != WEBHOOK_DELETE)
        text_printf(out, ",\"length\":%lld", (long long)t->size);
    member(out, ",", "repository", t->repository);
    if (t->tag)
        member(out, ",", "tag", t->tag);
    text_str(out, "}");
}

static void add_request(struct op *op, struct text *out, const struct registry *registry,
                        const struct call *c)
{
    const char *agent = c ? call_header(c, "user-agent") : NULL;
    char id[37];

    random_uuid(id);
    text_str(out, ",\"request\":{");
    member(out, "", "id", c ? c->id : id);
    member(out, ",", "host",
           c ? c->host : arena_printf(&op->arena, "%s.azurecr.localhost", registry->name));
    member(out, ",", "method", c ? method_name(c->method) : "POST");
    member(out, ",", "useragent", agent ? agent : "sundog");
    text_str(out, "}");
}

const char *webhook_content(struct op *op, const char *id, const char *action_name, unsigned action,
                            const struct registry *registry, const struct webhook_target *target,
                            const struct call *c)
{
    struct text out;

    text_init(&out, &op->arena, (size_t)64 << 10);
    member(&out, "{", "id", id);
    member(&out, ",", "timestamp", now_text(op));
    member(&out, ",", "action", action_name);
    if (target) {
        add_target(&out, action, target);
        add_request(op, &out, registry, c);
    }
    text_str(&out, "}");
    return out.data;
}

enum fault webhook_event(struct op *op, const struct registry *registry, unsigned action,
                         const struct webhook_target *target, const struct call *c)
{
    for (size_t i = 0; i < registry->n_webhooks; i++) {
        const struct webhook_filter *w = &registry->webhooks[i];
        char id[37];

        if (!(w->actions & action) ||
            !webhook_scope_fits(w->scope, target->repository, target->tag))
            continue;
        random_uuid(id);
        TRY(webhook_event_insert(
            op, w->id, id,
            webhook_content(op, id, webhook_action_name(action), action, registry, target, c)));
    }
    return OK;
}
