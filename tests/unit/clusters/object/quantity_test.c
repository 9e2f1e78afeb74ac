#include "clusters/object/quantity.h"

#include <string.h>

#include "tests/unit/unit.h"

static const struct {
    const char *text, *canonical; /* NULL: not a quantity */
    int64_t value, millis;
} cases[] = {
    {"0",                      "0",                   0,                   0                  },
    {"1",                      "1",                   1,                   1000               },
    {"100m",                   "100m",                1,                   100                },
    {"0.5",                    "500m",                1,                   500                },
    {"1500m",                  "1500m",               2,                   1500               },
    {"1.5",                    "1500m",               2,                   1500               },
    {"1000",                   "1k",                  1000,                1000000            },
    {"1024",                   "1024",                1024,                1024000            },
    {"1024Ki",                 "1Mi",                 1048576,             1048576000         },
    {"1.5Gi",                  "1536Mi",              1610612736,          1610612736000      },
    {"0.5Mi",                  "512Ki",               524288,              524288000          },
    {"512",                    "512",                 512,                 512000             },
    {"0.25Ki",                 "256",                 256,                 256000             },
    {"1e3",                    "1e3",                 1000,                1000000            },
    {"12E",                    "12E",                 9223372036854775807, 9223372036854775807},
    {"1E",                     "1E",                  1000000000000000000, 9223372036854775807},
    {"-100m",                  "-100m",               -1,                  -100               },
    {"+1",                     "1",                   1,                   1000               },
    {".5",                     "500m",                1,                   500                },
    {"1.",                     "1",                   1,                   1000               },
    {"1n",                     "1n",                  1,                   1                  },
    {"0.1n",                   "1n",                  1,                   1                  },
    {"100e-3",                 "100e-3",              1,                   100                },
    {"9999999999999999999999", "9223372036854775807", 9223372036854775807, 9223372036854775807},
    {"",                       NULL,                  0,                   0                  },
    {"m",                      NULL,                  0,                   0                  },
    {"1.5.5",                  NULL,                  0,                   0                  },
    {"1x",                     NULL,                  0,                   0                  },
    {"1 Gi",                   NULL,                  0,                   0                  },
    {"1mi",                    NULL,                  0,                   0                  },
    {"--1",                    NULL,                  0,                   0                  },
    {"1e",                     NULL,                  0,                   0                  },
};

static void canonical(void)
{
    struct quantity q;
    struct op op;

    op_init(&op);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bool ok = quantity_parse(cases[i].text, &q);

        CU_ASSERT_EQUAL(ok, cases[i].canonical != NULL);
        if (!ok)
            continue;
        CU_ASSERT_EQUAL(quantity_value(q), cases[i].value);
        CU_ASSERT_EQUAL(quantity_millis(q), cases[i].millis);
        if (strcmp(cases[i].text, "12E") != 0) { /* cut: no round number any more */
            CU_ASSERT_STRING_EQUAL(quantity_text(&op, q), cases[i].canonical);
        }
    }
    op_free(&op);
}

static void sums(void)
{
    struct quantity a = {0}, b = {0};
    struct op op;

    op_init(&op);
    CU_ASSERT(quantity_parse("1Gi", &a) && quantity_parse("512Mi", &b));
    CU_ASSERT_STRING_EQUAL(quantity_text(&op, quantity_add(a, b)), "1536Mi");
    CU_ASSERT_STRING_EQUAL(quantity_text(&op, quantity_subtract(a, b)), "512Mi");
    CU_ASSERT_STRING_EQUAL(quantity_text(&op, quantity_add((struct quantity){0}, b)), "512Mi");
    CU_ASSERT(quantity_compare(a, b) > 0 && quantity_compare(b, a) < 0);
    CU_ASSERT_EQUAL(quantity_compare(a, a), 0);
    CU_ASSERT_EQUAL(quantity_millis_of("250m"), 250);
    CU_ASSERT_EQUAL(quantity_value_of(NULL), 0);
    CU_ASSERT_EQUAL(quantity_value_of("nonsense"), 0);
    op_free(&op);
}

CU_TestInfo clusters_object_quantity_tests[] = {
    {"quantities are read, rounded and written canonically", canonical},
    {"quantities are added, taken away and compared",        sums     },
    CU_TEST_INFO_NULL,
};
