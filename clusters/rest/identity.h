/* Who is asking: client certificates, service account tokens, Entra tokens, impersonation. */
#ifndef SUNDOG_CLUSTERS_REST_IDENTITY_H
#define SUNDOG_CLUSTERS_REST_IDENTITY_H

#include "auth/entra.h"
#include "clusters/rest/rest.h"

struct user_info {
    struct actor actor;
    json_t *extra; /* {key: [values]} or NULL */
};
/* A token of this cluster's service accounts, or of our Entra (user: object id; groups: theirs).
   audience NULL: the API server's. UNAUTHENTICATED says nothing about why; WOULD_BLOCK: an Entra
   token that must be looked up, and op has no connection. */
enum fault identity_of_token(struct op *op, struct cluster *cluster, const char *token,
                             const char *audience, struct user_info *ret);
/* A principal of our Entra who has signed in already. */
struct user_info identity_of_principal(struct op *op, const struct identity *who);
/* A verified client certificate's CN and O. UNAUTHENTICATED: the cluster has no local accounts. */
enum fault identity_of_certificate(struct op *op, struct cluster *cluster, const char *common_name,
                                   const char *const *organizations, struct user_info *ret);

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
/* The resources and subresources that are questions: TokenReview, SubjectAccessReview and their
   kin, serviceaccounts/token. *ret: the answer, in op's arena. */
bool is_review(const struct rest *r);
enum fault rest_review(struct op *op, struct rest *r, json_t *tree, const struct user_info *who,
                       json_t **ret);
/* /.well-known/openid-configuration and /openid/v1/jwks. */
enum fault identity_discovery(struct op *op, struct cluster *cluster, json_t **ret);
enum fault identity_jwks(struct op *op, struct cluster *cluster, json_t **ret);

#endif
