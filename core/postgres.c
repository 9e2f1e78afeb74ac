#include "core/postgres.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/files.h"

#define START_TIMEOUT_MS  60000 /* crash recovery replays at most max_wal_size */
#define STOP_TIMEOUT_MS   30000
#define LINGER_TIMEOUT_MS 5000
#define BACK_OFF_MIN_MS   100
#define BACK_OFF_MAX_MS   5000
#define LOG_MAX_BYTES     (10 << 20)

/* ---- where things are ---- */

static long version_number(const char *name)
{
    char *end;
    long version = strtol(name, &end, 10);

    return end == name || *end ? -1 : version;
}

static bool has_programs(const char *folder)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/initdb", folder);
    return access(path, X_OK) == 0;
}

/* Debian's layout: one folder a version. wanted < 0: the newest. */
static const char *search_versions(struct op *op, long wanted)
{
    DIR *dir = opendir("/usr/lib/postgresql");
    const char *best = NULL;
    long best_version = 0;
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        long version = version_number(entry->d_name);
        const char *folder;

        if (version < 13 || version <= best_version || (wanted >= 0 && version != wanted))
            continue;
        folder = arena_printf(&op->arena, "/usr/lib/postgresql/%ld/bin", version);
        if (has_programs(folder)) {
            best = folder;
            best_version = version;
        }
    }
    if (dir)
        closedir(dir);
    return best;
}

static long data_version(struct op *op, const char *data)
{
    const char *path = arena_printf(&op->arena, "%s/PG_VERSION", data);
    FILE *in = fopen(path, "re");
    char line[32] = "";

    if (!in)
        return -1;
    if (!fgets(line, sizeof(line), in))
        line[0] = '\0';
    fclose(in);
    line[strcspn(line, "\n")] = '\0';
    return version_number(line);
}

enum fault postgres_programs(struct op *op, const char *data, const char **ret_folder)
{
    static const char *const others[] = {"/usr/local/pgsql/bin", "/usr/local/bin", "/usr/bin"};
    long wanted = data ? data_version(op, data) : -1;
    const char *folder = search_versions(op, wanted);

    for (size_t i = 0; !folder && wanted < 0 && i < ARRAY_LEN(others); i++) {
        if (has_programs(others[i]))
            folder = others[i];
    }
    if (!folder && wanted >= 0)
        return fail(op, NOT_FOUND,
                    "%s was made by PostgreSQL %ld, which is not installed: apt-get install "
                    "postgresql-%ld",
                    data, wanted, wanted);
    if (!folder)
        return fail(op, NOT_FOUND, "PostgreSQL is not installed: apt-get install postgresql");
    *ret_folder = folder;
    return OK;
}

const char *postgres_conninfo(struct arena *arena, const char *dir)
{
    char *quoted = arena_alloc(arena, strlen(dir) * 2 + 1), *out = quoted;

    for (const char *c = dir; *c; c++) {
        if (*c == '\'' || *c == '\\')
            *out++ = '\\';
        *out++ = *c;
    }
    return arena_printf(arena, "host='%s/postgres-socket' port=5432 user=sundog dbname=sundog",
                        quoted);
}

/* ---- running programs as the server's user ---- */

static void drop_to_server_user(const struct postgres *pg)
{
    if (geteuid() == 0 && (setgroups(1, &pg->gid) < 0 || setresgid(pg->gid, pg->gid, pg->gid) < 0 ||
                           setresuid(pg->uid, pg->uid, pg->uid) < 0))
        _exit(126);
}

/* Our secrets and the caller's PGDATA, PGPORT, … are nothing for the server. */
static char **server_environment(struct arena *arena)
{
    size_t n = 0;
    char **kept;

    while (environ[n])
        n++;
    kept = arena_alloc(arena, (n + 2) * sizeof(*kept));
    n = 0;
    for (char **e = environ; *e; e++) {
        if (strncmp(*e, "PG", 2) != 0 && strncmp(*e, "SUNDOG_ADMIN", 12) != 0 &&
            strncmp(*e, "SUNDOG_DATABASE", 15) != 0)
            kept[n++] = *e;
    }
    return kept;
}

