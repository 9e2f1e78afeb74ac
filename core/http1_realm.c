/* HTTP/1.1 connections and realms (core/realm.h): whose door one came through, and who comes. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "core/http1.h"
#include "core/listen.h"

/* ---- TLS: whose door, and who comes ---- */

/* libh2o gives its sockets to OpenSSL as the data of their BIO. */
static struct http1 *connection_of(SSL *ssl)
{
    h2o_socket_t *sock = BIO_get_data(SSL_get_rbio(ssl));

    return sock->data;
}

static void on_realm(SSL *ssl, struct realm *realm)
{
    struct http1 *h = connection_of(ssl);

    realm_drop(h->realm);
    h->realm = realm;
    h->progress_ms = now_ms();
}

static void on_shaken(SSL *ssl)
{
    struct http1 *h = connection_of(ssl);

    free(h->certificate);
    h->certificate = certificate_of(ssl);
}

void http1_realm_setup(void)
{
    realm_hooks(on_realm, on_shaken);
}

static void read_local_address(struct http1 *h)
{
    struct sockaddr_storage local;
    socklen_t len = sizeof(local);

    if (getsockname(h2o_socket_get_fd(h->sock), (struct sockaddr *)&local, &len) == 0)
        listen_text((struct sockaddr *)&local, len, h->local, sizeof(h->local));
}

void http1_realm_accept(struct http1 *h, struct realm *realm)
{
    h->realm = realm_hold(realm);
    read_local_address(h);
}

void http1_realm_forget(struct http1 *h)
{
    realm_drop(h->realm);
    free(h->certificate);
}

static const struct certificate *copy_certificate(struct arena *arena, const struct certificate *of)
{
    struct certificate *copy;
    const char **list;
    size_t n = 0;

    if (!of)
        return NULL;
    while (of->organizations[n])
        n++;
    copy = arena_alloc(arena, sizeof(*copy));
    list = arena_alloc(arena, (n + 1) * sizeof(*list));
    for (size_t i = 0; i < n; i++)
        list[i] = arena_strdup(arena, of->organizations[i]);
    copy->common_name = arena_strdup(arena, of->common_name);
    copy->organizations = list;
    return copy;
}

void http1_realm_begin(struct http1 *h, struct call *c)
{
    c->local = arena_strdup(&c->op.arena, h->local);
    if (!h->realm)
        return;
    c->realm = arena_strdup(&c->op.arena, realm_id(h->realm));
    c->certificate = copy_certificate(&c->op.arena, h->certificate);
}

void http1_leave_realm(struct loop *loop, const struct realm *realm)
{
    h2o_linklist_t *next;

    for (h2o_linklist_t *p = loop->connections.next; p != &loop->connections; p = next) {
        struct http1 *h = H2O_STRUCT_FROM_MEMBER(struct http1, link, p);

        next = p->next;
        h->keep_alive = h->keep_alive && h->realm != realm;
        if (h->realm == realm && (h->state == H1_HEAD || h->state == H1_STREAM))
            http1_close(h);
    }
}

void http1_cut_realm(struct loop *loop, const struct realm *realm)
{
    h2o_linklist_t *next;

    for (h2o_linklist_t *p = loop->connections.next; p != &loop->connections; p = next) {
        struct http1 *h = H2O_STRUCT_FROM_MEMBER(struct http1, link, p);

        next = p->next;
        if (h->realm == realm && h->state != H1_BUSY && !h->closing)
            http1_close(h);
    }
}
