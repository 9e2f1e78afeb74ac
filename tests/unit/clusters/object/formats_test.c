/* Protobuf and YAML give the same trees as JSON. */
#include <openssl/evp.h>
#include <string.h>

#include "clusters/object/object.h"
#include "tests/unit/clusters/golden.h"
#include "tests/unit/unit.h"

static struct bytes from_base64(struct op *op, const char *text)
{
    size_t len = strlen(text);
    unsigned char *to = arena_alloc(&op->arena, len);
    int n = EVP_DecodeBlock(to, (const unsigned char *)text, (int)len);

    CU_ASSERT_FATAL(n > 0);
    return (struct bytes){to, (size_t)n - (text[len - 1] == '=') - (text[len - 2] == '=')};
}

/* What kubectl 1.33 sent in protobuf, and printed with --dry-run=client -o json. */
static void recorded(void)
{
    json_t *all = golden("protobuf.json"), *item;
    size_t i;

    CU_ASSERT_PTR_NOT_NULL_FATAL(all);
    json_array_foreach(all, i, item)
    {
        const struct type *type = type_find(text_at_or(item, "type", ""));
        struct decoded a, b;
        struct bytes body;
        struct op op;

        op_init(&op);
        CU_ASSERT_PTR_NOT_NULL_FATAL(type);
        body = from_base64(&op, text_at_or(item, "protobuf", ""));
        CU_ASSERT_EQUAL_FATAL(object_decode(&op, type, MEDIA_PROTOBUF, body, FIELDS_STRICT, &a),
                              OK);
        CU_ASSERT_STRING_EQUAL(text_at_or(a.tree, "kind", ""), strrchr(type->name, '.') + 1);
        if (json_is_object(at(item, "json"))) {
            CU_ASSERT_EQUAL_FATAL(object_conform(&op, type, at(item, "json"), FIELDS_STRICT, &b),
                                  OK);
            if (!json_equal(a.tree, b.tree))
                printf("\n%s\nwanted %s", (const char *)object_encode(&op, a.tree).data,
                       (const char *)object_encode(&op, b.tree).data);
            CU_ASSERT(json_equal(a.tree, b.tree));
        }
        op_free(&op);
    }
    CU_ASSERT_EQUAL(json_array_size(all), 17);
    json_decref(all);
}

/* ---- messages made here ---- */

struct proto {
    unsigned char bytes[512];
    size_t len;
};

static void add(struct proto *m, const void *data, size_t len)
{
    CU_ASSERT_FATAL(m->len + len <= sizeof(m->bytes) && len < 128);
    memcpy(m->bytes + m->len, data, len);
    m->len += len;
}

static void add_number(struct proto *m, unsigned number, unsigned value)
{
    unsigned char bytes[] = {(unsigned char)(number << 3), (unsigned char)value};

    CU_ASSERT_FATAL(number < 16 && value < 128);
    add(m, bytes, 2);
}

static void add_bytes(struct proto *m, unsigned number, const void *data, size_t len)
{
    unsigned tag = number << 3 | 2;
    unsigned char head[] = {(unsigned char)(tag < 128 ? tag : (tag & 127) | 128),
                            (unsigned char)(tag >> 7), (unsigned char)len};

    if (tag < 128)
        head[1] = head[2];
    add(m, head, tag < 128 ? 2 : 3);
    add(m, data, len);
}

static void add_text(struct proto *m, unsigned number, const char *text)
{
    add_bytes(m, number, text, strlen(text));
}

static void add_message(struct proto *m, unsigned number, const struct proto *inner)
{
    add_bytes(m, number, inner->bytes, inner->len);
}

static const char *decode(struct op *op, const char *type, const struct proto *raw)
{
    struct proto envelope = {.bytes = "k8s", .len = 4};
    struct decoded decoded;

    add_message(&envelope, 2, raw);
    if (object_decode(op, type_find(type), MEDIA_PROTOBUF,
                      (struct bytes){envelope.bytes, envelope.len}, FIELDS_STRICT, &decoded) != OK)
        return op->message;
    return object_encode(op, decoded.tree).data;
}

