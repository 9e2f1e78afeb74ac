/* What fields of a pod's spec may hold; what its lists refer to is in strategy_validate_kinds.c. */
#include <ctype.h>
#include <string.h>

#include "clusters/object/quantity.h"
#include "clusters/object/selector.h"
#include "clusters/object/strategy_kinds.h"

#define NOT_NEGATIVE "must be greater than or equal to 0"
#define PORT_RANGE   "must be between 1 and 65535, inclusive"
#define CHOICES(...) ((const char *const[]){__VA_ARGS__, NULL})
#define EFFECTS      CHOICES("NoExecute", "NoSchedule", "PreferNoSchedule")

/* Words of small letters, digits, '-' and '_', between '.' or '/'. */
static const char *sysctl_fault(const char *name)
{
    bool edge = true; /* only a letter or digit may come at a word's ends */
    size_t i;

    for (i = 0; name[i] && i < 254; i++) {
        bool word = islower((unsigned char)name[i]) || isdigit((unsigned char)name[i]);
        bool dot = name[i] == '.' || name[i] == '/';

        if (!word && (!dot || edge) && (edge || !strchr("-_", name[i])))
            break;
        if (dot && i && strchr("-_", name[i - 1]))
            break;
        edge = dot;
    }
    if (i && !name[i] && !edge && i < 254 && !strchr("-_", name[i - 1]))
        return NULL;
    return "must have at most 253 characters and match regex "
           "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";
}

static const char *env_name_fault(const char *name)
{
    for (; *name; name++)
        if (*name < ' ' || *name > '~' || *name == '=')
            return "a valid environment variable name must consist only of printable ASCII "
                   "characters other than '='";
    return NULL;
}

static const struct field_rule pod_rules[] = {
    {"activeDeadlineSeconds",                        NUMBER, "must be between 1 and 2147483647, inclusive", .min = 1,
     .max = INT32_MAX},
    {"hostname", NAME, .fault = dns_label_fault},
    {"subdomain",                               NAME, .fault = dns_label_fault},
    {"nodeName",                                     NAME, .fault = dns_subdomain_fault},
    {"serviceAccountName",                      NAME, .fault = dns_subdomain_fault},
    {"runtimeClassName",                                    NAME, .fault = dns_subdomain_fault},
    {"securityContext.sysctls[].name",                      THERE, ""},
    {"securityContext.sysctls[].name",                                     NAME, .fault = sysctl_fault},
    {"tolerations[].key",                  NAME, .fault = label_key_fault},
    {"tolerations[].operator",                           ONE_OF, .choices = CHOICES("Equal", "Exists")},
    {"tolerations[].effect",                  ONE_OF, .choices = EFFECTS},
    {"topologySpreadConstraints[].topologyKey",                             THERE, "can not be empty"},
    {"topologySpreadConstraints[].maxSkew",                  NUMBER, "must be greater than zero", .min = 1},
    {"topologySpreadConstraints[].whenUnsatisfiable",               ONE_OF,
     .choices = CHOICES("DoNotSchedule", "ScheduleAnyway")},
    {"topologySpreadConstraints[].labelSelector",                                            SELECTOR},
    {"volumes[].configMap.name",               THERE, ""},
    {"volumes[].secret.secretName",                         THERE, ""},
    {"volumes[].hostPath.path",                            THERE, ""},
    {"volumes[].persistentVolumeClaim.claimName",                      THERE, ""},
    {NULL                      },
};

#define PROBE(name)                                                                                \
    {name ".initialDelaySeconds", NUMBER, NOT_NEGATIVE, .min = 0},                                 \
        {name ".timeoutSeconds", NUMBER, NOT_NEGATIVE, .min = 0},                                  \
        {name ".periodSeconds", NUMBER, NOT_NEGATIVE, .min = 0},                                   \
    {                                                                                              \
        name ".failureThreshold", NUMBER, NOT_NEGATIVE, .min = 0                                   \
    }
static const struct field_rule container_rules[] = {
    {"env[].name",               NAME, .fault = env_name_fault},
    {"ports[].hostPort",   NUMBER, PORT_RANGE, .min = 1, .max = 65535},
    {"terminationMessagePolicy",         ONE_OF, .choices = CHOICES("FallbackToLogsOnError", "File")},
    PROBE("livenessProbe"),
    {"livenessProbe.successThreshold",                NUMBER, "must be 1", .min = 1, .max = 1},
    PROBE("readinessProbe"),
    PROBE("startupProbe"),
    {"startupProbe.successThreshold",              NUMBER, "must be 1", .min = 1, .max = 1},
    {NULL},
};

/* ---- containers ---- */

