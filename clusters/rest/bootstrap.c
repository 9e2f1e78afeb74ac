/*
 * What every cluster has from its first moment: clusters/kubernetes/bootstrap.json (namespaces,
 * roles, priorities, flow control, API services, as a real server makes them) and the `kubernetes`
 * service. One transaction.
 */
#include <stdlib.h>
#include <string.h>

#include "clusters/rest/rest_internal.h"
#include "core/json.h"
#include "core/seal.h"

extern const unsigned char bootstrap_json[];
extern const size_t bootstrap_json_len;

#define WRITES_MAX 512
#define HTTPS_PORT 443

struct making {
    struct op *op;
    struct cluster *cluster;
    const char *now;
    struct write writes[WRITES_MAX];
    size_t n;
};

static bool is_there(struct making *m, const struct resource *r, const json_t *tree)
{
    return store_latest(m->op, m->cluster->store, r, text_at_or(tree, "metadata.namespace", ""),
                        text_at(tree, "metadata.name")) != NULL;
}

static void write_new(struct making *m, const struct resource *r, json_t *tree)
{
    char uid[37];

    if (m->n == WRITES_MAX || is_there(m, r, tree))
        return;
    random_uuid(uid);
    set_at(tree, "metadata.uid", json_string(uid));
    set_at(tree, "metadata.creationTimestamp", json_string(m->now));
    m->writes[m->n++] = (struct write){.change = CHANGE_CREATE,
                                       .resource = r->stored_as,
                                       .ns = text_at_or(tree, "metadata.namespace", ""),
                                       .name = text_at(tree, "metadata.name"),
                                       .tree = tree};
}

/* "@now" is when the cluster was made. */
static void fill_times(json_t *tree, const char *now)
{
    json_t *condition;
    size_t i;

    json_array_foreach(at(tree, "status.conditions"), i, condition)
    {
        if (strcmp(text_at_or(condition, "lastTransitionTime", ""), "@now") == 0)
            json_object_set_new(condition, "lastTransitionTime", json_string(now));
    }
}

static enum fault write_table(struct making *m)
{
    json_t *table = NULL, *group, *tree;
    size_t i, j;

    TRY(json_parse(m->op, (struct bytes){bootstrap_json, bootstrap_json_len}, &table));
    json_array_foreach(table, i, group)
    {
        const struct resource *r =
            resource_preferred(text_at(group, "group"), text_at(group, "resource"));

        if (!r)
            return fail(m->op, INTERNAL, "bootstrap.json names %s, which is not served",
                        text_at(group, "resource"));
        json_array_foreach(json_object_get(group, "objects"), j, tree)
        {
            fill_times(tree, m->now);
            write_new(m, r, tree);
        }
    }
    return OK;
}

/* ---- the service by which pods reach the API ---- */

static json_t *of_default(struct making *m, const struct resource *r, const char *key,
                          const char *value)
{
    json_t *tree = object_new(m->op, r, "default", "kubernetes");

    json_object_set_new(object_at(tree, "metadata.labels"), key, json_string(value));
    return tree;
}

static void write_service(struct making *m)
{
    json_t *tree = of_default(m, known.services, "component", "apiserver");
    int port = m->cluster->endpoint_port ? m->cluster->endpoint_port : HTTPS_PORT;

    json_object_set_new(object_at(tree, "metadata.labels"), "provider", json_string("kubernetes"));
    json_object_set_new(
        tree, "spec",
        json_pack("{s:[{s:s, s:s, s:i, s:i}], s:s, s:[s], s:s, s:s, s:[s], s:s, s:s}", "ports",
                  "name", "https", "protocol", "TCP", "port", HTTPS_PORT, "targetPort", port,
                  "clusterIP", m->cluster->kubernetes_ip, "clusterIPs", m->cluster->kubernetes_ip,
                  "type", "ClusterIP", "sessionAffinity", "None", "ipFamilies", "IPv4",
                  "ipFamilyPolicy", "SingleStack", "internalTrafficPolicy", "Cluster"));
    json_object_set_new(tree, "status", json_pack("{s:{}}", "loadBalancer"));
    write_new(m, known.services, tree);
}

