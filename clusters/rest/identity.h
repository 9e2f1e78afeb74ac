/* Who is asking: client certificates, service account tokens, Entra tokens, impersonation. */
#ifndef SUNDOG_CLUSTERS_REST_IDENTITY_H
#define SUNDOG_CLUSTERS_REST_IDENTITY_H

#include "clusters/rest/rest.h"

struct identity {
    struct actor actor;
    json_t *extra; /* {key: [values]} or NULL */
};
/* A token of this cluster's service accounts, or of our Entra (group "aad" claims). audience NULL:
   the API server's. UNAUTHENTICATED says nothing about why. */
enum fault identity_of_token(struct op *op, struct cluster *cluster, const char *token,
                             const char *audience, struct identity *ret);
/* A verified client certificate's CN and O. */
enum fault identity_of_certificate(struct op *op, struct cluster *cluster, const char *common_name,
                                   const char *const *organizations, struct identity *ret);

struct token_request {
    const char *ns, *service_account;
    const char *const *audiences;                    /* NULL or empty: the API server's */
    int64_t lifetime_s;                              /* 600 … 2³² ; 0: 3600 */
    const char *bound_kind, *bound_name, *bound_uid; /* "Pod", …; NULL */
};
/* A signed token (ES256) and when it ends. NOT_FOUND: no such service account. */
enum fault identity_issue(struct op *op, struct cluster *cluster,
                          const struct token_request *request, const char **ret_token,
                          int64_t *ret_expires_s);
/* /.well-known/openid-configuration and /openid/v1/jwks. */
enum fault identity_discovery(struct op *op, struct cluster *cluster, json_t **ret);
enum fault identity_jwks(struct op *op, struct cluster *cluster, json_t **ret);

#endif
