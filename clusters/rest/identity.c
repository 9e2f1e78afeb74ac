/*
 * Service account tokens (ES256 JWTs of the cluster's own key) and certificates. A token is good
 * while its account, and the pod or secret it is bound to, are there with the same uid; what is
 * remembered is only that its signature was good.
 */
#include "clusters/rest/identity.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "auth/entra.h"
#include "auth/jwt.h"
#include "clusters/rest/entra_groups.h"
#include "clusters/rest/rest_internal.h"
#include "core/seal.h"

#define CACHE_SLOTS     256
#define LIFETIME_MIN    600
#define LIFETIME_MAX    ((int64_t)1 << 32)
#define LIFETIME        3600
#define LEGACY_ISSUER   "kubernetes/serviceaccount"
#define ACCOUNT_TYPE    "kubernetes.io/service-account-token"
#define SIGNATURE_BYTES 64

/* What a token's claims say; texts in an arena. */
struct facts {
    const char *issuer, *ns, *account, *account_uid, *bound_kind, *bound_name, *bound_uid, *jti;
    const char *const *audiences;    /* NULL-terminated */
    int64_t expires_s, not_before_s; /* expires 0: never (tokens in secrets) */
};

struct token_cache {
    pthread_mutex_t lock;
    struct remembered {
        uint8_t digest[32];
        bool used;
        struct arena arena;
        struct facts facts;
    } slots[CACHE_SLOTS];
};

struct token_cache *token_cache_new(void)
{
    struct token_cache *cache = calloc(1, sizeof(*cache));

    if (!cache)
        abort();
    pthread_mutex_init(&cache->lock, NULL);
    return cache;
}

void token_cache_free(struct token_cache *cache)
{
    if (!cache)
        return;
    for (size_t i = 0; i < CACHE_SLOTS; i++)
        if (cache->slots[i].used)
            arena_free(&cache->slots[i].arena);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

static const char *copy(struct arena *arena, const char *text)
{
    return text ? arena_strdup(arena, text) : NULL;
}

static struct facts facts_copy(struct arena *arena, const struct facts *f)
{
    struct facts made = *f;
    const char **audiences;
    size_t n = 0;

    while (f->audiences[n])
        n++;
    audiences = arena_alloc(arena, (n + 1) * sizeof(*audiences));
    for (size_t i = 0; i < n; i++)
        audiences[i] = arena_strdup(arena, f->audiences[i]);
    made.audiences = audiences;
    made.issuer = copy(arena, f->issuer);
    made.ns = copy(arena, f->ns);
    made.account = copy(arena, f->account);
    made.account_uid = copy(arena, f->account_uid);
    made.bound_kind = copy(arena, f->bound_kind);
    made.bound_name = copy(arena, f->bound_name);
    made.bound_uid = copy(arena, f->bound_uid);
    made.jti = copy(arena, f->jti);
    return made;
}

static bool recall(struct op *op, struct token_cache *cache, const uint8_t digest[32],
                   struct facts *ret)
{
    struct remembered *slot = &cache->slots[digest[0] % CACHE_SLOTS];
    bool found;

    pthread_mutex_lock(&cache->lock);
    found = slot->used && memcmp(slot->digest, digest, 32) == 0;
    if (found)
        *ret = facts_copy(&op->arena, &slot->facts);
    pthread_mutex_unlock(&cache->lock);
    return found;
}

static void remember(struct token_cache *cache, const uint8_t digest[32], const struct facts *facts)
{
    struct remembered *slot = &cache->slots[digest[0] % CACHE_SLOTS];

    pthread_mutex_lock(&cache->lock);
    if (slot->used)
        arena_free(&slot->arena);
    arena_init(&slot->arena);
    slot->used = true;
    memcpy(slot->digest, digest, 32);
    slot->facts = facts_copy(&slot->arena, facts);
    pthread_mutex_unlock(&cache->lock);
}

/* ---- ES256: JOSE has r ‖ s, OpenSSL a DER sequence of both ---- */

static enum fault sign(struct op *op, EVP_PKEY *key, const char *text, struct bytes *ret)
{
    uint8_t der[128], *raw = arena_alloc(&op->arena, SIGNATURE_BYTES);
    const uint8_t *at_der = der;
    size_t len = sizeof(der);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    ECDSA_SIG *sig = NULL;
    bool good = ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
                EVP_DigestSign(ctx, der, &len, (const uint8_t *)text, strlen(text)) == 1;

    EVP_MD_CTX_free(ctx);
    if (good)
        sig = d2i_ECDSA_SIG(NULL, &at_der, (long)len);
    good = sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, 32) == 32 &&
           BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + 32, 32) == 32;
    ECDSA_SIG_free(sig);
    if (!good)
        return fail(op, INTERNAL, "the token cannot be signed");
    *ret = (struct bytes){raw, SIGNATURE_BYTES};
    return OK;
}

