/* Deployments as rows: their history, what runs, steps, and how they end. */
#include "api/deployment.h"

#include <string.h>

#include "api/group.h"
#include "api/operation.h"
#include "api/resource.h"
#include "api/subscription.h"
#include "api/template/lenient.h"
#include "tests/unit/unit.h"

#define S     "00000000-0000-0000-0000-00000000000a"
#define SCOPE "/subscriptions/" S "/resourcegroups/rg"

static void begin(struct op *op)
{
    struct group w = {.subscription = S, .name = "rg", .location = "eastus", .tags = "{}"}, now;
    bool created;

    unit_op(op);
    group_store_start();
    operation_store_start();
    deployment_store_start();
    CU_ASSERT_EQUAL_FATAL(db_begin(op), OK);
    CU_ASSERT_EQUAL_FATAL(
        db_exec(op, "INSERT INTO api.subscription (id, name) VALUES ('" S "', 'u')"), OK);
    CU_ASSERT_EQUAL_FATAL(group_put(op, &w, &now, &created), OK);
}

static struct deployment row(struct op *op, const char *name, const char *uid)
{
    const char *key =
        arena_printf(&op->arena, SCOPE "/providers/microsoft.resources/deployments/%s", name);

    return (struct deployment){.uid = uid,
                               .key = key,
                               .id = key,
                               .scope = SCOPE,
                               .subscription = S,
                               .group = "rg",
                               .name = name,
                               .tags = "{}",
                               .mode = "Incremental",
                               .operation = "o",
                               .who = "w",
                               .correlation = "c",
                               .client = "::1",
                               .host = "h",
                               .hash = "1",
                               .input = BYTES("sealed"),
                               .parameters = "{}",
                               .facts = "{}",
                               .owner = "me"};
}

static enum fault insert(struct op *op, const char *name, const char *uid, bool *created)
{
    struct deployment d = row(op, name, uid);

    return deployment_insert(op, &d, created);
}

static void finish(struct op *op, const char *uid, const char *state)
{
    struct deployment d = {.uid = uid, .state = state};

    CU_ASSERT_EQUAL_FATAL(deployment_end(op, &d), OK);
}

static void test_life(void)
{
    const char *key = SCOPE "/providers/microsoft.resources/deployments/a", *uid;
    struct deployment d;
    struct op op;
    bool yes;

    begin(&op);
    CU_ASSERT_EQUAL_FATAL(insert(&op, "a", "1", &yes), OK);
    CU_ASSERT(yes);
    CU_ASSERT_EQUAL(insert(&op, "a", "2", &yes), CONFLICT); /* it is running */
    CU_ASSERT_STRING_EQUAL(op.noun, "DeploymentActive");
    CU_ASSERT_EQUAL(deployment_delete(&op, key, &yes), CONFLICT);
    CU_ASSERT_EQUAL_FATAL(deployment_want_cancel(&op, key, &uid), OK);
    CU_ASSERT_STRING_EQUAL(uid, "1");
    CU_ASSERT_EQUAL_FATAL(deployment_by_uid(&op, "1", &d), OK);
    CU_ASSERT(d.cancel && !d.ended);
    finish(&op, "1", "Canceled");
    finish(&op, "1", "Succeeded"); /* the first end stays */
    CU_ASSERT_EQUAL_FATAL(deployment_by_uid(&op, "1", &d), OK);
    CU_ASSERT_STRING_EQUAL(d.state, "Canceled");
    CU_ASSERT_EQUAL_FATAL(deployment_want_cancel(&op, key, &uid), OK);
    CU_ASSERT_PTR_NULL(uid);
    CU_ASSERT_EQUAL_FATAL(insert(&op, "a", "2", &yes), OK); /* again, as another */
    CU_ASSERT(!yes);
    CU_ASSERT_EQUAL(deployment_by_uid(&op, "1", &d), NOT_FOUND);
    finish(&op, "2", "Succeeded");
    CU_ASSERT_EQUAL_FATAL(deployment_delete(&op, key, &yes), OK);
    CU_ASSERT(yes);
    CU_ASSERT_EQUAL_FATAL(deployment_delete(&op, key, &yes), OK);
    CU_ASSERT(!yes);
    unit_op_end(&op);
}

