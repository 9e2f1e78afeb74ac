/* Containers' environments: where each value comes from, and $(NAME) in them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clusters/node/pod_agent.h"
#include "clusters/object/quantity.h"
#include "core/seal.h"

#define ENV_MAX      4096
#define ENV_TEXT_MAX ((size_t)1 << 20)
#define DECODED_MAX  ((size_t)16 << 20) /* read from secrets, whether it can be used or not */

struct env {
    struct pod_pass *p;
    const json_t *container;
    const char **list; /* "NAME=value", NULL-terminated */
    size_t n;
    size_t *left, decode_left;
    bool full; /* something did not fit */
};

/* ---- how much there may be ---- */

bool pod_text_fits(size_t *left, size_t len)
{
    if (len >= *left)
        return false;
    *left -= len + 1;
    return true;
}

enum fault pod_texts_too_long(struct op *op)
{
    return fail_on(op, "CreateContainerConfigError", INVALID,
                   "the environment and arguments are longer than %zu bytes", POD_TEXTS_MAX);
}

/* ---- fields of the pod ---- */

/* metadata.labels['a'] → the key; NULL: not of that shape. */
static const char *subscript(struct op *op, const char *path, const char *prefix)
{
    size_t len = strlen(prefix);
    const char *end;

    if (strncmp(path, prefix, len) != 0 || path[len] != '[' || path[len + 1] != '\'')
        return NULL;
    end = strstr(path + len + 2, "']");
    return end ? arena_strndup(&op->arena, path + len + 2, (size_t)(end - path - (long)len - 2))
               : NULL;
}

/* `key="value"` lines, sorted, as the downward API writes whole maps. */
static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *map_text(struct op *op, const json_t *map)
{
    const char **lines = arena_alloc(&op->arena, (json_object_size(map) + 1) * sizeof(*lines)),
               *key;
    struct text out;
    json_t *value;
    size_t n = 0;

    json_object_foreach((json_t *)map, key, value)
    {
        char *quoted = json_dumps(value, JSON_ENCODE_ANY);

        lines[n++] = arena_printf(&op->arena, "%s=%s", key, quoted ? quoted : "\"\"");
        free(quoted);
    }
    qsort(lines, n, sizeof(*lines), by_text);
    text_init(&out, &op->arena, ENV_TEXT_MAX);
    for (size_t i = 0; i < n; i++)
        text_printf(&out, "%s%s", i ? "\n" : "", lines[i]);
    return out.data;
}

const char *pod_field(struct pod_pass *p, const char *path)
{
    struct op *op = p->op;
    const struct node_spec *node = node_of(p->cluster, p->node);
    const char *key;

    if ((key = subscript(op, path, "metadata.labels")))
        return label_of(p->pod, key) ? label_of(p->pod, key) : "";
    if ((key = subscript(op, path, "metadata.annotations")))
        return annotation_of(p->pod, key) ? annotation_of(p->pod, key) : "";
    if (strcmp(path, "metadata.labels") == 0 || strcmp(path, "metadata.annotations") == 0)
        return map_text(op, at(p->pod, path));
    if (strcmp(path, "status.podIP") == 0 || strcmp(path, "status.podIPs") == 0)
        return bool_at(p->spec, "hostNetwork", false) && node ? node->address : p->memory->address;
    if (strcmp(path, "status.hostIP") == 0 || strcmp(path, "status.hostIPs") == 0)
        return node ? node->address : "";
    if (strcmp(path, "spec.serviceAccountName") == 0)
        return text_at_or(p->spec, "serviceAccountName", "default");
    return text_at(p->pod, path);
}

/* What a container may use when it has no limit: all of the node. */
static int64_t node_amount(struct pod_pass *p, const char *name, bool millis)
{
    const struct node_spec *node = node_of(p->cluster, p->node);

    if (!node)
        return 0;
    if (strcmp(name, "cpu") == 0)
        return millis ? node->cpu_millis : (node->cpu_millis + 999) / 1000;
    return strcmp(name, "memory") == 0 ? node->memory_bytes : INT64_C(100) << 30;
}

