/*
 *~ How everything starts, and ends in the reverse order:
 *~
 *~   folders, lock, sockets bound    (as whoever started us: low ports may need root)
 *~   the helper is forked            (before any thread)
 *~   we become user sundog           (from here on nothing of ours is root)
 *~   PostgreSQL, migrations          (the helper's, or --database)
 *~   keys, CA, pools, services, hub
 *~   loops, endpoints.json, "ready"
 */
#include "core/server.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/admin_file.h"
#include "core/db.h"
#include "core/durable.h"
#include "core/fetch.h"
#include "core/helper.h"
#include "core/hub.h"
#include "core/json.h"
#include "core/listen.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/meter.h"
#include "core/migrate.h"
#include "core/notify.h"
#include "core/restart.h"
#include "core/saved.h"
#include "core/seal.h"
#include "core/tls.h"
#include "core/wait.h"

#define RESTART_DRAIN_S 1

const struct service *const *all_services;
const struct settings *server_settings;
static atomic_bool ready, ending;

static struct listener listeners[2 * LISTEN_MAX];
static size_t n_listeners;
static int lock_fd = -1;
static atomic_bool anew; /* somebody asked for a start in place */

bool server_ending(void)
{
    return atomic_load(&ending);
}

bool server_ready(void)
{
    return atomic_load(&ready);
}

/* ---- folders ---- */

/* What is in DIR may be the doing of our user, who shall not be given what a link leads to. */
static enum fault make_folder(struct op *op, const char *path, mode_t mode,
                              const struct passwd *own, bool follow)
{
    AUTO_CLOSE int fd = -1;
    struct stat st;

    if (mkdir(path, mode) && errno != EEXIST)
        return fail(op, INVALID, "cannot make the folder %s: %s", path, strerror(errno));
    if (!own)
        return OK;
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));
    if (fd < 0 && stat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == own->pw_uid)
        return OK;
    if (fd < 0 || fchown(fd, own->pw_uid, own->pw_gid) || fchmod(fd, mode))
        return fail(op, INVALID, "cannot hand over the folder %s: %s", path, strerror(errno));
    return OK;
}

static enum fault make_parents(struct op *op, const char *path)
{
    char *copy = arena_strdup(&op->arena, path);

    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(copy, 0755) && errno != EEXIST)
            return fail(op, INVALID, "cannot make the folder %s: %s", copy, strerror(errno));
        *slash = '/';
    }
    return OK;
}

static const char *under(struct op *op, const struct settings *s, const char *name)
{
    return arena_printf(&op->arena, "%s/%s", s->data, name);
}

/* DIR itself may be walked through (postgres must), not listed. */
static enum fault make_folders(struct op *op, const struct settings *s)
{
    const struct passwd *own = NULL;
    bool inside = strncmp(s->blobs, s->data, strlen(s->data)) == 0;

    if (getuid() == 0) {
        own = getpwnam(s->user);
        if (!own)
            return fail(op, NOT_FOUND,
                        "there is no user \"%s\" to become: run deploy/up, or useradd --system "
                        "--no-create-home %s",
                        s->user, s->user);
    }
    TRY(make_parents(op, s->data));
    TRY(make_parents(op, s->blobs));
    TRY(make_folder(op, s->data, 0711, own, true));
    TRY(make_folder(op, under(op, s, "tls"), 0755, own, false));
    return make_folder(op, s->blobs, 0700, own, !inside);
}

