#include "core/message.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static void pair(int fds[2])
{
    CU_ASSERT_EQUAL(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
}

static void send_and_receive(size_t size)
{
    char *text = malloc(size + 1);
    struct message got = {0};
    const char *there = NULL;
    int fds[2], pipe_fds[2];
    struct op op;
    json_t *body;
    char byte;

    op_init(&op);
    pair(fds);
    CU_ASSERT_EQUAL(pipe(pipe_fds), 0);
    memset(text, 'x', size);
    text[size] = '\0';
    body = json_pack("{s:s}", "text", text);
    CU_ASSERT_EQUAL(message_send(&op, fds[0], body, &pipe_fds[1], 1), OK);
    CU_ASSERT_EQUAL(message_receive(&op, fds[1], &got), OK);
    CU_ASSERT_EQUAL(message_text(&op, got.body, "text", size, true, &there), OK);
    CU_ASSERT_STRING_EQUAL(there, text);
    CU_ASSERT_EQUAL(got.n_fds, 1);
    CU_ASSERT_EQUAL(write(got.fds[0], "y", 1), 1);
    CU_ASSERT_EQUAL(read(pipe_fds[0], &byte, 1), 1);
    message_close_fds(&got);
    json_decref(body);
    free(text);
    for (int i = 0; i < 2; i++) {
        close(fds[i]);
        close(pipe_fds[i]);
    }
    op_free(&op);
}

static void test_small_and_big(void)
{
    send_and_receive(10);
    send_and_receive(3 << 20);
}

static void test_an_end_and_rubbish(void)
{
    struct message got = {0};
    struct op op;
    int fds[2];

    op_init(&op);
    pair(fds);
    CU_ASSERT_EQUAL(write(fds[0], "rubbish that is no message", 26), 26);
    CU_ASSERT_EQUAL(message_receive(&op, fds[1], &got), INVALID);
    CU_ASSERT_EQUAL(write(fds[0], "x", 1), 1);
    CU_ASSERT_EQUAL(message_receive(&op, fds[1], &got), INVALID);
    close(fds[0]);
    CU_ASSERT_EQUAL(message_receive(&op, fds[1], &got), UNAVAILABLE);
    close(fds[1]);
    op_free(&op);
}

/* A message with n descriptors of a pipe, as a sender who obeys no limit would make it. */
static enum fault receive_with(size_t n)
{
    struct {
        unsigned magic, body_bytes, in_memfd;
    } head = {0x53444d31u, 2, 0};
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int) * 64)];
    } control = {0};
    struct iovec parts[2] = {
        {&head, sizeof(head)},
        {"{}",  2           }
    };
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2, .msg_control = control.room};
    struct cmsghdr *c = (struct cmsghdr *)control.room;
    struct {
        struct message message;
        int after[4];
    } got = {
        .after = {-7, -7, -7, -7}
    };
    int fds[2], pipe_fds[2];
    enum fault fault;
    struct op op;

    op_init(&op);
    pair(fds);
    CU_ASSERT_EQUAL(pipe(pipe_fds), 0);
    message.msg_controllen = c->cmsg_len = CMSG_LEN(sizeof(int) * n);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    for (size_t i = 0; i < n; i++)
        memcpy(CMSG_DATA(c) + i * sizeof(int), &pipe_fds[1], sizeof(int));
    CU_ASSERT_TRUE(sendmsg(fds[0], &message, 0) > 0);
    fault = message_receive(&op, fds[1], &got.message);
    CU_ASSERT_EQUAL(got.message.n_fds, fault == OK ? n : 0);
    message_close_fds(&got.message);
    for (size_t i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(got.after[i], -7);
    close(pipe_fds[1]);
    CU_ASSERT_EQUAL(read(pipe_fds[0], &(char){0}, 1), 0); /* none of them is left open */
    close(pipe_fds[0]);
    close(fds[0]);
    close(fds[1]);
    op_free(&op);
    return fault;
}

static void test_too_many_descriptors(void)
{
    CU_ASSERT_EQUAL(receive_with(MESSAGE_FDS_MAX), OK);
    CU_ASSERT_EQUAL(receive_with(MESSAGE_FDS_MAX + 1), INVALID);
    CU_ASSERT_EQUAL(receive_with(MESSAGE_FDS_MAX + 2), INVALID);
    CU_ASSERT_EQUAL(receive_with(MESSAGE_FDS_MAX + 3), INVALID);
    CU_ASSERT_EQUAL(receive_with(64), INVALID);
}

static void test_members(void)
{
    json_t *body = json_pack("{s:s,s:i,s:b,s:[s,s],s:[i]}", "text", "abc", "number", 7, "yes", 1,
                             "list", "a", "b", "wrong", 1);
    const char *text = NULL;
    const char *const *texts;
    int64_t number = -1;
    bool yes = false;
    struct op op;
    size_t n;

    op_init(&op);
    CU_ASSERT_EQUAL(message_text(&op, body, "text", 3, true, &text), OK);
    CU_ASSERT_EQUAL(message_text(&op, body, "text", 2, true, &text), INVALID);
    CU_ASSERT_EQUAL(message_text(&op, body, "none", 2, true, &text), INVALID);
    CU_ASSERT_EQUAL(message_text(&op, body, "number", 20, true, &text), INVALID);
    CU_ASSERT_EQUAL(message_int(&op, body, "number", 0, 7, &number), OK);
    CU_ASSERT_EQUAL(number, 7);
    CU_ASSERT_EQUAL(message_int(&op, body, "number", 0, 6, &number), INVALID);
    CU_ASSERT_EQUAL(message_int(&op, body, "none", 0, 6, &number), OK);
    CU_ASSERT_EQUAL(message_bool(&op, body, "yes", &yes), OK);
    CU_ASSERT_TRUE(yes);
    CU_ASSERT_EQUAL(message_texts(&op, body, "list", 1, 2, &texts, &n), OK);
    CU_ASSERT_EQUAL(n, 2);
    CU_ASSERT_PTR_NULL(texts[2]);
    CU_ASSERT_EQUAL(message_texts(&op, body, "list", 1, 1, &texts, &n), INVALID);
    CU_ASSERT_EQUAL(message_texts(&op, body, "wrong", 1, 1, &texts, &n), INVALID);
    json_decref(body);
    op_free(&op);
}

CU_TestInfo core_message_tests[] = {
    {"small and big",        test_small_and_big       },
    {"an end and rubbish",   test_an_end_and_rubbish  },
    {"too many descriptors", test_too_many_descriptors},
    {"members",              test_members             },
    CU_TEST_INFO_NULL,
};