/* Zeros that mean something stay, others are what Go always writes. */
static void zeros(void)
{
    struct proto deployment = {0}, spec = {0}, surge = {0}, rolling = {0}, strategy = {0};
    struct op op;

    op_init(&op);
    add_number(&spec, 1, 0); /* replicas: a pointer */
    add_number(&spec, 5, 0); /* minReadySeconds: plain */
    add_number(&spec, 7, 0); /* paused: plain */
    add_number(&surge, 1, 0);
    add_number(&surge, 2, 0);
    add_message(&rolling, 2, &surge); /* maxSurge: 0 */
    add_text(&strategy, 1, "");
    add_message(&strategy, 2, &rolling);
    add_message(&spec, 4, &strategy);
    add_message(&deployment, 2, &spec);
    CU_ASSERT_STRING_EQUAL(decode(&op, "io.k8s.api.apps.v1.Deployment", &deployment),
                           "{\"spec\":{\"replicas\":0,\"strategy\":{\"rollingUpdate\":{"
                           "\"maxSurge\":0}}}}");
    op_free(&op);
}

/* Embedded messages are members of what they are in; special values. */
static void embedded(void)
{
    struct proto pod = {0}, spec = {0}, volume = {0}, source = {0}, secret = {0}, probe = {0},
                 handler = {0}, tcp = {0}, port = {0}, container = {0};
    struct op op;

    op_init(&op);
    add_text(&volume, 1, "v");
    add_text(&secret, 1, "s");
    add_number(&secret, 3, 0); /* defaultMode */
    add_message(&source, 6, &secret);
    add_message(&volume, 2, &source);
    add_message(&spec, 1, &volume);
    add_text(&container, 1, "c");
    add_number(&port, 1, 1);
    add_text(&port, 3, "http");
    add_message(&tcp, 1, &port);
    add_text(&tcp, 2, "");
    add_message(&handler, 3, &tcp);
    add_message(&probe, 1, &handler);
    add_number(&probe, 3, 5);
    add_message(&container, 10, &probe);
    add_message(&spec, 2, &container);
    add_message(&pod, 2, &spec);
    CU_ASSERT_STRING_EQUAL(
        decode(&op, "io.k8s.api.core.v1.Pod", &pod),
        "{\"spec\":{\"volumes\":[{\"name\":\"v\",\"secret\":{\"secretName\":\"s\",\"defaultMode\":0"
        "}}],\"containers\":[{\"name\":\"c\",\"livenessProbe\":{\"tcpSocket\":{\"port\":\"http\"},"
        "\"timeoutSeconds\":5}}]}}");
    op_free(&op);
}

static void special(void)
{
    struct proto revision = {0}, data = {0}, meta = {0}, time = {0}, entry = {0}, fields = {0},
                 managed = {0}, unknown = {0};
    struct op op;

    op_init(&op);
    add_number(&time, 1, 100);
    add_message(&meta, 8, &time);
    add_bytes(&entry, 1, "k", 1);
    add_bytes(&entry, 2, "\xff", 1);
    add_message(&meta, 11, &entry);
    add_text(&fields, 1, "{\"f:a\":{}}");
    add_text(&managed, 1, "m");
    add_message(&managed, 7, &fields);
    add_bytes(&meta, 17, managed.bytes, managed.len);
    add_message(&revision, 1, &meta);
    add_text(&data, 1, "{\"a\":[1]}");
    add_message(&revision, 2, &data);
    add_number(&revision, 3, 7);
    CU_ASSERT_STRING_EQUAL(
        decode(&op, "io.k8s.api.apps.v1.ControllerRevision", &revision),
        "{\"metadata\":{\"creationTimestamp\":\"1970-01-01T00:01:40Z\",\"labels\":{\"k\":"
        "\"\xef\xbf\xbd\"},\"managedFields\":[{\"manager\":\"m\",\"fieldsV1\":{\"f:a\":{}}}]},"
        "\"data\":{\"a\":[1]},\"revision\":7}");
    add_number(&unknown, 15, 1);
    CU_ASSERT_STRING_EQUAL(decode(&op, "io.k8s.api.core.v1.ConfigMap", &unknown),
                           "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict "
                           "decoding error: unknown field \"#15\"");
    op_free(&op);
}

