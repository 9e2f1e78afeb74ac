/* Templates as a whole: parameters, resources in their order, bodies, outputs. */
#include "api/template/template.h"

#include <string.h>

#include "api/template/lenient.h"
#include "tests/unit/unit.h"

#define SUB   "00000000-0000-0000-0000-00000000000a"
#define BASE  "/subscriptions/" SUB "/resourceGroups/rg"
#define HEAD_ "{$schema: 's', contentVersion: '1', "

struct made {
    struct op op;
    struct scope s;
    struct template_plan *plan;
    json_t *shown;
    enum fault fault;
};

static void make_with(struct made *m, const char *text, const char *given)
{
    static const struct template_facts facts = {.subscription_id = SUB, .group_name = "rg"};
    json_t *template, *values = NULL;

    op_init(&m->op);
    CU_ASSERT_EQUAL_FATAL(lenient_parse(&m->op, BYTES(text), &template), OK);
    if (given) {
        CU_ASSERT_EQUAL_FATAL(lenient_parse(&m->op, BYTES(given), &values), OK);
    }
    m->s = scope_new(&m->op, template, &facts);
    m->fault = template_check(&m->op, template);
    if (m->fault == OK)
        m->fault = template_parameters(&m->s, values, &m->shown);
    if (m->fault == OK)
        m->fault = template_plan(&m->s, BASE, &m->plan);
}

static void make(struct made *m, const char *text)
{
    make_with(m, text, NULL);
    if (m->fault != OK)
        printf("\n%s\n", m->op.message);
    CU_ASSERT_EQUAL_FATAL(m->fault, OK);
}

#define R(name, more) "{type: 'A.B/c', apiVersion: '1', name: '" name "'" more "}"