/* Keeps the log from growing for ever: one old one is kept. */
static int open_log(const struct postgres *pg)
{
    char old[512];
    struct stat st;

    snprintf(old, sizeof(old), "%s.1", pg->log);
    if (stat(pg->log, &st) == 0 && st.st_size > LOG_MAX_BYTES && rename(pg->log, old) < 0)
        return -1;
    return open(pg->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
}

const char *const *postgres_command(struct op *op, const char *programs, const char *const *argv)
{
    const char **command;
    size_t n = 0;

    while (argv[n])
        n++;
    command = arena_alloc(&op->arena, (n + 1) * sizeof(*command));
    memcpy(command, argv, (n + 1) * sizeof(*command));
    if (!strchr(argv[0], '/'))
        command[0] = arena_printf(&op->arena, "%s/%s", programs, argv[0]);
    return command;
}

/* input: a file its standard input comes from. Returns its process id, or -1. */
static pid_t spawn(struct op *op, const struct postgres *pg, const char *const *argv,
                   const char *input)
{
    char **environment = server_environment(&op->arena);
    const char *const *command = postgres_command(op, pg->programs, argv);
    AUTO_CLOSE int log = open_log(pg);
    AUTO_CLOSE int in = open(input, O_RDONLY | O_CLOEXEC);
    pid_t pid;

    if (log < 0 || in < 0)
        return -1;
    pid = fork();
    if (pid != 0)
        return pid;
    setsid(); /* no terminal's Ctrl-C, and it lives on when we die */
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    umask(077);
    if (dup2(in, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0 || chdir(pg->dir) < 0)
        _exit(126);
    drop_to_server_user(pg);
    execve(command[0], (char *const *)command, environment);
    _exit(127);
}

static enum fault run(struct op *op, const struct postgres *pg, const char *const *argv,
                      const char *input)
{
    pid_t pid = spawn(op, pg, argv, input);
    int status;

    if (pid < 0)
        return fail(op, UNAVAILABLE, "cannot start %s: %s", argv[0], strerror(errno));
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return fail(op, UNAVAILABLE, "%s failed: see %s", argv[0], pg->log);
    return OK;
}

/* ---- a new data folder ---- */

static enum fault sync_path(struct op *op, const char *path)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) < 0)
        return fail(op, UNAVAILABLE, "cannot sync %s: %s", path, strerror(errno));
    return OK;
}

static enum fault write_file(struct op *op, const struct postgres *pg, const char *path,
                             const char *text)
{
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || fsync(fd) < 0)
        return fail(op, UNAVAILABLE, "cannot write %s: %s", path, strerror(errno));
    if (geteuid() == 0 && fchown(fd, pg->uid, pg->gid) < 0)
        return fail(op, UNAVAILABLE, "cannot give %s away: %s", path, strerror(errno));
    return OK;
}

/* Sundog is an ordinary role: what it is told by the network cannot become the server's user. */
static enum fault write_access_rules(struct op *op, const struct postgres *pg, const char *data)
{
    const char *rules = geteuid() == 0 ? "local sundog sundog trust\nlocal all postgres peer\n"
                                       : "local all all trust\n";

    return write_file(op, pg, arena_printf(&op->arena, "%s/pg_hba.conf", data), rules);
}

/* What follows is done with the rights of PostgreSQL's user only: DIR is the server's, who might
   put something else where we write or remove. */
static void act_as_owner(const struct postgres *pg, bool on)
{
    if (geteuid() != 0)
        return;
    if (on)
        setfsgid(pg->gid);
    setfsuid(on ? pg->uid : 0);
    if (!on)
        setfsgid(getegid());
}

static enum fault make_fresh(struct op *op, const struct postgres *pg, const char *fresh)
{
    AUTO_CLOSE int fd = -1;

