#include "registry/principal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auth/role.h"
#include "core/seal.h"
#include "core/trace.h"
#include "registry/names.h"
#include "registry/scope_map_store.h"

#define ADMIN_PREFIX "admin:"
#define ENTRA_PREFIX "entra:"
#define ARM_PREFIX   "entra-arm:" /* the same, by a token of Resource Manager's audience */
#define TOKEN_PREFIX "token:"     /* registry's id, token's id, token's name */
#define ANONYMOUS    "anonymous"

#define ACR "Microsoft.ContainerRegistry/registries/"

/* ---- passwords ---- */

static enum fault nobody(struct op *op)
{
    return fail(op, UNAUTHENTICATED, "the user name or the password is wrong");
}

/* Both are always compared, so that time does not tell which one was nearly right. */
static bool password_fits(struct op *op, const struct registry *registry, const char *password)
{
    bool fits = false;

    for (int which = 0; which < 2; which++) {
        const char *good = registry_password(op, registry, which);

        if (equal_constant_time(good ? good : "", password) && good && *good)
            fits = true;
    }
    return fits;
}

static enum fault admin_login(struct op *op, const struct registry *registry, const char *password,
                              struct principal *ret)
{
    if (!password_fits(op, registry, password) || !registry->options.admin_enabled)
        return nobody(op);
    *ret = (struct principal){
        .kind = PRINCIPAL_ADMIN, .registry_id = registry->id, .name = registry->name};
    return OK;
}

struct principal principal_of_identity(const struct identity *identity)
{
    return (struct principal){
        .kind = PRINCIPAL_ENTRA, .name = identity->name, .identity = identity};
}

static enum fault entra_login(struct op *op, const char *app_id, const char *secret,
                              struct principal *ret)
{
    const struct identity *identity;

    TRY(entra_sign_in(op, app_id, secret, &identity));
    *ret = principal_of_identity(identity);
    return OK;
}

static bool token_password_fits(const struct token_rights *token, const char *password)
{
    bool fits = false;

    for (size_t i = 0; i < ARRAY_LEN(token->hashes); i++) {
        bool same = secret_verify(token->hashes[i] ? token->hashes[i] : "", password);

        if (same && token->hashes[i] &&
            (token->expires_s[i] == 0 || token->expires_s[i] > wall_s()))
            fits = true;
    }
    return fits;
}

static void token_principal(const struct token_rights *token, struct principal *ret)
{
    *ret = (struct principal){.kind = PRINCIPAL_TOKEN,
                              .registry_id = token->registry_id,
                              .name = token->name,
                              .token = token};
}

static enum fault token_login(struct op *op, const struct registry *registry, const char *name,
                              const char *password, bool may_block, struct principal *ret)
{
    const struct token_rights *token;
    enum fault fault = registry_token_find(op, registry, name, may_block, &token);

    if (fault == NOT_FOUND)
        return nobody(op);
    TRY(fault);
    if (!token_password_fits(token, password) || !token->enabled)
        return nobody(op);
    token_principal(token, ret);
    return OK;
}

static bool is_application_id(struct op *op, const char *user)
{
    return strlen(user) == 36 && uuid_is_valid(registry_item_key(op, user));
}

enum fault principal_by_password(struct op *op, const struct registry *registry, const char *user,
                                 const char *password, bool may_block, struct principal *ret)
{
    const char *slash = strchr(user, '/');
    const struct registry *named;

    if (registry && strcasecmp(user, registry->name) == 0)
        return admin_login(op, registry, password, ret);
    if (is_application_id(op, user))
        return entra_login(op, user, password, ret);
    if (registry)
        return token_login(op, registry, user, password, may_block, ret);
    if (slash) {
        named = registry_find(op, arena_strndup(&op->arena, user, (size_t)(slash - user)));
        return named ? token_login(op, named, slash + 1, password, may_block, ret) : nobody(op);
    }
    named = registry_find(op, user);
    return named ? admin_login(op, named, password, ret) : nobody(op);
}

/* ---- subjects ---- */

