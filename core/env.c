#include "core/env.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/env_print.h"
#include "core/files.h"
#include "core/json.h"
#include "core/local.h"
#include "core/seal.h"

#define FILE_MAX (4u << 20)

struct env {
    struct op *op;
    const struct settings *settings;
    const char *host;        /* "localhost" */
    const char *plain, *tls; /* "localhost:8480", "localhost:8443", or NULL */
    json_t *admin;           /* admin.json, or the like; NULL: it is not ours to read */
    const char *job;         /* or NULL: the first principal's own lines */
    const char *registry, *user, *password; /* of it */
    struct env_lines lines;
};

static const char *admin_text(const struct env *env, const char *name)
{
    return env->admin ? json_string_value(json_object_get(env->admin, name)) : NULL;
}

static void add(struct env *env, const char *name, const char *value, bool secret)
{
    struct env_lines *lines = &env->lines;

    if (lines->n_variables < ENV_VARIABLES_MAX)
        lines->variables[lines->n_variables++] = (struct env_variable){name, value, secret};
}

static void say(struct env *env, const char *name, const char *value)
{
    add(env, name, value, false);
}

static const char *client_path(struct env *env, const char *name)
{
    return arena_printf(&env->op->arena, "%s/%s", env->lines.folder, name);
}

/* ---- reading ---- */

/* --at beats what endpoints.json says; a port that is not given stays. */
static enum fault reach(struct env *env)
{
    struct arena *arena = &env->op->arena;
    const char *at = env->settings->at, *colon = at ? strchr(at, ':') : NULL, *second;

    env->host = "localhost";
    if (!at)
        return OK;
    env->host = colon ? arena_strndup(arena, at, (size_t)(colon - at)) : at;
    second = colon ? strchr(colon + 1, ':') : NULL;
    if (!*env->host || strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "-.:") != strlen(at))
        return fail(env->op, INVALID, "--at: \"%s\" is not HOST[:TLS-PORT[:PLAIN-PORT]]", at);
    if (env->tls)
        env->tls = arena_printf(arena, "%s%.*s", env->host,
                                second  ? (int)(second - colon)
                                : colon ? (int)strlen(colon)
                                        : (int)strlen(strchr(env->tls, ':')),
                                colon ? colon : strchr(env->tls, ':'));
    if (env->plain)
        env->plain =
            arena_printf(arena, "%s%s", env->host, second ? second : strchr(env->plain, ':'));
    return OK;
}

static enum fault read_local(struct env *env)
{
    struct local local;

    TRY(local_read(env->op, env->settings->data, &local));
    env->plain = local.plain;
    env->tls = local.tls;
    if (!env->admin)
        env->admin = local.admin;
    env->registry = "sundog";
    if (!env->admin) {
        fprintf(stderr, "sundog: %s; no login is prepared\n", env->op->message);
        op_clear_fault(env->op);
    }
    if (admin_text(env, "registryName"))
        env->registry = admin_text(env, "registryName");
    env->user = admin_text(env, "registryUsername");
    env->password = admin_text(env, "registryPassword");
    return reach(env);
}

/* ---- the clients' files ---- */

static enum fault make_folder(struct op *op, const char *path)
{
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return fail(op, UNAVAILABLE, "cannot make %s: %s", path, strerror(errno));
    return OK;
}

static enum fault make_parents(struct op *op, char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        TRY(make_folder(op, path));
        *slash = '/';
    }
    return OK;
}

static enum fault make_folders(struct env *env, char *path)
{
    static const char *const below[] = {"docker", "azure"};

    TRY(make_parents(env->op, path));
    TRY(make_folder(env->op, path));
    for (size_t i = 0; i < ARRAY_LEN(below); i++)
        TRY(make_folder(env->op, client_path(env, below[i])));
    return OK;
}

