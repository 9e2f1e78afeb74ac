/* Deployments and their operations as they are shown. */
#include <string.h>
#include <strings.h>

#include "api/deployment.h"

const char *deployment_duration(struct op *op, int64_t ms)
{
    struct text out;

    text_init(&out, &op->arena, 64);
    text_str(&out, "PT");
    if (ms >= 3600000)
        text_printf(&out, "%lldH", (long long)ms / 3600000);
    if (ms >= 60000)
        text_printf(&out, "%lldM", (long long)ms / 60000 % 60);
    text_printf(&out, "%lld.%03lldS", (long long)ms / 1000 % 60, (long long)ms % 1000);
    return out.data;
}

json_t *deployment_json(struct op *op, const struct deployment *d)
{
    json_t *out = json_new_object(op), *properties = json_new_object(op),
           *facts = json_keep(op, json_loads(d->facts, 0, NULL));

    json_set_text(out, "id", d->id);
    json_set_text(out, "name", d->name);
    json_set_text(out, "type", "Microsoft.Resources/deployments");
    json_set_text(out, "location", d->location);
    if (strcmp(d->tags, "{}") != 0)
        json_set_raw(out, "tags", d->tags);
    json_set_text(properties, "templateHash", d->hash);
    json_set_raw(properties, "parameters", d->parameters);
    json_set_text(properties, "mode", d->mode);
    json_set_text(properties, "provisioningState", d->state);
    json_set_text(properties, "timestamp", d->changed);
    json_set_text(properties, "duration", deployment_duration(op, d->duration_ms));
    json_set_text(properties, "correlationId", d->correlation);
    json_object_update(properties, facts);
    json_set_raw(properties, "outputs", d->outputs);
    json_set_raw(properties, "outputResources", d->resources);
    json_set_raw(properties, "error", d->error);
    json_object_set(out, "properties", properties);
    return out;
}

/* As .NET's HttpStatusCode spells it. */
static const char *status_word(int64_t status)
{
    static const struct {
        int status;
        const char *word;
    } words[] = {
        {200, "OK"                   },
        {201, "Created"              },
        {202, "Accepted"             },
        {204, "NoContent"            },
        {400, "BadRequest"           },
        {401, "Unauthorized"         },
        {403, "Forbidden"            },
        {404, "NotFound"             },
        {409, "Conflict"             },
        {412, "PreconditionFailed"   },
        {413, "RequestEntityTooLarge"},
        {429, "TooManyRequests"      },
        {500, "InternalServerError"  },
        {501, "NotImplemented"       },
        {503, "ServiceUnavailable"   }
    };

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (words[i].status == status)
            return words[i].word;
    return NULL;
}

json_t *deployment_step_json(struct op *op, const struct deployment *d,
                             const struct deployment_step *s)
{
    json_t *out = json_new_object(op), *properties = json_new_object(op),
           *target = json_new_object(op);

    json_set_text(out, "id", arena_printf(&op->arena, "%s/operations/%s", d->id, s->id));
    json_set_text(out, "operationId", s->id);
    json_set_text(properties, "provisioningOperation", s->action);
    json_set_text(properties, "provisioningState", s->state);
    json_set_text(properties, "timestamp", s->ended ? s->ended : s->started);
    json_set_text(properties, "duration", deployment_duration(op, s->duration_ms));
    json_set_text(properties, "trackingId", s->id);
    json_set_text(properties, "serviceRequestId", d->correlation);
    json_set_text(properties, "statusCode", status_word(s->status));
    if (s->error)
        json_set_raw(properties, "statusMessage",
                     arena_printf(&op->arena, "{\"error\":%s}", s->error));
    json_set_text(target, "id", s->target);
    json_set_text(target, "resourceType", s->type);
    json_set_text(target, "resourceName", s->name);
    json_object_set(properties, "targetResource", target);
    json_object_set(out, "properties", properties);
    return out;
}

/* ---- what a plan is made of ---- */

static json_t *find_named(json_t *array, const char *member, const char *value)
{
    json_t *one;
    size_t i;

    json_array_foreach(array, i, one)
    {
        const char *text = json_string_value(json_object_get(one, member));

        if (text && strcasecmp(text, value) == 0)
            return one;
    }
    return NULL;
}

static void add_provider(struct op *op, json_t *providers, const struct template_node *n)
{
    const char *space = arena_strndup(&op->arena, n->type, strcspn(n->type, "/"));
    const char *type = n->type + strcspn(n->type, "/"),
               *location = json_string_value(member_of(n->source, "location"));
    json_t *provider = find_named(providers, "namespace", space), *types;

    type += *type == '/';
    if (location && *location == '[')
        location = NULL;
    if (!provider) {
        provider = json_pack("{s:s, s:[]}", "namespace", space, "resourceTypes");
        json_array_append_new(providers, provider);
    }
    types = json_object_get(provider, "resourceTypes");
    if (!find_named(types, "resourceType", type))
        json_array_append_new(
            types, json_pack("{s:s, s:[s?]}", "resourceType", type, "locations", location));
}

static json_t *node_json(const struct template_node *n)
{
    return json_pack("{s:s, s:s, s:s}", "id", n->id, "resourceType", n->type, "resourceName",
                     n->name);
}

static void add_dependencies(json_t *dependencies, const struct template_plan *plan,
                             const struct template_node *n)
{
    json_t *one, *on;

    if (!n->n_needs)
        return;
    one = node_json(n);
    on = json_array();
    for (size_t i = 0; i < n->n_needs; i++)
        json_array_append_new(on, node_json(&plan->nodes[n->needs[i]]));
    json_object_set_new(one, "dependsOn", on);
    json_array_append_new(dependencies, one);
}

const char *deployment_facts(struct op *op, const struct template_plan *plan)
{
    json_t *facts = json_new_object(op), *providers = json_array(), *dependencies = json_array();

    json_object_set_new(facts, "providers", providers);
    json_object_set_new(facts, "dependencies", dependencies);
    for (size_t i = 0; i < plan->n; i++)
        if (!plan->nodes[i].existing && !plan->nodes[i].skipped) {
            add_provider(op, providers, &plan->nodes[i]);
            add_dependencies(dependencies, plan, &plan->nodes[i]);
        }
    return json_text_of(op, facts);
}
