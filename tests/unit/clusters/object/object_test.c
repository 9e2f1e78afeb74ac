#include "clusters/object/object.h"

#include <string.h>

#include "clusters/object/status.h"
#include "tests/unit/clusters/golden.h"
#include "tests/unit/unit.h"

#define POD    "io.k8s.api.core.v1.Pod"
#define CANNOT "Pod in version \"v1\" cannot be handled as a Pod: "

/* clang-format off */
static const struct {
    const char *body, *result, *fault;
    enum field_validation validation;
} cases[] = {
    {"{\"metadata\":{\"name\":\"x\"}}", "{\"metadata\":{\"name\":\"x\"}}", NULL, FIELDS_STRICT},
    {" {\"kind\" : \"Pod\",\n\"metadata\":null}\r\n", "{\"kind\":\"Pod\"}", NULL, FIELDS_STRICT},
    {"{\"metadata\":{\"labels\":{\"a\":null,\"b\":\"\\u00e9\\n\\ud83d\\ude00\"}}}",
     "{\"metadata\":{\"labels\":{\"a\":\"\",\"b\":\"é\\n😀\"}}}", NULL, FIELDS_STRICT},
    {"{\"metadata\":{\"creationTimestamp\":null,\"labels\":{},\"finalizers\":[],\"name\":\"\"},"
     "\"spec\":{\"hostNetwork\":false,\"containers\":[{\"name\":\"\",\"tty\":false,\"args\":[]}],"
     "\"terminationGracePeriodSeconds\":0,\"automountServiceAccountToken\":false},\"status\":{}}",
     "{\"metadata\":{},\"spec\":{\"containers\":[{\"name\":\"\"}],"
     "\"terminationGracePeriodSeconds\":0,\"automountServiceAccountToken\":false},\"status\":{}}",
     NULL, FIELDS_STRICT},
    {"{\"metadata\":{\"creationTimestamp\":\"2026-11-20T14:18:12+02:00\"},\"spec\":{\"containers\":"
     "[{\"name\":\"c\",\"resources\":{\"limits\":{\"cpu\":0.5,\"memory\":\"1024Mi\"}}}]}}",
     "{\"metadata\":{\"creationTimestamp\":\"2026-11-20T12:18:12Z\"},\"spec\":{\"containers\":"
     "[{\"name\":\"c\",\"resources\":{\"limits\":{\"cpu\":\"500m\",\"memory\":\"1Gi\"}}}]}}",
     NULL, FIELDS_STRICT},
    {"{\"spec\":{\"foo\":{\"a\":[1,2.5e3]},\"containers\":[{\"name\":\"c\",\"bar\":2}]}}", NULL,
     CANNOT "strict decoding error: unknown field \"spec.foo\", unknown field "
            "\"spec.containers[0].bar\"",
     FIELDS_STRICT},
    {"{\"spec\":{\"foo\":{\"a\":[1]},\"containers\":[{\"name\":\"c\",\"bar\":2}]}}",
     "{\"spec\":{\"containers\":[{\"name\":\"c\"}]}}", NULL, FIELDS_IGNORE},
    {"{\"metadata\":{\"name\":\"a\",\"name\":\"b\",\"labels\":{\"x\":\"1\",\"x\":\"2\"}}}", NULL,
     CANNOT "strict decoding error: duplicate field \"metadata.name\", duplicate field "
            "\"metadata.labels.x\"",
     FIELDS_STRICT},
    {"{\"metadata\":{\"name\":\"a\",\"name\":\"b\"}}", "{\"metadata\":{\"name\":\"b\"}}", NULL,
     FIELDS_IGNORE},
    {"{\"spec\":{\"containers\":\"notalist\"}}", NULL,
     CANNOT "json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type "
            "[]v1.Container",
     FIELDS_IGNORE},
    {"{\"spec\":{\"containers\":[{\"name\":1}]}}", NULL,
     CANNOT "json: cannot unmarshal number into Go struct field Container.spec.containers.name of "
            "type string",
     FIELDS_IGNORE},
    {"{\"spec\":{\"containers\":[{\"name\":\"c\",\"ports\":[{\"containerPort\":1.5}]}]}}", NULL,
     CANNOT "json: cannot unmarshal number 1.5 into Go struct field "
            "ContainerPort.spec.containers.ports.containerPort of type int32",
     FIELDS_IGNORE},
    {"{\"metadata\":{\"labels\":{\"a\":1}}}", NULL,
     CANNOT "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type "
            "string",
     FIELDS_IGNORE},
    {"{\"spec\":{\"containers\":[{\"resources\":{\"limits\":{\"cpu\":\"much\"}}}]}}", NULL,
     CANNOT "quantities must match the regular expression "
            "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
     FIELDS_IGNORE},
    {"[]", NULL, CANNOT "json: cannot unmarshal array into Go value of type v1.Pod", FIELDS_IGNORE},
#define UNRECOGNIZED                                                                               \
    "the object provided is unrecognized (must be of type Pod): couldn't get version/kind; json "  \
    "parse error: "
    {"{bad", NULL,
     UNRECOGNIZED "invalid character 'b' looking for beginning of object key string ({bad)",
     FIELDS_IGNORE},
    {"", NULL, UNRECOGNIZED "unexpected end of JSON input (<empty>)", FIELDS_IGNORE},
    {"{\"a\":1", NULL, UNRECOGNIZED "unexpected end of JSON input ({\"a\":1)", FIELDS_IGNORE},
    {"{\"a\":tru}", NULL,
     UNRECOGNIZED "invalid character '}' in literal true (expecting 'e') ({\"a\":tru})",
     FIELDS_IGNORE},
    {"{\"a\":01}", NULL,
     UNRECOGNIZED "invalid character '1' after object key:value pair ({\"a\":01})", FIELDS_IGNORE},
    {"{\"a\":\"\\x\"}", NULL,
     UNRECOGNIZED "invalid character 'x' in string escape code ({\"a\":\"\\x\"})", FIELDS_IGNORE},
    {"{} x", NULL, UNRECOGNIZED "invalid character 'x' after top-level value ({} x)",
     FIELDS_IGNORE},
    {"{\"a\":[1,]}", NULL,
     UNRECOGNIZED "invalid character ']' looking for beginning of value ({\"a\":[1,]})",
     FIELDS_IGNORE},
    {"{\"metadata\":{\"name\":\"1234567890123456789012345678901234567890\"},}", NULL,
     UNRECOGNIZED "invalid character '}' looking for beginning of object key string "
                  "({\"metadata\":{\"name\":\"123456789 ...)",
     FIELDS_IGNORE},
};
/* clang-format on */

