/* What a container of a group printed. The page is live, so it follows. */
#include <string.h>

#include "clusters/object/object.h"
#include "web/instance.h"
#include "web/log_view.h"
#include "web/pages.h"

static enum fault read_log(struct call *c, const char *container, const char **ret)
{
    const char *const parts[] = {container};
    json_t *answer;

    TRY(ask_manager(c,
                    arena_printf(&c->op.arena, "%s%s?tail=%d", instance_path(c),
                                 page_url(&c->op, "/containers/%s/logs", parts), LOG_VIEW_LINES),
                    &answer));
    *ret = text_at_or(answer, "content", "");
    return OK;
}

enum fault instance_logs_page(struct call *c)
{
    const char *name, *log;
    json_t *group;
    struct page p;

    TRY(instance_get(c, &group));
    name = instance_wanted(c, group);
    TRY(read_log(c, name, &log));
    instance_begin(c, &p, arena_printf(&c->op.arena, "Logs of %s", name), group);
    instance_choice(&p, group, name);
    if (*log)
        log_view(&p, arena_printf(&c->op.arena, "What %s printed", name), log);
    else
        page_empty(&p, "It has printed nothing yet. What it prints appears here by itself.", NULL);
    page_command(&p, "The same by az",
                 arena_printf(&c->op.arena, "az container logs %s --container-name %s --follow",
                              instance_words(&c->op, group), shell_word(&c->op, name)));
    return page_end(&p);
}
