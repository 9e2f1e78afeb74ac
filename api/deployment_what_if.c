/* whatIf: what a deployment would make, change, leave or delete, against what is there. */
#include <string.h>
#include <strings.h>

#include "api/deployment.h"
#include "api/resource.h"
#include "core/inside.h"

struct comparing {
    struct op *op;
    json_t *delta; /* of WhatIfPropertyChange */
};

static void note(struct comparing *k, const char *path, const char *kind, const json_t *before,
                 const json_t *after)
{
    json_t *one = json_pack("{s:s, s:s}", "path", path, "propertyChangeType", kind);

    if (before)
        json_object_set(one, "before", (json_t *)before);
    if (after)
        json_object_set(one, "after", (json_t *)after);
    json_array_append_new(k->delta, one);
}

/* Regions are written in two ways; all else is compared as it is, but for letters' case in words.
 */
static bool is_same(const char *path, const json_t *a, const json_t *b)
{
    const char *x = json_string_value(a), *y = json_string_value(b);

    if (json_equal(a, b))
        return true;
    if (json_is_number(a) && json_is_number(b))
        return json_number_value(a) == json_number_value(b);
    if (!x || !y)
        return false;
    if (strcmp(y, "*****") == 0)
        return true;
    if (strcmp(path, "location") == 0)
        while (*x && *y) {
            x += *x == ' ';
            y += *y == ' ';
            if (strncasecmp(x++, y++, 1) != 0)
                return false;
        }
    return strcasecmp(x, y) == 0;
}

/* What no answer shows: whether it is another one cannot be told. */
static bool is_never_shown(const char *name, const json_t *wanted)
{
    static const char *const names[] = {"secureValue",   "storageAccountKey",   "secret",
                                        "password",      "workspaceKey",        "serviceUri",
                                        "customHeaders", "workspaceResourceId", "protectedSettings",
                                        "adminPassword", "serverAppSecret"};

    if (json_is_string(wanted) && strcmp(json_string_value(wanted), "*****") == 0)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return false;
}

static bool says_nothing(const json_t *wanted)
{
    return json_is_null(wanted) || (json_is_object(wanted) && json_object_size(wanted) == 0) ||
           (json_is_array(wanted) && json_array_size(wanted) == 0);
}

static void compare(struct comparing *k, const char *path, const json_t *before,
                    const json_t *after);

/* Of what is not said there is nothing to compare: the service has its defaults. */
static void compare_members(struct comparing *k, const char *path, const json_t *before,
                            const json_t *after)
{
    const char *key;
    json_t *wanted;

    json_object_foreach((json_t *)after, key, wanted)
    {
        const char *at = *path ? arena_printf(&k->op->arena, "%s.%s", path, key) : key;
        const json_t *had = member_of(before, key);

        if (!had && (is_never_shown(key, wanted) || says_nothing(wanted)))
            continue;
        if (had)
            compare(k, at, had, wanted);
        else
            note(k, at, "Create", NULL, wanted);
    }
}

static void note_within(struct comparing *k, const char *path, const char *kind,
                        const struct comparing *within)
{
    if (!json_array_size(within->delta))
        return;
    note(k, path, kind, NULL, NULL);
    json_object_set(json_array_get(k->delta, json_array_size(k->delta) - 1), "children",
                    within->delta);
}

/* Arrays of one length, item by item: what changes are children, whose paths are their places. */
static void compare_items(struct comparing *k, const char *path, const json_t *before,
                          const json_t *after)
{
    struct comparing items = {k->op, json_new_array(k->op)};
    json_t *wanted;
    size_t i;

    json_array_foreach(after, i, wanted)
    {
        struct comparing members = {k->op, json_new_array(k->op)};
        const char *place = arena_printf(&k->op->arena, "%zu", i);
        const json_t *had = json_array_get(before, i);

        if (!json_is_object(had) || !json_is_object(wanted)) {
            compare(&items, place, had, wanted);
            continue;
        }
        compare_members(&members, "", had, wanted);
        note_within(&items, place, "Modify", &members);
    }
    note_within(k, path, "Array", &items);
}

static void compare(struct comparing *k, const char *path, const json_t *before,
                    const json_t *after)
{
    if (json_is_object(before) && json_is_object(after))
        compare_members(k, path, before, after);
    else if (json_is_array(before) && json_is_array(after) &&
             json_array_size(before) == json_array_size(after))
        compare_items(k, path, before, after);
    else if (!is_same(path, before, after))
        note(k, path, "Modify", before, after);
}

json_t *deployment_delta(struct op *op, const json_t *before, const json_t *after)
{
    struct comparing k = {op, json_new_array(op)};

    compare(&k, "", before, after);
    return k.delta;
}