/* DATA/client where that is ours, or our user's; a job's below it. NULL: there is none. */
static char *own_folder(struct env *env)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME"), *base;
    struct arena *arena = &env->op->arena;

    if (access(env->settings->data, W_OK) == 0)
        base = env->settings->data;
    else if (config && *config == '/')
        base = arena_printf(arena, "%s/sundog", config);
    else if (home && *home == '/')
        base = arena_printf(arena, "%s/.config/sundog", home);
    else
        return NULL;
    return env->job ? arena_printf(arena, "%s/jobs/%s", base, env->job)
                    : arena_printf(arena, "%s/client", base);
}

/* *ret_path: the folder, where it is to be made here; NULL: another machine's. */
static enum fault choose_folder(struct env *env, char **ret_path)
{
    struct op *op = env->op;

    *ret_path = NULL;
    if (env->settings->files) {
        env->lines.folder = env->settings->files;
        env->lines.elsewhere = true;
        if (strcmp(env->settings->format, "json") == 0)
            return fail(op, INVALID, "--files prints commands, --format json cannot");
        return *env->settings->files == '/'
                   ? OK
                   : fail(op, INVALID, "--files: \"%s\" is not an absolute path",
                          env->settings->files);
    }
    *ret_path = own_folder(env);
    if (!*ret_path)
        return fail(op, INVALID, "there is no folder to write clients' files to: set HOME");
    env->lines.folder = *ret_path;
    return OK;
}

static struct env_file *add_file(struct env *env, const char *name, const struct text *text)
{
    struct env_file *file = &env->lines.files[env->lines.n_files++];

    *file = (struct env_file){
        .name = name, .content = {text->data, text->len}
    };
    return file;
}

/* Logins, in the form that docker, podman, skopeo, buildah and oras share. Only for names that lead
   to this Sundog: no credential of ours ever goes to the real azurecr.io. */
static void add_logins(struct env *env)
{
    struct op *op = env->op;
    const char *pair = arena_printf(&op->arena, "%s:%s", env->user, env->password);
    const char *auth = base64_encode(&op->arena, BYTES(pair), false);
    const char *by_name = env->tls ? strchr(env->tls, ':') : NULL;
    struct text text;

    text_init(&text, &op->arena, FILE_MAX);
    text_str(&text, "{\"auths\":{");
    if (env->plain)
        text_printf(&text, "\"%s\":{\"auth\":\"%s\"}%s", env->plain, auth, env->tls ? "," : "");
    if (by_name)
        text_printf(&text, "\"%s\":{\"auth\":\"%s\"},\"%s.azurecr.localhost%s\":{\"auth\":\"%s\"}",
                    env->tls, auth, env->registry, by_name, auth);
    text_str(&text, "}}\n");
    add_file(env, "docker/config.json", &text);
    say(env, "DOCKER_CONFIG", client_path(env, "docker"));
    say(env, "REGISTRY_AUTH_FILE", client_path(env, "docker/config.json"));
}

/*
 * Pulls of REGISTRY.azurecr.io come here. These clients push to the name as it is written, never to
 * its location, so that entry must not allow insecure access where TLS can be had.
 */
static void registry_tables(struct env *env, struct text *text)
{
    const char *port = env->tls ? strchr(env->tls, ':') : NULL;

    text_printf(text, "# Sundog\n[[registry]]\nlocation = \"%s\"\ninsecure = true\n", env->plain);
    text_printf(text, "\n[[registry]]\nprefix = \"%s.azurecr.io\"\n", env->registry);
    if (port && strcmp(env->host, "localhost") == 0)
        text_printf(text, "location = \"%s.azurecr.localhost%s\"\n", env->registry, port);
    else
        text_printf(text, "location = \"%s/%s\"\ninsecure = true\n", env->plain, env->registry);
}

/*
 * For podman and buildah by a variable, whose file stands for the machine's, so what that says
 * comes first; for skopeo, which has none, by a file to be put in place.
 */
