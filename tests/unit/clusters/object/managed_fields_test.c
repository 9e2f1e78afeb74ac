/* Who owns which field: server-side apply and updates, one after the other on one object. */
#include "clusters/object/managed_fields.h"

#include <string.h>

#include "clusters/object/field_set.h"
#include "tests/unit/unit.h"

struct story {
    struct op op;
    const struct type *type;
    const char *api_version;
    json_t *live; /* op's arena's; NULL: it is not there */
    int64_t now;
};

static void begin(struct story *s, const char *type, const char *api_version)
{
    memset(s, 0, sizeof(*s));
    op_init(&s->op);
    s->type = type ? type_find(type) : NULL;
    s->api_version = api_version;
    s->now = 1000000000;
}

static json_t *tree(struct story *s, const char *text)
{
    json_t *loaded = json_loads(text, 0, NULL), *copy;

    if (!loaded)
        printf("\nno JSON: %s\n", text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(loaded);
    copy = object_copy(&s->op, loaded);
    json_decref(loaded);
    return copy;
}

static enum fault apply_as(struct story *s, const char *name, const char *config, bool force)
{
    const struct manager manager = {name, NULL, s->api_version};
    json_t *wanted = tree(s, config), *next = NULL;

    op_clear_fault(&s->op);
    TRY(managed_apply(&s->op, s->type, s->live, wanted, &manager, force, &next));
    next = object_copy(&s->op, next);
    s->now++;
    TRY(managed_applied(&s->op, s->type, s->live, wanted, next, &manager, s->now));
    s->live = next;
    return OK;
}

static void update_as(struct story *s, const char *name, const char *subresource, const char *text)
{
    const struct manager manager = {name, subresource, s->api_version};
    json_t *next = tree(s, text);

    s->now++;
    CU_ASSERT_EQUAL(managed_update(&s->op, s->type, s->live, next, &manager, s->now), OK);
    s->live = next;
}

/* What it is without its entries. */
static void is(struct story *s, const char *text)
{
    json_t *now = object_copy(&s->op, s->live), *wanted = tree(s, text);

    set_at(now, "metadata.managedFields", NULL);
    if (!json_object_size(json_object_get(now, "metadata")))
        json_object_del(now, "metadata");
    if (!json_equal(now, wanted))
        printf("\nis     %s\nshould %s\n", (const char *)object_encode(&s->op, now).data, text);
    CU_ASSERT(json_equal(now, wanted));
}

/* {"a Apply": set, "b Update status": set} */
static void owners(struct story *s, const char *text)
{
    json_t *now = json_object(), *wanted = tree(s, text), *entry;
    size_t i;

    json_array_foreach(at(s->live, "metadata.managedFields"), i, entry)
    {
        const char *sub = text_at(entry, "subresource");

        json_object_set(now,
                        arena_printf(&s->op.arena, "%s %s%s%s", text_at(entry, "manager"),
                                     text_at(entry, "operation"), sub ? " " : "", sub ? sub : ""),
                        json_object_get(entry, "fieldsV1"));
    }
    if (!json_equal(now, wanted))
        printf("\nowners %s\nshould %s\n", (const char *)object_encode(&s->op, now).data, text);
    CU_ASSERT(json_equal(now, wanted));
    json_decref(now);
}

static void refused(struct story *s, enum fault fault, const char *message)
{
    CU_ASSERT_EQUAL(fault, CONFLICT);
    if (!s->op.message || strcmp(s->op.message, message) != 0)
        printf("\nsaid   %s\nshould %s\n", s->op.message ? s->op.message : "nothing", message);
    CU_ASSERT_STRING_EQUAL(s->op.message ? s->op.message : "", message);
}

#define MAP_TYPE "io.k8s.api.core.v1.ConfigMap"
#define DATA(x)  "{\"data\":{" x "}}"
#define F(x)     "{\"f:data\":{" x "}}"

static void test_one_applier(void)
{
    struct story s;

    begin(&s, MAP_TYPE, "v1");
    CU_ASSERT_EQUAL(apply_as(&s, "a", DATA("\"x\":\"1\",\"y\":\"2\""), false), OK);
    owners(&s, "{\"a Apply\":" F("\"f:x\":{},\"f:y\":{}") "}");
    CU_ASSERT_STRING_EQUAL(text_at(json_array_get(at(s.live, "metadata.managedFields"), 0), "time"),
                           "2001-09-09T01:46:41Z");
    /* the same again: nothing changes, not even the time */
    CU_ASSERT_EQUAL(apply_as(&s, "a", DATA("\"x\":\"1\",\"y\":\"2\""), false), OK);
    CU_ASSERT_STRING_EQUAL(text_at(json_array_get(at(s.live, "metadata.managedFields"), 0), "time"),
                           "2001-09-09T01:46:41Z");
    CU_ASSERT_EQUAL(apply_as(&s, "a", DATA("\"y\":\"3\""), false), OK);
    is(&s, DATA("\"y\":\"3\""));
    owners(&s, "{\"a Apply\":" F("\"f:y\":{}") "}");
    CU_ASSERT_EQUAL(apply_as(&s, "a", "{\"metadata\":{\"managedFields\":[]}}", false), INVALID);
    op_free(&s.op);
}

static void test_two_appliers(void)
{
    struct story s;

    begin(&s, MAP_TYPE, "v1");
    CU_ASSERT_EQUAL(apply_as(&s, "a", DATA("\"x\":\"1\",\"y\":\"2\""), false), OK);
    /* the same value is shared, another is a conflict */
    CU_ASSERT_EQUAL(apply_as(&s, "b", DATA("\"x\":\"1\""), false), OK);
    owners(&s, "{\"a Apply\":" F("\"f:x\":{},\"f:y\":{}") ",\"b Apply\":" F("\"f:x\":{}") "}");
    refused(&s, apply_as(&s, "b", DATA("\"x\":\"9\""), false),
            "Apply failed with 1 conflict: conflict with \"a\": .data.x");
    CU_ASSERT_PTR_NOT_NULL(strstr(s.op.detail ? s.op.detail : "", "FieldManagerConflict"));
    /* who lets go of what is shared removes nothing */
    CU_ASSERT_EQUAL(apply_as(&s, "a", DATA("\"y\":\"2\""), false), OK);
    is(&s, DATA("\"x\":\"1\",\"y\":\"2\""));
    owners(&s, "{\"a Apply\":" F("\"f:y\":{}") ",\"b Apply\":" F("\"f:x\":{}") "}");
    CU_ASSERT_EQUAL(apply_as(&s, "b", DATA("\"y\":\"7\""), true), OK);
    is(&s, DATA("\"y\":\"7\""));
    owners(&s, "{\"b Apply\":" F("\"f:y\":{}") "}");
    op_free(&s.op);
}

static void test_conflicts(void)
{
    struct story s;

    begin(&s, MAP_TYPE, "v1");
    CU_ASSERT_EQUAL(apply_as(&s, "b", DATA("\"x\":\"1\",\"y\":\"2\""), false), OK);
    CU_ASSERT_EQUAL(apply_as(&s, "a", DATA("\"z\":\"3\""), false), OK);
    refused(&s, apply_as(&s, "c", DATA("\"x\":\"0\",\"y\":\"0\",\"z\":\"0\""), false),
            "Apply failed with 3 conflicts: conflicts with \"a\":\n- .data.z\n"
            "conflicts with \"b\":\n- .data.x\n- .data.y");
    update_as(&s, "u", NULL, DATA("\"x\":\"5\",\"y\":\"2\",\"z\":\"3\""));
    refused(&s, apply_as(&s, "b", DATA("\"x\":\"1\",\"y\":\"2\""), false),
            "Apply failed with 1 conflict: conflict with \"u\" using v1: .data.x");
    op_free(&s.op);
}

static void test_updates(void)
{
    struct story s;
    json_t *sent;

    begin(&s, MAP_TYPE, "v1");
    update_as(&s, "u", NULL, DATA("\"x\":\"1\",\"y\":\"2\""));
    owners(&s, "{\"u Update\":{\"f:data\":{\".\":{},\"f:x\":{},\"f:y\":{}}}}");
    update_as(&s, "v", NULL, DATA("\"x\":\"9\",\"y\":\"2\""));
    owners(&s,
           "{\"u Update\":{\"f:data\":{\".\":{},\"f:y\":{}}},\"v Update\":" F("\"f:x\":{}") "}");
    refused(&s, apply_as(&s, "a", DATA("\"x\":\"1\""), false),
            "Apply failed with 1 conflict: conflict with \"v\" using v1: .data.x");
    /* what is removed is nobody's */
    update_as(&s, "u", NULL, DATA("\"y\":\"2\""));
    owners(&s, "{\"u Update\":{\"f:data\":{\".\":{},\"f:y\":{}}}}");
    CU_ASSERT_EQUAL(apply_as(&s, "a", DATA("\"y\":\"2\""), false), OK);
    update_as(&s, "u", NULL, DATA("\"y\":\"3\""));
    owners(&s, "{\"u Update\":{\"f:data\":{\".\":{},\"f:y\":{}}}}");
    /* a client that knows nothing of entries loses none; one that empties them does */
    sent = object_copy(&s.op, s.live);
    set_at(sent, "metadata.managedFields", json_pack("[{}]"));
    update_as(&s, "u", NULL, object_encode(&s.op, sent).data);
    owners(&s, "{}");
    update_as(&s, "u", NULL, DATA("\"y\":\"4\"")); /* and nobody keeps account any more */
    owners(&s, "{}");
    /* until somebody applies: what was there before is somebody's, too */
    refused(&s, apply_as(&s, "a", DATA("\"y\":\"5\""), false),
            "Apply failed with 1 conflict: conflict with \"before-first-apply\" using v1: .data.y");
    CU_ASSERT_EQUAL(apply_as(&s, "a", DATA("\"z\":\"5\""), false), OK);
    owners(&s, "{\"before-first-apply Update\":{\"f:data\":{\".\":{},\"f:y\":{}}},\"a Apply\":" F(
                   "\"f:z\":{}") "}");
    op_free(&s.op);
}

#define DEPLOYMENT      "io.k8s.api.apps.v1.Deployment"
#define CONTAINERS(x)   "{\"spec\":{\"template\":{\"spec\":{\"containers\":[" x "]}}}}"
#define F_CONTAINERS(x) "{\"f:spec\":{\"f:template\":{\"f:spec\":{\"f:containers\":{" x "}}}}}"

static void test_lists(void)
{
    struct story s;

    begin(&s, DEPLOYMENT, "apps/v1");
    CU_ASSERT_EQUAL(
        apply_as(&s, "a",
                 CONTAINERS("{\"name\":\"x\",\"image\":\"i\",\"ports\":[{\"containerPort\":80}],"
                            "\"args\":[\"1\",\"2\"]},{\"name\":\"y\",\"image\":\"j\"}"),
                 false),
        OK);
    owners(&s,
           "{\"a Apply\":" F_CONTAINERS(
               "\"k:{\\\"name\\\":\\\"x\\\"}\":{\".\":{},\"f:name\":{},\"f:image\":{},\"f:args\":{"
               "},\"f:ports\":{\"k:{\\\"containerPort\\\":80,\\\"protocol\\\":\\\"TCP\\\"}\":{\"."
               "\":{},\"f:containerPort\":{}}}},\"k:{\\\"name\\\":\\\"y\\\"}\":{\".\":{},\"f:name\""
               ":{},\"f:image\":{}}") "}");
    /* another one's item goes into the same list; items that their owner leaves out go */
    CU_ASSERT_EQUAL(apply_as(&s, "b", CONTAINERS("{\"name\":\"z\",\"image\":\"k\"}"), false), OK);
    CU_ASSERT_EQUAL(apply_as(&s, "a", CONTAINERS("{\"name\":\"x\",\"image\":\"i2\"}"), false), OK);
    is(&s, CONTAINERS("{\"name\":\"x\",\"image\":\"i2\"},{\"name\":\"z\",\"image\":\"k\"}"));
    refused(&s, apply_as(&s, "b", CONTAINERS("{\"name\":\"x\",\"image\":\"i3\"}"), false),
            "Apply failed with 1 conflict: conflict with \"a\": "
            ".spec.template.spec.containers[name=\"x\"].image");
    /* what was added to an owned item by others keeps it alive */
    update_as(&s, "u", NULL,
              CONTAINERS("{\"name\":\"x\",\"image\":\"i2\",\"tty\":true},{\"name\":\"z\",\"image\":"
                         "\"k\"}"));
    CU_ASSERT_EQUAL(apply_as(&s, "a", "{\"spec\":{\"replicas\":2}}", false), OK);
    is(&s, "{\"spec\":{\"replicas\":2,\"template\":{\"spec\":{\"containers\":[{\"name\":\"x\","
           "\"tty\":true},{\"name\":\"z\",\"image\":\"k\"}]}}}}");
    op_free(&s.op);
}

static void test_texts(void)
{
    struct story s;

    begin(&s, MAP_TYPE, "v1");
    CU_ASSERT_EQUAL(apply_as(&s, "a", "{\"metadata\":{\"finalizers\":[\"a/x\",\"a/y\"]}}", false),
                    OK);
    CU_ASSERT_EQUAL(apply_as(&s, "b", "{\"metadata\":{\"finalizers\":[\"b/z\"]}}", false), OK);
    CU_ASSERT_EQUAL(apply_as(&s, "a", "{\"metadata\":{\"finalizers\":[\"a/y\"]}}", false), OK);
    is(&s, "{\"metadata\":{\"finalizers\":[\"a/y\",\"b/z\"]}}");
    owners(&s, "{\"a Apply\":{\"f:metadata\":{\"f:finalizers\":{\"v:\\\"a/y\\\"\":{}}}},"
               "\"b Apply\":{\"f:metadata\":{\"f:finalizers\":{\"v:\\\"b/z\\\"\":{}}}}}");
    op_free(&s.op);
}

static void test_status(void)
{
    struct story s;

    begin(&s, DEPLOYMENT, "apps/v1");
    update_as(&s, "u", NULL, "{\"spec\":{\"replicas\":2},\"status\":{\"replicas\":9}}");
    owners(&s, "{\"u Update\":{\"f:spec\":{\"f:replicas\":{}}}}");
    update_as(&s, "k", "status", "{\"spec\":{\"replicas\":2},\"status\":{\"replicas\":1}}");
    owners(&s, "{\"u Update\":{\"f:spec\":{\"f:replicas\":{}}},\"k Update status\":{\"f:status\":{"
               "\"f:replicas\":{}}}}");
    op_free(&s.op);
}

/* kubectl apply, then kubectl apply --server-side: what it applied itself is no conflict. */
static void test_kubectl(void)
{
    struct story s;

    begin(&s, MAP_TYPE, "v1");
    update_as(
        &s, "kubectl-client-side-apply", NULL,
        "{\"metadata\":{\"annotations\":{\"kubectl.kubernetes.io/last-applied-configuration\":"
        "\"{\\\"data\\\":{\\\"x\\\":\\\"1\\\"}}\"}},\"data\":{\"x\":\"1\",\"y\":\"2\"}}");
    CU_ASSERT_EQUAL(apply_as(&s, "other", DATA("\"x\":\"3\""), false), CONFLICT);
    CU_ASSERT_EQUAL(apply_as(&s, "kubectl", DATA("\"x\":\"3\",\"y\":\"3\""), false), CONFLICT);
    CU_ASSERT_STRING_EQUAL(s.op.message, "Apply failed with 1 conflict: conflict with "
                                         "\"kubectl-client-side-apply\" using v1: .data.y");
    CU_ASSERT_EQUAL(apply_as(&s, "kubectl", DATA("\"x\":\"3\""), false), OK);
    CU_ASSERT_STRING_EQUAL(
        annotation_of(s.live, "kubectl.kubernetes.io/last-applied-configuration"),
        "{\"data\":{\"x\":\"3\"}}");
    CU_ASSERT_STRING_EQUAL(text_at(s.live, "data.x"), "3");
    op_free(&s.op);
}

/* Custom resources: objects granular, lists one value. */
static void test_untyped(void)
{
    struct story s;

    begin(&s, NULL, "x.example/v1");
    CU_ASSERT_EQUAL(apply_as(&s, "a", "{\"spec\":{\"a\":{\"b\":1,\"c\":2},\"l\":[1]}}", false), OK);
    owners(&s, "{\"a Apply\":{\"f:spec\":{\"f:a\":{\"f:b\":{},\"f:c\":{}},\"f:l\":{}}}}");
    CU_ASSERT_EQUAL(apply_as(&s, "b", "{\"spec\":{\"l\":[2]}}", false), CONFLICT);
    CU_ASSERT_EQUAL(apply_as(&s, "b", "{\"spec\":{\"a\":{\"d\":3}}}", false), OK);
    CU_ASSERT_EQUAL(apply_as(&s, "a", "{\"spec\":{\"a\":{\"b\":1}}}", false), OK);
    is(&s, "{\"spec\":{\"a\":{\"b\":1,\"d\":3}}}");
    op_free(&s.op);
}

/* More writers than anybody wants to know of. */
static void test_many_managers(void)
{
    struct story s;
    char name[16], data[512] = "{\"data\":{\"k\":\"1\"";
    size_t len = strlen(data);

    begin(&s, MAP_TYPE, "v1");
    for (int i = 0; i < 14; i++) {
        snprintf(name, sizeof(name), "m%02d", i);
        len += (size_t)snprintf(data + len, sizeof(data) - len, ",\"k%d\":\"1\"", i);
        snprintf(data + len, sizeof(data) - len, "}}");
        update_as(&s, name, NULL, data);
    }
    CU_ASSERT_EQUAL(json_array_size(at(s.live, "metadata.managedFields")), 10);
    CU_ASSERT_STRING_EQUAL(
        text_at(json_array_get(at(s.live, "metadata.managedFields"), 0), "manager"),
        "ancient-changes");
    op_free(&s.op);
}

CU_TestInfo clusters_object_managed_fields_tests[] = {
    {"one applier adds, changes and removes",  test_one_applier  },
    {"appliers share, conflict and force",     test_two_appliers },
    {"conflicts are said in upstream's words", test_conflicts    },
    {"updates take and lose what is there",    test_updates      },
    {"lists by key have many owners",          test_lists        },
    {"lists of texts have owners by text",     test_texts        },
    {"status belongs to its subresource",      test_status       },
    {"kubectl goes from its apply to ours",    test_kubectl      },
    {"custom resources are applied",           test_untyped      },
    {"at most ten updates are remembered",     test_many_managers},
    CU_TEST_INFO_NULL,
};