/* One process a DIR. The descriptor stays open, and with it the lock, until we end. */
static enum fault lock_folder(struct op *op, const struct settings *s)
{
    lock_fd = open(under(op, s, "lock"), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (lock_fd < 0)
        return fail(op, INVALID, "cannot open %s/lock: %s", s->data, strerror(errno));
    if (flock(lock_fd, LOCK_EX | LOCK_NB))
        return fail(op, CONFLICT, "another sundog serves %s already", s->data);
    return OK;
}

/* ---- sockets ---- */

static enum fault bind_all(struct op *op, const char *const *addresses, bool tls,
                           const char *setting, bool must)
{
    for (; *addresses; addresses++) {
        int fd;
        enum fault fault = listen_bind(op, *addresses, &fd);

        if (fault == NOT_FOUND && !must) { /* a default address this machine lacks: no IPv6 */
            op_clear_fault(op);
            continue;
        }
        if (fault == CONFLICT)
            return fail(op, CONFLICT, "%s; choose another with %s ADDRESS:PORT", op->message,
                        setting);
        TRY(fault);
        listeners[n_listeners++] = (struct listener){.fd = fd, .tls = tls};
    }
    return OK;
}

static char registry_suffix[64];

const char *server_registry_suffix(void)
{
    return registry_suffix;
}

/* TLS sockets were bound first. 443 is what an HTTPS client takes without being told. */
static void set_registry_suffix(struct op *op)
{
    const char *address = n_listeners ? listen_address(op, listeners[0].fd) : "";
    const char *colon = strrchr(address, ':');
    const char *port = colon && strcmp(colon, ":443") != 0 ? colon : "";

    snprintf(registry_suffix, sizeof(registry_suffix), ".azurecr.localhost%.10s", port);
}

const char *const *server_addresses(struct op *op)
{
    const char **addresses = arena_alloc(&op->arena, (n_listeners + 1) * sizeof(*addresses));

    for (size_t i = 0; i < n_listeners; i++)
        addresses[i] = listen_address(op, listeners[i].fd);
    return addresses;
}

static enum fault bind_sockets(struct op *op, const struct settings *s)
{
    TRY(bind_all(op, s->listen, true, "--listen", false));
    TRY(bind_all(op, s->plain_listen, false, "--plain-listen", true));
    set_registry_suffix(op);
    return OK;
}

static enum fault listen_all(struct op *op)
{
    for (size_t i = 0; i < n_listeners; i++)
        if (listen(listeners[i].fd, 1024))
            return fail(op, CONFLICT, "cannot listen on %s: %s",
                        listen_address(op, listeners[i].fd), strerror(errno));
    return OK;
}

/* ---- endpoints ---- */

static const char *endpoints(struct op *op, bool tls)
{
    struct text out;

    text_init(&out, &op->arena, 4096);
    for (size_t i = 0; i < n_listeners; i++)
        if (listeners[i].tls == tls)
            text_printf(&out, "%s\"%s://%s\"", out.len ? ", " : "", tls ? "https" : "http",
                        listen_address(op, listeners[i].fd));
    return out.data;
}

static enum fault write_endpoints(struct op *op, const struct settings *s)
{
    const char *path = under(op, s, "endpoints.json"), *temp = under(op, s, ".endpoints.json");
    FILE *f = fopen(temp, "we");

    if (!f)
        return fail(op, INTERNAL, "cannot write %s: %s", temp, strerror(errno));
    fprintf(f, "{\"https\": [%s], \"plain\": [%s]}\n", endpoints(op, true), endpoints(op, false));
    if (fclose(f) || chmod(temp, 0644) || rename(temp, path))
        return fail(op, INTERNAL, "cannot write %s: %s", path, strerror(errno));
    return OK;
}

static void say_ready(struct op *op)
{
    struct text out;

    text_init(&out, &op->arena, 4096);
    for (size_t i = 0; i < n_listeners; i++)
        text_printf(&out, " %s://%s", listeners[i].tls ? "https" : "http",
                    listen_address(op, listeners[i].fd));
    printf("sundog is ready:%s\n", out.data);
    fflush(stdout);
    notify_manager("READY=1");
}

/* ---- the steps ---- */

static void *run_ahead(void *arg)
{
    for (const struct service *const *p = all_services; *p; p++)
        if ((*p)->ahead)
            (*p)->ahead();
    return arg;
}

static enum fault start_postgres(struct op *op, const struct settings *s, const char **ret_conninfo)
{
    bool first = access(arena_printf(&op->arena, "%s/postgres", s->data), F_OK) < 0;
    enum fault fault;
    pthread_t ahead;

