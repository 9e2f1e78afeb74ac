/* Accept: the first form that the client names and we have. */
#include <string.h>
#include <strings.h>

#include "clusters/http/kubernetes.h"

/* The value of ;name= in one entry of Accept, or "". */
static const char *parameter(struct op *op, const char *entry, const char *name)
{
    size_t len = strlen(name);

    for (const char *p = strchr(entry, ';'); p; p = strchr(p, ';')) {
        p++;
        p += strspn(p, " ");
        if (strncasecmp(p, name, len) == 0 && p[len] == '=')
            return arena_strndup(&op->arena, p + len + 1, strcspn(p + len + 1, "; "));
    }
    return "";
}

static bool entry_is(const char *entry, const char *media)
{
    size_t len = strlen(media);

    return strncasecmp(entry, media, len) == 0 && (!entry[len] || strchr("; ", entry[len]));
}

static bool form_of(struct op *op, const char *entry, struct accepted *ret)
{
    static const struct {
        const char *as;
        enum form form;
    } shapes[] = {
        {"Table",                     FORM_TABLE       },
        {"PartialObjectMetadata",     FORM_PARTIAL     },
        {"PartialObjectMetadataList", FORM_PARTIAL_LIST}
    };
    const char *as = parameter(op, entry, "as"), *version = parameter(op, entry, "v");

    if (entry_is(entry, "application/yaml") && !*as) {
        ret->form = FORM_YAML;
        return true;
    }
    if (!entry_is(entry, "application/json") && !entry_is(entry, "*/*") &&
        !entry_is(entry, "application/*"))
        return false;
    ret->form = FORM_JSON;
    if (!*as)
        return true;
    if (strcmp(parameter(op, entry, "g"), "meta.k8s.io") != 0 ||
        (strcmp(version, "v1") != 0 && strcmp(version, "v1beta1") != 0))
        return false;
    ret->version = version;
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        if (strcmp(as, shapes[i].as) == 0) {
            ret->form = shapes[i].form;
            return true;
        }
    }
    return false;
}

/* People with a browser or curl get line breaks, as upstream. */
static bool wants_pretty(struct call *c)
{
    static const char *const people[] = {"curl", "Wget", "Mozilla/5.0"};
    const char *agent = call_header(c, "user-agent");
    bool pretty = false;

    if (call_query(c, "pretty", 0))
        return query_bool(c, "pretty", false, &pretty) == OK && pretty;
    for (size_t i = 0; agent && i < ARRAY_LEN(people); i++)
        pretty |= strncmp(agent, people[i], strlen(people[i])) == 0;
    return pretty;
}

enum fault negotiate(struct call *c, struct accepted *ret)
{
    const char *accept = call_header(c, "accept");

    *ret = (struct accepted){.form = FORM_JSON, .version = "v1", .pretty = wants_pretty(c)};
    if (!accept || !*accept || strcmp(accept, "application/json") == 0)
        return OK;
    while (*accept) {
        size_t len = strcspn(accept, ",");
        const char *entry = arena_strndup(&c->op.arena, accept, len);

        if (form_of(&c->op, entry + strspn(entry, " "), ret))
            return OK;
        accept += len + (accept[len] == ',');
    }
    return status_fail(&c->op, INVALID, "NotAcceptable", json_object(),
                       "only the following media types are accepted: application/json, "
                       "application/yaml");
}

bool accepts_gzip(const struct call *c)
{
    const char *header = call_header(c, "accept-encoding");

    return header && strcasestr(header, "gzip");
}
