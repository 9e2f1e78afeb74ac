#include "core/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/copy.h"
#include "core/files.h"
#include "core/helper.h"
#include "core/json.h"
#include "core/postgres.h"

static const char *under(struct op *op, const char *folder, const char *name)
{
    return arena_printf(&op->arena, "%s/%s", folder, name);
}

static enum fault copy_extras(struct copy *copy, const char *from, const char *to)
{
    static const char *const files[] = {"admin.json", "sundog.conf"};

    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        if (access(under(copy->op, from, files[i]), F_OK) == 0)
            TRY(copy_file(copy, under(copy->op, from, files[i]), under(copy->op, to, files[i])));
    }
    if (access(under(copy->op, from, "tls"), F_OK) == 0)
        TRY(copy_tree(copy, under(copy->op, from, "tls"), under(copy->op, to, "tls")));
    return OK;
}

static enum fault empty_folder(struct op *op, const char *path)
{
    DIR *dir;
    struct dirent *entry;
    bool empty = true;

    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return fail(op, INVALID, "cannot make %s: %s", path, strerror(errno));
    dir = opendir(path);
    if (!dir)
        return fail(op, INVALID, "cannot read %s: %s", path, strerror(errno));
    while ((entry = readdir(dir)))
        empty = empty && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0);
    closedir(dir);
    return empty ? OK : fail(op, CONFLICT, "%s is not empty", path);
}

/* ---- PostgreSQL's programs ---- */

/* The connection as PGHOST, PGPASSWORD, …: arguments would show a password to everybody. */
static enum fault connection_environment(struct op *op, const char *conninfo, char ***ret)
{
    PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
    size_t n = 0, n_options = 0;
    char **list;

    if (!options)
        return fail(op, INVALID, "--database cannot be understood");
    while (environ[n])
        n++;
    while (options[n_options].keyword)
        n_options++;
    list = arena_alloc(&op->arena, (n + n_options + 1) * sizeof(*list));
    n = 0;
    for (char **e = environ; *e; e++) {
        if (strncmp(*e, "PG", 2) != 0)
            list[n++] = *e;
    }
    for (PQconninfoOption *o = options; o->keyword; o++) {
        if (o->val && o->envvar)
            list[n++] = arena_printf(&op->arena, "%s=%s", o->envvar, o->val);
    }
    PQconninfoFree(options);
    *ret = list;
    return OK;
}

static enum fault run(struct op *op, const char *conninfo, const char *const *argv)
{
    const char *folder, *const *command;
    char **environment = NULL;
    int status, error;
    pid_t pid;

    TRY(postgres_programs(op, NULL, &folder));
    TRY(connection_environment(op, conninfo, &environment));
    command = postgres_command(op, folder, argv);
    error = posix_spawn(&pid, command[0], NULL, NULL, (char *const *)command, environment);
    if (error)
        return fail(op, UNAVAILABLE, "cannot start %s: %s", command[0], strerror(error));
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return fail(op, UNAVAILABLE, "%s failed", argv[0]);
    return OK;
}

static void finish_connection(void *conn)
{
    PQfinish(conn);
}

static enum fault connect_to(struct op *op, const char *conninfo, PGconn **ret)
{
    PGconn *conn = PQconnectdb(conninfo);

    arena_defer(&op->arena, finish_connection, conn);
    if (PQstatus(conn) != CONNECTION_OK)
        return fail(op, UNAVAILABLE, "cannot connect to the database: %s", PQerrorMessage(conn));
    *ret = conn;
    return OK;
}

static enum fault query_text(struct op *op, PGconn *conn, const char *sql, const char **ret)
{
    PGresult *result = PQexec(conn, sql);

    arena_defer(&op->arena, (void (*)(void *))PQclear, result);
    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        return fail(op, UNAVAILABLE, "the database: %s", PQresultErrorMessage(result));
    *ret = PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "";
    return OK;
}

