#include "instances/seccomp.h"

#include <sched.h>
#include <string.h>
#include <sys/socket.h>

#include "core/json.h"

/* Names that libseccomp does not know on this machine are left out by the runtime. */
static const char always[] =
    "accept accept4 access adjtimex alarm arch_prctl bind brk cachestat capget capset chdir chmod "
    "chown chown32 clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime "
    "clock_gettime64 clock_nanosleep clock_nanosleep_time64 close close_range connect "
    "copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old "
    "epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit "
    "exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark fchdir fchmod "
    "fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr "
    "flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate "
    "ftruncate64 futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake futimesat "
    "get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid getegid32 geteuid "
    "geteuid32 getgid getgid32 getgroups getgroups32 getitimer getpeername getpgid getpgrp getpid "
    "getppid getpriority getrandom getresgid getresgid32 getresuid getresuid32 getrlimit getrusage "
    "getsid getsockname getsockopt gettid gettimeofday getuid getuid32 getxattr getxattrat "
    "inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy "
    "io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit ioctl ioprio_get "
    "ioprio_set ipc kill landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown "
    "lchown32 lgetxattr link linkat listen listmount listxattr listxattrat llistxattr _llseek "
    "lremovexattr lseek lsetxattr lstat lstat64 madvise map_shadow_stack membarrier memfd_create "
    "memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap mmap2 mprotect "
    "mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend "
    "mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock "
    "munlockall munmap name_to_handle_at nanosleep newfstatat _newselect open openat openat2 pause "
    "pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll "
    "ppoll_time64 prctl pread64 preadv preadv2 prlimit64 process_mrelease pselect6 pselect6_time64 "
    "ptrace process_vm_readv process_vm_writev pwrite64 pwritev pwritev2 read readahead readlink "
    "readlinkat readv recv recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr "
    "removexattrat rename renameat renameat2 restart_syscall rmdir rseq rt_sigaction rt_sigpending "
    "rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait "
    "rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min "
    "sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval "
    "sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam "
    "sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop "
    "semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg sendto set_robust_list "
    "set_thread_area set_tid_address setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 "
    "setgroups setgroups32 setitimer setpgid setpriority setregid setregid32 setresgid setresgid32 "
    "setresuid setresuid32 setreuid setreuid32 setrlimit setsid setsockopt setuid setuid32 "
    "setxattr setxattrat shmat shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4 "
    "sigprocmask sigreturn socketcall socketpair splice stat stat64 statfs statfs64 statmount "
    "statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time timer_create "
    "timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 "
    "timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times "
    "tkill truncate truncate64 ugetrlimit umask uname unlink unlinkat uretprobe utime utimensat "
    "utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write writev";

/* What a capability opens besides. */
static const struct {
    const char *capability, *calls;
} with[] = {
    {"CAP_DAC_READ_SEARCH", "open_by_handle_at"                                          },
    {"CAP_SYS_ADMIN",       "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick "
                      "lookup_dcookie mount mount_setattr move_mount open_tree perf_event_open "
                      "quotactl quotactl_fd setdomainname sethostname setns syslog umount "
                      "umount2 unshare"                             },
    {"CAP_SYS_BOOT",        "reboot"                                                     },
    {"CAP_SYS_CHROOT",      "chroot"                                                     },
    {"CAP_SYS_MODULE",      "delete_module init_module finit_module"                     },
    {"CAP_SYS_PACCT",       "acct"                                                       },
    {"CAP_SYS_PTRACE",      "kcmp pidfd_getfd process_madvise"                           },
    {"CAP_SYS_RAWIO",       "iopl ioperm"                                                },
    {"CAP_SYS_TIME",        "settimeofday stime clock_settime clock_settime64"           },
    {"CAP_SYS_TTY_CONFIG",  "vhangup"                                                    },
    {"CAP_SYS_NICE",
     "get_mempolicy mbind set_mempolicy set_mempolicy_home_node move_pages migrate_pages"},
    {"CAP_SYSLOG",          "syslog"                                                     },
    {"CAP_BPF",             "bpf"                                                        },
    {"CAP_PERFMON",         "perf_event_open"                                            },
};