static bool signature_is_good(EVP_PKEY *key, const char *text, struct bytes raw)
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r, *s;
    uint8_t *der = NULL;
    int len = 0;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = false;

    if (sig && ctx && raw.len == SIGNATURE_BYTES) {
        r = BN_bin2bn(raw.data, 32, NULL);
        s = BN_bin2bn((const uint8_t *)raw.data + 32, 32, NULL);
        if (ECDSA_SIG_set0(sig, r, s) == 1)
            len = i2d_ECDSA_SIG(sig, &der);
        good = len > 0 && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
               EVP_DigestVerify(ctx, der, (size_t)len, (const uint8_t *)text, strlen(text)) == 1;
    }
    OPENSSL_free(der);
    ECDSA_SIG_free(sig);
    EVP_MD_CTX_free(ctx);
    return good;
}

static enum fault make_token(struct op *op, struct cluster *cluster, json_t *claims,
                             const char **ret)
{
    json_t *header = json_pack("{s:s, s:s}", "alg", "ES256", "kid", cluster->token_key_id);
    struct bytes head = object_encode(op, header), body = object_encode(op, claims), signature;
    const char *text = arena_printf(&op->arena, "%s.%s", base64_encode(&op->arena, head, true),
                                    base64_encode(&op->arena, body, true));

    json_decref(header);
    json_decref(claims);
    TRY(sign(op, cluster->token_key, text, &signature));
    *ret = arena_printf(&op->arena, "%s.%s", text, base64_encode(&op->arena, signature, true));
    return OK;
}

/* ---- reading claims ---- */

static const char *claim(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static const char *const *audiences_of(struct op *op, const json_t *aud)
{
    size_t n = json_is_string(aud) ? 1 : json_array_size(aud), used = 0;
    const char **list = arena_alloc(&op->arena, (n + 1) * sizeof(*list));

    for (size_t i = 0; i < n; i++) {
        const char *text = json_string_value(json_is_string(aud) ? aud : json_array_get(aud, i));

        if (text)
            list[used++] = text;
    }
    return list;
}

static void read_bound(const json_t *ours, struct facts *f)
{
    static const struct {
        const char *claim, *kind;
    } kinds[] = {
        {"pod",    "Pod"   },
        {"secret", "Secret"},
        {"node",   "Node"  }
    };

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        const json_t *row = json_object_get(ours, kinds[i].claim);

        if (!row)
            continue;
        f->bound_kind = kinds[i].kind;
        f->bound_name = claim(row, "name");
        f->bound_uid = claim(row, "uid");
        return;
    }
}

static struct facts facts_of(struct op *op, const json_t *claims)
{
    const json_t *ours = json_object_get(claims, "kubernetes.io");
    struct facts f = {.issuer = claim(claims, "iss"),
                      .jti = claim(claims, "jti"),
                      .audiences = audiences_of(op, json_object_get(claims, "aud")),
                      .expires_s = json_integer_value(json_object_get(claims, "exp")),
                      .not_before_s = json_integer_value(json_object_get(claims, "nbf"))};

