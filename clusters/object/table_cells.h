/* Columns and what writes their cells; only clusters/object/table*.c include it. */
#ifndef SUNDOG_CLUSTERS_OBJECT_TABLE_CELLS_H
#define SUNDOG_CLUSTERS_OBJECT_TABLE_CELLS_H

#include "clusters/object/object.h"

struct row {
    struct op *op;
    struct text *out;
    const json_t *tree;
    int64_t now; /* Unix seconds */
};
struct column {
    const char *name;
    void (*write)(struct row *row, const struct column *column); /* one JSON value */
    const char *path;    /* of the member that it shows, for those that show one */
    const char *missing; /* shown when there is none; NULL: "" */
    const char *type;    /* NULL: "string" */
    bool wide;           /* only with -o wide: priority 1 */
    const char *format;  /* NULL: "" */
};
struct table {
    const char *group, *plural;
    const struct column *columns; /* ends with a NULL name */
};
extern const struct table tables[]; /* ends with a NULL plural */
extern const struct column default_columns[];

#define NAME_COLUMN                                                                                \
    {                                                                                              \
        "Name", cell_text, "metadata.name", NULL, NULL, false, "name"                              \
    }
#define AGE_COLUMN                                                                                 \
    {                                                                                              \
        "Age", cell_age, "metadata.creationTimestamp", "<unknown>", NULL, false, NULL              \
    }

/* ---- cells of any kind ---- */
void cell_text(struct row *row, const struct column *column);
void cell_integer(struct row *row, const struct column *column);   /* missing: 0 */
void cell_bool(struct row *row, const struct column *column);      /* missing "true": true */
void cell_bool_text(struct row *row, const struct column *column); /* "True", "False" */
void cell_any(struct row *row, const struct column *column);       /* a text, or a number as text */
/* missing: a second one, counted too */
void cell_count(struct row *row, const struct column *column);      /* of a list or map */
void cell_age(struct row *row, const struct column *column);        /* since a time */
void cell_labels(struct row *row, const struct column *column);     /* a map: "a=b,c=d" */
void cell_selector(struct row *row, const struct column *column);   /* a LabelSelector */
void cell_texts(struct row *row, const struct column *column);      /* a list of texts: "a,b" */
void cell_of(struct row *row, const struct column *column);         /* "Kind/name" of a reference */
void cell_containers(struct row *row, const struct column *column); /* path: of a pod's spec */
void cell_images(struct row *row, const struct column *column);
void cell_modes(struct row *row, const struct column *column); /* RWO,ROX */

/* ---- of one kind ---- */
void pod_ready(struct row *row, const struct column *column);
void pod_status(struct row *row, const struct column *column);
void pod_restarts(struct row *row, const struct column *column);
void pod_gates(struct row *row, const struct column *column);
void pod_ip(struct row *row, const struct column *column);

void addresses_of_slice(struct row *row, const struct column *column);
void api_available(struct row *row, const struct column *column);
void claim_status(struct row *row, const struct column *column);
void class_of(struct row *row, const struct column *column);
void completions(struct row *row, const struct column *column);
void component_status(struct row *row, const struct column *column);
void controller_reference(struct row *row, const struct column *column);
void csr_condition(struct row *row, const struct column *column);
void endpoints_of(struct row *row, const struct column *column);
void event_count(struct row *row, const struct column *column);
void event_first(struct row *row, const struct column *column);
void event_last(struct row *row, const struct column *column);
void event_object(struct row *row, const struct column *column);
void event_source(struct row *row, const struct column *column);
void event_text(struct row *row, const struct column *column);
void flow_limit(struct row *row, const struct column *column);
void hpa_reference(struct row *row, const struct column *column);
void hpa_targets(struct row *row, const struct column *column);
void ingress_address(struct row *row, const struct column *column);
void ingress_class(struct row *row, const struct column *column);
void ingress_class_parameters(struct row *row, const struct column *column);
void ingress_hosts(struct row *row, const struct column *column);
void ingress_ports(struct row *row, const struct column *column);
void ip_parent(struct row *row, const struct column *column);
void job_duration(struct row *row, const struct column *column);
void job_status(struct row *row, const struct column *column);
void local_or_service(struct row *row, const struct column *column);
void missing_level(struct row *row, const struct column *column);
void node_address(struct row *row, const struct column *column);
void node_roles(struct row *row, const struct column *column);
void node_status(struct row *row, const struct column *column);
void param_kind(struct row *row, const struct column *column);
void param_reference(struct row *row, const struct column *column);
void ports_of_slice(struct row *row, const struct column *column);
void quota_limits(struct row *row, const struct column *column);
void ready_of(struct row *row, const struct column *column);
void requested_duration(struct row *row, const struct column *column);
void role_subjects(struct row *row, const struct column *column);
void service_addresses(struct row *row, const struct column *column);
void service_ports(struct row *row, const struct column *column);
void storage_name(struct row *row, const struct column *column);
void storage_of(struct row *row, const struct column *column);
void token_audiences(struct row *row, const struct column *column);
void volume_claim(struct row *row, const struct column *column);

/* ---- for writers ---- */
void put_text(struct row *row, const char *text);
void put_format(struct row *row, const char *fmt, ...) PRINTF_LIKE(2, 3);
const char *age_text(struct row *row, const char *time); /* "<unknown>" when NULL */
const char *human_duration(struct op *op, int64_t seconds);
/* The condition's status is "True". */
bool cell_has_condition(const json_t *tree, const char *type);
const json_t *cell_condition(const json_t *tree, const char *type); /* NULL */
/* texts joined: "a,b,c + 2 more..." when there are more than max (0: all). */
void join_text(struct text *out, size_t *count, size_t max, const char *text);
const char *join_end(struct row *row, struct text *out, size_t count, size_t max,
                     const char *missing);

#endif
