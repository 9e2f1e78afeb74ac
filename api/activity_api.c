/* GET …/Microsoft.Insights/eventtypes/management/values, as `az monitor activity-log list` asks. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/activity.h"
#include "api/filter.h"
#include "api/handlers.h"
#include "api/page.h"
#include "core/range.h"
#include "core/time_text.h"

#define PAGE_EVENTS 200
#define SEARCH_MAX  256
#define VALUES_MAX  ((size_t)16 << 20) /* so many events with the longest ids: 4 */

static const char *member(const json_t *event, const char *name)
{
    const json_t *value = json_object_get(event, name);

    if (json_is_object(value))
        value = json_object_get(value, "value");
    return json_string_value(value);
}

static const char *value_of(void *arg, const char *name)
{
    static const struct {
        const char *asked, *member;
    } names[] = {
        {"resourceUri",       "resourceId"          },
        {"resourceId",        "resourceId"          },
        {"resourceGroupName", "resourceGroupName"   },
        {"resourceProvider",  "resourceProviderName"},
        {"resourceType",      "resourceType"        },
        {"correlationId",     "correlationId"       },
        {"caller",            "caller"              },
        {"operationName",     "operationName"       },
        {"status",            "status"              },
        {"levels",            "level"               },
        {"eventDataId",       "eventDataId"         },
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcasecmp(names[i].asked, name) == 0)
            return member(arg, names[i].member);
    return NULL;
}

/* 2026-11-20T12:00:00[.123][Z|+00:00], or a date. Not checked further than its letters. */
static enum fault check_time(struct op *op, const char *time)
{
    if (!time ||
        (strlen(time) >= 10 && strlen(time) <= 40 &&
         time[strspn(time, "0123456789-:.TZ+ ")] == '\0' && time[4] == '-' && time[7] == '-'))
        return OK;
    return arm_fail_at(op, "BadRequest", INVALID, "$filter", "'%.60s' is not a time.", time);
}

static const char *blank_to_plus(struct op *op, const char *time)
{
    char *out = time ? arena_strdup(&op->arena, time) : NULL;

    for (char *p = out; p && *p; p++)
        if (*p == ' ' && p - out > 10)
            *p = '+';
    return out;
}

static enum fault read_filter(struct call *c, struct activity_filter *f, struct filter **ret)
{
    static const char *const names[] = {"eventTimestamp",   "resourceUri",
                                        "resourceId",       "resourceGroupName",
                                        "resourceProvider", "resourceType",
                                        "correlationId",    "caller",
                                        "operationName",    "status",
                                        "levels",           "eventDataId",
                                        "eventChannels",    NULL};
    struct op *op = &c->op;
    const char *group, *resource;

    TRY(filter_parse(op, call_query(c, "$filter", 0), ret));
    TRY(filter_check(op, *ret, names));
    f->from = blank_to_plus(op, filter_bound(*ret, "eventTimestamp", false));
    f->to = blank_to_plus(op, filter_bound(*ret, "eventTimestamp", true));
    if (!f->from)
        return arm_fail_at(
            op, "BadRequest", INVALID, "$filter",
            "The $filter must say from when: eventTimestamp ge '2026-01-01T00:00:00Z'.");
    TRY(check_time(op, f->from));
    TRY(check_time(op, f->to));
    group = filter_equal(*ret, "resourceGroupName");
    resource = filter_equal(*ret, "resourceUri");
    if (!resource)
        resource = filter_equal(*ret, "resourceId");
    f->group = group ? id_lower(op, group) : NULL;
    f->resource = resource ? id_lower(op, resource) : NULL;
    return OK;
}

/* What the database was not asked for. */
static const char *const bare[] = {"resourceProvider", "correlationId", "caller", "status",
                                   "operationName",    "resourceType",  "levels", "eventDataId"};

static bool asks_more(const struct filter *filter)
{
    for (size_t i = 0; i < ARRAY_LEN(bare); i++)
        if (filter_equal(filter, bare[i]))
            return true;
    return false;
}

static bool is_wanted(const struct filter *filter, json_t *event)
{
    for (size_t i = 0; i < ARRAY_LEN(bare); i++) {
        const char *wanted = filter_equal(filter, bare[i]), *is = value_of(event, bare[i]);

        if (wanted && (!is || strcasecmp(wanted, is) != 0))
            return false;
    }
    return true;
}

/* "AT_US-NUMBER" */
static struct activity_mark mark_of(const char *text)
{
    struct activity_mark mark = {.at_us = decimal_parse(&text)};

    if (mark.at_us <= 0 || *text++ != '-')
        return (struct activity_mark){0};
    mark.number = decimal_parse(&text);
    return mark;
}

/* Events are kept as they are answered. */
static void add_text(struct op *op, const struct activity *row, const struct filter *filter,
                     struct text *out)
{
    if (asks_more(filter)) {
        json_t *event = json_keep(op, json_loads(row->body, 0, NULL));

        if (!event || !is_wanted(filter, event))
            return;
    }
    if (out->len)
        text_str(out, ",");
    text_str(out, row->body);
}

enum fault activity_list(struct call *c)
{
    struct op *op = &c->op;
    struct activity_filter f = {.subscription = arm_id(c)->subscription};
    struct activity_mark next;
    struct activity *rows;
    struct text values;
    struct filter *filter;
    struct arm_page page;
    size_t n;

    TRY(page_read_arm(c, PAGE_EVENTS, &page));
    TRY(read_filter(c, &f, &filter));
    f.search = call_query(c, "$search", 0);
    if (f.search && strlen(f.search) > SEARCH_MAX)
        return arm_fail_at(op, "BadRequest", INVALID, "$search", "it is longer than %d bytes.",
                           SEARCH_MAX);
    f.before = mark_of(page.last);
    f.limit = page.limit;
    TRY(activity_select(op, &f, &rows, &n, &next));
    if ((int64_t)n > page.top) {
        next = rows[page.top - 1].mark;
    } else if (next.at_us) {
        reply_header(c, ACTIVITY_SEARCHED_TO, "%s", micro_time_text(op, next.at_us));
        next.number++; /* it is the first of the next page */
    }
    text_init(&values, &op->arena, VALUES_MAX);
    for (size_t i = 0; i < n && (int64_t)i < page.top; i++)
        add_text(op, &rows[i], filter, &values);
    return page_reply_text(c, &values,
                           next.at_us ? arena_printf(&op->arena, "%lld-%lld", (long long)next.at_us,
                                                     (long long)next.number)
                                      : NULL);
}
