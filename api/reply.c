/* Answers of the resource manager: JSON values of jansson, in the op's arena. */
#include <string.h>
#include <strings.h>
#include <time.h>

#include "api/arm.h"

static void release(void *value)
{
    json_decref(value);
}

json_t *json_keep(struct op *op, json_t *value)
{
    if (value)
        arena_defer(&op->arena, release, value);
    return value;
}

json_t *json_new_object(struct op *op)
{
    return json_keep(op, json_object());
}

json_t *json_new_array(struct op *op)
{
    return json_keep(op, json_array());
}

void json_set_text(json_t *object, const char *name, const char *value)
{
    json_t *text;

    if (!value)
        return;
    text = json_string(value);
    json_object_set_new(object, name, text ? text : json_string("?")); /* "?": not UTF-8 */
}

void json_set_raw(json_t *object, const char *name, const char *json)
{
    json_t *value = json ? json_loads(json, JSON_DECODE_ANY, NULL) : NULL;

    if (value)
        json_object_set_new(object, name, value);
}

static void free_text(void *text)
{
    free(text);
}

const char *json_text_of(struct op *op, const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

    if (!text)
        return "null";
    arena_defer(&op->arena, free_text, text);
    return text;
}

enum fault arm_reply(struct call *c, int status, const json_t *value)
{
    const char *text = json_text_of(&c->op, value);

    return reply_bytes(c, status, "application/json; charset=utf-8", BYTES(text));
}

const char *arm_now(struct op *op)
{
    struct timespec now;
    struct tm tm;
    char date[32];

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
    return arena_printf(&op->arena, "%s.%06ldZ", date, now.tv_nsec / 1000);
}

/* One tag of a list, without W/ and quotes, against ours. */
static bool same_tag(const char *start, size_t len, const char *etag)
{
    size_t n = strlen(etag);

    while (len && (*start == ' ' || *start == '\t')) {
        start++;
        len--;
    }
    while (len && (start[len - 1] == ' ' || start[len - 1] == '\t'))
        len--;
    if (len > 2 && strncasecmp(start, "W/", 2) == 0) {
        start += 2;
        len -= 2;
    }
    if (len == 1 && *start == '*')
        return true;
    if (len >= 2 && *start == '"' && start[len - 1] == '"') {
        start++;
        len -= 2;
    }
    if (n >= 2 && *etag == '"') {
        etag++;
        n -= 2;
    }
    return len == n && strncmp(start, etag, n) == 0;
}

static bool any_tag(const char *list, const char *etag)
{
    while (*list) {
        size_t len = strcspn(list, ",");

        if (etag && same_tag(list, len, etag))
            return true;
        list += len + (list[len] == ',');
    }
    return false;
}

enum fault arm_preconditions(struct call *c, const char *etag)
{
    const char *match = call_header(c, "if-match"), *none = call_header(c, "if-none-match");

    if (match && !any_tag(match, etag))
        return fail_on(&c->op, "PreconditionFailed", PRECONDITION,
                       "The precondition given in the If-Match header is not met.");
    if (none && etag && any_tag(none, etag))
        return fail_on(&c->op, "PreconditionFailed", PRECONDITION,
                       "The precondition given in the If-None-Match header is not met.");
    return OK;
}
