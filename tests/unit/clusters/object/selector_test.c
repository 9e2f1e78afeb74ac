#include "clusters/object/selector.h"

#include <string.h>

#include "tests/unit/unit.h"

static const char labels_text[] = "{\"app\":\"web\",\"tier\":\"1\",\"in\":\"x\",\"empty\":\"\"}";

/* clang-format off */
static const struct {
    const char *text, *fault; /* NULL: it can be read */
    bool matches;
} cases[] = {
    {"", NULL, true},
    {" ", NULL, true},
    {"app=web", NULL, true},
    {"app==web", NULL, true},
    {"app = web , tier=1", NULL, true},
    {"app!=web", NULL, false},
    {"none!=web", NULL, true},
    {"app in (db, web)", NULL, true},
    {"app notin (db,web)", NULL, false},
    {"none notin (a)", NULL, true},
    {"app", NULL, true},
    {"!app", NULL, false},
    {"!none", NULL, true},
    {"tier>0", NULL, true},
    {"tier<1", NULL, false},
    {"empty=", NULL, true},
    {"empty", NULL, true},
    {"app=,tier=1", NULL, false},
    {"in in (in,x)", NULL, true},
    {"app in ()", NULL, false},
    {"app in (web,)", NULL, true},
    {"a===b", "unable to parse requirement: found '=', expected: identifier", false},
    {",", "found ',', expected: !, identifier, or 'end of string'", false},
    {"a=b,", "found '', expected: identifier after ','", false},
    {"a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt",
     false},
    {"a in b", "unable to parse requirement: found 'b' expected: '('", false},
    {"a in (b", "unable to parse requirement: found '', expected: ',' or ')'", false},
    {"a>b",
     "unable to parse requirement: values[0]: Invalid value: \"b\": for 'Gt', 'Lt' operators, the "
     "value must be an integer",
     false},
    {"a=b c", "found 'c', expected: ',' or 'end of string'", false},
};
/* clang-format on */

static void labels(void)
{
    json_t *tree = json_loads(labels_text, 0, NULL);
    const struct selector *selector;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum fault fault;
        struct op op;

        op_init(&op);
        fault = selector_parse(&op, &op.arena, cases[i].text, &selector);
        if (cases[i].fault) {
            CU_ASSERT_EQUAL(fault, INVALID);
            CU_ASSERT_STRING_EQUAL(op.message ? op.message : "", cases[i].fault);
        } else {
            CU_ASSERT_EQUAL(fault, OK);
            CU_ASSERT_EQUAL(fault == OK && selector_matches(selector, tree), cases[i].matches);
        }
        op_free(&op);
    }
    json_decref(tree);
}

/* clang-format off */
static const struct {
    const char *selector;
    bool matches, all;
} objects[] = {
    {"null", false, false},
    {"{}", true, true},
    {"{\"matchLabels\":{\"app\":\"web\"}}", true, false},
    {"{\"matchLabels\":{\"app\":\"db\"}}", false, false},
    {"{\"matchExpressions\":[{\"key\":\"app\",\"operator\":\"In\",\"values\":[\"web\"]}]}", true,
     false},
    {"{\"matchExpressions\":[{\"key\":\"x\",\"operator\":\"DoesNotExist\"}]}", true, false},
};
/* clang-format on */

static void label_selectors(void)
{
    json_t *tree = json_loads(labels_text, 0, NULL), *value;
    const struct selector *selector;
    struct op op;

    op_init(&op);
    for (size_t i = 0; i < ARRAY_LEN(objects); i++) {
        value = json_loads(objects[i].selector, JSON_DECODE_ANY, NULL);
        CU_ASSERT_EQUAL_FATAL(selector_of(&op, &op.arena, value, &selector), OK);
        CU_ASSERT_EQUAL(selector_matches(selector, tree), objects[i].matches);
        CU_ASSERT_EQUAL(selector_is_all(selector), objects[i].all);
        json_decref(value);
    }
    CU_ASSERT(!selector_matches(selector_of_map(&op.arena, NULL), tree));
    CU_ASSERT(selector_matches(selector_of_map(&op.arena, tree), tree));
    json_decref(tree);
    op_free(&op);
}

/* clang-format off */
static const struct {
    const char *plural, *text, *fault;
    bool matches;
} fields[] = {
    {"pods", "", NULL, true},
    {"pods", "metadata.name=p", NULL, true},
    {"pods", "metadata.name==p,metadata.namespace!=x", NULL, true},
    {"pods", "spec.nodeName=n1,status.phase!=Failed,status.phase!=Succeeded", NULL, true},
    {"pods", "spec.nodeName=n2", NULL, false},
    {"pods", "spec.hostNetwork=false", NULL, true},
    {"pods", "status.podIP=", NULL, true},
    {"pods", "metadata.name=a\\,b", NULL, false},
    {"pods", "foo=bar", "field label not supported: foo", false},
    {"pods", "foo", "invalid selector: 'foo'; can't understand 'foo'", false},
    {"configmaps", "data.x=bar",
     "\"data.x\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
     false},
};
/* clang-format on */

static void field_selectors(void)
{
    json_t *tree = json_loads("{\"metadata\":{\"name\":\"p\",\"namespace\":\"d\"},"
                              "\"spec\":{\"nodeName\":\"n1\"},\"status\":{\"phase\":\"Running\"}}",
                              0, NULL);
    const struct field_selector *selector;

    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        enum fault fault;
        struct op op;

        op_init(&op);
        fault = field_selector_parse(&op, &op.arena, resource_find("", "v1", fields[i].plural),
                                     fields[i].text, &selector);
        if (fields[i].fault) {
            CU_ASSERT_EQUAL(fault, INVALID);
            CU_ASSERT_STRING_EQUAL(op.message ? op.message : "", fields[i].fault);
        } else {
            CU_ASSERT_EQUAL(fault, OK);
            CU_ASSERT_EQUAL(fault == OK && field_selector_matches(selector, tree),
                            fields[i].matches);
        }
        op_free(&op);
    }
    json_decref(tree);
}

CU_TestInfo clusters_object_selector_tests[] = {
    {"label selectors as clients write them", labels         },
    {"LabelSelector objects and maps",        label_selectors},
    {"field selectors",                       field_selectors},
    CU_TEST_INFO_NULL,
};
