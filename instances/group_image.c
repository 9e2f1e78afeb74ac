/* A group's images: asked for until they are there, kept in the containers' rows for as long as the
   generation lives, and made into what is run. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "instances/group_pass.h"
#include "instances/layer.h"

#define PULL_BACKOFF_FIRST_S 10
#define PULL_BACKOFF_MAX_S   300
#define DEFAULT_PATH         "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define IDENTITY_URL         "http://169.254.169.254/msi/token"

/* ---- in the row ---- */

static json_t *texts_json(const char *const *texts)
{
    json_t *list = json_array();

    for (; texts && *texts; texts++)
        json_array_append_new(list, json_string(*texts));
    return list;
}

static const char *image_json(struct op *op, const struct image *image)
{
    json_t *o =
        json_pack("{s:s?, s:o, s:o, s:o, s:o, s:s?, s:s?, s:s?}", "digest", image->digest, "layers",
                  texts_json(image->layers), "entrypoint", texts_json(image->entrypoint), "cmd",
                  texts_json(image->cmd), "env", texts_json(image->env), "cwd", image->cwd, "user",
                  image->user, "signal", image->stop_signal);
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;

    json_decref(o);
    if (!text)
        return NULL;
    arena_defer(&op->arena, free, text);
    return text;
}

static const char *const *texts_of(struct op *op, const json_t *list)
{
    const char **texts = arena_alloc(&op->arena, (json_array_size(list) + 1) * sizeof(*texts));

    for (size_t i = 0; i < json_array_size(list); i++)
        texts[i] = json_string_value(json_array_get(list, i));
    return texts;
}

static enum fault image_of_row(struct op *op, const struct container_row *row, struct image *ret)
{
    json_t *o;

    TRY(json_parse(op, BYTES(row->image ? row->image : "{}"), &o));
    *ret = (struct image){
        .layers = texts_of(op, json_object_get(o, "layers")),
        .entrypoint = texts_of(op, json_object_get(o, "entrypoint")),
        .cmd = texts_of(op, json_object_get(o, "cmd")),
        .env = texts_of(op, json_object_get(o, "env")),
        .cwd = json_string_value(json_object_get(o, "cwd")),
        .user = json_string_value(json_object_get(o, "user")),
        .stop_signal = json_string_value(json_object_get(o, "signal")),
    };
    return OK;
}

static bool layers_are_there(struct op *op, const struct container_row *row)
{
    struct image image = {0};
    bool all = image_of_row(op, row, &image) == OK;

    for (const char *const *layer = image.layers; all && *layer; layer++)
        all = layer_is_there(*layer);
    op_clear_fault(op);
    return all;
}

bool group_layers_check(struct op *op, struct group_pass *p)
{
    bool all = true;

    for (size_t i = 0; i < p->g.n_containers; i++) {
        struct container_row *row = &p->g.containers[i];

        if (!row->image || layers_are_there(op, row))
            continue;
        image_forget(pass_wake(op, p, row->name));
        row->image = NULL;
        all = false;
    }
    return all;
}

int group_stop_signal(struct op *op, const struct container_row *row)
{
    struct image image = {0};
    const char *s;

    if (image_of_row(op, row, &image) != OK)
        op_clear_fault(op);
    s = image.stop_signal ? image.stop_signal : "";
    if (*s >= '0' && *s <= '9') {
        long n = strtol(s, NULL, 10);

        return n > 0 && n < 65 ? (int)n : SIGTERM;
    }
    if (strncmp(s, "SIG", 3) == 0)
        s += 3;
    for (int n = 1; n < 32; n++) {
        const char *name = sigabbrev_np(n);

        if (name && strcmp(name, s) == 0)
            return n;
    }
    return SIGTERM;
}

/* ---- asking ---- */

static struct image_request request_for(struct op *op, const struct group_pass *p, size_t i)
{
    const char **principals = arena_alloc(&op->arena, 2 * sizeof(*principals));

    principals[0] = p->g.principal;
    return (struct image_request){
        .name = p->spec.containers[i].image,
        .subscription = p->g.subscription,
        .credentials = p->spec.credentials,
        .n_credentials = p->spec.n_credentials,
        .principals = principals,
    };
}

static void pulling(struct op *op, struct group_pass *p, struct container_row *row,
                    const char *image)
{
    if (strcmp(row->detail, "Pulling") == 0)
        return;
    row->detail = "Pulling";
    pass_event(op, p, row->name, false, "Pulling", "pulling image \"%s\"", image);
}

static void pulled(struct op *op, struct group_pass *p, struct container_row *row, const char *name,
                   const struct image *image)
{
    pulling(op, p, row, name);
    pass_event(op, p, row->name, false, "Pulled", "Successfully pulled image \"%s\"", name);
    row->image = image_json(op, image);
    row->detail = "";
    row->failures = 0;
}

