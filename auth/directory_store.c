/* The whole directory out of the database: rows, sorted, then tied together. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auth/directory.h"
#include "auth/role_store.h"
#include "core/db.h"
#include "core/json.h"

#define NESTING_MAX 16 /* of groups in groups */

enum { OBJECTS, CREDENTIALS, FEDERATED, MEMBERS, ASSIGNMENTS };
static const struct db_stmt stmts[] = {
    [OBJECTS] = {"SELECT id, kind, app_id, name, upn, enabled, sessions, document"
                 " FROM auth.object ORDER BY id COLLATE \"C\""},
    [CREDENTIALS] = {"SELECT object_id, kind, hash, public_key, thumbprint,"
                     " auth.s(starts_at) AS starts, auth.s(ends_at) AS ends"
                     " FROM auth.credential ORDER BY object_id COLLATE \"C\", id"},
    [FEDERATED] = {"SELECT object_id, issuer, subject, audience"
                   " FROM auth.federated ORDER BY object_id COLLATE \"C\", id"},
    [MEMBERS] = {"SELECT from_id, to_id FROM auth.link WHERE kind = 'member'"
                 " ORDER BY to_id COLLATE \"C\", from_id"},
    [ASSIGNMENTS] = {"SELECT scope_key, role_id, principal_id, condition"
                     " FROM auth.role_assignment ORDER BY principal_id COLLATE \"C\", id"},
    {0},
};

void directory_store_start(void)
{
    db_register(stmts);
}

static void *alloc_for(struct op *op, const struct db_rows *rows, size_t size)
{
    return arena_alloc(&op->arena, ((size_t)PQntuples(rows->result) + 1) * size);
}

/* ---- objects ---- */

static enum object_kind kind_of(const char *name)
{
    for (enum object_kind kind = OBJECT_APPLICATION; kind <= OBJECT_GROUP; kind++)
        if (strcmp(object_kind_name(kind), name) == 0)
            return kind;
    return OBJECT_GROUP;
}

static const char **add_texts(struct op *op, const json_t *list, const char *const *texts,
                              size_t *n)
{
    const char **longer =
        arena_alloc(&op->arena, (*n + json_array_size(list) + 1) * sizeof(*longer));

    for (size_t i = 0; i < *n; i++)
        longer[i] = texts[i];
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));

        if (text)
            longer[(*n)++] = arena_strdup(&op->arena, text);
    }
    return longer;
}

static enum fault read_document(struct op *op, struct object *o, const char *text)
{
    static const char *const places[] = {"publicClient", "web", "spa"};
    const char *type;
    json_t *document;

    if (o->kind == OBJECT_USER || o->kind == OBJECT_GROUP)
        return OK;
    TRY(json_parse(op, BYTES(text), &document));
    type = json_string_value(json_object_get(document, "servicePrincipalType"));
    o->managed_identity = type && strcmp(type, "ManagedIdentity") == 0;
    if (o->kind != OBJECT_APPLICATION)
        return OK;
    o->fallback_public = json_is_true(json_object_get(document, "isFallbackPublicClient"));
    o->identifiers =
        add_texts(op, json_object_get(document, "identifierUris"), NULL, &o->n_identifiers);
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        o->redirects =
            add_texts(op, json_object_get(json_object_get(document, places[i]), "redirectUris"),
                      o->redirects, &o->n_redirects);
    return OK;
}

static enum fault load_objects(struct op *op, struct directory *d)
{
    struct db_rows rows;

    TRY(db_query(op, &stmts[OBJECTS], &rows));
    d->objects = alloc_for(op, &rows, sizeof(*d->objects));
    while (db_next(&rows)) {
        struct object *o = &d->objects[d->n++];

        *o = (struct object){
            .id = db_text(&rows, "id"),
            .kind = kind_of(db_text(&rows, "kind")),
            .app_id = db_text(&rows, "app_id"),
            .name = db_text(&rows, "name"),
            .upn = db_text(&rows, "upn"),
            .enabled = db_bool(&rows, "enabled"),
            .sessions = db_int(&rows, "sessions"),
        };
        TRY(read_document(op, o, db_text(&rows, "document")));
    }
    return OK;
}

