#include "core/settings.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum kind { S_TEXT, S_PATH, S_INT, S_SIZE, S_SECONDS, S_BOOL, S_LIST, S_CHOICE };

struct setting {
    const char *name; /* flag; the variable is SUNDOG_NAME */
    enum kind kind;
    size_t offset;
    const char *initial; /* NULL: none */
    int64_t min, max;
    const char *arg;  /* S_CHOICE: "a|b|c" */
    const char *text; /* NULL: not in --help */
};

#define AT(m) offsetof(struct settings, m)

/* The one table: flags, variables, the file and --help are all made from it. */
static const struct setting table[] = {
    {"data",                  S_PATH,    AT(data),                  NULL,                        0, 0,         "DIR",
     "folder of everything; /var/lib/sundog for root, else ~/.local/share/sundog"                                                                                                          },
    {"blobs",                 S_PATH,    AT(blobs),                 NULL,                        0, 0,         "DIR",                        "folder of the blobs; DATA/blobs"             },
    {"config",                S_PATH,    AT(config),                NULL,                        0, 0,         "FILE",
     "file of \"name = value\" lines; DATA/sundog.conf if it exists"                                                                                                                       },
    {"listen",                S_LIST,    AT(listen),                "127.0.0.1:8443 [::1]:8443", 0, 0,         "ADDR:PORT",
     "HTTPS listener; may be repeated; \"none\" for none"                                                                                                                                  },
    {"plain-listen",          S_LIST,    AT(plain_listen),          "127.0.0.1:8480",            0, 0,         "ADDR:PORT",
     "plain HTTP listener (registry and health); may be repeated; \"none\" for none"                                                                                                       },
    {"insecure-plain",        S_BOOL,    AT(insecure_plain),        "false",                     0, 0,         NULL,
     "allow plain HTTP listeners off loopback: passwords travel readable"                                                                                                                  },
    {"database",              S_TEXT,    AT(database),              NULL,                        0, 0,         "URL",
     "a PostgreSQL of yours (session pooling only); without it a private one runs under DATA"                                                                                              },
    {"public-url",            S_TEXT,    AT(public_url),            NULL,                        0, 0,         "URL",
     "begin of every URL we answer; without it the request's own scheme and host"                                                                                                          },
    {"tls-name",              S_LIST,    AT(tls_names),             NULL,                        0, 0,         "NAME",
     "further DNS name that certificates may be made for; may be repeated"                                                                                                                 },
    {"log-file",              S_PATH,    AT(log_file),              NULL,                        0, 0,         "FILE",                       "where the log goes; standard error"          },
    {"log-level",             S_CHOICE,  AT(log_level),             "info",                      0, 0,         "debug|info|warn|error",
     "the least important line that is logged"                                                                                                                                             },
    {"secret-key",            S_PATH,    AT(secret_key),            NULL,                        0, 0,         "FILE",
     "file of the key that seals secrets in the database, the same for all that serve it; "
     "DATA/secret.key"                                                                                                                                                                     },
    {"tenant-id",             S_TEXT,    AT(tenant_id),             NULL,                        0, 0,         "GUID",
     "of the tenant that a first start makes; random"                                                                                                                                      },
    {"subscription-id",       S_TEXT,    AT(subscription_id),       NULL,                        0, 0,         "GUID",
     "of the subscription that a first start makes; random"                                                                                                                                },
    {"client-id",             S_TEXT,    AT(client_id),             NULL,                        0, 0,         "GUID",
     "application id of the first principal, at first start only; random"                                                                                                                  },
    {"client-secret",         S_TEXT,    AT(client_secret),         NULL,                        0, 0,         "TEXT",
     "its secret, at first start only; random. Better as variable"                                                                                                                         },
    {"user-name",             S_TEXT,    AT(user_name),             "admin@sundog.localhost",    0, 0,         "NAME",
     "user principal name of the first user, at first start only"                                                                                                                          },
    {"user-password",         S_TEXT,    AT(user_password),         NULL,                        0, 0,         "TEXT",
     "its password, at first start only; random. Better as variable"                                                                                                                       },
    {"registry-name",         S_TEXT,    AT(registry_name),         "sundog",                    0, 0,         "NAME",
     "of the first registry, made when there is none of that name"                                                                                                                         },
    {"admin-password",        S_TEXT,    AT(admin_password),        NULL,                        0, 0,         "TEXT",
     "of its admin user, at first start only; random. Better as variable"                                                                                                                  },
    {"anonymous-pull",        S_CHOICE,  AT(anonymous_pull),        "as-is",                     0, 0,         "on|off|as-is",
     "may anybody pull from the first registry? as-is leaves what an earlier start said; off at "
     "first"                                                                                                                                                                               },
    {"loops",                 S_INT,     AT(loops),                 NULL,                        1, 64,        "N",                          "event loop threads; 2, or 1 on one processor"},
    {"workers",               S_INT,     AT(worker_threads),        "8",                         1, 256,       "N",
     "threads that run requests, each with a database connection"                                                                                                                          },
    {"io-threads",            S_INT,     AT(io_threads),            "2",                         1, 64,        "N",                          "threads that hash and write uploads"         },
    {"slow-threads",          S_INT,     AT(slow_threads),          "4",                         1, 64,        "N",                          "threads for long work"                       },
    {"queue",                 S_INT,     AT(queue_max),             "1024",                      1, 1000000,   "N",
     "requests that may wait for a worker; more are answered 503"                                                                                                                          },
    {"connections-max",       S_INT,     AT(connections_max),       "10000",                     1, 1000000,   "N",
     "connections of one loop; more are closed"                                                                                                                                            },
    {"idle-timeout",          S_SECONDS, AT(idle_timeout_s),        "75",                        1, 86400,     "SECONDS",
     "an idle connection is closed after that"                                                                                                                                             },
    {"head-timeout",          S_SECONDS, AT(head_timeout_s),        "10",                        1, 3600,      "SECONDS",
     "a request's head must arrive within"                                                                                                                                                 },
    {"body-timeout",          S_SECONDS, AT(body_timeout_s),        "60",                        1, 86400,     "SECONDS",
     "a body that stalls for so long is given up"                                                                                                                                          },
    {"free-space-reserve",    S_SIZE,    AT(free_space_reserve),    "256M",                      0, INT64_MAX, "SIZE",
     "uploads stop when the disk has less than that free"                                                                                                                                  },
    {"blob-max",              S_SIZE,    AT(blob_max),              "200G",                      1, INT64_MAX, "SIZE",                       "the largest blob"                            },
    {"h2-body-max",           S_SIZE,    AT(h2_body_max),           "8G",                        1, INT64_MAX, "SIZE",
     "the largest body over HTTP/2"                                                                                                                                                        },
    {"upload-expire",         S_SECONDS, AT(upload_expire_s),       "24h",                       1, 31536000,  "SECONDS",
     "unfinished uploads are dropped after that"                                                                                                                                           },
    {"blob-lease",            S_SECONDS, AT(blob_lease_s),          "24h",                       1, 31536000,  "SECONDS",
     "a pushed blob waits so long for a manifest to name it"                                                                                                                               },
    {"collect-interval",      S_SECONDS, AT(collect_interval_s),    "30",                        1, 86400,     "SECONDS",
     "pause between two rounds of garbage collection"                                                                                                                                      },
    {"drain-timeout",         S_SECONDS, AT(drain_timeout_s),       "20",                        0, 3600,      "SECONDS",
     "how long running requests may go on after SIGTERM"                                                                                                                                   },
    {"registry-h2",           S_BOOL,    AT(registry_h2),           "false",                     0, 0,         NULL,
     "offer HTTP/2 on the registries' own names too"                                                                                                                                       },
    {"public-range",          S_TEXT,    AT(public_range),          "auto",                      0, 0,         "ADDR/BITS",
     "addresses of container groups that the host reaches; auto: a /17 of 10.0.0.0/8 that is free"                                                                                         },
    {"private-range",         S_TEXT,    AT(private_range),         "auto",                      0, 0,         "ADDR/BITS",
     "addresses that containers send from; auto: the /17 after the public one"                                                                                                             },
    {"cluster-ports",         S_TEXT,    AT(cluster_ports),         "8600-8999",                 0, 0,         "FIRST-LAST",
     "ports of clusters' Kubernetes APIs, one each"                                                                                                                                        },
    {"command-image",         S_TEXT,    AT(command_image),         NULL,                        0, 0,         "IMAGE",
     "what az aks command invoke runs in: an image with sh and kubectl; none"                                                                                                              },
    {"pull-default",          S_CHOICE,  AT(pull_default),          "subscription",              0, 0,         "subscription|none",
     "which of our registries containers pull from without credentials: those of their "
     "subscription"                                                                                                                                                                        },
    {"layer-keep",            S_SECONDS, AT(layer_keep_s),          "7d",                        0, 31536000,  "SECONDS",
     "unpacked layers, and images of other registries, that nothing has used for so long are "
     "removed"                                                                                                                                                                             },
    {"metrics-keep",          S_SECONDS, AT(metrics_keep_s),        "24h",                       1, 8035200,   "SECONDS",
     "how long minute values of what resources use and do are kept, a minute at least"                                                                                                     },
    {"privileged-containers", S_BOOL,    AT(privileged_containers), "false",                     0, 0,         NULL,
     "allow privileged containers, further capabilities and system call filters of one's own: "
     "whoever may make container groups is then root of this machine"                                                                                                                      },
    {"host-names",            S_BOOL,    AT(host_names),            "false",                     0, 0,         NULL,
     "write LABEL.REGION.azurecontainer.localhost of container groups into /etc/hosts"                                                                                                     },
    {"user",                  S_TEXT,    AT(user),                  "sundog",                    0, 0,         "NAME",                       "whom to become when started as root"         },
    {"format",                S_CHOICE,  AT(format),                "sh",                        0, 0,         "sh|json|github|azdo|gitlab",
     "env, trace: how the lines are written"                                                                                                                                               },
    {"at",                    S_TEXT,    AT(at),                    NULL,                        0, 0,         "HOST[:PORT[:PORT]]",
     "env: where clients reach it, with its TLS and its plain port, if not as localhost at the "
     "ports it listens on"                                                                                                                                                                 },
    {"files",                 S_TEXT,    AT(files),                 NULL,                        0, 0,         "DIR",
     "env: print also what makes the clients' files there, for another machine; without it they "
     "are made here"                                                                                                                                                                       },
    {"wait",                  S_SECONDS, AT(wait_s),                "0",                         0, 86400,     "SECONDS",                    "ready: how long to wait for it"              },
    {"refused",               S_BOOL,    AT(refused),               "false",                     0, 0,         NULL,
     "trace: only calls that were refused or failed"                                                                                                                                       },
    {"name",                  S_TEXT,    AT(name),                  NULL,                        0, 0,         "NAME",
     "compose: the container group's name; that of the file, or its folder's"                                                                                                              },
    {"strict",                S_BOOL,    AT(strict),                "false",                     0, 0,         NULL,
     "compose: print nothing unless all of the file fits"                                                                                                                                  },
    {"for",                   S_SECONDS, AT(for_s),                 "0",                         0, 31536000,  "SECONDS",
     "new: the job is deleted by itself after that; 0: only by sundog delete"                                                                                                              },
    {"list",                  S_BOOL,    AT(list),                  "false",                     0, 0,         NULL,                         "new: make none, say which jobs there are"    },
    {"pg-fast-init",          S_BOOL,    AT(pg_fast_init),          "false",                     0, 0,         NULL,                         NULL                                          },
};

