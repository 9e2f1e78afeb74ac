/* One request of the Kubernetes API, led as core/dispatch.c would. */
#ifndef SUNDOG_TESTS_CLUSTERS_HTTP_REQUEST_H
#define SUNDOG_TESTS_CLUSTERS_HTTP_REQUEST_H

#include "clusters/clusters_service.h"
#include "clusters/http/kubernetes.h"
#include "core/realm.h"
#include "core/server.h"
#include "tests/unit/clusters/fixture.h"

struct request {
    enum method method;
    const char *target, *body;
    struct header headers[4];
    struct loop *loop;             /* watches need one */
    const struct certificate *who; /* NULL: an administrator; no name: nobody */
};
struct answer {
    struct call call; /* freed by answer_free */
    int status;
    const char *body;
    bool parked;
};

static inline const char *answer_header(const struct answer *a, const char *name)
{
    for (size_t i = 0; i < a->call.reply.n_headers; i++)
        if (strcmp(a->call.reply.headers[i].name, name) == 0)
            return a->call.reply.headers[i].value;
    return NULL;
}

static inline enum fault request_lead(struct fixture *f, struct call *c, bool *ret_parked)
{
    static const struct service *const services[] = {&kubernetes_service, NULL};
    struct kube *k = arena_alloc(&c->op.arena, sizeof(*k));
    enum fault fault;

    all_services = services;
    k->cluster = &f->cluster;
    c->caller = k;
    TRY(route_find(c));
    TRY(c->service->authorise(c, false));
    if (c->route->from_memory && !c->body.len) {
        fault = c->route->from_memory(c);
        if (fault != WOULD_BLOCK)
            return fault;
        op_clear_fault(&c->op);
    }
    fault = c->route->handler(c);
    *ret_parked = fault == PARKED;
    return *ret_parked ? store_wait(&c->op, f->cluster.store, k->r.revision) : fault;
}

static inline void request_run(struct fixture *f, const struct request *r, struct answer *a)
{
    static const char *const masters[] = {"system:masters", NULL};
    static const struct certificate admin = {"admin", masters};
    const char *mark = strchr(r->target, '?');
    struct call *c = &a->call;
    struct text body;
    enum fault fault;

    memset(a, 0, sizeof(*a));
    op_init(&c->op);
    c->op.db = f->db;
    c->loop = r->loop;
    c->method = r->method;
    c->target = r->target;
    c->path = mark ? arena_strndup(&c->op.arena, r->target, (size_t)(mark - r->target)) : r->target;
    c->query = mark ? mark + 1 : "";
    c->host = "host";
    c->realm = f->cluster.id;
    c->certificate = !r->who ? &admin : r->who->common_name ? r->who : NULL;
    c->headers = (struct header *)r->headers;
    while (c->n_headers < ARRAY_LEN(r->headers) && r->headers[c->n_headers].name)
        c->n_headers++;
    c->body = BYTES(r->body ? r->body : "");
    c->reply.fd = -1;
    fault = request_lead(f, c, &a->parked);
    if (fault != OK) {
        c->reply.n_headers = 0;
        kube_dialect.render(c, kube_dialect.rows);
    }
    text_init(&body, &c->op.arena, (size_t)64 << 20);
    for (size_t i = 0; i < c->reply.n_parts; i++)
        text_add(&body, c->reply.parts[i].bytes.data, c->reply.parts[i].bytes.len);
    a->body = body.data;
    a->status = c->reply.status;
}

static inline void answer_free(struct answer *a)
{
    op_free(&a->call.op);
}

#endif
