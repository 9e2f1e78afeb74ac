/*
 * The subresources of pods that go on: log, exec, attach, portforward. stream_target.c finds what a
 * request is about; then each has a file: what moves between node and client, on a pump (pump.h),
 * in the client's protocol (wire.h).
 */
#ifndef SUNDOG_CLUSTERS_HTTP_STREAMS_H
#define SUNDOG_CLUSTERS_HTTP_STREAMS_H

#include "clusters/http/kubernetes.h"
#include "clusters/http/pump.h"
#include "clusters/http/wire.h"
#include "clusters/node/node_agent.h"

/* ---- stream_target.c ---- */
bool is_streamed(const struct rest *r);
/* Handlers of both methods; the verb is authorised. */
enum fault kube_streamed(struct call *c);
/* "a" when there is no other; BadRequest names those to choose from. */
enum fault choose_container(struct op *op, const json_t *pod, const char *name, const char **ret);

/* ---- stream_log.c ---- */
enum fault read_log_options(struct call *c, struct pod_log_options *ret);
enum fault stream_log(struct call *c, struct pod_log *log);

/* ---- stream_exec.c ---- */
enum role { ROLE_STDIN, ROLE_STDOUT, ROLE_STDERR, ROLE_ERROR, ROLE_RESIZE, ROLES };
struct exec_source {
    struct exec exec; /* taken; attach: in alone, the rest -1 */
    bool attach;
    struct pod_log *out_log, *err_log; /* attach: taken; its output, as far as it is wanted */
    bool terminal, in, out, err;       /* what the client asked for */
    const char *failure;               /* it could not be begun: why; or NULL */
};
extern const struct wire_protocol exec_protocols[];
enum fault stream_exec(struct call *c, const struct wire *wire, const struct exec_source *source);
/* What the error channel says at the end; data NULL: nothing. failure NULL: by the exit code. */
struct bytes exec_result(struct op *op, int version, int exit_code, const char *failure);

/* ---- stream_forward.c ---- */
extern const struct wire_protocol forward_protocols[];
enum fault stream_forward(struct call *c, const struct wire *wire, struct object *pod);

#endif