static void test_history(void)
{
    struct deployment_filter filter = {
        .subscription = S, .scope = SCOPE, .before_key = "", .limit = 2000};
    struct deployment *all;
    struct op op;
    bool created;
    size_t n;

    begin(&op);
    CU_ASSERT_EQUAL_FATAL(insert(&op, "first", "running", &created), OK); /* it stays: it runs */
    for (int i = 0; i < 805; i++) {
        const char *name = arena_printf(&op.arena, "d%04d", i);

        CU_ASSERT_EQUAL_FATAL(insert(&op, name, name, &created), OK);
        CU_ASSERT_EQUAL_FATAL(
            db_exec(&op, "UPDATE api.deployment SET created = clock_timestamp() WHERE state = "
                         "'Running' AND uid <> 'running'"),
            OK);
        finish(&op, name, i % 2 ? "Succeeded" : "Failed");
    }
    CU_ASSERT_EQUAL_FATAL(deployment_list(&op, &filter, &all, &n), OK);
    CU_ASSERT(n <= 801 && n >= 799);
    CU_ASSERT_STRING_EQUAL(all[n - 1].name, "first");
    CU_ASSERT_STRING_EQUAL(all[0].name, "d0804");
    CU_ASSERT_STRING_EQUAL(all[1].name, "d0803");
    filter.before_us = all[1].created_us;
    filter.before_key = all[1].key;
    filter.limit = 2;
    CU_ASSERT_EQUAL_FATAL(deployment_list(&op, &filter, &all, &n), OK);
    CU_ASSERT_EQUAL_FATAL(n, 2);
    CU_ASSERT_STRING_EQUAL(all[0].name, "d0802");
    filter.before_us = 0;
    filter.state = "failed";
    filter.limit = 3;
    CU_ASSERT_EQUAL_FATAL(deployment_list(&op, &filter, &all, &n), OK);
    CU_ASSERT_EQUAL(n, 3);
    CU_ASSERT_STRING_EQUAL(all[0].state, "Failed");
    CU_ASSERT_EQUAL_FATAL(deployment_delete_below(&op, SCOPE), OK);
    CU_ASSERT_EQUAL_FATAL(deployment_list(&op, &filter, &all, &n), OK);
    CU_ASSERT_EQUAL(n, 0);
    unit_op_end(&op);
}

static void test_adoption(void)
{
    const char **uids;
    struct op op;
    bool created;
    size_t n;

    begin(&op);
    CU_ASSERT_EQUAL_FATAL(insert(&op, "a", "1", &created), OK);
    CU_ASSERT_EQUAL_FATAL(deployment_adopt(&op, "other", &uids, &n), OK);
    CU_ASSERT_EQUAL(n, 0); /* somebody works on it */
    CU_ASSERT_EQUAL_FATAL(deployment_adopt(&op, "me", &uids, &n), OK);
    CU_ASSERT_EQUAL(n, 1); /* the same folder, after a crash */
    CU_ASSERT_EQUAL_FATAL(
        db_exec(&op, "UPDATE api.deployment SET lease = now() - interval '1 second'"), OK);
    CU_ASSERT_EQUAL_FATAL(deployment_adopt(&op, "other", &uids, &n), OK);
    CU_ASSERT_EQUAL_FATAL(n, 1); /* nobody does any more */
    CU_ASSERT_STRING_EQUAL(uids[0], "1");
    CU_ASSERT_EQUAL_FATAL(deployment_adopt(&op, "me", &uids, &n), OK);
    CU_ASSERT_EQUAL(n, 0);
    unit_op_end(&op);
}

static void test_steps(void)
{
    struct deployment_step s = {.number = 0,
                                .id = "x",
                                .action = "Create",
                                .target = "/t",
                                .type = "A.B/c",
                                .name = "n",
                                .version = "1"},
                           *all;
    struct op op;
    bool created;
    size_t n;

    begin(&op);
    CU_ASSERT_EQUAL_FATAL(insert(&op, "a", "1", &created), OK);
    CU_ASSERT_EQUAL_FATAL(deployment_step_insert(&op, "1", &s), OK);
    CU_ASSERT_EQUAL_FATAL(deployment_step_insert(&op, "1", &s), OK); /* twice is once */
    s.number = 1;
    s.id = "y";
    CU_ASSERT_EQUAL_FATAL(deployment_step_insert(&op, "1", &s), OK);
    s.state = "Failed";
    s.status = 409;
    s.error = "{\"code\":\"Conflict\"}";
    CU_ASSERT_EQUAL_FATAL(deployment_step_set(&op, "1", &s), OK);
    s.state = "Running"; /* what has ended stays so */
    CU_ASSERT_EQUAL_FATAL(deployment_step_set(&op, "1", &s), OK);
    CU_ASSERT_EQUAL_FATAL(deployment_steps_cancel(&op, "1"), OK);
    CU_ASSERT_EQUAL_FATAL(deployment_steps(&op, "1", &all, &n), OK);
    CU_ASSERT_EQUAL_FATAL(n, 2);
    CU_ASSERT_STRING_EQUAL(all[0].state, "Canceled");
    CU_ASSERT_STRING_EQUAL(all[1].state, "Failed");
    CU_ASSERT_EQUAL(all[1].status, 409);
    unit_op_end(&op);
}

