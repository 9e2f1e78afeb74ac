/* Between the versions and twins that share a store: autoscalers (v1 ↔ v2) and events. */
#include <stdlib.h>
#include <string.h>

#include "clusters/object/strategy.h"

/* One member by two names. */
struct renamed {
    const char *from, *to;
};

static void move(json_t *tree, const char *from, const char *to)
{
    json_t *value = json_object_get(tree, from);

    if (!value)
        return;
    json_object_set(tree, to, value);
    json_object_del(tree, from);
}

/* ---- events: core v1 has the old names, events.k8s.io the new ones ---- */

static const struct renamed event_members[] = {
    {"involvedObject",     "regarding"               },
    {"message",            "note"                    },
    {"reportingComponent", "reportingController"     },
    {"firstTimestamp",     "deprecatedFirstTimestamp"},
    {"lastTimestamp",      "deprecatedLastTimestamp" },
    {"count",              "deprecatedCount"         },
    {"source",             "deprecatedSource"        },
};

static void convert_event(json_t *tree, bool to_core)
{
    for (size_t i = 0; i < ARRAY_LEN(event_members); i++) {
        const struct renamed *m = &event_members[i];

        move(tree, to_core ? m->to : m->from, to_core ? m->from : m->to);
    }
}

/* ---- autoscalers: v1 knows one metric, cpu's utilization ---- */

#define METRICS_ANNOTATION  "autoscaling.alpha.kubernetes.io/metrics"
#define BEHAVIOR_ANNOTATION "autoscaling.alpha.kubernetes.io/behavior"

static json_t *cpu_metric(const json_t *percent)
{
    return json_pack("{s:s, s:{s:s, s:{s:s, s:O}}}", "type", "Resource", "resource", "name", "cpu",
                     "target", "type", "Utilization", "averageUtilization", (json_t *)percent);
}

static bool is_cpu_utilization(const json_t *metric)
{
    return strcmp(text_at_or(metric, "resource.name", ""), "cpu") == 0 &&
           strcmp(text_at_or(metric, "resource.target.type", ""), "Utilization") == 0;
}

/* An annotation with JSON text becomes a member. */
static void take_annotation(json_t *tree, const char *key, json_t *into, const char *member)
{
    const char *text = annotation_of(tree, key);
    json_t *value = text ? json_loads(text, 0, NULL) : NULL;

    if (value && json_is_array(value) && json_is_array(json_object_get(into, member)))
        json_array_extend(json_object_get(into, member), value);
    else if (value)
        json_object_set(into, member, value);
    json_decref(value);
    if (text)
        json_object_del(at(tree, "metadata.annotations"), key);
}

static void put_annotation(json_t *tree, const char *key, const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT);

    json_object_set_new(object_at(tree, "metadata.annotations"), key, json_string(text));
    free(text);
}

static void autoscaler_to_v2(json_t *tree)
{
    json_t *spec = object_at(tree, "spec");
    json_t *percent = json_object_get(spec, "targetCPUUtilizationPercentage");
    json_t *metrics = json_array();

    if (percent)
        json_array_append_new(metrics, cpu_metric(percent));
    json_object_del(spec, "targetCPUUtilizationPercentage");
    json_object_set_new(spec, "metrics", metrics);
    take_annotation(tree, METRICS_ANNOTATION, spec, "metrics");
    take_annotation(tree, BEHAVIOR_ANNOTATION, spec, "behavior");
    if (!json_array_size(metrics))
        json_object_del(spec, "metrics"); /* the default comes in */
    if (json_is_object(json_object_get(tree, "status")))
        json_object_del(json_object_get(tree, "status"), "currentCPUUtilizationPercentage");
}

static void autoscaler_to_v1(json_t *tree)
{
    json_t *spec = object_at(tree, "spec"), *status = json_object_get(tree, "status");
    json_t *others = json_array(), *metric, *current;
    size_t i;

    json_array_foreach(json_object_get(spec, "metrics"), i, metric)
    {
        current = at(metric, "resource.target.averageUtilization");
        if (is_cpu_utilization(metric) && current)
            json_object_set(spec, "targetCPUUtilizationPercentage", current);
        else
            json_array_append(others, metric);
    }
    if (json_array_size(others))
        put_annotation(tree, METRICS_ANNOTATION, others);
    if (json_object_get(spec, "behavior"))
        put_annotation(tree, BEHAVIOR_ANNOTATION, json_object_get(spec, "behavior"));
    json_object_del(spec, "metrics");
    json_object_del(spec, "behavior");
    json_decref(others);
    json_array_foreach(json_object_get(status, "currentMetrics"), i, metric)
    {
        current = at(metric, "resource.current.averageUtilization");
        if (current && strcmp(text_at_or(metric, "resource.name", ""), "cpu") == 0)
            json_object_set(status, "currentCPUUtilizationPercentage", current);
    }
    json_object_del(status, "currentMetrics");
    json_object_del(status, "conditions");
    if (status && !json_object_get(status, "currentReplicas")) /* never left out in v1 */
        json_object_set_new(status, "currentReplicas", json_integer(0));
}

json_t *object_convert(struct op *op, json_t *tree, const struct resource *from,
                       const struct resource *to)
{
    (void)op;
    if (from == to)
        return tree;
    if (strcmp(to->plural, "events") == 0)
        convert_event(tree, !*to->group);
    else if (strcmp(to->plural, "horizontalpodautoscalers") == 0 && strcmp(to->version, "v2") == 0)
        autoscaler_to_v2(tree);
    else if (strcmp(to->plural, "horizontalpodautoscalers") == 0)
        autoscaler_to_v1(tree);
    json_object_set_new(tree, "apiVersion", json_string(resource_api_version(to)));
    return tree;
}
