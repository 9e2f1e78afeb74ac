#include <ctype.h>
#include <string.h>

#include "auth/oauth.h"
#include "auth/object.h"
#include "auth/tenant.h"
#include "auth/throttle.h"

#define NAME_MAX_BYTES 256

static enum fault check_password(struct call *c, const struct object *user, const char *password)
{
    const char *hash;

    TRY(object_password(&c->op, user->id, &hash));
    if (hash && strlen(password) <= 1024 && password_verify(hash, password))
        return OK;
    return fail_on(&c->op, "50126", UNAUTHENTICATED,
                   "Error validating credentials due to invalid username or password.");
}

static enum fault sign_in(struct call *c, const char *name, const char *password,
                          const struct object **ret)
{
    const struct object *user = directory_user(directory_hold(&c->op), name);

    if (!user)
        return fail_on(&c->op, "50034", UNAUTHENTICATED,
                       "The user account %.100s does not exist in the %s directory. To sign into"
                       " this application, the account must be added to the directory.",
                       name, entra_tenant());
    TRY(check_password(c, user, password));
    if (!user->enabled)
        return fail_on(&c->op, "50057", UNAUTHENTICATED, "The user account is disabled.");
    *ret = user;
    return OK;
}

/* However it is spelt, guesses count for one account. */
static const char *lower(struct op *op, const char *name)
{
    char *copy = arena_strdup(&op->arena, name);

    for (char *p = copy; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return copy;
}

enum fault oauth_user_sign_in(struct call *c, const char *name, const char *password,
                              const struct object **ret)
{
    const char *account;
    enum fault fault;

    if (strlen(name) > NAME_MAX_BYTES)
        return fail_on(&c->op, "50034", UNAUTHENTICATED, "The user account does not exist.");
    account = lower(&c->op, name);
    TRY(throttle_check(&c->op, c->client, account));
    fault = sign_in(c, name, password, ret);
    if (fault == UNAUTHENTICATED)
        throttle_failed(c->client, account);
    return fault;
}

enum fault oauth_user_again(struct call *c, const char *id, int64_t sessions,
                            const struct object **ret)
{
    const struct object *user = directory_object(directory_hold(&c->op), id);

    if (!user || user->kind != OBJECT_USER || user->sessions != sessions)
        return fail_on(&c->op, "50173", INVALID,
                       "The provided grant has expired due to it being revoked, a fresh auth token"
                       " is needed.");
    if (!user->enabled)
        return fail_on(&c->op, "50057", UNAUTHENTICATED, "The user account is disabled.");
    *ret = user;
    return OK;
}
