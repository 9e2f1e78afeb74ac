/*
 * The garbage collector: what all its owners have left is deleted; an owner that is deleted in the
 * foreground waits for those that block it; one that is deleted and orphans lets its dependents go.
 * Keys: "uid/<uid>" an owner is gone; "<plural.group>/<name>" look at this object.
 *
 *~ There is no index of owners: dependents of a uid are found by looking for its text, which occurs
 *~ nowhere by chance; less than a millisecond for thousands of objects.
 */
#include <stdio.h>
#include <string.h>

#include "clusters/controller/controllers.h"
#include "clusters/controller/workload.h"

#define FOREGROUND "foregroundDeletion"
#define ORPHAN     "orphan"
#define UID_KEY    "uid/"

static const struct actor actor = {
    .name = "system:serviceaccount:kube-system:generic-garbage-collector",
    .groups = (const char *const[]){"system:serviceaccounts", "system:authenticated", NULL},
    .manager = "kube-controller-manager",
    .trusted = true,
};

struct pass {
    struct op *op;
    struct cluster *cluster;
    int64_t revision;
};

static bool is_collected(const struct resource *r)
{
    return !r->virtual_ && r->stored_as == r && strcmp(r->plural, "events") != 0;
}

static bool has_finalizer(const json_t *tree, const char *name)
{
    json_t *finalizer;
    size_t i;

    json_array_foreach(at(tree, "metadata.finalizers"), i, finalizer)
    {
        if (strcmp(json_string_value(finalizer), name) == 0)
            return true;
    }
    return false;
}

/* ---- owners ---- */

static const struct resource *resource_of_owner(struct op *op, const json_t *reference)
{
    const char *version = text_at_or(reference, "apiVersion", ""), *slash = strchr(version, '/');
    const char *group = slash ? arena_strndup(&op->arena, version, (size_t)(slash - version)) : "";

    return resource_of_kind(group, slash ? slash + 1 : version, text_at_or(reference, "kind", ""));
}

enum owner { OWNER_LIVES, OWNER_WAITS /* for its dependents */, OWNER_GONE };

static enum owner look_at_owner(struct pass *p, const struct object *dependent,
                                const json_t *reference)
{
    const struct resource *r = resource_of_owner(p->op, reference);
    struct object *owner;

    if (!r)
        return OWNER_LIVES; /* a kind that we do not know: upstream leaves it, too */
    owner = store_read(p->op, p->cluster->store, r->stored_as, r->namespaced ? dependent->ns : NULL,
                       text_at_or(reference, "name", ""));
    if (!owner || strcmp(owner->uid, text_at_or(reference, "uid", "")) != 0)
        return OWNER_GONE;
    return owner->deleting && has_finalizer(object_tree(owner), FOREGROUND) ? OWNER_WAITS
                                                                            : OWNER_LIVES;
}

/* ---- dependents ---- */

static enum fault delete_object(struct pass *p, const struct object *object, const char *how)
{
    struct rest r = rest_of(p->cluster, &actor, object->resource, object->ns, object->name);
    const struct delete_options options = {.propagation = how, .grace_s = -1, .uid = object->uid};
    enum fault fault = rest_delete(p->op, &r, &options, NULL, NULL);

    if (fault == NOT_FOUND || fault == CONFLICT) {
        op_clear_fault(p->op);
        return OK;
    }
    moved(&p->revision, &r);
    return fault;
}

struct judgement {
    struct pass *p;
    struct object *object;
};

/* The reference of object to uid; NULL: the text was something else. */
static const json_t *reference_to(struct object *object, const char *uid)
{
    json_t *reference;
    size_t i;

    json_array_foreach(at(object_tree(object), "metadata.ownerReferences"), i, reference)
    {
        if (strcmp(text_at_or(reference, "uid", ""), uid) == 0)
            return reference;
    }
    return NULL;
}

/* Dependents of uid; each may be called for many. */
static enum fault for_dependents(struct pass *p, const char *uid,
                                 enum fault (*each)(struct pass *p, struct object *object,
                                                    const json_t *reference, void *arg),
                                 void *arg)
{
    for (const struct resource *const *r = all_resources; *r; r++) {
        struct store_page page;

        if (!is_collected(*r))
            continue;
        TRY(store_list(p->op, p->cluster->store, *r, NULL, NULL, NULL, 0, 0, &page));
        for (size_t i = 0; i < page.n; i++) {
            struct object *object = page.objects[i];
            const json_t *reference;

            if (strcmp(object->uid, uid) == 0 ||
                !memmem(object->text.data, object->text.len, uid, strlen(uid)))
                continue;
            reference = reference_to(object, uid);
            if (reference)
                TRY(each(p, object, reference, arg));
        }
    }
    return OK;
}

/* Owners that are gone or only wait, where others live: the object is not theirs any more. */
static enum fault forget_others(struct op *op, json_t *tree, void *arg, bool *ret_skip)
{
    json_t *references = at(tree, "metadata.ownerReferences");
    struct judgement *j = arg;

