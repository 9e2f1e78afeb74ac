/* Rules between fields of what makes pods and has no selector of its own to judge. */
#include <stdlib.h>
#include <string.h>

#include "clusters/object/selector.h"
#include "clusters/object/strategy_kinds.h"

static bool is_status(const char *subresource)
{
    return subresource && strcmp(subresource, "status") == 0;
}

/* ---- replication controllers ---- */

void validate_controller(struct field_errors *e, const json_t *tree, const json_t *live,
                         const char *subresource)
{
    const json_t *selector = at(tree, "spec.selector");
    json_t *labels = at(tree, "spec.template.metadata.labels"), *none, *value;
    const char *key;
    bool match = true;

    (void)live;
    if (is_status(subresource) || !at(tree, "spec.template"))
        return;
    json_object_foreach((json_t *)selector, key, value)
    {
        match = match && json_equal(json_object_get(labels, key), value);
    }
    none = labels ? NULL : json_object();
    if (!match)
        field_invalid(e, "spec.template.metadata.labels", labels ? labels : none,
                      "`selector` does not match template `labels`");
    json_decref(none);
    check_pod_spec(e, at(tree, "spec.template.spec"), "spec.template.spec");
}

/* ---- stateful sets ---- */

void validate_stateful_set(struct field_errors *e, const json_t *tree, const json_t *live,
                           const char *subresource)
{
    static const char *const mutable[] = {"replicas",
                                          "ordinals",
                                          "template",
                                          "updateStrategy",
                                          "revisionHistoryLimit",
                                          "persistentVolumeClaimRetentionPolicy",
                                          "minReadySeconds",
                                          "selector"}; /* which has words of its own */
    json_t *now, *was;

    validate_workload(e, tree, live, subresource);
    if (is_status(subresource) || !live)
        return;
    now = json_deep_copy(json_object_get(tree, "spec"));
    was = json_deep_copy(json_object_get(live, "spec"));
    for (size_t i = 0; i < ARRAY_LEN(mutable); i++) {
        json_object_del(now, mutable[i]);
        json_object_del(was, mutable[i]);
    }
    if (!json_equal(now, was))
        field_forbidden(e, "spec",
                        "updates to statefulset spec for fields other than 'replicas', 'ordinals', "
                        "'template', 'updateStrategy', 'revisionHistoryLimit', "
                        "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are "
                        "forbidden");
    json_decref(now);
    json_decref(was);
}

/* ---- cron jobs ---- */

struct cron_field {
    const char *const *names; /* of values from min on */
    int min, max;
};
static const char *const months[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
                                     "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const days[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};
static const struct cron_field cron_fields[] = {
    {NULL,   0, 59},
    {NULL,   0, 23},
    {NULL,   1, 31},
    {months, 1, 12},
    {days,   0, 6 },
};

/* A number or a name; what is wrong of it, or NULL. */
static const char *cron_value(struct op *op, const struct cron_field *field, const char *text,
                              int *ret)
{
    char *end;
    long n = strtol(text, &end, 10);

    for (int i = 0; field->names && field->names[i]; i++)
        if (strcasecmp(field->names[i], text) == 0) {
            *ret = field->min + i;
            return NULL;
        }
    if (!*text || *end || *text == '+' || strlen(text) > 9)
        return arena_printf(&op->arena,
                            "failed to parse int from %s: strconv.Atoi: parsing \"%s\": invalid "
                            "syntax",
                            text, text);
    if (n < 0)
        return arena_printf(&op->arena, "negative number (%ld) not allowed: %s", n, text);
    *ret = (int)n;
    return NULL;
}

/* "*", "5", "1-5", each with "/2". */
static const char *cron_range(struct op *op, const struct cron_field *field, char *text)
{
    const char *whole = arena_strdup(&op->arena, text), *fault;
    char *slash = strchr(text, '/'), *dash;
    int low = field->min, high = field->max, step = 1;

    if (slash)
        *slash++ = '\0';
    if (slash && strchr(slash, '/'))
        return arena_printf(&op->arena, "too many slashes: %s", whole);
    dash = strchr(text, '-');
    if (strcmp(text, "*") != 0 && strcmp(text, "?") != 0) {
        if (dash)
            *dash++ = '\0';
        if (dash && strchr(dash, '-'))
            return arena_printf(&op->arena, "too many hyphens: %s", whole);
        if ((fault = cron_value(op, field, text, &low)) != NULL)
            return fault;
        high = slash && !dash ? field->max : low;
        if (dash && (fault = cron_value(op, field, dash, &high)) != NULL)
            return fault;
    }
    if (slash && (fault = cron_value(op, &cron_fields[0], slash, &step)) != NULL)
        return fault;
    if (low < field->min)
        return arena_printf(&op->arena, "beginning of range (%d) below minimum (%d): %s", low,
                            field->min, whole);
    if (high > field->max)
        return arena_printf(&op->arena, "end of range (%d) above maximum (%d): %s", high,
                            field->max, whole);
    if (low > high)
        return arena_printf(&op->arena, "beginning of range (%d) beyond end of range (%d): %s", low,
                            high, whole);
    return step ? NULL
                : arena_printf(&op->arena, "step of range should be a positive number: %s", whole);
}

static const char *descriptor_fault(struct op *op, const char *text)
{
    static const char *const known[] = {"@yearly", "@annually", "@monthly", "@weekly",
                                        "@daily",  "@midnight", "@hourly"};

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(known[i], text) == 0)
            return NULL;
    if (strncmp(text, "@every ", 7) == 0)
        return NULL;
    return arena_printf(&op->arena, "unrecognized descriptor: %s", text);
}