/* ---- the plan ---- */

static struct deployment place(struct op *op)
{
    const struct settings settings = {0};

    begin(op);
    CU_ASSERT_EQUAL_FATAL(subscription_start(op, &settings), OK);
    return row(op, "d", "u");
}

static void set_tags(struct op *op, const char *tags)
{
    struct group w = {.subscription = S, .name = "rg", .location = "eastus", .tags = tags}, now;
    bool created;

    CU_ASSERT_EQUAL_FATAL(group_put(op, &w, &now, &created), OK);
}

/* What is kept gives the same plan, also when what it asked has changed since. */
static void test_same_plan(void)
{
    struct deployment_context first = {.input = {.mode = "Incremental"}}, again = first;
    struct bytes secrets;
    bool created;
    json_t *template;
    struct deployment d;
    struct op op;

    d = place(&op);
    set_tags(&op, "{\"a\": \"x\", \"b\": \"y\"}");
    CU_ASSERT_EQUAL_FATAL(
        lenient_parse(&op,
                      BYTES("{$schema: 's', contentVersion: '1', resources: [{type: 'A.B/c',"
                            " apiVersion: '1', name: \"[concat(resourceGroup().tags.a,"
                            " copyIndex())]\", copy: {name: 'l',"
                            " count: \"[length(resourceGroup().tags)]\"}}]}"),
                      &template),
        OK);
    first.input.template = template;
    CU_ASSERT_EQUAL_FATAL(deployment_plan(&op, &d, &first), OK);
    CU_ASSERT_EQUAL_FATAL(first.plan->n, 2);
    d.input = deployment_seal(&op, d.uid, &first.input);
    CU_ASSERT_EQUAL_FATAL(deployment_insert(&op, &d, &created), OK);
    CU_ASSERT_EQUAL_FATAL(deployment_by_uid(&op, d.uid, &d), OK);
    CU_ASSERT_EQUAL(d.input.len, 0); /* it is large, and read alone */
    CU_ASSERT_EQUAL_FATAL(deployment_sealed(&op, d.uid, true, &secrets), OK);
    CU_ASSERT_EQUAL(secrets.len, 0);
    set_tags(&op, "{}");
    CU_ASSERT_EQUAL_FATAL(deployment_unseal(&op, &d, &again.input), OK);
    CU_ASSERT_EQUAL_FATAL(deployment_plan(&op, &d, &again), OK);
    CU_ASSERT_EQUAL_FATAL(again.plan->n, 2);
    CU_ASSERT_STRING_EQUAL(again.plan->nodes[1].id, first.plan->nodes[1].id);
    CU_ASSERT_STRING_EQUAL(again.plan->nodes[1].name, "x1");
    subscription_stop();
    unit_op_end(&op);
}

/* ---- what is beside it ---- */

static void test_names(void)
{
    struct op op;
    json_t *names;

    op_init(&op);
    names = json_new_object(&op);
    deployment_name(&op, names, SCOPE "/providers/A.B/c/One/d/two", true);
    deployment_name(&op, names, SCOPE "/providers/A.B/c/three", false);
    CU_ASSERT(deployment_makes(names, SCOPE "/providers/a.b/c/one/d/two"));
    CU_ASSERT(deployment_names(names, SCOPE "/providers/a.b/c/one"));
    CU_ASSERT(!deployment_makes(names, SCOPE "/providers/a.b/c/one"));
    CU_ASSERT(!deployment_names(names, SCOPE "/providers/a.b/c/one/d"
                                             "/twofold"));
    CU_ASSERT(!deployment_names(names, SCOPE "/providers/a.b/c/on"));
    CU_ASSERT(deployment_names(names, SCOPE "/providers/a.b/c/three"));
    CU_ASSERT(!deployment_makes(names, SCOPE "/providers/a.b/c/three"));
    deployment_name(&op, names, SCOPE "/providers/A.B/c/one", true);
    CU_ASSERT(deployment_makes(names, SCOPE "/providers/a.b/c/one"));
    op_free(&op);
}

