/* The kinds of PATCH, as case tables: RFC 6902, RFC 7386, and what kubectl sends. */
#include "clusters/object/patch.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "tests/unit/unit.h"

struct patch_case {
    const char *tree, *patch, *result; /* NULL: refused */
};
typedef enum fault (*patch_function)(struct op *op, const json_t *tree, const json_t *patch,
                                     json_t **ret);

static json_t *json(const char *text)
{
    json_t *tree = json_loads(text, JSON_DECODE_ANY, NULL);

    if (!tree)
        printf("\nno JSON: %s\n", text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(tree);
    return tree;
}

static void check(const struct patch_case *c, patch_function patch)
{
    json_t *tree = json(c->tree), *before = json_deep_copy(tree), *sent = json(c->patch);
    json_t *sent_before = json_deep_copy(sent), *result = NULL;
    json_t *wanted = c->result ? json(c->result) : NULL;
    struct op op;
    enum fault fault;

    op_init(&op);
    fault = patch(&op, tree, sent, &result);
    if (!wanted) {
        CU_ASSERT_EQUAL(fault, INVALID);
    } else {
        CU_ASSERT_EQUAL(fault, OK);
        if (!json_equal(result, wanted))
            printf("\n%s + %s\nis     %s\nshould %s\n", c->tree, c->patch,
                   result ? (const char *)object_encode(&op, result).data : op.message, c->result);
        CU_ASSERT(json_equal(result, wanted));
    }
    CU_ASSERT(json_equal(tree, before)); /* arguments stay as they are */
    CU_ASSERT(json_equal(sent, sent_before));
    op_free(&op);
    json_decref(tree);
    json_decref(before);
    json_decref(sent);
    json_decref(sent_before);
    json_decref(wanted);
}

/* RFC 7386, appendix A, of those whose results are objects. */
static const struct patch_case merges[] = {
    {"{\"a\":\"b\"}",             "{\"a\":\"c\"}",                    "{\"a\":\"c\"}"            },
    {"{\"a\":\"b\"}",             "{\"b\":\"c\"}",                    "{\"a\":\"b\",\"b\":\"c\"}"},
    {"{\"a\":\"b\"}",             "{\"a\":null}",                     "{}"                       },
    {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}",                     "{\"b\":\"c\"}"            },
    {"{\"a\":[\"b\"]}",           "{\"a\":\"c\"}",                    "{\"a\":\"c\"}"            },
    {"{\"a\":\"c\"}",             "{\"a\":[\"b\"]}",                  "{\"a\":[\"b\"]}"          },
    {"{\"a\":{\"b\":\"c\"}}",     "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"    },
    {"{\"a\":[{\"b\":\"c\"}]}",   "{\"a\":[1]}",                      "{\"a\":[1]}"              },
    {"{\"e\":null}",              "{\"a\":1}",                        "{\"e\":null,\"a\":1}"     },
    {"{}",                        "{\"a\":{\"bb\":{\"ccc\":null}}}",  "{\"a\":{\"bb\":{}}}"      },
    {"{}",                        "[1,2]",                            NULL                       },
    {"{}",                        "null",                             NULL                       },
};

static void test_merge(void)
{
    for (size_t i = 0; i < ARRAY_LEN(merges); i++)
        check(&merges[i], patch_merge);
}

#define OP(name, rest) "{\"op\":\"" name "\"," rest "}"
/* RFC 6902, appendix A. */
static const struct patch_case operations[] = {
    {"{\"foo\":\"bar\"}",                                    "[" OP("add",                         "\"path\":\"/baz\",\"value\":\"qux\"") "]",
     "{\"baz\":\"qux\",\"foo\":\"bar\"}"},
    {"{\"foo\":[\"bar\",\"baz\"]}",                                                      "[" OP("add",                                                              "\"path\":\"/foo/1\",\"value\":\"qux\"") "]",
     "{\"foo\":[\"bar\",\"qux\",\"baz\"]}"},
    {"{\"baz\":\"qux\",\"foo\":\"bar\"}",                  "[" OP("remove",                                                      "\"path\":\"/baz\"") "]",
     "{\"foo\":\"bar\"}"},
    {"{\"foo\":[\"bar\",\"qux\",\"baz\"]}",                              "[" OP("remove",                                                                          "\"path\":\"/foo/1\"") "]",
     "{\"foo\":[\"bar\",\"baz\"]}"},
    {"{\"baz\":\"qux\",\"foo\":\"bar\"}",
     "[" OP("replace","\"path\":\"/baz\",\"value\":\"boo\"") "]",
     "{\"baz\":\"boo\",\"foo\":\"bar\"}"},
    {"{\"foo\":[1,2,3]}",                    "[" OP("replace",                                                                             "\"path\":\"/foo/1\",\"value\":9") "]",
     "{\"foo\":[1,9,3]}"},
    {"{\"foo\":{\"bar\":\"baz\",\"waldo\":\"fred\"},\"qux\":{\"corge\":\"grault\"}}",
     "[" OP("move",                                                                        "\"from\":\"/foo/waldo\",\"path\":\"/qux/thud\"") "]",
     "{\"foo\":{\"bar\":\"baz\"},\"qux\":{\"corge\":\"grault\",\"thud\":\"fred\"}}"},
    {"{\"foo\":[\"all\",\"grass\",\"cows\",\"eat\"]}",
     "[" OP("move",                                                                        "\"from\":\"/foo/1\",\"path\":\"/foo/3\"") "]",
     "{\"foo\":[\"all\",\"cows\",\"eat\",\"grass\"]}"},
    {"{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}",
     "[" OP("test",               "\"path\":\"/baz\",\"value\":\"qux\"") "," OP(
         "test",                                                                                                                                        "\"path\":\"/foo/1\",\"value\":2") "]",
     "{\"baz\":\"qux\",\"foo\":[\"a\",2,\"c\"]}"},
    {"{\"baz\":\"qux\"}",                                          "[" OP("test","\"path\":\"/baz\",\"value\":\"bar\"") "]",                                                                                                                                                                        NULL},
    {"{\"foo\":\"bar\"}",            "[" OP("add",                                                                                "\"path\":\"/child\",\"value\":{\"grandchild\":{}}") "]",
     "{\"foo\":\"bar\",\"child\":{\"grandchild\":{}}}"},
    {"{\"foo\":\"bar\"}",            "[" OP("add",                                                "\"path\":\"/baz\",\"value\":\"qux\",\"xyz\":123") "]",
     "{\"foo\":\"bar\",\"baz\":\"qux\"}"},
    {"{\"foo\":\"bar\"}",            "[" OP("add",                                                                                    "\"path\":\"/baz/bat\",\"value\":\"qux\"") "]",                                      NULL},
    {"{\"/\":9,\"~1\":10}",                               "[" OP("test","\"path\":\"/~01\",\"value\":10") "]",
     "{\"/\":9,\"~1\":10}"},
    {"{\"/\":9,\"~1\":10}",                                    "[" OP("test",                                                 "\"path\":\"/~01\",\"value\":\"10\"") "]",                                                                     NULL},
    {"{\"foo\":[\"bar\"]}",                                                      "[" OP("add",                                                                        "\"path\":\"/foo/-\",\"value\":[\"abc\",\"def\"]") "]",
     "{\"foo\":[\"bar\",[\"abc\",\"def\"]]}"},
    {"{\"a\":{\"b\":1}}",                                                  "[" OP("copy",                                                                                      "\"from\":\"/a\",\"path\":\"/c\"") "]",
     "{\"a\":{\"b\":1},\"c\":{\"b\":1}}"},
 /* all or nothing, and what is not there */
    {"{\"a\":1}",                 "[" OP("remove",                                                                        "\"path\":\"/a\"") "," OP("remove",                                                                                                                                                                                                 "\"path\":\"/b\"") "]",
     NULL},
    {"{\"a\":1}",      "[" OP("replace","\"path\":\"/b\",\"value\":1") "]",  NULL},
    {"{\"a\":[1]}",                                  "[" OP("add",     "\"path\":\"/a/2\",\"value\":1") "]", NULL},
    {"{\"a\":[1]}",                                                      "[" OP("add",                                                                        "\"path\":\"/a/01\",\"value\":1") "]",                                                                                                                                   NULL},
    {"{\"a\":[1]}",                    "[" OP("remove",                                                        "\"path\":\"/a/-\"") "]",                                                                                                                                                                       NULL},
    {"{\"a\":{\"b\":1}}",                    "[" OP("move","\"from\":\"/a\",\"path\":\"/a/b\"") "]",                                                                                                                                                                                                                    NULL},
    {"{\"a\":1}",                                            "[" OP("frobnicate",                                                           "\"path\":\"/a\",\"value\":1") "]",                                                                                                                                                                                                  NULL},
    {"{\"a\":1}",                                                      "[" OP("add",                                                                              "\"path\":\"a\",\"value\":1") "]",                                                                                                                                                          NULL},
    {"{\"a\":1}",                                                  "[" OP("add",                                                                                      "\"path\":\"/a\"") "]",                                                                                                                                                                                                   NULL},
    {"{\"a\":1}",                 "[" OP("move","\"path\":\"/a\"") "]",NULL},
    {"{\"a\":1}",                    "[1]",NULL},
    {"{\"a\":1}",                                    "{}",                                        NULL                                                                                                                                                              },
    {"{\"a\":1}",                                                      "[" OP("replace",                                                                                "\"path\":\"\",\"value\":[]") "]",                                                                                                                                           NULL},
    {"{\"a\":1}",                                                  "[" OP("remove",                                                                                      "\"path\":\"\"") "]",    NULL},
    {"{\"a\":1}",                     "[" OP("replace","\"path\":\"\",\"value\":{\"b\":2}") "]","{\"b\":2}"},
    {"{\"a\":1}","[" OP("add","\"path\":\"/\",\"value\":2") "]","{\"a\":1,\"\":2}"},
    {"{\"a\":1}",                                            "[]",                                                   "{\"a\":1}"                                                                                                                                                                            },
};

static void test_operations(void)
{
    for (size_t i = 0; i < ARRAY_LEN(operations); i++)
        check(&operations[i], patch_json);
}

/* Each copy doubles what there is: a small patch must not fill the memory. */
static void test_copies(void)
{
    json_t *tree = json("{\"a\":[\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"]}");
    json_t *patch = json_array(), *result = NULL;
    struct op op;

    for (int i = 0; i < 60; i++)
        json_array_append_new(
            patch, json_pack("{s:s, s:s, s:s}", "op", "copy", "from", "/a", "path", "/a/-"));
    op_init(&op);
    CU_ASSERT_EQUAL(patch_json(&op, tree, patch, &result), TOO_LARGE);
    op_free(&op);
    json_decref(tree);
    json_decref(patch);
}

