/* Microsoft.Resources/deployments at resource groups and subscriptions. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/body.h"
#include "api/deployment.h"
#include "api/filter.h"
#include "api/group.h"
#include "api/handlers.h"
#include "api/operation.h"
#include "api/page.h"
#include "api/template/lenient.h"
#include "api/template/limits.h"
#include "core/db.h"
#include "core/durable.h"
#include "core/json.h"
#include "core/seal.h"

static const char *const modes[] = {"Incremental", "Complete", NULL};

/* ---- what a request is about ---- */

/* "…/deployments/NAME" of any of the routes, also …/resourcegroups/G/deployments/NAME/operations.
 */
static enum fault id_of_call(struct call *c, struct resource_id *ret)
{
    const struct resource_id *id = arm_id(c);
    const char *group =
                   id->group ? arena_printf(&c->op.arena, "/resourceGroups/%s", id->group) : "",
               *path = arena_printf(&c->op.arena,
                                    "/subscriptions/%s%s/providers/Microsoft.Resources/deployments/"
                                    "%s",
                                    id->subscription, group, c->path_args[id->group ? 2 : 1]);

    return resource_id_parse(&c->op, path, ret);
}

static enum fault check_name(struct op *op, const char *name)
{
    bool good = *name && strlen(name) <= DEPLOYMENT_NAME_MAX;

    for (const char *p = name; *p && good; p++)
        good = isalnum((unsigned char)*p) || strchr("-._()", *p);
    if (good)
        return OK;
    return arm_fail_at(op, "InvalidDeploymentName", INVALID, "deploymentName",
                       "The deployment name '%.100s' is invalid: it must have 1 to %d letters, "
                       "digits, '-', '.', '_', '(' or ')'.",
                       name, DEPLOYMENT_NAME_MAX);
}

/* The group is there and stays; ids have its name as it was made. */
static enum fault place(struct call *c, struct deployment *d)
{
    const struct resource_id *id = arm_id(c);
    struct op *op = &c->op;
    struct resource_id own;
    struct group group;

    TRY(id_of_call(c, &own));
    d->subscription = own.subscription;
    d->name = own.name;
    d->id = own.path;
    d->key = own.key;
    d->scope = id_lower(op, own.scope);
    TRY(check_name(op, d->name));
    if (!id->group)
        return OK;
    TRY(group_get(op, id->subscription, id->group, &group));
    if (strcmp(group.state, "Deleting") == 0)
        return fail_on(op, "ResourceGroupBeingDeleted", CONFLICT,
                       "The resource group '%s' is in deprovisioning state and cannot perform this "
                       "operation.",
                       group.name);
    d->group = group.name;
    d->id = arena_printf(&op->arena, "%s/providers/Microsoft.Resources/deployments/%s", group.id,
                         d->name);
    return OK;
}

static enum fault refuse_links(struct op *op, const json_t *body)
{
    static const char *const links[] = {"properties.templateLink", "properties.parametersLink",
                                        "properties.onErrorDeployment", NULL};

    for (size_t i = 0; links[i]; i++)
        if (body_at(body, links[i]))
            return arm_fail_at(op, "NotSupported", INVALID, links[i],
                               "'%s' is not supported by this Sundog: nothing is fetched from "
                               "elsewhere, and nothing is rolled back. Send the template and its "
                               "parameters with the request.",
                               links[i]);
    return OK;
}

/* An object; what is none is refused by what reads it. */
static enum fault template_in(struct op *op, const json_t *body, const json_t **ret)
{
    const json_t *found = body_at(body, "properties.template");

    if (!found)
        return arm_fail_at(op, "InvalidTemplate", INVALID, "properties.template",
                           "The request has no template.");
    if (strlen(json_text_of(op, found)) > TEMPLATE_MAX_BYTES)
        return arm_fail_at(op, "RequestContentTooLarge", TOO_LARGE, "properties.template",
                           "The template is larger than 4 MiB.");
    *ret = found;
    return OK;
}

static const char *const known[] = {"location", "tags", "properties", NULL};

/* The body, and the plan of what it asks for. */
static enum fault read_request(struct call *c, struct deployment *d,
                               struct deployment_context *context, json_t **ret_body)
{
    struct deployment_input *input = &context->input;
    struct op *op = &c->op;
    json_t *body;

