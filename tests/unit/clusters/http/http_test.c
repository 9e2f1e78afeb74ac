#include <stdio.h>
#include <time.h>

#include "core/loop.h"
#include "core/stream.h"

#include "tests/unit/clusters/golden.h"
#include "tests/unit/clusters/http/request.h"

/* Links without clusters/cluster_run.c, which a program brings along. */
__attribute__((weak)) struct cluster *cluster_find(const char *id)
{
    (void)id;
    return NULL;
}

__attribute__((weak)) void cluster_release(struct cluster *cluster)
{
    (void)cluster;
}

static json_t *run(struct fixture *f, enum method method, const char *target, const char *body,
                   int status)
{
    struct request r = {.method = method, .target = target, .body = body};
    struct answer a;
    json_t *tree;

    request_run(f, &r, &a);
    if (a.status != status)
        printf("%s %s: %d %s\n", method_name(method), target, a.status, a.body);
    CU_ASSERT_EQUAL(a.status, status);
    tree = json_loads(a.body, JSON_ALLOW_NUL, NULL);
    answer_free(&a);
    return tree;
}

/* ---- what a real server says of 28 mistakes ---- */

/* What is another each time: uids, times, revisions, names made up. */
static void normalise(json_t *tree)
{
    static const char *const volatile_members[] = {"uid", "creationTimestamp", "time",
                                                   "resourceVersion", "managedFields"};
    const char *key;
    json_t *value;
    size_t i;

    for (i = 0; i < ARRAY_LEN(volatile_members); i++)
        json_object_del(tree, volatile_members[i]);
    json_object_foreach(tree, key, value)
    {
        const char *text = json_string_value(value);

        if (text && strncmp(text, "kube-api-access-", 16) == 0)
            json_object_set_new(tree, key, json_string("kube-api-access-x"));
        else if (text && strstr(text, "does not match the UID in record ("))
            json_object_set_new(tree, key, json_string("UID in record"));
        else if (text && strncmp(text, "too old resource version: 1 (", 29) == 0)
            json_object_set_new(tree, key, json_string("too old"));
        else
            normalise(value);
    }
    json_array_foreach(tree, i, value)
    {
        normalise(value);
    }
}

static enum method method_of(const char *name)
{
    return method_parse(name, strlen(name));
}

static void check_case(struct fixture *f, const char *name, json_t *row)
{
    json_t *request = json_object_get(row, "request"), *wanted = json_object_get(row, "response");
    enum method method = method_of(text_at(row, "method"));
    char *body = json_is_string(request) ? strdup(json_string_value(request))
                 : json_is_null(request) ? strdup("")
                                         : json_dumps(request, 0);
    struct request r = {.method = method, .target = text_at(row, "url"), .body = body};
    const char *warning = text_at(row, "warning");
    struct answer a;
    json_t *got;

    if (method == PATCH) /* the recorder's content types */
        r.headers[0] = (struct header){
            "content-type", strcmp(name, "patch-bad-ct") == 0     ? "text/plain"
                            : strcmp(name, "ssa-no-manager") == 0 ? "application/apply-patch+yaml"
                                                                  : "application/merge-patch+json"};
    request_run(f, &r, &a);
    got = json_loads(a.body, 0, NULL);
    if (got)
        normalise(got);
    normalise(wanted);
    if (a.status != int_at(row, "status", 0) ||
        (got ? !json_equal(got, wanted)
             : !json_is_string(wanted) || strcmp(a.body, json_string_value(wanted)) != 0)) {
        char *text = json_dumps(wanted, JSON_ENCODE_ANY | JSON_SORT_KEYS);
        char *mine = got ? json_dumps(got, JSON_SORT_KEYS) : strdup(a.body);

        printf("%s: %d\n  wanted %s\n  got    %s\n", name, a.status, text, mine);
        free(text);
        free(mine);
        CU_FAIL("another answer than upstream's");
    }
    if (warning) {
        const char *said = answer_header(&a, "Warning");

        CU_ASSERT_STRING_EQUAL(said ? said : "", warning);
    }
    json_decref(got);
    free(body);
    answer_free(&a);
}

