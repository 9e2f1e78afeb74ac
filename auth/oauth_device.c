/* The device code grant (RFC 8628): POST …/devicecode, and the page where a person approves. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auth/html.h"
#include "auth/oauth.h"
#include "auth/sign_in.h"
#include "auth/throttle.h"
#include "core/json.h"
#include "core/seal.h"

#define CODE_LETTERS "BCDFGHJKLMNPQRSTVWXZ" /* no vowels: no words */
#define CODE_LENGTH  9
#define POLL_SECONDS 1
#define PAGE         "/devicelogin"

static const char *new_user_code(struct op *op)
{
    char *code = arena_alloc(&op->arena, CODE_LENGTH + 1);
    struct bytes raw;

    hex_decode(&op->arena, random_hex(op, 4 * CODE_LENGTH), &raw);
    for (size_t i = 0; i < CODE_LENGTH; i++) {
        const uint8_t *four = (const uint8_t *)raw.data + 4 * i;
        uint32_t number =
            (uint32_t)four[0] << 24 | (uint32_t)four[1] << 16 | (uint32_t)four[2] << 8 | four[3];

        code[i] = CODE_LETTERS[number % strlen(CODE_LETTERS)];
    }
    return code;
}

static enum fault reply_device(struct call *c, const char *device_code, const char *user_code)
{
    const char *page = arena_printf(&c->op.arena, "%s" PAGE, c->base_url);
    struct text out;

    text_init(&out, &c->op.arena, 8192);
    text_printf(&out,
                "{\"user_code\":\"%s\",\"device_code\":\"%s\",\"expires_in\":%d,"
                "\"interval\":%d,\"verification_uri\":",
                user_code, device_code, OAUTH_DEVICE_SECONDS, POLL_SECONDS);
    json_quote(&out, page);
    text_str(&out, ",\"verification_url\":");
    json_quote(&out, page);
    text_str(&out, ",\"message\":");
    json_quote(&out, arena_printf(&c->op.arena,
                                  "To sign in, use a web browser to open the page %s and enter the"
                                  " code %s to authenticate.",
                                  page, user_code));
    text_str(&out, "}");
    reply_header(c, "Cache-Control", "no-store");
    return reply_bytes(c, 200, "application/json; charset=utf-8", text_bytes(&out));
}

enum fault oauth_device_code(struct call *c)
{
    const char *scope = call_form(c, "scope", 0), *resource = call_form(c, "resource", 0), *secret;
    struct sign_in row = {.kind = SIGN_IN_DEVICE};
    struct oauth_client client;
    struct authority authority;
    struct target_asked target;
    char *text;
    json_t *document;

    TRY(authority_of(c, &authority));
    TRY(oauth_client_find(c, call_form(c, "client_id", 0), &client));
    TRY(oauth_target(&c->op, scope, resource, &target));
    document = json_pack("{s:s, s:s}", "client_id", client.app_id, "scope",
                         scope      ? scope
                         : resource ? arena_printf(&c->op.arena, "%s/.default", resource)
                                    : "");
    text = document ? json_dumps(document, JSON_COMPACT) : NULL;
    json_decref(document);
    if (!text)
        return fail_on(&c->op, "70011", INVALID, "The scope is not valid text.");
    arena_defer(&c->op.arena, free, text);
    row.document = text;
    row.user_code = new_user_code(&c->op);
    TRY(sign_in_add(&c->op, &row, OAUTH_DEVICE_SECONDS, &secret));
    return reply_device(c, secret, row.user_code);
}

/* ---- the page: first the code, then who asks, name and password ---- */

static enum fault ask_code(struct call *c, const char *code, const char *message)
{
    struct text page;

    html_begin(c, &page, "Enter the code");
    text_str(&page, "<p>that the other device or program shows.</p>");
    html_error(&page, message);
    html_form(c, &page, PAGE);
    html_field(&page, "Code", "text", "otc", code, "one-time-code");
    text_str(&page, "<button>Next</button></form>");
    return html_reply(c, &page, message ? 400 : 200, NULL);
}

