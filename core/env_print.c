#include "core/env_print.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/json.h"
#include "core/local.h"
#include "core/shell_word.h"

#define FILE_MAX (8u << 20)

/* ---- files ---- */

static const char *at_home(struct op *op, const char *path)
{
    const char *home = getenv("HOME");

    return strncmp(path, "~/", 2) == 0
               ? arena_printf(&op->arena, "%s/%s", home ? home : "", path + 2)
               : path;
}

enum fault env_write_file(struct op *op, const char *folder, const struct env_file *file)
{
    const char *path = arena_printf(&op->arena, "%s/%s", folder, file->name);
    const char *fresh = arena_printf(&op->arena, "%s.new", path);
    AUTO_CLOSE int fd = -1;
    struct bytes found;
    struct text text;

    text_init(&text, &op->arena, FILE_MAX);
    for (size_t i = 0; i < ARRAY_LEN(file->first) && file->first[i] && text.len == 0; i++) {
        if (local_file(op, at_home(op, file->first[i]), &found) == OK) {
            text_add(&text, found.data, found.len);
            text_str(&text, "\n");
        }
        op_clear_fault(op);
    }
    text_add(&text, file->content.data, file->content.len);
    unlink(fresh);
    fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, text.data, text.len) != (ssize_t)text.len || rename(fresh, path) < 0)
        return fail(op, UNAVAILABLE, "cannot write %s: %s", path, strerror(errno));
    return OK;
}

/* ---- shell ---- */

/* Our files hold no line of this; it is not expanded. */
#define END_OF_FILE "END_OF_SUNDOG_FILE"

static void print_file(struct op *op, const char *folder, const struct env_file *file)
{
    const char *slash = strrchr(file->name, '/'), *quoted = shell_quoted(op, folder);

    printf("mkdir -p %s", quoted);
    if (slash)
        printf("/%.*s", (int)(slash - file->name), file->name);
    fputs(" && { ", stdout);
    for (size_t i = 0; i < ARRAY_LEN(file->first) && file->first[i]; i++) {
        if (strncmp(file->first[i], "~/", 2) == 0)
            printf("cat ~/'%s' 2>/dev/null || ", file->first[i] + 2);
        else
            printf("cat '%s' 2>/dev/null || ", file->first[i]);
    }
    fputs(file->first[0] ? ":; cat; } > " : "cat; } > ", stdout);
    printf("%s/%s <<'" END_OF_FILE "'\n", quoted, shell_quoted(op, file->name));
    fwrite(file->content.data, 1, file->content.len, stdout);
    puts(END_OF_FILE);
}

/* A variable's line, in quotes, and for later steps the way its CI system has. */
static void print_variable(struct op *op, const struct env_variable *variable, const char *format)
{
    const char *name = variable->name, *value = shell_quoted(op, variable->value);

    printf("export %s=%s\n", name, value);
    if (strcmp(format, "github") == 0) { /* workflow commands; later steps read $GITHUB_ENV */
        if (variable->secret)
            printf("echo '::add-mask::'%s\n", value);
        printf("echo %s=%s >> \"$GITHUB_ENV\"\n", name, value);
    } else if (strcmp(format, "azdo") == 0) { /* issecret would hide it from later steps, too */
        if (variable->secret)
            printf("echo '##vso[task.setsecret]'%s\n", value);
        printf("echo '##vso[task.setvariable variable=%s]'%s\n", name, value);
    }
}

static void print_json(struct op *op, const struct env_lines *lines)
{
    struct text text;

    text_init(&text, &op->arena, 65536);
    text_str(&text, "{");
    for (size_t i = 0; i < lines->n_variables; i++) {
        text_str(&text, i > 0 ? ",\n  " : "\n  ");
        json_quote(&text, lines->variables[i].name);
        text_str(&text, ": ");
        json_quote(&text, lines->variables[i].value);
    }
    printf("%s\n}\n", text.data);
}

void env_print(struct op *op, const struct env_lines *lines, const char *format)
{
    if (strcmp(format, "json") == 0) {
        print_json(op, lines);
        return;
    }
    for (size_t i = 0; lines->elsewhere && i < lines->n_files; i++) {
        if (i == 0)
            puts("sundog_umask=$(umask); umask 077");
        print_file(op, lines->folder, &lines->files[i]);
        if (i + 1 == lines->n_files)
            puts("umask \"$sundog_umask\"; unset sundog_umask");
    }
    for (size_t i = 0; i < lines->n_variables; i++)
        print_variable(op, &lines->variables[i], format);
}
