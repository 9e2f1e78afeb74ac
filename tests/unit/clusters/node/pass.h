/* A pass over a pod that is only text, in a cluster with a store: for the agent's parts that read.
 */
#ifndef SUNDOG_TESTS_CLUSTERS_NODE_PASS_H
#define SUNDOG_TESTS_CLUSTERS_NODE_PASS_H

#include "clusters/node/pod_agent.h"
#include "tests/unit/clusters/controller/stage.h"

struct pass {
    struct stage s;
    struct pod_memory memory;
    struct pod_pass p;
    json_t *pod;
};

/* A secret "big" with a key "k" of so many bytes: the pass stands on it, for the events it says. */
static inline void pass_begin(struct pass *pass, size_t bytes)
{
    struct fixture *f = &pass->s.f;
    const char *text;
    char *content;

    memset(pass, 0, sizeof(*pass));
    pass->s.ns = "default";
    fixture_rest(f);
    content = arena_alloc(&f->op.arena, bytes + 1);
    memset(content, 'x', bytes);
    text = arena_printf(&f->op.arena, "{\"metadata\":{\"name\":\"big\"},\"data\":{\"k\":\"%s\"}}",
                        base64_encode(&f->op.arena, (struct bytes){content, bytes}, false));
    stage_create(&pass->s, "secrets", text);
    pass->p = (struct pod_pass){.op = &f->op, .cluster = &f->cluster, .memory = &pass->memory};
    pass->p.object =
        store_read(&f->op, f->cluster.store, stage_resource("secrets"), "default", "big");
    CU_ASSERT_PTR_NOT_NULL_FATAL(pass->p.object);
}

/* spec: the caller's reference is taken over. */
static inline void pass_pod(struct pass *pass, json_t *spec)
{
    CU_ASSERT_PTR_NOT_NULL_FATAL(spec);
    json_decref(pass->pod);
    pass->pod = json_pack("{s:{s:s}, s:o}", "metadata", "name", "p", "spec", spec);
    pass->p.pod = pass->pod;
    pass->p.spec = spec;
}

static inline void pass_end(struct pass *pass)
{
    json_decref(pass->memory.files);
    json_decref(pass->pod);
    fixture_end(&pass->s.f);
}

#endif
