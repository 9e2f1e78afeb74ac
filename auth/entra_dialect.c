/*
 * Entra ID's errors: {"error","error_description":"AADSTSn: …","error_codes":[n],"timestamp",
 * "trace_id","correlation_id"}. The noun of a failure is the number.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "auth/oauth.h"
#include "core/json.h"

static const struct dialect_row rows[] = {
    {UNAUTHENTICATED,        "7000215", 401, "invalid_client"}, /* wrong secret */
    {UNAUTHENTICATED,                   "7000222", 401, "invalid_client"}, /* expired secret */
    {UNAUTHENTICATED,                      "7000218", 401, "invalid_client"}, /* no proof */
    {UNAUTHENTICATED,"700027", 401, "invalid_client"}, /* assertion's signature */
    {UNAUTHENTICATED,      "700024", 401, "invalid_client"}, /* assertion's time */
    {UNAUTHENTICATED,        "700213", 401, "invalid_client"}, /* no such federated credential */
    {UNAUTHENTICATED,                   "700212", 401, "invalid_client"}, /* its audience */
    {UNAUTHENTICATED,                      "700211", 401, "invalid_client"}, /* its issuer */
    {UNAUTHENTICATED,                    "7000112", 401, "unauthorized_client"}, /* disabled */
    {UNAUTHENTICATED,      "700016", 400, "unauthorized_client"}, /* unknown application */
    {UNAUTHENTICATED,        "50034", 400, "invalid_grant"}, /* unknown user */
    {UNAUTHENTICATED,                   "50126", 400, "invalid_grant"}, /* wrong password */
    {UNAUTHENTICATED,                      "50057", 400, "invalid_grant"}, /* disabled user */
    {UNAUTHENTICATED,       "90010", 400, "invalid_request"},
    {INVALID,      "90002", 400, "invalid_request"}, /* unknown tenant */
    {INVALID,        "900144", 400, "invalid_request"}, /* a parameter is missing */
    {INVALID,                   "50011", 400, "invalid_request"}, /* redirect URI */
    {INVALID,                      "70003", 400, "unsupported_grant_type"},
    {INVALID,"70011", 400, "invalid_scope"},
    {INVALID,      "1002012", 400, "invalid_scope"},
    {INVALID,        "500011", 400, "invalid_resource"},
    {INVALID,                   "50173", 400, "invalid_grant"}, /* sessions revoked */
    {INVALID,                      "700082", 400, "invalid_grant"}, /* refresh token expired */
    {INVALID,         "70000", 400, "invalid_grant"}, /* refresh token used again */
    {INVALID, "70008", 400, "invalid_grant"}, /* code expired or used */
    {INVALID,        "501481", 400, "invalid_grant"}, /* code_verifier */
    {INVALID,                   "70016", 400, "authorization_pending"},
    {INVALID,                      "70020", 400, "expired_token"}, /* device code */
    {INVALID,"70018", 400, "bad_verification_code"},
    {FORBIDDEN,       "65004", 400, "authorization_declined"},
    {TOO_MANY,        NULL, 429, "temporarily_unavailable"},
    {UNAVAILABLE,                   NULL, 503, "temporarily_unavailable"},
    {INVALID,                      "method", 405, "invalid_request"},
    {NOT_FOUND,         NULL, 404, "invalid_request"},
    {INVALID,     NULL, 400, "invalid_request"},
    {UNSUPPORTED,                NULL, 501, "unsupported_response_type"},
    {TOO_LARGE,                   NULL, 413, "invalid_request"},
    {INTERNAL,                      NULL, 500, "server_error"},
    {0      },
};

static void now_text(char text[32])
{
    time_t now = (time_t)wall_s();
    struct tm tm;

    gmtime_r(&now, &tm);
    strftime(text, 32, "%Y-%m-%d %H:%M:%SZ", &tm);
}

static void render(struct call *c, const struct dialect_row *row)
{
    const struct op *op = &c->op;
    const char *correlation = c->correlation_id ? c->correlation_id : c->id;
    long number = op->noun ? strtol(op->noun, NULL, 10) : 0;
    char time[32];
    struct text description, out;

    if (!number)
        number = op->fault == TOO_MANY ? 50196 : 90014;
    now_text(time);
    text_init(&description, &c->op.arena, 4096);
    text_printf(&description, "AADSTS%ld: %s Trace ID: %s Correlation ID: %s Timestamp: %s", number,
                op->message ? op->message : fault_name(op->fault), c->id, correlation, time);
    text_init(&out, &c->op.arena, 16384);
    text_printf(&out, "{\"error\":\"%s\",\"error_description\":", row->code);
    json_quote(&out, description.data);
    text_printf(&out, ",\"error_codes\":[%ld],\"timestamp\":\"%s\",\"trace_id\":\"%s\"", number,
                time, c->id);
    text_str(&out, ",\"correlation_id\":");
    json_quote(&out, correlation);
    text_str(&out, "}");
    reply_header(c, "Cache-Control", "no-store");
    if (row->status == 401)
        reply_header(c, "WWW-Authenticate", "Basic realm=\"%s\"", c->host);
    reply_bytes(c, row->status, "application/json; charset=utf-8", text_bytes(&out));
}

const struct dialect entra_dialect = {"entra", rows, render};
