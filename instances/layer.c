/*
 * Layers as the server sees them: which are there, each unpacked by one caller only, and which may
 * go. Root's part is in layer_root.c.
 */
#include "instances/layer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/helper.h"
#include "instances/layer_root.h"
#include "registry/names.h"

#define BUCKETS       1024
#define KNOWN_MAX     16384 /* then memory is forgotten, and read anew */
#define MARK_EVERY_MS 60000

/* A layer that is there, or that somebody unpacks now. */
struct known {
    struct known *next;
    int64_t marked_ms; /* when its time of use was set */
    bool unpacking;
    char diff_id[];
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char *folder; /* DIR/layers; NULL: containers cannot run here */
    struct known *buckets[BUCKETS];
    size_t n;
} layers = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* ---- what is known; under the lock ---- */

static struct known **find(const char *diff_id)
{
    size_t h = 5381;
    struct known **at;

    for (const char *c = diff_id; *c; c++)
        h = h * 33 + (unsigned char)*c;
    for (at = &layers.buckets[h % BUCKETS]; *at; at = &(*at)->next)
        if (strcmp((*at)->diff_id, diff_id) == 0)
            break;
    return at;
}

static void forget(struct known **at)
{
    struct known *k = *at;

    *at = k->next;
    free(k);
    layers.n--;
}

static void forget_all(bool unpacking_too)
{
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct known **at = &layers.buckets[i]; *at;)
            if (unpacking_too || !(*at)->unpacking)
                forget(at);
            else
                at = &(*at)->next;
}

static struct known *add(const char *diff_id, bool unpacking)
{
    struct known *k = calloc(1, sizeof(*k) + strlen(diff_id) + 1), **at;

    if (!k)
        abort();
    if (layers.n >= KNOWN_MAX)
        forget_all(false);
    memcpy(k->diff_id, diff_id, strlen(diff_id) + 1);
    k->unpacking = unpacking;
    at = find(diff_id);
    k->next = *at;
    *at = k;
    layers.n++;
    return k;
}

/* ---- files ---- */

static bool file_path(char *ret, size_t size, const char *diff_id, const char *file)
{
    const char *colon = strchr(diff_id, ':');

    return layers.folder && colon && digest_is_valid(diff_id) &&
           snprintf(ret, size, "%s/%.*s/%s", layers.folder, LAYER_SHORT_LEN, colon + 1, file) <
               (int)size;
}

/* Half of the digest names the folder; all of it is in a file. */
static bool is_on_disk(const char *diff_id)
{
    char path[PATH_MAX], there[DIGEST_MAX + 2] = "";
    AUTO_CLOSE int fd = -1;
    ssize_t n;

    if (!file_path(path, sizeof(path), diff_id, LAYER_DIFF_ID))
        return false;
    fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    n = fd < 0 ? -1 : read(fd, there, sizeof(there) - 1);
    return n > 0 && strcmp(there, diff_id) == 0;
}

