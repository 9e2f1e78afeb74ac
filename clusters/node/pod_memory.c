/* What is remembered of pods, and which of a node's addresses are whose. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clusters/node/pod_agent.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct pod_memory *memories;

/* "p", the cluster, the pod's uid without its hyphens: what sandboxes are called. */
static void name_sandbox(struct pod_memory *m)
{
    size_t n = (size_t)snprintf(m->sandbox, sizeof(m->sandbox), "p%s-", m->cluster->id);

    for (const char *c = m->uid; *c && n + 1 < sizeof(m->sandbox); c++)
        if (*c != '-')
            m->sandbox[n++] = *c;
    m->sandbox[n] = '\0';
}

static void free_memory(struct pod_memory *m)
{
    for (size_t i = 0; i < m->n_containers; i++) {
        json_decref(m->containers[i].image);
        json_decref(m->containers[i].last_state);
        free(m->containers[i].waiting_reason);
        free(m->containers[i].waiting_message);
    }
    free(m->containers);
    json_decref(m->files);
    free(m);
}

/* ---- finding; under lock ---- */

static struct pod_memory *find(const struct cluster *cluster, const char *uid)
{
    struct pod_memory *m;

    for (m = memories; m; m = m->next)
        if (m->cluster == cluster && strcmp(m->uid, uid) == 0)
            return m;
    return NULL;
}

struct pod_memory *pod_memory_find(struct cluster *cluster, const char *uid)
{
    struct pod_memory *m;

    pthread_mutex_lock(&lock);
    m = find(cluster, uid);
    pthread_mutex_unlock(&lock);
    return m;
}

struct pod_memory *pod_memory_stale(struct cluster *cluster, const char *ns, const char *name,
                                    const char *uid)
{
    struct pod_memory *m;

    pthread_mutex_lock(&lock);
    for (m = memories; m; m = m->next)
        if (m->cluster == cluster && strcmp(m->ns, ns) == 0 && strcmp(m->name, name) == 0 &&
            strcmp(m->uid, uid) != 0)
            break;
    pthread_mutex_unlock(&lock);
    return m;
}

bool pod_memory_of_sandbox(struct cluster *cluster, const char *sandbox, char *ns, size_t ns_size,
                           char *name, size_t name_size)
{
    const struct pod_memory *m;

    pthread_mutex_lock(&lock);
    for (m = memories; m; m = m->next)
        if (m->cluster == cluster && strcmp(m->sandbox, sandbox) == 0)
            break;
    if (m) {
        snprintf(ns, ns_size, "%s", m->ns);
        snprintf(name, name_size, "%s", m->name);
    }
    pthread_mutex_unlock(&lock);
    return m != NULL;
}

/* ---- making ---- */

static void add_containers(struct pod_memory *m, const json_t *list)
{
    size_t n = json_array_size(list);

    m->containers = realloc(m->containers, (m->n_containers + n + 1) * sizeof(*m->containers));
    if (!m->containers)
        abort();
    for (size_t i = 0; i < n; i++) {
        struct container_memory *c = &m->containers[m->n_containers++];

        *c = (struct container_memory){.restarts = -1};
        snprintf(c->name, sizeof(c->name), "%s", text_at_or(json_array_get(list, i), "name", ""));
    }
}

/* What an earlier server wrote of it: its address, and each container's starts. */
static void recall(struct pod_memory *m, const json_t *pod)
{
    snprintf(m->address, sizeof(m->address), "%s",
             bool_at(pod, "spec.hostNetwork", false) ? "" : text_at_or(pod, "status.podIP", ""));
}

struct pod_memory *pod_memory_get(struct cluster *cluster, const struct object *pod)
{
    const json_t *tree = object_tree((struct object *)(uintptr_t)pod);
    struct pod_memory *m;

    pthread_mutex_lock(&lock);
    m = find(cluster, pod->uid);
    if (!m) {
        m = calloc(1, sizeof(*m));
        if (!m)
            abort();
        m->cluster = cluster;
        snprintf(m->uid, sizeof(m->uid), "%s", pod->uid);
        snprintf(m->ns, sizeof(m->ns), "%s", pod->ns);
        snprintf(m->name, sizeof(m->name), "%s", pod->name);
        name_sandbox(m);
        add_containers(m, at(tree, "spec.initContainers"));
        add_containers(m, at(tree, "spec.containers"));
        recall(m, tree);
        m->next = memories;
        memories = m;
    }
    pthread_mutex_unlock(&lock);
    return m;
}

