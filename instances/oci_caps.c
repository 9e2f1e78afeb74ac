/* Capabilities of containers. */
#include <string.h>
#include <strings.h>

#include "instances/oci_spec.h"

static const char *const names[] = {
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
};

/* Docker's, but NET_RAW: ping needs it no more (net.ipv4.ping_group_range), spoofing does. */
static const char *const given[] = {
    "CHOWN",   "DAC_OVERRIDE", "FSETID",           "FOWNER",     "MKNOD", "SETGID",      "SETUID",
    "SETFCAP", "SETPCAP",      "NET_BIND_SERVICE", "SYS_CHROOT", "KILL",  "AUDIT_WRITE",
};

static int number_of(const char *name)
{
    if (strncasecmp(name, "CAP_", 4) == 0)
        name += 4;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcasecmp(names[i] + 4, name) == 0)
            return (int)i;
    return -1;
}

static enum fault set_of(struct op *op, const char *const *list, uint64_t *ret)
{
    for (; list && *list; list++) {
        int number = number_of(*list);

        if (strcasecmp(*list, "ALL") == 0)
            *ret = ~(uint64_t)0;
        else if (number < 0)
            return fail_on(op, "capabilities", INVALID, "there is no capability \"%s\"", *list);
        else
            *ret |= (uint64_t)1 << number;
    }
    return OK;
}

static bool is_given(const char *name)
{
    if (strncasecmp(name, "CAP_", 4) == 0)
        name += 4;
    for (size_t i = 0; i < ARRAY_LEN(given); i++)
        if (strcasecmp(given[i], name) == 0)
            return true;
    return false;
}

enum fault oci_is_plain(struct op *op, const struct container_spec *spec)
{
    if (spec->privileged)
        return fail_on(op, "privileged", FORBIDDEN,
                       "privileged containers are not allowed here (--privileged-containers)");
    for (const char *const *name = spec->cap_add; name && *name; name++)
        if (!is_given(*name))
            return fail_on(op, "capabilities", FORBIDDEN,
                           "the capability %s is not allowed here (--privileged-containers)",
                           *name);
    if (spec->seccomp)
        return fail_on(op, "seccompProfile", FORBIDDEN,
                       "seccomp profiles of one's own are not allowed here "
                       "(--privileged-containers)");
    return OK;
}

enum fault oci_capabilities(struct op *op, const struct container_spec *spec, uint64_t held,
                            const char ***ret)
{
    const char **list = arena_alloc(&op->arena, (ARRAY_LEN(names) + 1) * sizeof(*list));
    uint64_t set = 0, add = 0, drop = 0;
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(given); i++)
        set |= (uint64_t)1 << number_of(given[i]);
    TRY(set_of(op, spec->cap_add, &add));
    TRY(set_of(op, spec->cap_drop, &drop));
    if (drop == ~(uint64_t)0) /* "drop ALL, add one" leaves the one */
        set = add;
    else
        set = (set | add) & ~drop;
    if (spec->privileged)
        set = ~(uint64_t)0;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (set & held & ((uint64_t)1 << i))
            list[n++] = names[i];
    *ret = list;
    return OK;
}
