#include "core/inside.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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

static enum fault of_a_file(struct call *c)
{
    int fd = memfd_create("file", MFD_CLOEXEC);

    CU_ASSERT_EQUAL_FATAL(write(fd, "content", 7), 7);
    return reply_file(c, "text/plain", fd, 7);
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
    {GET,"/file", 0, CALL, of_a_file, ""},
    {GET,          "/stream", 0, STREAM, say, ""},
    {0           },
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

static void test_files(void)
{
    const struct inside file = {.method = GET, .target = "/file"},
                        memory = {.method = GET, .target = "/say/x"};
    struct bytes content;
    struct call *c;

    begin();
    c = call_inside(t.outer, &file);
    CU_ASSERT_EQUAL(inside_body(c).len, 0);
    CU_ASSERT_EQUAL(inside_read(&t.outer->op, c, 6, &content), TOO_LARGE);
    op_clear_fault(&t.outer->op);
    CU_ASSERT_EQUAL_FATAL(inside_read(&t.outer->op, c, 7, &content), OK);
    call_free(c);
    CU_ASSERT_EQUAL(content.len, 7);
    CU_ASSERT_NSTRING_EQUAL(content.data, "content", 7);
    c = call_inside(t.outer, &memory);
    CU_ASSERT_EQUAL_FATAL(inside_read(&t.outer->op, c, 1, &content), OK);
    CU_ASSERT_EQUAL(content.len, inside_body(c).len);
    call_free(c);
    end();
}

/* Nobody's request: host, client and correlation are as they were kept. */
static void test_alone(void)
{
    struct inside_origin origin = {
        .host = "there:2", .client = "::1", .correlation_id = "kept", .tls = true};
    struct inside asked = {.method = PUT, .target = "/say/x", .body = BYTES("b"), .vouched = "me"};
    struct call *c;
    struct op op;

    begin();
    op_init(&op);
    c = call_alone(&op, &origin, &asked);
    CU_ASSERT_EQUAL(c->reply.status, 200);
    CU_ASSERT_STRING_EQUAL(inside_header(c, "x-ms-correlation-request-id"), "kept");
    CU_ASSERT_STRING_EQUAL(c->client, "::1");
    CU_ASSERT(strncmp(c->base_url, "https://there:2", 15) == 0);
    CU_ASSERT_NSTRING_EQUAL(inside_body(c).data, "v - - b", 7);
    CU_ASSERT_PTR_NULL(inside_json(&op, c));
    asked.target = "/late";
    asked.method = GET;
    asked.body = (struct bytes){0};
    c = call_alone(&op, &origin, &asked); /* waits for one that parks */
    CU_ASSERT_EQUAL(c->reply.status, 202);
    pthread_join(completer, NULL);
    op_free(&op);
    end();
}

CU_TestInfo core_inside_tests[] = {
    {"in the background", test_alone  },
    {"answers",           test_answers},
    {"faults",            test_faults },
    {"parked handlers",   test_parked },
    {"files",             test_files  },
    CU_TEST_INFO_NULL,
};
