#include "api/arm.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/activity.h"
#include "api/lock.h"
#include "api/subscription.h"
#include "auth/role.h"
#include "core/json.h"
#include "core/trace.h"

#define MESSAGE_MAX 4096

/* c->caller of every call to the resource manager. */
struct arm_caller {
    const struct identity *who; /* NULL: not known yet */
    struct resource_id id;
};

const struct identity *arm_who(const struct call *c)
{
    const struct arm_caller *caller = c->caller;

    return caller ? caller->who : NULL;
}

const struct resource_id *arm_id(const struct call *c)
{
    const struct arm_caller *caller = c->caller;

    return &caller->id;
}

const char *arm_who_name(const struct call *c)
{
    const struct identity *who = arm_who(c);

    return who->kind == IDENTITY_USER ? who->name : who->app_id;
}

const char *arm_who_kind(const struct call *c)
{
    return arm_who(c)->kind == IDENTITY_USER ? "User" : "Application";
}

/* ---- who ---- */

static enum fault identify(struct call *c, bool may_block, struct arm_caller *caller)
{
    const char *authorization = call_header(c, "authorization");

    if (c->vouched) {
        caller->who = c->vouched;
        return OK;
    }
    if (!authorization)
        return fail_on(&c->op, "AuthenticationFailed", UNAUTHENTICATED,
                       "Authentication failed. The 'Authorization' header is missing.");
    if (strncasecmp(authorization, "Bearer ", 7) != 0)
        return fail_on(&c->op, "AuthenticationFailed", UNAUTHENTICATED,
                       "Authentication failed. The 'Authorization' header is provided in an "
                       "invalid format.");
    authorization += 7;
    authorization += strspn(authorization, " ");
    return entra_verify(&c->op, authorization, AUDIENCE_ARM, may_block, &caller->who);
}

/* ---- api-version ---- */

static bool digits(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isdigit((unsigned char)s[i]))
            return false;
    return true;
}

