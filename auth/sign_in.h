/*
 * Sign-ins that go on: authorization codes and device codes (used once, gone after minutes) and
 * refresh tokens (each use gives a new one; the old one may be shown again for a minute, since
 * clients ask twice at once; later that is theft, and ends all of that sign-in). Only the SHA-256
 * of each is kept.
 */
#ifndef SUNDOG_AUTH_SIGN_IN_H
#define SUNDOG_AUTH_SIGN_IN_H

#include "core/op.h"

enum sign_in_kind { SIGN_IN_CODE, SIGN_IN_DEVICE, SIGN_IN_REFRESH };
struct sign_in {
    enum sign_in_kind kind;
    const char *user_id;   /* a device's: NULL until somebody approved it */
    const char *user_code; /* of a device */
    const char *family;    /* NULL when made: a new one */
    int64_t sessions;
    const char *document; /* what was asked, a JSON object's text */
    bool refused;
};

void sign_in_store_start(void);
/* The secret is the caller's to send. TOO_MANY: too many device codes wait already. */
enum fault sign_in_add(struct op *op, const struct sign_in *row, int64_t seconds,
                       const char **ret_secret);
/* A code, or an approved or refused device code: it is used up. NOT_FOUND. */
enum fault sign_in_take(struct op *op, enum sign_in_kind kind, const char *secret,
                        struct sign_in *ret);
/* A device code as it stands. NOT_FOUND: unknown, used or expired. */
enum fault sign_in_device(struct op *op, const char *secret, struct sign_in *ret);
enum fault sign_in_by_user_code(struct op *op, const char *user_code, struct sign_in *ret);
enum fault sign_in_decide(struct op *op, const char *user_code, const char *user_id,
                          int64_t sessions, bool refused);
/* NOT_FOUND: unknown or expired. CONFLICT: used before; its family is gone now, durably. Call it
   with no transaction open. */
enum fault sign_in_refresh(struct op *op, const char *secret, struct sign_in *ret);

#endif
