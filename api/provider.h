/*
 * What a service tells the resource manager about itself. Each api/x_api.c exports one struct
 * provider, listed in api/providers.c, and a struct service of its own with its routes
 * (arm_authorise, arm_decorate, arm_dialect, any_case), listed in main.c.
 */
#ifndef SUNDOG_API_PROVIDER_H
#define SUNDOG_API_PROVIDER_H

#include "api/resource.h"

/* A figure that resources of a type have (Microsoft.Insights/metrics); samples come by
   core/meter.h, under the resource's key and the figure's name. */
#define METRIC_DIMENSIONS_MAX 4
struct metric_kind {
    const char *name, *display, *description; /* "CpuUsage", "CPU Usage", "CPU usage on …" */
    const char *unit, *category;              /* "Count", "Bytes", "BytesPerSecond", … */
    const char *primary;                      /* "Average", "Total" */
    const char *dimensions[METRIC_DIMENSIONS_MAX + 1]; /* NULL-terminated */
    bool fine;  /* METER_FINE_S steps of the last minutes, too */
    bool zeros; /* a count: where the resource had no samples it is 0, not unknown */
};

struct resource_type {
    const char *type;                /* below the namespace: "registries", "registries/webhooks" */
    const char *const *api_versions; /* newest first, NULL-terminated */
    bool tracked;                    /* has location and tags */
    bool no_row; /* known by name only (locations/operationResults): no envelope is kept */

    const struct metric_kind *metrics; /* ends with name NULL; NULL: none */

    /* The whole resource, as its GET shows it. */
    enum fault (*render)(struct op *op, const struct resource *r, json_t **ret);
    /*
     * Force-delete, as DELETE does and group deletion: the service's rows, part of the open
     * transaction; the envelope is deleted by the caller in the same one. It may run twice. Where
     * the world must change first: set *ret_again_ms to be called again (nothing is deleted yet).
     */
    enum fault (*remove)(struct op *op, const struct resource *r, int64_t *ret_again_ms);
    /* The resource becomes id `to` (another group or subscription), part of the open transaction.
       NULL: cannot be moved. */
    enum fault (*move)(struct op *op, const struct resource *r, const struct resource_id *to);
    /* After the commit of a remove or a move of r: read anew what memory holds of it. May be NULL.
     */
    enum fault (*changed)(struct op *op, const struct resource *r);
};

struct provider_operation {
    const char *name; /* "Microsoft.ContainerRegistry/registries/read" */
    const char *resource, *operation, *description;
    bool is_data;
};

struct provider {
    const char *name;                            /* "Microsoft.ContainerRegistry" */
    const char *display;                         /* "Microsoft Container Registry" */
    const struct resource_type *types;           /* ends with type NULL; NULL: none here yet */
    const struct provider_operation *operations; /* ends with name NULL; NULL: none */
    bool not_built; /* its resources come with a later Sundog: starts as NotRegistered */
    void (*start)(
        void); /* registers operation kinds, starts reconcilers; no database. May be NULL */
    void (*stop)(void);
    /* At start, after subscriptions: resources for what the service made by itself. May be NULL. */
    enum fault (*adopt)(struct op *op);
};

extern const struct provider *const providers[]; /* NULL-terminated */

/* In any case of letters; NULL: unknown. */
const struct provider *provider_find(const char *name);
/*
 * r goes, with its service's rows: in the transaction that the caller has begun, and that ends
 * here. *ret_again_ms RECONCILE_DONE: it is gone, and what memory holds of it alone; after one or
 * many of them: resource_reload. Anything else: its service needs time, and is to be asked again.
 */
enum fault resource_remove(struct op *op, const struct resource *r, int64_t *ret_again_ms);
/* By full type. NULL: unknown. */
const struct resource_type *resource_type_find(const char *full_type);
/* "Microsoft.ContainerRegistry/registries" of such a type as it is spelled; the text given if
   unknown. */
const char *full_type_spelled(struct op *op, const char *full_type);

#endif
