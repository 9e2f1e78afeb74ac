#include "core/tls.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <string.h>

#include "tests/unit/unit.h"

static bool registry_name(const char *name)
{
    return strstr(name, "azurecr") != NULL;
}

/* What a client saw in a handshake through memory. */
struct seen {
    long verified; /* X509_V_OK, against our CA and the name or address */
    char protocol[16];
    X509 *cert;
};

static SSL_CTX *server_ctx;

static X509_STORE *trust_ca(void)
{
    BIO *bio = BIO_new_mem_buf(tls_ca_pem(), -1);
    X509 *ca = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    X509_STORE *store = X509_STORE_new();

    X509_STORE_add_cert(store, ca);
    X509_free(ca);
    BIO_free(bio);
    return store;
}

static SSL *make_client(SSL_CTX *ctx, const char *sni, const char *address)
{
    static const unsigned char protocols[] = "\x02h2\x08http/1.1";
    SSL *client = SSL_new(ctx);

    SSL_set_alpn_protos(client, protocols, sizeof(protocols) - 1);
    if (sni) {
        SSL_set_tlsext_host_name(client, sni);
        SSL_set1_host(client, sni);
    }
    if (address)
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(client), address);
    SSL_set_connect_state(client);
    return client;
}

static struct seen handshake(const char *sni, const char *address)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *client, *server = SSL_new(server_ctx);
    BIO *a, *b;
    struct seen seen = {0};
    const unsigned char *protocol;
    unsigned len;

    SSL_CTX_set_cert_store(ctx, trust_ca());
    client = make_client(ctx, sni, address);
    BIO_new_bio_pair(&a, 65536, &b, 65536);
    SSL_set_bio(client, a, a);
    SSL_set_bio(server, b, b);
    SSL_set_accept_state(server);
    for (int i = 0; i < 10; i++) {
        SSL_do_handshake(client);
        SSL_do_handshake(server);
    }
    seen.verified = SSL_get_verify_result(client);
    seen.cert = SSL_get1_peer_certificate(client);
    SSL_get0_alpn_selected(client, &protocol, &len);
    memcpy(seen.protocol, protocol, len < 15 ? len : 15);
    SSL_free(client);
    SSL_free(server);
    SSL_CTX_free(ctx);
    return seen;
}

static void start(struct op *op, const struct settings *settings)
{
    unit_op(op);
    CU_ASSERT_EQUAL_FATAL(tls_start(op, settings), OK);
    server_ctx = tls_server_context(registry_name);
}

static const struct {
    const char *sni, *address;
    bool trusted;
    const char *protocol;
} cases[] = {
    {"localhost",                NULL,        true,  "h2"      },
    {"sundog.azurecr.localhost", NULL,        true,  "http/1.1"},
    {"SUNDOG.azurecr.io",        NULL,        true,  "http/1.1"},
    {"a.b.c.azmk8s.io",          NULL,        true,  "h2"      },
    {NULL,                       "127.0.0.1", true,  "h2"      },
    {NULL,                       "::1",       true,  "h2"      },
    {"evil.example.com",         NULL,        false, "h2"      },
    {"notazurecr.io",            NULL,        false, "http/1.1"},
    {NULL,                       "8.8.8.8",   false, "h2"      },
};

static void test_names(void)
{
    struct op op;

    start(&op, unit_settings());
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct seen seen = handshake(cases[i].sni, cases[i].address);

        CU_ASSERT_EQUAL(seen.verified == X509_V_OK, cases[i].trusted);
        CU_ASSERT_STRING_EQUAL(seen.protocol, cases[i].protocol);
        CU_ASSERT_PTR_NOT_NULL(seen.cert);
        X509_free(seen.cert);
    }
    tls_stop();
    unit_op_end(&op);
}

static void test_the_same_authority_after_a_restart(void)
{
    const char *before;
    struct op op;

    start(&op, unit_settings());
    before = arena_strdup(&op.arena, tls_ca_pem());
    tls_stop();
    CU_ASSERT_EQUAL_FATAL(tls_start(&op, unit_settings()), OK);
    CU_ASSERT_STRING_EQUAL(before, tls_ca_pem());
    tls_stop();
    unit_op_end(&op);
}

/* A further name: the authority's certificate is made again, with the same key and subject. */
static void test_a_new_name_widens_the_authority(void)
{
    struct settings settings = *unit_settings();
    const char *before;
    struct seen seen;
    struct op op;

    start(&op, &settings);
    before = arena_strdup(&op.arena, tls_ca_pem());
    seen = handshake("registry.corp.example", NULL);
    CU_ASSERT_NOT_EQUAL(seen.verified, X509_V_OK);
    X509_free(seen.cert);
    tls_stop();
    settings.tls_names[0] = "corp.example";
    CU_ASSERT_EQUAL_FATAL(tls_start(&op, &settings), OK);
    server_ctx = tls_server_context(registry_name);
    CU_ASSERT_STRING_NOT_EQUAL(before, tls_ca_pem());
    seen = handshake("registry.corp.example", NULL);
    CU_ASSERT_EQUAL(seen.verified, X509_V_OK);
    X509_free(seen.cert);
    tls_stop();
    unit_op_end(&op);
}

static void *many_names(void *arg)
{
    struct arena arena;
    int first = *(int *)arg;

    arena_init(&arena);
    for (int i = 0; i < 150; i++) {
        struct seen seen = handshake(arena_printf(&arena, "n%d.test", (first + i) % 300), NULL);

        CU_ASSERT_EQUAL(seen.verified, X509_V_OK);
        X509_free(seen.cert);
    }
    arena_free(&arena);
    return NULL;
}

/* More names than the cache holds, from two threads as the loops do. */
static void test_many_names_at_once(void)
{
    int starts[] = {0, 150};
    pthread_t threads[2];
    struct op op;

    start(&op, unit_settings());
    for (int i = 0; i < 2; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, many_names, &starts[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    tls_stop();
    unit_op_end(&op);
}

CU_TestInfo core_tls_tests[] = {
    {"names, addresses, protocols",        test_names                             },
    {"the same authority after a restart", test_the_same_authority_after_a_restart},
    {"a new name widens the authority",    test_a_new_name_widens_the_authority   },
    {"many names at once",                 test_many_names_at_once                },
    CU_TEST_INFO_NULL,
};