static const json_t *container_named(const json_t *spec, const char *name)
{
    static const char *const lists[] = {"containers", "initContainers"};
    json_t *container;
    size_t i;

    for (size_t k = 0; k < ARRAY_LEN(lists); k++)
        json_array_foreach(json_object_get(spec, lists[k]), i, container)
        {
            if (strcmp(text_at_or(container, "name", ""), name) == 0)
                return container;
        }
    return NULL;
}

const char *pod_resource_field(struct pod_pass *p, const json_t *reference, const char *container)
{
    const char *resource = text_at_or(reference, "resource", "");
    const char *of = text_at_or(reference, "containerName", container);
    const char *divisor = text_at_or(reference, "divisor", "0"), *dot = strchr(resource, '.');
    const char *name = dot ? dot + 1 : "", *amount;
    const json_t *found = container_named(p->spec, of);
    bool cpu = strcmp(name, "cpu") == 0;
    int64_t by = quantity_millis_of(divisor), value;
    const json_t *list;

    if (!dot || !found)
        return NULL;
    list =
        at(found, strncmp(resource, "limits", 6) == 0 ? "resources.limits" : "resources.requests");
    amount = json_string_value(json_object_get(list, name));
    if (!amount && strncmp(resource, "limits", 6) != 0)
        return "0";
    value = amount ? quantity_millis_of(amount) : node_amount(p, name, true) * (cpu ? 1 : 1000);
    if (by <= 0)
        by = 1000;
    return arena_printf(&p->op->arena, "%lld", (long long)((value + by - 1) / by));
}

/* ---- $(NAME) ---- */

static const char *value_of(const char *const *env, const char *name, size_t len)
{
    const char *found = NULL;

    for (; env && *env; env++)
        if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
            found = *env + len + 1;
    return found;
}

const char *expand(struct op *op, const char *text, const char *const *env, size_t max)
{
    const char *last = strrchr(text, ')'); /* beyond it, nothing is looked for */
    struct text out;

    if (!strchr(text, '$'))
        return strlen(text) <= max ? text : NULL;
    text_init(&out, &op->arena, max);
    while (*text && !out.overflow) {
        bool open = text[0] == '$' && text[1] == '(' && text < last;
        const char *close = open ? strchr(text, ')') : NULL;
        const char *value = close ? value_of(env, text + 2, (size_t)(close - text - 2)) : NULL;

        if (text[0] == '$' && text[1] == '$') { /* $$(NAME) stays $(NAME) */
            text_add(&out, text, 1);
            text += 2;
        } else if (value) {
            text_str(&out, value);
            text = close + 1;
        } else {
            size_t len = close ? (size_t)(close + 1 - text) : 1;

            text_add(&out, text, len);
            text += len;
        }
    }
    return out.overflow ? NULL : out.data;
}

/* ---- values ---- */

static void put(struct env *e, const char *name, const char *value)
{
    size_t len = strlen(name);
    const char *line;

    if (e->full || !pod_text_fits(e->left, len + 1 + strlen(value))) {
        e->full = true;
        return;
    }
    line = arena_printf(&e->p->op->arena, "%s=%s", name, value);
    for (size_t i = 0; i < e->n; i++)
        if (strncmp(e->list[i], name, len) == 0 && e->list[i][len] == '=') {
            e->list[i] = line;
            return;
        }
    if (e->n < ENV_MAX)
        e->list[e->n++] = line;
}

static struct object *source(struct env *e, bool secret, const char *name)
{
    return store_read(e->p->op, e->p->cluster->store,
                      resource_find("", "v1", secret ? "secrets" : "configmaps"), e->p->object->ns,
                      name);
}

