/* Rows of managed clusters, pools and nodes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clusters/cluster_keys.h"
#include "clusters/managed_cluster_rows.h"
#include "core/db.h"
#include "core/hub.h"
#include "core/json.h"
#include "core/seal.h"

#define COLUMNS                                                                                    \
    "id, key, scope, subscription, resource_group, location, name, uid, fqdn, document, sealed,"   \
    " host, epoch, wanted, generation, observed, provisioning, power, fault_code, fault_text, ca," \
    " sealed_keys, api_port, coalesce(uplink_index, -1) AS uplink_index, principal, kubelet,"      \
    " created_us, version"

enum {
    BY_KEY,
    BY_KEY_LOCKED,
    BY_ID,
    LIST,
    POOLS,
    INSERT,
    REPLACE,
    NEXT_GENERATION,
    WANT,
    WANT_BELOW,
    POOL_INSERT,
    POOL_REPLACE,
    POOL_WANT,
    IDS,
    TAKE,
    PLACES,
    PORTS,
    SETTLE,
    DELETE_ROW,
    POOL_SETTLE,
    POOL_DELETE,
    NODES,
    NODE_ADD,
    NODE_LEAVE,
    NODE_DELETE,
    COUNTS,
};
static const struct db_stmt stmts[] = {
    [BY_KEY] = {"SELECT " COLUMNS " FROM clusters.managed_cluster WHERE key = $1"},
    [BY_KEY_LOCKED] = {"SELECT " COLUMNS " FROM clusters.managed_cluster WHERE key = $1"
                       " FOR UPDATE"},
    [BY_ID] = {"SELECT " COLUMNS " FROM clusters.managed_cluster WHERE id = $1"},
    [LIST] = {"SELECT " COLUMNS " FROM clusters.managed_cluster WHERE key = ANY ($1)"
              " ORDER BY key"},
    [POOLS] = {"SELECT cluster, name, document, position, hash, wanted, count, provisioning, power,"
               " fault_text, generation, observed, version FROM clusters.agent_pool"
               " WHERE cluster = $1 ORDER BY position, name"},
    [INSERT] = {"INSERT INTO clusters.managed_cluster (key, scope, subscription, resource_group,"
                " location, name, uid, fqdn, document, sealed, host, ca, sealed_keys, principal,"
                " kubelet, created_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,"
                " $13, $14, $15, $16) RETURNING id"},
    [REPLACE] = {"UPDATE clusters.managed_cluster SET document = $2, sealed = $3, principal = $4,"
                 " kubelet = $5, version = version + 1 WHERE id = $1"},
    [NEXT_GENERATION] = {"UPDATE clusters.managed_cluster SET generation = generation + 1,"
                         " provisioning = $2, fault_code = NULL, fault_text = NULL,"
                         " version = version + 1 WHERE id = $1 RETURNING generation"},
    [WANT] = {"UPDATE clusters.managed_cluster SET wanted = $2, generation = generation + 1,"
              " provisioning = $3, fault_code = NULL, fault_text = NULL, version = version + 1"
              " WHERE id = $1 AND wanted <> 2 RETURNING generation"},
    [WANT_BELOW] = {"UPDATE clusters.managed_cluster SET wanted = 2, generation = generation + 1,"
                    " provisioning = 'Deleting', version = version + 1 WHERE wanted <> 2"
                    " AND (key = $1 OR starts_with(key, $1 || '/')) RETURNING id"},
    [POOL_INSERT] = {"INSERT INTO clusters.agent_pool (cluster, name, document, position, hash,"
                     " count, wanted) SELECT $1, $2, $3, coalesce(max(position), 0) + 1, $4, $5, $6"
                     " FROM clusters.agent_pool WHERE cluster = $1"},
    [POOL_REPLACE] = {"UPDATE clusters.agent_pool SET document = $3, count = $4, wanted = $5,"
                      " provisioning = $6, fault_text = NULL, generation = generation + 1,"
                      " version = version + 1 WHERE cluster = $1 AND name = $2"},
    [POOL_WANT] = {"UPDATE clusters.agent_pool SET wanted = $3, provisioning = $4,"
                   " generation = generation + 1, version = version + 1"
                   " WHERE cluster = $1 AND name = $2"},
    [IDS] = {"SELECT id FROM clusters.managed_cluster WHERE host = $1 ORDER BY id"},
    [TAKE] = {"UPDATE clusters.managed_cluster SET epoch = epoch + 1 WHERE id = $1 AND host = $2"
              " RETURNING epoch"},
    [PLACES] = {"UPDATE clusters.managed_cluster SET api_port = $2, uplink_index = $3,"
                " version = version + 1 WHERE id = $1"},
    [PORTS] = {"SELECT api_port FROM clusters.managed_cluster WHERE host = $1 AND api_port > 0"},
    [SETTLE] = {"UPDATE clusters.managed_cluster SET observed = $2, power = $3, provisioning = $4,"
                " fault_code = $5, fault_text = $6, version = version + 1"
                " WHERE id = $1 AND generation = $2"},
    [DELETE_ROW] = {"DELETE FROM clusters.managed_cluster WHERE id = $1 AND wanted = 2"},
    [POOL_SETTLE] = {"UPDATE clusters.agent_pool SET observed = $3, power = $4, provisioning = $5,"
                     " fault_text = $6, version = version + 1"
                     " WHERE cluster = $1 AND name = $2 AND generation = $3"},
    [POOL_DELETE] = {"DELETE FROM clusters.agent_pool WHERE cluster = $1 AND name = $2"
                     " AND wanted = 2"},
    [NODES] = {"SELECT pool, ordinal, leaving, leaving_us, pod_index, uplink_index"
               " FROM clusters.node WHERE cluster = $1 ORDER BY pool, ordinal"},
    [NODE_ADD] = {"INSERT INTO clusters.node (cluster, pool, ordinal, pod_index, host,"
                  " uplink_index) SELECT $1, $2, $3, i, $4, $5 FROM generate_series(0, $6 - 1)"
                  " AS i WHERE NOT EXISTS (SELECT FROM clusters.node WHERE cluster = $1"
                  " AND pod_index = i) ORDER BY i LIMIT 1"},
    [NODE_LEAVE] = {"UPDATE clusters.node SET leaving = true, leaving_us = $4 WHERE cluster = $1"
                    " AND pool = $2 AND ordinal = $3 AND NOT leaving"},
    [NODE_DELETE] = {"DELETE FROM clusters.node WHERE cluster = $1 AND pool = $2 AND ordinal = $3"},
    [COUNTS] = {"SELECT count(*) FILTER (WHERE power = 0) AS running,"
                " count(*) FILTER (WHERE power = 1) AS stopped,"
                " (SELECT count(*) FROM clusters.node WHERE host = $1) AS nodes"
                " FROM clusters.managed_cluster WHERE host = $1"},
    {0},
};

static char this_host[64];

void cluster_store_open(const char *host)
{
    snprintf(this_host, sizeof(this_host), "%s", host);
    db_register(stmts);
}

const char *cluster_host(void)
{
    return this_host;
}

bool managed_cluster_is_ours(const struct managed_cluster *m)
{
    return strcmp(m->host, this_host) == 0;
}

/* ---- reading ---- */

