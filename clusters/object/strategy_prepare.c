/* What clients do not decide: status of new objects, what an update may not touch. */
#include <string.h>

#include "clusters/object/quantity.h"
#include "clusters/object/strategy_kinds.h"
#include "core/seal.h"

/* ---- pods ---- */

/* cpu and memory are all that counts (upstream's qos.go). */
struct qos {
    bool any, all_limited, equal;
};

static void look_at(struct op *op, const json_t *container, struct qos *qos)
{
    static const char *const names[] = {"cpu", "memory"};

    (void)op;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *request =
            json_string_value(json_object_get(at(container, "resources.requests"), names[i]));
        const char *limit =
            json_string_value(json_object_get(at(container, "resources.limits"), names[i]));
        int64_t asked = quantity_millis_of(request), limited = quantity_millis_of(limit);

        qos->any |= asked > 0 || limited > 0;
        qos->all_limited &= limited > 0;
        qos->equal &= !request || asked == limited;
    }
}

const char *pod_qos_class(struct op *op, const json_t *pod)
{
    struct qos qos = {false, true, true};
    json_t *container;
    size_t i;

    json_array_foreach(at(pod, "spec.containers"), i, container)
    {
        look_at(op, container, &qos);
    }
    json_array_foreach(at(pod, "spec.initContainers"), i, container)
    {
        look_at(op, container, &qos);
    }
    if (!qos.any)
        return "BestEffort";
    return qos.all_limited && qos.equal ? "Guaranteed" : "Burstable";
}

/* spec.schedulingGates: the scheduler leaves such pods alone until they are gone. */
static json_t *gated_condition(void)
{
    return json_pack("[{s:s, s:s, s:s, s:s, s:n, s:n}]", "type", "PodScheduled", "status", "False",
                     "reason", "SchedulingGated", "message",
                     "Scheduling is blocked due to"
                     " non-empty scheduling gates",
                     "lastProbeTime", "lastTransitionTime");
}

void prepare_pod(struct op *op, json_t *pod)
{
    json_t *status =
        json_pack("{s:s, s:s}", "phase", "Pending", "qosClass", pod_qos_class(op, pod));

    if (json_array_size(at(pod, "spec.schedulingGates")))
        json_object_set_new(status, "conditions", gated_condition());
    json_object_set_new(pod, "status", status);
    set_at(pod, "spec.ephemeralContainers", NULL);
}

void prepare_pod_update(struct op *op, json_t *pod, const json_t *live, const char *subresource)
{
    const char *qos = text_at(live, "status.qosClass");

    (void)op;
    if (subresource && strcmp(subresource, "status") == 0) {
        json_object_set_new(pod, "spec", json_deep_copy(json_object_get(live, "spec")));
        if (qos)
            set_at(pod, "status.qosClass", json_string(qos));
        return;
    }
    json_object_set_new(pod, "status", json_deep_copy(json_object_get(live, "status")));
    if (subresource && strcmp(subresource, "ephemeralcontainers") == 0) {
        json_t *wanted = json_incref(at(pod, "spec.ephemeralContainers"));

        json_object_set_new(pod, "spec", json_deep_copy(json_object_get(live, "spec")));
        set_at(pod, "spec.ephemeralContainers", wanted);
    } else {
        set_at(pod, "spec.ephemeralContainers",
               json_deep_copy(at(live, "spec.ephemeralContainers")));
    }
}

/* ---- secrets ---- */

/* stringData is for writing only. */
void default_secret(struct op *op, json_t *secret)
{
    json_t *texts = json_object_get(secret, "stringData"), *value;
    const char *key;

    json_object_foreach(texts, key, value)
    {
        struct bytes plain = {json_string_value(value), json_string_length(value)};

        json_object_set_new(object_at(secret, "data"), key,
                            json_string(base64_encode(&op->arena, plain, false)));
    }
    json_object_del(secret, "stringData");
}

void prepare_secret_update(struct op *op, json_t *secret, const json_t *live,
                           const char *subresource)
{
    (void)op;
    (void)subresource;
    if (!*text_at_or(secret, "type", ""))
        json_object_set(secret, "type", json_object_get(live, "type"));
}

/* ---- namespaces ---- */

void prepare_namespace(struct op *op, json_t *ns)
{
    json_t *finalizers = array_at(ns, "spec.finalizers");
    json_t *ours = json_string("kubernetes");
    bool found = false;

    (void)op;
    for (size_t i = 0; i < json_array_size(finalizers); i++)
        found |= json_equal(json_array_get(finalizers, i), ours);
    if (!found)
        json_array_append(finalizers, ours);
    json_decref(ours);
    json_object_set_new(ns, "status", json_pack("{s:s}", "phase", "Active"));
}

