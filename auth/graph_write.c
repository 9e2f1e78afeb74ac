#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "auth/graph.h"
#include "auth/guid.h"
#include "auth/tenant.h"
#include "core/db.h"
#include "core/json.h"
#include "core/seal.h"

#define DOCUMENT_MAX    131072
#define NAME_LENGTH_MAX 256
#define CREDENTIALS_MAX 50
#define KEY_BITS_MIN    2048
#define PASSWORD_MIN    8

enum fault graph_body(struct call *c, json_t **ret)
{
    TRY(json_parse(&c->op, c->body, ret));
    if (!json_is_object(*ret))
        return fail(&c->op, INVALID, "The request body must be a JSON object.");
    return OK;
}

enum fault graph_commit(struct call *c)
{
    TRY(db_commit(&c->op));
    return directory_reload(&c->op);
}

/* ---- members of objects ---- */

#define APP   (1u << OBJECT_APPLICATION)
#define SP    (1u << OBJECT_SERVICE_PRINCIPAL)
#define USER  (1u << OBJECT_USER)
#define GROUP (1u << OBJECT_GROUP)

/* Kept and shown; those acted upon are named in docs/auth.md. '{' object, '[' list, 's', 'b'. */
static const struct {
    const char *name;
    unsigned kinds;
    char type;
} members[] = {
    {"identifierUris",             APP,              '['},
    {"signInAudience",             APP | SP,         's'},
    {"isFallbackPublicClient",     APP,              'b'},
    {"isDeviceOnlyAuthSupported",  APP,              'b'},
    {"publicClient",               APP,              '{'},
    {"web",                        APP,              '{'},
    {"spa",                        APP,              '{'},
    {"api",                        APP,              '{'},
    {"info",                       APP,              '{'},
    {"appRoles",                   APP | SP,         '['},
    {"requiredResourceAccess",     APP,              '['},
    {"optionalClaims",             APP,              '{'},
    {"groupMembershipClaims",      APP,              's'},
    {"tags",                       APP | SP,         '['},
    {"notes",                      APP | SP,         's'},
    {"description",                APP | SP | GROUP, 's'},
    {"serviceManagementReference", APP,              's'},
    {"alternativeNames",           SP,               '['},
    {"appRoleAssignmentRequired",  SP,               'b'},
    {"homepage",                   SP,               's'},
    {"loginUrl",                   SP,               's'},
    {"logoutUrl",                  SP,               's'},
    {"replyUrls",                  SP,               '['},
    {"notificationEmailAddresses", SP,               '['},
    {"preferredSingleSignOnMode",  SP,               's'},
    {"businessPhones",             USER,             '['},
    {"givenName",                  USER,             's'},
    {"jobTitle",                   USER,             's'},
    {"mail",                       USER,             's'},
    {"mailNickname",               USER | GROUP,     's'},
    {"mobilePhone",                USER,             's'},
    {"officeLocation",             USER,             's'},
    {"preferredLanguage",          USER,             's'},
    {"surname",                    USER,             's'},
    {"usageLocation",              USER,             's'},
    {"department",                 USER,             's'},
    {"userType",                   USER,             's'},
    {"mailEnabled",                GROUP,            'b'},
    {"securityEnabled",            GROUP,            'b'},
    {"groupTypes",                 GROUP,            '['},
    {"visibility",                 GROUP,            's'},
};

static bool is_of_type(const json_t *value, char type)
{
    return json_is_null(value) || (type == 's' && json_is_string(value)) ||
           (type == 'b' && json_is_boolean(value)) || (type == '{' && json_is_object(value)) ||
           (type == '[' && json_is_array(value));
}

static enum fault bad(struct op *op, const char *name)
{
    return fail(op, INVALID, "Invalid value specified for property '%.100s' of resource.", name);
}

static enum fault text_member(struct op *op, const json_t *value, const char *name, size_t min,
                              const char **ret)
{
    const char *text = json_string_value(value);

    if (!text || strlen(text) < min || strlen(text) > NAME_LENGTH_MAX)
        return bad(op, name);
    *ret = text;
    return OK;
}

static enum fault check_upn(struct op *op, const char *upn)
{
    const char *at = strchr(upn, '@');

    if (!at || at == upn || !at[1] || strchr(at + 1, '@') || strpbrk(upn, " \t\"<>/\\"))
        return bad(op, "userPrincipalName");
    return OK;
}

static enum fault set_password(struct op *op, const json_t *profile, struct object_row *row)
{
    const char *password = json_string_value(json_object_get(profile, "password"));