static void add_registries(struct env *env)
{
    struct env_file *whole;
    struct text text;

    if (!env->plain) /* over TLS these clients want the CA in /etc: see sundog doctor */
        return;
    text_init(&text, &env->op->arena, FILE_MAX);
    registry_tables(env, &text);
    whole = add_file(env, "registries.conf", &text);
    whole->first[0] = "~/.config/containers/registries.conf";
    whole->first[1] = "/etc/containers/registries.conf";
    add_file(env, "sundog-registries.conf", &text);
    say(env, "CONTAINERS_REGISTRIES_CONF", client_path(env, "registries.conf"));
    if (env->job) /* what is in place is for all, and jobs are many */
        return;
    fprintf(stderr,
            "sundog: skopeo reads no such variable; for it: install -D %s/sundog-registries.conf "
            "~/.config/containers/registries.conf.d/sundog.conf\n",
            env->lines.folder);
}

/* The machine's authorities and ours in one file, for what reads its CA from a variable. */
static void add_bundle(struct env *env)
{
    struct op *op = env->op;
    const char *ca_path = arena_printf(&op->arena, "%s/tls/ca.pem", env->settings->data);
    struct env_file *bundle;
    struct bytes ca;
    struct text text;
    const char *path;

    if (!env->tls || local_file(op, ca_path, &ca) != OK) {
        op_clear_fault(op);
        return;
    }
    text_init(&text, &op->arena, FILE_MAX);
    text_add(&text, ca.data, ca.len);
    add_file(env, "ca.pem", &text);
    bundle = add_file(env, "ca-bundle.pem", &text);
    bundle->first[0] = "/etc/ssl/certs/ca-certificates.crt";
    bundle->first[1] = "/etc/pki/tls/certs/ca-bundle.crt";
    path = client_path(env, "ca-bundle.pem");
    say(env, "SSL_CERT_FILE", path);
    say(env, "CURL_CA_BUNDLE", path);
    say(env, "REQUESTS_CA_BUNDLE", path);
    say(env, "NODE_EXTRA_CA_CERTS", client_path(env, "ca.pem"));
}

/* What az, the Azure SDKs and Terraform read, and from which member of admin.json. */
static const struct azure_variable {
    const char *name, *member;
    bool secret;
} azure_variables[] = {
    {"AZURE_TENANT_ID",       "tenantId",       false},
    {"AZURE_CLIENT_ID",       "clientId",       false},
    {"AZURE_CLIENT_SECRET",   "clientSecret",   true },
    {"AZURE_SUBSCRIPTION_ID", "subscriptionId", false},
    {"ARM_TENANT_ID",         "tenantId",       false},
    {"ARM_CLIENT_ID",         "clientId",       false},
    {"ARM_CLIENT_SECRET",     "clientSecret",   true },
    {"ARM_SUBSCRIPTION_ID",   "subscriptionId", false},
};

/*
 * What insists on a cloud named AzureCloud (azure/login runs `az cloud set -n azurecloud`) finds
 * this Sundog by that name, too.
 */
static void add_cloud(struct env *env)
{
    struct text text;

    text_init(&text, &env->op->arena, FILE_MAX);
    text_printf(&text,
                "[AzureCloud]\n"
                "endpoint_resource_manager = https://%s/\n"
                "endpoint_management = https://%s/\n"
                "endpoint_active_directory = https://%s/adfs\n"
                "endpoint_active_directory_resource_id = https://%s/arm/\n"
                "endpoint_active_directory_graph_resource_id = https://%s/graph/\n"
                "endpoint_microsoft_graph_resource_id = https://%s/graph/\n"
                "suffix_acr_login_server_endpoint = .azurecr.localhost\n",
                env->tls, env->tls, env->tls, env->tls, env->tls, env->tls);
    add_file(env, "azure/clouds.config", &text);
}

/*
 * az takes its clouds from ARM_CLOUD_METADATA_URL, in a configuration folder of its own that must
 * exist: nothing of the user's real cloud is touched.
 */
