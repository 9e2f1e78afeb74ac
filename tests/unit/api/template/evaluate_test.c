/* Expressions: a table of what each function gives, and of what is refused. */
#include "api/template/evaluate.h"

#include <string.h>

#include "api/template/lenient.h"
#include "api/template/template.h"
#include "tests/unit/unit.h"

#define SUB "00000000-0000-0000-0000-00000000000a"

static const char template_text[] =
    "{parameters: {name: {type: 'string', defaultValue: 'web'}, n: {type: 'int', defaultValue: 3},"
    "  word: {type: 'secureString', defaultValue: 'hush'}, at: {type: 'string', defaultValue:"
    "  \"[utcNow('yyyy')]\"}, list: {type: 'array', defaultValue: ['a', 'b', 'c']}},"
    " variables: {v: \"[concat(parameters('name'), '-v')]\", wide: \"[padLeft('x', 10000)]\","
    "  ten: \"[range(0, 10000)]\","
    "  xs: \"[map(range(0, 10000), lambda('i', string(lambdaVariables('i'))))]\","
    "  keys: \"[toObject(range(0, 10000), lambda('i', format('k{0}', lambdaVariables('i'))))]\","
    "  halves: \"[reduce(range(0, 12), 1, lambda('a', 'i', createArray(lambdaVariables('a'),"
    " lambdaVariables('a'))))]\","
    "  others: \"[reduce(range(0, 12), 1, lambda('a', 'i', createArray(lambdaVariables('a'),"
    " lambdaVariables('a'))))]\","
    "   loop: \"[variables('loop')]\","
    "  secret: \"[concat('x', parameters('word'))]\", o: {A: {b: [1, {c: 'deep'}]}},"
    "  copy: [{name: 'far', count: 2, input: \"[copyIndex('far', 9223372036854775807)]\"},"
    "   {name: 'many', count: 3, input: \"[format('i{0}', copyIndex('many', 1))]\"}]},"
    " functions: [{namespace: 'own', members: {twice: {parameters: [{name: 's', type: 'string'}],"
    "  output: {type: 'string', value: \"[concat(parameters('s'), parameters('s'))]\"}}}}]}";