static void prepare_golden(struct fixture *f)
{
    json_decref(run(f, POST, "/api/v1/namespaces/default/serviceaccounts",
                    "{\"metadata\":{\"name\":\"default\"}}", 201));
    json_decref(run(f, POST, "/api/v1/namespaces/default/configmaps",
                    "{\"metadata\":{\"name\":\"kube-root-ca.crt\"}}", 201));
    json_decref(run(f, POST, "/api/v1/namespaces/kube-system/configmaps",
                    "{\"metadata\":{\"name\":\"kube-root-ca.crt\"}}", 201));
}

static void test_golden_errors(void)
{
    json_t *cases = golden("errors.json"), *row;
    struct fixture f;
    const char *name;

    CU_ASSERT_PTR_NOT_NULL_FATAL(cases);
    CU_ASSERT_EQUAL(json_object_size(cases), 28);
    fixture_rest(&f);
    rest_close(&f.cluster); /* started anew it has no history: revision 1 is too old */
    store_close(f.cluster.store);
    fixture_open(&f);
    CU_ASSERT_EQUAL_FATAL(rest_open(&f.op, &f.cluster), OK);
    prepare_golden(&f);
    json_object_foreach(cases, name, row)
    {
        check_case(&f, name, row);
    }
    json_decref(cases);
    fixture_end(&f);
}

/* ---- objects ---- */

static void test_life_of_an_object(void)
{
    static const char maps[] = "/api/v1/namespaces/default/configmaps";
    static const char one[] = "/api/v1/namespaces/default/configmaps/x";
    struct fixture f;
    json_t *tree;

    fixture_rest(&f);
    tree = run(&f, POST, maps, "{\"metadata\":{\"name\":\"x\"},\"data\":{\"a\":\"1\"}}", 201);
    CU_ASSERT_STRING_EQUAL(text_at_or(tree, "kind", ""), "ConfigMap");
    CU_ASSERT_PTR_NOT_NULL(text_at(tree, "metadata.uid"));
    json_object_set_new(json_object_get(tree, "data"), "a", json_string("2"));
    {
        char *body = json_dumps(tree, 0);

        json_decref(run(&f, PUT, one, body, 200));
        json_decref(run(&f, PUT, one, body, 409)); /* its resourceVersion is old now */
        free(body);
    }
    json_decref(tree);
    tree = run(&f, GET, one, NULL, 200);
    CU_ASSERT_STRING_EQUAL(text_at_or(tree, "data.a", ""), "2");
    json_decref(tree);
    tree = run(&f, GET, maps, NULL, 200);
    CU_ASSERT_STRING_EQUAL(text_at_or(tree, "kind", ""), "ConfigMapList");
    CU_ASSERT_EQUAL(json_array_size(json_object_get(tree, "items")), 1);
    json_decref(tree);
    json_decref(run(&f, DELETE, one, NULL, 200));
    json_decref(run(&f, GET, one, NULL, 404));
    fixture_end(&f);
}

static void test_pages(void)
{
    struct fixture f;
    json_t *tree;
    char body[128], target[512];

    fixture_rest(&f);
    for (int i = 0; i < 5; i++) {
        snprintf(body, sizeof(body), "{\"metadata\":{\"name\":\"x%d\",\"labels\":{\"n\":\"%d\"}}}",
                 i, i % 2);
        json_decref(run(&f, POST, "/api/v1/namespaces/default/configmaps", body, 201));
    }
    tree = run(&f, GET, "/api/v1/namespaces/default/configmaps?limit=2", NULL, 200);
    CU_ASSERT_EQUAL(int_at(tree, "metadata.remainingItemCount", 0), 3);
    snprintf(target, sizeof(target), "/api/v1/namespaces/default/configmaps?limit=2&continue=%s",
             text_at_or(tree, "metadata.continue", ""));
    json_decref(tree);
    json_decref(run(&f, DELETE, "/api/v1/namespaces/default/configmaps/x2", NULL, 200));
    tree = run(&f, GET, target, NULL, 200); /* as it was when the list began */
    CU_ASSERT_STRING_EQUAL(
        text_at_or(json_array_get(json_object_get(tree, "items"), 0), "metadata.name", ""), "x2");
    CU_ASSERT_EQUAL(int_at(tree, "metadata.remainingItemCount", 0), 1);
    json_decref(tree);
    tree = run(&f, GET, "/api/v1/configmaps?labelSelector=n%3D0&limit=1", NULL, 200);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(tree, "items")), 1);
    CU_ASSERT_PTR_NOT_NULL(text_at(tree, "metadata.continue"));
    json_decref(tree);
    tree = run(&f, DELETE, "/api/v1/namespaces/default/configmaps?labelSelector=n%3D1", NULL, 200);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(tree, "items")), 2);
    json_decref(tree);
    json_decref(run(&f, DELETE, "/api/v1/configmaps", NULL, 405)); /* one namespace at a time */
    fixture_end(&f);
}