    (void)op;
    *ret_skip = true;
    for (size_t i = json_array_size(references); i > 0; i--)
        if (look_at_owner(j->p, j->object, json_array_get(references, i - 1)) != OWNER_LIVES) {
            json_array_remove(references, i - 1);
            *ret_skip = false;
        }
    return OK;
}

/* Its own owners need not wait for it. */
static enum fault stop_blocking(struct op *op, json_t *tree, void *arg, bool *ret_skip)
{
    json_t *reference;
    size_t i;

    (void)op;
    (void)arg;
    *ret_skip = true;
    json_array_foreach(at(tree, "metadata.ownerReferences"), i, reference)
    {
        if (!bool_at(reference, "blockOwnerDeletion", false))
            continue;
        json_object_set_new(reference, "blockOwnerDeletion", json_false());
        *ret_skip = false;
    }
    return OK;
}

static enum fault change(struct pass *p, const struct object *object,
                         enum fault (*how)(struct op *op, json_t *tree, void *arg, bool *ret_skip),
                         void *arg)
{
    struct rest r = rest_of(p->cluster, &actor, object->resource, object->ns, object->name);
    enum fault fault = rest_modify(p->op, &r, how, arg, NULL);

    if (fault == NOT_FOUND) {
        op_clear_fault(p->op);
        return OK;
    }
    moved(&p->revision, &r);
    return fault;
}

static enum fault note_waiting(struct pass *p, struct object *object, const json_t *reference,
                               void *arg)
{
    bool *waiting = arg;

    (void)p;
    (void)reference;
    *waiting |= object->deleting && has_finalizer(object_tree(object), FOREGROUND);
    return OK;
}

/* One of its own dependents waits for it: a circle, which must not hold up all that are in it. */
static enum fault end_circle(struct pass *p, struct object *object)
{
    bool waiting = false;

    TRY(for_dependents(p, object->uid, note_waiting, &waiting));
    return waiting ? change(p, object, stop_blocking, NULL) : OK;
}

/* All owners gone: delete. Some waiting in the foreground and none living: delete in the
   foreground, too. Some living: forget the others. */
static enum fault judge(struct pass *p, struct object *object)
{
    const json_t *references = at(object_tree(object), "metadata.ownerReferences"), *reference;
    struct judgement j = {p, object};
    size_t i, lives = 0, waits = 0, n = json_array_size(references);

    json_array_foreach(references, i, reference)
    {
        enum owner owner = look_at_owner(p, object, reference);

        lives += owner == OWNER_LIVES;
        waits += owner == OWNER_WAITS;
    }
    if (!n || lives == n || object->deleting)
        return OK;
    if (lives)
        return change(p, object, forget_others, &j);
    if (!waits)
        return delete_object(p, object,
                             has_finalizer(object_tree(object), ORPHAN)       ? "Orphan"
                             : has_finalizer(object_tree(object), FOREGROUND) ? "Foreground"
                                                                              : "Background");
    TRY(end_circle(p, object));
    return delete_object(p, object, "Foreground");
}

static enum fault judge_dependent(struct pass *p, struct object *object, const json_t *reference,
                                  void *arg)
{
    (void)reference;
    (void)arg;
    return judge(p, object);
}

/* ---- owners that wait ---- */

static enum fault drop_finalizer(struct op *op, json_t *tree, void *arg, bool *ret_skip)
{
    json_t *finalizers = at(tree, "metadata.finalizers");

    (void)op;
    *ret_skip = true;
    for (size_t i = json_array_size(finalizers); i > 0; i--)
        if (strcmp(json_string_value(json_array_get(finalizers, i - 1)), arg) == 0) {
            json_array_remove(finalizers, i - 1);
            *ret_skip = false;
        }
    return OK;
}

static enum fault count_blocking(struct pass *p, struct object *object, const json_t *reference,
                                 void *arg)
{
    size_t *blocking = arg;

    if (bool_at(reference, "blockOwnerDeletion", false))
        (*blocking)++;
    return judge(p, object);
}

static enum fault forget_reference(struct op *op, json_t *tree, void *arg, bool *ret_skip)
{
    json_t *references = at(tree, "metadata.ownerReferences");

    (void)op;
    *ret_skip = true;
    for (size_t i = json_array_size(references); i > 0; i--)
        if (strcmp(text_at_or(json_array_get(references, i - 1), "uid", ""), arg) == 0) {
            json_array_remove(references, i - 1);
            *ret_skip = false;
        }
    if (!json_array_size(references))
        set_at(tree, "metadata.ownerReferences", NULL);
    return OK;
}

static enum fault orphan_dependent(struct pass *p, struct object *object, const json_t *reference,
                                   void *arg)
{
    (void)reference;
    return change(p, object, forget_reference, arg);
}

