/* What the template says, where it is deployed, ids, and what resources say. */
#include <string.h>
#include <strings.h>

#include "api/provider.h"
#include "api/template/function.h"
#include "api/template/limits.h"
#include "auth/guid.h"

FUNCTION(f_parameters)
{
    const char *name;

    TRY(text_arg(a, 0, &name));
    *ret = member_of(a->s->parameters, name);
    if (!*ret)
        return template_fail(a->s->op, "The template parameter '%.100s' is not found.", name);
    if (a->s->secure && member_of(a->s->secure, name))
        a->s->is_secret = true;
    return OK;
}

FUNCTION(f_variables)
{
    const char *name;

    TRY(text_arg(a, 0, &name));
    return evaluate_variable(a->s, name, ret);
}

static enum fault fact(const struct arguments *a, const json_t *value, json_t **ret)
{
    if (!value)
        return function_fail(a, "is not valid at this scope or in this place.");
    *ret = (json_t *)value;
    return OK;
}

FUNCTION(f_deployment)
{
    return fact(a, a->s->facts->deployment, ret);
}

FUNCTION(f_environment)
{
    return fact(a, a->s->facts->environment, ret);
}

FUNCTION(f_resource_group)
{
    return fact(a, a->s->facts->group, ret);
}

FUNCTION(f_subscription)
{
    return fact(a, a->s->facts->subscription, ret);
}

FUNCTION(f_tenant)
{
    return fact(a, a->s->facts->tenant, ret);
}

FUNCTION(f_management_group)
{
    (void)ret;
    return function_fail(a, "is not valid here: this Sundog has no management groups.");
}

static const struct copy *loop_of(const struct scope *s, const char *name)
{
    const struct copy *c = s->copies;

    if (name)
        while (c && strcasecmp(c->name, name) != 0)
            c = c->outer;
    else
        while (c && c->is_property && c->outer)
            c = c->outer;
    return c;
}

FUNCTION(f_copy_index)
{
    const char *name = NULL;
    const struct copy *c;
    int64_t offset = 0, index;
    size_t i = 0;

    if (a->n && json_is_string(a->v[0]))
        name = json_string_value(a->v[i++]);
    if (i < a->n)
        TRY(int_arg(a, i++, &offset));
    c = loop_of(a->s, name);
    if (!c)
        return function_fail(a, "has no value here: there is no loop%s%.100s.",
                             name ? " of the name " : "", name ? name : "");
    if (__builtin_add_overflow(c->index, offset, &index))
        return function_fail(a, "makes a number that is out of range.");
    return give(a, json_integer(index), ret);
}

/* ---- ids ---- */

static size_t slashes(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += *text == '/';
    return n;
}

/* "/providers/NS/type/name/type/name" of a type at argument i and names after it. */
static enum fault below(const struct arguments *a, size_t i, const char **ret)
{
    const char *type, *name;
    size_t names;
    struct text out;

    TRY(text_arg(a, i, &type));
    names = slashes(type);
    if (!names || a->n - i - 1 != names)
        return function_fail(a, "has %zu names for the type '%.100s', which has %zu.", a->n - i - 1,
                             type, names);
    text_init(&out, &a->s->op->arena, ID_MAX_BYTES);
    text_printf(&out, "/providers/%.*s", (int)strcspn(type, "/"), type);
    type += strcspn(type, "/");
    for (i++; i < a->n; i++) {
        size_t len = strcspn(type + 1, "/");

        TRY(text_arg(a, i, &name));
        text_printf(&out, "/%.*s/%s", (int)len, type + 1, name);
        type += len + 1;
    }
    if (out.overflow)
        return function_fail(a, "makes an id that is too long.");
    *ret = out.data;
    return OK;
}

/* The argument that is the type: "Namespace/type". */
static size_t type_at(const struct arguments *a)
{
    for (size_t i = 0; i < a->n && i < 3; i++)
        if (json_is_string(a->v[i]) && strchr(json_string_value(a->v[i]), '/'))
            return i;
    return a->n;
}

FUNCTION(f_resource_id)
{
    const char *subscription = a->s->facts->subscription_id, *group = a->s->facts->group_name,
               *rest, *first = json_string_value(a->v[0]);
    struct arena *arena = &a->s->op->arena;
    size_t type = type_at(a);

    if (type == a->n)
        return function_fail(a, "needs the type of a resource, 'Namespace/type'.");
    if (type == 1 && first && guid_is(first))
        subscription = first;
    else if (type == 1)
        TRY(text_arg(a, 0, &group));
    if (type == 2) {
        TRY(text_arg(a, 0, &subscription));
        TRY(text_arg(a, 1, &group));
    }
    TRY(below(a, type, &rest));
    rest = group ? arena_printf(arena, "/subscriptions/%s/resourceGroups/%s%s", subscription, group,
                                rest)
                 : arena_printf(arena, "/subscriptions/%s%s", subscription, rest);
    return give_text(a, rest, ret);
}

