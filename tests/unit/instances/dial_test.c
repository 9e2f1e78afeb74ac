#include "instances/dial.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#define FILLERS 8

/* A listener that answers no further connection: its queue is full. */
struct deaf {
    int listener, fillers[FILLERS], port;
};

static int new_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    CU_ASSERT_FATAL(fd >= 0);
    return fd;
}

static void deaf_begin(struct deaf *d)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);

    d->listener = new_socket();
    CU_ASSERT_EQUAL_FATAL(bind(d->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    CU_ASSERT_EQUAL_FATAL(listen(d->listener, 0), 0);
    CU_ASSERT_EQUAL_FATAL(getsockname(d->listener, (struct sockaddr *)&address, &len), 0);
    d->port = ntohs(address.sin_port);
    for (int i = 0; i < FILLERS; i++) {
        d->fillers[i] = new_socket();
        (void)!connect(d->fillers[i], (struct sockaddr *)&address, sizeof(address));
    }
}

static void deaf_end(struct deaf *d)
{
    for (int i = 0; i < FILLERS; i++)
        close(d->fillers[i]);
    close(d->listener);
}

static void test_what_is_cancelled_or_late(void)
{
    static const struct {
        int64_t timeout_ms;
        bool cancelled;
        const char *end; /* of the message */
    } cases[] = {
        {20000, true,  "operation was canceled"},
        {10,    false, "i/o timeout"           },
        {250,   false, "i/o timeout"           },
    };
    struct deaf deaf;

    deaf_begin(&deaf);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct op op;
        int fd = -1;

        op_init(&op);
        op.cancelled = cases[i].cancelled;
        CU_ASSERT_EQUAL(dial(&op, new_socket(), "127.0.0.1", deaf.port, cases[i].timeout_ms, &fd),
                        UNAVAILABLE);
        CU_ASSERT_EQUAL(fd, -1);
        CU_ASSERT_PTR_NOT_NULL_FATAL(op.message);
        CU_ASSERT_PTR_NOT_NULL(strstr(op.message, cases[i].end));
        op_free(&op);
    }
    deaf_end(&deaf);
}

CU_TestInfo instances_dial_tests[] = {
    {"what is cancelled, or comes too late", test_what_is_cancelled_or_late},
    CU_TEST_INFO_NULL,
};
