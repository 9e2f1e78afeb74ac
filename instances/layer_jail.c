/*
 * The process that unpacks. It reads bytes from strangers as root, since files of a layer have
 * owners and attributes that only root can give; so it has changed its root to the new tree, has
 * closed everything else, and keeps only the capabilities that making files takes. Marking opaque
 * folders takes CAP_SYS_ADMIN (trusted.*): that is left to the process that waits for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <locale.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/message.h"
#include "instances/layer_root.h"
#include "instances/unpack.h"

#define LAYER_BYTES_MAX   ((int64_t)256 << 30)
#define LAYER_ENTRIES_MAX 2000000

#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCH AUDIT_ARCH_AARCH64
#endif

/* In case the parsers are made to run somebody's code: no network, no programs, no kernel doors. */
static int refuse_calls(void)
{
#ifdef THIS_ARCH
    static const unsigned refused[] = {
        SYS_socket,
        SYS_socketpair,
        SYS_connect,
        SYS_bind,
        SYS_listen,
        SYS_accept4,
        SYS_execve,
        SYS_execveat,
        SYS_ptrace,
        SYS_process_vm_readv,
        SYS_process_vm_writev,
        SYS_mount,
        SYS_umount2,
        SYS_unshare,
        SYS_setns,
        SYS_bpf,
        SYS_keyctl,
        SYS_add_key,
        SYS_request_key,
        SYS_perf_event_open,
        SYS_userfaultfd,
        SYS_init_module,
        SYS_finit_module,
        SYS_kexec_load,
        SYS_reboot,
        SYS_swapon,
        SYS_chroot,
        SYS_pivot_root,
        SYS_io_uring_setup,
    };
    const size_t n = ARRAY_LEN(refused);
    struct sock_filter code[ARRAY_LEN(refused) + 6];
    struct sock_fprog program = {(unsigned short)ARRAY_LEN(code), code};
    size_t at = 0;

    code[at++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCH, 1, 0);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    code[at++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < n; i++)
        code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, refused[i],
                                                  (unsigned char)(n - i), 0);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    program.len = (unsigned short)at;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
#else
    return 0;
#endif
}

static int keep_capabilities(void)
{
    static const unsigned keep[] = {CAP_CHOWN,  CAP_DAC_OVERRIDE, CAP_FOWNER,
                                    CAP_FSETID, CAP_MKNOD,        CAP_SETFCAP};
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct had[2], data[2] = {0};

    if (syscall(SYS_capget, &head, had) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(keep); i++)
        data[keep[i] / 32].permitted |= had[keep[i] / 32].permitted & (1u << keep[i] % 32);
    for (size_t i = 0; i < 2; i++)
        data[i].effective = data[i].permitted;
    return (int)syscall(SYS_capset, &head, data);
}

/* Descriptors other than these are closed: a folder's would be a way out. */
static void close_others(int a, int b, int c)
{
    int keep[] = {2, a, b, c}, from = 0;

    for (size_t i = 0; i < ARRAY_LEN(keep); i++)
        for (size_t k = i + 1; k < ARRAY_LEN(keep); k++)
            if (keep[k] < keep[i]) {
                int swap = keep[i];

                keep[i] = keep[k];
                keep[k] = swap;
            }
    for (size_t i = 0; i < ARRAY_LEN(keep); i++) {
        if (keep[i] > from)
            close_range((unsigned)from, (unsigned)keep[i] - 1, 0);
        from = keep[i] + 1;
    }
    close_range((unsigned)from, ~0u, 0);
}

static enum fault lock_in(struct op *op, int root)
{
    setlocale(LC_CTYPE, "C.UTF-8"); /* libarchive converts names of pax headers */
    umask(0);
    if (fchdir(root) < 0 || chroot(".") < 0)
        return fail(op, UNAVAILABLE, "the root cannot be changed: %s", strerror(errno));
    if (setgroups(0, NULL) < 0 || keep_capabilities() < 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || refuse_calls() < 0)
        return fail(op, UNAVAILABLE, "privileges cannot be given up: %s", strerror(errno));
    return OK;
}

static enum fault write_opaque(struct op *op, int fd, const struct unpack_marks *opaque)
{
    struct text text;

    text_init(&text, &op->arena, (size_t)1 << 30);
    for (size_t i = 0; i < opaque->n; i++)
        text_add(&text, opaque->marks[i].path, strlen(opaque->marks[i].path) + 1);
    for (size_t at = 0; at < text.len;) {
        ssize_t n = write(fd, text.data + at, text.len - at);

        if (n < 0 && errno != EINTR)
            return fail(op, UNAVAILABLE, "its folders cannot be told: %s", strerror(errno));
        at += n > 0 ? (size_t)n : 0;
    }
    return OK;
}

static enum fault unpack_here(struct op *op, const struct settings *settings, const char *diff_id,
                              int blob, int root, int opaque_fd)
{
    const struct unpack_limits limits = {LAYER_BYTES_MAX, LAYER_ENTRIES_MAX,
                                         settings->free_space_reserve};
    struct unpack_marks opaque = {0};

    TRY(lock_in(op, root));
    TRY(unpack_layer(op, blob, diff_id, &limits, root, &opaque));
    return write_opaque(op, opaque_fd, &opaque);
}

static void child(const struct settings *settings, const char *diff_id, int blob, int root,
                  int answer)
{
    AUTO_CLOSE int opaque = -1;
    struct op op;
    enum fault fault;

    op_init(&op);
    close_others(blob, root, answer);
    opaque = memfd_create("opaque", MFD_CLOEXEC);
    fault = opaque < 0 ? fail(&op, UNAVAILABLE, "there is no memory to unpack")
                       : unpack_here(&op, settings, diff_id, blob, root, opaque);
    if (message_answer(&op, answer, fault, NULL, &opaque, 1) != OK)
        _exit(1);
    _exit(0);
}

/* What message_call does, without asking. */
static enum fault wait_answer(struct op *op, int socket, int *ret_opaque)
{
    struct message answer = {0};
    int64_t fault = INTERNAL;
    const char *text = "it could not be unpacked", *noun = NULL;

    if (message_receive(op, socket, &answer) != OK)
        return fail(op, INTERNAL, "the process that unpacked it died");
    (void)message_int(op, answer.body, "fault", OK, FAULT_COUNT - 1, &fault);
    if (fault == OK && answer.n_fds == 1) {
        *ret_opaque = answer.fds[0];
        return OK;
    }
    message_close_fds(&answer);
    (void)message_text(op, answer.body, "message", 4096, false, &text);
    (void)message_text(op, answer.body, "noun", 64, false, &noun);
    return fail_on(op, noun, fault == OK ? INTERNAL : (enum fault)fault, "%s", text);
}

enum fault layer_unpack_jailed(struct op *op, const struct settings *settings, const char *diff_id,
                               int blob, int root, int *ret_opaque)
{
    enum fault fault;
    int pair[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return fail(op, UNAVAILABLE, "cannot make a socket pair: %s", strerror(errno));
    pid = fork();
    if (pid == 0)
        child(settings, diff_id, blob, root, pair[1]);
    close(pair[1]);
    fault = pid < 0 ? fail(op, UNAVAILABLE, "cannot fork: %s", strerror(errno))
                    : wait_answer(op, pair[0], ret_opaque);
    close(pair[0]);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return fault;
}
