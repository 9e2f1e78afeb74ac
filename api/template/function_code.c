/* Hashes, GUIDs and encodings. */
#include <openssl/evp.h>
#include <string.h>

#include "api/template/function.h"
#include "api/template/lenient.h"
#include "api/template/limits.h"
#include "core/seal.h"
#include "core/uri.h"

/* All arguments with "-" between, as both hashes take them. */
static enum fault joined(const struct arguments *a, const char **ret)
{
    const char *text;
    struct text out;

    text_init(&out, &a->s->op->arena, EXPRESSION_TEXT_MAX);
    for (size_t i = 0; i < a->n && !out.overflow; i++) {
        if (json_is_array(a->v[i]) || json_is_object(a->v[i]))
            return wrong_arg(a, i, "String");
        TRY(as_text(a, a->v[i], &text));
        text_printf(&out, "%s%s", i ? "-" : "", text);
    }
    if (out.overflow)
        return function_fail(a, "is given a text that is too long.");
    *ret = out.data;
    return OK;
}

/* ---- uniqueString: MurmurHash3's mixing over two lanes of 32 bits, as Azure's ---- */

#define MURMUR_1 0x239b961bU
#define MURMUR_2 0xab0e9789U

static uint32_t rotate(uint32_t x, int n)
{
    return x << n | x >> (32 - n);
}

/* Up to four bytes, little-endian. */
static uint32_t word(const uint8_t *p, size_t n)
{
    uint32_t x = 0;

    for (size_t i = 0; i < n && i < 4; i++)
        x |= (uint32_t)p[i] << 8 * i;
    return x;
}

static uint32_t lane_1(uint32_t k)
{
    return rotate(k * MURMUR_1, 15) * MURMUR_2;
}

static uint32_t lane_2(uint32_t k)
{
    return rotate(k * MURMUR_2, 17) * MURMUR_1;
}

static uint32_t avalanche(uint32_t h)
{
    h = (h ^ h >> 16) * 0x85ebca6bU;
    h = (h ^ h >> 13) * 0xc2b2ae35U;
    return h ^ h >> 16;
}

static uint64_t murmur(const uint8_t *p, size_t len)
{
    uint32_t h1 = 0, h2 = 0;
    size_t left = len;

    for (; left >= 8; p += 8, left -= 8) {
        h1 = (rotate(h1 ^ lane_1(word(p, 4)), 19) + h2) * 5 + 0x561ccd1bU;
        h2 = (rotate(h2 ^ lane_2(word(p + 4, 4)), 13) + h1) * 5 + 0x0bcaa747U;
    }
    if (left)
        h1 ^= lane_1(word(p, left));
    if (left > 4)
        h2 ^= lane_2(word(p + 4, left - 4));
    h1 ^= (uint32_t)len;
    h2 ^= (uint32_t)len;
    h1 += h2;
    h2 += h1;
    h1 = avalanche(h1);
    h2 = avalanche(h2);
    h1 += h2;
    h2 += h1;
    return (uint64_t)h2 << 32 | h1;
}

FUNCTION(f_unique_string)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
    const char *text;
    char out[14] = "";
    uint64_t hash;

    TRY(joined(a, &text));
    hash = murmur((const uint8_t *)text, strlen(text));
    for (int i = 0; i < 13; i++, hash <<= 5)
        out[i] = alphabet[hash >> 59];
    return give_text(a, out, ret);
}

/* ---- GUIDs ---- */

/* RFC 4122 §4.3, version 5, in Azure's namespace for templates. */
static const uint8_t namespace[16] = {0x11, 0xfb, 0x06, 0xfb, 0x71, 0x2d, 0x4d, 0xdd,
                                      0x98, 0xc7, 0xe7, 0x1b, 0xbd, 0x58, 0x88, 0x30};

FUNCTION(f_guid)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    const char *text, *hex;
    struct text input;

    TRY(joined(a, &text));
    text_init(&input, &a->s->op->arena, EXPRESSION_TEXT_MAX + sizeof(namespace));
    text_add(&input, namespace, sizeof(namespace));
    text_str(&input, text);
    if (!EVP_Digest(input.data, input.len, digest, NULL, EVP_sha1(), NULL))
        return fail(a->s->op, INTERNAL, "SHA-1 is not to be had");
    digest[6] = (uint8_t)((digest[6] & 0x0f) | 0x50);
    digest[8] = (uint8_t)((digest[8] & 0x3f) | 0x80);
    hex = hex_encode(&a->s->op->arena, (struct bytes){digest, 16});
    return give_text(a,
                     arena_printf(&a->s->op->arena, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8,
                                  hex + 12, hex + 16, hex + 20),
                     ret);
}