static struct managed_cluster from_row(const struct db_rows *rows)
{
    return (struct managed_cluster){
        .id = db_int(rows, "id"),
        .key = db_text(rows, "key"),
        .scope = db_text(rows, "scope"),
        .subscription = db_text(rows, "subscription"),
        .resource_group = db_text(rows, "resource_group"),
        .location = db_text(rows, "location"),
        .name = db_text(rows, "name"),
        .uid = db_text(rows, "uid"),
        .fqdn = db_text(rows, "fqdn"),
        .document = db_text(rows, "document"),
        .sealed = db_bytes(rows, "sealed"),
        .host = db_text(rows, "host"),
        .epoch = db_int(rows, "epoch"),
        .wanted = (enum cluster_wanted)db_int(rows, "wanted"),
        .generation = db_int(rows, "generation"),
        .observed = db_int(rows, "observed"),
        .provisioning = db_text(rows, "provisioning"),
        .power = (enum cluster_power)db_int(rows, "power"),
        .fault_code = db_text(rows, "fault_code"),
        .fault_text = db_text(rows, "fault_text"),
        .ca = db_text(rows, "ca"),
        .sealed_keys = db_bytes(rows, "sealed_keys"),
        .api_port = db_int(rows, "api_port"),
        .uplink_index = db_int(rows, "uplink_index"),
        .principal = db_text(rows, "principal"),
        .kubelet = db_text(rows, "kubelet"),
        .created_us = db_int(rows, "created_us"),
        .version = db_int(rows, "version"),
    };
}