static void add_azure(struct env *env)
{
    struct op *op = env->op;

    if (!env->tls)
        return;
    add_cloud(env);
    say(env, "AZURE_CONFIG_DIR", client_path(env, "azure"));
    say(env, "KUBECONFIG", client_path(env, "kubeconfig"));
    say(env, "ARM_CLOUD_METADATA_URL",
        arena_printf(&op->arena, "https://%s/metadata/endpoints?api-version=2019-05-01", env->tls));
    say(env, "AZURE_CORE_COLLECT_TELEMETRY", "no");
    say(env, "AZURE_CORE_INSTANCE_DISCOVERY", "false");
    say(env, "AZURE_AUTHORITY_HOST", arena_printf(&op->arena, "https://%s", env->tls));
    say(env, "ARM_METADATA_HOSTNAME", env->tls);
    for (size_t i = 0; i < ARRAY_LEN(azure_variables); i++) {
        const char *value = admin_text(env, azure_variables[i].member);

        if (value)
            add(env, azure_variables[i].name, value, azure_variables[i].secret);
    }
}

/* ---- all of it ---- */

static enum fault collect(struct env *env)
{
    struct op *op = env->op;
    char *path;

    TRY(read_local(env));
    TRY(choose_folder(env, &path));
    if (path)
        TRY(make_folders(env, path));
    if (env->job)
        say(env, "SUNDOG_JOB", env->job);
    say(env, "SUNDOG_URL",
        env->plain ? arena_printf(&op->arena, "http://%s", env->plain)
                   : arena_printf(&op->arena, "https://%s", env->tls));
    say(env, "SUNDOG_REGISTRY",
        arena_printf(&op->arena, "%s/%s", env->plain ? env->plain : env->tls, env->registry));
    if (env->tls)
        say(env, "SUNDOG_LOGIN_SERVER",
            arena_printf(&op->arena, "%s.azurecr.localhost%s", env->registry,
                         strchr(env->tls, ':')));
    if (env->user && env->password) {
        say(env, "SUNDOG_REGISTRY_USERNAME", env->user);
        add(env, "SUNDOG_REGISTRY_PASSWORD", env->password, true);
        add_logins(env);
    }
    add_registries(env);
    add_bundle(env);
    add_azure(env);
    for (size_t i = 0; !env->lines.elsewhere && i < env->lines.n_files; i++)
        TRY(env_write_file(op, env->lines.folder, &env->lines.files[i]));
    return OK;
}

static enum fault show(struct env *env)
{
    TRY(collect(env));
    env_print(env->op, &env->lines, env->settings->format);
    if (fflush(stdout) != 0 || ferror(stdout))
        return fail(env->op, UNAVAILABLE, "cannot print: %s", strerror(errno));
    return OK;
}

int env_run(struct settings *settings)
{
    struct op op;
    struct env env = {.op = &op, .settings = settings};
    enum fault fault;

    op_init(&op);
    fault = show(&env);
    if (fault != OK)
        fprintf(stderr, "sundog: %s\n", op.message);
    op_free(&op);
    return fault == OK ? 0 : 1;
}

/* ---- jobs ---- */

enum fault env_check_job(struct op *op, const struct settings *settings)
{
    struct env env = {.op = op, .settings = settings, .job = ""};
    char *path;

    TRY(read_local(&env));
    TRY(choose_folder(&env, &path));
    if (!path)
        return OK;
    TRY(make_parents(op, path)); /* it ends in '/', for a name to come */
    if (access(path, W_OK | X_OK) < 0)
        return fail(op, UNAVAILABLE, "cannot make folders in %s: %s", path, strerror(errno));
    return OK;
}

enum fault env_show_job(struct op *op, const struct settings *settings, json_t *who,
                        const char *job)
{
    struct env env = {.op = op, .settings = settings, .admin = who, .job = job};

    return show(&env);
}

void env_forget_job(struct op *op, const struct settings *settings, const char *job)
{
    struct env env = {.op = op, .settings = settings, .job = job};
    const char *path = own_folder(&env);

    if (path && *job && !strchr(job, '/') && *job != '.')
        if (folder_remove(op, AT_FDCWD, path) != OK)
            op_clear_fault(op);
}