#define SETTINGS   ARRAY_LEN(table)
#define VALUES_MAX LISTEN_MAX
#define VALUE_MAX  4096 /* bytes of one from a file */

/* What one source says, by setting. */
struct source {
    const char *values[SETTINGS][VALUES_MAX];
    size_t n[SETTINGS];
};

const char *settings_args[8];

static const struct setting *find(const char *name, size_t len)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        if (strlen(table[i].name) == len && memcmp(table[i].name, name, len) == 0)
            return &table[i];
    }
    return NULL;
}

static const char *variable_name(struct op *op, const struct setting *setting)
{
    char *name = arena_printf(&op->arena, "SUNDOG_%s", setting->name);

    for (char *c = name; *c; c++)
        *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
    return name;
}

/* ---- collecting ---- */

static enum fault add(struct op *op, struct source *source, const struct setting *setting,
                      const char *value)
{
    size_t i = (size_t)(setting - table);

    if (setting->kind == S_LIST && source->n[i] == VALUES_MAX)
        return fail(op, INVALID, "--%s: more than %d values", setting->name, VALUES_MAX);
    if (setting->kind != S_LIST)
        source->n[i] = 0; /* the last one given counts */
    source->values[i][source->n[i]++] = value;
    return OK;
}

/* A list in one text: separated by spaces or commas. */
static enum fault add_split(struct op *op, struct source *source, const struct setting *setting,
                            const char *value)
{
    static const char separators[] = " ,\t";

    if (setting->kind != S_LIST)
        return add(op, source, setting, value);
    while (*(value += strspn(value, separators))) {
        size_t len = strcspn(value, separators);

        TRY(add(op, source, setting, arena_strndup(&op->arena, value, len)));
        value += len;
    }
    return OK;
}

