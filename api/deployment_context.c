/* What a template means where it is deployed: facts, plan, rights; and what is kept of it. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "api/deployment.h"
#include "api/group.h"
#include "api/provider.h"
#include "api/subscription.h"
#include "core/json.h"
#include "core/seal.h"
#include "core/server.h"

/* ---- facts ---- */

static const char *base_url(struct op *op, const struct deployment *d)
{
    if (server_settings && server_settings->public_url)
        return server_settings->public_url;
    return arena_printf(&op->arena, "%s://%s", d->tls ? "https" : "http",
                        *d->host ? d->host : "localhost");
}

static json_t *url(struct op *op, const char *base, const char *path)
{
    return json_string(arena_printf(&op->arena, "%s%s", base, path));
}

static json_t *environment(struct op *op, const struct deployment *d)
{
    const char *base = base_url(op, d), *suffix = server_registry_suffix();

    return json_keep(
        op, json_pack("{s:s, s:o, s:o, s:o, s:o, s:{s:o, s:[o, o], s:s, s:s}, s:{s:s}}", "name",
                      "Sundog", "portal", url(op, base, "/"), "resourceManager", url(op, base, "/"),
                      "gallery", url(op, base, "/"), "graph", url(op, base, "/graph/"),
                      "authentication", "loginEndpoint", url(op, base, "/adfs"), "audiences",
                      url(op, base, "/arm/"), url(op, base, ""), "tenant", entra_tenant(),
                      "identityProvider", "ADFS", "suffixes", "acrLoginServer",
                      *suffix == '.' ? suffix + 1 : suffix));
}

static enum fault add_group_fact(struct op *op, const struct deployment *d, json_t *facts)
{
    struct group g;
    json_t *fact;

    if (!d->group)
        return OK;
    TRY(group_get(op, d->subscription, d->group, &g));
    fact = json_pack("{s:s, s:s, s:s, s:s, s:s*, s:{s:s}}", "id", g.id, "name", g.name, "type",
                     "Microsoft.Resources/resourceGroups", "location", g.location, "managedBy",
                     g.managed_by, "properties", "provisioningState", g.state);
    json_set_raw(fact, "tags", g.tags);
    json_object_set_new(facts, "group", fact);
    return OK;
}

static json_t *deployment_fact(struct op *op, const struct deployment *d,
                               const struct deployment_input *input)
{
    json_t *template = json_keep(op, json_copy((json_t *)input->template));

    return json_keep(op,
                     json_pack("{s:s, s:s*, s:{s:O, s:s, s:O, s:s, s:s}}", "name", d->name,
                               "location", d->location, "properties", "template", template,
                               "templateHash", d->hash ? d->hash : "", "parameters", input->shown,
                               "mode", input->mode, "provisioningState", "Accepted"));
}

/* Asked once, and kept with the input: a tag that goes while it runs must not change the plan. */
static enum fault find_facts(struct op *op, const struct deployment *d, json_t **ret)
{
    struct subscription s;
    json_t *facts;

    TRY(subscription_find(op, d->subscription, &s));
    facts = json_keep(
        op, json_pack("{s:{s:s, s:s, s:s, s:s, s:s, s:s}, s:{s:s, s:s, s:s, s:s}, s:O}",
                      "subscription", "id", arena_printf(&op->arena, "/subscriptions/%s", s.id),
                      "subscriptionId", s.id, "tenantId", entra_tenant(), "displayName", s.name,
                      "state", s.state, "authorizationSource", "RoleBased", "tenant", "id",
                      arena_printf(&op->arena, "/tenants/%s", entra_tenant()), "tenantId",
                      entra_tenant(), "displayName", "Sundog", "countryCode", "US", "environment",
                      environment(op, d)));
    TRY(add_group_fact(op, d, facts));
    *ret = facts;
    return OK;
}

static struct template_facts known_facts(const struct deployment *d,
                                         const struct deployment_input *input)
{
    const json_t *subscription = json_object_get(input->facts, "subscription");

    return (struct template_facts){
        .subscription_id = json_string_value(json_object_get(subscription, "subscriptionId")),
        .group_name = d->group,
        .group = json_object_get(input->facts, "group"),
        .subscription = subscription,
        .tenant = json_object_get(input->facts, "tenant"),
        .environment = json_object_get(input->facts, "environment"),
    };
}

/* As the group is named, where there is one: ids keep the case given at its creation. */
static const char *base_id(struct op *op, const struct deployment *d,
                           const struct template_facts *f)
{
    const char *group = json_string_value(json_object_get(f->group, "id"));

    return group ? group : arena_printf(&op->arena, "/subscriptions/%s", d->subscription);
}

