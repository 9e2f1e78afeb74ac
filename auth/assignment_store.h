/* The rows of role assignments; auth/role.h has what other folders use. */
#ifndef SUNDOG_AUTH_ASSIGNMENT_STORE_H
#define SUNDOG_AUTH_ASSIGNMENT_STORE_H

#include "core/op.h"

void assignment_store_start(void);

/*
 * Some user or service principal must stay Owner of everything, or nobody could ever assign a role
 * again. Within the open transaction: begin before, end after what may take the last one away.
 * CONFLICT on "CannotDeleteLastRbacAdminAssignment".
 */
enum fault last_owner_begin(struct op *op, bool *ret_there);
enum fault last_owner_end(struct op *op, bool was_there);

#endif