static const struct {
    const char *template, *given, *says;
} refused[] = {
    {"[]",                                                                                       NULL,                                                                    "is no object"                                                                                           },
    {"{}",                                                                                       NULL,                                                                    "$schema"                                                                                                },
    {"{$schema: 's'}",                                                                           NULL,                                                                    "contentVersion"                                                                                         },
    {"{$schema: 's', contentVersion: '1'}",                                                      NULL,                                                                    "'resources' not found"                                                                                  },
    {HEAD_ "resources: 1}",                                                                      NULL,                                                                    "'resources' of the template"                                                                            },
    {"{$schema: 'https://x/tenantDeploymentTemplate.json', contentVersion: '1', resources: []}",
     NULL,                                                                                                                                                                "tenants"                                                                                                },
    {HEAD_ "resources: [1]}",                                                                    NULL,                                                                    "no object"                                                                                              },
    {HEAD_ "resources: [{type: 'A.B/c', name: 'x'}]}",                                           NULL,                                                                    "'apiVersion' not found"                                                                                 },
    {HEAD_ "resources: [{type: 'A.B/c', apiVersion: '1'}]}",                                     NULL,                                                                    "'name' must be"                                                                                         },
    {HEAD_ "resources: [{type: 'A.B/c', apiVersion: '1', name: 'a/b'}]}",                        NULL,                                                                    "segment"                                                                                                },
    {HEAD_ "resources: [" R("a",                                                                 "") "," R("A",                                                           "") "]}",                                                                                                  NULL, "multiple times"},
    {HEAD_ "resources: [" R("a",                                                                          ", dependsOn: ['b']") "]}",                                                                                                                                                 NULL,                                                                                                                                                                                                                                 "not defined"},
    {HEAD_ "resources: [" R("a",                                                                                      ", dependsOn: ['b']") "," R("b",", dependsOn: ['a']") "]}",NULL,
     "Circular"},
    {HEAD_ "resources: [" R("a",", condition: 'x'") "]}",                    NULL,                                                                                                                                                                                                                                                 "true or false"},
    {HEAD_ "resources: [" R("a",                                                                                          ", copy: {name: 'l', count: 801}") "]}",                                                                                                                                        NULL,                                                                                                                                                                                                                                                    "801"},
    {HEAD_ "resources: [" R("a",                                                                           ", copy: {name: 'l', count: -1}") "]}",                                                                                                                                                  NULL,"-1"},
    {HEAD_ "resources: [" R("a",                                                                                      ", copy: {name: 'l', count: 2, mode: 'odd'}") "]}",                 NULL,
     "serial"},
    {HEAD_ "resources: [{copy: {name: 'l', count: 500}, type: 'A.B/c', apiVersion: '1', name:"
           " \"[format('a{0}', copyIndex())]\"}, {copy: {name: 'm', count: 500}, type: 'A.B/c',"
           " apiVersion: '1', name: \"[format('b{0}', copyIndex())]\"}]}",NULL,"more than 800"               },
    {HEAD_ "resources: [" R("a",                                                                 ", scope: '/'") "]}", NULL,                                                                                      "tenants"},
    {HEAD_ "resources: [{type: 'Microsoft.Resources/resourceGroups', apiVersion: '1', name: 'g'}]}",
     NULL,                                                                                         "to a subscription"                                                                                                                                                                                                                    },
    {HEAD_ "resources: [], parameters: {p: {type: 'string'}}}",                                                                                          NULL,                                                                                                                                        "is not provided"                                                                                                                                             },
    {HEAD_ "resources: [], parameters: {p: {type: 'odd'}}}",                                                                                 NULL,                                                                                                                                                        "no type"                                                                              },
    {HEAD_ "resources: [], parameters: {p: {type: 'int'}}}",                                                                       "{p: {value: 'x'}}",                                                      "Expected"},
    {HEAD_ "resources: [], parameters: {p: {type: 'int', minValue: 3}}}",                                                                         "{p: {value: 2}}",
     "minValue"},
    {HEAD_ "resources: [], parameters: {p: {type: 'string', maxLength: 2}}}",                                                                                 "{p: {value: 'äöü'}}",
     "maxLength"},
    {HEAD_ "resources: [], parameters: {p: {type: 'string', allowedValues: ['a']}}}",
     "{p: {value: 'b'}}",                                                                                                  "allowed"                                                                                                                                                                                                                                                      },
    {HEAD_ "resources: []}",                                                                                 "{q: {value: 1}}",                                                                                                                                                        "not present"                                                                                                                                                                                                                                                                           },
    {HEAD_ "resources: []}",                                                                                "{q: 1}",                                                                                                                                                       "an object with a 'value'"                                                                                                                                                                                                           },
};

static void test_refused(void)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct made m;

        make_with(&m, refused[i].template, refused[i].given);
        CU_ASSERT_EQUAL(m.fault, INVALID);
        if (m.fault == OK || !strstr(m.op.message, refused[i].says)) {
            printf("\n%s: %s, wanted %s\n", refused[i].template, m.op.message, refused[i].says);
            CU_FAIL("a refusal");
        }
        op_free(&m.op);
    }
}

static void test_parameters(void)
{
    struct made m;

    make_with(&m,
              HEAD_ "resources: [], definitions: {d: {type: 'string', allowedValues: ['x', 'y']}},"
                    " parameters: {a: {type: 'String', defaultValue: \"[concat('de', 'f')]\"},"
                    " s: {type: 'securestring'}, r: {$ref: '#/definitions/d'},"
                    " n: {type: 'int', nullable: true},"
                    " b: {type: 'string', defaultValue: \"[parameters('a')]\"}}}",
              "{S: {value: 'hush'}, r: {value: 'y'}}");
    CU_ASSERT_EQUAL_FATAL(m.fault, OK);
    CU_ASSERT_STRING_EQUAL(json_text_of(&m.op, m.shown),
                           "{\"a\":{\"type\":\"String\",\"value\":\"def\"},\"s\":{\"type\":"
                           "\"SecureString\"},\"r\":{\"type\":\"String\",\"value\":\"y\"},\"n\":{"
                           "\"type\":\"Int\",\"value\":null},\"b\":{\"type\":\"String\",\"value\":"
                           "\"def\"}}");
    op_free(&m.op);
}

