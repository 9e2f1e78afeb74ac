/*
 * What a new object becomes before it is stored, and who owns its fields, against what a real
 * server answered (golden/defaulting.json): 26 kinds.
 */
#include <stdlib.h>

#include "clusters/object/managed_fields.h"
#include "clusters/object/strategy.h"
#include "tests/unit/clusters/golden.h"
#include "tests/unit/unit.h"

/* "/apis/apps/v1/namespaces/default/deployments" */
static const struct resource *resource_of_url(struct op *op, const char *url)
{
    char *parts[8], *text = arena_strdup(&op->arena, url), *save = NULL;
    size_t n = 0;
    bool core;

    for (char *p = strtok_r(text, "/", &save); p && n < 8; p = strtok_r(NULL, "/", &save))
        parts[n++] = p;
    core = strcmp(parts[0], "api") == 0;
    return resource_find(core ? "" : parts[1], parts[core ? 1 : 2], parts[n - 1]);
}

/* What only a server with other objects, a clock or chance can say. */
static const char *const elsewhere[] = {
    "metadata.uid",
    "metadata.resourceVersion",
    "metadata.creationTimestamp",
    "metadata.generation",
    "metadata.namespace",
    "metadata.managedFields",
    "status.lastPhaseTransitionTime",
    /* admission: service accounts, priorities, default tolerations, addresses */
    "spec.serviceAccount",
    "spec.serviceAccountName",
    "spec.tolerations",
    "spec.priority",
    "spec.preemptionPolicy",
    "spec.clusterIP",
    "spec.clusterIPs",
    "spec.ipFamilies",
    "spec.ipFamilyPolicy",
    "spec.imagePullSecrets",
};

/* The token that every pod gets, and what the recorded server adds to its containers. */
static void strip_pod(json_t *spec)
{
    json_t *volumes = json_object_get(spec, "volumes"), *container;
    size_t i;

    for (i = json_array_size(volumes); i > 0; i--)
        if (strncmp(text_at_or(json_array_get(volumes, i - 1), "name", ""), "kube-api-access",
                    15) == 0)
            json_array_remove(volumes, i - 1);
    json_array_foreach(json_object_get(spec, "containers"), i, container)
    {
        json_object_del(container, "volumeMounts");
        json_object_del(container, "securityContext");
    }
}

/* Of sets: an annotation that is made by a conversion, and a template's null. */
static void strip_set(json_t *set)
{
    json_t *meta = json_object_get(set, "f:metadata"), *value;
    const char *key;

    if (json_object_get(at(meta, "f:annotations"), "f:deprecated.daemonset.template.generation"))
        json_object_del(meta, "f:annotations");
    json_object_del(meta, "f:creationTimestamp");
    if (meta && json_object_size(meta) == (json_object_get(meta, ".") != NULL))
        json_object_del(set, "f:metadata");
    json_object_foreach(set, key, value)
    {
        strip_set(value);
    }
}

static void strip(json_t *tree)
{
    if (strcmp(text_at_or(tree, "kind", ""), "Pod") == 0)
        strip_pod(json_object_get(tree, "spec"));
    for (size_t i = 0; i < ARRAY_LEN(elsewhere); i++)
        set_at(tree, elsewhere[i], NULL);
}

/* As it was sent, and with defaults. */
static json_t *filled(struct op *op, const struct resource *r, const json_t *sent,
                      const json_t *want)
{
    struct decoded decoded = {0};
    json_t *tree;

    CU_ASSERT_EQUAL_FATAL(
        object_decode(op, r->type, MEDIA_JSON, object_encode(op, sent), FIELDS_STRICT, &decoded),
        OK);
    tree = decoded.tree;
    CU_ASSERT_EQUAL_FATAL(object_check_kind(op, r, tree), OK);
    set_at(tree, "metadata.uid", json_incref(at(want, "metadata.uid")));
    object_defaults(op, r, tree);
    return tree;
}

