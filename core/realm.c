/* The table of open realms, their TLS contexts, and who a client certificate names. */
#include "core/realm.h"

#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/loop.h"
#include "core/tls.h"

#define ORGANIZATIONS_MAX 32
#define NAME_MAX_BYTES    256

struct realm {
    struct realm *next;
    atomic_int refs;
    SSL_CTX *context; /* under lock */
    char *id, *server_name;
};

static struct {
    pthread_rwlock_t lock;
    struct realm *open;
} realms = {.lock = PTHREAD_RWLOCK_INITIALIZER};

static struct {
    void (*chosen)(SSL *ssl, struct realm *realm);
    void (*shaken)(SSL *ssl);
} hooks;

/* ---- references ---- */

struct realm *realm_hold(struct realm *realm)
{
    if (realm)
        atomic_fetch_add_explicit(&realm->refs, 1, memory_order_relaxed);
    return realm;
}

void realm_drop(struct realm *realm)
{
    if (!realm || atomic_fetch_sub(&realm->refs, 1) != 1)
        return;
    SSL_CTX_free(realm->context);
    free(realm->id);
    free(realm->server_name);
    free(realm);
}

const char *realm_id(const struct realm *realm)
{
    return realm->id;
}

SSL_CTX *realm_tls(struct realm *realm)
{
    SSL_CTX *context;

    pthread_rwlock_rdlock(&realms.lock);
    context = realm->context;
    SSL_CTX_up_ref(context);
    pthread_rwlock_unlock(&realms.lock);
    return context;
}

/* ---- contexts ---- */

/* A certificate that is not this realm's makes its holder nobody; it does not end the handshake,
   so that tokens still count. SSL_get_verify_result keeps the verdict. */
static int note_only(int ok, X509_STORE_CTX *store)
{
    (void)ok;
    (void)store;
    return 1;
}

static void on_info(const SSL *ssl, int where, int ret)
{
    (void)ret;
    if (where & SSL_CB_HANDSHAKE_DONE && hooks.shaken)
        hooks.shaken((SSL *)ssl);
}

SSL_CTX *realm_context(X509 *certificate, EVP_PKEY *key, X509 *ca)
{
    SSL_CTX *ctx = tls_new_context();

    if (!ctx)
        return NULL;
    SSL_CTX_set_alpn_select_cb(ctx, tls_choose_http1, NULL);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE, note_only);
    /* A resumed session would bring a certificate that nobody has looked at since. */
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(ctx, 0);
    SSL_CTX_set_info_callback(ctx, on_info);
    if (SSL_CTX_use_certificate(ctx, certificate) != 1 || SSL_CTX_use_PrivateKey(ctx, key) != 1 ||
        X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ca) != 1 ||
        SSL_CTX_add_client_CA(ctx, ca) != 1) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

void realm_hooks(void (*chosen)(SSL *ssl, struct realm *realm), void (*shaken)(SSL *ssl))
{
    hooks.chosen = chosen;
    hooks.shaken = shaken;
}

bool realm_choose(SSL *ssl, const char *server_name)
{
    struct realm *realm;

    pthread_rwlock_rdlock(&realms.lock);
    for (realm = realms.open; realm; realm = realm->next)
        if (strcasecmp(realm->server_name, server_name) == 0)
            break;
    if (realm) {
        realm_hold(realm);
        SSL_set_SSL_CTX(ssl, realm->context);
        /* what SSL_new copied from the common context */
        SSL_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE, note_only);
        SSL_set_options(ssl, SSL_OP_NO_TICKET);
        SSL_set_num_tickets(ssl, 0);
    }
    pthread_rwlock_unlock(&realms.lock);
    if (realm)
        hooks.chosen(ssl, realm);
    return realm != NULL;
}

/* ---- life ---- */

static char *duplicate(const char *s)
{
    char *copy = strdup(s);

    if (!copy)
        abort();
    return copy;
}

