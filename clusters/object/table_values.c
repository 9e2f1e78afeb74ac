/* Cells of single kinds, as upstream's printers have them. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clusters/object/table_cells.h"

#define CELL_MAX ((size_t)1 << 20)

static struct text new_text(struct row *row)
{
    struct text text;

    text_init(&text, &row->op->arena, CELL_MAX);
    return text;
}

static const char *lower(struct row *row, const char *text)
{
    char *copy = arena_strdup(&row->op->arena, text);

    for (char *p = copy; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return copy;
}

/* "10.0.0.1:80", "[::1]:80" */
static const char *host_port(struct row *row, const char *host, int64_t port)
{
    return arena_printf(&row->op->arena, strchr(host, ':') ? "[%s]:%lld" : "%s:%lld", host,
                        (long long)port);
}

/* ---- core ---- */

void component_status(struct row *row, const struct column *column)
{
    const json_t *condition = json_array_get(at(row->tree, "conditions"), 0);
    const char *status = text_at_or(condition, "status", "Unknown");

    if (strcmp(column->path, "status") != 0)
        put_text(row, text_at_or(condition, column->path, ""));
    else
        put_text(row, strcmp(status, "True") == 0    ? "Healthy"
                      : strcmp(status, "False") == 0 ? "Unhealthy"
                                                     : "Unknown");
}

void endpoints_of(struct row *row, const struct column *column)
{
    struct text text = new_text(row);
    json_t *subset, *port, *address;
    size_t i, j, k, n = 0;

    json_array_foreach(at(row->tree, column->path), i, subset)
    {
        json_array_foreach(at(subset, "ports"), j, port)
        {
            json_array_foreach(at(subset, "addresses"), k, address)
            {
                join_text(&text, &n, 3,
                          host_port(row, text_at_or(address, "ip", ""), int_at(port, "port", 0)));
            }
        }
        json_array_foreach(j ? NULL : at(subset, "addresses"), k, address)
        {
            join_text(&text, &n, 3, text_at_or(address, "ip", ""));
        }
    }
    put_text(row, json_array_size(at(row->tree, column->path)) == 0
                      ? column->missing
                      : join_end(row, &text, n, 3, ""));
}

