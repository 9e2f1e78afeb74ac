/* What a container group's page says: its facts, containers, environment, volumes and events. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "clusters/object/object.h"
#include "web/instance.h"
#include "web/subscriptions.h"

#define EVENTS_MAX 100

/* ---- facts ---- */

/* A port that a browser can ask is a link to it; names under .localhost would lead elsewhere. */
static void add_port(struct page *p, const json_t *ip, const json_t *port)
{
    int64_t number = int_at(port, "port", 0);
    const char *protocol = text_at_or(port, "protocol", "TCP"), *address = text_at(ip, "ip");
    const char *text = arena_printf(&p->op->arena, "%lld/%s", (long long)number, protocol);
    bool asks = address && strcasecmp(protocol, "TCP") == 0;

    page_anchor(p,
                asks ? arena_printf(&p->op->arena, "http%s://%s:%lld/", number == 443 ? "s" : "",
                                    address, (long long)number)
                     : NULL,
                text);
    page_html(p, " ");
}

static void add_ports(struct page *p, const json_t *group)
{
    const json_t *ip = at(group, "properties.ipAddress");
    json_t *port;
    size_t i;

    if (!ip)
        return;
    page_fact(p, "Address",
              arena_printf(&p->op->arena, "%s (%s)", text_at_or(ip, "ip", "none while stopped"),
                           text_at_or(ip, "type", "")));
    page_fact(p, "Domain name", text_at(ip, "fqdn"));
    page_html(p, "<div><dt>Ports</dt><dd>");
    json_array_foreach(at(ip, "ports"), i, port)
    {
        add_port(p, ip, port);
    }
    page_html(p, "</dd></div>");
}

static void add_identity(struct page *p, const json_t *group)
{
    const char *principal = text_at(group, "identity.principalId");

    if (principal)
        page_fact(p, "Identity",
                  arena_printf(&p->op->arena, "%s, principal %s",
                               text_at_or(group, "identity.type", ""), principal));
}

static void add_tags(struct page *p, const json_t *group)
{
    struct text out;
    const char *name;
    json_t *value;

    text_init(&out, &p->op->arena, 65536);
    json_object_foreach(at(group, "tags"), name, value)
    {
        text_printf(&out, out.len ? ", %s: %s" : "%s: %s", name,
                    json_is_string(value) ? json_string_value(value) : "");
    }
    page_fact(p, "Tags", out.data);
}

void instance_facts(struct page *p, const json_t *group)
{
    const char *id = text_at_or(group, "id", ""), *end = strstr(id, "/providers/");

    page_facts_begin(p);
    page_fact_state(p, "State", instance_state(group));
    add_ports(p, group);
    page_fact_link(p, "Resource group",
                   end ? page_of(p->op, arena_strndup(&p->op->arena, id, (size_t)(end - id)))
                       : NULL,
                   id_group(p->op, id));
    page_fact(p, "Location", text_at(group, "location"));
    page_fact(p, "Restart policy", text_at(group, "properties.restartPolicy"));
    add_identity(p, group);
    add_tags(p, group);
    page_facts_end(p);
}

/* ---- containers ---- */

/* Its state in a word: why it waits or how it ended, where that is known. */
static void add_state(struct page *p, const json_t *state)
{
    const char *word = text_at_or(state, "state", "Waiting");
    const char *detail = text_at_or(state, "detailStatus", "");
    bool runs = strcmp(word, "Running") == 0;

    page_cell_begin(p);
    page_state(p, runs || !*detail ? word : detail);
    if (runs && text_at(state, "startTime")) {
        page_html(p, "<br><span class=\"soft\">since ");
        page_time(p, text_at(state, "startTime"));
        page_html(p, "</span>");
    }
    page_cell_end(p);
}

