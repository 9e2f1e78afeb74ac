/* What writes go through beyond the life of one object: limits, quotas, finalizers, patches. */
#include <stdio.h>

#include "tests/unit/clusters/http/request.h"

static json_t *run(struct fixture *f, enum method method, const char *target, const char *body,
                   int status)
{
    struct request r = {.method = method, .target = target, .body = body};
    struct answer a;
    json_t *tree;

    if (method == PATCH)
        r.headers[0] =
            (struct header){"content-type", *body == '[' ? "application/json-patch+json"
                                                         : "application/merge-patch+json"};
    request_run(f, &r, &a);
    if (a.status != status)
        printf("%s %s: %d %s\n", method_name(method), target, a.status, a.body);
    CU_ASSERT_EQUAL(a.status, status);
    tree = json_loads(a.body, JSON_ALLOW_NUL, NULL);
    answer_free(&a);
    return tree;
}

static void done(struct fixture *f, enum method method, const char *target, const char *body,
                 int status)
{
    json_decref(run(f, method, target, body, status));
}

#define NS "/api/v1/namespaces/default/"
#define POD(n, resources)                                                                          \
    "{\"metadata\":{\"name\":\"" n                                                                 \
    "\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\","                               \
    "\"resources\":" resources "}]}}"

static void account(struct fixture *f)
{
    done(f, POST, NS "serviceaccounts", "{\"metadata\":{\"name\":\"default\"}}", 201);
}

static void test_limits(void)
{
    struct fixture f;
    json_t *tree;
    const json_t *resources;

    fixture_rest(&f);
    account(&f);
    done(
        &f, POST, NS "limitranges",
        "{\"metadata\":{\"name\":\"l\"},\"spec\":{\"limits\":[{\"type\":\"Container\",\"default\":{"
        "\"cpu\":\"500m\"},\"defaultRequest\":{\"cpu\":\"100m\"},\"max\":{\"cpu\":\"1\"},\"min\":{"
        "\"cpu\":\"50m\"}}]}}",
        201);
    tree = run(&f, POST, NS "pods", POD("a", "{}"), 201);
    resources = json_object_get(json_array_get(at(tree, "spec.containers"), 0), "resources");
    CU_ASSERT_STRING_EQUAL(text_at_or(resources, "limits.cpu", ""), "500m");
    CU_ASSERT_STRING_EQUAL(text_at_or(resources, "requests.cpu", ""), "100m");
    CU_ASSERT_STRING_EQUAL(text_at_or(tree, "status.qosClass", ""), "Burstable");
    json_decref(tree);
    tree = run(&f, POST, NS "pods", POD("b", "{\"limits\":{\"cpu\":\"2\"}}"), 403);
    CU_ASSERT_STRING_EQUAL(text_at_or(tree, "message", ""),
                           "pods \"b\" is forbidden: maximum cpu usage per Container is 1, but "
                           "limit is 2");
    json_decref(tree);
    fixture_end(&f);
}

static json_t *used_of(struct fixture *f)
{
    json_t *tree = run(f, GET, NS "resourcequotas/q", NULL, 200);
    json_t *used = json_incref(at(tree, "status.used"));

    json_decref(tree);
    return used;
}

static void check_used(struct fixture *f, const char *name, const char *value)
{
    json_t *used = used_of(f);

    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(used, name)), value);
    json_decref(used);
}

static void test_quota(void)
{
    struct fixture f;
    json_t *tree;

    fixture_rest(&f);
    account(&f);
    done(&f, POST, NS "configmaps", "{\"metadata\":{\"name\":\"x\"}}", 201);
    done(&f, POST, NS "resourcequotas",
         "{\"metadata\":{\"name\":\"q\"},\"spec\":{\"hard\":{\"pods\":\"1\",\"requests.cpu\":"
         "\"1\",\"count/configmaps\":\"2\",\"services.nodeports\":\"1\"}}}",
         201);
    check_used(&f, "count/configmaps", "1");
    check_used(&f, "pods", "0");
    done(&f, POST, NS "configmaps", "{\"metadata\":{\"name\":\"y\"}}", 201);
    tree = run(&f, POST, NS "configmaps", "{\"metadata\":{\"name\":\"z\"}}", 403);
    CU_ASSERT_STRING_EQUAL(text_at_or(tree, "message", ""),
                           "configmaps \"z\" is forbidden: exceeded quota: q, requested: "
                           "count/configmaps=1, used: count/configmaps=2, limited: "
                           "count/configmaps=2");
    json_decref(tree);
    done(&f, DELETE, NS "configmaps/x", NULL, 200);
    check_used(&f, "count/configmaps", "1");
    tree = run(&f, POST, NS "pods", POD("a", "{}"), 403);
    CU_ASSERT_STRING_EQUAL(text_at_or(tree, "message", ""),
                           "pods \"a\" is forbidden: failed quota: q: must specify requests.cpu "
                           "for: c");
    json_decref(tree);
    done(&f, POST, NS "pods", POD("a", "{\"requests\":{\"cpu\":\"300m\"}}"), 201);
    check_used(&f, "requests.cpu", "300m");
    done(&f, POST, NS "pods", POD("b", "{\"requests\":{\"cpu\":\"300m\"}}"), 403);
    /* one that has ended does not count */
    done(&f, PATCH, NS "pods/a/status", "{\"status\":{\"phase\":\"Succeeded\"}}", 200);
    check_used(&f, "pods", "0");
    done(&f, POST, NS "pods", POD("b", "{\"requests\":{\"cpu\":\"300m\"}}"), 201);
    done(&f, POST, NS "services",
         "{\"metadata\":{\"name\":\"s\"},\"spec\":{\"type\":\"NodePort\",\"ports\":[{\"name\":"
         "\"a\",\"port\":80},{\"name\":\"b\",\"port\":81}]}}",
         403); /* one node port each; both are given back */
    check_used(&f, "services.nodeports", "0");
    fixture_end(&f);
}

