/* A file of its own: the directory's struct object is not the store's. */
#include "clusters/rest/entra_groups.h"

#include "auth/directory.h"

const char *const *entra_groups(struct op *op, const char *object_id)
{
    const struct directory *directory = directory_hold(op);
    const struct object *who = directory ? directory_object(directory, object_id) : NULL;
    size_t n = who ? who->n_groups : 0;
    const char **groups = arena_alloc(&op->arena, (n + 2) * sizeof(*groups));

    for (size_t i = 0; i < n; i++)
        groups[i] = who->groups[i]->id;
    groups[n] = "system:authenticated";
    return groups;
}