void prepare_namespace_update(struct op *op, json_t *ns, const json_t *live,
                              const char *subresource)
{
    (void)op;
    if (!subresource || strcmp(subresource, "finalize") != 0)
        json_object_set_new(ns, "spec", json_deep_copy(json_object_get(live, "spec")));
    if (!subresource || strcmp(subresource, "status") != 0)
        json_object_set_new(ns, "status", json_deep_copy(json_object_get(live, "status")));
}

/* ---- jobs ---- */

static void label(json_t *labels, const char *key, const char *value)
{
    if (!json_object_get(labels, key))
        json_object_set_new(labels, key, json_string(value));
}

/* A selector of its own, by its uid, unless manualSelector. Needs metadata.uid. */
void prepare_job(struct op *op, json_t *job)
{
    const char *uid = text_at_or(job, "metadata.uid", ""), *name = text_at(job, "metadata.name");
    json_t *labels = object_at(job, "spec.template.metadata.labels");

    (void)op;
    json_object_set_new(job, "status", json_object());
    if (!bool_at(job, "spec.manualSelector", false)) {
        label(labels, "batch.kubernetes.io/controller-uid", uid);
        label(labels, "batch.kubernetes.io/job-name", name);
        label(labels, "controller-uid", uid);
        label(labels, "job-name", name);
        json_object_set_new(object_at(job, "spec.selector.matchLabels"),
                            "batch.kubernetes.io/controller-uid", json_string(uid));
    }
    if (!json_object_size(at(job, "metadata.labels")))
        set_at(job, "metadata.labels", json_deep_copy(labels));
}

/* ---- storage ---- */

static void add_finalizer(json_t *tree, const char *name)
{
    json_t *finalizers = array_at(tree, "metadata.finalizers"), *item;
    size_t i;

    json_array_foreach(finalizers, i, item)
    {
        if (strcmp(json_string_value(item), name) == 0)
            return;
    }
    json_array_append_new(finalizers, json_string(name));
}

void prepare_claim(struct op *op, json_t *claim)
{
    (void)op;
    add_finalizer(claim, "kubernetes.io/pvc-protection");
    json_object_set_new(claim, "status", json_pack("{s:s}", "phase", "Pending"));
}

void prepare_volume(struct op *op, json_t *volume)
{
    add_finalizer(volume, "kubernetes.io/pv-protection");
    json_object_set_new(volume, "status",
                        json_pack("{s:s, s:s}", "phase", "Pending", "lastPhaseTransitionTime",
                                  time_text(op, wall_s())));
}

/* ---- the rest ---- */

void prepare_definition(struct op *op, json_t *definition)
{
    json_t *stored = json_array(), *version;
    size_t i;

    (void)op;
    json_array_foreach(at(definition, "spec.versions"), i, version)
    {
        if (bool_at(version, "storage", false))
            json_array_append(stored, json_object_get(version, "name"));
    }
    json_object_set_new(definition, "status",
                        json_pack("{s:[], s:{s:s, s:s}, s:o}", "conditions", "acceptedNames",
                                  "plural", "", "kind", "", "storedVersions", stored));
}

/* The template's generation, as the deprecated annotation keeps it. */
#define TEMPLATE_GENERATION "deprecated.daemonset.template.generation"

void prepare_daemon_set(struct op *op, json_t *set)
{
    (void)op;
    json_object_set_new(object_at(set, "metadata.annotations"), TEMPLATE_GENERATION,
                        json_string("1"));
    json_object_set_new(set, "status",
                        json_pack("{s:i, s:i, s:i, s:i}", "currentNumberScheduled", 0,
                                  "numberMisscheduled", 0, "desiredNumberScheduled", 0,
                                  "numberReady", 0));
}

void prepare_daemon_set_update(struct op *op, json_t *set, const json_t *live,
                               const char *subresource)
{
    const char *old = annotation_of(live, TEMPLATE_GENERATION);
    int64_t generation = 0;

    if (subresource && strcmp(subresource, "status") == 0) {
        json_object_set_new(set, "spec", json_deep_copy(json_object_get(live, "spec")));
        return;
    }
    json_object_set_new(set, "status", json_deep_copy(json_object_get(live, "status")));
    for (const char *p = old ? old : "0"; *p >= '0' && *p <= '9' && generation < INT32_MAX; p++)
        generation = generation * 10 + (*p - '0');
    if (!json_equal(at(set, "spec.template"), at(live, "spec.template")))
        generation++;
    json_object_set_new(object_at(set, "metadata.annotations"), TEMPLATE_GENERATION,
                        json_string(arena_printf(&op->arena, "%lld", (long long)generation)));
}
