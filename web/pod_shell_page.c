/* A shell in a container of a pod: the page, and the WebSocket that its terminal speaks to. */
#include <string.h>

#include "clusters/cluster.h"
#include "clusters/node/node_agent.h"
#include "web/cluster.h"
#include "web/pages.h"
#include "web/terminal.h"

/* kubectl exec creates pods/exec: who may not sees why. */
static enum fault need_exec(struct page *p, const struct shown_cluster *k, const char *ns,
                            const char *pod)
{
    if (cluster_may(p, k, "create", resource_find("", "v1", "pods"), "exec", ns, pod))
        return OK;
    return fail(p->op, FORBIDDEN,
                "You may not run commands in this pod: that is the right to create pods/exec in the"
                " namespace %s.",
                ns);
}

enum fault cluster_pod_shell_page(struct call *c)
{
    const char *ns = c->path_args[3], *name = c->path_args[4];
    const char *container = call_query(c, "container", 0);
    const char *const parts[] = {ns, name, container ? container : ""};
    const struct resource *r = resource_find("", "v1", "pods");
    struct shown_cluster k;
    struct page p;
    bool usable;

    TRY(cluster_page_begin(c, &p, arena_printf(&c->op.arena, "Shell in pod %s", name), &k,
                           &usable));
    if (!usable)
        return page_end(&p);
    TRY(need_exec(&p, &k, ns, name));
    page_html(&p, "<p>");
    page_anchor(&p, cluster_object_link(&c->op, &k, r, ns, name), "To the pod");
    page_html(&p, "</p>");
    terminal_add(&p, arena_printf(&c->op.arena, "%s%s", k.link,
                                  page_url(&c->op, "/pods/%s/%s/terminal?container=%s", parts)));
    page_command(&p, "The same by kubectl",
                 arena_printf(&c->op.arena, "kubectl exec -it %s -n %s%s%s -- " TERMINAL_SHELL,
                              shell_word(&c->op, name), shell_word(&c->op, ns),
                              container ? " -c " : "",
                              container ? shell_word(&c->op, container) : ""));
    return page_end(&p);
}

/* ---- the WebSocket ---- */

static enum fault begin(struct call *c, struct cluster *cluster, const char *ns, const char *name,
                        const char *container, struct exec_session *ret)
{
    static const char *const command[] = {TERMINAL_SHELL, NULL};
    struct object *pod =
        store_read(&c->op, cluster->store, resource_find("", "v1", "pods"), ns, name);

    if (!pod)
        return fail(&c->op, NOT_FOUND, "there is no pod %s in the namespace %s", name, ns);
    return pod_exec_session(&c->op, cluster, pod, container && *container ? container : NULL,
                            command, ret);
}

enum fault cluster_pod_terminal(struct call *c)
{
    const char *ns = c->path_args[3], *name = c->path_args[4];
    struct page asking = {.c = c, .op = &c->op};
    struct exec_session session;
    struct shown_cluster k;
    struct cluster *cluster;
    enum fault fault;

    TRY(terminal_check_origin(c));
    TRY(cluster_inside_of_page(c, &k));
    TRY(need_exec(&asking, &k, ns, name));
    cluster = cluster_find(k.inside.uid);
    if (!cluster)
        return fail(&c->op, UNAVAILABLE, "the cluster does not run");
    fault = begin(c, cluster, ns, name, call_query(c, "container", 0), &session);
    cluster_release(cluster);
    TRY(fault);
    return terminal_enter(c, session.path, session.password);
}