static json_t *patch(struct fixture *f, const char *target, const char *type, const char *body,
                     int status)
{
    struct request r = {
        .method = PATCH, .target = target, .body = body, .headers = {{"content-type", type}}};
    struct answer a;
    json_t *tree;

    request_run(f, &r, &a);
    if (a.status != status)
        printf("PATCH %s: %d %s\n", target, a.status, a.body);
    CU_ASSERT_EQUAL(a.status, status);
    tree = json_loads(a.body, 0, NULL);
    answer_free(&a);
    return tree;
}

static const char deployment[] =
    "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"web\"},\"spec\":{"
    "\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\"metadata\":{\"labels\":{\"a\":"
    "\"b\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i:1\"}]}}}}";

static void test_deployment(void)
{
    static const char one[] = "/apis/apps/v1/namespaces/default/deployments/web";
    struct fixture f;
    json_t *tree;

    fixture_rest(&f);
    tree = patch(&f, "/apis/apps/v1/namespaces/default/deployments/web?fieldManager=kubectl",
                 "application/apply-patch+yaml", deployment, 201);
    CU_ASSERT_EQUAL(int_at(tree, "metadata.generation", 0), 1);
    CU_ASSERT_EQUAL(int_at(tree, "spec.replicas", 0), 1);
    json_decref(tree);
    tree = patch(&f, one, "application/strategic-merge-patch+json",
                 "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":"
                 "\"i:2\"}]}}}}",
                 200);
    CU_ASSERT_EQUAL(int_at(tree, "metadata.generation", 0), 2);
    json_decref(tree);
    tree = patch(&f, "/apis/apps/v1/namespaces/default/deployments/web/scale",
                 "application/merge-patch+json", "{\"spec\":{\"replicas\":3}}", 200);
    CU_ASSERT_STRING_EQUAL(text_at_or(tree, "kind", ""), "Scale");
    CU_ASSERT_EQUAL(int_at(tree, "spec.replicas", 0), 3);
    CU_ASSERT_STRING_EQUAL(text_at_or(tree, "status.selector", ""), "a=b");
    json_decref(tree);
    tree = patch(&f, "/apis/apps/v1/namespaces/default/deployments/web/status",
                 "application/merge-patch+json",
                 "{\"spec\":{\"replicas\":9},\"status\":{\"replicas\":1}}", 200);
    CU_ASSERT_EQUAL(int_at(tree, "spec.replicas", 0), 3);
    CU_ASSERT_EQUAL(int_at(tree, "status.replicas", 0), 1);
    CU_ASSERT_EQUAL(int_at(tree, "metadata.generation", 0), 3);
    json_decref(tree);
    /* another's field: a conflict, unless forced */
    json_decref(patch(&f, "/apis/apps/v1/namespaces/default/deployments/web?fieldManager=other",
                      "application/apply-patch+yaml",
                      "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":"
                      "\"web\"},\"spec\":{\"replicas\":7}}",
                      409));
    tree = run(&f, DELETE,
               "/apis/apps/v1/namespaces/default/deployments/web?propagationPolicy="
               "Foreground",
               NULL, 200);
    CU_ASSERT_PTR_NOT_NULL(text_at(tree, "metadata.deletionTimestamp"));
    json_decref(tree);
    json_decref(patch(&f, one, "application/merge-patch+json",
                      "{\"metadata\":{\"finalizers\":null}}", 200));
    json_decref(run(&f, GET, one, NULL, 404));
    fixture_end(&f);
}

static const char pod[] = "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[{\"name\":"
                          "\"c\",\"image\":\"i\"}]}}";

