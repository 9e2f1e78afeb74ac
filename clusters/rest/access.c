/*
 * RBAC. Roles and bindings of a cluster are kept evaluated, as a whole that nobody changes: when
 * any of the four kinds has changed since, the next question makes a new whole. Roles that did not
 * change are shared with the old one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clusters/rest/rest_internal.h"
#include "core/trace.h"

#define MASTERS "system:masters"
#define KINDS   4

struct rule {
    const char **verbs, **groups, **resources, **names, **urls; /* NULL-terminated */
};
struct role {
    atomic_int refs;
    struct arena arena;
    const char *ns, *name; /* ns "": a cluster role */
    int64_t revision;
    struct rule *rules;
    size_t n;
};
struct subject {
    char kind; /* 'U', 'G', 'S' (its user name is made up) */
    const char *name;
};
struct binding {
    const char *ns, *name;
    struct subject *subjects;
    size_t n;
    const struct role *role; /* NULL: there is none of that name */
};
struct rights {
    atomic_int refs;
    int64_t changed[KINDS];
    struct arena arena;
    struct role **roles, **cluster_roles; /* sorted as the store lists them */
    size_t n_roles, n_cluster_roles;
    struct binding *bindings; /* cluster-wide ones first; sorted by namespace */
    size_t n_bindings;
};

static void role_drop(struct role *role)
{
    if (!role || atomic_fetch_sub(&role->refs, 1) > 1)
        return;
    arena_free(&role->arena);
    free(role);
}

void rights_free(struct rights *rights)
{
    if (!rights || atomic_fetch_sub(&rights->refs, 1) > 1)
        return;
    for (size_t i = 0; i < rights->n_roles; i++)
        role_drop(rights->roles[i]);
    for (size_t i = 0; i < rights->n_cluster_roles; i++)
        role_drop(rights->cluster_roles[i]);
    arena_free(&rights->arena);
    free(rights);
}

/* ---- evaluating ---- */

static const char **texts_of(struct arena *arena, const json_t *list)
{
    size_t n = json_array_size(list);
    const char **texts = arena_alloc(arena, (n + 1) * sizeof(*texts));

    for (size_t i = 0; i < n; i++)
        texts[i] = arena_strdup(arena, json_string_value(json_array_get(list, i)));
    return texts;
}

static void rules_of(struct arena *arena, const json_t *list, struct rule **ret, size_t *ret_n)
{
    size_t n = json_array_size(list);
    struct rule *rules = arena_alloc(arena, (n + 1) * sizeof(*rules));

    for (size_t i = 0; i < n; i++) {
        const json_t *row = json_array_get(list, i);

        rules[i] = (struct rule){texts_of(arena, json_object_get(row, "verbs")),
                                 texts_of(arena, json_object_get(row, "apiGroups")),
                                 texts_of(arena, json_object_get(row, "resources")),
                                 texts_of(arena, json_object_get(row, "resourceNames")),
                                 texts_of(arena, json_object_get(row, "nonResourceURLs"))};
    }
    *ret = rules;
    *ret_n = n;
}

/* Parsed and thrown away: a shared tree of each role would stay in memory. */
static json_t *parse(struct object *object)
{
    json_t *tree = json_loadb(object->text.data, object->text.len, JSON_ALLOW_NUL, NULL);

    if (!tree)
        abort(); /* the store wrote it */
    return tree;
}

static struct role *role_new(struct object *object)
{
    struct role *role = calloc(1, sizeof(*role));
    json_t *tree = parse(object);

    if (!role)
        abort();
    arena_init(&role->arena);
    role->refs = 1;
    role->ns = arena_strdup(&role->arena, object->ns);
    role->name = arena_strdup(&role->arena, object->name);
    role->revision = object->revision;
    rules_of(&role->arena, json_object_get(tree, "rules"), &role->rules, &role->n);
    json_decref(tree);
    return role;
}

