/* Secrets, certificates and trusted issuers: the second half of auth/object.h. */
#ifndef SUNDOG_AUTH_CREDENTIAL_STORE_H
#define SUNDOG_AUTH_CREDENTIAL_STORE_H

void credential_store_start(void); /* called by object_store_start */

#endif
