#include "core/helper.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/postgres.h"

/* ---- what is said over the socketpair ---- */

/* RUN comes with the socket that the call's own messages go over. */
enum request_kind { POSTGRES_START, HAND_OVER, STOP, RUN };
struct request {
    enum request_kind kind;
};
struct answer {
    enum fault fault;
    char message[1024];
};

static int helper_fd = -1; /* the parent's end */
static pid_t helper_pid;
static pthread_mutex_t asking = PTHREAD_MUTEX_INITIALIZER;
static char *data_folder;
static bool started;
static const char *lacks; /* to make containers */

#define CALL_TABLES_MAX 8
static const struct helper_call *call_tables[CALL_TABLES_MAX];
static size_t n_call_tables;

void helper_register(const struct helper_call *calls)
{
    for (size_t i = 0; i < n_call_tables; i++)
        if (call_tables[i] == calls)
            return;
    assert(n_call_tables < CALL_TABLES_MAX);
    call_tables[n_call_tables++] = calls;
}

static bool has_capabilities(uint64_t wanted)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};

    return syscall(SYS_capget, &header, data) == 0 &&
           ((data[0].effective | (uint64_t)data[1].effective << 32) & wanted) == wanted;
}

const char *helper_lacks(void)
{
    if (started)
        return lacks;
    if (geteuid() != 0)
        return "containers need root: start `sundog serve` with sudo (it goes on as user sundog)";
    if (!has_capabilities(UINT64_C(1) << CAP_SYS_ADMIN | UINT64_C(1) << CAP_NET_ADMIN))
        return "containers need the capabilities SYS_ADMIN and NET_ADMIN: run this image with "
               "--privileged";
    return NULL;
}

bool helper_is_root(void)
{
    return started && !lacks;
}

/* ---- folders, made before root is given up ---- */

static enum fault find_user(struct op *op, const char *name, const char *hint, uid_t *ret_uid,
                            gid_t *ret_gid)
{
    struct passwd entry, *found = NULL;
    char *buffer = arena_alloc(&op->arena, 16384);

    getpwnam_r(name, &entry, buffer, 16384, &found);
    if (!found)
        return fail(op, NOT_FOUND, "there is no user \"%s\": %s", name, hint);
    *ret_uid = entry.pw_uid;
    *ret_gid = entry.pw_gid;
    return OK;
}

static enum fault find_sundog(struct op *op, const struct settings *settings, uid_t *ret_uid,
                              gid_t *ret_gid)
{
    *ret_uid = geteuid();
    *ret_gid = getegid();
    if (geteuid() != 0)
        return OK;
    TRY(find_user(op, settings->user,
                  "deploy/up makes it, or: useradd --system --no-create-home sundog", ret_uid,
                  ret_gid));
    if (*ret_uid == 0)
        return fail(op, INVALID, "--user: Sundog does not go on as root");
    return OK;
}

static enum fault make_parents(struct op *op, const char *path)
{
    char *copy = arena_strdup(&op->arena, path);

    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(copy, 0755) < 0 && errno != EEXIST)
            return fail(op, UNAVAILABLE, "cannot make %s: %s", copy, strerror(errno));
        *slash = '/';
    }
    return OK;
}

/*
 * The folder belongs to uid afterwards. One that holds something not ours is left alone. What is in
 * DIR may be the doing of the server's user: own false, and what is behind a link is not given
 * away.
 */
static enum fault make_folder(struct op *op, const char *path, mode_t mode, uid_t uid, gid_t gid,
                              bool own)
{
    AUTO_CLOSE int fd = -1;
    struct stat st;

    TRY(make_parents(op, path));
    if (mkdir(path, mode) < 0 && errno != EEXIST)
        return fail(op, UNAVAILABLE, "cannot make %s: %s", path, strerror(errno));
    if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
        return fail(op, INVALID, "%s is not a folder", path);
    if (geteuid() != 0 || (st.st_uid == uid && st.st_gid == gid))
        return OK;
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (own ? 0 : O_NOFOLLOW));
    if (fd < 0 || fstat(fd, &st) < 0)
        return fail(op, INVALID, "%s leads to a folder that is not user %u's", path, (unsigned)uid);
    if (st.st_nlink > 2 && st.st_uid != 0) /* it holds folders of somebody else */
        return fail(op, INVALID, "%s belongs to user %u and is not empty", path,
                    (unsigned)st.st_uid);
    if (strcmp(path, "/") == 0 || fchown(fd, uid, gid) < 0 || fchmod(fd, mode) < 0)
        return fail(op, UNAVAILABLE, "cannot give %s to user %u: %s", path, (unsigned)uid,
                    strerror(errno));
    return OK;
}

