/*
 * GET …/authorize shows a sign-in page whose form goes to the same address, query and all; the form
 * ends in a redirect with a code (RFC 6749 4.1, RFC 7636). A wrong program or redirect URI is told
 * on the page; everything else is told to the program.
 */
#include <stdlib.h>
#include <string.h>

#include "auth/html.h"
#include "auth/oauth.h"
#include "auth/sign_in.h"
#include "core/json.h"
#include "core/uri.h"

#define LOCATION_MAX 2000 /* what reply_header takes */

struct request {
    struct oauth_client client;
    const char *redirect_uri, *state, *scope, *nonce, *challenge, *method, *mode, *hint;
};

static enum fault error_page(struct call *c, const char *message)
{
    struct text page;

    html_begin(c, &page, "This sign-in cannot go on");
    html_error(&page, message);
    return html_reply(c, &page, 400, NULL);
}

/* ---- the answer: code or error, with the state ---- */

static void add_pair(struct call *c, struct text *out, const char *name, const char *value)
{
    if (value)
        text_printf(out, "&%s=%s", name, uri_encode(&c->op.arena, value, ""));
}

/* scheme and host of the redirect URI, for the page's policy. */
static const char *origin_of(struct call *c, const char *uri)
{
    const char *host = strstr(uri, "://");
    size_t len = host ? (size_t)(host + 3 - uri) + strcspn(host + 3, "/?#; ',") : 0;

    return arena_strndup(&c->op.arena, uri, len);
}

static enum fault answer_by_form(struct call *c, const struct request *r, const char *const *pairs)
{
    struct text page;

    html_begin(c, &page, "Signed in");
    text_str(&page, "<p>Continue to the program that asked.</p><form method=\"post\" action=\"");
    html_attr(&page, r->redirect_uri);
    text_str(&page, "\">");
    for (; *pairs; pairs += 2)
        if (pairs[1])
            html_hidden(&page, pairs[0], pairs[1]);
    text_str(&page, "<button autofocus>Continue</button></form>");
    return html_reply(c, &page, 200, origin_of(c, r->redirect_uri));
}

/* pairs: name, value, …, NULL; a NULL value is left out. */
static enum fault answer(struct call *c, const struct request *r, const char *const *pairs)
{
    bool fragment = r->mode && strcmp(r->mode, "fragment") == 0;
    struct text target;
    size_t start;

    if (r->mode && strcmp(r->mode, "form_post") == 0)
        return answer_by_form(c, r, pairs);
    text_init(&target, &c->op.arena, 16384);
    text_str(&target, r->redirect_uri);
    text_str(&target, fragment ? "#" : strchr(r->redirect_uri, '?') ? "&" : "?");
    start = target.len;
    for (; *pairs; pairs += 2)
        add_pair(c, &target, pairs[0], pairs[1]);
    memmove(target.data + start, target.data + start + 1, target.len - start); /* the first "&" */
    if (target.len > LOCATION_MAX)
        return error_page(c, "The redirect URI and the state are too long together.");
    reply_header(c, "Cache-Control", "no-store");
    reply_header(c, "Referrer-Policy", "no-referrer");
    reply_header(c, "Location", "%s", target.data);
    return reply_empty(c, 302);
}

static enum fault answer_error(struct call *c, const struct request *r, const char *error,
                               const char *description)
{
    const char *const pairs[] = {"error",  error, "error_description", description, "state",
                                 r->state, NULL};

    return answer(c, r, pairs);
}

/* ---- the request ---- */

static enum fault read_client(struct call *c, struct request *r)
{
    TRY(oauth_client_find(c, call_query(c, "client_id", 0), &r->client));
    r->redirect_uri = call_query(c, "redirect_uri", 0);
    if (!r->redirect_uri || !oauth_redirect_is_known(&r->client, r->redirect_uri))
        return fail_on(&c->op, "50011", INVALID,
                       "The redirect URI '%.300s' specified in the request does not match the"
                       " redirect URIs configured for the application '%s'.",
                       r->redirect_uri ? r->redirect_uri : "", r->client.app_id);
    return OK;
}

static void read_rest(struct call *c, struct request *r)
{
    r->state = call_query(c, "state", 0);
    r->scope = call_query(c, "scope", 0);
    r->nonce = call_query(c, "nonce", 0);
    r->challenge = call_query(c, "code_challenge", 0);
    r->method = call_query(c, "code_challenge_method", 0);
    r->mode = call_query(c, "response_mode", 0);
    r->hint = call_query(c, "login_hint", 0);
}

static bool is_public(const struct request *r)
{
    return !r->client.application || r->client.application->fallback_public ||
           r->client.application->n_credentials == 0;
}