static const char *amount(struct op *op, const json_t *resources, const char *name,
                          const char *unit)
{
    const json_t *request = at(resources, arena_printf(&op->arena, "requests.%s", name));
    const json_t *limit = at(resources, arena_printf(&op->arena, "limits.%s", name));

    if (!request)
        return "";
    if (!limit)
        return arena_printf(&op->arena, "%g%s", json_number_value(request), unit);
    return arena_printf(&op->arena, "%g%s, at most %g%s", json_number_value(request), unit,
                        json_number_value(limit), unit);
}

static void add_link(struct page *p, const char *page, const char *container, const char *text)
{
    const char *const parts[] = {container};

    page_anchor(p,
                arena_printf(&p->op->arena, "%s/%s%s", instance_link(p->c), page,
                             page_url(p->op, "?container=%s", parts)),
                text);
}

static void add_container(struct page *p, const json_t *container, bool init, bool may_exec)
{
    const char *name = text_at_or(container, "name", "");
    const json_t *view = at(container, "properties.instanceView");
    const json_t *resources = at(container, "properties.resources");
    const json_t *code = at(view, "currentState.exitCode");
    const char *state = text_at_or(view, "currentState.state", "");

    page_row_begin(p);
    page_cell_begin(p);
    add_link(p, "logs", name, name);
    if (init)
        page_html(p, " <span class=\"soft\">(runs first)</span>");
    page_cell_end(p);
    page_cell(p, text_at_or(container, "properties.image", ""));
    add_state(p, at(view, "currentState"));
    page_cell_number(p, page_count(p->op, int_at(view, "restartCount", 0)));
    page_cell_number(p, code && strcmp(state, "Terminated") == 0
                            ? page_count(p->op, json_integer_value(code))
                            : "");
    page_cell_number(p, amount(p->op, resources, "cpu", ""));
    page_cell_number(p, amount(p->op, resources, "memoryInGB", " GB"));
    page_cell_begin(p);
    if (may_exec && strcmp(state, "Running") == 0)
        add_link(p, "shell", name, "Shell");
    page_cell_end(p);
    page_row_end(p);
}

void instance_containers(struct page *p, const json_t *group)
{
    bool may_exec = page_may(p, text_at_or(group, "id", ""), INSTANCE_EXEC), init;
    json_t *container;

    page_heading(p, "Containers");
    page_table_begin(p, "Containers",
                     (const char *const[]){"Name and logs", "Image", "State", ">Restarts",
                                           ">Exit code", ">CPU", ">Memory", "", NULL});
    for (size_t i = 0; (container = instance_container(group, i, &init)); i++)
        add_container(p, container, init, may_exec);
    page_table_end(p);
}

/* ---- environment ---- */

static bool has_environment(const json_t *group)
{
    json_t *container;
    bool init;

    for (size_t i = 0; (container = instance_container(group, i, &init)); i++)
        if (json_array_size(at(container, "properties.environmentVariables")))
            return true;
    return false;
}

void instance_environment(struct page *p, const json_t *group)
{
    json_t *container, *variable;
    bool init;
    size_t k;

    if (!has_environment(group))
        return;
    page_heading(p, "Environment");
    page_table_begin(p, "Environment",
                     (const char *const[]){"Container", "Variable", "Value", NULL});
    for (size_t i = 0; (container = instance_container(group, i, &init)); i++)
        json_array_foreach(at(container, "properties.environmentVariables"), k, variable)
        {
            const char *value = text_at(variable, "value");

            page_row_begin(p);
            page_cell(p, text_at_or(container, "name", ""));
            page_cell(p, text_at_or(variable, "name", ""));
            page_cell_begin(p);
            if (value)
                page_text(p, value);
            else
                page_html(p, "<span class=\"soft\">secure: never shown</span>");
            page_cell_end(p);
            page_row_end(p);
        }
    page_table_end(p);
}

/* ---- volumes ---- */

static const char *kind_of(struct op *op, const json_t *volume)
{
    if (json_object_get(volume, "azureFile"))
        return arena_printf(&op->arena, "file share %s of %s",
                            text_at_or(volume, "azureFile.shareName", ""),
                            text_at_or(volume, "azureFile.storageAccountName", ""));
    if (json_object_get(volume, "gitRepo"))
        return arena_printf(&op->arena, "git repository %s",
                            text_at_or(volume, "gitRepo.repository", ""));
    return json_object_get(volume, "emptyDir") ? "empty at first" : "secret";
}

