/* Making keys and certificates, and keeping them as text. */
#include "clusters/cluster_keys.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <jansson.h>
#include <net/if.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <unistd.h>

#include "core/json.h"

#define CA_DAYS     3650
#define SERVER_DAYS 730
#define EARLY_S     3600 /* clocks differ */

static enum fault broken(struct op *op, const char *what)
{
    return fail(op, INTERNAL, "cannot make %s: %s", what, ERR_reason_error_string(ERR_get_error()));
}

static void free_key(void *key)
{
    EVP_PKEY_free(key);
}

static void free_certificate(void *certificate)
{
    X509_free(certificate);
}

/* ---- PEM ---- */

static const char *bio_text(struct op *op, BIO *bio)
{
    char *data = NULL;
    long len = BIO_get_mem_data(bio, &data);
    const char *text = arena_strndup(&op->arena, data, len > 0 ? (size_t)len : 0);

    BIO_free(bio);
    return text;
}

static const char *key_pem(struct op *op, EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());

    PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    return bio_text(op, bio);
}

static const char *certificate_pem(struct op *op, X509 *certificate)
{
    BIO *bio = BIO_new(BIO_s_mem());

    PEM_write_bio_X509(bio, certificate);
    return bio_text(op, bio);
}

static EVP_PKEY *read_key(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem ? pem : "", -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

    BIO_free(bio);
    return key;
}

/* ---- certificates ---- */

static bool add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *extension;
    bool good;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    extension = X509V3_EXT_nconf_nid(NULL, &ctx, nid, value);
    good = extension && X509_add_ext(x, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return good;
}

static bool set_serial(X509 *x)
{
    unsigned char bytes[16];
    BIGNUM *number;
    bool good;

    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return false;
    bytes[0] = (bytes[0] & 0x7f) | 1;
    number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    good = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x));
    BN_free(number);
    return good;
}

static bool add_name(X509_NAME *name, const char *what, const char *value)
{
    return X509_NAME_add_entry_by_txt(name, what, MBSTRING_UTF8, (const unsigned char *)value, -1,
                                      -1, 0) == 1;
}

/* Without extensions and signature. issuer NULL: its own. */
static X509 *new_certificate(EVP_PKEY *key, X509 *issuer, const char *common_name,
                             const char *const *organizations, int days)
{
    X509 *x = X509_new();
    X509_NAME *name = x ? X509_get_subject_name(x) : NULL;
    bool good = name && X509_set_version(x, 2) == 1 && set_serial(x);

    for (; good && organizations && *organizations; organizations++)
        good = add_name(name, "O", *organizations);
    good = good && add_name(name, "CN", common_name) && X509_set_pubkey(x, key) == 1 &&
           X509_set_issuer_name(x, issuer ? X509_get_subject_name(issuer) : name) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(x), -EARLY_S) &&
           X509_gmtime_adj(X509_getm_notAfter(x), (long)days * 86400);
    if (good)
        return x;
    X509_free(x);
    return NULL;
}

static X509 *make_ca(EVP_PKEY *key)
{
    X509 *x = new_certificate(key, NULL, "kubernetes", NULL, CA_DAYS);

    if (x && add_extension(x, x, NID_basic_constraints, "critical,CA:TRUE") &&
        add_extension(x, x, NID_key_usage,
                      "critical,digitalSignature,keyCertSign,keyEncipherment") &&
        add_extension(x, x, NID_subject_key_identifier, "hash") && X509_sign(x, key, EVP_sha256()))
        return x;
    X509_free(x);
    return NULL;
}

/* usage: "serverAuth" or "clientAuth"; names NULL: no subjectAltName. */
static X509 *make_leaf(EVP_PKEY *key, X509 *ca, EVP_PKEY *ca_key, const char *common_name,
                       const char *const *organizations, const char *usage, const char *names,
                       int days)
{
    X509 *x = new_certificate(key, ca, common_name, organizations, days);

    if (x && add_extension(x, ca, NID_basic_constraints, "critical,CA:FALSE") &&
        add_extension(x, ca, NID_key_usage, "critical,digitalSignature") &&
        add_extension(x, ca, NID_ext_key_usage, usage) &&
        add_extension(x, ca, NID_authority_key_identifier, "keyid") &&
        (!names || add_extension(x, ca, NID_subject_alt_name, names)) &&
        X509_sign(x, ca_key, EVP_sha256()))
        return x;
    X509_free(x);
    return NULL;
}

/* ---- the set of keys ---- */