/* What is wrong with it, as RFC 6749's error and a text; NULL: nothing. */
static const char *judge(struct call *c, const struct request *r, const char **ret_text)
{
    const char *type = call_query(c, "response_type", 0), *prompt = call_query(c, "prompt", 0);
    struct target_asked target;

    *ret_text = "AADSTS700054: response_type must be 'code'.";
    if (!type || strcmp(type, "code") != 0)
        return "unsupported_response_type";
    *ret_text = "AADSTS9002325: Proof Key for Code Exchange (S256 or plain, 43 to 128 letters) is"
                " required for this program.";
    if (r->method && strcmp(r->method, "S256") != 0 && strcmp(r->method, "plain") != 0)
        return "invalid_request";
    if (r->challenge ? strlen(r->challenge) < 43 || strlen(r->challenge) > 128 : is_public(r))
        return "invalid_request";
    *ret_text = "AADSTS50058: A silent sign-in request was sent but no user is signed in.";
    if (prompt && strcmp(prompt, "none") == 0)
        return "login_required";
    if (oauth_target(&c->op, r->scope, call_query(c, "resource", 0), &target) != OK) {
        *ret_text = c->op.message;
        return "invalid_scope";
    }
    return NULL;
}

/* *ret_done: the reply is made, and it is a refusal. */
static enum fault read_request(struct call *c, struct request *r, bool *ret_done)
{
    struct authority authority;
    const char *error, *text;

    *ret_done = true;
    if (authority_of(c, &authority) != OK || read_client(c, r) != OK) {
        const char *message = c->op.message;

        op_clear_fault(&c->op);
        return error_page(c, message);
    }
    read_rest(c, r);
    error = judge(c, r, &text);
    op_clear_fault(&c->op);
    if (error)
        return answer_error(c, r, error, text);
    *ret_done = false;
    return OK;
}

/* ---- the page ---- */

static enum fault show(struct call *c, const struct request *r, const char *name,
                       const char *message)
{
    struct text page;

    html_begin(c, &page, "Sign in");
    text_str(&page, "<p>to continue to <b>");
    html_text(&page, r->client.name);
    text_str(&page, "</b></p>");
    html_error(&page, message);
    html_form(c, &page, c->target);
    html_field(&page, "User name", "text", "username", name ? name : r->hint, "username");
    html_field(&page, "Password", "password", "password", NULL, "current-password");
    text_str(&page, "<button>Sign in</button></form>");
    return html_reply(c, &page, message ? 401 : 200, origin_of(c, r->redirect_uri));
}

enum fault oauth_authorize(struct call *c)
{
    struct request r = {0};
    bool done;

    TRY(read_request(c, &r, &done));
    return done ? OK : show(c, &r, NULL, NULL);
}

static enum fault give_code(struct call *c, const struct request *r, const struct object *user)
{
    struct sign_in row = {.kind = SIGN_IN_CODE, .user_id = user->id, .sessions = user->sessions};
    const char *scope = r->scope ? r->scope : "", *code;
    json_t *document =
        json_pack("{s:s, s:s, s:s, s:s*, s:s*, s:s*}", "client_id", r->client.app_id,
                  "redirect_uri", r->redirect_uri, "scope", scope, "challenge", r->challenge,
                  "method", r->method ? r->method : "plain", "nonce", r->nonce);
    char *text = document ? json_dumps(document, JSON_COMPACT) : NULL;

    json_decref(document);
    if (!text)
        return answer_error(c, r, "invalid_request", "AADSTS90014: the request is not valid text.");
    arena_defer(&c->op.arena, free, text);
    row.document = text;
    TRY(sign_in_add(&c->op, &row, OAUTH_CODE_SECONDS, &code));
    return answer(c, r, (const char *const[]){"code", code, "state", r->state, NULL});
}

enum fault oauth_authorize_post(struct call *c)
{
    const char *name = call_form(c, "username", 0), *password = call_form(c, "password", 0);
    const struct object *user;
    struct request r = {0};
    enum fault fault;
    bool done;

    TRY(read_request(c, &r, &done));
    if (done)
        return OK;
    if (!html_form_is_ours(c) || !name || !password)
        return show(c, &r, name, "The form was too old, or cookies are off. Please try again.");
    fault = oauth_user_sign_in(c, name, password, &user);
    if (fault == UNAUTHENTICATED || fault == TOO_MANY) {
        const char *why = fault == TOO_MANY ? "Too many attempts failed. Please wait a little."
                                            : "The user name or the password is wrong.";

        op_clear_fault(&c->op);
        return show(c, &r, name, why);
    }
    TRY(fault);
    return give_code(c, &r, user);
}

/* There is no session of the browser to end: each sign-in asks for the password. */
enum fault oauth_logout(struct call *c)
{
    struct text page;

    html_begin(c, &page, "Signed out");
    text_str(&page, "<p>You can close this window.</p>");
    return html_reply(c, &page, 200, NULL);
}