const char *cron_fault(struct op *op, const char *text)
{
    char *copy = arena_strdup(&op->arena, text), *save = NULL, *fields[6], *part, *more;
    const char *fault;
    size_t n = 0, extra = 0;

    if (*text == '@')
        return descriptor_fault(op, text);
    for (part = strtok_r(copy, " \t", &save); part; part = strtok_r(NULL, " \t", &save)) {
        if (n < 5)
            fields[n++] = part;
        else
            extra++;
    }
    if (n + extra != 5)
        return arena_printf(&op->arena, "expected exactly 5 fields, found %zu: [%s]", n + extra,
                            text);
    for (size_t i = 0; i < 5; i++)
        for (part = strtok_r(fields[i], ",", &more); part; part = strtok_r(NULL, ",", &more))
            if ((fault = cron_range(op, &cron_fields[i], part)) != NULL)
                return fault;
    return NULL;
}

#define CRON_NAME_MAX 52 /* what is left when a job's suffix is added */

static void check_schedule(struct field_errors *e, const json_t *tree)
{
    const json_t *schedule = at(tree, "spec.schedule"), *zone = at(tree, "spec.timeZone");
    const char *text = json_string_value(schedule), *fault;

    if (text && strstr(text, "TZ")) {
        field_invalid(e, "spec.schedule", schedule,
                      "cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
    } else if (text && *text && (fault = cron_fault(e->op, text)) != NULL) {
        field_invalid(e, "spec.schedule", schedule, fault);
    }
    if (zone && !json_string_length(zone))
        field_invalid(e, "spec.timeZone", zone, "timeZone must be nil or non-empty string");
    else if (zone && strcasecmp(json_string_value(zone), "Local") == 0)
        field_invalid(e, "spec.timeZone", zone,
                      "timeZone must be an explicit time zone as defined in "
                      "https://www.iana.org/time-zones");
}

void validate_cron_job(struct field_errors *e, const json_t *tree, const json_t *live,
                       const char *subresource)
{
    const json_t *pod = at(tree, "spec.jobTemplate.spec.template.spec");
    const char *restart = text_at_or(pod, "restartPolicy", "Always");

    if (is_status(subresource))
        return;
    if (!live && strlen(text_at_or(tree, "metadata.name", "")) > CRON_NAME_MAX)
        field_invalid(e, "metadata.name", at(tree, "metadata.name"),
                      "must be no more than 52 characters");
    check_schedule(e, tree);
    check_pod_spec(e, pod, "spec.jobTemplate.spec.template.spec");
    if (strcmp(restart, "OnFailure") != 0 && strcmp(restart, "Never") != 0)
        field_required(e, "spec.jobTemplate.spec.template.spec.restartPolicy",
                       "valid values: \"OnFailure\", \"Never\"");
}
