/*
 * Reading a request and filling in a reply. Everything here works on memory only, so any thread
 * that holds the call may use it.
 */
#include "core/call.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/json.h"
#include "core/range.h"
#include "core/seal.h"
#include "core/uri.h"

static const char *const method_names[METHOD_COUNT] = {
    [GET] = "GET",     [HEAD] = "HEAD",     [POST] = "POST",       [PUT] = "PUT",
    [PATCH] = "PATCH", [DELETE] = "DELETE", [OPTIONS] = "OPTIONS",
};

const char *method_name(enum method method)
{
    return method && method < METHOD_COUNT ? method_names[method] : "?";
}

enum method method_parse(const char *name, size_t len)
{
    for (enum method m = GET; m < METHOD_COUNT; m++)
        if (strlen(method_names[m]) == len && memcmp(method_names[m], name, len) == 0)
            return m;
    return 0;
}

const char *call_header(const struct call *c, const char *name)
{
    for (size_t i = 0; i < c->n_headers; i++)
        if (strcmp(c->headers[i].name, name) == 0)
            return c->headers[i].value;
    return NULL;
}

const char *call_query(struct call *c, const char *name, size_t nth)
{
    return uri_parameter(&c->op.arena, BYTES(c->query), name, nth);
}

const char *call_form(struct call *c, const char *name, size_t nth)
{
    return uri_parameter(&c->op.arena, c->body, name, nth);
}

/* ---- replies ---- */

void reply_header(struct call *c, const char *name, const char *fmt, ...)
{
    struct reply *r = &c->reply;
    char buf[2048];
    va_list ap;
    int len;

    va_start(ap, fmt);
    len = vsnprintf(buf, sizeof(buf), fmt, ap);
    va_end(ap);
    if (r->n_headers == REPLY_HEADERS_MAX || len < 0)
        return;
    if ((size_t)len >= sizeof(buf))
        len = sizeof(buf) - 1;
    for (int i = 0; i < len; i++) /* what users name must not start a header of its own */
        if (iscntrl((unsigned char)buf[i]))
            buf[i] = ' ';
    r->headers[r->n_headers++] =
        (struct header){.name = name, .value = arena_strndup(&c->op.arena, buf, (size_t)len)};
}

enum fault reply_empty(struct call *c, int status)
{
    c->reply.status = status;
    c->reply.content_length = 0;
    return OK;
}

enum fault reply_bytes(struct call *c, int status, const char *content_type, struct bytes body)
{
    c->reply.status = status;
    c->reply.content_length = (int64_t)body.len;
    c->reply.n_parts = 0;
    if (body.len)
        c->reply.parts[c->reply.n_parts++] = (struct part){.bytes = body};
    if (content_type)
        reply_header(c, "Content-Type", "%s", content_type);
    return OK;
}

static void add_file_part(struct reply *r, struct range range)
{
    r->parts[r->n_parts++] =
        (struct part){.offset = range.first, .length = range.last - range.first + 1};
    r->content_length += range.last - range.first + 1;
}

static void add_text_part(struct reply *r, const char *text)
{
    r->parts[r->n_parts++] = (struct part){.bytes = BYTES(text)};
    r->content_length += (int64_t)strlen(text);
}

/* RFC 9110 14.6: multipart/byteranges. */
static void reply_ranges(struct call *c, const char *content_type, int64_t size,
                         const struct range *ranges, size_t n)
{
    struct reply *r = &c->reply;
    const char *boundary = random_hex(&c->op, 12);

    for (size_t i = 0; i < n; i++) {
        add_text_part(r, arena_printf(&c->op.arena,
                                      "\r\n--%s\r\nContent-Type: %s\r\n"
                                      "Content-Range: bytes %lld-%lld/%lld\r\n\r\n",
                                      boundary, content_type, (long long)ranges[i].first,
                                      (long long)ranges[i].last, (long long)size));
        add_file_part(r, ranges[i]);
    }
    add_text_part(r, arena_printf(&c->op.arena, "\r\n--%s--\r\n", boundary));
    reply_header(c, "Content-Type", "multipart/byteranges; boundary=%s", boundary);
}

enum fault reply_file(struct call *c, const char *content_type, int fd, int64_t size)
{
    struct range ranges[RANGES_MAX];
    struct reply *r = &c->reply;
    size_t n = 0;

    r->fd = fd;
    r->n_parts = 0;
    r->content_length = 0;
    reply_header(c, "Accept-Ranges", "bytes");
    if (range_parse(call_header(c, "range"), size, ranges, &n) != OK) {
        reply_header(c, "Content-Range", "bytes */%lld", (long long)size);
        return fail(&c->op, RANGE, "the range lies outside the %lld bytes there are",
                    (long long)size);
    }
    r->status = n ? 206 : 200;
    if (n > 1) {
        reply_ranges(c, content_type, size, ranges, n);
        return OK;
    }
    if (n == 1)
        reply_header(c, "Content-Range", "bytes %lld-%lld/%lld", (long long)ranges[0].first,
                     (long long)ranges[0].last, (long long)size);
    reply_header(c, "Content-Type", "%s", content_type);
    if (size > 0)
        add_file_part(r, n ? ranges[0] : (struct range){0, size - 1});
    return OK;
}

void reply_reset(struct call *c)
{
    if (c->reply.fd >= 0)
        close(c->reply.fd);
    c->reply = (struct reply){.fd = -1};
}

/* ---- JSON ---- */

enum fault call_json(struct call *c, const struct json_field *table, void *ret_struct)
{
    json_t *object;

    TRY(json_parse(&c->op, c->body, &object));
    return json_read(&c->op, table, object, ret_struct);
}

enum fault reply_json(struct call *c, int status, const struct json_field *table,
                      const void *object)
{
    struct text out;

    text_init(&out, &c->op.arena, (size_t)64 << 20);
    json_write(&out, table, object);
    return reply_bytes(c, status, "application/json; charset=utf-8", text_bytes(&out));
}
