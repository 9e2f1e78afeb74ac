#include "web/terminal.h"

#include <string.h>

#include "core/reconcile.h"
#include "web/assets.h"

#define LOOK_MS 1000

/* One key a shell: what it is called, and the session that opened it. */
static struct reconciler *watch;

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
    const char *id = strstr(uri, "/exec/"), *key = session_key(c);

    if (!id || !key)
        return fail(&c->op, INTERNAL, "the session has no address");
    id += strlen("/exec/");
    id = arena_strndup(&c->op.arena, id, strcspn(id, "?"));
    TRY(exec_session_enter(c, id, password));
    reconciler_add(watch, arena_printf(&c->op.arena, "%s %s", id, key));
    return OK;
}

static enum fault look(struct op *op, const char *key, int64_t *ret_again_ms)
{
    const char *space = strchr(key, ' ');
    const char *id = arena_strndup(&op->arena, key, (size_t)(space - key));
    enum fault fault;

    if (!exec_session_is_open(id))
        return OK;
    fault = session_check(op, space + 1);
    if (fault == UNAUTHENTICATED) {
        op_clear_fault(op);
        exec_session_end(id, "You are not signed in any more.");
        return OK;
    }
    TRY(fault);
    *ret_again_ms = LOOK_MS;
    return OK;
}

void terminal_start(void)
{
    watch = reconciler_new("terminal", 1, look);
}

void terminal_stop(void)
{
    reconciler_free(watch);
    watch = NULL;
}