static void decoding(void)
{
    const struct type *pod = type_find(POD);

    CU_ASSERT_PTR_NOT_NULL_FATAL(pod);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct decoded decoded;
        enum fault fault;
        struct op op;

        op_init(&op);
        fault = object_decode(&op, pod, MEDIA_JSON, BYTES(cases[i].body), cases[i].validation,
                              &decoded);
        if (cases[i].fault) {
            CU_ASSERT_EQUAL(fault, INVALID);
            CU_ASSERT_STRING_EQUAL(op.message ? op.message : "", cases[i].fault);
            CU_ASSERT_STRING_EQUAL(op.noun ? op.noun : "", "BadRequest");
        } else {
            CU_ASSERT_EQUAL_FATAL(fault, OK);
            CU_ASSERT_STRING_EQUAL(object_encode(&op, decoded.tree).data, cases[i].result);
        }
        op_free(&op);
    }
}

static void warnings(void)
{
    const struct type *pod = type_find(POD);
    struct decoded decoded;
    struct op op;

    op_init(&op);
    CU_ASSERT_EQUAL_FATAL(object_decode(&op, pod, MEDIA_JSON,
                                        BYTES("{\"spec\":{\"foo\":1},\"spec\":{\"bar\":2}}"),
                                        FIELDS_WARN, &decoded),
                          OK);
    CU_ASSERT_STRING_EQUAL(decoded.warnings[0], "unknown field \"spec.foo\"");
    CU_ASSERT_STRING_EQUAL(decoded.warnings[1], "duplicate field \"spec\"");
    CU_ASSERT_STRING_EQUAL(decoded.warnings[2], "unknown field \"spec.bar\"");
    CU_ASSERT_PTR_NULL(decoded.warnings[3]);
    op_free(&op);
}

