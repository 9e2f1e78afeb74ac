#include "auth/jwt.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/db.h"
#include "core/json.h"
#include "core/seal.h"

#define KEY_BITS       2048
#define SIGN_SECONDS   (30 * 86400)
#define PUBLISH_DAYS   "60"
#define KEYS_MAX       16
#define TOKEN_MAX      16384
#define LEEWAY_SECONDS 60

enum { KEYS_LOAD, KEY_ADD };
static const struct db_stmt stmts[] = {
    [KEYS_LOAD] = {"SELECT kid, sealed_key, extract(epoch FROM created_at)::bigint AS created"
                   " FROM auth.signing_key"
                   " WHERE created_at > now() - interval '" PUBLISH_DAYS " days'"
                   " ORDER BY created_at DESC LIMIT 16"},
    [KEY_ADD] = {"INSERT INTO auth.signing_key (kid, sealed_key) VALUES ($1, $2)"
                 " ON CONFLICT DO NOTHING"},
    {0},
};

/* ---- keys ---- */

struct key {
    char kid[64];
    EVP_PKEY *pkey;
    char *n, *e; /* base64url, for the JWKS */
    int64_t created_s;
};

static struct {
    pthread_rwlock_t lock;
    struct key keys[KEYS_MAX]; /* the newest first */
    size_t n;
    int64_t looked_ms; /* when an unknown kid last made us look into the database */
} ring = {.lock = PTHREAD_RWLOCK_INITIALIZER};

static void key_clear(struct key *key)
{
    EVP_PKEY_free(key->pkey);
    free(key->n);
    free(key->e);
    memset(key, 0, sizeof(*key));
}

static char *public_number(struct op *op, EVP_PKEY *pkey, const char *name)
{
    BIGNUM *number = NULL;
    uint8_t *raw;
    char *text = NULL;

    if (EVP_PKEY_get_bn_param(pkey, name, &number) == 1) {
        raw = arena_alloc(&op->arena, (size_t)BN_num_bytes(number) + 1);
        text = base64_encode(&op->arena, (struct bytes){raw, (size_t)BN_bn2bin(number, raw)}, true);
    }
    BN_free(number);
    return text;
}

/* A name that follows from the key: the same everywhere, never the same for two. */
static const char *kid_of(struct op *op, EVP_PKEY *pkey)
{
    const char *n = public_number(op, pkey, OSSL_PKEY_PARAM_RSA_N);
    uint8_t digest[32];

    sha256(BYTES(n ? n : ""), digest);
    return base64_encode(&op->arena, (struct bytes){digest, 20}, true);
}

static const char *label_of(struct op *op, const char *kid)
{
    return arena_printf(&op->arena, "auth/signing_key/%s", kid);
}

static _Atomic(EVP_PKEY *) key_ahead; /* the next one, made already; or NULL */

void jwt_make_ahead(void)
{
    atomic_store(&key_ahead, EVP_RSA_gen(KEY_BITS));
}

static enum fault make_key(struct op *op)
{
    EVP_PKEY *made = atomic_exchange(&key_ahead, NULL), *pkey = made ? made : EVP_RSA_gen(KEY_BITS);
    BIO *bio = BIO_new(BIO_s_mem());
    enum fault fault = INTERNAL;
    const char *kid;
    char *pem;
    long len;

    if (pkey && bio && PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) == 1) {
        len = BIO_get_mem_data(bio, &pem);
        kid = kid_of(op, pkey);
        fault = db_query(op, &stmts[KEY_ADD], NULL, DB_TEXT(kid),
                         DB_BYTES(seal(op, label_of(op, kid), (struct bytes){pem, (size_t)len})));
    } else {
        fail(op, INTERNAL, "cannot make a signing key");
    }
    BIO_free(bio);
    EVP_PKEY_free(pkey);
    return fault;
}