struct realm *realm_open(const char *id, const char *server_name, SSL_CTX *context)
{
    struct realm *realm = calloc(1, sizeof(*realm));

    if (!realm)
        abort();
    atomic_init(&realm->refs, 1);
    realm->id = duplicate(id);
    realm->server_name = duplicate(server_name);
    realm->context = context;
    pthread_rwlock_wrlock(&realms.lock);
    realm->next = realms.open;
    realms.open = realm;
    pthread_rwlock_unlock(&realms.lock);
    return realm;
}

void realm_renew(struct realm *realm, SSL_CTX *context)
{
    SSL_CTX *old;

    pthread_rwlock_wrlock(&realms.lock);
    old = realm->context;
    realm->context = context;
    pthread_rwlock_unlock(&realms.lock);
    SSL_CTX_free(old);
}

void realm_listen(struct realm *realm, int fd)
{
    loops_listen((struct listener){.fd = fd, .tls = true, .realm = realm});
}

void realm_close(struct realm *realm)
{
    if (!realm)
        return;
    pthread_rwlock_wrlock(&realms.lock);
    for (struct realm **p = &realms.open; *p; p = &(*p)->next)
        if (*p == realm) {
            *p = realm->next;
            break;
        }
    pthread_rwlock_unlock(&realms.lock);
    loops_unlisten(realm);
    realm_drop(realm);
}

void realm_cut(struct realm *realm)
{
    if (realm) /* without one are those of the common door */
        loops_cut(realm);
}

/* ---- client certificates ---- */

/* Of one entry of a name, as UTF-8 in arena; NULL: not usable (empty, too long, a NUL in it). */
static const char *entry_text(struct arena *arena, X509_NAME *name, int index)
{
    X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, index);
    unsigned char *utf8 = NULL;
    int len = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(entry));
    const char *text = NULL;

    if (len > 0 && len <= NAME_MAX_BYTES && !memchr(utf8, '\0', (size_t)len))
        text = arena_strndup(arena, utf8, (size_t)len);
    OPENSSL_free(utf8);
    return text;
}

struct found {
    const char *common_name;
    const char *organizations[ORGANIZATIONS_MAX];
    size_t n;
};

static void read_subject(struct arena *arena, X509_NAME *subject, struct found *found)
{
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

    if (at >= 0)
        found->common_name = entry_text(arena, subject, at);
    for (at = -1; found->n < ORGANIZATIONS_MAX;) {
        at = X509_NAME_get_index_by_NID(subject, NID_organizationName, at);
        if (at < 0)
            return;
        found->organizations[found->n] = entry_text(arena, subject, at);
        found->n += found->organizations[found->n] != NULL;
    }
}

/* Texts, pointers and struct in one block, so that free() is all it needs. */
static struct certificate *as_block(const struct found *found)
{
    size_t size = sizeof(struct certificate) + (found->n + 1) * sizeof(char *) +
                  strlen(found->common_name) + 1;
    struct certificate *made;
    const char **list;
    char *text;

    for (size_t i = 0; i < found->n; i++)
        size += strlen(found->organizations[i]) + 1;
    made = calloc(1, size);
    if (!made)
        abort();
    list = (const char **)(made + 1);
    text = (char *)(list + found->n + 1);
    made->organizations = list;
    made->common_name = text;
    text = stpcpy(text, found->common_name) + 1;
    for (size_t i = 0; i < found->n; i++) {
        list[i] = text;
        text = stpcpy(text, found->organizations[i]) + 1;
    }
    return made;
}

struct certificate *certificate_of(SSL *ssl)
{
    X509 *x509 = SSL_get0_peer_certificate(ssl);
    struct found found = {0};
    struct certificate *made = NULL;
    struct arena arena;

    if (!x509 || SSL_get_verify_result(ssl) != X509_V_OK)
        return NULL;
    arena_init(&arena);
    read_subject(&arena, X509_get_subject_name(x509), &found);
    if (found.common_name)
        made = as_block(&found);
    arena_free(&arena);
    return made;
}
