/* A cluster's keys and certificates: its own authority, P-256 throughout. */
#ifndef SUNDOG_CLUSTERS_CLUSTER_KEYS_H
#define SUNDOG_CLUSTERS_CLUSTER_KEYS_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "core/op.h"

struct cluster_keys {
    X509 *ca;
    EVP_PKEY *ca_key, *token_key;
    const char *ca_pem;
};
/* Released with op's arena. */
enum fault cluster_keys_make(struct op *op, struct cluster_keys *ret);
/* As they are kept: {"ca": PEM, "token": PEM}. */
const char *cluster_keys_text(struct op *op, const struct cluster_keys *keys);
/* From that text and the certificate's PEM. */
enum fault cluster_keys_read(struct op *op, const char *ca_pem, const char *text,
                             struct cluster_keys *ret);
/* Names of a server: "DNS:a,IP:127.0.0.1,…". The references are the caller's. */
enum fault cluster_server_certificate(struct op *op, X509 *ca, EVP_PKEY *ca_key,
                                      const char *common_name, const char *names,
                                      X509 **ret_certificate, EVP_PKEY **ret_key);
/* A client's: PEM of both. organizations: NULL-terminated groups. */
enum fault cluster_client_certificate(struct op *op, X509 *ca, EVP_PKEY *ca_key,
                                      const char *common_name, const char *const *organizations,
                                      int days, const char **ret_certificate, const char **ret_key);
/* "DNS:…,IP:…" that a cluster's API server answers to on this machine. */
const char *cluster_server_names(struct op *op, const char *fqdn, const char *const *addresses);

#endif