static enum fault read_key(struct op *op, const struct db_rows *rows, struct key *ret)
{
    const char *kid = db_text(rows, "kid"), *n, *e;
    int64_t created_s = db_int(rows, "created");
    struct bytes pem;
    EVP_PKEY *pkey;
    BIO *bio;

    TRY(unseal(op, label_of(op, kid), db_bytes(rows, "sealed_key"), &pem));
    bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    n = pkey ? public_number(op, pkey, OSSL_PKEY_PARAM_RSA_N) : NULL;
    e = pkey ? public_number(op, pkey, OSSL_PKEY_PARAM_RSA_E) : NULL;
    if (!n || !e || strlen(kid) >= sizeof(ret->kid)) {
        EVP_PKEY_free(pkey);
        return fail(op, INVALID, "the signing key %s in the database is damaged", kid);
    }
    *ret = (struct key){.pkey = pkey, .n = strdup(n), .e = strdup(e), .created_s = created_s};
    memcpy(ret->kid, kid, strlen(kid) + 1);
    return OK;
}

static enum fault load_keys(struct op *op)
{
    struct key keys[KEYS_MAX] = {0}, old[KEYS_MAX];
    size_t n = 0, n_old;
    enum fault fault = OK;
    struct db_rows rows;

    TRY(db_query(op, &stmts[KEYS_LOAD], &rows));
    while (fault == OK && n < KEYS_MAX && db_next(&rows)) {
        fault = read_key(op, &rows, &keys[n]);
        n += fault == OK;
    }
    if (fault == OK) {
        pthread_rwlock_wrlock(&ring.lock);
        n_old = ring.n;
        memcpy(old, ring.keys, sizeof(old));
        memcpy(ring.keys, keys, sizeof(keys));
        ring.n = n;
        pthread_rwlock_unlock(&ring.lock);
        memcpy(keys, old, sizeof(keys));
        n = n_old;
    }
    for (size_t i = 0; i < n; i++)
        key_clear(&keys[i]);
    return fault;
}

static bool newest_is_fresh(void)
{
    bool fresh;

    pthread_rwlock_rdlock(&ring.lock);
    fresh = ring.n > 0 && wall_s() - ring.keys[0].created_s < SIGN_SECONDS;
    pthread_rwlock_unlock(&ring.lock);
    return fresh;
}

static enum fault ensure_fresh_key(struct op *op)
{
    if (newest_is_fresh())
        return OK;
    TRY(load_keys(op)); /* another serve may have made it already */
    if (newest_is_fresh())
        return OK;
    TRY(make_key(op));
    return load_keys(op);
}

/* kid NULL: the newest. The caller frees. */
static EVP_PKEY *key_by_id(const char *kid, char ret_kid[64])
{
    EVP_PKEY *found = NULL;

    pthread_rwlock_rdlock(&ring.lock);
    for (size_t i = 0; i < ring.n && !found; i++) {
        if (kid && strcmp(ring.keys[i].kid, kid) != 0)
            continue;
        found = ring.keys[i].pkey;
        EVP_PKEY_up_ref(found);
        memcpy(ret_kid, ring.keys[i].kid, sizeof(ring.keys[i].kid));
    }
    pthread_rwlock_unlock(&ring.lock);
    return found;
}

/* A second look at the database, at most once a second: kids can be invented by anybody. */
static EVP_PKEY *key_for_token(struct op *op, const char *kid)
{
    char found[64];
    EVP_PKEY *pkey = key_by_id(kid, found);
    bool look;

    if (pkey || !op->db)
        return pkey;
    pthread_rwlock_wrlock(&ring.lock);
    look = now_ms() - ring.looked_ms > 1000 || ring.looked_ms == 0;
    if (look)
        ring.looked_ms = now_ms();
    pthread_rwlock_unlock(&ring.lock);
    if (!look || load_keys(op) != OK)
        return NULL;
    return key_by_id(kid, found);
}

/* ---- tokens that were verified before ---- */

#define SETS    1024
#define WAYS    4
#define STRIPES 64