static enum fault read_flag(struct op *op, struct source *flags, char **argv, int *at)
{
    const char *arg = argv[*at] + 2, *equals = strchr(arg, '='), *value;
    size_t len = equals ? (size_t)(equals - arg) : strlen(arg);
    const struct setting *setting = find(arg, len);

    if (!setting)
        return fail(op, INVALID, "there is no flag --%.*s: see sundog --help", (int)len, arg);
    if (equals)
        value = equals + 1;
    else if (setting->kind == S_BOOL)
        value = "true";
    else
        value = argv[++*at];
    if (!value)
        return fail(op, INVALID, "--%s needs a value", setting->name);
    return add(op, flags, setting, value);
}

static enum fault read_flags(struct op *op, struct source *flags, int argc, char **argv)
{
    size_t n = 0;
    bool only_args = false;

    memset(settings_args, 0, sizeof(settings_args));
    for (int i = 0; i < argc && argv[i]; i++) {
        if (!only_args && strcmp(argv[i], "--") == 0) {
            only_args = true;
        } else if (!only_args && strncmp(argv[i], "--", 2) == 0) {
            TRY(read_flag(op, flags, argv, &i));
        } else {
            if (n + 1 == ARRAY_LEN(settings_args))
                return fail(op, INVALID, "too many arguments");
            settings_args[n++] = argv[i];
        }
    }
    return OK;
}