static enum fault look_at_object(struct pass *p, struct object *object)
{
    const json_t *tree = object_tree(object);
    char *uid = arena_strdup(&p->op->arena, object->uid);
    char orphan[] = ORPHAN, foreground[] = FOREGROUND;
    size_t blocking = 0;

    if (object->deleting && has_finalizer(tree, ORPHAN)) {
        TRY(for_dependents(p, uid, orphan_dependent, uid));
        return change(p, object, drop_finalizer, orphan);
    }
    if (object->deleting && has_finalizer(tree, FOREGROUND)) {
        TRY(for_dependents(p, uid, count_blocking, &blocking));
        return blocking ? OK : change(p, object, drop_finalizer, foreground);
    }
    return judge(p, object);
}

/* ---- keys ---- */

static const struct resource *resource_named(const char *qualified)
{
    for (const struct resource *const *r = all_resources; *r; r++)
        if (is_collected(*r) && strcmp(resource_qualified(*r), qualified) == 0)
            return *r;
    return NULL;
}

static enum fault reconcile(struct op *op, struct cluster *cluster, const char *ns,
                            const char *name, int64_t *ret_again_ms)
{
    struct pass p = {.op = op, .cluster = cluster};
    const char *slash = strchr(name, '/');
    const struct resource *r;
    struct object *object;
    enum fault fault = OK;

    (void)ret_again_ms;
    if (!slash)
        return OK;
    if (strncmp(name, UID_KEY, strlen(UID_KEY)) == 0) {
        fault = for_dependents(&p, name + strlen(UID_KEY), judge_dependent, NULL);
    } else {
        r = resource_named(arena_strndup(&op->arena, name, (size_t)(slash - name)));
        object = r ? store_read(op, cluster->store, r, ns, slash + 1) : NULL;
        if (object)
            fault = look_at_object(&p, object);
    }
    return settled(op, cluster, p.revision, fault);
}

static void add_object(struct keys *keys, const struct resource *r, const char *ns,
                       const char *name)
{
    char key[512];

    snprintf(key, sizeof(key), "%s/%s", resource_qualified(r), name);
    keys_add(keys, ns, key);
}

/* Owners of what has just gone may wait for it no longer. */
static void add_owners(struct keys *keys, struct object *object)
{
    json_t *reference;
    struct op op;
    size_t i;

    op_init(&op);
    json_array_foreach(at(object_tree(object), "metadata.ownerReferences"), i, reference)
    {
        const struct resource *r = resource_of_owner(&op, reference);

        if (r && bool_at(reference, "blockOwnerDeletion", false))
            add_object(keys, r->stored_as, r->namespaced ? object->ns : "",
                       text_at_or(reference, "name", ""));
    }
    op_free(&op);
}

static bool has_owners(const struct object *object)
{
    return memmem(object->text.data, object->text.len, "\"ownerReferences\"", 17) != NULL;
}

static bool owners_differ(const struct event *event)
{
    const json_t *now, *before;

    if (!has_owners(event->object) && !has_owners(event->previous))
        return false;
    now = at(object_tree(event->object), "metadata.ownerReferences");
    before = at(object_tree(event->previous), "metadata.ownerReferences");
    return now && before ? !json_equal(now, before) : now != before;
}

static void keys_of_any(struct cluster *cluster, const struct event *event, struct keys *keys)
{
    struct object *object = event->object;
    char uid[64];

    (void)cluster;
    if (!is_collected(object->resource))
        return;
    if (event->kind == EVENT_DELETED) {
        snprintf(uid, sizeof(uid), UID_KEY "%s", object->uid);
        keys_add(keys, NULL, uid);
        if (has_owners(object))
            add_owners(keys, object);
    } else if (object->deleting || (event->kind == EVENT_ADDED && has_owners(object))) {
        add_object(keys, object->resource, object->ns, object->name);
    } else if (event->previous && owners_differ(event)) {
        add_object(keys, object->resource, object->ns, object->name);
        add_owners(keys, event->previous);
    }
}

static void resync(struct cluster *cluster, struct keys *keys)
{
    struct op op;

    op_init(&op);
    for (const struct resource *const *r = all_resources; *r; r++) {
        struct store_page page;

        if (!is_collected(*r) ||
            store_list(&op, cluster->store, *r, NULL, NULL, NULL, 0, 0, &page) != OK)
            continue;
        for (size_t i = 0; i < page.n; i++)
            if (page.objects[i]->deleting || has_owners(page.objects[i]))
                add_object(keys, *r, page.objects[i]->ns, page.objects[i]->name);
    }
    op_free(&op);
}

static const struct rule rules[] = {
    {"",           RULE_ALL, keys_of_any, NULL},
    {0}
};

const struct controller garbage_controller = {
    .name = "garbage",
    .actor = {"system:serviceaccount:kube-system:generic-garbage-collector"},
    .rules = rules,
    .reconcile = reconcile,
    .resync = resync,
};
