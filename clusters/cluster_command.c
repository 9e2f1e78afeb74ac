/*
 * az aks command invoke: a pod in the cluster, of an image with a shell and kubectl
 * (--command-image), with the client's files in its working folder, and a service account of its
 * own that may do everything. All of them have one name. Once the command has ended they go,
 * whether anybody asks for its result or not: first its right, and no result is told before that
 * is gone; its pod when the result is kept. The result goes an hour later.
 *
 *~ The row comes first and says what may be there: objects of a command whose row is not there, or
 *~ has a result, are swept away, also those that a crash left.
 */
#include <archive.h>
#include <archive_entry.h>
#include <string.h>

#include "clusters/cluster.h"
#include "clusters/cluster_run.h"
#include "clusters/node/node_agent.h"
#include "clusters/rest/rest.h"
#include "core/db.h"
#include "core/json.h"
#include "core/log.h"
#include "core/reconcile.h"
#include "core/seal.h"
#include "core/server.h"

#define NAMESPACE   "aks-command"
#define RBAC        "rbac.authorization.k8s.io"
#define PREFIX      "command-" /* and the id */
#define FILES_MAX   256
#define FILES_BYTES ((size_t)900 << 10) /* what a Secret holds */
#define LOG_BYTES   (512 << 10)
#define DEADLINE_S  3600
#define RESULT_US   (INT64_C(3600) * 1000000)
#define BEGIN_US    (INT64_C(60) * 1000000) /* a row without a pod: it is being made */
#define LATE_US     (INT64_C(1000000) * (DEADLINE_S + 300))
#define LOOK_MS     2000
#define RESULTS     "results" /* a key that is no cluster's */

enum { INSERT, BY_ID, FINISH, FORGET, RUNNING, EXPIRE, OLDEST };
static const struct db_stmt stmts[] = {
    [INSERT] = {"INSERT INTO clusters.command (id, cluster, command, started_us)"
                " VALUES ($1, $2, $3, $4)"},
    [BY_ID] =
        {"SELECT id, started_us, finished_us, coalesce(exit_code, 0) AS exit_code, logs, reason"
         " FROM clusters.command WHERE id = $1 AND cluster = $2"},
    [FINISH] = {"UPDATE clusters.command SET finished_us = $2, exit_code = $3, logs = $4,"
                " reason = $5 WHERE id = $1 AND finished_us = 0"},
    [FORGET] = {"DELETE FROM clusters.command WHERE id = $1"},
    [RUNNING] = {"SELECT id, started_us FROM clusters.command WHERE cluster = $1"
                 " AND finished_us = 0"},
    [EXPIRE] = {"DELETE FROM clusters.command WHERE finished_us > 0 AND finished_us <= $1"},
    [OLDEST] = {"SELECT coalesce(min(finished_us), 0) AS finished_us FROM clusters.command"
                " WHERE finished_us > 0"},
    {0},
};

static struct reconciler *looks; /* keys: clusters with commands, by uid; RESULTS */

static const struct actor command_actor = {
    .name = "aksService",
    .groups = (const char *const[]){"system:masters", "system:authenticated", NULL},
    .manager = "aks",
    .trusted = true,
};

/* ---- objects ---- */

static enum fault create(struct op *op, struct cluster *cluster, const char *group,
                         const char *plural, const char *ns, json_t *tree, int64_t *revision)
{
    struct rest r = rest_of(cluster, &command_actor, resource_preferred(group, plural), ns, NULL);
    enum fault fault = rest_create(op, &r, tree, NULL);

    if (fault == CONFLICT) { /* the namespace, from an earlier command */
        op_clear_fault(op);
        return OK;
    }
    if (r.revision > *revision)
        *revision = r.revision;
    return fault;
}

static json_t *named(struct op *op, const char *group, const char *plural, const char *ns,
                     const char *name)
{
    return object_new(op, resource_preferred(group, plural), ns, name);
}

