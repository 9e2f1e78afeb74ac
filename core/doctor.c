#include "core/doctor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/listen.h"
#include "core/postgres.h"

enum verdict { FINE, HINT, LACK };

/* What one check found. mend: NULL when there is nothing to do. */
struct finding {
    enum verdict verdict;
    const char *what, *mend;
};

static struct finding found(enum verdict verdict, const char *what, const char *mend)
{
    return (struct finding){verdict, what, mend};
}

static const char *under(struct op *op, const struct settings *settings, const char *name)
{
    return arena_printf(&op->arena, "%s/%s", settings->data, name);
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static bool in_path(const char *program)
{
    const char *path = getenv("PATH");
    struct arena arena;
    bool is = false;

    arena_init(&arena);
    while (path && *path && !is) {
        size_t len = strcspn(path, ":");

        is = access(arena_printf(&arena, "%.*s/%s", (int)len, path, program), X_OK) == 0;
        path += len + (path[len] == ':');
    }
    arena_free(&arena);
    return is;
}

/* ---- what serve needs ---- */

static struct finding check_postgres(struct op *op, const struct settings *settings)
{
    const char *folder, *data = under(op, settings, "postgres");
    const char *message;

    if (settings->database)
        return found(FINE, "PostgreSQL: yours is used (--database)", NULL);
    if (postgres_programs(op, exists(data) ? data : NULL, &folder) == OK)
        return found(FINE, arena_printf(&op->arena, "PostgreSQL: %s", folder), NULL);
    message = op->message;
    op_clear_fault(op);
    return found(LACK, message, "apt-get install postgresql");
}

static struct finding check_user(struct op *op, const struct settings *settings)
{
    if (geteuid() != 0)
        return found(FINE, "user: not root; the registry needs no more", NULL);
    if (!getpwnam(settings->user))
        return found(LACK,
                     arena_printf(&op->arena, "user: there is no \"%s\" to become", settings->user),
                     "deploy/up, or: useradd --system --no-create-home sundog");
    if (!settings->database && !getpwnam("postgres"))
        return found(LACK, "user: there is no \"postgres\"", "apt-get install postgresql");
    return found(FINE, arena_printf(&op->arena, "user: %s", settings->user), NULL);
}

static struct finding check_folder(struct op *op, const struct settings *settings)
{
    const char *path = settings->data;

    while (!exists(path) && strrchr(path, '/') != path)
        path = arena_strndup(&op->arena, path, (size_t)(strrchr(path, '/') - path));
    if (!exists(path))
        path = "/";
    if (geteuid() != 0 && access(path, path == settings->data ? R_OK | W_OK | X_OK : W_OK) < 0)
        return found(LACK, arena_printf(&op->arena, "folder: %s is not ours to write", path),
                     "choose another with --data, or start as the one who made it");
    return found(FINE,
                 arena_printf(&op->arena, "folder: %s%s", settings->data,
                              path == settings->data ? "" : " will be made"),
                 NULL);
}

static struct finding check_space(struct op *op, const struct settings *settings)
{
    const char *path = settings->blobs;
    struct statvfs fs;
    long long free_bytes;

    while (statvfs(path, &fs) < 0 && strrchr(path, '/') != path)
        path = arena_strndup(&op->arena, path, (size_t)(strrchr(path, '/') - path));
    if (statvfs(path, &fs) < 0 && statvfs("/", &fs) < 0)
        return found(HINT, "free space: cannot be told", NULL);
    free_bytes = (long long)fs.f_bavail * (long long)fs.f_frsize;
    if (free_bytes < settings->free_space_reserve)
        return found(LACK,
                     arena_printf(&op->arena, "free space: %lld MiB, less than the reserve",
                                  free_bytes >> 20),
                     "make room, or lower --free-space-reserve");
    return found(FINE, arena_printf(&op->arena, "free space: %lld MiB", free_bytes >> 20), NULL);
}

/* One process holds DIR/lock: the ports it holds are its own then. */
static bool serve_runs(struct op *op, const struct settings *settings)
{
    FILE *file = fopen(under(op, settings, "lock"), "re");
    bool runs = file && flock(fileno(file), LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;

    if (file)
        fclose(file);
    return runs;
}

static struct finding check_port(struct op *op, const char *address, const char *flag, bool runs)
{
    const char *message;
    int fd;
    enum fault fault = listen_bind(op, address, &fd);

    if (fault == OK) {
        close(fd);
        return found(FINE, arena_printf(&op->arena, "port: %s is free", address), NULL);
    }
    message = op->message;
    op_clear_fault(op);
    if (fault == NOT_FOUND)
        return found(HINT, arena_printf(&op->arena, "port: %s: %s", address, message), NULL);
    if (runs)
        return found(FINE, arena_printf(&op->arena, "port: %s is in use, Sundog runs", address),
                     NULL);
    return found(LACK, arena_printf(&op->arena, "port: %s", message),
                 arena_printf(&op->arena, "end that program, or choose another: %s", flag));
}

/* ---- what clients need ---- */

static struct finding check_name(struct op *op)
{
    static const char name[] = "sundog.azurecr.localhost";
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    int error = getaddrinfo(name, NULL, &hints, &list);
    const struct sockaddr_in *first;
    bool loopback = false;

    for (const struct addrinfo *at = list; at; at = at->ai_next) {
        first = (const void *)at->ai_addr;
        loopback |= at->ai_family == AF_INET && ntohl(first->sin_addr.s_addr) >> 24 == 127;
        loopback |= at->ai_family == AF_INET6;
    }
    if (list)
        freeaddrinfo(list);
    if (error || !loopback)
        return found(HINT, arena_printf(&op->arena, "name: %s does not lead to this machine", name),
                     "apt-get install libnss-myhostname, or a line in /etc/hosts; by path "
                     "(localhost:8480/sundog/app) it works without");
    return found(FINE, arena_printf(&op->arena, "name: %s leads to this machine", name), NULL);
}

static struct finding check_trust(struct op *op, const struct settings *settings)
{
    const char *path = under(op, settings, "tls/ca.pem");
    FILE *file = fopen(path, "re");
    X509 *ca = file ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    bool trusted;

    if (file)
        fclose(file);
    if (!ca) {
        X509_STORE_free(store);
        X509_STORE_CTX_free(ctx);
        return found(FINE, "certificate authority: made at the first start", NULL);
    }
    X509_STORE_set_default_paths(store);
    X509_STORE_CTX_init(ctx, store, ca, NULL);
    trusted = X509_verify_cert(ctx) == 1;
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    X509_free(ca);
    if (trusted)
        return found(FINE, "certificate authority: this machine trusts it", NULL);
    return found(HINT,
                 "certificate authority: this machine does not trust it (HTTPS clients will "
                 "complain)",
                 arena_printf(&op->arena,
                              "eval \"$(sundog env)\" for one shell, or for all: cp %s "
                              "/usr/local/share/ca-certificates/sundog.crt && "
                              "update-ca-certificates",
                              path));
}

/* ":8443" of the first listener, or "". */
static const char *port_of(const char *const *listeners)
{
    const char *colon = listeners[0] ? strrchr(listeners[0], ':') : NULL;

    return colon ? colon : "";
}

static struct finding check_docker(struct op *op, const struct settings *settings)
{
    const char *name =
        arena_printf(&op->arena, "sundog.azurecr.localhost%s", port_of(settings->listen));
    const char *path = arena_printf(&op->arena, "/etc/docker/certs.d/%s/ca.crt", name);

    if (!in_path("docker"))
        return found(FINE, "docker: not installed", NULL);
    return found(FINE,
                 arena_printf(&op->arena,
                              "docker: localhost%s/sundog/NAME works as it is (docker allows plain "
                              "HTTP on 127.0.0.0/8)",
                              port_of(settings->plain_listen)),
                 exists(path) ? NULL
                              : arena_printf(&op->arena, "for %s: cp %s %s", name,
                                             under(op, settings, "tls/ca.pem"), path));
}

static struct finding check_podman(struct op *op)
{
    (void)op;
    if (!in_path("podman") && !in_path("skopeo") && !in_path("buildah"))
        return found(FINE, "podman, skopeo, buildah: not installed", NULL);
    if (getenv("CONTAINERS_REGISTRIES_CONF"))
        return found(FINE, "podman, skopeo, buildah: configured by CONTAINERS_REGISTRIES_CONF",
                     NULL);
    return found(FINE, "podman, skopeo, buildah: installed; they want TLS even on localhost",
                 "eval \"$(sundog env)\", or --tls-verify=false");
}

/* ---- printing ---- */

static bool print(struct finding finding)
{
    static const char *const words[] = {[FINE] = "ok", [HINT] = "hint", [LACK] = "lacks"};

    printf("%-6s %s\n", words[finding.verdict], finding.what);
    if (finding.mend)
        printf("       -> %s\n", finding.mend);
    return finding.verdict == LACK;
}

/* A service that serve can do without: the rest works. */
static struct finding check_service(struct op *op, const struct service *service)
{
    const char *why = service->lacks(op);

    return found(why ? HINT : FINE,
                 arena_printf(&op->arena, "%s: %s", service->name, why ? why : "ready"), NULL);
}

int doctor_run(struct settings *settings, const struct service *const *services)
{
    struct op op;
    bool lacks = false, runs;

    op_init(&op);
    runs = serve_runs(&op, settings);
    printf("%-6s Sundog %s%s\n", "ok", SUNDOG_VERSION, runs ? ", running" : "");
    lacks |= print(check_postgres(&op, settings));
    lacks |= print(check_user(&op, settings));
    lacks |= print(check_folder(&op, settings));
    lacks |= print(check_space(&op, settings));
    for (size_t i = 0; settings->listen[i]; i++)
        lacks |= print(check_port(&op, settings->listen[i], "--listen", runs));
    for (size_t i = 0; settings->plain_listen[i]; i++)
        lacks |= print(check_port(&op, settings->plain_listen[i], "--plain-listen", runs));
    lacks |= print(check_name(&op));
    lacks |= print(check_trust(&op, settings));
    lacks |= print(check_docker(&op, settings));
    lacks |= print(check_podman(&op));
    for (; *services; services++)
        if ((*services)->lacks)
            lacks |= print(check_service(&op, *services));
    op_free(&op);
    return lacks ? 1 : 0;
}
