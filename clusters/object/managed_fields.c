/* Who manages which fields: the entries of metadata.managedFields, and server-side apply. */
#include "clusters/object/managed_fields.h"

#include <stdlib.h>
#include <string.h>

#include "clusters/object/field_set.h"
#include "clusters/object/status.h"

#define UPDATE_ENTRIES_MAX 10
#define ANCIENT            "ancient-changes"
#define BEFORE_FIRST       "before-first-apply"
#define KUBECTL            "kubectl"
#define LAST_APPLIED       "kubectl.kubernetes.io/last-applied-configuration"

static void release(void *tree)
{
    json_decref(tree);
}

static json_t *in_arena(struct op *op, json_t *tree)
{
    arena_defer(&op->arena, release, tree);
    return tree;
}

/* ---- entries ---- */

static const char *text(const json_t *entry, const char *member)
{
    const char *value = json_string_value(json_object_get(entry, member));

    return value ? value : "";
}

static bool is_entry_of(const json_t *entry, const struct manager *manager, const char *operation)
{
    return strcmp(text(entry, "operation"), operation) == 0 &&
           strcmp(text(entry, "manager"), manager->name) == 0 &&
           strcmp(text(entry, "subresource"), manager->subresource ? manager->subresource : "") ==
               0 &&
           (*operation == 'A' || strcmp(text(entry, "apiVersion"), manager->api_version) == 0);
}

static json_t *find_entry(json_t *entries, const struct manager *manager, const char *operation)
{
    json_t *entry;
    size_t i;

    json_array_foreach(entries, i, entry)
    {
        if (is_entry_of(entry, manager, operation))
            return entry;
    }
    return NULL;
}

static json_t *new_entry(struct op *op, const struct manager *manager, const char *operation,
                         json_t *set, int64_t now)
{
    json_t *entry = json_object();

    json_object_set_new(entry, "manager", json_string(manager->name));
    json_object_set_new(entry, "operation", json_string(operation));
    json_object_set_new(entry, "apiVersion", json_string(manager->api_version));
    json_object_set_new(entry, "time", json_string(time_text(op, now)));
    json_object_set_new(entry, "fieldsType", json_string("FieldsV1"));
    json_object_set_new(entry, "fieldsV1", set);
    if (manager->subresource)
        json_object_set_new(entry, "subresource", json_string(manager->subresource));
    return entry;
}

static json_t *set_of_entry(const json_t *entry)
{
    return json_object_get(entry, "fieldsV1");
}

/* What nobody manages: identity, and what the server itself counts. */
static json_t *without_own(const char *subresource, json_t *set)
{
    static const char *const of_meta[] = {"f:name",
                                          "f:namespace",
                                          "f:creationTimestamp",
                                          "f:selfLink",
                                          "f:uid",
                                          "f:generation",
                                          "f:managedFields",
                                          "f:resourceVersion",
                                          "f:deletionTimestamp",
                                          "f:deletionGracePeriodSeconds"};
    json_t *meta = json_object_get(set, "f:metadata");

    json_object_del(set, "f:apiVersion");
    json_object_del(set, "f:kind");
    json_object_del(meta, ".");
    for (size_t i = 0; i < ARRAY_LEN(of_meta); i++)
        json_object_del(meta, of_meta[i]);
    if (meta && !json_object_size(meta))
        json_object_del(set, "f:metadata");
    if (subresource && strcmp(subresource, "status") == 0) { /* all it may change */
        const char *member;
        json_t *value;
        void *next;

        json_object_foreach_safe(set, next, member, value)
        {
            if (strcmp(member, "f:status") != 0 && strcmp(member, "f:metadata") != 0)
                json_object_del(set, member);
        }
    }
    return set;
}

static int order_of(const void *a, const void *b)
{
    static const char *const members[] = {"operation", "time", "manager", "apiVersion",
                                          "subresource"};
    json_t *const *left = a, *const *right = b;

    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        int order = strcmp(text(*left, members[i]), text(*right, members[i]));

        if (order)
            return order;
    }
    return 0;
}

/* Entries that manage nothing go; the oldest updates are joined when there are too many. */
static void tidy(json_t *entries)
{
    size_t n = json_array_size(entries), kept = 0;
    json_t **list = calloc(n + 1, sizeof(json_t *));

    if (!list)
        abort();
    for (size_t i = 0; i < n; i++) {
        json_t *entry = json_array_get(entries, i);

        if (!set_is_empty(set_of_entry(entry)))
            list[kept++] = json_incref(entry);
    }
    qsort(list, kept, sizeof(*list), order_of);
    json_array_clear(entries);
    for (size_t i = 0; i < kept; i++)
        json_array_append_new(entries, list[i]);
    free(list);
}