/* SUNDOG_NAME_FILE: the value is a file's content, as secrets are given to containers. */
static enum fault read_value_file(struct op *op, struct source *environment,
                                  const struct setting *setting)
{
    const char *path = getenv(arena_printf(&op->arena, "%s_FILE", variable_name(op, setting)));
    char *value = arena_alloc(&op->arena, VALUE_MAX + 1);
    FILE *in;
    size_t n;

    if (setting->kind != S_TEXT || !path || !*path)
        return OK;
    in = fopen(path, "re");
    if (!in)
        return fail(op, INVALID, "%s_FILE: cannot read %s: %s", variable_name(op, setting), path,
                    strerror(errno));
    n = fread(value, 1, VALUE_MAX, in);
    fclose(in);
    value[n] = '\0';
    value[strcspn(value, "\r\n")] = '\0';
    if (!*value)
        return fail(op, INVALID, "%s_FILE: %s is empty", variable_name(op, setting), path);
    return add(op, environment, setting, value);
}

static enum fault read_environment(struct op *op, struct source *environment)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        const char *value = getenv(variable_name(op, &table[i]));

        if (value && *value)
            TRY(add_split(op, environment, &table[i], value));
        else
            TRY(read_value_file(op, environment, &table[i]));
    }
    return OK;
}

static char *trim(char *s)
{
    char *end = s + strlen(s);

    while (end > s && isspace((unsigned char)end[-1]))
        *--end = '\0';
    while (isspace((unsigned char)*s))
        s++;
    return s;
}