static enum fault read_pools(struct op *op, struct managed_cluster *m)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[POOLS], &rows, DB_INT(m->id)));
    m->pools = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(*m->pools));
    m->n_pools = 0;
    while (db_next(&rows))
        m->pools[m->n_pools++] = (struct agent_pool){
            .cluster = db_int(&rows, "cluster"),
            .name = db_text(&rows, "name"),
            .document = db_text(&rows, "document"),
            .position = db_int(&rows, "position"),
            .hash = db_text(&rows, "hash"),
            .wanted = (enum cluster_wanted)db_int(&rows, "wanted"),
            .count = db_int(&rows, "count"),
            .provisioning = db_text(&rows, "provisioning"),
            .power = (enum cluster_power)db_int(&rows, "power"),
            .fault_text = db_text(&rows, "fault_text"),
            .generation = db_int(&rows, "generation"),
            .observed = db_int(&rows, "observed"),
            .version = db_int(&rows, "version"),
        };
    return OK;
}

static enum fault read_one(struct op *op, struct db_rows *rows, struct managed_cluster *ret)
{
    struct managed_cluster m;

    if (!db_next(rows))
        return fail_on(op, "cluster", NOT_FOUND, "there is no such managed cluster");
    m = from_row(rows);
    TRY(read_pools(op, &m));
    *ret = m;
    return OK;
}

enum fault managed_cluster_get(struct op *op, const char *key, struct managed_cluster *ret)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[BY_KEY], &rows, DB_TEXT(key)));
    return read_one(op, &rows, ret);
}

enum fault managed_cluster_by_id(struct op *op, int64_t id, struct managed_cluster *ret)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[BY_ID], &rows, DB_INT(id)));
    return read_one(op, &rows, ret);
}

enum fault managed_cluster_list(struct op *op, const char *const *keys, size_t n_keys,
                                struct managed_cluster **ret, size_t *ret_n)
{
    struct managed_cluster *list;
    struct db_rows rows;
    size_t n = 0;

    TRY(db_query(op, &stmts[LIST], &rows, DB_TEXTS(keys, n_keys)));
    list = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(*list));
    while (db_next(&rows))
        list[n++] = from_row(&rows);
    for (size_t i = 0; i < n; i++)
        TRY(read_pools(op, &list[i]));
    *ret = list;
    *ret_n = n;
    return OK;
}

const struct agent_pool *managed_cluster_pool(const struct managed_cluster *m, const char *name)
{
    for (size_t i = 0; i < m->n_pools; i++)
        if (strcasecmp(m->pools[i].name, name) == 0)
            return &m->pools[i];
    return NULL;
}

const char *agent_pool_node(struct op *op, const struct agent_pool *pool, int64_t ordinal)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    char text[7] = "000000";

    for (int i = 5; i >= 0; i--) {
        text[i] = digits[ordinal % 36];
        ordinal /= 36;
    }
    return arena_printf(&op->arena, "aks-%s-%s-vmss%s", pool->name, pool->hash, text);
}