struct remembered {
    uint8_t digest[32]; /* of issuer and token */
    jwt_parse_fn parse;
    struct jwt *jwt;
};

static struct remembered memory[SETS][WAYS];
static pthread_mutex_t stripes[STRIPES] = {[0 ... STRIPES - 1] = PTHREAD_MUTEX_INITIALIZER};

static void digest_of(const char *issuer, const char *token, uint8_t digest[32])
{
    uint8_t both[64];

    sha256(BYTES(issuer ? issuer : ""), both);
    sha256(BYTES(token), both + 32);
    sha256((struct bytes){both, sizeof(both)}, digest);
}

static size_t set_of(const uint8_t digest[32])
{
    return ((size_t)digest[0] << 8 | digest[1]) % SETS;
}

void jwt_release(void *arg)
{
    struct jwt *jwt = arg;

    if (!jwt || atomic_fetch_sub(&jwt->refs, 1) != 1)
        return;
    if (jwt->free_parsed)
        jwt->free_parsed(jwt->parsed);
    free(jwt);
}

static struct jwt *recall(const uint8_t digest[32], jwt_parse_fn parse)
{
    size_t set = set_of(digest);
    struct jwt *found = NULL;

    pthread_mutex_lock(&stripes[set % STRIPES]);
    for (size_t i = 0; i < WAYS && !found; i++) {
        const struct remembered *at = &memory[set][i];

        if (at->jwt && at->parse == parse && memcmp(at->digest, digest, 32) == 0 &&
            at->jwt->expires_s > wall_s()) {
            found = at->jwt;
            atomic_fetch_add(&found->refs, 1);
        }
    }
    pthread_mutex_unlock(&stripes[set % STRIPES]);
    return found;
}

static void remember(const uint8_t digest[32], jwt_parse_fn parse, struct jwt *jwt)
{
    size_t set = set_of(digest);
    struct remembered *place = &memory[set][0];
    struct jwt *dropped;

    atomic_fetch_add(&jwt->refs, 1);
    pthread_mutex_lock(&stripes[set % STRIPES]);
    for (size_t i = 0; i < WAYS; i++) {
        struct remembered *at = &memory[set][i];

        if (!at->jwt || (at->parse == parse && memcmp(at->digest, digest, 32) == 0)) {
            place = at;
            break;
        }
        if (at->jwt->expires_s < place->jwt->expires_s) /* who ends first is missed least */
            place = at;
    }
    dropped = place->jwt;
    memcpy(place->digest, digest, 32);
    place->parse = parse;
    place->jwt = jwt;
    pthread_mutex_unlock(&stripes[set % STRIPES]);
    jwt_release(dropped);
}

static void forget_all(void)
{
    for (size_t set = 0; set < SETS; set++) {
        for (size_t i = 0; i < WAYS; i++) {
            jwt_release(memory[set][i].jwt);
            memory[set][i].jwt = NULL;
        }
    }
}

/* ---- start, stop, JWKS ---- */

enum fault jwt_start(struct op *op)
{
    db_register(stmts);
    TRY(load_keys(op));
    return ensure_fresh_key(op);
}

void jwt_stop(void)
{
    pthread_rwlock_wrlock(&ring.lock);
    for (size_t i = 0; i < ring.n; i++)
        key_clear(&ring.keys[i]);
    ring.n = 0;
    ring.looked_ms = 0;
    pthread_rwlock_unlock(&ring.lock);
    forget_all();
    EVP_PKEY_free(atomic_exchange(&key_ahead, NULL));
}

const char *jwt_jwks(struct op *op)
{
    struct text text;

    text_init(&text, &op->arena, 65536);
    text_str(&text, "{\"keys\":[");
    pthread_rwlock_rdlock(&ring.lock);
    for (size_t i = 0; i < ring.n; i++)
        text_printf(&text,
                    "%s{\"kty\":\"RSA\",\"use\":\"sig\",\"alg\":\"RS256\",\"kid\":\"%s\","
                    "\"n\":\"%s\",\"e\":\"%s\"}",
                    i > 0 ? "," : "", ring.keys[i].kid, ring.keys[i].n, ring.keys[i].e);
    pthread_rwlock_unlock(&ring.lock);
    text_str(&text, "]}");
    return text.data;
}

