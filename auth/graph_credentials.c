#include <string.h>
#include <strings.h>

#include "auth/graph_links.h"
#include "auth/guid.h"
#include "auth/trusted_issuer.h"
#include "core/db.h"
#include "core/seal.h"

#define SECRET_LENGTH   40
#define TWO_YEARS       (INT64_C(2) * 365 * 86400)
#define CREDENTIALS_MAX 100
#define FEDERATED_MAX   20 /* of one application, as Entra ID has it */
#define TEXT_MAX        600

/* ---- secrets ---- */

static enum fault check_room(struct op *op, const char *object_id)
{
    struct credential_row *rows;
    size_t n;

    TRY(credential_list(op, object_id, &rows, &n));
    return n < CREDENTIALS_MAX ? OK
                               : fail(op, INVALID, "More than %d credentials.", CREDENTIALS_MAX);
}

static enum fault read_secret(struct call *c, struct credential_row *row)
{
    json_t *body, *given;

    TRY(graph_body(c, &body));
    given = json_object_get(body, "passwordCredential");
    row->name = json_string_value(json_object_get(given, "displayName"));
    if (row->name && strlen(row->name) > 256)
        return fail(&c->op, INVALID, "displayName is too long.");
    TRY(graph_time(&c->op, given, "startDateTime", &row->starts_s));
    TRY(graph_time(&c->op, given, "endDateTime", &row->ends_s));
    if (!row->starts_s)
        row->starts_s = wall_s();
    if (!row->ends_s)
        row->ends_s = row->starts_s + TWO_YEARS;
    if (row->ends_s <= row->starts_s)
        return fail(&c->op, INVALID, "The end date of the credential lies before its start date.");
    return OK;
}

/* The one answer that shows the secret. */
static enum fault reply_secret(struct call *c, const struct credential_row *row, const char *secret)
{
    struct credential_row *rows;
    json_t *value = NULL;
    size_t n;

    TRY(credential_list(&c->op, row->object_id, &rows, &n));
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].id, row->id) == 0)
            value = graph_keep(&c->op, graph_secret(&rows[i]));
    if (value)
        json_object_set_new(value, "secretText", json_string(secret));
    reply_header(c, "Cache-Control", "no-store");
    return graph_reply(c, 200, value);
}

enum fault graph_add_password(struct call *c)
{
    const char *secret = random_password(&c->op, SECRET_LENGTH);
    struct credential_row row = {0};
    struct object_row object;

    TRY(read_secret(c, &row));
    TRY(db_begin(&c->op));
    TRY(graph_path_object(c, true, &object));
    TRY(check_room(&c->op, object.id));
    row.object_id = object.id;
    TRY(secret_add(&c->op, &row, secret));
    TRY(graph_commit(c));
    return reply_secret(c, &row, secret);
}

enum fault graph_remove_password(struct call *c)
{
    struct object_row object;
    const char *id;
    json_t *body;

    TRY(graph_body(c, &body));
    id = json_string_value(json_object_get(body, "keyId"));
    id = id ? guid_lower(&c->op, id) : NULL;
    if (!id)
        return fail(&c->op, INVALID, "keyId must be a GUID.");
    TRY(db_begin(&c->op));
    TRY(graph_path_object(c, true, &object));
    TRY(credential_delete(&c->op, object.id, id));
    TRY(graph_commit(c));
    return reply_empty(c, 204);
}

/* ---- federated ---- */

static enum fault text_of(struct call *c, const json_t *body, const char *name, const char **ret)
{
    const json_t *value = json_object_get(body, name);

    if (!value)
        return OK;
    *ret = json_string_value(value);
    if (!*ret && json_is_null(value))
        return OK;
    if (!*ret || !**ret || strlen(*ret) > TEXT_MAX)
        return fail(&c->op, INVALID, "Invalid value specified for property '%s'.", name);
    return OK;
}

static enum fault read_federated(struct call *c, struct federated_row *row)
{
    const json_t *audiences;
    json_t *body;