enum fault managed_cluster_ids(struct op *op, int64_t **ret, size_t *ret_n)
{
    struct db_rows rows;
    size_t n = 0;

    TRY(db_query(op, &stmts[IDS], &rows, DB_TEXT(this_host)));
    *ret = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(**ret));
    while (db_next(&rows))
        (*ret)[n++] = db_int(&rows, "id");
    *ret_n = n;
    return OK;
}

/* ---- what requests write ---- */

static enum fault tell(struct op *op, int64_t id)
{
    return hub_notify(op, CLUSTER_CHANNEL, arena_printf(&op->arena, "%lld", (long long)id));
}

static bool is_busy(const struct managed_cluster *m)
{
    return m->observed != m->generation;
}

static enum fault check_free(struct op *op, const struct managed_cluster *m)
{
    if (m->wanted == CLUSTER_WANT_DELETED || is_busy(m))
        return fail_on(op, "OperationNotAllowed", CONFLICT,
                       "Operation is not allowed because there's an in progress %s operation on"
                       " the managed cluster '%s'. Please wait for it to finish.",
                       m->provisioning, m->name);
    return OK;
}

/* Eight decimal digits, as AKS has them in nodes' names. */
static const char *pool_hash(struct op *op)
{
    unsigned long long n = strtoull(random_hex(op, 7), NULL, 16);

    return arena_printf(&op->arena, "%08llu", n % 100000000);
}

static enum fault insert_pool(struct op *op, int64_t cluster, const struct pool_wish *wish)
{
    return db_query(op, &stmts[POOL_INSERT], NULL, DB_INT(cluster), DB_TEXT(wish->name),
                    DB_TEXT(wish->document), DB_TEXT(pool_hash(op)), DB_INT(wish->count),
                    DB_INT(wish->stopped ? CLUSTER_WANT_STOPPED : CLUSTER_WANT_RUNNING));
}

static bool same_json(const char *a, const char *b)
{
    json_t *left = json_loads(a, 0, NULL), *right = json_loads(b, 0, NULL);
    bool same = left && right && json_equal(left, right);

    json_decref(left);
    json_decref(right);
    return same;
}

/* *ret_changed is only ever set. */
static enum fault replace_pool(struct op *op, const struct agent_pool *pool,
                               const struct pool_wish *wish, bool *ret_changed)
{
    enum cluster_wanted wanted = wish->stopped ? CLUSTER_WANT_STOPPED : CLUSTER_WANT_RUNNING;
    const char *word = wanted != pool->wanted       ? (wish->stopped ? "Stopping" : "Starting")
                       : wish->count != pool->count ? "Scaling"
                                                    : "Updating";

    if (wanted == pool->wanted && wish->count == pool->count &&
        same_json(wish->document, pool->document))
        return OK;
    *ret_changed = true;
    return db_query(op, &stmts[POOL_REPLACE], NULL, DB_INT(pool->cluster), DB_TEXT(pool->name),
                    DB_TEXT(wish->document), DB_INT(wish->count), DB_INT(wanted), DB_TEXT(word));
}

static enum fault drop_pool(struct op *op, const struct agent_pool *pool)
{
    return db_query(op, &stmts[POOL_WANT], NULL, DB_INT(pool->cluster), DB_TEXT(pool->name),
                    DB_INT(CLUSTER_WANT_DELETED), DB_TEXT("Deleting"));
}