static void test_pod(void)
{
    static const char pods[] = "/api/v1/namespaces/default/pods";
    struct fixture f;
    json_t *tree;

    fixture_rest(&f);
    tree = run(&f, POST, pods, pod, 403);
    CU_ASSERT_STRING_EQUAL(text_at_or(tree, "message", ""),
                           "pods \"p\" is forbidden: error looking up service account "
                           "default/default: serviceaccount \"default\" not found");
    json_decref(tree);
    prepare_golden(&f);
    json_decref(run(&f, POST, pods, pod, 201));
    tree = run(&f, POST, "/api/v1/namespaces/default/pods/p/binding",
               "{\"target\":{\"kind\":\"Node\",\"name\":\"n1\"}}", 201);
    CU_ASSERT_STRING_EQUAL(text_at_or(tree, "status", ""), "Success");
    json_decref(tree);
    tree = run(&f, GET, "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1", NULL, 200);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(tree, "items")), 1);
    json_decref(tree);
    tree = run(&f, DELETE, "/api/v1/namespaces/default/pods/p", NULL, 200);
    CU_ASSERT_EQUAL(int_at(tree, "metadata.deletionGracePeriodSeconds", 0), 30);
    json_decref(tree);
    json_decref(run(&f, GET, "/api/v1/namespaces/default/pods/p", NULL, 200));
    json_decref(
        run(&f, DELETE, "/api/v1/namespaces/default/pods/p?gracePeriodSeconds=0", NULL, 200));
    json_decref(run(&f, GET, "/api/v1/namespaces/default/pods/p", NULL, 404));
    /* what no node holds goes at once */
    json_decref(run(&f, POST, pods, pod, 201));
    json_decref(run(&f, POST, "/api/v1/namespaces/default/pods/p/eviction", "{}", 201));
    json_decref(run(&f, GET, "/api/v1/namespaces/default/pods/p", NULL, 404));
    fixture_end(&f);
}

static void test_service(void)
{
    static const char services[] = "/api/v1/namespaces/default/services";
    static const char body[] = "{\"metadata\":{\"name\":\"%s\"},\"spec\":{%s\"ports\":[{\"port\":80"
                               "%s}]}}";
    struct fixture f;
    char text[512], ip[64];
    json_t *tree;
    int64_t port;

    fixture_rest(&f);
    snprintf(text, sizeof(text), body, "a", "\"type\":\"NodePort\",", "");
    tree = run(&f, POST, services, text, 201);
    snprintf(ip, sizeof(ip), "%s", text_at_or(tree, "spec.clusterIP", ""));
    port = int_at(json_array_get(at(tree, "spec.ports"), 0), "nodePort", 0);
    CU_ASSERT_EQUAL(strncmp(ip, "10.0.", 5), 0);
    CU_ASSERT_TRUE(port >= 30000 && port <= 32767);
    json_decref(tree);
    {
        char taken[128], node[64];

        snprintf(taken, sizeof(taken), "\"clusterIP\":\"%s\",", ip);
        snprintf(text, sizeof(text), body, "b", taken, "");
        json_decref(run(&f, POST, services, text, 422));
        snprintf(node, sizeof(node), ",\"nodePort\":%lld", (long long)port);
        snprintf(text, sizeof(text), body, "b", "\"type\":\"NodePort\",", node);
        json_decref(run(&f, POST, services, text, 422));
        snprintf(text, sizeof(text), body, "b", "\"clusterIP\":\"10.9.0.1\",", "");
        json_decref(run(&f, POST, services, text, 422));
        /* given back when the service goes; the listener runs after the answer */
        json_decref(run(&f, DELETE, "/api/v1/namespaces/default/services/a", NULL, 200));
        store_unlisten(f.cluster.store, NULL, NULL); /* waits for listeners */
        snprintf(text, sizeof(text), body, "b", taken, "");
        json_decref(run(&f, POST, services, text, 201));
    }
    /* the API's own service comes back */
    json_decref(run(&f, DELETE, "/api/v1/namespaces/default/services/kubernetes", NULL, 200));
    tree = run(&f, GET, "/api/v1/namespaces/default/services/kubernetes", NULL, 200);
    CU_ASSERT_STRING_EQUAL(text_at_or(tree, "spec.clusterIP", ""), "10.0.0.1");
    json_decref(tree);
    snprintf(text, sizeof(text), body, "h", "\"clusterIP\":\"None\",", "");
    tree = run(&f, POST, services, text, 201);
    CU_ASSERT_STRING_EQUAL(text_at_or(tree, "spec.clusterIP", ""), "None");
    json_decref(tree);
    fixture_end(&f);
}

/* ---- namespaces ---- */

