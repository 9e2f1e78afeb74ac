/* Templates as anybody signed in may send them: read, planned, and all bodies and outputs made. */
#include "api/template/lenient.h"
#include "api/template/template.h"
#include "tests/fuzz/fuzz.h"

static enum fault reference(struct scope *s, void *arg, const char *id, const char *version,
                            json_t **ret)
{
    (void)arg;
    (void)version;
    *ret = json_keep(s->op, json_pack("{s:s, s:{s:s}}", "id", id, "properties", "a", "b"));
    return OK;
}

static enum fault list(struct scope *s, void *arg, const char *id, const char *action,
                       const char *version, const json_t *body, json_t **ret)
{
    (void)action;
    (void)body;
    return reference(s, arg, id, version, ret);
}

static enum fault info(struct scope *s, void *arg, const char *symbol, json_t **ret)
{
    (void)s;
    *ret = template_infos(arg, symbol);
    return OK;
}

static void deploy(struct op *op, const json_t *template)
{
    static const char sub[] = "00000000-0000-0000-0000-00000000000a";
    static const struct template_facts facts = {.subscription_id = sub, .group_name = "rg"};
    struct scope s = scope_new(op, template, &facts);
    struct template_calls calls = {.reference = reference, .list = list, .info = info};
    struct template_plan *plan;
    json_t *shown, *all, *body;

    if (template_check(op, template) != OK || template_parameters(&s, NULL, &shown) != OK ||
        template_plan(&s, "/subscriptions/x/resourceGroups/rg", &plan) != OK)
        return;
    calls.arg = plan;
    for (size_t i = 0; i < plan->n; i++) {
        MUST(template_find(plan, plan->nodes[i].id));
        if (template_body(plan, &plan->nodes[i], &calls, i % 2, &body) == OK)
            json_text_of(op, body);
    }
    template_outputs(plan, &calls, &shown, &all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *template, *value;
    struct scope s;
    struct op op;

    op_init(&op);
    if (lenient_parse(&op, (struct bytes){data, size}, &template) == OK)
        deploy(&op, template);
    op_clear_fault(&op);
    /* and the bytes as one expression */
    value = json_keep(&op, json_stringn((const char *)data, size));
    s = scope_new(&op, json_new_object(&op), &(struct template_facts){.subscription_id = "s"});
    if (value && !memchr(data, 0, size))
        evaluate(&s, value, &template);
    op_free(&op);
    return 0;
}