    act_as_owner(pg, true);
    if (folder_remove(op, AT_FDCWD, fresh) != OK)
        op_clear_fault(op);
    act_as_owner(pg, false);
    (void)remove(fresh); /* empty, or what mkdir stumbles over */
    if (mkdir(fresh, 0700) < 0)
        return fail(op, UNAVAILABLE, "cannot make %s: %s", fresh, strerror(errno));
    fd = open(fresh, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || (geteuid() == 0 && fchown(fd, pg->uid, pg->gid) < 0))
        return fail(op, UNAVAILABLE, "cannot give %s away: %s", fresh, strerror(errno));
    return OK;
}

static enum fault write_settings(struct op *op, const struct postgres *pg, const char *fresh,
                                 const char *commands)
{
    enum fault fault;

    act_as_owner(pg, true);
    fault = write_access_rules(op, pg, fresh);
    if (fault == OK)
        fault = write_file(op, pg, commands,
                           "CREATE ROLE sundog LOGIN;\nCREATE DATABASE sundog OWNER sundog;\n");
    act_as_owner(pg, false);
    return fault;
}

/* Made beside its place and renamed when complete: a crash midway leaves nothing half made. An
   image of ours has what initdb makes ready (deploy/image): it would take the half of a first
   start. */
static enum fault make_data(struct op *op, const struct postgres *pg)
{
    const char *fresh = arena_printf(&op->arena, "%s.new", pg->data);
    const char *commands = arena_printf(&op->arena, "%s/sundog-init.sql", fresh);
    const char *const initdb[] = {"initdb",    "-D",
                                  fresh,       "-U",
                                  "postgres",  "-A",
                                  "trust",     "-E",
                                  "UTF8",      "--locale=C.UTF-8",
                                  "--no-sync", pg->fast_init ? "--wal-segsize=1" : NULL,
                                  NULL};
    const char *ready = arena_printf(&op->arena, "%s/../initdb.tar.gz", pg->programs);
    const char *const unpack[] = {"/usr/bin/tar", "-xzf", ready, "-C", fresh, NULL};
    const char *const single[] = {"postgres", "--single", "-F", "-D", fresh, "postgres", NULL};
    const char *const sync[] = {"initdb", "--sync-only", "-D", fresh, NULL};

    TRY(make_fresh(op, pg, fresh));
    TRY(run(op, pg, access(ready, R_OK) == 0 ? unpack : initdb, "/dev/null"));
    TRY(write_settings(op, pg, fresh, commands));
    TRY(run(op, pg, single, commands));
    act_as_owner(pg, true);
    unlink(commands);
    act_as_owner(pg, false);
    TRY(run(op, pg, sync, "/dev/null")); /* once, instead of after each step */
    if (rename(fresh, pg->data) < 0)
        return fail(op, UNAVAILABLE, "cannot rename %s: %s", fresh, strerror(errno));
    return sync_path(op, pg->dir);
}

/* ---- what runs already ---- */

/* Line number n (from 1) of DIR/postgres/postmaster.pid, or "". */
static void pid_file_line(const struct postgres *pg, int n, char line[256])
{
    char path[512];
    FILE *in;

    snprintf(path, sizeof(path), "%s/postmaster.pid", pg->data);
    in = fopen(path, "re");
    line[0] = '\0';
    for (int i = 0; in && i < n; i++) {
        if (!fgets(line, 256, in)) {
            line[0] = '\0';
            break;
        }
    }
    if (in)
        fclose(in);
    line[strcspn(line, "\n")] = '\0';
}

/* PostgreSQL's processes, and only they, have the data folder as their working folder. */
static bool works_in(pid_t pid, const struct stat *data)
{
    char path[64];
    struct stat st;

    snprintf(path, sizeof(path), "/proc/%d/cwd", (int)pid);
    return stat(path, &st) == 0 && st.st_dev == data->st_dev && st.st_ino == data->st_ino;
}

static bool any_process_in(const char *folder)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    struct stat data;
    bool found = false;

    if (stat(folder, &data) < 0)
        data = (struct stat){0};
    while (proc && !found && (entry = readdir(proc))) {
        long pid = version_number(entry->d_name);

        found = pid > 0 && works_in((pid_t)pid, &data);
    }
    if (proc)
        closedir(proc);
    return found;
}

