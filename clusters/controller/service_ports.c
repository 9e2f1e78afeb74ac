#include "clusters/controller/service_ports.h"

#include <string.h>

static bool counts(const json_t *pod)
{
    const char *address = text_at(pod, "status.podIP");

    return address && *address && !pod_has_ended(pod);
}

enum fault backends_of(struct op *op, struct cluster *cluster, struct object *service,
                       struct backends *ret)
{
    const json_t *tree = object_tree(service);
    const struct selector *selector = selector_of_map(&op->arena, at(tree, "spec.selector"));
    bool unready_too = bool_at(tree, "spec.publishNotReadyAddresses", false);
    struct store_page page;

    TRY(store_list(op, cluster->store, resource_find("", "v1", "pods"), service->ns, NULL, NULL, 0,
                   0, &page));
    ret->list = arena_alloc(&op->arena, (page.n + 1) * sizeof(*ret->list));
    ret->n = 0;
    for (size_t i = 0; i < page.n; i++) {
        const json_t *pod = object_tree(page.objects[i]);
        bool ready = object_is_ready(pod), ending = page.objects[i]->deleting;

        if (!counts(pod) || !selector_matches(selector, at(pod, "metadata.labels")))
            continue;
        ret->list[ret->n++] = (struct backend){.pod = page.objects[i],
                                               .ready = unready_too || (ready && !ending),
                                               .serving = ready,
                                               .terminating = ending};
    }
    return OK;
}

static int64_t named_port(const json_t *pod, const char *name, const char *protocol)
{
    json_t *container, *port;
    size_t i, k;

    json_array_foreach(at(pod, "spec.containers"), i, container)
    {
        json_array_foreach(json_object_get(container, "ports"), k, port)
        {
            if (strcmp(text_at_or(port, "name", ""), name) == 0 &&
                strcmp(text_at_or(port, "protocol", "TCP"), protocol) == 0)
                return int_at(port, "containerPort", -1);
        }
    }
    return -1;
}

int64_t target_port(const json_t *service_port, const json_t *pod)
{
    const json_t *target = json_object_get(service_port, "targetPort");

    if (json_is_string(target))
        return named_port(pod, json_string_value(target),
                          text_at_or(service_port, "protocol", "TCP"));
    return target && json_integer_value(target) > 0 ? json_integer_value(target)
                                                    : int_at(service_port, "port", -1);
}

static bool chooses(struct op *op, struct object *service, const struct event *event)
{
    const struct selector *selector =
        selector_of_map(&op->arena, at(object_tree(service), "spec.selector"));

    return selector_matches(selector, at(object_tree(event->object), "metadata.labels")) ||
           (event->previous &&
            selector_matches(selector, at(object_tree(event->previous), "metadata.labels")));
}

void keys_of_services(struct cluster *cluster, const struct event *event, struct keys *keys)
{
    struct store_page page;
    struct op op;

    op_init(&op);
    if (store_list(&op, cluster->store, resource_find("", "v1", "services"), event->object->ns,
                   NULL, NULL, 0, 0, &page) == OK)
        for (size_t i = 0; i < page.n; i++)
            if (chooses(&op, page.objects[i], event))
                keys_add(keys, page.objects[i]->ns, page.objects[i]->name);
    op_free(&op);
}

const char *pod_hostname(const json_t *pod, const char *service)
{
    const char *hostname = text_at(pod, "spec.hostname");
    const char *subdomain = text_at(pod, "spec.subdomain");

    return hostname && *hostname && subdomain && strcmp(subdomain, service) == 0 ? hostname : NULL;
}
