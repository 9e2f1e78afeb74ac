#include "api/id.h"

#include <string.h>
#include <strings.h>

#define SEGMENTS_MAX 40

/* A path cut at its slashes. */
struct segments {
    const char *at[SEGMENTS_MAX];
    size_t n;
};

const char *id_lower(struct op *op, const char *text)
{
    char *out = arena_strdup(&op->arena, text);

    for (char *p = out; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p + 'a' - 'A');
    return out;
}

bool id_is_within(const char *inner, const char *outer)
{
    size_t len = strlen(outer);

    while (len > 0 && outer[len - 1] == '/')
        len--;
    return strncmp(inner, outer, len) == 0 && (inner[len] == '/' || inner[len] == '\0');
}

static enum fault cut(struct op *op, const char *path, struct segments *ret)
{
    size_t len;

    if (strlen(path) > ID_MAX_BYTES)
        return fail_on(op, "InvalidResourceId", INVALID, "the resource id is too long");
    ret->n = 0;
    for (const char *p = path; *p; p += len) {
        p += strspn(p, "/");
        len = strcspn(p, "/");
        if (!len)
            break;
        if (ret->n == SEGMENTS_MAX)
            return fail_on(op, "InvalidResourceId", INVALID, "the resource id has too many parts");
        ret->at[ret->n++] = arena_strndup(&op->arena, p, len);
    }
    return OK;
}

static const char *join(struct op *op, const struct segments *s, size_t n)
{
    struct text out;

    if (!n)
        return "/";
    text_init(&out, &op->arena, ID_MAX_BYTES + SEGMENTS_MAX);
    for (size_t i = 0; i < n; i++)
        text_printf(&out, "/%s", s->at[i]);
    return out.data;
}

/* Append to "a/b", or begin with it. */
static const char *extend(struct op *op, const char *list, const char *part)
{
    return list ? arena_printf(&op->arena, "%s/%s", list, part) : part;
}

static bool is_word(const struct segments *s, size_t i, const char *word)
{
    return i < s->n && strcasecmp(s->at[i], word) == 0;
}

/*
 * How many segments the name of the type at i has: one, but a registry's repository ("team/app") is
 * all that follows.
 */
static size_t name_length(const struct segments *s, size_t i, const struct resource_id *id)
{
    size_t n = 1;

    if (id->type && strcasecmp(id->type, "registries") == 0 && is_word(s, i, "repositories"))
        while (i + 1 + n < s->n && !is_word(s, i + 1 + n, "providers"))
            n++;
    return n;
}

static const char *name_of(struct op *op, const struct segments *s, size_t i, size_t n)
{
    const char *name = s->at[i];

    while (--n)
        name = arena_printf(&op->arena, "%s/%s", name, s->at[++i]);
    return name;
}

/* Pairs after "providers/NS"; a further "providers" begins an extension of what came before. */
static size_t read_provider(struct op *op, const struct segments *s, size_t i,
                            struct resource_id *id)
{
    id->scope = join(op, s, i);
    id->parent = id->scope;
    id->provider = s->at[i + 1];
    id->type = id->full_type = id->names = id->name = NULL;
    for (i += 2; i + 1 < s->n && !is_word(s, i, "providers");) {
        size_t n = name_length(s, i, id);

        if (id->type)
            id->parent = join(op, s, i);
        id->type = extend(op, id->type, s->at[i]);
        id->name = name_of(op, s, i + 1, n);
        id->names = extend(op, id->names, id->name);
        i += 1 + n;
    }
    if (id->type)
        id->full_type = arena_printf(&op->arena, "%s/%s", id->provider, id->type);
    return i;
}

static void finish(struct op *op, const struct segments *s, size_t used, struct resource_id *id)
{
    if (used < s->n)
        id->rest = s->at[used];
    id->path = join(op, s, used);
    id->key = id_lower(op, id->path);
    if (!id->provider)
        id->scope = id->path;
    if (!id->parent)
        id->parent = "/";
}

enum fault resource_id_parse(struct op *op, const char *path, struct resource_id *ret)
{
    struct resource_id id = {0};
    struct segments s = {.n = 0};
    size_t i = 0;

    TRY(cut(op, path, &s));
    if (is_word(&s, i, "subscriptions") && i + 1 < s.n) {
        id.subscription = id_lower(op, s.at[1]);
        id.name = s.at[1];
        i = 2;
        if (is_word(&s, i, "resourcegroups") && i + 1 < s.n) {
            id.group = id.name = s.at[3];
            id.parent = join(op, &s, 2);
            i = 4;
        }
    }
    while (is_word(&s, i, "providers") && i + 1 < s.n) {
        size_t next = read_provider(op, &s, i, &id);

        if (!id.type) { /* "…/providers/NS" alone: what stands before is the id */
            i = next > s.n ? s.n : next;
            break;
        }
        i = next;
    }
    for (size_t k = i + 1; k < s.n; k++)
        if (is_word(&s, k, "providers"))
            return fail_on(op, "InvalidResourceId", INVALID,
                           "'%.300s' is not the id of anything: what stands before its last "
                           "\"providers\" is none.",
                           path);
    if (i + 1 < s.n) /* tagNames/x, locks of old: pairs of no provider */
        i = s.n - (s.n - i) % 2;
    finish(op, &s, i > s.n ? s.n : i, &id);
    *ret = id;
    return OK;
}
