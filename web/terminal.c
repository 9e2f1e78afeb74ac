#include "web/terminal.h"

#include <string.h>

#include "web/assets.h"

void terminal_add(struct page *p, const char *socket)
{
    page_html(p, "<noscript><p>The shell needs script; without, the command below is the same."
                 "</p></noscript><div class=\"shell\" data-socket=\"");
    page_attr(p, socket);
    page_html(p, "\"><span>0123456789</span></div><script src=\"");
    page_attr(p, asset_link("term.js"));
    page_html(p, "\"></script><p class=\"soft\">It has the keyboard until you press F6.</p>");
}

/* Browsers send cookies with WebSockets of any site, so whose page asks must be ours. */
enum fault terminal_check_origin(struct call *c)
{
    const char *origin = call_header(c, "origin"), *host = origin ? strstr(origin, "://") : NULL;

    if (!host || strcmp(host + 3, c->host) != 0)
        return fail(&c->op, FORBIDDEN, "a shell is opened by its page only");
    return OK;
}

enum fault terminal_enter(struct call *c, const char *uri, const char *password)
{
    const char *id = strstr(uri, "/exec/");

    if (!id)
        return fail(&c->op, INTERNAL, "the session has no address");
    id += strlen("/exec/");
    return exec_session_enter(c, arena_strndup(&c->op.arena, id, strcspn(id, "?")), password);
}
