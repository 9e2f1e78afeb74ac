/*
 * The tenant, and what a first start puts into it: an application "sundog-admin" with a secret and
 * a user, both Owner of everything. Told once, in DIR/admin.json; kept as hashes only.
 */
#ifndef SUNDOG_AUTH_TENANT_H
#define SUNDOG_AUTH_TENANT_H

#include "core/settings.h"

#define TENANT_DOMAIN "sundog.localhost"

/* Load the tenant, making it with its first principals when there is none. */
enum fault tenant_start(struct op *op, const struct settings *settings);
/* "scrypt$N$r$p$salt$hash", slow on purpose: 16 MiB and tens of milliseconds. In op's arena. */
char *password_hash(struct op *op, const char *password);
bool password_verify(const char *hash, const char *password);

#endif