/* A secret's value is base64. NULL: not text that an environment can hold. */
static const char *plain(struct env *e, bool secret, const char *value)
{
    struct bytes decoded;

    if (!secret)
        return value;
    if (!pod_text_fits(&e->decode_left, strlen(value))) {
        e->full = true;
        return NULL;
    }
    if (!base64_decode(&e->p->op->arena, value, false, &decoded) ||
        memchr(decoded.data, '\0', decoded.len))
        return NULL;
    return arena_strndup(&e->p->op->arena, decoded.data, decoded.len);
}

static enum fault missing(struct env *e, bool secret, const char *name)
{
    return fail_on(e->p->op, "CreateContainerConfigError", INVALID, "%s \"%s\" not found",
                   secret ? "secret" : "configmap", name);
}

/* *ret NULL: optional, and not there. */
static enum fault key_value(struct env *e, const json_t *reference, bool secret, const char **ret)
{
    const char *name = text_at_or(reference, "name", ""), *key = text_at_or(reference, "key", "");
    bool optional = bool_at(reference, "optional", false);
    struct object *object = source(e, secret, name);
    const char *value =
        object
            ? json_string_value(json_object_get(json_object_get(object_tree(object), "data"), key))
            : NULL;

    *ret = NULL;
    if (value) {
        *ret = plain(e, secret, value);
        return OK;
    }
    if (optional)
        return OK;
    if (!object)
        return missing(e, secret, name);
    return fail_on(e->p->op, "CreateContainerConfigError", INVALID,
                   "couldn't find key %s in %s %s/%s", key, secret ? "Secret" : "ConfigMap",
                   e->p->object->ns, name);
}

static enum fault value_from(struct env *e, const json_t *from, const char **ret)
{
    const json_t *reference;

    if ((reference = json_object_get(from, "fieldRef"))) {
        *ret = pod_field(e->p, text_at_or(reference, "fieldPath", ""));
        return OK;
    }
    if ((reference = json_object_get(from, "resourceFieldRef"))) {
        *ret = pod_resource_field(e->p, reference, text_at_or(e->container, "name", ""));
        return OK;
    }
    if ((reference = json_object_get(from, "secretKeyRef")))
        return key_value(e, reference, true, ret);
    if ((reference = json_object_get(from, "configMapKeyRef")))
        return key_value(e, reference, false, ret);
    *ret = NULL;
    return OK;
}

static enum fault add_all_of(struct env *e, const json_t *reference, bool secret,
                             const char *prefix)
{
    const char *name = text_at_or(reference, "name", ""), *key;
    struct object *object = source(e, secret, name);
    json_t *value;

    if (!object)
        return bool_at(reference, "optional", false) ? OK : missing(e, secret, name);
    json_object_foreach(json_object_get(object_tree(object), "data"), key, value)
    {
        const char *text = plain(e, secret, json_string_value(value));

        if (text)
            put(e, arena_printf(&e->p->op->arena, "%s%s", prefix, key), text);
        if (e->full)
            return pod_texts_too_long(e->p->op);
    }
    return OK;
}

static enum fault add_sources(struct env *e)
{
    json_t *from;
    size_t i;

    json_array_foreach(json_object_get(e->container, "envFrom"), i, from)
    {
        const char *prefix = text_at_or(from, "prefix", "");

        if (json_object_get(from, "configMapRef"))
            TRY(add_all_of(e, json_object_get(from, "configMapRef"), false, prefix));
        if (json_object_get(from, "secretRef"))
            TRY(add_all_of(e, json_object_get(from, "secretRef"), true, prefix));
    }
    return OK;
}

static enum fault add_own(struct env *e)
{
    json_t *one;
    size_t i;

    json_array_foreach(json_object_get(e->container, "env"), i, one)
    {
        const char *name = text_at_or(one, "name", ""), *value = text_at(one, "value");

        if (json_object_get(one, "valueFrom"))
            TRY(value_from(e, json_object_get(one, "valueFrom"), &value));
        else if (!(value = expand(e->p->op, value ? value : "", e->list, *e->left)))
            e->full = true;
        if (value)
            put(e, name, value);
        if (e->full)
            return pod_texts_too_long(e->p->op);
    }
    return OK;
}

/* ---- services, as Docker's links once were ---- */