FUNCTION(f_new_guid)
{
    char uuid[37];

    if (!a->s->is_default)
        return function_fail(a, "is only allowed in the default value of a parameter.");
    random_uuid(uuid);
    return give_text(a, uuid, ret);
}

/* ---- encodings ---- */

FUNCTION(f_base64)
{
    const char *text;

    TRY(text_arg(a, 0, &text));
    return give_text(a, base64_encode(&a->s->op->arena, BYTES(text), false), ret);
}

static enum fault decoded(const struct arguments *a, const char *text, const char **ret)
{
    struct bytes bytes;

    if (!base64_decode(&a->s->op->arena, text, false, &bytes) || memchr(bytes.data, 0, bytes.len))
        return function_fail(a, "is given a text that is not valid base64 of a text.");
    *ret = arena_strndup(&a->s->op->arena, bytes.data, bytes.len);
    return OK;
}

FUNCTION(f_base64_to_string)
{
    const char *text;

    TRY(text_arg(a, 0, &text));
    TRY(decoded(a, text, &text));
    return give_text(a, text, ret);
}

static enum fault parsed(const struct arguments *a, const char *text, json_t **ret)
{
    TRY(spend(a->s, strlen(text) / 2)); /* what may be in it */
    if (lenient_parse(a->s->op, BYTES(text), ret) != OK)
        return function_fail(a, "is given a text that is not valid JSON.");
    return OK;
}

FUNCTION(f_base64_to_json)
{
    const char *text;

    TRY(text_arg(a, 0, &text));
    TRY(decoded(a, text, &text));
    return parsed(a, text, ret);
}

FUNCTION(f_json)
{
    const char *text;

    TRY(text_arg(a, 0, &text));
    return parsed(a, text, ret);
}

/* RFC 3986 §5.3 for what templates use: base up to its last slash, or an absolute path. */
FUNCTION(f_uri)
{
    const char *base, *relative, *authority, *slash;
    size_t kept;

    TRY(text_arg(a, 0, &base));
    TRY(text_arg(a, 1, &relative));
    authority = strstr(base, "://");
    if (!authority)
        return function_fail(a, "needs an absolute base URI.");
    if (strstr(relative, "://"))
        return give_text(a, relative, ret);
    slash = *relative == '/' ? strchr(authority + 3, '/') : strrchr(authority + 3, '/');
    kept = slash ? (size_t)(slash - base) : strlen(base);
    return give_text(
        a,
        arena_printf(&a->s->op->arena, "%.*s/%s", (int)kept, base, relative + (*relative == '/')),
        ret);
}

FUNCTION(f_uri_component)
{
    const char *text;

    TRY(text_arg(a, 0, &text));
    return give_text(a, uri_encode(&a->s->op->arena, text, ""), ret);
}

FUNCTION(f_uri_component_to_string)
{
    const char *text, *plain;

    TRY(text_arg(a, 0, &text));
    plain = uri_decode(&a->s->op->arena, BYTES(text), false);
    return plain ? give_text(a, plain, ret)
                 : function_fail(a, "is given a text that is not well encoded.");
}

FUNCTION(f_data_uri)
{
    const char *text;

    TRY(text_arg(a, 0, &text));
    text = base64_encode(&a->s->op->arena, BYTES(text), false);
    return give_text(
        a, arena_printf(&a->s->op->arena, "data:text/plain;charset=utf8;base64,%s", text), ret);
}

FUNCTION(f_data_uri_to_string)
{
    const char *text, *comma;

    TRY(text_arg(a, 0, &text));
    comma = strchr(text, ',');
    if (strncmp(text, "data:", 5) != 0 || !comma)
        return function_fail(a, "is given a text that is no data URI.");
    if (comma - text >= 7 && strncmp(comma - 7, ";base64", 7) == 0) {
        TRY(decoded(a, comma + 1, &text));
        return give_text(a, text, ret);
    }
    text = uri_decode(&a->s->op->arena, BYTES(comma + 1), false);
    return text ? give_text(a, text, ret)
                : function_fail(a, "is given a text that is not well encoded.");
}