    if (f.issuer && strcmp(f.issuer, LEGACY_ISSUER) == 0) {
        f.ns = claim(claims, "kubernetes.io/serviceaccount/namespace");
        f.account = claim(claims, "kubernetes.io/serviceaccount/service-account.name");
        f.account_uid = claim(claims, "kubernetes.io/serviceaccount/service-account.uid");
        f.bound_kind = "Secret";
        f.bound_name = claim(claims, "kubernetes.io/serviceaccount/secret.name");
        return f;
    }
    f.ns = claim(ours, "namespace");
    f.account = claim(json_object_get(ours, "serviceaccount"), "name");
    f.account_uid = claim(json_object_get(ours, "serviceaccount"), "uid");
    read_bound(ours, &f);
    return f;
}

static enum fault refused(struct op *op)
{
    return status_fail(op, UNAUTHENTICATED, "Unauthorized", NULL, "Unauthorized");
}

static enum fault verify(struct op *op, struct cluster *cluster, const char *token,
                         struct facts *ret)
{
    struct token_cache *cache = cluster->rest->tokens;
    struct jwt_text text;
    uint8_t digest[32];

    sha256(BYTES(token), digest);
    if (recall(op, cache, digest, ret))
        return OK;
    if (jwt_split(op, token, &text) != OK)
        return refused(op);
    if (strcmp(text_at_or(text.header, "alg", ""), "ES256") != 0 ||
        strcmp(text_at_or(text.header, "kid", ""), cluster->token_key_id) != 0 ||
        !signature_is_good(cluster->token_key, text.signed_text, text.signature))
        return refused(op);
    *ret = facts_of(op, text.claims);
    if (!ret->ns || !ret->account || !ret->account_uid || !ret->issuer)
        return refused(op);
    remember(cache, digest, ret);
    return OK;
}

static bool for_us(const struct cluster *cluster, const struct facts *f, const char *audience)
{
    if (!*f->audiences) /* tokens in secrets */
        return !audience || strcmp(audience, cluster->issuer) == 0;
    for (const char *const *a = f->audiences; *a; a++)
        if (strcmp(*a, audience ? audience : cluster->issuer) == 0)
            return true;
    return false;
}

static bool is_there(struct op *op, struct cluster *cluster, const struct resource *r,
                     const char *ns, const char *name, const char *uid)
{
    struct object *object = name ? store_latest(op, cluster->store, r, ns, name) : NULL;

    return object && (!uid || strcmp(object->uid, uid) == 0);
}

static bool is_alive(struct op *op, struct cluster *cluster, const struct facts *f)
{
    if (!is_there(op, cluster, known.service_accounts, f->ns, f->account, f->account_uid))
        return false;
    if (!f->bound_kind)
        return true;
    if (strcmp(f->bound_kind, "Node") == 0)
        return is_there(op, cluster, known.nodes, "", f->bound_name, f->bound_uid);
    return is_there(op, cluster, strcmp(f->bound_kind, "Pod") == 0 ? known.pods : known.secrets,
                    f->ns, f->bound_name, f->bound_uid);
}