    TRY(place(c, d));
    if (!c->body.len)
        return fail_on(op, "InvalidRequestContent", INVALID, "The request has no content.");
    TRY(lenient_parse(op, c->body, &body));
    if (!json_is_object(body_at(body, "properties")))
        return arm_fail_at(op, "InvalidRequestContent", INVALID, "properties",
                           "The request has no properties.");
    TRY(body_location(op, body, !d->group, &d->location));
    if (d->group)
        d->location = NULL; /* the group has one */
    TRY(body_tags(op, body, &d->tags, NULL));
    TRY(refuse_links(op, body));
    TRY(template_in(op, body, &input->template));
    input->mode = modes[0];
    TRY(body_choice(op, body, "properties.mode", modes, &input->mode));
    if (!d->group && input->mode == modes[1])
        return arm_fail_at(op, "InvalidDeploymentMode", INVALID, "properties.mode",
                           "The mode 'Complete' is for deployments to a resource group.");
    TRY(body_object(op, body, "properties.parameters", &input->values));
    d->mode = input->mode;
    d->host = c->host;
    d->tls = c->tls;
    d->hash = deployment_hash(op, input->template);
    d->correlation = c->correlation_id;
    d->client = c->client;
    d->who = arm_who(c)->object_id;
    body_ignored(c, body, known);
    *ret_body = body;
    TRY(deployment_plan(op, d, context));
    return deployment_preflight(op, context->plan, arm_who(c));
}

/* ---- PUT ---- */

enum fault deployment_put(struct call *c)
{
    struct operation o = {.kind = "deployment", .provider = "Microsoft.Resources"};
    struct deployment_context context = {.plan = NULL};
    struct op *op = &c->op;
    struct deployment d = {.owner = deployment_owner()};
    char uid[37];
    bool created;
    json_t *body;
    enum fault fault;

    TRY(read_request(c, &d, &context, &body));
    random_uuid(uid);
    d.uid = uid;
    d.input = deployment_seal(op, uid, &context.input);
    d.parameters = json_text_of(op, context.input.shown);
    d.facts = deployment_facts(op, context.plan);
    o.resource_id = d.id;
    o.location = d.location;
    TRY(db_begin(op));
    TRY(operation_start(c, &o));
    d.operation = o.id;
    TRY(deployment_insert(op, &d, &created));
    TRY(deployment_by_uid(op, uid, &d));
    operation_headers(c, &o, OPERATION_ASYNC);
    arm_reply(c, created ? 201 : 200, deployment_json(op, &d));
    fault = db_commit(op);
    if (fault == OK)
        deployment_wake(uid);
    return fault;
}

/* ---- GET, DELETE, lists ---- */

static enum fault find(struct call *c, struct deployment *ret)
{
    struct resource_id id;

    TRY(id_of_call(c, &id));
    return deployment_get(&c->op, &id, ret);
}

enum fault deployment_api_get(struct call *c)
{
    struct deployment d;

    TRY(find(c, &d));
    if (c->method == HEAD)
        return reply_empty(c, 204);
    return arm_reply(c, 200, deployment_json(&c->op, &d));
}

enum fault deployment_api_delete(struct call *c)
{
    struct operation o = {.kind = "deployment.delete", .provider = "Microsoft.Resources"};
    struct op *op = &c->op;
    struct resource_id id;
    bool existed;

    TRY(id_of_call(c, &id));
    TRY(db_begin(op));
    TRY(deployment_delete(op, id.key, &existed));
    if (!existed) {
        db_rollback(op);
        return reply_empty(c, 204);
    }
    o.resource_id = id.path;
    TRY(operation_start(c, &o));
    TRY(operation_finish(op, o.id, OPERATION_SUCCEEDED, NULL, NULL, NULL));
    operation_headers(c, &o, OPERATION_LOCATION);
    reply_empty(c, 202);
    return call_commit(c);
}

/* $filter: provisioningState eq 'Failed' */
static enum fault read_state(struct call *c, const char **ret)
{
    const char *text = call_query(c, "$filter", 0);
    struct filter *filter;

