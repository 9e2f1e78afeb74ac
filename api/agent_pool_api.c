/* Agent pools: parts of a cluster with an id of their own. */
#include <string.h>

#include "api/body.h"
#include "api/cache.h"
#include "api/managed_cluster.h"
#include "api/operation.h"
#include "core/db.h"
#include "core/json.h"

/* ---- showing ---- */

static enum fault render(struct op *op, const struct managed_cluster *m,
                         const struct agent_pool *pool, json_t **ret)
{
    json_t *value = json_new_object(op), *properties;

    TRY(agent_pool_properties(op, pool, false, &properties));
    json_set_text(value, "id", arena_printf(&op->arena, "%s/agentPools/%s", m->scope, pool->name));
    json_set_text(value, "name", pool->name);
    json_set_text(value, "type", AKS_POOL_TYPE);
    json_object_set(value, "properties", properties);
    *ret = value;
    return OK;
}

static enum fault find(struct call *c, struct managed_cluster *ret_cluster,
                       const struct agent_pool **ret)
{
    TRY(managed_cluster_of_call(c, ret_cluster));
    *ret = managed_cluster_pool(ret_cluster, c->path_args[3]);
    if (*ret)
        return OK;
    return arm_fail_at(&c->op, "NotFound", NOT_FOUND, NULL,
                       "Could not find the agent pool '%.60s' in the managed cluster '%s'.",
                       c->path_args[3], ret_cluster->name);
}

enum fault agent_pool_get_api(struct call *c)
{
    struct managed_cluster m;
    const struct agent_pool *pool;
    json_t *value;

    TRY(find(c, &m, &pool));
    TRY(render(&c->op, &m, pool, &value));
    return arm_reply(c, 200, value);
}

enum fault agent_pool_list_api(struct call *c)
{
    json_t *body = json_new_object(&c->op), *values = json_array(), *value;
    struct managed_cluster m;

    json_object_set_new(body, "value", values);
    TRY(managed_cluster_of_call(c, &m));
    for (size_t i = 0; i < m.n_pools; i++) {
        TRY(render(&c->op, &m, &m.pools[i], &value));
        json_array_append(values, value);
    }
    return arm_reply(c, 200, body);
}

/* ---- PUT and DELETE ---- */

struct change {
    struct cluster_written written;
    const char *location;
};

static enum fault put_answer(struct call *c, bool reached, void *arg)
{
    const struct change *change = arg;
    struct managed_cluster m;
    const struct agent_pool *pool;
    json_t *value;

    if (!reached)
        TRY(managed_cluster_follow(c, &change->written, change->location, OPERATION_ASYNC));
    TRY(find(c, &m, &pool));
    cache_changed(m.key);
    TRY(render(&c->op, &m, pool, &value));
    return arm_reply(c, change->written.created ? 201 : 200, value);
}

static enum fault read_wish(struct call *c, struct pool_wish *ret)
{
    struct op *op = &c->op;
    struct text ignored;
    json_t *body, *full, *properties;

    TRY(body_read(c, false, &body));
    text_init(&ignored, &op->arena, 2048);
    TRY(shape_read(op, agent_pool_shape, body, "", &ignored, &full));
    properties = json_object_get(full, "properties");
    if (!properties)
        properties = json_new_object(op);
    if (ignored.len)
        reply_header(c, "x-sundog-ignored", "%s", ignored.data);
    return agent_pool_body_read(c, properties, c->path_args[3], "properties", false, ret);
}

/* There stays a System pool. */
static enum fault check_system(struct op *op, const struct managed_cluster *m, const char *without)
{
    struct pool_wish *left = arena_alloc(&op->arena, (m->n_pools + 1) * sizeof(*left));
    size_t n = 0;

    for (size_t i = 0; i < m->n_pools; i++)
        if (strcasecmp(m->pools[i].name, without) != 0 &&
            m->pools[i].wanted == CLUSTER_WANT_RUNNING)
            left[n++] =
                (struct pool_wish){.name = m->pools[i].name, .document = m->pools[i].document};
    return agent_pools_check(op, left, n);
}