static pid_t running_postmaster(const struct postgres *pg)
{
    char line[256];
    struct stat data;
    pid_t pid;

    pid_file_line(pg, 1, line);
    pid = (pid_t)strtol(line, NULL, 10);
    if (pid <= 1 || stat(pg->data, &data) < 0 || !works_in(pid, &data))
        return -1;
    return pid;
}

static void sleep_ms(int ms)
{
    poll(NULL, 0, ms);
}

/*
 * After a kill -9 of the postmaster its children end by themselves, a moment later. When nobody
 * works in the folder, a left-over postmaster.pid is stale; PostgreSQL would believe it if another
 * process has its number by now.
 */
static void clear_stale(const struct postgres *pg)
{
    char path[512];
    int64_t deadline = now_ms() + LINGER_TIMEOUT_MS;

    while (any_process_in(pg->data)) {
        if (now_ms() > deadline)
            return; /* PostgreSQL itself will refuse to start, and say why in its log */
        sleep_ms(5);
    }
    snprintf(path, sizeof(path), "%s/postmaster.pid", pg->data);
    unlink(path);
    /* its socket's lock too: a dead postmaster that nobody has reaped looks alive to PostgreSQL */
    snprintf(path, sizeof(path), "%s/.s.PGSQL.5432.lock", pg->sockets);
    unlink(path);
}

/* ---- starting ---- */

