/* One service of a compose file as a container. */
#include "api/compose_container.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/command_words.h"
#include "clusters/object/object.h"

#define ENV_FILE_MAX ((size_t)1 << 20)

/* A list of texts, or one text as a shell splits it, appended. */
static enum fault add_words(struct compose *c, const char *path, const json_t *given, json_t *into)
{
    const char **words, *text;
    const json_t *one;
    size_t i;

    if (json_is_string(given)) {
        if (command_words(c->op, json_string_value(given), &words) != OK)
            return fail(c->op, INVALID, "%s: a quote is not closed", path);
        for (; *words; words++)
            json_array_append_new(into, json_string(*words));
    }
    json_array_foreach((json_t *)given, i, one)
    {
        text = compose_text(c->op, one);
        if (!text)
            return fail(c->op, INVALID, "%s[%zu] is no text", path, i);
        json_array_append_new(into, json_string(text));
    }
    return OK;
}

static enum fault command(struct compose *c, const char *path, const json_t *service,
                          json_t *properties)
{
    const json_t *entrypoint = json_object_get(service, "entrypoint");
    const json_t *given = json_object_get(service, "command");
    json_t *words = json_array();

    json_object_set_new(properties, "command", words);
    TRY(add_words(c, compose_path(c, path, "entrypoint"), entrypoint, words));
    TRY(add_words(c, compose_path(c, path, "command"), given, words));
    if (json_array_size(words) == 0)
        json_object_del(properties, "command");
    else if (!entrypoint || json_is_null(entrypoint))
        compose_note(c, compose_path(c, path, "command"),
                     "it stands for the image's ENTRYPOINT, too: where it has one, say entrypoint");
    return OK;
}

/* ---- environment ---- */

static void set_variable(json_t *into, const char *name, const char *value)
{
    json_object_set_new(into, name, json_string(value));
}

static enum fault env_files(struct compose *c, const json_t *service, json_t *into)
{
    const json_t *given = json_object_get(service, "env_file"), *one;
    size_t n = json_is_array(given) ? json_array_size(given) : given != NULL;
    const char *path;
    struct bytes file;

    for (size_t i = 0; i < n; i++) {
        one = json_is_array(given) ? json_array_get(given, i) : given;
        path = json_string_value(json_is_object(one) ? json_object_get(one, "path") : one);
        if (!path)
            return fail(c->op, INVALID, "an env_file has no path");
        if (compose_read_file(c->op, c->source, path, ENV_FILE_MAX, &file) != OK) {
            if (compose_flag(json_object_get(one, "required"), true))
                return INVALID;
            op_clear_fault(c->op);
            continue;
        }
        TRY(compose_env_file(c->op, file, into));
    }
    return OK;
}

static void one_variable(struct compose *c, const char *path, const char *name, const char *value,
                         json_t *into)
{
    if (!value)
        value = c->source->variable(c->source->arg, name);
    if (value)
        set_variable(into, name, value);
    else
        compose_note(c, arena_printf(&c->op->arena, "%s.environment.%s", path, name),
                     "it is not set: left out");
}

/* Does the value ask another service by its name: "db", "db:5432", "tcp://db/", "u:p@db"? */
static bool names_service(const struct compose *c, const char *value)
{
    const char *name;
    json_t *service;

    json_object_foreach((json_t *)c->services, name, service)
    {
        size_t len = strlen(name);

        for (const char *s = strstr(value, name); s; s = strstr(s + 1, name)) {
            bool begins = (s == value && s[len] == ':') || (s > value && strchr("/@,", s[-1]));

            if (begins && (s[len] == '\0' || strchr(":/,", s[len])))
                return true;
        }
    }
    return false;
}

