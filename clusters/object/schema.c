#include "clusters/object/schema.h"

#include <string.h>

const struct type *type_find(const char *name)
{
    size_t low = 0, high = n_types;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(name, all_types[middle]->name);

        if (order == 0)
            return all_types[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct field *type_field(const struct type *type, const char *name, size_t len)
{
    size_t low = 0, high = type->n_fields;

    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct field *field = &type->fields[middle];
        int order = strncmp(name, field->name, len);

        if (order == 0 && field->name[len] == '\0')
            return field;
        if (order <= 0) /* equal so far: the field's name is longer */
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct field *type_field_numbered(const struct type *type, unsigned number)
{
    for (size_t i = 0; i < (size_t)type->n_fields + type->n_inlined; i++) {
        if (type->fields[i].number == number)
            return &type->fields[i];
    }
    return NULL;
}
