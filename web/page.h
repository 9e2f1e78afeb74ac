/*
 * Pages of the console. A page is one function: it asks the APIs as its viewer (ask.h), and writes
 * HTML into the frame that page_begin opens and page_end closes. Everything is readable without
 * script; what is live is drawn again by the same function (live.c). Escaping is by place: text
 * between tags by html_text and page_text, values of attributes by html_attr and page_attr.
 */
#ifndef SUNDOG_WEB_PAGE_H
#define SUNDOG_WEB_PAGE_H

#include <jansson.h>

#include "auth/html.h"
#include "core/shell_word.h"
#include "web/session.h"

#define PAGE_MAX  ((size_t)4 << 20)
#define PAGE_ROWS 100 /* of a list, on one page */

struct page {
    struct call *c;
    struct op *op;
    const struct session *session;
    const struct identity *who;
    struct text out;
};

/* ---- the frame ---- */

struct crumb {
    const char *text, *link; /* link NULL: here */
};
/* title also ends the crumbs. crumbs end with text NULL; NULL: none. */
void page_begin(struct call *c, struct page *p, const char *title, const struct crumb *crumbs);
/* The reply, 200; its ETag is the body's, so that what has not changed is not drawn again. */
enum fault page_end(struct page *p);
/* The same with another status: a form again, with what is wrong in it. */
enum fault page_end_as(struct page *p, int status);
/* The page of a fault: what, and how to mend it. */
void page_error(struct call *c, int status);
/* After a POST: 303 there, with what was done (shown once), or NULL. */
enum fault page_go(struct call *c, const char *said, const char *link_fmt, ...) PRINTF_LIKE(3, 4);

/* ---- writing ---- */

/* HTML of our own, as it stands. Never with user data. */
void page_html(struct page *p, const char *html);
void page_text(struct page *p, const char *text); /* NULL: nothing */
void page_attr(struct page *p, const char *text);
void page_printf(struct page *p, const char *fmt, ...) PRINTF_LIKE(2, 3); /* text, escaped */
/* A path or query made of parts that are each encoded: "%s" of path segments. */
const char *page_url(struct op *op, const char *fmt, const char *const *parts);
/* "/console" and a resource id. */
const char *page_of(struct op *op, const char *id);
void page_anchor(struct page *p, const char *link, const char *text);

void page_heading(struct page *p, const char *text); /* of a section */
/* Facts about one thing: name and value, as a description list. */
void page_facts_begin(struct page *p);
void page_fact(struct page *p, const char *name,
               const char *value); /* value NULL or "": left out */
void page_fact_link(struct page *p, const char *name, const char *link, const char *value);
void page_fact_state(struct page *p, const char *name, const char *state);
void page_fact_time(struct page *p, const char *name, const char *iso);
void page_facts_end(struct page *p);

/* Tables: heads end with NULL; a head that begins with '>' is of numbers, to the right. */
void page_table_begin(struct page *p, const char *label, const char *const *heads);
void page_row_begin(struct page *p);
void page_cell(struct page *p, const char *text);
/* "word" is never broken; "name" and "prose" have room enough to be read. link may be NULL. */
void page_cell_as(struct page *p, const char *kind, const char *link, const char *text);
void page_cell_number(struct page *p, const char *text);
void page_cell_link(struct page *p, const char *link, const char *text);
void page_cell_state(struct page *p, const char *state);
void page_cell_time(struct page *p, const char *iso); /* "3 min ago", the exact time as title */
void page_cell_begin(struct page *p);
void page_cell_end(struct page *p);
void page_row_end(struct page *p);
void page_table_end(struct page *p);

/* A word with a colour and a sign: good, bad, busy or neither by the words Azure and Kubernetes
 * use. */
void page_state(struct page *p, const char *state);
void page_time(struct page *p, const char *iso);
const char *page_bytes(struct op *op, int64_t bytes); /* "12.3 MiB" */
const char *page_count(struct op *op, int64_t n);     /* "12,345" */
/* How much of max; label says it to who cannot see. */
void page_bar(struct page *p, const char *label, int64_t value, int64_t max);

/* The command that does the same, with a button that copies it. */
void page_command(struct page *p, const char *label, const char *command);
/* Nothing here yet: why, and the next command to type. */
void page_empty(struct page *p, const char *text, const char *command);
/* A list's search field and its pages of PAGE_ROWS. */
struct listing {
    const char *q;        /* asked for; "" */
    size_t number, total; /* of this page, from 0; of rows that match, as far as they were shown */
    const char *kept;     /* further parameters that links to other pages keep: "&x=y"; or NULL */
};
struct listing page_listing(struct page *p);
/* Does q occur in it, in any case? */
bool page_matches(const struct listing *l, const char *text);
/* For each row in turn: it matches, is counted, and is on this page. */
bool page_shows(struct listing *l, const char *text);
void page_search(struct page *p, const struct listing *l, const char *what);
void page_pages(struct page *p, const struct listing *l);
/* Pages that follow one another by marks: to the first, named so, and to the next one. A link NULL:
   this is the first, or the last. */
void page_marks(struct page *p, const char *first, const char *first_link, const char *next,
                const char *next_link);

/* ---- doing: who may not sees no button, and the server refuses too ---- */

bool page_may(struct page *p, const char *scope, const char *action);
/* A form with the session's proof; fields follow. */
void page_form_begin(struct page *p, const char *link);
void page_hidden(struct page *p, const char *name, const char *value);
void page_field(struct page *p, const char *label, const char *type, const char *name,
                const char *value, const char *hint);
/* Of a <select>. */
void page_option(struct page *p, const char *value, const char *text, const char *chosen);
void page_form_end(struct page *p, const char *button);
void page_button(struct page *p, const char *link, const char *button); /* a form without fields */
/* One that cannot be undone: opens and says what will go, then asks once more. */
void page_danger(struct page *p, const char *link, const char *button, const char *what);
/* In the handler of a POST, first. FORBIDDEN: it is no form of this session's pages. */
enum fault page_check_form(struct call *c);

#endif
