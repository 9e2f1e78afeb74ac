/* The few plain pages of signing in: no script, escaped by place, never framed. */
#ifndef SUNDOG_AUTH_HTML_H
#define SUNDOG_AUTH_HTML_H

#include "core/call.h"

#define HTML_MAX 65536

/* Text between tags, and the value of an attribute in double quotes. */
void html_text(struct text *out, const char *s);
void html_attr(struct text *out, const char *s);

/* Begin a page: head, style, title, and a card. Then add to it, and end with html_reply. */
void html_begin(struct call *c, struct text *out, const char *title);
void html_field(struct text *out, const char *label, const char *type, const char *name,
                const char *value, const char *autocomplete);
void html_hidden(struct text *out, const char *name, const char *value);
void html_error(struct text *out, const char *message); /* NULL: none */
/*
 * <form method="post" action=…> with the proof that this browser was shown the form: a cookie and a
 * field of the same random value. target is where the form goes, as the browser will ask for it.
 */
void html_form(struct call *c, struct text *out, const char *target);
/* Did the posted form come from our page in this browser? */
bool html_form_is_ours(struct call *c);
/* form_action: an origin besides ours that the form's answer may lead to; or NULL. */
enum fault html_reply(struct call *c, struct text *out, int status, const char *form_action);

#endif
