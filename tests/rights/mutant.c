/*
 * Sundog with a hole in its wall: a server whose routes' permissions can be flipped one at a time,
 * so that test_rights.py can prove that its matrix notices each.
 *
 *     POST /mutant/{service}/{route}/{flip}    flip a permission (all others are as they should be)
 *     POST /mutant                             put all back
 *
 * 200: flipped; 404: there is no such service, route or further flip.
 */
int sundog_main(int argc, char **argv);
#define main sundog_main
#include "main.c" /* for its list of services */
#undef main

#include <stdlib.h>

#include "api/arm.h"
#include "auth/graph.h"
#include "registry/access.h"

#define SERVICES_MAX 16
#define FLIPS_MAX    4

static struct service copies[SERVICES_MAX];
static const struct service *copied[SERVICES_MAX + 1];
static size_t n_copied;

struct flip {
    int access;
    const char *action;
};

static const char *swap_verb(const char *action)
{
    static char swapped[512];
    size_t len = strlen(action);
    bool is_read = len > 5 && strcmp(action + len - 5, "/read") == 0;

    snprintf(swapped, sizeof(swapped), "%.*s%s", (int)(strrchr(action, '/') - action), action,
             is_read ? "/write" : "/read");
    return swapped;
}

/* A route whose path names a repository keeps a right that asks for one. */
static size_t registry_flips(int access, struct flip flips[FLIPS_MAX])
{
    static const int others[][2] = {
        [RIGHT_PULL] = {RIGHT_PUSH,  RIGHT_DELETE        },
        [RIGHT_PUSH] = {RIGHT_PULL,  RIGHT_DELETE        },
        [RIGHT_DELETE] = {RIGHT_PULL,  RIGHT_PUSH          },
        [RIGHT_LIST_TAGS] = {RIGHT_PUSH,  RIGHT_DELETE        },
        [RIGHT_METADATA_READ] = {RIGHT_PUSH,  RIGHT_METADATA_WRITE},
        [RIGHT_METADATA_WRITE] = {RIGHT_PULL,  RIGHT_METADATA_READ },
        [RIGHT_CATALOG] = {RIGHT_LOGIN, RIGHT_NONE          },
        [RIGHT_REGISTRY_CATALOG] = {RIGHT_PULL,  RIGHT_NONE          },
    };
    size_t n = 0;

    for (size_t i = 0; (size_t)access < ARRAY_LEN(others) && i < 2; i++)
        if (others[access][i])
            flips[n++] = (struct flip){others[access][i], NULL};
    return n;
}

/* What a slip of the pen could make of a row. */
static size_t flips_of(const struct service *service, const struct route *route,
                       struct flip flips[FLIPS_MAX])
{
    size_t n = 0;

    if (!route->access)
        return 0;
    if (service->authorise == arm_authorise) {
        if (route->access & ARM_ACTION) {
            flips[n++] = (struct flip){ARM_SIGNED_IN, NULL};
            flips[n++] = (struct flip){route->access, swap_verb(route->action)};
        } else {
            flips[n++] = (struct flip){ARM_ACTION, NULL};
        }
    } else if (service->authorise == graph_authorise) {
        flips[n++] = (struct flip){route->access == GRAPH_READ ? GRAPH_ADMIN : GRAPH_READ, NULL};
    } else if (service->authorise == registry_authorise) {
        n = registry_flips(route->access, flips);
    }
    return n;
}

static void put_back(void)
{
    for (size_t s = 0; s < n_copied; s++) {
        struct route *routes = (struct route *)copies[s].routes;

        for (size_t i = 0; routes && routes[i].method; i++)
            routes[i] = services[s]->routes[i];
    }
}

static enum fault reset(struct call *c)
{
    put_back();
    return reply_empty(c, 200);
}

static enum fault mutate(struct call *c)
{
    size_t index = strtoul(c->path_args[1], NULL, 10), which = strtoul(c->path_args[2], NULL, 10);
    struct flip flips[FLIPS_MAX];

    for (size_t s = 0; s < n_copied; s++) {
        struct route *routes = (struct route *)copies[s].routes;
        size_t n = 0;

        if (strcmp(copies[s].name, c->path_args[0]) != 0)
            continue;
        while (routes && routes[n].method)
            n++;
        put_back();
        if (index >= n || which >= flips_of(&copies[s], &routes[index], flips))
            break;
        routes[index].access = flips[which].access;
        routes[index].action = flips[which].action;
        return reply_empty(c, 200);
    }
    return fail(&c->op, NOT_FOUND, "there is no such flip");
}

static const struct route mutant_routes[] = {
    {POST,   "/mutant", 0, CALL, reset, "put all permissions back"},
    {POST,     "/mutant/{service}/{route}/{flip}", 0, CALL, mutate, "flip one"},
    {0},
};
static const struct service mutant_service = {.name = "mutant", .routes = mutant_routes};

static void copy_services(void)
{
    for (; services[n_copied]; n_copied++) {
        const struct service *from = services[n_copied];
        struct route *routes = NULL;
        size_t n = 0;

        while (from->routes && from->routes[n].method)
            n++;
        if (from->routes) {
            routes = calloc(n + 1, sizeof(*routes));
            memcpy(routes, from->routes, n * sizeof(*routes));
        }
        copies[n_copied] = *from;
        copies[n_copied].routes = routes;
        copied[n_copied] = &copies[n_copied];
    }
    copied[n_copied] = &mutant_service;
}

int main(int argc, char **argv)
{
    struct settings settings = {0};
    struct op op;

    if (argc < 2 || strcmp(argv[1], "serve") != 0)
        return sundog_main(argc, argv);
    op_init(&op);
    if (settings_load(&op, &settings, argc - 2, argv + 2) != OK) {
        fprintf(stderr, "mutant: %s\n", op.message);
        return 2;
    }
    copy_services();
    return server_run(&settings, copied);
}