    *ret = NULL;
    TRY(filter_parse(&c->op, text, &filter));
    if (!filter)
        return OK;
    *ret = filter_equal(filter, "provisioningState");
    if (*ret)
        return OK;
    return arm_fail_at(&c->op, "InvalidFilterInQueryString", INVALID, "$filter",
                       "Invalid $filter '%.200s': deployments are filtered by "
                       "\"provisioningState eq 'STATE'\".",
                       text);
}

/* Of a group or a subscription; of all groups in it too, by $expand=resourceGroups. */
static enum fault read_list(struct call *c, struct deployment_filter *filter, bool *ret_all)
{
    const struct resource_id *id = arm_id(c);
    const char *expand = call_query(c, "$expand", 0);
    struct group group;

    *ret_all = true;
    filter->subscription = id->subscription;
    filter->scope = id_lower(&c->op, id->scope);
    if (id->group)
        return group_get(&c->op, id->subscription, id->group, &group);
    if (expand && strcasecmp(expand, "resourceGroups") == 0)
        filter->scope = NULL;
    return arm_sees_subscription(c, ret_all);
}

/* Where a page ended: "1735689600000000 KEY", the newest first. */
static enum fault read_place(struct call *c, const char *token, struct deployment_filter *filter)
{
    char *end;

    if (!*token)
        return OK;
    filter->before_us = strtoll(token, &end, 10);
    filter->before_key = end + 1;
    if (filter->before_us > 0 && *end == ' ')
        return OK;
    return arm_fail_at(&c->op, "InvalidSkipToken", INVALID, "$skiptoken",
                       "The $skiptoken query parameter is not one that we gave out.");
}

static const char *place_of(struct op *op, const struct deployment *d)
{
    return arena_printf(&op->arena, "%lld %s", (long long)d->created_us, d->key);
}

enum fault deployment_api_list(struct call *c)
{
    struct deployment_filter filter = {.before_key = ""};
    struct op *op = &c->op;
    json_t *values = json_new_array(op);
    struct deployment *found;
    struct arm_page page;
    bool all;
    size_t n;

    TRY(read_list(c, &filter, &all));
    TRY(page_read_arm(c, DEPLOYMENT_HISTORY_MAX, &page));
    TRY(read_state(c, &filter.state));
    TRY(read_place(c, page.last, &filter));
    filter.limit = page.limit;
    TRY(deployment_list(op, &filter, &found, &n));
    for (size_t i = 0; i < n && (int64_t)i < page.top; i++)
        if (all || role_allows(op, arm_who(c), found[i].id, c->route->action))
            json_array_append(values, deployment_json(op, &found[i]));
    return page_reply(c, values, (int64_t)n > page.top ? place_of(op, &found[page.top - 1]) : NULL);
}

/* ---- actions ---- */

enum fault deployment_api_cancel(struct call *c)
{
    struct op *op = &c->op;
    struct deployment d;
    const char *uid;

    TRY(find(c, &d));
    TRY(deployment_want_cancel(op, d.key, &uid));
    if (!uid)
        return fail_on(op, "DeploymentCannotBeCancelled", CONFLICT,
                       "The deployment '%s' cannot be cancelled because it is not active. Its "
                       "provisioning state is '%s'.",
                       d.name, d.state);
    deployment_wake(uid);
    return reply_empty(c, 204);
}

enum fault deployment_api_validate(struct call *c)
{
    struct deployment_context context = {.plan = NULL};
    struct op *op = &c->op;
    struct deployment d = {.state = "Succeeded"};
    json_t *body, *resources = json_new_array(op), *shown;

    TRY(read_request(c, &d, &context, &body));
    d.parameters = json_text_of(op, context.input.shown);
    d.facts = deployment_facts(op, context.plan);
    d.changed = arm_now(op);
    shown = deployment_json(op, &d);
    for (size_t i = 0; i < context.plan->n; i++)
        if (!context.plan->nodes[i].existing && !context.plan->nodes[i].skipped)
            json_array_append_new(resources, json_pack("{s:s}", "id", context.plan->nodes[i].id));
    json_object_set(json_object_get(shown, "properties"), "validatedResources", resources);
    return arm_reply(c, 200, shown);
}