static enum fault make_folders(struct op *op, const struct settings *settings, uid_t uid, gid_t gid)
{
    bool inside = strncmp(settings->blobs, settings->data, strlen(settings->data)) == 0;

    TRY(make_folder(op, settings->data, 0755, uid, gid, true)); /* postgres must get through it */
    TRY(make_folder(op, settings->blobs, 0750, uid, gid, !inside));
    return make_folder(op, arena_printf(&op->arena, "%s/tls", settings->data), 0755, uid, gid,
                       false);
}

/* ---- the helper process ---- */

static enum fault prepare_postgres(struct op *op, const struct settings *settings, gid_t sundog_gid,
                                   struct postgres *pg)
{
    int64_t threads = settings->worker_threads + settings->slow_threads;

    memset(pg, 0, sizeof(*pg));
    pg->pid_fd = -1;
    pg->pid = -1;
    pg->uid = geteuid();
    pg->gid = getegid();
    pg->socket_gid = sundog_gid;
    if (geteuid() == 0)
        TRY(find_user(op, "postgres", "apt-get install postgresql", &pg->uid, &pg->gid));
    pg->fast_init = settings->pg_fast_init;
    pg->connections_max = threads + 24 > 40 ? (int)threads + 24 : 40;
    if (asprintf(&pg->dir, "%s", settings->data) < 0 ||
        asprintf(&pg->data, "%s/postgres", settings->data) < 0 ||
        asprintf(&pg->sockets, "%s/postgres-socket", settings->data) < 0 ||
        asprintf(&pg->log, "%s/postgres.log", settings->data) < 0)
        abort();
    return make_folder(op, pg->sockets, 0750, pg->uid, sundog_gid, false);
}

/* admin.json holds passwords for the person who called sudo, not for us any more. */
static enum fault hand_over(struct op *op, const char *dir)
{
    const char *sudo_uid = getenv("SUDO_UID");
    const char *path = arena_printf(&op->arena, "%s/admin.json", dir);
    long uid = sudo_uid ? strtol(sudo_uid, NULL, 10) : 0;
    AUTO_CLOSE int fd = -1;
    struct stat st;

    if (geteuid() != 0 || uid <= 0)
        return OK;
    fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1)
        return fail(op, INVALID, "%s is not a file of its own", path);
    if (fchown(fd, (uid_t)uid, (gid_t)-1) < 0 || fchmod(fd, 0600) < 0)
        return fail(op, UNAVAILABLE, "cannot give %s away: %s", path, strerror(errno));
    return OK;
}

static void answer_request(int fd, struct op *op, enum fault fault)
{
    struct answer answer = {.fault = fault};

    if (fault != OK)
        snprintf(answer.message, sizeof(answer.message), "%s", op->message);
    while (send(fd, &answer, sizeof(answer), MSG_NOSIGNAL) < 0 && errno == EINTR)
        ;
}

/* ---- calls of services, each in a fork ---- */

struct ids {
    uid_t uid;
    gid_t gid;
};

static const struct helper_call *find_call(const char *name)
{
    for (size_t i = 0; i < n_call_tables; i++)
        for (const struct helper_call *call = call_tables[i]; call->name; call++)
            if (strcmp(call->name, name) == 0)
                return call;
    return NULL;
}

static enum fault run_call(struct op *op, int fd, struct helper_job *job, struct message *in)
{
    const struct helper_call *call;
    const char *name;

    TRY(message_receive(op, fd, in));
    TRY(message_text(op, in->body, "call", 64, true, &name));
    call = find_call(name);
    if (!call)
        return fail(op, INTERNAL, "the helper knows no call \"%s\"", name);
    in->body = json_object_get(in->body, "with");
    return call->run(op, job);
}

static void call_main(int fd, const struct settings *settings, const struct ids *ids)
{
    struct message in = {0};
    struct helper_job job = {.settings = settings, .uid = ids->uid, .gid = ids->gid, .in = &in};
    struct op op;
    enum fault fault;

    setsid(); /* what goes on is nobody's child, and gets no signal meant for the helper */
    op_init(&op);
    fault = run_call(&op, fd, &job, &in);
    (void)message_answer(&op, fd, fault, job.out, job.fds, job.n_fds); /* or nobody waits for it */
    message_close_fds(&in);
    for (size_t i = 0; i < job.n_fds; i++)
        close(job.fds[i]);
    close(fd);
    op_free(&op);
    if (fault == OK && job.stay)
        job.stay(job.stay_arg);
}