static void describe_account(struct op *op, const struct facts *f, struct user_info *ret)
{
    const char **groups = arena_alloc(&op->arena, 4 * sizeof(*groups));

    ret->actor.name = arena_printf(&op->arena, "system:serviceaccount:%s:%s", f->ns, f->account);
    ret->actor.uid = f->account_uid;
    groups[0] = "system:serviceaccounts";
    groups[1] = arena_printf(&op->arena, "system:serviceaccounts:%s", f->ns);
    groups[2] = "system:authenticated";
    ret->actor.groups = groups;
    ret->extra = json_object();
    arena_defer(&op->arena, (void (*)(void *))json_decref, ret->extra);
    if (f->jti)
        json_object_set_new(ret->extra, "authentication.kubernetes.io/credential-id",
                            json_pack("[o]", json_sprintf("JTI=%s", f->jti)));
    if (f->bound_kind && strcmp(f->bound_kind, "Pod") == 0 && f->bound_name && f->bound_uid) {
        json_object_set_new(ret->extra, "authentication.kubernetes.io/pod-name",
                            json_pack("[s]", f->bound_name));
        json_object_set_new(ret->extra, "authentication.kubernetes.io/pod-uid",
                            json_pack("[s]", f->bound_uid));
    }
}

/* ---- Entra ---- */

static bool is_ours(const char *token)
{
    /* {"alg":"ES256" in base64url: Entra's are RS256 */
    return strncmp(token, "eyJhbGciOiJFUzI1NiIs", 20) == 0;
}

struct user_info identity_of_principal(struct op *op, const struct identity *who)
{
    return (struct user_info){
        .actor = {.name = who->object_id,
                  .uid = who->object_id,
                  .groups = entra_groups(op, who->object_id)}
    };
}

static enum fault of_entra(struct op *op, const char *token, struct user_info *ret)
{
    const struct identity *who = NULL;
    enum fault fault = entra_verify(op, token, AUDIENCE_KUBERNETES, op->db != NULL, &who);

    if (fault == WOULD_BLOCK || fault == UNAVAILABLE)
        return fault;
    if (fault != OK)
        return refused(op);
    *ret = identity_of_principal(op, who);
    return OK;
}

/* A Secret that was made anew under its name has another token. */
static bool is_secrets_token(struct op *op, struct cluster *cluster, const struct facts *f,
                             const char *token)
{
    struct object *secret = store_latest(op, cluster->store, known.secrets, f->ns, f->bound_name);
    const json_t *data = secret ? json_object_get(object_tree(secret), "data") : NULL;
    const char *kept = json_string_value(json_object_get(data, "token"));

    return kept && strcmp(kept, base64_encode(&op->arena, BYTES(token), false)) == 0;
}

/* ---- the contract ---- */

enum fault identity_of_token(struct op *op, struct cluster *cluster, const char *token,
                             const char *audience, struct user_info *ret)
{
    struct user_info info = {0};
    struct facts f = {0};
    int64_t now = wall_s();

    known_find();
    if (!is_ours(token)) {
        if (audience && strcmp(audience, cluster->issuer) != 0)
            return refused(op); /* it is for Kubernetes, not for whom a review asks */
        TRY(of_entra(op, token, &info));
        *ret = info;
        return OK;
    }
    TRY(verify(op, cluster, token, &f));
    if ((f.expires_s && now >= f.expires_s) || now + 60 < f.not_before_s ||
        !for_us(cluster, &f, audience) || !is_alive(op, cluster, &f))
        return refused(op);
    if (strcmp(f.issuer, LEGACY_ISSUER) == 0) {
        if (!is_secrets_token(op, cluster, &f, token))
            return refused(op);
    } else if (strcmp(f.issuer, cluster->issuer) != 0) {
        return refused(op);
    }
    describe_account(op, &f, &info);
    *ret = info;
    return OK;
}

enum fault identity_of_certificate(struct op *op, struct cluster *cluster, const char *common_name,
                                   const char *const *organizations, struct user_info *ret)
{
    size_t n = 0;
    const char **groups;

    /* the cluster's authority signs nobody but local accounts (kubeconfig.c) */
    if (atomic_load(&cluster->no_local_accounts))
        return refused(op);
    while (organizations && organizations[n])
        n++;
    groups = arena_alloc(&op->arena, (n + 2) * sizeof(*groups));
    for (size_t i = 0; i < n; i++)
        groups[i] = organizations[i];
    groups[n] = "system:authenticated";
    *ret = (struct user_info){
        .actor = {.name = common_name, .groups = groups}
    };
    return OK;
}

