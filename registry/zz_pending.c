/* Until auth/ has them (weak: its own win). */
#include "auth/entra.h"
#include "auth/role.h"

__attribute__((weak)) enum fault entra_verify(struct op *op, const char *token, unsigned audiences,
                                              bool may_block, const struct identity **ret)
{
    (void)token, (void)audiences, (void)may_block, (void)ret;
    return fail(op, UNAUTHENTICATED, "Entra tokens are not built yet");
}
__attribute__((weak)) enum fault entra_sign_in(struct op *op, const char *app_id,
                                               const char *secret, const struct identity **ret)
{
    (void)app_id, (void)secret, (void)ret;
    return fail(op, UNAUTHENTICATED, "the user name or the password is wrong");
}
__attribute__((weak)) enum fault entra_principal(struct op *op, const char *object_id,
                                                 const struct identity **ret)
{
    (void)object_id, (void)ret;
    return fail(op, NOT_FOUND, "there is no such principal");
}
__attribute__((weak)) bool role_allows(struct op *op, const struct identity *who, const char *scope,
                                       const char *action)
{
    (void)op, (void)who, (void)scope, (void)action;
    return false;
}
__attribute__((weak)) bool role_allows_data(struct op *op, const struct identity *who,
                                            const char *scope, const char *data_action,
                                            const char *repository)
{
    (void)op, (void)who, (void)scope, (void)data_action, (void)repository;
    return false;
}