/* All of them, however many. */
static void test_there(void)
{
    struct deployment d = {.subscription = S, .group = "rg"};
    struct deployment_there there = {.rows = NULL};
    const struct resource *r;
    const char *last = "";
    size_t n = 0;
    struct op op;

    begin(&op);
    resource_store_start();
    CU_ASSERT_EQUAL_FATAL(
        db_exec(&op,
                "INSERT INTO api.resource (key, id, subscription, group_key, group_name, type,"
                " type_key, name, name_key, tracked, state, created_by, created_by_kind,"
                " changed_by, changed_by_kind) SELECT '" SCOPE "/providers/a.b/c/r' || i, 'i', '" S
                "', '" SCOPE "', 'rg', 'A.B/c', 'a.b/c', 'r', 'r', i <= 2000, 'Succeeded', 'x',"
                " 'x', 'x', 'x' FROM generate_series(1, 2010) AS i"),
        OK);
    for (;;) {
        CU_ASSERT_EQUAL_FATAL(deployment_there_next(&op, &d, &there, &r), OK);
        if (!r)
            break;
        n += strcmp(last, r->key) < 0;
        last = r->key;
    }
    CU_ASSERT_EQUAL(n, 2000);
    unit_op_end(&op);
}

/* ---- what would change ---- */

static const struct {
    const char *before, *after, *delta;
} deltas[] = {
    {"{a: 1, b: 2}",                                          "{a: 1}",                    "[]"},
    {"{location: 'eastus'}",                                  "{location: 'East US'}",     "[]"},
    {"{a: {b: 1}}",                                           "{a: {b: 2, c: 3}}",
     "[{\"path\":\"a.b\",\"propertyChangeType\":\"Modify\",\"before\":1,\"after\":2},"
     "{\"path\":\"a.c\",\"propertyChangeType\":\"Create\",\"after\":3}]"                       },
    {"{l: [{n: 'x', state: 'Running', env: [{name: 'e'}]}]}",
     "{l: [{n: 'x', env: [{name: 'e', secureValue: 's'}], none: []}]}",                    "[]"},
    {"{l: [1, 2]}",                                           "{l: [1]}",
     "[{\"path\":\"l\",\"propertyChangeType\":\"Modify\",\"before\":[1,2],\"after\":[1]}]"     },
    {"{l: [{n: {i: 'x'}, s: 1}, [7]]}",                       "{l: [{n: {i: 'y'}}, [8]]}",
     "[{\"path\":\"l\",\"propertyChangeType\":\"Array\",\"children\":["
     "{\"path\":\"0\",\"propertyChangeType\":\"Modify\",\"children\":[{\"path\":\"n.i\","
     "\"propertyChangeType\":\"Modify\",\"before\":\"x\",\"after\":\"y\"}]},"
     "{\"path\":\"1\",\"propertyChangeType\":\"Array\",\"children\":[{\"path\":\"0\","
     "\"propertyChangeType\":\"Modify\",\"before\":7,\"after\":8}]}]}]"                        },
    {"{a: 'x'}",                                              "{a: '*****', b: '*****'}",  "[]"},
};

static void test_deltas(void)
{
    for (size_t i = 0; i < ARRAY_LEN(deltas); i++) {
        json_t *before, *after;
        struct op op;

        op_init(&op);
        CU_ASSERT_EQUAL_FATAL(lenient_parse(&op, BYTES(deltas[i].before), &before), OK);
        CU_ASSERT_EQUAL_FATAL(lenient_parse(&op, BYTES(deltas[i].after), &after), OK);
        CU_ASSERT_STRING_EQUAL(json_text_of(&op, deployment_delta(&op, before, after)),
                               deltas[i].delta);
        op_free(&op);
    }
}

static void test_duration(void)
{
    struct op op;

    op_init(&op);
    CU_ASSERT_STRING_EQUAL(deployment_duration(&op, 2), "PT0.002S");
    CU_ASSERT_STRING_EQUAL(deployment_duration(&op, 62500), "PT1M2.500S");
    CU_ASSERT_STRING_EQUAL(deployment_duration(&op, 3600000), "PT1H0M0.000S");
    op_free(&op);
}

CU_TestInfo api_deployment_tests[] = {
    {"a life",                   test_life     },
    {"the oldest are forgotten", test_history  },
    {"who works on what",        test_adoption },
    {"steps",                    test_steps    },
    {"the same plan each time",  test_same_plan},
    {"what is named",            test_names    },
    {"what is there",            test_there    },
    {"what would change",        test_deltas   },
    {"how long it took",         test_duration },
    CU_TEST_INFO_NULL,
};