bool pod_memory_update(const struct cluster *cluster, const char *uid, const char *container,
                       int64_t attempt,
                       void (*fn)(struct pod_memory *memory, struct container_memory *c, void *arg),
                       void *arg)
{
    struct pod_memory *m;
    bool done = false;

    pthread_mutex_lock(&lock);
    m = find(cluster, uid);
    for (size_t i = 0; m && i < m->n_containers; i++) {
        struct container_memory *c = &m->containers[i];

        if (strcmp(c->name, container) != 0 || c->restarts != attempt)
            continue;
        fn(m, c, arg);
        done = true;
    }
    pthread_mutex_unlock(&lock);
    return done;
}

/* Diff ids of all images that pods run or have run. */
const char *const *pod_layers(struct op *op)
{
    const char **layers;
    size_t n = 0;

    pthread_mutex_lock(&lock);
    for (const struct pod_memory *m = memories; m; m = m->next)
        for (size_t i = 0; i < m->n_containers; i++)
            n += json_array_size(json_object_get(m->containers[i].image, "layers"));
    layers = arena_alloc(&op->arena, (n + 1) * sizeof(*layers));
    n = 0;
    for (const struct pod_memory *m = memories; m; m = m->next)
        for (size_t i = 0; i < m->n_containers; i++) {
            json_t *layer;
            size_t k;

            json_array_foreach(json_object_get(m->containers[i].image, "layers"), k, layer)
            {
                layers[n++] = arena_strdup(&op->arena, json_string_value(layer));
            }
        }
    pthread_mutex_unlock(&lock);
    return layers;
}

void pod_memory_set_image(struct container_memory *m, json_t *image)
{
    json_t *old;

    pthread_mutex_lock(&lock);
    old = m->image;
    m->image = image;
    pthread_mutex_unlock(&lock);
    json_decref(old);
}

static void take_out(struct pod_memory *m)
{
    for (struct pod_memory **p = &memories; *p; p = &(*p)->next)
        if (*p == m) {
            *p = m->next;
            return;
        }
}

void pod_memory_drop(struct pod_memory *m)
{
    pthread_mutex_lock(&lock);
    take_out(m);
    pthread_mutex_unlock(&lock);
    free_memory(m);
}

void pod_memories_wake(struct cluster *cluster)
{
    pthread_mutex_lock(&lock);
    for (const struct pod_memory *m = memories; m; m = m->next)
        if (m->cluster == cluster)
            pod_wake(cluster, m->ns, m->name);
    pthread_mutex_unlock(&lock);
}

void pod_memories_drop(struct cluster *cluster)
{
    for (;;) {
        struct pod_memory *m;

        pthread_mutex_lock(&lock);
        for (m = memories; m && m->cluster != cluster; m = m->next)
            ;
        pthread_mutex_unlock(&lock);
        if (!m)
            return;
        pod_memory_drop(m);
    }
}

/* ---- addresses ---- */

static bool is_taken(const struct cluster *cluster, const char *address)
{
    for (const struct pod_memory *m = memories; m; m = m->next)
        if (m->cluster == cluster && strcmp(m->address, address) == 0)
            return true;
    return false;
}

/* Round and round, so that an address just given up is not another pod's at once. */
static atomic_uint next_host;

enum fault pod_address_take(struct op *op, struct pod_memory *memory, const char *pod_cidr)
{
    unsigned a, b, c;
    bool found = false;

    if (*memory->address)
        return OK;
    if (sscanf(pod_cidr, "%3u.%3u.%3u.", &a, &b, &c) != 3)
        return fail(op, INVALID, "the node's pod range \"%s\" is not one", pod_cidr);
    pthread_mutex_lock(&lock);
    for (int tries = 0; tries < 252 && !found; tries++) {
        unsigned host = 2 + atomic_fetch_add(&next_host, 1) % 252; /* .1: the gateway's */
        char text[16];

        snprintf(text, sizeof(text), "%u.%u.%u.%u", a & 255, b & 255, c & 255, host);
        found = !is_taken(memory->cluster, text);
        if (found)
            snprintf(memory->address, sizeof(memory->address), "%s", text);
    }
    pthread_mutex_unlock(&lock);
    return found ? OK : fail(op, UNAVAILABLE, "no address of %s is free", pod_cidr);
}