/* env_file's values are secret, those of the file itself are not. */
static enum fault environment(struct compose *c, const char *path, const json_t *service,
                              json_t *properties)
{
    const json_t *given = json_object_get(service, "environment");
    json_t *plain = json_object(), *secret = json_object(), *list = json_array(), *value;
    const char *name, *text;
    size_t i;

    arena_defer(&c->op->arena, (void (*)(void *))json_decref, plain);
    arena_defer(&c->op->arena, (void (*)(void *))json_decref, secret);
    json_object_set_new(properties, "environmentVariables", list);
    TRY(env_files(c, service, secret));
    json_object_foreach((json_t *)given, name, value)
    {
        one_variable(c, path, name, compose_text(c->op, value), plain);
    }
    json_array_foreach((json_t *)given, i, value)
    {
        text = compose_text(c->op, value);
        if (!text)
            return fail(c->op, INVALID, "%s.environment[%zu] is no text", path, i);
        name = arena_strndup(&c->op->arena, text, strcspn(text, "="));
        one_variable(c, path, name, strchr(text, '=') ? strchr(text, '=') + 1 : NULL, plain);
    }
    json_object_foreach(plain, name, value)
    {
        if (names_service(c, json_string_value(value)))
            compose_leave(c, arena_printf(&c->op->arena, "%s.environment.%s", path, name),
                          "services have no names in a group: they share 127.0.0.1");
        json_object_del(secret, name);
        json_array_append_new(list, json_pack("{s:s,s:O}", "name", name, "value", value));
    }
    json_object_foreach(secret, name, value)
    {
        json_array_append_new(list, json_pack("{s:s,s:O}", "name", name, "secureValue", value));
    }
    if (json_array_size(list) == 0)
        json_object_del(properties, "environmentVariables");
    return OK;
}

/* ---- resources ---- */

/* Up to the next step; 0: not given, or no amount. */
static double cpus(struct compose *c, const char *path, const json_t *value)
{
    const char *text = compose_text(c->op, value);
    int64_t thousandths = 0;

    if (!text)
        return 0;
    if (strspn(text, "0123456789.") == strlen(text) && strlen(text) < 16)
        thousandths = (int64_t)(json_is_number(value) ? json_number_value(value) * 1000 + 0.5
                                                      : strtod(text, NULL) * 1000 + 0.5);
    if (thousandths <= 0)
        compose_leave(c, path, "this is no number of processors");
    return (double)((thousandths + 9) / 10) / 100;
}

static double gigabytes(struct compose *c, const char *path, const json_t *value)
{
    const char *text = compose_text(c->op, value);
    int64_t bytes;

    if (!text)
        return 0;
    bytes = compose_bytes(text);
    if (bytes <= 0)
        compose_leave(c, path, "this is no amount of memory");
    return bytes <= 0 ? 0 : ceil((double)bytes / (1 << 30) * 10 - 1e-9) / 10;
}

static double or_else(double value, double otherwise)
{
    return value > 0 ? value : otherwise;
}

static void resources(struct compose *c, const char *path, const json_t *service,
                      json_t *properties)
{
    const json_t *deploy = json_object_get(service, "deploy");
    const char *in = compose_path(c, path, "deploy.resources");
    double n = (double)json_object_size(c->placed);
    double cpu_max =
        or_else(cpus(c, compose_path(c, path, "cpus"), json_object_get(service, "cpus")),
                cpus(c, in, at(deploy, "resources.limits.cpus")));
    double gb_max = or_else(
        gigabytes(c, compose_path(c, path, "mem_limit"), json_object_get(service, "mem_limit")),
        gigabytes(c, in, at(deploy, "resources.limits.memory")));
    double cpu = cpus(c, in, at(deploy, "resources.reservations.cpus"));
    double gb = or_else(gigabytes(c, in, at(deploy, "resources.reservations.memory")),
                        gigabytes(c, compose_path(c, path, "mem_reservation"),
                                  json_object_get(service, "mem_reservation")));
    json_t *limits = json_object();

    /* a group has 4 processors and 16 GB in all */
    cpu = or_else(cpu, or_else(cpu_max, n <= 4 ? 1 : floor(400 / n) / 100));
    gb = or_else(gb, or_else(gb_max, n <= 10 ? 1.5 : floor(160 / n) / 10));
    if (cpu_max > 0)
        json_object_set_new(limits, "cpu", json_real(cpu_max));
    if (gb_max > 0)
        json_object_set_new(limits, "memoryInGB", json_real(gb_max));
    json_object_set_new(properties, "resources",
                        json_pack("{s:{s:f,s:f}}", "requests", "cpu", cpu, "memoryInGB", gb));
    if (json_object_size(limits))
        json_object_set(json_object_get(properties, "resources"), "limits", limits);
    json_decref(limits);
    if (at(deploy, "resources.reservations.devices"))
        compose_leave(c, compose_path(c, in, "reservations.devices"), "there are no devices");
}