static bool needs(const struct template_plan *plan, const char *who, const char *what)
{
    const struct template_node *n = template_find(plan, who);

    for (size_t i = 0; n && i < n->n_needs; i++)
        if (&plan->nodes[n->needs[i]] == template_find(plan, what))
            return true;
    return false;
}

static void test_order(void)
{
    struct made m;

    make(
        &m,
        HEAD_ "resources: [" R(
            "a",
            ", resources: [{type: 'd', apiVersion: '1', name: 'e'}]") ","
                                                                      "{type: 'A.B/c', apiVersion: "
                                                                      "'1', name: \"[concat('l', "
                                                                      "copyIndex(5))]\","
                                                                      " copy: {name: 'loop', "
                                                                      "count: 4, mode: 'serial', "
                                                                      "batchSize: 2}},"
                                                                      "{type: 'A.B/c', apiVersion: "
                                                                      "'1', name: 'none', copy: "
                                                                      "{name: 'nothing', count: "
                                                                      "0}}," R("z",
                                                                               ", dependsOn: "
                                                                               "['loop', "
                                                                               "\"[resourceId('A.B/"
                                                                               "c/d', 'a', "
                                                                               "'e')]\", "
                                                                               "'A.B/c/a', "
                                                                               "'nothing']") "]}");
    CU_ASSERT_EQUAL(m.plan->n, 7);
    CU_ASSERT_STRING_EQUAL(template_find(m.plan, "a/e")->id, BASE "/providers/A.B/c/a/d/e");
    CU_ASSERT(needs(m.plan, "a/e", "a"));
    CU_ASSERT(needs(m.plan, "z", "a/e") && needs(m.plan, "z", "a") && needs(m.plan, "z", "l8"));
    CU_ASSERT(needs(m.plan, "l7", "l5") && needs(m.plan, "l7", "l6") && needs(m.plan, "l8", "l6"));
    CU_ASSERT(!needs(m.plan, "l6", "l5") && !needs(m.plan, "l8", "l7"));
    op_free(&m.op);
}

/* Through what makes nothing, too; its paths are many, and each node is looked at once. */
static void test_met(void)
{
    bool made[128] = {false};
    const bool *met;
    struct made m;
    size_t z;

    make(&m, HEAD_ "resources: [" R(
                 "z", ", dependsOn: ['loop']") ","
                                               "{type: 'A.B/c', apiVersion: '1', name: "
                                               "\"[concat('l', copyIndex())]\","
                                               " condition: false, dependsOn: ['a'],"
                                               " copy: {name: 'loop', count: 100, mode: 'serial', "
                                               "batchSize: 10}}," R("a", "") "]}");
    CU_ASSERT_EQUAL_FATAL(m.plan->n, 102);
    z = (size_t)(template_find(m.plan, "z") - m.plan->nodes);
    CU_ASSERT_EQUAL(m.plan->order[101], z);
    met = template_met(m.plan, made);
    CU_ASSERT(!met[template_find(m.plan, "l99") - m.plan->nodes] && !met[z]);
    made[template_find(m.plan, "a") - m.plan->nodes] = true;
    met = template_met(m.plan, made);
    CU_ASSERT(met[template_find(m.plan, "l99") - m.plan->nodes] && !met[z]);
    op_free(&m.op);
}

