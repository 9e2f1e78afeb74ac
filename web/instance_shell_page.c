/* A shell in a container: the page, and the WebSocket that its terminal speaks to. */
#include <string.h>

#include "clusters/object/object.h"
#include "instances/exec_session.h"
#include "web/assets.h"
#include "web/instance.h"
#include "web/pages.h"

#define SHELL "/bin/sh"

static void add_terminal(struct page *p, const char *container)
{
    const char *const parts[] = {container};
    const char *socket = arena_printf(&p->op->arena, "%s/terminal%s", instance_link(p->c),
                                      page_url(p->op, "?container=%s", parts));

    page_html(p, "<noscript><p>The shell needs script; without, the command below is the same."
                 "</p></noscript><div class=\"shell\" data-socket=\"");
    page_attr(p, socket);
    page_html(p, "\"><span>0123456789</span></div><script src=\"");
    page_attr(p, asset_link("term.js"));
    page_html(p, "\"></script><p class=\"soft\">It has the keyboard until you press F6.</p>");
}

enum fault instance_shell_page(struct call *c)
{
    const char *name;
    json_t *group;
    struct page p;

    TRY(instance_get(c, &group));
    name = instance_wanted(c, group);
    instance_begin(c, &p, arena_printf(&c->op.arena, "Shell in %s", name), group);
    if (!page_may(&p, text_at_or(group, "id", ""), INSTANCE_EXEC))
        return fail(&c->op, FORBIDDEN,
                    "You may not run commands in containers of this group: that is the "
                    "action " INSTANCE_EXEC ".");
    instance_choice(&p, group, name);
    if (strcmp(instance_state(group), "Running") == 0)
        add_terminal(&p, name);
    else
        page_empty(
            &p, "The group does not run, so there is nothing to run a shell in.",
            arena_printf(&c->op.arena, "az container start %s", instance_words(&c->op, group)));
    page_command(&p, "The same by az",
                 arena_printf(&c->op.arena,
                              "az container exec %s --container-name %s --exec-command " SHELL,
                              instance_words(&c->op, group), page_word(&c->op, name)));
    return page_end(&p);
}

/* ---- the WebSocket ---- */

/* Browsers send cookies with WebSockets of any site, so whose page asks must be ours. */
static enum fault check_origin(struct call *c)
{
    const char *origin = call_header(c, "origin"), *host = origin ? strstr(origin, "://") : NULL;

    if (!host || strcmp(host + 3, c->host) != 0)
        return fail(&c->op, FORBIDDEN, "a shell is opened by its page only");
    return OK;
}

enum fault instance_terminal(struct call *c)
{
    const char *name = call_query(c, "container", 0), *id;
    const char *const parts[] = {name ? name : ""};
    json_t *body = json_pack("{s:s}", "command", SHELL), *session;

    arena_defer(&c->op.arena, (void (*)(void *))json_decref, body);
    TRY(check_origin(c));
    TRY(ask_manager_do(c, POST,
                       arena_printf(&c->op.arena, "%s%s", instance_path(c),
                                    page_url(&c->op, "/containers/%s/exec", parts)),
                       body, &session));
    id = strstr(text_at_or(session, "webSocketUri", ""), "/exec/");
    if (!id)
        return fail(&c->op, INTERNAL, "the session has no address");
    id += strlen("/exec/");
    return exec_session_enter(c, arena_strndup(&c->op.arena, id, strcspn(id, "?")),
                              text_at_or(session, "password", ""));
}