static json_t *bound_claims(const struct token_request *r, const struct object *account)
{
    json_t *ours = json_pack("{s:s, s:{s:s, s:s}}", "namespace", r->ns, "serviceaccount", "name",
                             account->name, "uid", account->uid);

    if (r->bound_kind)
        json_object_set_new(ours,
                            strcmp(r->bound_kind, "Pod") == 0      ? "pod"
                            : strcmp(r->bound_kind, "Secret") == 0 ? "secret"
                                                                   : "node",
                            json_pack("{s:s, s:s}", "name", r->bound_name, "uid", r->bound_uid));
    return ours;
}

/* A bound token's object must be there; its uid is filled in. */
static enum fault check_bound(struct op *op, struct cluster *cluster, struct token_request *r)
{
    const struct resource *kind;
    struct object *object;

    if (!r->bound_kind)
        return OK;
    kind = strcmp(r->bound_kind, "Pod") == 0      ? known.pods
           : strcmp(r->bound_kind, "Secret") == 0 ? known.secrets
           : strcmp(r->bound_kind, "Node") == 0   ? known.nodes
                                                  : NULL;
    if (!kind)
        return bad_request(op, "cannot bind token for serviceaccount \"%s\" to object of kind %s",
                           r->service_account, r->bound_kind);
    object = store_latest(op, cluster->store, kind, kind->namespaced ? r->ns : "", r->bound_name);
    if (!object)
        return not_found(op, kind, r->bound_name);
    if (r->bound_uid && *r->bound_uid && strcmp(r->bound_uid, object->uid) != 0)
        return conflict(op, kind, r->bound_name,
                        arena_printf(&op->arena,
                                     "the UID in the bound object reference (%s) does not match "
                                     "the UID in record. The object might have been deleted and "
                                     "then recreated",
                                     r->bound_uid));
    if (kind == known.pods && strcmp(text_at_or(object_tree(object), "spec.serviceAccountName", ""),
                                     r->service_account) != 0)
        return bad_request(op,
                           "cannot bind token for serviceaccount \"%s\" to pod running with "
                           "different serviceaccount name.",
                           r->service_account);
    r->bound_uid = object->uid;
    return OK;
}

enum fault identity_issue(struct op *op, struct cluster *cluster,
                          const struct token_request *request, const char **ret_token,
                          int64_t *ret_expires_s)
{
    struct token_request r = *request;
    int64_t now = wall_s(), lifetime = r.lifetime_s ? r.lifetime_s : LIFETIME;
    struct object *account;
    json_t *audiences = json_array(), *claims;
    char jti[37];

    arena_defer(&op->arena, (void (*)(void *))json_decref, audiences);
    known_find();
    account = store_latest(op, cluster->store, known.service_accounts, r.ns, r.service_account);
    if (!account)
        return not_found(op, known.service_accounts, r.service_account);
    if (lifetime < LIFETIME_MIN || lifetime > LIFETIME_MAX)
        return status_fail(op, INVALID, "Invalid", NULL,
                           "TokenRequest.authentication.k8s.io \"%s\" is invalid: "
                           "spec.expirationSeconds: Invalid value: %lld: %s",
                           r.service_account, (long long)lifetime,
                           lifetime < LIFETIME_MIN
                               ? "may not specify a duration less than 10 minutes"
                               : "may not specify a duration larger than 2^32 seconds");
    TRY(check_bound(op, cluster, &r));
    for (size_t i = 0; r.audiences && r.audiences[i]; i++)
        json_array_append_new(audiences, json_string(r.audiences[i]));
    if (!json_array_size(audiences))
        json_array_append_new(audiences, json_string(cluster->issuer));
    random_uuid(jti);
    claims =
        json_pack("{s:O, s:I, s:I, s:s, s:s, s:o, s:I, s:o}", "aud", audiences, "exp",
                  (json_int_t)(now + lifetime), "iat", (json_int_t)now, "iss", cluster->issuer,
                  "jti", jti, "kubernetes.io", bound_claims(&r, account), "nbf", (json_int_t)now,
                  "sub", json_sprintf("system:serviceaccount:%s:%s", r.ns, r.service_account));
    TRY(make_token(op, cluster, claims, ret_token));
    *ret_expires_s = now + lifetime;
    return OK;
}

