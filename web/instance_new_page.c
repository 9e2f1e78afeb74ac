/* Making a container group by a form, which shows the YAML that does the same. */
#include <string.h>

#include "clusters/object/object.h"
#include "web/create.h"
#include "web/instance.h"
#include "web/instance_form.h"
#include "web/pages.h"
#include "web/subscriptions.h"

static enum fault instance_places(struct page *p, json_t **ret)
{
    return create_groups(p, INSTANCE_ACTION "write", ret);
}

static const struct create_choice policies[] = {
    {"Always",      "Always"},
    {"OnFailure",             "On failure"},
    {"Never","Never"},
    {0      },
};
static const struct create_choice addresses[] = {
    {"Public", "Public, with these ports"},
    {"None",        "None"},
    {0},
};
static const struct create_field fields[] = {
    {"group",                                        "Resource group", .list = instance_places},
    {"name",                       "Name", .hint = "lower-case letters, digits, hyphens"},
    {"image",                                         "Image", .hint = "registry/repository:tag"},
    {"ports", "Ports", "80", "80, 53/udp"},
    {"cpu",                                        "Processors", "1", "1"},
    {"memory",             "Memory in GB", "1.5", "1.5"},
    {"policy",                                        "Restart policy", "Always", .choices = policies},
    {"address",                                          "Address", "Public", .choices = addresses},
    {"command",                                              "Command, instead of the image's own", .wide = true,
     .hint = "/bin/sh -c 'echo hello; sleep 600'"},
    {"environment","Environment, one NAME=value a line", .lines = true},
    {0                                          },
};

static void read_fields(struct call *c, const struct create_form *form, struct instance_form *ret)
{
    *ret = (struct instance_form){
        .group = create_value(c, form, "group"),
        .name = create_value(c, form, "name"),
        .image = create_value(c, form, "image"),
        .ports = create_value(c, form, "ports"),
        .command = create_value(c, form, "command"),
        .environment = create_value(c, form, "environment"),
        .cpu = create_value(c, form, "cpu"),
        .memory = create_value(c, form, "memory"),
        .policy = create_value(c, form, "policy"),
        .address = create_value(c, form, "address"),
    };
}

/* The location is the resource group's. */
static enum fault read_form(struct call *c, const struct create_form *form, struct created *ret)
{
    const json_t *group;
    struct instance_form f;
    struct bytes yaml;
    const char *id;

    read_fields(c, form, &f);
    TRY(create_needed(c, form, "name", &f.name));
    TRY(create_needed(c, form, "image", &f.image));
    TRY(create_group(c, form, &group));
    TRY(instance_form_body(&c->op, &f, text_at_or(group, "location", ""), &ret->body));
    id = text_at_or(group, "id", "");
    ret->path = arena_printf(&c->op.arena, "%s%s", page_of(&c->op, id) + strlen("/console"),
                             page_url(&c->op, INSTANCES "/%s", &f.name));
    yaml = object_encode_yaml(&c->op, ret->body);
    ret->file = "group.yaml";
    ret->content = arena_strndup(&c->op.arena, yaml.data, yaml.len);
    ret->command = arena_printf(&c->op.arena, "az container create -g %s --file group.yaml",
                                shell_word(&c->op, id_group(&c->op, id)));
    ret->said = "The container group is being made.";
    ret->link = arena_printf(&c->op.arena, "/console%s", ret->path);
    return OK;
}

static const struct create_form form = {
    .title = "Create a container group",
    .fields = fields,
    .none = "A container group stands in a resource group, and there is none where you may make"
            " one.",
    .next = "az group create -n demo -l eastus",
    .read = read_form,
};
static const struct crumb crumbs[] = {
    {"Container groups", "/console/instances"},
    {0                 },
};

enum fault instance_new_page(struct call *c)
{
    return create_page(c, &form, crumbs);
}

enum fault instance_new_post(struct call *c)
{
    return create_post(c, &form, crumbs);
}