static int by_app_id(const void *a, const void *b)
{
    const struct object *const *x = a, *const *y = b;

    return strcasecmp((*x)->app_id, (*y)->app_id);
}

static int by_upn(const void *a, const void *b)
{
    const struct object *const *x = a, *const *y = b;

    return strcasecmp((*x)->upn, (*y)->upn);
}

static size_t collect(const struct directory *d, enum object_kind kind, const struct object **out)
{
    size_t n = 0;

    for (size_t i = 0; i < d->n; i++)
        if (d->objects[i].kind == kind)
            out[n++] = &d->objects[i];
    return n;
}

static void make_indexes(struct op *op, struct directory *d)
{
    d->by_app = arena_alloc(&op->arena, (d->n + 1) * sizeof(struct object *));
    d->by_upn = arena_alloc(&op->arena, (d->n + 1) * sizeof(struct object *));
    d->n_applications = collect(d, OBJECT_APPLICATION, d->by_app);
    d->n_service_principals = collect(d, OBJECT_SERVICE_PRINCIPAL, d->by_app + d->n_applications);
    d->n_users = collect(d, OBJECT_USER, d->by_upn);
    qsort(d->by_app, d->n_applications, sizeof(*d->by_app), by_app_id);
    qsort(d->by_app + d->n_applications, d->n_service_principals, sizeof(*d->by_app), by_app_id);
    qsort(d->by_upn, d->n_users, sizeof(*d->by_upn), by_upn);
}

/* ---- what they sign in by ---- */

static struct object *mutable_object(struct directory *d, const char *id)
{
    const struct object *found = directory_object(d, id);

    return found ? &d->objects[found - d->objects] : NULL;
}

static enum fault load_credentials(struct op *op, struct directory *d)
{
    struct credential *list;
    struct db_rows rows;

    TRY(db_query(op, &stmts[CREDENTIALS], &rows));
    list = alloc_for(op, &rows, sizeof(*list));
    for (; db_next(&rows); list++) {
        const char *kind = db_text(&rows, "kind");
        struct object *o;

        *list = (struct credential){
            .object_id = db_text(&rows, "object_id"),
            .kind = *kind == 's'   ? CREDENTIAL_SECRET
                    : *kind == 'c' ? CREDENTIAL_CERTIFICATE
                                   : CREDENTIAL_IDENTITY,
            .hash = db_text(&rows, "hash"),
            .public_key = db_text(&rows, "public_key"),
            .thumbprint = db_text(&rows, "thumbprint"),
            .starts_s = db_int(&rows, "starts"),
            .ends_s = db_int(&rows, "ends"),
        };
        o = mutable_object(d, list->object_id);
        if (o && o->n_credentials++ == 0)
            o->credentials = list;
    }
    return OK;
}

static enum fault load_federated(struct op *op, struct directory *d)
{
    struct federated *list;
    struct db_rows rows;

    TRY(db_query(op, &stmts[FEDERATED], &rows));
    list = alloc_for(op, &rows, sizeof(*list));
    for (; db_next(&rows); list++) {
        struct object *o;

        *list = (struct federated){
            .object_id = db_text(&rows, "object_id"),
            .issuer = db_text(&rows, "issuer"),
            .subject = db_text(&rows, "subject"),
            .audience = db_text(&rows, "audience"),
        };
        o = mutable_object(d, list->object_id);
        if (o && o->n_federated++ == 0)
            o->federated = list;
    }
    return OK;
}

/* ---- groups ---- */

struct membership {
    const struct object *group, *member;
};

static bool is_in(const struct object *o, const struct object *group)
{
    for (size_t i = 0; i < o->n_groups; i++)
        if (o->groups[i] == group)
            return true;
    return false;
}