/* ---- health ---- */

static void seconds(struct compose *c, const char *path, const json_t *check, const char *name,
                    json_t *probe, const char *member, int64_t otherwise)
{
    const json_t *value = json_object_get(check, name);
    int64_t n = value ? compose_seconds(compose_text(c->op, value)) : otherwise;

    if (n < 0)
        compose_leave(c, compose_path(c, path, name), "this is no time, such as 1m30s");
    else if (n > 0)
        json_object_set_new(probe, member, json_integer(n));
}

/* docker's 3, unless it is said. */
static int64_t retries(struct compose *c, const char *path, const json_t *value)
{
    const char *text = compose_text(c->op, value);

    if (!value || json_is_null(value))
        return 3;
    if (text && *text && strlen(text) < 10 && !text[strspn(text, "0123456789")])
        return strtoll(text, NULL, 10);
    compose_leave(c, compose_path(c, path, "retries"), "this is no number");
    return 3;
}

static enum fault health(struct compose *c, const char *path, const json_t *service,
                         json_t *properties)
{
    const json_t *check = json_object_get(service, "healthcheck");
    const json_t *test = json_object_get(check, "test");
    const char *kind = json_string_value(json_array_get(test, 0)), *text;
    json_t *words = json_array(), *probe;

    path = compose_path(c, path, "healthcheck");
    probe = json_pack("{s:{s:o}}", "exec", "command", words);
    arena_defer(&c->op->arena, (void (*)(void *))json_decref, probe);
    if (!check || compose_flag(json_object_get(check, "disable"), false) ||
        (kind && strcmp(kind, "NONE") == 0))
        return OK;
    text = json_is_string(test)                     ? json_string_value(test)
           : kind && strcmp(kind, "CMD-SHELL") == 0 ? json_string_value(json_array_get(test, 1))
                                                    : NULL;
    if (text) {
        json_array_append_new(words, json_string("/bin/sh"));
        json_array_append_new(words, json_string("-c"));
        json_array_append_new(words, json_string(text));
    } else if (kind && strcmp(kind, "CMD") == 0) {
        TRY(add_words(c, compose_path(c, path, "test"), test, words));
        json_array_remove(words, 0);
    }
    if (json_array_size(words) == 0) {
        compose_leave(c, path, "test is a text, or a list that begins with CMD or CMD-SHELL");
        return OK;
    }
    seconds(c, path, check, "interval", probe, "periodSeconds", 30);
    seconds(c, path, check, "timeout", probe, "timeoutSeconds", 30);
    seconds(c, path, check, "start_period", probe, "initialDelaySeconds", 0);
    json_object_set_new(probe, "failureThreshold",
                        json_integer(retries(c, path, json_object_get(check, "retries"))));
    if (json_object_get(check, "start_interval"))
        compose_leave(c, compose_path(c, path, "start_interval"), "a probe has one period");
    json_object_set(properties, "livenessProbe", probe);
    return OK;
}

static void user(struct compose *c, const char *path, const json_t *service, json_t *properties)
{
    const char *text = compose_text(c->op, json_object_get(service, "user")), *colon;
    const json_t *drop = json_object_get(service, "cap_drop");
    json_t *context = json_object();

    if (text) {
        colon = strchr(text, ':');
        if (text[strspn(text, "0123456789:")] || strlen(text) > 20 || *text == ':' || !*text)
            compose_leave(c, compose_path(c, path, "user"), "users and groups are numbers");
        else
            json_object_set_new(context, "runAsUser", json_integer(strtoll(text, NULL, 10)));
        if (colon && colon[1] && json_object_size(context))
            json_object_set_new(context, "runAsGroup", json_integer(strtoll(colon + 1, NULL, 10)));
    }
    if (json_is_array(drop))
        json_object_set_new(context, "capabilities", json_pack("{s:O}", "drop", drop));
    if (json_object_size(context))
        json_object_set(properties, "securityContext", context);
    json_decref(context);
}

