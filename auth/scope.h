/*
 * Registry scopes (distribution token spec): "repository:team/app:pull,push", "registry:catalog:*".
 */
#ifndef SUNDOG_AUTH_SCOPE_H
#define SUNDOG_AUTH_SCOPE_H

#include "core/op.h"

/* Actions as bits, so that what is asked, held and granted are intersected with '&'. */
enum scope_action {
    SCOPE_PULL = 1 << 0,
    SCOPE_PUSH = 1 << 1,
    SCOPE_DELETE = 1 << 2,
    SCOPE_METADATA_READ = 1 << 3,
    SCOPE_METADATA_WRITE = 1 << 4,
    SCOPE_DELETED_READ = 1 << 5,
    SCOPE_DELETED_RESTORE = 1 << 6,
    SCOPE_CATALOG = 1 << 7, /* registry:catalog:* */
    SCOPE_DELETED_CATALOG = 1 << 8,
    SCOPE_ALL_REPOSITORY = 0x7f,
};
struct scope {
    const char *type; /* "repository", "registry" */
    const char *name; /* "team/app", "catalog"; may hold ':' (a host's port) */
    unsigned actions; /* of enum scope_action; "*" = all of its type */
};
/* Space-separated scopes, at most 64 of them. INVALID: malformed. Unknown actions are left out. */
enum fault scope_parse(struct op *op, const char *text, struct scope **ret_scopes, size_t *ret_n);
/* "pull,push" in the fixed order of the enum. */
const char *scope_actions_text(struct op *op, unsigned actions);
unsigned scope_action_parse(const char *name, size_t len); /* 0: unknown */

#endif