static void broken(void)
{
    static const struct bytes bodies[] = {
        {"",                      0},
        {"k8s",                   3},
        {"k8s\0\x12",             5},
        {"k8s\0\x12\x02\x0a\x05", 8},
        {"{}",                    2},
        {"k8s\0\x12\x02\x08\x01", 8},
    };

    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        struct decoded decoded;
        struct op op;

        op_init(&op);
        if (i != 2) { /* a cut envelope is an empty object */
            CU_ASSERT_EQUAL(object_decode(&op, type_find("io.k8s.api.core.v1.ConfigMap"),
                                          MEDIA_PROTOBUF, bodies[i], FIELDS_IGNORE, &decoded),
                            INVALID);
            CU_ASSERT_PTR_NOT_NULL(strstr(op.message, "must be of type ConfigMap"));
        }
        op_free(&op);
    }
}

/* ---- YAML ---- */

/* clang-format off */
static const struct {
    const char *yaml, *json, *fault;
} yamls[] = {
    {"a: 1\nb: [x, '2', \"3\", true, ~, 1.5, 0x10, -7, no]\n",
     "{\"a\":1,\"b\":[\"x\",\"2\",\"3\",true,null,1.5,16,-7,\"no\"]}", NULL},
    {"a: |\n  l1\n  l2\nb: >-\n  x\n  y\n", "{\"a\":\"l1\\nl2\\n\",\"b\":\"x y\"}", NULL},
    {"x: &a {k: v}\ny: *a\n", "{\"x\":{\"k\":\"v\"},\"y\":{\"k\":\"v\"}}", NULL},
    {"a: 1.2.3\nb: 1e3\nc: .5\nd: 1_0\ne: 0777\nf: 9999999999999999999\n",
     "{\"a\":\"1.2.3\",\"b\":1000,\"c\":0.5,\"d\":\"1_0\",\"e\":511,\"f\":1e+19}", NULL},
    {"{\"a\": [1, {}]}", "{\"a\":[1,{}]}", NULL},
    {"a: 1\na: 2\n", NULL,
     "object in version \"v1\" cannot be handled as a object: strict decoding error: yaml: unmarshal "
     "errors:\n  line 2: key \"a\" already set in map"},
    {"", NULL, "error converting YAML to JSON: yaml: it is empty"},
    {"a: [\n", NULL,
     "error converting YAML to JSON: yaml: line 2: did not find expected node content"},
    {"a: \"\\x8c\\u2028\\uFEFF\\u0085 \\uFFFF\"\n",
     "{\"a\":\"\xc2\x8c\xe2\x80\xa8\xef\xbb\xbf\xc2\x85 \xef\xbf\xbf\"}", NULL},
    {"? [a]\n: b\n", NULL, "error converting YAML to JSON: yaml: a key is not a scalar"},
};
/* clang-format on */

static void yaml(void)
{
    for (size_t i = 0; i < ARRAY_LEN(yamls); i++) {
        struct decoded decoded, again;
        enum fault fault;
        struct bytes text;
        struct op op;

        op_init(&op);
        fault = object_decode(&op, NULL, MEDIA_YAML, BYTES(yamls[i].yaml), FIELDS_STRICT, &decoded);
        if (yamls[i].fault) {
            CU_ASSERT_EQUAL(fault, INVALID);
            CU_ASSERT_STRING_EQUAL(op.message ? op.message : "", yamls[i].fault);
        } else {
            CU_ASSERT_EQUAL_FATAL(fault, OK);
            CU_ASSERT_STRING_EQUAL(object_encode(&op, decoded.tree).data, yamls[i].json);
            text = object_encode_yaml(&op, decoded.tree);
            CU_ASSERT_EQUAL_FATAL(object_decode(&op, NULL, MEDIA_YAML, text, FIELDS_STRICT, &again),
                                  OK);
            CU_ASSERT(json_equal(decoded.tree, again.tree));
        }
        op_free(&op);
    }
}

