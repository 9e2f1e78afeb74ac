#include "auth/trusted_issuer.h"

#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/fetch.h"
#include "core/json.h"
#include "core/seal.h"

#define ISSUERS_MAX 32
#define KEYS_MAX    32
#define KEEP_MS     3600000
#define LOOK_MS     60000
#define TIMEOUT_MS  8000
#define ANSWER_MAX  ((size_t)256 << 10)

struct issuer {
    char *name;
    int64_t fetched_ms;
    struct {
        char *kid;
        EVP_PKEY *key;
    } keys[KEYS_MAX];
    size_t n;
};

static struct issuer issuers[ISSUERS_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

bool trusted_issuer_is_url(const char *issuer)
{
    static const char *const loopback[] = {"http://localhost", "http://127.0.0.1", "http://[::1]"};

    if (strlen(issuer) > 600 || strpbrk(issuer, "?# @\\"))
        return false;
    if (strncmp(issuer, "https://", 8) == 0)
        return issuer[8] && issuer[8] != '/';
    for (size_t i = 0; i < ARRAY_LEN(loopback); i++) {
        size_t len = strlen(loopback[i]);

        if (strncmp(issuer, loopback[i], len) == 0 && strchr(":/", issuer[len]))
            return true;
    }
    return false;
}

/* ---- the cache; under the lock ---- */

static void issuer_clear(struct issuer *at)
{
    for (size_t i = 0; i < at->n; i++) {
        free(at->keys[i].kid);
        EVP_PKEY_free(at->keys[i].key);
    }
    free(at->name);
    memset(at, 0, sizeof(*at));
}

static struct issuer *issuer_find(const char *name)
{
    for (size_t i = 0; i < ISSUERS_MAX; i++)
        if (issuers[i].name && strcmp(issuers[i].name, name) == 0)
            return &issuers[i];
    return NULL;
}

/* A free place, or the one fetched longest ago. */
static struct issuer *issuer_place(const char *name)
{
    struct issuer *place = issuer_find(name);

    for (size_t i = 0; !place && i < ISSUERS_MAX; i++)
        if (!issuers[i].name)
            place = &issuers[i];
    for (size_t i = 0; !place && i < ISSUERS_MAX; i++)
        if (!place || issuers[i].fetched_ms < place->fetched_ms)
            place = &issuers[i];
    return place;
}

static EVP_PKEY *find_key(const struct issuer *at, const char *kid)
{
    for (size_t i = 0; i < at->n; i++) {
        if (strcmp(at->keys[i].kid, kid) == 0) {
            EVP_PKEY_up_ref(at->keys[i].key);
            return at->keys[i].key;
        }
    }
    return NULL;
}

/* OK with *ret NULL: it was looked for lately, and there is no such key. */
static enum fault recall(const char *issuer, const char *kid, EVP_PKEY **ret)
{
    enum fault fault = WOULD_BLOCK;
    struct issuer *at;

    pthread_mutex_lock(&lock);
    at = issuer_find(issuer);
    if (at && now_ms() - at->fetched_ms < KEEP_MS) {
        *ret = find_key(at, kid);
        if (*ret || now_ms() - at->fetched_ms < LOOK_MS)
            fault = OK;
    }
    pthread_mutex_unlock(&lock);
    return fault;
}

/* ---- reading a JWKS ---- */

static BIGNUM *number(struct op *op, const json_t *jwk, const char *name)
{
    const char *text = json_string_value(json_object_get(jwk, name));
    struct bytes raw;

    if (!text || !base64_decode(&op->arena, text, true, &raw) || raw.len > 1024)
        return NULL;
    return BN_bin2bn(raw.data, (int)raw.len, NULL);
}

static EVP_PKEY *make_key(const BIGNUM *n, const BIGNUM *e)
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    OSSL_PARAM *params = NULL;
    EVP_PKEY *key = NULL;

    if (build && ctx && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        params = OSSL_PARAM_BLD_to_param(build);
    if (params && (EVP_PKEY_fromdata_init(ctx) != 1 ||
                   EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1))
        key = NULL;
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static void add_key(struct op *op, struct issuer *at, const json_t *jwk)
{
    const char *kty = json_string_value(json_object_get(jwk, "kty"));
    const char *kid = json_string_value(json_object_get(jwk, "kid"));
    BIGNUM *n, *e;
    EVP_PKEY *key;

    if (at->n == KEYS_MAX || !kty || strcmp(kty, "RSA") != 0)
        return;
    n = number(op, jwk, "n");
    e = number(op, jwk, "e");
    key = n && e && BN_num_bits(n) >= 2048 ? make_key(n, e) : NULL;
    BN_free(n);
    BN_free(e);
    if (!key)
        return;
    at->keys[at->n].kid = strdup(kid ? kid : "");
    at->keys[at->n++].key = key;
}

static enum fault fetch_json(struct op *op, const char *url, json_t **ret)
{
    struct fetch ask = {
        .url = url, .timeout_ms = TIMEOUT_MS, .redirects_max = 3, .answer_max = ANSWER_MAX};
    struct fetched answer;

    TRY(fetch(op, &ask, &answer));
    if (answer.status != 200)
        return fail(op, UNAVAILABLE, "%.300s answers %d", url, answer.status);
    if (json_parse(op, answer.body, ret) != OK || !json_is_object(*ret))
        return fail(op, UNAVAILABLE, "%.300s answers no JSON object", url);
    return OK;
}

static enum fault fetch_keys(struct op *op, const char *issuer, json_t **ret_keys)
{
    size_t len = strlen(issuer);
    const char *says, *jwks_uri;
    json_t *root;

    while (len > 0 && issuer[len - 1] == '/')
        len--;
    TRY(fetch_json(
        op, arena_printf(&op->arena, "%.*s/.well-known/openid-configuration", (int)len, issuer),
        &root));
    says = json_string_value(json_object_get(root, "issuer"));
    jwks_uri = json_string_value(json_object_get(root, "jwks_uri"));
    if (!says || strcmp(says, issuer) != 0)
        return fail(op, UNAVAILABLE, "the configuration of %.300s names another issuer", issuer);
    if (!jwks_uri || !trusted_issuer_is_url(jwks_uri))
        return fail(op, UNAVAILABLE, "the configuration of %.300s has no usable jwks_uri", issuer);
    TRY(fetch_json(op, jwks_uri, &root));
    *ret_keys = json_object_get(root, "keys");
    return OK;
}

static enum fault refresh(struct op *op, const char *issuer)
{
    struct issuer *at, fresh = {0};
    json_t *keys = NULL;

    TRY(fetch_keys(op, issuer, &keys));
    for (size_t i = 0; i < json_array_size(keys); i++)
        add_key(op, &fresh, json_array_get(keys, i));
    fresh.name = strdup(issuer);
    fresh.fetched_ms = now_ms();
    pthread_mutex_lock(&lock);
    at = issuer_place(issuer);
    issuer_clear(at);
    *at = fresh;
    pthread_mutex_unlock(&lock);
    return OK;
}

enum fault trusted_issuer_key(struct op *op, const char *issuer, const char *kid, bool may_block,
                              EVP_PKEY **ret)
{
    EVP_PKEY *key = NULL;
    enum fault fault = recall(issuer, kid, &key);

    if (fault == WOULD_BLOCK && may_block) {
        TRY(refresh(op, issuer));
        fault = recall(issuer, kid, &key);
    }
    if (fault != OK)
        return fault;
    if (!key)
        return fail(op, NOT_FOUND, "%.300s publishes no RSA key \"%.100s\"", issuer, kid);
    *ret = key;
    return OK;
}

void trusted_issuer_stop(void)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < ISSUERS_MAX; i++)
        issuer_clear(&issuers[i]);
    pthread_mutex_unlock(&lock);
}
