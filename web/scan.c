#include "web/scan.h"

#include <string.h>

struct scan {
    const struct scan_member *members;
    struct scanned *now;
    struct bytes outer, key; /* of the object's member, of the member within it */
};

/* Past the closing quote. */
static const char *string_end(const char *p)
{
    for (p++; *p && *p != '"'; p++)
        if (*p == '\\' && p[1])
            p++;
    return *p ? p + 1 : p;
}

static bool is(struct bytes text, const char *word)
{
    return text.len == strlen(word) && memcmp(text.data, word, text.len) == 0;
}

static void note(struct scan *s, int depth, struct bytes value)
{
    for (size_t i = 0; s->members[i].key; i++) {
        const struct scan_member *m = &s->members[i];

        if (depth == 1 ? !m->within && is(s->outer, m->key)
                       : m->within && is(s->outer, m->within) && is(s->key, m->key))
            s->now->members[i] = value;
    }
}

/* A key, or a value of text. */
static const char *read_string(struct scan *s, int depth, const char *p)
{
    const char *end = string_end(p);
    struct bytes text = {p + 1, (size_t)(end - p) < 2 ? 0 : (size_t)(end - p) - 2};

    if (depth > 2)
        return end;
    if (*end != ':')
        note(s, depth, text);
    else if (depth == 1)
        s->outer = text;
    else
        s->key = text;
    return end;
}

/* From its '{' to what follows its '}'. */
static const char *read_item(struct scan *s, const char *p)
{
    const char *begin = p;
    int depth = 0;

    do {
        if (*p == '"') {
            p = read_string(s, depth, p);
            continue;
        }
        if (*p == '{' || *p == '[') {
            if (depth == 1 || depth == 2)
                note(s, depth, (struct bytes){p, 1});
            depth++;
        } else if (*p == '}' || *p == ']') {
            depth--;
        }
        p++;
    } while (depth > 0 && *p);
    s->now->text = (struct bytes){begin, (size_t)(p - begin)};
    return p;
}

static size_t scan(struct op *op, struct bytes list, const char *mark,
                   const struct scan_member *members, struct scanned **ret)
{
    const char *p = memmem(list.data, list.len, mark, strlen(mark));
    size_t n = 0, cap = 64;
    struct scan s = {.members = members};

    *ret = arena_alloc(&op->arena, cap * sizeof(**ret));
    for (p = p ? p + strlen(mark) : ""; *p == '{'; p += *p == ',') {
        if (n == cap) {
            struct scanned *more = arena_alloc(&op->arena, 2 * cap * sizeof(*more));

            memcpy(more, *ret, n * sizeof(*more));
            cap *= 2;
            *ret = more;
        }
        s.now = &(*ret)[n++];
        *s.now = (struct scanned){0};
        p = read_item(&s, p);
    }
    return n;
}

size_t scan_items(struct op *op, struct bytes list, const struct scan_member *members,
                  struct scanned **ret)
{
    return scan(op, list, "\"items\":[", members, ret);
}

size_t scan_values(struct op *op, struct bytes list, const struct scan_member *members,
                   struct scanned **ret)
{
    return scan(op, list, "\"value\":[", members, ret);
}