/* Found out at once; the clients want an operation all the same. */
enum fault deployment_api_what_if(struct call *c)
{
    static const char *const formats[] = {"ResourceIdOnly", "FullResourcePayloads", NULL};
    struct operation o = {.kind = "deployment.whatIf", .provider = "Microsoft.Resources"};
    struct deployment_context context = {.plan = NULL};
    const char *format = formats[1];
    struct deployment_asker asker = {.blocker = -1};
    struct op *op = &c->op;
    struct deployment d = {.state = "Succeeded"};
    json_t *body, *result;

    TRY(read_request(c, &d, &context, &body));
    TRY(body_choice(op, body, "properties.whatIfSettings.resultFormat", formats, &format));
    asker = (struct deployment_asker){.who = arm_who(c),
                                      .d = &d,
                                      .plan = context.plan,
                                      .asked = json_new_object(op),
                                      .blocker = -1};
    TRY(deployment_what_if(op, &asker, d.mode, format == formats[0], &result));
    o.resource_id = d.id;
    o.location = d.location;
    TRY(db_begin(op));
    TRY(operation_start(c, &o));
    TRY(operation_finish(op, o.id, OPERATION_SUCCEEDED, NULL, NULL, json_text_of(op, result)));
    operation_headers(c, &o, OPERATION_LOCATION);
    reply_empty(c, 202);
    return call_commit(c);
}

enum fault deployment_api_export(struct call *c)
{
    struct deployment_input input;
    struct op *op = &c->op;
    struct deployment d;

    TRY(find(c, &d));
    TRY(deployment_unseal(op, &d, &input));
    return arm_reply(c, 200, json_keep(op, json_pack("{s:O}", "template", input.template)));
}

enum fault deployment_api_secure_outputs(struct call *c)
{
    struct op *op = &c->op;
    struct bytes sealed, plain;
    json_t *shown, *outputs;
    struct deployment d;

    TRY(find(c, &d));
    TRY(deployment_sealed(op, d.uid, true, &sealed));
    shown = deployment_json(op, &d);
    if (sealed.len) {
        TRY(unseal(op, arena_printf(&op->arena, "deployment-outputs/%s", d.uid), sealed, &plain));
        outputs = json_loadb(plain.data, plain.len, 0, NULL);
        json_object_set_new(json_object_get(shown, "properties"), "outputs", outputs);
    }
    return arm_reply(c, 200, shown);
}

enum fault deployment_template_hash(struct call *c)
{
    struct op *op = &c->op;
    json_t *template;
    const char *text;

    if (!c->body.len)
        return fail_on(op, "InvalidRequestContent", INVALID, "The request has no content.");
    TRY(lenient_parse(op, c->body, &template));
    text = json_text_of(op, template);
    return arm_reply(c, 200,
                     json_keep(op, json_pack("{s:s, s:s}", "minifiedTemplate", text, "templateHash",
                                             deployment_hash(op, template))));
}

/* ---- operations ---- */

enum fault deployment_operation_list(struct call *c)
{
    struct op *op = &c->op;
    json_t *values = json_new_array(op);
    struct deployment_step *steps;
    struct arm_page page;
    struct deployment d;
    size_t n, i = 0, end;

    TRY(find(c, &d));
    TRY(page_read_arm(c, PAGE_DEFAULT, &page));
    TRY(deployment_steps(op, d.uid, &steps, &n));
    while (*page.last && i < n && steps[i].number <= strtoll(page.last, NULL, 10))
        i++;
    end = n - i > (size_t)page.top ? i + (size_t)page.top : n;
    for (; i < end; i++)
        json_array_append(values, deployment_step_json(op, &d, &steps[i]));
    return page_reply(c, values,
                      end < n ? arena_printf(&op->arena, "%lld", (long long)steps[end - 1].number)
                              : NULL);
}

enum fault deployment_operation_get(struct call *c)
{
    const char *wanted = c->path_args[arm_id(c)->group ? 3 : 2];
    struct deployment_step *steps;
    struct op *op = &c->op;
    struct deployment d;
    size_t n;

    TRY(find(c, &d));
    TRY(deployment_steps(op, d.uid, &steps, &n));
    for (size_t i = 0; i < n; i++)
        if (strcasecmp(steps[i].id, wanted) == 0)
            return arm_reply(c, 200, deployment_step_json(op, &d, &steps[i]));
    return fail_on(op, "DeploymentOperationNotFound", NOT_FOUND,
                   "The operation '%.60s' of the deployment '%s' could not be found.", wanted,
                   d.name);
}
