#include "core/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/json.h"

#define INLINE_MAX ((size_t)48 << 10) /* well below a socket's default send buffer */

/* Before each message. A body that is not inline is in the first descriptor. */
struct head {
    unsigned magic, body_bytes;
    unsigned in_memfd; /* 0 or 1 */
};
#define MAGIC 0x53444d31u

/* ---- sending ---- */

static enum fault put_in_memfd(struct op *op, const char *text, size_t len, int *ret_fd)
{
    int fd = memfd_create("message", MFD_CLOEXEC);
    size_t done = 0;

    while (fd >= 0 && done < len) {
        ssize_t n = write(fd, text + done, len - done);

        if (n < 0 && errno != EINTR) {
            close(fd);
            fd = -1;
        } else if (n > 0) {
            done += (size_t)n;
        }
    }
    if (fd < 0)
        return fail(op, UNAVAILABLE, "a message cannot be kept: %s", strerror(errno));
    *ret_fd = fd;
    return OK;
}

static enum fault send_parts(struct op *op, int socket, struct head *head, const char *text,
                             const int *fds, size_t n_fds)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int) * (MESSAGE_FDS_MAX + 1))];
    } control = {0};
    struct iovec parts[2] = {
        {head,         sizeof(*head)                        },
        {(void *)text, head->in_memfd ? 0 : head->body_bytes}
    };
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

    if (n_fds > 0) {
        struct cmsghdr *c;

        message.msg_control = control.room;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
        c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
    }
    while (sendmsg(socket, &message, MSG_NOSIGNAL) < 0)
        if (errno != EINTR)
            return fail(op, UNAVAILABLE, "a message cannot be sent: %s", strerror(errno));
    return OK;
}

enum fault message_send(struct op *op, int socket, const json_t *body, const int *fds, size_t n_fds)
{
    char *text = body ? json_dumps(body, JSON_COMPACT) : strdup("{}");
    struct head head = {.magic = MAGIC};
    int all[MESSAGE_FDS_MAX + 1], memfd = -1;
    enum fault fault = OK;
    size_t len = text ? strlen(text) : 0;

    if (!text || len > MESSAGE_BODY_MAX || n_fds > MESSAGE_FDS_MAX) {
        free(text);
        return fail(op, TOO_LARGE, "a message is too large");
    }
    head.body_bytes = (unsigned)len;
    head.in_memfd = len > INLINE_MAX;
    if (head.in_memfd)
        fault = put_in_memfd(op, text, len, &memfd);
    if (fault == OK) {
        all[0] = memfd;
        for (size_t i = 0; i < n_fds; i++)
            all[i + head.in_memfd] = fds[i];
        fault = send_parts(op, socket, &head, text, all, n_fds + head.in_memfd);
    }
    if (memfd >= 0)
        close(memfd);
    free(text);
    return fault;
}

/* ---- receiving ---- */

static void take_fds(struct msghdr *message, int *fds, size_t *n_fds)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        memcpy(fds + *n_fds, CMSG_DATA(c), n * sizeof(int));
        *n_fds += n;
    }
}

static enum fault read_memfd(struct op *op, int fd, size_t len, char **ret)
{
    char *text = arena_alloc(&op->arena, len + 1);
    size_t done = 0;

    while (done < len) {
        ssize_t n = pread(fd, text + done, len - done, (off_t)done);

        if (n == 0 || (n < 0 && errno != EINTR))
            return fail(op, INVALID, "a message is cut off");
        if (n > 0)
            done += (size_t)n;
    }
    *ret = text;
    return OK;
}

static enum fault read_body(struct op *op, const struct head *head, char *inlined, size_t len,
                            const int *fds, size_t n_fds, json_t **ret)
{
    if (head->magic != MAGIC || head->body_bytes > MESSAGE_BODY_MAX ||
        (head->in_memfd ? n_fds < 1 : head->body_bytes != len))
        return fail(op, INVALID, "not a message of ours");
    if (head->in_memfd)
        TRY(read_memfd(op, fds[0], head->body_bytes, &inlined));
    TRY(json_parse(op, (struct bytes){inlined, head->body_bytes}, ret));
    return json_is_object(*ret) ? OK : fail(op, INVALID, "a message is no object");
}