static const struct {
    const char *expression, *wanted; /* JSON; NULL: refused */
} cases[] = {
  /* texts */
    {"[concat('a', 1, true(), parameters('name'))]",                                                "\"a1Trueweb\""                           },
    {"[concat(createArray(1), createArray(2, 3))]",                                                 "[1,2,3]"                                 },
    {"[[concat('a')]",                                                                              "\"[concat('a')]\""                       },
    {"plain",                                                                                       "\"plain\""                               },
    {"[plain",                                                                                      "\"[plain\""                              },
    {"['it''s']",                                                                                   "\"it's\""                                },
    {"[ toUpper( 'aé' ) ]",                                                                        "\"Aé\""                                 },
    {"[toLower('AB')]",                                                                             "\"ab\""                                  },
    {"[trim('  a b ')]",                                                                            "\"a b\""                                 },
    {"[format('{0}|{1,4}|{2,-3}|{3:D3}|{{}}', 'x', 7, 'y', 5)]",                                    "\"x|   7|y  |005|{}\""                   },
    {"[format('{0:X2} {1:N0} {2:F1} {3:000}', 255, 1234567, 2, 7)]",                                "\"FF 1,234,567 2.0 007\""                },
    {"[format('{0,-9223372036854775808}', 'a')]",                                                   NULL                                      },
    {"[format('{0,9223372036854775807}', 'a')]",                                                    NULL                                      },
    {"[length(format('{0,-1024}', 'a'))]",                                                          "1024"                                    },
    {"[format('{0:D1} {0:000}', json('-9223372036854775808'))]",
     "\"-9223372036854775808 -9223372036854775808\""                                                                                          },
    {"[format('{0}')]",                                                                             NULL                                      },
    {"[format('{x}', 1)]",                                                                          NULL                                      },
    {"[format('}', 1)]",                                                                            NULL                                      },
    {"[replace('a.b.c', '.', '--')]",                                                               "\"a--b--c\""                             },
    {"[replace('a', '', 'b')]",                                                                     NULL                                      },
    {"[split('a,b;c', createArray(',', ';'))]",                                                     "[\"a\",\"b\",\"c\"]"                     },
    {"[split('a,b', ',')]",                                                                         "[\"a\",\"b\"]"                           },
    {"[join(createArray('a', 1), '-')]",                                                            "\"a-1\""                                 },
    {"[substring('häuser', 1, 2)]",                                                                "\"äu\""                                 },
    {"[substring('abc', 1)]",                                                                       "\"bc\""                                  },
    {"[substring('abc', 2, 2)]",                                                                    NULL                                      },
    {"[substring('abc', json('-9223372036854775808'))]",                                            NULL                                      },
    {"[substring('abc', 9223372036854775807)]",                                                     NULL                                      },
    {"[substring('abc', 1, 9223372036854775807)]",                                                  NULL                                      },
    {"[substring('abc', -1)]",                                                                      NULL                                      },
    {"[startsWith('abc', 'AB')]",                                                                   "true"                                    },
    {"[endsWith('abc', 'BC')]",                                                                     "true"                                    },
    {"[endsWith('c', 'abc')]",                                                                      "false"                                   },
    {"[indexOf('täst', 'ST')]",                                                                    "2"                                       },
    {"[indexOf('a', 'b')]",                                                                         "-1"                                      },
    {"[lastIndexOf('abab', 'AB')]",                                                                 "2"                                       },
    {"[indexOf(createArray(1, 2, 2), 2)]",                                                          "1"                                       },
    {"[lastIndexOf(createArray(1, 2, 2), 2)]",                                                      "2"                                       },
    {"[padLeft(7, 3, '0')]",                                                                        "\"007\""                                 },
    {"[padLeft('abcd', 3)]",                                                                        "\"abcd\""                                },
    {"[padLeft('a', 99999999)]",                                                                    NULL                                      },
    {"[string(createObject('a', 1))]",                                                              "\"{\\\"a\\\":1}\""                       },
    {"[string(false())]",                                                                           "\"False\""                               },
 /* codes: uniqueString by an implementation of its own in Python, guid by RFC 4122 */
    {"[uniqueString('a')]",                                                                         "\"eveiun73364hy\""                       },
    {"[uniqueString('/subscriptions/x/resourceGroups/rg', 'seed123')]",                             "\"rm5cu3s7ymbkg\""                       },
    {"[guid('a', 'b')]",                                                                            "\"2d796349-8c7e-55ec-9624-54ece82ed031\""},
    {"[base64('one')]",                                                                             "\"b25l\""                                },
    {"[base64ToString('b25l')]",                                                                    "\"one\""                                 },
    {"[base64ToString('b25')]",                                                                     NULL                                      },
    {"[base64ToJson(base64('{\"a\": [1]}'))]",                                                      "{\"a\":[1]}"                             },
    {"[json('{a: 1.5}').a]",                                                                        "1.5"                                     },
    {"[json('{')]",                                                                                 NULL                                      },
    {"[uri('https://h/a/b', 'c?d')]",                                                               "\"https://h/a/c?d\""                     },
    {"[uri('https://h/a/b', '/c')]",                                                                "\"https://h/c\""                         },
    {"[uri('https://h', 'c')]",                                                                     "\"https://h/c\""                         },
    {"[uriComponent('a b/c')]",                                                                     "\"a%20b%2Fc\""                           },
    {"[uriComponentToString('a%20b')]",                                                             "\"a b\""                                 },
    {"[dataUriToString(dataUri('hi'))]",                                                            "\"hi\""                                  },
    {"[newGuid()]",                                                                                 NULL                                      },
    {"[utcNow()]",                                                                                  NULL                                      },
 /* arrays and objects */
    {"[length('häus')]",                                                                           "4"                                       },
    {"[length(createObject('a', 1))]",                                                              "1"                                       },
    {"[length(1)]",                                                                                 NULL                                      },
    {"[contains('abc', 'b')]",                                                                      "true"                                    },
    {"[contains('abc', 'B')]",                                                                      "false"                                   },
    {"[contains(createObject('Key', 1), 'kEY')]",                                                   "true"                                    },
    {"[contains(createArray(1, 2), 2)]",                                                            "true"                                    },
    {"[empty(createArray())]",                                                                      "true"                                    },
    {"[empty('')]",                                                                                 "true"                                    },
    {"[empty(null())]",                                                                             "true"                                    },
    {"[first('äb')]",                                                                              "\"ä\""                                  },
    {"[first(createArray())]",                                                                      "null"                                    },
    {"[last(createArray(1, 2))]",                                                                   "2"                                       },
    {"[take('abc', 2)]",                                                                            "\"ab\""                                  },
    {"[take(createArray(1), 5)]",                                                                   "[1]"                                     },
    {"[skip(createArray(1, 2), 1)]",                                                                "[2]"                                     },
    {"[skip('abc', -1)]",                                                                           "\"abc\""                                 },
    {"[array('a')]",                                                                                "[\"a\"]"                                 },
    {"[createObject('a')]",                                                                         NULL                                      },
    {"[union(createArray(1, 2), createArray(2, 3))]",                                               "[1,2,3]"                                 },
    {"[union(json('{\"a\":{\"x\":1},\"b\":1}'), json('{\"A\":{\"y\":2},\"b\":2}'))]",
     "{\"a\":{\"x\":1,\"y\":2},\"b\":2}"                                                                                                      },
    {"[intersection(createArray(1, 2, 3), createArray(3, 2))]",                                     "[2,3]"                                   },
    {"[intersection(json('{\"a\":1,\"b\":2}'), json('{\"a\":1,\"b\":3}'))]",                        "{\"a\":1}"                               },
    {"[range(2, 3)]",                                                                               "[2,3,4]"                                 },
    {"[range(0, 10001)]",                                                                           NULL                                      },
    {"[range(9223372036854775807, 2)]",                                                             NULL                                      },
    {"[flatten(createArray(createArray(1), createArray(2)))]",                                      "[1,2]"                                   },
    {"[items(json('{\"b\":1,\"a\":2}'))]",
     "[{\"key\":\"a\",\"value\":2},{\"key\":\"b\",\"value\":1}]"                                                                              },
    {"[objectKeys(json('{\"b\":1,\"a\":2}'))]",                                                     "[\"a\",\"b\"]"                           },
    {"[shallowMerge(createArray(json('{\"a\":1}'), json('{\"a\":2}')))]",                           "{\"a\":2}"                               },
    {"[tryGet(variables('o'), 'a', 'b', 1, 'c')]",                                                  "\"deep\""                                },
    {"[tryGet(variables('o'), 'nothing', 'b')]",                                                    "null"                                    },
    {"[indexFromEnd(createArray(1, 2), 1)]",                                                        "2"                                       },
    {"[tryIndexFromEnd(createArray(1, 2), 3)]",                                                     "null"                                    },
 /* numbers, logic, comparison */
    {"[add(2, mul(3, 4))]",                                                                         "14"                                      },
    {"[sub(1, 2)]",                                                                                 "-1"                                      },
    {"[div(7, 2)]",                                                                                 "3"                                       },
    {"[mod(7, 2)]",                                                                                 "1"                                       },
    {"[div(1, 0)]",                                                                                 NULL                                      },
    {"[mod(json('-9223372036854775808'), -1)]",                                                     NULL                                      },
    {"[add(9223372036854775807, 1)]",                                                               NULL                                      },
    {"[int('42')]",                                                                                 "42"                                      },
    {"[int('4x')]",                                                                                 NULL                                      },
    {"[int(float('2.9'))]",                                                                         "2"                                       },
    {"[min(3, 1, 2)]",                                                                              "1"                                       },
    {"[max(createArray(3, 9))]",                                                                    "9"                                       },
    {"[and(true(), not(false()))]",                                                                 "true"                                    },
    {"[or(true(), div(1, 0))]",                                                                     "true"                                    },
    {"[and(false(), div(1, 0))]",                                                                   "false"                                   },
    {"[and(1, true())]",                                                                            NULL                                      },
    {"[if(true(), 'yes', div(1, 0))]",                                                              "\"yes\""                                 },
    {"[if('x', 1, 2)]",                                                                             NULL                                      },
    {"[equals('a', 'A')]",                                                                          "false"                                   },
    {"[equals(createArray(1), createArray(1))]",                                                    "true"                                    },
    {"[equals(1, float('1'))]",                                                                     "true"                                    },
    {"[bool('TRUE')]",                                                                              "true"                                    },
    {"[bool(0)]",                                                                                   "false"                                   },
    {"[coalesce(null(), variables('v'), div(1, 0))]",                                               "\"web-v\""                               },
    {"[less(1, 2)]",                                                                                "true"                                    },
    {"[greaterOrEquals('b', 'a')]",                                                                 "true"                                    },
    {"[greater(1, 'a')]",                                                                           NULL                                      },
    {"[lessOrEquals(2, 2)]",                                                                        "true"                                    },
 /* what the template says */
    {"[parameters('NAME')]",                                                                        "\"web\""                                 },
    {"[parameters('none')]",                                                                        NULL                                      },
    {"[variables('v')]",                                                                            "\"web-v\""                               },
    {"[variables('loop')]",                                                                         NULL                                      },
    {"[variables('many')[1]]",                                                                      "\"i2\""                                  },
    {"[variables('o').a.B[1].c]",                                                                   "\"deep\""                                },
    {"[variables('o')['A']['b'][0]]",                                                               "1"                                       },
    {"[variables('o').a.b[2]]",                                                                     NULL                                      },
    {"[variables('o').nothing]",                                                                    NULL                                      },
    {"[variables('v').x]",                                                                          NULL                                      },
    {"[own.twice('ab')]",                                                                           "\"abab\""                                },
    {"[own.twice('a', 'b')]",                                                                       NULL                                      },
    {"[own.none('a')]",                                                                             NULL                                      },
    {"[variables('far')]",                                                                          NULL                                      },
    {"[copyIndex()]",                                                                               NULL                                      },
    {"[parameters('list')[sub(length(parameters('list')), 1)]]",                                    "\"c\""                                   },
 /* ids */
    {"[resourceId('Microsoft.X/as/bs', 'a1', 'b1')]",
     "\"/subscriptions/" SUB "/resourceGroups/rg/providers/Microsoft.X/as/a1/bs/b1\""                                                         },
    {"[resourceId('other', 'Microsoft.X/as', 'a1')]",
     "\"/subscriptions/" SUB "/resourceGroups/other/providers/Microsoft.X/as/a1\""                                                            },
    {"[resourceId('00000000-0000-0000-0000-00000000000b', 'g', 'Microsoft.X/as', 'a1')]",
     "\"/subscriptions/00000000-0000-0000-0000-00000000000b/resourceGroups/g/providers/"
     "Microsoft.X/as/a1\""                                                                                                                    },
    {"[resourceId('Microsoft.X/as', 'a1', 'b1')]",                                                  NULL                                      },
    {"[resourceId('nothing', 'a')]",                                                                NULL                                      },
    {"[subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'r')]",
     "\"/subscriptions/" SUB "/providers/Microsoft.Authorization/roleDefinitions/r\""                                                         },
    {"[tenantResourceId('Microsoft.X/as', 'a')]",                                                   "\"/providers/Microsoft.X/as/a\""         },
    {"[extensionResourceId('/x', 'Microsoft.X/as', 'a')]",                                          "\"/x/providers/Microsoft.X/as/a\""       },
    {"[reference('x')]",                                                                            NULL                                      },
    {"[listKeys('x', '2020-01-01')]",                                                               NULL                                      },
    {"[managementGroup()]",                                                                         NULL                                      },
    {"[providers('Microsoft.Resources', 'tags').resourceType]",                                     "\"tags\""                                },
    {"[pickZones('Microsoft.X', 'y', 'z')]",                                                        "[]"                                      },
 /* lambdas */
    {"[map(range(0, 3), lambda('i', mul(lambdaVariables('i'), 2)))]",                               "[0,2,4]"                                 },
    {"[map(createArray('a'), lambda('x', 'i', format('{0}{1}', lambdaVariables('x'),"
     " lambdaVariables('i'))))]",                                                              "[\"a0\"]"                                },
    {"[filter(range(0, 4), lambda('i', greater(lambdaVariables('i'), 1)))]",                        "[2,3]"                                   },
    {"[reduce(range(1, 4), 0, lambda('a', 'b', add(lambdaVariables('a'), lambdaVariables('b'))))]",
     "10"                                                                                                                                     },
    {"[sort(createArray(3, 1, 2), lambda('a', 'b', less(lambdaVariables('a'),"
     " lambdaVariables('b'))))]",                                                              "[1,2,3]"                                 },
    {"[toObject(createArray('a', 'b'), lambda('x', lambdaVariables('x')), lambda('x', 1))]",
     "{\"a\":1,\"b\":1}"                                                                                                                      },
    {"[groupBy(createArray('ab', 'ac', 'b'), lambda('x', first(lambdaVariables('x'))))]",
     "{\"a\":[\"ab\",\"ac\"],\"b\":[\"b\"]}"                                                                                                  },
    {"[mapValues(json('{\"a\":1}'), lambda('v', add(lambdaVariables('v'), 1)))]",                   "{\"a\":2}"                               },
    {"[map(createArray(1), 'x')]",                                                                  NULL                                      },
    {"[lambdaVariables('x')]",                                                                      NULL                                      },
    {"[lambda('x', 1)]",                                                                            NULL                                      },
 /* a value that grows deeper with each turn */
    {"[reduce(range(0, 100), 1, lambda('a', 'b', createArray(lambdaVariables('a'))))]",             NULL                                      },
 /* what would be too much: shared on the way, written each time */
    {"[string(map(range(0, 1000), lambda('i', variables('wide'))))]",                               NULL                                      },
    {"[length(join(map(range(0, 1000), lambda('i', variables('wide'))), ''))]",                     NULL                                      },
    {"[length(format('{0}{0}', map(range(0, 100), lambda('i', variables('wide')))))]",              NULL                                      },
    {"[length(string(map(range(0, 10), lambda('i', variables('wide')))))]",                         "100031"                                  },
    {"[map(range(0, 10000), lambda('i', variables('wide')))]",                                      NULL                                      },
    {"[length(map(range(0, 10000), lambda('i', substring(variables('wide'), 0))))]",                NULL                                      },
    {"[length(map(range(0, 10000), lambda('i', split(variables('wide'), ','))))]",                  NULL                                      },
    {"[length(flatten(map(range(0, 1000), lambda('i', variables('ten')))))]",                       NULL                                      },
 /* what takes too long, and what does not */
    {"[length(union(variables('ten'), variables('ten')))]",                                         NULL                                      },
    {"[length(union(range(0, 1000), range(500, 1000)))]",                                           "1500"                                    },
    {"[length(intersection(variables('xs'), variables('ten')))]",                                   NULL                                      },
    {"[length(intersection(range(0, 1000), range(500, 1000)))]",                                    "500"                                     },
    {"[length(union(variables('keys'), mapValues(variables('keys'), lambda('v', 1))))]",            NULL                                      },
    {"[length(filter(variables('ten'), lambda('i', contains(variables('xs'), 'x'))))]",             NULL                                      },
    {"[equals(variables('halves'), variables('others'))]",                                          "true"                                    },
    {"[length(filter(variables('ten'), lambda('i', equals(variables('halves'), "
     "variables('others')))))]",                                                               NULL                                      },
    {"[length(filter(variables('ten'), lambda('i', equals(variables('keys').K1, 'x'))))]",          NULL                                      },
    {"[reduce(range(0, 40), 1, lambda('a', 'b', createArray(lambdaVariables('a'), "
     "lambdaVariables('a'))))]",                                                               NULL                                      },
    {"[length(split(variables('wide'), createArray(' ', 'y', '')))]",                               "10000"                                   },
    {"[split('a--b-c', createArray('-', '--'))]",                                                   "[\"a\",\"\",\"b\",\"c\"]"                },
    {"[split('', '-')]",                                                                            "[\"\"]"                                  },
    {"[equals(json('{\"a\":[1,{\"b\":null}]}'), json('{\"a\":[1,{\"b\":null}]}'))]",                "true"                                    },
    {"[equals(json('{\"a\":[1,{\"b\":null}]}'), json('{\"a\":[1,{\"c\":null}]}'))]",                "false"                                   },
    {"[equals(createArray(1, 2), createArray(1))]",                                                 "false"                                   },
    {"[equals(json('{\"a\":1}'), json('{\"a\":1,\"b\":1}'))]",                                      "false"                                   },
    {"[equals(createArray(), json('{}'))]",                                                         "false"                                   },
 /* times */
    {"[dateTimeAdd('2020-01-31T00:00:00Z', 'P1M')]",                                                "\"2020-03-02T00:00:00Z\""                },
    {"[dateTimeAdd('2020-01-01 00:00:00Z', '-PT1H30M')]",                                           "\"2019-12-31 22:30:00Z\""                },
    {"[dateTimeAdd('2020-01-01', 'P1Y2D', 'yyyy/MM/dd ddd')]",                                      "\"2021/01/03 Sun\""                      },
    {"[dateTimeAdd('nonsense', 'P1D')]",                                                            NULL                                      },
    {"[dateTimeAdd('2020-01-01', 'PT999999999H999999999H999999999H')]",                             NULL                                      },
    {"[dateTimeAdd('2020-01-01', '-P999999999W')]",                                                 NULL                                      },
    {"[dateTimeAdd('2020-01-01T00:00:00Z', 'PT999999999S')]",                                       "\"2051-09-09T01:46:39Z\""                },
    {"[dateTimeFromEpoch(67768036191676799)]",                                                      NULL                                      },
    {"[dateTimeAdd('2020-01-01', '1D')]",                                                           NULL                                      },
    {"[dateTimeToEpoch('1970-01-02T00:00:00Z')]",                                                   "86400"                                   },
    {"[dateTimeFromEpoch(86400)]",                                                                  "\"1970-01-02T00:00:00Z\""                },
 /* what is no expression */
    {"[nothing('x')]",                                                                              NULL                                      },
    {"[concat('a'",                                                                                 "\"[concat('a'\""                         },
    {"[concat('a']",                                                                                NULL                                      },
    {"[concat('a') 'b']",                                                                           NULL                                      },
    {"['a]",                                                                                        NULL                                      },
    {"[]",                                                                                          NULL                                      },
    {"[parameters('name').]",                                                                       NULL                                      },
    {"[concat()]",                                                                                  NULL                                      },
    {"[true]",                                                                                      NULL                                      },
};

