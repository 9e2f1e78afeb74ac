#include "registry/principal.h"

#include <stdlib.h>
#include <string.h>

#include "core/seal.h"

#define ADMIN_PREFIX "admin:"
#define ANONYMOUS    "anonymous"

/* Both are always compared, so that time does not tell which one was nearly right. */
static bool password_fits(const struct registry *registry, const char *password)
{
    bool fits = false;

    for (size_t i = 0; i < ARRAY_LEN(registry->passwords); i++) {
        const char *good = registry->passwords[i];

        if (equal_constant_time(good ? good : "", password) && good && *good)
            fits = true;
    }
    return fits;
}

enum fault principal_by_password(struct op *op, const char *user, const char *password,
                                 struct principal *ret)
{
    const struct registry *registry = registry_find(op, user);

    if (!registry || !password_fits(registry, password) || !registry->admin_enabled)
        return fail(op, UNAUTHENTICATED, "the user name or the password is wrong");
    *ret = (struct principal){PRINCIPAL_ADMIN, registry->id, registry->name};
    return OK;
}

const char *principal_subject(struct op *op, const struct principal *principal)
{
    if (principal->kind == PRINCIPAL_ANONYMOUS)
        return ANONYMOUS;
    return arena_printf(&op->arena, ADMIN_PREFIX "%lld", (long long)principal->registry_id);
}

enum fault principal_by_subject(struct op *op, const char *subject, struct principal *ret)
{
    const struct registry *registry;

    if (strcmp(subject, ANONYMOUS) == 0) {
        *ret = (struct principal){PRINCIPAL_ANONYMOUS, 0, ANONYMOUS};
        return OK;
    }
    if (strncmp(subject, ADMIN_PREFIX, strlen(ADMIN_PREFIX)) != 0)
        return fail(op, UNAUTHENTICATED, "the token's subject is unknown");
    registry = registry_find_id(op, strtoll(subject + strlen(ADMIN_PREFIX), NULL, 10));
    if (!registry || !registry->admin_enabled)
        return fail(op, UNAUTHENTICATED, "the admin user this token was made for is off");
    *ret = (struct principal){PRINCIPAL_ADMIN, registry->id, registry->name};
    return OK;
}

unsigned principal_rights(const struct principal *principal, const struct registry *registry,
                          const char *repository)
{
    if (!registry)
        return 0;
    switch (principal->kind) {
    case PRINCIPAL_ADMIN:
        if (principal->registry_id != registry->id || !registry->admin_enabled)
            break;
        return repository ? SCOPE_ALL_REPOSITORY : SCOPE_CATALOG | SCOPE_DELETED_CATALOG;
    case PRINCIPAL_ANONYMOUS:
        break;
    }
    return registry->anonymous_pull && repository ? SCOPE_PULL | SCOPE_METADATA_READ : 0;
}