    first = first && pthread_create(&ahead, NULL, run_ahead, NULL) == 0;
    fault = helper_postgres_start(op, ret_conninfo);
    if (first)
        pthread_join(ahead, NULL);
    return fault;
}

static enum fault open_database(struct op *op, const struct settings *s)
{
    const char *conninfo = s->database;

    if (!conninfo)
        TRY(start_postgres(op, s, &conninfo));
    db_configure(conninfo, s->database != NULL);
    op->db = db_open();
    TRY(migrate(op, all_services));
    TRY(saved_begin(op, s, all_services));
    return db_check(op);
}

/* The key that opens every sealed row. With a shared database a second serve must be given it. */
static enum fault load_key(struct op *op, const struct settings *s)
{
    return seal_load(op, s->secret_key, true);
}

static enum fault start_services(struct op *op, const struct settings *s)
{
    for (const struct service *const *p = all_services; *p; p++)
        if ((*p)->start)
            TRY((*p)->start(op, s));
    TRY(saved_keep_first(op, s));
    return admin_file_write(op, s);
}

/* Uploads stream over HTTP/1.1 and are spooled over HTTP/2, so a registry's own names offer the
   former only; clients follow what ALPN offers. */
static bool http1_only(const char *server_name)
{
    if (server_settings->registry_h2)
        return false;
    for (const struct service *const *p = all_services; *p; p++)
        if ((*p)->owns_host && (*p)->owns_host(server_name))
            return true;
    return false;
}

static enum fault become_ready(struct op *op, const struct settings *s)
{
    SSL_CTX *tls = tls_server_context(http1_only);

    TRY(listen_all(op));
    http1_setup();
    http2_setup();
    for (size_t i = 0; i < (size_t)s->loops; i++)
        loops[i].accept.ssl_ctx = tls;
    loops_start((size_t)s->loops, listeners, n_listeners);
    TRY(write_endpoints(op, s));
    atomic_store(&ready, true);
    say_ready(op);
    return OK;
}

static void raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/*
 * libh2o gives a read buffer back each time it is empty and grows a new one by doubling. From
 * malloc's heap that is cheap; by mmap, malloc's way with big pieces, each turn would fault in
 * fresh pages.
 */
static void keep_buffers_in_heap(void)
{
    mallopt(M_MMAP_THRESHOLD, 4 << 20);
    mallopt(M_TRIM_THRESHOLD, 8 << 20);
}

/* What needs root, or happens once in the life of the process. */
static enum fault begin(struct op *op, const struct settings *s)
{
    TRY(make_folders(op, s));
    TRY(lock_folder(op, s));
    TRY(bind_sockets(op, s));
    for (const struct service *const *p = all_services; *p; p++)
        if ((*p)->prepare)
            (*p)->prepare();
    TRY(helper_start(op, s));
    return helper_drop_privileges(op, s);
}

static void take_over(struct op *op, const struct settings *s, const struct handed *handed)
{
    lock_fd = handed->lock_fd;
    for (size_t i = 0; i < handed->n_sockets; i++)
        listeners[n_listeners++] =
            (struct listener){.fd = handed->sockets[i].fd, .tls = handed->sockets[i].tls};
    set_registry_suffix(op);
    helper_take(handed->helper_fd, handed->helper_pid, handed->lacks, s);
}

static enum fault start(struct op *op, const struct settings *s)
{
    struct handed handed;