/* ---- signing ---- */

static const char *sign_text(struct op *op, EVP_PKEY *pkey, const char *text)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t signature[KEY_BITS / 8];
    size_t len = sizeof(signature);
    bool done = ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, pkey) == 1 &&
                EVP_DigestSign(ctx, signature, &len, (const uint8_t *)text, strlen(text)) == 1;

    EVP_MD_CTX_free(ctx);
    return done ? base64_encode(&op->arena, (struct bytes){signature, len}, true) : NULL;
}

enum fault jwt_sign(struct op *op, json_t *claims, const char **ret_token)
{
    const char *header, *text, *signature;
    char *payload, kid[64];
    EVP_PKEY *pkey;

    TRY(ensure_fresh_key(op));
    pkey = key_by_id(NULL, kid);
    payload = json_dumps(claims, JSON_COMPACT);
    if (!pkey || !payload) {
        EVP_PKEY_free(pkey);
        free(payload);
        return fail(op, INTERNAL, "a token cannot be made");
    }
    header = arena_printf(&op->arena, "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"%s\"}", kid);
    text = arena_printf(&op->arena, "%s.%s", base64_encode(&op->arena, BYTES(header), true),
                        base64_encode(&op->arena, BYTES(payload), true));
    free(payload);
    signature = sign_text(op, pkey, text);
    EVP_PKEY_free(pkey);
    if (!signature)
        return fail(op, INTERNAL, "a token cannot be signed");
    *ret_token = arena_printf(&op->arena, "%s.%s", text, signature);
    return OK;
}

/* ---- verifying ---- */

static enum fault refuse(struct op *op, const char *why)
{
    return fail(op, UNAUTHENTICATED, "the token %s", why);
}

static enum fault decode_json(struct op *op, const char *text, size_t len, json_t **ret)
{
    struct bytes raw;

    if (!base64_decode(&op->arena, arena_strndup(&op->arena, text, len), true, &raw) ||
        json_parse(op, raw, ret) != OK || !json_is_object(*ret))
        return refuse(op, "is malformed");
    return OK;
}

enum fault jwt_split(struct op *op, const char *token, struct jwt_text *ret)
{
    const char *first = strchr(token, '.'), *second = first ? strchr(first + 1, '.') : NULL;

    if (strlen(token) > TOKEN_MAX)
        return refuse(op, "is too long");
    if (!second || strchr(second + 1, '.'))
        return refuse(op, "is not a JWT");
    TRY(decode_json(op, token, (size_t)(first - token), &ret->header));
    TRY(decode_json(op, first + 1, (size_t)(second - first) - 1, &ret->claims));
    if (!base64_decode(&op->arena, second + 1, true, &ret->signature))
        return refuse(op, "is malformed");
    ret->signed_text = arena_strndup(&op->arena, token, (size_t)(second - token));
    return OK;
}

static const char *string_of(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));

    return value ? value : "";
}

static bool signature_is_good(const struct jwt_text *token, EVP_PKEY *pkey, bool pss)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *how = NULL;
    bool good = ctx && EVP_PKEY_is_a(pkey, "RSA") &&
                EVP_DigestVerifyInit(ctx, &how, EVP_sha256(), NULL, pkey) == 1;

    if (good && pss)
        good = EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(how, RSA_PSS_SALTLEN_DIGEST) == 1;
    good = good &&
           EVP_DigestVerify(ctx, token->signature.data, token->signature.len,
                            (const uint8_t *)token->signed_text, strlen(token->signed_text)) == 1;
    EVP_MD_CTX_free(ctx);
    return good;
}

