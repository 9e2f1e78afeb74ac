#include <pthread.h>
#include <string.h>

#include "core/inside.h"
#include "core/loop.h"
#include "core/server.h"
#include "core/stream.h"
#include "tests/unit/unit.h"

#define PIECE 65536

/* ---- a service that goes on ---- */

static pthread_t speaker;
static atomic_bool closed;

static void on_close(struct stream *stream)
{
    (void)stream;
    atomic_store(&closed, true);
}

static struct stream *open(struct call *c)
{
    struct stream *s = stream_open(c, 200);

    atomic_store(&closed, false);
    s->on_close = on_close;
    return s;
}

static void *say_much(void *stream)
{
    struct stream *s = stream;
    char piece[PIECE];

    for (int i = 0; i < 40; i++) {
        memset(piece, 'a' + i % 26, sizeof(piece));
        while (stream_queued(s) > PIECE)
            sched_yield();
        stream_send(s, (struct bytes){piece, sizeof(piece)});
    }
    stream_send(s, BYTES("end"));
    stream_end(s);
    stream_release(s);
    return NULL;
}

static void *say_little(void *stream)
{
    struct stream *s = stream;

    stream_send(s, BYTES("one "));
    sched_yield();
    stream_send(s, BYTES("two"));
    stream_end(s);
    stream_release(s);
    return NULL;
}

static enum fault little(struct call *c)
{
    pthread_create(&speaker, NULL, say_little, open(c));
    return OK;
}

static enum fault much(struct call *c)
{
    pthread_create(&speaker, NULL, say_much, open(c));
    return OK;
}

/* Never said again, never ended. */
static enum fault endless(struct call *c)
{
    struct stream *s = open(c);

    stream_send(s, BYTES("so far"));
    stream_release(s);
    return OK;
}

static enum fault whole(struct call *c)
{
    return reply_bytes(c, 200, "text/plain", BYTES("whole"));
}

static enum fault failing(struct call *c)
{
    stream_release(open(c));
    return fail(&c->op, CONFLICT, "not now");
}

static const struct route routes[] = {
    {GET,      "/little", 0, WATCH, little, ""},
    {GET,       "/much", 0, WATCH, much, ""},
    {GET,  "/endless", 0, WATCH, endless, ""},
    {GET,        "/whole", 0, WATCH, whole, ""},
    {GET,"/failing", 0, WATCH, failing, ""},
    {GET,   "/duplex", 0, STREAM, whole, ""},
    {0     },
};
static const struct service service = {.name = "spoken", .routes = routes};
static const struct service *const services[] = {&service, NULL};

static struct {
    struct loop loop;
    struct call *outer;
    const struct service *const *before;
    const struct settings *settings;
} t;

static struct call *ask(const char *target)
{
    const struct inside asked = {.method = GET, .target = target};

    t.before = all_services;
    t.settings = server_settings;
    all_services = services;
    server_settings = unit_settings();
    t.outer = call_new(&t.loop, NULL, NULL);
    t.outer->host = "here:1";
    t.outer->correlation_id = "c";
    return call_inside(t.outer, &asked);
}

static void end(struct call *c)
{
    call_free(c);
    call_free(t.outer);
    all_services = t.before;
    server_settings = t.settings;
}

/* ---- what is heard of it ---- */

static void test_to_its_end(void)
{
    struct call *c = ask("/little");

    pthread_join(speaker, NULL);
    CU_ASSERT_EQUAL(c->reply.status, 200);
    CU_ASSERT_EQUAL(inside_body(c).len, 7);
    CU_ASSERT_NSTRING_EQUAL(inside_body(c).data, "one two", 7);
    CU_ASSERT_TRUE(closed);
    end(c);
}

static void test_the_end_of_much(void)
{
    struct call *c = ask("/much");
    struct bytes body = inside_body(c);

    pthread_join(speaker, NULL);
    CU_ASSERT_TRUE(body.len > (size_t)512 << 10 && body.len <= (size_t)1 << 20);
    CU_ASSERT_NSTRING_EQUAL((const char *)body.data + body.len - 4, "nend", 4);
    end(c);
}

static void test_for_a_while(void)
{
    int64_t before = now_ms();
    struct call *c = ask("/endless");

    CU_ASSERT_NSTRING_EQUAL(inside_body(c).data, "so far", 6);
    CU_ASSERT_TRUE(now_ms() - before >= 1900);
    CU_ASSERT_TRUE(closed);
    end(c);
}

static void test_others(void)
{
    static const struct {
        const char *target;
        int status;
    } cases[] = {
        {"/whole",   200},
        {"/failing", 409},
        {"/duplex",  501},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct call *c = ask(cases[i].target);

        CU_ASSERT_EQUAL(c->reply.status, cases[i].status);
        CU_ASSERT_PTR_NULL(c->stream);
        end(c);
    }
}

CU_TestInfo core_inside_stream_tests[] = {
    {"heard to its end",          test_to_its_end     },
    {"the end of much",           test_the_end_of_much},
    {"heard for a while",         test_for_a_while    },
    {"whole, failing and duplex", test_others         },
    CU_TEST_INFO_NULL,
};