static enum fault read_line(struct op *op, struct source *file, const char *path, int number,
                            char *line)
{
    const struct setting *setting;
    char *equals, *name = trim(line);

    if (*name == '\0' || *name == '#')
        return OK;
    equals = strchr(name, '=');
    if (!equals)
        return fail(op, INVALID, "%s, line %d: \"name = value\" is expected", path, number);
    *equals = '\0';
    name = trim(name);
    setting = find(name, strlen(name));
    if (!setting || setting->offset == AT(config))
        return fail(op, INVALID, "%s, line %d: there is no setting \"%s\"", path, number, name);
    return add_split(op, file, setting, arena_strdup(&op->arena, trim(equals + 1)));
}

static enum fault read_file(struct op *op, struct source *file, const char *path, bool must_exist)
{
    FILE *in = fopen(path, "re");
    enum fault fault = OK;
    char *line = NULL;
    size_t size = 0;

    if (!in && errno == ENOENT && !must_exist)
        return OK;
    if (!in)
        return fail(op, INVALID, "cannot read %s: %s", path, strerror(errno));
    for (int number = 1; fault == OK && getline(&line, &size, in) >= 0; number++)
        fault = read_line(op, file, path, number, line);
    free(line);
    fclose(in);
    return fault;
}

/* ---- values ---- */

/* Digits and one unit letter; binary units for sizes, times for seconds. */
static bool parse_number(const char *value, enum kind kind, int64_t *ret)
{
    static const char size_units[] = "KMGT";
    int64_t number, scale = 1;
    char *end;

    if (!isdigit((unsigned char)*value))
        return false;
    errno = 0;
    number = strtoll(value, &end, 10);
    if (errno)
        return false;
    if (kind == S_SIZE && *end && strchr(size_units, toupper((unsigned char)*end))) {
        scale = 1ll << (10 * (strchr(size_units, toupper((unsigned char)*end)) - size_units + 1));
        end += end[1] == 'i' && end[2] == 'B' ? 3 : end[1] == 'B' ? 2 : 1;
    } else if (kind == S_SECONDS && *end) {
        scale = *end == 's' ? 1 : *end == 'm' ? 60 : *end == 'h' ? 3600 : *end == 'd' ? 86400 : 0;
        end++;
    }
    if (scale == 0 || *end || __builtin_mul_overflow(number, scale, ret))
        return false;
    return true;
}

static enum fault set_number(struct op *op, const struct setting *setting, const char *value,
                             int64_t *ret)
{
    int64_t number;

    if (!parse_number(value, setting->kind, &number))
        return fail(op, INVALID, "--%s: \"%s\" is not a %s", setting->name, value,
                    setting->kind == S_SIZE      ? "size (such as 512M)"
                    : setting->kind == S_SECONDS ? "time (such as 90 or 24h)"
                                                 : "number");
    if (number < setting->min || number > setting->max)
        return fail(op, INVALID, "--%s: %s is not between %lld and %lld", setting->name, value,
                    (long long)setting->min, (long long)setting->max);
    *ret = number;
    return OK;
}

static enum fault set_bool(struct op *op, const struct setting *setting, const char *value,
                           bool *ret)
{
    static const char *const yes[] = {"true", "yes", "on", "1"}, *const no[] = {"false", "no",
                                                                                "off", "0"};

    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (strcmp(value, yes[i]) == 0 || strcmp(value, no[i]) == 0) {
            *ret = strcmp(value, yes[i]) == 0;
            return OK;
        }
    }
    return fail(op, INVALID, "--%s: \"%s\" is not true or false", setting->name, value);
}

static enum fault set_choice(struct op *op, const struct setting *setting, const char *value,
                             const char **ret)
{
    size_t len = strlen(value);

    for (const char *at = setting->arg; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL) {
        if (len > 0 && strcspn(at, "|") == len && memcmp(at, value, len) == 0) {
            *ret = value;
            return OK;
        }
    }
    return fail(op, INVALID, "--%s: \"%s\" is not one of %s", setting->name, value, setting->arg);
}

