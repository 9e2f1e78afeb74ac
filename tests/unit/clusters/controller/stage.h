/*
 * A cluster whose controllers run, for tests of them: with nodes, and a fake node agent that the
 * test calls (stage_turn): pods that are bound become ready, those that are to go are gone.
 */
#ifndef SUNDOG_TESTS_CLUSTERS_CONTROLLER_STAGE_H
#define SUNDOG_TESTS_CLUSTERS_CONTROLLER_STAGE_H

#include <unistd.h>

#include "clusters/controller/controller.h"
#include "tests/unit/clusters/fixture.h"

#define STAGE_PATIENCE_MS 300000 /* against hangs only */

struct stage {
    struct fixture f;
    const char *ns;         /* "default", where nothing else is said */
    bool pods_stay_unready; /* the agent runs them and says no more */
    const char *end_phase;  /* "Succeeded": pods end at once */
};

static const struct actor stage_actor = {
    .name = "tester",
    .groups = (const char *const[]){"system:masters", NULL},
    .manager = "tester",
    .trusted = true
};

static inline const struct resource *stage_resource(const char *plural)
{
    for (const struct resource *const *r = all_resources; *r; r++)
        if (strcmp((*r)->plural, plural) == 0)
            return resource_preferred((*r)->group, plural);
    return NULL;
}

static inline struct rest stage_rest(struct stage *s, const char *plural, const char *name)
{
    const struct resource *r = stage_resource(plural);

    return rest_of(&s->f.cluster, &stage_actor, r, r->namespaced ? s->ns : "", name);
}

static inline void stage_done(struct stage *s, struct op *op, enum fault fault, struct rest *r)
{
    if (fault == OK && r->revision)
        fault = store_wait(op, s->f.cluster.store, r->revision);
    if (fault != OK)
        printf("\n%s %s: %s\n", r->resource->plural, r->name ? r->name : "",
               op->message ? op->message : "");
    CU_ASSERT_EQUAL(fault, OK);
}

static inline void stage_create(struct stage *s, const char *plural, const char *text)
{
    struct rest r = stage_rest(s, plural, NULL);
    struct decoded decoded = {0};
    struct object *made;
    struct op op;
    enum fault fault;

    op_init(&op);
    fault = object_decode(&op, r.resource->type, MEDIA_JSON, BYTES(text), FIELDS_STRICT, &decoded);
    if (fault == OK)
        fault = object_check_kind(&op, r.resource, decoded.tree);
    if (fault == OK)
        fault = rest_create(&op, &r, decoded.tree, &made);
    stage_done(s, &op, fault, &r);
    op_free(&op);
}

/* A merge patch; subresource may be NULL. */
static inline void stage_patch(struct stage *s, const char *plural, const char *name,
                               const char *subresource, const char *text)
{
    struct rest r = stage_rest(s, plural, name);
    struct patch_request patch = {.kind = PATCH_MERGE_KIND, .patch = json_loads(text, 0, NULL)};
    struct object *made;
    bool created;
    struct op op;

    op_init(&op);
    r.subresource = subresource;
    stage_done(s, &op, rest_patch(&op, &r, &patch, &made, &created), &r);
    json_decref((json_t *)(uintptr_t)patch.patch);
    op_free(&op);
}

static inline void stage_delete(struct stage *s, const char *plural, const char *name,
                                const char *propagation)
{
    const struct delete_options options = {.propagation = propagation, .grace_s = -1};
    struct rest r = stage_rest(s, plural, name);
    struct object *object;
    bool gone;
    struct op op;

    op_init(&op);
    stage_done(s, &op, rest_delete(&op, &r, &options, &object, &gone), &r);
    op_free(&op);
}

/* The caller's; NULL: it is not there. */
static inline json_t *stage_get(struct stage *s, const char *plural, const char *name)
{
    const struct resource *r = stage_resource(plural);
    struct object *object =
        store_get(s->f.cluster.store, r->stored_as, r->namespaced ? s->ns : NULL, name);
    json_t *tree = object ? json_deep_copy(object_tree(object)) : NULL;

    object_drop(object);
    return tree;
}

/* All of the namespace, as a list of the caller's. */
static inline json_t *stage_list(struct stage *s, const char *plural)
{
    const struct resource *r = stage_resource(plural);
    struct store_page page;
    json_t *list = json_array();
    struct op op;

    op_init(&op);
    CU_ASSERT_EQUAL(store_list(&op, s->f.cluster.store, r->stored_as, r->namespaced ? s->ns : NULL,
                               NULL, NULL, 0, 0, &page),
                    OK);
    for (size_t i = 0; i < page.n; i++)
        json_array_append_new(list, json_deep_copy(object_tree(page.objects[i])));
    op_free(&op);
    return list;
}

static inline size_t stage_count(struct stage *s, const char *plural)
{
    json_t *list = stage_list(s, plural);
    size_t n = json_array_size(list);

    json_decref(list);
    return n;
}