static void begin(struct op *op, struct scope *s)
{
    static struct template_facts facts = {.subscription_id = SUB, .group_name = "rg"};
    json_t *template, *shown;

    op_init(op);
    CU_ASSERT_EQUAL_FATAL(lenient_parse(op, BYTES(template_text), &template), OK);
    *s = scope_new(op, template, &facts);
    CU_ASSERT_EQUAL_FATAL(template_parameters(s, NULL, &shown), OK);
}

static const char *result(struct scope *s, const char *text)
{
    json_t *value = json_keep(s->op, json_string(text)), *made;

    op_clear_fault(s->op);
    s->effort->depth = 0;
    return evaluate(s, value, &made) == OK ? json_text_of(s->op, made) : NULL;
}

static void test_expressions(void)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *said;
        struct scope s;
        struct op op;

        begin(&op, &s);
        said = result(&s, cases[i].expression);
        if (!said != !cases[i].wanted || (said && strcmp(said, cases[i].wanted) != 0)) {
            printf("\n%s: %s (%s), wanted %s\n", cases[i].expression, said ? said : "refused",
                   said ? "" : op.message, cases[i].wanted ? cases[i].wanted : "a refusal");
            CU_FAIL("an expression");
        }
        if (!said) {
            CU_ASSERT_STRING_EQUAL(op.noun, "InvalidTemplate");
        }
        op_free(&op);
    }
}

