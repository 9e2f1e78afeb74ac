/* git clone into a volume, as the server's user, who has no rights to anything else. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "instances/paths.h"
#include "instances/sandbox_calls.h"
#include "instances/sandbox_folder.h"
#include "instances/sandbox_json.h"

#define ENV_MAX 24

struct clone {
    const char *repository, *revision, *directory;
    uid_t uid;
    gid_t gid;
};

static enum fault read_clone(struct op *op, const json_t *body, struct clone *ret)
{
    TRY(message_text(op, body, "repository", 2048, true, &ret->repository));
    if (strncmp(ret->repository, "https://", 8) != 0 && strncmp(ret->repository, "http://", 7) != 0)
        return fail_on(op, "repository", INVALID,
                       "the repository \"%s\" is neither https:// nor http://", ret->repository);
    TRY(message_text(op, body, "revision", 256, false, &ret->revision));
    if (ret->revision && (ret->revision[0] == '-' || ret->revision[0] == '\0'))
        return fail_on(op, "revision", INVALID, "\"%s\" is no revision", ret->revision);
    TRY(message_text(op, body, "directory", 1024, false, &ret->directory));
    if (ret->directory &&
        (ret->directory[0] == '-' || ret->directory[0] == '/' || strstr(ret->directory, "..")))
        return fail_on(op, "directory", INVALID, "the directory \"%s\" leaves the volume",
                       ret->directory);
    return OK;
}

/* Nothing of ours but the way out. */
static char *const *environment(struct op *op)
{
    static const char *const passed[] = {"http_proxy",    "https_proxy", "no_proxy",
                                         "HTTPS_PROXY",   "NO_PROXY",    "all_proxy",
                                         "SSL_CERT_FILE", "SSL_CERT_DIR"};
    static const char *const fixed[] = {"PATH=/usr/local/bin:/usr/bin:/bin",
                                        "HOME=/nonexistent",
                                        "LANG=C.UTF-8",
                                        "GIT_TERMINAL_PROMPT=0",
                                        "GIT_CONFIG_NOSYSTEM=1",
                                        "GIT_CONFIG_GLOBAL=/dev/null",
                                        "GIT_ASKPASS=/bin/false"};
    char **env = arena_alloc(&op->arena, ENV_MAX * sizeof(*env));
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        env[n++] = arena_strdup(&op->arena, fixed[i]);
    for (size_t i = 0; i < ARRAY_LEN(passed); i++)
        if (getenv(passed[i]))
            env[n++] = arena_printf(&op->arena, "%s=%s", passed[i], getenv(passed[i]));
    return env;
}

static void become(const struct clone *clone)
{
    sigset_t none;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int number = 1; number < 32; number++)
        if (number != SIGKILL && number != SIGSTOP)
            signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (geteuid() == 0 &&
        (setgroups(0, NULL) < 0 || setresgid(clone->gid, clone->gid, clone->gid) < 0 ||
         setresuid(clone->uid, clone->uid, clone->uid) < 0))
        _exit(126);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    umask(022);
}

static void run_git(struct op *op, const struct clone *clone, const char *const *arguments,
                    int output)
{
    static const char *const always[] = {
        "git",
        "-c",
        "protocol.allow=never",
        "-c",
        "protocol.http.allow=always",
        "-c",
        "protocol.https.allow=always",
        "-c",
        "core.hooksPath=/dev/null",
        "-c",
        "core.fsmonitor=false",
        "-c",
        "core.symlinks=true",
        "-c",
        "safe.directory=*",
    };
    const char *argv[32];
    size_t n = 0;
    int null = open("/dev/null", O_RDONLY);

    for (size_t i = 0; i < ARRAY_LEN(always); i++)
        argv[n++] = always[i];
    while (*arguments && n < ARRAY_LEN(argv) - 1)
        argv[n++] = *arguments++;
    argv[n] = NULL;
    become(clone);
    dup2(null, 0);
    dup2(output, 1);
    dup2(output, 2);
    execve("/usr/bin/git", (char **)argv, environment(op));
    _exit(127);
}

/* The last line of what git said. */
static const char *last_line(char *text)
{
    size_t len = strlen(text);

    while (len > 0 && text[len - 1] == '\n')
        text[--len] = '\0';
    return strrchr(text, '\n') ? strrchr(text, '\n') + 1 : text;
}

