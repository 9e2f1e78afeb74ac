#include "web/log_view.h"

#include <string.h>

#define ESCAPE       0x1b
#define DELETE_CHAR  0x7f
#define SEQUENCE_MAX 64 /* bytes of one control sequence */

/* What a byte takes as HTML, at most. */
static size_t cost_of(unsigned char c)
{
    if (c == '&' || c == '<' || c == '>')
        return 5;
    return c < ' ' || c == DELETE_CHAR ? 3 : 1;
}

/* As many whole lines of the end as fit. */
static const char *end_of(const char *text)
{
    const char *at = text + strlen(text), *line;
    size_t cost = 0, lines = 0;

    while (at > text && cost < LOG_VIEW_MAX) {
        cost += cost_of((unsigned char)at[-1]);
        if (at[-1] == '\n' && at[0] && ++lines == LOG_VIEW_LINES)
            return at;
        at--;
    }
    if (at == text)
        return at;
    line = strchr(at, '\n');
    if (line && line[1])
        return line + 1;
    while (((unsigned char)*at & 0xc0) == 0x80) /* within a character */
        at++;
    return at;
}

/* "ESC [ 0 ; 31 m": its length; 0: it is none. */
static size_t sequence_len(const char *s)
{
    size_t n = 2;

    if (s[0] != ESCAPE || s[1] != '[')
        return 0;
    while (n < SEQUENCE_MAX && s[n] >= ' ' && s[n] <= '?')
        n++;
    return s[n] >= '@' && s[n] <= '~' ? n + 1 : 0;
}

/* Bytes of a character that is not shown: C1 controls, and marks that turn the direction. */
static size_t hidden_len(const char *s)
{
    const unsigned char *u = (const unsigned char *)s;

    if (u[0] == 0xc2 && u[1] >= 0x80 && u[1] <= 0x9f)
        return 2;
    if (u[0] == 0xe2 && u[1] == 0x80 && u[2] >= 0xaa && u[2] <= 0xae)
        return 3;
    return u[0] == 0xe2 && u[1] == 0x81 && u[2] >= 0xa6 && u[2] <= 0xa9 ? 3 : 0;
}

/* One character or sequence; its bytes. */
static size_t add_one(struct text *out, const char *s)
{
    unsigned char c = (unsigned char)*s;
    size_t n = sequence_len(s);

    if (n)
        return n;
    n = hidden_len(s);
    if (n) {
        text_str(out, "\xef\xbf\xbd");
        return n;
    }
    if (c == DELETE_CHAR)
        text_str(out, "\xe2\x90\xa1");
    else if (c < ' ' && c != '\n' && c != '\t' && !(c == '\r' && s[1] == '\n'))
        text_printf(out, "\xe2\x90%c", 0x80 + c);
    else if (c != '\r')
        text_add(out, s, 1);
    return 1;
}

void log_view(struct page *p, const char *label, const char *text)
{
    const char *from = end_of(text);
    struct text clean;

    if (from != text)
        page_html(p, "<p class=\"soft\">This is the end of it; the command below shows more.</p>");
    text_init(&clean, &p->op->arena, 3 * strlen(from) + 64);
    while (*from)
        from += add_one(&clean, from);
    page_html(p, "<pre class=\"log\" tabindex=\"0\" role=\"region\" aria-label=\"");
    page_attr(p, label);
    page_html(p, "\">\n");
    page_text(p, clean.data);
    page_html(p, "</pre>");
}
