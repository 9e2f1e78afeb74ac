/* A deployment asks the resource manager as the one who began it, like any client (core/inside.h).
 */
#include <string.h>
#include <strings.h>

#include "api/deployment.h"
#include "core/inside.h"
#include "core/uri.h"

enum fault deployment_ask(struct op *op, const struct deployment_asker *asker, enum method method,
                          const char *path, const char *version, const json_t *body,
                          struct call **ret)
{
    const struct deployment *d = asker->d;
    struct inside_origin origin = {
        .host = d->host, .client = d->client, .correlation_id = d->correlation, .tls = d->tls};
    struct inside asked = {.method = method, .vouched = asker->who, .headers = inside_json_headers};
    const char *plain = uri_encode(&op->arena, path, "/");

    asked.target = version ? arena_printf(&op->arena, "%s?api-version=%s", plain,
                                          uri_encode(&op->arena, version, ""))
                           : path; /* a URL of our own, with its query */
    if (body)
        asked.body = BYTES(json_text_of(op, body));
    *ret = call_alone(op, &origin, &asked);
    return OK;
}

/* ---- reference() and list…() ---- */

static enum fault refusal(struct op *op, const struct call *answer, const char *id)
{
    const struct op *said = &answer->op;
    enum fault fault = said->fault == OK ? INTERNAL : said->fault;

    return fail_on(op, said->noun, fault, "'%s': %s", id,
                   said->message ? said->message : fault_name(fault));
}

static bool is_made(const char *state)
{
    return strcmp(state, "Succeeded") == 0;
}

/* The id of what is meant, its api-version, and whether it must wait for a step. */
static enum fault locate(struct scope *s, struct deployment_asker *asker, const char *what,
                         const char **id, const char **version)
{
    const struct template_node *n = template_find(asker->plan, what);

    *id = what;
    if (n) {
        *id = n->id;
        if (!*version)
            *version = n->version;
        if (n->skipped && asker->states)
            return template_fail(s->op,
                                 "The resource '%.300s' is referred to, but its condition "
                                 "does not hold: it is not deployed.",
                                 n->id);
    }
    if (n && asker->states && !n->existing && !is_made(asker->states[n - asker->plan->nodes])) {
        asker->blocker = n - asker->plan->nodes;
        return fail(s->op, WOULD_BLOCK, "'%s' is not there yet", n->id);
    }
    if (!n && *what != '/')
        return template_fail(s->op, "The resource '%.300s' is not defined in the template.", what);
    if (!*version)
        return template_fail(s->op,
                             "reference() of '%.300s', which the template does not make, needs an "
                             "api-version.",
                             what);
    return OK;
}

static enum fault reference(struct scope *s, void *arg, const char *what, const char *version,
                            json_t **ret)
{
    struct deployment_asker *asker = arg;
    struct call *answer;
    const char *id, *key;

    TRY(locate(s, asker, what, &id, &version));
    key = arena_printf(&s->op->arena, "%s %s", id_lower(s->op, id), version);
    *ret = json_object_get(asker->asked, key);
    if (*ret)
        return OK;
    TRY(deployment_ask(s->op, asker, GET, id, version, NULL, &answer));
    if (answer->reply.status >= 300)
        return refusal(s->op, answer, id);
    *ret = inside_json(s->op, answer);
    if (!*ret)
        return fail(s->op, INTERNAL, "an answer of our own is no JSON");
    json_object_set(asker->asked, key, *ret);
    return OK;
}

/* As Azure's template functions are named, and as the routes are: "listKeys" is one of both. */
static enum fault list(struct scope *s, void *arg, const char *what, const char *action,
                       const char *version, const json_t *body, json_t **ret)
{
    struct deployment_asker *asker = arg;
    struct call *answer;
    const char *id, *path;

    TRY(locate(s, asker, what, &id, &version));
    path = arena_printf(&s->op->arena, "%s/%s", id, action);
    TRY(deployment_ask(s->op, asker, POST, path, version, body, &answer));
    if (answer->reply.status >= 300)
        return refusal(s->op, answer, path);
    *ret = inside_json(s->op, answer);
    return *ret ? OK : template_fail(s->op, "'%.300s' has no answer yet.", path);
}

static enum fault info(struct scope *s, void *arg, const char *symbol, json_t **ret)
{
    const struct deployment_asker *asker = arg;

    (void)s;
    *ret = template_infos(asker->plan, symbol);
    return OK;
}

struct template_calls deployment_calls(struct deployment_asker *asker)
{
    return (struct template_calls){
        .arg = asker, .reference = reference, .list = list, .info = info};
}