/* A URL as messages show it: without "user:password@". */
static const char *without_credentials(struct op *op, const char *url)
{
    size_t scheme = (size_t)(strstr(url, "//") + 2 - url);
    const char *host = url + scheme, *at = memchr(host, '@', strcspn(host, "/"));

    return at ? arena_printf(&op->arena, "%.*s%s", (int)scheme, url, at + 1) : url;
}

static enum fault git(struct op *op, const struct clone *clone, const char *const *arguments)
{
    char text[4096] = "", rest[4096];
    size_t len = 0;
    int out[2], status = -1;
    ssize_t n;
    pid_t pid;

    if (pipe2(out, O_CLOEXEC) < 0)
        return fail(op, UNAVAILABLE, "cannot make a pipe: %s", strerror(errno));
    pid = fork();
    if (pid == 0)
        run_git(op, clone, arguments, out[1]);
    close(out[1]);
    while ((n = read(out[0], rest, sizeof(rest))) > 0 || (n < 0 && errno == EINTR)) {
        size_t room = sizeof(text) - 1 - len, take = n > 0 ? (size_t)n : 0;

        if (take > room) { /* what comes last says why */
            size_t drop = take - room < len ? take - room : len;

            memmove(text, text + drop, len - drop);
            len -= drop;
        }
        take = take > sizeof(text) - 1 - len ? sizeof(text) - 1 - len : take;
        memcpy(text + len, rest + (n > 0 ? (size_t)n : 0) - take, take);
        len += take;
    }
    text[len] = '\0';
    close(out[0]);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return fail(op, UNSUPPORTED, "there is no git: apt-get install git");
    return status == 0 ? OK
                       : fail(op, UNAVAILABLE, "git %s of %s failed: %s", arguments[0],
                              without_credentials(op, clone->repository), last_line(text));
}

/* What git itself would call it. */
static const char *default_directory(struct op *op, const char *repository)
{
    char *copy = arena_strdup(&op->arena, repository), *name;
    size_t len = strlen(copy);

    while (len > 0 && copy[len - 1] == '/')
        copy[--len] = '\0';
    name = strrchr(copy, '/') ? strrchr(copy, '/') + 1 : copy; /* "https:" is left of "https://" */
    len = strlen(name);
    if (len > 4 && strcmp(name + len - 4, ".git") == 0)
        name[len - 4] = '\0';
    return name;
}

static enum fault clone_into(struct op *op, struct clone *clone)
{
    const char *target = clone->directory && clone->directory[0]
                             ? clone->directory
                             : default_directory(op, clone->repository);
    const char *const fetch[] = {
        "clone", "--no-recurse-submodules", "--template=", "--", clone->repository, target, NULL};
    const char *const checkout[] = {"-C", target, "checkout", "--detach", clone->revision,
                                    "--", NULL};

    TRY(git(op, clone, fetch));
    return clone->revision ? git(op, clone, checkout) : OK;
}

/* Our user cannot reach the volume, and git wants to know where it is: in mounts of this process's
   own it is mounted over RUN. */
static enum fault show(struct op *op, const struct helper_job *job, int folder)
{
    const char *run = run_folder(op, job->settings->data);

    if (mount(fd_path(op, folder), run, NULL, MS_BIND, NULL) < 0 ||
        mount(NULL, run, NULL, MS_BIND | MS_REMOUNT | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0 ||
        chdir(run) < 0)
        return fail(op, UNAVAILABLE, "the volume cannot be mounted: %s", strerror(errno));
    return OK;
}

enum fault sandbox_clone_call(struct op *op, struct helper_job *job)
{
    const char *id, *volume;
    AUTO_CLOSE int data = -1, folder = -1;
    struct clone clone = {.uid = job->uid, .gid = job->gid};

    TRY(sandbox_id_read(op, job->in->body, "id", &id));
    TRY(container_name_read(op, job->in->body, "volume", &volume));
    TRY(read_clone(op, job->in->body, &clone));
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return fail(op, UNAVAILABLE, "cannot make a mount namespace: %s", strerror(errno));
    TRY(folder_open(op, job->settings->data, &data)); /* opened before, it could not be mounted */
    TRY(folder_descend(op, data, (const char *const[]){"sandboxes", id, "volumes", volume, NULL}, 0,
                       0, &folder));
    TRY(show(op, job, folder));
    return clone_into(op, &clone);
}