/* A source that is away, or asks us to wait, may be there later: as the kubelet waits for it. */
static void failed(struct op *op, struct group_pass *p, struct container_row *row,
                   const char *image, enum fault fault)
{
    const char *why = op->message ? op->message : fault_name(fault);

    pass_event(op, p, row->name, true, "Failed", "Failed to pull image \"%s\": %s", image, why);
    image_forget(pass_wake(op, p, row->name));
    if (fault == UNAVAILABLE || fault == TOO_MANY) {
        int64_t delay_s =
            row->failures < 5 ? PULL_BACKOFF_FIRST_S << row->failures : PULL_BACKOFF_MAX_S;

        row->failures++;
        row->next_start_us = wall_us() + delay_s * 1000000;
        row->detail = arena_printf(&op->arena, "ImagePullBackOff: %.300s", why);
        pass_event(op, p, row->name, false, "BackOff", "Back-off pulling image \"%s\"", image);
        return;
    }
    row->detail = arena_printf(&op->arena, "ErrImagePull: %.300s", why);
    pass_fail(op, p, "InaccessibleImage",
              arena_printf(&op->arena,
                           "The image '%s' in container group '%s' is not accessible. "
                           "Please check the image and registry credential. (%.500s)",
                           image, p->g.name, why));
}

static enum fault one_image(struct op *op, struct group_pass *p, size_t i, bool *all)
{
    struct container_row *row = &p->g.containers[i];
    const char *name = p->spec.containers[i].image;
    struct image_request request = request_for(op, p, i);
    struct image image = {0};
    enum fault fault;

    if (row->image)
        return OK;
    if (row->next_start_us > wall_us()) {
        *all = false;
        pass_again(p, (row->next_start_us - wall_us()) / 1000 + 1);
        return OK;
    }
    fault = image_ready(op, &request, pass_wake(op, p, row->name), &image);
    if (fault == OK) {
        pulled(op, p, row, name, &image);
        row->next_start_us = 0;
        return OK;
    }
    *all = false;
    if (fault == WOULD_BLOCK) {
        pulling(op, p, row, name);
        return OK;
    }
    if (fault == INTERNAL)
        return fault;
    failed(op, p, row, name, fault);
    op_clear_fault(op);
    if (row->next_start_us > wall_us())
        pass_again(p, (row->next_start_us - wall_us()) / 1000 + 1);
    return OK;
}

enum fault group_images(struct op *op, struct group_pass *p, bool *ret_all)
{
    *ret_all = true;
    for (size_t i = 0; i < p->g.n_containers && p->g.provisioning != PROVISIONING_FAILED; i++)
        TRY(one_image(op, p, i, ret_all));
    return OK;
}

/* ---- what is run ---- */

static bool same_name(const char *a, const char *b)
{
    size_t len = strcspn(a, "=");

    return strncmp(a, b, len) == 0 && b[len] == '=';
}

static void add_env(const char **env, size_t *n, const char *one)
{
    for (size_t i = 0; i < *n; i++)
        if (same_name(env[i], one)) {
            env[i] = one;
            return;
        }
    env[(*n)++] = one;
}

static size_t count(const char *const *texts)
{
    size_t n = 0;

    while (texts && texts[n])
        n++;
    return n;
}

/* The image's, then ours, then the group's: the later one wins. */
static const char *const *environment(struct op *op, const struct group_pass *p,
                                      const struct group_container *c, const struct image *image)
{
    const char **env =
        arena_alloc(&op->arena, (count(image->env) + count(c->env) + 4) * sizeof(*env));
    size_t n = 0;

    add_env(env, &n, DEFAULT_PATH);
    for (const char *const *e = image->env; *e; e++)
        add_env(env, &n, *e);
    if (p->identity_header) {
        add_env(env, &n, "IDENTITY_ENDPOINT=" IDENTITY_URL);
        add_env(env, &n, arena_printf(&op->arena, "IDENTITY_HEADER=%s", p->identity_header));
    }
    for (const char *const *e = c->env; *e; e++)
        add_env(env, &n, *e);
    return env;
}

static const char *const *arguments(struct op *op, const struct group_container *c,
                                    const struct image *image)
{
    const char **args;
    size_t n = 0;

    if (c->command)
        return c->command;
    args =
        arena_alloc(&op->arena, (count(image->entrypoint) + count(image->cmd) + 1) * sizeof(*args));
    for (const char *const *a = image->entrypoint; *a; a++)
        args[n++] = *a;
    for (const char *const *a = image->cmd; *a; a++)
        args[n++] = *a;
    return args;
}

enum fault group_container_spec(struct op *op, const struct group_pass *p, size_t i,
                                struct container_spec *ret)
{
    const struct group_container *c = &p->spec.containers[i];
    const struct container_row *row = &p->g.containers[i];
    struct image image = {0};

    TRY(image_of_row(op, row, &image));
    *ret = (struct container_spec){
        .name = row->name,
        .attempt = row->starts,
        .layers = image.layers,
        .args = arguments(op, c, &image),
        .env = environment(op, p, c, &image),
        .cwd = image.cwd && *image.cwd ? image.cwd : NULL,
        .user = image.user ? image.user : "",
        .run_as_user = c->run_as_user,
        .run_as_group = c->run_as_group,
        .memory_bytes = c->memory_bytes,
        .cpu_millis = c->cpu_millis,
        .pids = GROUP_PIDS_MAX,
        .privileged = c->privileged,
        .no_new_privileges = c->no_new_privileges,
        .cap_add = c->cap_add,
        .cap_drop = c->cap_drop,
        .seccomp = c->seccomp,
        .mounts = c->mounts,
        .n_mounts = c->n_mounts,
    };
    if (ret->args[0])
        return OK;
    return fail(op, INVALID, "the image \"%s\" says nothing to run, and no command was given",
                c->image);
}
