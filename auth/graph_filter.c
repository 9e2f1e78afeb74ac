/*
 * $filter, read and answered in one pass over the text:
 *
 *     or    = and { "or" and }         and  = not { "and" not }       not = "not" not | "(" or ")"
 * | test test  = "startswith" "(" path "," text ")" | path "/any(" x ":" x "eq" text ")" | path
 * ("eq" | "ne") value | path "in" "(" value { "," value } ")" value = 'text' | true | false | null
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "auth/graph.h"
#include "auth/guid.h"

#define FILTER_MAX 8192
#define DEPTH_MAX  32
#define TEXT_MAX   1024

struct reader {
    struct op *op;
    const char *at;
    const json_t *object;
    int depth;
    bool bad;
};
struct value {
    enum { VALUE_TEXT, VALUE_TRUE, VALUE_FALSE, VALUE_NULL } kind;
    char text[TEXT_MAX];
};

static bool any_of(struct reader *r);

static void skip(struct reader *r)
{
    while (*r->at == ' ')
        r->at++;
}

static bool take(struct reader *r, char c)
{
    skip(r);
    if (*r->at != c)
        return false;
    r->at++;
    return true;
}

static void want(struct reader *r, char c)
{
    if (!take(r, c))
        r->bad = true;
}

static bool take_word(struct reader *r, const char *word)
{
    size_t len = strlen(word);

    skip(r);
    if (strncasecmp(r->at, word, len) != 0 || isalnum((unsigned char)r->at[len]))
        return false;
    r->at += len;
    return true;
}

/* A member's name, or names joined by "/"; stops before "/any(". */
static const json_t *path(struct reader *r)
{
    const json_t *at = r->object;
    char name[128];

    skip(r);
    for (;;) {
        size_t len =
            strspn(r->at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@.");

        if (len == 0 || len >= sizeof(name)) {
            r->bad = true;
            return NULL;
        }
        memcpy(name, r->at, len);
        name[len] = '\0';
        at = json_object_get(at, name);
        r->at += len;
        if (*r->at != '/' || strncmp(r->at, "/any(", 5) == 0)
            return at;
        r->at++;
    }
}

static void text_value(struct reader *r, char text[TEXT_MAX])
{
    size_t n = 0;

    want(r, '\'');
    while (*r->at && (*r->at != '\'' || r->at[1] == '\'') && n < TEXT_MAX - 1) {
        r->at += *r->at == '\'';
        text[n++] = *r->at++;
    }
    text[n] = '\0';
    if (*r->at == '\'')
        r->at++;
    else
        r->bad = true;
}

static void read_value(struct reader *r, struct value *value)
{
    static const char *const words[] = {
        [VALUE_TRUE] = "true", [VALUE_FALSE] = "false", [VALUE_NULL] = "null"};

    value->kind = VALUE_TEXT;
    for (size_t i = VALUE_TRUE; i <= VALUE_NULL; i++) {
        if (take_word(r, words[i])) {
            value->kind = i;
            return;
        }
    }
    text_value(r, value->text);
}

static bool equals(const json_t *member, const struct value *value)
{
    switch (value->kind) {
    case VALUE_TRUE:
        return json_is_true(member);
    case VALUE_FALSE:
        return json_is_false(member);
    case VALUE_NULL:
        return !member || json_is_null(member);
    case VALUE_TEXT:
        break;
    }
    return json_is_string(member) && strcasecmp(json_string_value(member), value->text) == 0;
}

static bool starts_with(struct reader *r)
{
    char text[TEXT_MAX];
    const json_t *member;

    want(r, '(');
    member = path(r);
    want(r, ',');
    text_value(r, text);
    want(r, ')');
    return json_is_string(member) &&
           strncasecmp(json_string_value(member), text, strlen(text)) == 0;
}

/* "/any(s:s eq 'x')" */
static bool any_in(struct reader *r, const json_t *list)
{
    struct value value;
    bool found = false;

    r->at += strlen("/any(");
    r->at += strcspn(r->at, ":)");
    want(r, ':');
    skip(r);
    while (isalnum((unsigned char)*r->at))
        r->at++;
    if (!take_word(r, "eq"))
        r->bad = true;
    read_value(r, &value);
    want(r, ')');
    for (size_t i = 0; i < json_array_size(list); i++)
        found = found || equals(json_array_get(list, i), &value);
    return found;
}

static bool one_of(struct reader *r, const json_t *member)
{
    struct value value;
    bool found = false;

    want(r, '(');
    do {
        read_value(r, &value);
        found = found || equals(member, &value);
    } while (!r->bad && take(r, ','));
    want(r, ')');
    return found;
}

static bool test(struct reader *r)
{
    const json_t *member;
    struct value value;

    if (take_word(r, "startswith"))
        return starts_with(r);
    member = path(r);
    if (r->bad)
        return false;
    if (strncmp(r->at, "/any(", 5) == 0)
        return any_in(r, member);
    if (take_word(r, "in"))
        return one_of(r, member);
    if (take_word(r, "eq")) {
        read_value(r, &value);
        return equals(member, &value);
    }
    if (!take_word(r, "ne"))
        r->bad = true;
    read_value(r, &value);
    return !equals(member, &value);
}

static bool negated(struct reader *r)
{
    bool result;

    if (r->bad || ++r->depth > DEPTH_MAX) {
        r->bad = true;
        return false;
    }
    if (take_word(r, "not")) {
        result = !negated(r);
    } else if (take(r, '(')) {
        result = any_of(r);
        want(r, ')');
    } else {
        result = test(r);
    }
    r->depth--;
    return result;
}

/* Both sides are always read: the text must be good whatever the object holds. */
static bool all_of(struct reader *r)
{
    bool result = negated(r);

    while (!r->bad && take_word(r, "and"))
        result = negated(r) && result;
    return result;
}

static bool any_of(struct reader *r)
{
    bool result = all_of(r);

    while (!r->bad && take_word(r, "or"))
        result = all_of(r) || result;
    return result;
}

enum fault graph_filter(struct op *op, const char *filter, const json_t *object, bool *ret)
{
    struct reader r = {.op = op, .at = filter, .object = object};

    *ret = true;
    if (!filter || !*filter)
        return OK;
    if (strlen(filter) > FILTER_MAX)
        return fail(op, INVALID, "Invalid filter clause: it is too long.");
    *ret = any_of(&r);
    skip(&r);
    if (r.bad || *r.at)
        return fail(op, INVALID, "Invalid filter clause near byte %zu: '%.200s'.",
                    (size_t)(r.at - filter), filter);
    return OK;
}

/* ---- what the database can tell by ---- */

/* "startswith(member,'text')" or "member eq 'text'" and nothing else. *ret_whole: it was eq. */
static bool single_test(struct reader *r, char name[128], char text[TEXT_MAX], bool *ret_whole)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t len;

    *ret_whole = !take_word(r, "startswith");
    if (!*ret_whole)
        want(r, '(');
    skip(r);
    len = strspn(r->at, letters);
    if (len == 0 || len >= 128)
        return false;
    memcpy(name, r->at, len);
    name[len] = '\0';
    r->at += len;
    if (!*ret_whole)
        want(r, ',');
    else if (!take_word(r, "eq"))
        return false;
    skip(r);
    text_value(r, text);
    if (!*ret_whole)
        want(r, ')');
    skip(r);
    return !r->bad && !*r->at;
}

void graph_filter_narrow(struct op *op, const char *filter, struct object_filter *ret)
{
    struct reader r = {.op = op, .at = filter ? filter : ""};
    char name[128], text[TEXT_MAX];
    bool whole;

    if (!single_test(&r, name, text, &whole))
        return;
    if (strcmp(name, "displayName") == 0)
        ret->name_begins = arena_strdup(&op->arena, text);
    else if (whole && strcmp(name, "userPrincipalName") == 0)
        ret->upn = arena_strdup(&op->arena, text);
    else if (whole && strcmp(name, "appId") == 0)
        ret->app_id = guid_lower(op, text);
}