    keep_buffers_in_heap();
    raise_file_limit();
    notify_start();
    if (restart_handed(op, &handed))
        take_over(op, s, &handed);
    else
        TRY(begin(op, s));
    log_open(s->log_file, s->log_level);
    TRY(load_key(op, s));
    TRY(open_database(op, s));
    TRY(tls_start(op, s));
    fetch_start();
    workers = pool_new("worker", (int)s->worker_threads, (size_t)s->queue_max, true);
    io_pool = pool_new("io", (int)s->io_threads, (size_t)s->queue_max, false);
    slow_pool = pool_new("slow", (int)s->slow_threads, (size_t)s->queue_max, true);
    inside_pool = pool_new("inside", 1, (size_t)s->queue_max, true);
    durable_start();
    waits_start();
    TRY(start_services(op, s));
    hub_start();
    return become_ready(op, s);
}

/* Everything but the helper. */
static void stop_services(int64_t drain_timeout_s)
{
    atomic_store(&ending, true);
    atomic_store(&ready, false);
    loops_drain(drain_timeout_s);
    for (const struct service *const *p = all_services; *p; p++)
        if ((*p)->drain)
            (*p)->drain();
    hub_stop();
    waits_stop();
    for (const struct service *const *p = all_services; *p; p++)
        if ((*p)->stop)
            (*p)->stop();
    meters_stop(); /* nobody adds any more */
    durable_stop();
    pool_free(slow_pool);
    pool_free(io_pool);
    pool_free(workers);
    pool_free(inside_pool);
    fetch_stop();
    tls_stop();
}

/* New clients are refused: in the queue they would wait for as long as others are served. The
   sockets are the loops', too: closing ours would not do. */
static void refuse_clients(void)
{
    for (size_t i = 0; i < n_listeners; i++)
        shutdown(listeners[i].fd, SHUT_RDWR);
}

static void stop(const struct settings *s)
{
    refuse_clients();
    stop_services(s->drain_timeout_s);
    helper_stop();
    log_event(LOG_INFO_, "ended", "%s", "");
    log_flush();
}

/* Streams that never end are not waited for. Returns only when it cannot be. */
static void start_anew(void)
{
    struct handed handed = {.lock_fd = lock_fd, .n_sockets = n_listeners};

    stop_services(RESTART_DRAIN_S);
    handed.lacks = helper_lacks();
    handed.helper_fd = helper_give(&handed.helper_pid);
    for (size_t i = 0; i < n_listeners; i++) {
        handed.sockets[i].fd = listeners[i].fd;
        handed.sockets[i].tls = listeners[i].tls;
    }
    log_event(LOG_INFO_, "starting anew", "%s", "");
    log_flush();
    notify_hand_on();
    restart_now(&handed);
    fprintf(stderr, "sundog: cannot start anew: %s\n", strerror(errno));
    helper_stop();
}

void server_restart(void)
{
    atomic_store(&anew, true);
    kill(getpid(), SIGUSR1);
}

static void block_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* True: to start anew. */
static bool wait_for_end(const sigset_t *set)
{
    int got = SIGHUP;

    while (got == SIGHUP || got == SIGUSR1) {
        if (sigwait(set, &got))
            continue;
        if (got == SIGHUP)
            log_reopen();
        else if (got == SIGUSR1 && atomic_load(&anew))
            return true;
    }
    log_event(LOG_INFO_, "ending", "signal=%d", got);
    notify_manager("STOPPING=1");
    return false;
}

int server_run(struct settings *settings, const struct service *const *services)
{
    struct op op;
    sigset_t signals;
    enum fault fault;

    server_settings = settings;
    all_services = services;
    op_init(&op);
    block_signals(&signals);
    fault = start(&op, settings);
    if (fault != OK) {
        fprintf(stderr, "sundog: %s\n", op.message ? op.message : fault_name(fault));
        log_flush();
        helper_stop();
        if (op.db)
            db_close(op.db);
        op_free(&op);
        return 1;
    }
    if (op.db)
        db_close(op.db);
    op_free(&op);
    if (wait_for_end(&signals)) {
        start_anew();
        return 1;
    }
    stop(settings);
    return 0;
}
