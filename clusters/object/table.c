/* Tables: columns of a resource, and rows. */
#include "clusters/object/table.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "clusters/object/table_cells.h"
#include "core/json.h"

static const struct column *columns_of(const struct resource *r)
{
    for (const struct table *table = tables; table->plural; table++) {
        if (strcmp(table->plural, r->plural) == 0 && strcmp(table->group, r->group) == 0)
            return table->columns;
    }
    return default_columns;
}

static void write_columns(struct text *out, const struct column *column)
{
    text_str(out, "\"columnDefinitions\":[");
    for (bool first = true; column->name; column++, first = false)
        text_printf(out,
                    "%s{\"name\":\"%s\",\"type\":\"%s\",\"format\":\"%s\",\"description\":\"\","
                    "\"priority\":%d}",
                    first ? "" : ",", column->name, column->type ? column->type : "string",
                    column->format ? column->format : "", column->wide);
    text_str(out, "]");
}

/* Written at the first use of each table, then kept. */
const char *table_columns(const struct resource *r)
{
    static struct kept {
        struct kept *next;
        const struct column *columns;
        char text[];
    } * all_kept;
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    const struct column *columns = columns_of(r);
    struct text text;
    struct kept *kept;
    struct op op;

    pthread_mutex_lock(&lock);
    for (kept = all_kept; kept && kept->columns != columns; kept = kept->next)
        ;
    if (!kept) {
        op_init(&op);
        text_init(&text, &op.arena, (size_t)64 << 10);
        write_columns(&text, columns);
        kept = malloc(sizeof(*kept) + text.len + 1);
        if (!kept)
            abort(); /* out of memory */
        kept->next = all_kept;
        kept->columns = columns;
        memcpy(kept->text, text.data, text.len + 1);
        all_kept = kept;
        op_free(&op);
    }
    pthread_mutex_unlock(&lock);
    return kept->text;
}

void table_row(struct op *op, struct text *out, const struct resource *r, const json_t *tree,
               struct bytes object, int64_t now)
{
    struct row row = {op, out, tree, now};
    bool first = true;

    text_str(out, "{\"cells\":[");
    for (const struct column *c = columns_of(r); c->name; c++, first = false) {
        text_str(out, first ? "" : ",");
        c->write(&row, c);
    }
    text_str(out, "]");
    if (object.len != 4 || memcmp(object.data, "null", 4) != 0) {
        text_str(out, ",\"object\":");
        text_add(out, object.data, object.len);
    }
    text_str(out, "}");
}