static void fork_call(int helper, int fd, const struct settings *settings, const struct ids *ids,
                      const struct postgres *pg)
{
    pid_t pid = fd < 0 ? -1 : fork();

    if (pid != 0) /* a failure to fork shows to the caller: its socket is closed */
        return;
    close(helper);
    if (pg->pid_fd >= 0)
        close(pg->pid_fd);
    call_main(fd, settings, ids);
    _exit(0);
}

/* A request, and the descriptor that came with it. */
static ssize_t receive_request(int fd, struct request *ret, int *ret_fd)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {ret, sizeof(*ret)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = CMSG_LEN(sizeof(int))}; /* of one, no padding */
    ssize_t n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;

    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
        memcpy(ret_fd, CMSG_DATA(c), sizeof(int));
    return n;
}

/* Forks that have ended; PostgreSQL, a child too, is reaped by postgres_died. */
static void reap(const struct postgres *pg)
{
    siginfo_t info;

    for (;;) {
        info.si_pid = 0;
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0 ||
            info.si_pid == pg->pid)
            return;
        waitpid(info.si_pid, NULL, 0);
    }
}

/* False when the helper is to end. */
static bool serve_request(int fd, const struct settings *settings, const struct ids *ids,
                          struct postgres *pg)
{
    struct request request;
    enum fault fault = OK;
    struct op op;
    AUTO_CLOSE int passed = -1;
    ssize_t n = receive_request(fd, &request, &passed);

    if (n < 0 && errno == EINTR)
        return true;
    if (n != sizeof(request)) /* the parent is gone: PostgreSQL stays, for its successor */
        return false;
    if (request.kind == RUN) {
        fork_call(fd, passed, settings, ids, pg);
        return true;
    }
    op_init(&op);
    switch (request.kind) {
    case POSTGRES_START:
        if (!pg->wanted) { /* else a server that was started anew asks, and it is looked after */
            fault = prepare_postgres(&op, settings, ids->gid, pg);
            if (fault == OK)
                fault = postgres_start(&op, pg);
        }
        break;
    case HAND_OVER:
        fault = hand_over(&op, settings->data);
        break;
    case STOP:
        postgres_stop(pg);
        break;
    case RUN:
        break;
    }
    answer_request(fd, &op, fault);
    op_free(&op);
    return request.kind != STOP;
}

static void on_child(int signal)
{
    (void)signal; /* only so that poll returns */
}

static void helper_main(int fd, const struct settings *settings, const struct ids *ids)
{
    struct postgres pg = {.pid_fd = -1, .pid = -1};

    for (;;) {
        struct pollfd fds[2] = {
            {.fd = fd,        .events = POLLIN},
            {.fd = pg.pid_fd, .events = POLLIN}
        };
        int timeout_ms = postgres_tick(&pg);

        fds[1].fd = pg.pid_fd;
        if (poll(fds, 2, timeout_ms) < 0) {
            reap(&pg);
            continue;
        }
        if (fds[1].revents)
            postgres_died(&pg);
        reap(&pg);
        if (fds[0].revents && !serve_request(fd, settings, ids, &pg))
            _exit(0);
    }
}

/* Nothing of the parent's but the socket and standard error. */
static void enter_helper(int fd)
{
    int null = open("/dev/null", O_RDWR);
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL); /* the server waits for its signals blocked */
    prctl(PR_SET_NAME, "sundog-helper");
    setsid();
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    sigaction(SIGCHLD, &(struct sigaction){.sa_handler = on_child}, NULL);
    umask(022);
    dup2(null, 0);
    dup2(null, 1);
    if (fd > 3)
        close_range(3, (unsigned)fd - 1, 0);
    close_range((unsigned)fd + 1, ~0u, 0);
}

enum fault helper_start(struct op *op, const struct settings *settings)
{
    struct ids ids;
    int fds[2];

