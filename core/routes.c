/*
 * Matching a path against the services' tables. There are few routes and each pattern's first
 * segment decides almost always, so a walk through the tables is fast and easy to follow.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/server.h"

/* "{name+}" at p: returns what follows it, and whether it takes several segments. */
static const char *placeholder_end(const char *p, bool *several)
{
    const char *end = strchr(p, '}');

    *several = end[-1] == '+';
    return end + 1;
}

struct match {
    bool any_case;
    size_t n;
    const char *start[PATH_ARGS_MAX];
    size_t len[PATH_ARGS_MAX];
};

static bool match_rest(struct match *m, const char *pattern, const char *path);

static char lower(char letter)
{
    return letter >= 'A' && letter <= 'Z' ? (char)(letter + 'a' - 'A') : letter;
}

/* The longest run of segments first: in "a/blobs/b/blobs/D" the name is "a/blobs/b". */
static bool match_placeholder(struct match *m, const char *pattern, const char *path)
{
    bool several;
    const char *rest = placeholder_end(pattern, &several);
    size_t n = m->n, len = several ? strlen(path) : strcspn(path, "/");

    if (n == PATH_ARGS_MAX)
        return false;
    while (len > 0) {
        m->start[n] = path;
        m->len[n] = len;
        m->n = n + 1;
        if (match_rest(m, rest, path + len))
            return true;
        if (!several)
            return false;
        do
            len--;
        while (len > 0 && path[len] != '/');
    }
    return false;
}

static bool match_rest(struct match *m, const char *pattern, const char *path)
{
    for (; *pattern && *pattern != '{'; pattern++, path++)
        if (*pattern != *path && (!m->any_case || lower(*pattern) != lower(*path)))
            return false;
    return *pattern ? match_placeholder(m, pattern, path) : *path == '\0';
}

static bool method_fits(enum method route, enum method wanted)
{
    return route == wanted || (route == GET && wanted == HEAD);
}

static void keep(struct call *c, const struct service *service, const struct route *route,
                 const struct match *m)
{
    c->service = service;
    c->route = route;
    for (size_t i = 0; i < m->n; i++)
        c->path_args[i] = arena_strndup(&c->op.arena, m->start[i], m->len[i]);
}

/* Clients of Resource Manager join "https://host/" and "/path", leave a name empty, or end lists
   ("…/deployments/") with a slash. */
static const char *single_slashes(struct arena *arena, const char *path)
{
    size_t n = 0, len = strlen(path);
    char *out;

    if (!strstr(path, "//") && (len < 2 || path[len - 1] != '/'))
        return path;
    out = arena_strdup(arena, path);
    for (const char *p = path; *p; p++)
        if (*p != '/' || n == 0 || out[n - 1] != '/')
            out[n++] = *p;
    if (n > 1 && out[n - 1] == '/')
        n--;
    out[n] = '\0';
    return out;
}

/* Look through one service; methods seen on the path are collected for Allow. */
static bool find_in(struct call *c, const struct service *service, unsigned *ret_methods)
{
    const char *path = service->any_case ? single_slashes(&c->op.arena, c->path) : c->path;

    for (const struct route *r = service->routes; r && r->method; r++) {
        struct match m = {.any_case = service->any_case};

        if ((c->metadata && !r->metadata) || !match_rest(&m, r->pattern, path))
            continue;
        *ret_methods |= 1u << r->method | (r->method == GET ? 1u << HEAD : 0);
        if (method_fits(r->method, c->method)) {
            keep(c, service, r, &m);
            c->path = path;
            return true;
        }
        if (!c->service)
            c->service = service; /* whose dialect says that the method does not exist */
    }
    return false;
}

/* The service whose dialect a missing path is told in: the one with a route of the same first
   segment, so that /v2/nonsense is an OCI error. */
static const struct service *nearest(const struct call *c)
{
    const char *path = c->path + (strncmp(c->path, "//", 2) == 0);
    size_t len = strcspn(path + 1, "/") + 1;

    for (const struct service *const *s = all_services; *s; s++)
        for (const struct route *r = (*s)->realm ? NULL : (*s)->routes; r && r->method; r++)
            if (strncasecmp(r->pattern, path, len) == 0 &&
                (r->pattern[len] == '/' || r->pattern[len] == '\0'))
                return *s;
    return NULL;
}

static enum fault no_route(struct call *c, unsigned methods)
{
    struct text allow;

    if (!methods) {
        c->service = nearest(c);
        return fail_on(&c->op, "route", NOT_FOUND, "there is nothing at %s", c->path);
    }
    text_init(&allow, &c->op.arena, 128);
    for (enum method m = GET; m < METHOD_COUNT; m++)
        if (methods & 1u << m)
            text_printf(&allow, "%s%s", allow.len ? ", " : "", method_name(m));
    reply_header(c, "Allow", "%s", allow.data);
    return fail_on(&c->op, "method", INVALID, "%s is not possible here", method_name(c->method));
}

static enum fault find_in_realm(struct call *c)
{
    unsigned methods = 0;

    for (const struct service *const *s = all_services; *s; s++) {
        if (!(*s)->realm)
            continue;
        if (find_in(c, *s, &methods))
            return OK;
        c->service = *s;
    }
    return fail_on(&c->op, "route", NOT_FOUND, "there is nothing at %s", c->path);
}

enum fault route_find(struct call *c)
{
    const struct service *owner = NULL;
    unsigned methods = 0;

    if (c->realm)
        return find_in_realm(c);
    for (const struct service *const *s = all_services; *s && !owner; s++)
        if ((*s)->owns_host && (*s)->owns_host(c->host))
            owner = *s;
    if (owner && find_in(c, owner, &methods))
        return OK;
    for (const struct service *const *s = all_services; *s; s++) {
        if ((*s)->realm)
            continue;
        if (owner && s != all_services)
            break; /* a service's own host has that service and core's routes */
        if (find_in(c, *s, &methods))
            return OK;
    }
    return no_route(c, methods);
}

/* ---- the documentation ---- */

static const char *const lane_names[] = {"call", "upload", "watch", "stream"};

void routes_print(struct text *out, const struct service *const *services)
{
    text_str(out, "# Routes\n\nPrinted by `sundog routes` from the route tables.\n");
    for (; *services; services++) {
        if (!(*services)->routes)
            continue;
        text_printf(out,
                    "\n## %s\n\n| method | path | query | lane | what it does |\n"
                    "| --- | --- | --- | --- | --- |\n",
                    (*services)->name);
        for (const struct route *r = (*services)->routes; r->method; r++)
            text_printf(out, "| %s | `%s` | %s | %s%s%s%s | %s |\n", method_name(r->method),
                        r->pattern, r->query ? r->query : "", lane_names[r->lane],
                        r->access ? "" : ", public", r->action ? ", " : "",
                        r->action ? r->action : "", r->summary);
    }
}