static bool has(const char *const *capabilities, const char *name)
{
    for (; *capabilities; capabilities++)
        if (strcmp(*capabilities, name) == 0)
            return true;
    return false;
}

static json_t *split(const char *names)
{
    json_t *list = json_array();

    while (*names) {
        size_t len = strcspn(names, " ");

        json_array_append_new(list, json_stringn(names, len));
        names += len + (names[len] == ' ');
    }
    return list;
}

static void allow(json_t *rules, const char *names)
{
    json_array_append_new(
        rules, json_pack("{s:o,s:s}", "names", split(names), "action", "SCMP_ACT_ALLOW"));
}

/* op is libseccomp's; for MASKED_EQ value is the mask and two what must remain. */
static void allow_if(json_t *rules, const char *names, int index, uint64_t value, uint64_t two,
                     const char *op)
{
    json_array_append_new(rules,
                          json_pack("{s:o,s:s,s:[{s:i,s:I,s:I,s:s}]}", "names", split(names),
                                    "action", "SCMP_ACT_ALLOW", "args", "index", index, "value",
                                    (json_int_t)value, "valueTwo", (json_int_t)two, "op", op));
}

static void refuse(json_t *rules, const char *names, int error)
{
    json_array_append_new(rules, json_pack("{s:o,s:s,s:i}", "names", split(names), "action",
                                           "SCMP_ACT_ERRNO", "errnoRet", error));
}

/* Without SYS_ADMIN no namespaces are made. clone3's flags cannot be seen: ENOSYS makes C
   libraries fall back to clone. */
static void restrict_clone(json_t *rules)
{
    const uint64_t spaces = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                            CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP;

    allow_if(rules, "clone", 0, spaces, 0, "SCMP_CMP_MASKED_EQ");
    refuse(rules, "clone3", 38); /* ENOSYS */
}

static void restrict_personality(json_t *rules)
{
    static const uint64_t harmless[] = {0x0, 0x0008, 0x20000, 0x20008, 0xffffffff};

    for (size_t i = 0; i < ARRAY_LEN(harmless); i++)
        allow_if(rules, "personality", 0, harmless[i], 0, "SCMP_CMP_EQ");
}

json_t *seccomp_default(const char *const *capabilities)
{
    json_t *rules = json_array();

    allow(rules, always);
    for (size_t i = 0; i < ARRAY_LEN(with); i++)
        if (has(capabilities, with[i].capability))
            allow(rules, with[i].calls);
    if (!has(capabilities, "CAP_SYS_ADMIN"))
        restrict_clone(rules);
    restrict_personality(rules);
    /* AF_VSOCK would reach the hypervisor's host; by i386's socketcall it does: its arguments
       cannot be seen, and 32-bit programs have no other way to a socket */
    allow_if(rules, "socket", 0, AF_VSOCK, 0, "SCMP_CMP_NE");
    return json_pack("{s:s,s:i,s:[s,s,s],s:o}", "defaultAction", "SCMP_ACT_ERRNO",
                     "defaultErrnoRet", 1, "architectures", "SCMP_ARCH_X86_64", "SCMP_ARCH_X86",
                     "SCMP_ARCH_X32", "syscalls", rules);
}

enum fault seccomp_given(struct op *op, const char *text, json_t **ret)
{
    static const char *const members[] = {"defaultAction", "defaultErrnoRet", "architectures",
                                          "flags", "syscalls"};
    json_t *given, *taken;

    TRY(json_parse(op, BYTES(text), &given));
    if (!json_is_string(json_object_get(given, "defaultAction")))
        return fail_on(op, "seccomp", INVALID, "the seccomp profile has no defaultAction");
    taken = json_object();
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        if (json_object_get(given, members[i]))
            json_object_set(taken, members[i], json_object_get(given, members[i]));
    *ret = taken;
    return OK;
}