static enum fault write_pools(struct op *op, const struct managed_cluster *m,
                              const struct managed_cluster_wish *wish, bool *ret_changed)
{
    for (size_t i = 0; i < wish->n_pools; i++) {
        const struct agent_pool *now = managed_cluster_pool(m, wish->pools[i].name);

        if (now) {
            TRY(replace_pool(op, now, &wish->pools[i], ret_changed));
            continue;
        }
        *ret_changed = true;
        TRY(insert_pool(op, m->id, &wish->pools[i]));
    }
    for (size_t i = 0; wish->pools && i < m->n_pools; i++) {
        bool kept = false;

        for (size_t k = 0; k < wish->n_pools; k++)
            kept |= strcasecmp(wish->pools[k].name, m->pools[i].name) == 0;
        if (!kept) {
            *ret_changed = true;
            TRY(drop_pool(op, &m->pools[i]));
        }
    }
    return OK;
}

static struct bytes seal_document(struct op *op, const char *uid, const char *full)
{
    return seal(op, arena_printf(&op->arena, "clusters/document/%s", uid), BYTES(full));
}

static const char *keys_label(struct op *op, const char *uid)
{
    return arena_printf(&op->arena, "clusters/keys/%s", uid);
}

static enum fault insert(struct op *op, const struct managed_cluster_wish *w,
                         struct cluster_written *ret)
{
    const char *uid = random_hex(op, 4), *fqdn;
    struct managed_cluster m = {0};
    struct cluster_keys keys;
    struct db_rows rows;
    bool changed;

    fqdn =
        arena_printf(&op->arena, "%s-%s.hcp.%s.azmk8s.localhost", w->dns_prefix, uid, w->location);
    TRY(cluster_keys_make(op, &keys));
    TRY(db_query(op, &stmts[INSERT], &rows, DB_TEXT(w->key), DB_TEXT(w->scope),
                 DB_TEXT(w->subscription), DB_TEXT(w->resource_group), DB_TEXT(w->location),
                 DB_TEXT(w->name), DB_TEXT(uid), DB_TEXT(fqdn), DB_TEXT(w->document),
                 DB_BYTES(seal_document(op, uid, w->full)), DB_TEXT(this_host),
                 DB_TEXT(keys.ca_pem),
                 DB_BYTES(seal(op, keys_label(op, uid), BYTES(cluster_keys_text(op, &keys)))),
                 DB_TEXT(w->principal), DB_TEXT(w->kubelet), DB_INT(wall_us())));
    if (!db_next(&rows))
        return fail(op, INTERNAL, "a new managed cluster has no id");
    m.id = db_int(&rows, "id");
    TRY(write_pools(op, &m, w, &changed));
    *ret = (struct cluster_written){m.id, 1, true, true};
    return tell(op, m.id);
}

static enum fault next_generation(struct op *op, int64_t id, const char *word,
                                  struct cluster_written *ret)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[NEXT_GENERATION], &rows, DB_INT(id), DB_TEXT(word)));
    if (!db_next(&rows))
        return fail_on(op, "cluster", NOT_FOUND, "there is no such managed cluster");
    ret->id = id;
    ret->generation = db_int(&rows, "generation");
    ret->begins = true;
    return tell(op, id);
}

enum fault managed_cluster_put(struct op *op, const struct managed_cluster_wish *wish,
                               struct cluster_written *ret)
{
    struct managed_cluster m;
    struct db_rows rows;
    enum fault fault;
    bool changed = false;

    TRY(db_query(op, &stmts[BY_KEY_LOCKED], &rows, DB_TEXT(wish->key)));
    fault = read_one(op, &rows, &m);
    if (fault == NOT_FOUND) {
        op_clear_fault(op);
        return insert(op, wish, ret);
    }
    TRY(fault);
    TRY(check_free(op, &m));
    changed = !same_json(m.document, wish->document);
    TRY(write_pools(op, &m, wish, &changed));
    *ret = (struct cluster_written){m.id, m.generation, false, false};
    if (!changed)
        return OK;
    TRY(db_query(op, &stmts[REPLACE], NULL, DB_INT(m.id), DB_TEXT(wish->document),
                 DB_BYTES(seal_document(op, m.uid, wish->full)), DB_TEXT(wish->principal),
                 DB_TEXT(wish->kubelet)));
    return next_generation(op, m.id, "Updating", ret);
}

