/* Files that compose files name: env files, secrets. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/compose.h"

enum fault compose_read_file(struct op *op, const struct compose_source *source, const char *path,
                             size_t max, struct bytes *ret)
{
    const char *whole =
        *path == '/' ? path : arena_printf(&op->arena, "%s/%s", source->folder, path);
    AUTO_CLOSE int fd = open(whole, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    size_t len = 0;
    char *data;
    ssize_t n;

    if (fd < 0 || fstat(fd, &st) != 0)
        return fail(op, INVALID, "cannot read %s: %s", whole, strerror(errno));
    if (!S_ISREG(st.st_mode) || st.st_size > (off_t)max)
        return fail(op, INVALID, "%s is no file of at most %zu bytes", whole, max);
    data = arena_alloc(&op->arena, (size_t)st.st_size + 1);
    while (len < (size_t)st.st_size && (n = read(fd, data + len, (size_t)st.st_size - len)) > 0)
        len += (size_t)n;
    data[len] = '\0';
    *ret = (struct bytes){data, len};
    return OK;
}

/* In single quotes as it is, in double quotes with \n and the like, else without a comment. */
static const char *value_of(struct op *op, char *s)
{
    char quote = *s == '"' || *s == '\'' ? *s : '\0', *out, *start;
    const char *found;

    if (!quote) {
        for (char *at = s; *at; at++)
            if (*at == '#' && (at == s || isspace((unsigned char)at[-1])))
                *at = '\0';
        for (size_t n = strlen(s); n > 0 && isspace((unsigned char)s[n - 1]); n--)
            s[n - 1] = '\0';
        return s;
    }
    start = out = arena_strdup(&op->arena, s + 1);
    for (s++; *s && *s != quote; s++) {
        if (quote == '"' && *s == '\\' && s[1]) {
            found = strchr("n\nt\tr\r", *++s);
            *out++ = found && isalpha((unsigned char)*s) ? found[1] : *s;
        } else {
            *out++ = *s;
        }
    }
    *out = '\0';
    return start;
}

enum fault compose_env_file(struct op *op, struct bytes file, json_t *into)
{
    char *text = arena_strndup(&op->arena, file.data, file.len), *save = NULL, *equals;

    if (strlen(text) != file.len)
        return fail(op, INVALID, "an env file holds a NUL byte");
    for (char *line = strtok_r(text, "\r\n", &save); line; line = strtok_r(NULL, "\r\n", &save)) {
        line += strspn(line, " \t");
        if (strncmp(line, "export ", 7) == 0)
            line += 7;
        if (*line == '#' || *line == '\0')
            continue;
        equals = strchr(line, '=');
        if (!equals || equals == line)
            continue; /* a name alone: it stays as it is outside */
        *equals = '\0';
        for (size_t n = strlen(line); n > 0 && isspace((unsigned char)line[n - 1]); n--)
            line[n - 1] = '\0';
        if (json_object_set_new(into, line,
                                json_string(value_of(op, equals + 1 + strspn(equals + 1, " \t")))))
            return fail(op, INVALID, "an env file is not UTF-8");
    }
    return OK;
}