    TRY(graph_body(c, &body));
    TRY(text_of(c, body, "name", &row->name));
    TRY(text_of(c, body, "issuer", &row->issuer));
    TRY(text_of(c, body, "subject", &row->subject));
    TRY(text_of(c, body, "description", &row->description));
    audiences = json_object_get(body, "audiences");
    if (audiences &&
        (json_array_size(audiences) != 1 || !json_is_string(json_array_get(audiences, 0)) ||
         json_string_length(json_array_get(audiences, 0)) > TEXT_MAX))
        return fail(&c->op, INVALID, "audiences must hold one text.");
    if (audiences)
        row->audience = json_string_value(json_array_get(audiences, 0));
    if (!row->name || !row->issuer || !row->subject || !row->audience)
        return fail(&c->op, INVALID, "name, issuer, subject and audiences are wanted.");
    if (!trusted_issuer_is_url(row->issuer))
        return fail(&c->op, INVALID, "issuer must be an https URL.");
    return OK;
}

static enum fault find_federated(struct call *c, const char *id_or_name, struct federated_row *ret)
{
    struct federated_row *rows;
    struct object_row object;
    size_t n;

    TRY(graph_path_object(c, false, &object));
    TRY(federated_list(&c->op, object.id, &rows, &n));
    for (size_t i = 0; i < n; i++) {
        if (strcasecmp(rows[i].id, id_or_name) == 0 || strcmp(rows[i].name, id_or_name) == 0) {
            *ret = rows[i];
            return OK;
        }
    }
    return fail_on(&c->op, "object", NOT_FOUND,
                   "Resource '%.100s' does not exist or one of its queried reference-property"
                   " objects are not present.",
                   id_or_name);
}

enum fault graph_federated_all(struct call *c)
{
    json_t *root = graph_keep(&c->op, json_object()), *value = json_array();
    struct federated_row *rows;
    struct object_row object;
    size_t n;

    json_object_set_new(root, "value", value);
    TRY(graph_path_object(c, false, &object));
    TRY(federated_list(&c->op, object.id, &rows, &n));
    for (size_t i = 0; i < n; i++)
        json_array_append_new(value, graph_federated(&rows[i]));
    return graph_reply(c, 200, root);
}

enum fault graph_federated_get(struct call *c)
{
    struct federated_row row;

    TRY(find_federated(c, c->path_args[2], &row));
    return graph_reply(c, 200, graph_keep(&c->op, graph_federated(&row)));
}

enum fault graph_federated_post(struct call *c)
{
    struct federated_row row = {0}, *rows;
    struct object_row object;
    size_t n;

    TRY(read_federated(c, &row));
    TRY(db_begin(&c->op));
    TRY(graph_path_object(c, true, &object));
    TRY(federated_list(&c->op, object.id, &rows, &n));
    if (n >= FEDERATED_MAX)
        return fail(&c->op, INVALID, "More than %d federated identity credentials.", FEDERATED_MAX);
    row.object_id = object.id;
    TRY(federated_put(&c->op, &row));
    TRY(graph_commit(c));
    return graph_reply(c, 201, graph_keep(&c->op, graph_federated(&row)));
}

enum fault graph_federated_patch(struct call *c)
{
    struct federated_row row;
    const char *name;

    TRY(db_begin(&c->op));
    TRY(find_federated(c, c->path_args[2], &row));
    name = row.name;
    TRY(read_federated(c, &row));
    if (strcmp(row.name, name) != 0)
        return fail(&c->op, INVALID, "The name of a federated identity credential cannot change.");
    TRY(federated_put(&c->op, &row));
    TRY(graph_commit(c));
    return reply_empty(c, 204);
}

enum fault graph_federated_delete(struct call *c)
{
    struct object_row object;

    TRY(db_begin(&c->op));
    TRY(graph_path_object(c, true, &object));
    TRY(federated_delete(&c->op, object.id, c->path_args[2]));
    TRY(graph_commit(c));
    return reply_empty(c, 204);
}