/* YYYY-MM-DD, then nothing or "-preview" and the like. */
static bool is_version(const char *v)
{
    size_t len = strlen(v);

    if (len < 10 || len > 40 || !digits(v, 4) || v[4] != '-' || !digits(v + 5, 2) || v[7] != '-' ||
        !digits(v + 8, 2))
        return false;
    if (strncmp(v + 5, "01", 2) < 0 || strncmp(v + 5, "12", 2) > 0 || strncmp(v + 8, "01", 2) < 0 ||
        strncmp(v + 8, "31", 2) > 0)
        return false;
    if (len == 10)
        return true;
    return v[10] == '-' && isalpha((unsigned char)v[11]) &&
           strspn(v + 11, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") ==
               len - 11;
}

static enum fault check_version(struct call *c)
{
    const char *version = call_query(c, "api-version", 0);

    if (!version || !*version)
        return c->route->access & ARM_NO_VERSION
                   ? OK
                   : fail_on(&c->op, "MissingApiVersionParameter", INVALID,
                             "The api-version query parameter (?api-version=) is required for all "
                             "requests.");
    if (!is_version(version))
        return fail_on(&c->op, "InvalidApiVersionParameter", INVALID,
                       "The api-version '%.60s' is invalid. It must have the form YYYY-MM-DD or "
                       "YYYY-MM-DD-preview.",
                       version);
    return OK;
}

/* ---- subscription, rights, locks ---- */

static bool is_write(enum method method)
{
    return method != GET && method != HEAD && method != OPTIONS;
}

static bool begins(const char *text, const char *start)
{
    return text && strncasecmp(text, start, strlen(start)) == 0;
}

static bool ends(const char *text, const char *end)
{
    size_t len = text ? strlen(text) : 0, n = strlen(end);

    return len >= n && strcasecmp(text + len - n, end) == 0;
}

static enum fault check_subscription(struct call *c, const struct resource_id *id)
{
    struct subscription s;

    if (!id->subscription)
        return OK;
    TRY(subscription_find(&c->op, id->subscription, &s));
    if (is_write(c->method) && strcmp(s.state, "Enabled") != 0 &&
        !begins(c->route->action, "Microsoft.Subscription/") && !ends(c->route->action, "/read"))
        return fail_on(&c->op, "ReadOnlyDisabledSubscription", CONFLICT,
                       "The subscription '%s' is disabled and therefore marked as read only. You "
                       "cannot perform any write actions on this subscription until it is "
                       "re-enabled.",
                       id->subscription);
    return OK;
}

static void mend_role(struct call *c, const char *scope, const char *action)
{
    const char *role = action && trace_wanted() ? role_least(action, false) : NULL;

    if (role)
        trace_mend(&c->op, "az role assignment create --assignee %s --role \"%s\" --scope %s",
                   arm_who(c)->object_id, role, shell_word(&c->op, scope));
}

static enum fault check_right(struct call *c, const char *scope, const char *action)
{
    const struct identity *who = arm_who(c);

    trace_right(c, action, scope);
    if (action && role_allows(&c->op, who, scope, action))
        return OK;
    mend_role(c, scope, action);
    return fail_on(&c->op, "AuthorizationFailed", FORBIDDEN,
                   "The client '%s' with object id '%s' does not have authorization to perform "
                   "action '%s' over scope '%s' or the scope is invalid. If access was recently "
                   "granted, please refresh your credentials.",
                   who->name, who->object_id, action ? action : "(none)", scope);
}

/* "{namespace}/register/action" is of the namespace in the path. */
static const char *named_action(struct call *c)
{
    static const char mark[] = "{namespace}";
    const char *action = c->route->action, *provider = arm_id(c)->provider;

    if (!begins(action, mark) || !provider)
        return action;
    return arena_printf(&c->op.arena, "%s%s", provider, action + strlen(mark));
}

/* Locks themselves, and POSTs that only read, go on under any lock. */
static bool is_above_locks(const char *action)
{
    return ends(action, "/read") || begins(action, "Microsoft.Authorization/locks/") ||
           begins(action, "Microsoft.Subscription/");
}

enum fault arm_authorise(struct call *c, bool may_block)
{
    struct arm_caller *caller = arena_alloc(&c->op.arena, sizeof(*caller));
    const struct resource_id *id = &caller->id;
    enum fault fault;

    c->caller = caller;
    TRY(resource_id_parse(&c->op, c->path, &caller->id));
    fault = identify(c, may_block, caller);
    if (fault == UNAUTHENTICATED)
        trace_mend(&c->op, "eval \"$(sundog env)\" && az login --service-principal -u "
                           "$AZURE_CLIENT_ID -p $AZURE_CLIENT_SECRET --tenant $AZURE_TENANT_ID");
    TRY(fault);
    trace_who(c, caller->who->name, caller->who->object_id);
    TRY(check_version(c));
    TRY(check_subscription(c, id));
    if (!(c->route->access & ARM_ACTION))
        return OK;
    TRY(check_right(c, id->path, named_action(c)));
    if (is_write(c->method) && !is_above_locks(c->route->action))
        return lock_check(&c->op, c->method, id->path);
    return OK;
}

enum fault arm_need(struct call *c, const char *scope, const char *action)
{
    TRY(check_right(c, scope, action));
    if (is_above_locks(action))
        return OK;
    return lock_check(&c->op, ends(action, "/delete") ? DELETE : PUT, scope);
}

enum fault arm_sees_subscription(struct call *c, bool *ret_all)
{
    const struct resource_id *id = arm_id(c);
    const char *scope = arena_printf(&c->op.arena, "/subscriptions/%s", id->subscription);

    *ret_all = role_allows(&c->op, arm_who(c), scope, c->route->action);
    if (*ret_all || role_sees(&c->op, arm_who(c), scope))
        return OK;
    return check_right(c, scope, c->route->action);
}

/* ---- faults ---- */

static const struct dialect_row rows[] = {
    {INVALID,                "method", 405, "MethodNotAllowed"},
    {INVALID,                   NULL, 400, "BadRequest"},
    {UNAUTHENTICATED,                      NULL, 401, "AuthenticationFailed"},
    {FORBIDDEN,NULL, 403, "AuthorizationFailed"},
    {NOT_FOUND,          NULL, 404, "NotFound"},
    {CONFLICT,        NULL, 409, "Conflict"},
    {PRECONDITION,                   NULL, 412, "PreconditionFailed"},
    {RANGE,                      NULL, 416, "RangeNotSatisfiable"},
    {GONE,                   NULL, 410, "Gone"},
    {TOO_LARGE, NULL, 413, "RequestEntityTooLarge"},
    {TOO_MANY,              NULL, 429, "TooManyRequests"},
    {UNSUPPORTED,                   NULL, 501, "NotSupported"},
    {UNAVAILABLE,                      NULL, 503, "ServerUnavailable"},
    {INTERNAL,           NULL, 500, "InternalServerError"},
    {0           },
};

static void render(struct call *c, const struct dialect_row *row)
{
    const struct op *op = &c->op;
    const char *code = op->noun && isupper((unsigned char)op->noun[0]) ? op->noun : row->code;
    json_t *error = json_new_object(&c->op), *detail = NULL;
    json_t *body = json_new_object(&c->op);

    json_set_text(error, "code", code);
    json_set_text(error, "message", op->message ? op->message : fault_name(op->fault));
    if (op->detail)
        detail = json_loads(op->detail, 0, NULL);
    if (json_is_object(detail))
        json_object_update(error, detail);
    json_decref(detail);
    json_object_set(body, "error", error);
    arm_reply(c, row->status, body);
}

const struct dialect arm_dialect = {"arm", rows, render};

enum fault arm_fail_at(struct op *op, const char *code, enum fault fault, const char *target,
                       const char *fmt, ...)
{
    char message[MESSAGE_MAX];
    json_t *detail;
    va_list args;

    va_start(args, fmt);
    vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    fail_on(op, code, fault, "%s", message);
    if (target) {
        detail = json_new_object(op);
        json_set_text(detail, "target", target);
        op->detail = json_text_of(op, detail);
    }
    return fault;
}

enum fault arm_not_built(struct call *c)
{
    return fail_on(&c->op, "NotSupported", UNSUPPORTED,
                   "This operation is not supported by this Sundog: %s.", c->route->summary);
}

enum fault arm_not_found(struct op *op, const struct resource_id *id)
{
    if (!id->type)
        return fail_on(op, "ResourceGroupNotFound", NOT_FOUND,
                       "Resource group '%s' could not be found.", id->group ? id->group : "");
    return fail_on(op, "ResourceNotFound", NOT_FOUND,
                   "The Resource '%s/%s' under resource group '%s' was not found. For more details "
                   "please go to https://aka.ms/ARMResourceNotFoundFix",
                   id->full_type, id->names, id->group ? id->group : "<null>");
}

/* ---- headers ---- */

static void add_challenge(struct call *c)
{
    const char *message = c->op.message ? c->op.message : "the token is missing";
    struct text out;

    text_init(&out, &c->op.arena, 512);
    for (const char *p = message; *p && out.len < 400; p++)
        if (*p >= ' ' && *p < 127 && *p != '"' && *p != '\\')
            text_add(&out, p, 1);
    reply_header(c, "WWW-Authenticate",
                 "Bearer authorization_uri=\"%s/adfs\", error=\"invalid_token\", "
                 "error_description=\"%s\"",
                 c->base_url, out.data);
}

void arm_decorate(struct call *c)
{
    const char *client_id = call_header(c, "x-ms-client-request-id");
    const char *wanted = call_header(c, "x-ms-return-client-request-id");

    if (c->reply.status == 401)
        add_challenge(c);
    reply_header(c, "Cache-Control", "no-cache");
    reply_header(c, "Pragma", "no-cache");
    reply_header(c, "X-Content-Type-Options", "nosniff");
    reply_header(c, "Strict-Transport-Security", "max-age=31536000; includeSubDomains");
    if (client_id && wanted && strcasecmp(wanted, "true") == 0 && strlen(client_id) <= 128)
        reply_header(c, "x-ms-client-request-id", "%s", client_id);
    if (c->route && is_write(c->method))
        activity_note(c);
}