static const char *absolute(struct arena *arena, const char *path)
{
    char folder[4096];
    char *whole;

    whole = *path == '/' || !getcwd(folder, sizeof(folder))
                ? arena_strdup(arena, path)
                : arena_printf(arena, "%s/%s", folder, path);
    for (size_t len = strlen(whole); len > 1 && whole[len - 1] == '/'; len--)
        whole[len - 1] = '\0';
    return whole;
}

static enum fault set(struct op *op, struct settings *settings, const struct setting *setting,
                      const char *const *values, size_t n)
{
    void *to = (char *)settings + setting->offset;
    const char **text = to;

    switch (setting->kind) {
    case S_INT:
    case S_SIZE:
    case S_SECONDS:
        return set_number(op, setting, values[0], to);
    case S_BOOL:
        return set_bool(op, setting, values[0], to);
    case S_CHOICE:
        TRY(set_choice(op, setting, values[0], text));
        *text = arena_strdup(&settings->arena, *text);
        return OK;
    case S_TEXT:
        *text = arena_strdup(&settings->arena, values[0]);
        return OK;
    case S_PATH:
        if (!*values[0])
            return fail(op, INVALID, "--%s is empty", setting->name);
        *text = absolute(&settings->arena, values[0]);
        return OK;
    case S_LIST:
        if (n == 1 && strcmp(values[0], "none") == 0)
            n = 0;
        for (size_t i = 0; i < n; i++)
            text[i] = arena_strdup(&settings->arena, values[i]);
        text[n] = NULL;
        return OK;
    }
    return OK;
}

static enum fault apply(struct op *op, struct settings *settings, const struct source *source)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        if (source->n[i] > 0)
            TRY(set(op, settings, &table[i], source->values[i], source->n[i]));
    }
    return OK;
}

/* ---- checks over more than one value ---- */

static bool is_loopback(int family, const void *address)
{
    static const uint8_t v6[16] = {[15] = 1};

    return family == AF_INET ? *(const uint8_t *)address == 127 : memcmp(address, v6, 16) == 0;
}

/* "127.0.0.1:8443", "[::1]:8443". */
static bool parse_listen(const char *value, bool *ret_loopback)
{
    const char *colon = strrchr(value, ':');
    char host[INET6_ADDRSTRLEN];
    unsigned char address[16];
    size_t len;
    int64_t port;
    int family;

    if (!colon || !parse_number(colon + 1, S_INT, &port) || port > 65535)
        return false;
    family = *value == '[' ? AF_INET6 : AF_INET;
    len = (size_t)(colon - value);
    *ret_loopback = false;
    if (len == 1 && *value == '*')
        return true;
    if (family == AF_INET6) {
        if (colon[-1] != ']' || len < 2)
            return false;
        value++;
        len -= 2;
    }
    if (len >= sizeof(host))
        return false;
    memcpy(host, value, len);
    host[len] = '\0';
    if (inet_pton(family, host, address) != 1)
        return false;
    *ret_loopback = is_loopback(family, address);
    return true;
}

static enum fault check_listeners(struct op *op, const struct settings *settings)
{
    bool loopback;

    for (size_t i = 0; settings->listen[i]; i++) {
        if (!parse_listen(settings->listen[i], &loopback))
            return fail(op, INVALID, "--listen: \"%s\" is not ADDRESS:PORT or [ADDRESS]:PORT",
                        settings->listen[i]);
    }
    for (size_t i = 0; settings->plain_listen[i]; i++) {
        if (!parse_listen(settings->plain_listen[i], &loopback))
            return fail(op, INVALID, "--plain-listen: \"%s\" is not ADDRESS:PORT or [ADDRESS]:PORT",
                        settings->plain_listen[i]);
        if (!loopback && !settings->insecure_plain)
            return fail(op, INVALID,
                        "--plain-listen: %s is not a loopback address, and plain HTTP shows "
                        "passwords to the network; --insecure-plain allows it",
                        settings->plain_listen[i]);
    }
    return OK;
}

static enum fault check_public_url(struct op *op, struct settings *settings)
{
    const char *url = settings->public_url;
    const char *host;
    size_t len;