static void test_secrets_taint(void)
{
    struct scope s;
    struct op op;

    begin(&op, &s);
    CU_ASSERT_STRING_EQUAL(result(&s, "[parameters('name')]"), "\"web\"");
    CU_ASSERT(!s.is_secret);
    CU_ASSERT_STRING_EQUAL(result(&s, "[variables('secret')]"), "\"xhush\"");
    CU_ASSERT(s.is_secret);
    s.is_secret = false;
    CU_ASSERT_STRING_EQUAL(result(&s, "[variables('secret')]"), "\"xhush\""); /* from memory */
    CU_ASSERT(s.is_secret);
    s.is_secret = false;
    result(&s, "[map(createArray(1), lambda('x', own.twice(parameters('word'))))]");
    CU_ASSERT(s.is_secret);
    op_free(&op);
}

static void test_budget(void)
{
    struct scope s;
    struct op op;

    begin(&op, &s);
    CU_ASSERT_PTR_NULL(result(&s, "[map(range(0, 10000), lambda('x', map(range(0, 10000),"
                                  " lambda('y', 1))))]"));
    CU_ASSERT(op.message && strstr(op.message, "too long"));
    op_free(&op);
}

CU_TestInfo api_template_evaluate_tests[] = {
    {"every function",            test_expressions  },
    {"secrets are known as such", test_secrets_taint},
    {"there is a budget",         test_budget       },
    CU_TEST_INFO_NULL,
};
