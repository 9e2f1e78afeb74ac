/* Scope maps: named lists of rights on repositories, which repository tokens are given. */
#include "registry/scope_map.h"

#include <string.h>

#include "api/body.h"
#include "api/page.h"
#include "api/registry_api.h"
#include "core/db.h"

#define ACTION_MAX_BYTES 512

static json_t *scope_map_json(struct op *op, const struct registry *registry,
                              const struct scope_map *map)
{
    json_t *value = json_new_object(op), *p = json_new_object(op), *actions = json_new_array(op);

    for (size_t i = 0; i < map->n_actions; i++)
        json_array_append_new(actions, json_string(map->actions[i]));
    json_set_text(p, "description", map->description);
    json_set_text(p, "type", map->is_system ? "SystemDefined" : "UserDefined");
    json_set_text(p, "creationDate", map->created);
    json_set_text(p, "provisioningState", "Succeeded");
    json_object_set(p, "actions", actions);
    json_set_text(value, "id", registry_child_id(op, registry, "scopeMaps", map->name));
    json_set_text(value, "name", map->name);
    json_set_text(value, "type", "Microsoft.ContainerRegistry/registries/scopeMaps");
    json_object_set(value, "properties", p);
    return value;
}

static enum fault reply_map(struct call *c, int status, const struct registry *registry,
                            const char *name)
{
    struct scope_map map;

    TRY(registry_fault(&c->op, scope_map_get(&c->op, registry, name, &map)));
    return arm_reply(c, status, scope_map_json(&c->op, registry, &map));
}

enum fault scope_maps_list(struct call *c)
{
    struct op *op = &c->op;
    json_t *values = json_new_array(op);
    const struct registry *registry;
    struct scope_map *maps;
    struct arm_page page;
    size_t n;

    TRY(registry_of_call(c, &registry));
    TRY(page_read_arm(c, 100, &page));
    TRY(scope_map_list(op, registry, page.last, page.limit, &maps, &n));
    for (size_t i = 0; i < n && i < (size_t)page.top; i++)
        json_array_append(values, scope_map_json(op, registry, &maps[i]));
    return page_reply(c, values, n > (size_t)page.top ? maps[page.top - 1].name : NULL);
}

enum fault scope_map_read(struct call *c)
{
    const struct registry *registry;

    TRY(registry_of_call(c, &registry));
    return reply_map(c, 200, registry, arm_id(c)->name);
}

static enum fault read_body(struct call *c, struct scope_map *wanted)
{
    struct op *op = &c->op;
    const char **actions = NULL;
    json_t *body;

    TRY(body_read(c, false, &body));
    TRY(body_text(op, body, "properties.description", 0, 256, &wanted->description));
    TRY(body_texts(op, body, "properties.actions", SCOPE_MAP_ACTIONS_MAX, ACTION_MAX_BYTES,
                   &actions, &wanted->n_actions));
    if (actions)
        wanted->actions = actions;
    return OK;
}

static enum fault write_map(struct call *c, const struct registry *registry,
                            const struct scope_map *wanted, bool *ret_created)
{
    struct op *op = &c->op;

    TRY(registry_fault(op, scope_map_put(op, registry, wanted, ret_created)));
    TRY(db_commit(op));
    scope_map_changed(registry->id);
    return OK;
}

enum fault scope_map_write(struct call *c)
{
    struct scope_map wanted = {.name = arm_id(c)->name};
    const struct registry *registry;
    bool created;

    TRY(registry_of_call(c, &registry));
    TRY(read_body(c, &wanted));
    if (!wanted.actions)
        return arm_fail_at(&c->op, "InvalidParameter", INVALID, "properties.actions",
                           "a scope map needs actions");
    TRY(db_begin(&c->op));
    TRY(write_map(c, registry, &wanted, &created));
    return reply_map(c, created ? 201 : 200, registry, wanted.name);
}

enum fault scope_map_update(struct call *c)
{
    const struct registry *registry;
    struct scope_map wanted;
    bool created;

    TRY(registry_of_call(c, &registry));
    TRY(db_begin(&c->op));
    TRY(registry_fault(&c->op, scope_map_get(&c->op, registry, arm_id(c)->name, &wanted)));
    TRY(read_body(c, &wanted));
    TRY(write_map(c, registry, &wanted, &created));
    return reply_map(c, 200, registry, wanted.name);
}

enum fault scope_map_remove(struct call *c)
{
    struct op *op = &c->op;
    const struct registry *registry;
    enum fault fault;

    TRY(registry_of_call(c, &registry));
    TRY(db_begin(op));
    fault = scope_map_delete(op, registry, arm_id(c)->name);
    if (fault == NOT_FOUND) {
        op_clear_fault(op);
        return reply_empty(c, 204);
    }
    TRY(registry_fault(op, fault));
    TRY(db_commit(op));
    scope_map_changed(registry->id);
    return reply_empty(c, 200);
}