static struct role *role_find(struct role *const *roles, size_t n, const char *ns, const char *name)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(roles[middle]->ns, ns);

        if (order == 0)
            order = strcmp(roles[middle]->name, name);
        if (order == 0)
            return roles[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static struct role **take_roles(struct rights *rights, const struct store_page *page,
                                struct role *const *old, size_t n_old)
{
    struct role **roles = arena_alloc(&rights->arena, (page->n + 1) * sizeof(*roles));

    for (size_t i = 0; i < page->n; i++) {
        struct object *object = page->objects[i];

        roles[i] = role_find(old, n_old, object->ns, object->name);
        if (roles[i] && roles[i]->revision == object->revision)
            atomic_fetch_add(&roles[i]->refs, 1);
        else
            roles[i] = role_new(object);
    }
    return roles;
}

static void take_subjects(struct arena *arena, const json_t *list, struct binding *binding)
{
    json_t *row;
    size_t i;

    binding->subjects = arena_alloc(arena, (json_array_size(list) + 1) * sizeof(struct subject));
    json_array_foreach(list, i, row)
    {
        const char *kind = text_at_or(row, "kind", ""), *name = text_at_or(row, "name", "");
        struct subject *s = &binding->subjects[binding->n++];

        s->kind = kind[0];
        s->name = kind[0] == 'S' ? arena_printf(arena, "system:serviceaccount:%s:%s",
                                                text_at_or(row, "namespace", ""), name)
                                 : arena_strdup(arena, name);
    }
}

static void take_bindings(struct rights *rights, const struct store_page *page)
{
    for (size_t i = 0; i < page->n; i++) {
        struct binding *b = &rights->bindings[rights->n_bindings++];
        json_t *tree = parse(page->objects[i]);
        const char *name = text_at_or(tree, "roleRef.name", "");

        b->ns = arena_strdup(&rights->arena, page->objects[i]->ns);
        b->name = arena_strdup(&rights->arena, page->objects[i]->name);
        take_subjects(&rights->arena, json_object_get(tree, "subjects"), b);
        if (strcmp(text_at_or(tree, "roleRef.kind", ""), "ClusterRole") == 0)
            b->role = role_find(rights->cluster_roles, rights->n_cluster_roles, "", name);
        else
            b->role = role_find(rights->roles, rights->n_roles, b->ns, name);
        json_decref(tree);
    }
}

static void find_changes(struct store *store, int64_t changed[KINDS])
{
    changed[0] = store_changed(store, known.roles);
    changed[1] = store_changed(store, known.cluster_roles);
    changed[2] = store_changed(store, known.role_bindings);
    changed[3] = store_changed(store, known.cluster_role_bindings);
}

static struct rights *rights_new(struct cluster *cluster, const struct rights *old)
{
    struct rights *rights = calloc(1, sizeof(*rights));
    struct store_page pages[KINDS] = {{0}};
    const struct resource *kinds[KINDS] = {known.roles, known.cluster_roles, known.role_bindings,
                                           known.cluster_role_bindings};
    struct op op;

    if (!rights)
        abort();
    op_init(&op);
    arena_init(&rights->arena);
    rights->refs = 1;
    find_changes(cluster->store, rights->changed); /* before the lists: never fresher than they */
    for (size_t i = 0; i < KINDS; i++)
        if (store_list(&op, cluster->store, kinds[i], NULL, NULL, NULL, 0, 0, &pages[i]) != OK)
            abort(); /* the newest view is always there */
    rights->roles = take_roles(rights, &pages[0], old ? old->roles : NULL, old ? old->n_roles : 0);
    rights->n_roles = pages[0].n;
    rights->cluster_roles = take_roles(rights, &pages[1], old ? old->cluster_roles : NULL,
                                       old ? old->n_cluster_roles : 0);
    rights->n_cluster_roles = pages[1].n;
    rights->bindings =
        arena_alloc(&rights->arena, (pages[2].n + pages[3].n + 1) * sizeof(struct binding));
    take_bindings(rights, &pages[3]);
    take_bindings(rights, &pages[2]);
    op_free(&op);
    return rights;
}

/* The present whole, held: rights_free. */
static struct rights *rights_now(struct cluster *cluster)
{
    struct rest_state *state = cluster->rest;
    struct rights *rights, *old;
    int64_t changed[KINDS];

    find_changes(cluster->store, changed);
    pthread_mutex_lock(&state->lock);
    if (!state->rights || memcmp(state->rights->changed, changed, sizeof(changed)) != 0) {
        old = state->rights;
        state->rights = rights_new(cluster, old);
        rights_free(old);
    }
    rights = state->rights;
    atomic_fetch_add(&rights->refs, 1);
    pthread_mutex_unlock(&state->lock);
    return rights;
}

/* ---- matching ---- */

static bool has(const char *const *texts, const char *text)
{
    for (; *texts; texts++)
        if (strcmp(*texts, text) == 0)
            return true;
    return false;
}

static bool has_or_all(const char *const *texts, const char *text)
{
    return has(texts, "*") || has(texts, text);
}

static bool path_matches(const char *const *patterns, const char *path)
{
    for (; *patterns; patterns++) {
        size_t len = strlen(*patterns);

        if (strcmp(*patterns, path) == 0 || strcmp(*patterns, "*") == 0)
            return true;
        if (len && (*patterns)[len - 1] == '*' && strncmp(*patterns, path, len - 1) == 0)
            return true;
    }
    return false;
}

/* "pods/log" is matched by "pods/log", "*" and "*" + "/log". */
static bool resource_matches(const char *const *patterns, const char *resource,
                             const char *subresource)
{
    for (; *patterns; patterns++) {
        const char *slash = strchr(*patterns, '/');
        size_t len = slash ? (size_t)(slash - *patterns) : strlen(*patterns);

        if (strcmp(*patterns, "*") == 0)
            return true;
        if (!slash != !subresource || (slash && strcmp(slash + 1, subresource) != 0))
            continue;
        if ((len == 1 && **patterns == '*') ||
            (strncmp(*patterns, resource, len) == 0 && resource[len] == '\0'))
            return true;
    }
    return false;
}

static bool rule_allows(const struct rule *rule, const struct access *a)
{
    if (!has_or_all(rule->verbs, a->verb))
        return false;
    if (a->path)
        return path_matches(rule->urls, a->path);
    return has_or_all(rule->groups, a->group ? a->group : "") &&
           resource_matches(rule->resources, a->resource, a->subresource) &&
           (!*rule->names || (a->name && has(rule->names, a->name)));
}

static bool subject_is(const struct subject *s, const struct actor *actor)
{
    return s->kind == 'G' ? actor->groups && has(actor->groups, s->name)
                          : strcmp(s->name, actor->name) == 0;
}

static bool is_bound(const struct binding *b, const struct actor *actor)
{
    for (size_t i = 0; i < b->n; i++)
        if (subject_is(&b->subjects[i], actor))
            return true;
    return false;
}

/* Does a binding hold in namespace ns? Cluster-wide ones hold everywhere. */
static bool holds_in(const struct binding *b, const char *ns)
{
    return !*b->ns || (ns && strcmp(b->ns, ns) == 0);
}

static bool rights_allow(const struct rights *rights, const struct access *a)
{
    for (size_t i = 0; i < rights->n_bindings; i++) {
        const struct binding *b = &rights->bindings[i];

        if (!b->role || !holds_in(b, a->ns) || (a->path && *b->ns) || !is_bound(b, a->actor))
            continue;
        for (size_t j = 0; j < b->role->n; j++)
            if (rule_allows(&b->role->rules[j], a))
                return true;
    }
    return false;
}

static bool is_master(const struct actor *actor)
{
    return actor->trusted || (actor->groups && has(actor->groups, MASTERS));
}

bool access_allowed(struct cluster *cluster, const struct access *access)
{
    struct rights *rights;
    bool allowed;

    if (is_master(access->actor))
        return true;
    known_find();
    rights = rights_now(cluster);
    allowed = rights_allow(rights, access);
    rights_free(rights);
    return allowed;
}

/* A role of the one right that was missing, and its binding; both by one name. */
static void mend(struct op *op, const struct access *a)
{
    static const char accounts[] = "system:serviceaccount:";
    struct arena *arena = &op->arena;
    const char *who = a->actor->name, *kind = a->ns && *a->ns ? "" : "cluster";
    bool is_account = strncmp(who, accounts, strlen(accounts)) == 0;
    const char *where = *kind ? "" : arena_printf(arena, " -n %s", shell_word(op, a->ns));
    const char *group = a->group && *a->group ? arena_printf(arena, ".%s", a->group) : "";
    const char *sub = a->subresource ? arena_printf(arena, "/%s", a->subresource) : "";
    const char *what =
        a->path
            ? arena_printf(arena, "--non-resource-url=%s", shell_word(op, a->path))
            : arena_printf(arena, "--resource=%s",
                           shell_word(op, arena_printf(arena, "%s%s%s", a->resource, group, sub)));
    const char *name = shell_word(
        op, arena_printf(arena, "%s-%s-%s", who, a->verb, a->path ? "url" : a->resource));

    trace_mend(op,
               "kubectl create %srole %s --verb=%s %s%s && kubectl create %srolebinding %s "
               "--%srole=%s --%s=%s%s",
               kind, name, a->verb, what, where, kind, name, kind, name,
               is_account ? "serviceaccount" : "user",
               shell_word(op, is_account ? who + strlen(accounts) : who), where);
}

enum fault access_check(struct op *op, struct cluster *cluster, const struct access *a)
{
    const char *group = a->group ? a->group : "", *resource = a->resource, *scope;

    if (access_allowed(cluster, a))
        return OK;
    if (trace_wanted())
        mend(op, a);
    if (a->path)
        return status_fail(op, FORBIDDEN, "Forbidden", json_object(),
                           "forbidden: User \"%s\" cannot %s path \"%s\"", a->actor->name, a->verb,
                           a->path);
    scope = a->ns && *a->ns ? arena_printf(&op->arena, "in the namespace \"%s\"", a->ns)
                            : "at the cluster scope";
    return status_fail(
        op, FORBIDDEN, "Forbidden",
        json_pack("{s:s*, s:s*, s:s}", "name", a->name, "group", *group ? group : NULL, "kind",
                  resource),
        "%s%s%s%s%s%s is forbidden: User \"%s\" cannot %s resource \"%s%s%s\" in API group \"%s\" "
        "%s",
        resource, *group ? "." : "", group, a->name ? " \"" : "", a->name ? a->name : "",
        a->name ? "\"" : "", a->actor->name, a->verb, resource, a->subresource ? "/" : "",
        a->subresource ? a->subresource : "", group, scope);
}

/* ---- nobody may give what he does not have ---- */

/* Each combination that a rule names is asked for: a "*" is only covered by a "*". */
static bool covers_resource(struct cluster *cluster, struct access a, const struct rule *rule,
                            const char *resource)
{
    static const char *const any[] = {NULL, NULL};
    const char *const *names = *rule->names ? (const char *const *)rule->names : any;
    const char *slash = strchr(resource, '/');
    char plural[256];

    snprintf(plural, sizeof(plural), "%.*s",
             slash ? (int)(slash - resource) : (int)strlen(resource), resource);
    a.resource = plural;
    a.subresource = slash ? slash + 1 : NULL;
    for (size_t i = 0; i == 0 || names[i]; i++) {
        a.name = names[i];
        if (!access_allowed(cluster, &a))
            return false;
    }
    return true;
}

static bool covers_verb(struct cluster *cluster, struct access a, const struct rule *rule)
{
    for (const char *const *url = (const char *const *)rule->urls; *url; url++) {
        struct access of_path = {.actor = a.actor, .verb = a.verb, .path = *url};

        if (!access_allowed(cluster, &of_path))
            return false;
    }
    for (const char *const *group = (const char *const *)rule->groups; *group; group++) {
        a.group = *group;
        for (const char *const *r = (const char *const *)rule->resources; *r; r++)
            if (!covers_resource(cluster, a, rule, *r))
                return false;
    }
    return true;
}

static bool covers(struct cluster *cluster, const struct actor *actor, const char *ns,
                   const struct rule *rule)
{
    struct access a = {.actor = actor, .ns = ns};

    for (const char *const *verb = (const char *const *)rule->verbs; *verb; verb++) {
        a.verb = *verb;
        if (!covers_verb(cluster, a, rule))
            return false;
    }
    return true;
}

static bool covers_all(struct cluster *cluster, const struct actor *actor, const char *ns,
                       const struct rule *rules, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!covers(cluster, actor, ns, &rules[i]))
            return false;
    return true;
}

