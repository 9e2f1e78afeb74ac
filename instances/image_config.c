/*
 * An image's documents: manifest and config (OCI image-spec v1.1; Docker's are the same where we
 * look).
 */
#include <pthread.h>
#include <string.h>

#include "core/json.h"
#include "instances/image_parts.h"
#include "registry/manifest.h"
#include "registry/names.h"
#include "registry/platform.h"

#define TEXTS_MAX 10000
#define KEPT      256

/* ---- reading ---- */

static enum fault no_image(struct op *op, const char *what, const char *why)
{
    return fail_on(op, "image", INVALID, "%s is no container image that can be run: %s", what, why);
}

static enum fault parse(struct op *op, const char *what, const char *which, struct bytes content,
                        json_t **ret)
{
    if (json_parse(op, content, ret) == OK && json_is_object(*ret))
        return OK;
    op_clear_fault(op);
    return no_image(op, what, which);
}

enum fault image_config_of(struct op *op, const char *what, struct bytes manifest,
                           const char **ret_digest, int64_t *ret_size)
{
    const json_t *config;
    const char *type;
    json_t *root;

    TRY(parse(op, what, "its manifest cannot be read", manifest, &root));
    config = json_object_get(root, "config");
    type = json_text(config, "mediaType");
    if (strcmp(type, MEDIA_OCI_CONFIG) != 0 && strcmp(type, MEDIA_DOCKER_CONFIG) != 0)
        return no_image(op, what,
                        arena_printf(&op->arena, "its config is of type \"%.100s\"", type));
    if (!digest_is_valid(json_text(config, "digest")))
        return no_image(op, what, "its manifest names no config");
    *ret_digest = json_text(config, "digest");
    *ret_size = json_integer_value(json_object_get(config, "size"));
    return OK;
}

/* A list of texts, or null. A text that is none makes the image one that cannot be run. */
static enum fault read_texts(struct op *op, const char *what, const json_t *object,
                             const char *name, const char *const **ret)
{
    const json_t *list = json_object_get(object, name);
    size_t n = json_array_size(list);
    const char **texts;

    if (list && !json_is_null(list) && (!json_is_array(list) || n > TEXTS_MAX))
        return no_image(op, what, arena_printf(&op->arena, "its %s is no list", name));
    texts = arena_alloc(&op->arena, (n + 1) * sizeof(*texts));
    for (size_t i = 0; i < n; i++) {
        texts[i] = json_string_value(json_array_get(list, i));
        if (!texts[i])
            return no_image(op, what, arena_printf(&op->arena, "its %s has no text", name));
    }
    *ret = texts;
    return OK;
}

static enum fault read_layers(struct op *op, const char *what, const json_t *manifest,
                              const json_t *config, struct image_parts *p)
{
    const json_t *list = json_object_get(manifest, "layers");
    const char **diff_ids = NULL;
    size_t n = json_array_size(list);

    TRY(read_texts(op, what, json_object_get(config, "rootfs"), "diff_ids", &p->image.layers));
    while (p->image.layers[p->n_layers])
        p->n_layers++;
    if (p->n_layers != n)
        return no_image(op, what,
                        arena_printf(&op->arena, "it has %zu layers, and its config names %zu", n,
                                     p->n_layers));
    if (n > IMAGE_LAYERS_MAX)
        return no_image(op, what, "it has more than 127 layers");
    diff_ids = (const char **)(uintptr_t)p->image.layers;
    p->layers = arena_alloc(&op->arena, (n + 1) * sizeof(*p->layers));
    for (size_t i = 0; i < n; i++) {
        const json_t *layer = json_array_get(list, i);
        int64_t size = json_integer_value(json_object_get(layer, "size"));

        p->layers[i] = (struct image_layer){json_text(layer, "digest"), diff_ids[i], size};
        if (!digest_is_valid(diff_ids[i]) || !digest_is_valid(p->layers[i].digest) || size < 0)
            return no_image(op, what, "it has a layer without a digest");
        if (strstr(json_text(layer, "mediaType"), "encrypted"))
            return no_image(op, what, "its layers are encrypted");
        p->image.bytes += size;
    }
    return OK;
}

