#include "core/env.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/json.h"
#include "core/local.h"
#include "core/seal.h"

#define FILE_MAX (4u << 20)
#define VARS_MAX 40

struct env {
    struct op *op;
    const char *data, *client;              /* DIR, and the folder of the clients' files */
    const char *plain, *tls;                /* "localhost:8480", "localhost:8443", or NULL */
    json_t *admin;                          /* admin.json; NULL: it is not ours to read */
    const char *registry, *user, *password; /* of it */
    struct {
        const char *name, *value;
    } vars[VARS_MAX];
    size_t n_vars;
};

static void say(struct env *env, const char *name, const char *value)
{
    if (env->n_vars < VARS_MAX) {
        env->vars[env->n_vars].name = name;
        env->vars[env->n_vars++].value = value;
    }
}

/* ---- reading ---- */

static enum fault read_local(struct env *env)
{
    struct local local;

    TRY(local_read(env->op, env->data, &local));
    env->plain = local.plain;
    env->tls = local.tls;
    env->admin = local.admin;
    env->registry = "sundog";
    if (!env->admin) {
        fprintf(stderr, "sundog: %s; no login is prepared\n", env->op->message);
        op_clear_fault(env->op);
        return OK;
    }
    if (json_string_value(json_object_get(env->admin, "registryName")))
        env->registry = json_string_value(json_object_get(env->admin, "registryName"));
    env->user = json_string_value(json_object_get(env->admin, "registryUsername"));
    env->password = json_string_value(json_object_get(env->admin, "registryPassword"));
    return OK;
}

/* ---- writing ---- */

static enum fault make_folder(struct op *op, const char *path)
{
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return fail(op, UNAVAILABLE, "cannot make %s: %s", path, strerror(errno));
    return OK;
}

static enum fault make_client_folder(struct env *env)
{
    struct op *op = env->op;
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    char *path;

    if (access(env->data, W_OK) == 0)
        path = arena_printf(&op->arena, "%s/client/docker", env->data);
    else if (config && *config == '/')
        path = arena_printf(&op->arena, "%s/sundog/client/docker", config);
    else if (home && *home == '/')
        path = arena_printf(&op->arena, "%s/.config/sundog/client/docker", home);
    else
        return fail(op, INVALID, "there is no folder to write clients' files to: set HOME");
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        TRY(make_folder(op, path));
        *slash = '/';
    }
    TRY(make_folder(op, path));
    env->client = arena_strndup(&op->arena, path, strlen(path) - strlen("/docker"));
    return OK;
}

static enum fault write_client(struct env *env, const char *name, const struct text *text)
{
    struct op *op = env->op;
    const char *path = arena_printf(&op->arena, "%s/%s", env->client, name);
    const char *fresh = arena_printf(&op->arena, "%s.new", path);
    AUTO_CLOSE int fd = -1;

    unlink(fresh);
    fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, text->data, text->len) != (ssize_t)text->len || rename(fresh, path) < 0)
        return fail(op, UNAVAILABLE, "cannot write %s: %s", path, strerror(errno));
    return OK;
}

/* Logins, in the form that docker, podman, skopeo, buildah and oras share. Only for names that lead
   to this machine: no credential of ours ever goes to the real azurecr.io. */
static enum fault write_logins(struct env *env)
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
    TRY(write_client(env, "docker/config.json", &text));
    say(env, "DOCKER_CONFIG", arena_printf(&op->arena, "%s/docker", env->client));
    say(env, "REGISTRY_AUTH_FILE", arena_printf(&op->arena, "%s/docker/config.json", env->client));
    return OK;
}

/* CONTAINERS_REGISTRIES_CONF replaces the machine's file, so what that says comes first. */
static void copy_machine_registries(struct env *env, struct text *text)
{
    struct op *op = env->op;
    const char *home = getenv("HOME");
    struct bytes found;

    if ((home &&
         local_file(op, arena_printf(&op->arena, "%s/.config/containers/registries.conf", home),
                    &found) == OK) ||
        local_file(op, "/etc/containers/registries.conf", &found) == OK) {
        text_add(text, found.data, found.len);
        text_str(text, "\n");
    }
    op_clear_fault(op);
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
    if (port)
        text_printf(text, "location = \"%s.azurecr.localhost%s\"\n", env->registry, port);
    else
        text_printf(text, "location = \"%s/%s\"\ninsecure = true\n", env->plain, env->registry);
}

/* For podman and buildah by a variable; for skopeo, which has none, by a file to be put in place.
 */
static enum fault write_registries(struct env *env)
{
    struct text whole, drop_in;

    if (!env->plain) /* over TLS these clients want the CA in /etc: see sundog doctor */
        return OK;
    text_init(&whole, &env->op->arena, FILE_MAX);
    text_init(&drop_in, &env->op->arena, FILE_MAX);
    copy_machine_registries(env, &whole);
    registry_tables(env, &whole);
    registry_tables(env, &drop_in);
    TRY(write_client(env, "registries.conf", &whole));
    TRY(write_client(env, "sundog-registries.conf", &drop_in));
    say(env, "CONTAINERS_REGISTRIES_CONF",
        arena_printf(&env->op->arena, "%s/registries.conf", env->client));
    fprintf(stderr,
            "sundog: skopeo reads no such variable; for it: install -D %s/sundog-registries.conf "
            "~/.config/containers/registries.conf.d/sundog.conf\n",
            env->client);
    return OK;
}

/* The machine's authorities and ours in one file, for what reads its CA from a variable. */
static enum fault write_bundle(struct env *env)
{
    struct op *op = env->op;
    const char *ca_path = arena_printf(&op->arena, "%s/tls/ca.pem", env->data);
    struct bytes system, ca;
    struct text text;
    const char *path;