static enum fault check_header(struct op *op, const struct jwt_text *parts)
{
    const char *typ = string_of(parts->header, "typ");

    if (json_object_get(parts->header, "crit") || (*typ && strcasecmp(typ, "JWT") != 0))
        return refuse(op, "is of another kind");
    return OK;
}

static enum fault check_signature(struct op *op, const struct jwt_text *parts)
{
    EVP_PKEY *pkey;
    bool good;

    /* The algorithm is ours to choose, never the token's: "none" and HS256 end here. */
    if (strcmp(string_of(parts->header, "alg"), "RS256") != 0)
        return refuse(op, "is not signed with RS256");
    TRY(check_header(op, parts));
    pkey = key_for_token(op, string_of(parts->header, "kid"));
    if (!pkey)
        return refuse(op, "is signed with a key we do not know");
    good = signature_is_good(parts, pkey, false);
    EVP_PKEY_free(pkey);
    return good ? OK : refuse(op, "has a wrong signature");
}

/* NumericDate (RFC 7519 2) may have a fraction: MSAL for Python writes one. */
static int64_t seconds_of(const json_t *number)
{
    double value = json_number_value(number);

    return value > 0 && value < 1e15 ? (int64_t)value : 0;
}

static enum fault check_claims(struct op *op, const json_t *claims, const char *issuer)
{
    const json_t *exp = json_object_get(claims, "exp"), *nbf = json_object_get(claims, "nbf");
    int64_t now = wall_s();

    if (seconds_of(exp) <= now)
        return fail_on(op, "ExpiredAuthenticationToken", UNAUTHENTICATED, "the token has expired");
    if (nbf && (!json_is_number(nbf) || json_number_value(nbf) > (double)(now + LEEWAY_SECONDS)))
        return refuse(op, "is not valid yet");
    if (issuer && strcmp(string_of(claims, "iss"), issuer) != 0)
        return refuse(op, "was issued by somebody else");
    return OK;
}

enum fault jwt_verify_with(struct op *op, const struct jwt_text *token, EVP_PKEY *key)
{
    const char *alg = string_of(token->header, "alg");
    bool pss = strcmp(alg, "PS256") == 0;

    if (!pss && strcmp(alg, "RS256") != 0)
        return refuse(op, "is signed with neither RS256 nor PS256");
    TRY(check_header(op, token));
    if (!signature_is_good(token, key, pss))
        return refuse(op, "has a wrong signature");
    return check_claims(op, token->claims, NULL);
}

static enum fault verify_fully(struct op *op, const char *token, const char *issuer,
                               jwt_parse_fn parse, void (*free_parsed)(void *), struct jwt **ret)
{
    struct jwt_text parts;
    struct jwt *jwt;
    void *parsed;

    TRY(jwt_split(op, token, &parts));
    TRY(check_signature(op, &parts));
    TRY(check_claims(op, parts.claims, issuer));
    parsed = parse(parts.claims);
    if (!parsed)
        return refuse(op, "is not for this use");
    jwt = calloc(1, sizeof(*jwt));
    if (!jwt)
        abort();
    atomic_init(&jwt->refs, 1);
    jwt->expires_s = seconds_of(json_object_get(parts.claims, "exp"));
    jwt->parsed = parsed;
    jwt->free_parsed = free_parsed;
    *ret = jwt;
    return OK;
}

enum fault jwt_verify(struct op *op, const char *token, const char *issuer, jwt_parse_fn parse,
                      void (*free_parsed)(void *), bool may_block, struct jwt **ret)
{
    uint8_t digest[32];
    struct jwt *jwt;

    digest_of(issuer, token, digest);
    jwt = recall(digest, parse);
    if (!jwt && !may_block)
        return WOULD_BLOCK;
    if (!jwt) {
        TRY(verify_fully(op, token, issuer, parse, free_parsed, &jwt));
        remember(digest, parse, jwt);
    }
    *ret = jwt;
    return OK;
}
