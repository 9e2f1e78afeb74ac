/* The rows of role assignments; auth/role.h has what other folders use. */
#ifndef SUNDOG_AUTH_ASSIGNMENT_STORE_H
#define SUNDOG_AUTH_ASSIGNMENT_STORE_H

void assignment_store_start(void);

#endif