static void yaml_doubled(void)
{
    static const char body[] = "spec:\n  paused: true\n  foo: 1\n  paused: true\n";
    const struct type *type = type_find("io.k8s.api.apps.v1.Deployment");
    struct decoded decoded;
    struct op op;

    op_init(&op);
    CU_ASSERT_EQUAL(object_decode(&op, type, MEDIA_YAML, BYTES(body), FIELDS_STRICT, &decoded),
                    INVALID);
    CU_ASSERT_STRING_EQUAL(op.message,
                           "Deployment in version \"v1\" cannot be handled as a Deployment: strict "
                           "decoding error: yaml: unmarshal errors:\n  line 4: key \"paused\" "
                           "already set in map, unknown field \"spec.foo\"");
    CU_ASSERT_EQUAL_FATAL(object_decode(&op, type, MEDIA_YAML, BYTES(body), FIELDS_WARN, &decoded),
                          OK);
    CU_ASSERT_STRING_EQUAL(decoded.warnings[0], "line 4: key \"paused\" already set in map");
    CU_ASSERT_STRING_EQUAL(decoded.warnings[1], "unknown field \"spec.foo\"");
    CU_ASSERT_PTR_NULL(decoded.warnings[2]);
    CU_ASSERT_EQUAL_FATAL(
        object_decode(&op, type, MEDIA_YAML, BYTES(body), FIELDS_IGNORE, &decoded), OK);
    CU_ASSERT_STRING_EQUAL(object_encode(&op, decoded.tree).data, "{\"spec\":{\"paused\":true}}");
    op_free(&op);
}

static void yaml_text(void)
{
    json_t *tree =
        json_loads("{\"b\":[{\"y\":1,\"x\":[1,[2]]},{}],\"a\":\"12\",\"c\":\"x: y\",\"d\":"
                   "\"l\\nm\",\"e\":null,\"f\":\"yes\",\"g\":{},\"h\":\"plain text\","
                   "\"i\":\"2026-11-21T16:00:00Z\",\"k\":[]}",
                   0, NULL);
    struct decoded decoded;
    struct bytes text;
    struct op op;

    op_init(&op);
    text = object_encode_yaml(&op, tree);
    CU_ASSERT_STRING_EQUAL(text.data,
                           "a: \"12\"\nb:\n- x:\n  - 1\n  -\n    - 2\n  \"y\": 1\n- {}\nc: "
                           "\"x: y\"\nd: \"l\\nm\"\ne: null\nf: \"yes\"\ng: {}\nh: plain "
                           "text\ni: \"2026-11-21T16:00:00Z\"\nk: []\n");
    CU_ASSERT_EQUAL_FATAL(object_decode(&op, NULL, MEDIA_YAML, text, FIELDS_STRICT, &decoded), OK);
    CU_ASSERT(json_equal(decoded.tree, tree));
    json_decref(tree);
    op_free(&op);
}

/* Ten lines that would be a billion values. */
static void laughs(void)
{
    struct decoded decoded;
    struct text text;
    struct op op;

    op_init(&op);
    text_init(&text, &op.arena, 10000);
    text_str(&text, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 10; i++) {
        text_printf(&text, "a%d: &a%d [", i, i);
        for (int j = 0; j < 10; j++)
            text_printf(&text, "%s*a%d", j ? "," : "", i - 1);
        text_str(&text, "]\n");
    }
    CU_ASSERT_EQUAL(
        object_decode(&op, NULL, MEDIA_YAML, text_bytes(&text), FIELDS_IGNORE, &decoded), INVALID);
    op_free(&op);
}

CU_TestInfo clusters_object_formats_tests[] = {
    {"protobuf of kubectl 1.33 is its JSON", recorded    },
    {"zeros in protobuf",                    zeros       },
    {"embedded messages",                    embedded    },
    {"raw JSON, times, unknown members",     special     },
    {"broken protobuf",                      broken      },
    {"YAML is read, written and read again", yaml        },
    {"keys that are twice in YAML",          yaml_doubled},
    {"YAML as text",                         yaml_text   },
    {"YAML that grows without end",          laughs      },
    CU_TEST_INFO_NULL,
};