const char *principal_subject(struct op *op, const struct principal *principal)
{
    switch (principal->kind) {
    case PRINCIPAL_ANONYMOUS:
        break;
    case PRINCIPAL_ADMIN:
        return arena_printf(&op->arena, ADMIN_PREFIX "%lld", (long long)principal->registry_id);
    case PRINCIPAL_ENTRA:
        return arena_printf(&op->arena, "%s%s", principal->by_arm_token ? ARM_PREFIX : ENTRA_PREFIX,
                            principal->identity->object_id);
    case PRINCIPAL_TOKEN:
        return arena_printf(&op->arena, TOKEN_PREFIX "%lld:%lld:%s",
                            (long long)principal->registry_id, (long long)principal->token->id,
                            principal->token->name);
    }
    return ANONYMOUS;
}

static enum fault admin_by_subject(struct op *op, const char *id, struct principal *ret)
{
    const struct registry *registry = registry_find_id(op, strtoll(id, NULL, 10));

    if (!registry || !registry->options.admin_enabled)
        return fail(op, UNAUTHENTICATED, "the admin user this token was made for is off");
    *ret = (struct principal){
        .kind = PRINCIPAL_ADMIN, .registry_id = registry->id, .name = registry->name};
    return OK;
}

static enum fault entra_by_subject(struct op *op, const char *object_id, bool by_arm_token,
                                   struct principal *ret)
{
    const struct identity *identity;

    if (entra_principal(op, object_id, &identity) != OK)
        return fail(op, UNAUTHENTICATED, "the principal this token was made for is no more");
    *ret = (struct principal){.kind = PRINCIPAL_ENTRA,
                              .name = identity->name,
                              .identity = identity,
                              .by_arm_token = by_arm_token};
    return OK;
}

static enum fault token_by_subject(struct op *op, const char *text, bool may_block,
                                   struct principal *ret)
{
    char *end;
    const struct registry *registry = registry_find_id(op, strtoll(text, &end, 10));
    int64_t id = *end == ':' ? strtoll(end + 1, &end, 10) : 0;
    const struct token_rights *token;
    enum fault fault = NOT_FOUND;

    if (registry && *end == ':')
        fault = registry_token_find(op, registry, end + 1, may_block, &token);
    if (fault == WOULD_BLOCK || fault == UNAVAILABLE)
        return fault;
    if (fault != OK || token->id != id || !token->enabled)
        return fail(op, UNAUTHENTICATED, "the repository token is no more, or is disabled");
    token_principal(token, ret);
    return OK;
}

enum fault principal_by_subject(struct op *op, const char *subject, bool may_block,
                                struct principal *ret)
{
    if (strcmp(subject, ANONYMOUS) == 0) {
        *ret = (struct principal){.kind = PRINCIPAL_ANONYMOUS, .name = ANONYMOUS};
        return OK;
    }
    if (strncmp(subject, ADMIN_PREFIX, strlen(ADMIN_PREFIX)) == 0)
        return admin_by_subject(op, subject + strlen(ADMIN_PREFIX), ret);
    if (strncmp(subject, ENTRA_PREFIX, strlen(ENTRA_PREFIX)) == 0)
        return entra_by_subject(op, subject + strlen(ENTRA_PREFIX), false, ret);
    if (strncmp(subject, ARM_PREFIX, strlen(ARM_PREFIX)) == 0)
        return entra_by_subject(op, subject + strlen(ARM_PREFIX), true, ret);
    if (strncmp(subject, TOKEN_PREFIX, strlen(TOKEN_PREFIX)) == 0)
        return token_by_subject(op, subject + strlen(TOKEN_PREFIX), may_block, ret);
    return fail(op, UNAUTHENTICATED, "the token's subject is unknown");
}

/* ---- rights ---- */

/* What an action needs, by the registry's roleAssignmentMode. */
static const struct role_row {
    unsigned action;
    const char *legacy; /* an action of the control plane */
    const char *abac;   /* a data action, which conditions may narrow to some repositories */
} role_rows[] = {
    {SCOPE_PULL,           ACR "pull/read",        ACR "repositories/content/read"  },
    {SCOPE_PUSH,           ACR "push/write",       ACR "repositories/content/write" },
    {SCOPE_DELETE,         ACR "artifacts/delete", ACR "repositories/content/delete"},
    {SCOPE_METADATA_READ,  ACR "pull/read",        ACR "repositories/metadata/read" },
    {SCOPE_METADATA_WRITE, ACR "push/write",       ACR "repositories/metadata/write"},
    {SCOPE_CATALOG,        ACR "pull/read",        ACR "catalog/read"               },
};