static void test_namespace(void)
{
    struct fixture f;
    json_t *tree;

    fixture_rest(&f);
    tree = run(&f, POST, "/api/v1/namespaces", "{\"metadata\":{\"generateName\":\"n-\"}}", 201);
    CU_ASSERT_EQUAL(strlen(text_at_or(tree, "metadata.name", "")), 7);
    json_decref(tree);
    json_decref(run(&f, POST, "/api/v1/namespaces", "{\"metadata\":{\"name\":\"n\"}}", 201));
    tree = run(&f, DELETE, "/api/v1/namespaces/n", NULL, 200);
    CU_ASSERT_STRING_EQUAL(text_at_or(tree, "status.phase", ""), "Terminating");
    json_decref(tree);
    tree = run(&f, POST, "/api/v1/namespaces/n/configmaps", "{\"metadata\":{\"name\":\"x\"}}", 403);
    CU_ASSERT_STRING_EQUAL(text_at_or(tree, "message", ""),
                           "configmaps \"x\" is forbidden: unable to create new content in "
                           "namespace n because it is being terminated");
    json_decref(tree);
    json_decref(run(&f, PUT, "/api/v1/namespaces/n/finalize",
                    "{\"metadata\":{\"name\":\"n\"},\"spec\":{\"finalizers\":[]}}", 200));
    json_decref(run(&f, GET, "/api/v1/namespaces/n", NULL, 404));
    json_decref(run(&f, DELETE, "/api/v1/namespaces/kube-system", NULL, 403));
    fixture_end(&f);
}

/* ---- rights ---- */

static int status_as(struct fixture *f, const char *user, enum method method, const char *target,
                     const char *body)
{
    static const char *const none[] = {NULL};
    struct certificate who = {user, none};
    struct request r = {.method = method, .target = target, .body = body, .who = &who};
    struct answer a;
    int status;

    request_run(f, &r, &a);
    status = a.status;
    if (status == 403 && strstr(target, "secrets?")) {
        CU_ASSERT_PTR_NOT_NULL(strstr(a.body, "secrets is forbidden: User \\\"eve\\\" cannot list "
                                              "resource \\\"secrets\\\" in API group \\\"\\\" in "
                                              "the namespace \\\"default\\\""));
    }
    answer_free(&a);
    return status;
}

static void test_rights(void)
{
    static const char bindings[] =
        "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings";
    static const char binding[] =
        "{\"metadata\":{\"name\":\"b\"},\"roleRef\":{\"apiGroup\":\"rbac.authorization.k8s.io\","
        "\"kind\":\"ClusterRole\",\"name\":\"%s\"},\"subjects\":[{\"kind\":\"User\",\"name\":"
        "\"eve\",\"apiGroup\":\"rbac.authorization.k8s.io\"}]}";
    struct fixture f;
    char body[512];
    json_t *tree;

    fixture_rest(&f);
    CU_ASSERT_EQUAL(status_as(&f, "eve", GET, "/api/v1/namespaces/default/secrets?limit=1", NULL),
                    403);
    CU_ASSERT_EQUAL(status_as(&f, "eve", GET, "/version", NULL), 200);
    CU_ASSERT_EQUAL(status_as(&f, "eve", GET, "/metrics", NULL), 403);
    snprintf(body, sizeof(body), binding, "edit");
    json_decref(run(&f, POST, bindings, body, 201));
    CU_ASSERT_EQUAL(status_as(&f, "eve", GET, "/api/v1/namespaces/default/secrets", NULL), 200);
    CU_ASSERT_EQUAL(status_as(&f, "eve", GET, "/api/v1/namespaces/kube-system/secrets", NULL), 403);
    CU_ASSERT_EQUAL(status_as(&f, "eve", POST, "/api/v1/namespaces/default/configmaps",
                              "{\"metadata\":{\"name\":\"x\"}}"),
                    201);
    /* nobody gives away what he does not have */
    json_decref(run(&f, POST, bindings,
                    "{\"metadata\":{\"name\":\"c\"},\"roleRef\":{\"apiGroup\":"
                    "\"rbac.authorization.k8s.io\",\"kind\":\"ClusterRole\",\"name\":\"admin\"},"
                    "\"subjects\":[{\"kind\":\"User\",\"name\":\"bob\",\"apiGroup\":"
                    "\"rbac.authorization.k8s.io\"}]}",
                    201));
    snprintf(body, sizeof(body), binding, "cluster-admin");
    CU_ASSERT_EQUAL(status_as(&f, "bob", POST, bindings, body), 403);
    tree = run(&f, POST, "/apis/authorization.k8s.io/v1/subjectaccessreviews",
               "{\"spec\":{\"user\":\"eve\",\"resourceAttributes\":{\"verb\":\"get\",\"resource\":"
               "\"pods\",\"subresource\":\"log\",\"namespace\":\"default\"}}}",
               201);
    CU_ASSERT_TRUE(bool_at(tree, "status.allowed", false));
    json_decref(tree);
    /* gone with the binding, at once */
    json_decref(run(&f, DELETE,
                    "/apis/rbac.authorization.k8s.io/v1/namespaces/default/"
                    "rolebindings/b",
                    NULL, 200));
    CU_ASSERT_EQUAL(status_as(&f, "eve", GET, "/api/v1/namespaces/default/secrets", NULL), 403);
    fixture_end(&f);
}