/* Also tells whether it is still there. */
static bool mark_used(struct known *k)
{
    bool due = k->marked_ms == 0 || now_ms() - k->marked_ms >= MARK_EVERY_MS;
    char path[PATH_MAX];

    if (!file_path(path, sizeof(path), k->diff_id, LAYER_USED))
        return false;
    if (!due)
        return access(path, F_OK) == 0;
    k->marked_ms = now_ms();
    return utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool is_there(const char *diff_id)
{
    struct known **at = find(diff_id);

    if (*at && (*at)->unpacking)
        return false;
    if (*at && mark_used(*at))
        return true;
    if (*at)
        forget(at);
    return is_on_disk(diff_id) && mark_used(add(diff_id, false));
}

bool layer_is_there(const char *diff_id)
{
    bool there;

    pthread_mutex_lock(&layers.lock);
    there = is_there(diff_id);
    pthread_mutex_unlock(&layers.lock);
    return there;
}

const char *layer_folder(struct op *op, const char *diff_id)
{
    const char *colon = strchr(diff_id, ':');

    return arena_printf(&op->arena, "%.*s/" LAYER_TREE, LAYER_SHORT_LEN,
                        colon ? colon + 1 : diff_id);
}

/* ---- unpacking ---- */

/* False: it is there now. True: the caller is the one to unpack it. */
static bool take(const char *diff_id)
{
    bool mine = false;

    pthread_mutex_lock(&layers.lock);
    for (;;) {
        struct known **at = find(diff_id);

        if (*at && (*at)->unpacking) {
            pthread_cond_wait(&layers.changed, &layers.lock);
            continue;
        }
        if (is_there(diff_id))
            break;
        add(diff_id, true);
        mine = true;
        break;
    }
    pthread_mutex_unlock(&layers.lock);
    return mine;
}

static void give_back(const char *diff_id)
{
    struct known **at;

    pthread_mutex_lock(&layers.lock);
    at = find(diff_id);
    if (*at)
        forget(at);
    pthread_cond_broadcast(&layers.changed);
    pthread_mutex_unlock(&layers.lock);
}

enum fault layer_unpack(struct op *op, const char *diff_id, int fd)
{
    json_t *body;
    enum fault fault;

    if (!layers.folder)
        return fail(op, UNSUPPORTED, "layers are unpacked only when Sundog is started as root");
    TRY(check_digest(op, diff_id));
    if (!take(diff_id))
        return OK;
    body = json_pack("{s:s}", "diffId", diff_id);
    fault = helper_call(op, "layer.unpack", body, &fd, 1, NULL);
    json_decref(body);
    give_back(diff_id);
    if (fault != OK)
        return fail_on(op, op->noun, fault, "the layer %.19s cannot be unpacked: %s", diff_id,
                       op->message ? op->message : "");
    return OK;
}

enum fault layer_settle(struct op *op)
{
    return layers.folder ? helper_call(op, "layer.settle", NULL, NULL, 0, NULL) : OK;
}

/* ---- collection ---- */

static bool is_used(struct op *op, const char *const *in_use, const char *name)
{
    for (size_t i = 0; in_use && in_use[i]; i++)
        if (strncmp(layer_folder(op, in_use[i]), name, LAYER_SHORT_LEN) == 0)
            return true;
    return false;
}

static bool may_go(int dir, const char *name, int64_t older_than_s)
{
    char path[LAYER_SHORT_LEN + sizeof("/" LAYER_USED)];
    struct stat st;

    if (strlen(name) != LAYER_SHORT_LEN)
        return false;
    snprintf(path, sizeof(path), "%.*s/" LAYER_USED, LAYER_SHORT_LEN, name);
    return fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           st.st_mtime <= wall_s() - older_than_s;
}

/* What is asked for from now on is looked at on the disk, and marked. */
static enum fault remove_some(struct op *op, json_t *names, int64_t older_than_s, size_t *removed)
{
    json_t *body = json_pack("{s:O, s:I}", "layers", names, "olderThanS", (json_int_t)older_than_s);
    struct message answer = {0};
    int64_t n = 0;
    enum fault fault;

    pthread_mutex_lock(&layers.lock);
    forget_all(false);
    pthread_mutex_unlock(&layers.lock);
    fault = helper_call(op, "layer.remove", body, NULL, 0, &answer);
    json_decref(body);
    TRY(fault);
    TRY(message_int(op, answer.body, "removed", 0, LAYER_REMOVE_AT_ONCE, &n));
    *removed += (size_t)n;
    return OK;
}

static enum fault remove_unused(struct op *op, DIR *dir, const char *const *in_use,
                                int64_t older_than_s, size_t *removed)
{
    json_t *names = json_array();
    struct dirent *entry;

    arena_defer(&op->arena, (void (*)(void *))json_decref, names);
    while ((entry = readdir(dir))) {
        if (!may_go(dirfd(dir), entry->d_name, older_than_s) || is_used(op, in_use, entry->d_name))
            continue;
        json_array_append_new(names, json_string(entry->d_name));
        if (json_array_size(names) < LAYER_REMOVE_AT_ONCE)
            continue;
        TRY(remove_some(op, names, older_than_s, removed));
        json_array_clear(names);
    }
    return json_array_size(names) ? remove_some(op, names, older_than_s, removed) : OK;
}

enum fault layer_collect(struct op *op, const char *const *in_use, int64_t older_than_s,
                         size_t *ret_removed)
{
    size_t removed = 0;
    enum fault fault;
    DIR *dir;

    *ret_removed = 0;
    if (!layers.folder)
        return OK;
    dir = opendir(layers.folder);
    if (!dir)
        return fail(op, UNAVAILABLE, "%s cannot be listed: %s", layers.folder, strerror(errno));
    fault = remove_unused(op, dir, in_use, older_than_s, &removed);
    closedir(dir);
    *ret_removed = removed;
    return fault;
}

/* ---- life ---- */

void layer_register(void)
{
    helper_register(layer_calls);
}

enum fault layer_start(struct op *op, const struct settings *settings)
{
    char *folder;

    if (!helper_is_root())
        return OK;
    TRY(helper_call(op, "layer.start", NULL, NULL, 0, NULL));
    if (asprintf(&folder, "%s/" LAYERS_FOLDER, settings->data) < 0)
        abort();
    pthread_mutex_lock(&layers.lock);
    free(layers.folder);
    layers.folder = folder;
    pthread_mutex_unlock(&layers.lock);
    return OK;
}

void layer_stop(void)
{
    pthread_mutex_lock(&layers.lock);
    forget_all(true);
    free(layers.folder);
    layers.folder = NULL;
    pthread_mutex_unlock(&layers.lock);
}