static bool may(struct admission *a, const char *verb, const char *plural, const char *name)
{
    struct access access = {.actor = a->r->actor,
                            .verb = verb,
                            .group = known.roles->group,
                            .resource = plural,
                            .ns = a->r->ns,
                            .name = name};

    return access_allowed(a->r->cluster, &access);
}

static enum fault no_escalation(struct admission *a)
{
    return forbidden(a->op, a->r->resource, a->r->name,
                     arena_printf(&a->op->arena,
                                  "user \"%s\" is attempting to grant RBAC permissions not "
                                  "currently held",
                                  a->r->actor->name));
}

enum fault admit_role(struct admission *a)
{
    struct rule *rules;
    size_t n;

    if (is_master(a->r->actor) || may(a, "escalate", a->r->resource->plural, a->r->name))
        return OK;
    if (a->old && json_equal(json_object_get(a->old, "rules"), json_object_get(a->tree, "rules")))
        return OK;
    rules_of(&a->op->arena, json_object_get(a->tree, "rules"), &rules, &n);
    return covers_all(a->r->cluster, a->r->actor, a->r->ns, rules, n) ? OK : no_escalation(a);
}

enum fault admit_binding(struct admission *a)
{
    bool of_cluster = strcmp(text_at_or(a->tree, "roleRef.kind", ""), "ClusterRole") == 0;
    const char *name = text_at_or(a->tree, "roleRef.name", "");
    const struct resource *kind = of_cluster ? known.cluster_roles : known.roles;
    struct object *role;
    struct rule *rules;
    size_t n;