static int applied_as(struct fixture *f, const char *user, const char *target)
{
    static const char *const none[] = {NULL};
    struct certificate who = {user, none};
    struct request r = {.method = PATCH,
                        .target = target,
                        .who = &who,
                        .body = "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":"
                                "{\"name\":\"foo\"},\"data\":{\"a\":\"b\"}}"};
    struct answer a;
    int status;

    r.headers[0] = (struct header){"content-type", "application/apply-patch+yaml"};
    request_run(f, &r, &a);
    status = a.status;
    answer_free(&a);
    return status;
}

/* Who may change or name something may not make it for that. */
static void test_rights_to_create(void)
{
    static const char maps[] = "/api/v1/namespaces/default/configmaps";
    static const char roles[] = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles";
    static const char bindings[] =
        "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings";
    static const char lease[] = "{\"metadata\":{\"name\":\"l\",\"namespace\":\"default\"}}";
    static const char leases[] = "/apis/coordination.k8s.io/v1/namespaces/default/leases/l";
    struct fixture f;

    fixture_rest(&f);
    json_decref(run(&f, POST, roles,
                    "{\"metadata\":{\"name\":\"r\"},\"rules\":[{\"apiGroups\":[\"\"],\"resources\":"
                    "[\"configmaps\"],\"verbs\":[\"patch\",\"get\"]},{\"apiGroups\":[\"\"],"
                    "\"resources\":[\"configmaps\"],\"verbs\":[\"create\",\"list\"],"
                    "\"resourceNames\":[\"bar\"]},{\"apiGroups\":[\"coordination.k8s.io\"],"
                    "\"resources\":[\"leases\"],\"verbs\":[\"update\"]}]}",
                    201));
    json_decref(run(&f, POST, bindings,
                    "{\"metadata\":{\"name\":\"b\"},\"roleRef\":{\"apiGroup\":"
                    "\"rbac.authorization.k8s.io\",\"kind\":\"Role\",\"name\":\"r\"},\"subjects\":"
                    "[{\"kind\":\"User\",\"name\":\"eve\",\"apiGroup\":"
                    "\"rbac.authorization.k8s.io\"}]}",
                    201));
    CU_ASSERT_EQUAL(
        applied_as(&f, "eve", "/api/v1/namespaces/default/configmaps/foo?fieldManager=m"), 403);
    CU_ASSERT_EQUAL(status_as(&f, "eve", PUT, leases, lease), 403);
    CU_ASSERT_EQUAL(
        status_as(&f, "eve", POST,
                  "/api/v1/namespaces/default/configmaps?fieldSelector=metadata.name%3Dbar",
                  "{\"metadata\":{\"name\":\"foo\"}}"),
        403);
    CU_ASSERT_EQUAL(
        status_as(&f, "eve", GET,
                  "/api/v1/namespaces/default/configmaps?fieldSelector=metadata.name%3Dbar", NULL),
        200);
    json_decref(run(&f, POST, maps, "{\"metadata\":{\"name\":\"foo\"}}", 201));
    CU_ASSERT_EQUAL(
        applied_as(&f, "eve", "/api/v1/namespaces/default/configmaps/foo?fieldManager=m"), 200);
    fixture_end(&f);
}

static int status_with_token(struct fixture *f, const char *token, const char *target)
{
    struct request r = {.method = GET, .target = target};
    char bearer[4096];
    static const struct certificate nobody = {0};
    struct answer a;
    int status;

    snprintf(bearer, sizeof(bearer), "Bearer %s", token);
    r.headers[0] = (struct header){"authorization", bearer};
    r.who = &nobody;
    request_run(f, &r, &a);
    status = a.status;
    answer_free(&a);
    return status;
}