    if (!url)
        return OK;
    host = strncmp(url, "https://", 8) == 0  ? url + 8
           : strncmp(url, "http://", 7) == 0 ? url + 7
                                             : NULL;
    len = strlen(url);
    while (len > 0 && url[len - 1] == '/')
        len--;
    if (!host || host >= url + len || memchr(host, '/', (size_t)(url + len - host)) ||
        strpbrk(host, " \t\r\n\"<>?#@"))
        return fail(op, INVALID, "--public-url: \"%s\" is not http(s)://HOST[:PORT]", url);
    settings->public_url = arena_strndup(&settings->arena, url, len);
    return OK;
}

static void defaults_of_machine(struct settings *settings)
{
    const char *home = getenv("HOME"), *share = getenv("XDG_DATA_HOME");
    struct arena *arena = &settings->arena;

    if (geteuid() == 0)
        settings->data = "/var/lib/sundog";
    else if (share && *share == '/')
        settings->data = arena_printf(arena, "%s/sundog", share);
    else
        settings->data = arena_printf(arena, "%s/.local/share/sundog", home && *home ? home : "");
    settings->loops = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 2 : 1;
}

static enum fault apply_initial(struct op *op, struct settings *settings)
{
    struct source *initial = arena_alloc(&op->arena, sizeof(*initial));

    for (size_t i = 0; i < SETTINGS; i++) {
        if (table[i].initial)
            TRY(add_split(op, initial, &table[i], table[i].initial));
    }
    return apply(op, settings, initial);
}

enum fault settings_load(struct op *op, struct settings *settings, int argc, char **argv)
{
    struct source *flags = arena_alloc(&op->arena, sizeof(*flags));
    struct source *environment = arena_alloc(&op->arena, sizeof(*environment));
    struct source *file = arena_alloc(&op->arena, sizeof(*file));

    memset(settings, 0, sizeof(*settings));
    arena_init(&settings->arena);
    defaults_of_machine(settings);
    TRY(apply_initial(op, settings));
    TRY(read_flags(op, flags, argc, argv));
    TRY(read_environment(op, environment));
    /* Twice: --data and --config say where the file is, which they then beat. */
    TRY(apply(op, settings, environment));
    TRY(apply(op, settings, flags));
    TRY(read_file(op, file,
                  settings->config ? settings->config
                                   : arena_printf(&op->arena, "%s/sundog.conf", settings->data),
                  settings->config != NULL));
    TRY(apply(op, settings, file));
    TRY(apply(op, settings, environment));
    TRY(apply(op, settings, flags));
    if (!settings->blobs)
        settings->blobs = arena_printf(&settings->arena, "%s/blobs", settings->data);
    if (!settings->secret_key)
        settings->secret_key = arena_printf(&settings->arena, "%s/secret.key", settings->data);
    TRY(check_public_url(op, settings));
    return check_listeners(op, settings);
}

void settings_free(struct settings *settings)
{
    arena_free(&settings->arena);
    memset(settings, 0, sizeof(*settings));
}

/* ---- help ---- */

/* Words of s in lines of at most 76 columns, all indented. */
static void wrap(struct text *out, const char *s)
{
    size_t column = 0;

    while (*s) {
        size_t len = strcspn(s, " ");

        if (column == 0 || column + len + 1 > 70) {
            text_str(out, column == 0 ? "        " : "\n        ");
            column = 0;
        } else {
            text_str(out, " ");
        }
        text_add(out, s, len);
        column += len + 1;
        s += len;
        s += strspn(s, " ");
    }
    text_str(out, "\n");
}

void settings_help(struct text *out)
{
    struct op op;

    op_init(&op);
    for (size_t i = 0; i < SETTINGS; i++) {
        const struct setting *setting = &table[i];
        const char *initial = setting->initial && setting->kind != S_BOOL ? setting->initial : NULL;

        if (!setting->text)
            continue;
        text_printf(out, "  --%s%s%s\n", setting->name, setting->arg ? " " : "",
                    setting->arg ? setting->arg : "");
        wrap(out,
             arena_printf(&op.arena, "%s%s%s  [%s]", setting->text, initial ? "; default " : "",
                          initial ? initial : "", variable_name(&op, setting)));
    }
    op_free(&op);
}
