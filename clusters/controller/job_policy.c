/* What a Job makes of its pods' ends beyond counting: rules for failures and for success. */
#include <stdlib.h>
#include <string.h>

#include "clusters/controller/job.h"

/* ---- indexes ---- */

int64_t job_index_of(const json_t *pod)
{
    const char *text = annotation_of(pod, JOB_INDEX);

    return text ? strtoll(text, NULL, 10) : -1;
}

void job_indexes_read(const char *text, bool *marks, int64_t n)
{
    while (text && *text) {
        char *end;
        long long from = strtoll(text, &end, 10), to = from;

        if (*end == '-')
            to = strtoll(end + 1, &end, 10);
        for (long long i = from < 0 ? 0 : from; i <= to && i < n; i++)
            marks[i] = true;
        text = *end == ',' ? end + 1 : NULL;
    }
}

const char *job_indexes_write(struct op *op, const bool *marks, int64_t n)
{
    struct text out;

    text_init(&out, &op->arena, 1 << 20);
    for (int64_t i = 0; i < n; i++) {
        int64_t from = i;

        if (!marks[i])
            continue;
        while (i + 1 < n && marks[i + 1])
            i++;
        text_printf(&out, out.len ? ",%lld" : "%lld", (long long)from);
        if (i > from)
            text_printf(&out, i > from + 1 ? "-%lld" : ",%lld", (long long)i);
    }
    return out.data;
}

/* ---- failures ---- */

struct match {
    const char *container;
    int64_t exit_code;
};

static bool has_code(const json_t *rule, int64_t code)
{
    bool in = strcmp(text_at_or(rule, "operator", ""), "In") == 0, found = false;
    json_t *value;
    size_t i;

    json_array_foreach(json_object_get(rule, "values"), i, value)
    {
        found |= json_integer_value(value) == code;
    }
    return code != 0 && found == in;
}

/* onExitCodes: any container that ended badly, or the one that is named. */
static bool exits_so(const json_t *rule, const json_t *pod, struct match *ret)
{
    static const char *const lists[] = {"status.containerStatuses", "status.initContainerStatuses"};
    const char *wanted = text_at(rule, "containerName");
    json_t *status;
    size_t i;

    for (size_t k = 0; rule && k < ARRAY_LEN(lists); k++)
        json_array_foreach(at(pod, lists[k]), i, status)
        {
            const char *name = text_at_or(status, "name", "");
            int64_t code = int_at(status, "state.terminated.exitCode", 0);

            if ((wanted && strcmp(wanted, name) != 0) || !has_code(rule, code))
                continue;
            *ret = (struct match){name, code};
            return true;
        }
    return false;
}

static const char *condition_so(const json_t *patterns, const json_t *pod)
{
    json_t *pattern;
    size_t i;

    json_array_foreach((json_t *)patterns, i, pattern)
    {
        const char *type = text_at_or(pattern, "type", "");
        const json_t *condition = condition_of(pod, type);

        if (condition &&
            strcmp(text_at_or(condition, "status", ""), text_at_or(pattern, "status", "True")) == 0)
            return type;
    }
    return NULL;
}

enum job_failure job_failure_of(struct job_pass *p, struct object *pod)
{
    const json_t *tree = object_tree(pod);
    json_t *rule;
    size_t i;

    json_array_foreach(at(p->tree, "spec.podFailurePolicy.rules"), i, rule)
    {
        const char *action = text_at_or(rule, "action", "");
        const char *condition = condition_so(json_object_get(rule, "onPodConditions"), tree);
        struct match match;
        bool exits = exits_so(json_object_get(rule, "onExitCodes"), tree, &match);

        if (!exits && !condition)
            continue;
        if (strcmp(action, "FailJob") == 0 && !p->policy_says)
            p->policy_says =
                exits ? arena_printf(&p->op->arena,
                                     "Container %s for pod %s/%s failed with exit code %lld "
                                     "matching FailJob rule at index %zu",
                                     match.container, pod->ns, pod->name,
                                     (long long)match.exit_code, i)
                      : arena_printf(&p->op->arena,
                                     "Pod %s/%s has condition %s matching FailJob rule at index "
                                     "%zu",
                                     pod->ns, pod->name, condition, i);
        return strcmp(action, "Ignore") == 0      ? FAILURE_IGNORED
               : strcmp(action, "FailIndex") == 0 ? FAILURE_ENDS_INDEX
                                                  : FAILURE_COUNTS;
    }
    return FAILURE_COUNTS;
}

/* Each pod notes how often its index had failed before it. */
int64_t job_index_failures(struct job_pass *p, int64_t index)
{
    int64_t most = 0;

    for (size_t i = 0; i < p->pods.n; i++) {
        const json_t *pod = object_tree(p->pods.list[i]);
        const char *text = annotation_of(pod, JOB_INDEX_FAILURES);
        int64_t n = text ? strtoll(text, NULL, 10) : 0;

        if (job_index_of(pod) != index)
            continue;
        if (strcmp(text_at_or(pod, "status.phase", ""), "Failed") == 0 &&
            job_failure_of(p, p->pods.list[i]) == FAILURE_COUNTS)
            n++;
        most = n > most ? n : most;
    }
    return most;
}

/* ---- success ---- */

static bool is_met(const struct job_pass *p, const json_t *rule)
{
    const char *text = text_at(rule, "succeededIndexes");
    int64_t needed = int_at(rule, "succeededCount", -1), n = 0, all = 0;
    bool *chosen = arena_alloc(&p->op->arena, (size_t)p->completions + 1);

    job_indexes_read(text, chosen, p->completions);
    for (int64_t i = 0; i < p->completions; i++) {
        bool counts = !text || chosen[i];

        all += counts;
        n += counts && p->done[i];
    }
    return n >= (needed >= 0 ? needed : all);
}

int64_t job_success_rule(const struct job_pass *p)
{
    json_t *rule;
    size_t i;

    if (!p->indexed)
        return -1;
    json_array_foreach(at(p->tree, "spec.successPolicy.rules"), i, rule)
    {
        if (is_met(p, rule))
            return (int64_t)i;
    }
    return -1;
}
