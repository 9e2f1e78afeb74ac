/*
 * What a scope map's actions mean, and the maps that every registry has.
 */
#include "registry/scope_map.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "auth/scope.h"
#include "registry/names.h"
#include "registry/scope_map_store.h"

#define REPOSITORIES    "repositories/"
#define GATEWAY         "gateway/"
#define DESCRIPTION_MAX 256

static const char *const pull[] = {"repositories/*/content/read"};
static const char *const pull_metadata[] = {"repositories/*/content/read",
                                            "repositories/*/metadata/read"};
static const char *const push[] = {"repositories/*/content/read", "repositories/*/content/write"};
static const char *const push_metadata[] = {
    "repositories/*/content/read", "repositories/*/content/write", "repositories/*/metadata/read",
    "repositories/*/metadata/write"};
static const char *const admin[] = {"repositories/*/content/read", "repositories/*/content/write",
                                    "repositories/*/content/delete", "repositories/*/metadata/read",
                                    "repositories/*/metadata/write"};

#define SYSTEM(name_, text, list)                                                                  \
    {                                                                                              \
        .name = (name_), .description = (text), .is_system = true, .actions = (list),              \
        .n_actions = ARRAY_LEN(list)                                                               \
    }
/* In the order of names. */
static const struct scope_map system_maps[] = {
    SYSTEM("_repositories_admin",
           "Can perform all read, write and delete operations on the registry", admin),
    SYSTEM("_repositories_pull", "Can pull any repository of the registry", pull),
    SYSTEM("_repositories_pull_metadata_read",
           "Can read metadata and pull any repository of the registry", pull_metadata),
    SYSTEM("_repositories_push", "Can push to any repository of the registry", push),
    SYSTEM("_repositories_push_metadata_write",
           "Can read and write metadata, pull from and push to any repository of the registry",
           push_metadata),
};

const struct scope_map *scope_map_system(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(system_maps); i++)
        if (strcasecmp(system_maps[i].name, name) == 0)
            return &system_maps[i];
    return NULL;
}

size_t scope_map_systems(const char *last, const struct scope_map **ret)
{
    size_t i = 0;

    while (i < ARRAY_LEN(system_maps) && *last && strcasecmp(system_maps[i].name, last) <= 0)
        i++;
    if (*last && *last != '_')
        i = ARRAY_LEN(system_maps); /* beyond them all */
    *ret = &system_maps[i];
    return ARRAY_LEN(system_maps) - i;
}

/* ---- actions ---- */

static const struct action_row {
    const char *suffix;
    unsigned right;
} action_rows[] = {
    {"/content/read",    SCOPE_PULL           },
    {"/content/write",   SCOPE_PUSH           },
    {"/content/delete",  SCOPE_DELETE         },
    {"/metadata/read",   SCOPE_METADATA_READ  },
    {"/metadata/write",  SCOPE_METADATA_WRITE },
    {"/deleted/read",    SCOPE_DELETED_READ   },
    {"/deleted/restore", SCOPE_DELETED_RESTORE},
};

/* "repositories/team/…/content/read" → its right and what stands between; 0: not one of them. */
static unsigned action_split(const char *action, const char **ret_name, size_t *ret_len)
{
    size_t len = strlen(action), prefix = strlen(REPOSITORIES);

    if (strncasecmp(action, REPOSITORIES, prefix) != 0)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(action_rows); i++) {
        size_t suffix = strlen(action_rows[i].suffix);

        if (len <= prefix + suffix || strcasecmp(action + len - suffix, action_rows[i].suffix) != 0)
            continue;
        *ret_name = action + prefix;
        *ret_len = len - prefix - suffix;
        return action_rows[i].right;
    }
    return 0;
}

static bool gateway_is_valid(const char *action)
{
    static const char *const suffixes[] = {"/config/read", "/config/write", "/message/read",
                                           "/message/write"};
    size_t len = strlen(action), prefix = strlen(GATEWAY);

    if (strncasecmp(action, GATEWAY, prefix) != 0)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        size_t suffix = strlen(suffixes[i]);

        if (len > prefix + suffix && strcasecmp(action + len - suffix, suffixes[i]) == 0)
            return !memchr(action + prefix, '/', len - prefix - suffix);
    }
    return false;
}

/* A repository's name; or a beginning of names and "*". */
static bool pattern_is_valid(const char *name, size_t len)
{
    char buf[REPOSITORY_NAME_MAX + 1];

    if (len > 0 && name[len - 1] == '*')
        len--;
    else if (len == 0)
        return false;
    if (len == 0)
        return true;
    if (len > REPOSITORY_NAME_MAX)
        return false;
    memcpy(buf, name, len);
    while (len > 1 && strchr("/._-", buf[len - 1]) && name[len] == '*')
        len--;
    buf[len] = '\0';
    return repository_name_is_valid(buf);
}

bool scope_map_action_is_valid(const char *action)
{
    const char *name;
    size_t len;

    if (gateway_is_valid(action))
        return true;
    return action_split(action, &name, &len) && pattern_is_valid(name, len);
}

static bool pattern_fits(const char *pattern, size_t len, const char *repository)
{
    if (len > 0 && pattern[len - 1] == '*')
        return strncmp(pattern, repository, len - 1) == 0;
    return strlen(repository) == len && memcmp(pattern, repository, len) == 0;
}

unsigned scope_map_rights(const char *const *actions, size_t n, const char *repository)
{
    unsigned rights = 0;

    for (size_t i = 0; i < n; i++) {
        const char *pattern;
        size_t len;
        unsigned right = action_split(actions[i], &pattern, &len);

        if (!repository)
            rights |= right & SCOPE_METADATA_READ ? SCOPE_CATALOG : 0;
        else if (right && pattern_fits(pattern, len, repository))
            rights |= right;
    }
    return rights;
}

/* ---- what may be stored ---- */

bool registry_item_name_is_valid(const char *name, const char *also)
{
    size_t len = strlen(name);

    if (len < 5 || len > 50)
        return false;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && !strchr(also, *name))
            return false;
    return true;
}

enum fault scope_map_check(struct op *op, const struct scope_map *map)
{
    if (scope_map_system(map->name))
        return fail_on(op, "name", FORBIDDEN, "the scope map %s is the system's", map->name);
    if (!registry_item_name_is_valid(map->name, "-_") || map->name[0] == '_')
        return fail_on(
            op, "name", INVALID,
            "a scope map's name has 5 to 50 letters, digits, - and _, and does not begin "
            "with _");
    if (map->description && strlen(map->description) > DESCRIPTION_MAX)
        return fail_on(op, "description", INVALID, "the description is longer than %d bytes",
                       DESCRIPTION_MAX);
    if (map->n_actions == 0 || map->n_actions > SCOPE_MAP_ACTIONS_MAX)
        return fail_on(op, "actions", INVALID, "a scope map has 1 to %d actions",
                       SCOPE_MAP_ACTIONS_MAX);
    for (size_t i = 0; i < map->n_actions; i++)
        if (!scope_map_action_is_valid(map->actions[i]))
            return fail_on(op, "actions", INVALID, "\"%.100s\" is no action of a scope map",
                           map->actions[i]);
    return OK;
}
