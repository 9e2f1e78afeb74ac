/*
 * Who asks, and what they may do today. Everything that decides on rights calls principal_rights,
 * on each request and from memory, so a right that is taken away is gone at once.
 */
#ifndef SUNDOG_REGISTRY_PRINCIPAL_H
#define SUNDOG_REGISTRY_PRINCIPAL_H

#include "auth/entra.h"
#include "auth/scope.h"
#include "registry/registry.h"
#include "registry/registry_token.h"

enum principal_kind {
    PRINCIPAL_ANONYMOUS,
    PRINCIPAL_ADMIN, /* the admin user of one registry */
    PRINCIPAL_ENTRA, /* a user or service principal; roles say what it may */
    PRINCIPAL_TOKEN, /* a repository token of one registry; its scope map says what it may */
};
struct principal {
    enum principal_kind kind;
    int64_t registry_id;             /* ADMIN, TOKEN: of this registry */
    const char *name;                /* for the log */
    const struct identity *identity; /* ENTRA */
    bool by_arm_token; /* ENTRA: known by a token of Resource Manager's audience, which a registry
                          may refuse (azureADAuthenticationAsArmPolicy) */
    const struct token_rights *token; /* TOKEN */
};

/*
 * Who has this name and password? registry: the host's, or NULL by path; then the user is an
 * admin's name, an application id, or "REGISTRY/token" (DESIGN §3). Constant time in the password.
 * UNAUTHENTICATED: nobody; WOULD_BLOCK when memory cannot tell and may_block is false. Limits on
 * failures are the caller's affair (auth/throttle.h).
 */
enum fault principal_by_password(struct op *op, const struct registry *registry, const char *user,
                                 const char *password, bool may_block, struct principal *ret);
/* Somebody who has signed in already. */
struct principal principal_of_identity(const struct identity *identity);
/* A principal as a token's subject names it, and back. UNAUTHENTICATED: it is no more. */
const char *principal_subject(struct op *op, const struct principal *principal);
enum fault principal_by_subject(struct op *op, const char *subject, bool may_block,
                                struct principal *ret);
/*
 * Which of these actions (SCOPE_…) are allowed now on a repository of a registry; repository NULL:
 * on the registry itself (SCOPE_CATALOG). Never blocks.
 */
unsigned principal_rights(struct op *op, const struct principal *principal,
                          const struct registry *registry, const char *repository, unsigned of);
/* What would give it these actions there, as trace_mend; nothing when no command does. */
void principal_mend(struct op *op, const struct principal *principal,
                    const struct registry *registry, const char *repository, unsigned actions);
/* May it read what is in quarantine, or judge it? */
bool principal_may_quarantine(struct op *op, const struct principal *principal,
                              const struct registry *registry, bool write);
/* Does its catalog hold only the repositories whose metadata it may read? */
bool principal_lists_some(const struct principal *principal);

#endif
