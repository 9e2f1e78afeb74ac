#include "web/sign_in.h"

#include <jansson.h>
#include <string.h>
#include <strings.h>

#include "auth/oauth.h"
#include "core/inside.h"
#include "core/json.h"
#include "core/seal.h"
#include "core/uri.h"
#include "web/page.h"

/* What the browser keeps while it is with the Entra endpoints: state, verifier, where to. */
#define WAY_COOKIE  "sundog-way"
#define WAY_SECONDS 600
#define SCOPE       "https://management.azure.com/.default"

static const char *redirect_of(struct call *c)
{
    return uri_encode(&c->op.arena,
                      arena_printf(&c->op.arena, "%s%s", c->base_url, OAUTH_CONSOLE_PATH), "");
}

/* Only into the console: not to other sites. */
static const char *place(const char *to)
{
    return to && strncmp(to, "/console", 8) == 0 && !strpbrk(to, "\r\n") && strlen(to) < 1000
               ? to
               : "/console";
}

static const char *challenge_of(struct op *op, const char *verifier)
{
    uint8_t digest[32];

    sha256(BYTES(verifier), digest);
    return base64_encode(&op->arena, (struct bytes){digest, sizeof(digest)}, true);
}

enum fault sign_in_get(struct call *c)
{
    struct op *op = &c->op;
    const char *state = random_hex(op, 16), *verifier = random_hex(op, 32);
    const char *to = place(call_query(c, "to", 0));

    cookie_set(c, WAY_COOKIE,
               arena_printf(&op->arena, "%s.%s.%s", state, verifier,
                            base64_encode(&op->arena, BYTES(to), true)),
               WAY_SECONDS);
    reply_header(c, "Cache-Control", "no-store");
    reply_header(c, "Location",
                 "%s/organizations/oauth2/v2.0/authorize?client_id=" OAUTH_CONSOLE_APP
                 "&response_type=code&redirect_uri=%s&scope=%s&state=%s&code_challenge=%s&code_"
                 "challenge_method=S256",
                 c->base_url, redirect_of(c), uri_encode(&op->arena, SCOPE, ""), state,
                 challenge_of(op, verifier));
    return reply_empty(c, 303);
}

struct way {
    const char *state, *verifier, *to;
};

static enum fault read_way(struct call *c, struct way *ret)
{
    const char *cookie = cookie_find(c, WAY_COOKIE), *state = call_query(c, "state", 0);
    struct bytes to;
    char *dot;

    ret->state = cookie ? arena_strdup(&c->op.arena, cookie) : "";
    dot = strchr((char *)(uintptr_t)ret->state, '.');
    if (!dot || strlen(dot) < 66 || dot[65] != '.' ||
        !base64_decode(&c->op.arena, dot + 66, true, &to))
        return fail(&c->op, INVALID, "this sign-in is too old, or cookies are off: begin it again");
    *dot = '\0';
    dot[65] = '\0';
    ret->verifier = dot + 1;
    ret->to = place(arena_strndup(&c->op.arena, to.data, to.len));
    if (!state || !equal_constant_time(state, ret->state))
        return fail(&c->op, INVALID, "this sign-in was not begun here: begin it again");
    return OK;
}

static void release(void *call)
{
    call_free(call);
}

/* The code for a token, as every program does it. */
static enum fault redeem(struct call *c, const char *code, const char *verifier,
                         const struct identity **ret)
{
    static const struct header headers[] = {
        {"content-type", "application/x-www-form-urlencoded"},
        {0             },
    };
    const char *body = arena_printf(&c->op.arena,
                                    "grant_type=authorization_code&client_id=" OAUTH_CONSOLE_APP
                                    "&code=%s&redirect_uri=%s"
                                    "&code_verifier=%s&scope=%s",
                                    uri_encode(&c->op.arena, code, ""), redirect_of(c), verifier,
                                    uri_encode(&c->op.arena, SCOPE, ""));
    const struct inside asked = {.method = POST,
                                 .target = "/organizations/oauth2/v2.0/token",
                                 .headers = headers,
                                 .body = BYTES(body)};
    struct call *answer = call_inside(c, &asked);
    const char *token;
    json_t *json;

    arena_defer(&c->op.arena, release, answer);
    json = inside_json(&c->op, answer);
    token = json_string_value(json_object_get(json, "access_token"));
    if (answer->reply.status != 200 || !token)
        return fail(&c->op, INVALID, "the sign-in did not succeed: begin it again");
    return entra_verify(&c->op, token, AUDIENCE_ARM, true, ret);
}

enum fault signed_in_get(struct call *c)
{
    const char *code = call_query(c, "code", 0), *why = call_query(c, "error_description", 0);
    const struct identity *who;
    struct way way = {0};

    TRY(read_way(c, &way));
    if (!code)
        return fail(&c->op, INVALID, "the sign-in was refused: %.300s",
                    why ? why : "no reason given");
    TRY(redeem(c, code, way.verifier, &who));
    cookie_set(c, WAY_COOKIE, "", 0);
    TRY(session_begin(c, who));
    return page_go(c, NULL, "%s", way.to);
}

enum fault sign_out_post(struct call *c)
{
    struct page p;

    TRY(page_check_form(c));
    TRY(session_end(c));
    c->caller = NULL; /* the page is nobody's */
    page_begin(c, &p, "Signed out", NULL);
    page_html(&p, "<p><a href=\"/console\">Sign in again</a></p>");
    return page_end(&p);
}

/* ---- links ---- */

enum fault sign_in_link_post(struct call *c)
{
    const char *authorization = call_header(c, "authorization"), *code;
    const struct identity *who;
    struct text out;

    if (!authorization || strncasecmp(authorization, "Bearer ", 7) != 0)
        return fail(&c->op, UNAUTHENTICATED, "a token of the resource manager is needed");
    TRY(entra_verify(&c->op, authorization + 7, AUDIENCE_ARM, true, &who));
    TRY(session_link_add(&c->op, who->object_id, &code));
    text_init(&out, &c->op.arena, 4096);
    text_printf(&out, "{\"code\":\"%s\",\"url\":", code);
    json_quote(&out, arena_printf(&c->op.arena, "%s/console/link/%s", c->base_url, code));
    text_str(&out, "}\n");
    reply_header(c, "Cache-Control", "no-store");
    return reply_bytes(c, 201, "application/json; charset=utf-8", text_bytes(&out));
}

enum fault sign_in_link_get(struct call *c)
{
    const struct identity *who;
    const char *object_id;

    TRY(session_link_take(&c->op, c->path_args[0], &object_id));
    TRY(entra_principal(&c->op, object_id, &who));
    TRY(session_begin(c, who));
    return page_go(c, NULL, "/console");
}
