/* Rows of container groups: what is wanted, and what the owner reached. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/db.h"
#include "core/hub.h"
#include "core/json.h"
#include "core/seal.h"
#include "instances/address.h"
#include "instances/group_run.h"
#include "instances/network.h"

#define GROUP_COLUMNS                                                                              \
    "id, key, scope, subscription, location, name, document, sealed, host, wanted, generation,"    \
    " observed, provisioning, state, fault_code, fault_text, begun_us, stopping_us, cloned,"       \
    " coalesce(public_index, -1) AS public_index, private_index, label, principal, version"

const char *const group_provisioning_words[] = {"Pending", "Creating", "Succeeded", "Failed"};
const char *const group_state_words[] = {"Pending", "Running", "Succeeded", "Failed", "Stopped"};
const char *const container_show_words[] = {"Waiting", "Running", "Terminated"};

enum {
    BY_KEY,
    BY_KEY_LOCKED,
    BY_ID,
    LIST,
    CONTAINERS,
    INSERT,
    REPLACE,
    RETOUCH,
    NO_CONTAINERS,
    ADD_CONTAINER,
    WANT,
    WANT_BELOW,
    REKEY,
    USAGE,
    SAVE,
    SAVE_CONTAINER,
    RESET,
    DELETE_ROW,
    AGAIN,
    IDS,
    BY_PRIVATE,
    LAYERS,
    LABEL_TAKEN,
    BIND_KEY,
    SEEN,
    IS_GONE,
    COUNT_STATES,
    COUNT_RUNNING,
    SET_READY,
};
static const struct db_stmt stmts[] = {
    [BY_KEY] = {"SELECT " GROUP_COLUMNS " FROM instances.container_group WHERE key = $1"},
    [BY_KEY_LOCKED] = {"SELECT " GROUP_COLUMNS " FROM instances.container_group WHERE key = $1"
                       " FOR UPDATE"},
    [BY_ID] = {"SELECT " GROUP_COLUMNS " FROM instances.container_group WHERE id = $1"},
    [LIST] = {"SELECT " GROUP_COLUMNS " FROM instances.container_group WHERE key = ANY ($1)"
              " ORDER BY key"},
    [CONTAINERS] = {"SELECT position, name, init, image, starts, restarts, failures, state, detail,"
                    " exit_code, started_us, finished_us, next_start_us, previous, ready, last_log"
                    " FROM instances.container WHERE group_id = $1 ORDER BY position"},
    [INSERT] = {"INSERT INTO instances.container_group (key, scope, subscription, location, name,"
                " document, sealed, host, public_index, private_index, label, principal,"
                " cpu_millis) VALUES ($1, $2, $3, $4, $5, $6, $7, $8,"
                " CASE WHEN $9 < 0 THEN NULL ELSE $9 END, $10, $11, $12, $13) RETURNING id"},
    [REPLACE] = {"UPDATE instances.container_group SET document = $2, sealed = $3, label = $4,"
                 " principal = $5, public_index = CASE WHEN $6 < 0 THEN NULL ELSE $6 END,"
                 " cpu_millis = $7,"
                 " wanted = 0, generation = generation + 1, provisioning = 0, fault_code = NULL,"
                 " fault_text = NULL, version = version + 1 WHERE id = $1"},
    [RETOUCH] = {"UPDATE instances.container_group SET document = $2, sealed = $3,"
                 " principal = $4, version = version + 1 WHERE id = $1"},
    [NO_CONTAINERS] = {"DELETE FROM instances.container WHERE group_id = $1"},
    [ADD_CONTAINER] = {"INSERT INTO instances.container (group_id, position, name, init)"
                       " VALUES ($1, $2, $3, $4)"},
    [WANT] = {"UPDATE instances.container_group SET wanted = $2, generation = generation + 1,"
              " version = version + 1 WHERE id = $1 AND wanted <> 2 RETURNING generation"},
    [WANT_BELOW] = {"UPDATE instances.container_group SET wanted = 2, generation = generation + 1,"
                    " version = version + 1 WHERE wanted <> 2"
                    " AND (key = $1 OR starts_with(key, $1 || '/')) RETURNING id, host"},
    [REKEY] = {"UPDATE instances.container_group SET key = $2, scope = $3, subscription = $4,"
               " version = version + 1 WHERE id = $1"},
    [USAGE] = {"SELECT count(*) AS groups, coalesce(sum(cpu_millis), 0)::bigint AS millis"
               " FROM instances.container_group WHERE subscription = $1"},
    [SAVE] = {"UPDATE instances.container_group SET observed = $2, provisioning = $3, state = $4,"
              " fault_code = $5, fault_text = $6, begun_us = $7, stopping_us = $8, cloned = $9,"
              " version = version + 1 WHERE id = $1 AND generation = $10"},
    [SAVE_CONTAINER] = {"UPDATE instances.container SET image = $3, starts = $4, restarts = $5,"
                        " failures = $6, state = $7, detail = $8, exit_code = $9, started_us = $10,"
                        " finished_us = $11, next_start_us = $12, previous = $13,"
                        " ready = CASE WHEN $14 < 0 THEN ready ELSE $14 = 1 END,"
                        " last_log = $15 WHERE group_id = $1 AND position = $2"},
    [RESET] = {"UPDATE instances.container SET image = NULL, starts = 0, restarts = 0,"
               " failures = 0, state = 0, detail = '', exit_code = 0, started_us = 0,"
               " finished_us = 0, next_start_us = 0, previous = NULL, ready = false,"
               " last_log = NULL WHERE group_id = $1"},
    [DELETE_ROW] = {"DELETE FROM instances.container_group WHERE id = $1 AND wanted = 2"},
    [AGAIN] = {"UPDATE instances.container_group SET generation = generation + 1,"
               " version = version + 1 WHERE id = $1 AND generation = $2"},
    [IDS] = {"SELECT id FROM instances.container_group WHERE host = $1 ORDER BY id"},
    [BY_PRIVATE] = {"SELECT principal FROM instances.container_group WHERE host = $1"
                    " AND private_index = $2"},
    [LAYERS] = {"SELECT DISTINCT jsonb_array_elements_text(image::jsonb -> 'layers') AS layer"
                " FROM instances.container JOIN instances.container_group ON id = group_id"
                " WHERE host = $1 AND image IS NOT NULL"},
    [LABEL_TAKEN] = {"SELECT FROM instances.container_group WHERE location = $1 AND label = $2"
                     " AND key <> $3"},
    [BIND_KEY] = {"INSERT INTO instances.storage_account (name, key_hash) VALUES ($1, $2)"
                  " ON CONFLICT (name) DO UPDATE SET key_hash = storage_account.key_hash"
                  " RETURNING key_hash"},
    [SEEN] = {"INSERT INTO instances.host (id) VALUES ($1)"
              " ON CONFLICT (id) DO UPDATE SET seen = now()"},
    [IS_GONE] = {"SELECT FROM instances.host WHERE id = $1"
                 " AND seen > now() - interval '1 minute'"},
    [COUNT_STATES] = {"SELECT state, count(*) AS n FROM instances.container_group WHERE host = $1"
                      " GROUP BY state"},
    [COUNT_RUNNING] = {"SELECT count(*) AS n FROM instances.container"
                       " JOIN instances.container_group g ON g.id = group_id"
                       " WHERE host = $1 AND container.state = 1"},
    [SET_READY] = {"UPDATE instances.container SET ready = $3"
                   " WHERE group_id = $1 AND name = $2 AND starts = $4 AND ready <> $3"},
    {0},
};

static char this_host[64];

void group_store_open(const char *host)
{
    snprintf(this_host, sizeof(this_host), "%s", host);
    db_register(stmts);
    address_open(host);
}

enum fault group_host_seen(struct op *op)
{
    return db_query(op, &stmts[SEEN], NULL, DB_TEXT(this_host));
}

enum fault group_host_is_gone(struct op *op, const struct container_group *g, bool *ret_gone)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[IS_GONE], &rows, DB_TEXT(g->host)));
    *ret_gone = !db_next(&rows);
    return OK;
}

bool container_group_is_ours(const struct container_group *g)
{
    return strcmp(g->host, this_host) == 0;
}

/* ---- reading ---- */

