#include "api/page.h"

#include <string.h>
#include <strings.h>

#include "core/json.h"
#include "core/range.h"
#include "core/seal.h"
#include "core/uri.h"

enum fault page_read_arm(struct call *c, int64_t max, struct arm_page *ret)
{
    const char *top = call_query(c, "$top", 0), *token = call_query(c, "$skiptoken", 0);
    struct arm_page page = {.top = max < PAGE_DEFAULT ? max : PAGE_DEFAULT, .last = ""};
    struct bytes decoded;

    if (!token)
        token = call_query(c, "$skipToken", 0);
    if (top && *top) {
        int64_t n = strlen(top) > 9 ? -1 : decimal_parse(&top);

        if (n < 1 || *top)
            return arm_fail_at(&c->op, "InvalidTopParameter", INVALID, "$top",
                               "The value of the $top query parameter must be a number from 1 on.");
        page.top = n < max ? n : max;
        page.top_given = true;
    }
    if (token && *token) {
        if (strlen(token) > 8192 || !base64_decode(&c->op.arena, token, true, &decoded))
            return arm_fail_at(&c->op, "InvalidSkipToken", INVALID, "$skiptoken",
                               "The $skiptoken query parameter is not one that we gave out.");
        page.last = arena_strndup(&c->op.arena, decoded.data, decoded.len);
    }
    page.limit = page.top + 1;
    *ret = page;
    return OK;
}

static bool is_skip_token(const char *parameter)
{
    static const char *const names[] = {"$skiptoken=", "%24skiptoken="};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strncasecmp(parameter, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static const char *next_link(struct call *c, const char *last_key)
{
    struct arena *arena = &c->op.arena;
    struct text out;
    const char *p = c->query;

    text_init(&out, arena, 32768);
    text_printf(&out, "%s%s?", c->base_url, uri_encode(arena, c->path, "/"));
    while (*p) {
        size_t len = strcspn(p, "&");

        if (len && !is_skip_token(p)) {
            text_add(&out, p, len);
            text_str(&out, "&");
        }
        p += len + (p[len] == '&');
    }
    text_printf(&out, "%%24skiptoken=%s", base64_encode(arena, BYTES(last_key), true));
    return out.data;
}

enum fault page_reply(struct call *c, json_t *values, const char *last_key)
{
    json_t *body = json_new_object(&c->op);

    json_object_set(body, "value", values);
    if (last_key)
        json_set_text(body, "nextLink", next_link(c, last_key));
    return arm_reply(c, 200, body);
}

enum fault page_reply_text(struct call *c, const struct text *values, const char *last_key)
{
    struct text body;

    text_init(&body, &c->op.arena, values->len + 65536);
    text_str(&body, "{\"value\":[");
    text_add(&body, values->data, values->len);
    text_str(&body, "]");
    if (last_key) {
        text_str(&body, ",\"nextLink\":");
        json_quote(&body, next_link(c, last_key));
    }
    text_str(&body, "}");
    if (values->overflow || body.overflow)
        return fail(&c->op, INTERNAL, "the page is too large: ask for fewer with $top");
    return reply_bytes(c, 200, "application/json; charset=utf-8", text_bytes(&body));
}