/* Each round nests what there is in itself. */
static void test_depth(void)
{
    json_t *tree = json("{\"b\":{}}"), *patch = json_array(), *result = NULL;
    struct op op;

    for (int i = 0; i < 80; i++) {
        json_array_append_new(patch, json_pack("{s:s, s:s, s:{s:{s:{}}}}", "op", "add", "path",
                                               "/c", "value", "a", "a"));
        json_array_append_new(
            patch, json_pack("{s:s, s:s, s:s}", "op", "move", "from", "/b", "path", "/c/a/a/a"));
        json_array_append_new(
            patch, json_pack("{s:s, s:s, s:s}", "op", "move", "from", "/c", "path", "/b"));
    }
    op_init(&op);
    CU_ASSERT_EQUAL(patch_json(&op, tree, patch, &result), TOO_LARGE);
    op_free(&op);
    json_decref(tree);
    json_decref(patch);
}

static const char *strategic_kind = "io.k8s.api.apps.v1.Deployment";

static enum fault strategic(struct op *op, const json_t *tree, const json_t *patch, json_t **ret)
{
    return patch_strategic(op, type_find(strategic_kind), tree, patch, ret);
}

#define SPEC(rest)       "{\"spec\":{" rest "}}"
#define POD(rest)        SPEC("\"template\":{\"spec\":{" rest "}}")
#define CONTAINERS(rest) POD("\"containers\":[" rest "]")
#define META(rest)       "{\"metadata\":{" rest "}}"
static const struct patch_case strategies[] = {
  /* containers by name; members join, the others stay */
    {CONTAINERS("{\"name\":\"a\",\"image\":\"i1\",\"tty\":true},{\"name\":\"b\",\"image\":\"j\"}"),
     CONTAINERS("{\"name\":\"a\",\"image\":\"i2\"}"),
     CONTAINERS("{\"name\":\"a\",\"image\":\"i2\",\"tty\":true},{\"name\":\"b\",\"image\":\"j\"}")                                                                                             },
    {CONTAINERS("{\"name\":\"a\"}"),                                                                CONTAINERS("{\"name\":\"c\",\"image\":\"k\",\"tty\":null}"),
     CONTAINERS("{\"name\":\"a\"},{\"name\":\"c\",\"image\":\"k\"}")                                                                                                                           },
    {CONTAINERS("{\"name\":\"a\"},{\"name\":\"b\"}"),
     CONTAINERS("{\"name\":\"a\",\"$patch\":\"delete\"}"),                                                                                                       CONTAINERS("{\"name\":\"b\"}")},
    {CONTAINERS("{\"name\":\"a\"},{\"name\":\"b\"}"),
     CONTAINERS("{\"name\":\"c\"},{\"$patch\":\"replace\"}"),                                                                                                    CONTAINERS("{\"name\":\"c\"}")},
    {CONTAINERS("{\"name\":\"a\"}"),                                                                CONTAINERS("{\"image\":\"x\"}"),                             NULL                          },
    {CONTAINERS("{\"name\":\"a\"}"),                                                                CONTAINERS("7"),                                             NULL                          },
 /* env by name, ports by containerPort, mounts by mountPath */
    {CONTAINERS("{\"name\":\"a\",\"env\":[{\"name\":\"X\",\"value\":\"1\"},{\"name\":\"Y\"}]}"),
     CONTAINERS("{\"name\":\"a\",\"env\":[{\"name\":\"X\",\"value\":\"2\"}]}"),
     CONTAINERS("{\"name\":\"a\",\"env\":[{\"name\":\"X\",\"value\":\"2\"},{\"name\":\"Y\"}]}")                                                                                                },
    {CONTAINERS("{\"name\":\"a\",\"ports\":[{\"containerPort\":80,\"name\":\"w\"}]}"),
     CONTAINERS("{\"name\":\"a\",\"ports\":[{\"containerPort\":80,\"name\":\"v\"},"
                "{\"containerPort\":81}]}"),
     CONTAINERS("{\"name\":\"a\",\"ports\":[{\"containerPort\":80,\"name\":\"v\"},"
                "{\"containerPort\":81}]}")                                                                                                                                                    },
    {CONTAINERS("{\"name\":\"a\",\"volumeMounts\":[{\"mountPath\":\"/a\",\"name\":\"v\"}]}"),
     CONTAINERS("{\"name\":\"a\",\"volumeMounts\":[{\"mountPath\":\"/b\",\"name\":\"v\"}]}"),
     CONTAINERS("{\"name\":\"a\",\"volumeMounts\":[{\"mountPath\":\"/a\",\"name\":\"v\"},"
                "{\"mountPath\":\"/b\",\"name\":\"v\"}]}")                                                                                                                                     },
 /* lists without a key are one value */
    {POD("\"tolerations\":[{\"key\":\"a\"}]"),                                                      POD("\"tolerations\":[{\"key\":\"b\"}]"),
     POD("\"tolerations\":[{\"key\":\"b\"}]")                                                                                                                                                  },
    {CONTAINERS("{\"name\":\"a\",\"args\":[\"x\",\"y\"]}"),
     CONTAINERS("{\"name\":\"a\",\"args\":[\"z\"]}"),
     CONTAINERS("{\"name\":\"a\",\"args\":[\"z\"]}")                                                                                                                                           },
 /* order: what the client names, the rest near where it was */
    {CONTAINERS("{\"name\":\"a\"},{\"name\":\"s\"},{\"name\":\"b\"}"),
     POD("\"$setElementOrder/containers\":[{\"name\":\"b\"},{\"name\":\"n\"},{\"name\":\"a\"}],"
         "\"containers\":[{\"name\":\"n\"}]"),
     CONTAINERS("{\"name\":\"s\"},{\"name\":\"b\"},{\"name\":\"n\"},{\"name\":\"a\"}")                                                                                                         },
    {CONTAINERS("{\"name\":\"a\"},{\"name\":\"b\"}"),
     POD("\"$setElementOrder/containers\":[{\"name\":\"b\"},{\"name\":\"a\"}]"),
     CONTAINERS("{\"name\":\"b\"},{\"name\":\"a\"}")                                                                                                                                           },
    {CONTAINERS("{\"name\":\"a\"},{\"name\":\"b\"}"),
     POD("\"$setElementOrder/containers\":[{\"name\":\"b\"}],"
         "\"containers\":[{\"name\":\"a\",\"$patch\":\"delete\"}]"),
     CONTAINERS("{\"name\":\"b\"}")                                                                                                                                                            },
 /* strategies: kubectl's apply of another type */
    {SPEC("\"strategy\":{\"type\":\"RollingUpdate\",\"rollingUpdate\":{\"maxSurge\":1}}"),
     SPEC("\"strategy\":{\"$retainKeys\":[\"type\"],\"type\":\"Recreate\"}"),
     SPEC("\"strategy\":{\"type\":\"Recreate\"}")                                                                                                                                              },
    {POD("\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}}]"),
     POD("\"volumes\":[{\"name\":\"v\",\"$retainKeys\":[\"hostPath\",\"name\"],"
         "\"hostPath\":{\"path\":\"/x\"}}]"),
     POD("\"volumes\":[{\"name\":\"v\",\"hostPath\":{\"path\":\"/x\"}}]")                                                                                                                      },
 /* texts */
    {META("\"finalizers\":[\"a\",\"b\"]"),                                                          META("\"finalizers\":[\"b\",\"c\"]"),
     META("\"finalizers\":[\"a\",\"b\",\"c\"]")                                                                                                                                                },
    {META("\"finalizers\":[\"a\",\"b\"]"),                                                          META("\"$deleteFromPrimitiveList/finalizers\":[\"a\"]"),
     META("\"finalizers\":[\"b\"]")                                                                                                                                                            },
    {META("\"finalizers\":[\"a\",\"b\"]"),
     META("\"$setElementOrder/finalizers\":[\"c\",\"b\"],"
          "\"$deleteFromPrimitiveList/finalizers\":[\"a\"],\"finalizers\":[\"c\"]"),
     META("\"finalizers\":[\"c\",\"b\"]")                                                                                                                                                      },
 /* maps, null, replacing and emptying */
    {META("\"labels\":{\"a\":\"1\",\"b\":\"2\"}"),                                                  META("\"labels\":{\"a\":null,\"c\":\"3\"}"),
     META("\"labels\":{\"b\":\"2\",\"c\":\"3\"}")                                                                                                                                              },
    {META("\"labels\":{\"a\":\"1\"}"),                                                              META("\"labels\":{\"$patch\":\"replace\",\"c\":\"3\"}"),
     META("\"labels\":{\"c\":\"3\"}")                                                                                                                                                          },
    {META("\"labels\":{\"a\":\"1\"}"),                                                              META("\"labels\":{\"$patch\":\"delete\"}"),
     META("\"labels\":{}")                                                                                                                                                                     },
    {META("\"labels\":{\"a\":\"1\"}"),                                                              META("\"labels\":{\"$patch\":\"burn\"}"),                    NULL                          },
    {META("\"labels\":{\"a\":\"1\"}"),                                                              META("\"labels\":null"),                                     "{\"metadata\":{}}"           },
    {SPEC("\"replicas\":3"),                                                                        SPEC("\"replicas\":null,\"paused\":true"),                   SPEC("\"paused\":true")       },
    {META("\"ownerReferences\":[{\"uid\":\"u\",\"name\":\"n\"}]"),
     META("\"ownerReferences\":[{\"uid\":\"u\",\"$patch\":\"delete\"}]"),
     META("\"ownerReferences\":[]")                                                                                                                                                            },
    {"{}",                                                                                          "[]",                                                        NULL                          },
};

