/*
 * Repository tokens: users of one registry, with two passwords that may expire and the rights of a
 * scope map. (Not the JWTs of registry/token.h.) Kept in memory as they are asked for; rights are
 * looked up on each request, so a change holds at once.
 */
#ifndef SUNDOG_REGISTRY_REGISTRY_TOKEN_H
#define SUNDOG_REGISTRY_REGISTRY_TOKEN_H

#include "registry/scope_map.h"

struct registry_token_password {
    bool set;
    const char *created, *expiry; /* ISO 8601; expiry NULL: never */
};
struct registry_token {
    const char *name;      /* ^[a-zA-Z0-9-]{5,50}$ */
    const char *scope_map; /* its name; NULL: none, so no rights */
    bool enabled;
    struct registry_token_password passwords[2];
    const char *created;
};

/* In the caller's transaction; scope_map_changed after the commit. */

/*
 * Make or change: scope map (NULL: as it is), status; passwords stay. INVALID on "name" or
 * "scopeMapId" (there is no such map), CONFLICT on "quota".
 */
enum fault registry_token_put(struct op *op, const struct registry *registry,
                              const struct registry_token *wanted, bool *ret_created);
enum fault registry_token_get(struct op *op, int64_t registry_id, const char *name,
                              struct registry_token *ret);
enum fault registry_token_list(struct op *op, int64_t registry_id, const char *last, int64_t max,
                               struct registry_token **ret, size_t *ret_n);
enum fault registry_token_delete(struct op *op, int64_t registry_id, const char *name);
/*
 * generateCredentials: a new password, which 0 or 1, until expiry (ISO 8601; NULL: for ever).
 * *ret_password is its only showing. NOT_FOUND, INVALID on "expiry".
 */
enum fault registry_token_generate(struct op *op, int64_t registry_id, const char *name, int which,
                                   const char *expiry, const char **ret_password);
/* Take a password away (a PATCH whose credentials name the other one only). */
enum fault registry_token_forget(struct op *op, int64_t registry_id, const char *name, int which);

/* ---- from memory ---- */

/* What requests need of one; held until op's arena is freed. */
struct token_rights {
    int64_t id, registry_id;
    const char *name;
    bool enabled;
    const char *hashes[2];
    int64_t expires_s[2]; /* 0: never */
    const char *const *actions;
    size_t n_actions;
};
/* WOULD_BLOCK: not in memory and !may_block; NOT_FOUND. */
enum fault registry_token_find(struct op *op, const struct registry *registry, const char *name,
                               bool may_block, const struct token_rights **ret);

void registry_token_store_start(void);
void registry_token_listen(void); /* before hub_start */
void registry_token_stop(void);

#endif
