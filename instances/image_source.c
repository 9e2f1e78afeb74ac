/*
 * Images in our own store: who may pull, and what a reference names.
 */
#include <string.h>
#include <strings.h>

#include "auth/throttle.h"
#include "instances/image_parts.h"
#include "registry/blob.h"
#include "registry/manifest.h"
#include "registry/names.h"
#include "registry/platform.h"
#include "registry/principal.h"
#include "registry/pulls.h"
#include "registry/registry.h"

#define CONFIG_MAX    ((int64_t)4 << 20)
#define INDEX_DEPTH   3
#define THROTTLE_NAME "container groups" /* instead of a client's address */

/* ---- rights ---- */

const struct image_credential *image_credential_for(struct op *op,
                                                    const struct image_request *request,
                                                    const struct image_name *name)
{
    for (size_t i = 0; i < request->n_credentials; i++)
        if (image_server_is(op, request->credentials[i].server, name))
            return &request->credentials[i];
    return NULL;
}

static enum fault denied(struct op *op, const struct image_name *name, const char *why)
{
    return fail_on(op, "image", FORBIDDEN, "the image %s may not be pulled: %s", name->text, why);
}

/* Credentials that were given are what counts: wrong ones are not made up for by other rights. */
static enum fault by_credential(struct op *op, const struct image_credential *credential,
                                const struct image_name *name, const struct registry *registry)
{
    const char *user = credential->username ? credential->username : "",
               *password = credential->password ? credential->password : "";
    struct principal who;
    enum fault fault;

    TRY(throttle_check(op, THROTTLE_NAME, user));
    fault = principal_by_password(op, name->by_path ? NULL : registry, user, password, true, &who);
    if (fault == UNAVAILABLE || fault == INTERNAL)
        return fault;
    op_clear_fault(op);
    if (fault != OK) {
        throttle_failed(THROTTLE_NAME, user);
        return denied(op, name, "the user name or the password is wrong");
    }
    if (principal_rights(op, &who, registry, name->repository, SCOPE_PULL))
        return OK;
    return denied(op, name, "these credentials do not allow it");
}

static bool by_identity(struct op *op, const struct image_request *request,
                        const struct image_name *name, const struct registry *registry)
{
    for (size_t i = 0; request->principals && request->principals[i]; i++) {
        struct principal who = {.kind = PRINCIPAL_ENTRA};

        if (entra_principal(op, request->principals[i], &who.identity) != OK) {
            op_clear_fault(op);
            continue;
        }
        who.name = who.identity->name;
        if (principal_rights(op, &who, registry, name->repository, SCOPE_PULL))
            return true;
    }
    return false;
}

static bool by_subscription(const struct image_request *request, const struct registry *registry)
{
    static const char prefix[] = "/subscriptions/";
    size_t len = request->subscription ? strlen(request->subscription) : 0;
    const char *scope = registry->scope;

    return len > 0 && scope && strcmp(registry_settings->pull_default, "subscription") == 0 &&
           strncasecmp(scope, prefix, strlen(prefix)) == 0 &&
           strncasecmp(scope + strlen(prefix), request->subscription, len) == 0 &&
           scope[strlen(prefix) + len] == '/';
}

static enum fault may_pull(struct op *op, const struct image_request *request,
                           const struct image_name *name, const struct registry *registry)
{
    const struct principal anybody = {.kind = PRINCIPAL_ANONYMOUS, .name = "anonymous"};
    const struct image_credential *credential = image_credential_for(op, request, name);

    if (credential)
        return by_credential(op, credential, name, registry);
    if (by_subscription(request, registry) || by_identity(op, request, name, registry) ||
        principal_rights(op, &anybody, registry, name->repository, SCOPE_PULL))
        return OK;
    return denied(op, name,
                  "give imageRegistryCredentials, or a managed identity that may pull it");
}

static bool is_localhost_name(const char *host)
{
    const char *end = strstr(host, ".azurecr.localhost");

    return end && strchr(":", end[strlen(".azurecr.localhost")]);
}

enum fault image_rights(struct op *op, const struct image_request *request,
                        const struct image_name *name, const struct registry **ret_registry)
{
    const struct registry *registry = NULL;

    *ret_registry = NULL;
    if (name->registry)
        registry = registry_find(op, name->registry);
    if (name->registry && !registry && (name->by_path || is_localhost_name(name->host)))
        return fail_on(op, "image", NOT_FOUND,
                       "the image %s was not found: there is no registry \"%s\"", name->text,
                       name->registry);
    if (!registry) /* NAME.azurecr.io that is not ours is the public cloud's */
        return OK;
    TRY(may_pull(op, request, name, registry));
    *ret_registry = registry;
    return OK;
}

/* ---- rows ---- */

static enum fault not_found(struct op *op, const char *what, enum fault fault)
{
    op_clear_fault(op);
    if (fault == FORBIDDEN)
        return fail_on(op, "image", FORBIDDEN, "the image %s is locked against reading", what);
    return fail_on(op, "image", NOT_FOUND, "the image %s was not found", what);
}

static enum fault get(struct op *op, const char *what, int64_t registry_id, bool quarantine,
                      const char *repository, const char *reference, struct manifest_content *ret)
{
    enum fault fault = manifest_get(op, registry_id, repository, reference, ret);

    if (fault == OK && quarantine && ret->quarantined)
        fault = NOT_FOUND;
    return fault == NOT_FOUND || fault == FORBIDDEN ? not_found(op, what, fault) : fault;
}

static bool is_index(const char *media_type)
{
    return strcmp(media_type, MEDIA_OCI_INDEX) == 0 || strcmp(media_type, MEDIA_DOCKER_LIST) == 0;
}

static enum fault read_config(struct op *op, const char *what, const struct manifest_content *m,
                              struct bytes *ret)
{
    int64_t size, kept = -1;
    const char *digest;

    TRY(image_config_of(op, what, m->content, &digest, &size));
    TRY(blob_row_size(op, digest, &kept));
    if (kept < 0)
        return not_found(op, what, NOT_FOUND);
    if (kept != size || size > CONFIG_MAX)
        return fail_on(op, "image", INVALID, "%s is no container image that can be run: %s", what,
                       "its config has another size than its manifest says, or is too large");
    return blob_read(op, digest, size, ret);
}

enum fault image_find(struct op *op, const char *what, int64_t registry_id, bool quarantine,
                      const char *repository, const char *reference, struct image_parts *ret)
{
    struct manifest_content m;
    struct bytes config;

    TRY(get(op, what, registry_id, quarantine, repository, reference, &m));
    pulls_note(m.repository_id, reference, m.digest);
    for (int depth = 0; is_index(m.media_type); depth++) {
        const char *digest;

        if (depth == INDEX_DEPTH)
            return fail_on(op, "image", INVALID, "%s is an index of indexes", what);
        TRY(platform_choose(op, what, m.content, &digest));
        TRY(get(op, what, registry_id, quarantine, repository, digest, &m));
        pulls_note(m.repository_id, digest, digest);
    }
    if (image_recall(op, m.digest, ret))
        return OK;
    TRY(read_config(op, what, &m, &config));
    TRY(image_parse(op, what, m.digest, m.content, config, ret));
    image_remember(ret);
    return OK;
}
