#include "web/page.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "auth/role.h"
#include "core/seal.h"
#include "core/uri.h"
#include "web/assets.h"

#define SAID_COOKIE "sundog-said"
#define SAID_MAX    300

/* ---- the frame ---- */

static const struct {
    const char *link, *text;
    const char *within; /* in the paths of resources that belong there */
} menu[] = {
    {"/console",             "Overview",         NULL                                         },
    {"/console/registries",  "Registries",       "/providers/Microsoft.ContainerRegistry/"    },
    {"/console/instances",   "Container groups", "/providers/Microsoft.ContainerInstance/"    },
    {"/console/clusters",    "Clusters",         "/providers/Microsoft.ContainerService/"     },
    {"/console/groups",      "Resource groups",  NULL                                         },
    {"/console/deployments", "Deployments",      "/providers/Microsoft.Resources/deployments/"},
    {"/console/access",      "Access",           NULL                                         },
    {"/console/activity",    "Activity",         NULL                                         },
};

/* What stands first in the path is where one is. */
static bool is_here(const struct page *p, size_t item)
{
    const char *path = p->c->path, *link = menu[item].link;
    size_t len = strlen(link);

    if (menu[item].within && strcasestr(path, menu[item].within))
        return true;
    if (strcmp(link, "/console") == 0)
        return strcmp(path, link) == 0;
    return strncmp(path, link, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

static void add_menu(struct page *p)
{
    page_html(p, "<nav aria-label=\"Console\"><ul>");
    for (size_t i = 0; i < ARRAY_LEN(menu); i++) {
        page_html(p, "<li><a href=\"");
        page_html(p, menu[i].link);
        page_html(p, is_here(p, i) ? "\" aria-current=\"page\">" : "\">");
        page_html(p, menu[i].text);
        page_html(p, "</a></li>");
    }
    page_html(p, "</ul></nav>");
}

static void add_viewer(struct page *p)
{
    page_html(p, "<form class=\"viewer\" method=\"post\" action=\"/console/sign-out\"><span>");
    page_text(p, p->who->name);
    page_html(p, "</span>");
    page_hidden(p, "proof", p->session->proof);
    page_html(p, "<button class=\"quiet\">Sign out</button></form>");
}

static void add_head(struct page *p, const char *title)
{
    page_html(p, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                 "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
                 "<meta name=\"color-scheme\" content=\"light dark\"><title>");
    page_text(p, title);
    page_html(p, " · Sundog</title><link rel=\"icon\" href=\"data:,\">"
                 "<link rel=\"stylesheet\" href=\"");
    page_attr(p, asset_link("style.css"));
    page_html(p, "\"><script src=\"");
    page_attr(p, asset_link("console.js"));
    page_html(p, "\" defer></script></head>\n<body");
    page_html(p, p->session && p->c->method == GET ? " data-live>" : ">");
    page_html(
        p, "<a class=\"skip\" href=\"#main\">To the content</a>"
           "<header><a class=\"brand\" href=\"/console\"><i aria-hidden=\"true\"></i>Sundog</a>");
}

/* What the POST before it did: once. */
static void add_said(struct page *p)
{
    const char *cookie = cookie_find(p->c, SAID_COOKIE);
    struct bytes said;

    if (!cookie || !*cookie || !base64_decode(&p->op->arena, cookie, true, &said))
        return;
    cookie_set(p->c, SAID_COOKIE, "", 0);
    page_html(p, "<p class=\"said\" role=\"status\">");
    page_text(p, arena_strndup(&p->op->arena, said.data, said.len));
    page_html(p, "</p>");
}

static void add_crumbs(struct page *p, const char *title, const struct crumb *crumbs)
{
    if (crumbs) {
        page_html(p, "<nav class=\"crumbs\" aria-label=\"Where this is\"><ol>");
        for (; crumbs->text; crumbs++) {
            page_html(p, "<li>");
            page_anchor(p, crumbs->link, crumbs->text);
            page_html(p, "</li>");
        }
        page_html(p, "</ol></nav>");
    }
    page_html(p, "<h1>");
    page_text(p, title);
    page_html(p, "</h1>");
}

void page_begin(struct call *c, struct page *p, const char *title, const struct crumb *crumbs)
{
    *p = (struct page){.c = c, .op = &c->op, .session = c->caller};
    p->who = p->session ? p->session->who : NULL;
    text_init(&p->out, &c->op.arena, PAGE_MAX);
    add_head(p, title);
    if (p->session) {
        add_menu(p);
        add_viewer(p);
    }
    page_html(p, "</header>\n<main id=\"main\">");
    add_said(p);
    add_crumbs(p, title, crumbs);
}

static enum fault reply(struct page *p, int status)
{
    uint8_t digest[32];

    page_html(p, "</main></body></html>\n");
    sha256(text_bytes(&p->out), digest);
    reply_header(p->c, "ETag", "\"%.16s\"",
                 hex_encode(&p->op->arena, (struct bytes){digest, sizeof(digest)}));
    reply_header(p->c, "Cache-Control", "no-store");
    reply_header(p->c, "X-Frame-Options", "DENY");
    reply_header(p->c, "X-Content-Type-Options", "nosniff");
    reply_header(p->c, "Referrer-Policy", "same-origin");
    reply_header(
        p->c, "Content-Security-Policy",
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:;"
        " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'");
    return reply_bytes(p->c, status, "text/html; charset=utf-8", text_bytes(&p->out));
}

enum fault page_end(struct page *p)
{
    return reply(p, 200);
}

enum fault page_end_as(struct page *p, int status)
{
    return reply(p, status);
}

enum fault page_go(struct call *c, const char *said, const char *link_fmt, ...)
{
    char link[1800];
    va_list ap;
    int n;

    va_start(ap, link_fmt);
    n = vsnprintf(link, sizeof(link), link_fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof(link))
        snprintf(link, sizeof(link), "/console");
    if (said)
        cookie_set(c, SAID_COOKIE,
                   base64_encode(&c->op.arena, (struct bytes){said, strnlen(said, SAID_MAX)}, true),
                   60);
    reply_header(c, "Location", "%s", link);
    return reply_empty(c, 303);
}

/* ---- errors ---- */

static const char *title_of(int status)
{
    switch (status) {
    case 403:
        return "You may not do this";
    case 404:
        return "There is nothing here";
    case 409:
        return "This cannot be done now";
    case 503:
        return "Not at the moment";
    default:
        return status < 500 ? "This is not possible" : "Something is broken";
    }
}

void page_error(struct call *c, int status)
{
    const char *why = c->op.message;
    struct page p;

    page_begin(c, &p, title_of(status), NULL);
    page_html(&p, "<p class=\"error\" role=\"alert\">");
    page_text(&p, why ? why : "There is no more to say about it.");
    page_html(&p, "</p>");
    if (status == 403)
        page_html(&p, "<p>Whoever is Owner or User Access Administrator there can give you a role. "
                      "Your present ones are under <a href=\"/console/access\">Access</a>.</p>");
    page_html(&p, "<p><a href=\"/console\">To the overview</a></p>");
    reply(&p, status);
}

/* ---- writing ---- */

void page_html(struct page *p, const char *html)
{
    text_str(&p->out, html);
}

void page_text(struct page *p, const char *text)
{
    if (text)
        html_text(&p->out, text);
}

void page_attr(struct page *p, const char *text)
{
    if (text)
        html_attr(&p->out, text);
}

void page_printf(struct page *p, const char *fmt, ...)
{
    char small[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(small, sizeof(small), fmt, ap);
    va_end(ap);
    page_text(p, small);
}

const char *page_url(struct op *op, const char *fmt, const char *const *parts)
{
    struct text out;

    text_init(&out, &op->arena, 8192);
    for (; *fmt; fmt++) {
        if (fmt[0] == '%' && fmt[1] == 's') {
            text_str(&out, uri_encode(&op->arena, *parts++, ""));
            fmt++;
        } else {
            text_add(&out, fmt, 1);
        }
    }
    return out.data;
}

const char *page_of(struct op *op, const char *id)
{
    return arena_printf(&op->arena, "/console%s", uri_encode(&op->arena, id, "/"));
}

void page_anchor(struct page *p, const char *link, const char *text)
{
    if (!link) {
        page_text(p, text);
        return;
    }
    page_html(p, "<a href=\"");
    page_attr(p, link);
    page_html(p, "\">");
    page_text(p, text);
    page_html(p, "</a>");
}

void page_heading(struct page *p, const char *text)
{
    page_html(p, "<h2>");
    page_text(p, text);
    page_html(p, "</h2>");
}

/* ---- facts ---- */

void page_facts_begin(struct page *p)
{
    page_html(p, "<dl class=\"facts\">");
}

static void fact_begin(struct page *p, const char *name)
{
    page_html(p, "<div><dt>");
    page_text(p, name);
    page_html(p, "</dt><dd>");
}

void page_fact(struct page *p, const char *name, const char *value)
{
    page_fact_link(p, name, NULL, value);
}

void page_fact_link(struct page *p, const char *name, const char *link, const char *value)
{
    if (!value || !*value)
        return;
    fact_begin(p, name);
    page_anchor(p, link, value);
    page_html(p, "</dd></div>");
}

void page_fact_state(struct page *p, const char *name, const char *state)
{
    if (!state || !*state)
        return;
    fact_begin(p, name);
    page_state(p, state);
    page_html(p, "</dd></div>");
}

void page_fact_time(struct page *p, const char *name, const char *iso)
{
    if (!iso || !*iso)
        return;
    fact_begin(p, name);
    page_time(p, iso);
    page_html(p, "</dd></div>");
}

void page_facts_end(struct page *p)
{
    page_html(p, "</dl>");
}

/* ---- tables ---- */

void page_table_begin(struct page *p, const char *label, const char *const *heads)
{
    page_html(p, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"");
    page_attr(p, label);
    page_html(p, "\"><table><thead><tr>");
    for (; *heads; heads++) {
        bool number = **heads == '>';

        page_html(p, number ? "<th scope=\"col\" class=\"n\">" : "<th scope=\"col\">");
        page_text(p, *heads + number);
        page_html(p, "</th>");
    }
    page_html(p, "</tr></thead><tbody>");
}

void page_row_begin(struct page *p)
{
    page_html(p, "<tr>");
}

void page_cell_begin(struct page *p)
{
    page_html(p, "<td>");
}

void page_cell_end(struct page *p)
{
    page_html(p, "</td>");
}

void page_cell(struct page *p, const char *text)
{
    page_cell_link(p, NULL, text);
}

void page_cell_as(struct page *p, const char *kind, const char *link, const char *text)
{
    page_html(p, "<td class=\"");
    page_html(p, kind);
    page_html(p, "\">");
    page_anchor(p, link, text);
    page_cell_end(p);
}

void page_cell_number(struct page *p, const char *text)
{
    page_html(p, "<td class=\"n\">");
    page_text(p, text);
    page_cell_end(p);
}

void page_cell_link(struct page *p, const char *link, const char *text)
{
    page_cell_begin(p);
    page_anchor(p, link, text);
    page_cell_end(p);
}

void page_cell_state(struct page *p, const char *state)
{
    page_cell_begin(p);
    page_state(p, state);
    page_cell_end(p);
}

void page_cell_time(struct page *p, const char *iso)
{
    page_cell_begin(p);
    page_time(p, iso);
    page_cell_end(p);
}

void page_row_end(struct page *p)
{
    page_html(p, "</tr>");
}

void page_table_end(struct page *p)
{
    page_html(p, "</tbody></table></div>");
}

/* ---- words ---- */

static const struct {
    const char *state, *kind;
} states[] = {
    {"Succeeded",         "good"},
    {"Running",           "good"},
    {"Ready",             "good"},
    {"Active",            "good"},
    {"Bound",             "good"},
    {"Available",         "good"},
    {"Complete",          "good"},
    {"Enabled",           "good"},
    {"Terminated",        "none"},
    {"Stopped",           "none"},
    {"Disabled",          "none"},
    {"Pending",           "busy"},
    {"Creating",          "busy"},
    {"Updating",          "busy"},
    {"Deleting",          "busy"},
    {"Starting",          "busy"},
    {"Stopping",          "busy"},
    {"Waiting",           "busy"},
    {"Terminating",       "busy"},
    {"ContainerCreating", "busy"},
    {"InProgress",        "busy"},
    {"Accepted",          "busy"},
    {"Started",           "busy"},
    {"Failed",            "bad" },
    {"Error",             "bad" },
    {"NotReady",          "bad" },
    {"CrashLoopBackOff",  "bad" },
    {"ImagePullBackOff",  "bad" },
    {"ErrImagePull",      "bad" },
    {"Unknown",           "bad" },
    {"Warning",           "bad" },
    {"Canceled",          "bad" },
};

void page_state(struct page *p, const char *state)
{
    const char *kind = "none";

    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        if (strcasecmp(states[i].state, state) == 0)
            kind = states[i].kind;
    if (!*state)
        return;
    page_html(p, "<span class=\"state ");
    page_html(p, kind);
    page_html(p, "\">");
    page_text(p, state);
    page_html(p, "</span>");
}

/* Without script it is the time itself; the script makes it "3 min ago". */
void page_time(struct page *p, const char *iso)
{
    if (!iso || strlen(iso) < 19)
        return;
    page_html(p, "<time datetime=\"");
    page_attr(p, iso);
    page_html(p, "\">");
    page_text(p, arena_printf(&p->op->arena, "%.10s %.8s UTC", iso, iso + 11));
    page_html(p, "</time>");
}

const char *page_bytes(struct op *op, int64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;

    while (value >= 1024 && unit + 1 < ARRAY_LEN(units)) {
        value /= 1024;
        unit++;
    }
    return arena_printf(&op->arena, unit && value < 100 ? "%.1f %s" : "%.0f %s", value,
                        units[unit]);
}

const char *page_count(struct op *op, int64_t n)
{
    const char *plain = arena_printf(&op->arena, "%lld", (long long)n);
    size_t len = strlen(plain);
    struct text out;

    text_init(&out, &op->arena, 64);
    for (size_t i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0 && isdigit((unsigned char)plain[i - 1]))
            text_str(&out, ",");
        text_add(&out, plain + i, 1);
    }
    return out.data;
}

void page_bar(struct page *p, const char *label, int64_t value, int64_t max)
{
    page_html(p, arena_printf(&p->op->arena, "<meter class=\"bar\" max=\"%lld\" value=\"%lld\"",
                              (long long)(max > 0 ? max : 1), (long long)value));
    page_html(p, " aria-label=\"");
    page_attr(p, label);
    page_html(p, "\"></meter>");
}

void page_command(struct page *p, const char *label, const char *command)
{
    page_html(p, "<figure class=\"command\"><figcaption>");
    page_text(p, label);
    page_html(p, "</figcaption><pre tabindex=\"0\"><code>");
    page_text(p, command);
    page_html(p,
              "</code></pre><button type=\"button\" class=\"quiet\" data-copy hidden>Copy</button>"
              "</figure>");
}

void page_empty(struct page *p, const char *text, const char *command)
{
    page_html(p, "<section class=\"empty\"><p>");
    page_text(p, text);
    page_html(p, "</p>");
    if (command)
        page_command(p, "Next", command);
    page_html(p, "</section>");
}

/* ---- listings ---- */

struct listing page_listing(struct page *p)
{
    const char *q = call_query(p->c, "q", 0), *number = call_query(p->c, "page", 0);
    struct listing l = {.q = q ? q : ""};
    unsigned long n = number ? strtoul(number, NULL, 10) : 1;

    l.number = n > 1 && n < 1000000 ? n - 1 : 0;
    return l;
}

bool page_matches(const struct listing *l, const char *text)
{
    return !*l->q || strcasestr(text, l->q);
}

bool page_shows(struct listing *l, const char *text)
{
    size_t place = l->total;

    if (!page_matches(l, text))
        return false;
    l->total++;
    return place / PAGE_ROWS == l->number;
}

void page_search(struct page *p, const struct listing *l, const char *what)
{
    page_html(p, "<form class=\"search\" role=\"search\"><label>");
    page_text(p, what);
    page_html(p, " <input type=\"search\" name=\"q\" value=\"");
    page_attr(p, l->q);
    page_html(p, "\"></label><button class=\"quiet\">Search</button></form>");
}

static void page_number(struct page *p, const struct listing *l, size_t number, const char *text)
{
    page_html(p, "<a href=\"?q=");
    page_attr(p, uri_encode(&p->op->arena, l->q, ""));
    page_attr(p, l->kept);
    page_html(p, arena_printf(&p->op->arena, "&amp;page=%zu\">", number + 1));
    page_text(p, text);
    page_html(p, "</a> ");
}

void page_pages(struct page *p, const struct listing *l)
{
    size_t first = l->number * PAGE_ROWS, last = first + PAGE_ROWS;

    if (l->total <= PAGE_ROWS && !l->number)
        return;
    if (last > l->total)
        last = l->total;
    page_html(p, "<nav class=\"pages\" aria-label=\"Pages\">");
    if (l->number)
        page_number(p, l, l->number - 1, "Previous");
    page_html(p, "<span>");
    page_printf(p, "%s to %s of %s", page_count(p->op, (int64_t)(first < last ? first + 1 : first)),
                page_count(p->op, (int64_t)last), page_count(p->op, (int64_t)l->total));
    page_html(p, "</span> ");
    if (last < l->total)
        page_number(p, l, l->number + 1, "Next");
    page_html(p, "</nav>");
}

void page_marks(struct page *p, const char *first, const char *first_link, const char *next,
                const char *next_link)
{
    if (!first_link && !next_link)
        return;
    page_html(p, "<nav class=\"pages\" aria-label=\"Pages\">");
    if (first_link)
        page_anchor(p, first_link, first);
    page_html(p, " ");
    if (next_link)
        page_anchor(p, next_link, next);
    page_html(p, "</nav>");
}

/* ---- forms ---- */

bool page_may(struct page *p, const char *scope, const char *action)
{
    return role_allows(p->op, p->who, scope, action);
}

void page_form_begin(struct page *p, const char *link)
{
    page_html(p, "<form method=\"post\" action=\"");
    page_attr(p, link);
    page_html(p, "\">");
    page_hidden(p, "proof", p->session->proof);
}

void page_hidden(struct page *p, const char *name, const char *value)
{
    html_hidden(&p->out, name, value);
}

void page_field(struct page *p, const char *label, const char *type, const char *name,
                const char *value, const char *hint)
{
    page_html(p, "<label><span>");
    page_text(p, label);
    page_html(p, "</span><input type=\"");
    page_html(p, type);
    page_html(p, "\" name=\"");
    page_html(p, name);
    page_html(p, "\" value=\"");
    page_attr(p, value);
    page_html(p, "\" placeholder=\"");
    page_attr(p, hint);
    page_html(p, "\"></label>");
}

void page_option(struct page *p, const char *value, const char *text, const char *chosen)
{
    page_html(p, "<option value=\"");
    page_attr(p, value);
    page_html(p, strcmp(value, chosen) == 0 ? "\" selected>" : "\">");
    page_text(p, text);
    page_html(p, "</option>");
}

void page_form_end(struct page *p, const char *button)
{
    page_html(p, "<button>");
    page_text(p, button);
    page_html(p, "</button></form>");
}

void page_button(struct page *p, const char *link, const char *button)
{
    page_form_begin(p, link);
    page_form_end(p, button);
}

void page_danger(struct page *p, const char *link, const char *button, const char *what)
{
    page_html(p, "<details class=\"danger\"><summary>");
    page_text(p, button);
    page_html(p, "…</summary><p>");
    page_text(p, what);
    page_html(p, "</p>");
    page_form_begin(p, link);
    page_html(p, "<button class=\"danger\">");
    page_text(p, button);
    page_html(p, "</button></form></details>");
}

enum fault page_check_form(struct call *c)
{
    const struct session *session = c->caller;
    const char *proof = call_form(c, "proof", 0);

    if (!proof || !equal_constant_time(proof, session->proof))
        return fail(&c->op, FORBIDDEN,
                    "this form is not of your session: load the page again and repeat it");
    return OK;
}
