/* Questions to the API server: who am I, who has this token, may he do that, a token please. */
#include <string.h>

#include "clusters/rest/identity.h"
#include "clusters/rest/rest_internal.h"

static void release(void *tree)
{
    json_decref(tree);
}

static json_t *texts_json(const char *const *texts)
{
    json_t *list = json_array();

    for (; texts && *texts; texts++)
        json_array_append_new(list, json_string(*texts));
    return list;
}

/* A NULL-terminated copy of a list of texts. */
static const char *const *texts_of(struct op *op, const json_t *list)
{
    const char **texts = arena_alloc(&op->arena, (json_array_size(list) + 1) * sizeof(*texts));
    size_t n = 0;

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));

        if (text)
            texts[n++] = text;
    }
    return texts;
}

static json_t *user_json(const struct user_info *who)
{
    json_t *user = json_pack("{s:s, s:o}", "username", who->actor.name, "groups",
                             texts_json(who->actor.groups));

    if (who->actor.uid)
        json_object_set_new(user, "uid", json_string(who->actor.uid));
    if (who->extra)
        json_object_set_new(user, "extra", json_deep_copy(who->extra));
    return user;
}

/* ---- who ---- */

static enum fault review_self(struct op *op, struct rest *r, json_t *tree,
                              const struct user_info *who, json_t **ret_status)
{
    (void)op;
    (void)r;
    (void)tree;
    *ret_status = json_pack("{s:o}", "userInfo", user_json(who));
    return OK;
}

static enum fault review_token(struct op *op, struct rest *r, json_t *tree,
                               const struct user_info *who, json_t **ret_status)
{
    const char *token = text_at_or(tree, "spec.token", "");
    const char *const *audiences = texts_of(op, at(tree, "spec.audiences"));
    struct user_info found = {0};
    enum fault fault = UNAUTHENTICATED;
    const char *audience = NULL;

    (void)who;
    if (!*token)
        return bad_request(op, "token is required for TokenReview in authentication");
    for (size_t i = 0; (i == 0 || audiences[i]) && fault != OK; i++) {
        audience = audiences[i];
        fault = identity_of_token(op, r->cluster, token, audience, &found);
        if (fault != OK && fault != UNAUTHENTICATED)
            return fault;
        if (!audiences[i])
            break;
    }
    op_clear_fault(op);
    if (fault != OK) {
        *ret_status = json_pack("{s:{}, s:s}", "user", "error",
                                "[invalid bearer token, Token has been invalidated]");
        return OK;
    }
    *ret_status = json_pack("{s:b, s:o, s:[s]}", "authenticated", 1, "user", user_json(&found),
                            "audiences", audience ? audience : r->cluster->issuer);
    return OK;
}

/* ---- may he ---- */

static bool read_access(const json_t *spec, const struct actor *actor, const char *ns,
                        struct access *ret)
{
    const json_t *resource = json_object_get(spec, "resourceAttributes");
    const json_t *path = json_object_get(spec, "nonResourceAttributes");
    const char *name, *sub;

    if (!resource == !path)
        return false;
    if (path) {
        *ret = (struct access){.actor = actor,
                               .verb = text_at_or(path, "verb", ""),
                               .path = text_at_or(path, "path", "")};
        return true;
    }
    name = text_at_or(resource, "name", "");
    sub = text_at_or(resource, "subresource", "");
    *ret = (struct access){.actor = actor,
                           .verb = text_at_or(resource, "verb", ""),
                           .group = text_at_or(resource, "group", ""),
                           .resource = text_at_or(resource, "resource", ""),
                           .subresource = *sub ? sub : NULL,
                           .ns = ns ? ns : text_at_or(resource, "namespace", ""),
                           .name = *name ? name : NULL};
    return true;
}

static enum fault answer_access(struct op *op, struct rest *r, const json_t *tree,
                                const struct actor *actor, const char *ns, json_t **ret_status)
{
    struct access access;
    bool allowed;

    if (!read_access(json_object_get(tree, "spec"), actor, ns, &access))
        return status_fail(op, INVALID, "Invalid", NULL,
                           "%s.authorization.k8s.io \"\" is invalid: spec.resourceAttributes: "
                           "Invalid value: null: exactly one of nonResourceAttributes or "
                           "resourceAttributes must be specified",
                           r->resource->kind);
    allowed = access_allowed(r->cluster, &access);
    *ret_status = allowed ? json_pack("{s:b, s:s}", "allowed", 1, "reason", "RBAC: allowed")
                          : json_pack("{s:b}", "allowed", 0);
    return OK;
}

static enum fault review_self_access(struct op *op, struct rest *r, json_t *tree,
                                     const struct user_info *who, json_t **ret_status)
{
    return answer_access(op, r, tree, &who->actor, NULL, ret_status);
}

