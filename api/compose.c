/* A compose file as one container group. */
#include "api/compose.h"

#include <string.h>

#include "api/arm.h"
#include "api/compose_container.h"
#include "clusters/object/decode.h"

#define API_VERSION "2023-05-01"

/* ---- what does not fit ---- */

static void add_left(struct compose *c, const char *path, const char *why, bool is_note)
{
    struct compose_left *one = arena_alloc(&c->op->arena, sizeof(*one));

    *one = (struct compose_left){.path = path, .why = why, .is_note = is_note};
    if (c->tail)
        *c->tail = one;
    else
        c->first = one;
    c->tail = (struct compose_left **)&one->next;
    c->fits = c->fits && is_note;
}

void compose_leave(struct compose *c, const char *path, const char *why)
{
    add_left(c, path, why, false);
}

void compose_note(struct compose *c, const char *path, const char *why)
{
    add_left(c, path, why, true);
}

const char *compose_path(struct compose *c, const char *path, const char *member)
{
    return arena_printf(&c->op->arena, "%s.%s", path, member);
}

/* ---- order ---- */

struct order {
    struct compose *c;
    const json_t *all;
    json_t *done, *open; /* names */
    json_t *containers;
};

static enum fault place(struct order *o, const char *key);

static enum fault place_before(struct order *o, const char *key, const char *other,
                               const json_t *how)
{
    const char *condition = json_string_value(json_object_get(how, "condition"));

    if (!json_object_get(o->all, other))
        return fail(o->c->op, INVALID, "services.%s.depends_on: there is no service %s", key,
                    other);
    if (condition && strcmp(condition, "service_started") != 0)
        compose_leave(
            o->c, arena_printf(&o->c->op->arena, "services.%s.depends_on.%s.condition", key, other),
            "containers of a group start together, in this order: let it try again");
    return place(o, other);
}

/* Those it depends on stand before it. */
static enum fault place(struct order *o, const char *key)
{
    const json_t *service = json_object_get(o->all, key);
    json_t *depends = json_object_get(service, "depends_on"), *one;
    const char *other;
    size_t i;

    if (json_object_get(o->done, key))
        return OK;
    if (json_object_get(o->open, key))
        return fail(o->c->op, INVALID, "services.%s.depends_on goes round in a circle", key);
    json_object_set_new(o->open, key, json_true());
    json_object_foreach(depends, other, one)
    {
        TRY(place_before(o, key, other, one));
    }
    json_array_foreach(depends, i, one)
    {
        if (json_is_string(one))
            TRY(place_before(o, key, json_string_value(one), NULL));
    }
    json_object_set_new(o->done, key, json_true());
    return compose_container(o->c, key, service, o->containers);
}

/* ---- the group ---- */

static const char *restart_of(struct compose *c, const char *key, const json_t *service)
{
    const char *text = compose_text(c->op, json_object_get(service, "restart"));
    const json_t *policy = json_object_get(json_object_get(service, "deploy"), "restart_policy");
    const char *condition = json_string_value(json_object_get(policy, "condition"));

    if (policy)
        text = condition ? condition : "any";
    if (text && strncmp(text, "on-failure:", 11) == 0)
        compose_leave(c, arena_printf(&c->op->arena, "services.%s.restart", key),
                      "there is no limit to starts");
    if (!text || strcmp(text, "no") == 0 || strcmp(text, "false") == 0 || strcmp(text, "none") == 0)
        return "Never";
    return strncmp(text, "on-failure", 10) == 0 ? "OnFailure" : "Always";
}

static const char *restart_policy(struct compose *c)
{
    const char *key, *policy = NULL, *own;
    json_t *service;

    json_object_foreach((json_t *)c->placed, key, service)
    {
        own = restart_of(c, key, service);
        if (policy && strcmp(policy, own) != 0)
            compose_leave(
                c, arena_printf(&c->op->arena, "services.%s.restart", key),
                arena_printf(&c->op->arena, "a group has one restart policy: %s", policy));
        policy = policy ? policy : own;
    }
    return policy;
}

/* x-sundog's, or the first host name of a service with ports. */
static const char *label(struct compose *c, const json_t *own)
{
    const char *given = json_string_value(json_object_get(own, "dnsNameLabel")), *name, *key;
    bool is_ours = given;
    json_t *service;

    json_object_foreach((json_t *)c->placed, key, service)
    {
        name = json_string_value(json_object_get(service, "hostname"));
        if (name && !given && json_array_size(json_object_get(service, "ports")))
            given = name;
        else if (name && (is_ours || !given || strcmp(given, name) != 0))
            compose_leave(c, arena_printf(&c->op->arena, "services.%s.hostname", key),
                          "a group has one name, and only where it opens ports");
    }
    return given;
}