/* ---- tokens in secrets ---- */

static void set_data(struct op *op, json_t *secret, const char *key, const char *plain)
{
    json_object_set_new(object_at(secret, "data"), key,
                        json_string(base64_encode(&op->arena, BYTES(plain), false)));
}

enum fault fill_account_secret(struct admission *a)
{
    const char *name = annotation_of(a->tree, "kubernetes.io/service-account.name"), *token;
    struct op *op = a->op;
    struct cluster *cluster = a->r->cluster;
    struct object *account;
    json_t *claims;

    if (!name || json_object_get(json_object_get(a->tree, "data"), "token"))
        return OK;
    account = store_latest(op, cluster->store, known.service_accounts, a->r->ns, name);
    if (!account)
        return OK; /* validation and the tokens controller have their say */
    claims = json_pack("{s:s, s:s, s:s, s:s, s:s, s:o}", "iss", LEGACY_ISSUER,
                       "kubernetes.io/serviceaccount/namespace", a->r->ns,
                       "kubernetes.io/serviceaccount/secret.name", a->r->name,
                       "kubernetes.io/serviceaccount/service-account.name", name,
                       "kubernetes.io/serviceaccount/service-account.uid", account->uid, "sub",
                       json_sprintf("system:serviceaccount:%s:%s", a->r->ns, name));
    TRY(make_token(op, cluster, claims, &token));
    json_object_set_new(object_at(a->tree, "metadata.annotations"),
                        "kubernetes.io/service-account.uid", json_string(account->uid));
    set_data(op, a->tree, "token", token);
    set_data(op, a->tree, "ca.crt", cluster->ca_pem);
    set_data(op, a->tree, "namespace", a->r->ns);
    return OK;
}

/* ---- discovery ---- */

enum fault identity_discovery(struct op *op, struct cluster *cluster, json_t **ret)
{
    *ret = json_pack("{s:s, s:o, s:[s], s:[s], s:[s]}", "issuer", cluster->issuer, "jwks_uri",
                     json_sprintf("%s/openid/v1/jwks", cluster->issuer), "response_types_supported",
                     "id_token", "subject_types_supported", "public",
                     "id_token_signing_alg_values_supported", "ES256");
    arena_defer(&op->arena, (void (*)(void *))json_decref, *ret);
    return OK;
}

static const char *coordinate(struct op *op, EVP_PKEY *key, const char *name)
{
    BIGNUM *value = NULL;
    uint8_t bytes[32] = {0};

    if (EVP_PKEY_get_bn_param(key, name, &value) != 1)
        return "";
    BN_bn2binpad(value, bytes, 32);
    BN_free(value);
    return base64_encode(&op->arena, (struct bytes){bytes, 32}, true);
}

enum fault identity_jwks(struct op *op, struct cluster *cluster, json_t **ret)
{
    *ret = json_pack("{s:[{s:s, s:s, s:s, s:s, s:s, s:s, s:s}]}", "keys", "use", "sig", "kty", "EC",
                     "kid", cluster->token_key_id, "crv", "P-256", "alg", "ES256", "x",
                     coordinate(op, cluster->token_key, OSSL_PKEY_PARAM_EC_PUB_X), "y",
                     coordinate(op, cluster->token_key, OSSL_PKEY_PARAM_EC_PUB_Y));
    arena_defer(&op->arena, (void (*)(void *))json_decref, *ret);
    return OK;
}