static const char *places_of(struct op *op, const json_t *group, const char *name)
{
    json_t *container, *mount;
    struct text out;
    bool init;
    size_t k;

    text_init(&out, &op->arena, 65536);
    for (size_t i = 0; (container = instance_container(group, i, &init)); i++)
        json_array_foreach(at(container, "properties.volumeMounts"), k, mount)
        {
            if (strcmp(text_at_or(mount, "name", ""), name) == 0)
                text_printf(&out, "%s%s in %s%s", out.len ? ", " : "",
                            text_at_or(mount, "mountPath", ""), text_at_or(container, "name", ""),
                            bool_at(mount, "readOnly", false) ? " (read only)" : "");
        }
    return out.data;
}

void instance_volumes(struct page *p, const json_t *group)
{
    const json_t *volumes = at(group, "properties.volumes");
    json_t *volume;
    size_t i;

    if (!json_array_size(volumes))
        return;
    page_heading(p, "Volumes");
    page_table_begin(p, "Volumes", (const char *const[]){"Name", "Kind", "Mounted at", NULL});
    json_array_foreach(volumes, i, volume)
    {
        const char *name = text_at_or(volume, "name", "");

        page_row_begin(p);
        page_cell(p, name);
        page_cell(p, kind_of(p->op, volume));
        page_cell(p, places_of(p->op, group, name));
        page_row_end(p);
    }
    page_table_end(p);
}

/* ---- events ---- */

struct happened {
    const json_t *event;
    const char *container; /* "": the group */
};

static size_t add_all(struct happened *list, size_t n, const json_t *events, const char *container)
{
    for (size_t i = 0; i < json_array_size(events); i++)
        list[n++] = (struct happened){json_array_get(events, i), container};
    return n;
}

static int latest_first(const void *a, const void *b)
{
    const struct happened *x = a, *y = b;

    return strcmp(text_at_or(y->event, "lastTimestamp", ""),
                  text_at_or(x->event, "lastTimestamp", ""));
}

static size_t collect(struct op *op, const json_t *group, struct happened **ret)
{
    const json_t *own = at(group, "properties.instanceView.events");
    size_t n = json_array_size(own), at_end;
    struct happened *list;
    json_t *container;
    bool init;

    for (size_t i = 0; (container = instance_container(group, i, &init)); i++)
        n += json_array_size(at(container, "properties.instanceView.events"));
    list = arena_alloc(&op->arena, (n + 1) * sizeof(*list));
    at_end = add_all(list, 0, own, "");
    for (size_t i = 0; (container = instance_container(group, i, &init)); i++)
        at_end = add_all(list, at_end, at(container, "properties.instanceView.events"),
                         text_at_or(container, "name", ""));
    qsort(list, at_end, sizeof(*list), latest_first);
    *ret = list;
    return at_end;
}

void instance_events(struct page *p, const json_t *group)
{
    struct happened *list;
    size_t n = collect(p->op, group, &list);

    page_heading(p, "Events");
    if (!n) {
        page_empty(p, "Nothing has happened yet.", NULL);
        return;
    }
    page_table_begin(
        p, "Events",
        (const char *const[]){"When", "Container", "Kind", "Event", "Message", ">Times", NULL});
    for (size_t i = 0; i < n && i < EVENTS_MAX; i++) {
        const json_t *event = list[i].event;

        page_row_begin(p);
        page_cell_time(p, text_at(event, "lastTimestamp"));
        page_cell(p, *list[i].container ? list[i].container : "the group");
        page_cell_state(p, text_at_or(event, "type", ""));
        page_cell(p, text_at_or(event, "name", ""));
        page_cell(p, text_at_or(event, "message", ""));
        page_cell_number(p, page_count(p->op, int_at(event, "count", 1)));
        page_row_end(p);
    }
    page_table_end(p);
}