static void test_tokens(void)
{
    struct fixture f;
    json_t *tree, *review;
    char body[4096], *token;

    fixture_rest(&f);
    prepare_golden(&f);
    tree = run(&f, POST, "/api/v1/namespaces/default/serviceaccounts/default/token", "{}", 201);
    CU_ASSERT_STRING_EQUAL(text_at_or(tree, "kind", ""), "TokenRequest");
    token = strdup(text_at_or(tree, "status.token", ""));
    json_decref(tree);
    snprintf(body, sizeof(body), "{\"spec\":{\"token\":\"%s\"}}", token);
    review = run(&f, POST, "/apis/authentication.k8s.io/v1/tokenreviews", body, 201);
    CU_ASSERT_TRUE(bool_at(review, "status.authenticated", false));
    CU_ASSERT_STRING_EQUAL(text_at_or(review, "status.user.username", ""),
                           "system:serviceaccount:default:default");
    json_decref(review);
    CU_ASSERT_EQUAL(status_with_token(&f, token, "/api"), 200);
    CU_ASSERT_EQUAL(status_with_token(&f, token, "/api/v1/pods"), 403);
    body[strlen(body) - 8] ^= 1; /* one bit of the signature */
    review = run(&f, POST, "/apis/authentication.k8s.io/v1/tokenreviews", body, 201);
    CU_ASSERT_FALSE(bool_at(review, "status.authenticated", false));
    json_decref(review);
    json_decref(run(&f, DELETE, "/api/v1/namespaces/default/serviceaccounts/default", NULL, 200));
    CU_ASSERT_EQUAL(status_with_token(&f, token, "/api"), 401);
    free(token);
    fixture_end(&f);
}

/* disableLocalAccounts: certificates are refused while it is so, other credentials are not. */
static void test_local_accounts(void)
{
    static const struct certificate nobody = {0};
    struct request anonymous = {.method = GET, .target = "/version", .who = &nobody};
    struct answer a;
    struct fixture f;
    json_t *tree;
    char *token;

    fixture_rest(&f);
    prepare_golden(&f);
    tree = run(&f, POST, "/api/v1/namespaces/default/serviceaccounts/default/token", "{}", 201);
    token = strdup(text_at_or(tree, "status.token", ""));
    json_decref(tree);
    atomic_store(&f.cluster.no_local_accounts, true);
    tree = run(&f, GET, "/api/v1/pods", NULL, 401);
    CU_ASSERT_STRING_EQUAL(text_at_or(tree, "reason", ""), "Unauthorized");
    json_decref(tree);
    json_decref(run(&f, GET, "/version", NULL, 401));
    CU_ASSERT_EQUAL(status_with_token(&f, token, "/api"), 200);
    request_run(&f, &anonymous, &a);
    CU_ASSERT_EQUAL(a.status, 200);
    answer_free(&a);
    atomic_store(&f.cluster.no_local_accounts, false);
    json_decref(run(&f, GET, "/api/v1/pods", NULL, 200));
    free(token);
    fixture_end(&f);
}

/* ---- watches ---- */

struct watched {
    struct loop loop;
    struct answer answer;
    struct text text; /* all that came */
    bool ended;
};

static void watch_open(struct fixture *f, struct watched *w, const char *target)
{
    struct request r = {.method = GET, .target = target, .loop = &w->loop};

    memset(w, 0, sizeof(*w));
    pthread_mutex_init(&w->loop.lock, NULL);
    w->loop.wake_sent = true; /* there is no thread to wake */
    w->loop.tasks_tail = &w->loop.tasks;
    request_run(f, &r, &w->answer);
    CU_ASSERT_EQUAL(w->answer.status, 200);
    CU_ASSERT_PTR_NOT_NULL_FATAL(w->answer.call.stream);
    text_init(&w->text, &w->answer.call.op.arena, (size_t)16 << 20);
}

/* Until the text has so many lines, or the stream has ended. */
static void watch_read(struct watched *w, size_t lines)
{
    struct timespec pause = {.tv_nsec = 1000000};

    for (;;) {
        struct stream_part *parts = stream_take(w->answer.call.stream, &w->ended);
        size_t n = 0;

        for (struct stream_part *p = parts; p; p = p->next)
            text_add(&w->text, p->data, p->len);
        stream_parts_free(parts);
        for (const char *p = w->text.data; (p = strchr(p, '\n')); p++)
            n++;
        if (n >= lines || w->ended)
            return;
        nanosleep(&pause, NULL);
    }
}

