/*
 * The machinery of controllers: events of stores become keys by the controllers' rules, keys become
 * steps on threads that all clusters share. A key is "<cluster> <controller's number> <ns>/<name>".
 */
#include "clusters/controller/controller.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "core/metrics.h"
#include "core/reconcile.h"

#define THREADS         3
#define CONTROLLERS_MAX 32
#define KEY_MAX         700

/* A cluster whose controllers run. */
struct open_cluster {
    struct open_cluster *next;
    struct cluster *cluster;
    int steps; /* running now */
    bool closing;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t idle;
    struct open_cluster *open;
    struct reconciler *reconciler;
    size_t n; /* controllers */
    atomic_llong steps[CONTROLLERS_MAX], failures[CONTROLLERS_MAX];
} state = {.lock = PTHREAD_MUTEX_INITIALIZER, .idle = PTHREAD_COND_INITIALIZER};

/* Rules by the resource they are about, so that an event meets only its own. */
static struct by_resource {
    struct {
        uint8_t controller;
        const struct rule *rule;
    } list[CONTROLLERS_MAX];
    size_t n;
} rules_of[RESOURCE_INDEX_MAX];

/* ---- keys ---- */

struct keys {
    const struct cluster *cluster;
    size_t controller;
};

void keys_add_after(struct keys *keys, const char *ns, const char *name, int64_t delay_ms)
{
    char key[KEY_MAX];

    snprintf(key, sizeof(key), "%s %zu %s/%s", keys->cluster->id, keys->controller, ns ? ns : "",
             name);
    if (delay_ms > 0)
        reconciler_add_after(state.reconciler, key, delay_ms);
    else
        reconciler_add(state.reconciler, key);
}

void keys_add(struct keys *keys, const char *ns, const char *name)
{
    keys_add_after(keys, ns, name, 0);
}

/* ---- events ---- */

static void add_owner_of(struct keys *keys, struct object *object, const char *kind)
{
    const json_t *owner = object ? controller_of(object_tree(object)) : NULL;

    if (owner && strcmp(text_at_or(owner, "kind", ""), kind) == 0)
        keys_add(keys, object->ns, text_at_or(owner, "name", ""));
}

/* Also the one that has let go of it. */
static void add_owner(struct keys *keys, const struct event *event, const char *kind)
{
    add_owner_of(keys, event->object, kind);
    if (event->previous != event->object)
        add_owner_of(keys, event->previous, kind);
}

static void apply(struct cluster *cluster, size_t controller, const struct rule *rule,
                  const struct event *event)
{
    struct keys keys = {cluster, controller};

    if (rule->keys)
        rule->keys(cluster, event, &keys);
    else if (rule->owner_kind)
        add_owner(&keys, event, rule->owner_kind);
    else
        keys_add(&keys, event->object->ns, event->object->name);
}

/* Every object that a controller's first rule is about, and what it adds itself. */
static void add_all(struct cluster *cluster, size_t i)
{
    const struct controller *controller = controllers[i];
    const struct rule *first = &controller->rules[0];
    const struct resource *r = strcmp(first->plural, RULE_ALL) == 0
                                   ? NULL
                                   : resource_preferred(first->group, first->plural);
    struct keys keys = {cluster, i};
    struct store_page page;
    struct op op;

    op_init(&op);
    if (r && store_list(&op, cluster->store, r, NULL, NULL, NULL, 0, 0, &page) == OK)
        for (size_t k = 0; k < page.n; k++) {
            const struct event event = {
                .kind = EVENT_MODIFIED, .object = page.objects[k], .previous = page.objects[k]};

            apply(cluster, i, first, &event);
        }
    op_free(&op);
    if (controller->resync)
        controller->resync(cluster, &keys);
}

static void heard(void *user, const struct event *event)
{
    struct open_cluster *o = user;
    const struct by_resource *rules;

    if (!event) { /* anything may have changed */
        for (size_t i = 0; i < state.n; i++)
            add_all(o->cluster, i);
        return;
    }
    rules = &rules_of[event->object->resource->index];
    for (size_t i = 0; i < rules->n; i++)
        apply(o->cluster, rules->list[i].controller, rules->list[i].rule, event);
}

/* ---- steps ---- */

static struct open_cluster *enter(const char *id)
{
    struct open_cluster *o;

    pthread_mutex_lock(&state.lock);
    for (o = state.open; o && strcmp(o->cluster->id, id) != 0; o = o->next)
        ;
    if (o && o->closing)
        o = NULL;
    if (o)
        o->steps++;
    pthread_mutex_unlock(&state.lock);
    return o;
}

