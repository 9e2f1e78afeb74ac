#include "clusters/object/resource.h"

#include <string.h>

static const char *const verb_names[] = {"get",    "list",  "watch",  "create",
                                         "update", "patch", "delete", "deletecollection"};

const char *verb_name(enum verb verb)
{
    for (size_t i = 0; i < sizeof(verb_names) / sizeof(verb_names[0]); i++) {
        if (verb == 1U << i)
            return verb_names[i];
    }
    return "";
}

const struct resource *resource_find(const char *group, const char *version, const char *plural)
{
    for (const struct resource *const *r = all_resources; *r; r++) {
        if (strcmp((*r)->plural, plural) == 0 && strcmp((*r)->group, group) == 0 &&
            strcmp((*r)->version, version) == 0)
            return *r;
    }
    return NULL;
}

const struct resource *resource_of_kind(const char *group, const char *version, const char *kind)
{
    for (const struct resource *const *r = all_resources; *r; r++) {
        if (strcmp((*r)->kind, kind) == 0 && strcmp((*r)->group, group) == 0 &&
            strcmp((*r)->version, version) == 0)
            return *r;
    }
    return NULL;
}

const struct resource *resource_preferred(const char *group, const char *plural)
{
    for (const struct resource *const *r = all_resources; *r; r++) {
        if (strcmp((*r)->plural, plural) == 0 && strcmp((*r)->group, group) == 0)
            return *r; /* versions stand in the order of preference */
    }
    return NULL;
}

const struct subresource *resource_subresource(const struct resource *r, const char *name)
{
    for (size_t i = 0; i < r->n_subresources; i++) {
        if (strcmp(r->subresources[i].name, name) == 0)
            return &r->subresources[i];
    }
    return NULL;
}

const char *resource_api_version(const struct resource *r)
{
    return r->api_version;
}

const char *resource_qualified(const struct resource *r)
{
    return r->qualified;
}

const char *resource_qualified_kind(const struct resource *r)
{
    return r->qualified_kind;
}