/* The nth line's "type name". */
static void watch_line(struct watched *w, size_t n, const char *wanted)
{
    const char *line = w->text.data;
    char got[256];
    json_t *event;

    while (n-- && strchr(line, '\n'))
        line = strchr(line, '\n') + 1;
    event = json_loadb(line, strcspn(line, "\n"), 0, NULL);
    snprintf(got, sizeof(got), "%s %s", text_at_or(event, "type", ""),
             text_at_or(event, "object.metadata.name", "-"));
    CU_ASSERT_STRING_EQUAL(got, wanted);
    json_decref(event);
}

static void watch_close(struct watched *w)
{
    struct loop_task *task;

    stream_closed(w->answer.call.stream);
    for (;;) { /* what was posted holds the stream */
        pthread_mutex_lock(&w->loop.lock);
        task = w->loop.tasks;
        w->loop.tasks = task ? task->next : NULL;
        pthread_mutex_unlock(&w->loop.lock);
        if (!task)
            break;
        task->run(task);
    }
    answer_free(&w->answer);
    pthread_mutex_destroy(&w->loop.lock);
}

static void test_watch(void)
{
    static const char maps[] = "/api/v1/namespaces/default/configmaps";
    static const char one[] = "/api/v1/namespaces/default/configmaps/x";
    struct watched chosen, named, table, short_one;
    struct fixture f;

    fixture_rest(&f);
    json_decref(
        run(&f, POST, maps, "{\"metadata\":{\"name\":\"w\",\"labels\":{\"a\":\"b\"}}}", 201));
    watch_open(&f, &chosen, "/api/v1/namespaces/default/configmaps?watch=1&labelSelector=a%3Db");
    watch_open(&f, &named,
               "/api/v1/configmaps?watch=true&fieldSelector=metadata.name%3Dx&resourceVersion=1");
    json_decref(
        run(&f, POST, maps, "{\"metadata\":{\"name\":\"x\",\"labels\":{\"a\":\"b\"}}}", 201));
    json_decref(patch(&f, one, "application/merge-patch+json",
                      "{\"metadata\":{\"labels\":{\"a\":\"c\"}}}", 200));
    json_decref(patch(&f, one, "application/merge-patch+json", "{\"data\":{\"k\":\"v\"}}", 200));
    json_decref(run(&f, DELETE, one, NULL, 200));
    watch_read(&chosen, 3);
    watch_line(&chosen, 0, "ADDED w");
    watch_line(&chosen, 1, "ADDED x");
    watch_line(&chosen, 2, "DELETED x"); /* out of sight: as it was */
    watch_read(&named, 4);
    watch_line(&named, 0, "ADDED x");
    watch_line(&named, 1, "MODIFIED x");
    watch_line(&named, 2, "MODIFIED x");
    watch_line(&named, 3, "DELETED x");
    watch_open(&f, &short_one,
               "/api/v1/pods?watch=1&timeoutSeconds=1&allowWatchBookmarks=true&resourceVersion=1");
    watch_read(&short_one, 2);
    CU_ASSERT_TRUE(short_one.ended);
    watch_line(&short_one, 0, "BOOKMARK -");
    watch_open(&f, &table, "/api/v1/namespaces?watch=1");
    watch_read(&table, 4);
    watch_line(&table, 3, "ADDED kube-system");
    watch_close(&chosen);
    watch_close(&named);
    watch_close(&short_one);
    store_end_watches(f.cluster.store); /* the others' streams end with the store */
    watch_read(&table, 5);
    CU_ASSERT_TRUE(table.ended);
    watch_close(&table);
    fixture_end(&f);
}

CU_TestInfo clusters_http_http_tests[] = {
    {"mistakes are answered as upstream does",                  test_golden_errors    },
    {"the life of an object",                                   test_life_of_an_object},
    {"pages of one view",                                       test_pages            },
    {"a deployment",                                            test_deployment       },
    {"a pod",                                                   test_pod              },
    {"a service",                                               test_service          },
    {"a namespace",                                             test_namespace        },
    {"rights",                                                  test_rights           },
    {"who changes what is not there needs the right to create", test_rights_to_create },
    {"tokens",                                                  test_tokens           },
    {"local accounts can be refused",                           test_local_accounts   },
    {"watches",                                                 test_watch            },
    CU_TEST_INFO_NULL,
};