static enum fault check_platform(struct op *op, const char *what, const json_t *config)
{
    const char *os = json_text(config, "os"), *architecture = json_text(config, "architecture");

    if ((*os && strcmp(os, PLATFORM_OS) != 0) ||
        (*architecture && strcmp(architecture, platform_architecture()) != 0))
        return platform_missing(op, what,
                                arena_printf(&op->arena, "%.32s/%.32s", *os ? os : "?",
                                             *architecture ? architecture : "?"));
    return OK;
}

enum fault image_parse(struct op *op, const char *what, const char *digest, struct bytes manifest,
                       struct bytes config, struct image_parts *ret)
{
    struct image_parts p = {.image.digest = digest};
    json_t *root, *document;
    const json_t *run;

    TRY(parse(op, what, "its manifest cannot be read", manifest, &root));
    TRY(parse(op, what, "its config cannot be read", config, &document));
    TRY(check_platform(op, what, document));
    p.image.bytes = (int64_t)config.len;
    TRY(read_layers(op, what, root, document, &p));
    run = json_object_get(document, "config");
    TRY(read_texts(op, what, run, "Entrypoint", &p.image.entrypoint));
    TRY(read_texts(op, what, run, "Cmd", &p.image.cmd));
    TRY(read_texts(op, what, run, "Env", &p.image.env));
    p.image.cwd = json_text(run, "WorkingDir");
    p.image.user = json_text(run, "User");
    p.image.stop_signal = json_text(run, "StopSignal");
    *ret = p;
    return OK;
}

/* ---- memory ---- */

struct kept {
    struct arena arena;
    struct image_parts parts;
    uint64_t used; /* 0: free */
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct kept kept[KEPT];
static uint64_t uses;

static const char *const *copy_texts(struct arena *arena, const char *const *texts)
{
    const char **copy;
    size_t n = 0;

    while (texts[n])
        n++;
    copy = arena_alloc(arena, (n + 1) * sizeof(*copy));
    for (size_t i = 0; i < n; i++)
        copy[i] = arena_strdup(arena, texts[i]);
    return copy;
}

static struct image_parts copy_parts(struct arena *arena, const struct image_parts *from)
{
    const struct image *i = &from->image;
    struct image_parts to = *from;

    to.image.digest = arena_strdup(arena, i->digest);
    to.image.layers = copy_texts(arena, i->layers);
    to.image.entrypoint = copy_texts(arena, i->entrypoint);
    to.image.cmd = copy_texts(arena, i->cmd);
    to.image.env = copy_texts(arena, i->env);
    to.image.cwd = arena_strdup(arena, i->cwd);
    to.image.user = arena_strdup(arena, i->user);
    to.image.stop_signal = arena_strdup(arena, i->stop_signal);
    to.layers = arena_alloc(arena, (from->n_layers + 1) * sizeof(*to.layers));
    for (size_t k = 0; k < from->n_layers; k++)
        to.layers[k] = (struct image_layer){arena_strdup(arena, from->layers[k].digest),
                                            to.image.layers[k], from->layers[k].size};
    return to;
}

bool image_recall(struct op *op, const char *digest, struct image_parts *ret)
{
    bool found = false;

    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < KEPT && !found; i++) {
        if (!kept[i].used || strcmp(kept[i].parts.image.digest, digest) != 0)
            continue;
        kept[i].used = ++uses;
        *ret = copy_parts(&op->arena, &kept[i].parts);
        found = true;
    }
    pthread_mutex_unlock(&lock);
    return found;
}

void image_remember(const struct image_parts *parts)
{
    struct kept *oldest = &kept[0];

    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < KEPT; i++)
        if (kept[i].used < oldest->used)
            oldest = &kept[i];
    if (oldest->used)
        arena_free(&oldest->arena);
    arena_init(&oldest->arena);
    oldest->parts = copy_parts(&oldest->arena, parts);
    oldest->used = ++uses;
    pthread_mutex_unlock(&lock);
}

void image_forget_parts(void)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < KEPT; i++) {
        if (kept[i].used)
            arena_free(&kept[i].arena);
        kept[i].used = 0;
    }
    pthread_mutex_unlock(&lock);
}