static int open_pid(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

static bool has_ended(int pid_fd)
{
    struct pollfd fd = {.fd = pid_fd, .events = POLLIN};

    return poll(&fd, 1, 0) > 0;
}

static pid_t spawn_server(struct op *op, const struct postgres *pg)
{
    const char *connections = arena_printf(&op->arena, "max_connections=%d", pg->connections_max);
    const char *const argv[] = {
        "postgres", "-D", pg->data, "-k", pg->sockets, "-p", "5432", "-c",
        "listen_addresses=", "-c", "unix_socket_permissions=0777", "-c", connections,
        /* durable, whatever a configuration file says */
        "-c", "fsync=on", "-c", "full_page_writes=on", "-c", "synchronous_commit=on",
        /* nobody replicates from it; small, and quick to recover */
        "-c", "wal_level=minimal", "-c", "max_wal_senders=0", "-c",
        "max_logical_replication_workers=0", "-c", "shared_buffers=32MB", "-c", "huge_pages=off",
        "-c", "max_wal_size=1GB", "-c", "checkpoint_timeout=5min", "-c",
        "max_parallel_workers_per_gather=0", "-c", "jit=off", "-c", "timezone=UTC", "-c",
        "log_timezone=UTC", "-c", "lc_messages=C", "-c", "log_min_messages=warning", "-c",
        "log_min_error_statement=panic", "-c", "logging_collector=off", NULL};

    return spawn(op, pg, argv, "/dev/null");
}

static void forget(struct postgres *pg)
{
    if (pg->pid_fd >= 0)
        close(pg->pid_fd);
    pg->pid_fd = -1;
    pg->pid = -1;
}

static bool launch(struct op *op, struct postgres *pg)
{
    pg->pid = running_postmaster(pg);
    if (pg->pid < 0) {
        clear_stale(pg);
        pg->pid = spawn_server(op, pg);
    }
    pg->pid_fd = pg->pid > 0 ? open_pid(pg->pid) : -1;
    pg->started_ms = now_ms();
    return pg->pid_fd >= 0;
}

/* The server says so itself: asking it by connections would cost a process each time. */
static bool is_ready(const struct postgres *pg)
{
    char line[256];

    pid_file_line(pg, 1, line);
    if (strtol(line, NULL, 10) != pg->pid)
        return false;
    pid_file_line(pg, 8, line);
    return strncmp(line, "ready", 5) == 0;
}

static enum fault wait_ready(struct op *op, struct postgres *pg)
{
    int64_t deadline = now_ms() + START_TIMEOUT_MS;

    while (!is_ready(pg)) {
        if (has_ended(pg->pid_fd)) {
            waitpid(pg->pid, NULL, WNOHANG);
            forget(pg);
            return fail(op, UNAVAILABLE, "PostgreSQL ended while starting: see %s", pg->log);
        }
        if (now_ms() > deadline)
            return fail(op, UNAVAILABLE, "PostgreSQL is not ready after %d s: see %s",
                        START_TIMEOUT_MS / 1000, pg->log);
        sleep_ms(2);
    }
    return OK;
}

static enum fault check_data_owner(struct op *op, const struct postgres *pg)
{
    struct stat st;

    if (stat(pg->data, &st) < 0)
        return fail(op, UNAVAILABLE, "cannot look at %s: %s", pg->data, strerror(errno));
    if (st.st_uid != pg->uid)
        return fail(
            op, INVALID,
            "%s belongs to user %u: start Sundog as the one who made it (or as root, if root "
            "did)",
            pg->data, (unsigned)st.st_uid);
    return OK;
}

enum fault postgres_start(struct op *op, struct postgres *pg)
{
    const char *programs;
    enum fault fault = UNAVAILABLE;

    if (strlen(pg->sockets) + sizeof("/.s.PGSQL.5432.lock") >
        sizeof(((struct sockaddr_un *)0)->sun_path))
        return fail(op, INVALID, "the path of --data is too long for a unix socket: %s",
                    pg->sockets);
    TRY(postgres_programs(op, pg->data, &programs));
    snprintf(pg->programs, sizeof(pg->programs), "%s", programs);
    if (access(pg->data, F_OK) < 0)
        TRY(make_data(op, pg));
    TRY(check_data_owner(op, pg));
    /* A postmaster on its way out, or children of a dead one, make the first try fail. */
    for (int i = 0; i < 4 && fault != OK; i++) {
        if (i > 0)
            sleep_ms(BACK_OFF_MIN_MS << i);
        if (!launch(op, pg))
            return fail(op, UNAVAILABLE, "cannot start PostgreSQL: %s", strerror(errno));
        fault = wait_ready(op, pg);
    }
    pg->wanted = fault == OK;
    pg->back_off_ms = BACK_OFF_MIN_MS;
    return fault;
}

/* ---- watching ---- */

void postgres_died(struct postgres *pg)
{
    int64_t now = now_ms();

    waitpid(pg->pid, NULL, WNOHANG); /* an adopted one is not our child: no matter */
    forget(pg);
    if (now - pg->started_ms > 2 * BACK_OFF_MAX_MS)
        pg->back_off_ms = BACK_OFF_MIN_MS;
    pg->start_at_ms = now + pg->back_off_ms;
    pg->back_off_ms = pg->back_off_ms * 2 > BACK_OFF_MAX_MS ? BACK_OFF_MAX_MS : pg->back_off_ms * 2;
}

int postgres_tick(struct postgres *pg)
{
    int64_t now = now_ms();
    struct op op;

    if (!pg->wanted || pg->pid_fd >= 0)
        return -1;
    if (now < pg->start_at_ms)
        return (int)(pg->start_at_ms - now);
    op_init(&op);
    if (!launch(&op, pg))
        postgres_died(pg);
    op_free(&op);
    return pg->pid_fd >= 0 ? -1 : (int)(pg->start_at_ms - now);
}

void postgres_stop(struct postgres *pg)
{
    static const int signals[] = {SIGINT, SIGQUIT, SIGKILL}; /* fast, immediate, at last */
    pid_t pid = pg->pid;

    pg->wanted = false;
    for (size_t i = 0; pg->pid_fd >= 0 && i < ARRAY_LEN(signals); i++) {
        struct pollfd fd = {.fd = pg->pid_fd, .events = POLLIN};

        syscall(SYS_pidfd_send_signal, pg->pid_fd, signals[i], NULL, 0);
        if (poll(&fd, 1, STOP_TIMEOUT_MS) > 0)
            forget(pg);
    }
    if (pid > 0)
        waitpid(pid, NULL, WNOHANG);
}