static void test_ids(void)
{
    struct made m;

    make(&m, HEAD_ "resources: {reg: " R(
                 "r",
                 "") ","
                     " assigned: {type: 'Microsoft.Authorization/roleAssignments', apiVersion: "
                     "'1', name: 'g',"
                     "  scope: \"[format('A.B/c/{0}', 'r')]\"},"
                     " old: {type: 'A.B/c/providers/locks', apiVersion: '1', name: "
                     "'r/Microsoft.Authorization/l'},"
                     " other: {type: 'Microsoft.Resources/deployments', apiVersion: '1', name: 'd',"
                     "  resourceGroup: 'elsewhere', properties: {}},"
                     " many: {copy: {name: 'many', count: 2}, type: 'A.B/c', apiVersion: '1',"
                     "  name: \"[format('m{0}', copyIndex())]\"}}}");
    CU_ASSERT_STRING_EQUAL(template_find(m.plan, "assigned")->id,
                           BASE "/providers/A.B/c/r/providers/Microsoft.Authorization/"
                                "roleAssignments/g");
    CU_ASSERT_STRING_EQUAL(template_find(m.plan, "old")->id,
                           BASE "/providers/A.B/c/r/providers/Microsoft.Authorization/locks/l");
    CU_ASSERT_STRING_EQUAL(template_find(m.plan, "other")->id,
                           "/subscriptions/" SUB "/resourceGroups/elsewhere/providers/"
                           "Microsoft.Resources/deployments/d");
    CU_ASSERT_STRING_EQUAL(template_find(m.plan, "many[1]")->name, "m1");
    CU_ASSERT_EQUAL(json_array_size(template_infos(m.plan, "many")), 2);
    CU_ASSERT_PTR_NULL(template_find(m.plan, "many[2]"));
    op_free(&m.op);
}

/* ---- bodies ---- */

static enum fault reference(struct scope *s, void *arg, const char *id, const char *version,
                            json_t **ret)
{
    (void)arg;
    *ret = json_keep(s->op, json_pack("{s:{s:s, s:s*}}", "properties", "id", id, "v", version));
    return OK;
}

static const struct template_calls calls = {.reference = reference};

static const char *body_of(struct made *m, const char *name, bool mask)
{
    json_t *body;

    CU_ASSERT_EQUAL_FATAL(template_body(m->plan, template_find(m->plan, name), &calls, mask, &body),
                          OK);
    return json_text_of(&m->op, body);
}

static void test_bodies(void)
{
    struct made m;

    make(&m,
         HEAD_ "parameters: {w: {type: 'secureString', defaultValue: 'hush'}}, resources: [" R(
             "a", ", location: 'eastus', comments: 'c', dependsOn: [], tags: {\"[concat('k', "
                  "1)]\": '[[x]'},"
                  " properties: {r: \"[reference('b').id]\", w: \"[concat('-', parameters('w'))]\","
                  " copy: [{name: 'list', count: 2, input: {i: \"[copyIndex('list')]\"}}]}") "]}");
    CU_ASSERT_STRING_EQUAL(body_of(&m, "a", false),
                           "{\"location\":\"eastus\",\"tags\":{\"k1\":\"[x]\"},\"properties\":{"
                           "\"r\":\"b\",\"w\":\"-hush\",\"list\":[{\"i\":0},{\"i\":1}]}}");
    CU_ASSERT_STRING_EQUAL(body_of(&m, "a", true),
                           "{\"location\":\"eastus\",\"tags\":{\"k1\":\"[x]\"},\"properties\":{"
                           "\"r\":\"b\",\"w\":\"*****\",\"list\":[{\"i\":0},{\"i\":1}]}}");
    op_free(&m.op);
}

/* What an inner template names is this one's, unless it is evaluated there; secrets are parameters
   of it. */
