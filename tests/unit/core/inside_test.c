#include "core/inside.h"

#include <pthread.h>
#include <string.h>

#include "core/loop.h"
#include "core/server.h"
#include "tests/unit/unit.h"

/* ---- a service that says what it was asked ---- */

static enum fault authorise(struct call *c, bool may_block)
{
    (void)may_block;
    return c->vouched ? OK : fail(&c->op, UNAUTHENTICATED, "nobody vouches for you");
}

static enum fault say(struct call *c)
{
    const char *type = call_header(c, "content-type");

    reply_header(c, "X-Said", "%s", c->path_args[0]);
    return reply_bytes(c, 200, "text/plain",
                       BYTES(arena_printf(&c->op.arena, "%s %s %s %.*s", c->vouched ? "v" : "-",
                                          c->realm ? c->realm : "-", type ? type : "-",
                                          (int)c->body.len, (const char *)c->body.data)));
}

static void *complete(void *call)
{
    call_complete(call, OK);
    return NULL;
}

static pthread_t completer;

static void park(struct call *c)
{
    pthread_create(&completer, NULL, complete, c);
}

static enum fault late(struct call *c)
{
    reply_empty(c, 202);
    return call_park(c, park);
}

static enum fault refused(struct call *c)
{
    return fail(&c->op, CONFLICT, "not now");
}

static const struct route routes[] = {
    {GET,            "/say/{word}", 0, CALL, say, ""},
    {PUT,             "/say/{word}", 1, CALL, say, "", .body_max = 8},
    {GET,           "/late", 0, CALL, late, ""},
    {GET,              "/refused", 0, CALL, refused, ""},
    {GET,"/stream", 0, STREAM, say, ""},
    {0         },
};
static const struct service service = {.name = "said", .routes = routes, .authorise = authorise};
static const struct service *const services[] = {&service, NULL};

static struct {
    struct loop loop;
    struct call *outer;
    const struct service *const *before;
    const struct settings *settings;
} t;

static void begin(void)
{
    t.before = all_services;
    t.settings = server_settings;
    all_services = services;
    server_settings = unit_settings();
    t.outer = call_new(&t.loop, NULL, NULL);
    t.outer->host = "here:1";
    t.outer->correlation_id = "c";
}

static void end(void)
{
    call_free(t.outer);
    CU_ASSERT_EQUAL(t.loop.n_calls, 0);
    all_services = t.before;
    server_settings = t.settings;
}

static void test_answers(void)
{
    static const struct header type[] = {
        {"content-type", "text/x"},
        {0             },
    };
    const struct inside get = {.method = GET, .target = "/say/a%20b?x=1"};
    const struct inside put = {
        .method = PUT, .target = "/say/c", .headers = type, .body = BYTES("body"), .vouched = &t};
    struct call *c;

    begin();
    c = call_inside(t.outer, &get);
    CU_ASSERT_EQUAL(c->reply.status, 200);
    CU_ASSERT_STRING_EQUAL(inside_header(c, "x-said"), "a b");
    CU_ASSERT_NSTRING_EQUAL(inside_body(c).data, "- - - ", 6);
    call_free(c);
    c = call_inside(t.outer, &put);
    CU_ASSERT_EQUAL(c->reply.status, 200);
    CU_ASSERT_NSTRING_EQUAL(inside_body(c).data, "v - text/x body", 15);
    call_free(c);
    end();
}

static void test_faults(void)
{
    static const struct {
        struct inside asked;
        int status;
        enum fault fault;
    } cases[] = {
        {{.method = GET, .target = "/nothing"},                                         404, NOT_FOUND      },
        {{.method = POST, .target = "/say/x"},                                          405, INVALID        },
        {{.method = PUT, .target = "/say/x"},                                           401, UNAUTHENTICATED},
        {{.method = PUT, .target = "/say/x", .body = {"123456789", 9}, .vouched = "x"},
         413,                                                                                TOO_LARGE      },
        {{.method = GET, .target = "/refused"},                                         409, CONFLICT       },
        {{.method = GET, .target = "/stream"},                                          501, UNSUPPORTED    },
        {{.method = GET, .target = "no/slash"},                                         400, INVALID        },
    };

    begin();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct call *c = call_inside(t.outer, &cases[i].asked);

        CU_ASSERT_EQUAL(c->reply.status, cases[i].status);
        CU_ASSERT_EQUAL(c->op.fault, cases[i].fault);
        call_free(c);
    }
    end();
}

/* A handler that parks is completed by another thread: that is waited for. */
static void test_parked(void)
{
    const struct inside asked = {.method = GET, .target = "/late"};
    struct call *c;

    begin();
    c = call_inside(t.outer, &asked);
    CU_ASSERT_EQUAL(c->reply.status, 202);
    pthread_join(completer, NULL);
    call_free(c);
    end();
}

CU_TestInfo core_inside_tests[] = {
    {"answers",         test_answers},
    {"faults",          test_faults },
    {"parked handlers", test_parked },
    CU_TEST_INFO_NULL,
};
