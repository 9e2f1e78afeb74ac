/*
 * Sundog: the container half of a public cloud on one machine.
 *
 *~ A tour for whoever opens this tree for the first time: below is the list of services. Each has a
 *~ table of routes; a route names its handler; a handler calls stores. Read core/op.h, core/call.h
 *~ and core/dispatch.c for how a request gets there, core/server.c for how it all starts.
 */
#include <stdio.h>
#include <string.h>

#include "api/api_service.h"
#include "api/commands.h"
#include "api/container_instance.h"
#include "api/managed_cluster.h"
#include "api/registry_api.h"
#include "auth/auth_api.h"
#include "clusters/clusters_service.h"
#include "core/backup.h"
#include "core/core_api.h"
#include "core/doctor.h"
#include "core/env.h"
#include "core/init.h"
#include "core/ready.h"
#include "core/restart.h"
#include "core/server.h"
#include "instances/instances_service.h"
#include "instances/purge.h"
#include "registry/registry_service.h"
#include "web/console.h"

static const struct service *const services[] = {&core_service,
                                                 &auth_service,
                                                 &entra_service,
                                                 &graph_service,
                                                 &registry_service,
                                                 &instances_service,
                                                 &clusters_service,
                                                 &kubernetes_service,
                                                 &api_service,
                                                 &container_registry_service,
                                                 &container_instance_service,
                                                 &container_service_service,
                                                 &console_service,
                                                 &api_rest_service,
                                                 NULL};

static int serve(struct settings *settings)
{
    init_if_first();
    return server_run(settings, services);
}

static int doctor(struct settings *settings)
{
    return doctor_run(settings, services);
}

static int routes(struct settings *settings)
{
    struct text out;

    text_init(&out, &settings->arena, (size_t)1 << 20);
    routes_print(&out, services);
    fwrite(out.data, 1, out.len, stdout);
    return 0;
}

static const struct command {
    const char *name;
    int (*run)(struct settings *settings);
    const char *summary;
} commands[] = {
    {"serve",    serve,        "run the service until SIGTERM"                                       },
    {"env",      env_run,      "print the lines that point clients here (--format sh|github|…)"    },
    {"ready",    ready_run,    "say whether it is ready, by the exit status; --wait SECONDS"         },
    {"new",      new_run,
     "new [NAME]: a job's own subscription, principal and registry; prints like env"                 },
    {"delete",   delete_run,   "delete JOB, with everything in it"                                   },
    {"console",  console_run,  "print a link that signs a browser in, once, within 5 minutes"        },
    {"trace",    trace_run,    "print live what clients ask, why they are refused, and what mends it"},
    {"compose",  compose_run,
     "compose FILE: a compose file as a container group for az container create"                     },
    {"trace",    trace_run,    "print live what clients ask, why they are refused, and what mends it"},
    {"compose",  compose_run,
     "compose FILE: a compose file as a container group for az container create"                     },
    {"doctor",   doctor,       "say what this machine lacks, and how to mend it"                     },
    {"routes",   routes,       "print the whole API from its route tables"                           },
    {"backup",   backup_run,   "backup OUTDIR: copy metadata, blobs and keys, also while running"    },
    {"restore",  restore_run,  "restore OUTDIR --data NEWDIR: make a data folder from a backup"      },
    {"purge",    purge_run,    "end and remove all containers of DATA, which outlive the service"    },
    {"serve",    serve,        "run the service until SIGTERM"                                       },
    {"env",      env_run,      "print the lines that point clients here (--format sh|github|…)"    },
    {"ready",    ready_run,    "say whether it is ready, by the exit status; --wait SECONDS"         },
    {"new",      new_run,
     "new [NAME]: a job's own subscription, principal and registry; prints like env"                 },
    {"delete",   delete_run,   "delete JOB, with everything in it"                                   },
    {"snapshot", snapshot_run,
     "snapshot save|load|delete NAME, snapshot list: all of a Sundog, and back"                      },
    {"reset",    reset_run,    "everything as the first start made it"                               },
    {"console",  console_run,  "print a link that signs a browser in, once, within 5 minutes"        },
    {"doctor",   doctor,       "say what this machine lacks, and how to mend it"                     },
    {"routes",   routes,       "print the whole API from its route tables"                           },
    {"backup",   backup_run,   "backup OUTDIR: copy metadata, blobs and keys, also while running"    },
    {"restore",  restore_run,  "restore OUTDIR --data NEWDIR: make a data folder from a backup"      },
    {"purge",    purge_run,    "end and remove all containers of DATA, which outlive the service"    },
};

static int usage(FILE *out, int status)
{
    struct op op;
    struct text text;

    op_init(&op);
    text_init(&text, &op.arena, (size_t)1 << 20);
    text_str(&text, "usage: sundog COMMAND [setting...]\n\ncommands:\n");
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        text_printf(&text, "  %-8s %s\n", commands[i].name, commands[i].summary);
    text_str(&text, "\nsettings:\n");
    settings_help(&text);
    fwrite(text.data, 1, text.len, out);
    op_free(&op);
    return status;
}

static int run(const struct command *command, int argc, char **argv)
{
    struct settings settings = {0};
    struct op op;
    int status;

    op_init(&op);
    if (settings_load(&op, &settings, argc, argv) != OK) {
        fprintf(stderr, "sundog: %s\n", op.message);
        settings_free(&settings);
        op_free(&op);
        return 2;
    }
    status = command->run(&settings);
    settings_free(&settings);
    op_free(&op);
    return status;
}

int main(int argc, char **argv)
{
    restart_remember(argc, argv);
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return usage(stdout, 0);
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts("sundog " SUNDOG_VERSION);
        return 0;
    }
    for (size_t i = 0; argc > 1 && i < ARRAY_LEN(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return run(&commands[i], argc - 2, argv + 2);
    return usage(stderr, 2);
}
