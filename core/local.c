#include "core/local.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/json.h"

#define FILE_MAX (4u << 20)

enum fault local_file(struct op *op, const char *path, struct bytes *ret)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    char *data;
    ssize_t n;

    if (fd < 0 || fstat(fd, &st) < 0)
        return fail(op, NOT_FOUND, "cannot read %s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX)
        return fail(op, INVALID, "%s is not a file of a sensible size", path);
    data = arena_alloc(&op->arena, (size_t)st.st_size + 1);
    n = read(fd, data, (size_t)st.st_size);
    if (n < 0)
        return fail(op, UNAVAILABLE, "cannot read %s: %s", path, strerror(errno));
    *ret = (struct bytes){data, (size_t)n};
    return OK;
}

/* The port of the first URL in the list, as "localhost:PORT": a client on this machine reaches it
   so, and docker trusts plain HTTP only there. */
static const char *authority(struct op *op, const json_t *urls)
{
    const char *url = json_string_value(json_array_get(urls, 0));
    const char *colon = url ? strrchr(url, ':') : NULL;

    return colon ? arena_printf(&op->arena, "localhost:%s", colon + 1) : NULL;
}

enum fault local_read(struct op *op, const char *data, struct local *ret)
{
    struct local local = {0};
    struct bytes text;
    json_t *root;

    if (local_file(op, arena_printf(&op->arena, "%s/endpoints.json", data), &text) != OK)
        return fail(op, NOT_FOUND, "no Sundog has served %s yet: sundog serve --data %s", data,
                    data);
    TRY(json_parse(op, text, &root));
    local.plain = authority(op, json_object_get(root, "plain"));
    local.tls = authority(op, json_object_get(root, "https"));
    if (!local.plain && !local.tls)
        return fail(op, INVALID, "%s/endpoints.json names no endpoint", data);
    if (local_file(op, arena_printf(&op->arena, "%s/admin.json", data), &text) == OK &&
        json_parse(op, text, &root) == OK)
        local.admin = root;
    *ret = local;
    return OK;
}