static struct container_group from_row(const struct db_rows *rows)
{
    return (struct container_group){
        .id = db_int(rows, "id"),
        .key = db_text(rows, "key"),
        .scope = db_text(rows, "scope"),
        .subscription = db_text(rows, "subscription"),
        .location = db_text(rows, "location"),
        .name = db_text(rows, "name"),
        .document = db_text(rows, "document"),
        .sealed = db_bytes(rows, "sealed"),
        .host = db_text(rows, "host"),
        .wanted = (enum group_wanted)db_int(rows, "wanted"),
        .generation = db_int(rows, "generation"),
        .observed = db_int(rows, "observed"),
        .provisioning = (enum group_provisioning)db_int(rows, "provisioning"),
        .state = (enum group_state)db_int(rows, "state"),
        .fault_code = db_text(rows, "fault_code"),
        .fault_text = db_text(rows, "fault_text"),
        .begun_us = db_int(rows, "begun_us"),
        .stopping_us = db_int(rows, "stopping_us"),
        .cloned = db_int(rows, "cloned"),
        .public_index = db_int(rows, "public_index"),
        .private_index = db_int(rows, "private_index"),
        .label = db_text(rows, "label"),
        .principal = db_text(rows, "principal"),
        .version = db_int(rows, "version"),
    };
}