/* With the others that stay. */
static enum fault check_size(struct op *op, const struct managed_cluster *m,
                             const struct pool_wish *wish)
{
    int64_t nodes = wish->count;
    json_t *properties;
    size_t pools = 1;

    for (size_t i = 0; i < m->n_pools; i++) {
        if (strcasecmp(m->pools[i].name, wish->name) == 0 ||
            m->pools[i].wanted == CLUSTER_WANT_DELETED)
            continue;
        nodes += m->pools[i].count;
        pools++;
    }
    TRY(json_parse(op, BYTES(m->document), &properties));
    return managed_cluster_size_check(op, properties, pools, nodes);
}

enum fault agent_pool_put_api(struct call *c)
{
    struct op *op = &c->op;
    struct change *change = arena_alloc(&op->arena, sizeof(*change));
    struct pool_wish wish = {0};
    struct managed_cluster m;

    TRY(read_wish(c, &wish));
    TRY(db_begin(op));
    TRY(managed_cluster_of_call(c, &m));
    if (!strstr(wish.document, "\"mode\":\"System\"") || wish.stopped)
        TRY(check_system(op, &m, wish.name));
    TRY(check_size(op, &m, &wish));
    TRY(agent_pool_put(op, &m, &wish, &change->written));
    change->location = m.location;
    TRY(db_commit(op));
    cache_changed(m.key);
    if (!change->written.begins)
        return put_answer(c, true, change);
    return managed_cluster_wait(c, &change->written, CLUSTER_GOAL_SETTLED, AKS_PARK_MS, put_answer,
                                change);
}

static enum fault delete_answer(struct call *c, bool reached, void *arg)
{
    const struct change *change = arg;

    if (reached)
        return reply_empty(c, 204);
    TRY(managed_cluster_follow(c, &change->written, change->location,
                               OPERATION_LOCATION | OPERATION_ASYNC));
    return reply_empty(c, 202);
}

enum fault agent_pool_delete_api(struct call *c)
{
    struct op *op = &c->op;
    struct change *change = arena_alloc(&op->arena, sizeof(*change));
    struct managed_cluster m;

    TRY(db_begin(op));
    TRY(managed_cluster_of_call(c, &m));
    if (!managed_cluster_pool(&m, c->path_args[3]))
        return reply_empty(c, 204);
    TRY(check_system(op, &m, c->path_args[3]));
    TRY(agent_pool_delete(op, &m, c->path_args[3], &change->written));
    change->location = m.location;
    TRY(db_commit(op));
    cache_changed(m.key);
    return managed_cluster_wait(c, &change->written, CLUSTER_GOAL_SETTLED, AKS_PARK_MS,
                                delete_answer, change);
}

/* ---- versions ---- */

enum fault agent_pool_upgrades_api(struct call *c)
{
    struct op *op = &c->op;
    json_t *body = json_new_object(op);
    const struct agent_pool *pool;
    struct managed_cluster m;

    TRY(find(c, &m, &pool));
    json_set_text(
        body, "id",
        arena_printf(&op->arena, "%s/agentPools/%s/upgradeProfiles/default", m.scope, pool->name));
    json_set_text(body, "name", "default");
    json_set_text(body, "type", AKS_POOL_TYPE "/upgradeProfiles");
    json_object_set_new(
        body, "properties",
        json_pack("{s:s, s:s}", "kubernetesVersion", AKS_VERSION, "osType", "Linux"));
    return arm_reply(c, 200, body);
}

enum fault agent_pool_versions_api(struct call *c)
{
    struct op *op = &c->op;
    json_t *body = json_new_object(op);
    struct managed_cluster m;

    TRY(managed_cluster_of_call(c, &m));
    json_set_text(body, "id", arena_printf(&op->arena, "%s/availableAgentPoolVersions", m.scope));
    json_set_text(body, "name", "default");
    json_set_text(body, "type", AKS_TYPE "/availableAgentPoolVersions");
    json_object_set_new(body, "properties",
                        json_pack("{s:[{s:s, s:b}]}", "agentPoolVersions", "kubernetesVersion",
                                  AKS_VERSION, "default", 1));
    return arm_reply(c, 200, body);
}