static void join_ancient(json_t *entries)
{
    size_t updates = 0, first = SIZE_MAX;
    json_t *entry, *second;
    size_t i;

    json_array_foreach(entries, i, entry)
    {
        if (strcmp(text(entry, "operation"), "Update") == 0 &&
            !json_object_get(entry, "subresource"))
            first = updates++ ? first : i;
    }
    if (updates <= UPDATE_ENTRIES_MAX)
        return;
    entry = json_array_get(entries, first);
    second = json_array_get(entries, first + 1);
    json_object_set_new(second, "fieldsV1", set_union(set_of_entry(entry), set_of_entry(second)));
    json_object_set_new(second, "manager", json_string(ANCIENT));
    json_array_remove(entries, first);
}

static void store_entries(json_t *next, json_t *entries)
{
    tidy(entries);
    join_ancient(entries);
    if (json_array_size(entries))
        set_at(next, "metadata.managedFields", json_incref(entries));
    else
        set_at(next, "metadata.managedFields", NULL);
}

/* "[]" and "[{}]": the client wants to begin anew. */
static bool is_reset(const json_t *entries)
{
    return json_is_array(entries) &&
           (!json_array_size(entries) ||
            (json_array_size(entries) == 1 && !json_object_size(json_array_get(entries, 0))));
}

static json_t *copy_of_entries(struct op *op, const json_t *entries)
{
    return in_arena(op, json_is_array(entries) ? json_deep_copy(entries) : json_array());
}

/* The entries to go on from: the client's, if it sent some (that is how kubectl moves ownership;
   not through subresources), else those of live. */
static json_t *entries_of(struct op *op, const json_t *live, const json_t *next,
                          const struct manager *manager)
{
    const json_t *sent = manager->subresource ? NULL : at(next, "metadata.managedFields");

    if (!json_array_size(sent))
        sent = live ? at(live, "metadata.managedFields") : NULL;
    return copy_of_entries(op, sent);
}

/* ---- updates ---- */

/* What an update takes from entries: what is gone, and what others had and is changed. */
static void take_from(json_t *entries, const struct manager *manager, const json_t *changed,
                      const json_t *removed)
{
    json_t *entry;
    size_t i;

    json_array_foreach(entries, i, entry)
    {
        json_t *left = set_difference(set_of_entry(entry), removed);

        if (!is_entry_of(entry, manager, "Update")) {
            json_t *others = set_difference(left, changed);

            json_decref(left);
            left = others;
        }
        json_object_set_new(entry, "fieldsV1", left);
    }
}

static void add_update(struct op *op, json_t *entries, const struct manager *manager,
                       const json_t *changed, int64_t now)
{
    json_t *entry = find_entry(entries, manager, "Update");

    if (set_is_empty(changed))
        return;
    if (entry) {
        json_object_set_new(entry, "fieldsV1", set_union(set_of_entry(entry), changed));
        json_object_set_new(entry, "time", json_string(time_text(op, now)));
    } else {
        json_array_append_new(entries,
                              new_entry(op, manager, "Update", json_deep_copy(changed), now));
    }
}

enum fault managed_update(struct op *op, const struct type *type, const json_t *live, json_t *next,
                          const struct manager *manager, int64_t now)
{
    json_t *changed, *removed, *entries;

    entries = entries_of(op, live, next, manager);
    if (live && ((!manager->subresource && is_reset(at(next, "metadata.managedFields"))) ||
                 !json_array_size(entries))) {
        set_at(next, "metadata.managedFields", NULL); /* nobody keeps account of it */
        return OK;
    }
    set_compare(op, type, live, next, &changed, &removed);
    changed = in_arena(op, without_own(manager->subresource, changed));
    removed = in_arena(op, without_own(manager->subresource, removed));
    if (!live)
        json_object_del(changed, "f:status"); /* a new object's is the server's */
    take_from(entries, manager, changed, removed);
    add_update(op, entries, manager, changed, now);
    store_entries(next, entries);
    return OK;
}

/* ---- apply ---- */

static json_t *config_set(struct op *op, const struct type *type, const json_t *config,
                          const struct manager *manager)
{
    json_t *set = without_own(manager->subresource, set_of(op, type, config));

    if (!manager->subresource)
        json_object_del(set, "f:status"); /* its subresource's alone */
    return in_arena(op, set);
}