    if (!env->tls || local_file(op, ca_path, &ca) != OK) {
        op_clear_fault(op);
        return OK;
    }
    text_init(&text, &op->arena, 2 * FILE_MAX);
    if (local_file(op, "/etc/ssl/certs/ca-certificates.crt", &system) == OK)
        text_add(&text, system.data, system.len);
    op_clear_fault(op);
    text_add(&text, ca.data, ca.len);
    TRY(write_client(env, "ca-bundle.pem", &text));
    path = arena_printf(&op->arena, "%s/ca-bundle.pem", env->client);
    say(env, "SSL_CERT_FILE", path);
    say(env, "CURL_CA_BUNDLE", path);
    say(env, "REQUESTS_CA_BUNDLE", path);
    say(env, "NODE_EXTRA_CA_CERTS", ca_path);
    return OK;
}

/* What az, the Azure SDKs and Terraform read, and from which member of admin.json. */
static const struct azure_variable {
    const char *name, *member;
} azure_variables[] = {
    {"AZURE_TENANT_ID",       "tenantId"      },
    {"AZURE_CLIENT_ID",       "clientId"      },
    {"AZURE_CLIENT_SECRET",   "clientSecret"  },
    {"AZURE_SUBSCRIPTION_ID", "subscriptionId"},
    {"ARM_TENANT_ID",         "tenantId"      },
    {"ARM_CLIENT_ID",         "clientId"      },
    {"ARM_CLIENT_SECRET",     "clientSecret"  },
    {"ARM_SUBSCRIPTION_ID",   "subscriptionId"},
};

/*
 * az takes its clouds from ARM_CLOUD_METADATA_URL, in a configuration folder of its own that must
 * exist: nothing of the user's real cloud is touched.
 */
static enum fault write_azure(struct env *env)
{
    struct op *op = env->op;
    const char *folder = arena_printf(&op->arena, "%s/azure", env->client);

    if (!env->tls)
        return OK;
    TRY(make_folder(op, folder));
    say(env, "AZURE_CONFIG_DIR", folder);
    say(env, "ARM_CLOUD_METADATA_URL",
        arena_printf(&op->arena, "https://%s/metadata/endpoints?api-version=2019-05-01", env->tls));
    say(env, "AZURE_CORE_COLLECT_TELEMETRY", "no");
    say(env, "AZURE_CORE_INSTANCE_DISCOVERY", "false");
    say(env, "AZURE_AUTHORITY_HOST", arena_printf(&op->arena, "https://%s", env->tls));
    say(env, "ARM_METADATA_HOSTNAME", env->tls);
    for (size_t i = 0; env->admin && i < ARRAY_LEN(azure_variables); i++) {
        const char *value =
            json_string_value(json_object_get(env->admin, azure_variables[i].member));

        if (value)
            say(env, azure_variables[i].name, value);
    }
    return OK;
}

/* ---- printing ---- */

static void print_shell(const struct env *env)
{
    for (size_t i = 0; i < env->n_vars; i++) {
        printf("export %s='", env->vars[i].name);
        for (const char *c = env->vars[i].value; *c; c++) {
            if (*c == '\'')
                fputs("'\\''", stdout);
            else
                putchar(*c);
        }
        puts("'");
    }
}

static void print_json(const struct env *env)
{
    struct text text;

    text_init(&text, &env->op->arena, 65536);
    text_str(&text, "{");
    for (size_t i = 0; i < env->n_vars; i++) {
        text_str(&text, i > 0 ? ",\n  " : "\n  ");
        json_quote(&text, env->vars[i].name);
        text_str(&text, ": ");
        json_quote(&text, env->vars[i].value);
    }
    printf("%s\n}\n", text.data);
}

/* For $GITHUB_ENV: "NAME=value". */
static void print_github(const struct env *env)
{
    for (size_t i = 0; i < env->n_vars; i++)
        printf("%s=%s\n", env->vars[i].name, env->vars[i].value);
}

static enum fault collect(struct env *env)
{
    struct op *op = env->op;

    TRY(read_local(env));
    TRY(make_client_folder(env));
    if (env->plain)
        say(env, "SUNDOG_URL", arena_printf(&op->arena, "http://%s", env->plain));
    else
        say(env, "SUNDOG_URL", arena_printf(&op->arena, "https://%s", env->tls));
    say(env, "SUNDOG_REGISTRY",
        arena_printf(&op->arena, "%s/%s", env->plain ? env->plain : env->tls, env->registry));
    if (env->tls)
        say(env, "SUNDOG_LOGIN_SERVER",
            arena_printf(&op->arena, "%s.azurecr.localhost%s", env->registry,
                         strchr(env->tls, ':')));
    if (env->user && env->password) {
        say(env, "SUNDOG_REGISTRY_USERNAME", env->user);
        TRY(write_logins(env));
    }
    TRY(write_registries(env));
    TRY(write_bundle(env));
    return write_azure(env);
}

int env_run(struct settings *settings)
{
    struct op op;
    struct env env = {.op = &op, .data = settings->data};
    enum fault fault;

    op_init(&op);
    fault = collect(&env);
    if (fault != OK)
        fprintf(stderr, "sundog: %s\n", op.message);
    else if (strcmp(settings->format, "json") == 0)
        print_json(&env);
    else if (strcmp(settings->format, "github") == 0)
        print_github(&env);
    else
        print_shell(&env);
    op_free(&op);
    return fault == OK ? 0 : 1;
}