static void test_inner(void)
{
    const char *said;
    struct made m;

#define INNER(options)                                                                             \
    "properties: {mode: 'Incremental', " options "template: {$schema: 's', contentVersion: '1',"   \
    " parameters: {v: {type: 'string', defaultValue: 'own'}}, resources: [{copy: {name: 'l',"      \
    " count: 2}, type: 'A.B/c', apiVersion: '1', name: \"[concat(variables('v'), copyIndex())]\"," \
    " properties: {a: \"[parameters('w')]\", b: '[[y]'}}]}}"
    make(&m, HEAD_ "parameters: {w: {type: 'secureString', defaultValue: 'hush'}}, variables:"
                   " {v: 'outer'}, resources: ["
                   "{type: 'Microsoft.Resources/deployments', apiVersion: '1', name: 'o', " INNER(
                       "") "}, {type: 'Microsoft.Resources/deployments', apiVersion: '1', name: "
                           "'i', " INNER("expressionEvaluationOptions: {scope: 'inner'}, ") "}]}");
    said = body_of(&m, "o", false);
    CU_ASSERT(strstr(said, "\"name\":\"outer1\"") && !strstr(said, "concat"));
    CU_ASSERT(strstr(said, "\"a\":\"[parameters('outer0').v]\"") && strstr(said, "\"b\":\"[[y]\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "\"outer0\":{\"value\":{\"v\":\"hush\"}}"));
    CU_ASSERT(!strstr(body_of(&m, "o", true), "hush"));
    said = body_of(&m, "i", false);
    CU_ASSERT(strstr(said, "[concat(variables('v'), copyIndex())]") && !strstr(said, "hush"));
    op_free(&m.op);
}

/* What is evaluated outside arrives as it was meant: names of members, texts like expressions,
   outputs with loops, and what a deployment within it evaluates by itself. */
static void test_rewriting(void)
{
    const char *said;
    struct made m;

    make(&m, HEAD_ "parameters: {k: {type: 'string', defaultValue: 'key'}, w: {type: "
                   "'secureString',"
                   " defaultValue: 'hush'}}, resources: [{type: 'Microsoft.Resources/deployments',"
                   " apiVersion: '1', name: 'o', properties: {template: {$schema: 's', "
                   "contentVersion:"
                   " '1', resources: [" R("x", ", tags: {\"[parameters('k')]\": '[%d] msg', "
                                               "\"[concat('[', 'a]')]\":"
                                               " \"[concat('[', 'b]')]\", \"[parameters('w')]\": "
                                               "1}") ","
                                                     " {type: 'Microsoft.Resources/deployments', "
                                                     "apiVersion: '1', name: 'i', properties:"
                                                     " {expressionEvaluationOptions: {scope: "
                                                     "'inner'}, template: {$schema: 's',"
                                                     " contentVersion: '1', resources: "
                                                     "[\"[own()]\"]}}}],"
                                                     " outputs: {l: {type: 'array', copy: {count: "
                                                     "2, input:"
                                                     " \"[concat(parameters('k'), "
                                                     "copyIndex())]\"}},"
                                                     " s: {type: 'secureObject', copy: {count: 1, "
                                                     "input: \"[parameters('w')]\"}},"
                                                     " p: {type: 'string', value: "
                                                     "\"[parameters('k')]\"}}}}}]}");
    said = body_of(&m, "o", false);
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "{\"key\":\"[%d] msg\",\"[[a]\":\"[[b]\","
                                        "\"[parameters('outer0').v]\":1}"));
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "\"l\":{\"type\":\"array\",\"value\":[\"key0\","
                                        "\"key1\"]}"));
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "\"value\":\"[parameters('outer1').v]\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "\"p\":{\"type\":\"string\",\"value\":\"key\"}"));
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "[own()]"));
    CU_ASSERT_PTR_NOT_NULL(strstr(said, "\"outer1\":{\"value\":{\"v\":[\"hush\"]}}"));
    op_free(&m.op);
    make(&m, HEAD_ "parameters: {k: {type: 'string', defaultValue: 'key'}, w: {type:"
                   " 'secureString', defaultValue: 'hush'}}, resources: [" R(
                       "a", ", tags: {\"[parameters('k')]\": 1, \"[parameters('w')]\": 2}") "]}");
    CU_ASSERT_STRING_EQUAL(body_of(&m, "a", true), "{\"tags\":{\"key\":1,\"*****\":2}}");
    op_free(&m.op);
    make(&m, HEAD_ "parameters: {w: {type: 'secureString', defaultValue: 'hush'}}, resources: [" R(
                 "a", ", properties: {copy: [{name: 'l', count: 1, input: \"[parameters('w')]\"},"
                      " {name: 'k', count: 1, input: 'k'}]}") "]}");
    CU_ASSERT_STRING_EQUAL(body_of(&m, "a", true),
                           "{\"properties\":{\"l\":\"*****\",\"k\":[\"k\"]}}");
    op_free(&m.op);
}