static enum fault keep(struct op *op, struct cluster_keys *keys)
{
    if (keys->ca)
        arena_defer(&op->arena, free_certificate, keys->ca);
    if (keys->ca_key)
        arena_defer(&op->arena, free_key, keys->ca_key);
    if (keys->token_key)
        arena_defer(&op->arena, free_key, keys->token_key);
    return keys->ca && keys->ca_key && keys->token_key ? OK : broken(op, "a cluster's keys");
}

enum fault cluster_keys_make(struct op *op, struct cluster_keys *ret)
{
    struct cluster_keys keys = {.ca_key = EVP_EC_gen("P-256"), .token_key = EVP_EC_gen("P-256")};

    keys.ca = keys.ca_key ? make_ca(keys.ca_key) : NULL;
    TRY(keep(op, &keys));
    keys.ca_pem = certificate_pem(op, keys.ca);
    *ret = keys;
    return OK;
}

const char *cluster_keys_text(struct op *op, const struct cluster_keys *keys)
{
    struct text out;

    text_init(&out, &op->arena, 65536);
    text_str(&out, "{\"ca\":");
    json_quote(&out, key_pem(op, keys->ca_key));
    text_str(&out, ",\"token\":");
    json_quote(&out, key_pem(op, keys->token_key));
    text_str(&out, "}");
    return out.data;
}

enum fault cluster_keys_read(struct op *op, const char *ca_pem, const char *text,
                             struct cluster_keys *ret)
{
    struct cluster_keys keys = {.ca_pem = ca_pem};
    BIO *bio = BIO_new_mem_buf(ca_pem, -1);
    json_t *both = NULL;

    keys.ca = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    if (json_parse(op, BYTES(text), &both) == OK) {
        keys.ca_key = read_key(json_string_value(json_object_get(both, "ca")));
        keys.token_key = read_key(json_string_value(json_object_get(both, "token")));
    }
    TRY(keep(op, &keys));
    *ret = keys;
    return OK;
}

enum fault cluster_server_certificate(struct op *op, X509 *ca, EVP_PKEY *ca_key,
                                      const char *common_name, const char *names,
                                      X509 **ret_certificate, EVP_PKEY **ret_key)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    /* a CN has 64 bytes at most; clients look at the names */
    X509 *x =
        key ? make_leaf(key, ca, ca_key, strlen(common_name) <= 64 ? common_name : "apiserver",
                        NULL, "serverAuth", names, SERVER_DAYS)
            : NULL;

    if (!x) {
        EVP_PKEY_free(key);
        return broken(op, "a server certificate");
    }
    *ret_certificate = x;
    *ret_key = key;
    return OK;
}

enum fault cluster_client_certificate(struct op *op, X509 *ca, EVP_PKEY *ca_key,
                                      const char *common_name, const char *const *organizations,
                                      int days, const char **ret_certificate, const char **ret_key)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = key ? make_leaf(key, ca, ca_key, common_name, organizations, "clientAuth", NULL, days)
                  : NULL;

    if (x) {
        *ret_certificate = certificate_pem(op, x);
        *ret_key = key_pem(op, key);
    }
    X509_free(x);
    EVP_PKEY_free(key);
    return x ? OK : broken(op, "a client certificate");
}

/* ---- what a server is called ---- */

static void add_interfaces(struct text *names)
{
    struct ifaddrs *list = NULL;
    char text[INET6_ADDRSTRLEN];

    if (getifaddrs(&list))
        return;
    for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
        const void *address = NULL;

        if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET)
            address = &((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr;
        else if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET6)
            address = &((const struct sockaddr_in6 *)(const void *)i->ifa_addr)->sin6_addr;
        if (address && !(i->ifa_flags & IFF_LOOPBACK) &&
            inet_ntop(i->ifa_addr->sa_family, address, text, sizeof(text)))
            text_printf(names, ",IP:%s", text);
    }
    freeifaddrs(list);
}

const char *cluster_server_names(struct op *op, const char *fqdn, const char *const *addresses)
{
    char host[256] = "";
    struct text names;

    text_init(&names, &op->arena, 65536);
    text_printf(&names,
                "DNS:%s,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,"
                "DNS:kubernetes.default.svc.cluster.local,DNS:localhost,IP:127.0.0.1,IP:::1",
                fqdn);
    if (gethostname(host, sizeof(host) - 1) == 0 && *host && !strpbrk(host, ",:"))
        text_printf(&names, ",DNS:%s", host);
    for (; addresses && *addresses; addresses++)
        if (**addresses)
            text_printf(&names, ",IP:%s", *addresses);
    add_interfaces(&names);
    return names.data;
}