static enum fault check_shape(struct compose *c)
{
    static const char *const refused[] = {"extends", "profiles"};
    const char *key;
    json_t *service;

    if (!json_is_object(c->services) || json_object_size(c->services) == 0)
        return fail(c->op, INVALID, "it has no services: it is no compose file");
    if (json_object_size(c->services) > COMPOSE_SERVICES_MAX)
        return fail(c->op, INVALID, "a container group has at most %d containers",
                    COMPOSE_SERVICES_MAX);
    if (json_object_get(c->file, "include"))
        return fail(c->op, INVALID,
                    "include is not supported: `docker compose config` resolves it");
    json_object_foreach((json_t *)c->services, key, service)
    {
        if (!json_is_object(service))
            return fail(c->op, INVALID, "services.%s is no mapping", key);
        for (size_t i = 0; i < ARRAY_LEN(refused); i++)
            if (json_object_get(service, refused[i]))
                return fail(c->op, INVALID,
                            "services.%s.%s is not supported: `docker compose config` resolves it",
                            key, refused[i]);
    }
    return OK;
}

static void leave_top(struct compose *c)
{
    static const char *const known[] = {"version", "name", "services", "volumes", "secrets", NULL};
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)c->file, key, value)
    {
        size_t i = 0;

        while (known[i] && strcmp(known[i], key) != 0)
            i++;
        if (!known[i] && strncmp(key, "x-", 2) != 0 && !json_is_null(value))
            compose_leave(c, key,
                          strcmp(key, "networks") == 0 ? "containers of a group share one network"
                                                       : "a container group has nothing like it");
    }
}

static json_t *assemble(struct compose *c, json_t *containers)
{
    const json_t *own = json_object_get(c->file, "x-sundog");
    const char *location = json_string_value(json_object_get(own, "location"));
    const char *name = json_string_value(json_object_get(c->file, "name")), *dns = label(c, own);
    json_t *properties = json_pack("{s:s,s:s,s:O}", "osType", "Linux", "restartPolicy",
                                   restart_policy(c), "containers", containers);
    json_t *address;

    if (json_array_size(c->volumes))
        json_object_set(properties, "volumes", c->volumes);
    if (json_array_size(c->ports)) {
        address = json_pack("{s:s,s:O}", "type", "Public", "ports", c->ports);
        if (dns)
            json_object_set_new(address, "dnsNameLabel", json_string(dns));
        json_object_set_new(properties, "ipAddress", address);
    }
    name = c->source->name ? c->source->name : name ? name : c->source->fallback;
    return json_pack("{s:s,s:s,s:s,s:s,s:o}", "apiVersion", API_VERSION, "location",
                     location ? location : "eastus", "name", compose_name(c->op, name), "type",
                     "Microsoft.ContainerInstance/containerGroups", "properties", properties);
}

static json_t *placed(struct op *op, const json_t *services)
{
    json_t *some = json_keep(op, json_object()), *service;
    const char *key;

    json_object_foreach((json_t *)services, key, service)
    {
        if (compose_is_container(op, key, service))
            json_object_set(some, key, service);
    }
    return some;
}

enum fault compose_read(struct op *op, struct bytes file, const struct compose_source *source,
                        struct compose_group *ret)
{
    struct compose c = {.op = op, .source = source, .fits = true};
    struct decoded decoded = {0};
    struct reader reader = {.op = op, .ret = &decoded, .validation = FIELDS_STRICT};
    struct order order = {.c = &c};
    json_t *tree, *service;
    const char *key;

    text_init(&reader.problems, &op->arena, 4096);
    TRY(yaml_to_tree(&reader, file, &tree));
    if (reader.n_problems)
        return fail(op, INVALID, "%s", reader.problems.data);
    c.file = tree;
    TRY(compose_fill(&c, tree));
    c.services = json_object_get(tree, "services");
    TRY(check_shape(&c));
    c.placed = placed(op, c.services);
    c.volumes = json_keep(op, json_array());
    c.ports = json_keep(op, json_array());
    order.all = c.services;
    order.done = json_keep(op, json_object());
    order.open = json_keep(op, json_object());
    order.containers = json_keep(op, json_array());
    leave_top(&c);
    json_object_foreach((json_t *)c.services, key, service)
    {
        TRY(place(&order, key));
    }
    if (json_array_size(order.containers) == 0)
        return fail(op, INVALID, "no service names an image: build and push first");
    ret->group = json_keep(op, assemble(&c, order.containers));
    ret->left = c.first;
    ret->fits = c.fits;
    return OK;
}