/* The first membership of o; the list is sorted by member. */
static size_t first_of(const struct membership *list, size_t n, const struct object *o)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (list[middle].member < o)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* All groups o is in, through others too; a circle of groups ends by is_in. */
static void find_groups(const struct membership *list, size_t n, struct object *o,
                        const struct object *of, int depth)
{
    for (size_t i = first_of(list, n, of); i < n && list[i].member == of; i++) {
        if (is_in(o, list[i].group) || list[i].group == o)
            continue;
        o->groups[o->n_groups++] = list[i].group;
        if (depth < NESTING_MAX)
            find_groups(list, n, o, list[i].group, depth + 1);
    }
}

static enum fault load_groups(struct op *op, struct directory *d)
{
    struct membership *list;
    struct db_rows rows;
    size_t n = 0, groups = 0;

    TRY(db_query(op, &stmts[MEMBERS], &rows));
    list = alloc_for(op, &rows, sizeof(*list));
    while (db_next(&rows)) {
        list[n].group = directory_object(d, db_text(&rows, "from_id"));
        list[n].member = directory_object(d, db_text(&rows, "to_id"));
        if (list[n].group && list[n].member)
            n++;
    }
    for (size_t i = 0; i < d->n; i++)
        groups += d->objects[i].kind == OBJECT_GROUP;
    for (size_t i = 0; i < n; i++) {
        struct object *o = &d->objects[list[i].member - d->objects];

        if (o->groups)
            continue;
        o->groups = arena_alloc(&op->arena, (groups + 1) * sizeof(struct object *));
        find_groups(list, n, o, o, 0);
    }
    return OK;
}

/* ---- rights ---- */

static void read_condition(struct op *op, struct right *right, const char *text)
{
    if (!text)
        return;
    right->damaged = condition_parse(op, text, &right->condition) != OK;
    op_clear_fault(op);
}

static enum fault load_rights(struct op *op, const struct directory *d, struct right **ret,
                              size_t *ret_n)
{
    struct db_rows rows;
    struct right *list;
    size_t n = 0;

    TRY(db_query(op, &stmts[ASSIGNMENTS], &rows));
    list = alloc_for(op, &rows, sizeof(*list));
    while (db_next(&rows)) {
        struct right *right = &list[n++];

        right->principal_id = db_text(&rows, "principal_id");
        right->scope = db_text(&rows, "scope_key");
        right->scope_len = strlen(right->scope);
        right->role = directory_role(d, db_text(&rows, "role_id"));
        read_condition(op, right, db_text(&rows, "condition"));
    }
    *ret = list;
    *ret_n = n;
    return OK;
}

/* The rights of one principal stand together: [*ret_first, + n). */
static size_t rights_of(const struct right *list, size_t n, const char *id, size_t *ret_first)
{
    size_t low = 0, high = n, count = 0;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (strcmp(list[middle].principal_id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    while (low + count < n && strcmp(list[low + count].principal_id, id) == 0)
        count++;
    *ret_first = low;
    return count;
}

static void tie_rights(struct op *op, struct object *o, const struct right *list, size_t n)
{
    size_t total, first, count;

    total = rights_of(list, n, o->id, &first);
    for (size_t g = 0; g < o->n_groups; g++)
        total += rights_of(list, n, o->groups[g]->id, &first);
    if (!total)
        return;
    o->rights = arena_alloc(&op->arena, total * sizeof(struct right *));
    for (size_t g = 0; g <= o->n_groups; g++) {
        count = rights_of(list, n, g ? o->groups[g - 1]->id : o->id, &first);
        for (size_t i = 0; i < count; i++)
            o->rights[o->n_rights++] = &list[first + i];
    }
}

enum fault directory_store_load(struct op *op, struct directory *d)
{
    struct right *rights;
    size_t n;

    TRY(load_objects(op, d));
    make_indexes(op, d);
    TRY(load_credentials(op, d));
    TRY(load_federated(op, d));
    TRY(load_groups(op, d));
    TRY(role_store_load(op, &d->roles, &d->n_roles));
    TRY(load_rights(op, d, &rights, &n));
    for (size_t i = 0; i < d->n; i++)
        tie_rights(op, &d->objects[i], rights, n);
    return OK;
}