static enum fault read_containers(struct op *op, struct container_group *g)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[CONTAINERS], &rows, DB_INT(g->id)));
    g->containers =
        arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(*g->containers));
    g->n_containers = 0;
    while (db_next(&rows))
        g->containers[g->n_containers++] = (struct container_row){
            .position = db_int(&rows, "position"),
            .name = db_text(&rows, "name"),
            .init = db_bool(&rows, "init"),
            .image = db_text(&rows, "image"),
            .starts = db_int(&rows, "starts"),
            .restarts = db_int(&rows, "restarts"),
            .failures = db_int(&rows, "failures"),
            .state = (enum container_show)db_int(&rows, "state"),
            .detail = db_text(&rows, "detail"),
            .exit_code = db_int(&rows, "exit_code"),
            .started_us = db_int(&rows, "started_us"),
            .finished_us = db_int(&rows, "finished_us"),
            .next_start_us = db_int(&rows, "next_start_us"),
            .previous = db_text(&rows, "previous"),
            .ready = db_bool(&rows, "ready"),
            .last_log = db_text(&rows, "last_log"),
        };
    return OK;
}

static enum fault read_one(struct op *op, struct db_rows *rows, struct container_group *ret)
{
    struct container_group g;

    if (!db_next(rows))
        return fail_on(op, "group", NOT_FOUND, "there is no such container group");
    g = from_row(rows);
    TRY(read_containers(op, &g));
    *ret = g;
    return OK;
}

enum fault container_group_get(struct op *op, const char *key, struct container_group *ret)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[BY_KEY], &rows, DB_TEXT(key)));
    return read_one(op, &rows, ret);
}

enum fault container_group_by_id(struct op *op, int64_t id, struct container_group *ret)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[BY_ID], &rows, DB_INT(id)));
    return read_one(op, &rows, ret);
}

enum fault container_group_list(struct op *op, const char *const *keys, size_t n_keys,
                                struct container_group **ret, size_t *ret_n)
{
    struct db_rows rows;
    size_t n = 0;

    TRY(db_query(op, &stmts[LIST], &rows, DB_TEXTS(keys, n_keys)));
    *ret = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(**ret));
    while (db_next(&rows))
        (*ret)[n++] = from_row(&rows);
    *ret_n = n;
    return OK;
}

