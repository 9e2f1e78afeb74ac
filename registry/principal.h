/*
 * Who asks, and what they may do today. Everything that decides on rights calls principal_rights:
 * service principals, repository tokens and scope maps will be further kinds here.
 */
#ifndef SUNDOG_REGISTRY_PRINCIPAL_H
#define SUNDOG_REGISTRY_PRINCIPAL_H

#include "auth/scope.h"
#include "registry/registry.h"

enum principal_kind {
    PRINCIPAL_ANONYMOUS,
    PRINCIPAL_ADMIN, /* the admin user of one registry */
};
struct principal {
    enum principal_kind kind;
    int64_t registry_id; /* ADMIN: of this registry */
    const char *name;    /* for the log; the admin user is called like its registry */
};

/*
 * Who has this name and password? Constant time in the password. UNAUTHENTICATED: nobody.
 * Never blocks; limits on failures are the caller's affair (auth/throttle.h).
 */
enum fault principal_by_password(struct op *op, const char *user, const char *password,
                                 struct principal *ret);
/* A principal as a token's subject names it, and back. UNAUTHENTICATED: it is no more. */
const char *principal_subject(struct op *op, const struct principal *principal);
enum fault principal_by_subject(struct op *op, const char *subject, struct principal *ret);
/*
 * The actions (SCOPE_…) allowed now on a repository of a registry; repository NULL: on the registry
 * itself (SCOPE_CATALOG). Never blocks.
 */
unsigned principal_rights(const struct principal *principal, const struct registry *registry,
                          const char *repository);

#endif