static void check_handlers(struct field_errors *e, const json_t *container, const char *path)
{
    static const char *const probes[] = {"livenessProbe", "readinessProbe", "startupProbe"};
    static const char *const kinds[] = {"exec", "httpGet", "tcpSocket", "grpc"};

    for (size_t i = 0; i < ARRAY_LEN(probes); i++) {
        const json_t *probe = json_object_get(container, probes[i]);
        size_t n = 0;

        for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
            const char *at_probe = path_of(e, path, probes[i]);
            bool there = json_object_get(probe, kinds[k]) != NULL;

            n += there;
            if (there && n > 1)
                field_forbidden(e, path_of(e, at_probe, kinds[k]),
                                "may not specify more than 1 handler type");
        }
        if (probe && !n)
            field_required(e, path_of(e, path, probes[i]), "must specify a handler type");
    }
}

static void check_amounts(struct field_errors *e, const json_t *amounts, const char *path)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)amounts, name, value)
    {
        struct quantity q = {0};

        if (quantity_parse(json_string_value(value), &q) && q.nano < 0)
            field_invalid(e, arena_printf(&e->op->arena, "%s[%s]", path, name), value,
                          NOT_NEGATIVE);
    }
}

static void check_resources(struct field_errors *e, const json_t *resources, const char *path)
{
    const json_t *requests = json_object_get(resources, "requests");
    const json_t *limits = json_object_get(resources, "limits");
    const char *at_requests = path_of(e, path, "requests"), *name;
    json_t *value;

    check_amounts(e, limits, path_of(e, path, "limits"));
    check_amounts(e, requests, at_requests);
    json_object_foreach((json_t *)requests, name, value)
    {
        const json_t *limit = json_object_get(limits, name);
        struct quantity asked = {0}, most = {0};

        if (limit && quantity_parse(json_string_value(value), &asked) &&
            quantity_parse(json_string_value(limit), &most) && quantity_compare(asked, most) > 0)
            field_invalid(e, at_requests, value,
                          arena_printf(&e->op->arena,
                                       "must be less than or equal to %s limit of %s", name,
                                       json_string_value(limit)));
    }
}

static bool goes_up(const char *path)
{
    for (; *path; path += strcspn(path, "/"), path += *path == '/')
        if (strncmp(path, "..", 2) == 0 && (!path[2] || path[2] == '/'))
            return true;
    return false;
}

static void check_mount_paths(struct field_errors *e, const json_t *container, const char *path)
{
    const json_t *mounts = json_object_get(container, "volumeMounts");
    json_t *mount, *other;
    size_t i, j;

    json_array_foreach(mounts, i, mount)
    {
        const char *here = path_at(e, path, "volumeMounts", i);
        const json_t *part = json_object_get(mount, "subPath");
        const json_t *where = json_object_get(mount, "mountPath");

        if (json_string_length(part) && *json_string_value(part) == '/')
            field_invalid(e, path_of(e, here, "subPath"), part, "must be a relative path");
        else if (json_string_length(part) && goes_up(json_string_value(part)))
            field_invalid(e, path_of(e, here, "subPath"), part, "must not contain '..'");
        if (json_string_length(part) && json_string_length(json_object_get(mount, "subPathExpr")))
            field_invalid(e, path_of(e, here, "subPathExpr"), json_object_get(mount, "subPathExpr"),
                          "subPathExpr and subPath are mutually exclusive");
        json_array_foreach(mounts, j, other)
        {
            if (j < i && where && json_equal(json_object_get(other, "mountPath"), where))
                field_invalid(e, path_of(e, here, "mountPath"), where, "must be unique");
        }
    }
}

static void check_list(struct field_errors *e, const json_t *spec, const char *path,
                       const char *list)
{
    json_t *container;
    size_t i;

    json_array_foreach(json_object_get(spec, list), i, container)
    {
        const char *here = path_at(e, path, list, i);

        check_rules(e, container_rules, container, NULL, here);
        check_handlers(e, container, here);
        check_resources(e, json_object_get(container, "resources"), path_of(e, here, "resources"));
        check_mount_paths(e, container, here);
    }
}

/* ---- volumes ---- */

static void check_volume_sources(struct field_errors *e, const json_t *spec, const char *path)
{
    const json_t *volumes = json_object_get(spec, "volumes");
    json_t *volume, *other, *source;
    const char *member;
    size_t i, j;

    json_array_foreach(volumes, i, volume)
    {
        const char *here = path_at(e, path, "volumes", i);
        const json_t *name = json_object_get(volume, "name");
        size_t sources = 0;

        json_object_foreach(volume, member, source)
        {
            if (strcmp(member, "name") != 0 && sources++)
                field_forbidden(e, path_of(e, here, member),
                                "may not specify more than 1 volume type");
        }
        json_array_foreach(volumes, j, other)
        {
            if (j < i && name && json_equal(json_object_get(other, "name"), name))
                field_duplicate(e, path_of(e, here, "name"), name);
        }
    }
}

void check_pod_fields(struct field_errors *e, const json_t *spec, const char *path)
{
    check_rules(e, pod_rules, spec, NULL, path);
    check_volume_sources(e, spec, path);
    check_list(e, spec, path, "containers");
    check_list(e, spec, path, "initContainers");
}