/* The database of a running service, or the embedded one started for the time being. */
static enum fault reach_database(struct op *op, const struct settings *settings,
                                 const char **ret_conninfo, PGconn **ret_conn)
{
    int lock;

    *ret_conninfo =
        settings->database ? settings->database : postgres_conninfo(&op->arena, settings->data);
    if (settings->database)
        return connect_to(op, *ret_conninfo, ret_conn);
    if (connect_to(op, *ret_conninfo, ret_conn) == OK)
        return OK;
    if (access(under(op, settings->data, "postgres"), F_OK) < 0)
        return fail(op, NOT_FOUND, "there is no Sundog in %s", settings->data);
    lock = open(under(op, settings->data, "lock"), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) < 0) /* kept until we end */
        return fail(op, UNAVAILABLE, "%s: a service runs, but its database does not answer",
                    settings->data);
    op_clear_fault(op);
    TRY(helper_start(op, settings));
    TRY(helper_postgres_start(op, ret_conninfo));
    return connect_to(op, *ret_conninfo, ret_conn);
}

/* ---- backup.json ---- */

static enum fault write_manifest(struct op *op, const char *out, const struct copy *blobs,
                                 const char *migrations)
{
    const char *path = under(op, out, "backup.json");
    struct stat dump;
    FILE *file;

    if (stat(under(op, out, "database.dump"), &dump) < 0)
        return fail(op, UNAVAILABLE, "the dump is missing in %s", out);
    file = fopen(path, "wxe");
    if (!file)
        return fail(op, UNAVAILABLE, "cannot write %s: %s", path, strerror(errno));
    fprintf(file,
            "{\"program\":\"sundog\",\"version\":\"%s\",\"created\":%lld,\"databaseBytes\":%lld,"
            "\"migrations\":%s,\"blobs\":%lld,\"blobBytes\":%lld}\n",
            SUNDOG_VERSION, (long long)wall_s(), (long long)dump.st_size, migrations,
            (long long)blobs->files, (long long)blobs->bytes);
    if (fflush(file) != 0 || fsync(fileno(file)) < 0 || fclose(file) != 0)
        return fail(op, UNAVAILABLE, "cannot write %s: %s", path, strerror(errno));
    return folder_sync(op, out);
}

struct manifest {
    const char *program, *version;
    int64_t created, database_bytes, migrations, blobs, blob_bytes;
};
static const struct json_field manifest_json[] = {
    TEXT(manifest, program, "program", 1, 64, REQUIRED),
    TEXT(manifest, version, "version", 1, 64, REQUIRED),
    INT(manifest, created, "created", 0, INT64_MAX, REQUIRED),
    INT(manifest, database_bytes, "databaseBytes", 0, INT64_MAX, REQUIRED),
    INT(manifest, migrations, "migrations", 0, INT64_MAX, REQUIRED),
    INT(manifest, blobs, "blobs", 0, INT64_MAX, REQUIRED),
    INT(manifest, blob_bytes, "blobBytes", 0, INT64_MAX, REQUIRED),
    {0},
};

static enum fault read_manifest(struct op *op, const char *from, struct manifest *ret)
{
    const char *path = under(op, from, "backup.json");
    FILE *file = fopen(path, "re");
    char *text = arena_alloc(&op->arena, 65536);
    json_t *root;
    size_t n;

    if (!file)
        return fail(op, NOT_FOUND, "%s is not a complete backup: it has no backup.json", from);
    n = fread(text, 1, 65535, file);
    fclose(file);
    TRY(json_parse(op, (struct bytes){text, n}, &root));
    *ret = (struct manifest){0};
    return json_read(op, manifest_json, root, ret);
}

/* ---- the commands ---- */

static enum fault backup(struct op *op, const struct settings *settings, const char *out)
{
    const char *dump = under(op, out, "database.dump"), *conninfo, *nothing, *migrations = NULL;
    const char *const pg_dump[] = {"pg_dump", "-Fc", "-N", "saved:*", "-f", dump, NULL};
    struct copy blobs = {.op = op, .link = true, .said_ms = now_ms()};
    struct copy extras = {.op = op, .said_ms = blobs.said_ms};
    PGconn *conn;

