/*
 * JSON tables (GUIDE §5): one `static const struct json_field x_json[]` reads requests, writes
 * replies and documents. Parsing is strict: depth ≤ 64, no duplicate keys, no trailing bytes,
 * UTF-8.
 */
#ifndef SUNDOG_CORE_JSON_H
#define SUNDOG_CORE_JSON_H

#include <jansson.h>

#include "core/op.h"

#define JSON_DEPTH_LIMIT 64

enum json_kind { JK_END, JK_TEXT, JK_INT, JK_BOOL, JK_OBJECT, JK_LIST, JK_TEXTS, JK_RAW };
enum json_flag {
    REQUIRED = 1,  /* reading: absent is INVALID */
    READ_ONLY = 2, /* reading: ignored */
    OMIT_NULL = 4, /* writing: a NULL text, empty list or NULL object pointer is left out */
    PRESENCE = 8,  /* reading a BOOL or INT: the member after it (bool) says whether it was there */
};
struct json_field {
    enum json_kind kind;
    const char *name;
    size_t offset;    /* of the member in the struct */
    int64_t min, max; /* TEXT: bytes; INT: value */
    unsigned flags;
    const struct json_field *table; /* OBJECT, LIST: of the struct within */
    size_t size;                    /* LIST: of one struct */
    size_t count_offset;            /* LIST, TEXTS: of the size_t that counts */
    size_t has_offset;              /* PRESENCE */
};
/* TEXT member: const char *. INT: int64_t. BOOL: bool. OBJECT: struct embedded. LIST: struct
   pointer + size_t. TEXTS: const char ** + size_t. RAW: const char * of JSON text, written
   verbatim. */
#define TEXT(s, m, json, lo, hi, fl)                                                               \
    {                                                                                              \
        JK_TEXT, json, offsetof(struct s, m), lo, hi, fl, NULL, 0, 0, 0                            \
    }
#define INT(s, m, json, lo, hi, fl)                                                                \
    {                                                                                              \
        JK_INT, json, offsetof(struct s, m), lo, hi, fl, NULL, 0, 0, 0                             \
    }
#define BOOL(s, m, json, fl)                                                                       \
    {                                                                                              \
        JK_BOOL, json, offsetof(struct s, m), 0, 1, fl, NULL, 0, 0, 0                              \
    }
#define BOOL_IF(s, m, has, json, fl)                                                               \
    {                                                                                              \
        JK_BOOL, json, offsetof(struct s, m), 0, 1, (fl) | PRESENCE, NULL, 0, 0,                   \
            offsetof(struct s, has)                                                                \
    }
#define OBJECT(s, m, json, tab, fl)                                                                \
    {                                                                                              \
        JK_OBJECT, json, offsetof(struct s, m), 0, 0, fl, tab, 0, 0, 0                             \
    }
#define LIST(s, m, n, json, tab, item, fl)                                                         \
    {                                                                                              \
        JK_LIST, json, offsetof(struct s, m), 0, 0, fl, tab, sizeof(struct item),                  \
            offsetof(struct s, n), 0                                                               \
    }
#define TEXTS(s, m, n, json, fl)                                                                   \
    {                                                                                              \
        JK_TEXTS, json, offsetof(struct s, m), 0, 0, fl, NULL, 0, offsetof(struct s, n), 0         \
    }
#define RAW(s, m, json, fl)                                                                        \
    {                                                                                              \
        JK_RAW, json, offsetof(struct s, m), 0, 0, fl, NULL, 0, 0, 0                               \
    }

/* Strict parse; the value is released with the arena. INVALID says where and what. */
enum fault json_parse(struct op *op, struct bytes text, json_t **ret_value);
/* Read an object into a zeroed struct by its table; unknown members are INVALID. */
enum fault json_read(struct op *op, const struct json_field *table, json_t *object,
                     void *ret_struct);
/* Write a struct by its table, compact, no spaces. */
void json_write(struct text *out, const struct json_field *table, const void *object);
/* The text of a member; "" when it has none, or is none. */
const char *json_text(const json_t *object, const char *name);
/* A string as JSON, with its quotes. Invalid UTF-8 becomes U+FFFD. */
void json_quote(struct text *out, const char *s);
/* What programs printed, as a database and JSON take it: NUL and invalid UTF-8 become U+FFFD. */
void utf8_clean(struct text *out, struct bytes in);

struct call;
/* The request's body by a table; and a reply by a table. */
enum fault call_json(struct call *c, const struct json_field *table, void *ret_struct);
enum fault reply_json(struct call *c, int status, const struct json_field *table,
                      const void *object);

#endif