enum fault deployment_plan(struct op *op, const struct deployment *d,
                           struct deployment_context *context)
{
    struct deployment_input *input = &context->input;
    json_t *given = input->values;
    struct scope s;

    if (!input->facts)
        TRY(find_facts(op, d, &input->facts));
    context->facts = known_facts(d, input);
    s = scope_new(op, input->template, &context->facts);
    if (!input->shown) {
        TRY(template_check(op, input->template));
        TRY(template_parameters(&s, given, &input->shown));
        input->values = s.parameters;
    } else
        template_parameters_restore(&s, given);
    context->facts.deployment = deployment_fact(op, d, input);
    return template_plan(&s, base_id(op, d, &context->facts), &context->plan);
}

/* ---- what is kept ---- */

static const char *label(struct op *op, const char *uid)
{
    return arena_printf(&op->arena, "deployment/%s", uid);
}

struct bytes deployment_seal(struct op *op, const char *uid, const struct deployment_input *input)
{
    json_t *all = json_keep(op, json_pack("{s:O, s:O, s:O, s:O, s:s}", "template", input->template,
                                          "values", input->values, "shown", input->shown, "facts",
                                          input->facts, "mode", input->mode));

    return seal(op, label(op, uid), BYTES(json_text_of(op, all)));
}

enum fault deployment_unseal(struct op *op, const struct deployment *d,
                             struct deployment_input *ret)
{
    struct bytes sealed, plain;
    json_t *all;

    TRY(deployment_sealed(op, d->uid, false, &sealed));
    TRY(unseal(op, label(op, d->uid), sealed, &plain));
    all = json_keep(op, json_loadb(plain.data, plain.len, 0, NULL));
    if (!all)
        return fail(op, INTERNAL, "what is kept of a deployment is damaged");
    *ret = (struct deployment_input){
        .template = json_object_get(all, "template"),
        .values = json_object_get(all, "values"),
        .shown = json_object_get(all, "shown"),
        .facts = json_object_get(all, "facts"),
        .mode = json_string_value(json_object_get(all, "mode")),
    };
    return OK;
}

const char *deployment_hash(struct op *op, const json_t *template)
{
    char *text = json_dumps(template, JSON_COMPACT | JSON_SORT_KEYS);
    uint64_t hash = 0;
    uint8_t digest[32];

    if (!text)
        return "0";
    sha256(BYTES(text), digest);
    free(text);
    for (int i = 0; i < 8; i++)
        hash = hash << 8 | digest[i];
    return arena_printf(&op->arena, "%llu", (unsigned long long)hash);
}

/* ---- rights ---- */

/* "…/registries/providers/roleAssignments" as an extension's own type. */
static const char *own_type(struct op *op, const struct template_node *n)
{
    struct resource_id id;

    return resource_id_parse(op, n->id, &id) == OK && id.full_type ? id.full_type : n->type;
}

static enum fault check_type(struct op *op, const struct template_node *n, const char *type)
{
    const struct provider *p;
    char *space = arena_strndup(&op->arena, type, strcspn(type, "/"));

    p = provider_find(space);
    if (!p)
        return fail_on(op, "InvalidResourceNamespace", INVALID,
                       "The resource namespace '%s' of the resource '%s' is invalid.", space,
                       n->name);
    if (p->types && !resource_type_find(type))
        return fail_on(op, "NoRegisteredProviderFound", INVALID,
                       "No registered resource provider found for API version '%s' for type '%s' "
                       "of the resource '%s'.",
                       n->version, type + strlen(space) + 1, n->name);
    return OK;
}

static const char *action_of(struct op *op, const char *type)
{
    if (strcasecmp(type, "Microsoft.Resources/resourceGroups") == 0)
        return "Microsoft.Resources/subscriptions/resourceGroups/write";
    return arena_printf(&op->arena, "%s/write", full_type_spelled(op, type));
}

enum fault deployment_preflight(struct op *op, const struct template_plan *plan,
                                const struct identity *who)
{
    for (size_t i = 0; i < plan->n; i++) {
        const struct template_node *n = &plan->nodes[i];
        const char *type = strcasecmp(n->type, "Microsoft.Resources/resourceGroups") == 0
                               ? n->type
                               : own_type(op, n),
                   *action = action_of(op, type);

        if (n->existing || n->skipped)
            continue;
        TRY(check_type(op, n, type));
        if (!role_allows(op, who, n->id, action))
            return fail_on(op, "InvalidTemplateDeployment", FORBIDDEN,
                           "Deployment failed with multiple errors: 'Authorization failed for "
                           "template resource '%s' of type '%s'. The client '%s' with object id "
                           "'%s' does not have permission to perform action '%s' at scope '%s'.'",
                           n->name, type, who->name, who->object_id, action, n->id);
    }
    return OK;
}
