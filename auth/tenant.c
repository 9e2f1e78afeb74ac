#include "auth/tenant.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/directory.h"
#include "auth/entra.h"
#include "auth/guid.h"
#include "auth/object.h"
#include "auth/role.h"
#include "core/admin_file.h"
#include "core/db.h"
#include "core/seal.h"

#define PASSWORD_LENGTH 24
#define SECRET_LENGTH   40
#define FIRST_APP       "sundog-admin"
#define HUNDRED_YEARS   (INT64_C(100) * 365 * 86400)

enum { GET_TENANT, ADD_TENANT };
static const struct db_stmt stmts[] = {
    [GET_TENANT] = {"SELECT id FROM auth.tenant"},
    [ADD_TENANT] = {"INSERT INTO auth.tenant (id) VALUES ($1) ON CONFLICT DO NOTHING"},
    {0},
};

static char tenant_id[37];

const char *entra_tenant(void)
{
    return tenant_id;
}

/* ---- passwords of people ---- */

#define SCRYPT_N    16384
#define SCRYPT_R    8
#define SCRYPT_P    1
#define SCRYPT_SALT 16
#define SCRYPT_HASH 32

static bool scrypt(const char *password, const char *salt, uint64_t n, uint32_t r, uint32_t p,
                   uint8_t out[SCRYPT_HASH])
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "SCRYPT", NULL);
    EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PASSWORD, (void *)password,
                                          strlen(password)),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)salt, strlen(salt)),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
        OSSL_PARAM_construct_end(),
    };
    bool done = ctx && EVP_KDF_derive(ctx, out, SCRYPT_HASH, params) == 1;

    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return done;
}

char *password_hash(struct op *op, const char *password)
{
    const char *salt = random_hex(op, SCRYPT_SALT);
    uint8_t hash[SCRYPT_HASH];

    if (!scrypt(password, salt, SCRYPT_N, SCRYPT_R, SCRYPT_P, hash))
        abort(); /* only a broken library comes here */
    return arena_printf(&op->arena, "scrypt$%d$%d$%d$%s$%s", SCRYPT_N, SCRYPT_R, SCRYPT_P, salt,
                        hex_encode(&op->arena, (struct bytes){hash, sizeof(hash)}));
}

bool password_verify(const char *hash, const char *password)
{
    char salt[2 * SCRYPT_SALT + 1], text[2 * SCRYPT_HASH + 1], good[2 * SCRYPT_HASH + 1];
    unsigned long n;
    unsigned r, p;
    uint8_t computed[SCRYPT_HASH];

    if (sscanf(hash, "scrypt$%lu$%u$%u$%32[0-9a-f]$%64[0-9a-f]", &n, &r, &p, salt, good) != 5 ||
        !scrypt(password, salt, n, r, p, computed))
        return false;
    for (size_t i = 0; i < SCRYPT_HASH; i++)
        snprintf(text + 2 * i, 3, "%02x", computed[i]);
    return equal_constant_time(good, text);
}

/* ---- the first start ---- */

struct first {
    const char *app_id, *secret, *user, *password;
};

static enum fault make_owner(struct op *op, const char *principal_id)
{
    struct role_assignment owner = {
        .scope = "/", .role_id = ROLE_OWNER, .principal_id = principal_id};
    bool created;
    char id[37];

    random_uuid(id);
    owner.id = id;
    return role_assignment_put(op, &owner, NULL, &created);
}

static enum fault make_principals(struct op *op, const struct first *first)
{
    struct object_row app = {
        .kind = OBJECT_APPLICATION, .app_id = first->app_id, .name = FIRST_APP, .enabled = true};
    struct object_row sp = {.kind = OBJECT_SERVICE_PRINCIPAL,
                            .app_id = first->app_id,
                            .name = FIRST_APP,
                            .enabled = true};
    struct object_row user = {
        .kind = OBJECT_USER, .upn = first->user, .name = "Administrator", .enabled = true};
    struct credential_row secret = {.name = "first start", .ends_s = wall_s() + HUNDRED_YEARS};

    user.password_hash = password_hash(op, first->password);
    TRY(object_insert(op, &app));
    TRY(object_insert(op, &sp));
    TRY(object_insert(op, &user));
    secret.object_id = app.id;
    TRY(secret_add(op, &secret, first->secret));
    TRY(make_owner(op, sp.id));
    return make_owner(op, user.id);
}

static enum fault guid_setting(struct op *op, const char *name, const char *value, const char **ret)
{
    char random[37];

    random_uuid(random);
    *ret = guid_lower(op, value ? value : random);
    return *ret ? OK : fail(op, INVALID, "--%s: \"%s\" is not a GUID", name, value);
}

static void tell(const char *tenant, const struct first *first)
{
    admin_file_note("tenantId", tenant);
    admin_file_note("clientId", first->app_id);
    admin_file_note("clientSecret", first->secret);
    admin_file_note("userName", first->user);
    admin_file_note("userPassword", first->password);
}

/* All in one transaction: a first start that is cut off leaves nothing and is made again. */
static enum fault make_tenant(struct op *op, const struct settings *s)
{
    struct first first = {.user = s->user_name};
    struct db_rows rows;
    const char *id;

    first.password = s->user_password ? s->user_password : random_password(op, PASSWORD_LENGTH);
    first.secret = s->client_secret ? s->client_secret : random_password(op, SECRET_LENGTH);
    TRY(guid_setting(op, "tenant-id", s->tenant_id, &id));
    TRY(guid_setting(op, "client-id", s->client_id, &first.app_id));
    TRY(db_begin(op));
    TRY(db_query(op, &stmts[ADD_TENANT], &rows, DB_TEXT(id)));
    if (rows.affected) {
        TRY(make_principals(op, &first));
        tell(id, &first);
    }
    return db_commit(op);
}

enum fault tenant_start(struct op *op, const struct settings *settings)
{
    struct db_rows rows;

    db_register(stmts);
    TRY(db_query(op, &stmts[GET_TENANT], &rows));
    if (!db_next(&rows)) {
        TRY(make_tenant(op, settings));
        TRY(db_query(op, &stmts[GET_TENANT], &rows));
        if (!db_next(&rows))
            return fail(op, INTERNAL, "the tenant is gone as soon as it was made");
    }
    snprintf(tenant_id, sizeof(tenant_id), "%s", db_text(&rows, "id"));
    admin_file_note("tenantId", tenant_id);
    return OK;
}
