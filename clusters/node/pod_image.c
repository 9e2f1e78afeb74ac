/* Containers' images: asked for until they are there, with back-off and kubelet's events. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clusters/node/pod_agent.h"
#include "core/json.h"
#include "core/seal.h"
#include "instances/layer.h"

#define BACKOFF_FIRST_MS 10000
#define BACKOFF_MAX_MS   300000
#define CREDENTIALS_MAX  64
#define SECRETS_BYTES    ((size_t)2 << 20) /* of all imagePullSecrets, as they are stored */

/* ---- kept ---- */

static json_t *texts_json(const char *const *texts)
{
    json_t *list = json_array();

    for (; texts && *texts; texts++)
        json_array_append_new(list, json_string(*texts));
    return list;
}

static json_t *image_json(const struct image *image)
{
    return json_pack("{s:s?, s:o, s:o, s:o, s:o, s:s?, s:s?, s:s?}", "digest", image->digest,
                     "layers", texts_json(image->layers), "entrypoint",
                     texts_json(image->entrypoint), "cmd", texts_json(image->cmd), "env",
                     texts_json(image->env), "cwd", image->cwd, "user", image->user, "signal",
                     image->stop_signal);
}

static const char *const *texts_of(struct op *op, const json_t *list)
{
    const char **texts = arena_alloc(&op->arena, (json_array_size(list) + 1) * sizeof(*texts));

    for (size_t i = 0; i < json_array_size(list); i++)
        texts[i] = json_string_value(json_array_get(list, i));
    return texts;
}

static struct image image_of(struct op *op, const json_t *o)
{
    return (struct image){
        .digest = json_string_value(json_object_get(o, "digest")),
        .layers = texts_of(op, json_object_get(o, "layers")),
        .entrypoint = texts_of(op, json_object_get(o, "entrypoint")),
        .cmd = texts_of(op, json_object_get(o, "cmd")),
        .env = texts_of(op, json_object_get(o, "env")),
        .cwd = json_string_value(json_object_get(o, "cwd")),
        .user = json_string_value(json_object_get(o, "user")),
        .stop_signal = json_string_value(json_object_get(o, "signal")),
    };
}

static bool layers_are_there(const json_t *image)
{
    json_t *layer;
    size_t i;

    json_array_foreach(json_object_get(image, "layers"), i, layer)
    {
        if (!layer_is_there(json_string_value(layer)))
            return false;
    }
    return true;
}