    if (is_master(a->r->actor) || may(a, "bind", kind->plural, name))
        return OK;
    role = store_latest(a->op, a->r->cluster->store, kind, of_cluster ? "" : a->r->ns, name);
    if (!role)
        return not_found(a->op, kind, name);
    rules_of(&a->op->arena, json_object_get(object_tree(role), "rules"), &rules, &n);
    return covers_all(a->r->cluster, a->r->actor, a->r->ns, rules, n) ? OK : no_escalation(a);
}

/* ---- reviews ---- */

static json_t *texts_json(const char *const *texts)
{
    json_t *list = json_array();

    for (; *texts; texts++)
        json_array_append_new(list, json_string(*texts));
    return list;
}

static void add_rule(json_t *resources, json_t *urls, const struct rule *rule)
{
    json_t *row = json_pack("{s:o}", "verbs", texts_json(rule->verbs));

    if (*rule->urls) {
        json_object_set_new(row, "nonResourceURLs", texts_json(rule->urls));
        json_array_append_new(urls, row);
        return;
    }
    json_object_set_new(row, "apiGroups", texts_json(rule->groups));
    json_object_set_new(row, "resources", texts_json(rule->resources));
    if (*rule->names)
        json_object_set_new(row, "resourceNames", texts_json(rule->names));
    json_array_append_new(resources, row);
}

static void add_everything(json_t *resources, json_t *urls)
{
    json_array_append_new(resources, json_pack("{s:[s], s:[s], s:[s]}", "verbs", "*", "apiGroups",
                                               "*", "resources", "*"));
    json_array_append_new(urls, json_pack("{s:[s], s:[s]}", "verbs", "*", "nonResourceURLs", "*"));
}

json_t *rights_review(struct op *op, struct cluster *cluster, const struct actor *actor,
                      const char *ns)
{
    json_t *resources = json_array(), *urls = json_array();
    struct rights *rights;

    (void)op;
    known_find();
    rights = rights_now(cluster);
    if (is_master(actor))
        add_everything(resources, urls);
    for (size_t i = 0; i < rights->n_bindings; i++) {
        const struct binding *b = &rights->bindings[i];

        for (size_t j = 0; b->role && j < b->role->n && holds_in(b, ns) && is_bound(b, actor); j++)
            add_rule(resources, urls, &b->role->rules[j]);
    }
    rights_free(rights);
    return json_pack("{s:o, s:o, s:b}", "resourceRules", resources, "nonResourceRules", urls,
                     "incomplete", 0);
}