    TRY(empty_folder(op, out));
    TRY(reach_database(op, settings, &conninfo, &conn));
    TRY(query_text(op, conn, "SELECT pg_advisory_lock_shared(" BACKUP_LOCK_SQL ")", &nothing));
    TRY(query_text(op, conn, "SELECT count(*) FROM core.migration", &migrations));
    fprintf(stderr, "sundog: dumping the database\n");
    TRY(run(op, conninfo, pg_dump));
    {
        AUTO_CLOSE int fd = open(dump, O_RDONLY | O_CLOEXEC);

        if (fd < 0 || fsync(fd) < 0)
            return fail(op, UNAVAILABLE, "cannot sync %s: %s", dump, strerror(errno));
    }
    fprintf(stderr, "sundog: copying blobs\n");
    TRY(copy_blobs(&blobs, settings->blobs, under(op, out, "blobs")));
    TRY(copy_file(&extras, settings->secret_key, under(op, out, "secret.key")));
    TRY(copy_extras(&extras, settings->data, out));
    TRY(write_manifest(op, out, &blobs, migrations));
    fprintf(stderr, "sundog: %lld blobs, %lld MiB are in %s\n", (long long)blobs.files,
            (long long)(blobs.bytes >> 20), out);
    return OK;
}

/* The target is the embedded database of a new folder, or an empty one of yours. */
static enum fault restore_database(struct op *op, const struct settings *settings, const char *from,
                                   const struct manifest *manifest)
{
    const char *conninfo = settings->database, *text;
    const char *argv[] = {"pg_restore",
                          "--no-owner",
                          "--exit-on-error",
                          "--single-transaction",
                          "-d",
                          NULL,
                          under(op, from, "database.dump"),
                          NULL};
    PGconn *conn;

    if (!conninfo)
        TRY(helper_postgres_start(op, &conninfo));
    TRY(connect_to(op, conninfo, &conn));
    TRY(query_text(op, conn, "SELECT to_regclass('core.migration') IS NULL", &text));
    if (*text != 't')
        return fail(op, CONFLICT, "the database is not empty: it has a Sundog's tables");
    argv[5] = PQdb(conn); /* it wants the name; the rest is in the environment */
    TRY(run(op, conninfo, argv));
    TRY(query_text(op, conn, "SELECT count(*) FROM core.migration", &text));
    if (strtoll(text, NULL, 10) != manifest->migrations)
        return fail(op, INTERNAL, "the restored database is not what was dumped");
    return OK;
}

static enum fault restore(struct op *op, const struct settings *settings, const char *from)
{
    struct copy blobs = {.op = op, .said_ms = now_ms()}, extras;
    struct manifest manifest;
    struct stat st;

    TRY(read_manifest(op, from, &manifest));
    if (access(settings->data, F_OK) == 0)
        TRY(empty_folder(op, settings->data));
    TRY(helper_start(op, settings));
    if (stat(settings->data, &st) < 0)
        return fail(op, UNAVAILABLE, "cannot look at %s: %s", settings->data, strerror(errno));
    blobs.give = geteuid() == 0;
    blobs.uid = st.st_uid;
    blobs.gid = st.st_gid;
    extras = blobs;
    TRY(restore_database(op, settings, from, &manifest));
    TRY(copy_blobs(&blobs, under(op, from, "blobs"), settings->blobs));
    TRY(copy_file(&extras, under(op, from, "secret.key"), settings->secret_key));
    TRY(copy_extras(&extras, from, settings->data));
    if (blobs.files != manifest.blobs || blobs.bytes != manifest.blob_bytes)
        return fail(op, INVALID, "%lld blobs of %lld bytes were backed up, %lld of %lld are there",
                    (long long)manifest.blobs, (long long)manifest.blob_bytes,
                    (long long)blobs.files, (long long)blobs.bytes);
    fprintf(stderr, "sundog: %lld blobs and the database are restored to %s\n",
            (long long)blobs.files, settings->data);
    return OK;
}

static int run_command(struct settings *settings,
                       enum fault (*command)(struct op *, const struct settings *, const char *),
                       const char *usage)
{
    struct op op;
    enum fault fault;

    op_init(&op);
    if (!settings_args[0] || settings_args[1])
        fault = fail(&op, INVALID, "usage: sundog %s", usage);
    else
        fault = command(&op, settings, settings_args[0]);
    if (fault != OK)
        fprintf(stderr, "sundog: %s\n", op.message);
    op_free(&op);
    helper_stop();
    return fault == OK ? 0 : 1;
}

int backup_run(struct settings *settings)
{
    return run_command(settings, backup, "backup OUTDIR [--data DIR]");
}

int restore_run(struct settings *settings)
{
    return run_command(settings, restore, "restore OUTDIR --data NEWDIR");
}
