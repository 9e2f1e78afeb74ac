/* What the runtime (crun, runc) is told: an OCI config.json, made here from what was asked for. */
#ifndef SUNDOG_INSTANCES_OCI_SPEC_H
#define SUNDOG_INSTANCES_OCI_SPEC_H

#include <jansson.h>

#include "instances/sandbox.h"

struct oci_mount {
    const char *source, *path; /* source: on the host */
    bool read_only;
};

/* Where a container is put. */
struct oci_context {
    const char *rootfs;   /* path, mounted already */
    int root;             /* the same, opened */
    const char *hostname; /* of the sandbox */
    const char *etc;      /* folder of hosts, hostname, resolv.conf */
    const char *cgroup;   /* "/sundog-1a2b3c/web/app" */
    bool cgroup_v2;
    const struct oci_mount *mounts;
    size_t n_mounts;
    const char *shm; /* a pod's: /dev/shm, and IPC and host name are the runtime's; or NULL */
    const char *pid_namespace; /* path; NULL: its own */
    const char *termination;   /* the file that is at spec->termination_path */
};

/* INVALID: no such user, an unknown capability, a seccomp profile that is none. Released with op.
 */
enum fault oci_config(struct op *op, const struct container_spec *spec,
                      const struct oci_context *context, json_t **ret);
/* The process of an exec in a container of that config: its own, changed. */
enum fault oci_exec_process(struct op *op, json_t *config, const struct exec_spec *spec, int root,
                            json_t **ret);

/* Does it ask for no more than every container has? FORBIDDEN on the property: who may have that is
   root of this machine (--privileged-containers). */
enum fault oci_is_plain(struct op *op, const struct container_spec *spec);

/* The sets a process gets; "CAP_…", NULL ends. INVALID names what is no capability. In tests:
   what this process itself has is asked for by held (bit by number). */
enum fault oci_capabilities(struct op *op, const struct container_spec *spec, uint64_t held,
                            const char ***ret);

#endif
