#include "clusters/cluster_keys.h"

#include <string.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "tests/unit/unit.h"

/* What is kept as text is the same keys again, and what they sign is believed. */
static void test_kept(void)
{
    static const char *const masters[] = {"system:masters", NULL};
    struct cluster_keys made, read, other;
    const char *certificate = NULL, *key = NULL;
    X509 *server = NULL, *client;
    EVP_PKEY *server_key = NULL;
    char name[256];
    struct op op;
    BIO *bio;

    op_init(&op);
    CU_ASSERT_EQUAL_FATAL(cluster_keys_make(&op, &made), OK);
    CU_ASSERT_EQUAL_FATAL(cluster_keys_read(&op, made.ca_pem, cluster_keys_text(&op, &made), &read),
                          OK);
    CU_ASSERT_EQUAL(EVP_PKEY_eq(made.ca_key, read.ca_key), 1);
    CU_ASSERT_EQUAL(EVP_PKEY_eq(made.token_key, read.token_key), 1);
    CU_ASSERT_EQUAL(X509_verify(read.ca, read.ca_key), 1);
    CU_ASSERT_EQUAL_FATAL(cluster_client_certificate(&op, read.ca, read.ca_key, "masterclient",
                                                     masters, 1, &certificate, &key),
                          OK);
    bio = BIO_new_mem_buf(certificate, -1);
    client = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    CU_ASSERT_PTR_NOT_NULL_FATAL(client);
    CU_ASSERT_EQUAL(X509_verify(client, made.ca_key), 1);
    X509_NAME_oneline(X509_get_subject_name(client), name, sizeof(name));
    CU_ASSERT_STRING_EQUAL(name, "/O=system:masters/CN=masterclient");
    CU_ASSERT_EQUAL_FATAL(cluster_server_certificate(&op, read.ca, read.ca_key, "c",
                                                     cluster_server_names(&op, "c.example", NULL),
                                                     &server, &server_key),
                          OK);
    CU_ASSERT_EQUAL(X509_check_host(server, "c.example", 0, 0, NULL), 1);
    CU_ASSERT_EQUAL(X509_check_host(server, "kubernetes.default.svc", 0, 0, NULL), 1);
    CU_ASSERT_EQUAL(X509_check_ip_asc(server, "127.0.0.1", 0), 1);
    CU_ASSERT_NOT_EQUAL(X509_check_host(server, "d.example", 0, 0, NULL), 1);
    /* nobody else's */
    CU_ASSERT_EQUAL_FATAL(cluster_keys_make(&op, &other), OK);
    CU_ASSERT_NOT_EQUAL(X509_verify(client, other.ca_key), 1);
    X509_free(client);
    X509_free(server);
    EVP_PKEY_free(server_key);
    op_free(&op);
}

static void test_damaged(void)
{
    static const char *const texts[] = {"", "{", "{}", "{\"ca\":\"x\",\"token\":\"y\"}",
                                        "{\"ca\":1}"};
    struct cluster_keys made, read;
    struct op op;

    op_init(&op);
    CU_ASSERT_EQUAL_FATAL(cluster_keys_make(&op, &made), OK);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        CU_ASSERT_EQUAL(cluster_keys_read(&op, made.ca_pem, texts[i], &read), INTERNAL);
    CU_ASSERT_EQUAL(cluster_keys_read(&op, "no PEM", cluster_keys_text(&op, &made), &read),
                    INTERNAL);
    op_free(&op);
}

CU_TestInfo clusters_cluster_keys_tests[] = {
    {"kept, read, and believed", test_kept   },
    {"damaged keys are told",    test_damaged},
    CU_TEST_INFO_NULL,
};