    if (json_is_true(json_object_get(profile, "forceChangePasswordNextSignIn")))
        return fail(op, UNSUPPORTED,
                    "forceChangePasswordNextSignIn is not supported: give the final password.");
    if (!password)
        return OK;
    if (strlen(password) < PASSWORD_MIN || strlen(password) > NAME_LENGTH_MAX)
        return fail(op, INVALID,
                    "The specified password does not comply with password complexity requirements:"
                    " %d to %d bytes.",
                    PASSWORD_MIN, NAME_LENGTH_MAX);
    row->password_hash = password_hash(op, password);
    return OK;
}

/* Members that are columns or rows of their own. *ret_known: it was one of them. */
static enum fault apply_special(struct op *op, const char *name, const json_t *value,
                                struct object_row *row, bool *ret_known)
{
    bool user = row->kind == OBJECT_USER;
    bool program = row->kind == OBJECT_APPLICATION || row->kind == OBJECT_SERVICE_PRINCIPAL;

    *ret_known = true;
    if (strcmp(name, "displayName") == 0)
        return text_member(op, value, name, 1, &row->name);
    if (strcmp(name, "userPrincipalName") == 0 && user) {
        TRY(text_member(op, value, name, 3, &row->upn));
        return check_upn(op, row->upn);
    }
    if (strcmp(name, "passwordProfile") == 0 && user)
        return set_password(op, value, row);
    if (strcmp(name, "accountEnabled") == 0 && (user || row->kind == OBJECT_SERVICE_PRINCIPAL)) {
        if (!json_is_boolean(value))
            return bad(op, name);
        row->enabled = json_is_true(value);
        return OK;
    }
    if (strcmp(name, "keyCredentials") == 0 && program)
        return json_is_array(value) ? OK : bad(op, name); /* graph_certificates */
    if (strcmp(name, "passwordCredentials") == 0 && program)
        return json_array_size(value) == 0 && json_is_array(value)
                   ? OK
                   : fail(op, INVALID,
                          "New password credentials must be generated with addPassword.");
    *ret_known =
        strcmp(name, "appId") == 0 || strncmp(name, "@odata.", 7) == 0 || strcmp(name, "id") == 0;
    return OK;
}

static enum fault apply_member(struct op *op, const char *name, json_t *value,
                               struct object_row *row, json_t *document)
{
    bool known;

    TRY(apply_special(op, name, value, row, &known));
    if (known)
        return OK;
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        if (strcmp(members[i].name, name) != 0 || !(members[i].kinds & 1u << row->kind))
            continue;
        if (!is_of_type(value, members[i].type))
            return bad(op, name);
        if (json_is_null(value))
            json_object_del(document, name);
        else
            json_object_set(document, name, value);
        return OK;
    }
    return fail(op, INVALID, "Invalid property '%.100s'.", name);
}

/* Complex members are changed one by one, as Graph does: {"web":{"homePageUrl":…}} keeps the rest.
 */
static void merge_objects(json_t *document, const json_t *before)
{
    const char *name;
    json_t *value;

    json_object_foreach(document, name, value)
    {
        json_t *old = json_object_get(before, name);

        if (json_is_object(value) && json_is_object(old)) {
            json_t *merged = json_copy(old);

            json_object_update(merged, value);
            json_object_set_new(document, name, merged);
        }
    }
}

enum fault graph_apply(struct op *op, const json_t *body, struct object_row *row)
{
    json_t *before, *document, *value;
    const char *name;
    char *text;

    TRY(json_parse(op, BYTES(row->document ? row->document : "{}"), &before));
    document = graph_keep(op, json_copy(before));
    json_object_foreach((json_t *)body, name, value)
        TRY(apply_member(op, name, value, row, document));
    merge_objects(document, before);
    text = json_dumps(document, JSON_COMPACT);
    arena_defer(&op->arena, free, text);
    if (strlen(text) > DOCUMENT_MAX)
        return fail(op, INVALID, "The object is larger than %d bytes.", DOCUMENT_MAX);
    row->document = text;
    return OK;
}

/* ---- times ---- */

enum fault graph_time(struct op *op, const json_t *object, const char *name, int64_t *ret_s)
{
    const char *text = json_string_value(json_object_get(object, name)), *zone;
    struct tm tm = {0};
    int n = 0, hours = 0, minutes = 0;
    char sign;

    *ret_s = 0;
    if (!text)
        return OK;
    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
               &tm.tm_min, &tm.tm_sec, &n) != 6 ||
        tm.tm_year < 1970 || tm.tm_year > 9999)
        return bad(op, name);
    tm.tm_year -= 1900;
    tm.tm_mon--;
    zone = text + n;
    if (*zone == '.')
        zone += 1 + strspn(zone + 1, "0123456789");
    if (sscanf(zone, "%c%2d:%2d", &sign, &hours, &minutes) == 3 && (sign == '+' || sign == '-'))
        minutes = (hours * 60 + minutes) * (sign == '+' ? -1 : 1);
    else if (*zone && strcasecmp(zone, "Z") != 0)
        return bad(op, name);
    *ret_s = (int64_t)timegm(&tm) + (int64_t)minutes * 60;
    return OK;
}