static enum fault review_access(struct op *op, struct rest *r, json_t *tree,
                                const struct user_info *who, json_t **ret_status)
{
    struct actor actor = {.name = text_at_or(tree, "spec.user", ""),
                          .groups = texts_of(op, at(tree, "spec.groups"))};

    (void)who;
    if (!*actor.name && !*actor.groups)
        return status_fail(op, INVALID, "Invalid", NULL,
                           "%s.authorization.k8s.io \"\" is invalid: spec.user: Invalid value: "
                           "\"\": at least one of user or group must be specified",
                           r->resource->kind);
    return answer_access(op, r, tree, &actor, r->resource->namespaced ? r->ns : NULL, ret_status);
}

static enum fault review_rules(struct op *op, struct rest *r, json_t *tree,
                               const struct user_info *who, json_t **ret_status)
{
    const char *ns = text_at_or(tree, "spec.namespace", "");

    if (!*ns)
        return bad_request(op, "no namespace on request");
    *ret_status = rights_review(op, r->cluster, &who->actor, ns);
    return OK;
}

/* ---- a token ---- */

static enum fault request_token(struct op *op, struct rest *r, json_t *tree,
                                const struct user_info *who, json_t **ret_status)
{
    struct token_request request = {
        .ns = r->ns,
        .service_account = r->name,
        .audiences = texts_of(op, at(tree, "spec.audiences")),
        .lifetime_s = int_at(tree, "spec.expirationSeconds", 0),
        .bound_kind = text_at(tree, "spec.boundObjectRef.kind"),
        .bound_name = text_at_or(tree, "spec.boundObjectRef.name", ""),
        .bound_uid = text_at(tree, "spec.boundObjectRef.uid"),
    };
    const char *token = NULL;
    int64_t expires = 0;

    (void)who;
    TRY(identity_issue(op, r->cluster, &request, &token, &expires));
    if (!json_array_size(at(tree, "spec.audiences")))
        set_at(tree, "spec.audiences", json_pack("[s]", r->cluster->issuer));
    if (!at(tree, "spec.expirationSeconds"))
        set_at(tree, "spec.expirationSeconds", json_integer(expires - wall_s()));
    set_at(tree, "metadata.name", json_string(r->name));
    set_at(tree, "metadata.namespace", json_string(r->ns));
    set_at(tree, "metadata.creationTimestamp", json_string(time_text(op, wall_s())));
    *ret_status =
        json_pack("{s:s, s:s}", "token", token, "expirationTimestamp", time_text(op, expires));
    return OK;
}

/* ---- the table ---- */

static const struct question {
    const char *plural, *subresource;
    enum fault (*answer)(struct op *op, struct rest *r, json_t *tree, const struct user_info *who,
                         json_t **ret_status);
} questions[] = {
    {"selfsubjectreviews",        NULL,    review_self       },
    {"tokenreviews",              NULL,    review_token      },
    {"selfsubjectaccessreviews",  NULL,    review_self_access},
    {"subjectaccessreviews",      NULL,    review_access     },
    {"localsubjectaccessreviews", NULL,    review_access     },
    {"selfsubjectrulesreviews",   NULL,    review_rules      },
    {"serviceaccounts",           "token", request_token     },
};

static const struct question *question_of(const struct rest *r)
{
    for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
        const struct question *q = &questions[i];

        if (strcmp(q->plural, r->resource->plural) == 0 &&
            strcmp(q->subresource ? q->subresource : "", r->subresource ? r->subresource : "") == 0)
            return q;
    }
    return NULL;
}

bool is_review(const struct rest *r)
{
    return question_of(r) != NULL;
}

enum fault rest_review(struct op *op, struct rest *r, json_t *tree, const struct user_info *who,
                       json_t **ret)
{
    const struct question *question = question_of(r);
    const struct subresource *sub =
        r->subresource ? resource_subresource(r->resource, r->subresource) : NULL;
    const char *api_version = resource_api_version(r->resource);
    json_t *answer, *status = NULL;

    known_find();
    TRY(question->answer(op, r, tree, who, &status));
    if (sub)
        api_version = arena_printf(&op->arena, "%s/%s", sub->group, sub->version);
    answer = json_pack("{s:s, s:s, s:O?, s:O?, s:o}", "kind", sub ? sub->kind : r->resource->kind,
                       "apiVersion", api_version, "metadata", json_object_get(tree, "metadata"),
                       "spec", json_object_get(tree, "spec"), "status", status);
    if (json_is_null(json_object_get(answer, "metadata")))
        json_object_set_new(answer, "metadata", json_object());
    if (json_is_null(json_object_get(answer, "spec")))
        json_object_set_new(answer, "spec", json_object());
    arena_defer(&op->arena, release, answer);
    *ret = answer;
    return OK;
}
