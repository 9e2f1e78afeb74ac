/*
 * Certificates. One key for all server certificates of a process: making a key for each name would
 * cost more than signing, and protects nothing further.
 */
#include "core/tls.h"

#include "core/realm.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/db.h"
#include "core/seal.h"

#define CA_DAYS         3650
#define LEAF_DAYS       90
#define LEAF_RENEW_DAYS 30
#define CACHE_MAX       256
#define NAMES_MAX       64
#define CA_LABEL        "core/ca/key"

enum { CA_GET, CA_PUT, CA_REPLACE };
static const struct db_stmt stmts[] = {
    [CA_GET] = {"SELECT certificate, sealed_key FROM core.ca WHERE id = 1"},
    [CA_PUT] = {"INSERT INTO core.ca (id, certificate, sealed_key) VALUES (1, $1, $2)"
                " ON CONFLICT DO NOTHING"},
    [CA_REPLACE] = {"UPDATE core.ca SET certificate = $2 WHERE id = 1 AND certificate = $1"},
    {0},
};

/* A certificate in use; the cache's entries are in the order they were made. */
struct minted {
    char name[256]; /* "" the default one */
    SSL_CTX *ctx;
    time_t renew_at;
    uint64_t made;
};

static struct {
    X509 *ca;
    EVP_PKEY *ca_key, *leaf_key;
    char *ca_pem;
    char host[256];
    char *names[NAMES_MAX]; /* permitted: the name itself and all below it */
    size_t n_names;
    bool (*http1_only)(const char *server_name);
    SSL_CTX *front; /* the context of the listeners */
    pthread_rwlock_t lock;
    struct minted cache[CACHE_MAX];
    size_t n_cache;
    uint64_t made;
} state = {.lock = PTHREAD_RWLOCK_INITIALIZER};

/* ---- which names and addresses ---- */

/* "SUFFIX" permits itself and what ends in ".SUFFIX", in certificates as in SNI. */
static bool name_permitted(const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < state.n_names; i++) {
        size_t suffix = strlen(state.names[i]);

        if (len >= suffix && strcasecmp(name + len - suffix, state.names[i]) == 0 &&
            (len == suffix || name[len - suffix - 1] == '.'))
            return true;
    }
    return false;
}

static bool well_formed(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len <= 253 && name[0] != '.' && name[0] != '-' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") ==
               len &&
           !strstr(name, "..");
}

static bool permit(const char *name)
{
    if (state.n_names == NAMES_MAX || !well_formed(name) || name_permitted(name))
        return false;
    state.names[state.n_names++] = strdup(name);
    return true;
}

/* True when one was new. */
static bool permit_all(const struct settings *settings)
{
    static const char *const always[] = {"localhost",         "azurecr.io", "azmk8s.io",
                                         "azurecontainer.io", "test",       "local",
                                         "internal",          "home.arpa"};
    bool added = false;

    for (size_t i = 0; i < ARRAY_LEN(always); i++)
        added |= permit(always[i]);
    if (gethostname(state.host, sizeof(state.host) - 1) < 0 || !well_formed(state.host))
        snprintf(state.host, sizeof(state.host), "localhost");
    added |= permit(state.host);
    for (size_t i = 0; settings->tls_names[i]; i++)
        added |= permit(settings->tls_names[i]);
    return added;
}

/* What the authority was made for: a certificate for any other name would be refused. */
static void permit_as_certified(X509 *ca)
{
    NAME_CONSTRAINTS *constraints = X509_get_ext_d2i(ca, NID_name_constraints, NULL, NULL);

    for (int i = 0; constraints && i < sk_GENERAL_SUBTREE_num(constraints->permittedSubtrees);
         i++) {
        GENERAL_SUBTREE *tree = sk_GENERAL_SUBTREE_value(constraints->permittedSubtrees, i);

        if (tree->base->type == GEN_DNS)
            permit((const char *)ASN1_STRING_get0_data(tree->base->d.dNSName));
    }
    NAME_CONSTRAINTS_free(constraints);
}

