/*
 * Managed identities: service principals that a resource signs in as without a secret of its own. A
 * workload asks GET /metadata/identity/oauth2/token (the shape of virtual machines) or
 * /msi/token (that of App Service: IDENTITY_ENDPOINT) and is known by the header its host gave it
 * or by its address.
 */
#ifndef SUNDOG_AUTH_MANAGED_IDENTITY_H
#define SUNDOG_AUTH_MANAGED_IDENTITY_H

#include "core/call.h"

struct managed_identity {
    const char *principal_id; /* the service principal's object id */
    const char *client_id;
    const char *header; /* X-IDENTITY-HEADER of its workloads; kept as a hash only */
};
/*
 * Make one for a resource, as part of the open transaction; afterwards role_reload. resource_id is
 * kept as its alternative name, name is what lists show. All in op's arena.
 */
enum fault managed_identity_create(struct op *op, const char *resource_id, const char *name,
                                   struct managed_identity *ret);
/* A further header, for one more workload of the same identity; old ones stay good. */
enum fault managed_identity_add_header(struct op *op, const char *principal_id,
                                       const char **ret_header);
/* With its assignments, tokens and headers. NOT_FOUND. */
enum fault managed_identity_delete(struct op *op, const char *principal_id);

/*
 * A workload may be known by where it asks from, too: principal_of gives the object id of the
 * identity at an address (NULL: none), and is asked for calls to /metadata/ without the header.
 * op->db is set. Before requests come.
 */
void managed_identity_set_workload(const char *(*principal_of)(struct op *op,
                                                               const char *client_address));

/* The two endpoints. */
enum fault managed_identity_token(struct call *c);

#endif