static void without(json_t *object)
{
    static const char *const names[] = {"etag", "systemData"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        json_object_del(object, names[i]);
}

/* The body with id, name, type and apiVersion, as whatIf shows resources. */
static json_t *shown(struct op *op, const struct template_node *n, json_t *body)
{
    json_t *out = json_keep(op, json_pack("{s:s, s:s, s:s, s:s}", "id", n->id, "name",
                                          strrchr(n->id, '/') + 1, "type", n->type, "apiVersion",
                                          n->version));

    json_object_update(out, body);
    return out;
}

static enum fault body_of(struct op *op, struct deployment_asker *asker,
                          const struct template_node *n, json_t **ret, const char **ret_why)
{
    struct template_calls calls = deployment_calls(asker);
    enum fault fault = template_body(asker->plan, n, &calls, true, ret);

    *ret_why = NULL;
    if (fault == OK || fault_passes(fault))
        return fault;
    /* it refers to what is not there yet: only that it would be deployed can be told */
    *ret_why = arena_strdup(&op->arena, op->message ? op->message : "it cannot be evaluated");
    op_clear_fault(op);
    return OK;
}

static json_t *change(const char *id, const char *kind)
{
    return json_pack("{s:s, s:s}", "resourceId", id, "changeType", kind);
}

static enum fault add_change(struct op *op, struct deployment_asker *asker,
                             const struct template_node *n, bool only_ids, json_t *changes)
{
    json_t *body, *before, *after, *one, *delta = json_new_array(op);
    struct call *answer;
    const char *why, *kind;

    TRY(deployment_ask(op, asker, GET, n->id, n->version, NULL, &answer));
    before = answer->reply.status < 300 ? inside_json(op, answer) : NULL;
    TRY(body_of(op, asker, n, &body, &why));
    if (why) {
        one = change(n->id, before ? "Deploy" : "Create");
        json_set_text(one, "unsupportedReason", why);
        json_array_append_new(changes, one);
        return OK;
    }
    if (before) {
        without(before);
        delta = deployment_delta(op, before, body);
    }
    kind = !before ? "Create" : json_array_size(delta) ? "Modify" : "NoChange";
    if (strcasecmp(n->type, "Microsoft.Resources/deployments") == 0)
        kind = before ? "Deploy" : "Create";
    one = change(n->id, kind);
    after = shown(op, n, body);
    if (!only_ids) {
        if (before)
            json_object_set(one, "before", before);
        json_object_set(one, "after", after);
        json_object_set(one, "delta", delta);
    }
    json_array_append_new(changes, one);
    return OK;
}

static bool is_in_plan(const struct template_plan *plan, const char *key)
{
    for (size_t i = 0; i < plan->n; i++)
        if (!plan->nodes[i].existing && !plan->nodes[i].skipped &&
            strcasecmp(plan->nodes[i].id, key) == 0)
            return true;
    return false;
}

struct rest {
    const json_t *names;
    const char *unknown; /* a deployment that may make anything */
    bool deletes;
};

/* Of what is there and not made by this template itself: deployments within it may make it, or
   something of it, Complete may delete it. */
static const char *kind_of_rest(const struct rest *rest, const char *key)
{
    if (deployment_makes(rest->names, key))
        return "Deploy";
    if (!rest->deletes || deployment_names(rest->names, key))
        return "Ignore";
    return rest->unknown ? "Unsupported" : "Delete";
}

static json_t *rest_change(struct op *op, const struct rest *rest, const struct resource *r)
{
    const char *kind = kind_of_rest(rest, r->key);
    json_t *one = change(r->id, kind);

    if (strcmp(kind, "Unsupported") == 0)
        json_set_text(one, "unsupportedReason",
                      arena_printf(&op->arena,
                                   "It is deleted unless the deployment '%s' names it, which "
                                   "cannot be told before that runs.",
                                   rest->unknown));
    return one;
}

/* What is in the group and not in the template. */
static enum fault add_rest(struct op *op, struct deployment_asker *asker, bool deletes,
                           bool only_ids, json_t *changes)
{
    struct deployment_there there = {.rows = NULL};
    struct rest rest = {.deletes = deletes};
    const struct resource *r;
    json_t *names, *one;

    if (!asker->d->group)
        return OK;
    TRY(deployment_foresee(op, asker, &names, &rest.unknown));
    rest.names = names;
    for (;;) {
        TRY(deployment_there_next(op, asker->d, &there, &r));
        if (!r)
            return OK;
        if (is_in_plan(asker->plan, r->key) ||
            !role_allows(op, asker->who, r->id, arena_printf(&op->arena, "%s/read", r->type)))
            continue;
        one = rest_change(op, &rest, r);
        if (!only_ids)
            json_object_set(one, "before", resource_json(op, r));
        json_array_append_new(changes, one);
    }
}

enum fault deployment_what_if(struct op *op, struct deployment_asker *asker, const char *mode,
                              bool only_ids, json_t **ret)
{
    json_t *changes = json_new_array(op);

    for (size_t i = 0; i < asker->plan->n; i++) {
        const struct template_node *n = &asker->plan->nodes[i];

        if (!n->existing && !n->skipped)
            TRY(add_change(op, asker, n, only_ids, changes));
    }
    TRY(add_rest(op, asker, strcmp(mode, "Complete") == 0, only_ids, changes));
    *ret = json_keep(op, json_pack("{s:s, s:{s:O, s:s}}", "status", "Succeeded", "properties",
                                   "changes", changes, "correlationId", asker->d->correlation));
    return OK;
}