static inline json_t *stage_status(const struct stage *s, size_t number)
{
    bool ready = !s->pods_stay_unready && !s->end_phase;
    char address[32], now[32];
    struct op op;

    op_init(&op);
    snprintf(now, sizeof(now), "%s", time_text(&op, wall_s()));
    op_free(&op);
    snprintf(address, sizeof(address), "10.244.%zu.%zu", number / 250, number % 250 + 1);
    return json_pack("{s:s, s:s, s:[{s:s, s:s, s:s}]}", "phase",
                     s->end_phase ? s->end_phase : "Running", "podIP", address, "conditions",
                     "type", "Ready", "status", ready ? "True" : "False", "lastTransitionTime",
                     now);
}

/* What a node agent would do now. */
static inline void stage_turn(struct stage *s)
{
    static size_t number;
    json_t *pods = stage_list(s, "pods"), *pod;
    size_t i;

    json_array_foreach(pods, i, pod)
    {
        struct rest r = stage_rest(s, "pods", text_at(pod, "metadata.name"));
        const struct delete_options at_once = {.grace_s = 0};
        struct object *object;
        bool gone;
        struct op op;

        op_init(&op);
        if (text_at(pod, "metadata.deletionTimestamp"))
            (void)rest_delete(&op, &r, &at_once, &object, &gone);
        else if (text_at(pod, "spec.nodeName") &&
                 strcmp(text_at_or(pod, "status.phase", ""), "Pending") == 0)
            (void)rest_set_status(&op, &r, stage_status(s, number++));
        if (r.revision)
            (void)store_wait(&op, s->f.cluster.store, r.revision);
        op_free(&op);
    }
    json_decref(pods);
}

/* Turns until it is so. */
static inline bool stage_until(struct stage *s, bool (*so)(struct stage *s, const void *arg),
                               const void *arg)
{
    int64_t end = now_ms() + STAGE_PATIENCE_MS;

    while (!so(s, arg)) {
        if (now_ms() > end)
            return false;
        stage_turn(s);
        usleep(5000);
    }
    return true;
}

/* "deployments d status.readyReplicas 3": that is what the object says there ("": nothing). */
struct stage_fact {
    const char *plural, *name, *path, *value;
};

static inline bool stage_says(struct stage *s, const void *arg)
{
    const struct stage_fact *fact = arg;
    json_t *tree = stage_get(s, fact->plural, fact->name),
           *value = tree ? at(tree, fact->path) : NULL;
    char *text = json_is_string(value) ? NULL : value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
    const char *is = json_is_string(value) ? json_string_value(value) : text ? text : "";
    bool same = strcmp(is, fact->value) == 0;

    free(text);
    json_decref(tree);
    return same;
}

static inline void stage_expect(struct stage *s, const char *plural, const char *name,
                                const char *path, const char *value)
{
    const struct stage_fact fact = {plural, name, path, value};
    bool came = stage_until(s, stage_says, &fact);

    if (!came) {
        json_t *tree = stage_get(s, plural, name);
        char *text = json_dumps(tree, 0);

        printf("\n%s %s: %s is not %s in %s\n", plural, name, path, value, text ? text : "nothing");
        free(text);
        json_decref(tree);
    }
    CU_ASSERT(came);
}

struct stage_number {
    const char *plural;
    size_t n;
};

static inline bool stage_has(struct stage *s, const void *arg)
{
    const struct stage_number *number = arg;

    return stage_count(s, number->plural) == number->n;
}

static inline void stage_expect_count(struct stage *s, const char *plural, size_t n)
{
    const struct stage_number number = {plural, n};
    bool came = stage_until(s, stage_has, &number);

    if (!came)
        printf("\n%zu %s, not %zu\n", stage_count(s, plural), plural, n);
    CU_ASSERT(came);
}

static inline void stage_node(struct stage *s, const char *name)
{
    char text[512];

    snprintf(text, sizeof(text),
             "{\"metadata\":{\"name\":\"%s\",\"labels\":{\"kubernetes.io/hostname\":\"%s\"}}}",
             name, name);
    stage_create(s, "nodes", text);
    stage_patch(s, "nodes", name, "status",
                "{\"status\":{\"allocatable\":{\"cpu\":\"4\",\"memory\":\"8Gi\",\"pods\":\"500\"},"
                "\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}");
}

static inline void stage_begin(struct stage *s)
{
    memset(s, 0, sizeof(*s));
    s->ns = "default";
    fixture_rest(&s->f);
    controllers_start();
    CU_ASSERT_EQUAL_FATAL(controllers_open(&s->f.op, &s->f.cluster), OK);
    stage_expect(s, "serviceaccounts", "default", "metadata.name", "default");
}

static inline void stage_end(struct stage *s)
{
    controllers_close(&s->f.cluster);
    controllers_stop();
    fixture_end(&s->f);
}

#endif