enum fault managed_cluster_want(struct op *op, const struct managed_cluster *m,
                                enum cluster_wanted wanted, struct cluster_written *ret)
{
    static const char *const words[] = {"Starting", "Stopping", "Deleting"};
    struct db_rows rows;

    *ret = (struct cluster_written){m->id, m->generation, false, false};
    if (m->wanted == wanted)
        return OK;
    if (wanted != CLUSTER_WANT_DELETED)
        TRY(check_free(op, m));
    TRY(db_query(op, &stmts[WANT], &rows, DB_INT(m->id), DB_INT(wanted), DB_TEXT(words[wanted])));
    if (!db_next(&rows))
        return fail_on(op, "OperationNotAllowed", CONFLICT,
                       "the managed cluster '%s' is being deleted", m->name);
    ret->generation = db_int(&rows, "generation");
    ret->begins = true;
    return tell(op, m->id);
}

enum fault managed_cluster_want_deleted_below(struct op *op, const char *key)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[WANT_BELOW], &rows, DB_TEXT(key)));
    while (db_next(&rows))
        TRY(tell(op, db_int(&rows, "id")));
    return OK;
}

enum fault agent_pool_put(struct op *op, const struct managed_cluster *m,
                          const struct pool_wish *wish, struct cluster_written *ret)
{
    const struct agent_pool *now = managed_cluster_pool(m, wish->name);
    bool changed = !now;

    TRY(check_free(op, m));
    TRY(now ? replace_pool(op, now, wish, &changed) : insert_pool(op, m->id, wish));
    *ret = (struct cluster_written){m->id, m->generation, false, !now};
    return changed ? next_generation(op, m->id, "Updating", ret) : OK;
}

enum fault agent_pool_delete(struct op *op, const struct managed_cluster *m, const char *name,
                             struct cluster_written *ret)
{
    const struct agent_pool *now = managed_cluster_pool(m, name);

    if (!now)
        return fail_on(op, "pool", NOT_FOUND, "there is no such agent pool");
    TRY(check_free(op, m));
    TRY(drop_pool(op, now));
    *ret = (struct cluster_written){.created = false};
    return next_generation(op, m->id, "Updating", ret);
}

bool managed_cluster_reached(const struct managed_cluster *m, int64_t generation,
                             enum cluster_goal goal)
{
    if (!m || m->generation > generation)
        return true; /* gone, or another request's now */
    return goal != CLUSTER_GOAL_GONE && m->generation == generation && m->observed == m->generation;
}

/* ---- what the owner writes ---- */

enum fault managed_cluster_unseal_keys(struct op *op, const struct managed_cluster *m,
                                       const char **ret)
{
    struct bytes plain = {0};

    TRY(unseal(op, keys_label(op, m->uid), m->sealed_keys, &plain));
    *ret = plain.data;
    return OK;
}

enum fault managed_cluster_take(struct op *op, int64_t id, int64_t *ret_epoch)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[TAKE], &rows, DB_INT(id), DB_TEXT(this_host)));
    if (!db_next(&rows))
        return fail_on(op, "cluster", NOT_FOUND, "the managed cluster is not this host's");
    *ret_epoch = db_int(&rows, "epoch");
    return OK;
}

enum fault managed_cluster_set_places(struct op *op, int64_t id, int64_t api_port,
                                      int64_t uplink_index)
{
    return db_query(op, &stmts[PLACES], NULL, DB_INT(id), DB_INT(api_port), DB_INT(uplink_index));
}

enum fault managed_cluster_ports(struct op *op, int64_t **ret, size_t *ret_n)
{
    struct db_rows rows;
    size_t n = 0;

    TRY(db_query(op, &stmts[PORTS], &rows, DB_TEXT(this_host)));
    *ret = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(**ret));
    while (db_next(&rows))
        (*ret)[n++] = db_int(&rows, "api_port");
    *ret_n = n;
    return OK;
}