static enum fault ask_user(struct call *c, const char *code, const char *program, const char *name,
                           const char *message)
{
    struct text page;

    html_begin(c, &page, "Sign in");
    text_str(&page, "<p>Are you trying to sign in to <b>");
    html_text(&page, program);
    text_str(&page, "</b> with the code <code>");
    html_text(&page, code);
    text_str(&page, "</code>? Go on only if you started this yourself.</p>");
    html_error(&page, message);
    html_form(c, &page, PAGE);
    html_hidden(&page, "otc", code);
    html_field(&page, "User name", "text", "username", name, "username");
    html_field(&page, "Password", "password", "password", NULL, "current-password");
    text_str(&page, "<button name=\"decision\" value=\"approve\">Sign in</button>"
                    "<button class=\"second\" name=\"decision\" value=\"refuse\" formnovalidate>"
                    "It was not me</button></form>");
    return html_reply(c, &page, message ? 401 : 200, NULL);
}

static enum fault show_end(struct call *c, const char *title, const char *text)
{
    struct text page;

    html_begin(c, &page, title);
    text_str(&page, "<p>");
    html_text(&page, text);
    text_str(&page, "</p>");
    return html_reply(c, &page, 200, NULL);
}

enum fault oauth_device_page(struct call *c)
{
    return ask_code(c, call_query(c, "otc", 0), NULL);
}

/* As typed: in any case, with spaces and dashes. */
static const char *clean(struct op *op, const char *typed)
{
    char *code = arena_alloc(&op->arena, CODE_LENGTH + 1);
    size_t n = 0;

    for (; typed && *typed && n < CODE_LENGTH; typed++) {
        char letter = *typed >= 'a' && *typed <= 'z' ? (char)(*typed - 'a' + 'A') : *typed;

        if (letter != ' ' && letter != '-')
            code[n++] = letter;
    }
    return code;
}

/* The program that waits for this code; guessing codes is limited. */
static enum fault find_program(struct call *c, const char *code, const char **ret)
{
    struct oauth_client client;
    struct sign_in row;
    enum fault fault;
    json_t *document;

    TRY(throttle_check(&c->op, c->client, "device code"));
    fault = sign_in_by_user_code(&c->op, code, &row);
    if (fault == NOT_FOUND)
        throttle_failed(c->client, "device code");
    TRY(fault);
    TRY(json_parse(&c->op, BYTES(row.document), &document));
    TRY(oauth_client_find(c, json_string_value(json_object_get(document, "client_id")), &client));
    *ret = client.name;
    return OK;
}

static enum fault decide(struct call *c, const char *code, const char *program)
{
    const char *name = call_form(c, "username", 0), *password = call_form(c, "password", 0);
    const char *decision = call_form(c, "decision", 0);
    const struct object *user;
    enum fault fault;

    if (decision && strcmp(decision, "refuse") == 0) {
        TRY(sign_in_decide(&c->op, code, NULL, 0, true));
        return show_end(c, "Refused", "The sign-in was refused. You can close this window.");
    }
    if (!name || !*name || !password)
        return ask_user(c, code, program, name, NULL);
    fault = oauth_user_sign_in(c, name, password, &user);
    if (fault == UNAUTHENTICATED || fault == TOO_MANY) {
        op_clear_fault(&c->op);
        return ask_user(c, code, program, name,
                        fault == TOO_MANY ? "Too many attempts failed. Please wait a little."
                                          : "The user name or the password is wrong.");
    }
    TRY(fault);
    TRY(sign_in_decide(&c->op, code, user->id, user->sessions, false));
    return show_end(c, "Signed in",
                    "You have signed in on the other device. You can close this window.");
}

enum fault oauth_device_post(struct call *c)
{
    const char *code = clean(&c->op, call_form(c, "otc", 0)), *program;
    enum fault fault;

    if (!html_form_is_ours(c))
        return ask_code(c, code, "The form was too old, or cookies are off. Please try again.");
    fault = find_program(c, code, &program);
    if (fault == OK)
        fault = decide(c, code, program);
    if (fault != NOT_FOUND && fault != TOO_MANY)
        return fault;
    op_clear_fault(&c->op);
    return ask_code(c, code,
                    fault == TOO_MANY ? "Too many attempts failed. Please wait a little."
                                      : "That code did not work: it is unknown, used or expired.");
}