static void prepare(struct op *op, const struct resource *r, json_t *tree)
{
    if (strategy_of(r)->prepare_create)
        strategy_of(r)->prepare_create(op, tree);
    else if (strategy_of(r)->initial_status)
        json_object_set_new(tree, "status", json_loads(strategy_of(r)->initial_status, 0, NULL));
}

static bool is_nothing(const json_t *value)
{
    return json_is_null(value) || (json_is_array(value) && !json_array_size(value));
}

/* "creationTimestamp": null of templates, which newer servers leave out; lists of nothing. */
static void drop_nothing(json_t *tree)
{
    const char *key;
    json_t *value;
    void *next;
    size_t i;

    json_object_foreach_safe(tree, next, key, value)
    {
        if (is_nothing(value))
            json_object_del(tree, key);
        else
            drop_nothing(value);
    }
    json_array_foreach(tree, i, value)
    {
        json_object_del(value, "nodePort"); /* services' ports: admission */
        drop_nothing(value);
    }
}

static void show(struct op *op, const char *kind, const json_t *is, const json_t *should)
{
    printf("\n%s is     %s\n%s should %s\n", kind, (const char *)object_encode(op, is).data, kind,
           (const char *)object_encode(op, should).data);
}

static void test_defaults(void)
{
    json_t *all = golden("defaulting.json"), *one;
    const char *kind;

    CU_ASSERT_PTR_NOT_NULL_FATAL(all);
    CU_ASSERT_EQUAL(json_object_size(all), 26);
    json_object_foreach(all, kind, one)
    {
        const json_t *answer = json_object_get(one, "response");
        struct op op;
        const struct resource *r;
        json_t *is, *should;

        op_init(&op);
        r = resource_of_url(&op, text_at(one, "url"));
        CU_ASSERT_PTR_NOT_NULL_FATAL(r);
        is = filled(&op, r, json_object_get(one, "request"), answer);
        prepare(&op, r, is);
        should = object_copy(&op, answer);
        strip(is);
        strip(should);
        drop_nothing(is);
        drop_nothing(should);
        if (!json_equal(is, should))
            show(&op, kind, is, should);
        CU_ASSERT(json_equal(is, should));
        op_free(&op);
    }
    json_decref(all);
}

/* Who made it manages what it said and what was filled in. */
static void test_owners(void)
{
    json_t *all = golden("defaulting.json"), *one;
    const char *kind;

    CU_ASSERT_PTR_NOT_NULL_FATAL(all);
    json_object_foreach(all, kind, one)
    {
        const json_t *answer = json_object_get(one, "response");
        const json_t *entry = json_array_get(at(answer, "metadata.managedFields"), 0);
        const struct manager manager = {"oracle", NULL, text_at_or(entry, "apiVersion", "v1")};
        struct op op;
        const struct resource *r;
        json_t *tree;
        const json_t *set;
        json_t *should; /* NULL: nothing was said */

        op_init(&op);
        r = resource_of_url(&op, text_at(one, "url"));
        tree = filled(&op, r, json_object_get(one, "request"), answer);
        CU_ASSERT_EQUAL(managed_update(&op, r->type, NULL, tree, &manager, 0), OK);
        set = json_object_get(json_array_get(at(tree, "metadata.managedFields"), 0), "fieldsV1");
        should = entry ? object_copy(&op, json_object_get(entry, "fieldsV1")) : NULL;
        strip_set(should);
        if (set != should && !json_equal(set, should))
            show(&op, kind, set, should);
        CU_ASSERT(set == should || json_equal(set, should));
        op_free(&op);
    }
    json_decref(all);
}

CU_TestInfo clusters_object_defaults_tests[] = {
    {"26 kinds become what a real server made of them", test_defaults},
    {"fields belong to who made them",                  test_owners  },
    CU_TEST_INFO_NULL,
};
