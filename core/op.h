/*
 * The op: what every function below HTTP takes first. It owns the memory of one piece of work (an
 * arena), lends the thread's database connection to it, and keeps the reason it failed.
 *
 *~ Start reading here, then core/call.h (a request is an op with HTTP around it), core/dispatch.c
 *~ (what happens to a request), registry/registry.c (a service's route table).
 */
#ifndef SUNDOG_CORE_OP_H
#define SUNDOG_CORE_OP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;

/* What the caller may do about a failure. Dialect tables turn it into a status and a code. */
enum fault {
    OK,
    INVALID,         /* the request is wrong and will stay wrong */
    UNAUTHENTICATED, /* nobody, or nobody we know, asks; or a right is missing that a token can add
                      */
    FORBIDDEN,       /* known, and not allowed */
    NOT_FOUND,
    CONFLICT,     /* with the present state */
    PRECONDITION, /* If-Match and its kin */
    RANGE,        /* a range or an offset that does not fit */
    GONE,
    TOO_LARGE,
    TOO_MANY,    /* rate limited: Retry-After */
    UNSUPPORTED, /* a thing of the real service that is not built here */
    UNAVAILABLE, /* try again: database away, queue full, disk at its reserve */
    INTERNAL,    /* a fault of ours */
    PARKED,      /* not a failure: the op waits and is completed later (call_park) */
    WOULD_BLOCK, /* not a failure: memory alone cannot tell; ask again on a worker */
    FAULT_COUNT
};

/* Return the fault unless OK: the only macro that hides control flow. The arena makes it safe. */
#define TRY(expr)                                                                                  \
    do {                                                                                           \
        enum fault try_fault_ = (expr);                                                            \
        if (try_fault_ != OK)                                                                      \
            return try_fault_;                                                                     \
    } while (0)

#define AUTO_CLOSE __attribute__((cleanup(auto_close_)))
void auto_close_(int *fd);

#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define ARRAY_LEN(a)      (sizeof(a) / sizeof((a)[0]))

struct bytes {
    const void *data;
    size_t len;
};
#define BYTES(str) ((struct bytes){(str), strlen(str)})

/* ---- arena: memory that is freed all at once ---- */

struct arena_block;
struct arena_defer;
struct arena {
    struct arena_block *blocks;
    struct arena_defer *defers;
    size_t used, size; /* of the newest block */
};

void arena_init(struct arena *arena);
/* Run the deferred functions, newest first, then free everything. The arena can be used again. */
void arena_free(struct arena *arena);
/* Zeroed, aligned for any type. Never NULL: sizes are bounded before they come here. */
void *arena_alloc(struct arena *arena, size_t size);
char *arena_strdup(struct arena *arena, const char *s);
char *arena_strndup(struct arena *arena, const void *s, size_t len);
void *arena_memdup(struct arena *arena, const void *p, size_t len);
char *arena_printf(struct arena *arena, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Call fn(ptr) when the arena is freed: for what malloc, libpq or jansson own. */
void arena_defer(struct arena *arena, void (*fn)(void *), void *ptr);
/* Run now what was deferred since mark (arena->defers of then); the arena's memory stays. */
void arena_release(struct arena *arena, const struct arena_defer *mark);

/* ---- text: a growing string in an arena, with a limit given at its start ---- */

struct text {
    struct arena *arena;
    char *data; /* always NUL-terminated; "" at first */
    size_t len, cap, max;
    bool overflow; /* something did not fit below max and was left out */
};

void text_init(struct text *text, struct arena *arena, size_t max);
void text_add(struct text *text, const void *data, size_t len);
void text_str(struct text *text, const char *s);
void text_printf(struct text *text, const char *fmt, ...) PRINTF_LIKE(2, 3);
struct bytes text_bytes(const struct text *text);

/* ---- the op ---- */

struct op {
    struct arena arena;
    struct db *db;         /* this thread's connection; NULL where SQL is not allowed */
    int64_t deadline_ms;   /* on the monotonic clock; 0: none */
    atomic_bool cancelled; /* the client left: long work may stop at the next good place */

    /* the reason of failure: for users, lower case, which thing and why */
    enum fault fault;
    const char
        *noun; /* "manifest", "blob", …: picks the code in the dialect's table; may be NULL */
    const char *message; /* in the arena */
    const char *detail;  /* JSON text for the dialect's detail member, or NULL */
    const char *mend;    /* the command that would have let it through (core/trace.h); or NULL */
    int retry_after_s;   /* with TOO_MANY and UNAVAILABLE; 0: the default of 1; -1: not said */
};

void op_init(struct op *op);
void op_free(struct op *op);
/* Record the reason and return the fault, so that "return fail(op, NOT_FOUND, …)" reads well. */
enum fault fail(struct op *op, enum fault fault, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The same, naming what it is about: the noun selects the code ("manifest" → MANIFEST_UNKNOWN). */
enum fault fail_on(struct op *op, const char *noun, enum fault fault, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
void op_clear_fault(struct op *op);
const char *fault_name(enum fault fault);
/* Is it one of the moment, which says nothing of what was asked? */
bool fault_passes(enum fault fault);

/* Monotonic and wall clock. */
int64_t now_ms(void);
int64_t wall_s(void);
int64_t wall_us(void);

#endif
