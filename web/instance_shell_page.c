/* A shell in a container: the page, and the WebSocket that its terminal speaks to. */
#include <string.h>

#include "clusters/object/object.h"
#include "web/instance.h"
#include "web/pages.h"
#include "web/terminal.h"

static const char *socket_of(struct page *p, const char *container)
{
    const char *const parts[] = {container};

    return arena_printf(&p->op->arena, "%s/terminal%s", instance_link(p->c),
                        page_url(p->op, "?container=%s", parts));
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
        terminal_add(&p, socket_of(&p, name));
    else
        page_empty(
            &p, "The group does not run, so there is nothing to run a shell in.",
            arena_printf(&c->op.arena, "az container start %s", instance_words(&c->op, group)));
    page_command(
        &p, "The same by az",
        arena_printf(&c->op.arena,
                     "az container exec %s --container-name %s --exec-command " TERMINAL_SHELL,
                     instance_words(&c->op, group), shell_word(&c->op, name)));
    return page_end(&p);
}

/* ---- the WebSocket ---- */

enum fault instance_terminal(struct call *c)
{
    const char *name = call_query(c, "container", 0);
    const char *const parts[] = {name ? name : ""};
    json_t *body = json_pack("{s:s}", "command", TERMINAL_SHELL), *session;

    arena_defer(&c->op.arena, (void (*)(void *))json_decref, body);
    TRY(terminal_check_origin(c));
    TRY(ask_manager_do(c, POST,
                       arena_printf(&c->op.arena, "%s%s", instance_path(c),
                                    page_url(&c->op, "/containers/%s/exec", parts)),
                       body, &session));
    return terminal_enter(c, text_at_or(session, "webSocketUri", ""),
                          text_at_or(session, "password", ""));
}
