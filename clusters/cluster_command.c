/*
 * az aks command invoke: a pod in the cluster, of an image with a shell and kubectl
 * (--command-image), whose service account may do everything, with the client's files in its
 * working folder. It is looked at when its result is asked for, and removed once that is kept.
 */
#include <archive.h>
#include <archive_entry.h>
#include <string.h>
#include <time.h>

#include "clusters/cluster.h"
#include "clusters/cluster_run.h"
#include "clusters/node/node_agent.h"
#include "clusters/rest/rest.h"
#include "core/db.h"
#include "core/json.h"
#include "core/seal.h"
#include "core/server.h"

#define NAMESPACE   "aks-command"
#define ACCOUNT     "command-admin"
#define FILES_MAX   256
#define FILES_BYTES ((size_t)900 << 10) /* what a Secret holds */
#define LOG_BYTES   (512 << 10)
#define DEADLINE_S  3600

enum { INSERT, BY_ID, FINISH };
static const struct db_stmt stmts[] = {
    [INSERT] = {"INSERT INTO clusters.command (id, cluster, command, started_us)"
                " VALUES ($1, $2, $3, $4)"},
    [BY_ID] =
        {"SELECT id, started_us, finished_us, coalesce(exit_code, 0) AS exit_code, logs, reason"
         " FROM clusters.command WHERE id = $1 AND cluster = $2"},
    [FINISH] = {"UPDATE clusters.command SET finished_us = $2, exit_code = $3, logs = $4,"
                " reason = $5 WHERE id = $1 AND finished_us = 0"},
    {0},
};

static const struct actor command_actor = {
    .name = "aksService",
    .groups = (const char *const[]){"system:masters", "system:authenticated", NULL},
    .manager = "aks",
    .trusted = true,
};

void cluster_commands_start(void)
{
    db_register(stmts);
}

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- objects ---- */

static enum fault create(struct op *op, struct cluster *cluster, const char *group,
                         const char *plural, const char *ns, json_t *tree, int64_t *revision)
{
    struct rest r = rest_of(cluster, &command_actor, resource_preferred(group, plural), ns, NULL);
    enum fault fault = rest_create(op, &r, tree, NULL);

    if (fault == CONFLICT) { /* from an earlier command */
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

static enum fault create_account(struct op *op, struct cluster *cluster, int64_t *revision)
{
    json_t *binding = named(op, "rbac.authorization.k8s.io", "clusterrolebindings", NULL, ACCOUNT);

    json_object_set_new(binding, "roleRef",
                        json_pack("{s:s, s:s, s:s}", "apiGroup", "rbac.authorization.k8s.io",
                                  "kind", "ClusterRole", "name", "cluster-admin"));
    json_object_set_new(binding, "subjects",
                        json_pack("[{s:s, s:s, s:s}]", "kind", "ServiceAccount", "name", ACCOUNT,
                                  "namespace", NAMESPACE));
    TRY(create(op, cluster, "", "namespaces", "", named(op, "", "namespaces", NULL, NAMESPACE),
               revision));
    TRY(create(op, cluster, "", "serviceaccounts", NAMESPACE,
               named(op, "", "serviceaccounts", NAMESPACE, ACCOUNT), revision));
    return create(op, cluster, "rbac.authorization.k8s.io", "clusterrolebindings", "", binding,
                  revision);
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
        "restartPolicy", "Never", "serviceAccountName", ACCOUNT, "activeDeadlineSeconds",
        DEADLINE_S, "terminationGracePeriodSeconds", 0, "containers", "name", "command", "image",
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

static const char *pod_name(struct op *op, const char *id)
{
    return arena_printf(&op->arena, "command-%s", id);
}

static enum fault begin(struct op *op, struct cluster *cluster, const char *id, const char *command,
                        struct bytes context)
{
    const char *name = pod_name(op, id);
    int64_t revision = 0;
    json_t *items;

    TRY(create_account(op, cluster, &revision));
    TRY(create_files(op, cluster, name, context, &items, &revision));
    TRY(create(op, cluster, "", "pods", NAMESPACE, pod_of(op, name, command, items), &revision));
    return store_wait(op, cluster->store, revision);
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
    fault = begin(op, cluster, id, command, context);
    cluster_release(cluster);
    TRY(fault);
    *ret_id = id;
    return db_query(op, &stmts[INSERT], NULL, DB_TEXT(id), DB_INT(m->id), DB_TEXT(command),
                    DB_INT(now_us()));
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

static enum fault drop(struct op *op, struct cluster *cluster, const char *plural, const char *name)
{
    struct rest r =
        rest_of(cluster, &command_actor, resource_preferred("", plural), NAMESPACE, name);
    const struct delete_options options = {.grace_s = 0};

    if (rest_delete(op, &r, &options, NULL, NULL) != OK)
        op_clear_fault(op);
    return OK;
}

static enum fault finish(struct op *op, struct cluster *cluster, const char *id, int64_t exit_code,
                         const char *logs, const char *reason)
{
    const char *name = pod_name(op, id);

    TRY(db_query(op, &stmts[FINISH], NULL, DB_TEXT(id), DB_INT(now_us()), DB_INT(exit_code),
                 DB_TEXT(logs), DB_TEXT(reason)));
    TRY(drop(op, cluster, "pods", name));
    return drop(op, cluster, "secrets", name);
}

/* Has it ended? Then its result is kept, and its pod goes. */
static enum fault look(struct op *op, struct cluster *cluster, const char *id)
{
    struct object *pod = store_read(op, cluster->store, resource_find("", "v1", "pods"), NAMESPACE,
                                    pod_name(op, id));
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