static enum fault create_account(struct op *op, struct cluster *cluster, const char *name,
                                 int64_t *revision)
{
    json_t *binding = named(op, RBAC, "clusterrolebindings", NULL, name);

    json_object_set_new(binding, "roleRef",
                        json_pack("{s:s, s:s, s:s}", "apiGroup", RBAC, "kind", "ClusterRole",
                                  "name", "cluster-admin"));
    json_object_set_new(binding, "subjects",
                        json_pack("[{s:s, s:s, s:s}]", "kind", "ServiceAccount", "name", name,
                                  "namespace", NAMESPACE));
    TRY(create(op, cluster, "", "namespaces", "", named(op, "", "namespaces", NULL, NAMESPACE),
               revision));
    TRY(create(op, cluster, "", "serviceaccounts", NAMESPACE,
               named(op, "", "serviceaccounts", NAMESPACE, name), revision));
    return create(op, cluster, RBAC, "clusterrolebindings", "", binding, revision);
}

/* ---- the client's files ---- */

struct files {
    json_t *data, *items; /* of the Secret; of its volume */
    size_t n, bytes;
};

static enum fault add_file(struct op *op, struct archive *zip, const char *path, int64_t size,
                           struct files *files)
{
    const char *key = arena_printf(&op->arena, "f%zu", files->n);
    char *content;

    if (size < 0 || files->n == FILES_MAX || files->bytes + (size_t)size > FILES_BYTES)
        return fail_on(op, "InvalidParameter", INVALID,
                       "the command's files are too many or too large");
    if (*path == '/' || strstr(path, ".."))
        return fail_on(op, "InvalidParameter", INVALID, "the file name \"%.100s\" is not allowed",
                       path);
    content = arena_alloc(&op->arena, (size_t)size + 1);
    if (archive_read_data(zip, content, (size_t)size) != (la_ssize_t)size)
        return fail_on(op, "InvalidParameter", INVALID, "the command's ZIP file is damaged");
    files->bytes += (size_t)size;
    files->n++;
    json_object_set_new(
        files->data, key,
        json_string(base64_encode(&op->arena, (struct bytes){content, (size_t)size}, false)));
    json_array_append_new(files->items,
                          json_pack("{s:s, s:s, s:i}", "key", key, "path", path, "mode", 0755));
    return OK;
}

static enum fault unzip(struct op *op, struct bytes context, struct files *files)
{
    struct archive *zip = archive_read_new();
    struct archive_entry *entry;
    enum fault fault = OK;

    archive_read_support_format_zip(zip);
    if (archive_read_open_memory(zip, context.data, context.len) != ARCHIVE_OK)
        fault = fail_on(op, "InvalidParameter", INVALID, "the command's context is no ZIP file");
    while (fault == OK && archive_read_next_header(zip, &entry) == ARCHIVE_OK)
        if (archive_entry_filetype(entry) == AE_IFREG && archive_entry_pathname_utf8(entry))
            fault = add_file(op, zip, archive_entry_pathname_utf8(entry), archive_entry_size(entry),
                             files);
    archive_read_free(zip);
    return fault;
}

static void release(void *tree)
{
    json_decref(tree);
}

static enum fault create_files(struct op *op, struct cluster *cluster, const char *name,
                               struct bytes context, json_t **ret_items, int64_t *revision)
{
    struct files files = {.data = json_object(), .items = json_array()};
    json_t *secret;

    arena_defer(&op->arena, release, files.data);
    arena_defer(&op->arena, release, files.items);
    *ret_items = NULL;
    if (!context.len)
        return OK;
    TRY(unzip(op, context, &files));
    if (!files.n)
        return OK;
    secret = named(op, "", "secrets", NAMESPACE, name);
    json_object_set(secret, "data", files.data);
    *ret_items = files.items;
    return create(op, cluster, "", "secrets", NAMESPACE, secret, revision);
}

/* ---- the pod ---- */

static json_t *pod_of(struct op *op, const char *name, const char *command, json_t *items)
{
    json_t *pod = named(op, "", "pods", NAMESPACE, name);
    json_t *spec = json_pack(
        "{s:s, s:s, s:i, s:i, s:[{s:s, s:s, s:[s, s, s], s:s,"
        " s:[{s:s, s:s}]}]}",
        "restartPolicy", "Never", "serviceAccountName", name, "activeDeadlineSeconds", DEADLINE_S,
        "terminationGracePeriodSeconds", 0, "containers", "name", "command", "image",
        server_settings->command_image, "command", "/bin/sh", "-c", command, "workingDir",
        "/command-files", "volumeMounts", "name", "files", "mountPath", "/command-files");
    json_t *volume = json_pack("{s:s}", "name", "files");

    json_object_set_new(volume, items ? "secret" : "emptyDir",
                        items ? json_pack("{s:s, s:O}", "secretName", name, "items", items)
                              : json_object());
    json_array_append_new(array_at(spec, "volumes"), volume);
    json_object_set_new(pod, "spec", spec);
    return pod;
}