enum fault managed_cluster_settle(struct op *op, const struct managed_cluster *m,
                                  enum cluster_power power, const char *code, const char *text)
{
    TRY(db_query(op, &stmts[SETTLE], NULL, DB_INT(m->id), DB_INT(m->generation), DB_INT(power),
                 DB_TEXT(code ? "Failed" : "Succeeded"), DB_TEXT(code), DB_TEXT(text)));
    return tell(op, m->id);
}

enum fault managed_cluster_delete_row(struct op *op, int64_t id)
{
    TRY(db_query(op, &stmts[DELETE_ROW], NULL, DB_INT(id)));
    return tell(op, id);
}

enum fault agent_pool_settle(struct op *op, const struct agent_pool *pool, const char *fault_text)
{
    return db_query(
        op, &stmts[POOL_SETTLE], NULL, DB_INT(pool->cluster), DB_TEXT(pool->name),
        DB_INT(pool->generation),
        DB_INT(pool->wanted == CLUSTER_WANT_STOPPED ? CLUSTER_IS_STOPPED : CLUSTER_IS_RUNNING),
        DB_TEXT(fault_text ? "Failed" : "Succeeded"), DB_TEXT(fault_text));
}

enum fault agent_pool_delete_row(struct op *op, const struct agent_pool *pool)
{
    return db_query(op, &stmts[POOL_DELETE], NULL, DB_INT(pool->cluster), DB_TEXT(pool->name));
}

/* ---- nodes ---- */

enum fault cluster_nodes(struct op *op, int64_t cluster, struct cluster_node **ret, size_t *ret_n)
{
    struct db_rows rows;
    size_t n = 0;

    TRY(db_query(op, &stmts[NODES], &rows, DB_INT(cluster)));
    *ret = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(**ret));
    while (db_next(&rows))
        (*ret)[n++] = (struct cluster_node){
            .pool = db_text(&rows, "pool"),
            .ordinal = db_int(&rows, "ordinal"),
            .leaving = db_bool(&rows, "leaving"),
            .leaving_us = db_int(&rows, "leaving_us"),
            .pod_index = db_int(&rows, "pod_index"),
            .uplink_index = db_int(&rows, "uplink_index"),
        };
    *ret_n = n;
    return OK;
}

enum fault cluster_node_add(struct op *op, int64_t cluster, const char *pool, int64_t ordinal,
                            int64_t uplink_index, int64_t pod_ranges, bool *ret_added)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[NODE_ADD], &rows, DB_INT(cluster), DB_TEXT(pool), DB_INT(ordinal),
                 DB_TEXT(this_host), DB_INT(uplink_index), DB_INT(pod_ranges)));
    *ret_added = rows.affected == 1;
    return OK;
}

enum fault cluster_node_leave(struct op *op, int64_t cluster, const struct cluster_node *node)
{
    return db_query(op, &stmts[NODE_LEAVE], NULL, DB_INT(cluster), DB_TEXT(node->pool),
                    DB_INT(node->ordinal), DB_INT(wall_us()));
}

enum fault cluster_node_delete(struct op *op, int64_t cluster, const struct cluster_node *node)
{
    return db_query(op, &stmts[NODE_DELETE], NULL, DB_INT(cluster), DB_TEXT(node->pool),
                    DB_INT(node->ordinal));
}

enum fault cluster_counts(struct op *op, int64_t *ret_running, int64_t *ret_stopped,
                          int64_t *ret_nodes)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[COUNTS], &rows, DB_TEXT(this_host)));
    if (!db_next(&rows))
        return fail(op, INTERNAL, "a count gives no row");
    *ret_running = db_int(&rows, "running");
    *ret_stopped = db_int(&rows, "stopped");
    *ret_nodes = db_int(&rows, "nodes");
    return OK;
}