/* Loopback and private networks: network and mask. */
static const char *const networks[][2] = {
    {"127.0.0.0",   "255.0.0.0"                              },
    {"10.0.0.0",    "255.0.0.0"                              },
    {"172.16.0.0",  "255.240.0.0"                            },
    {"192.168.0.0", "255.255.0.0"                            },
    {"169.254.0.0", "255.255.0.0"                            },
    {"100.64.0.0",  "255.192.0.0"                            },
    {"::1",         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"fd00::",      "ff00::"                                 },
    {"fe80::",      "ffc0::"                                 },
};

static bool address_permitted(int family, const unsigned char *address)
{
    size_t len = family == AF_INET ? 4 : 16;

    for (size_t i = 0; i < ARRAY_LEN(networks); i++) {
        unsigned char network[16], mask[16];
        size_t same = 0;

        if (inet_pton(family, networks[i][0], network) != 1 ||
            inet_pton(family, networks[i][1], mask) != 1)
            continue;
        while (same < len && (address[same] & mask[same]) == network[same])
            same++;
        if (same == len)
            return true;
    }
    return false;
}

/* ", IP:…" for each address of this machine that the CA may speak for. */
static void add_local_addresses(struct text *out)
{
    struct ifaddrs *list, *at;
    int n = 0;

    if (getifaddrs(&list) < 0)
        return;
    for (at = list; at && n < 64; at = at->ifa_next) {
        char text[INET6_ADDRSTRLEN];
        int family = at->ifa_addr ? at->ifa_addr->sa_family : 0;
        const void *address =
            family == AF_INET    ? (void *)&((struct sockaddr_in *)(void *)at->ifa_addr)->sin_addr
            : family == AF_INET6 ? (void *)&((struct sockaddr_in6 *)(void *)at->ifa_addr)->sin6_addr
                                 : NULL;

        if (!address || !address_permitted(family, address) ||
            !inet_ntop(family, address, text, sizeof(text)))
            continue;
        text_printf(out, ",IP:%s", text);
        n++;
    }
    freeifaddrs(list);
}

/* ---- making certificates ---- */

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509_EXTENSION *extension;
    X509V3_CTX ctx;
    bool added;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    added = extension && X509_add_ext(cert, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added;
}

static bool set_serial(X509 *cert)
{
    unsigned char random[16];
    BIGNUM *number;
    bool set;

    if (RAND_bytes(random, sizeof(random)) != 1)
        return false;
    random[0] &= 0x7f;
    number = BN_bin2bn(random, sizeof(random), NULL);
    set = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
    BN_free(number);
    return set;
}

/* Unsigned yet. An hour of the past is valid too: clocks differ. */
static X509 *begin_certificate(const char *common_name, EVP_PKEY *key, int days)
{
    X509 *cert = X509_new();
    X509_NAME *subject;

    if (!cert || X509_set_version(cert, X509_VERSION_3) != 1 || !set_serial(cert) ||
        !X509_gmtime_adj(X509_getm_notBefore(cert), -3600) ||
        !X509_time_adj_ex(X509_getm_notAfter(cert), days, 0, NULL) ||
        X509_set_pubkey(cert, key) != 1) {
        X509_free(cert);
        return NULL;
    }
    subject = X509_get_subject_name(cert);
    X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8, (const unsigned char *)"Sundog", -1, -1,
                               0);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1,
                               -1, 0);
    return cert;
}

/* What a stolen CA key could vouch for ends here: these names and private networks, nothing else.
 */
static const char *name_constraints(struct op *op)
{
    struct text text;

    text_init(&text, &op->arena, 65536);
    text_str(&text, "critical");
    for (size_t i = 0; i < state.n_names; i++)
        text_printf(&text, ",permitted;DNS:%s", state.names[i]);
    for (size_t i = 0; i < ARRAY_LEN(networks); i++)
        text_printf(&text, ",permitted;IP:%s/%s", networks[i][0], networks[i][1]);
    return text.data;
}

