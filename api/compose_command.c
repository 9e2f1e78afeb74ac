/* `sundog compose FILE`: a compose file as the YAML of a container group. */
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/commands.h"
#include "api/compose.h"
#include "clusters/object/object.h"

#define ENV_MAX ((size_t)1 << 20)

/* The environment, then .env beside the file: as docker compose does. */
static const char *variable(void *arg, const char *name)
{
    const char *value = getenv(name);

    return value ? value : json_string_value(json_object_get(arg, name));
}

static void put(const char *text)
{
    for (; *text; text++)
        fputc((unsigned char)*text < ' ' || *text == 127 ? '?' : *text, stderr);
}

static void say(const char *file, const struct compose_left *left)
{
    for (; left; left = left->next) {
        fprintf(stderr, "%s: %s", file, left->is_note ? "note: " : "left out: ");
        put(left->path);
        fputs(": ", stderr);
        put(left->why);
        fputc('\n', stderr);
    }
}

static enum fault convert(struct op *op, struct settings *settings, const char *path,
                          struct compose_group *group)
{
    json_t *env = json_object();
    struct compose_source source = {.name = settings->name, .variable = variable, .arg = env};
    struct bytes file, dot_env;

    arena_defer(&op->arena, (void (*)(void *))json_decref, env);
    source.folder = dirname(arena_strdup(&op->arena, path));
    source.fallback = realpath(source.folder, NULL);
    if (!source.fallback)
        return fail(op, INVALID, "cannot read %s", path);
    arena_defer(&op->arena, free, (void *)source.fallback);
    source.fallback = basename(arena_strdup(&op->arena, source.fallback));
    if (compose_read_file(op, &source, ".env", ENV_MAX, &dot_env) == OK)
        TRY(compose_env_file(op, dot_env, env));
    op_clear_fault(op);
    TRY(compose_read_file(op, &source,
                          arena_printf(&op->arena, "%s", basename(arena_strdup(&op->arena, path))),
                          COMPOSE_FILE_MAX, &file));
    return compose_read(op, file, &source, group);
}

int compose_run(struct settings *settings)
{
    const char *path = settings_args[0];
    struct compose_group group = {0};
    struct bytes yaml;
    struct op op;
    int status = 2;

    op_init(&op);
    if (!path || settings_args[1]) {
        fputs("usage: sundog compose FILE [--name NAME] [--strict]\n", stderr);
    } else if (convert(&op, settings, path, &group) != OK) {
        fprintf(stderr, "sundog: %s: ", path);
        put(op.message);
        fputc('\n', stderr);
    } else {
        status = group.fits ? 0 : 3;
        say(path, group.left);
        if (group.fits || !settings->strict) {
            yaml = object_encode_yaml(&op, group.group);
            fwrite(yaml.data, 1, yaml.len, stdout);
        }
    }
    op_free(&op);
    return fflush(stdout) == 0 ? status : 2;
}