static void leave(struct open_cluster *o)
{
    pthread_mutex_lock(&state.lock);
    if (--o->steps == 0)
        pthread_cond_broadcast(&state.idle);
    pthread_mutex_unlock(&state.lock);
}

static void note_failure(struct op *op, const struct controller *controller, const char *key,
                         size_t i)
{
    atomic_fetch_add(&state.failures[i], 1);
    if (op->fault == CONFLICT) /* another writer was faster: the next turn sees what it wrote */
        return;
    log_event(LOG_INFO_, "a controller will try again", "controller=%s key=%s reason=%s",
              controller->name, log_quote(&op->arena, key),
              log_quote(&op->arena, op->message ? op->message : ""));
}

static enum fault step(struct op *op, const char *key, int64_t *ret_again_ms)
{
    char *text = arena_strdup(&op->arena, key), *ns, *name;
    struct open_cluster *o;
    enum fault fault;
    size_t i;

    text[strcspn(text, " ")] = '\0';
    i = strtoul(text + strlen(text) + 1, &ns, 10);
    name = strchr(ns, '/');
    *name++ = '\0';
    o = enter(text);
    if (!o)
        return OK; /* the cluster is closed */
    atomic_fetch_add(&state.steps[i], 1);
    fault = controllers[i]->reconcile(op, o->cluster, ns + 1, name, ret_again_ms);
    leave(o);
    if (fault != OK)
        note_failure(op, controllers[i], key, i);
    return fault;
}

/* ---- life ---- */

static void index_rule(const struct rule *rule, const struct resource *r)
{
    struct by_resource *by = &rules_of[r->stored_as->index];

    if (by->n == ARRAY_LEN(by->list))
        abort();
    by->list[by->n].controller = (uint8_t)state.n;
    by->list[by->n++].rule = rule;
}

static void index_rules(void)
{
    memset(rules_of, 0, sizeof(rules_of));
    for (state.n = 0; controllers[state.n]; state.n++)
        for (const struct rule *rule = controllers[state.n]->rules; rule->plural; rule++) {
            if (strcmp(rule->plural, RULE_ALL) != 0) {
                index_rule(rule, resource_preferred(rule->group, rule->plural));
                continue;
            }
            for (const struct resource *const *r = all_resources; *r; r++)
                if ((*r)->stored_as == *r && !(*r)->virtual_)
                    index_rule(rule, *r);
        }
}

void controllers_start(void)
{
    index_rules();
    state.reconciler = reconciler_new("controller", THREADS, step);
}

void controllers_stop(void)
{
    reconciler_free(state.reconciler);
    state.reconciler = NULL;
}

enum fault controllers_open(struct op *op, struct cluster *cluster)
{
    struct open_cluster *o = calloc(1, sizeof(*o));

    (void)op;
    if (!o)
        abort();
    o->cluster = cluster;
    cluster->controllers = o;
    pthread_mutex_lock(&state.lock);
    o->next = state.open;
    state.open = o;
    pthread_mutex_unlock(&state.lock);
    store_listen(cluster->store, NULL, heard, o);
    for (size_t i = 0; i < state.n; i++)
        add_all(cluster, i);
    return OK;
}

void controllers_close(struct cluster *cluster)
{
    struct open_cluster *o = cluster->controllers;

    store_unlisten(cluster->store, heard, o);
    pthread_mutex_lock(&state.lock);
    o->closing = true;
    while (o->steps > 0)
        pthread_cond_wait(&state.idle, &state.lock);
    for (struct open_cluster **p = &state.open; *p; p = &(*p)->next)
        if (*p == o) {
            *p = o->next;
            break;
        }
    pthread_mutex_unlock(&state.lock);
    cluster->controllers = NULL;
    free(o);
}

void controllers_metrics(struct text *out)
{
    metric_head(out, "sundog_controller_steps_total", "counter", "keys that controllers looked at");
    for (size_t i = 0; i < state.n; i++)
        text_printf(out, "sundog_controller_steps_total{controller=\"%s\"} %lld\n",
                    controllers[i]->name, (long long)atomic_load(&state.steps[i]));
    metric_head(out, "sundog_controller_failures_total", "counter",
                "looks that ended with a fault and are tried again");
    for (size_t i = 0; i < state.n; i++)
        text_printf(out, "sundog_controller_failures_total{controller=\"%s\"} %lld\n",
                    controllers[i]->name, (long long)atomic_load(&state.failures[i]));
    metric_head(out, "sundog_controller_queue", "gauge", "keys that wait or are looked at");
    text_printf(out, "sundog_controller_queue %zu\n", reconciler_depth(state.reconciler));
}
