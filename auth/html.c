#include "auth/html.h"

#include <string.h>

#include "core/seal.h"

#define COOKIE "sundog-sign-in"

static const char style[] =
    ":root{color-scheme:light dark}"
    "body{margin:0;min-height:100vh;display:grid;place-items:center;font:16px/1.5 system-ui,"
    "sans-serif;background:light-dark(#f2f4f8,#14171d);color:light-dark(#1b1f27,#e8ebf0)}"
    "main{width:min(24rem,calc(100vw - 3rem));padding:2rem;border-radius:.75rem;box-sizing:"
    "border-box;background:light-dark(#fff,#1e232c);box-shadow:0 .25rem 1.5rem #0003}"
    "header{display:flex;gap:.6rem;align-items:center;margin-bottom:1.25rem;font-weight:600}"
    "header i{width:1rem;height:1rem;border-radius:50%;background:#f5a623;box-shadow:0 0 0 .25rem"
    " #f5a62344}"
    "h1{font-size:1.35rem;margin:0 0 .5rem}p{margin:.5rem 0}"
    "label{display:block;margin:1rem 0 .25rem;font-size:.9rem}"
    "input{width:100%;box-sizing:border-box;padding:.6rem .7rem;font:inherit;border:1px solid"
    " #8886;border-radius:.4rem;background:transparent;color:inherit}"
    "input:focus-visible,button:focus-visible{outline:2px solid #2f6fde;outline-offset:1px}"
    "button{margin-top:1.5rem;width:100%;padding:.65rem;font:inherit;font-weight:600;border:0;"
    "border-radius:.4rem;background:#2f6fde;color:#fff;cursor:pointer}"
    "button.second{margin-top:.6rem;background:transparent;color:inherit;border:1px solid #8886}"
    ".error{padding:.6rem .8rem;border-radius:.4rem;background:#d33a2c22;border-left:4px solid"
    " #d33a2c}"
    "code{font-size:1.1em;letter-spacing:.08em}";

static void escape(struct text *out, const char *s, bool attribute)
{
    for (; *s; s++) {
        if (*s == '&')
            text_str(out, "&amp;");
        else if (*s == '<')
            text_str(out, "&lt;");
        else if (*s == '>')
            text_str(out, "&gt;");
        else if (attribute && *s == '"')
            text_str(out, "&quot;");
        else
            text_add(out, s, 1);
    }
}

void html_text(struct text *out, const char *s)
{
    escape(out, s, false);
}

void html_attr(struct text *out, const char *s)
{
    escape(out, s, true);
}

void html_begin(struct call *c, struct text *out, const char *title)
{
    text_init(out, &c->op.arena, HTML_MAX);
    text_str(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                  "<meta name=\"viewport\" content=\"width=device-width\"><title>");
    html_text(out, title);
    text_printf(out, " · Sundog</title><style nonce=\"%s\">%s</style></head>\n<body><main>", c->id,
                style);
    text_str(out, "<header><i aria-hidden=\"true\"></i>Sundog</header>\n<h1>");
    html_text(out, title);
    text_str(out, "</h1>\n");
}

void html_field(struct text *out, const char *label, const char *type, const char *name,
                const char *value, const char *autocomplete)
{
    text_printf(out, "<label for=\"%s\">", name);
    html_text(out, label);
    text_printf(out,
                "</label><input id=\"%s\" name=\"%s\" type=\"%s\" autocomplete=\"%s\" required",
                name, name, type, autocomplete);
    text_str(out, " value=\"");
    html_attr(out, value ? value : "");
    text_str(out, "\">\n");
}

void html_hidden(struct text *out, const char *name, const char *value)
{
    text_printf(out, "<input type=\"hidden\" name=\"%s\" value=\"", name);
    html_attr(out, value);
    text_str(out, "\">");
}

void html_error(struct text *out, const char *message)
{
    if (!message)
        return;
    text_str(out, "<p class=\"error\" role=\"alert\">");
    html_text(out, message);
    text_str(out, "</p>\n");
}

/* ---- forms ---- */

/* The cookie's value, 64 hexadecimal digits; NULL: it has none of ours. */
static const char *cookie_of(struct call *c)
{
    const char *header = call_header(c, "cookie"), *at = header;

    while (at && (at = strstr(at, COOKIE "="))) {
        bool begins = at == header || at[-1] == ' ' || at[-1] == ';';

        at += strlen(COOKIE "=");
        if (begins && strspn(at, "0123456789abcdef") == 64)
            return arena_strndup(&c->op.arena, at, 64);
    }
    return NULL;
}

/* A page in another tab keeps its value, so that both forms are good. */
static const char *give_cookie(struct call *c)
{
    const char *value = cookie_of(c);
    bool secure = strncmp(c->base_url, "https:", 6) == 0;

    if (value)
        return value;
    value = random_hex(&c->op, 32);
    reply_header(c, "Set-Cookie", COOKIE "=%s; Path=/; HttpOnly; SameSite=Lax%s", value,
                 secure ? "; Secure" : "");
    return value;
}

void html_form(struct call *c, struct text *out, const char *target)
{
    text_str(out, "<form method=\"post\" action=\"");
    html_attr(out, target);
    text_str(out, "\">");
    html_hidden(out, "canary", give_cookie(c));
}

bool html_form_is_ours(struct call *c)
{
    const char *cookie = cookie_of(c), *field = call_form(c, "canary", 0);

    return cookie && field && equal_constant_time(cookie, field);
}

enum fault html_reply(struct call *c, struct text *out, int status, const char *form_action)
{
    text_str(out, "</main></body></html>\n");
    reply_header(c, "Cache-Control", "no-store");
    reply_header(c, "X-Frame-Options", "DENY");
    reply_header(c, "X-Content-Type-Options", "nosniff");
    reply_header(c, "Referrer-Policy", "no-referrer");
    reply_header(c, "Content-Security-Policy",
                 "default-src 'none'; style-src 'nonce-%s'; form-action 'self' %s; base-uri 'none';"
                 " frame-ancestors 'none'",
                 c->id, form_action ? form_action : "");
    return reply_bytes(c, status, "text/html; charset=utf-8", text_bytes(out));
}