static const char *seal_label(struct op *op, const char *name)
{
    return arena_printf(&op->arena, "instances/group/%s", name);
}

enum fault container_group_unseal(struct op *op, const struct container_group *g, json_t **ret)
{
    struct bytes plain = {0};

    TRY(unseal(op, seal_label(op, g->name), g->sealed, &plain));
    return json_parse(op, plain, ret);
}

enum fault group_ids(struct op *op, int64_t **ret, size_t *ret_n)
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

enum fault group_by_private_index(struct op *op, int64_t index, const char **ret_principal)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[BY_PRIVATE], &rows, DB_TEXT(this_host), DB_INT(index)));
    if (!db_next(&rows))
        return fail(op, NOT_FOUND, "no container group has this address");
    *ret_principal = db_text(&rows, "principal");
    return OK;
}

enum fault container_group_layers(struct op *op, const char *const **ret)
{
    struct db_rows rows;
    const char **layers;
    size_t n = 0;

    TRY(db_query(op, &stmts[LAYERS], &rows, DB_TEXT(this_host)));
    layers = arena_alloc(&op->arena, ((size_t)PQntuples(rows.result) + 1) * sizeof(*layers));
    while (db_next(&rows))
        layers[n++] = db_text(&rows, "layer");
    *ret = layers;
    return OK;
}

enum fault container_group_usage(struct op *op, const char *subscription, int64_t *ret_groups,
                                 int64_t *ret_cpu_millis)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[USAGE], &rows, DB_TEXT(subscription)));
    if (!db_next(&rows))
        return fail(op, INTERNAL, "a count gives no row");
    *ret_groups = db_int(&rows, "groups");
    *ret_cpu_millis = db_int(&rows, "millis");
    return OK;
}

/* ---- writing what is wanted ---- */

static enum fault tell_others(struct op *op, int64_t id)
{
    char text[24];

    if (!db_is_shared())
        return OK;
    snprintf(text, sizeof(text), "%lld", (long long)id);
    return hub_notify(op, GROUP_CHANNEL, text);
}

static enum fault check_label(struct op *op, const struct container_group_wish *w)
{
    struct db_rows rows;

    if (!w->label)
        return OK;
    TRY(db_query(op, &stmts[LABEL_TAKEN], &rows, DB_TEXT(w->location), DB_TEXT(w->label),
                 DB_TEXT(w->key)));
    if (db_next(&rows))
        return fail_on(op, "label", CONFLICT, "the DNS label \"%s\" is in use in %s", w->label,
                       w->location);
    return OK;
}

static enum fault add_containers(struct op *op, int64_t id, json_t *full)
{
    static const char *const kinds[] = {"initContainers", "containers"};
    int64_t position = 0;

    TRY(db_query(op, &stmts[NO_CONTAINERS], NULL, DB_INT(id)));
    for (int kind = 0; kind < 2; kind++) {
        const json_t *list = json_object_get(json_object_get(full, "properties"), kinds[kind]);

        for (size_t i = 0; i < json_array_size(list); i++)
            TRY(db_query(
                op, &stmts[ADD_CONTAINER], NULL, DB_INT(id), DB_INT(position++),
                DB_TEXT(json_string_value(json_object_get(json_array_get(list, i), "name"))),
                DB_BOOL(kind == 0)));
    }
    return OK;
}

static enum fault insert(struct op *op, const struct container_group_wish *w, struct bytes sealed,
                         int64_t *ret_id)
{
    int64_t public_index = -1, private_index = 0;
    struct db_rows rows;

    if (w->has_public)
        TRY(address_find(op, this_host, RANGE_PUBLIC, &public_index));
    TRY(address_find(op, this_host, RANGE_PRIVATE, &private_index));
    TRY(db_query(op, &stmts[INSERT], &rows, DB_TEXT(w->key), DB_TEXT(w->scope),
                 DB_TEXT(w->subscription), DB_TEXT(w->location), DB_TEXT(w->name),
                 DB_TEXT(w->document), DB_BYTES(sealed), DB_TEXT(this_host), DB_INT(public_index),
                 DB_INT(private_index), DB_TEXT(w->label), DB_TEXT(w->principal),
                 DB_INT(w->cpu_millis)));
    if (!db_next(&rows))
        return fail(op, INTERNAL, "the container group has no row");
    *ret_id = db_int(&rows, "id");
    return OK;
}