void node_status(struct row *row, const struct column *column)
{
    const json_t *ready = cell_condition(row->tree, "Ready");

    (void)column;
    put_format(row, "%s%s",
               !ready                                                 ? "Unknown"
               : strcmp(text_at_or(ready, "status", ""), "True") == 0 ? "Ready"
                                                                      : "NotReady",
               bool_at(row->tree, "spec.unschedulable", false) ? ",SchedulingDisabled" : "");
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void node_roles(struct row *row, const struct column *column)
{
    static const char prefix[] = "node-role.kubernetes.io/";
    const json_t *labels = at(row->tree, "metadata.labels");
    const char **roles =
                   arena_alloc(&row->op->arena, (json_object_size(labels) + 1) * sizeof(*roles)),
               *key;
    struct text text = new_text(row);
    size_t n = 0, count = 0;
    json_t *value;

    json_object_foreach((json_t *)labels, key, value)
    {
        if (strncmp(key, prefix, sizeof(prefix) - 1) == 0 && key[sizeof(prefix) - 1])
            roles[n++] = key + sizeof(prefix) - 1;
        else if (strcmp(key, "kubernetes.io/role") == 0 && json_string_length(value))
            roles[n++] = json_string_value(value);
    }
    qsort(roles, n, sizeof(*roles), by_text);
    for (size_t i = 0; i < n; i++)
        join_text(&text, &count, 0, roles[i]);
    put_text(row, n ? text.data : column->missing);
}

void node_address(struct row *row, const struct column *column)
{
    json_t *address;
    size_t i;

    json_array_foreach(at(row->tree, "status.addresses"), i, address)
    {
        if (strcmp(text_at_or(address, "type", ""), column->path) == 0) {
            put_text(row, text_at_or(address, "address", ""));
            return;
        }
    }
    put_text(row, column->missing);
}

void claim_status(struct row *row, const struct column *column)
{
    if (text_at(row->tree, "metadata.deletionTimestamp"))
        put_text(row, "Terminating");
    else
        cell_text(row, column);
}

void volume_claim(struct row *row, const struct column *column)
{
    const json_t *claim = at(row->tree, column->path);

    if (claim)
        put_format(row, "%s/%s", text_at_or(claim, "namespace", ""), text_at_or(claim, "name", ""));
    else
        put_text(row, "");
}

void class_of(struct row *row, const struct column *column)
{
    const char *old = annotation_of(row->tree, "volume.beta.kubernetes.io/storage-class");

    put_text(row, old ? old : text_at_or(row->tree, column->path, ""));
}

/* missing: a member without which nothing is shown (an unbound claim's volumeName). */
void storage_of(struct row *row, const struct column *column)
{
    const char *capacity = text_at_or(at(row->tree, column->path), "storage", "");

    put_text(row, column->missing && !*text_at_or(row->tree, column->missing, "") ? "" : capacity);
}

/* path "limits": those; else the others. */
void quota_limits(struct row *row, const struct column *column)
{
    const json_t *hard = at(row->tree, "status.hard"), *used = at(row->tree, "status.used");
    const char **names =
                   arena_alloc(&row->op->arena, (json_object_size(hard) + 1) * sizeof(*names)),
               *key;
    struct text text = new_text(row);
    json_t *value;
    size_t n = 0;

    json_object_foreach((json_t *)hard, key, value)
    {
        if ((strncmp(key, "limits", 6) == 0) == (column->path != NULL))
            names[n++] = key;
    }
    qsort(names, n, sizeof(*names), by_text);
    for (size_t i = 0; i < n; i++) {
        const char *have = json_string_value(json_object_get(used, names[i]));
        const char *limit = json_string_value(json_object_get(hard, names[i]));

        text_printf(&text, "%s%s: %s/%s", i ? ", " : "", names[i], have ? have : "0",
                    limit ? limit : "0");
    }
    put_text(row, text.data);
}

/* ---- events: core's form or that of events.k8s.io ---- */

static const char *either(struct row *row, const char *a, const char *b)
{
    const char *text = text_at(row->tree, a);

    return text ? text : text_at_or(row->tree, b, "");
}

static const char *first_seen(struct row *row)
{
    const char *time = text_at(row->tree, "firstTimestamp");

    if (!time)
        time = text_at(row->tree, "deprecatedFirstTimestamp");
    return time ? time : text_at(row->tree, "eventTime");
}

void event_first(struct row *row, const struct column *column)
{
    (void)column;
    put_text(row, age_text(row, first_seen(row)));
}

void event_last(struct row *row, const struct column *column)
{
    const char *time = text_at(row->tree, "series.lastObservedTime");

    (void)column;
    if (!time)
        time = text_at(row->tree, "lastTimestamp");
    if (!time)
        time = text_at(row->tree, "deprecatedLastTimestamp");
    put_text(row, age_text(row, time ? time : first_seen(row)));
}

void event_count(struct row *row, const struct column *column)
{
    int64_t count = int_at(row->tree, "count", int_at(row->tree, "deprecatedCount", 0));

    (void)column;
    count = int_at(row->tree, "series.count", count);
    text_printf(row->out, "%lld", (long long)(count ? count : 1));
}

void event_object(struct row *row, const struct column *column)
{
    const char *kind = lower(row, either(row, "involvedObject.kind", "regarding.kind"));
    const char *name = either(row, "involvedObject.name", "regarding.name");

    (void)column;
    put_format(row, "%s%s%s", kind, *name ? "/" : "", name);
}

void event_text(struct row *row, const struct column *column)
{
    const char *text;
    size_t len;

    if (strcmp(column->path, "fieldPath") == 0) {
        put_text(row, either(row, "involvedObject.fieldPath", "regarding.fieldPath"));
        return;
    }
    text = either(row, "message", "note");
    while (isspace((unsigned char)*text))
        text++;
    len = strlen(text);
    while (len && isspace((unsigned char)text[len - 1]))
        len--;
    put_text(row, arena_strndup(&row->op->arena, text, len));
}

void event_source(struct row *row, const struct column *column)
{
    const char *component = either(row, "source.component", "deprecatedSource.component");
    const char *host = either(row, "source.host", "deprecatedSource.host");

    (void)column;
    if (!*component)
        component = either(row, "reportingComponent", "reportingController");
    if (!*host)
        host = text_at_or(row->tree, "reportingInstance", "");
    put_format(row, "%s%s%s", component, *host ? ", " : "", host);
}

/* ---- services ---- */

/* Addresses of a load balancer's status, whole. */
static const char *load_balancer(struct row *row, const json_t *status)
{
    struct text text = new_text(row);
    json_t *ingress;
    size_t i, n = 0;

    json_array_foreach(at(status, "ingress"), i, ingress)
    {
        const char *address = text_at(ingress, "ip");

        if (!address)
            address = text_at(ingress, "hostname");
        if (address)
            join_text(&text, &n, 0, address);
    }
    return text.data;
}

void service_addresses(struct row *row, const struct column *column)
{
    const char *type = text_at_or(row->tree, "spec.type", "ClusterIP");
    const char *balancer = load_balancer(row, at(row->tree, "status.loadBalancer"));
    struct text text = new_text(row);
    bool balanced = strcmp(type, "LoadBalancer") == 0;
    size_t i, n = 0;
    json_t *ip;

    if (strcmp(type, "ExternalName") == 0) {
        put_text(row, text_at_or(row->tree, "spec.externalName", ""));
        return;
    }
    if (balanced && *balancer)
        join_text(&text, &n, 0, balancer);
    json_array_foreach(at(row->tree, "spec.externalIPs"), i, ip)
    {
        if (json_is_string(ip))
            join_text(&text, &n, 0, json_string_value(ip));
    }
    put_text(row, n ? text.data : balanced ? "<pending>" : column->missing);
}

void service_ports(struct row *row, const struct column *column)
{
    struct text text = new_text(row);
    size_t i, n = 0;
    json_t *port;

    json_array_foreach(at(row->tree, "spec.ports"), i, port)
    {
        const char *protocol = text_at_or(port, "protocol", "TCP");
        long long number = int_at(port, "port", 0), node = int_at(port, "nodePort", 0);

        join_text(&text, &n, 0,
                  node ? arena_printf(&row->op->arena, "%lld:%lld/%s", number, node, protocol)
                       : arena_printf(&row->op->arena, "%lld/%s", number, protocol));
    }
    put_text(row, n ? text.data : column->missing);
}

void ports_of_slice(struct row *row, const struct column *column)
{
    struct text text = new_text(row);
    size_t i, n = 0;
    json_t *port;

    json_array_foreach(at(row->tree, column->path), i, port)
    {
        join_text(&text, &n, 3,
                  at(port, "port")
                      ? arena_printf(&row->op->arena, "%lld", (long long)int_at(port, "port", 0))
                      : "*");
    }
    put_text(row, join_end(row, &text, n, 3, column->missing));
}

void addresses_of_slice(struct row *row, const struct column *column)
{
    struct text text = new_text(row);
    json_t *endpoint, *address;
    size_t i, j, n = 0;

    json_array_foreach(at(row->tree, column->path), i, endpoint)
    {
        json_array_foreach(at(endpoint, "addresses"), j, address)
        {
            join_text(&text, &n, 3, json_is_string(address) ? json_string_value(address) : "");
        }
    }
    put_text(row, join_end(row, &text, n, 3, column->missing));
}

/* ---- apps and batch ---- */

void ready_of(struct row *row, const struct column *column)
{
    (void)column;
    put_format(row, "%lld/%lld", (long long)int_at(row->tree, "status.readyReplicas", 0),
               (long long)int_at(row->tree, "spec.replicas", 0));
}

/* "deployment.apps/x" */
void controller_reference(struct row *row, const struct column *column)
{
    const json_t *owner = controller_of(row->tree);
    const char *version = text_at_or(owner, "apiVersion", "");
    const char *slash = strchr(version, '/');

    if (!owner) {
        put_text(row, column->missing);
        return;
    }
    put_format(row, "%s%s%.*s/%s", lower(row, text_at_or(owner, "kind", "")), slash ? "." : "",
               slash ? (int)(slash - version) : 0, version, text_at_or(owner, "name", ""));
}

void job_status(struct row *row, const struct column *column)
{
    static const char *const before[] = {"Complete", "Failed"};
    static const char *const after[] = {"Suspended", "FailureTarget", "SuccessCriteriaMet"};

    (void)column;
    for (size_t i = 0; i < ARRAY_LEN(before); i++) {
        if (cell_has_condition(row->tree, before[i])) {
            put_text(row, before[i]);
            return;
        }
    }
    if (text_at(row->tree, "metadata.deletionTimestamp")) {
        put_text(row, "Terminating");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(after); i++) {
        if (cell_has_condition(row->tree, after[i])) {
            put_text(row, after[i]);
            return;
        }
    }
    put_text(row, "Running");
}

void completions(struct row *row, const struct column *column)
{
    long long succeeded = int_at(row->tree, "status.succeeded", 0);
    long long parallelism = int_at(row->tree, "spec.parallelism", 0);
    const json_t *wanted = at(row->tree, "spec.completions");

    (void)column;
    if (json_is_integer(wanted))
        put_format(row, "%lld/%lld", succeeded, (long long)json_integer_value(wanted));
    else if (parallelism > 1)
        put_format(row, "%lld/1 of %lld", succeeded, parallelism);
    else
        put_format(row, "%lld/1", succeeded);
}

void job_duration(struct row *row, const struct column *column)
{
    int64_t start = time_parse(text_at(row->tree, "status.startTime"));
    int64_t end = time_parse(text_at(row->tree, "status.completionTime"));

    (void)column;
    if (start < 0)
        put_text(row, "");
    else
        put_text(row, human_duration(row->op, (end < 0 ? row->now : end) - start));
}

/* ---- autoscaling ---- */

void hpa_reference(struct row *row, const struct column *column)
{
    cell_of(row, column);
}

struct metric {
    const char *type, *source, *name; /* "Resource", "resource" */
};
static const struct metric metrics[] = {
    {"Resource",          "resource",          "name"},
    {"ContainerResource", "containerResource", "name"},
    {"Pods",              "pods",              NULL  },
    {"Object",            "object",            NULL  },
    {"External",          "external",          NULL  },
};

/* "50%", "100m", or "<unknown>" */
static const char *metric_value(struct row *row, const json_t *value, const char *member)
{
    const json_t *member_value = at(value, member);

    if (json_is_integer(member_value))
        return arena_printf(&row->op->arena, "%lld%%", (long long)json_integer_value(member_value));
    return json_is_string(member_value) ? json_string_value(member_value) : "<unknown>";
}

static const char *metric_text(struct row *row, const json_t *spec, const json_t *status)
{
    static const char *const members[] = {"averageValue", "averageUtilization", "value"};
    const char *type = text_at_or(spec, "type", "");
    const char *member = members[0], *current;
    const struct metric *metric = metrics;
    const json_t *target;
    bool average;

    while (metric + 1 < metrics + ARRAY_LEN(metrics) && strcmp(metric->type, type) != 0)
        metric++;
    target = at(at(spec, metric->source), "target");
    for (size_t i = ARRAY_LEN(members); i > 0; i--)
        member = at(target, members[i - 1]) ? members[i - 1] : member;
    current = metric_value(row, at(at(status, metric->source), "current"), member);
    average = strcmp(member, "averageValue") == 0 && !metric->name && metric->type[0] != 'P';
    return arena_printf(&row->op->arena, "%s%s%s/%s%s",
                        metric->name ? text_at_or(at(spec, metric->source), metric->name, "") : "",
                        metric->name ? ": " : "", current, metric_value(row, target, member),
                        average ? " (avg)" : "");
}

void hpa_targets(struct row *row, const struct column *column)
{
    const json_t *now = at(row->tree, "status.currentCPUUtilizationPercentage");
    const json_t *target = at(row->tree, "spec.targetCPUUtilizationPercentage"); /* v1's form */
    const json_t *current = at(row->tree, "status.currentMetrics");
    struct text text = new_text(row);
    size_t i, n = 0;
    json_t *spec;

    json_array_foreach(at(row->tree, "spec.metrics"), i, spec)
    {
        if (n < 2)
            text_printf(&text, "%s%s", n ? ", " : "",
                        metric_text(row, spec, json_array_get(current, i)));
        n++;
    }
    if (n > 2)
        text_printf(&text, " + %zu more...", n - 2);
    if (json_is_integer(target)) {
        text_printf(&text, "cpu: ");
        if (json_is_integer(now))
            text_printf(&text, "%lld%%", (long long)json_integer_value(now));
        else
            text_str(&text, "<unknown>");
        text_printf(&text, "/%lld%%", (long long)json_integer_value(target));
    }
    put_text(row, text.len ? text.data : column->missing);
}

/* ---- networking ---- */

void ingress_class(struct row *row, const struct column *column)
{
    const char *name = text_at(row->tree, column->path);

    if (!name)
        name = annotation_of(row->tree, "kubernetes.io/ingress.class");
    put_text(row, name ? name : column->missing);
}

void ingress_class_parameters(struct row *row, const struct column *column)
{
    const json_t *reference = at(row->tree, column->path);
    const char *group = text_at_or(reference, "apiGroup", "");

    if (!reference)
        put_text(row, column->missing);
    else
        put_format(row, "%s%s%s/%s", text_at_or(reference, "kind", ""), *group ? "." : "", group,
                   text_at_or(reference, "name", ""));
}

void ingress_hosts(struct row *row, const struct column *column)
{
    struct text text = new_text(row);
    size_t i, n = 0;
    json_t *rule;

    json_array_foreach(at(row->tree, "spec.rules"), i, rule)
    {
        const char *host = text_at_or(rule, "host", "");

        if (*host)
            join_text(&text, &n, 3, host);
    }
    put_text(row, join_end(row, &text, n, 3, column->missing));
}

void ingress_address(struct row *row, const struct column *column)
{
    put_text(row, load_balancer(row, at(row->tree, column->path)));
}

void ingress_ports(struct row *row, const struct column *column)
{
    put_text(row, json_array_size(at(row->tree, column->path)) ? "80, 443" : "80");
}

/* "services/default/kubernetes" */
void ip_parent(struct row *row, const struct column *column)
{
    const json_t *parent = at(row->tree, column->path);
    const char *group = text_at_or(parent, "group", ""), *ns = text_at_or(parent, "namespace", "");

    put_format(row, "%s%s%s/%s%s%s", lower(row, text_at_or(parent, "resource", "")),
               *group ? "." : "", group, ns, *ns ? "/" : "", text_at_or(parent, "name", ""));
}

/* ---- access, admission, storage and the rest ---- */

void role_subjects(struct row *row, const struct column *column)
{
    struct text text = new_text(row);
    json_t *subject;
    size_t i, n = 0;

    json_array_foreach(at(row->tree, "subjects"), i, subject)
    {
        const char *ns = text_at_or(subject, "namespace", "");
        bool account = strcmp(column->path, "ServiceAccount") == 0;

        if (strcmp(text_at_or(subject, "kind", ""), column->path) != 0)
            continue;
        text_printf(&text, "%s%s%s%s", n++ ? ", " : "", account ? ns : "", account ? "/" : "",
                    text_at_or(subject, "name", ""));
    }
    put_text(row, text.data);
}

void csr_condition(struct row *row, const struct column *column)
{
    (void)column;
    put_format(row, "%s%s%s",
               cell_condition(row->tree, "Denied")     ? "Denied"
               : cell_condition(row->tree, "Approved") ? "Approved"
                                                       : "Pending",
               cell_condition(row->tree, "Failed") ? ",Failed" : "",
               *text_at_or(row->tree, "status.certificate", "") ? ",Issued" : "");
}

void requested_duration(struct row *row, const struct column *column)
{
    const json_t *seconds = at(row->tree, column->path);

    put_text(row, json_is_integer(seconds) ? human_duration(row->op, json_integer_value(seconds))
                                           : column->missing);
}

void local_or_service(struct row *row, const struct column *column)
{
    const json_t *service = at(row->tree, column->path);

    if (service)
        put_format(row, "%s/%s", text_at_or(service, "namespace", ""),
                   text_at_or(service, "name", ""));
    else
        put_text(row, column->missing);
}

void api_available(struct row *row, const struct column *column)
{
    const json_t *condition = cell_condition(row->tree, "Available");
    const char *status = text_at_or(condition, "status", "");

    if (!condition)
        put_text(row, column->missing);
    else if (strcmp(status, "True") == 0)
        put_text(row, status);
    else
        put_format(row, "%s (%s)", status, text_at_or(condition, "reason", ""));
}

void storage_name(struct row *row, const struct column *column)
{
    const char *is_default =
        annotation_of(row->tree, "storageclass.kubernetes.io/is-default-class");
    const char *beta = annotation_of(row->tree, "storageclass.beta.kubernetes.io/is-default-class");
    bool yes =
        (is_default && strcmp(is_default, "true") == 0) || (beta && strcmp(beta, "true") == 0);

    put_format(row, "%s%s", text_at_or(row->tree, column->path, ""), yes ? " (default)" : "");
}

void token_audiences(struct row *row, const struct column *column)
{
    struct text text = new_text(row);
    json_t *request;
    size_t i, n = 0;

    json_array_foreach(at(row->tree, column->path), i, request)
    {
        join_text(&text, &n, 0, text_at_or(request, "audience", ""));
    }
    put_text(row, n ? text.data : column->missing);
}

void param_kind(struct row *row, const struct column *column)
{
    const json_t *kind = at(row->tree, column->path);

    if (kind)
        put_format(row, "%s/%s", text_at_or(kind, "apiVersion", ""), text_at_or(kind, "kind", ""));
    else
        put_text(row, column->missing);
}

void param_reference(struct row *row, const struct column *column)
{
    const json_t *reference = at(row->tree, column->path);
    const char *ns = text_at_or(reference, "namespace", "");

    if (!reference)
        put_text(row, column->missing);
    else
        put_format(row, "%s%s%s", ns, *ns ? "/" : "", text_at_or(reference, "name", "*"));
}

void missing_level(struct row *row, const struct column *column)
{
    const json_t *condition = cell_condition(row->tree, column->path);

    put_text(row, condition ? text_at_or(condition, "status", "") : column->missing);
}

void flow_limit(struct row *row, const struct column *column)
{
    const json_t *value = at(row->tree, column->path);

    if (json_is_integer(value))
        text_printf(row->out, "%lld", (long long)json_integer_value(value));
    else
        put_text(row, column->missing);
}