/* Made, or put right when the address is another now. */
static void write_right(struct making *m, const struct resource *r, json_t *tree,
                        const char *const *members)
{
    struct object *live =
        store_latest(m->op, m->cluster->store, r, "default", text_at(tree, "metadata.name"));
    bool same = live != NULL;
    json_t *changed;

    for (size_t i = 0; same && members[i]; i++)
        same = json_equal(json_object_get(object_tree(live), members[i]),
                          json_object_get(tree, members[i]));
    if (same)
        return;
    if (!live) {
        write_new(m, r, tree);
        return;
    }
    changed = object_copy(m->op, object_tree(live));
    for (size_t i = 0; members[i]; i++)
        json_object_set(changed, members[i], json_object_get(tree, members[i]));
    m->writes[m->n++] = (struct write){.change = CHANGE_UPDATE,
                                       .resource = r->stored_as,
                                       .ns = "default",
                                       .name = "kubernetes",
                                       .tree = changed};
}

static void write_endpoints(struct making *m)
{
    static const char *const of_endpoints[] = {"subsets", NULL};
    static const char *const of_slice[] = {"endpoints", "ports", NULL};
    const struct cluster *c = m->cluster;
    json_t *tree;

    if (!c->endpoint_address)
        return;
    tree = of_default(m, known.endpoints, "endpointslice.kubernetes.io/skip-mirror", "true");
    json_object_set_new(tree, "subsets",
                        json_pack("[{s:[{s:s}], s:[{s:s, s:i, s:s}]}]", "addresses", "ip",
                                  c->endpoint_address, "ports", "name", "https", "port",
                                  c->endpoint_port, "protocol", "TCP"));
    write_right(m, known.endpoints, tree, of_endpoints);
    tree = of_default(m, known.endpoint_slices, "kubernetes.io/service-name", "kubernetes");
    json_object_set_new(tree, "addressType", json_string("IPv4"));
    json_object_set_new(tree, "endpoints",
                        json_pack("[{s:[s], s:{s:b}}]", "addresses", c->endpoint_address,
                                  "conditions", "ready", 1));
    json_object_set_new(tree, "ports",
                        json_pack("[{s:s, s:i, s:s}]", "name", "https", "port", c->endpoint_port,
                                  "protocol", "TCP"));
    write_right(m, known.endpoint_slices, tree, of_slice);
}

/* For servers that extend the API: whom to believe. */
static void write_authentication(struct making *m)
{
    json_t *tree =
        object_new(m->op, known.config_maps, "kube-system", "extension-apiserver-authentication");

    json_object_set_new(tree, "data", json_pack("{s:s}", "client-ca-file", m->cluster->ca_pem));
    write_new(m, known.config_maps, tree);
}

void bootstrap_service(struct op *op, struct rest *r)
{
    struct making *m = arena_alloc(&op->arena, sizeof(*m));
    int64_t revision = 0;

    m->op = op;
    m->cluster = r->cluster;
    m->now = time_text(op, wall_s());
    write_service(m);
    write_endpoints(m);
    if (m->n && store_submit_all(op, r->cluster->store, m->writes, m->n, &revision) == OK &&
        r->revision < revision)
        r->revision = revision;
}

enum fault bootstrap(struct op *op, struct cluster *cluster)
{
    struct making *m = arena_alloc(&op->arena, sizeof(*m));
    int64_t revision = 0;

    m->op = op;
    m->cluster = cluster;
    m->now = time_text(op, wall_s());
    TRY(write_table(m));
    write_service(m);
    write_endpoints(m);
    write_authentication(m);
    if (!m->n)
        return OK;
    TRY(store_submit_all(op, cluster->store, m->writes, m->n, &revision));
    return store_wait(op, cluster->store, revision);
}
