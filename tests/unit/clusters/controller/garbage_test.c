/* What becomes of dependents, and of namespaces. */
#include "tests/unit/clusters/controller/stage.h"

static char *uid_of(struct stage *s, const char *plural, const char *name)
{
    json_t *tree = stage_get(s, plural, name);
    char *uid = arena_strdup(&s->f.op.arena, text_at_or(tree, "metadata.uid", ""));

    json_decref(tree);
    return uid;
}

static void map(struct stage *s, const char *name)
{
    stage_create(s, "configmaps",
                 arena_printf(&s->f.op.arena, "{\"metadata\":{\"name\":\"%s\"}}", name));
}

/* name belongs to these config maps, all of them blocking. */
static void own(struct stage *s, const char *name, const char *first, const char *second)
{
    const char *owners[] = {first, second}, *list = "";

    for (size_t i = 0; i < 2 && owners[i]; i++)
        list = arena_printf(&s->f.op.arena,
                            "%s%s{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"name\":\"%s\","
                            "\"uid\":\"%s\",\"blockOwnerDeletion\":true}",
                            list, *list ? "," : "", owners[i], uid_of(s, "configmaps", owners[i]));
    stage_patch(s, "configmaps", name, NULL,
                arena_printf(&s->f.op.arena, "{\"metadata\":{\"ownerReferences\":[%s]}}", list));
}

#define THERE(name) stage_expect(&s, "configmaps", name, "metadata.name", name)
#define GONE(name)  stage_expect(&s, "configmaps", name, "metadata.name", "")

static void test_propagation(void)
{
    struct stage s;

    stage_begin(&s);
    map(&s, "a");
    map(&s, "b");
    map(&s, "c");
    own(&s, "b", "a", NULL);
    own(&s, "c", "b", NULL);
    stage_delete(&s, "configmaps", "a", "Background");
    GONE("a");
    GONE("b");
    GONE("c");
    map(&s, "a");
    map(&s, "b");
    own(&s, "b", "a", NULL);
    stage_delete(&s, "configmaps", "a", "Orphan");
    GONE("a");
    stage_expect(&s, "configmaps", "b", "metadata.ownerReferences", "");
    THERE("b");
    /* in the foreground the owner is the last to go */
    map(&s, "a");
    own(&s, "b", "a", NULL);
    stage_patch(&s, "configmaps", "b", NULL, "{\"metadata\":{\"finalizers\":[\"x.example/y\"]}}");
    stage_delete(&s, "configmaps", "a", "Foreground");
    stage_expect(&s, "configmaps", "a", "metadata.finalizers", "[\"foregroundDeletion\"]");
    {
        struct stage_fact begun = {"configmaps", "b", "metadata.deletionTimestamp", ""};
        int64_t end = now_ms() + STAGE_PATIENCE_MS;

        while (stage_says(&s, &begun) && now_ms() < end)
            usleep(1000);
        CU_ASSERT(!stage_says(&s, &begun));
    }
    THERE("a");
    stage_patch(&s, "configmaps", "b", NULL, "{\"metadata\":{\"finalizers\":null}}");
    GONE("b");
    GONE("a");
    stage_end(&s);
}

static void test_two_owners(void)
{
    struct stage s;

    stage_begin(&s);
    map(&s, "a");
    map(&s, "b");
    map(&s, "c");
    own(&s, "c", "a", "b");
    stage_delete(&s, "configmaps", "a", "Foreground");
    GONE("a");
    THERE("c");
    stage_delete(&s, "configmaps", "b", "Background");
    GONE("c");
    /* an owner that never was */
    map(&s, "d");
    stage_patch(&s, "configmaps", "d", NULL,
                "{\"metadata\":{\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\","
                "\"name\":\"d0\",\"uid\":\"11111111-1111-1111-1111-111111111111\"}]}}");
    GONE("d");
    stage_end(&s);
}

static void test_circle(void)
{
    struct stage s;

    stage_begin(&s);
    map(&s, "a");
    map(&s, "b");
    map(&s, "c");
    own(&s, "a", "c", NULL);
    own(&s, "b", "a", NULL);
    own(&s, "c", "b", NULL);
    stage_delete(&s, "configmaps", "a", "Foreground");
    GONE("a");
    GONE("b");
    GONE("c");
    stage_end(&s);
}

static void test_namespace(void)
{
    struct stage s;

    stage_begin(&s);
    stage_create(&s, "namespaces", "{\"metadata\":{\"name\":\"empty\"}}");
    stage_create(&s, "namespaces", "{\"metadata\":{\"name\":\"other\"}}");
    stage_delete(&s, "namespaces", "empty", NULL);
    stage_expect(&s, "namespaces", "empty", "metadata.name", "");
    s.ns = "other";
    stage_expect(&s, "configmaps", "kube-root-ca.crt", "metadata.name", "kube-root-ca.crt");
    map(&s, "a");
    stage_patch(&s, "configmaps", "a", NULL, "{\"metadata\":{\"finalizers\":[\"x.example/y\"]}}");
    stage_delete(&s, "namespaces", "other", NULL);
    stage_expect(&s, "namespaces", "other", "status.phase", "Terminating");
    stage_expect_count(&s, "serviceaccounts", 0);
    THERE("a");
    stage_patch(&s, "configmaps", "a", NULL, "{\"metadata\":{\"finalizers\":null}}");
    GONE("a");
    stage_expect(&s, "namespaces", "other", "metadata.name", "");
    stage_end(&s);
}

CU_TestInfo clusters_controller_garbage_tests[] = {
    {"background, orphan and foreground", test_propagation},
    {"owners that live keep dependents",  test_two_owners },
    {"circles hold up nobody",            test_circle     },
    {"namespaces end with all",           test_namespace  },
    CU_TEST_INFO_NULL,
};
