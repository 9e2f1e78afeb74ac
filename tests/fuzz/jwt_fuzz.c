#include "auth/jwt.h"

#include "tests/fuzz/fuzz.h"

static void *accept_any(const json_t *claims)
{
    (void)claims;
    return malloc(1);
}

/* There is no key, so nothing may ever be accepted. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct jwt *jwt = NULL;
    struct op op;

    op_init(&op);
    MUST(jwt_verify(&op, arena_strndup(&op.arena, data, size), "issuer", accept_any, free, true,
                    &jwt) == UNAUTHENTICATED);
    MUST(!jwt);
    op_free(&op);
    return 0;
}