/* ---- certificates ---- */

static char *public_pem(struct op *op, X509 *certificate)
{
    BIO *bio = BIO_new(BIO_s_mem());
    EVP_PKEY *key = X509_get0_pubkey(certificate);
    char *data, *pem = NULL;
    long len;

    if (bio && key && EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) >= KEY_BITS_MIN &&
        PEM_write_bio_PUBKEY(bio, key) == 1) {
        len = BIO_get_mem_data(bio, &data);
        pem = arena_strndup(&op->arena, data, (size_t)len);
    }
    BIO_free(bio);
    return pem;
}

static char *thumbprint_of(struct op *op, X509 *certificate)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    char *hex;

    X509_digest(certificate, EVP_sha1(), digest, &n);
    hex = hex_encode(&op->arena, (struct bytes){digest, n});
    for (char *p = hex; *p; p++)
        if (*p >= 'a')
            *p = (char)(*p - 'a' + 'A');
    return hex;
}

static int64_t seconds_of(const ASN1_TIME *time)
{
    struct tm tm = {0};

    return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

/* Without the line ends of PEM. */
static const char *joined(struct op *op, const char *text)
{
    char *out = arena_alloc(&op->arena, strlen(text) + 1), *p = out;

    for (; *text; text++)
        if (*text != '\n' && *text != '\r' && *text != ' ')
            *p++ = *text;
    return out;
}

/* Graph takes the DER form in base64; az sends the middle of its PEM. */
static enum fault read_certificate(struct op *op, const json_t *given, struct credential_row *row)
{
    const char *text = json_string_value(json_object_get(given, "key"));
    const uint8_t *at;
    struct bytes der;
    X509 *certificate;

    if (!text || strlen(text) > 16384 || !base64_decode(&op->arena, joined(op, text), false, &der))
        return fail(op, INVALID, "Key credential: key must be a certificate in base64.");
    at = der.data;
    certificate = d2i_X509(NULL, &at, (long)der.len);
    if (certificate) {
        row->public_key = public_pem(op, certificate);
        row->thumbprint = thumbprint_of(op, certificate);
        row->starts_s = seconds_of(X509_get0_notBefore(certificate));
        row->ends_s = seconds_of(X509_get0_notAfter(certificate));
    }
    X509_free(certificate);
    if (!row->public_key)
        return fail(op, INVALID,
                    "Key credential: a certificate of an RSA key of at least %d bits"
                    " is wanted.",
                    KEY_BITS_MIN);
    return OK;
}

static enum fault add_certificate(struct op *op, const char *object_id, const json_t *given)
{
    struct credential_row row = {.object_id = object_id};
    int64_t starts_s, ends_s;

    row.name = json_string_value(json_object_get(given, "displayName"));
    if (json_string_value(json_object_get(given, "keyId")))
        row.id = guid_lower(op, json_string_value(json_object_get(given, "keyId")));
    TRY(read_certificate(op, given, &row));
    TRY(graph_time(op, given, "startDateTime", &starts_s));
    TRY(graph_time(op, given, "endDateTime", &ends_s));
    if (starts_s > row.starts_s)
        row.starts_s = starts_s;
    if (ends_s && ends_s < row.ends_s)
        row.ends_s = ends_s;
    return certificate_add(op, &row);
}

static bool names_key(const json_t *list, const char *id)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        const char *key = json_string_value(json_object_get(one, "keyId"));

        if (key && strcasecmp(key, id) == 0 && !json_is_string(json_object_get(one, "key")))
            return true;
    }
    return false;
}

/* Those named by keyId without a key stay, those with a key are new, all others go. */
enum fault graph_certificates(struct op *op, const char *object_id, const json_t *list)
{
    struct credential_row *rows;
    size_t n;

    if (!list)
        return OK;
    if (json_array_size(list) > CREDENTIALS_MAX)
        return fail(op, INVALID, "More than %d key credentials.", CREDENTIALS_MAX);
    TRY(credential_list(op, object_id, &rows, &n));
    for (size_t i = 0; i < n; i++)
        if (rows[i].kind == CREDENTIAL_CERTIFICATE && !names_key(list, rows[i].id))
            TRY(credential_delete(op, object_id, rows[i].id));
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_is_string(json_object_get(json_array_get(list, i), "key")))
            TRY(add_certificate(op, object_id, json_array_get(list, i)));
    return OK;
}
