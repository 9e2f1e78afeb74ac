#include "web/instance_form.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/arm.h"
#include "api/command_words.h"
#include "clusters/object/object.h"

#define API_VERSION   "2023-05-01"
#define INSTANCE_TYPE "Microsoft.ContainerInstance/containerGroups"

/* ---- what it amounts to ---- */

static enum fault read_number(struct op *op, const char *what, const char *text, json_t **ret)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end || !(value > 0) || value > 1e6)
        return fail(op, INVALID, "%s must be a number like 1 or 0.5, not \"%.40s\"", what, text);
    *ret = json_real(value);
    return OK;
}

/* "80", "53/udp" */
static enum fault read_port(struct op *op, const char *text, json_t *ports)
{
    char *end;
    long port = strtol(text, &end, 10);
    bool udp = strcasecmp(end, "/udp") == 0;

    if (end == text || port < 1 || port > 65535 || (*end && !udp && strcasecmp(end, "/tcp") != 0))
        return fail(op, INVALID, "ports are numbers up to 65535, like 80 or 53/udp, not \"%.40s\"",
                    text);
    json_array_append_new(
        ports, json_pack("{s:I, s:s}", "port", (json_int_t)port, "protocol", udp ? "UDP" : "TCP"));
    return OK;
}

static enum fault read_ports(struct op *op, const char *text, json_t *ports)
{
    static const char between[] = ", \t\r\n";

    for (text += strspn(text, between); *text; text += strspn(text, between)) {
        size_t len = strcspn(text, between);

        TRY(read_port(op, arena_strndup(&op->arena, text, len), ports));
        text += len;
    }
    return OK;
}

static enum fault read_environment(struct op *op, const char *text, json_t *variables)
{
    while (*text) {
        size_t len = strcspn(text, "\r\n");
        const char *line = arena_strndup(&op->arena, text, len), *equals = strchr(line, '=');

        if (len && (!equals || equals == line))
            return fail(op, INVALID, "environment: a line is NAME=value, not \"%.100s\"", line);
        if (len)
            json_array_append_new(variables,
                                  json_pack("{s:s%, s:s}", "name", line, (size_t)(equals - line),
                                            "value", equals + 1));
        text += len + strspn(text + len, "\r\n");
    }
    return OK;
}

static enum fault read_command(struct op *op, const char *text, json_t *command)
{
    const char **words = NULL;

    if (!text[strspn(text, " \t\r\n")])
        return OK;
    TRY(command_words(op, text, &words));
    for (; *words; words++)
        json_array_append_new(command, json_string(*words));
    return OK;
}

static void set_list(json_t *object, const char *name, json_t *list)
{
    if (json_array_size(list))
        json_object_set(object, name, list);
}

static enum fault read_container(struct op *op, const struct instance_form *f, json_t *ports,
                                 json_t **ret)
{
    json_t *command = json_keep(op, json_array()), *environment = json_keep(op, json_array());
    json_t *properties = json_keep(op, json_object()), *cpu, *memory;

    json_object_set_new(properties, "image", json_string(f->image));
    TRY(read_command(op, f->command, command));
    set_list(properties, "command", command);
    set_list(properties, "ports", ports);
    TRY(read_environment(op, f->environment, environment));
    set_list(properties, "environmentVariables", environment);
    TRY(read_number(op, "processors", f->cpu, &cpu));
    set_at(properties, "resources.requests.cpu", cpu);
    TRY(read_number(op, "memory", f->memory, &memory));
    set_at(properties, "resources.requests.memoryInGB", memory);
    *ret = properties;
    return OK;
}

enum fault instance_form_body(struct op *op, const struct instance_form *f, const char *location,
                              json_t **ret)
{
    json_t *body = json_keep(op, json_object()), *ports = json_keep(op, json_array()), *container;

    TRY(read_ports(op, f->ports, ports));
    TRY(read_container(op, f, ports, &container));
    json_object_set_new(body, "apiVersion", json_string(API_VERSION));
    json_object_set_new(body, "type", json_string(INSTANCE_TYPE));
    json_object_set_new(body, "name", json_string(f->name));
    json_object_set_new(body, "location", json_string(location));
    set_at(body, "properties.osType", json_string("Linux"));
    set_at(body, "properties.restartPolicy", json_string(f->policy));
    if (strcmp(f->address, "Public") == 0)
        set_at(body, "properties.ipAddress",
               json_pack("{s:s, s:O}", "type", "Public", "ports", ports));
    set_at(body, "properties.containers",
           json_pack("[{s:s, s:O}]", "name", f->name, "properties", container));
    *ret = body;
    return OK;
}