static const char *name_of(struct op *op, const char *id)
{
    return arena_printf(&op->arena, PREFIX "%s", id);
}

static enum fault begin(struct op *op, struct cluster *cluster, const char *id, const char *command,
                        struct bytes context)
{
    const char *name = name_of(op, id);
    int64_t revision = 0;
    json_t *items;

    TRY(create_account(op, cluster, name, &revision));
    TRY(create_files(op, cluster, name, context, &items, &revision));
    TRY(create(op, cluster, "", "pods", NAMESPACE, pod_of(op, name, command, items), &revision));
    return store_wait(op, cluster->store, revision);
}

/* With an op of its own: the caller's has a fault to tell. What was made is swept away. */
static void forget(struct op *op, const char *id)
{
    struct op own;

    op_init(&own);
    own.db = op->db;
    db_query(&own, &stmts[FORGET], NULL, DB_TEXT(id));
    op_free(&own);
}

static enum fault start(struct op *op, struct cluster *cluster, const char *id, const char *command,
                        struct bytes context)
{
    enum fault fault;

    TRY(db_query(op, &stmts[INSERT], NULL, DB_TEXT(id), DB_INT(cluster->row), DB_TEXT(command),
                 DB_INT(wall_us())));
    fault = begin(op, cluster, id, command, context);
    if (fault != OK)
        forget(op, id);
    reconciler_add_after(looks, cluster->id, fault == OK ? LOOK_MS : 0);
    return fault;
}

enum fault cluster_command_start(struct op *op, const struct managed_cluster *m,
                                 const char *command, struct bytes context, const char **ret_id)
{
    const char *id = random_hex(op, 16);
    struct cluster *cluster;
    enum fault fault;

    if (!server_settings->command_image)
        return fail_on(op, "NotSupported", UNSUPPORTED,
                       "this Sundog has no image to run commands in: push one with sh and kubectl"
                       " and name it with --command-image");
    cluster = cluster_find(m->uid);
    if (!cluster)
        return fail_on(op, "OperationNotAllowed", CONFLICT,
                       "the managed cluster '%s' does not run here", m->name);
    fault = start(op, cluster, id, command, context);
    cluster_release(cluster);
    TRY(fault);
    *ret_id = id;
    return OK;
}

/* ---- the result ---- */

static const char *read_log(struct op *op, struct cluster *cluster, struct object *pod)
{
    const struct pod_log_options options = {
        .tail = -1, .since_s = -1, .since_us = -1, .limit_bytes = LOG_BYTES};
    struct text raw, clean;
    struct pod_log *log;
    char chunk[16384];
    int64_t n;

    text_init(&raw, &op->arena, LOG_BYTES + 1024);
    if (pod_log_open(op, cluster, pod, NULL, &options, &log) != OK) {
        op_clear_fault(op);
        return "";
    }
    while ((n = pod_log_read(op, log, chunk, sizeof(chunk))) > 0)
        text_add(&raw, chunk, (size_t)n);
    pod_log_close(log);
    text_init(&clean, &op->arena, 4 * LOG_BYTES);
    utf8_clean(&clean, text_bytes(&raw));
    return clean.data;
}

/* OK: everybody sees that it is gone. */
static enum fault drop(struct op *op, struct cluster *cluster, const struct resource *resource,
                       const char *ns, const char *name)
{
    struct rest r = rest_of(cluster, &command_actor, resource, ns, name);
    const struct delete_options options = {.grace_s = 0};
    enum fault fault = rest_delete(op, &r, &options, NULL, NULL);

    if (fault == NOT_FOUND) {
        op_clear_fault(op);
        return OK;
    }
    TRY(fault);
    return store_wait(op, cluster->store, r.revision);
}