static const char *upper_name(struct op *op, const char *name)
{
    char *out = arena_strdup(&op->arena, name);

    for (char *c = out; *c; c++)
        *c = (char)(*c == '-' || *c == '.' ? '_' : *c >= 'a' && *c <= 'z' ? *c - 32 : *c);
    return out;
}

static void add_port(struct env *e, const char *name, const char *ip, const json_t *port,
                     bool first)
{
    struct op *op = e->p->op;
    const char *protocol = text_at_or(port, "protocol", "TCP");
    const char *label = text_at(port, "name");
    char *lower = arena_strdup(&op->arena, protocol);
    long long number = (long long)int_at(port, "port", 0);
    const char *url, *prefix;

    for (char *c = lower; *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
    url = arena_printf(&op->arena, "%s://%s:%lld", lower, ip, number);
    prefix = arena_printf(&op->arena, "%s_PORT_%lld_%s", name, number, protocol);
    if (first) {
        put(e, arena_printf(&op->arena, "%s_SERVICE_PORT", name),
            arena_printf(&op->arena, "%lld", number));
        put(e, arena_printf(&op->arena, "%s_PORT", name), url);
    }
    if (label && *label)
        put(e, arena_printf(&op->arena, "%s_SERVICE_PORT_%s", name, upper_name(op, label)),
            arena_printf(&op->arena, "%lld", number));
    put(e, prefix, url);
    put(e, arena_printf(&op->arena, "%s_PROTO", prefix), lower);
    put(e, arena_printf(&op->arena, "%s_PORT", prefix), arena_printf(&op->arena, "%lld", number));
    put(e, arena_printf(&op->arena, "%s_ADDR", prefix), ip);
}

static void add_service(struct env *e, struct object *service)
{
    const json_t *tree = object_tree(service);
    const char *ip = text_at_or(tree, "spec.clusterIP", "");
    const char *name = upper_name(e->p->op, service->name);
    json_t *port;
    size_t i;

    if (!*ip || strcmp(ip, "None") == 0 || !json_array_size(at(tree, "spec.ports")))
        return;
    put(e, arena_printf(&e->p->op->arena, "%s_SERVICE_HOST", name), ip);
    json_array_foreach(at(tree, "spec.ports"), i, port)
    {
        add_port(e, name, ip, port, i == 0);
    }
}

static enum fault add_services(struct env *e)
{
    const struct resource *services = resource_find("", "v1", "services");
    struct object *master =
        store_read(e->p->op, e->p->cluster->store, services, "default", "kubernetes");
    struct store_page page;

    if (master)
        add_service(e, master);
    if (!bool_at(e->p->spec, "enableServiceLinks", true))
        return OK;
    TRY(store_list(e->p->op, e->p->cluster->store, services, e->p->object->ns, NULL, NULL, 0, 0,
                   &page));
    for (size_t i = 0; i < page.n && e->n < ENV_MAX && !e->full; i++)
        add_service(e, page.objects[i]);
    return OK;
}

enum fault pod_env(struct pod_pass *p, const json_t *container, const char *const *image_env,
                   size_t *left, const char *const **ret)
{
    struct env e = {.p = p, .container = container, .left = left, .decode_left = DECODED_MAX};

    e.list = arena_alloc(&p->op->arena, (ENV_MAX + 1) * sizeof(*e.list));
    for (; image_env && *image_env; image_env++) {
        const char *equals = strchr(*image_env, '=');

        if (equals)
            put(&e, arena_strndup(&p->op->arena, *image_env, (size_t)(equals - *image_env)),
                equals + 1);
    }
    if (!value_of(e.list, "PATH", 4))
        put(&e, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    put(&e, "HOSTNAME",
        text_at(p->spec, "hostname") ? text_at(p->spec, "hostname") : p->object->name);
    TRY(add_services(&e));
    TRY(add_sources(&e));
    TRY(add_own(&e));
    if (e.full)
        return pod_texts_too_long(p->op);
    *ret = e.list;
    return OK;
}
