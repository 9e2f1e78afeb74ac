#include "core/admin_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/files.h"
#include "core/helper.h"
#include "core/json.h"

#define ADMIN_JSON_MAX 65536

static json_t *noted; /* start runs on one thread */

void admin_file_note(const char *name, const char *value)
{
    if (!noted)
        noted = json_object();
    if (value)
        json_object_set_new(noted, name, json_string(value));
}

static json_t *read_admin(struct op *op, const char *path)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *data = arena_alloc(&op->arena, ADMIN_JSON_MAX);
    ssize_t n = fd < 0 ? -1 : read(fd, data, ADMIN_JSON_MAX);
    json_t *root = n > 0 ? json_loadb(data, (size_t)n, JSON_REJECT_DUPLICATES, NULL) : NULL;

    explicit_bzero(data, n > 0 ? (size_t)n : 0);
    if (json_is_object(root))
        return root;
    json_decref(root);
    return json_object();
}

static enum fault write_admin(struct op *op, const char *data, const char *path, json_t *root)
{
    const char *temporary = arena_printf(&op->arena, "%s.new", path);
    char *text = json_dumps(root, JSON_INDENT(2));
    const char *line = arena_printf(&op->arena, "%s\n", text);
    enum fault fault = file_write(op, temporary, BYTES(line));

    explicit_bzero(text, strlen(text));
    free(text);
    TRY(fault);
    if (rename(temporary, path) != 0)
        return fail(op, INTERNAL, "cannot rename to %s: %m", path);
    TRY(folder_sync(op, data));
    return helper_hand_over_admin(op);
}

/* Given to the person who called sudo by an earlier start: told already, and not ours any more. */
static bool is_handed_over(const char *path)
{
    return access(path, R_OK) != 0 && errno == EACCES;
}

enum fault admin_file_write(struct op *op, const struct settings *settings)
{
    const char *path = arena_printf(&op->arena, "%s/admin.json", settings->data);
    json_t *members = noted, *now, *all;
    bool same;

    noted = NULL;
    if (!members || is_handed_over(path)) {
        json_decref(members);
        return OK;
    }
    arena_defer(&op->arena, (void (*)(void *))json_decref, members);
    now = read_admin(op, path);
    arena_defer(&op->arena, (void (*)(void *))json_decref, now);
    all = json_copy(now);
    arena_defer(&op->arena, (void (*)(void *))json_decref, all);
    json_object_update(all, members);
    same = json_equal(all, now);
    return same ? OK : write_admin(op, settings->data, path, all);
}
