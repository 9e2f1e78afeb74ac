/*
 * Settings: one table gives flags, environment variables (SUNDOG_DATA), the file (DIR/sundog.conf
 * or
 * --config, "name = value" lines) and --help. A flag beats the environment beats the file.
 */
#ifndef SUNDOG_CORE_SETTINGS_H
#define SUNDOG_CORE_SETTINGS_H

#include "core/op.h"

#define LISTEN_MAX 8

struct settings {
    struct arena arena;
    const char *data, *blobs; /* folders, absolute */
    const char *config;
    const char *listen[LISTEN_MAX + 1]; /* "127.0.0.1:8443", "[::1]:8443"; NULL ends */
    const char *plain_listen[LISTEN_MAX + 1];
    bool insecure_plain;                   /* allow plain HTTP off loopback */
    const char *database;                  /* libpq URL, or NULL: the embedded one */
    const char *public_url;                /* or NULL: from the request's Host */
    const char *tls_names[LISTEN_MAX + 1]; /* further names certificates are minted for */
    const char *log_file;                  /* NULL: stderr */
    const char *anonymous_pull;            /* "on", "off", "as-is": of the first registry */
    const char *log_level;                 /* "debug", "info", "warn", "error" */
    const char *secret_key; /* file of the key that seals secrets; NULL: DATA/secret.key */
    /* of the first start; NULL: random, but for the names */
    const char *tenant_id, *subscription_id, *client_id, *client_secret;
    const char *user_name, *user_password;      /* "admin@sundog.localhost" */
    const char *registry_name, *admin_password; /* "sundog", and of its admin user */
    int64_t loops, worker_threads, io_threads, slow_threads, queue_max;
    int64_t connections_max; /* a loop */
    int64_t idle_timeout_s, head_timeout_s, body_timeout_s;
    int64_t free_space_reserve; /* bytes: uploads stop when the disk has less */
    int64_t blob_max;           /* bytes of one blob */
    int64_t h2_body_max;        /* bytes of one HTTP/2 request body (spooled) */
    int64_t upload_expire_s;    /* unfinished uploads */
    int64_t blob_lease_s;       /* a link without a manifest lives that long after its last use */
    int64_t collect_interval_s; /* garbage collection's pause between rounds */
    int64_t drain_timeout_s;    /* SIGTERM: how long running requests may go on */
    bool registry_h2;           /* offer HTTP/2 on registries' own TLS names */
    bool pg_fast_init;          /* reserved for tests: small WAL segments for the embedded server */
    const char *public_range, *private_range; /* of containers: "10.213.0.0/17", or "auto" */
    const char *cluster_ports;                /* "8600-8999" */
    const char *command_image;                /* of az aks command invoke; NULL: none */
    const char *pull_default; /* "subscription", "none": what containers pull without credentials */
    int64_t layer_keep_s;     /* unpacked layers that nothing uses */
    int64_t metrics_keep_s;   /* minute values of what resources use and do */
    bool privileged_containers; /* API users may ask for what makes them root of this machine */
    bool host_names;            /* the host's /etc/hosts names the groups, too */
    int64_t wait_s;             /* of `sundog ready` */
    bool refused;               /* of `sundog trace`: only what was refused */
    const char *name;           /* of `sundog compose`: the group's; NULL: the file's */
    bool strict;                /* of `sundog compose`: nothing unless all fits */
    int64_t for_s;              /* of `sundog new`: how long the job lives; 0: until deleted */
    bool list;                  /* of `sundog new`: say which jobs there are */
    /* of `sundog env` */
    const char *format; /* "sh", "json", "github", "azdo", "gitlab" */
    const char *at;     /* "HOST[:TLS-PORT[:PLAIN-PORT]]" where clients reach it; NULL: localhost */
    const char *files; /* folder of clients' files elsewhere, made by what is printed; NULL: here */
    const char *user;  /* whom to become when started as root: "sundog" */
};

/* Fill from defaults, file, environment, argv (after the subcommand). INVALID names the setting. */
enum fault settings_load(struct op *op, struct settings *settings, int argc, char **argv);
void settings_free(struct settings *settings);
/* The table as --help shows it. */
void settings_help(struct text *out);
/* Positional arguments left after flags (backup OUTDIR): NULL-terminated. */
extern const char *settings_args[8];

#endif
