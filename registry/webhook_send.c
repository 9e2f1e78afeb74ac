/*
 * Deliveries: one key for each webhook that has something due, so that one receiver that is slow
 * holds up nobody else, and the key "due" that finds them.
 */
#include <stdlib.h>
#include <string.h>

#include "core/db.h"
#include "core/fetch.h"
#include "core/json.h"
#include "core/metrics.h"
#include "core/reconcile.h"
#include "registry/webhook_store.h"

#define SENDERS        4
#define TIMEOUT_MS     10000
#define LOOK_EVERY_MS  30000
#define PURGE_EVERY_MS 600000
#define FIND_DUE       "due"

static struct reconciler *sender;

static struct metric sent = {"sundog_webhook_deliveries_total",
                             "webhook events taken by a receiver", "counter"};
static struct metric failed = {"sundog_webhook_failures_total",
                               "tries to deliver a webhook event that failed", "counter"};

/* Seconds until the next try after so many; < 0: given up. Six tries in four and a half minutes. */
static int64_t back_off_s(int64_t tries)
{
    static const int64_t pauses_s[WEBHOOK_TRIES - 1] = {1, 5, 20, 60, 180};

    return tries < WEBHOOK_TRIES ? pauses_s[tries - 1] : -1;
}

static const char *reason_phrase(struct op *op, int status)
{
    static const struct {
        int status;
        const char *phrase;
    } known[] = {
        {200, "OK"                   },
        {201, "Created"              },
        {202, "Accepted"             },
        {204, "No Content"           },
        {400, "Bad Request"          },
        {401, "Unauthorized"         },
        {403, "Forbidden"            },
        {404, "Not Found"            },
        {429, "Too Many Requests"    },
        {500, "Internal Server Error"},
        {502, "Bad Gateway"          },
        {503, "Service Unavailable"  }
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (known[i].status == status)
            return known[i].phrase;
    return arena_printf(&op->arena, "%d", status);
}

/* Content-Type and User-Agent, then the custom ones. */
static struct header *request_headers(struct op *op, const struct webhook_callback *to,
                                      size_t *ret_n)
{
    struct header *list = arena_alloc(&op->arena, (to->n_headers + 2) * sizeof(*list));

    list[0] = (struct header){"Content-Type", "application/json; charset=utf-8"};
    list[1] = (struct header){"User-Agent", "AzureContainerRegistry/1.0"};
    for (size_t i = 0; i < to->n_headers; i++)
        list[i + 2] = to->headers[i];
    *ret_n = to->n_headers + 2;
    return list;
}

/* What is no text is not kept. */
static const char *text_of(struct op *op, struct bytes body)
{
    const char *text = arena_strndup(&op->arena, body.data, body.len);

    struct text quoted;

    if (strlen(text) != body.len)
        return "";
    text_init(&quoted, &op->arena, 6 * body.len + 16);
    json_quote(&quoted, text); /* what is no UTF-8 becomes U+FFFD, which is one */
    return strstr(quoted.data, "\xef\xbf\xbd") ? "" : text;
}

static void post_event(struct op *op, const struct webhook_delivery *d,
                       struct webhook_result *result)
{
    struct fetch ask = {.method = "POST",
                        .url = d->to.service_uri,
                        .body = BYTES(d->content),
                        .timeout_ms = TIMEOUT_MS,
                        .answer_max = WEBHOOK_RESPONSE_MAX};
    struct fetched answer;
    enum fault fault;

    ask.headers = request_headers(op, &d->to, &ask.n_headers);
    fault = fetch(op, &ask, &answer);
    result->request_headers = webhook_headers_json(op, ask.headers, ask.n_headers, true);
    if (fault == OK) {
        result->status = answer.status;
        result->headers = webhook_headers_json(op, answer.headers, answer.n_headers, true);
        result->content = text_of(op, answer.body);
    } else if (fault == TOO_LARGE) { /* it was taken, and said more than is kept */
        result->status = 200;
    } else {
        result->reason = op->message;
    }
}

static enum fault (*deployer)(struct op *op, const struct webhook_deployment *d,
                              struct webhook_answer *ret);

void webhook_deploy_with(enum fault (*deploy)(struct op *op, const struct webhook_deployment *d,
                                              struct webhook_answer *ret))
{
    deployer = deploy;
}

static void deploy_event(struct op *op, const struct webhook_delivery *d,
                         struct webhook_result *result)
{
    const struct webhook_deployment deployment = {
        .path = d->to.service_uri,
        .who = d->to.who,
        .registry = registry_find_id(op, d->registry_id),
        .content = d->content,
    };
    struct webhook_answer answer;

    result->request_headers = "{}";
    if (!deployer || !deployment.registry || deployer(op, &deployment, &answer) != OK) {
        result->reason = op->message ? op->message : "it cannot be deployed now";
        return;
    }
    result->status = answer.status;
    result->headers = "{}";
    result->content = answer.content;
}

static void send_event(struct op *op, const struct webhook_delivery *d,
                       struct webhook_result *result)
{
    *result =
        (struct webhook_result){.uri = webhook_masked_uri(op, d->to.service_uri), .again_s = -1};
    if (webhook_uri_is_path(d->to.service_uri))
        deploy_event(op, d, result);
    else
        post_event(op, d, result);
    if (result->status)
        result->reason = reason_phrase(op, (int)result->status);
    op_clear_fault(op);
    if (result->status / 100 != 2)
        result->again_s = back_off_s(d->tries);
}

/* One event of one webhook. */
static enum fault deliver(struct op *op, int64_t webhook_id, int64_t *ret_again_ms)
{
    struct webhook_delivery delivery;
    struct webhook_result result;
    enum fault fault = webhook_claim(op, webhook_id, &delivery);

    if (fault == NOT_FOUND) {
        op_clear_fault(op);
        return webhook_next(op, webhook_id, ret_again_ms);
    }
    TRY(fault);
    send_event(op, &delivery, &result);
    atomic_fetch_add(result.status / 100 == 2 ? &sent.value : &failed.value, 1);
    TRY(webhook_record(op, &delivery, &result));
    *ret_again_ms = 0;
    return OK;
}

static enum fault purge_now_and_then(struct op *op)
{
    static _Atomic int64_t last_ms;
    int64_t now = now_ms();

    if (now - atomic_load(&last_ms) < PURGE_EVERY_MS)
        return OK;
    atomic_store(&last_ms, now);
    return webhook_purge(op);
}

/* Also what another `serve` left, which ended in the middle of it. */
static enum fault find_due(struct op *op, int64_t *ret_again_ms)
{
    int64_t *ids, next_ms;
    size_t n;

    TRY(webhook_due(op, &ids, &n));
    for (size_t i = 0; i < n; i++)
        reconciler_add(sender, arena_printf(&op->arena, "%lld", (long long)ids[i]));
    TRY(purge_now_and_then(op));
    TRY(webhook_next(op, 0, &next_ms));
    *ret_again_ms = next_ms > 0 && next_ms < LOOK_EVERY_MS ? next_ms : LOOK_EVERY_MS;
    return OK;
}

static enum fault step(struct op *op, const char *key, int64_t *ret_again_ms)
{
    if (strcmp(key, FIND_DUE) == 0)
        return find_due(op, ret_again_ms);
    return deliver(op, strtoll(key, NULL, 10), ret_again_ms);
}

void webhook_wake(void)
{
    reconciler_add(sender, FIND_DUE);
}

void webhook_start(void)
{
    metric_register(&sent);
    metric_register(&failed);
    sender = reconciler_new("webhook", SENDERS, step);
    webhook_wake();
}

void webhook_stop(void)
{
    reconciler_free(sender);
    sender = NULL;
}
