/* Events: what controllers and the node agent tell people. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "clusters/rest/rest_internal.h"
#include "core/seal.h"

#define SAME_SECONDS 600

static json_t *reference(struct object *about)
{
    json_t *ref =
        json_pack("{s:s, s:s, s:s, s:s, s:o}", "kind", about->resource->kind, "apiVersion",
                  resource_api_version(about->resource), "name", about->name, "uid", about->uid,
                  "resourceVersion", json_sprintf("%lld", (long long)about->revision));

    if (*about->ns)
        json_object_set_new(ref, "namespace", json_string(about->ns));
    return ref;
}

/* The same thing said of the same object has the same name: found again without a search. */
static const char *event_name(struct op *op, const struct actor *actor, const struct object *about,
                              const char *reason, const char *message)
{
    uint8_t digest[32];
    const char *all =
        arena_printf(&op->arena, "%s\n%s\n%s\n%s", actor->name, about->uid, reason, message);

    sha256(BYTES(all), digest);
    return arena_printf(&op->arena, "%.200s.%.16s", about->name,
                        hex_encode(&op->arena, (struct bytes){digest, 8}));
}

static const char *component_of(const struct actor *actor)
{
    const char *colon = strrchr(actor->name, ':');

    if (actor->manager)
        return actor->manager;
    return colon ? colon + 1 : actor->name;
}

struct saying {
    const char *now;
    int64_t now_s;
    bool stale;
};

static enum fault count_up(struct op *op, json_t *tree, void *arg, bool *ret_skip)
{
    struct saying *saying = arg;

    (void)op;
    saying->stale =
        saying->now_s - time_parse(text_at_or(tree, "lastTimestamp", "")) > SAME_SECONDS;
    *ret_skip = false;
    set_at(tree, "count", json_integer(saying->stale ? 1 : int_at(tree, "count", 1) + 1));
    if (saying->stale)
        set_at(tree, "firstTimestamp", json_string(saying->now));
    set_at(tree, "lastTimestamp", json_string(saying->now));
    return OK;
}

void rest_event(struct op *op, struct cluster *cluster, const struct actor *actor,
                struct object *about, const char *type, const char *reason, const char *fmt, ...)
{
    const char *ns = *about->ns ? about->ns : "default", *name;
    const char *component = component_of(actor);
    char message[1024];
    struct saying saying;
    struct object *made = NULL;
    struct rest r;
    json_t *tree;
    struct op own;
    va_list args;

    known_find();
    op_init(&own); /* its failures are nobody's; and long loops do not fill op's arena */
    (void)op;
    va_start(args, fmt);
    vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    name = event_name(&own, actor, about, reason, message);
    saying = (struct saying){.now = time_text(&own, wall_s()), .now_s = wall_s()};
    r = rest_of(cluster, actor, known.events, ns, name);
    if (rest_modify(&own, &r, count_up, &saying, &made) == NOT_FOUND) {
        op_clear_fault(&own);
        tree = object_new(&own, known.events, ns, name);
        json_object_set_new(tree, "involvedObject", reference(about));
        json_object_set_new(tree, "reason", json_string(reason));
        json_object_set_new(tree, "message", json_string(message));
        json_object_set_new(tree, "type", json_string(type));
        json_object_set_new(tree, "source", json_pack("{s:s}", "component", component));
        json_object_set_new(tree, "firstTimestamp", json_string(saying.now));
        json_object_set_new(tree, "lastTimestamp", json_string(saying.now));
        json_object_set_new(tree, "count", json_integer(1));
        json_object_set_new(tree, "reportingComponent", json_string(component));
        json_object_set_new(tree, "reportingInstance", json_string(""));
        json_object_set_new(tree, "eventTime", json_null());
        rest_create(&own, &r, tree, &made);
    }
    op_free(&own);
    rest_sweep(cluster);
}