static unsigned entra_rights(struct op *op, const struct identity *who,
                             const struct registry *registry, const char *repository, unsigned of)
{
    const char *scope = registry->scope;
    unsigned rights = 0;

    if (!scope)
        return 0;
    if (repository)
        scope = arena_printf(&op->arena, "%s/repositories/%s", scope, repository);
    of &= repository ? SCOPE_ALL_REPOSITORY : SCOPE_CATALOG;
    for (size_t i = 0; i < ARRAY_LEN(role_rows); i++) {
        const struct role_row *row = &role_rows[i];

        if (!(of & row->action))
            continue;
        if (registry->options.abac ? role_allows_data(op, who, scope, row->abac, repository)
                                   : role_allows(op, who, scope, row->legacy))
            rights |= row->action;
    }
    return rights;
}

static unsigned own_rights(struct op *op, const struct principal *principal,
                           const struct registry *registry, const char *repository, unsigned of)
{
    switch (principal->kind) {
    case PRINCIPAL_ADMIN:
        if (principal->registry_id != registry->id || !registry->options.admin_enabled)
            return 0;
        return repository ? SCOPE_ALL_REPOSITORY : SCOPE_CATALOG | SCOPE_DELETED_CATALOG;
    case PRINCIPAL_ENTRA:
        if (principal->by_arm_token && !registry->options.arm_tokens)
            return 0;
        return entra_rights(op, principal->identity, registry, repository, of);
    case PRINCIPAL_TOKEN:
        if (principal->registry_id != registry->id)
            return 0;
        return scope_map_rights(principal->token->actions, principal->token->n_actions, repository);
    case PRINCIPAL_ANONYMOUS:
        break;
    }
    return 0;
}

unsigned principal_rights(struct op *op, const struct principal *principal,
                          const struct registry *registry, const char *repository, unsigned of)
{
    unsigned rights;

    if (!registry)
        return 0;
    rights = own_rights(op, principal, registry, repository, of);
    if (registry->options.anonymous_pull && repository)
        rights |= SCOPE_PULL | SCOPE_METADATA_READ;
    return rights & of;
}

static void mend_roles(struct op *op, const struct principal *principal,
                       const struct registry *registry, unsigned actions)
{
    const char *role = NULL;

    for (size_t i = 0; i < ARRAY_LEN(role_rows) && registry->scope; i++)
        if (actions & role_rows[i].action) /* the last one is the greatest of those asked for */
            role = registry->options.abac ? role_least(role_rows[i].abac, true)
                                          : role_least(role_rows[i].legacy, false);
    if (role)
        trace_mend(op, "az role assignment create --assignee %s --role \"%s\" --scope %s",
                   principal->identity->object_id, role, shell_word(op, registry->scope));
}

/* A token's rights are its scope map's. */
static void mend_scope_map(struct op *op, const struct principal *principal,
                           const struct registry *registry, const char *repository,
                           unsigned actions)
{
    const char *right = actions & SCOPE_DELETE           ? "content/delete"
                        : actions & SCOPE_PUSH           ? "content/write"
                        : actions & SCOPE_METADATA_WRITE ? "metadata/write"
                        : actions & SCOPE_METADATA_READ  ? "metadata/read"
                                                         : "content/read";

    if (repository && principal->registry_id == registry->id)
        trace_mend(op,
                   "az acr scope-map update -r %s -n \"$(az acr token show -r %s -n %s --query "
                   "scopeMapId -o tsv | xargs basename)\" --add-repository %s %s",
                   registry->name, registry->name, principal->name, repository, right);
}

void principal_mend(struct op *op, const struct principal *principal,
                    const struct registry *registry, const char *repository, unsigned actions)
{
    if (!trace_wanted())
        return;
    if (registry && principal->kind == PRINCIPAL_ENTRA)
        mend_roles(op, principal, registry, actions);
    else if (registry && principal->kind == PRINCIPAL_TOKEN)
        mend_scope_map(op, principal, registry, repository, actions);
}

bool principal_lists_some(const struct principal *principal)
{
    return principal->kind == PRINCIPAL_TOKEN;
}

bool principal_may_quarantine(struct op *op, const struct principal *principal,
                              const struct registry *registry, bool write)
{
    if (principal->kind == PRINCIPAL_ADMIN)
        return principal->registry_id == registry->id;
    return principal->kind == PRINCIPAL_ENTRA && registry->scope &&
           role_allows(op, principal->identity, registry->scope,
                       write ? ACR "quarantine/write" : ACR "quarantine/read");
}