/* like: a certificate of the same authority whose place it takes, or NULL. */
static X509 *make_ca(struct op *op, EVP_PKEY *key, X509 *like)
{
    char id[37];
    X509 *cert;

    random_uuid(id);
    cert = begin_certificate(arena_printf(&op->arena, "Sundog local CA %.8s", id), key, CA_DAYS);
    if (cert && (!like || X509_set_subject_name(cert, X509_get_subject_name(like)) == 1) &&
        X509_set_issuer_name(cert, X509_get_subject_name(cert)) == 1 &&
        add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
        add_extension(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign") &&
        add_extension(cert, cert, NID_subject_key_identifier, "hash") &&
        add_extension(cert, cert, NID_name_constraints, name_constraints(op)) &&
        X509_sign(cert, key, EVP_sha256()) > 0)
        return cert;
    X509_free(cert);
    return NULL;
}

static X509 *make_leaf(const char *common_name, const char *alternative_names)
{
    X509 *cert = begin_certificate(common_name, state.leaf_key, LEAF_DAYS);

    if (cert && X509_set_issuer_name(cert, X509_get_subject_name(state.ca)) == 1 &&
        add_extension(cert, state.ca, NID_basic_constraints, "critical,CA:FALSE") &&
        add_extension(cert, state.ca, NID_key_usage, "critical,digitalSignature") &&
        add_extension(cert, state.ca, NID_ext_key_usage, "serverAuth") &&
        add_extension(cert, state.ca, NID_subject_key_identifier, "hash") &&
        add_extension(cert, state.ca, NID_authority_key_identifier, "keyid") &&
        add_extension(cert, state.ca, NID_subject_alt_name, alternative_names) &&
        X509_sign(cert, state.ca_key, EVP_sha256()) > 0)
        return cert;
    X509_free(cert);
    return NULL;
}

/* ---- contexts ---- */

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *in, unsigned in_len, void *arg)
{
    static const unsigned char both[] = "\x02h2\x08http/1.1", old[] = "\x08http/1.1";
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    bool only_old = state.http1_only && state.http1_only(name ? name : "");
    unsigned char *chosen;

    (void)arg;
    if (SSL_select_next_proto(&chosen, out_len, only_old ? old : both,
                              (unsigned)(only_old ? sizeof(old) : sizeof(both)) - 1, in,
                              in_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

int tls_choose_http1(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                     const unsigned char *in, unsigned in_len, void *arg)
{
    static const unsigned char http1[] = "\x08http/1.1";
    unsigned char *chosen;

    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&chosen, out_len, http1, sizeof(http1) - 1, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

SSL_CTX *tls_new_context(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    if (!ctx)
        return NULL;
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20");
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* tickets do without memory */
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    return ctx;
}

static SSL_CTX *context_for(const char *name)
{
    struct op op;
    struct text names;
    X509 *leaf;
    SSL_CTX *ctx;

    op_init(&op);
    text_init(&names, &op.arena, 65536);
    if (*name) {
        text_printf(&names, "DNS:%s", name);
    } else {
        text_printf(&names, "DNS:localhost,DNS:%s,IP:127.0.0.1,IP:::1", state.host);
        add_local_addresses(&names);
    }
    leaf = make_leaf(*name && strlen(name) <= 64 ? name : "localhost", names.data);
    ctx = leaf ? tls_new_context() : NULL;
    if (ctx && (SSL_CTX_use_certificate(ctx, leaf) != 1 ||
                SSL_CTX_use_PrivateKey(ctx, state.leaf_key) != 1)) {
        SSL_CTX_free(ctx);
        ctx = NULL;
    }
    X509_free(leaf);
    op_free(&op);
    return ctx;
}

/* ---- the cache; under state.lock ---- */

static struct minted *find(const char *name)
{
    for (size_t i = 0; i < state.n_cache; i++) {
        if (strcasecmp(state.cache[i].name, name) == 0)
            return &state.cache[i];
    }
    return NULL;
}

static struct minted *free_slot(void)
{
    struct minted *oldest = NULL;

    if (state.n_cache < CACHE_MAX)
        return &state.cache[state.n_cache++];
    for (size_t i = 0; i < state.n_cache; i++) {
        if (*state.cache[i].name && (!oldest || state.cache[i].made < oldest->made))
            oldest = &state.cache[i];
    }
    SSL_CTX_free(oldest->ctx); /* connections hold references of their own */
    return oldest;
}

static void put(const char *name, SSL_CTX *ctx)
{
    struct minted *slot = find(name);

    if (slot)
        SSL_CTX_free(slot->ctx);
    else
        slot = free_slot();
    snprintf(slot->name, sizeof(slot->name), "%s", name);
    slot->ctx = ctx;
    slot->renew_at = time(NULL) + (LEAF_DAYS - LEAF_RENEW_DAYS) * 86400;
    slot->made = ++state.made;
}

/* Give ssl the certificate of name. False: there is none that is fresh. */
static bool use_cached(SSL *ssl, const char *name)
{
    const struct minted *found;
    bool fresh;

    pthread_rwlock_rdlock(&state.lock);
    found = find(name);
    fresh = found && time(NULL) < found->renew_at;
    if (fresh && ssl)
        SSL_set_SSL_CTX(ssl, found->ctx);
    pthread_rwlock_unlock(&state.lock);
    return fresh;
}

static bool use_minted(SSL *ssl, const char *name)
{
    SSL_CTX *ctx = context_for(name);

    if (!ctx)
        return false;
    pthread_rwlock_wrlock(&state.lock);
    if (ssl)
        SSL_set_SSL_CTX(ssl, ctx);
    put(name, ctx);
    pthread_rwlock_unlock(&state.lock);
    return true;
}

/* SNI: runs on the loops; a name not seen before costs one signature (P-256, 0.1 ms). */
static int choose_certificate(SSL *ssl, int *alert, void *arg)
{
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    (void)alert;
    (void)arg;
    if (name && realm_choose(ssl, name))
        return SSL_TLSEXT_ERR_OK;
    if (!name || !well_formed(name) || !name_permitted(name))
        name = "";
    if (!use_cached(ssl, name) && !use_minted(ssl, name))
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    return SSL_TLSEXT_ERR_OK;
}

/* ---- loading and keeping the CA ---- */

static char *key_to_pem(struct op *op, EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data, *pem = NULL;
    long len;

    if (bio && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1) {
        len = BIO_get_mem_data(bio, &data);
        pem = arena_strndup(&op->arena, data, (size_t)len);
    }
    BIO_free(bio);
    return pem;
}

static char *cert_to_pem(struct op *op, X509 *cert)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data, *pem = NULL;
    long len;

    if (bio && PEM_write_bio_X509(bio, cert) == 1) {
        len = BIO_get_mem_data(bio, &data);
        pem = arena_strndup(&op->arena, data, (size_t)len);
    }
    BIO_free(bio);
    return pem;
}

static enum fault store_new_ca(struct op *op)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = key ? make_ca(op, key, NULL) : NULL;
    const char *cert_pem = cert ? cert_to_pem(op, cert) : NULL;
    const char *key_pem = cert ? key_to_pem(op, key) : NULL;

    X509_free(cert);
    EVP_PKEY_free(key);
    if (!cert_pem || !key_pem)
        return fail(op, INTERNAL, "cannot make the certificate authority: %s",
                    ERR_reason_error_string(ERR_get_error()));
    return db_query(op, &stmts[CA_PUT], NULL, DB_TEXT(cert_pem),
                    DB_BYTES(seal(op, CA_LABEL, BYTES(key_pem))));
}

static enum fault load_ca(struct op *op, bool *ret_found)
{
    struct db_rows rows;
    struct bytes key_pem;
    const char *cert_pem;
    BIO *cert_bio, *key_bio;

    TRY(db_query(op, &stmts[CA_GET], &rows));
    *ret_found = db_next(&rows);
    if (!*ret_found)
        return OK;
    cert_pem = db_text(&rows, "certificate");
    TRY(unseal(op, CA_LABEL, db_bytes(&rows, "sealed_key"), &key_pem));
    cert_bio = BIO_new_mem_buf(cert_pem, -1);
    key_bio = BIO_new_mem_buf(key_pem.data, (int)key_pem.len);
    state.ca = PEM_read_bio_X509(cert_bio, NULL, NULL, NULL);
    state.ca_key = PEM_read_bio_PrivateKey(key_bio, NULL, NULL, NULL);
    BIO_free(cert_bio);
    BIO_free(key_bio);
    if (!state.ca || !state.ca_key)
        return fail(op, INVALID, "the certificate authority in the database is damaged");
    state.ca_pem = strdup(cert_pem);
    permit_as_certified(state.ca);
    return OK;
}

/*
 * A new --tls-name, or a renamed machine: the same authority, its certificate made again with more
 * names. Who trusts the old one goes on as before, and must trust the new one for the new names.
 */
static enum fault widen_ca(struct op *op)
{
    X509 *cert = make_ca(op, state.ca_key, state.ca);
    const char *pem = cert ? cert_to_pem(op, cert) : NULL;
    enum fault fault;

    if (!pem) {
        X509_free(cert);
        return fail(op, INTERNAL, "cannot make the certificate authority's certificate again");
    }
    fault = db_query(op, &stmts[CA_REPLACE], NULL, DB_TEXT(state.ca_pem), DB_TEXT(pem));
    X509_free(state.ca);
    free(state.ca_pem);
    state.ca = cert;
    state.ca_pem = strdup(pem);
    return fault;
}

static enum fault write_ca_file(struct op *op, const struct settings *settings)
{
    const char *folder = arena_printf(&op->arena, "%s/tls", settings->data);
    const char *path = arena_printf(&op->arena, "%s/ca.pem", folder);
    const char *fresh = arena_printf(&op->arena, "%s.new", path);
    ssize_t len = (ssize_t)strlen(state.ca_pem);
    AUTO_CLOSE int fd = -1;

    if (mkdir(folder, 0755) < 0 && errno != EEXIST)
        return fail(op, UNAVAILABLE, "cannot make %s: %s", folder, strerror(errno));
    fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || fchmod(fd, 0644) < 0 || write(fd, state.ca_pem, (size_t)len) != len ||
        fsync(fd) < 0 || rename(fresh, path) < 0)
        return fail(op, UNAVAILABLE, "cannot write %s: %s", path, strerror(errno));
    return OK;
}

enum fault tls_start(struct op *op, const struct settings *settings)
{
    bool found;

    db_register(stmts);
    TRY(load_ca(op, &found));
    if (!found) { /* another serve may be faster: its row is the one that counts */
        permit_all(settings);
        TRY(store_new_ca(op));
        TRY(load_ca(op, &found));
    }
    if (!found)
        return fail(op, INTERNAL, "the certificate authority is not in the database");
    if (permit_all(settings))
        TRY(widen_ca(op));
    state.leaf_key = EVP_EC_gen("P-256");
    if (!state.leaf_key || !use_minted(NULL, ""))
        return fail(op, INTERNAL, "cannot make a server certificate: %s",
                    ERR_reason_error_string(ERR_get_error()));
    return write_ca_file(op, settings);
}

SSL_CTX *tls_server_context(bool (*http1_only)(const char *server_name))
{
    state.http1_only = http1_only;
    if (!state.front) {
        state.front = context_for("");
        if (!state.front)
            abort();
        SSL_CTX_set_tlsext_servername_callback(state.front, choose_certificate);
    }
    return state.front;
}

const char *tls_ca_pem(void)
{
    return state.ca_pem;
}

int64_t tls_ca_not_after_s(void)
{
    struct tm tm;

    return state.ca && ASN1_TIME_to_tm(X509_get0_notAfter(state.ca), &tm) ? (int64_t)timegm(&tm)
                                                                          : 0;
}

void tls_stop(void)
{
    for (size_t i = 0; i < state.n_cache; i++)
        SSL_CTX_free(state.cache[i].ctx);
    for (size_t i = 0; i < state.n_names; i++)
        free(state.names[i]);
    SSL_CTX_free(state.front);
    X509_free(state.ca);
    EVP_PKEY_free(state.ca_key);
    EVP_PKEY_free(state.leaf_key);
    free(state.ca_pem);
    state.front = NULL;
    state.ca = NULL;
    state.ca_key = state.leaf_key = NULL;
    state.ca_pem = NULL;
    state.n_cache = state.n_names = 0;
    state.http1_only = NULL;
}