static void test_strategic(void)
{
    for (size_t i = 0; i < ARRAY_LEN(strategies); i++)
        check(&strategies[i], strategic);
}

static double cpu_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A list of n items that all change: seconds of the processor, however busy the machine is. */
static double patch_many(int n)
{
    json_t *tree = json_object(), *patch = json_object(), *result = NULL, *a, *b;
    double began, took;
    struct op op;

    a = array_at(object_at(tree, "spec.template.spec"), "containers");
    b = array_at(object_at(patch, "spec.template.spec"), "containers");
    for (int i = 0; i < n; i++) {
        char name[16];

        snprintf(name, sizeof(name), "c%d", i);
        json_array_append_new(a, json_pack("{s:s}", "name", name));
        json_array_append_new(b, json_pack("{s:s, s:s}", "name", name, "image", "x"));
    }
    op_init(&op);
    began = cpu_s();
    CU_ASSERT_EQUAL(strategic(&op, tree, patch, &result), OK);
    took = cpu_s() - began;
    CU_ASSERT_EQUAL(json_array_size(at(result, "spec.template.spec.containers")), (size_t)n);
    op_free(&op);
    json_decref(tree);
    json_decref(patch);
    return took;
}

/* Eight times as long a list takes about eight times as long; 64 times, were each of it compared
   with each. */
static void test_many(void)
{
    double few = 1e9, many = 1e9;

    for (int i = 0; i < 3; i++) { /* the fastest is the least disturbed one */
        few = fmin(few, patch_many(2500));
        many = fmin(many, patch_many(20000));
    }
    CU_ASSERT(many < 30 * few);
}

CU_TestInfo clusters_object_patch_tests[] = {
    {"merge patches as RFC 7386 shows them",           test_merge     },
    {"JSON patches as RFC 6902 shows them",            test_operations},
    {"copies of copies have an end",                   test_copies    },
    {"moves do not nest without end",                  test_depth     },
    {"strategic merge patches as kubectl's are meant", test_strategic },
    {"patches of long lists take no longer",           test_many      },
    CU_TEST_INFO_NULL,
};