int pod_stop_signal(struct op *op, const struct container_memory *m)
{
    const char *s = m->image ? json_string_value(json_object_get(m->image, "signal")) : NULL;

    (void)op;
    if (!s || !*s)
        return SIGTERM;
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

/* ---- credentials: secrets of type kubernetes.io/dockerconfigjson ---- */

static void add_entry(struct op *op, const char *server, const json_t *entry,
                      struct image_credential *list, size_t *n)
{
    const char *user = text_at(entry, "username"), *password = text_at(entry, "password");
    const char *both = text_at(entry, "auth");
    struct bytes plain;
    char *text, *colon;

    if ((!user || !password) && both && base64_decode(&op->arena, both, false, &plain)) {
        text = arena_strndup(&op->arena, plain.data, plain.len);
        colon = strchr(text, ':');
        if (colon) {
            *colon = '\0';
            user = text;
            password = colon + 1;
        }
    }
    if (user && password && *n < CREDENTIALS_MAX)
        list[(*n)++] = (struct image_credential){server, user, password};
}

static void add_secret(struct pod_pass *p, const char *name, size_t *left,
                       struct image_credential *list, size_t *n)
{
    struct object *object = store_read(p->op, p->cluster->store, resource_find("", "v1", "secrets"),
                                       p->object->ns, name);
    const json_t *data = object ? json_object_get(object_tree(object), "data") : NULL, *auths;
    const char *text = json_string_value(json_object_get(data, ".dockerconfigjson")), *server;
    bool old = !text;
    struct bytes plain;
    json_t *config, *entry;

    if (old)
        text = json_string_value(json_object_get(data, ".dockercfg"));
    if (!text || !pod_text_fits(left, strlen(text)) ||
        !base64_decode(&p->op->arena, text, false, &plain) ||
        json_parse(p->op, plain, &config) != OK) {
        op_clear_fault(p->op);
        return;
    }
    auths = old ? config : json_object_get(config, "auths");
    json_object_foreach((json_t *)(uintptr_t)auths, server, entry)
    {
        add_entry(p->op, server, entry, list, n);
    }
}

static struct image_request request_for(struct pod_pass *p, const char *name)
{
    struct image_credential *list = arena_alloc(&p->op->arena, CREDENTIALS_MAX * sizeof(*list));
    const char **principals = arena_alloc(&p->op->arena, 2 * sizeof(*principals));
    size_t left = SECRETS_BYTES, n = 0, i;
    json_t *secret;

    json_array_foreach(json_object_get(p->spec, "imagePullSecrets"), i, secret)
    {
        add_secret(p, text_at_or(secret, "name", ""), &left, list, &n);
    }
    principals[0] = p->cluster->principal;
    return (struct image_request){.name = name,
                                  .subscription = p->cluster->subscription,
                                  .credentials = list,
                                  .n_credentials = n,
                                  .principals = principals};
}

/* ---- asking ---- */

/* "<cluster> <ns>/<name> <container>": what node_agent.c makes a key of. */
static const char *wake_of(const struct pod_pass *p, const struct container_memory *m)
{
    return arena_printf(&p->op->arena, "pod %s %s/%s %s", p->cluster->id, p->object->ns,
                        p->object->name, m->name);
}

static void come(struct pod_pass *p, struct container_memory *m, const char *name,
                 const struct image *image)
{
    if (image->was_here)
        pod_event(p, "Normal", "Pulled", "Container image \"%s\" already present on machine", name);
    else
        pod_event(p, "Normal", "Pulled",
                  "Successfully pulled image \"%s\". Image size: %lld bytes.", name,
                  (long long)image->bytes);
    pod_memory_set_image(m, image_json(image));
    snprintf(m->image_name, sizeof(m->image_name), "%s", name);
    m->pull_failures = 0;
    m->next_pull_ms = 0;
    set_waiting(m, NULL, NULL);
}

static void failed(struct pod_pass *p, struct container_memory *m, const char *name)
{
    const char *why = p->op->message ? p->op->message : "the image cannot be pulled";
    int64_t wait = BACKOFF_FIRST_MS;

    for (int64_t i = 0; i < m->pull_failures && wait < BACKOFF_MAX_MS; i++)
        wait *= 2;
    m->pull_failures++;
    m->next_pull_ms = now_ms() + (wait < BACKOFF_MAX_MS ? wait : BACKOFF_MAX_MS);
    pod_event(p, "Warning", "Failed", "Failed to pull image \"%s\": %s", name, why);
    pod_event(p, "Warning", "Failed", "Error: ErrImagePull");
    set_waiting(m, "ErrImagePull", why);
    image_forget(wake_of(p, m));
    pod_again(p, 1000); /* then it says ImagePullBackOff, as kubelet does */
}

static bool must_wait(struct pod_pass *p, struct container_memory *m, const char *name)
{
    int64_t left = m->next_pull_ms - now_ms();

    if (!m->next_pull_ms || left <= 0)
        return false;
    if (!m->waiting_reason || strcmp(m->waiting_reason, "ImagePullBackOff") != 0) {
        pod_event(p, "Normal", "BackOff", "Back-off pulling image \"%s\"", name);
        pod_event(p, "Warning", "Failed", "Error: ImagePullBackOff");
        set_waiting(m, "ImagePullBackOff",
                    arena_printf(&p->op->arena, "Back-off pulling image \"%s\"", name));
    }
    pod_again(p, left + 1);
    return true;
}

static void begin(struct pod_pass *p, struct container_memory *m, const char *name)
{
    if (m->waiting_reason && strcmp(m->waiting_reason, "ContainerCreating") == 0)
        return;
    if (!m->image_name[0] || strcmp(m->image_name, name) != 0)
        pod_event(p, "Normal", "Pulling", "Pulling image \"%s\"", name);
    set_waiting(m, "ContainerCreating", NULL);
}

enum fault pod_image(struct pod_pass *p, const json_t *container, struct container_memory *m,
                     struct image *ret)
{
    const char *name = text_at_or(container, "image", "");
    struct image_request request;
    struct image image = {0};
    enum fault fault;

    if (m->image && strcmp(m->image_name, name) == 0 && layers_are_there(m->image)) {
        *ret = image_of(p->op, m->image);
        return OK;
    }
    pod_memory_set_image(m, NULL);
    if (must_wait(p, m, name))
        return WOULD_BLOCK;
    request = request_for(p, name);
    fault = image_ready(p->op, &request, wake_of(p, m), &image);
    if (fault == OK) {
        come(p, m, name, &image);
        *ret = image_of(p->op, m->image);
        return OK;
    }
    if (fault == WOULD_BLOCK) {
        begin(p, m, name);
        return WOULD_BLOCK;
    }
    if (fault == INTERNAL)
        return fault;
    failed(p, m, name);
    op_clear_fault(p->op);
    return WOULD_BLOCK;
}