/* What a command consists of; its right goes first, and its pod, which knows how it ended, last. */
static const struct {
    const char *group, *plural, *ns;
} parts[] = {
    {RBAC, "clusterrolebindings", ""       },
    {"",   "serviceaccounts",     NAMESPACE},
    {"",   "secrets",             NAMESPACE},
    {"",   "pods",                NAMESPACE},
};
#define POD_PART (ARRAY_LEN(parts) - 1)

static enum fault drop_part(struct op *op, struct cluster *cluster, size_t i, const char *id)
{
    return drop(op, cluster, resource_preferred(parts[i].group, parts[i].plural), parts[i].ns,
                name_of(op, id));
}

static enum fault finish(struct op *op, struct cluster *cluster, const char *id, int64_t exit_code,
                         const char *logs, const char *reason)
{
    for (size_t i = 0; i < POD_PART; i++)
        TRY(drop_part(op, cluster, i, id));
    TRY(db_query(op, &stmts[FINISH], NULL, DB_TEXT(id), DB_INT(wall_us()), DB_INT(exit_code),
                 DB_TEXT(logs), DB_TEXT(reason)));
    if (drop_part(op, cluster, POD_PART, id) != OK)
        op_clear_fault(op); /* it is swept away later */
    reconciler_add(looks, RESULTS);
    return OK;
}

/* Has it ended? Then its result is kept, and its pod goes. */
static enum fault look(struct op *op, struct cluster *cluster, const char *id)
{
    struct object *pod =
        store_read(op, cluster->store, resource_find("", "v1", "pods"), NAMESPACE, name_of(op, id));
    const char *phase, *waiting;
    const json_t *status;

    if (!pod)
        return finish(op, cluster, id, -1, "", "the command's pod was removed");
    phase = text_at_or(object_tree(pod), "status.phase", "Pending");
    status = json_array_get(at(object_tree(pod), "status.containerStatuses"), 0);
    waiting = text_at_or(status, "state.waiting.reason", "");
    if (strcmp(waiting, "ImagePullBackOff") == 0)
        return finish(op, cluster, id, -1, "",
                      arena_printf(&op->arena, "the image of commands cannot be pulled: %s",
                                   text_at_or(status, "state.waiting.message", "")));
    if (strcmp(phase, "Succeeded") != 0 && strcmp(phase, "Failed") != 0)
        return OK;
    return finish(op, cluster, id, int_at(status, "state.terminated.exitCode", -1),
                  read_log(op, cluster, pod), NULL);
}

static enum fault read_row(struct op *op, const struct managed_cluster *m, const char *id,
                           struct cluster_command *ret)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[BY_ID], &rows, DB_TEXT(id), DB_INT(m->id)));
    if (!db_next(&rows))
        return fail_on(op, "NotFound", NOT_FOUND, "there is no such command");
    *ret = (struct cluster_command){
        .id = db_text(&rows, "id"),
        .started_us = db_int(&rows, "started_us"),
        .finished_us = db_int(&rows, "finished_us"),
        .exit_code = db_int(&rows, "exit_code"),
        .logs = db_text(&rows, "logs"),
        .reason = db_text(&rows, "reason"),
    };
    return OK;
}

enum fault cluster_command_get(struct op *op, const struct managed_cluster *m, const char *id,
                               struct cluster_command *ret)
{
    struct cluster *cluster;
    enum fault fault;

    TRY(read_row(op, m, id, ret));
    if (ret->finished_us)
        return OK;
    cluster = cluster_find(m->uid);
    if (!cluster)
        return OK;
    fault = look(op, cluster, id);
    cluster_release(cluster);
    TRY(fault);
    return read_row(op, m, id, ret);
}

/* ---- what nobody asks for ---- */

struct leftover {
    const struct resource *resource;
    const char *ns, *name;
};

/* Others may bind what they like to whom they like. */
static bool is_ours(const struct object *object)
{
    const json_t *subject;

    if (strncmp(object->name, PREFIX, strlen(PREFIX)) != 0)
        return false;
    if (*object->ns)
        return true;
    subject = json_array_get(at(object_tree((struct object *)(uintptr_t)object), "subjects"), 0);
    return strcmp(text_at_or(subject, "namespace", ""), NAMESPACE) == 0 &&
           strcmp(text_at_or(subject, "name", ""), object->name) == 0;
}