/* Those of an object that nobody applied anything to before: all that it has was "before". */
static json_t *entries_before(struct op *op, const struct type *type, const json_t *live,
                              const struct manager *manager, int64_t now)
{
    const struct manager before = {BEFORE_FIRST, NULL, manager->api_version};
    json_t *entries = copy_of_entries(op, live ? at(live, "metadata.managedFields") : NULL);
    json_t *set, *gone;

    if (json_array_size(entries) || !live)
        return entries;
    set_compare(op, type, NULL, live, &set, &gone);
    json_decref(gone);
    set = in_arena(op, without_own(NULL, set));
    add_update(op, entries, &before, set, now);
    return entries;
}

/* kubectl, which applied by itself before, may change what it noted then and nobody changed. */
static json_t *allowed_to(struct op *op, const struct type *type, const json_t *live,
                          const struct manager *manager)
{
    const char *text =
        strcmp(manager->name, KUBECTL) == 0 ? annotation_of(live, LAST_APPLIED) : NULL;
    json_t *applied = text ? in_arena(op, json_loads(text, 0, NULL)) : NULL;
    json_t *set, *changed, *removed, *left;

    if (!json_is_object(applied))
        return in_arena(op, json_object());
    set = in_arena(op, set_of(op, type, applied));
    set_compare(op, type, applied, live, &changed, &removed);
    in_arena(op, changed);
    in_arena(op, removed);
    left = in_arena(op, set_difference(set, changed));
    return in_arena(op, set_difference(left, removed));
}

/* Everything that entries name, but not the one given. */
static json_t *owned_by_others(struct op *op, json_t *entries, const json_t *but)
{
    json_t *all = json_object(), *entry;
    size_t i;

    json_array_foreach(entries, i, entry)
    {
        json_t *joined;

        if (entry == but)
            continue;
        joined = set_union(all, set_of_entry(entry));
        json_decref(all);
        all = joined;
    }
    return in_arena(op, all);
}

struct conflicts {
    struct op *op;
    json_t *causes;
    const json_t *entry;
    struct text lines;
};

static const char *manager_text(struct op *op, const json_t *entry)
{
    const char *subresource = text(entry, "subresource");
    const char *name = arena_printf(&op->arena, "\"%s\"", text(entry, "manager"));

    if (*subresource)
        name = arena_printf(&op->arena, "%s with subresource \"%s\"", name, subresource);
    if (strcmp(text(entry, "operation"), "Update") == 0)
        name = arena_printf(&op->arena, "%s using %s", name, text(entry, "apiVersion"));
    return name;
}

static void add_conflict(void *user, const char *path)
{
    struct conflicts *c = user;
    const char *message =
        arena_printf(&c->op->arena, "conflict with %s", manager_text(c->op, c->entry));

    json_array_append_new(c->causes, json_pack("{s:s, s:s, s:s}", "reason", "FieldManagerConflict",
                                               "message", message, "field", path));
    text_printf(&c->lines, "\n- %s", path);
}

/* "Apply failed with 2 conflicts: conflicts with "a" using v1: …" as upstream groups them. */
static enum fault conflict_fault(struct op *op, struct conflicts *c, size_t managers)
{
    size_t n = json_array_size(c->causes);

    if (n == 1 && managers == 1) {
        const json_t *cause = json_array_get(c->causes, 0);
        const char *message = arena_strdup(&op->arena, text(cause, "message"));
        const char *field = arena_strdup(&op->arena, text(cause, "field"));

        return status_fail(op, CONFLICT, "Conflict", json_pack("{s:o}", "causes", c->causes),
                           "Apply failed with 1 conflict: %s: %s", message, field);
    }
    return status_fail(op, CONFLICT, "Conflict", json_pack("{s:o}", "causes", c->causes),
                       "Apply failed with %zu conflicts: %s", n, c->lines.data);
}

static int by_manager(const void *a, const void *b)
{
    json_t *const *left = a, *const *right = b;

    return strcmp(text(*left, "manager"), text(*right, "manager"));
}