/* What a container of a group cannot be. */
static const struct {
    const char *member, *why;
} left_out[] = {
    {"build",             "build the image and push it first, then name it in image"},
    {"cap_add",           "containers have docker's usual capabilities and no more" },
    {"configs",           "put the files into the image or a secret"                },
    {"container_name",    "a container has its service's name"                      },
    {"devices",           "there are no devices"                                    },
    {"dns",               "a group has one resolver: dnsConfig"                     },
    {"extra_hosts",       "there are no names of one's own"                         },
    {"labels",            "containers have no labels; a group has tags"             },
    {"links",             "containers of a group share 127.0.0.1"                   },
    {"logging",           "az container logs shows what is printed"                 },
    {"network_mode",      "containers of a group share one network"                 },
    {"networks",          "containers of a group share one network"                 },
    {"platform",          "the machine's platform is taken"                         },
    {"privileged",        "containers are not privileged"                           },
    {"pull_policy",       "images are asked for at each start"                      },
    {"read_only",         "the container's own file system can be written"          },
    {"stop_grace_period", "a container has 30 seconds to end"                       },
    {"working_dir",       "the image's WORKDIR is taken"                            },
};
static const char *const understood[] = {
    "image",     "command",  "entrypoint", "environment", "env_file",        "ports",
    "expose",    "volumes",  "tmpfs",      "secrets",     "deploy",          "cpus",
    "mem_limit", "restart",  "hostname",   "depends_on",  "mem_reservation", "healthcheck",
    "user",      "cap_drop", "scale",      NULL};

static bool is_understood(const char *name)
{
    for (size_t i = 0; understood[i]; i++)
        if (strcmp(understood[i], name) == 0)
            return true;
    return strncmp(name, "x-", 2) == 0;
}

static void leave_members(struct compose *c, const char *path, const json_t *service)
{
    const char *name, *why;
    json_t *value;

    json_object_foreach((json_t *)service, name, value)
    {
        if (is_understood(name) || json_is_false(value) || json_is_null(value))
            continue;
        why = "a container of a group has nothing like it";
        for (size_t i = 0; i < ARRAY_LEN(left_out); i++)
            if (strcmp(left_out[i].member, name) == 0)
                why = left_out[i].why;
        compose_leave(c, compose_path(c, path, name), why);
    }
}

static void replicas(struct compose *c, const char *path, const json_t *service)
{
    const json_t *n = json_object_get(service, "scale");
    const char *name, *text;
    json_t *value;

    n = n ? n : at(service, "deploy.replicas");
    text = compose_text(c->op, n);
    if (text && strcmp(text, "1") != 0)
        compose_leave(c, compose_path(c, path, "scale"),
                      "a service is one container: make more groups, or a cluster");
    json_object_foreach(json_object_get(service, "deploy"), name, value)
    {
        if (strcmp(name, "resources") != 0 && strcmp(name, "replicas") != 0 &&
            strcmp(name, "restart_policy") != 0)
            compose_leave(c, arena_printf(&c->op->arena, "%s.deploy.%s", path, name),
                          "a container of a group has nothing like it");
    }
}

static const char *image_of(const json_t *service)
{
    const char *image = json_string_value(json_object_get(service, "image"));

    return image && *image ? image : NULL;
}

bool compose_is_container(struct op *op, const char *key, const json_t *service)
{
    return image_of(service) && *compose_name(op, key);
}

enum fault compose_container(struct compose *c, const char *key, const json_t *service,
                             json_t *containers)
{
    const char *path = arena_printf(&c->op->arena, "services.%s", key);
    const char *name = compose_name(c->op, key);
    json_t *properties = json_object();

    arena_defer(&c->op->arena, (void (*)(void *))json_decref, properties);
    leave_members(c, path, service);
    if (!compose_is_container(c->op, key, service)) {
        compose_leave(c, path, "it names no image: the service is left out");
        return OK;
    }
    json_object_set_new(properties, "image", json_string(image_of(service)));
    TRY(command(c, path, service, properties));
    TRY(environment(c, path, service, properties));
    resources(c, path, service, properties);
    TRY(health(c, path, service, properties));
    user(c, path, service, properties);
    replicas(c, path, service);
    TRY(compose_ports(c, path, service, properties));
    TRY(compose_mounts(c, path, service, name, properties));
    json_array_append_new(containers,
                          json_pack("{s:s,s:O}", "name", name, "properties", properties));
    return OK;
}