static const char *repeated(struct op *op, const char *part, size_t n)
{
    struct text out;

    text_init(&out, &op->arena, 1 << 20);
    for (size_t i = 0; i < n; i++)
        text_str(&out, part);
    return out.data;
}

/* What a small template would make much of is refused. */
static void test_budget(void)
{
    struct op texts;
    struct made m;
    json_t *body;

    op_init(&texts);
    make_with(&m,
              arena_printf(&texts.arena,
                           HEAD_ "resources: [{type: 'A.B/c', apiVersion: '1', name: \"[concat('a',"
                                 " copyIndex())]\", copy: {name: 'l', count: 799}}, " R(
                                     "z", ", dependsOn: [%s]") "]}",
                           repeated(&texts, "'a0',", 45000)),
              NULL);
    CU_ASSERT_EQUAL(m.fault, INVALID);
    op_free(&m.op);
    make_with(&m,
              arena_printf(&texts.arena,
                           HEAD_ "resources: [], parameters: {p: {type: 'array',"
                                 " allowedValues: [%s 'b']}}}",
                           repeated(&texts, "'a',", 8000)),
              arena_printf(&texts.arena, "{p: {value: [%s]}}", repeated(&texts, "'b',", 8000)));
    CU_ASSERT_EQUAL(m.fault, INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(m.op.message, "too long to evaluate"));
    op_free(&m.op);
    make(&m,
         arena_printf(&texts.arena,
                      HEAD_ "resources: [{type: 'Microsoft.Resources/deployments', apiVersion:"
                            " '1', name: 'o', properties: {template: {resources: [" R(
                                "x", ", copy: {name: 'l', count: 800}, properties: [%s]") "]}}}]}",
                      repeated(&texts, "[],", 6000)));
    CU_ASSERT_EQUAL(template_body(m.plan, template_find(m.plan, "o"), &calls, false, &body),
                    INVALID);
    op_free(&m.op);
    op_free(&texts);
}

static void test_outputs(void)
{
    json_t *shown, *all;
    struct made m;

    make(&m,
         HEAD_ "resources: [], outputs: {a: {type: 'string', value: 'x'}, n: {type: 'int',"
               " condition: \"[equals(1, 2)]\", value: 1}, s: {type: 'secureString', value: 'h'},"
               " l: {type: 'array', copy: {count: 2, input: \"[copyIndex(1)]\"}}}}");
    CU_ASSERT_EQUAL_FATAL(template_outputs(m.plan, &calls, &shown, &all), OK);
    CU_ASSERT_STRING_EQUAL(json_text_of(&m.op, shown),
                           "{\"a\":{\"type\":\"String\",\"value\":\"x\"},\"s\":{\"type\":"
                           "\"SecureString\"},\"l\":{\"type\":\"Array\",\"value\":[1,2]}}");
    CU_ASSERT_PTR_NOT_NULL(
        strstr(json_text_of(&m.op, all), "{\"type\":\"SecureString\",\"value\":\"h\"}"));
    op_free(&m.op);
    make(&m, HEAD_ "resources: [], outputs: {a: {type: 'int', value: 'x'}}}");
    CU_ASSERT_EQUAL(template_outputs(m.plan, &calls, &shown, &all), INVALID);
    op_free(&m.op);
}

CU_TestInfo api_template_plan_tests[] = {
    {"what is refused",                test_refused   },
    {"parameters",                     test_parameters},
    {"the order of resources",         test_order     },
    {"what is there",                  test_met       },
    {"ids",                            test_ids       },
    {"bodies",                         test_bodies    },
    {"deployments within deployments", test_inner     },
    {"what would be too much",         test_budget    },
    {"evaluated outside",              test_rewriting },
    {"outputs",                        test_outputs   },
    CU_TEST_INFO_NULL,
};
