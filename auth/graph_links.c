#include "auth/graph_links.h"

#include <string.h>
#include <strings.h>

#include "auth/guid.h"
#include "core/db.h"

#define REFERENCE_MAX 2048

/* "owner" or "member", by the path's segment. */
static const char *kind_of_link(const struct call *c)
{
    return strcasestr(c->path, "/owners") ? "owner" : "member";
}

static enum fault reply_linked(struct call *c, const char *kind, bool up)
{
    struct object_row row, *list;
    size_t n;

    TRY(graph_path_object(c, false, &row));
    TRY(link_list(&c->op, row.id, kind, up, &list, &n));
    return graph_reply_rows(c, list, n, true);
}

enum fault graph_members(struct call *c)
{
    return reply_linked(c, "member", false);
}

enum fault graph_owners(struct call *c)
{
    return reply_linked(c, "owner", false);
}

enum fault graph_member_of(struct call *c)
{
    return reply_linked(c, "member", true);
}

enum fault graph_owned(struct call *c)
{
    struct object_row *list;
    size_t n;

    TRY(link_list(&c->op, graph_who(c)->object_id, "owner", true, &list, &n));
    return graph_reply_rows(c, list, n, true);
}

/* {"@odata.id": "https://…/directoryObjects/ID"} */
static enum fault read_reference(struct call *c, const char **ret)
{
    const char *url, *slash;
    json_t *body;

    TRY(graph_body(c, &body));
    url = json_string_value(json_object_get(body, "@odata.id"));
    slash = url && strlen(url) < REFERENCE_MAX ? strrchr(url, '/') : NULL;
    *ret = slash ? guid_lower(&c->op, slash + 1) : NULL;
    if (!*ret)
        return fail(&c->op, INVALID, "Invalid URL format specified in @odata.id.");
    return OK;
}

enum fault graph_link_add(struct call *c)
{
    struct object_row row;
    const char *id;

    TRY(read_reference(c, &id));
    TRY(db_begin(&c->op));
    TRY(graph_path_object(c, true, &row));
    TRY(link_add(&c->op, row.id, kind_of_link(c), id));
    TRY(graph_commit(c));
    return reply_empty(c, 204);
}

enum fault graph_link_delete(struct call *c)
{
    const char *id = guid_lower(&c->op, c->path_args[2]);
    struct object_row row;

    TRY(db_begin(&c->op));
    TRY(graph_path_object(c, true, &row));
    TRY(link_delete(&c->op, row.id, kind_of_link(c), id ? id : ""));
    TRY(graph_commit(c));
    return reply_empty(c, 204);
}

static bool is_asked(const json_t *ids, const char *id)
{
    if (!ids)
        return true;
    for (size_t i = 0; i < json_array_size(ids); i++) {
        const char *one = json_string_value(json_array_get(ids, i));

        if (one && strcasecmp(one, id) == 0)
            return true;
    }
    return false;
}

/* getMemberGroups: all groups it is in, through others too. checkMemberGroups: those of the ids. */
enum fault graph_member_groups(struct call *c)
{
    json_t *body, *root = graph_keep(&c->op, json_object()), *value = json_array(), *ids;
    const struct object *o;
    struct object_row row;

    json_object_set_new(root, "value", value);
    TRY(graph_body(c, &body));
    ids = json_object_get(body, "groupIds");
    if (strcasestr(c->path, "/checkMember") && !json_is_array(ids))
        return fail(&c->op, INVALID, "groupIds must be a list.");
    TRY(graph_path_object(c, false, &row));
    o = directory_object(directory_hold(&c->op), row.id);
    for (size_t i = 0; o && i < o->n_groups; i++)
        if (is_asked(ids, o->groups[i]->id))
            json_array_append_new(value, json_string(o->groups[i]->id));
    return graph_reply(c, 200, root);
}