    lacks = helper_lacks();
    started = true;
    TRY(find_sundog(op, settings, &ids.uid, &ids.gid));
    TRY(make_folders(op, settings, ids.uid, ids.gid));
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
        return fail(op, UNAVAILABLE, "cannot make a socket pair: %s", strerror(errno));
    helper_pid = fork();
    if (helper_pid == 0) {
        enter_helper(fds[1]);
        helper_main(fds[1], settings, &ids);
    }
    close(fds[1]);
    if (helper_pid < 0) {
        close(fds[0]);
        return fail(op, UNAVAILABLE, "cannot fork: %s", strerror(errno));
    }
    helper_fd = fds[0];
    data_folder = strdup(settings->data);
    return OK;
}

/* ---- the parent's side ---- */

int helper_give(pid_t *ret_pid)
{
    *ret_pid = helper_pid;
    return helper_fd;
}

void helper_take(int fd, pid_t pid, const char *what_it_lacks, const struct settings *settings)
{
    started = true;
    lacks = what_it_lacks ? strdup(what_it_lacks) : NULL; /* for good */
    helper_fd = fd;
    helper_pid = pid;
    data_folder = strdup(settings->data);
}

enum fault helper_drop_privileges(struct op *op, const struct settings *settings)
{
    uid_t uid;
    gid_t gid;

    TRY(find_sundog(op, settings, &uid, &gid));
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return fail(op, INTERNAL, "cannot renounce new privileges: %s", strerror(errno));
    if (geteuid() != 0)
        return OK;
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (setgroups(1, &gid) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
        return fail(op, INTERNAL, "cannot become user %s: %s", settings->user, strerror(errno));
    if (setresuid(0, 0, 0) == 0)
        return fail(op, INTERNAL, "root could be had back: refused to go on");
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* else /proc/self/fd is root's, and linkat needs it */
    return OK;
}

static enum fault ask(struct op *op, enum request_kind kind)
{
    struct request request = {.kind = kind};
    struct answer answer = {0};
    ssize_t n = -1;

    pthread_mutex_lock(&asking);
    if (helper_fd >= 0 && send(helper_fd, &request, sizeof(request), MSG_NOSIGNAL) > 0) {
        while ((n = recv(helper_fd, &answer, sizeof(answer), 0)) < 0 && errno == EINTR)
            ;
    }
    pthread_mutex_unlock(&asking);
    if (n != sizeof(answer))
        return fail(op, UNAVAILABLE, "the helper process is gone");
    answer.message[sizeof(answer.message) - 1] = '\0';
    return answer.fault == OK ? OK : fail(op, answer.fault, "%s", answer.message);
}

/* The helper's socket is only held to hand over a socket of the call's own. */
static enum fault hand_socket(struct op *op, int fd)
{
    struct request request = {.kind = RUN};
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {&request, sizeof(request)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = sizeof(control.room)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    ssize_t n = -1;

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    pthread_mutex_lock(&asking);
    while (helper_fd >= 0 && (n = sendmsg(helper_fd, &message, MSG_NOSIGNAL)) < 0 && errno == EINTR)
        ;
    pthread_mutex_unlock(&asking);
    return n == sizeof(request) ? OK : fail(op, UNAVAILABLE, "the helper process is gone");
}

enum fault helper_call(struct op *op, const char *name, json_t *body, const int *fds, size_t n_fds,
                       struct message *ret)
{
    json_t *ask = json_pack("{s:s,s:O*}", "call", name, "with", body);
    struct message answer = {0};
    int pair[2];
    enum fault fault;

    arena_defer(&op->arena, (void (*)(void *))json_decref, ask);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return fail(op, UNAVAILABLE, "cannot make a socket pair: %s", strerror(errno));
    fault = hand_socket(op, pair[1]);
    close(pair[1]);
    if (fault == OK)
        fault = message_call(op, pair[0], ask, fds, n_fds, &answer);
    close(pair[0]);
    if (fault == OK && ret)
        *ret = answer;
    else if (fault == OK)
        message_close_fds(&answer);
    return fault;
}

enum fault helper_postgres_start(struct op *op, const char **ret_conninfo)
{
    TRY(ask(op, POSTGRES_START));
    *ret_conninfo = postgres_conninfo(&op->arena, data_folder);
    return OK;
}

enum fault helper_hand_over_admin(struct op *op)
{
    return ask(op, HAND_OVER);
}

void helper_stop(void)
{
    struct op op;

    if (helper_fd < 0)
        return;
    op_init(&op);
    (void)ask(&op, STOP); /* a helper that died has nothing to stop */
    op_free(&op);
    close(helper_fd);
    helper_fd = -1;
    free(data_folder);
    data_folder = NULL;
    while (waitpid(helper_pid, NULL, 0) < 0 && errno == EINTR)
        ;
}