static void test_finalizers(void)
{
    struct fixture f;
    json_t *tree;

    fixture_rest(&f);
    done(&f, POST, NS "configmaps",
         "{\"metadata\":{\"name\":\"x\",\"finalizers\":[\"a.example/b\"]}}", 201);
    tree = run(&f, DELETE, NS "configmaps/x", NULL, 200);
    CU_ASSERT_PTR_NOT_NULL(text_at(tree, "metadata.deletionTimestamp"));
    json_decref(tree);
    done(&f, DELETE, NS "configmaps/x", NULL, 200); /* again: nothing changes */
    tree = run(&f, PATCH, NS "configmaps/x",
               "[{\"op\":\"add\",\"path\":\"/metadata/finalizers/-\",\"value\":\"c.example/d\"}]",
               422); /* no new ones while it goes */
    json_decref(tree);
    done(&f, PATCH, NS "configmaps/x", "{\"metadata\":{\"finalizers\":null}}", 200);
    done(&f, GET, NS "configmaps/x", NULL, 404);
    tree = run(&f, POST, NS "configmaps", "{\"metadata\":{\"name\":\"x\"}}", 201);
    json_decref(tree);
    done(&f, DELETE, NS "configmaps/x?propagationPolicy=Nonsense", NULL, 422);
    fixture_end(&f);
}

static void test_dry_run(void)
{
    struct fixture f;
    int64_t before;

    fixture_rest(&f);
    before = store_revision(f.cluster.store);
    done(&f, POST, NS "configmaps?dryRun=All", "{\"metadata\":{\"name\":\"x\"}}", 201);
    done(&f, GET, NS "configmaps/x", NULL, 404);
    done(&f, POST, NS "services?dryRun=All",
         "{\"metadata\":{\"name\":\"s\"},\"spec\":{\"clusterIP\":\"10.0.0.77\",\"ports\":[{"
         "\"port\":80}]}}",
         201);
    CU_ASSERT_EQUAL(store_revision(f.cluster.store), before);
    done(&f, POST, NS "services",
         "{\"metadata\":{\"name\":\"s\"},\"spec\":{\"clusterIP\":\"10.0.0.77\",\"ports\":[{"
         "\"port\":80}]}}",
         201); /* its address was given back */
    done(&f, DELETE, NS "services/s?dryRun=All", "{\"dryRun\":[\"All\"]}", 200);
    done(&f, GET, NS "services/s", NULL, 200);
    done(&f, POST, NS "configmaps?dryRun=Some", "{\"metadata\":{\"name\":\"x\"}}", 422);
    fixture_end(&f);
}

/* What a controller does. */
static enum fault bump(struct op *op, json_t *tree, void *arg, bool *ret_skip)
{
    (void)op;
    *ret_skip = arg != NULL;
    set_at(tree, "data.n", json_string("1"));
    return OK;
}

static void test_controllers(void)
{
    static const struct actor actor = {.name = "system:serviceaccount:kube-system:test-controller",
                                       .manager = "test-controller",
                                       .trusted = true};
    const struct resource *maps = resource_find("", "v1", "configmaps");
    const struct resource *events = resource_find("", "v1", "events");
    struct fixture f;
    struct object *object = NULL;
    struct store_page page = {0};
    struct rest r;

    fixture_rest(&f);
    r = rest_of(&f.cluster, &actor, maps, "default", "x");
    CU_ASSERT_EQUAL(rest_create(&f.op, &r, object_new(&f.op, maps, "default", "x"), &object), OK);
    CU_ASSERT_EQUAL(rest_modify(&f.op, &r, bump, NULL, &object), OK);
    CU_ASSERT_STRING_EQUAL(text_at(object_tree(object), "data.n"), "1");
    CU_ASSERT_EQUAL(rest_modify(&f.op, &r, bump, &f, &object), OK); /* skipped */
    CU_ASSERT_EQUAL(store_wait(&f.op, f.cluster.store, r.revision), OK);
    for (int i = 0; i < 3; i++)
        rest_event(&f.op, &f.cluster, &actor, object, "Normal", "Bumped", "n is %d", 1);
    rest_event(&f.op, &f.cluster, &actor, object, "Warning", "Tired", "no more");
    CU_ASSERT_EQUAL(store_list_latest(&f.op, f.cluster.store, events, "default", &page), OK);
    CU_ASSERT_EQUAL(page.n, 2);
    for (size_t i = 0; i < page.n; i++) {
        const json_t *event = object_tree(page.objects[i]);
        bool first = strcmp(text_at_or(event, "reason", ""), "Bumped") == 0;

        CU_ASSERT_EQUAL(int_at(event, "count", 0), first ? 3 : 1);
        CU_ASSERT_STRING_EQUAL(text_at_or(event, "involvedObject.name", ""), "x");
    }
    fixture_end(&f);
}

CU_TestInfo clusters_rest_rest_tests[] = {
    {"limits of a namespace", test_limits     },
    {"quotas",                test_quota      },
    {"finalizers",            test_finalizers },
    {"dry runs",              test_dry_run    },
    {"controllers",           test_controllers},
    CU_TEST_INFO_NULL,
};
