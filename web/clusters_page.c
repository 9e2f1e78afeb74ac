#include <string.h>

#include "clusters/object/object.h"
#include "web/create.h"
#include "web/pages.h"
#include "web/resource_list.h"
#include "web/subscriptions.h"

#define TYPE "Microsoft.ContainerService/managedClusters"

static int64_t nodes_of(const json_t *cluster)
{
    json_t *pool;
    size_t i;
    int64_t n = 0;

    json_array_foreach(at(cluster, "properties.agentPoolProfiles"), i, pool)
    {
        n += int_at(pool, "count", 0);
    }
    return n;
}

static void add_row(struct page *p, const json_t *cluster)
{
    const char *id = text_at_or(cluster, "id", ""), *group = id_group(p->op, id);

    page_row_begin(p);
    page_cell_as(p, "name", page_of(p->op, id), text_at_or(cluster, "name", ""));
    page_cell_state(p, text_at_or(cluster, "properties.powerState.code", ""));
    page_cell_state(p, text_at_or(cluster, "properties.provisioningState", ""));
    page_cell(p, text_at_or(cluster, "properties.currentKubernetesVersion", ""));
    page_cell_number(p, page_count(p->op, nodes_of(cluster)));
    page_cell_link(
        p,
        page_of(p->op, arena_printf(&p->op->arena, "/subscriptions/%s/resourceGroups/%s",
                                    arena_printf(&p->op->arena, "%.36s", id + 15), group)),
        group);
    page_row_end(p);
}

enum fault clusters_page(struct call *c)
{
    struct resource_list l;
    json_t *clusters, *cluster;
    struct page p;
    size_t i;

    page_begin(c, &p, "Clusters", NULL);
    TRY(resource_list_read(&p, TYPE, NULL, RESOURCE_WHOLE, &l, &clusters));
    TRY(create_link_in_groups(&p, TYPE "/write", "/console/clusters/new", "Create a cluster"));
    if (!json_array_size(clusters) && resource_list_is_whole(&l)) {
        page_empty(&p, "A cluster is a Kubernetes of its own, with nodes that run its pods.",
                   "az aks create -g demo -n cluster --node-count 1 --no-ssh-key");
        return page_end(&p);
    }
    resource_list_search(&p, &l);
    page_table_begin(&p, "Clusters",
                     (const char *const[]){"Name", "Power", "State", "Version", ">Nodes",
                                           "Resource group", NULL});
    json_array_foreach(clusters, i, cluster)
    {
        add_row(&p, cluster);
    }
    page_table_end(&p);
    resource_list_pages(&p, &l);
    page_command(&p, "The same by az", "az aks list -o table");
    return page_end(&p);
}