/* Bodies that are small as text and would be huge as trees, or as answers. */
static void limits(void)
{
    const struct type *pod = type_find(POD);
    struct decoded decoded;
    struct text text;
    struct op op;

    op_init(&op);
    text_init(&text, &op.arena, (size_t)4 << 20);
    text_str(&text, "{\"spec\":{\"containers\":[{}");
    for (int i = 0; i < 400000; i++)
        text_str(&text, ",{}");
    text_str(&text, "]}}");
    CU_ASSERT_EQUAL(object_decode(&op, pod, MEDIA_JSON, text_bytes(&text), FIELDS_STRICT, &decoded),
                    INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(op.message, "it has more than 300000 values"));
    text_init(&text, &op.arena, 1 << 20);
    text_str(&text, "{\"x0\":1");
    for (int i = 1; i < 1000; i++)
        text_printf(&text, ",\"x%d\":%d", i, i);
    text_str(&text, "}");
    CU_ASSERT_EQUAL(object_decode(&op, pod, MEDIA_JSON, text_bytes(&text), FIELDS_STRICT, &decoded),
                    INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(op.message, "unknown field \"x99\""));
    CU_ASSERT_PTR_NULL(strstr(op.message, "unknown field \"x100\""));
    CU_ASSERT_EQUAL(object_decode(&op, pod, MEDIA_JSON, text_bytes(&text), FIELDS_WARN, &decoded),
                    OK);
    CU_ASSERT_PTR_NOT_NULL(decoded.warnings[30]);
    CU_ASSERT_PTR_NULL(decoded.warnings[31]);
    text_init(&text, &op.arena, 1 << 20);
    for (int i = 0; i < 300; i++)
        text_str(&text, "{\"a\":");
    CU_ASSERT_EQUAL(
        object_decode(&op, NULL, MEDIA_JSON, text_bytes(&text), FIELDS_STRICT, &decoded), INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(op.message, "exceeded max depth"));
    op_free(&op);
}

static void paths(void)
{
    const struct resource *r = resource_find("apps", "v1", "deployments");
    struct op op;
    json_t *tree;

    op_init(&op);
    tree = object_new(&op, r, "ns", "d");
    set_at(tree, "spec.template.spec.nodeName", json_string("n"));
    set_at(tree, "spec.replicas", json_integer(3));
    json_array_append_new(array_at(tree, "spec.list"), json_true());
    CU_ASSERT_STRING_EQUAL(text_at_or(tree, "spec.template.spec.nodeName", ""), "n");
    CU_ASSERT_PTR_NULL(text_at(tree, "spec.replicas"));
    CU_ASSERT_EQUAL(int_at(tree, "spec.replicas", 1), 3);
    CU_ASSERT_EQUAL(int_at(tree, "spec.template", 1), 1);
    set_at(tree, "spec.template", NULL);
    set_at(tree, "no.such.thing", NULL);
    CU_ASSERT_STRING_EQUAL(
        object_encode(&op, tree).data,
        "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"d\","
        "\"namespace\":\"ns\"},\"spec\":{\"replicas\":3,\"list\":[true]}}");
    CU_ASSERT_EQUAL(time_parse("2026-11-21T16:00:00Z"), 1795276800);
    CU_ASSERT_STRING_EQUAL(time_text(&op, 1795276800), "2026-11-21T16:00:00Z");
    CU_ASSERT_EQUAL(time_parse("2026-02-29T16:00:00Z"), -1);
    CU_ASSERT_EQUAL(time_parse(NULL), -1);
    op_free(&op);
}