/* Does it already run, or become, just this? What has ended is run again. */
static bool is_the_same(struct op *op, const struct container_group *g, const json_t *full)
{
    json_t *now = NULL;

    if (g->wanted != GROUP_WANT_RUNNING || g->provisioning == PROVISIONING_FAILED ||
        (g->state != GROUP_RUNNING && g->state != GROUP_PENDING))
        return false;
    if (container_group_unseal(op, g, &now) == OK)
        return json_equal(now, full);
    op_clear_fault(op);
    return false;
}

static enum fault replace(struct op *op, const struct container_group *g,
                          const struct container_group_wish *w, struct bytes sealed, bool same)
{
    int64_t public_index = w->has_public ? g->public_index : -1;

    if (same)
        return db_query(op, &stmts[RETOUCH], NULL, DB_INT(g->id), DB_TEXT(w->document),
                        DB_BYTES(sealed), DB_TEXT(w->principal));
    if (w->has_public && public_index < 0)
        TRY(address_find(op, g->host, RANGE_PUBLIC, &public_index));
    return db_query(op, &stmts[REPLACE], NULL, DB_INT(g->id), DB_TEXT(w->document),
                    DB_BYTES(sealed), DB_TEXT(w->label), DB_TEXT(w->principal),
                    DB_INT(public_index), DB_INT(w->cpu_millis));
}

static enum fault transitioning(struct op *op, const struct container_group *g)
{
    return fail_on(op, "ContainerGroupTransitioning", CONFLICT,
                   "The container group '%s' is still transitioning, please retry later: it is "
                   "being deleted.",
                   g->name);
}

enum fault container_group_put(struct op *op, const struct container_group_wish *w,
                               struct container_group_written *ret)
{
    struct bytes sealed = seal(op, seal_label(op, w->name), BYTES(w->full));
    struct container_group g = {.generation = 0};
    struct db_rows rows;
    bool same = false;
    json_t *full;

    TRY(json_parse(op, BYTES(w->full), &full));
    TRY(check_label(op, w));
    TRY(db_query(op, &stmts[BY_KEY_LOCKED], &rows, DB_TEXT(w->key)));
    if (db_next(&rows)) {
        g = from_row(&rows);
        if (g.wanted == GROUP_WANT_DELETED)
            return transitioning(op, &g);
        same = is_the_same(op, &g, full);
        TRY(replace(op, &g, w, sealed, same));
    } else {
        TRY(insert(op, w, sealed, &g.id));
    }
    if (!same)
        TRY(add_containers(op, g.id, full));
    *ret = (struct container_group_written){g.id, g.generation + !same, !same};
    return tell_others(op, g.id);
}

enum fault container_group_want(struct op *op, const struct container_group *g,
                                enum group_wanted wanted, bool again,
                                struct container_group_written *ret)
{
    struct db_rows rows;

    *ret = (struct container_group_written){g->id, g->generation, false};
    if (g->wanted == wanted && !again)
        return OK;
    TRY(db_query(op, &stmts[WANT], &rows, DB_INT(g->id), DB_INT(wanted)));
    if (!db_next(&rows))
        return transitioning(op, g);
    ret->generation = db_int(&rows, "generation");
    ret->begins = true;
    return tell_others(op, g->id);
}

