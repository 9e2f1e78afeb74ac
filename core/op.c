/*
 * Arenas bump a pointer through blocks; under sanitizers every allocation is a malloc of its own
 * (ARENA_MALLOC_EACH), so that overflows and stale pointers are seen.
 */
#include "core/op.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BLOCK_MIN ((size_t)4000)

struct arena_block {
    struct arena_block *next;
    _Alignas(16) unsigned char data[];
};
struct arena_defer {
    struct arena_defer *next;
    void (*fn)(void *);
    void *ptr;
};

void auto_close_(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

void arena_init(struct arena *arena)
{
    *arena = (struct arena){0};
}

void arena_release(struct arena *arena, const struct arena_defer *mark)
{
    while (arena->defers != mark) {
        struct arena_defer *d = arena->defers;

        arena->defers = d->next;
        d->fn(d->ptr);
    }
}

void arena_free(struct arena *arena)
{
    arena_release(arena, NULL);
    while (arena->blocks) {
        struct arena_block *b = arena->blocks;

        arena->blocks = b->next;
        free(b);
    }
    arena->used = arena->size = 0;
}

static void arena_grow(struct arena *arena, size_t size)
{
    struct arena_block *block = calloc(1, sizeof(*block) + size);

    if (!block)
        abort(); /* sizes are bounded before they come here: the machine is out of memory */
    block->next = arena->blocks;
    arena->blocks = block;
    arena->used = 0;
    arena->size = size;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    void *p;

#ifdef ARENA_MALLOC_EACH
    arena_grow(arena, size ? size : 1);
    p = arena->blocks->data;
#else
    size = (size + 15) & ~(size_t)15;
    if (size > arena->size - arena->used)
        arena_grow(arena, size > BLOCK_MIN / 4 ? size + BLOCK_MIN / 4 : BLOCK_MIN);
    p = arena->blocks->data + arena->used;
    arena->used += size;
#endif
    return p;
}

char *arena_strndup(struct arena *arena, const void *s, size_t len)
{
    char *copy = arena_alloc(arena, len + 1);

    if (len)
        memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

char *arena_strdup(struct arena *arena, const char *s)
{
    return arena_strndup(arena, s, strlen(s));
}

void *arena_memdup(struct arena *arena, const void *p, size_t len)
{
    return arena_strndup(arena, p, len);
}

static char *arena_vprintf(struct arena *arena, const char *fmt, va_list ap)
{
    char buf[256], *copy;
    va_list again;
    int len;

    va_copy(again, ap);
    len = vsnprintf(buf, sizeof(buf), fmt, ap);
    if (len < 0)
        len = 0;
    copy = arena_alloc(arena, (size_t)len + 1);
    if ((size_t)len < sizeof(buf))
        memcpy(copy, buf, (size_t)len + 1);
    else
        vsnprintf(copy, (size_t)len + 1, fmt, again);
    va_end(again);
    return copy;
}

char *arena_printf(struct arena *arena, const char *fmt, ...)
{
    va_list ap;
    char *s;

    va_start(ap, fmt);
    s = arena_vprintf(arena, fmt, ap);
    va_end(ap);
    return s;
}

void arena_defer(struct arena *arena, void (*fn)(void *), void *ptr)
{
    struct arena_defer *d = arena_alloc(arena, sizeof(*d));

    *d = (struct arena_defer){.next = arena->defers, .fn = fn, .ptr = ptr};
    arena->defers = d;
}

/* ---- text ---- */

void text_init(struct text *text, struct arena *arena, size_t max)
{
    *text = (struct text){.arena = arena, .data = arena_alloc(arena, 1), .max = max};
}

static bool text_reserve(struct text *text, size_t len)
{
    size_t want = text->len + len + 1;
    char *data;

    if (len > text->max || want - 1 > text->max) {
        text->overflow = true;
        return false;
    }
    if (want <= text->cap)
        return true;
    if (want < 2 * text->cap)
        want = 2 * text->cap;
    if (want < 128)
        want = 128;
    data = arena_alloc(text->arena, want);
    memcpy(data, text->data, text->len + 1);
    text->data = data;
    text->cap = want;
    return true;
}

void text_add(struct text *text, const void *data, size_t len)
{
    if (!len || !text_reserve(text, len))
        return;
    memcpy(text->data + text->len, data, len);
    text->len += len;
    text->data[text->len] = '\0';
}

void text_str(struct text *text, const char *s)
{
    text_add(text, s, strlen(s));
}

void text_printf(struct text *text, const char *fmt, ...)
{
    va_list ap, again;
    int len;

    va_start(ap, fmt);
    va_copy(again, ap);
    len = vsnprintf(NULL, 0, fmt, ap);
    if (len > 0 && text_reserve(text, (size_t)len)) {
        vsnprintf(text->data + text->len, (size_t)len + 1, fmt, again);
        text->len += (size_t)len;
    }
    va_end(again);
    va_end(ap);
}

struct bytes text_bytes(const struct text *text)
{
    return (struct bytes){text->data, text->len};
}

/* ---- the op ---- */

void op_init(struct op *op)
{
    *op = (struct op){0};
}

void op_free(struct op *op)
{
    arena_free(&op->arena);
}

static enum fault record(struct op *op, const char *noun, enum fault fault, const char *fmt,
                         va_list ap)
{
    op->fault = fault;
    op->noun = noun;
    op->message = arena_vprintf(&op->arena, fmt, ap);
    return fault;
}

enum fault fail(struct op *op, enum fault fault, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    record(op, NULL, fault, fmt, ap);
    va_end(ap);
    return fault;
}

enum fault fail_on(struct op *op, const char *noun, enum fault fault, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    record(op, noun, fault, fmt, ap);
    va_end(ap);
    return fault;
}

void op_clear_fault(struct op *op)
{
    op->fault = OK;
    op->noun = op->message = op->detail = op->mend = NULL;
    op->retry_after_s = 0;
}

const char *fault_name(enum fault fault)
{
    static const char *const names[FAULT_COUNT] = {
        "ok",          "invalid",   "unauthenticated", "forbidden",
        "not found",   "conflict",  "precondition",    "range",
        "gone",        "too large", "too many",        "unsupported",
        "unavailable", "internal",  "parked",          "would block",
    };

    return fault < FAULT_COUNT ? names[fault] : "?";
}

bool fault_passes(enum fault fault)
{
    return fault == UNAVAILABLE || fault == INTERNAL || fault == TOO_MANY;
}

int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t wall_s(void)
{
    return (int64_t)time(NULL);
}

int64_t wall_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}