enum fault message_receive(struct op *op, int socket, struct message *ret)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int) * (MESSAGE_FDS_MAX + 1))];
    } control;
    struct head head = {0};
    char *text = arena_alloc(&op->arena, INLINE_MAX + 1);
    struct iovec parts[2] = {
        {&head, sizeof(head)},
        {text,  INLINE_MAX  }
    };
    struct msghdr message = {.msg_iov = parts,
                             .msg_iovlen = 2,
                             .msg_control = control.room,
                             /* not room's size: the kernel would fill its padding, too */
                             .msg_controllen = CMSG_LEN(sizeof(int) * (MESSAGE_FDS_MAX + 1))};
    int fds[MESSAGE_FDS_MAX + 1];
    size_t n_fds = 0, skip;
    enum fault fault;
    ssize_t n;

    while ((n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
        ;
    ret->n_fds = 0;
    if (n <= 0)
        return fail(op, UNAVAILABLE, "the other side has ended");
    take_fds(&message, fds, &n_fds);
    skip = head.in_memfd != 0;
    if ((size_t)n < sizeof(head) || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ||
        n_fds > MESSAGE_FDS_MAX + skip)
        fault = fail(op, INVALID, "not a message of ours");
    else
        fault = read_body(op, &head, text, (size_t)n - sizeof(head), fds, n_fds, &ret->body);
    for (size_t i = 0; i < n_fds; i++)
        if (fault != OK || i < skip)
            close(fds[i]);
        else
            ret->fds[ret->n_fds++] = fds[i];
    return fault;
}

void message_close_fds(struct message *message)
{
    for (size_t i = 0; i < message->n_fds; i++)
        close(message->fds[i]);
    message->n_fds = 0;
}

/* ---- answers ---- */

enum fault message_answer(struct op *op, int socket, enum fault fault, json_t *body, const int *fds,
                          size_t n_fds)
{
    json_t *answer = json_object();

    arena_defer(&op->arena, (void (*)(void *))json_decref, answer);
    json_object_set_new(answer, "fault", json_integer(fault));
    if (fault == OK)
        json_object_set(answer, "answer", body);
    else
        json_object_set_new(answer, "message", json_string(op->message ? op->message : ""));
    if (fault != OK && op->noun)
        json_object_set_new(answer, "noun", json_string(op->noun));
    return message_send(op, socket, answer, fds, fault == OK ? n_fds : 0);
}

enum fault message_call(struct op *op, int socket, const json_t *body, const int *fds, size_t n_fds,
                        struct message *ret)
{
    int64_t fault = INTERNAL;
    const char *text = "", *noun = NULL;
    json_t *answer;

    TRY(message_send(op, socket, body, fds, n_fds));
    TRY(message_receive(op, socket, ret));
    fault = json_integer_value(json_object_get(ret->body, "fault"));
    if (fault == OK) {
        answer = json_object_get(ret->body, "answer");
        if (!answer) {
            answer = json_object();
            json_object_set_new(ret->body, "answer", answer);
        }
        ret->body = answer; /* lives as long as what holds it: op's arena */
        return OK;
    }
    message_close_fds(ret);
    if (fault < 0 || fault >= FAULT_COUNT)
        return fail(op, INTERNAL, "an answer makes no sense");
    (void)message_text(op, ret->body, "message", 4096, false, &text);
    (void)message_text(op, ret->body, "noun", 64, false, &noun);
    return fail_on(op, noun, (enum fault)fault, "%s", text);
}

/* ---- members ---- */

static enum fault wrong(struct op *op, const char *member, const char *what)
{
    return fail_on(op, member, INVALID, "%s: %s", member, what);
}

enum fault message_text(struct op *op, const json_t *body, const char *member, size_t max,
                        bool required, const char **ret)
{
    const json_t *value = json_object_get(body, member);

    if (!value)
        return required ? wrong(op, member, "is missing") : OK;
    if (!json_is_string(value))
        return wrong(op, member, "is not a text");
    if (json_string_length(value) > max)
        return wrong(op, member, "is too long");
    if (strlen(json_string_value(value)) != json_string_length(value))
        return wrong(op, member, "holds a NUL");
    *ret = json_string_value(value);
    return OK;
}

enum fault message_int(struct op *op, const json_t *body, const char *member, int64_t min,
                       int64_t max, int64_t *ret)
{
    const json_t *value = json_object_get(body, member);

    if (!value)
        return OK;
    if (!json_is_integer(value) || json_integer_value(value) < min ||
        json_integer_value(value) > max)
        return wrong(op, member, "is out of range");
    *ret = json_integer_value(value);
    return OK;
}

enum fault message_bool(struct op *op, const json_t *body, const char *member, bool *ret)
{
    const json_t *value = json_object_get(body, member);

    if (!value)
        return OK;
    if (!json_is_boolean(value))
        return wrong(op, member, "is neither true nor false");
    *ret = json_is_true(value);
    return OK;
}

enum fault message_texts(struct op *op, const json_t *body, const char *member, size_t max_each,
                         size_t max_n, const char *const **ret, size_t *ret_n)
{
    const json_t *list = json_object_get(body, member);
    size_t n = json_array_size(list);
    const char **texts = arena_alloc(&op->arena, (n + 1) * sizeof(*texts));

    if (list && !json_is_array(list))
        return wrong(op, member, "is not a list");
    if (n > max_n)
        return wrong(op, member, "holds too many");
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_array_get(list, i);

        if (!json_is_string(value) || json_string_length(value) > max_each ||
            strlen(json_string_value(value)) != json_string_length(value))
            return wrong(op, member, "holds what is no text, or too long");
        texts[i] = json_string_value(value);
    }
    *ret = texts;
    if (ret_n)
        *ret_n = n;
    return OK;
}