static enum fault list_parts(struct op *op, struct cluster *cluster, struct leftover **ret,
                             size_t *ret_n)
{
    struct store_page pages[ARRAY_LEN(parts)];
    struct leftover *list;
    size_t room = 0, n = 0;

    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        TRY(store_list(op, cluster->store, resource_preferred(parts[i].group, parts[i].plural),
                       *parts[i].ns ? parts[i].ns : NULL, NULL, NULL, 0, 0, &pages[i]));
        room += pages[i].n;
    }
    list = arena_alloc(&op->arena, (room + 1) * sizeof(*list));
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        for (size_t k = 0; k < pages[i].n; k++) {
            const struct object *object = pages[i].objects[k];

            if (is_ours(object) && !object->deleting)
                list[n++] = (struct leftover){object->resource, object->ns, object->name};
        }
    *ret = list;
    *ret_n = n;
    return OK;
}

static enum fault look_unasked(struct op *op, struct cluster *cluster, const char *id,
                               int64_t started_us)
{
    const struct object *pod =
        store_read(op, cluster->store, resource_find("", "v1", "pods"), NAMESPACE, name_of(op, id));

    if (!pod && wall_us() - started_us < BEGIN_US)
        return OK;
    if (wall_us() - started_us > LATE_US) /* its deadline counts from when it was placed */
        return finish(op, cluster, id, -1, "", "the command did not end within an hour");
    return look(op, cluster, id);
}

/* With an op of its own: what one prints is not kept for the next, nor does its fault stop that. */
static void look_alone(struct op *op, struct cluster *cluster, const char *id, int64_t started_us)
{
    struct op own;

    op_init(&own);
    own.db = op->db;
    if (look_unasked(&own, cluster, id, started_us) != OK)
        log_event(LOG_WARN_, "a command will be looked at again", "cluster=%s command=%s reason=%s",
                  cluster->id, id, log_quote(&own.arena, own.message ? own.message : ""));
    op_free(&own);
}

/* Objects are listed before rows: one that comes meanwhile is on neither list. */
static enum fault sweep(struct op *op, struct cluster *cluster, int64_t *ret_again_ms)
{
    struct leftover *list;
    struct db_rows rows;
    size_t n;

    TRY(list_parts(op, cluster, &list, &n));
    TRY(db_query(op, &stmts[RUNNING], &rows, DB_INT(cluster->row)));
    while (db_next(&rows)) {
        const char *id = db_text(&rows, "id");

        for (size_t i = 0; i < n; i++)
            if (list[i].name && strcmp(list[i].name + strlen(PREFIX), id) == 0)
                list[i].name = NULL;
        look_alone(op, cluster, id, db_int(&rows, "started_us"));
        *ret_again_ms = LOOK_MS;
    }
    for (size_t i = 0; i < n; i++)
        if (list[i].name) {
            if (drop(op, cluster, list[i].resource, list[i].ns, list[i].name) != OK)
                op_clear_fault(op);
            *ret_again_ms = LOOK_MS;
        }
    return OK;
}

static enum fault expire(struct op *op, int64_t *ret_again_ms)
{
    int64_t before_us = wall_us() - RESULT_US, oldest_us;
    struct db_rows rows;

    TRY(db_query(op, &stmts[EXPIRE], NULL, DB_INT(before_us)));
    TRY(db_query(op, &stmts[OLDEST], &rows, DB_END));
    oldest_us = db_next(&rows) ? db_int(&rows, "finished_us") : 0;
    if (oldest_us)
        *ret_again_ms = (oldest_us - before_us) / 1000 + 1;
    return OK;
}

static enum fault step(struct op *op, const char *key, int64_t *ret_again_ms)
{
    struct cluster *cluster;
    enum fault fault;

    if (strcmp(key, RESULTS) == 0)
        return expire(op, ret_again_ms);
    cluster = cluster_find(key);
    if (!cluster)
        return OK; /* opened again, it is looked at again */
    fault = sweep(op, cluster, ret_again_ms);
    cluster_release(cluster);
    return fault;
}

void cluster_commands_look(const char *uid)
{
    reconciler_add(looks, uid);
}

void cluster_commands_start(void)
{
    db_register(stmts);
    looks = reconciler_new("commands", 1, step);
    reconciler_add(looks, RESULTS);
}

void cluster_commands_stop(void)
{
    reconciler_free(looks);
    looks = NULL;
}