static void tables(void)
{
    const struct resource *r = resource_find("autoscaling", "v1", "horizontalpodautoscalers");

    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    CU_ASSERT_STRING_EQUAL(r->stored_as->version, "v2");
    CU_ASSERT_STRING_EQUAL(resource_find("events.k8s.io", "v1", "events")->stored_as->group, "");
    CU_ASSERT_STRING_EQUAL(resource_preferred("autoscaling", "horizontalpodautoscalers")->version,
                           "v2");
    CU_ASSERT_PTR_NULL(resource_find("resource.k8s.io", "v1beta1", "devices"));
    for (const struct resource *const *each = all_resources; *each; each++) {
        r = *each;
        CU_ASSERT_PTR_NOT_NULL_FATAL(r->type);
        CU_ASSERT(r->index < RESOURCE_INDEX_MAX && r->index == r->stored_as->index);
        CU_ASSERT_PTR_EQUAL(resource_find(r->group, r->version, r->plural), r);
        CU_ASSERT_PTR_EQUAL(resource_of_kind(r->group, r->version, r->kind), r);
    }
    for (size_t i = 0; i < n_types; i++) {
        const struct type *type = all_types[i];

        CU_ASSERT_PTR_EQUAL(type_find(type->name), type);
        for (size_t j = 0; j < type->n_fields; j++) {
            const struct field *f = &type->fields[j];

            CU_ASSERT_PTR_EQUAL(type_field(type, f->name, strlen(f->name)), f);
            CU_ASSERT(f->value != VALUE_OBJECT || f->type);
        }
    }
}

static void drop_nulls(json_t *value)
{
    const char *key;
    json_t *item;
    void *next;
    size_t i;

    json_object_foreach_safe(value, next, key, item)
    {
        if (json_is_null(item))
            json_object_del(value, key);
        else
            drop_nulls(item);
    }
    json_array_foreach(value, i, item)
    {
        drop_nulls(item);
    }
}

/* What a real server stored and answered is whole after being read: no member is lost, nor a zero
   that Go would have kept. */
static void recorded(void)
{
    json_t *all = golden("defaulting.json"), *row;
    const char *name;

    CU_ASSERT_PTR_NOT_NULL_FATAL(all);
    CU_ASSERT_EQUAL(json_object_size(all), 26);
    json_object_foreach(all, name, row)
    {
        json_t *object = at(row, "response");
        const char *version = text_at_or(object, "apiVersion", ""), *slash = strchr(version, '/');
        const struct resource *r;
        struct decoded decoded;
        struct op op;

        op_init(&op);
        r = resource_of_kind(slash ? arena_strndup(&op.arena, version, (size_t)(slash - version))
                                   : "",
                             slash ? slash + 1 : version, text_at_or(object, "kind", ""));
        CU_ASSERT_PTR_NOT_NULL_FATAL(r);
        CU_ASSERT_EQUAL_FATAL(object_conform(&op, r->type, object, FIELDS_STRICT, &decoded), OK);
        drop_nulls(object);
        CU_ASSERT(json_equal(decoded.tree, object));
        op_free(&op);
    }
    json_decref(all);
}

CU_TestInfo clusters_object_object_tests[] = {
    {"what a real server stored is whole after reading", recorded},
    {"JSON is read by type, in upstream's words",        decoding},
    {"fieldValidation=Warn names what it drops",         warnings},
    {"bodies have limits",                               limits  },
    {"paths into trees",                                 paths   },
    {"every resource has a type, every type its fields", tables  },
    CU_TEST_INFO_NULL,
};