FUNCTION(f_subscription_resource_id)
{
    const char *subscription = a->s->facts->subscription_id, *rest;
    size_t type = type_at(a);

    if (type > 1)
        return function_fail(a, "needs the type of a resource, 'Namespace/type'.");
    if (type == 1)
        TRY(text_arg(a, 0, &subscription));
    TRY(below(a, type, &rest));
    return give_text(a, arena_printf(&a->s->op->arena, "/subscriptions/%s%s", subscription, rest),
                     ret);
}

FUNCTION(f_tenant_resource_id)
{
    const char *rest;

    TRY(below(a, 0, &rest));
    return give_text(a, rest, ret);
}

FUNCTION(f_extension_resource_id)
{
    const char *base, *rest;

    TRY(text_arg(a, 0, &base));
    TRY(below(a, 1, &rest));
    return give_text(a, arena_printf(&a->s->op->arena, "%s%s", base, rest), ret);
}

/* ---- what resources say ---- */

static enum fault need_calls(const struct arguments *a)
{
    if (!a->s->calls)
        return function_fail(a, "is not expected at this location.");
    return spend(a->s, TEMPLATE_RESOURCES_MAX / 8); /* among which one is looked for */
}

FUNCTION(f_reference)
{
    const char *id, *version = NULL, *full = NULL;
    json_t *whole;

    TRY(need_calls(a));
    TRY(text_arg(a, 0, &id));
    if (a->n > 1 && !json_is_null(a->v[1]))
        TRY(text_arg(a, 1, &version));
    if (a->n > 2)
        TRY(text_arg(a, 2, &full));
    TRY(a->s->calls->reference(a->s, a->s->calls->arg, id, version, &whole));
    *ret = full && strcasecmp(full, "Full") == 0 ? whole : member_of(whole, "properties");
    return *ret ? OK : function_fail(a, "finds no properties of '%.200s'.", id);
}

FUNCTION(f_references)
{
    json_t *infos, *info, *whole, *out = json_new_array(a->s->op);
    const char *symbol, *full = NULL;
    size_t i;

    TRY(need_calls(a));
    TRY(text_arg(a, 0, &symbol));
    if (a->n > 1)
        TRY(text_arg(a, 1, &full));
    TRY(a->s->calls->info(a->s, a->s->calls->arg, symbol, &infos));
    json_array_foreach(infos, i, info)
    {
        const char *id = json_string_value(json_object_get(info, "id"));

        TRY(a->s->calls->reference(a->s, a->s->calls->arg, id ? id : "", NULL, &whole));
        json_array_append(out, full ? whole : member_of(whole, "properties"));
    }
    *ret = out;
    return OK;
}

FUNCTION(f_resource_info)
{
    const char *symbol;
    json_t *infos;

    TRY(need_calls(a));
    TRY(text_arg(a, 0, &symbol));
    TRY(a->s->calls->info(a->s, a->s->calls->arg, symbol, &infos));
    *ret = json_array_get(infos, 0);
    return *ret ? OK : function_fail(a, "finds no resource '%.100s'.", symbol);
}

FUNCTION(f_list)
{
    const char *id, *version;

    TRY(need_calls(a));
    TRY(text_arg(a, 0, &id));
    TRY(text_arg(a, 1, &version));
    a->s->is_secret = true;
    return a->s->calls->list(a->s, a->s->calls->arg, id, a->name, version,
                             a->n > 2 ? a->v[2] : NULL, ret);
}

/* ---- providers ---- */

static json_t *type_json(const struct resource_type *t)
{
    json_t *versions = json_array();

    for (const char *const *v = t->api_versions; v && *v; v++)
        json_array_append_new(versions, json_string(*v));
    return json_pack("{s:s,s:[],s:o}", "resourceType", t->type, "locations", "apiVersions",
                     versions);
}

FUNCTION(f_providers)
{
    const char *space, *type = NULL;
    const struct provider *p;
    json_t *types;

    TRY(text_arg(a, 0, &space));
    if (a->n > 1)
        TRY(text_arg(a, 1, &type));
    p = provider_find(space);
    if (!p)
        return function_fail(a, "finds no provider '%.100s'.", space);
    types = json_new_array(a->s->op);
    for (const struct resource_type *t = p->types; t && t->type; t++)
        if (type && strcasecmp(t->type, type) == 0)
            return give(a, type_json(t), ret);
        else
            json_array_append_new(types, type_json(t));
    if (type)
        return function_fail(a, "finds no type '%.100s' of '%.100s'.", type, space);
    return give(a, json_pack("{s:s,s:O}", "namespace", p->name, "resourceTypes", types), ret);
}

/* All regions are this machine, and it has no zones. */
FUNCTION(f_pick_zones)
{
    return give(a, json_array(), ret);
}