enum fault container_group_want_deleted_below(struct op *op, const char *key)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[WANT_BELOW], &rows, DB_TEXT(key)));
    while (db_next(&rows)) {
        int64_t id = db_int(&rows, "id");

        TRY(tell_others(op, id));
        if (strcmp(db_text(&rows, "host"), this_host) == 0)
            container_group_wake_after(id, 10); /* the caller commits first */
    }
    return OK;
}

enum fault container_group_rekey(struct op *op, const char *key, const char *new_scope,
                                 const char *new_key, const char *subscription)
{
    struct container_group g;

    TRY(container_group_get(op, key, &g));
    TRY(db_query(op, &stmts[REKEY], NULL, DB_INT(g.id), DB_TEXT(new_key), DB_TEXT(new_scope),
                 DB_TEXT(subscription)));
    container_group_wake_after(g.id, 1000); /* the caller commits first */
    return tell_others(op, g.id);
}

/* ---- writing what is ---- */

enum fault group_row_save(struct op *op, const struct container_group *g)
{
    TRY(db_query(op, &stmts[SAVE], NULL, DB_INT(g->id), DB_INT(g->observed),
                 DB_INT(g->provisioning), DB_INT(g->state), DB_TEXT(g->fault_code),
                 DB_TEXT(g->fault_text), DB_INT(g->begun_us), DB_INT(g->stopping_us),
                 DB_INT(g->cloned), DB_INT(g->generation)));
    return tell_others(op, g->id);
}

enum fault container_row_save(struct op *op, const struct container_group *g,
                              const struct container_row *row, bool set_ready)
{
    return db_query(op, &stmts[SAVE_CONTAINER], NULL, DB_INT(g->id), DB_INT(row->position),
                    DB_TEXT(row->image), DB_INT(row->starts), DB_INT(row->restarts),
                    DB_INT(row->failures), DB_INT(row->state), DB_TEXT(row->detail),
                    DB_INT(row->exit_code), DB_INT(row->started_us), DB_INT(row->finished_us),
                    DB_INT(row->next_start_us), DB_TEXT(row->previous),
                    DB_INT(set_ready ? row->ready : -1), DB_TEXT(row->last_log));
}

enum fault container_rows_reset(struct op *op, const struct container_group *g)
{
    return db_query(op, &stmts[RESET], NULL, DB_INT(g->id));
}

enum fault group_row_delete(struct op *op, const struct container_group *g)
{
    TRY(db_query(op, &stmts[DELETE_ROW], NULL, DB_INT(g->id)));
    return tell_others(op, g->id);
}

enum fault group_row_again(struct op *op, const struct container_group *g)
{
    return db_query(op, &stmts[AGAIN], NULL, DB_INT(g->id), DB_INT(g->generation));
}

enum fault storage_account_check(struct op *op, const char *account, const char *key)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[BIND_KEY], &rows, DB_TEXT(account), DB_TEXT(secret_hash(op, key))));
    if (db_next(&rows) && secret_verify(db_text(&rows, "key_hash"), key))
        return OK;
    return fail(op, FORBIDDEN,
                "the key for storage account \"%s\" is not the one it was first used with",
                account);
}

enum fault container_set_ready(struct op *op, int64_t group_id, const char *name, int64_t starts,
                               bool ready, bool *ret_changed)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[SET_READY], &rows, DB_INT(group_id), DB_TEXT(name), DB_BOOL(ready),
                 DB_INT(starts)));
    *ret_changed = rows.affected > 0;
    return OK;
}

enum fault group_counts(struct op *op, int64_t by_state[GROUP_STOPPED + 1], int64_t *ret_running)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[COUNT_STATES], &rows, DB_TEXT(this_host)));
    while (db_next(&rows)) {
        int64_t state = db_int(&rows, "state");

        if (state >= 0 && state <= GROUP_STOPPED)
            by_state[state] = db_int(&rows, "n");
    }
    TRY(db_query(op, &stmts[COUNT_RUNNING], &rows, DB_TEXT(this_host)));
    *ret_running = db_next(&rows) ? db_int(&rows, "n") : 0;
    return OK;
}