static enum fault check_conflicts(struct op *op, json_t *entries, const json_t *own,
                                  const json_t *changed)
{
    struct conflicts c = {.op = op, .causes = json_array()};
    size_t managers = 0, n = json_array_size(entries);
    const json_t **sorted = arena_alloc(&op->arena, (n + 1) * sizeof(*sorted));

    text_init(&c.lines, &op->arena, 1 << 20);
    for (size_t i = 0; i < n; i++)
        sorted[i] = json_array_get(entries, i);
    qsort(sorted, n, sizeof(*sorted), by_manager);
    for (size_t i = 0; i < n; i++) {
        json_t *both;

        c.entry = sorted[i];
        if (c.entry == own)
            continue;
        both = set_intersection(set_of_entry(c.entry), changed);
        if (!set_is_empty(both)) {
            text_printf(&c.lines, "%sconflicts with %s:", managers++ ? "\n" : "",
                        manager_text(op, c.entry));
            set_paths(op, both, add_conflict, &c);
        }
        json_decref(both);
    }
    if (managers)
        return conflict_fault(op, &c, managers);
    json_decref(c.causes);
    return OK;
}

enum fault managed_apply(struct op *op, const struct type *type, const json_t *live,
                         const json_t *config, const struct manager *manager, bool force,
                         json_t **ret)
{
    json_t *set, *merged, *entries, *own, *changed, *removed, *kept;

    if (at(config, "metadata.managedFields"))
        return bad_request(op, "metadata.managedFields must be nil");
    set = config_set(op, type, config, manager);
    if (!live) {
        *ret = object_copy(op, config);
        return OK;
    }
    merged = in_arena(op, typed_merge(op, type, live, config));
    entries = entries_before(op, type, live, manager, 0);
    own = find_entry(entries, manager, "Apply");
    kept = in_arena(op, set_union(owned_by_others(op, entries, own), set));
    if (own)
        set_remove(op, type, merged, set_of_entry(own), kept);
    set_compare(op, type, live, merged, &changed, &removed);
    in_arena(op, removed);
    changed = in_arena(op, without_own(manager->subresource, changed));
    changed = in_arena(op, set_difference(changed, allowed_to(op, type, live, manager)));
    if (!force)
        TRY(check_conflicts(op, entries, own, changed));
    *ret = merged;
    return OK;
}

/* What kubectl noted of its own applies stays true when the server applies for it. */
static void renew_note(struct op *op, const json_t *live, const json_t *config, json_t *next,
                       const struct manager *manager)
{
    json_t *noted;

    if (!live || strcmp(manager->name, KUBECTL) != 0 || !annotation_of(live, LAST_APPLIED))
        return;
    noted = object_copy(op, config);
    set_at(noted, "metadata.managedFields", NULL);
    json_object_set_new(object_at(next, "metadata.annotations"), LAST_APPLIED,
                        json_string(object_encode(op, noted).data));
}

/* What others lose to an apply: what is gone, and what is changed. */
static void take_for_apply(json_t *entries, const struct manager *manager, const json_t *changed,
                           const json_t *removed)
{
    json_t *entry;
    size_t i;

    json_array_foreach(entries, i, entry)
    {
        json_t *left;

        if (is_entry_of(entry, manager, "Apply"))
            continue;
        left = set_difference(set_of_entry(entry), removed);
        json_object_set_new(entry, "fieldsV1", set_difference(left, changed));
        json_decref(left);
    }
}

enum fault managed_applied(struct op *op, const struct type *type, const json_t *live,
                           const json_t *config, json_t *next, const struct manager *manager,
                           int64_t now)
{
    json_t *set = config_set(op, type, config, manager), *changed = NULL, *removed = NULL;
    json_t *entries, *entry;

    set_at(next, "metadata.managedFields", NULL);
    entries = entries_before(op, type, live, manager, now);
    if (live) {
        set_compare(op, type, live, next, &changed, &removed);
        changed = in_arena(op, without_own(manager->subresource, changed));
        removed = in_arena(op, without_own(manager->subresource, removed));
        take_for_apply(entries, manager, changed, removed);
    }
    entry = find_entry(entries, manager, "Apply");
    if (entry &&
        (!json_equal(set_of_entry(entry), set) || !set_is_empty(changed) || !set_is_empty(removed)))
        json_object_set_new(entry, "time", json_string(time_text(op, now)));
    if (entry) {
        json_object_set(entry, "fieldsV1", set);
        json_object_set_new(entry, "apiVersion", json_string(manager->api_version));
    } else {
        json_array_append_new(entries, new_entry(op, manager, "Apply", json_incref(set), now));
    }
    renew_note(op, live, config, next, manager);
    store_entries(next, entries);
    return OK;
}
