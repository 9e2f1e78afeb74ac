/*
 * Registry tokens (facts §2.2): RS256 JWTs of issuer "Azure Container Registry". A refresh token
 * says who somebody is; an access token also what it was given for: some actions on some
 * repositories. What either is worth is decided anew on each request (registry/access.c).
 */
#ifndef SUNDOG_REGISTRY_TOKEN_H
#define SUNDOG_REGISTRY_TOKEN_H

#include "auth/jwt.h"
#include "registry/principal.h"

#define TOKEN_ISSUER          "Azure Container Registry"
#define ACCESS_TOKEN_SECONDS  4500
#define REFRESH_TOKEN_SECONDS 10800
#define TOKEN_GRANTS_MAX      64

enum token_use { TOKEN_ACCESS, TOKEN_REFRESH };

struct grant {
    const char *registry;   /* lower case; NULL: of every registry (the catalog, by path) */
    const char *repository; /* NULL: the registry itself */
    unsigned actions;
};

/* What jwt_verify keeps of a token; read-only. */
struct token {
    enum token_use use;
    const char *subject, *audience;
    struct grant *grants;
    size_t n_grants;
    struct op *memory;
};

/*
 * Make a token for a principal. audience is the service the client named; scopes (with names as the
 * client writes them) are what it is granted, and count for TOKEN_ACCESS only.
 */
enum fault token_issue(struct op *op, enum token_use use, const struct principal *principal,
                       const char *audience, const struct scope *scopes, size_t n_scopes,
                       const char **ret_token);
/*
 * Verify; *ret lives as long as op's arena. UNAUTHENTICATED: bad, expired, foreign. WOULD_BLOCK
 * when memory alone cannot tell and may_block is false.
 */
enum fault token_verify(struct op *op, const char *text, bool may_block, const struct token **ret);
/* The actions a token was given for this repository (NULL: for the registry itself). */
unsigned token_actions(const struct token *token, const char *registry, const char *repository);

#endif
