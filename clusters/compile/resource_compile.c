/* The other half of schema-compile: resources.json as the table of clusters/object/resource.h. */
#include <err.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "clusters/compile/compile.h"

static FILE *out;

static const struct {
    const char *name, *macro;
} verbs[] = {
    {"get",              "VERB_GET"              },
    {"list",             "VERB_LIST"             },
    {"watch",            "VERB_WATCH"            },
    {"create",           "VERB_CREATE"           },
    {"update",           "VERB_UPDATE"           },
    {"patch",            "VERB_PATCH"            },
    {"delete",           "VERB_DELETE"           },
    {"deletecollection", "VERB_DELETE_COLLECTION"},
};

static void write_verbs(const json_t *row)
{
    size_t i;
    json_t *item;

    fprintf(out, ".verbs = 0");
    json_array_foreach(json_object_get(row, "verbs"), i, item)
    {
        for (size_t j = 0; j < sizeof(verbs) / sizeof(verbs[0]); j++) {
            if (strcmp(verbs[j].name, json_string_value(item)) == 0)
                fprintf(out, " | %s", verbs[j].macro);
        }
    }
}

static void write_texts(const char *member, const json_t *texts)
{
    size_t i;
    json_t *item;

    fprintf(out, "     .%s = (const char *const[]){", member);
    json_array_foreach((json_t *)texts, i, item)
    {
        fprintf(out, "\"%s\", ", json_string_value(item));
    }
    fprintf(out, "0},\n");
}

static void write_subresources(size_t number, const json_t *row, const char *group,
                               const char *version)
{
    size_t i;
    json_t *item;

    fprintf(out, "static const struct subresource subresources_%zu[] = {\n", number);
    json_array_foreach(json_object_get(row, "subresources"), i, item)
    {
        bool own = !json_object_get(item, "version");

        fprintf(out, "    {\"%s\", \"%s\", \"%s\", \"%s\", ", get_text(item, "name"),
                own ? group : get_text(item, "group"), own ? version : get_text(item, "version"),
                get_text(item, "kind"));
        write_verbs(item);
        fprintf(out, "},\n");
    }
    fprintf(out, "    {.name = 0},\n};\n");
}

/* ---- rows in order, each with its group's version ---- */

struct row {
    const char *group, *version;
    const json_t *json;
    int index;
};
static struct row rows[256];
static size_t n_rows;

static void collect(const json_t *groups)
{
    size_t i, j;
    json_t *group, *json;

    json_array_foreach((json_t *)groups, i, group)
    {
        json_array_foreach(json_object_get(group, "resources"), j, json)
        {
            if (n_rows == sizeof(rows) / sizeof(rows[0]))
                errx(1, "too many resources");
            rows[n_rows++] =
                (struct row){get_text(group, "group"), get_text(group, "version"), json, 0};
        }
    }
}

static size_t stored_as(size_t number)
{
    const json_t *other = json_object_get(rows[number].json, "storedAs");

    for (size_t i = 0; other && i < n_rows; i++) {
        if (strcmp(rows[i].group, get_text(other, "group")) == 0 &&
            strcmp(rows[i].version, get_text(other, "version")) == 0 &&
            strcmp(get_text(rows[i].json, "plural"), get_text(rows[number].json, "plural")) == 0)
            return i;
    }
    return number;
}

static void number_rows(void)
{
    int next = 0;

    for (size_t i = 0; i < n_rows; i++) {
        if (stored_as(i) == i)
            rows[i].index = next++;
    }
}

static void write_names(const struct row *row)
{
    const char *plural = get_text(row->json, "plural"), *kind = get_text(row->json, "kind");
    const char *slash = *row->group ? "/" : "", *dot = *row->group ? "." : "";
    char gvk[256];

    snprintf(gvk, sizeof(gvk), "%s%s%s %s", row->group, slash, row->version, kind);
    fprintf(out, "    {.group = \"%s\", .version = \"%s\", .plural = \"%s\", .singular = \"%s\",\n",
            row->group, row->version, plural, get_text(row->json, "singular"));
    fprintf(out, "     .kind = \"%s\", .list_kind = \"%sList\", .api_version = \"%s%s%s\",\n", kind,
            kind, row->group, slash, row->version);
    fprintf(out, "     .qualified = \"%s%s%s\", .qualified_kind = \"%s%s%s\",\n", plural, dot,
            row->group, kind, dot, row->group);
    if (type_of_kind(gvk) < 0)
        errx(1, "no definition of %s", gvk);
    fprintf(out, "     .type = &types[%ld],\n", type_of_kind(gvk));
}

static void write_row(size_t number)
{
    const struct row *row = &rows[number];
    const json_t *subresources = json_object_get(row->json, "subresources");

    write_names(row);
    write_texts("short_names", json_object_get(row->json, "shortNames"));
    write_texts("categories", json_object_get(row->json, "categories"));
    fprintf(out, "     ");
    write_verbs(row->json);
    if (subresources)
        fprintf(out, ", .subresources = subresources_%zu, .n_subresources = %zu", number,
                json_array_size(subresources));
    fprintf(out,
            ",\n     .namespaced = %d, .virtual_ = %d, .stored_as = &rows[%zu], .index = %d},\n",
            json_is_true(json_object_get(row->json, "namespaced")),
            json_is_true(json_object_get(row->json, "virtual")), stored_as(number),
            rows[stored_as(number)].index);
}

void write_resources(FILE *file, const json_t *groups)
{
    out = file;
    collect(groups);
    number_rows();
    for (size_t i = 0; i < n_rows; i++) {
        if (json_object_get(rows[i].json, "subresources"))
            write_subresources(i, rows[i].json, rows[i].group, rows[i].version);
    }
    fprintf(out, "static const struct resource rows[%zu] = {\n", n_rows);
    for (size_t i = 0; i < n_rows; i++)
        write_row(i);
    fprintf(out, "};\nconst struct resource *const all_resources[] = {\n");
    for (size_t i = 0; i < n_rows; i++)
        fprintf(out, "    &rows[%zu],\n", i);
    fprintf(out, "    0,\n};\n");
}
